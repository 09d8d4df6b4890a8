/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers that look random and are the same in every run (xorshift64*). For tests. */
#ifndef NETRING_TEST_RANDOM_H
#define NETRING_TEST_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;		/* not 0 */
};

static inline uint32_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (uint32_t)(random->state * UINT64_C(2685821657736338717) >> 32);
}

/* Below limit, which is not 0. */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return random_next(random) % limit;
}

#endif
