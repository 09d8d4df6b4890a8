/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp-protocol.h. The load is of what the kernel calls the packet's protocol, which the translator and the interpreter here both know. */
#include "xdp-protocol.h"

#include <errno.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>

int xdp_protocol_filter(struct sock_filter **made, unsigned *made_length, uint16_t protocol, const struct sock_filter *filter, unsigned length,
			struct netring_error *error)
{
	const struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct sock_filter front[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_LD | BPF_IMM, 0), /* a filter finds the accumulator empty */
	};
	struct sock_filter *whole;
	unsigned fronts = sizeof(front) / sizeof(*front);

	*made = NULL;
	*made_length = 0;
	if (protocol == 0 || protocol == ETH_P_ALL)
		return 0;
	if (length == 0) {
		filter = &all;
		length = 1;
	}
	whole = malloc((fronts + length) * sizeof(*whole));
	if (!whole)
		return error_errno(error, ENOMEM, "filter of %u instructions", length);
	memcpy(whole, front, sizeof(front));
	memcpy(whole + fronts, filter, length * sizeof(*whole));
	*made = whole;
	*made_length = fronts + length;
	return 0;
}
