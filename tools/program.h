/* SPDX-License-Identifier: BSD-3-Clause */
/* The program that `netring run` is to start: where it is, and whether it can capture through a preloaded library at all. */
#ifndef NETRING_PROGRAM_H
#define NETRING_PROGRAM_H

#include <stddef.h>

#include "error.h"

/* As execvp looks for it. -ENOENT: nowhere; -EACCES: found, but not an executable file. */
int program_find(const char *name, char *path, size_t size);

/*
 * 0, or -EINVAL and the reason in one sentence why starting it on netring would have no effect. The rule, in this order:
 * - sudo and its kind clear the environment: refused.
 * - A program that captures with a shared libpcap is fine, if the loader will preload into it: not secure mode, same machine.
 * - A script, or a program starter of the table (shells, interpreters, timeout, strace ...), is fine: what it starts inherits the environment.
 * - Any other program is fine if one of its arguments names a program that captures.
 * Where an argument names a program that captures, that one must be fine too.
 * path is argv[0] resolved, library the library to preload.
 */
int program_check(const char *path, char *const argv[], const char *library, struct netring_error *error);

#endif
