/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dumpers, as far as the rest of the face has to know of them: packets that were dumped wait in memory for more of them, but never while their reader
 * sleeps.
 */
#ifndef NETRING_DUMP_H
#define NETRING_DUMP_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler.h"
#include "handle.h"

/* What one thread has dumped. */
struct dump_thread {
	bool reads;		/* it has been about to sleep in a read: it looks after what it dumps */
	FILE *last;		/* where it has dumped to since the last dump_before_sleep; NULL: nowhere, or it does not read */
	bool several;		/* and to others before */
	FILE *busy;		/* it is in pcap_dump for this one, or flushes it */
	bool flush_wanted;	/* a signal handler has asked for it meanwhile */
	const char *packet;	/* while a packet does not fit into the buffer: where in the buffer it begins, */
	size_t packet_size;	/* and its size in the file */
};

/* Reached without a call, as it is for each packet. */
extern __thread struct dump_thread dump_thread __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A thread that does not read has dumped something: any reader looks after that. Set and cleared atomically. */
extern bool dump_by_others __attribute__((visibility("hidden")));

void dump_flush_pending(void);

void dump_flush_if_drained(pcap_t *p);

static inline bool dump_is_pending(void)
{
	return dump_thread.last || __atomic_load_n(&dump_by_others, __ATOMIC_RELAXED);
}

/* To be called when a reader goes to sleep: what it has dumped, or somebody for it, goes to its files. */
static inline void dump_before_sleep(void)
{
	dump_thread.reads = true;
	if (unlikely(dump_is_pending()))
		dump_flush_pending();
}

/* To be called when a read of an engine handle returns to a program, which may then sleep by itself. */
static inline void dump_before_return(pcap_t *p)
{
	if (unlikely(dump_is_pending()))
		dump_flush_if_drained(p);
}

#endif
