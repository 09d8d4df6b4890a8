/* SPDX-License-Identifier: BSD-3-Clause */
/* How large a ring becomes: from what was asked for to a request that the kernel takes, and to smaller ones when memory is short. */
#ifndef NETRING_GEOMETRY_H
#define NETRING_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct geometry {
	uint32_t block_size, blocks;	/* what the kernel allocates */
	uint32_t frame_size;		/* V2: a packet's slot; V3: only has to divide evenly */
	uint32_t frames_per_block;
};

/*
 * frame_size 0: slot_size, at most 1 GiB, is used. max_bytes limits the ring; at least one block remains. -EINVAL names the field and the value.
 */
int geometry_plan(struct geometry *geometry, const struct netring_config *config, uint32_t slot_size, uint64_t max_bytes, struct netring_error *error);

/*
 * A block size for a small ring, block_size or less. The reader holds one block while the kernel fills others, so a ring of one block loses all that
 * comes meanwhile: there shall be enough of them, but none that would cut a packet of 64 KiB.
 */
uint32_t geometry_divide(uint64_t ring_bytes, uint32_t block_size);

/*
 * The next smaller ring after ENOMEM: by quarters of what was asked for down to one quarter, then by halves. False if there is none.
 */
bool geometry_shrink(struct geometry *geometry, uint32_t blocks_asked);

static inline uint64_t geometry_bytes(const struct geometry *geometry)
{
	return (uint64_t)geometry->block_size * geometry->blocks;
}

/* Bytes that a TPACKET_V2 slot needs for packets of length bytes with reserve bytes in front, as tpacket_rcv lays them out. */
uint32_t geometry_slot_size(uint32_t length, unsigned reserve);

#endif
