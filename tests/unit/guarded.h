/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory between two pages that may not be touched: a read of one byte too many, in front or behind, ends the test by SIGSEGV. For tests. */
#ifndef NETRING_TEST_GUARDED_H
#define NETRING_TEST_GUARDED_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* pages readable pages; freed by guarded_unmap. */
static inline uint8_t *guarded_map(size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, (pages + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(map != MAP_FAILED);
	ck_assert_int_eq(mprotect(map + page, pages * page, PROT_READ | PROT_WRITE), 0);
	return map + page;
}

static inline void guarded_unmap(uint8_t *memory, size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap(memory - page, (pages + 2) * page);
}

#endif
