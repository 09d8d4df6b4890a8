/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a program captures with a shared libpcap, found out by walking its libraries without running anything. */
#ifndef NETRING_LIBRARY_SEARCH_H
#define NETRING_LIBRARY_SEARCH_H

#include <stdbool.h>

/*
 * Whether this file, or a library that it needs, directly or not, needs a libpcap.so or has the name to dlopen it. Libraries are looked for
 * where the loader would: run path, LD_LIBRARY_PATH, /etc/ld.so.cache, the default folders. One that is not found is passed over.
 */
bool library_search_uses_libpcap(const char *path);

#endif
