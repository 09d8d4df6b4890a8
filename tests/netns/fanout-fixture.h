/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of fanout groups: groups of packet sockets. Incoming packets are sent on nr0, outgoing ones on nr1, where the groups are. */
#ifndef NETRING_TESTS_FANOUT_FIXTURE_H
#define NETRING_TESTS_FANOUT_FIXTURE_H

#include "fanout.h"
#include "fixture.h"

#define MEMBERS_MAX 260

/* A BPF file system of this program's own, and a file beside it. */
#define BPF_DIRECTORY "/tmp/test-fanout-bpf"
#define PROGRAM_PATH BPF_DIRECTORY ".o"

struct group {
	struct fanout fanout;
	int fd[MEMBERS_MAX];
	unsigned members;
};

extern int in, out;			/* senders */

void fanout_setup(void);
void fanout_teardown(void);

/* The tests of who gets what. */
void add_tests_of_packets(TCase *tests);

/* A packet socket; protocol in host order. */
int bound_socket(const char *interface, int protocol);

struct netring_fanout config_of(enum netring_fanout_mode mode, unsigned flags, int group);

/* As fanout_open and fanout_join; the socket is one of the group's, joined or not. */
int try_open(struct group *group, const struct netring_fanout *config, const char *interface, struct netring_error *error);
int try_join(struct group *group, const char *interface, struct netring_error *error);

/* The same, which have to succeed. */
void group_open(struct group *group, const struct netring_fanout *config, const char *interface, unsigned members);
void group_add(struct group *group, const char *interface, unsigned members);
void group_close(struct group *group);

/* What is there. A packet comes in when the kernel gets round to it: await waits for so many, on all the sockets together, and counts. */
unsigned count_packets(int fd);
unsigned await_on(const int *fd, unsigned fds, unsigned wanted);
unsigned await_one(struct group *group, unsigned member, unsigned wanted);
unsigned await_all(struct group *group, unsigned wanted);

/* Sends a frame; the member that gets it. It is nobody else's. */
unsigned member_of(struct group *group, int sender, const void *frame, size_t length);

void expect_text(int ret, int code, const struct netring_error *error, const char *wanted);

#endif
