/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that are longer than a frame of AF_XDP's (Linux 6.6). They come in several frames, with a descriptor each, and leave the ring in one piece,
 * in memory of the queue's own. One reader.
 */
#ifndef NETRING_XDP_GATHER_H
#define NETRING_XDP_GATHER_H

#include "xdp-ring.h"

/* A packet; the kernel has no longer ones for XDP, of 17 pages and a bit. A longer one is lost, and counted. */
#define XDP_GATHER_MAX (128u << 10)

/* What can be put together at the same time. A reader that wants more gets it when it has given that back. */
#define XDP_GATHER_ROOM ((size_t)1 << 20)

#define XDP_GATHER_ALIGN 4

/* -errno. */
int xdp_gather_open(struct xdp_queue *queue);

/* Accepts what was never opened. */
void xdp_gather_close(struct xdp_queue *queue);

/*
 * Puts together the packet that begins in a cell, behind which so many are there, that one included. 1: packet, which is overwritten by the next unless
 * xdp_gather_keep is called. 0: none, because its last part is missing, it is too long, or the filter does not want it. Both times *cells says how far
 * that goes. -EBADMSG: a descriptor cannot be true. -ENOBUFS: not before others are given back.
 */
int xdp_gather(struct packet_ring *ring, uint32_t cell, uint32_t there, uint32_t *cells, struct xdp_packet *packet);

/* The packet of that cell stays until all that was made ready has been given back. Returns where. */
struct xdp_frame *xdp_gather_keep(struct packet_ring *ring, uint32_t cell, const struct xdp_packet *packet);

/* Where it is; NULL: the packet of that cell has not been kept. */
struct xdp_frame *xdp_gather_kept(const struct packet_ring *ring, uint32_t cell);

/* How many packets so many descriptors are. They begin with a packet's first. */
uint32_t xdp_gather_packets(const struct xdp_queue *queue, uint32_t cell, uint32_t cells);

#endif
