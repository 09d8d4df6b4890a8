/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk of a TPACKET_V3 block. See packet-block.h for who owns a block when.
 *
 * The ring is memory shared with the kernel, and a bug there, or a stray write of the program, must not become a read outside the block here. So every
 * offset is checked before it is used, once, and the checks are ordered so that a sound packet costs three branches.
 */
#include "packet-block.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

int corrupted_frame(struct error *error, uint32_t mac, uint32_t captured_len, uint32_t room)
{
	struct utsname host;

	memset(&host, 0, sizeof(host));
	uname(&host);
	return error_set(error, EBADMSG,
			 "corrupted frame on kernel ring mac offset %u + caplen %u > frame len %d (kernel %.32s version %s, machine %.16s)",
			 mac, captured_len, (int)room, host.release, host.version, host.machine);
}

int block_open(struct block_cursor *cursor, struct tpacket_block_desc *block, uint32_t size, struct error *error)
{
	const struct tpacket_hdr_v1 *header = &block->hdr.bh1;
	uint32_t first = header->offset_to_first_pkt, used = header->blk_len;

	if (header->num_pkts != 0 &&
	    (used > size || first < sizeof(*block) || first % 8 != 0 || first > used || used - first < BLOCK_FRAME_MIN))
		return error_set(error, EBADMSG,
				 "corrupted frame on kernel ring: block of %u bytes says %u packets from offset %u in %u bytes",
				 size, header->num_pkts, first, used);
	cursor->frame = (uint8_t *)block + first;
	cursor->end = (const uint8_t *)block + used;
	cursor->left = header->num_pkts;
	return 0;
}

/* room: bytes from the frame's header to the end of what is in use; at least a header. */
static inline bool frame_is_sound(const struct tpacket3_hdr *header, size_t room)
{
	return header->tp_mac >= BLOCK_FRAME_MIN && (uint64_t)header->tp_mac + header->tp_snaplen <= room;
}

/* A following packet begins behind this one's bytes, aligned, with room for a header of its own. */
static inline bool next_is_sound(const struct tpacket3_hdr *header, size_t room)
{
	uint64_t next = header->tp_next_offset;

	return next % 8 == 0 && next >= (uint64_t)header->tp_mac + header->tp_snaplen && next + BLOCK_FRAME_MIN <= room;
}

static inline void view(struct netring_packet *packet, uint8_t *frame)
{
	const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)frame;

	packet->data = frame + header->tp_mac;
	packet->time_sec = header->tp_sec;
	packet->time_nsec = header->tp_nsec;
	packet->captured_len = header->tp_snaplen;
	packet->wire_len = header->tp_len;
	packet->flags = header->tp_status;
	packet->rxhash = header->hv1.tp_rxhash;
	packet->vlan_tci = (uint16_t)header->hv1.tp_vlan_tci;
	packet->vlan_tpid = header->hv1.tp_vlan_tpid;
	packet->link = (const struct sockaddr_ll *)(frame + BLOCK_LINK_OFFSET);
}

static int corrupted(const uint8_t *frame, const uint8_t *end, struct error *error)
{
	const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)frame;

	if (frame == end)
		return error_set(error, EBADMSG, "corrupted frame on kernel ring: offset %u to the next frame", header->tp_next_offset);
	return corrupted_frame(error, header->tp_mac, header->tp_snaplen, (uint32_t)(end - frame));
}

int block_walk(const struct block_cursor *cursor, struct netring_packet *packet, unsigned max, struct block_cursor *after, struct error *error)
{
	const uint8_t *end = cursor->end;
	uint8_t *frame = cursor->frame;
	unsigned count = cursor->left < max ? cursor->left : max;
	unsigned n = 0;
	bool chained = end - frame >= BLOCK_FRAME_MIN;

	while (n < count && chained) {
		const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)frame;
		size_t room = (size_t)(end - frame);

		if (unlikely(!frame_is_sound(header, room)))
			break;
		view(&packet[n++], frame);
		chained = next_is_sound(header, room);
		frame += chained ? header->tp_next_offset : 0;
	}
	if (n == 0 && count != 0)
		return corrupted(frame, end, error);
	after->frame = frame;
	after->left = cursor->left - n;
	/* Only the last packet has no next one. Behind any other such, leave no room: the next walk reports it. */
	after->end = chained ? end : frame;
	return (int)n;
}

void block_seek(struct block_cursor *cursor, const struct sockaddr_ll *link)
{
	const uint8_t *frame = (const uint8_t *)link - BLOCK_LINK_OFFSET;

	while (cursor->frame != frame) {
		cursor->frame += ((const struct tpacket3_hdr *)cursor->frame)->tp_next_offset;
		cursor->left--;
	}
}
