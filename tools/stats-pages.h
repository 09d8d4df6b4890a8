/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding the pages of counters (src/stats-page.h) of other processes, and reading them. Nothing on such a page is trusted: any process may make a file
 * of that name, and memory that looks like one. It is read with pread, never mapped, so that nobody can take it away under us; sizes and counts are checked before they are used, and
 * texts are cut and cleaned.
 */
#ifndef NETRING_STATS_PAGES_H
#define NETRING_STATS_PAGES_H

#include <stddef.h>
#include <sys/types.h>

#include "stats-page.h"

/* What /proc says about a process. Zeros where it says nothing. */
struct stats_process {
	pid_t pid;		/* as we see it */
	pid_t own_pid;		/* as it sees itself */
	char name[STATS_TEXT];	/* UTF-8, printable */
	char state;		/* 'T': stopped */
	uint64_t namespace;	/* number of its network namespace */
};

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

/*
 * Everything there is now, in the order of process ids. proc is "/proc". -errno, with a sentence, if that cannot be read or memory is short. Free views by
 * stats_views_free in either case.
 */
int stats_views_find(struct stats_views *views, const char *proc, struct netring_error *error);
void stats_views_free(struct stats_views *views);

/* True if the figures may lag behind what has happened by more than they should: the process is stopped, or has been busy with something else. */
bool stats_view_is_stale(const struct stats_view *view);

/* Sum over its rings; interface and cells are of no meaning. */
struct stats_ring stats_view_sum(const struct stats_view *view);

#endif
