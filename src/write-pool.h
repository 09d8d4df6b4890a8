/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the writers of a process share: a few rings, and the memory of large writers.
 *
 * Both are made when they are needed and kept for the next file when they are given back, because programs that end one file and begin the next would
 * else pay for each: a ring takes four system calls, and fresh memory is slow when it is touched first. Both are limited, so that a program with
 * thousands of dumpers has neither its descriptors nor its memory used up.
 *
 * Any thread may call these, and none waits for another. Not under a seccomp filter, but for giving back.
 */
#ifndef NETRING_WRITE_POOL_H
#define NETRING_WRITE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "write-ring.h"

/* -EBUSY: all are in use, and so will the caller's be later. Else as write_ring_open. */
int write_pool_take_ring(struct write_ring **ring, struct netring_error *error);

/* Nothing may be in flight. */
void write_pool_give_ring(struct write_ring *ring);

/* A ring that does not work is not given back. */
void write_pool_drop_ring(struct write_ring *ring);

/* size bytes of anything; NULL with errno, EBUSY if there are enough large writers. */
uint8_t *write_pool_take_memory(size_t size);
void write_pool_give_memory(uint8_t *memory, size_t size);

#endif
