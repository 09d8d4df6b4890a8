/* SPDX-License-Identifier: BSD-3-Clause */
/* The captures on netring that run on an interface, as their pages of statistics tell: what each has lost, in all and between two looks. */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <sys/stat.h>

#include "facts-collect.h"
#include "stats-report.h"

/* More would be a list that nobody reads. */
#define CAPTURES_MOST 16

/* Of its rings, those on this interface, or on all of them. */
static struct stats_ring sum_on(const struct stats_view *view, int ifindex)
{
	struct stats_ring sum = { 0 };

	for (uint32_t i = 0; i < view->capture.rings; i++) {
		const struct stats_ring *ring = &view->ring[i];

		if (ring->ifindex != ifindex && ring->ifindex != 0)
			continue;
		sum.kind = STATS_RING;
		sum.packets += ring->packets;
		sum.drops += ring->drops;
		sum.bytes_got += ring->bytes_got;
		sum.unknown |= ring->unknown;
	}
	return sum;
}

static const struct stats_view *find_again(const struct stats_views *views, const struct stats_view *view)
{
	for (size_t i = 0; i < views->views; i++) {
		const struct stats_view *other = &views->view[i];

		if (other->process.pid == view->process.pid && other->number == view->number && other->capture.opened_ns == view->capture.opened_ns)
			return other;
	}
	return NULL;
}

static void set(struct facts *facts, const char *prefix, unsigned number, const char *name, uint64_t value)
{
	char fact[64];

	snprintf(fact, sizeof(fact), "%scapture.%u.%s", prefix, number, name);
	facts_format(facts, fact, "%" PRIu64, value);
}

static void set_text(struct facts *facts, unsigned number, const char *name, const char *value)
{
	char fact[64];

	snprintf(fact, sizeof(fact), "capture.%u.%s", number, name);
	facts_set(facts, fact, value);
}

/* Of libpcap's own captures little is known, and a loss once the program has asked for it: between two looks it cannot be told. */
static void set_capture(struct facts *facts, unsigned number, const struct stats_view *view, const struct stats_ring *now,
			const struct stats_ring *before)
{
	const char *engine = stats_engine_name(view->capture.engine);

	set_text(facts, number, "program", view->process.name);
	set(facts, "", number, "pid", (uint64_t)view->process.pid);
	set_text(facts, number, "engine", engine);
	set_text(facts, number, "stopped", view->process.state == 'T' ? "yes" : "no");
	if (stats_ring_knows(now, STATS_UNKNOWN_RING))
		set(facts, "", number, "ring_bytes", now->bytes_got);
	if (!stats_ring_knows(now, STATS_UNKNOWN_LOSSES))
		return;
	set(facts, "", number, "packets", now->packets);
	set(facts, "", number, "drops", now->drops);
	/* libpcap's are of when its program has asked for them. */
	if (view->capture.engine == STATS_LIBPCAP && view->losses_age_s >= 0)
		set(facts, "", number, "losses_age", (uint64_t)view->losses_age_s);
	if (before && view->capture.engine != STATS_LIBPCAP)
		set(facts, "rate.", number, "drops", now->drops > before->drops ? now->drops - before->drops : 0);
}

void facts_collect_captures(struct facts *facts, int ifindex, const struct stats_views *first, const struct stats_views *second)
{
	struct stat namespace;
	unsigned number = 0;

	if (stat("/proc/self/ns/net", &namespace) < 0)
		return;
	for (size_t i = 0; i < second->views && number < CAPTURES_MOST; i++) {
		const struct stats_view *view = &second->view[i], *before = find_again(first, view);
		struct stats_ring now = sum_on(view, ifindex), then = { 0 };

		if (view->process.namespace != namespace.st_ino || now.kind != STATS_RING)
			continue;
		if (before)
			then = sum_on(before, ifindex);
		set_capture(facts, number++, view, &now, before ? &then : NULL);
	}
}
