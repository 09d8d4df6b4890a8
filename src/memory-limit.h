/* SPDX-License-Identifier: BSD-3-Clause */
/* How much memory this process may still use: what the machine has free, and what its memory cgroups leave it. */
#ifndef NETRING_MEMORY_LIMIT_H
#define NETRING_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes; UINT64_MAX if nothing tells. Reads /proc/meminfo, /proc/self/cgroup and the limits (both versions) of each group up to the root. */
uint64_t memory_available(void);

/* The same without the cgroups: what the machine has left. */
uint64_t memory_available_on_machine(void);

#endif
