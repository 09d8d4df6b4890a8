/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic BPF as part of an XDP program.
 *
 * The kernel takes the outer VLAN tag (type 0x8100 or 0x88a8) out of a frame before it shows it to a filter, and libpcap's programs are compiled for
 * that. XDP comes before it. So the translated program gives for a tagged frame the verdict that the classic one gives for the same frame without the
 * tag, with the tag in its ancillary values.
 */
#ifndef NETRING_XDP_FILTER_H
#define NETRING_XDP_FILTER_H

#include "ebpf-code.h"

/* A VLAN tag, and the shortest frame whose tag the kernel takes out. One that has a tag's type and is shorter it drops before anybody sees it. */
#define XDP_FILTER_TAG_LEN 4
#define XDP_FILTER_TAGGED_MIN 20

/* Instead of a label: out of reach is rejected. */
#define XDP_FILTER_REJECT EBPF_NOWHERE

/* What is the same for all packets of a capture. All zero, with beyond_label XDP_FILTER_REJECT, is the least. */
struct xdp_filter_context {
	uint32_t ifindex;
	uint16_t hardware_type;	/* ARPHRD_ETHER, ARPHRD_LOOPBACK: frames begin with an Ethernet header */
	bool has_address;	/* without it, programs that look at the packet type are not translated */
	uint8_t address[6];	/* of the interface; the packet type changes with it, a program does not */
	bool fragments;		/* loaded with BPF_F_XDP_HAS_FRAGS: the packet's length is asked of a helper (Linux 5.18) */
	/*
	 * Where to go when the program wants a byte that is not between data and data_end, or from the 65280th on, which the verifier lets nobody
	 * read; R6 to R8 are as they were. The verdict is then up to user space, if the packet has fragments; else it is 0. Many programs do not jump
	 * there: see ebpf_is_target. Or XDP_FILTER_REJECT.
	 */
	unsigned beyond_label;
};

/*
 * Emits program, which has to be entered with R6 = struct xdp_md *, R7 = its data, R8 = its data_end. It leaves these as they are, uses R0 to R5, R9
 * and the stack from -256 to -1, and leaves by a jump to verdict_label (placed by the caller, before or after) with R0 = the verdict.
 *
 * The verdict is a number of 32 bits: how many bytes of the frame to keep, counted as XDP has it, 0 to reject it. Of a tagged frame that is what the
 * classic program returns (K), and the tag's 4 bytes if K reaches it (12 or more), at most 0xffffffff: the bytes that libpcap shows of a packet of
 * which the kernel kept K, before the snaplen. If K is 1 to 11 it shows them without a tag, and the packet's length without it too.
 *
 * Verdicts are bpf_run's on that frame, with the kernel's values for the ancillary loads CPU, QUEUE (the receive queue's number and 1, as drivers
 * record it), RANDOM and ALU_XOR_X, which bpf_run does not know. Loads that would need what XDP does not know (the hash, the mark, netlink
 * attributes, the payload's offset; the packet type without has_address) and jumps back are not translated: -EOPNOTSUPP, and the sentence names the
 * instruction. -EINVAL: the program is not valid (bpf_is_valid). -ENOMEM. What was emitted before a failure is of no use.
 *
 * Whether the verifier takes the program is seen when it is loaded, with a GPL-compatible license. Loads at computed offsets, and the packet's length
 * without fragments, need CAP_PERFMON beside CAP_BPF and CAP_NET_ADMIN (-EACCES). Offsets that are computed over many branches can be too much for it
 * (-E2BIG, after a second or so).
 */
int xdp_filter_translate(struct ebpf_code *code, const struct sock_filter *program, unsigned length, const struct xdp_filter_context *context,
			 unsigned verdict_label, struct netring_error *error);

/* Whether the kernel will take a tag out of an Ethernet frame: for those who judge in user space. Its bytes 12 and 13 are there. */
static inline bool xdp_filter_is_tagged(const uint8_t *frame)
{
	return (frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8);
}

#endif
