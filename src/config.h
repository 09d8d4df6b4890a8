/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every NETRING_* variable, in one table: name, type, range, default, one line of help (config-table.c).
 *
 * Who wins: environment > a peer's variable (config-alias.h) > the configuration file's sections for the program > for the interface > profile > what the
 * program asked for through pcap_set_* > the file's [default] > default. What the program asked for is not kept here: whoever knows it looks with
 * config_overrules whether somebody stronger has spoken. It owns no memory: strings point into the environment, into the file (config-file.h), which
 * stays, or, made from an alias, into the struct itself; so a copy of the struct is good for as long as the one that was loaded.
 *
 * Thread safety: pure functions on the caller's struct, but getenv: call while no other thread changes the environment. The first load of a process
 * reads the file.
 */
#ifndef NETRING_CONFIG_H
#define NETRING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "log.h"

/* The weakest first. */
enum config_source {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_DEFAULT_PROFILE,	/* a profile that [default] chose */
	CONFIG_FROM_FILE_DEFAULT,	/* [default]; up to here the program is stronger */
	CONFIG_FROM_PROFILE,
	CONFIG_FROM_FILE_INTERFACE,
	CONFIG_FROM_FILE_PROGRAM,
	CONFIG_FROM_ALIAS,
	CONFIG_FROM_ENVIRONMENT,
};

/* The index of a variable in the table; the order is the order in which they are listed to people. */
enum config_id {
	CONFIG_CONFIG,
	CONFIG_BACKEND,
	CONFIG_PROFILE,
	CONFIG_BLOCK_SIZE,
	CONFIG_BLOCK_COUNT,
	CONFIG_RING_SIZE,
	CONFIG_FRAME_SIZE,
	CONFIG_BLOCK_TIMEOUT_MS,
	CONFIG_FILL_RXHASH,
	CONFIG_IGNORE_OUTGOING,
	CONFIG_BUSY_POLL_US,
	CONFIG_RINGS,
	CONFIG_FANOUT,
	CONFIG_FANOUT_FLAGS,
	CONFIG_FANOUT_PROG,
	CONFIG_CPU,
	CONFIG_NUMA,
	CONFIG_LOCK_MEMORY,
	CONFIG_XDP_MODE,
	CONFIG_XDP_COPY,
	CONFIG_XDP_QUEUES,
	CONFIG_XDP_FRAMES,
	CONFIG_XDP_FRAME_SIZE,
	CONFIG_XDP_STEAL,
	CONFIG_SNAPLEN,
	CONFIG_PROMISC,
	CONFIG_TIMESTAMP,
	CONFIG_DUMP,
	CONFIG_DUMP_BUFFER,
	CONFIG_STATS,
	CONFIG_STRICT,
	CONFIG_LOG,
	CONFIG_LOG_FILE,
	CONFIG_COUNT
};

enum config_backend { BACKEND_AUTO, BACKEND_PACKET, BACKEND_XDP, BACKEND_XDP_TAP, BACKEND_LIBPCAP };

/* How savefiles are written. */
enum config_dump { DUMP_AUTO, DUMP_DIRECT, DUMP_CACHED, DUMP_STDIO };

struct config_file;
struct config_line;

struct config {
	/* For whom, set between config_init and config_load. */
	const char *program;			/* whose sections of the file count; NULL: this process, as config-choice.h names it */
	const char *interface;			/* the same, the device as pcap_create has it; NULL: none */
	bool opens_no_file;			/* in a sandbox, perhaps: a file that this process has not read yet counts as empty */

	/*
	 * Numbers, booleans (0, 1) and choices (index into the variable's list of words), indexed by enum config_id. Where a number may be a word, the
	 * word is what struct netring_config takes for it: RINGS auto is 0; NUMA, cast to int, is NETRING_NUMA_AUTO or NETRING_NUMA_OFF.
	 */
	uint64_t value[CONFIG_COUNT];
	const char *text[CONFIG_COUNT];		/* strings, as they were written; NULL if unset. FANOUT: for fanout_parse, FANOUT_FLAGS: fanout_parse_flags */
	enum config_source source[CONFIG_COUNT];
	const struct config_line *line[CONFIG_COUNT];	/* of the file, that the value is from; NULL: from none */
	const struct config_file *file;		/* once it is known */
	char alias_fanout[24];			/* the text of FANOUT where that is from an alias */
};

enum config_type {
	CONFIG_TYPE_NUMBER,	/* decimal digits only, or, if there are words, one of these */
	CONFIG_TYPE_SIZE,	/* bytes; a suffix K, M or G (powers of 1024, either case) is allowed */
	CONFIG_TYPE_BOOL,	/* 0/1/yes/no/true/false/on/off, any case */
	CONFIG_TYPE_CHOICE,	/* one of words, any case */
	CONFIG_TYPE_STRING,	/* not empty; check says what else */
};

struct config_variable {
	const char *name;		/* "NETRING_BLOCK_SIZE" */
	enum config_type type;
	uint64_t minimum, maximum;	/* NUMBER and SIZE; inclusive */
	uint64_t initial;		/* the default; for a CHOICE the index of the word */
	const char *const *words;	/* CHOICE, and NUMBER that may also be a word: NULL-terminated */
	const uint64_t *word_values;	/* NUMBER: what each word stands for, outside minimum..maximum */
	const char *allowed;		/* STRING: what it may be, for people */
	int (*check)(const char *text, struct netring_error *error);	/* STRING: 0, or -EINVAL and a sentence that begins with the text; NULL: no check */
	const char *unset;		/* what people are shown while nothing sets it ("as the program asks"), or NULL to show initial */
	const char *help;		/* one line, no full stop */
};

/* The table itself: CONFIG_COUNT entries, indexed by enum config_id. */
extern const struct config_variable config_variables[CONFIG_COUNT];

/* The index of the variable with this name ("NETRING_BLOCK_SIZE"), or -ENOENT with "unknown variable …, did you mean …?". */
int config_find(const char *name, struct netring_error *error);

/* What the variable accepts, for people ("4K..1G, a multiple of the page size"), into buffer; returns buffer. */
const char *config_allowed(enum config_id id, char *buffer, size_t size);

/* Every variable at its default, source CONFIG_FROM_DEFAULT. */
void config_init(struct config *config);

/*
 * Read the file, the profile, the environment and the aliases in it over what is set. In set-uid programs (secure_getenv) the environment is ignored,
 * and with it NETRING_CONFIG; the file of the system counts. Fails as config_file_get does, or
 * with -EINVAL and "NETRING_X=VALUE: what is allowed"; checks also what no single variable can tell: block size not a multiple of the
 * page, frame larger than block, RING_SIZE together with BLOCK_COUNT, ring smaller than a block of a size that was chosen, a fanout group's flags or
 * program without the group or of another mode. config is then unchanged.
 * A bad value of an alias fails in the same way, under the alias's name. An empty value is an error like any other.
 */
int config_load(struct config *config, struct netring_error *error);

/* The same without the checks that need several values; config may be half done after a failure. For showing what cannot be loaded. */
int config_read(struct config *config, struct netring_error *error);

/* The first step of config_load: sets config->file, so that config_parse knows its profiles. */
int config_find_file(struct config *config, struct netring_error *error);

/* Parse one value as the variable's type says and store it with the given source. -EINVAL as above. */
int config_parse(struct config *config, enum config_id id, const char *text, enum config_source source, struct netring_error *error);

/* True if somebody but the built-in default decided. */
static inline bool config_is_set(const struct config *config, enum config_id id)
{
	return config->source[id] != CONFIG_FROM_DEFAULT;
}

/* True if it counts more than what the program asks for through pcap_set_*. */
static inline bool config_overrules(const struct config *config, enum config_id id)
{
	return config->source[id] > CONFIG_FROM_FILE_DEFAULT;
}

/* True if it was written for this capture, not by a profile or for all, and is meant as it stands. */
static inline bool config_is_deliberate(const struct config *config, enum config_id id)
{
	enum config_source source = config->source[id];

	return source == CONFIG_FROM_ENVIRONMENT || source == CONFIG_FROM_FILE_PROGRAM || source == CONFIG_FROM_FILE_INTERFACE;
}

/* What every program decides, so that nothing weaker than it could ever count: snapshot length, promiscuous mode, type of time stamps. */
bool config_is_for_the_program(enum config_id id);

/* The value as a person would write it ("4M", "yes", "packet"), into buffer; returns buffer. */
const char *config_format(const struct config *config, enum config_id id, char *buffer, size_t size);

/* "NETRING_X=VALUE", as it may be shown in a sentence: cut if it is long; " (PATH:LINE)" behind it if it is from the file. */
struct config_assignment {
	char text[160];
};
struct config_assignment config_assignment(const struct config *config, enum config_id id);

/*
 * Warn once per process about every NETRING_* name in the environment that is not in the table, with the nearest name if one is near
 * ("unknown variable NETRING_BLOKC_SIZE, did you mean NETRING_BLOCK_SIZE?"). With strict, the first such name is -EINVAL instead.
 */
int config_check_names(const struct log *log, bool strict, struct netring_error *error);

/* One line at info for each value that is from the file. */
void config_log_file(const struct config *config, const struct log *log);

#endif
