/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several rings read as one, in the order of their time stamps.
 *
 * Each ring is a source: the packets of a block, or of two, as a list in time order. merge_take picks the oldest of all, again and again, until a
 * source runs out: what that one has next may be older than what the others have now, so the next merge_take looks there first.
 *
 * A source without a block that can be read is one of two things. Nothing is in it: then what it gets from now on is younger than all that is in
 * hand. Or the kernel is filling a block: then nothing in there is older than that block's opening, and packets of the others that are younger have
 * to wait for it, until it is full or its timer fires. They do not wait when that would cost packets: a ring that is half full is read on, and what
 * then comes too late is counted as disordered. So are packets that were stamped before the clock was set back.
 *
 * All this holds if packets are stamped on their way into the ring. But as soon as any program of the host wants receive time stamps (SO_TIMESTAMP:
 * every NTP daemon), the kernel stamps packets when the driver hands them over, up to a softirq's batch earlier. Packets tell
 * (TP_STATUS_TS_SOFTWARE). From then on what a ring gets may be older by delay_ns than it seems: also than the last packets of the block before, so
 * those wait in the list until the next block is in it, too.
 *
 * In immediate mode (TPACKET_V2) a source is the frames that are there, in the ring's order, and nobody waits.
 */
#ifndef NETRING_MERGE_H
#define NETRING_MERGE_H

#include "packet-ring.h"

/* Packets taken at a time. Enough that what a batch costs by itself is nothing beside its packets. */
#define MERGE_BATCH_MAX 256

struct merge_source {
	struct packet_ring *ring;
	struct packet_entry *entry;	/* capacity of them, on pages of their own */
	uint32_t capacity;
	const struct packet_entry *next;	/* the first that has not been consumed */
	const struct packet_entry *ahead;	/* the first that has not been taken */
	const struct packet_entry *end;		/* next == ahead == end: nothing in hand */
	uint64_t sure_ns;		/* packets that are not in the list yet are no older */
	struct packet_list list;	/* what the ring said of them; list.cells are to be released */
	unsigned filter_number;		/* the ring's when the list was last judged */
};

/* Sources that have something to take, the one with the oldest packet first: a binary heap. */
struct merge_head {
	uint64_t time_ns;
	struct merge_source *source;
};

struct merge_packet {
	uint8_t *frame;
	struct merge_source *source;
};

struct merge {
	unsigned sources;		/* 0: closed */
	struct merge_source *source;
	struct merge_head *heap;
	unsigned heads;
	uint64_t limit_ns;		/* packets younger than this have to wait */
	uint64_t delay_ns;		/* between stamp and ring; 0 until a packet was seen that was stamped before */
	uint64_t delay_max_ns;		/* what delay_ns becomes */
	uint64_t last_ns;		/* of the last packet that was consumed */
	uint64_t disordered;		/* blocks that began before last_ns; any thread may look */
	unsigned count;			/* packets of the batch that is out */
	struct merge_packet packet[MERGE_BATCH_MAX];
};

/* The closed state. */
void merge_init(struct merge *merge);

/*
 * rings: open ones of one kind, which must outlive the merge. delay_max_ns: the longest that packets wait for others that were stamped earlier and
 * are on their way. -ENOMEM. On failure the merge is closed.
 */
int merge_open(struct merge *merge, struct packet_ring *rings, unsigned count, uint64_t delay_max_ns, struct netring_error *error);
void merge_close(struct merge *merge);

/*
 * Takes up to max packets (at most MERGE_BATCH_MAX), in order, into merge->packet: their number, 0 if there are none or they have to wait, -EAGAIN
 * if there were some and filters have taken all of them out, -EBADMSG. A batch that is still out is given back first, as if all of it had been
 * used.
 */
int merge_take(struct merge *merge, unsigned max, struct netring_error *error);

/* Consumes the first `used` packets of the batch that is out; the others will be taken again. */
void merge_give_back(struct merge *merge, unsigned used);

/* True if the next merge_take would find something. No system call. */
bool merge_is_ready(const struct merge *merge);

/* True if there are packets in hand that have to wait for another ring. */
static inline bool merge_is_waiting(const struct merge *merge)
{
	return merge->heads != 0 && merge->heap[0].time_ns > merge->limit_ns;
}

/* True if the source has nothing in hand: its ring is not readable but for news. */
static inline bool merge_source_is_empty(const struct merge_source *source)
{
	return source->next == source->end;
}

/* True if it is empty, or what it has waits for more: its ring is one to look at. */
static inline bool merge_source_is_wanting(const struct merge_source *source)
{
	return merge_source_is_empty(source) || source->next->time_ns > source->sure_ns;
}

#endif
