/* SPDX-License-Identifier: BSD-3-Clause */
/* What a struct netring is made of, and what the pcap face needs of it beyond netring.h. */
#ifndef NETRING_CAPTURE_H
#define NETRING_CAPTURE_H

#include "packet-wait.h"

struct netring {
	struct packet_ring ring;
	unsigned out;		/* packets of the burst that has been taken and not given back */
};

/* As netring_open, with a log whose descriptor must outlive the capture. */
int capture_open(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error);

/* As netring_take, but one burst's worth: -EAGAIN if the filter has taken all of it out, so that a reader may look up between bursts. */
int capture_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error);

/* As packet_wait. */
int capture_wait(struct netring *capture, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error);

/*
 * Reading a block in place, without the copies of headers that a burst consists of. capture_borrow gives a cursor for block_next: 1; 0 if there is no
 * packet now; -EBADMSG; -EAGAIN if it has to be bursts this time. capture_return takes the cursor back when the reader is through. A reader that
 * cannot return it, because somebody left by longjmp, calls capture_return_at with the frame of the first packet that it has not consumed.
 */
int capture_borrow(struct netring *capture, struct block_cursor *cursor, struct netring_error *error);
void capture_return(struct netring *capture, const struct block_cursor *cursor);
void capture_return_at(struct netring *capture, const uint8_t *frame);

/* True while the interface is down, and may be gone. */
bool capture_is_down(const struct netring *capture);

#endif
