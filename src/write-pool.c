/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is kept lies in slots, which are emptied and filled by atomic exchange: no lock that a fork or a signal handler could find taken.
 *
 * Behind fork the rings are the parent's, those that are kept and those that are in use; the memory is the child's own.
 */
#include "write-pool.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "pages.h"

#define RINGS_MAX 4

/* As many as that have large memory, and as many pieces of it are kept, if they are not larger than that. */
#define LARGE_MAX 16
#define KEPT_MAX 2
#define KEPT_SIZE ((size_t)16 << 20)

static void *kept_rings[RINGS_MAX];
static void *kept_memory[KEPT_MAX]; /* begins with its size */
static unsigned rings, large;	    /* how many there are, the kept ones among the rings */

static void *take(void **slots, unsigned count)
{
	void *kept = NULL;

	for (unsigned i = 0; i < count && !kept; i++)
		kept = __atomic_exchange_n(&slots[i], NULL, __ATOMIC_ACQ_REL);
	return kept;
}

/* False if all slots are taken. */
static bool keep(void **slots, unsigned count, void *what)
{
	for (unsigned i = 0; i < count; i++) {
		void *none = NULL;

		if (__atomic_compare_exchange_n(&slots[i], &none, what, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool count_up(unsigned *counter, unsigned limit)
{
	if (__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED) < limit)
		return true;
	__atomic_sub_fetch(counter, 1, __ATOMIC_RELAXED);
	return false;
}

static void forget_rings(void)
{
	struct write_ring *ring;

	while ((ring = take(kept_rings, RINGS_MAX)))
		write_ring_close(ring);
	rings = 0;
}

/* Not when it is needed first: pthread_once makes a system call that a sandbox may forbid. */
static __attribute__((constructor)) void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forget_rings);
}

int write_pool_take_ring(struct write_ring **ring, struct netring_error *error)
{
	struct write_ring *kept;
	int ret;

	kept = take(kept_rings, RINGS_MAX);
	if (kept) {
		*ring = kept;
		return 0;
	}
	if (!count_up(&rings, RINGS_MAX))
		return error_set(error, EBUSY, "%d others are being written in the background", RINGS_MAX);
	ret = write_ring_open(ring, error);
	if (ret < 0)
		__atomic_sub_fetch(&rings, 1, __ATOMIC_RELAXED);
	return ret;
}

void write_pool_give_ring(struct write_ring *ring)
{
	if (!keep(kept_rings, RINGS_MAX, ring))
		write_pool_drop_ring(ring);
}

void write_pool_drop_ring(struct write_ring *ring)
{
	write_ring_close(ring);
	__atomic_sub_fetch(&rings, 1, __ATOMIC_RELAXED);
}

static uint8_t *take_kept_memory(size_t size)
{
	uint8_t *memory = take(kept_memory, KEPT_MAX);
	size_t kept_size;

	if (!memory)
		return NULL;
	memcpy(&kept_size, memory, sizeof(kept_size));
	if (kept_size == size)
		return memory;
	pages_free(memory, kept_size);
	return NULL;
}

uint8_t *write_pool_take_memory(size_t size)
{
	uint8_t *memory;

	if (!count_up(&large, LARGE_MAX)) {
		errno = EBUSY;
		return NULL;
	}
	memory = take_kept_memory(size);
	if (memory)
		return memory;
	memory = pages_allocate(size);
	if (memory)
		madvise(memory, size, MADV_HUGEPAGE);
	else
		__atomic_sub_fetch(&large, 1, __ATOMIC_RELAXED);
	return memory;
}

void write_pool_give_memory(uint8_t *memory, size_t size)
{
	__atomic_sub_fetch(&large, 1, __ATOMIC_RELAXED);
	if (size <= KEPT_SIZE) {
		memcpy(memory, &size, sizeof(size));
		if (keep(kept_memory, KEPT_MAX, memory))
			return;
	}
	pages_free(memory, size);
}
