/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What there is to say about a fanout group that cannot be joined: who has it, and how. Only for error messages: it reads the kernel's list of
 * sockets and /proc.
 */
#ifndef NETRING_FANOUT_DIAG_H
#define NETRING_FANOUT_DIAG_H

#include "error.h"

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000 /* Linux 6.2 */
#endif

struct fanout_group {
	unsigned members;
	int kernel_mode;		/* PACKET_FANOUT_*; its flags the kernel does not tell */
	int ifindex;			/* of one member; 0: all interfaces */
	uint16_t protocol;		/* of one member, host order */
	uint32_t inode;			/* of one member's socket */
};

/* The group of that number in this network namespace. -ENOENT: there is none; otherwise -errno, when the kernel has no packet_diag, for one. */
int fanout_diag_find(struct fanout_group *group, int id);

/* As NETRING_FANOUT has it: "hash", "cbpf" (also for the programs that are built in). "unknown" if it is no mode. */
const char *fanout_diag_mode_name(int kernel_mode);

#define FANOUT_DIAG_TEXT 128

/* "mode hash, flags rollover,defrag" into text, of a mode's name; the flags only if there are any. Returns text. */
const char *fanout_diag_describe(char text[FANOUT_DIAG_TEXT], const char *mode, int kernel_flags);

/* "process 42 (tcpdump)" of the one that has the socket with this inode, or "another process" if it is not to be seen. Returns text. */
const char *fanout_diag_owner(char text[FANOUT_DIAG_TEXT], uint32_t inode);

/* The same of a process by its number. */
const char *fanout_diag_process(char text[FANOUT_DIAG_TEXT], int pid);

#endif
