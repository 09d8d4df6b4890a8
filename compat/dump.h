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
	bool drained;		/* its last read has left nothing, and the program may sleep by itself now: what it dumps goes to its file at once */
	bool forks;		/* it is in fork, */
	bool locks_list;	/* and has locked the list of dumpers */
	const char *packet;	/* while a packet does not fit into the buffer: where in the buffer it begins, */
	size_t packet_size;	/* and its size in the file */
};

/* Reached without a call, as it is for each packet. */
extern __thread struct dump_thread dump_thread __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A thread that does not read has dumped something: any reader looks after that. Set and cleared atomically. */
extern bool dump_by_others __attribute__((visibility("hidden")));

/* A reader sleeps: a thread that does not read flushes what it dumps. Set and cleared atomically. */
extern bool dump_reader_sleeps __attribute__((visibility("hidden")));

void dump_flush_pending(void);

/* For a handle whose program may sleep by itself. */
void dump_look_if_drained(pcap_t *p);

static inline bool dump_is_pending(void)
{
	return dump_thread.last || __atomic_load_n(&dump_by_others, __ATOMIC_SEQ_CST);
}

/* To be called when a read begins, and when its sleep has ended. */
static inline void dump_when_reading(void)
{
	dump_thread.drained = false;
	if (__atomic_load_n(&dump_reader_sleeps, __ATOMIC_RELAXED))
		__atomic_store_n(&dump_reader_sleeps, false, __ATOMIC_RELAXED);
}

/*
 * To be called when a reader goes to sleep: what it has dumped, or somebody for it, goes to its files. What others dump after the flag is set they flush
 * themselves; the order pairs with pcap_dump's.
 */
static inline void dump_before_sleep(void)
{
	dump_thread.reads = true;
	__atomic_store_n(&dump_reader_sleeps, true, __ATOMIC_SEQ_CST);
	if (unlikely(dump_is_pending()))
		dump_flush_pending();
}

/* To be called when a read of an engine handle returns to a program, which may then sleep by itself. */
static inline void dump_before_return(pcap_t *p)
{
	if (unlikely(p->nonblock || p->fd_is_known))
		dump_look_if_drained(p);
}

#endif
