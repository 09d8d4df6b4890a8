/* SPDX-License-Identifier: BSD-3-Clause */
/* The small files in /proc and /sys: a line of text each. */
#ifndef NETRING_HOST_FILE_H
#define NETRING_HOST_FILE_H

#include <stddef.h>

/* Longer than any of them: a CPU mask of 8192 CPUs has 2303 characters, a list of them can have more, and is cut. */
#define HOST_FILE_LINE 4096

/* The first line, without its end; may be empty. -errno. */
int host_file_line(char *line, size_t size, const char *path);

/* Writes the text by one call, as these files want it, into a file that is there. -errno. */
int host_file_write(const char *path, const char *text);

/* The path of a sysctl: /proc/sys/net/core/dev_weight for net.core.dev_weight. */
void host_file_sysctl(char *path, size_t size, const char *name);

#endif
