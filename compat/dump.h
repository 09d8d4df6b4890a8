/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dumpers, as far as the functions that read have to know of them. What is dumped may wait in memory for more of it, but only on behalf of a thread
 * that is in a read, and never while that thread sleeps (dump-hold.c).
 */
#ifndef NETRING_DUMP_H
#define NETRING_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "dump-hold.h"

/* To be called when a read begins, by the thread that reads: what callbacks dump is held back. */
static inline void dump_read_begins(void)
{
	dump_thread.hold = DUMP_HOLD;
}

/* To be called when a read goes to sleep: what the thread has dumped goes to its files. */
static inline void dump_before_sleep(void)
{
	if (unlikely(dump_thread.held_count > 0))
		dump_flush_held();
}

/* True if it matters to dumpers how a read ends. Any thread may have opened one. */
static inline bool dump_is_used(void)
{
	return __atomic_load_n(&dump_streams, __ATOMIC_RELAXED) != NULL;
}

/* To be called when a read returns: how things are until the next one. All but DUMP_HOLD_BETWEEN writes what was held back. */
static inline void dump_read_ends(enum dump_hold hold)
{
	dump_thread.hold = hold;
	dump_thread.last = NULL;
	if (unlikely(dump_thread.held_count > 0))
		dump_settle_held();
}

/* Since the process began, over all dumpers. */
struct dump_losses {
	uint64_t packets;	/* dumped, and not in the file, because it could not be written */
	uint64_t failures;	/* files and streams that could not be written */
};

/* Any thread may ask. */
void dump_losses(struct dump_losses *losses);

/* Puts them where netring stats reads them, if there is something new. Not in a signal handler. */
void dump_losses_publish(void);

#endif
