/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk of a TPACKET_V3 block. See packet-block.h for who owns a block when.
 *
 * The ring is memory shared with the kernel, and a bug there, or a stray write of the program, must not become a read outside the block here. So every
 * offset is checked before it is used, once, in block_open and block_next.
 */
#include "packet-block.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

int corrupted_frame(struct netring_error *error, uint32_t mac, uint32_t captured_len, uint32_t room)
{
	struct utsname host;

	memset(&host, 0, sizeof(host));
	uname(&host);
	return error_set(error, EBADMSG,
			 "corrupted frame on kernel ring mac offset %u + caplen %u > frame len %d (kernel %.32s version %s, machine %.16s)", mac,
			 captured_len, (int)room, host.release, host.version, host.machine);
}

int block_open(struct block_cursor *cursor, struct tpacket_block_desc *block, uint32_t size, struct netring_error *error)
{
	const struct tpacket_hdr_v1 *header = &block->hdr.bh1;
	uint32_t first = header->offset_to_first_pkt, used = header->blk_len;

	if (header->num_pkts != 0 && (used > size || first < sizeof(*block) || first % 8 != 0 || first > used || used - first < BLOCK_FRAME_MIN))
		return error_set(error, EBADMSG, "corrupted frame on kernel ring: block of %u bytes says %u packets from offset %u in %u bytes", size,
				 header->num_pkts, first, used);
	cursor->frame = (uint8_t *)block + first;
	cursor->room = (int64_t)used - first;
	cursor->left = header->num_pkts;
	return 0;
}

void block_view(struct netring_packet *packet, struct tpacket3_hdr *header)
{
	packet->data = block_data(header);
	packet->time_sec = header->tp_sec;
	packet->time_nsec = header->tp_nsec;
	packet->captured_len = header->tp_snaplen;
	packet->wire_len = header->tp_len;
	packet->flags = header->tp_status;
	packet->rxhash = header->hv1.tp_rxhash;
	packet->vlan_tci = (uint16_t)header->hv1.tp_vlan_tci;
	packet->vlan_tpid = header->hv1.tp_vlan_tpid;
	packet->ring = 0;
	packet->link = (const struct sockaddr_ll *)((const uint8_t *)header + BLOCK_LINK_OFFSET);
}

int block_corrupted(const struct block_cursor *cursor, struct netring_error *error)
{
	const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)cursor->frame;

	if (cursor->room < (int64_t)BLOCK_FRAME_MIN)
		return error_set(error, EBADMSG, "corrupted frame on kernel ring: no room for the next of %u packets", cursor->left);
	return corrupted_frame(error, header->tp_mac, header->tp_snaplen, (uint32_t)cursor->room);
}

void block_seek(struct block_cursor *cursor, const uint8_t *frame)
{
	while (cursor->frame != frame && block_next(cursor))
		;
}
