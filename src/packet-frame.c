/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at one TPACKET_V2 frame. See packet-frame.h for who owns it when. */
#include "packet-frame.h"

#include "packet-block.h"

int frame_view(struct netring_packet *packet, uint8_t *frame, uint32_t size, struct netring_error *error)
{
	const struct tpacket2_hdr *header = (const struct tpacket2_hdr *)frame;

	if (unlikely(header->tp_mac < TPACKET2_HDRLEN || (uint64_t)header->tp_mac + header->tp_snaplen > size))
		return corrupted_frame(error, header->tp_mac, header->tp_snaplen, size);
	packet->data = frame + header->tp_mac;
	packet->time_sec = header->tp_sec;
	packet->time_nsec = header->tp_nsec;
	packet->captured_len = header->tp_snaplen;
	packet->wire_len = header->tp_len;
	packet->flags = header->tp_status;
	packet->rxhash = 0;
	packet->vlan_tci = header->tp_vlan_tci;
	packet->vlan_tpid = header->tp_vlan_tpid;
	packet->ring = 0;
	packet->link = (const struct sockaddr_ll *)(frame + FRAME_LINK_OFFSET);
	return 0;
}
