/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats-view.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 200
#define STALE_S 1.0

void *stats_array_grow(void *array, size_t count, size_t size)
{
	char *larger = reallocarray(array, count + 1, size);

	if (larger)
		memset(larger + count * size, 0, size);
	return larger;
}

int stats_views_refuse(struct stats_views *views, const struct stats_process *process, const char *reason)
{
	struct stats_refusal *larger, refusal = { .process = *process };

	if (views->refusals && views->refusal[views->refusals - 1].process.pid == process->pid)
		return 0;
	larger = stats_array_grow(views->refusal, views->refusals, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	views->refusal = larger;
	snprintf(refusal.reason, sizeof(refusal.reason), "%s", reason);
	larger[views->refusals++] = refusal;
	return 0;
}

static bool read_at(const struct stats_place *page, void *buffer, size_t size, uint32_t record)
{
	return pread(page->fd, buffer, size, page->offset + (off_t)record * STATS_RECORD) == (ssize_t)size;
}

/* NULL if it is a page of this version. */
static const char *check_head(const struct stats_place *page, struct stats_head *head, char reason[128])
{
	if (!read_at(page, head, sizeof(*head), 0) || head->magic != STATS_MAGIC)
		return "it is no page of statistics";
	if (head->version != STATS_VERSION) {
		snprintf(reason, 128, "its statistics are of version %u, and this is for version %d: use the netring command of its version",
			 head->version, STATS_VERSION);
		return reason;
	}
	if (head->size != STATS_SIZE || head->record != STATS_RECORD || head->records > STATS_RECORDS_MAX)
		return "its statistics contradict themselves";
	stats_text_clean(head->program, sizeof(head->program));
	stats_text_clean(head->library, sizeof(head->library));
	return NULL;
}

/* A few times over, until nothing was written meanwhile. */
static bool read_together(const struct stats_place *page, struct stats_view *view)
{
	uint32_t rings = view->capture.rings;

	for (unsigned i = 0; i < TRIES; i++) {
		struct stats_capture after;

		if (!read_at(page, &view->capture, sizeof(view->capture), view->number))
			return false;
		for (uint32_t ring = 0; ring < rings; ring++)
			if (!read_at(page, &view->ring[ring], sizeof(view->ring[ring]), view->number + 1 + ring))
				return false;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!read_at(page, &after, sizeof(after), view->number) || after.kind != STATS_CAPTURE || after.rings != rings ||
		    view->capture.rings != rings)
			return false;
		view->torn = (view->capture.seq & 1) || after.seq != view->capture.seq;
		if (!view->torn)
			return true;
		sched_yield();
	}
	return true;
}

/* Of a time of CLOCK_MONOTONIC. */
static double age_of(uint64_t then_ns)
{
	struct timespec now;
	double age;

	clock_gettime(CLOCK_MONOTONIC, &now);
	age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)then_ns / 1e9;
	return age >= 0 && then_ns != 0 ? age : -1;
}

/* 1: there is a capture. 0: it has gone, or does not make sense. */
static int read_capture(const struct stats_place *page, const struct stats_head *head, uint32_t number, struct stats_view *view)
{
	view->number = number;
	view->head = *head;
	view->ring = calloc(view->capture.rings, sizeof(*view->ring));
	if (!view->ring)
		return -ENOMEM;
	if (!read_together(page, view) || view->capture.state == STATS_CLOSED) {
		free(view->ring);
		return 0;
	}
	stats_text_clean(view->capture.why, sizeof(view->capture.why));
	for (uint32_t i = 0; i < view->capture.rings; i++)
		stats_text_clean(view->ring[i].interface, sizeof(view->ring[i].interface));
	view->age_s = age_of(view->capture.updated_ns);
	view->losses_age_s = view->capture.engine == STATS_LIBPCAP ? age_of(view->ring[0].asked_ns) : view->age_s;
	view->device = page->device;
	view->inode = page->inode;
	return 1;
}

int stats_views_read(struct stats_views *views, const struct stats_place *page)
{
	struct stats_head head;
	char text[128];
	const char *reason = check_head(page, &head, text);

	if (reason)
		return stats_views_refuse(views, page->process, reason);
	for (uint32_t i = 1; i < head.records; i++) {
		struct stats_view view = { 0 }, *place;
		int ret;

		if (!read_at(page, &view.capture, sizeof(view.capture), i) || view.capture.kind != STATS_CAPTURE)
			continue;
		if (view.capture.rings == 0 || view.capture.rings >= head.records - i)
			return stats_views_refuse(views, page->process, "its statistics contradict themselves");
		ret = read_capture(page, &head, i, &view);
		if (ret < 0)
			return ret;
		i += view.capture.rings;
		if (ret == 0)
			continue;
		place = stats_array_grow(views->view, views->views, sizeof(*place));
		if (!place) {
			free(view.ring);
			return -ENOMEM;
		}
		views->view = place;
		place[views->views++] = view;
	}
	return 0;
}

void stats_views_free(struct stats_views *views)
{
	for (size_t i = 0; i < views->views; i++)
		free(views->view[i].ring);
	free(views->view);
	free(views->refusal);
	memset(views, 0, sizeof(*views));
}

bool stats_view_is_stale(const struct stats_view *view)
{
	if (view->process.state == 'T' || view->process.state == 't' || view->age_s < 0)
		return true;
	return view->capture.state == STATS_READING && view->age_s > STALE_S;
}

struct stats_ring stats_view_sum(const struct stats_view *view)
{
	struct stats_ring sum = { 0 };

	for (uint32_t i = 0; i < view->capture.rings; i++) {
		const struct stats_ring *ring = &view->ring[i];

		sum.bytes_asked += ring->bytes_asked;
		sum.bytes_got += ring->bytes_got;
		sum.packets += ring->packets;
		sum.drops += ring->drops;
		sum.freezes += ring->freezes;
		sum.delivered += ring->delivered;
		sum.rejected += ring->rejected;
		sum.bytes += ring->bytes;
		sum.xdp_ring_full += ring->xdp_ring_full;
		sum.xdp_fill_empty += ring->xdp_fill_empty;
		sum.xdp_other += ring->xdp_other;
		sum.losing |= ring->losing != 0;
		sum.unknown |= ring->unknown;
	}
	return sum;
}
