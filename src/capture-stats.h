/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a capture's counters go to the page that others read (stats-page.h): never for a packet, but when a block or a burst has been given back and
 * STATS_UPDATE_MS are over, and whenever the reader has read everything and waits; through XDP not before it has waited for ten milliseconds. The clock is
 * looked at for every 240 packets, or every sixteenth burst. So the figures of a reader that reads are hardly older than that; those of one that waits are
 * exact; those of one that is stopped, or in a callback for long, are as old as updated_ns says.
 *
 * The kernel's counters cost a system call, getsockopt, which libpcap makes in pcap_stats and while it reads from an interface that goes down. It is
 * made here only if there is evidence of loss: a block that says LOSING, or a ring that was full. Without loss what came is what was read.
 * (What AF_XDP drops because it is longer than a frame leaves no evidence: it is counted when the kernel is asked for something else.)
 */
#ifndef NETRING_CAPTURE_STATS_H
#define NETRING_CAPTURE_STATS_H

#include "stats-page.h"

#define STATS_UPDATE_MS 100
#define STATS_LOOK_WEIGHT 256		/* a look at the clock for so many packets; what they count for when they are a block */

struct log;
struct netring;

struct capture_stats {
	struct stats_writer page;
	unsigned moved;			/* what was given back since the last update, by weight; 0: nothing */
	enum stats_state shown;		/* by it */
	uint64_t due_ns;		/* of the coarse clock */
};

/* To be called when all rings are open. A capture does without if there can be no page; the log says so at info. */
void capture_stats_open(struct netring *capture, const struct log *log);
void capture_stats_close(struct netring *capture);

/* Updates the page now. The reader only. */
void capture_stats_update(struct netring *capture, enum stats_state state);

/* The same if it is time for it. */
void capture_stats_look(struct netring *capture);

/* The reader goes on behind a wait: until the next update nobody can tell how far it is. */
void capture_stats_resume(struct netring *capture);

/* True if packets were given back since the last update, of a capture that is shown. */
static inline bool capture_stats_are_behind(const struct capture_stats *stats)
{
	return stats->moved != 0 && stats->page.capture;
}

/* False if an update would show what is shown already. */
static inline bool capture_stats_are_old(const struct capture_stats *stats, enum stats_state state)
{
	return stats->moved != 0 || stats->shown != state;
}

/*
 * Packets were given back, or a block to its end, which is worth a look at the clock by itself. Else it takes so many packets that a slow program has not
 * been long at them, or sixteen times of a few.
 */
static inline void capture_stats_moved(struct netring *capture, struct capture_stats *stats, unsigned packets)
{
	stats->moved += packets + STATS_LOOK_WEIGHT / 16;
	if (__builtin_expect(stats->moved >= STATS_LOOK_WEIGHT, 0))
		capture_stats_look(capture);
}

#endif
