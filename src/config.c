/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every NETRING_* variable, in one table, and the profiles, in another.
 *
 * Loading works on a copy: the file and the profile, the weaker first, then the environment over them, then aliases where that has said nothing, then
 * the checks that need several values at once. Only a copy that passed all of it replaces the caller's struct.
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

#include "config-alias.h"
#include "config-check.h"
#include "config-choice.h"
#include "config-file.h"
#include "fanout.h"
#include "nearest.h"
#include "queue-list.h"
#include "user-text.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define PREFIX "NETRING_"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

/* The test suite's own variables live beside ours in the environment of every program that it starts. */
#define TESTS_PREFIX PREFIX "TESTS_"

/* Whole pages of any architecture, and whole blocks of any disk. */
#define DUMP_ALIGNMENT (64 * KIB)

/* TPACKET_ALIGNMENT: the kernel refuses frames that are not a multiple of it. */
#define FRAME_ALIGNMENT 16

static const char *const backends[] = { "auto", "packet", "xdp", "libpcap", NULL };
static const char *const profiles[] = { "default", "high_throughput", "low_latency", "low_memory", "jumbo", NULL };
/* The index of each word is its enum netring_xdp_mode, enum netring_xdp_copy. */
static const char *const xdp_modes[] = { "auto", "native", "generic", "offload", NULL };
static const char *const xdp_copies[] = { "auto", "copy", "zerocopy", NULL };
/* libpcap's names. */
static const char *const timestamps[] = { "host", "host_lowprec", "host_hiprec", "adapter", "adapter_unsynced", "host_hiprec_unsynced", NULL };
/* The index of each word is its enum config_dump. */
static const char *const dump_modes[] = { "auto", "direct", "cached", "stdio", NULL };
/* The index of each word is its enum log_level. */
static const char *const log_levels[] = { "off", "error", "warn", "info", "debug", NULL };

/* A number of rings that nobody has, and what netring_config.rings takes for "one for each receive queue". */
static const char *const rings_words[] = { "auto", NULL };
static const uint64_t rings_values[] = { 0 };
static const char *const numa_words[] = { "auto", "off", NULL };
static const uint64_t numa_values[] = { (uint64_t)NETRING_NUMA_AUTO, (uint64_t)NETRING_NUMA_OFF };

/* What value[CONFIG_PROFILE] is for a profile of the file: behind all words. Its name is the text. */
#define PROFILE_OF_FILE (sizeof(profiles) / sizeof(profiles[0]) - 1)

static const char as_the_program_asks[] = "as the program asks";

static int check_fanout(const char *text, struct netring_error *error)
{
	struct netring_fanout fanout = { 0 };

	return fanout_parse(&fanout, text, error);
}

static int check_fanout_flags(const char *text, struct netring_error *error)
{
	unsigned flags;

	return fanout_parse_flags(&flags, text, error);
}

static int check_queues(const char *text, struct netring_error *error)
{
	struct queue_list queues;

	return queue_list_parse(&queues, text, QUEUE_LIST_MAX, error);
}

/* clang-format off: tables. */
const struct config_variable config_variables[CONFIG_COUNT] = {
	[CONFIG_CONFIG] = {
		.name = "NETRING_CONFIG", .type = CONFIG_TYPE_STRING, .unset = CONFIG_FILE_PATH ", if there is one", .allowed = "a path",
		.help = "the configuration file; /dev/null is none",
	},
	[CONFIG_BACKEND] = {
		.name = "NETRING_BACKEND", .type = CONFIG_TYPE_CHOICE, .words = backends, .initial = BACKEND_AUTO,
		.help = "who captures: auto is packet, the packet ring; xdp is AF_XDP; libpcap leaves all to the embedded libpcap",
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
		.name = "NETRING_BLOCK_COUNT", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = CONFIG_BLOCKS_MAX, .initial = 64,
		.help = "number of ring blocks",
	},
	[CONFIG_RING_SIZE] = {
		.name = "NETRING_RING_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 4 * KIB, .maximum = CONFIG_RING_MAX,
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
	[CONFIG_RINGS] = {
		.name = "NETRING_RINGS", .type = CONFIG_TYPE_NUMBER, .minimum = 1, .maximum = 256, .initial = 1,
		.words = rings_words, .word_values = rings_values,
		.help = "rings for each interface, read as one stream in time order; auto: one for each receive queue, no more than the CPUs that the process may use",
	},
	[CONFIG_FANOUT] = {
		.name = "NETRING_FANOUT", .type = CONFIG_TYPE_STRING, .unset = "none", .check = check_fanout,
		.allowed = "MODE[:GROUP]; MODE is hash, lb, cpu, rollover, random, qm, cbpf, ebpf, symmetric, inner; GROUP is 0..65535, auto, @NAME",
		.help = "share the packets of an interface with other captures that say the same",
	},
	[CONFIG_FANOUT_FLAGS] = {
		.name = "NETRING_FANOUT_FLAGS", .type = CONFIG_TYPE_STRING, .unset = "none", .check = check_fanout_flags,
		.allowed = "one or more of rollover, defrag, ignore_outgoing, unique_id, with commas between them",
		.help = "flags of the fanout group",
	},
	[CONFIG_FANOUT_PROG] = {
		.name = "NETRING_FANOUT_PROG", .type = CONFIG_TYPE_STRING, .unset = "none", .allowed = "a path",
		.help = "the program of fanout modes cbpf (text, as of tcpdump -ddd) and ebpf (object file, or pinned)",
	},
	[CONFIG_CPU] = {
		.name = "NETRING_CPU", .type = CONFIG_TYPE_NUMBER, .maximum = 1023, .unset = "not pinned",
		.help = "CPU that the reading thread is pinned to",
	},
	[CONFIG_NUMA] = {
		.name = "NETRING_NUMA", .type = CONFIG_TYPE_NUMBER, .maximum = 1023, .initial = (uint64_t)NETRING_NUMA_AUTO,
		.words = numa_words, .word_values = numa_values,
		.help = "NUMA node that the ring's memory comes from; auto: that of the interface's adapter",
	},
	[CONFIG_LOCK_MEMORY] = {
		.name = "NETRING_LOCK_MEMORY", .type = CONFIG_TYPE_BOOL,
		.help = "lock the reader's own memory (the ring is kernel memory and never swapped)",
	},
	[CONFIG_XDP_MODE] = {
		.name = "NETRING_XDP_MODE", .type = CONFIG_TYPE_CHOICE, .words = xdp_modes,
		.help = "where the XDP program runs: in the driver (native), in front of the host's stack (generic), on the adapter (offload)",
	},
	[CONFIG_XDP_COPY] = {
		.name = "NETRING_XDP_COPY", .type = CONFIG_TYPE_CHOICE, .words = xdp_copies,
		.help = "whether AF_XDP packets are copied into the ring; auto: not, if the driver can do without",
	},
	[CONFIG_XDP_QUEUES] = {
		.name = "NETRING_XDP_QUEUES", .type = CONFIG_TYPE_STRING, .unset = "all", .check = check_queues,
		.allowed = "all, or numbers and ranges with commas between them (0,2-3)",
		.help = "receive queues of each interface that AF_XDP takes packets from; those of the others go to the host",
	},
	[CONFIG_XDP_FRAMES] = {
		.name = "NETRING_XDP_FRAMES", .type = CONFIG_TYPE_NUMBER, .minimum = 512, .maximum = 16777216,
		.unset = "the ring's size shared out",
		.help = "packets that each queue of AF_XDP has room for",
	},
	[CONFIG_XDP_FRAME_SIZE] = {
		.name = "NETRING_XDP_FRAME_SIZE", .type = CONFIG_TYPE_SIZE, .minimum = 2 * KIB, .maximum = 4 * KIB, .initial = 2 * KIB,
		.help = "bytes of memory for each packet of AF_XDP, 258 of them in front of it",
	},
	[CONFIG_XDP_STEAL] = {
		.name = "NETRING_XDP_STEAL", .type = CONFIG_TYPE_BOOL,
		.help = "AF_XDP also on an interface that the host needs; it then does not get the packets that are captured",
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
		.name = "NETRING_LOG_FILE", .type = CONFIG_TYPE_STRING, .unset = "stderr", .allowed = "a path",
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
	case CONFIG_XDP_FRAME_SIZE:
		return 2 * KIB;
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
	case CONFIG_XDP_FRAME_SIZE:
		return ", a multiple of 2K";
	case CONFIG_XDP_FRAMES:
		return ", a power of two";
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

/* "1..256 or auto", "0..1023, auto or off". */
static void write_range(const struct config_variable *variable, char *buffer, size_t size)
{
	size_t used = (size_t)snprintf(buffer, size, "%" PRIu64 "..%" PRIu64, variable->minimum, variable->maximum);

	for (size_t i = 0; variable->words && variable->words[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", variable->words[i + 1] ? ", " : " or ", variable->words[i]);
}

const char *config_allowed(enum config_id id, char *buffer, size_t size)
{
	const struct config_variable *variable = &config_variables[id];
	char least[24], most[24];

	switch (variable->type) {
	case CONFIG_TYPE_NUMBER:
		write_range(variable, buffer, size);
		snprintf(buffer + strlen(buffer), size - strlen(buffer), "%s", granularity_text(id));
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
		snprintf(buffer, size, "%s", variable->allowed);
		break;
	}
	return buffer;
}

/* The word that a NUMBER's value stands for, or NULL. */
static const char *word_of(const struct config_variable *variable, uint64_t value)
{
	for (size_t i = 0; variable->words && variable->words[i]; i++)
		if (variable->word_values[i] == value)
			return variable->words[i];
	return NULL;
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
		if (word_of(variable, value))
			snprintf(buffer, size, "%s", word_of(variable, value));
		else
			snprintf(buffer, size, "%" PRIu64, value);
		break;
	case CONFIG_TYPE_SIZE:
		return format_size(value, buffer, size);
	case CONFIG_TYPE_BOOL:
		snprintf(buffer, size, "%s", value ? "yes" : "no");
		break;
	case CONFIG_TYPE_CHOICE:
		snprintf(buffer, size, "%s", config->text[id] ? config->text[id] : variable->words[value]);
		break;
	case CONFIG_TYPE_STRING:
		snprintf(buffer, size, "%s", config->text[id]);
		break;
	}
	return buffer;
}

struct config_assignment config_assignment(const struct config *config, enum config_id id)
{
	struct config_assignment assignment;
	const struct config_line *line = config->line[id];
	char value[256], shown[USER_TEXT_SHOWN + 4];
	size_t used;

	config_format(config, id, value, sizeof(value));
	used = (size_t)snprintf(assignment.text, sizeof(assignment.text), "%s=%s", config_variables[id].name, user_text_shown(value, shown));
	if (line)
		snprintf(assignment.text + used, sizeof(assignment.text) - used, " (%s:%u)", line->section->file->shown, line->number);
	return assignment;
}

/* Reading */

static int refuse(enum config_id id, const char *text, struct netring_error *error)
{
	const struct config_variable *variable = &config_variables[id];
	struct nearest nearest = NEAREST_INIT(text);
	char value[USER_TEXT_SHOWN + 4], allowed[160];

	for (size_t i = 0; variable->words && variable->words[i]; i++)
		nearest_offer(&nearest, variable->words[i]);
	return error_set(error, EINVAL, "%s=%s: must be %s%s%s%s%s%s", variable->name, user_text_shown(text, value),
			 variable->type == CONFIG_TYPE_SIZE	? "a size (K, M, G allowed), "
			 : variable->type != CONFIG_TYPE_NUMBER ? "one of "
			 : variable->words			? ""
								: "a number, ",
			 config_allowed(id, allowed, sizeof(allowed)), id == CONFIG_PROFILE ? ", or a [profile NAME] of the configuration file" : "",
			 nearest.best ? "; did you mean " : "", nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

static int check_string(const struct config_variable *variable, const char *text, struct netring_error *error)
{
	struct netring_error problem;

	if (!*text)
		return error_set(error, EINVAL, "%s=: must not be empty", variable->name);
	if (variable->check && variable->check(text, &problem) < 0)
		return error_set(error, EINVAL, "%s=%s", variable->name, problem.text);
	return 0;
}

static int read_number(const struct config_variable *variable, uint64_t multiple, const char *text, uint64_t *value)
{
	uint64_t number;

	if (variable->words && user_text_word(text, variable->words, &number) == 0) {
		*value = variable->word_values[number];
		return 0;
	}
	if (user_text_number(text, variable->type == CONFIG_TYPE_SIZE, &number) || number < variable->minimum || number > variable->maximum ||
	    number % multiple)
		return -EINVAL;
	*value = number;
	return 0;
}

static int read_profile(const struct config_file *file, const char *text, uint64_t *value)
{
	if (user_text_word(text, profiles, value) == 0)
		return 0;
	if (!file || !config_file_profile(file, text))
		return -EINVAL;
	*value = PROFILE_OF_FILE;
	return 0;
}

static int read_value(const struct config *config, enum config_id id, const char *text, uint64_t *value)
{
	const struct config_variable *variable = &config_variables[id];

	if (id == CONFIG_PROFILE)
		return read_profile(config->file, text, value);
	switch (variable->type) {
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_SIZE:
		if (read_number(variable, granularity(id), text, value))
			return -EINVAL;
		return id == CONFIG_XDP_FRAMES && *value & (*value - 1) ? -EINVAL : 0;
	case CONFIG_TYPE_BOOL:
		return user_text_bool(text, value);
	case CONFIG_TYPE_CHOICE:
		return user_text_word(text, variable->words, value);
	default:
		return -EINVAL;
	}
}

int config_parse(struct config *config, enum config_id id, const char *text, enum config_source source, struct netring_error *error)
{
	bool is_string = config_variables[id].type == CONFIG_TYPE_STRING;
	uint64_t value = 0;
	int result = 0;

	if (is_string)
		result = check_string(&config_variables[id], text, error);
	else if (read_value(config, id, text, &value))
		result = refuse(id, text, error);
	if (result < 0)
		return result;
	config->value[id] = value;
	config->text[id] = is_string || (id == CONFIG_PROFILE && value == PROFILE_OF_FILE) ? text : NULL;
	config->source[id] = source;
	config->line[id] = NULL;
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
	config->text[id] = NULL;
	config->source[id] = source;
	config->line[id] = NULL;
}

/* Loading */

/* The line has been parsed before, when the file was read. */
static void apply_line(struct config *config, enum config_id id, const struct config_lines *lines, enum config_source source)
{
	const struct config_line *line = lines->of[id];

	if (line && config_parse(config, id, line->value, source, NULL) == 0)
		config->line[id] = line;
}

/* All but the profile, which is known already. */
static void apply_lines(struct config *config, const struct config_lines *lines, enum config_source source)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		if (i != CONFIG_PROFILE)
			apply_line(config, i, lines, source);
}

static void apply_profile(struct config *config, enum config_source source)
{
	const char *name = config->text[CONFIG_PROFILE];
	const struct config_section *section = name && config->file ? config_file_profile(config->file, name) : NULL;
	struct config_lines lines = { 0 };

	for (size_t i = 0; i < sizeof(profile_values) / sizeof(profile_values[0]); i++)
		if (profile_values[i].profile == config->value[CONFIG_PROFILE])
			set(config, profile_values[i].id, profile_values[i].value, source);
	/* NULL too for a profile that an earlier load into the same struct left, from another file. */
	if (section)
		config_lines_add(&lines, section);
	apply_lines(config, &lines, source);
}

static int load_variable(struct config *config, enum config_id id, struct netring_error *error)
{
	const char *text = secure_getenv(config_variables[id].name);

	return text ? config_parse(config, id, text, CONFIG_FROM_ENVIRONMENT, error) : 0;
}

int config_find_file(struct config *config, struct netring_error *error)
{
	int result = load_variable(config, CONFIG_CONFIG, error);

	if (result < 0)
		return result;
	if (!config->opens_no_file)
		return config_file_get(&config->file, config->text[CONFIG_CONFIG], error);
	config->file = config_file_get_read(config->text[CONFIG_CONFIG]);
	return 0;
}

/* What the file says of this capture, and the profile that it, or the environment, chooses. A profile is not stronger than who chose it. */
static int load_file(struct config *config, struct netring_error *error)
{
	struct config_choice choice = { 0 };
	int result = config_find_file(config, error);

	if (result == 0 && config->file)
		result = config_choose(&choice, config->file, config->program, config->interface, error);
	if (result < 0)
		return result;
	apply_line(config, CONFIG_PROFILE, &choice.general, CONFIG_FROM_FILE_DEFAULT);
	apply_line(config, CONFIG_PROFILE, &choice.interface, CONFIG_FROM_FILE_INTERFACE);
	apply_line(config, CONFIG_PROFILE, &choice.program, CONFIG_FROM_FILE_PROGRAM);
	result = load_variable(config, CONFIG_PROFILE, error);
	if (result < 0)
		return result;
	if (config->source[CONFIG_PROFILE] == CONFIG_FROM_FILE_DEFAULT)
		apply_profile(config, CONFIG_FROM_DEFAULT_PROFILE);
	apply_lines(config, &choice.general, CONFIG_FROM_FILE_DEFAULT);
	if (config_overrules(config, CONFIG_PROFILE))
		apply_profile(config, CONFIG_FROM_PROFILE);
	apply_lines(config, &choice.interface, CONFIG_FROM_FILE_INTERFACE);
	apply_lines(config, &choice.program, CONFIG_FROM_FILE_PROGRAM);
	return 0;
}

static void adopt(struct config *config, const struct config *loaded)
{
	*config = *loaded;
	if (loaded->text[CONFIG_FANOUT] == loaded->alias_fanout)
		config->text[CONFIG_FANOUT] = config->alias_fanout;
}

int config_read(struct config *config, struct netring_error *error)
{
	int result = load_file(config, error);

	for (size_t i = 0; i < CONFIG_COUNT && result == 0; i++)
		result = load_variable(config, i, error);
	return result < 0 ? result : config_alias_load(config, error);
}

int config_load(struct config *config, struct netring_error *error)
{
	struct config loaded = *config;
	int result = config_read(&loaded, error);

	if (result < 0)
		return result;
	result = config_check(&loaded, error);
	if (result < 0)
		config_alias_explain(&loaded, error);
	else
		adopt(config, &loaded);
	return result;
}

bool config_is_for_the_program(enum config_id id)
{
	return config_variables[id].unset == as_the_program_asks;
}

void config_log_file(const struct config *config, const struct log *log)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		char where[128], value[256], shown[USER_TEXT_SHOWN + 4];

		if (!config->line[i])
			continue;
		config_format(config, i, value, sizeof(value));
		log_write(log, LOG_INFO, "%s=%s is from %s", config_variables[i].name, user_text_shown(value, shown),
			  config_file_where(config->line[i], where, sizeof(where)));
	}
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
