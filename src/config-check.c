/* SPDX-License-Identifier: BSD-3-Clause */
/* What no single variable can tell. Names in sentences come first for what the user wrote. */
#include <errno.h>
#include <inttypes.h>

#include "config-check.h"
#include "fanout.h"

static void unset(struct config *config, enum config_id id)
{
	config->value[id] = config_variables[id].initial;
	config->text[id] = NULL;
	config->source[id] = CONFIG_FROM_DEFAULT;
	config->line[id] = NULL;
}

/* The sentence "NETRING_X=VALUE: problem, NETRING_Y=VALUE". */
static int refuse(const struct config *config, enum config_id id, const char *problem, enum config_id other, struct netring_error *error)
{
	return error_set(error, EINVAL, "%s: %s, %s", config_assignment(config, id).text, problem, config_assignment(config, other).text);
}

static int settle_ring_size(struct config *config, struct netring_error *error)
{
	if (!config_is_set(config, CONFIG_RING_SIZE) || !config_is_set(config, CONFIG_BLOCK_COUNT))
		return 0;
	if (config->source[CONFIG_RING_SIZE] == config->source[CONFIG_BLOCK_COUNT])
		return error_set(error, EINVAL, "%s: not allowed together with %s, each decides the size of the ring; set one of them",
				 config_assignment(config, CONFIG_RING_SIZE).text, config_assignment(config, CONFIG_BLOCK_COUNT).text);
	unset(config, config->source[CONFIG_RING_SIZE] > config->source[CONFIG_BLOCK_COUNT] ? CONFIG_BLOCK_COUNT : CONFIG_RING_SIZE);
	return 0;
}

static int check_ring(const struct config *config, struct netring_error *error)
{
	uint64_t block = config->value[CONFIG_BLOCK_SIZE], count = config->value[CONFIG_BLOCK_COUNT], ring = config->value[CONFIG_RING_SIZE];

	if (!config_is_set(config, CONFIG_RING_SIZE)) {
		if (count <= CONFIG_RING_MAX / block)
			return 0;
		return error_set(error, EINVAL, "%s: with blocks of %s the ring would be larger than 64G",
				 config_assignment(config, CONFIG_BLOCK_COUNT).text, config_assignment(config, CONFIG_BLOCK_SIZE).text);
	}
	/* A block size that nobody chose gives way to a smaller ring. */
	if (ring < block && config_is_set(config, CONFIG_BLOCK_SIZE))
		return refuse(config, CONFIG_RING_SIZE, "must not be smaller than a block", CONFIG_BLOCK_SIZE, error);
	if ((ring - 1) / block + 1 > CONFIG_BLOCKS_MAX)
		return error_set(error, EINVAL, "%s: would be more than %d blocks of %s", config_assignment(config, CONFIG_RING_SIZE).text,
				 CONFIG_BLOCKS_MAX, config_assignment(config, CONFIG_BLOCK_SIZE).text);
	return 0;
}

static int check_frame(const struct config *config, struct netring_error *error)
{
	if (config->value[CONFIG_FRAME_SIZE] <= config->value[CONFIG_BLOCK_SIZE])
		return 0;
	if (config->source[CONFIG_FRAME_SIZE] >= config->source[CONFIG_BLOCK_SIZE])
		return refuse(config, CONFIG_FRAME_SIZE, "must not be larger than a block", CONFIG_BLOCK_SIZE, error);
	return refuse(config, CONFIG_BLOCK_SIZE, "must not be smaller than a frame", CONFIG_FRAME_SIZE, error);
}

/* What only makes sense of a group. */
static int check_no_fanout(const struct config *config, struct netring_error *error)
{
	if (config_is_set(config, CONFIG_FANOUT_FLAGS))
		return error_set(error, EINVAL, "%s: needs a group, NETRING_FANOUT", config_assignment(config, CONFIG_FANOUT_FLAGS).text);
	if (config_is_set(config, CONFIG_FANOUT_PROG))
		return error_set(error, EINVAL, "%s: needs a group, NETRING_FANOUT", config_assignment(config, CONFIG_FANOUT_PROG).text);
	return 0;
}

static int check_fanout(const struct config *config, struct netring_error *error)
{
	struct netring_fanout fanout = { 0 };
	bool takes_program;
	int result;

	if (!config_is_set(config, CONFIG_FANOUT))
		return check_no_fanout(config, error);
	result = fanout_parse(&fanout, config->text[CONFIG_FANOUT], error);
	if (result == 0 && config_is_set(config, CONFIG_FANOUT_FLAGS))
		result = fanout_parse_flags(&fanout.flags, config->text[CONFIG_FANOUT_FLAGS], error);
	if (result < 0)
		return result;
	takes_program = fanout.mode == NETRING_FANOUT_CBPF || fanout.mode == NETRING_FANOUT_EBPF;
	if (takes_program && !config_is_set(config, CONFIG_FANOUT_PROG))
		return error_set(error, EINVAL, "%s: needs a program, NETRING_FANOUT_PROG", config_assignment(config, CONFIG_FANOUT).text);
	if (!takes_program && config_is_set(config, CONFIG_FANOUT_PROG))
		return refuse(config, CONFIG_FANOUT_PROG, "only the modes cbpf and ebpf take a program", CONFIG_FANOUT, error);
	/* The kernel refuses this one with a bare EINVAL. */
	if (fanout.mode == NETRING_FANOUT_ROLLOVER && fanout.flags & NETRING_FANOUT_FLAG_ROLLOVER)
		return refuse(config, CONFIG_FANOUT_FLAGS, "the flag rollover does not go with the mode rollover", CONFIG_FANOUT, error);
	if (fanout.flags & NETRING_FANOUT_FLAG_UNIQUE_ID && (fanout.group != NETRING_FANOUT_AUTO || fanout.name))
		return refuse(config, CONFIG_FANOUT_FLAGS, "the flag unique_id does not go with a chosen group", CONFIG_FANOUT, error);
	return 0;
}

/* Flags and program are the group's: whoever chooses another one takes back what somebody weaker said of his. */
static void settle_fanout(struct config *config)
{
	enum config_source source = config->source[CONFIG_FANOUT];

	if (source > config->source[CONFIG_FANOUT_FLAGS])
		unset(config, CONFIG_FANOUT_FLAGS);
	if (source > config->source[CONFIG_FANOUT_PROG])
		unset(config, CONFIG_FANOUT_PROG);
}

int config_check(struct config *config, struct netring_error *error)
{
	int result = settle_ring_size(config, error);

	settle_fanout(config);

	if (result == 0)
		result = check_ring(config, error);
	if (result == 0)
		result = check_frame(config, error);
	if (result == 0)
		result = check_fanout(config, error);
	return result;
}
