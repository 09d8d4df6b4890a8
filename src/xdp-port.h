/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One interface of an AF_XDP capture: its XDP program, a ring for each of its queues, and the packet socket that holds the promiscuous membership and
 * tells when the interface goes down or away, which an AF_XDP socket does not. Where packets are copied, it sends, too.
 */
#ifndef NETRING_XDP_PORT_H
#define NETRING_XDP_PORT_H

#include "queue-list.h"
#include "xdp-ring.h"

struct xdp_port {
	struct xdp_program program;
	struct log log;
	int watch_fd;
	uint16_t protocol;	/* all that is captured; 0: everything. Part of each filter (xdp-protocol.h) */
	unsigned rings;
	bool watches;		/* for a sandbox (sandbox.h) */
};

/* The closed state. */
void xdp_port_init(struct xdp_port *port);

/*
 * The queues of an interface that config asks for; where packets are copied, ring buffers by number, one of `interfaces`. -EINVAL: it does not have them, or more than a handle can; -ENODEV. -EOPNOTSUPP: AF_XDP cannot be had
 * there, or not at all.
 */
int xdp_port_queues(const struct netring_config *config, const char *interface, unsigned interfaces, struct queue_list *queues, struct netring_error *error);

/*
 * Opens the rings of an interface, one for each of queues, and lets packets in. memory_limit: bytes for each ring. port must stay where it is. Errors as
 * netring_open; -EOPNOTSUPP, -ENOSYS and -EPERM mean that AF_XDP cannot be had there. On failure port is closed, and rings that were opened are for the
 * caller to close.
 */
int xdp_port_open(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, const struct queue_list *queues,
		  uint64_t memory_limit, const struct log *log, struct netring_error *error);

/*
 * If the interface is gone, takes the program off it: it may be in another namespace, and what the program redirects there would be lost, as the kernel
 * has closed the sockets' side of it only.
 */
void xdp_port_let_go(struct xdp_port *port);

/*
 * Says, once, that the interface has got more receive queues since it was opened: their packets are not captured, as no process without privilege may open
 * sockets for them. Some drivers run the program on them, which says so by itself; veth does not. System calls that
 * libpcap does not make: not for a thread that may be in a sandbox.
 */
void xdp_port_look_at_queues(const struct xdp_port *port);

/* Detaches the program, so that the host has its packets again, before the rings are closed. Accepts any half-open state. */
void xdp_port_close(struct xdp_port *port);

#endif
