/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls and allocations that fail on demand, for programs linked with $(FAULT_WRAP): the n-th call of a kind, or all from the n-th on, return
 * an error of choice. One thread, one fault at a time.
 */
#ifndef NETRING_TEST_FAULT_H
#define NETRING_TEST_FAULT_H

#include <stdbool.h>

/* FAULT_PAGES is an mmap of anonymous memory, FAULT_MMAP any other. */
enum fault_call {
	FAULT_SOCKET, FAULT_BIND, FAULT_SETSOCKOPT, FAULT_GETSOCKOPT, FAULT_GETSOCKNAME, FAULT_IOCTL, FAULT_MMAP, FAULT_EVENTFD, FAULT_FCNTL, FAULT_POLL,
	FAULT_READ, FAULT_OPEN, FAULT_EPOLL_CREATE, FAULT_EPOLL_CTL, FAULT_TIMERFD_CREATE, FAULT_TIMERFD_SETTIME, FAULT_SYSCALL, FAULT_MLOCK, FAULT_MALLOC, FAULT_CALLOC, FAULT_REALLOC, FAULT_PAGES, FAULT_STRDUP, FAULT_SEND,
	FAULT_CALLS
};

enum fault_mode {
	FAULT_ONCE,
	FAULT_FROM_THEN_ON,
};

/* From now on the nth call (from 1) of this kind fails with errnum. */
void fault_arm(enum fault_call call, unsigned nth, int errnum, enum fault_mode mode);

/* After fault_arm: only calls with this detail count. */
void fault_only(unsigned long detail);

/* While suspended, calls neither fail nor count. */
void fault_suspend(bool suspended);

/* Everything works again. True if the fault has happened. */
bool fault_disarm(void);

/*
 * Of the call that failed first: setsockopt's and getsockopt's option (level << 16 | name), ioctl's request, fcntl's command,
 * socket's and syscall's first argument, mmap's length, else 0.
 */
unsigned long fault_detail(void);

const char *fault_name(enum fault_call call);

#endif
