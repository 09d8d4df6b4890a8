/* SPDX-License-Identifier: BSD-3-Clause */
/* CPUs as the kernel's files write them: as a list, "0-3,8", and as a mask, "0000010f", in groups of 32 bits with commas. Pure functions. */
#ifndef NETRING_CPU_SET_H
#define NETRING_CPU_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than a kernel can be built for. */
#define CPU_SET_MAX 8192

/* Named apart from cpu_set_t, which is shorter. */
struct cpus {
	uint64_t bits[CPU_SET_MAX / 64];
};

/* What is no list, or mask, ends it; CPUs that are too many are left out. */
struct cpus cpus_from_list(const char *list);
struct cpus cpus_from_mask(const char *mask);

/* Cut if there is no room. None: "", and "0". */
void cpus_to_list(const struct cpus *cpus, char *list, size_t size);
void cpus_to_mask(const struct cpus *cpus, char *mask, size_t size);

/* Nothing happens if there are too many. */
void cpus_add(struct cpus *cpus, unsigned long cpu);
bool cpus_has(const struct cpus *cpus, unsigned cpu);
unsigned cpus_count(const struct cpus *cpus);

/* The CPU of that rank, from 0; -1 if there are not so many. */
int cpus_nth(const struct cpus *cpus, unsigned rank);

#endif
