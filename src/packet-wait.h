/* SPDX-License-Identifier: BSD-3-Clause */
/* Sleeping until one of several packet rings has something. */
#ifndef NETRING_PACKET_WAIT_H
#define NETRING_PACKET_WAIT_H

#include "packet-ring.h"

enum packet_wait_result {
	WAIT_READY = 1,		/* there may be packets */
	WAIT_TIMEOUT,		/* the time is over */
	WAIT_WOKEN,		/* wake_fd was written to; it has been read empty */
	WAIT_INTERRUPTED,	/* a signal handler ran */
	WAIT_DOWN,		/* the interface is down; the capture goes on when it comes up */
};

/* For timeout_ms: a sleep as -1 has it, but it ends after ten milliseconds. */
#define PACKET_WAIT_BRIEF (-2)

/* Rings that a handle may have. */
#define PACKET_WAIT_MAX 256

/*
 * One look, or one sleep, of at most timeout_ms (-1: no limit; 0: a look; or PACKET_WAIT_BRIEF). wake_fd is an eventfd that ends the sleep, or -1.
 * stop, if not NULL, ends the spinning of busy_poll_us when it becomes non-zero. While the interface is down a sleep lasts 1 ms at the most, because
 * nothing tells when it is deleted. Negative: -ENODEV "The interface disappeared", or another -errno with libpcap's sentence; of several rings, that of
 * the first that has one.
 *
 * A cancellation point, and nothing is held across it. System calls: poll; and only after an event that is not a packet: read, getsockopt,
 * getsockname, ioctl.
 */
int packet_wait(struct packet_ring *const *rings, unsigned count, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error);

#endif
