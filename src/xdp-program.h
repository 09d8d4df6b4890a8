/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program of one interface: made in memory, loaded, attached by a link that dies with the process.
 *
 * For each packet it asks the filter; what is accepted gets its time stamp put in front (xdp-frame.h) and goes to the AF_XDP socket of its receive
 * queue; everything else, and what comes on a queue without a socket, goes on to the host. Or what is accepted is copied to the ring buffer of the CPU
 * (xdp-tap-code.h), and everything goes on to the host: then these ring buffers are what is said of sockets here, and their CPUs are the queues.
 *
 *	xdp_program_open	looks for what is in the way, makes maps and program; nothing is attached yet
 *	xdp_program_add		a socket for a queue
 *	xdp_program_attach	from here on packets come; or they do from xdp_program_start on
 *	xdp_program_set_filter	replaces the filter while packets come
 *	xdp_program_detach	from here on none come
 *	xdp_program_close	detaches, too; accepts any half-open state
 */
#ifndef NETRING_XDP_PROGRAM_H
#define NETRING_XDP_PROGRAM_H

#include <linux/filter.h>
#include <net/if.h>
#include <stdint.h>

#include "log.h"
#include "netring.h"

struct xdp_program_options {
	const char *interface;
	int ifindex;
	enum netring_xdp_mode mode;
	bool steal;			/* also where the host needs the interface */
	bool strict;			/* what falls back is an error */
	bool waits;			/* for xdp_program_start, or the first xdp_program_set_filter: until then the host gets every packet */
	bool fragments;			/* packets may be longer than a page (BPF_F_XDP_HAS_FRAGS, Linux 5.18; without it there, see below) */
	unsigned queues;		/* of the interface: the map has so many places */
	unsigned receive_queues;	/* that it has now: what comes on others, added later, is counted and said. 0: nothing is */
	uint64_t ring_bytes;		/* of each ring buffer that packets are copied to; 0: there are none, AF_XDP sockets take them */
	uint32_t snaplen;		/* of those copies; 1..XDP_TAP_CAPTURE_MAX */
	const struct log *log;		/* must outlive the program */
};

/* Packets are copied to ring buffers. */
static inline bool xdp_program_copies(const struct xdp_program_options *options)
{
	return options->ring_bytes != 0;
}

struct xdp_tap_line;
struct xdp_switch;			/* what the running program looks at, in memory shared with it */

struct libbpf;

struct xdp_program {
	struct xdp_program_options options;	/* interface points into this struct: do not copy it */
	char interface[IFNAMSIZ];
	int sockets_fd;			/* XSKMAP: receive queue to socket; or CPU to ring buffer */
	int lines_fd;			/* the mapping's map, where packets are copied */
	struct xdp_tap_line *line;	/* one for each ring buffer; NULL: packets are not copied */
	int switch_fd;			/* the mapping's map */
	struct xdp_switch *control;
	int program_fd;			/* in force */
	int link_fd;
	bool native;			/* as attached */
	bool judges;			/* the filter in force runs in XDP; false: every packet is redirected, and user space judges */
	bool tai;			/* time stamps are CLOCK_TAI's; false, before Linux 6.1: tai_ns of each packet is CLOCK_MONOTONIC's */
	bool fragments;			/* it takes packets that are longer than a page */
	bool interprets;		/* filters can change without privilege and still run in XDP */
	const struct libbpf *bpf;
	uint16_t hardware_type;		/* of the interface: ARPHRD_* */
	bool has_address;
	uint8_t address[6];
	int status_fd;			/* a status in /proc, not read yet: whether there is a seccomp filter */
	int types_fd;			/* of the interpreter's function */
	bool waiting;			/* for xdp_program_start */
	uint32_t waiting_for;		/* what it puts in force */
	unsigned slot;			/* of the switch, the last that was written to */
	uint32_t filters;		/* written to slots so far */
	uint32_t compiled;		/* the number of the translated filter */
	bool told_user_space;		/* logged */
	bool told_interpreted;
};

/* The closed state. */
void xdp_program_init(struct xdp_program *program);

/*
 * With the filter of length instructions (0: all packets), in force from the first packet; whether it runs in XDP, judges tells. -EBUSY: an address, a
 * route, a bridge or the user's own connection needs the interface, or another XDP program is on it, with its name and id; -EPERM: a capability
 * is missing, and which, or a seccomp filter is in force; -EOPNOTSUPP: kernel, driver or interface cannot, or the filter cannot and strict; -ENODEV;
 * -ENOSYS: no libbpf; -EINVAL: not a valid filter; -ENOMEM. On failure the program is closed.
 */
int xdp_program_open(struct xdp_program *program, const struct xdp_program_options *options, const struct sock_filter *filter, unsigned length,
		     struct netring_error *error);

/* fd: an AF_XDP socket, bound to that queue. Not owned. */
int xdp_program_add(struct xdp_program *program, unsigned queue, int fd, struct netring_error *error);

/*
 * -EOPNOTSUPP: the driver cannot, in the mode that was asked for (text: why), or in its native one if strict; -EBUSY: somebody was faster. A program of
 * netring's that is still there is given a second to go away, here and in xdp_program_open.
 */
int xdp_program_attach(struct xdp_program *program, struct netring_error *error);

/* Lets in what the filter wants, if that is still to be done. Memory only: it needs no privilege. In every process that has the program, the first does it. */
void xdp_program_start(struct xdp_program *program);

/*
 * Replaces the filter (length 0: all packets). When it returns, no packet is judged by the old one any more but those that are in rings already or on
 * their way there. 0: it runs in XDP, interpreted where it cannot be translated, the verifier refuses it, or the process may not load programs any more
 * (no privilege, or a seccomp filter); 1: user space is to judge, because it cannot be interpreted either; logged, and -EOPNOTSUPP if strict. -EINVAL. On
 * failure the old one is in force.
 */
int xdp_program_set_filter(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *error);

/* Says, once, that packets have come on queues which were not there when the program was opened. A look at memory, for any thread. */
void xdp_program_look_for_strays(const struct xdp_program *program);

/* The filter that is in force, by a number that no other one of this program has or had: what is in xdp_tap_record.filter. */
uint32_t xdp_program_filter_mark(const struct xdp_program *program);

/* Takes it off the interface. Filters may still be set, to no effect. */
void xdp_program_detach(struct xdp_program *program);

void xdp_program_close(struct xdp_program *program);

#endif
