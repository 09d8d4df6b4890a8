/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet socket with its ring: setting it up, taking packets out, giving them back. One ring is one socket on one interface. What is read like
 * it, the socket of an AF_XDP queue (xdp-ring.h) or a ring buffer that an XDP program fills (xdp-tap.h), is a kind of it.
 *
 * Owns the socket, the mapping, and the copy of its filter. The reader's position belongs to one thread; the statistics may be read by any.
 *
 *	packet_ring_open	closed -> bound and filling
 *	packet_ring_take	packets of one block or up to 64 frames, still owned by the ring
 *	packet_ring_give_back	back to the kernel, block by block (V3) or frame by frame (V2)
 *	packet_ring_close	accepts any half-open state
 */
#ifndef NETRING_PACKET_RING_H
#define NETRING_PACKET_RING_H

#include <net/if.h>

#include "log.h"
#include "numa.h"
#include "packet-block.h"
#include "self-status.h"

struct xdp_queue;
struct xdp_tap;

struct packet_ring {
	int fd;
	int watch_fd;			/* the packet socket that tells what becomes of the interface: fd, or one that is not owned; -1: none */
	uint8_t *map;
	size_t map_length;
	uint64_t asked_length;
	const struct packet_ring_kind *kind;

	char interface[IFNAMSIZ];
	int ifindex;			/* 0: all interfaces */
	bool down;			/* seen ENETDOWN and not yet seen it up or gone */
	uint32_t busy_poll_us;
	bool rests;			/* its reader sleeps for a moment after packets, before it waits for the next one */
	uint32_t rested_at;		/* its position then */
	struct self_watch self;		/* of an interface's first ring, if it rests: whether it may do so by a system call that libpcap does not make */
	bool drives;			/* while it spins, it calls kind->drive */
	uint32_t nap_ms;		/* a sleep that is longer than that begins with one of so long, and then calls kind->arm */

	uint32_t cell_size, cells;	/* a cell is what changes owner: a block (V3) or a frame (V2) */
	uint32_t cells_per_block;	/* 1 with V3 */
	uint32_t block_size;
	uint32_t position;		/* the cell that the reader is at */
	struct block_cursor cursor;	/* V3: inside that block */
	struct block_cursor after;	/* V3: where the burst that is out ends */
	uint32_t taken;			/* V2, AF_XDP: frames in the burst that is out */
	struct xdp_queue *xdp;		/* AF_XDP: all that is different; owned. NULL: it is none */
	struct xdp_tap *tap;		/* the same of a ring buffer */

	uint32_t snaplen;		/* 0: whole packets */
	bool strict;
	bool one_of_several;		/* the handle has other interfaces: sentences say which one this is */
	bool foreign_clock;		/* packets are stamped by another clock than blocks */
	struct sock_filter *filter;	/* the program in force, in the kernel or here; NULL: none */
	unsigned filter_length;		/* its instructions */
	unsigned filter_number;		/* counts the programs that have been in force */
	bool filter_here;		/* the kernel does not have it: every packet is judged here */
	uint32_t filter_cells;		/* cells still to come that another filter let in */

	uint64_t packets, drops, freezes;	/* added to atomically: any thread may fold in what the kernel counted */
	uint64_t delivered, rejected;
	uint64_t bytes;			/* of the packets in cells that were given back; blocks: up to 7 too many for each */
	uint32_t waiting_most;		/* cells that have waited for the reader at one time */
	bool losing;			/* the kernel has dropped packets that it has not been asked for, or may have */
	bool lost;			/* it has been asked, but not by the program: blocks are still to say so */
	struct log log;
};

/* A packet in a list of several: when it came, and its header in the ring. */
struct packet_entry {
	uint64_t time_ns;
	uint8_t *frame;			/* its header in the ring, as the kind has it */
};

/* What list has found out besides. */
struct packet_list {
	struct packet_entry *entry;	/* the caller's, room for max */
	uint32_t cells;
	bool losing;			/* the kernel was dropping packets */
	bool early_stamps;		/* packets were stamped before they came to the ring */
	bool disorder;			/* some are older than those before them */
	struct block_cursor rest;	/* what is behind the packets in a corrupted block; rest.left 0: nothing, it is sound */
};

/*
 * How the kinds of ring differ. take fills burst with up to max packets of cells that are ours; give_back returns everything in front of
 * the packet at link, or all that was taken if link is NULL, and returns how many packets that were; is_ours tells whether a cell is the reader's,
 * by a look at its status.
 */
struct packet_ring_kind {
	int version;			/* TPACKET_V3, TPACKET_V2; 0: XDP */
	uint32_t in_flight;		/* cells that packets may still go to which an old filter has let in, besides those that are ours */
	int (*take)(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error);
	unsigned (*give_back)(struct packet_ring *ring, const struct sockaddr_ll *link);
	bool (*is_ours)(const struct packet_ring *ring, uint32_t cell);
	int (*stats)(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error);	/* packets, drops, freezes, sizes */
	void (*close)(struct packet_ring *ring);	/* what packet_ring_close does not know of; NULL: nothing */
	void (*drive)(struct packet_ring *ring);	/* has the kernel look for packets; NULL: it does that by itself */
	void (*arm)(struct packet_ring *ring);	/* from now on the next packet wakes who sleeps; NULL: each does */

	/*
	 * For reading several rings as one. list writes down where the packets are that begin `ahead` cells from the reader's, up to max of them:
	 * those of one block, all of them if max is block_size / BLOCK_FRAME_MIN, or those of as many frames as are ours. It returns their number,
	 * 0 or -EBADMSG, and adds to list->cells the cells that they are in. release gives that many cells back; cell_of says which one a packet is
	 * in. view looks at a packet; cut shortens it. is_filling is true if there is a packet in that cell, which the kernel is still filling; not_before_ns is older than it.
	 */
	int (*list)(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *error);
	void (*release)(struct packet_ring *ring, uint32_t cells);
	uint32_t (*cell_of)(const struct packet_ring *ring, const uint8_t *frame);
	void (*view)(const struct packet_ring *ring, struct netring_packet *packet, uint8_t *frame);
	void (*cut)(uint8_t *frame, uint32_t captured_len);
	bool (*is_filling)(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns);
};

extern const struct packet_ring_kind packet_ring_v3, packet_ring_v2;

/* The closed state. */
void packet_ring_init(struct packet_ring *ring);

/* Whether packets come in from the first moment, or only after packet_ring_let_in: a ring that will share its packets must not hear them all before. */
enum packet_ring_gate { GATE_OPEN, GATE_SHUT };

/*
 * Opens a ring on config->interface, which is one interface here; it gets all of block_size x block_count if memory_limit (bytes) allows. Errors as
 * netring_open. log is copied: its descriptor must outlive the ring. On failure the ring is closed.
 */
int packet_ring_open(struct packet_ring *ring, const struct netring_config *config, enum packet_ring_gate gate, uint64_t memory_limit,
		     const struct log *log, struct netring_error *error);
void packet_ring_close(struct packet_ring *ring);

/* Opens a gate that is shut, by putting config's filter in force. */
int packet_ring_let_in(struct packet_ring *ring, const struct netring_config *config, struct netring_error *error);

/* Bytes that all the rings of a handle may have together; UINT64_MAX if nothing tells. */
uint64_t packet_ring_memory_limit(const struct netring_config *config);

/*
 * From here to numa_leave the ring's memory is of the node that config asks for. A container may forbid to choose one: a fallback like any other.
 */
int packet_ring_enter_node(const struct packet_ring *ring, const struct netring_config *config, struct numa_policy *policy,
			   struct netring_error *error);

/* Packets that a filter here has taken out. One writer, the reader. */
void packet_ring_count_rejected(struct packet_ring *ring, unsigned packets);

/* As netring_take and netring_give_back; -EAGAIN if there were packets, and the filter has taken them all out. */
int packet_ring_take(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error);
void packet_ring_give_back(struct packet_ring *ring, struct netring_burst *burst, unsigned used);

/*
 * Reading a V3 block in place, for a reader that walks it with block_next itself: enter, copy ring->cursor, walk the copy, store it back,
 * leave_if_empty. Only while packet_ring_is_plain. enter returns 1 with the cursor at a packet, 0 if there is none now, -EBADMSG.
 */
int packet_ring_enter_block(struct packet_ring *ring, struct netring_error *error);
void packet_ring_leave_if_empty(struct packet_ring *ring);

/* Half of the ring or more waits to be read. */
bool packet_ring_is_half_full(const struct packet_ring *ring);

/* True if the reader would find something now. A look at memory, no system call. */
bool packet_ring_is_ready(const struct packet_ring *ring);

/* As netring_stats; ring sizes included. */
int packet_ring_stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error);

/* Cells that wait to be read, the one that is being read included. */
uint32_t packet_ring_waiting(const struct packet_ring *ring);

/* To be called when cells that were read are about to be given back; losing: they say so. A look or two at other cells, so not for each packet. */
void packet_ring_note(struct packet_ring *ring, bool losing);

/* Folds in what the kernel counted, for the reader; one system call. */
void packet_ring_ask_losses(struct packet_ring *ring);

/* First byte of cell number n, counted from the start of the map. */
static inline uint8_t *packet_ring_cell(const struct packet_ring *ring, uint32_t n)
{
	return ring->map + (size_t)(n / ring->cells_per_block) * ring->block_size + (size_t)(n % ring->cells_per_block) * ring->cell_size;
}

/* Blocks, and nothing in them for packet_filter_sift to take out. */
static inline bool packet_ring_is_plain(const struct packet_ring *ring)
{
	return ring->kind == &packet_ring_v3 && !ring->filter_here && ring->filter_cells == 0;
}

/* Of packet sockets: the number of the cell that an address in the map is in, and the kernel's counts. */
uint32_t packet_ring_cell_of(const struct packet_ring *ring, const uint8_t *address);
int packet_ring_kernel_stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error);

/* The cell that many steps behind the reader's. */
static inline uint32_t packet_ring_cell_ahead(const struct packet_ring *ring, uint32_t ahead)
{
	uint32_t cell = ring->position + ahead;

	return cell < ring->cells ? cell : cell - ring->cells;
}

/* One writer, the reader; any thread may look. */
static inline void packet_ring_count_delivered(struct packet_ring *ring, unsigned packets)
{
	__atomic_store_n(&ring->delivered, ring->delivered + packets, __ATOMIC_RELAXED);
}

/* Any thread may have asked what was lost. */
static inline bool packet_ring_has_lost(const struct packet_ring *ring)
{
	return __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
}

/* The cell is the kernel's again: step to the next, and count down those that another filter had let in. */
static inline void packet_ring_step(struct packet_ring *ring)
{
	ring->position = ring->position + 1 == ring->cells ? 0 : ring->position + 1;
	if (unlikely(ring->filter_cells))
		ring->filter_cells--;
}

#endif
