/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing the variables of config-table.c.
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
#include "config-table.h"
#include "nearest.h"
#include "user-text.h"

#define PREFIX "NETRING_"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

/* The test suite's own variables live beside ours in the environment of every program that it starts. */
#define TESTS_PREFIX PREFIX "TESTS_"

/* TPACKET_ALIGNMENT: the kernel refuses frames that are not a multiple of it. */
#define FRAME_ALIGNMENT 16

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
	for (size_t i = 0; words && words[i] && used < size; i++)
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
	if (user_text_word(text, config_variables[CONFIG_PROFILE].words, value) == 0)
		return 0;
	if (!file || !config_file_profile(file, text))
		return -EINVAL;
	*value = CONFIG_PROFILE_OF_FILE;
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
	config->text[id] = is_string || (id == CONFIG_PROFILE && value == CONFIG_PROFILE_OF_FILE) ? text : NULL;
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

	for (const struct config_profile_value *value = config_profile_values; value != config_profile_values_end; value++)
		if (value->profile == config->value[CONFIG_PROFILE])
			set(config, value->id, value->value, source);
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
	return config_variables[id].unset == config_as_the_program_asks;
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
