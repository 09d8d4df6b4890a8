/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a program captures with a shared libpcap, found out by walking its libraries without running anything. */
#ifndef NETRING_LIBRARY_SEARCH_H
#define NETRING_LIBRARY_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether this file, or a library that it needs, directly or not, needs a libpcap.so or has the name to dlopen it. Libraries are looked for
 * where the loader would: run path, LD_LIBRARY_PATH, /etc/ld.so.cache, the default folders. One that is not found is passed over.
 */
bool library_search_uses_libpcap(const char *path);

/* The same, and which libpcap the loader would take: into library, empty if it is not found, or not known before the program opens it. */
bool library_search_find_libpcap(const char *path, char *library, size_t size);

#endif
