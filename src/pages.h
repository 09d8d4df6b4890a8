/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory on pages of its own, for what may be locked: locking works by the page, and nobody else's memory is to be locked or unlocked with ours. Giving
 * it back unlocks it, without a system call that a sandboxed program might not be allowed any more (munlock is one).
 */
#ifndef NETRING_PAGES_H
#define NETRING_PAGES_H

#include <stddef.h>
#include <sys/mman.h>

/* size bytes of zeros, or NULL with errno. */
static inline void *pages_allocate(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Accepts NULL. */
static inline void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

#endif
