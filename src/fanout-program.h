/* SPDX-License-Identifier: BSD-3-Clause */
/* The program that chooses the member of a fanout group of type CBPF or EBPF: the user's, or one of ours. */
#ifndef NETRING_FANOUT_PROGRAM_H
#define NETRING_FANOUT_PROGRAM_H

#include "error.h"

struct fanout_program {
	struct sock_filter *cbpf;	/* NULL: none */
	unsigned length;		/* instructions */
	int fd;				/* eBPF; -1: none */
	uint32_t fingerprint;		/* a number that other programs are unlikely to have; 0: no program */
};

void fanout_program_init(struct fanout_program *program);

/*
 * Reads or makes the program for mode; nothing for modes that have none. path: for NETRING_FANOUT_CBPF text as tcpdump -ddd prints it, for
 * NETRING_FANOUT_EBPF an object file or a pin on a BPF file system. Errors name the file and, if the verifier refused it, what its log says last.
 */
int fanout_program_open(struct fanout_program *program, enum netring_fanout_mode mode, const char *path, struct netring_error *error);

/* Gives it to the group that the socket is a member of. The group keeps it. */
int fanout_program_install(const struct fanout_program *program, int fd, struct netring_error *error);

/* Accepts the closed state. */
void fanout_program_close(struct fanout_program *program);

#endif
