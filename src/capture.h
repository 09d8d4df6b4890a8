/* SPDX-License-Identifier: BSD-3-Clause */
/* What a struct netring is made of, and the two calls that the pcap face needs beyond netring.h. */
#ifndef NETRING_CAPTURE_H
#define NETRING_CAPTURE_H

#include "packet-wait.h"

struct netring {
	struct packet_ring ring;
	bool out;		/* a burst has been taken and not given back */
};

/* As netring_open, with a log whose descriptor must outlive the capture. */
int capture_open(struct netring **capture, const struct netring_config *config, const struct log *log, struct error *error);

/* As packet_wait. */
int capture_wait(struct netring *capture, int timeout_ms, int wake_fd, const volatile int *stop, struct error *error);

/* A burst that was out while the filter changed: takes what the new one rejects out of the packets from `used` on. */
void capture_sift(const struct netring *capture, struct netring_burst *burst, unsigned used);

/* True while the interface is down, and may be gone. */
bool capture_is_down(const struct netring *capture);

#endif
