/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader's side of a TPACKET_V3 ring: from block to block. What is in a block is packet-block.c's business. */
#include "packet-ring.h"

static struct tpacket_block_desc *block_at(const struct packet_ring *ring, uint32_t n)
{
	return (struct tpacket_block_desc *)packet_ring_cell(ring, n);
}

static bool is_ours(const struct packet_ring *ring, uint32_t n)
{
	return block_is_ours(block_at(ring, n));
}

/* Without a look at each packet: what is in use, less what is in front of each. */
static uint64_t bytes_of(const struct tpacket_block_desc *block, uint32_t size)
{
	uint32_t first = block->hdr.bh1.offset_to_first_pkt, used = block->hdr.bh1.blk_len;
	uint64_t count = block->hdr.bh1.num_pkts, in_front;

	if (count == 0 || size < BLOCK_FRAME_MIN || first > size - BLOCK_FRAME_MIN || used > size || used < first)
		return 0;
	in_front = count * ((const struct tpacket3_hdr *)((const uint8_t *)block + first))->tp_mac;
	return used - first > in_front ? used - first - in_front : 0;
}

static void leave_block(struct packet_ring *ring)
{
	struct tpacket_block_desc *block = block_at(ring, ring->position);

	ring->bytes += bytes_of(block, ring->block_size);
	packet_ring_note(ring, block->hdr.bh1.block_status & TP_STATUS_LOSING);
	/* The kernel writes it anew when it opens the block, and until then is_filling must not take it for news. */
	__atomic_store_n(&block->hdr.bh1.num_pkts, 0, __ATOMIC_RELAXED);
	block_release(block);
	ring->cursor.frame = NULL;
	packet_ring_step(ring);
}

/* At once, not at the next take: the descriptor must not say readable when there is nothing left to read. */
void packet_ring_leave_if_empty(struct packet_ring *ring)
{
	if (ring->cursor.left == 0)
		leave_block(ring);
}

int packet_ring_enter_block(struct packet_ring *ring, struct netring_error *error)
{
	while (!ring->cursor.frame) {
		struct tpacket_block_desc *block = block_at(ring, ring->position);
		int ret;

		if (!block_is_ours(block))
			return 0;
		ret = block_open(&ring->cursor, block, ring->block_size, error);
		if (ret < 0)
			return ret;
		if (ring->cursor.left == 0)
			leave_block(ring);
	}
	return 1;
}

static int take(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	struct tpacket3_hdr *header;
	int ret = packet_ring_enter_block(ring, error);
	unsigned n;

	if (ret <= 0)
		return ret;
	burst->block_sequence = block_at(ring, ring->position)->hdr.bh1.seq_num;
	burst->losing = (block_at(ring, ring->position)->hdr.bh1.block_status & TP_STATUS_LOSING) || packet_ring_has_lost(ring);
	ring->after = ring->cursor;
	for (n = 0; n < max && (header = block_next(&ring->after)) != NULL; n++)
		block_view(&burst->packet[n], header);
	/* Sound packets first; what comes behind them is reported when it is the first. */
	return n == 0 ? block_corrupted(&ring->after, error) : (int)n;
}

static unsigned give_back(struct packet_ring *ring, const struct sockaddr_ll *link)
{
	uint32_t consumed = ring->cursor.left;

	if (link)
		block_seek(&ring->cursor, (const uint8_t *)link - BLOCK_LINK_OFFSET);
	else
		ring->cursor = ring->after;
	consumed -= ring->cursor.left;
	packet_ring_leave_if_empty(ring);
	return consumed;
}

static int list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *error)
{
	struct tpacket_block_desc *block = block_at(ring, packet_ring_cell_ahead(ring, ahead));
	struct tpacket3_hdr *header;
	struct block_cursor cursor;
	uint64_t time_ns, last_ns = 0;
	uint32_t status = 0;
	unsigned n;
	int ret;

	if (!block_is_ours(block))
		return 0;
	ret = block_open(&cursor, block, ring->block_size, error);
	if (ret < 0)
		return ret;
	list->disorder = false;
	for (n = 0; n < max && (header = block_next(&cursor)) != NULL; n++) {
		time_ns = header->tp_sec * UINT64_C(1000000000) + header->tp_nsec;
		list->entry[n] = (struct packet_entry){ time_ns, (uint8_t *)header };
		list->disorder |= time_ns < last_ns;
		last_ns = time_ns;
		status |= header->tp_status;
	}
	if (n == 0 && cursor.left != 0)
		return block_corrupted(&cursor, error);
	/* A corrupted block stays where it is: nothing behind it can be trusted. */
	list->cells += cursor.left == 0;
	list->rest = cursor;
	list->losing = (block->hdr.bh1.block_status & TP_STATUS_LOSING) || packet_ring_has_lost(ring);
	list->early_stamps = status & TP_STATUS_TS_SOFTWARE;
	return (int)n;
}

static void release(struct packet_ring *ring, uint32_t cells)
{
	while (cells-- != 0)
		leave_block(ring);
}

static void view(const struct packet_ring *ring, struct netring_packet *packet, uint8_t *frame)
{
	(void)ring;
	block_view(packet, (struct tpacket3_hdr *)frame);
}

static void cut(uint8_t *frame, uint32_t captured_len)
{
	((struct tpacket3_hdr *)frame)->tp_snaplen = captured_len;
}

/*
 * The kernel stamps a block when it opens it, then counts packets into it, and stamps each after it was counted. So with a count of 0 the next
 * packet is younger than this look, and otherwise none is older than the block.
 */
static bool is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	const struct tpacket_hdr_v1 *header = &block_at(ring, packet_ring_cell_ahead(ring, ahead))->hdr.bh1;

	if (load_acquire(&header->num_pkts) == 0)
		return false;
	*not_before_ns = header->ts_first_pkt.ts_sec * UINT64_C(1000000000) + header->ts_first_pkt.ts_nsec;
	return true;
}

/* Beyond those that are ours when the filter is exchanged: the one being filled, and one that is begun by a CPU between the old verdict and the copy. */
#define BLOCKS_IN_FLIGHT 2

const struct packet_ring_kind packet_ring_v3 = {
	.version = TPACKET_V3,
	.in_flight = BLOCKS_IN_FLIGHT,
	.take = take,
	.give_back = give_back,
	.is_ours = is_ours,
	.stats = packet_ring_kernel_stats,
	.list = list,
	.release = release,
	.cell_of = packet_ring_cell_of,
	.view = view,
	.cut = cut,
	.is_filling = is_filling,
};
