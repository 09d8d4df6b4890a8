/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fanout groups: packet sockets on one interface that share its packets. See PACKET_FANOUT in packet(7).
 *
 * A struct fanout is one group as one handle sees it: fanout_open, then fanout_join for each of the handle's sockets on that interface, then
 * fanout_settle; fanout_close at the end. Membership is the socket's, not the struct's: closing a socket leaves the group, whoever died.
 */
#ifndef NETRING_FANOUT_H
#define NETRING_FANOUT_H

#include "fanout-program.h"
#include "log.h"

struct fanout {
	struct netring_fanout config;	/* name and program point to nothing after fanout_open */
	int kernel_mode, kernel_flags;	/* PACKET_FANOUT_* */
	int id;				/* -1: not known yet, the first member gets a new one */
	unsigned members;		/* that joined through this struct */
	char interface[16];
	int ifindex;
	char name[33];			/* in the registry of fanout-name.h; "": not in it */
	int lock_fd, name_fd;		/* of a group that has a name; see fanout-name.h */
	struct fanout_program program;
};

/*
 * Reads MODE[:GROUP] as NETRING_FANOUT has it: "hash", "lb:42", "symmetric:auto", "cbpf:@sensor1". No GROUP is auto. name points into text; flags and
 * program are left alone. -EINVAL: the text, what is wrong with it, and what is allowed.
 */
int fanout_parse(struct netring_fanout *fanout, const char *text, struct netring_error *error);

/* Reads "rollover,defrag" as NETRING_FANOUT_FLAGS has it. */
int fanout_parse_flags(unsigned *flags, const char *text, struct netring_error *error);

/* The closed state. */
void fanout_init(struct fanout *fanout);

/*
 * Checks what can be checked before there is a member, loads the program, and, if the group has a name, finds its number: a lock, held until
 * fanout_settle, keeps two processes that start at once from making two groups of one name. On failure the struct is closed.
 */
int fanout_open(struct fanout *fanout, const struct netring_fanout *config, bool ignore_outgoing, const char *interface, int ifindex,
		struct netring_error *error);

/*
 * Makes a bound packet socket a member. After a failure it may be one: who closes the socket leaves the group. The sentence says who has the group
 * if it is another's, or how many members it has if it is full.
 */
int fanout_join(struct fanout *fanout, int fd, struct netring_error *error);

/* All have joined: lets others in. */
void fanout_settle(struct fanout *fanout);

/* Accepts the closed state. Before the sockets are closed: a name stands for a group that exists. */
void fanout_close(struct fanout *fanout);

#endif
