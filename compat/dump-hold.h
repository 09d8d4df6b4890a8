/* SPDX-License-Identifier: BSD-3-Clause */
/* What each thread holds back of what it has dumped, and the list of the streams that may hold anything. */
#ifndef NETRING_DUMP_HOLD_H
#define NETRING_DUMP_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler.h"

/* What libpcap's streams hold back at most: from so many bytes on they write. */
#define DUMP_LIBPCAP_HOLDS 4096

/* Streams that one thread holds at a time; others are written as libpcap does. */
#define DUMP_HELD_MAX 8

/* How long what a thread dumps may wait. */
enum dump_hold {
	DUMP_LIKE_LIBPCAP,	/* it is in no read: until there are 4 KiB */
	DUMP_AT_ONCE,		/* nor is anything left to read, and the program may sleep by itself: not at all */
	DUMP_HOLD_BETWEEN,	/* between two reads, the first of which has left something: for 100 ms */
	DUMP_HOLD,		/* in a read: until that sleeps or returns, or the buffer is full */
};

struct dump_thread {
	FILE *last;		/* where it has dumped to last, if pcap_dump has nothing to look after there; else NULL */
	enum dump_hold hold;
	bool flush_wanted;	/* a signal handler has asked for it while busy */
	FILE *busy;		/* it is in pcap_dump for this one, or flushes it */
	const char *packet;	/* while a packet does not fit into the buffer: where in the buffer it begins, */
	size_t packet_size;	/* and its size in the file */
	FILE *held[DUMP_HELD_MAX];	/* where it has dumped to since dump_flush_held; some may be closed by now */
	unsigned held_count;
	int64_t held_since_ms;	/* something has been held since then, between reads; 0: not known yet */
	bool forks, ends;
	int cancel_state;	/* while it forks: whether it could be cancelled before */
};

/* Reached without a call, as it is for each packet. */
extern __thread struct dump_thread dump_thread __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A stream that may hold something back. As long as it is on the list, its FILE is there. */
struct dump_stream {
	struct dump_stream *next;
	FILE *file;
	bool is_pipe;		/* writing to it may take for ever */
	unsigned flushed;	/* in that round before a fork */
};

/* The list, and its lock; which is never held while anything is written, and which a stream's lock is only tried under. */
extern struct dump_stream *dump_streams __attribute__((visibility("hidden")));
void dump_streams_lock(void);
void dump_streams_unlock(void);
void dump_stream_add(struct dump_stream *stream);
void dump_stream_remove(struct dump_stream *stream);

static inline size_t dump_waiting(const FILE *file)
{
	return (size_t)(file->_IO_write_ptr - file->_IO_write_base);
}

/* fflush; but not again, while it is under way, by a signal handler: that would take away what the first is waiting for. EOF: errno. */
int dump_flush_stream(FILE *file);

/* Writes what this thread has dumped and still holds. Preserves errno. */
void dump_flush_held(void);

/* That stream is being closed by this thread, which has no more to remember of it. Accepts any. */
void dump_held_closed(const FILE *file);

/* As dump_flush_held, unless dump_thread.hold allows to hold it. */
void dump_settle_held(void);

/* pcap_dump has put something into a stream that is not dump_thread.last: writes what must not wait. */
void dump_look_after(FILE *file);

/* With the stream locked, and before anything is put into it: another thread may be about to fork. */
extern bool dump_fork_is_near __attribute__((visibility("hidden")));
void dump_let_fork(FILE *file);

#endif
