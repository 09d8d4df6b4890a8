/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic BPF in user space, with the kernel's verdicts: for packets that another filter let into the ring, and for programs that the kernel refuses.
 *
 * libpcap's own interpreter knows two of the kernel's ancillary loads and rejects the packet on any other; this one knows those that describe a
 * packet in the ring. Pure functions.
 */
#ifndef NETRING_BPF_RUN_H
#define NETRING_BPF_RUN_H

#include "netring.h"

/*
 * True if every instruction is one that bpf_run knows, jumps go to an instruction of the program, scratch memory is used within its 16 words, and the
 * last instruction returns. Any length from 1 on. An unconditional jump may go back: libpcap compiles "protochain" to a loop, which no kernel takes.
 */
bool bpf_is_valid(const struct sock_filter *program, unsigned length);

/*
 * The number of bytes to keep of the packet; 0 rejects it. program is valid. Loads outside captured_len reject, as do ancillary loads other than
 * PROTOCOL, PKTTYPE, IFINDEX, HATYPE, RXHASH, VLAN_TAG, VLAN_TAG_PRESENT and VLAN_TPID, division by zero, and a loop that does not end.
 */
uint32_t bpf_run(const struct sock_filter *program, const struct netring_packet *packet);

/*
 * The same, with the packet's bytes and lengths from elsewhere: for programs that were compiled for a link header that the ring does not hold. All
 * else is taken from packet.
 */
uint32_t bpf_run_on(const struct sock_filter *program, const struct netring_packet *packet, const uint8_t *data, uint32_t captured_len,
		    uint32_t wire_len);

#endif
