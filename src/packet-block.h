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
	int64_t room;		/* bytes from there to the end of what is in use */
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
int block_open(struct block_cursor *cursor, struct tpacket_block_desc *block, uint32_t size, struct netring_error *error);

/*
 * The next packet's header, and a step of the cursor; NULL at the end of the block, or, with cursor->left not 0, when what comes is corrupted. What it
 * returns is sound: header, link address and tp_snaplen bytes at tp_mac lie inside the block, tp_mac is not inside the header.
 *
 * This is the hot loop of the whole library. Keep the cursor in a local variable.
 */
static inline struct tpacket3_hdr *block_next(struct block_cursor *cursor)
{
	struct tpacket3_hdr *header = (struct tpacket3_hdr *)cursor->frame;
	uint32_t next;
	int64_t need;

	if (unlikely(cursor->left == 0 || cursor->room < (int64_t)BLOCK_FRAME_MIN))
		return NULL;
	need = (int64_t)header->tp_mac + header->tp_snaplen;
	if (unlikely(header->tp_mac < BLOCK_FRAME_MIN || need > cursor->room))
		return NULL;
	cursor->left--;
	next = header->tp_next_offset;
	if (likely((next & 7) == 0 && next >= need)) {
		cursor->frame += next;
		cursor->room -= next;
	} else {
		/* The last one has no next. Behind any other such there is no room, so it is the last one seen. */
		cursor->frame += need;
		cursor->room = 0;
	}
	return header;
}

/* Where a packet's bytes are. */
static inline uint8_t *block_data(struct tpacket3_hdr *header)
{
	return (uint8_t *)header + header->tp_mac;
}

/* The packet as a whole. */
void block_view(struct netring_packet *packet, struct tpacket3_hdr *header);

/* -EBADMSG and a sentence about what stopped the cursor before the end. */
int block_corrupted(const struct block_cursor *cursor, struct netring_error *error);

/* Moves cursor forward to the packet at frame, which is one that block_next went through or stands at. */
void block_seek(struct block_cursor *cursor, const uint8_t *frame);

/* The sentence that libpcap has for a packet that sticks out of its frame, for both kinds of ring. Returns -EBADMSG. */
int corrupted_frame(struct netring_error *error, uint32_t mac, uint32_t captured_len, uint32_t room);

#endif
