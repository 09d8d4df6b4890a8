/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The counters of a process's captures, where others can read them: a memfd named netring-stats, which `netring stats` finds in /proc/PID/fd.
 *
 * One for each process, made with its first capture and closed with its last: a program of two hundred handles pays one descriptor. It is sealed:
 * its size cannot change, and (Linux 5.1) it cannot be written but through the mapping made here, so that a program which has the descriptor as its
 * standard output does no harm.
 *
 * Under a seccomp filter, which may kill for memfd_create and which every container of Docker has, it is shared anonymous memory instead, made by mmap
 * alone. The kernel calls that "/dev/zero (deleted)" in /proc/PID/maps, and STATS_SIZE and STATS_MAGIC tell it from others.
 *
 * The page is made of records of STATS_RECORD bytes:
 *
 *	record 0	struct stats_head
 *	then, for each capture, one struct stats_capture, and behind it one struct stats_ring for each of its rings; what is not in use has kind 0
 *
 * Numbers are in the host's byte order. A change of the layout is a change of STATS_VERSION.
 *
 * Who writes. The reader of a capture, without a lock; seq is odd meanwhile, so that who reads can tell whether the figures belong together. After a
 * fork parent and child have the same page. The child knows that it is one by its memory (the page with `token` in stats-page.c is empty there), and
 * the first time it updates the figures it raises `writer`; the parent sees that and leaves the record alone from then on. A child that never
 * reads never writes. There is no call of getpid in this: a sandboxed reader must not make one.
 *
 * What a program does to the descriptor, closing it included, changes nothing for the program: the mapping stays.
 */
#ifndef NETRING_STATS_PAGE_H
#define NETRING_STATS_PAGE_H

#include <stdbool.h>
#include <time.h>

#include "error.h"

#define STATS_NAME "netring-stats"
#define STATS_MAGIC UINT64_C(0x737461747352740a)
#define STATS_VERSION 2
#define STATS_RECORD 256
#define STATS_RECORDS_MAX 8192		/* sparse: pages are allocated when they are used */
#define STATS_SIZE ((size_t)STATS_RECORD * STATS_RECORDS_MAX)
#define STATS_TEXT 64

#define STATS_NO_INTERFACE (-1)

enum stats_kind { STATS_FREE, STATS_CAPTURE, STATS_RING };

/* STATS_LIBPCAP: captured by libpcap itself, as one ring of which little is known. */
enum stats_engine { STATS_PACKET_V3, STATS_PACKET_V2, STATS_XDP, STATS_XDP_TAP, STATS_LIBPCAP };

/* What is not known of a ring, and then 0: flags of stats_ring.unknown. */
enum stats_unknown {
	STATS_UNKNOWN_LOSSES = 1,	/* packets, drops, xdp_*: nobody has asked libpcap yet */
	STATS_UNKNOWN_RING = 2,		/* its size, what waits in it, freezes, losing, rejected */
};

enum stats_state {
	STATS_READING,			/* there was more to read: what has happened since updated_ns is not in the figures */
	STATS_EMPTY,			/* the reader had read everything that was there */
	STATS_CLOSED,			/* by a forked child, in whose hands the capture was */
};

/* Record 0. Not counted by seq: each field is whole by itself. */
struct stats_head {
	uint64_t magic;
	uint32_t version;
	uint32_t size;			/* bytes of the whole file */
	uint32_t record;		/* bytes */
	uint32_t records;		/* from here on all are free */
	uint32_t pid;			/* of who made it, as that process sees itself; 0: unknown */
	uint32_t pad;
	uint64_t savefile_failures;	/* savefiles that could not be written, over all dumpers of the process */
	uint64_t savefile_lost;		/* packets that were dumped and are not in their file for that */
	char program[STATS_TEXT];	/* NUL-terminated, as all texts */
	char library[STATS_TEXT];	/* netring's version */
};

struct stats_capture {
	uint32_t kind;			/* STATS_CAPTURE */
	uint32_t rings;			/* records behind this one */
	uint32_t seq;			/* odd: being written */
	uint32_t writer;		/* forks that it has gone through */
	uint32_t engine;		/* enum stats_engine */
	uint32_t state;			/* enum stats_state; may change by itself, between two updates */
	uint64_t opened_ns;		/* CLOCK_REALTIME */
	uint64_t updated_ns;		/* CLOCK_MONOTONIC: when the figures were true */
	uint64_t disordered;		/* blocks that came too late to be handed out in the order of time */
	char why[2 * STATS_TEXT];	/* why this engine */
};

/* Counts since the capture was opened; of XDP, ring full and the others are part of drops. */
struct stats_ring {
	uint32_t kind;			/* STATS_RING */
	int32_t ifindex;		/* 0: all interfaces; STATS_NO_INTERFACE: libpcap's device, which is none */
	char interface[STATS_TEXT];
	uint64_t bytes_asked, bytes_got;	/* the ring's size */
	uint32_t cells;			/* that it is made of: blocks, or the frames of immediate mode; xdp-tap: words of 8 bytes */
	uint32_t cell_bytes;
	uint32_t waiting;		/* cells that waited for the reader */
	uint32_t waiting_most;		/* at any time */
	uint64_t packets;		/* passed the filter in the kernel: no less than this. Exact when everything has been read */
	uint64_t drops;			/* of these, lost because the ring was full */
	uint64_t freezes;		/* times it became full; 0 in immediate mode and through XDP */
	uint64_t delivered;
	uint64_t rejected;		/* by the filter in user space */
	uint64_t bytes;			/* of what was delivered or rejected and whose cell has been given back; up to 7 too many for each packet */
	uint64_t xdp_ring_full, xdp_fill_empty, xdp_other;
	uint32_t queue;			/* XDP: the receive queue */
	uint32_t losing;		/* the kernel has lost packets that are not in drops yet */
	uint32_t unknown;		/* enum stats_unknown */
	uint32_t pad;
	uint64_t asked_ns;		/* libpcap: CLOCK_MONOTONIC, when the program asked for packets and drops (packets: since then no less); 0: never */
};

_Static_assert(sizeof(struct stats_head) <= STATS_RECORD && sizeof(struct stats_capture) <= STATS_RECORD &&
	       sizeof(struct stats_ring) <= STATS_RECORD, "a record is larger than its place");

/* One capture's place. All zeros: none, and nothing is written. */
struct stats_writer {
	struct stats_capture *capture;
	uint32_t first, records;	/* its number, and how many */
	uint32_t writer;
	uint64_t token;
};

/*
 * A place for a capture of so many rings, with the kind and `opened_ns` set, as if it were being written until the first stats_page_end; on the process's
 * page, which is made if there is none. -ENOSPC: no room; or what memfd_create, mmap and so on say. A capture can do without: on failure writer is all
 * zeros.
 */
int stats_page_open(struct stats_writer *writer, unsigned rings, struct netring_error *error);

/* Accepts all zeros. Leaves the place to the parent if this is a forked child's copy. */
void stats_page_close(struct stats_writer *writer);

/* Between these two the records may be written, by relaxed stores. False: they may not, because a forked process has taken the capture over. */
bool stats_page_begin(struct stats_writer *writer);
void stats_page_end(const struct stats_writer *writer);

/* True if the place is this process's to write, without taking it over. */
bool stats_page_is_ours(const struct stats_writer *writer);

static inline struct stats_ring *stats_page_ring(const struct stats_writer *writer, unsigned ring)
{
	return (struct stats_ring *)((char *)writer->capture + (size_t)STATS_RECORD * (1 + ring));
}

/* CLOCK_MONOTONIC as the timer interrupt leaves it: read from memory, without a system call on any clock source. */
static inline uint64_t stats_page_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The process's losses in savefiles; nothing happens without a page. Any thread. */
void stats_page_count_savefiles(uint64_t failures, uint64_t lost_packets);

#endif
