/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving frames back to the kernel, so that it fills those first that are in the caches. See xdp-fill.c.
 */
#ifndef NETRING_XDP_FILL_H
#define NETRING_XDP_FILL_H

#include "xdp-ring.h"

/*
 * So many entries in front of the kernel's place frames go that have been read, and so many in front of it at least the exchange must end: the kernel may
 * have taken what one round of NAPI does and shown none of it, 64 packets. (In generic mode it shows each by itself.) The fewer go round, the more of
 * them stay in the caches; but a reader gives back at once what came while it slept (LEADS_MAX).
 */
#define XDP_FILL_LEAD 1152
#define XDP_FILL_MARGIN 512

/* Of a packet, with that. Others are of 17 pages and a bit at the most: 42 frames. */
#define XDP_FILL_CELLS 8
#define XDP_FILL_LEAD_LONG 4096
#define XDP_FILL_MARGIN_LONG 3072

/* In a ring of fewer entries all go to the end. */
#define XDP_FILL_ENTRIES_MIN (4 * XDP_FILL_LEAD_LONG)

/* All frames of the umem's first part, of a queue that is not bound yet. */
void xdp_fill_begin(struct xdp_queue *queue, uint32_t frames, uint32_t frame_size);

/*
 * From now on frames that have been read go to the front, `lead` entries from the kernel's place. Where the kernel copies packets only. The second: as it
 * is to be if packets may take so many frames.
 */
void xdp_fill_reuse(struct xdp_queue *queue, uint32_t lead, uint32_t margin);
void xdp_fill_reuse_for(struct xdp_queue *queue, uint64_t cells);

/*
 * Gives back the frames of so many descriptors, from that cell of the receive ring on, which do not go round its end. The caller has looked at them for
 * the last time, and shows queue->given to the kernel. Returns the bytes of their packets.
 */
uint64_t xdp_fill_put(struct xdp_queue *queue, uint32_t cell, uint32_t count);

#endif
