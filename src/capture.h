/* SPDX-License-Identifier: BSD-3-Clause */
/* What a struct netring is made of, and what the pcap face needs of it beyond netring.h. */
#ifndef NETRING_CAPTURE_H
#define NETRING_CAPTURE_H

#include "capture-stats.h"
#include "fanout.h"
#include "merge.h"
#include "packet-wait.h"
#include "self-status.h"
#include "xdp-port.h"

/* Rings of one handle, on all its interfaces together. */
#define CAPTURE_RINGS_MAX PACKET_WAIT_MAX

/* How long nobody looks after packets in hand that have to wait for other rings. */
#define CAPTURE_LOOK_MS 5

struct netring {
	unsigned out;		/* packets of the burst that has been taken and not given back */
	unsigned rings;
	int epoll_fd;		/* several rings, or XDP: all of their sockets; else -1 */
	int timer_fd;		/* where there is a merge: in it; says when to look after packets that wait */
	struct self_watch self;	/* the same: whether other system calls than libpcap's may be made */
	bool watched;		/* somebody has asked for the descriptor */
	bool muted;		/* several rings: those with packets in hand are not watched, because their packets have to wait for the others */
	unsigned fanouts;	/* one for each interface, or none */
	struct fanout *fanout;
	unsigned ports;		/* XDP: one for each interface; else none */
	struct xdp_port *port;
	bool waiting;		/* AF_XDP: nobody has read yet, or set a filter; until then the host gets every packet */
	struct merge merge;	/* several rings, or copies in XDP */
	struct capture_stats stats;	/* what others may see of it */
	struct packet_ring ring[];
};

/* As netring_open, with a log whose descriptor must outlive the capture. */
int capture_open(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error);
void capture_close(struct netring *capture);

/*
 * From here on packets are captured, if they are not yet. Between opening and the first sign of interest the host keeps them: a program that sets its
 * filter then takes from it only what that wants.
 */
static inline void capture_start(struct netring *capture)
{
	if (likely(!__atomic_load_n(&capture->waiting, __ATOMIC_RELAXED)))
		return;
	for (unsigned i = 0; i < capture->ports; i++)
		xdp_program_start(&capture->port[i].program);
	__atomic_store_n(&capture->waiting, false, __ATOMIC_RELAXED);
}

/* Packets come through XDP: they are frames (xdp-frame.h), never outgoing, and never without their VLAN tag. */
static inline bool capture_is_xdp(const struct netring *capture)
{
	return capture->ports != 0;
}

/* The same, but they are copies, in the ring buffers of xdp-tap.h. */
static inline bool capture_is_tap(const struct netring *capture)
{
	return capture->ring[0].tap != NULL;
}

/* The socket that sends. */
static inline int capture_sender(const struct netring *capture)
{
	return capture_is_tap(capture) ? capture->port[0].watch_fd : capture->ring[0].fd;
}

static inline bool capture_is_merged(const struct netring *capture)
{
	return capture->merge.sources != 0;
}

/* netring_fd, for who is not going to wait for it. */
int capture_fd(const struct netring *capture);

/* As netring_take, but one burst's worth: -EAGAIN if the filter has taken all of it out, so that a reader may look up between bursts. */
int capture_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error);

/* True if a read would find packets now. No system call. */
bool capture_is_ready(const struct netring *capture);

/* As packet_wait, for the rings that have nothing in hand. */
int capture_wait(struct netring *capture, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error);

/*
 * Reading the block of a single ring in place, without the copies of headers that a burst consists of. capture_borrow gives a cursor for
 * block_next: 1; 0 if there is no packet now; -EBADMSG; -EAGAIN if it has to be bursts this time. capture_return takes the cursor back when the
 * reader is through. A reader that cannot return it, because somebody left by longjmp, calls capture_return_at with the frame of the first packet
 * that it has not consumed.
 */
int capture_borrow(struct netring *capture, struct block_cursor *cursor, struct netring_error *error);
void capture_return(struct netring *capture, const struct block_cursor *cursor);
void capture_return_at(struct netring *capture, const uint8_t *frame);

/*
 * The same for one ring of AF_XDP: up to max packets, for xdp_ring_next. capture_return_xdp gives back what is in front of desc: the cursor's, or a
 * copy of it that somebody has kept.
 */
int capture_borrow_xdp(struct netring *capture, struct xdp_cursor *cursor, unsigned max);
void capture_return_xdp(struct netring *capture, const struct xdp_desc *desc);

/*
 * The same for several rings that hand over blocks: packets of capture->merge, by merge_take's rules, in place. netring_give_back, with any burst,
 * takes them back.
 */
int capture_borrow_merged(struct netring *capture, unsigned max, struct netring_error *error);

/* True while an interface is down, and may be gone. */
bool capture_is_down(const struct netring *capture);

#endif
