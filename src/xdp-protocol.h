/* SPDX-License-Identifier: BSD-3-Clause */
/* What a packet socket that is bound to one EtherType gets, as part of a filter: AF_XDP has nothing to bind to it. */
#ifndef NETRING_XDP_PROTOCOL_H
#define NETRING_XDP_PROTOCOL_H

#include <linux/filter.h>
#include <stdint.h>

#include "error.h"

/*
 * A filter that accepts what filter does (length 0: all) of the packets whose protocol, behind a VLAN tag if there is one, is this (host order; ETH_P_802_2
 * and so on too). *made is for the caller to free; NULL, with *made_length 0, where filter can be used as it is: 0 and ETH_P_ALL are all protocols.
 * -ENOMEM.
 */
int xdp_protocol_filter(struct sock_filter **made, unsigned *made_length, uint16_t protocol, const struct sock_filter *filter, unsigned length,
			struct netring_error *error);

#endif
