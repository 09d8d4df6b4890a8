/* SPDX-License-Identifier: BSD-3-Clause */
/* How large a ring becomes. See packet_set_ring() in the kernel for the rules that a request has to meet. */
#include "geometry.h"

#include <errno.h>
#include <unistd.h>

/* The kernel measures the link header at run time; this is what it reserves at the most (LL_MAX_HEADER and the like). */
#define LINK_HEADER_MAX 256

#define FRAME_MIN TPACKET_ALIGN(TPACKET3_HDRLEN)

/* A block that is doubled until such a slot fits is still below the kernel's limit, 2 GiB. */
#define SLOT_MAX ((uint32_t)1 << 30)

uint32_t geometry_slot_size(uint32_t length, unsigned reserve)
{
	return (uint32_t)TPACKET_ALIGN(TPACKET_ALIGN(TPACKET2_HDRLEN + LINK_HEADER_MAX) + reserve + length);
}

/* A ring of less blocks than this is divided, down to this block size. */
#define BLOCKS_ENOUGH 8
#define BLOCK_SIZE_SMALL (128 << 10)

uint32_t geometry_divide(uint64_t ring_bytes, uint32_t block_size)
{
	uint32_t step = 2 * (uint32_t)sysconf(_SC_PAGESIZE);

	while (block_size > BLOCK_SIZE_SMALL && block_size % step == 0 && ring_bytes / block_size < BLOCKS_ENOUGH)
		block_size /= 2;
	return block_size;
}

static int check(const struct netring_config *config, struct netring_error *error)
{
	long page = sysconf(_SC_PAGESIZE);

	if (config->block_count == 0)
		return error_set(error, EINVAL, "block count 0: at least 1 block is needed");
	if (config->block_size == 0 || config->block_size % page != 0 || config->block_size > INT32_MAX)
		return error_set(error, EINVAL, "block size %u: it must be a multiple of the page size, %ld, and less than 2 GiB", config->block_size,
				 page);
	if (config->frame_size != 0 && (config->frame_size % TPACKET_ALIGNMENT != 0 || config->frame_size < FRAME_MIN))
		return error_set(error, EINVAL, "frame size %u: it must be a multiple of %d and at least %zu", config->frame_size, TPACKET_ALIGNMENT,
				 (size_t)FRAME_MIN);
	if (config->frame_size > config->block_size)
		return error_set(error, EINVAL, "frame size %u: it must not be larger than the block, %u", config->frame_size, config->block_size);
	return 0;
}

int geometry_plan(struct geometry *geometry, const struct netring_config *config, uint32_t slot_size, uint64_t max_bytes, struct netring_error *error)
{
	int ret = check(config, error);
	uint64_t blocks;

	if (ret < 0)
		return ret;
	if (slot_size > SLOT_MAX)
		return error_set(error, EINVAL, "slot size %u: it must not be larger than %u", slot_size, SLOT_MAX);
	geometry->block_size = config->block_size;
	geometry->frame_size = config->frame_size ? config->frame_size : slot_size;
	/* Small blocks and long packets: rather a larger block than no packet. */
	while (geometry->frame_size > geometry->block_size)
		geometry->block_size *= 2;
	geometry->frames_per_block = geometry->block_size / geometry->frame_size;

	blocks = ((uint64_t)config->block_size * config->block_count + geometry->block_size - 1) / geometry->block_size;
	if (blocks * geometry->block_size > max_bytes)
		blocks = max_bytes / geometry->block_size;
	geometry->blocks = blocks ? (uint32_t)blocks : 1;
	return 0;
}

bool geometry_shrink(struct geometry *geometry, uint32_t blocks_asked)
{
	uint32_t quarter = blocks_asked / 4;

	if (geometry->blocks <= 1)
		return false;
	if (quarter && geometry->blocks > quarter)
		geometry->blocks -= quarter < geometry->blocks - quarter ? quarter : geometry->blocks - quarter;
	else
		geometry->blocks /= 2;
	return true;
}
