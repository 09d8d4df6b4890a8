/* SPDX-License-Identifier: BSD-3-Clause */
/* Values that are fine one by one but not together. */
#ifndef NETRING_CONFIG_CHECK_H
#define NETRING_CONFIG_CHECK_H

#include "config.h"

/* The most blocks and bytes that a ring may have, whichever variables decide it. */
#define CONFIG_BLOCKS_MAX 65536
#define CONFIG_RING_MAX ((uint64_t)64 << 30)

/*
 * -EINVAL and "NETRING_X=VALUE: why not, with NETRING_Y=VALUE". RING_SIZE and BLOCK_COUNT say the same thing: of two that come from different places
 * the weaker one is taken back; so are the flags and the program of a weaker fanout group.
 */
int config_check(struct config *config, struct netring_error *error);

#endif
