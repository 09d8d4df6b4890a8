/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instructions of an interface's XDP program. For each packet:
 *
 *	a socket on its receive queue?	none: on to the host
 *	the filter that is in force	rejects: on to the host
 *	time and verdict in front of the packet	(xdp-frame.h), unless the driver refuses
 *	a word of it if it is a long one
 *	to the socket
 *
 * Where packets are copied instead (xdp-tap-code.h) there are no sockets: the filter, a copy of what it accepts, on to the host.
 */
#ifndef NETRING_XDP_CODE_H
#define NETRING_XDP_CODE_H

#include <linux/filter.h>

#include "xdp-interpreter.h"
#include "xdp-tap-code.h"

/* Of it the program tells (struct xdp_switch): it may take more than XDP_FILL_CELLS frames, of the smallest. */
#define XDP_LONG_PACKET 12288

struct xdp_code_options {
	int ifindex;
	int sockets_fd;		/* XSKMAP */
	unsigned receive_queues; /* of the interface; what comes on others, which have been added since, is counted. 0: nothing is */
	int switch_fd;		/* an array of one struct xdp_switch */
	uint16_t hardware_type;	/* ARPHRD_* */
	bool has_address;
	uint8_t address[6];
	bool tai;		/* the kernel has bpf_ktime_get_tai_ns */
	bool fragments;		/* to be loaded with BPF_F_XDP_HAS_FRAGS */
	bool judges;		/* false: XDP_IN_FORCE_COMPILED does not judge either */
	bool interprets;	/* with the interpreter; false: the slots are for user space, too */
	const struct sock_filter *filter;
	unsigned length;	/* 0: accepts all */
	struct xdp_tap_options tap;
};

/* What filters are told about packets and interface. */
struct xdp_filter_context xdp_code_context(const struct xdp_code_options *options);

/*
 * Makes the program in code, which the caller has initialised and frees in any case. -EOPNOTSUPP: the filter cannot be translated, and why; -EINVAL: it is
 * no valid one; -ENOMEM, -E2BIG.
 */
int xdp_code_make(struct ebpf_code *code, const struct xdp_code_options *options, struct netring_error *error);

#endif
