/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict of a classic program on a packet that came through AF_XDP, as if the kernel had run it on a packet socket: there a VLAN tag has been
 * taken out of the packet, and is beside it. That is what programs for live capture are compiled for.
 */
#ifndef NETRING_XDP_JUDGE_H
#define NETRING_XDP_JUDGE_H

#include "netring.h"

/*
 * The number of bytes to keep of the packet as it is, 0 rejects it. All of wire_len is at packet->data, whatever captured_len says; what is there is
 * moved about, and is back in its place afterwards.
 */
uint32_t xdp_judge(const struct sock_filter *program, struct netring_packet *packet);

/* The same of a packet of which only captured_len bytes are there. */
uint32_t xdp_judge_captured(const struct sock_filter *program, struct netring_packet *packet);

#endif
