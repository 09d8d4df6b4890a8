/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stdin, stdout and stderr for the embedded libpcap.
 *
 * The distribution's archive was compiled for executables: it reaches these three by an offset from its own code, which a shared library cannot
 * offer for objects of libc. So they are renamed like libpcap's own symbols, and this is where the renamed ones live. Threads may refresh them at once.
 */
#include <stdio.h>

#include "inner.h"

__attribute__((visibility("hidden"))) FILE *inner_stdin;
__attribute__((visibility("hidden"))) FILE *inner_stdout;
__attribute__((visibility("hidden"))) FILE *inner_stderr;

__attribute__((constructor(101))) void inner_stdio_refresh(void)
{
	__atomic_store_n(&inner_stdin, stdin, __ATOMIC_RELAXED);
	__atomic_store_n(&inner_stdout, stdout, __ATOMIC_RELAXED);
	__atomic_store_n(&inner_stderr, stderr, __ATOMIC_RELAXED);
}
