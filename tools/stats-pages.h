/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding the pages of counters (src/stats-page.h) of other processes, and reading them. */
#ifndef NETRING_STATS_PAGES_H
#define NETRING_STATS_PAGES_H

#include "error.h"
#include "stats-view.h"

/*
 * Everything there is now, in the order of process ids. proc is "/proc". -errno, with a sentence, if that cannot be read or memory is short. Free views by
 * stats_views_free in either case.
 */
int stats_views_find(struct stats_views *views, const char *proc, struct netring_error *error);

#endif
