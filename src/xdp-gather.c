/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that lie in several frames, put together. See xdp-ring.h for whose the frames are.
 *
 * The kernel publishes all descriptors of a packet at once. So one whose last descriptor is not there will not get it any more: the ring was full, which
 * the kernel has counted as such, and what came next is another packet. Of the packets whose stamps come through that one tells itself: in front of it
 * is a mark, and with it a later time. (A mark that an earlier packet has left in a frame has an earlier one, while the clock is not set back.) Where the
 * kernel copies it looks for room for all of a packet first (__xsk_rcv), and marks are not looked at.
 */
#include "xdp-gather.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "xdp-judge.h"

/* In the first frame of a packet that has been put together: the rest of struct xdp_frame's second half says where it is. */
#define GATHERED UINT32_C(0x4758726e) /* "nrXG" */

static const struct xdp_desc *desc_at(const struct xdp_queue *queue, uint32_t cell)
{
	return (const struct xdp_desc *)queue->receive.entries + (cell & queue->receive.mask);
}

static struct xdp_frame *frame_at(const struct xdp_queue *queue, const struct xdp_desc *desc)
{
	return (struct xdp_frame *)(queue->umem + desc->addr) - 1;
}

int xdp_gather_open(struct xdp_queue *queue)
{
	void *map = mmap(NULL, XDP_GATHER_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	queue->gather.place = map;
	return 0;
}

void xdp_gather_close(struct xdp_queue *queue)
{
	if (queue->gather.place)
		munmap(queue->gather.place, XDP_GATHER_ROOM);
	queue->gather.place = NULL;
}

static bool is_sound(const struct xdp_queue *queue, const struct xdp_desc *desc)
{
	return desc->addr - sizeof(struct xdp_notes) <= queue->umem_length - queue->longest - sizeof(struct xdp_notes) && desc->len <= queue->longest;
}

/* The packet of `first` ends in front of desc. */
static bool begins_another(const struct xdp_queue *queue, const struct xdp_desc *first, const struct xdp_desc *desc)
{
	const struct xdp_frame *one = frame_at(queue, first), *other = frame_at(queue, desc);

	return one->mark == XDP_FRAME_MARK && other->mark == XDP_FRAME_MARK && other->tai_ns >= one->tai_ns;
}

/* What the descriptors from a cell on are. */
struct extent {
	uint32_t cells;
	uint64_t length;
	bool whole; /* false: the last descriptor is missing */
};

/* -EBADMSG: the last of extent->cells is corrupted. */
static int measure(const struct xdp_queue *queue, uint32_t cell, uint32_t there, struct extent *extent)
{
	const struct xdp_desc *first = desc_at(queue, cell);

	*extent = (struct extent){ 0 };
	while (extent->cells < there) {
		const struct xdp_desc *desc = desc_at(queue, cell + extent->cells);

		if (!is_sound(queue, desc))
			return -EBADMSG;
		if (extent->cells && queue->zero_copy && begins_another(queue, first, desc))
			return 0;
		extent->cells++;
		extent->length += desc->len;
		extent->whole = !(desc->options & XDP_PKT_CONTD);
		if (extent->whole)
			return 0;
	}
	return 0;
}

static void copy(const struct xdp_queue *queue, uint32_t cell, const struct extent *extent, uint8_t *to)
{
	for (uint32_t i = 0; i < extent->cells; i++) {
		const struct xdp_desc *desc = desc_at(queue, cell + i);

		memcpy(to, queue->umem + desc->addr, desc->len);
		to += desc->len;
	}
}

/* 0: user space is to judge, and takes it out. */
static uint32_t verdict_of(struct packet_ring *ring, const struct xdp_frame *stamped, struct xdp_packet *packet)
{
	struct xdp_frame *frame = (struct xdp_frame *)packet->data - 1;
	struct netring_packet view;

	if (stamped->verdict != 0 || !ring->filter)
		return stamped->verdict ? stamped->verdict : UINT32_MAX;
	frame->captured_len = frame->wire_len = packet->wire_len;
	frame->time_ns = packet->tai_ns - ring->xdp->tai_ahead_ns;
	xdp_ring.view(ring, &view, (uint8_t *)frame);
	return xdp_judge(ring->filter, &view);
}

/* What the program has left in front of the first frame, or what there is to do without. False: the filter does not want it. */
static bool finish(struct packet_ring *ring, struct xdp_frame *stamped, struct xdp_packet *packet)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t verdict;

	((struct xdp_frame *)packet->data - 1)->mark = 0;
	if (xdp_stamp_take(queue, stamped)) {
		packet->tai_ns = stamped->tai_ns;
		verdict = verdict_of(ring, stamped, packet);
		packet->captured_len = verdict < packet->wire_len ? verdict : packet->wire_len;
	} else {
		xdp_stamp_make_up(ring, packet);
	}
	if (packet->captured_len == 0)
		return false;
	if (packet->captured_len > queue->snaplen)
		packet->captured_len = queue->snaplen;
	return true;
}

static int put_together(struct packet_ring *ring, uint32_t cell, uint32_t there, uint32_t *cells, struct xdp_packet *packet)
{
	struct xdp_queue *queue = ring->xdp;
	struct xdp_gather *gather = &queue->gather;
	struct extent extent;
	int ret = measure(queue, cell, there, &extent);
	if (ret < 0)
		return ret;
	gather->some = true;
	*cells = extent.cells;
	if (!extent.whole)
		return 0;
	if (extent.length > XDP_GATHER_MAX) {
		__atomic_store_n(&gather->too_long, gather->too_long + 1, __ATOMIC_RELAXED);
		return 0;
	}
	/* Behind 2 bytes more than a multiple of 4, as packets of one frame are. */
	packet->data = gather->place + gather->used + sizeof(struct xdp_notes);
	packet->data += (2 - (uintptr_t)packet->data) & 3;
	packet->wire_len = (uint32_t)extent.length;
	copy(queue, cell, &extent, packet->data);
	if (finish(ring, frame_at(queue, desc_at(queue, cell)), packet))
		return 1;
	gather->rejected++;
	return 0;
}

int xdp_gather(struct packet_ring *ring, uint32_t cell, uint32_t there, uint32_t *cells, struct xdp_packet *packet)
{
	struct xdp_queue *queue = ring->xdp;
	struct xdp_frame *stamped;
	int ret;

	if (!queue->gather.place)
		return -EBADMSG;
	if (XDP_GATHER_ROOM - queue->gather.used < XDP_GATHER_MAX + sizeof(struct xdp_notes) + XDP_GATHER_ALIGN)
		return -ENOBUFS;
	ret = put_together(ring, cell, there, cells, packet);
	if (ret < 0)
		return ret;
	stamped = frame_at(queue, desc_at(queue, cell));
	stamped->mark = 0;
	xdp_notes_of(stamped)->cells = *cells;
	return ret;
}

struct xdp_frame *xdp_gather_keep(struct packet_ring *ring, uint32_t cell, const struct xdp_packet *packet)
{
	struct xdp_gather *gather = &ring->xdp->gather;
	struct xdp_frame *stamped = frame_at(ring->xdp, desc_at(ring->xdp, cell));

	gather->used = (size_t)(packet->data + packet->wire_len - gather->place);
	stamped->tai_ns = (uint64_t)(packet->data - gather->place);
	stamped->mark = GATHERED;
	return (struct xdp_frame *)packet->data - 1;
}

struct xdp_frame *xdp_gather_kept(const struct packet_ring *ring, uint32_t cell)
{
	const struct xdp_frame *stamped = frame_at(ring->xdp, desc_at(ring->xdp, cell));

	return stamped->mark == GATHERED ? (struct xdp_frame *)(ring->xdp->gather.place + stamped->tai_ns) - 1 : NULL;
}

uint32_t xdp_gather_packets(const struct xdp_queue *queue, uint32_t cell, uint32_t cells)
{
	uint64_t length = 0;
	uint32_t packets = 0;

	for (uint32_t i = 0; i < cells; i++) {
		const struct xdp_desc *desc = desc_at(queue, cell + i);

		length += desc->len;
		if (desc->options & XDP_PKT_CONTD)
			continue;
		packets += length <= XDP_GATHER_MAX;
		length = 0;
	}
	return packets;
}
