/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPU that the reading thread runs on. Each function is about the thread that calls it. */
#include "reader-cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* Linux can be built for 8192 CPUs, more than a cpu_set_t has; the kernel refuses a set smaller than its own. */
#define CPUS_MAX 8192
#define SET_SIZE CPU_ALLOC_SIZE(CPUS_MAX)

/* The set is the caller's, to be freed by CPU_FREE. NULL, with errno, if the kernel does not say. */
static cpu_set_t *allowed_cpus(void)
{
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	int reason;

	if (!set)
		return NULL;
	CPU_ZERO_S(SET_SIZE, set);
	if (sched_getaffinity(0, SET_SIZE, set) == 0)
		return set;
	reason = errno;
	CPU_FREE(set);
	errno = reason;
	return NULL;
}

/* As ranges: "0-1,4". What has no room is left out. */
static void list_cpus(const cpu_set_t *set, char *list, size_t size)
{
	size_t used = 0;

	list[0] = '\0';
	for (unsigned first = 0; first < CPUS_MAX; first++) {
		unsigned last = first;

		if (!CPU_ISSET_S(first, SET_SIZE, set))
			continue;
		while (last + 1 < CPUS_MAX && CPU_ISSET_S(last + 1, SET_SIZE, set))
			last++;
		if (used < size)
			used += (size_t)snprintf(list + used, size - used, first == last ? "%s%u" : "%s%u-%u", used ? "," : "", first, last);
		first = last;
	}
}

int reader_cpu_check(unsigned cpu, struct netring_error *error)
{
	cpu_set_t *set = allowed_cpus();
	char list[256];
	int ret = 0;

	if (!set)
		return error_errno(error, errno, "CPU %u: sched_getaffinity", cpu);
	if (cpu >= CPUS_MAX || !CPU_ISSET_S(cpu, SET_SIZE, set)) {
		list_cpus(set, list, sizeof(list));
		ret = error_set(error, EINVAL, "CPU %u: this process may not run there, only on %s", cpu, list);
	}
	CPU_FREE(set);
	return ret;
}

int reader_cpu_count(void)
{
	cpu_set_t *set = allowed_cpus();
	int count;

	if (!set)
		return 1;
	count = CPU_COUNT_S(SET_SIZE, set);
	CPU_FREE(set);
	return count;
}

int reader_cpu_pin(unsigned cpu, struct netring_error *error)
{
	cpu_set_t *set;
	int ret = 0;

	if (cpu >= CPUS_MAX)
		return error_errno(error, EINVAL, "CPU %u: sched_setaffinity", cpu);
	set = CPU_ALLOC(CPUS_MAX);
	if (!set)
		return error_errno(error, ENOMEM, "CPU %u", cpu);
	CPU_ZERO_S(SET_SIZE, set);
	CPU_SET_S(cpu, SET_SIZE, set);
	if (sched_setaffinity(0, SET_SIZE, set) < 0)
		ret = error_errno(error, errno, "CPU %u: sched_setaffinity", cpu);
	CPU_FREE(set);
	return ret;
}
