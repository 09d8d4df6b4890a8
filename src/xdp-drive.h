/* SPDX-License-Identifier: BSD-3-Clause */
/* Calling the kernel to look for packets, for the reader of an AF_XDP queue. */
#ifndef NETRING_XDP_DRIVE_H
#define NETRING_XDP_DRIVE_H

#include "packet-ring.h"

/* Where the kernel says that it waits for a call. */
void xdp_drive_call(struct packet_ring *ring);

/* While it spins, a reader that finds nothing polls the driver, where that can be done. Once it is clear that it cannot, ring->drives is false. */
void xdp_drive(struct packet_ring *ring);

#endif
