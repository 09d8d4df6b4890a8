/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading one page of counters (src/stats-page.h) of another process. Nothing on such a page is trusted: any process may make a file of that name, and
 * memory that looks like one. It is read with pread, never mapped, so that nobody can take it away under us; sizes and counts are checked before they are
 * used, and texts are cut and cleaned.
 */
#ifndef NETRING_STATS_VIEW_H
#define NETRING_STATS_VIEW_H

#include "stats-process.h"

/* One capture, at one moment. */
struct stats_view {
	struct stats_process process;
	struct stats_head head;
	struct stats_capture capture;
	struct stats_ring *ring;	/* capture.rings of them */
	uint32_t number;		/* unique in its process: of its record, and from the second page on STATS_RECORDS_MAX more for each */
	dev_t device;			/* of its page */
	ino_t inode;
	bool torn;			/* the figures do not belong together: its writer was stopped in the middle */
	double age_s;			/* of the figures; negative: unknown */
	double losses_age_s;		/* of passed the filter and lost, of which libpcap's are older; negative: unknown, or never asked for */
};

/* A page that cannot be read. */
struct stats_refusal {
	struct stats_process process;
	char reason[128];
};

struct stats_views {
	struct stats_view *view;
	size_t views;
	struct stats_refusal *refusal;
	size_t refusals;
	unsigned hidden;	/* processes that we may not look into */
};

/* Where a page can be read. The reader owns nothing of it. */
struct stats_place {
	const struct stats_process *process;
	dev_t device;
	ino_t inode;
	int fd;	    /* of the page, or of its process's memory */
	off_t offset; /* where in it the page begins */
};

/*
 * Adds the captures on the page to the views; their process is not set yet. A page that makes no sense becomes a refusal. 0, or -ENOMEM, and what was read
 * so far is there.
 */
int stats_views_read(struct stats_views *views, const struct stats_place *place);

/* Once for each process, whatever it may have. 0 or -ENOMEM. */
int stats_views_refuse(struct stats_views *views, const struct stats_process *process, const char *reason);
void stats_views_free(struct stats_views *views);

/* The array with room for one more, zeroed. NULL: no memory; the array is as it was. */
void *stats_array_grow(void *array, size_t count, size_t size);

/* True if the figures may lag behind what has happened by more than they should: the process is stopped, or has been busy with something else. */
bool stats_view_is_stale(const struct stats_view *view);

/* Sum over its rings; interface and cells are of no meaning. */
struct stats_ring stats_view_sum(const struct stats_view *view);

#endif
