/* SPDX-License-Identifier: BSD-3-Clause */
/* The report of netring stats, which netring top takes again and again: what is in it, and what its figures mean. */
#include "stats-report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *stats_engine_name(uint32_t engine)
{
	static const char *const names[] = { [STATS_PACKET_V3] = "packet-v3",
					     [STATS_PACKET_V2] = "packet-v2",
					     [STATS_XDP] = "xdp",
					     [STATS_XDP_TAP] = "xdp-tap",
					     [STATS_LIBPCAP] = "libpcap" };

	return engine < sizeof(names) / sizeof(*names) ? names[engine] : "unknown";
}

const char *stats_reader_name(const struct stats_view *view)
{
	if (view->process.state == 'T' || view->process.state == 't')
		return "stopped";
	if (view->capture.state == STATS_EMPTY)
		return "waiting";
	return stats_view_is_stale(view) ? "busy" : "reading";
}

uint64_t stats_ring_left(const struct stats_ring *ring)
{
	uint64_t known = ring->delivered + ring->rejected + ring->drops;

	return ring->packets > known ? ring->packets - known : 0;
}

uint64_t stats_ring_full(const struct stats_ring *ring)
{
	uint64_t others = ring->xdp_fill_empty + ring->xdp_other;

	return ring->drops > others ? ring->drops - others : 0;
}

const struct interface_losses *stats_report_interface(const struct stats_report *report, const struct stats_view *view, const struct stats_ring *ring)
{
	for (size_t i = 0; i < report->namespaces; i++) {
		const struct namespace_losses *namespace = &report->namespace[i];

		if (namespace->number != view->process.namespace)
			continue;
		for (size_t n = 0; n < namespace->interfaces; n++)
			if (namespace->interface[n].ifindex == ring->ifindex && strcmp(namespace->interface[n].name, ring->interface) == 0)
				return &namespace->interface[n];
	}
	return NULL;
}

static bool is_number(const char *word)
{
	return word[strspn(word, "0123456789")] == '\0';
}

static bool is_wanted(const struct stats_process *process, const char *program, const char *word)
{
	if (!word)
		return true;
	if (is_number(word))
		return process->pid == (pid_t)strtol(word, NULL, 10);
	return strcmp(process->name, word) == 0 || strcmp(program, word) == 0;
}

/* Takes out what was not asked for. */
static void choose(struct stats_views *views, const char *word)
{
	size_t kept = 0;

	for (size_t i = 0; i < views->views; i++)
		if (is_wanted(&views->view[i].process, views->view[i].head.program, word))
			views->view[kept++] = views->view[i];
		else
			free(views->view[i].ring);
	views->views = kept;
	kept = 0;
	for (size_t i = 0; i < views->refusals; i++)
		if (is_wanted(&views->refusal[i].process, "", word))
			views->refusal[kept++] = views->refusal[i];
	views->refusals = kept;
}

static bool is_read(const struct stats_report *report, uint64_t namespace)
{
	for (size_t i = 0; i < report->namespaces; i++)
		if (report->namespace[i].number == namespace)
			return true;
	return false;
}

static void note_blind(struct stats_report *report, const struct stats_process *process, const char *reason)
{
	struct stats_refusal *larger = reallocarray(report->blind, report->blinds + 1, sizeof(*larger));

	if (!larger)
		return;
	report->blind = larger;
	larger[report->blinds].process = *process;
	snprintf(larger[report->blinds++].reason, sizeof(larger->reason), "%.127s", reason);
}

/* One that cannot be entered is left out, and its interfaces' losses with it. */
static void read_namespaces(struct stats_report *report)
{
	for (size_t i = 0; i < report->views.views; i++) {
		const struct stats_process *process = &report->views.view[i].process;
		struct namespace_losses *larger, losses;
		struct netring_error error;

		if (is_read(report, process->namespace))
			continue;
		if (interface_losses_read(&losses, process->pid, &error) < 0) {
			note_blind(report, process, error.text);
			losses.number = process->namespace;
		}
		larger = reallocarray(report->namespace, report->namespaces + 1, sizeof(*larger));
		if (!larger) {
			free(losses.interface);
			return;
		}
		report->namespace = larger;
		larger[report->namespaces++] = losses;
	}
}

static void read_softnet(struct stats_report *report)
{
	int rows;

	report->softnet = calloc(SOFTNET_CPUS_MAX, sizeof(*report->softnet));
	rows = report->softnet ? softnet_losses_read(report->softnet, SOFTNET_CPUS_MAX) : 0;
	report->cpus = rows > 0 ? (unsigned)rows : 0;
}

int stats_report_read(struct stats_report *report, const char *word, struct netring_error *error)
{
	int ret;

	memset(report, 0, sizeof(*report));
	ret = stats_views_find(&report->views, "/proc", error);
	if (ret < 0)
		return ret;
	choose(&report->views, word);
	read_namespaces(report);
	read_softnet(report);
	return 0;
}

void stats_report_free(struct stats_report *report)
{
	for (size_t i = 0; i < report->namespaces; i++)
		free(report->namespace[i].interface);
	free(report->namespace);
	free(report->blind);
	free(report->softnet);
	stats_views_free(&report->views);
}
