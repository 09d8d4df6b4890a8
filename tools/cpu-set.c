/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists and masks of CPUs. */
#include "cpu-set.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpus_add(struct cpus *cpus, unsigned long cpu)
{
	if (cpu < CPU_SET_MAX)
		cpus->bits[cpu / 64] |= (uint64_t)1 << cpu % 64;
}

bool cpus_has(const struct cpus *cpus, unsigned cpu)
{
	return cpu < CPU_SET_MAX && cpus->bits[cpu / 64] >> cpu % 64 & 1;
}

struct cpus cpus_from_list(const char *list)
{
	struct cpus cpus = { 0 };

	while (isdigit((unsigned char)*list)) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < CPU_SET_MAX; cpu++)
			cpus_add(&cpus, cpu);
		list = *end == ',' ? end + 1 : end;
	}
	return cpus;
}

static unsigned digit_value(char digit)
{
	return isdigit((unsigned char)digit) ? (unsigned)(digit - '0') : (unsigned)(tolower((unsigned char)digit) - 'a') + 10;
}

/* From the back: the last digit is CPUs 0 to 3. */
struct cpus cpus_from_mask(const char *mask)
{
	size_t length = strspn(mask, "0123456789abcdefABCDEF,");
	struct cpus cpus = { 0 };
	unsigned cpu = 0;

	while (length-- > 0) {
		if (mask[length] == ',')
			continue;
		for (unsigned bit = 0; bit < 4; bit++)
			if (digit_value(mask[length]) >> bit & 1)
				cpus_add(&cpus, cpu + bit);
		cpu += 4;
	}
	return cpus;
}

void cpus_to_list(const struct cpus *cpus, char *list, size_t size)
{
	size_t length = 0;

	list[0] = '\0';
	for (unsigned cpu = 0; cpu < CPU_SET_MAX; cpu++) {
		unsigned first = cpu;

		if (!cpus_has(cpus, cpu))
			continue;
		while (cpus_has(cpus, cpu + 1))
			cpu++;
		snprintf(list + length, size - length, cpu > first ? "%s%u-%u" : "%s%u", length ? "," : "", first, cpu);
		length += strlen(list + length);
	}
}

void cpus_to_mask(const struct cpus *cpus, char *mask, size_t size)
{
	unsigned group = CPU_SET_MAX / 32 - 1;
	size_t length;

	while (group > 0 && (uint32_t)(cpus->bits[group / 2] >> group % 2 * 32) == 0)
		group--;
	snprintf(mask, size, "%" PRIx32, (uint32_t)(cpus->bits[group / 2] >> group % 2 * 32));
	while (group-- > 0) {
		length = strlen(mask);
		snprintf(mask + length, size - length, ",%08" PRIx32, (uint32_t)(cpus->bits[group / 2] >> group % 2 * 32));
	}
}

unsigned cpus_count(const struct cpus *cpus)
{
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(cpus->bits) / sizeof(cpus->bits[0]); i++)
		count += (unsigned)__builtin_popcountll(cpus->bits[i]);
	return count;
}

int cpus_nth(const struct cpus *cpus, unsigned rank)
{
	for (unsigned cpu = 0; cpu < CPU_SET_MAX; cpu++)
		if (cpus_has(cpus, cpu) && rank-- == 0)
			return (int)cpu;
	return -1;
}
