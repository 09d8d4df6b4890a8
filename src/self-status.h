/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of the calling thread in /proc. */
#ifndef NETRING_SELF_STATUS_H
#define NETRING_SELF_STATUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct self_status {
	/* A seccomp filter is in force, or that cannot be found out: a system call that libpcap does not make may end the process. */
	bool sandboxed;
	uint32_t pid;		/* 0: unknown */
	off_t size;		/* bytes read */
};

/*
 * Asks by open, read and close, which libpcap makes itself at the same time: no getpid, no prctl. A filter may come later: the answer holds for the
 * moment.
 */
struct self_status self_status_now(void);

/* The descriptor for it, which goes on to tell of the thread that has opened it; -1 with errno. */
int self_status_open(void);

/* What the descriptor tells now, by one read from where it stands, which has to be the front. */
struct self_status self_status_read(int fd);

/*
 * Whether a filter is in force for the thread that has opened *fd, or may be, which it is for good when *fd is -1. By read and close alone, which
 * sandboxes of programs that capture allow; only where there is none is a descriptor opened for the next look, and it tells of the caller then.
 */
bool self_status_look(int *fd);

/*
 * For readers, which are asked again and again and have another way to go: another thread than the one that has opened the watch counts as under a filter,
 * and so does a child process, because nothing can be learned of them without opening a file.
 */
struct self_watch {
	int fd;			/* -1: none */
	pthread_t thread;
	unsigned forks;		/* of this process and those that it comes from */
};

#define SELF_WATCH_NONE ((struct self_watch){ .fd = -1 })

struct self_watch self_watch_open(void);
void self_watch_close(struct self_watch *watch);

/* Takes some 4 microseconds; otherwise as self_status_look. */
bool self_watch_sees_sandbox(struct self_watch *watch);

#endif
