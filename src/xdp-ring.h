/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AF_XDP socket of one receive queue as a kind of packet ring: memory for frames (the umem), and four rings of descriptors around it.
 *
 * Who owns a frame:
 *	fill ring	the kernel's: the next packet goes there
 *	receive ring	ours, from when the kernel has put a descriptor there until its frame is in the fill ring again
 *	transmit ring	the kernel's, until it comes back in the completion ring; these are frames of their own, which no packet is received into
 *
 * A cell of the ring is a descriptor of the receive ring. One reader; the statistics and sending may be any thread's.
 */
#ifndef NETRING_XDP_RING_H
#define NETRING_XDP_RING_H

#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <pthread.h>

#include "packet-ring.h"
#include "xdp-frame.h"
#include "xdp-program.h"
#include "xdp-stamp.h"

#ifndef XDP_USE_SG /* Linux 6.6 */
#define XDP_USE_SG (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif

/* Frames on their way out at the same time; a power of two. */
#define XDP_TRANSMIT_FRAMES 64

/* Batches after which the distance of the two clocks is looked at again, under load. A leap second is announced months before. */
#define XDP_CLOCK_BATCHES 256

/* A ring of the kernel's. producer and consumer run on, modulo 2^32; an entry's place is that modulo the number of entries. */
struct xdp_area {
	uint32_t *producer, *consumer, *flags;
	void *entries;
	uint32_t mask;			/* entries - 1 */
	uint8_t *map;
	size_t map_length;
};

/* In memory that forked children share, as they do the two rings: any of them may send. */
struct xdp_sender {
	pthread_mutex_t lock;		/* for transmit and completion ring, and what follows */
	uint32_t sent;			/* producer of the transmit ring */
	uint32_t idle;			/* frames to send from: the first of idle_frame */
	uint64_t idle_frame[XDP_TRANSMIT_FRAMES];
};

/* What the kernel has counted of packets that passed the filter and had no room. */
struct xdp_losses {
	uint64_t ring_full;		/* no descriptor was free */
	uint64_t fill_empty;		/* no frame was */
	uint64_t other;			/* longer than a frame, mostly */
};

/* Frames given to the kernel at a time, at most, in a way that may leave doubts. */
#define XDP_FILL_BATCH 256

/* Two frames of which the kernel has one; addresses in the umem. */
struct xdp_doubt {
	uint64_t given, was_there;
};

/* Frames that go round and need not, because the reader was behind once. See xdp-fill.c. */
struct xdp_surplus {
	uint32_t frames;		/* are still to leave the round */
	uint32_t least;			/* the least that the front was farther than it has to be, */
	uint32_t given;			/* while so many frames were given back */
};

/* See xdp-gather.h. */
struct xdp_gather {
	uint8_t *place;			/* NULL: packets come in one frame only */
	size_t used;			/* by packets that are kept */
	bool some;			/* of what has not been given back, some descriptors are no packet of their own */
	uint32_t rejected;		/* by the filter, when they were put together; not counted yet */
	uint64_t too_long;		/* lost; any thread may look */
};

/* The fill ring has as many entries as the receive ring, and all frames at first. */
struct xdp_queue {
	struct xdp_area receive, fill, transmit, completion;
	uint8_t *umem;
	size_t umem_length;
	uint64_t chunk_mask;		/* of an address: where its frame begins */
	uint32_t longest;		/* bytes of a packet that a frame has room for */
	uint32_t taken;			/* consumer of the receive ring */
	uint32_t given;			/* producer of the fill ring */
	uint32_t lead, margin;		/* see xdp-fill.c; lead 0: frames go to the end of the fill ring */
	const uint32_t *long_packets;	/* the program's word: not 0, they may take more than XDP_FILL_CELLS frames, whatever the MTU was */
	uint32_t front;			/* the entry behind the last that was exchanged, or one that is nearer to the end */
	struct xdp_surplus surplus;
	unsigned doubts;
	struct xdp_doubt doubt[XDP_FILL_BATCH];
	uint32_t seen;			/* frames before this one have been made ready for the reader, and some of them may not have been consumed yet */
	uint32_t snaplen;		/* UINT32_MAX: none */
	uint64_t consumed;		/* taken, in 64 bits; any thread may look */
	uint64_t continued;		/* of these, descriptors that were no packet of their own; the same */
	struct xdp_gather gather;
	uint64_t tai_ahead_ns;		/* TAI - UTC */
	struct xdp_losses losses;	/* when the reader last asked */
	unsigned batches;		/* since tai_ahead_ns was looked at */
	uint64_t newest_ns;		/* no mark that an earlier packet has left is younger; UINT64_MAX while wiping, so that every packet is looked at */
	bool wiping;			/* marks are wiped out: stamps may come in disorder, or not with every packet */
	uint64_t wiping_from_ns;	/* older stamps may be left from before */
	bool wiping_for_good;
	uint32_t orderly;		/* own stamps in a row, while wiping */
	bool unstamped;			/* the program's stamp did not come through at times, and that has been said */
	bool zero_copy;
	bool driven;			/* although it copies, the kernel knows the driver's queue, and can poll it */
	const struct xdp_program *program;	/* on the interface */
	uint16_t number;
	struct sockaddr_ll link;	/* what all packets have in common, and the interface's own address */
	struct xdp_sender *sender;	/* NULL: this queue does not send */
};

/* What the reader notes down in front of a frame. The kernel leaves 256 bytes of room. */
struct xdp_notes {
	uint32_t cell, cells;		/* of the packet */
	struct sockaddr_ll link;	/* written when the packet is looked at */
	struct xdp_frame frame;
} __attribute__((packed));

struct xdp_ring_options {
	const char *interface;
	struct sockaddr_ll link;	/* ifindex, type and address of the interface */
	unsigned queue;
	int watch_fd;			/* packet socket that tells of the interface, not owned; -1: another ring looks at it */
	uint32_t frames, frame_size;	/* for receiving; powers of two */
	uint32_t asked;			/* frames, if there were memory */
	uint32_t longest;		/* packet that the interface may get; 0: nobody knows */
	bool transmits;
	const struct xdp_program *program;	/* must outlive the ring */
};

/*
 * Opens the socket of a queue, not yet fed by a program. config: what is not in options. -EBUSY: the queue has a socket already; -ENOMEM;
 * -EOPNOTSUPP, -EPERM: not to be had here; -EINVAL: a mode of copying that was asked for is. On failure the ring is closed.
 */
int xdp_ring_open(struct packet_ring *ring, const struct netring_config *config, const struct xdp_ring_options *options, const struct log *log,
		  struct netring_error *error);

extern const struct packet_ring_kind xdp_ring;

/* As netring_send. */
int xdp_ring_send(struct packet_ring *ring, const void *frame, size_t length, struct netring_error *error);

/* Descriptors that have come since the ring was opened. A look at memory, no system call. */
uint64_t xdp_ring_received(const struct packet_ring *ring);

/* As packet_ring_ask_losses, and queue->losses with it. */
void xdp_ring_ask_losses(struct packet_ring *ring);

/* Reading in place. */

struct xdp_cursor {
	const struct xdp_desc *desc, *end;	/* the next packet's, and where to stop */
	const struct xdp_desc *first;
	uint8_t *umem;
	uint64_t room;			/* behind the notes of the last packet that there can be */
	uint64_t longest;		/* packet in one frame; as wide as what it is compared with */
	uint64_t tai_ahead_ns;
	uint32_t snaplen;		/* see xdp_ring_cut */
	uint32_t straight;		/* the smaller one of these two: a longer packet is looked at twice */
	bool judges;			/* xdp_ring_next does not go on at a packet that the program has not judged */
	uint64_t newest_ns;		/* the queue's, when this packet was looked at */
	struct packet_ring *ring;
};

/* What the reader makes of one. */
struct xdp_packet {
	uint8_t *data;
	uint32_t captured_len, wire_len;
	uint64_t tai_ns;		/* cursor->tai_ahead_ns more than UTC */
};

/* Of a packet in one frame: its length. More than that of any, if it is not in one frame. One number for the compiler: a comparison of both together. */
static inline uint64_t xdp_ring_length(const struct xdp_desc *desc)
{
	return (uint64_t)desc->options << 32 | desc->len;
}

/*
 * The next packet, and a step of the cursor. False at the end, or, with cursor->desc not cursor->end, when the packet is not in one frame, is
 * still to be judged, or the descriptor cannot be true: see xdp_ring_gather. Once only for each packet, in the order of the ring.
 *
 * What an earlier packet has left in this memory is no younger than what has been given back to the kernel, and so cannot be taken for this packet's. It
 * could be wiped out as well, but the CPU that packets come in on waits for a line that the reader has written to: that is done only where packets come
 * without a stamp, or where several CPUs stamp them, not in the order of the ring: in generic mode.
 */
static inline bool xdp_ring_next(struct xdp_cursor *cursor, struct xdp_packet *packet)
{
	const struct xdp_desc *desc = cursor->desc;
	struct xdp_frame *frame;
	uint32_t length, captured;
	uint64_t whole;

	if (unlikely(desc == cursor->end))
		return false;
	whole = xdp_ring_length(desc);
	/* An address of less than the notes wraps around. */
	if (unlikely(desc->addr - sizeof(struct xdp_notes) > cursor->room))
		return false;
	captured = length = (uint32_t)whole;
	if (unlikely(whole > cursor->straight)) {
		if (whole > cursor->longest)
			return false;
		captured = cursor->snaplen;
	}
	packet->data = cursor->umem + desc->addr;
	packet->wire_len = length;
	frame = (struct xdp_frame *)packet->data - 1;
	if (likely(frame->mark == XDP_FRAME_MARK && frame->tai_ns >= cursor->newest_ns)) {
		if (unlikely(frame->verdict <= captured)) {
			if (frame->verdict != 0)
				captured = frame->verdict;
			else if (cursor->judges)
				return false;
		}
		packet->tai_ns = frame->tai_ns;
	} else if (cursor->judges && frame->mark == XDP_FRAME_MARK && frame->verdict == 0) {
		return false;
	} else {
		/* So that the address of the other is not taken: its members stay in registers. */
		struct xdp_packet made_up = { .data = packet->data, .wire_len = length };

		cursor->newest_ns = xdp_stamp_look_again(cursor->ring, desc == cursor->first ? NULL : desc - 1, &made_up);
		*packet = made_up;
		captured = packet->captured_len < captured ? packet->captured_len : captured;
	}
	packet->captured_len = captured;
	cursor->desc = desc + 1;
	return true;
}

/* Packets from here on are cut to no more than that. */
static inline void xdp_ring_cut(struct xdp_cursor *cursor, uint32_t snaplen)
{
	if (cursor->snaplen > snaplen)
		cursor->snaplen = snaplen;
	cursor->straight = cursor->snaplen < cursor->longest ? cursor->snaplen : cursor->longest;
}

/*
 * Where xdp_ring_next did not go on: 1 and a packet in several frames, or one to be judged, put together in memory that the next one overwrites; 0: it is not for the reader, and
 * has been counted; both times the cursor has gone on, to behind its end if the packet goes on there. -EBADMSG: the descriptor cannot be true.
 */
int xdp_ring_gather(struct xdp_cursor *cursor, struct xdp_packet *packet);

/*
 * 1 and a cursor for up to max packets that are there, 0 if there are none, -EAGAIN if some of them have been made ready already (take them as a
 * burst). Only while no filter is due.
 */
int xdp_ring_borrow(struct packet_ring *ring, struct xdp_cursor *cursor, unsigned max);

/* Gives back the packets in front of desc, a cursor's. */
void xdp_ring_return(struct packet_ring *ring, const struct xdp_desc *desc);

/* -EBADMSG and a sentence about the descriptor. */
int xdp_ring_corrupted(const struct packet_ring *ring, const struct xdp_desc *desc, struct netring_error *error);

static inline struct xdp_notes *xdp_notes_of(struct xdp_frame *frame)
{
	return (struct xdp_notes *)((uint8_t *)frame - offsetof(struct xdp_notes, frame));
}

/* For all that has frames. What there is to say of a packet; interface is the interface's own address. Writes to the frame's notes. */
void xdp_frame_view(struct xdp_frame *frame, const struct sockaddr_ll *interface, struct netring_packet *packet);

#endif
