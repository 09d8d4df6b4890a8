/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring buffer that an XDP program fills with copies of packets (xdp-tap-code.h), as a kind of packet ring. Each CPU has one, so that no two write to the
 * same; those of an interface, and of a handle, are read as one (merge.h), also if there is only one.
 *
 * Who owns a byte:
 *	consumer..producer	ours; the records that have been listed are in memory of our own as well, because the kernel's cannot be written to, and a
 *				program may do so with a packet of libpcap's
 *	the others		the kernel's
 *
 * A cell is 8 bytes, which is what records are a multiple of. One reader; the statistics may be any thread's.
 */
#ifndef NETRING_XDP_TAP_H
#define NETRING_XDP_TAP_H

#include "packet-ring.h"
#include "xdp-program.h"
#include "xdp-tap-code.h"

#define XDP_TAP_CELL 8

/* For copies of what has been listed. Twice the longest packet at least; more, and they would push each other out of the CPU's cache. */
#define XDP_TAP_COPIES_LENGTH ((size_t)1 << 20)

/* How long packets gather at most before a reader that sleeps looks at them; in immediate mode it is woken. */
#define XDP_TAP_NAP_MS 10

struct xdp_tap {
	const uint64_t *producer;	/* the kernel's word: in bytes, modulo 2^64 */
	uint64_t *consumer;		/* ours */
	const uint8_t *data;		/* twice in a row, so that no record goes around the end */
	uint64_t taken;			/* *consumer */
	uint64_t listed;		/* records before this have been listed */
	struct xdp_tap_line *line;
	const struct xdp_program *program;	/* on the interface */
	uint8_t *copy;			/* of the records that have been listed: XDP_TAP_COPIES_LENGTH bytes */
	size_t copied;			/* bytes of it that are in use */
	uint64_t tai_ahead_ns;		/* TAI - UTC */
	unsigned batches;		/* since that was looked at */
	uint64_t last_ns;		/* time of the last packet that was listed */
	bool watched;			/* somebody sleeps on the descriptor by himself, and has to be woken whenever there was nothing */
	struct sockaddr_ll link;	/* what all packets have in common, and the interface's own address */
	uint8_t *words;			/* the mapping of consumer */
	uint8_t *map;			/* that of producer and data */
	size_t map_length;
};

struct xdp_tap_ring_options {
	const char *interface;
	struct sockaddr_ll link;	/* ifindex, type and address of the interface */
	unsigned number;		/* among those of the interface */
	int watch_fd;			/* packet socket that tells of the interface, not owned; -1: another ring looks at it */
	uint64_t asked, bytes;		/* size that was planned, and that there is memory for; a power of two, of pages */
	const struct xdp_program *program;	/* must outlive the ring */
};

extern const struct packet_ring_kind xdp_tap;

/* Ring buffers for an interface, one of `interfaces`: one for each CPU of the machine, or as many as there is memory for in config. */
unsigned xdp_tap_rings(const struct netring_config *config, unsigned interfaces);

/* The largest size of a ring buffer that is not more than that. */
uint64_t xdp_tap_size(uint64_t bytes);

/*
 * Opens a ring buffer, not yet fed by a program. config: what is not in options. -ENOMEM; -EPERM, -EOPNOTSUPP: not to be had here. On failure the ring is
 * closed.
 */
int xdp_tap_open(struct packet_ring *ring, const struct netring_config *config, const struct xdp_tap_ring_options *options, const struct log *log,
		 struct netring_error *error);

/* Frees ring->tap, which may be half open. */
void xdp_tap_close(struct packet_ring *ring);

/*
 * Bytes to keep of a packet that was listed; 0 rejects it. What the filter in force has judged in XDP is kept as it is, anything else is judged by
 * ring->filter here.
 */
uint32_t xdp_tap_judge(const struct packet_ring *ring, struct netring_packet *packet);

/* As packet_ring_ask_losses, without a system call. */
void xdp_tap_ask_losses(struct packet_ring *ring);

/* Packets that passed the filter, the losses included. Any thread, no system call. */
uint64_t xdp_tap_packets(const struct packet_ring *ring);

/* From here on whoever sleeps on the ring's descriptor is woken. */
void xdp_tap_watch(struct packet_ring *ring);

/* As netring_send, through a packet socket of the interface's. */
int xdp_tap_send(int fd, int ifindex, const void *frame, size_t length, struct netring_error *error);

#endif
