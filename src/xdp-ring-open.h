/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking down what xdp_ring_open has set up. */
#ifndef NETRING_XDP_RING_OPEN_H
#define NETRING_XDP_RING_OPEN_H

#include "packet-ring.h"

/* Frees ring->xdp, which may be half open. In a forked child it leaves the parent's capture undisturbed. */
void xdp_ring_close(struct packet_ring *ring);

#endif
