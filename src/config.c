/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every NETRING_* variable, in one table, and the profiles, in another.
 *
 * Loading works on a copy: profile first, then the environment over it, then the checks that need several values at once. Only a copy that
 * passed all of it replaces the caller's struct.
 */
#define _GNU_SOURCE 1 /* secure_getenv */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "config.h"
#include "nearest.h"
#include "user-text.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define PREFIX "NETRING_"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

/* The test suite's own variables live beside ours in the environment of every program that it starts. */
#define TESTS_PREFIX PREFIX "TESTS_"

#define BLOCKS_MAX 65536
#define RING_MAX (64 * GIB)

/* Whole pages of any architecture, and whole blocks of any disk. */
#define DUMP_ALIGNMENT (64 * KIB)

/* TPACKET_ALIGNMENT: the kernel refuses frames that are not a multiple of it. */
#define FRAME_ALIGNMENT 16

static const char *const backends[] = { "auto", "packet", "libpcap", NULL };
static const char *const profiles[] = { "default", "high_throughput", "low_latency", "low_memory", "jumbo", NULL };
/* libpcap's names. */
static const char *const timestamps[] = { "host", "host_lowprec", "host_hiprec", "adapter", "adapter_unsynced", "host_hiprec_unsynced", NULL };
/* The index of each word is its enum config_dump. */
static const char *const dump_modes[] = { "auto", "direct", "cached", "stdio", NULL };
/* The index of each word is its enum log_level. */
static const char *const log_levels[] = { "off", "error", "warn", "info", "debug", NULL };

static const char as_the_program_asks[] = "as the program asks";

/* clang-format off: tables. */
const struct config_variable config_variables[CONFIG_COUNT] = {
	[CONFIG_BACKEND] = {
		.name = "NETRING_BACKEND", .type = CONFIG_TYPE_CHOICE, .words = backends, .initial = BACKEND_AUTO,
		.help = "who captures: auto is packet, the packet ring; libpcap leaves all to the embedded libpcap",
	},
	[CONFIG_PROFILE] = {
		.name = "NETRING_PROFILE", .type = CONFIG_TYPE_CHOICE, .words = profiles, .unset = "none",
		.help = "a set of values for the ring, taken where no variable says otherwise",
	},
	[CONFIG_BLOCK_SIZE] = {
		.name = "NETRING_BLOCK_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 4 * KIB, .maximum = GIB, .initial = 4 * MIB,
		.help = "size of one ring block",
	},
	[CONFIG_BLOCK_COUNT] = {
		.name = "NETRING_BLOCK_COUNT", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = BLOCKS_MAX, .initial = 64,
		.help = "number of ring blocks",
	},
	[CONFIG_RING_SIZE] = {
		.name = "NETRING_RING_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 4 * KIB, .maximum = RING_MAX,
		.unset = "block size x block count",
		.help = "size of the whole ring, instead of the number of blocks",
	},
	[CONFIG_FRAME_SIZE] = {
		.name = "NETRING_FRAME_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 128, .maximum = GIB, .initial = 2 * KIB,
		.unset = "2K; in immediate mode from MTU and snaplen",
		.help = "immediate mode: slot of one packet and its header; else the largest frame a block must hold",
	},
	[CONFIG_BLOCK_TIMEOUT_MS] = {
		.name = "NETRING_BLOCK_TIMEOUT_MS", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 3600000, .initial = 60,
		.unset = "as the program asks, 60 if it asks for 0",
		.help = "milliseconds after which a block is delivered though it is not full",
	},
	[CONFIG_FILL_RXHASH] = {
		.name = "NETRING_FILL_RXHASH", .type = CONFIG_TYPE_BOOL,
		.help = "have the kernel compute the receive hash of each packet",
	},
	[CONFIG_IGNORE_OUTGOING] = {
		.name = "NETRING_IGNORE_OUTGOING", .type = CONFIG_TYPE_BOOL,
		.help = "do not capture what this host sends",
	},
	[CONFIG_BUSY_POLL_US] = {
		.name = "NETRING_BUSY_POLL_US", .type = CONFIG_TYPE_NUMBER, .maximum = 1000000,
		.help = "microseconds for which the reader spins on the ring before it sleeps",
	},
	[CONFIG_LOCK_MEMORY] = {
		.name = "NETRING_LOCK_MEMORY", .type = CONFIG_TYPE_BOOL,
		.help = "lock the reader's own memory (the ring is kernel memory and never swapped)",
	},
	[CONFIG_SNAPLEN] = {
		.name = "NETRING_SNAPLEN", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 262144, .unset = as_the_program_asks,
		.help = "bytes kept of each packet",
	},
	[CONFIG_PROMISC] = {
		.name = "NETRING_PROMISC", .type = CONFIG_TYPE_BOOL, .unset = as_the_program_asks,
		.help = "promiscuous mode",
	},
	[CONFIG_TIMESTAMP] = {
		.name = "NETRING_TIMESTAMP", .type = CONFIG_TYPE_CHOICE, .words = timestamps, .unset = as_the_program_asks,
		.help = "time-stamp type, by libpcap's names",
	},
	[CONFIG_DUMP] = {
		.name = "NETRING_DUMP", .type = CONFIG_TYPE_CHOICE, .words = dump_modes, .initial = DUMP_AUTO,
		.help = "how savefiles are written: O_DIRECT, large writes through the page cache, or stdio as libpcap does",
	},
	[CONFIG_DUMP_BUFFER] = {
		.name = "NETRING_DUMP_BUFFER", .type = CONFIG_TYPE_SIZE, .minimum = DUMP_ALIGNMENT, .maximum = GIB, .initial = 8 * MIB,
		.help = "bytes that the writer of a savefile may hold back under load",
	},
	[CONFIG_STRICT] = {
		.name = "NETRING_STRICT", .type = CONFIG_TYPE_BOOL,
		.help = "turn every fallback into an error",
	},
	[CONFIG_LOG] = {
		.name = "NETRING_LOG", .type = CONFIG_TYPE_CHOICE, .words = log_levels, .initial = LOG_WARN,
		.help = "how much netring says",
	},
	[CONFIG_LOG_FILE] = {
		.name = "NETRING_LOG_FILE", .type = CONFIG_TYPE_STRING, .unset = "stderr",
		.help = "file to which log lines are appended",
	},
};

/*
 * What each profile sets, indexed like its words. The default profile leaves FRAME_SIZE alone although it has a default: set, it would cut
 * packets of interfaces with a large MTU in immediate mode.
 */
static const struct {
	unsigned int profile;
	enum config_id id;
	uint64_t value;
} profile_values[] = {
	{ 0, CONFIG_BLOCK_SIZE, 4 * MIB },   { 0, CONFIG_BLOCK_COUNT, 64 },	 { 0, CONFIG_BLOCK_TIMEOUT_MS, 60 },
	{ 1, CONFIG_BLOCK_SIZE, 4 * MIB },   { 1, CONFIG_BLOCK_COUNT, 256 },	 { 1, CONFIG_BLOCK_TIMEOUT_MS, 60 },
	{ 2, CONFIG_BLOCK_SIZE, 256 * KIB }, { 2, CONFIG_BLOCK_COUNT, 64 },	 { 2, CONFIG_BLOCK_TIMEOUT_MS, 1 },
	{ 2, CONFIG_BUSY_POLL_US, 50 },	     { 3, CONFIG_BLOCK_SIZE, MIB },	 { 3, CONFIG_BLOCK_COUNT, 16 },
	{ 3, CONFIG_BLOCK_TIMEOUT_MS, 100 }, { 4, CONFIG_BLOCK_SIZE, 4 * MIB },	 { 4, CONFIG_BLOCK_COUNT, 64 },
	{ 4, CONFIG_BLOCK_TIMEOUT_MS, 60 },  { 4, CONFIG_FRAME_SIZE, 64 * KIB },
};
/* clang-format on */

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The value must be a multiple of this. */
static uint64_t granularity(enum config_id id)
{
	switch (id) {
	case CONFIG_BLOCK_SIZE:
		return page_size();
	case CONFIG_FRAME_SIZE:
		return FRAME_ALIGNMENT;
	case CONFIG_DUMP_BUFFER:
		return DUMP_ALIGNMENT;
	default:
		return 1;
	}
}

static const char *granularity_text(enum config_id id)
{
	switch (id) {
	case CONFIG_BLOCK_SIZE:
		return ", a multiple of the page size";
	case CONFIG_FRAME_SIZE:
		return ", a multiple of 16";
	case CONFIG_DUMP_BUFFER:
		return ", a multiple of 64K";
	default:
		return "";
	}
}

/* Writing for people */

static const char *format_size(uint64_t bytes, char *buffer, size_t size)
{
	static const char suffixes[] = "\0KMG";
	size_t i = 0;

	while (i < 3 && bytes != 0 && bytes % KIB == 0) {
		bytes /= KIB;
		i++;
	}
	snprintf(buffer, size, "%" PRIu64 "%.1s", bytes, &suffixes[i]);
	return buffer;
}

static void join_words(const char *const *words, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "", words[i]);
}

const char *config_allowed(enum config_id id, char *buffer, size_t size)
{
	const struct config_variable *variable = &config_variables[id];
	char least[24], most[24];

	switch (variable->type) {
	case CONFIG_TYPE_NUMBER:
		snprintf(buffer, size, "%" PRIu64 "..%" PRIu64, variable->minimum, variable->maximum);
		break;
	case CONFIG_TYPE_SIZE:
		snprintf(buffer, size, "%s..%s%s", format_size(variable->minimum, least, sizeof(least)),
			 format_size(variable->maximum, most, sizeof(most)), granularity_text(id));
		break;
	case CONFIG_TYPE_BOOL:
		snprintf(buffer, size, USER_TEXT_BOOLS);
		break;
	case CONFIG_TYPE_CHOICE:
		join_words(variable->words, buffer, size);
		break;
	case CONFIG_TYPE_STRING:
		snprintf(buffer, size, "a path");
		break;
	}
	return buffer;
}

const char *config_format(const struct config *config, enum config_id id, char *buffer, size_t size)
{
	const struct config_variable *variable = &config_variables[id];
	uint64_t value = config->value[id];

	if (variable->unset && !config_is_set(config, id)) {
		snprintf(buffer, size, "%s", variable->unset);
		return buffer;
	}
	switch (variable->type) {
	case CONFIG_TYPE_NUMBER:
		snprintf(buffer, size, "%" PRIu64, value);
		break;
	case CONFIG_TYPE_SIZE:
		return format_size(value, buffer, size);
	case CONFIG_TYPE_BOOL:
		snprintf(buffer, size, "%s", value ? "yes" : "no");
		break;
	case CONFIG_TYPE_CHOICE:
		snprintf(buffer, size, "%s", variable->words[value]);
		break;
	case CONFIG_TYPE_STRING:
		snprintf(buffer, size, "%s", config->text[id]);
		break;
	}
	return buffer;
}

/* Reading */

static int refuse(enum config_id id, const char *text, struct netring_error *error)
{
	const struct config_variable *variable = &config_variables[id];
	struct nearest nearest = NEAREST_INIT(text);
	char value[USER_TEXT_SHOWN + 4], allowed[160];

	if (variable->type == CONFIG_TYPE_STRING)
		return error_set(error, EINVAL, "%s=: must not be empty", variable->name);
	for (size_t i = 0; variable->type == CONFIG_TYPE_CHOICE && variable->words[i]; i++)
		nearest_offer(&nearest, variable->words[i]);
	return error_set(error, EINVAL, "%s=%s: must be %s%s%s%s%s", variable->name, user_text_shown(text, value),
			 variable->type == CONFIG_TYPE_NUMBER ? "a number, "
			 : variable->type == CONFIG_TYPE_SIZE ? "a size (K, M, G allowed), "
							      : "one of ",
			 config_allowed(id, allowed, sizeof(allowed)), nearest.best ? "; did you mean " : "", nearest.best ? nearest.best : "",
			 nearest.best ? "?" : "");
}

static int read_value(enum config_id id, const char *text, uint64_t *value)
{
	const struct config_variable *variable = &config_variables[id];

	switch (variable->type) {
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_SIZE:
		if (user_text_number(text, variable->type == CONFIG_TYPE_SIZE, value))
			return -EINVAL;
		return *value < variable->minimum || *value > variable->maximum || *value % granularity(id) ? -EINVAL : 0;
	case CONFIG_TYPE_BOOL:
		return user_text_bool(text, value);
	case CONFIG_TYPE_CHOICE:
		return user_text_word(text, variable->words, value);
	case CONFIG_TYPE_STRING:
		*value = 0;
		return *text ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int config_parse(struct config *config, enum config_id id, const char *text, enum config_source source, struct netring_error *error)
{
	uint64_t value;

	if (read_value(id, text, &value))
		return refuse(id, text, error);
	config->value[id] = value;
	config->text[id] = config_variables[id].type == CONFIG_TYPE_STRING ? text : NULL;
	config->source[id] = source;
	return 0;
}

void config_init(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		config->value[i] = config_variables[i].initial;
}

static void set(struct config *config, enum config_id id, uint64_t value, enum config_source source)
{
	config->value[id] = value;
	config->source[id] = source;
}

/* Loading */

static void apply_profile(struct config *config)
{
	for (size_t i = 0; i < sizeof(profile_values) / sizeof(profile_values[0]); i++)
		if (profile_values[i].profile == config->value[CONFIG_PROFILE])
			set(config, profile_values[i].id, profile_values[i].value, CONFIG_FROM_PROFILE);
}

static int load_variable(struct config *config, enum config_id id, struct netring_error *error)
{
	const char *text = secure_getenv(config_variables[id].name);

	return text ? config_parse(config, id, text, CONFIG_FROM_ENVIRONMENT, error) : 0;
}

static void unset(struct config *config, enum config_id id)
{
	set(config, id, config_variables[id].initial, CONFIG_FROM_DEFAULT);
}

/* RING_SIZE and BLOCK_COUNT say the same thing: of two that come from different places the stronger one counts. */
static int settle_ring_size(struct config *config, struct netring_error *error)
{
	char text[24];

	if (!config_is_set(config, CONFIG_RING_SIZE) || !config_is_set(config, CONFIG_BLOCK_COUNT))
		return 0;
	if (config->source[CONFIG_RING_SIZE] == config->source[CONFIG_BLOCK_COUNT])
		return error_set(error, EINVAL,
				 "NETRING_RING_SIZE=%s: not allowed together with NETRING_BLOCK_COUNT=%" PRIu64
				 ", each decides the size of the ring; set one of them",
				 format_size(config->value[CONFIG_RING_SIZE], text, sizeof(text)), config->value[CONFIG_BLOCK_COUNT]);
	unset(config, config->source[CONFIG_RING_SIZE] > config->source[CONFIG_BLOCK_COUNT] ? CONFIG_BLOCK_COUNT : CONFIG_RING_SIZE);
	return 0;
}

static int check_ring(const struct config *config, struct netring_error *error)
{
	uint64_t block = config->value[CONFIG_BLOCK_SIZE], count = config->value[CONFIG_BLOCK_COUNT], ring = config->value[CONFIG_RING_SIZE];
	char ring_text[24], block_text[24];

	format_size(block, block_text, sizeof(block_text));
	if (!config_is_set(config, CONFIG_RING_SIZE)) {
		if (count <= RING_MAX / block)
			return 0;
		return error_set(error, EINVAL,
				 "NETRING_BLOCK_COUNT=%" PRIu64 ": with blocks of NETRING_BLOCK_SIZE=%s the ring would be larger than 64G", count,
				 block_text);
	}
	format_size(ring, ring_text, sizeof(ring_text));
	/* A block size that nobody chose gives way to a smaller ring. */
	if (ring < block && config_is_set(config, CONFIG_BLOCK_SIZE))
		return error_set(error, EINVAL, "NETRING_RING_SIZE=%s: must not be smaller than a block, NETRING_BLOCK_SIZE=%s", ring_text,
				 block_text);
	if ((ring - 1) / block + 1 > BLOCKS_MAX)
		return error_set(error, EINVAL, "NETRING_RING_SIZE=%s: would be more than %d blocks of NETRING_BLOCK_SIZE=%s", ring_text, BLOCKS_MAX,
				 block_text);
	return 0;
}

static int check_frame(const struct config *config, struct netring_error *error)
{
	uint64_t block = config->value[CONFIG_BLOCK_SIZE], frame = config->value[CONFIG_FRAME_SIZE];
	char frame_text[24], block_text[24];

	if (frame <= block)
		return 0;
	format_size(frame, frame_text, sizeof(frame_text));
	format_size(block, block_text, sizeof(block_text));
	/* Name first what the user wrote. */
	if (config->source[CONFIG_FRAME_SIZE] >= config->source[CONFIG_BLOCK_SIZE])
		return error_set(error, EINVAL, "NETRING_FRAME_SIZE=%s: must not be larger than a block, NETRING_BLOCK_SIZE=%s", frame_text,
				 block_text);
	return error_set(error, EINVAL, "NETRING_BLOCK_SIZE=%s: must not be smaller than a frame, NETRING_FRAME_SIZE=%s", block_text, frame_text);
}

int config_load(struct config *config, struct netring_error *error)
{
	struct config loaded = *config;
	int result;

	result = load_variable(&loaded, CONFIG_PROFILE, error);
	if (result < 0)
		return result;
	if (config_is_set(&loaded, CONFIG_PROFILE))
		apply_profile(&loaded);
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		result = load_variable(&loaded, i, error);
		if (result < 0)
			return result;
	}
	result = settle_ring_size(&loaded, error);
	if (result == 0)
		result = check_ring(&loaded, error);
	if (result == 0)
		result = check_frame(&loaded, error);
	if (result == 0)
		*config = loaded;
	return result;
}

/* Names */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

int config_find(const char *name, struct netring_error *error)
{
	/* The common prefix is no evidence of nearness. */
	struct nearest nearest = NEAREST_INIT(has_prefix(name, PREFIX) ? name + PREFIX_LENGTH : name);
	char shown_name[USER_TEXT_SHOWN + 4];

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		if (strcmp(name, config_variables[i].name) == 0)
			return (int)i;
		nearest_offer(&nearest, config_variables[i].name + PREFIX_LENGTH);
	}
	return error_set(error, ENOENT, "unknown variable %s%s%s%s", user_text_shown(name, shown_name), nearest.best ? ", did you mean " PREFIX : "",
			 nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

/* Whether this "NAME=VALUE" of the environment is meant for us but not in the table; then error says so. */
static bool is_unknown(const char *entry, struct netring_error *error)
{
	char name[128];

	if (!has_prefix(entry, PREFIX) || has_prefix(entry, TESTS_PREFIX))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry, "="), entry);
	return config_find(name, error) < 0;
}

int config_check_names(const struct log *log, bool strict, struct netring_error *error)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;
	struct netring_error unknown;

	if (!environ || getauxval(AT_SECURE))
		return 0;
	if (!strict && (log->level < LOG_WARN || atomic_flag_test_and_set(&warned)))
		return 0;
	for (char **entry = environ; *entry; entry++) {
		if (!is_unknown(*entry, &unknown))
			continue;
		if (strict)
			return error_set(error, EINVAL, "%s", unknown.text);
		log_write(log, LOG_WARN, "%s", unknown.text);
	}
	return 0;
}
