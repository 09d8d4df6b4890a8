/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the calling thread is under a seccomp filter, asked without a system call that such a filter may forbid.
 *
 * A program may make its sandbox at any time, for one thread or for all. So this is asked each time before something is done that libpcap would not
 * do. The process has one descriptor for it, of one thread: about the other threads nothing can be learned without opening a file, which a
 * sandbox may forbid, and so they count as sandboxed. The thread is the first that watches while nobody else does; the last one closes it.
 *
 * Any thread may call these.
 */
#ifndef NETRING_SANDBOX_H
#define NETRING_SANDBOX_H

#include <stdbool.h>

/* To be called before the question; opens the descriptor if there is none. To be ended by sandbox_unwatch. */
void sandbox_watch(void);
void sandbox_unwatch(void);

/* True if the calling thread is under a filter, or may be. Calls lseek and read, the first time fstat and read; takes 3 to 10 microseconds. */
bool sandbox_is_suspected(void);

/* To be called in a child process behind fork, if the question is asked before other fork handlers of this library have run. */
void sandbox_forked(void);

#endif
