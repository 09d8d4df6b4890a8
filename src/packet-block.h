/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking one TPACKET_V3 block: pure memory, no socket, so that a test can build the block, a hostile one too.
 *
 * Who owns a block. Its status word is the only thing shared with the kernel while it runs:
 *   TP_STATUS_KERNEL	the kernel fills it; nothing in it may be read
 *   TP_STATUS_USER	retired (full, or its timer fired): ours, until block_release() hands it back
 * The kernel's own header files call the fields of a block "bh1".
 */
#ifndef NETRING_PACKET_BLOCK_H
#define NETRING_PACKET_BLOCK_H

#include "compiler.h"
#include "error.h"

/* The smallest thing that a packet can be in a block: its header and its struct sockaddr_ll. */
#define BLOCK_FRAME_MIN ((uint32_t)TPACKET3_HDRLEN)
#define BLOCK_LINK_OFFSET TPACKET_ALIGN(sizeof(struct tpacket3_hdr))

/* Where a reader stands in a block. frame is NULL between blocks. */
struct block_cursor {
	uint8_t *frame;		/* the next packet's header */
	const uint8_t *end;	/* one past the bytes in use */
	uint32_t left;		/* packets from frame on */
};

/* Pairs with the kernel's barrier in prb_flush_block: what it wrote into the block is visible after this. */
static inline bool block_is_ours(const struct tpacket_block_desc *block)
{
	return load_acquire(&block->hdr.bh1.block_status) & TP_STATUS_USER;
}

/* Pairs with the kernel's read of the status in prb_curr_blk_in_use: our last read of the block comes before this. */
static inline void block_release(struct tpacket_block_desc *block)
{
	store_release(&block->hdr.bh1.block_status, (uint32_t)TP_STATUS_KERNEL);
}

/*
 * Points cursor at the first packet of a block that is ours. size is the block's size in bytes. -EBADMSG, with the offending figures, if its header
 * cannot be true; cursor is then unchanged. A block of 0 packets gives a cursor with left 0.
 */
int block_open(struct block_cursor *cursor, struct tpacket_block_desc *block, uint32_t size, struct error *error);

/*
 * Fills packet[] with up to max packets and sets *after to where the walk ended. Returns their number: less than asked for, but at least 1, when a packet
 * behind them is corrupted; -EBADMSG when the first one is. Never reads outside the block. cursor itself does not move.
 */
int block_walk(const struct block_cursor *cursor, struct netring_packet *packet, unsigned max, struct block_cursor *after, struct error *error);

/* Moves cursor to the packet whose struct sockaddr_ll is link; it must be one that block_walk returned from here. */
void block_seek(struct block_cursor *cursor, const struct sockaddr_ll *link);

/* The sentence that libpcap has for a packet that sticks out of its frame, for both kinds of ring. Returns -EBADMSG. */
int corrupted_frame(struct error *error, uint32_t mac, uint32_t captured_len, uint32_t room);

#endif
