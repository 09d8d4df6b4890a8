/* SPDX-License-Identifier: BSD-3-Clause */
/* Calling the kernel to look for packets. */
#include "xdp-drive.h"

#include <sys/socket.h>

#include "xdp-ring.h"

/* There are no bytes to be had: it is only to be called. */
void xdp_drive_call(struct packet_ring *ring)
{
	if (recvfrom(ring->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0)
		return;
}

/*
 * Where the kernel copies packets, it learns which of the driver's queues is to be polled from the first one (up to Linux 6.12, in native mode), or when
 * the socket is bound, if the driver names it (since 6.15, netif_queue_set_napi). Else each call would be for nothing, and disturb it. Asked behind the
 * first packet.
 */
static void look_for_driver(struct packet_ring *ring)
{
	unsigned id = 0;
	socklen_t size = sizeof(id);

	ring->xdp->driven = getsockopt(ring->fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &id, &size) == 0 && id != 0;
	ring->drives = ring->xdp->driven;
	if (!ring->drives)
		log_write(&ring->log, LOG_INFO,
			  "%s: the kernel copies packets, and does not let its driver be polled for receive queue %u; only the ring is",
			  ring->interface, ring->xdp->number);
}

void xdp_drive(struct packet_ring *ring)
{
	const struct xdp_queue *queue = ring->xdp;

	if (!queue->zero_copy && !queue->driven && queue->consumed != 0)
		look_for_driver(ring);
	if (queue->zero_copy || queue->driven)
		xdp_drive_call(ring);
}
