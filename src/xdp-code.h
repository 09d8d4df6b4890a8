/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instructions of an interface's XDP program. For each packet:
 *
 *	a socket on its receive queue?	none: on to the host
 *	the time			kept on the stack
 *	the filter that is in force	rejects: on to the host
 *	its data in front of the packet	(xdp-frame.h), unless the driver refuses
 *	to the socket
 */
#ifndef NETRING_XDP_CODE_H
#define NETRING_XDP_CODE_H

#include <linux/filter.h>

#include "ebpf-code.h"

/* What is in force. 1 and 2 are kept for filters that the program interprets. */
enum xdp_in_force {
	XDP_IN_FORCE_COMPILED = 0,	/* the filter that is translated into the program that runs */
	XDP_IN_FORCE_ALL = 3,		/* none: every packet goes to user space, not judged */
};

/* The value of the map that process and program share, in memory: what is in force changes without a system call, and so without privilege. */
struct xdp_switch {
	uint32_t in_force;	/* enum xdp_in_force; the program gives all packets to user space for a value that it does not know */
};

struct xdp_code_options {
	int ifindex;
	int sockets_fd;		/* XSKMAP */
	int switch_fd;		/* an array of one struct xdp_switch */
	uint16_t hardware_type;	/* ARPHRD_* */
	bool has_address;
	uint8_t address[6];
	bool tai;		/* the kernel has bpf_ktime_get_tai_ns */
	bool fragments;		/* to be loaded with BPF_F_XDP_HAS_FRAGS */
	bool judges;		/* false: XDP_IN_FORCE_COMPILED does not judge either */
	const struct sock_filter *filter;
	unsigned length;	/* 0: accepts all */
};

/*
 * Makes the program in code, which the caller has initialised and frees in any case. -EOPNOTSUPP: the filter cannot be translated, and why; -EINVAL: it is
 * no valid one; -ENOMEM, -E2BIG.
 */
int xdp_code_make(struct ebpf_code *code, const struct xdp_code_options *options, struct netring_error *error);

#endif
