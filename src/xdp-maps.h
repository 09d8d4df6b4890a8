/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an XDP program shares with its reader: the map that says where packets go (AF_XDP sockets, or ring buffers), the switch, and the lines of the ring
 * buffers. They are members of struct xdp_program, which owns them; switch and lines are mapped, and shared with forked children.
 */
#ifndef NETRING_XDP_MAPS_H
#define NETRING_XDP_MAPS_H

#include "xdp-program.h"

/*
 * Makes what the program's options say, of nothing but closed maps. -EPERM: not allowed, or RLIMIT_MEMLOCK is too small; -EOPNOTSUPP: the kernel is too
 * old; another -errno. On failure some may be there, for xdp_maps_close.
 */
int xdp_maps_open(struct xdp_program *program, struct netring_error *error);

/* Accepts what is half open. No packet may be in the program any more. */
void xdp_maps_close(struct xdp_program *program);

#endif
