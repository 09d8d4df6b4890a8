/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at one TPACKET_V2 frame, for immediate mode: pure memory, no socket.
 *
 * Who owns a frame: its status word says TP_STATUS_KERNEL (the kernel may fill it) or has TP_STATUS_USER set (ours until frame_release).
 */
#ifndef NETRING_PACKET_FRAME_H
#define NETRING_PACKET_FRAME_H

#include "compiler.h"
#include "error.h"

#define FRAME_LINK_OFFSET TPACKET_ALIGN(sizeof(struct tpacket2_hdr))

/* Pairs with the kernel's barrier in __packet_set_status: the frame's content is visible after this. */
static inline bool frame_is_ours(const struct tpacket2_hdr *header)
{
	return load_acquire(&header->tp_status) & TP_STATUS_USER;
}

/* Pairs with the kernel's read in packet_lookup_frame: our last read of the frame comes before this. */
static inline void frame_release(struct tpacket2_hdr *header)
{
	store_release(&header->tp_status, (uint32_t)TP_STATUS_KERNEL);
}

/* Fills packet from a frame that is ours. -EBADMSG if the packet sticks out of the size bytes of its frame. */
int frame_view(struct netring_packet *packet, uint8_t *frame, uint32_t size, struct netring_error *error);

#endif
