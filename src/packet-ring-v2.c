/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader's side of a TPACKET_V2 ring, used in immediate mode: every packet is a cell of its own, handed over as soon as it is there. */
#include <errno.h>

#include "packet-frame.h"
#include "packet-ring.h"

static struct tpacket2_hdr *frame_at(const struct packet_ring *ring, uint32_t n)
{
	return (struct tpacket2_hdr *)packet_ring_cell(ring, n);
}

static bool is_ours(const struct packet_ring *ring, uint32_t n)
{
	return frame_is_ours(frame_at(ring, n));
}

static int take(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	uint32_t position = ring->position;
	unsigned n;

	if (max > ring->cells)
		max = ring->cells;
	burst->block_sequence = 0;
	burst->losing = false;
	for (n = 0; n < max; n++) {
		struct tpacket2_hdr *frame = frame_at(ring, position);
		int ret;

		if (!frame_is_ours(frame))
			break;
		ret = frame_view(&burst->packet[n], (uint8_t *)frame, ring->cell_size, n ? NULL : error);
		if (ret < 0) {
			if (n == 0)
				return ret;
			break;
		}
		burst->losing |= (burst->packet[n].flags & TP_STATUS_LOSING) != 0;
		position = position + 1 == ring->cells ? 0 : position + 1;
	}
	ring->taken = n;
	ring->losing |= burst->losing;
	burst->losing |= packet_ring_has_lost(ring);
	return (int)n;
}

static unsigned give_back(struct packet_ring *ring, const struct sockaddr_ll *link)
{
	const uint8_t *stop = link ? (const uint8_t *)link - FRAME_LINK_OFFSET : NULL;
	uint32_t taken = ring->taken;

	if (taken != 0)
		packet_ring_note(ring, false);
	for (; ring->taken != 0; ring->taken--) {
		struct tpacket2_hdr *frame = frame_at(ring, ring->position);

		if ((uint8_t *)frame == stop)
			break;
		ring->bytes += frame->tp_snaplen;
		frame_release(frame);
		packet_ring_step(ring);
	}
	return taken - ring->taken;
}

static int list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *error)
{
	struct netring_packet packet;
	unsigned n;

	list->losing = list->early_stamps = list->disorder = false;
	list->rest.left = 0;
	for (n = 0; n < max && ahead + n < ring->cells; n++) {
		struct tpacket2_hdr *frame = frame_at(ring, packet_ring_cell_ahead(ring, ahead + n));

		if (!frame_is_ours(frame))
			break;
		if (frame_view(&packet, (uint8_t *)frame, ring->cell_size, n ? NULL : error) < 0) {
			if (n == 0)
				return -EBADMSG;
			break;
		}
		list->losing |= (packet.flags & TP_STATUS_LOSING) != 0;
		list->entry[n] = (struct packet_entry){ netring_packet_time_ns(&packet), (uint8_t *)frame };
	}
	list->cells += n;
	ring->losing |= list->losing;
	list->losing |= packet_ring_has_lost(ring);
	return (int)n;
}

static void release(struct packet_ring *ring, uint32_t cells)
{
	if (cells != 0)
		packet_ring_note(ring, false);
	for (; cells != 0; cells--) {
		ring->bytes += frame_at(ring, ring->position)->tp_snaplen;
		frame_release(frame_at(ring, ring->position));
		packet_ring_step(ring);
	}
}

/* list has looked whether it is sound. */
static void view(const struct packet_ring *ring, struct netring_packet *packet, uint8_t *frame)
{
	(void)ring;
	frame_view(packet, frame, UINT32_MAX, NULL);
}

static void cut(uint8_t *frame, uint32_t captured_len)
{
	((struct tpacket2_hdr *)frame)->tp_snaplen = captured_len;
}

/* A frame is handed over as soon as it is filled; nothing tells whether it is being filled. */
static bool is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	(void)ring;
	(void)ahead;
	(void)not_before_ns;
	return false;
}

/*
 * Cells beyond those that are ours when the filter is exchanged: the one being filled, and those that packets go to whose CPU was between the old
 * program's verdict and the copy. At most one packet for each CPU is there, and judging one too many costs nothing but time.
 */
#define FRAMES_IN_FLIGHT 8192

const struct packet_ring_kind packet_ring_v2 = {
	.version = TPACKET_V2,
	.in_flight = FRAMES_IN_FLIGHT,
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
