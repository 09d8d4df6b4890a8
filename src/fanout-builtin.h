/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The classic BPF programs of the fanout modes "symmetric" and "inner". What they return is a hash; the kernel takes it modulo the number of members.
 * Pure functions. The programs are the same in every process and version that shares a group, so they have no seed.
 */
#ifndef NETRING_FANOUT_BUILTIN_H
#define NETRING_FANOUT_BUILTIN_H

#include "error.h"

#define FANOUT_BUILTIN_MAX 700	/* instructions */

/*
 * NETRING_FANOUT_SYMMETRIC: by source and destination, in either order, of IPv4, IPv6 or ARP behind up to two VLAN tags, else by the MAC addresses
 * and the EtherType. NETRING_FANOUT_INNER: the same of the packet inside VXLAN (UDP ports 4789, 8472), GENEVE (6081), GRE, or IP in IP; whatever is
 * none of these, is a fragment or is cut short, by its outer addresses. Writes the program into memory for FANOUT_BUILTIN_MAX instructions; returns
 * its length.
 */
unsigned fanout_builtin_make(struct sock_filter *program, enum netring_fanout_mode mode);

#endif
