/* SPDX-License-Identifier: BSD-3-Clause */
/* The filter of a packet ring: in the kernel where it takes it, here where it does not, and here too for what is already in the ring. */
#ifndef NETRING_PACKET_FILTER_H
#define NETRING_PACKET_FILTER_H

#include "packet-ring.h"

/*
 * Puts a program in force; length 0 means no filter, but for the ring's snaplen. Returns as netring_set_filter.
 */
int packet_filter_set(struct packet_ring *ring, const struct sock_filter *program, unsigned length, struct netring_error *error);

/* The same for a ring that is not bound yet: it holds no packets that another filter let in. */
int packet_filter_open(struct packet_ring *ring, const struct sock_filter *program, unsigned length, struct netring_error *error);

/* True while packets may come out of the ring that the kernel has not judged by the program in force. */
static inline bool packet_filter_is_due(const struct packet_ring *ring)
{
	return ring->filter_here || ring->filter_cells != 0;
}

/* Takes out of burst what the program rejects, and cuts the rest to what it keeps. */
void packet_filter_sift(const struct packet_ring *ring, struct netring_burst *burst);

/* The same for packets in a list: those that are rejected are taken out, and counted. Returns how many are left. */
unsigned packet_filter_sift_list(struct packet_ring *ring, struct packet_entry *entry, unsigned count);

#endif
