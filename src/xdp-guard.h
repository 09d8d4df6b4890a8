/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the host needs an interface: what AF_XDP takes off it, the host does not get. */
#ifndef NETRING_XDP_GUARD_H
#define NETRING_XDP_GUARD_H

#include "error.h"

#define XDP_GUARD_TEXT 200

/*
 * Looks for the user's own SSH connection (the local address in SSH_CONNECTION), an IPv4 address or an IPv6 address that is not link-local, a route
 * in any table but to link-local addresses, a bridge, bond or the like that the interface is a member of, and interfaces on top of it (VLAN, macvlan and the like); in the network
 * namespace of the calling thread. 1: the first of them that is there, in this order, is in text, as what follows "eth0 ..." in a sentence; 0: none of
 * them; -errno: that cannot be found out.
 */
int xdp_guard_find(int ifindex, char text[XDP_GUARD_TEXT], struct netring_error *error);

/* -EBUSY if there is anything: the sentence says what, and NETRING_XDP_STEAL=1. */
int xdp_guard_check(const char *interface, int ifindex, struct netring_error *error);

#endif
