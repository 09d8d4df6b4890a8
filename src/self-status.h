/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of the calling thread in /proc. */
#ifndef NETRING_SELF_STATUS_H
#define NETRING_SELF_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct self_status {
	/* A seccomp filter is in force, or that cannot be found out: a system call that libpcap does not make may end the process. */
	bool sandboxed;
	uint32_t pid;		/* 0: unknown */
};

/*
 * Asks by open, read and close, which libpcap makes itself at the same time: no getpid, no prctl. A filter may come later: the answer holds for the
 * moment.
 */
struct self_status self_status_now(void);

#endif
