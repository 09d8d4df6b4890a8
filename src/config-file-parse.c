/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text of the file stays as it was read, but for the NULs that end names and values in it. Lines are taken apart from the first to the last; then
 * each value is parsed once, to be sure that it can be, with all profiles known. Pure functions on the caller's struct.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config-file.h"
#include "nearest.h"
#include "user-text.h"

#define PREFIX "NETRING_"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

/* A text that a Windows editor has marked as UTF-8. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

#define PROFILE_NAME_MAX 32

/* The index of each is its enum config_section_kind. */
static const char *const kinds[] = { "default", "interface", "program", "profile", NULL };

/* Sentences */

struct reader {
	struct config_file *file;
	struct config_section *section; /* NULL before the first */
	unsigned number;
	struct netring_error *error;
};

/* "PATH:LINE: " and the sentence. */
static int fail(const struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const struct reader *reader, const char *format, ...)
{
	struct netring_error sentence;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	return error_set(reader->error, EINVAL, "%s:%u: %.400s", reader->file->shown, reader->number, sentence.text);
}

struct shown {
	char text[USER_TEXT_SHOWN + 4];
};

static struct shown show(const char *text)
{
	struct shown shown = { "" };

	user_text_shown(text, shown.text);
	return shown;
}

/* A variable's name as a key: "block_size". */
static struct shown key_of(enum config_id id)
{
	struct shown key;
	const char *name = config_variables[id].name + PREFIX_LENGTH;
	size_t i;

	for (i = 0; i < USER_TEXT_SHOWN && name[i]; i++)
		key.text[i] = (char)tolower((unsigned char)name[i]);
	key.text[i] = '\0';
	return key;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool begins_comment(char c)
{
	return c == '#' || c == ';';
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	for (length = strlen(text); length > 0 && is_blank(text[length - 1]); length--)
		;
	text[length] = '\0';
	return text;
}

/* What a text editor does not write. Bytes above 0x7f are letters, in whatever encoding. */
static int check_bytes(const struct reader *reader, const char *line, size_t length)
{
	if (length > CONFIG_FILE_LINE_MAX)
		return fail(reader, "the line has more than %d bytes", CONFIG_FILE_LINE_MAX);
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)line[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return fail(reader, "byte %zu is 0x%02x: the file must be text", i + 1, byte);
	}
	return 0;
}

/* The end of a header: the first ] behind which there is nothing, or a comment. There may be others in a pattern, and in the comment. */
static char *header_end(char *line)
{
	char *end;

	for (end = strchr(line, ']'); end; end = strchr(end + 1, ']')) {
		const char *rest = end + 1 + strspn(end + 1, " \t");

		if (*rest == '\0' || begins_comment(*rest))
			return end;
	}
	return NULL;
}

static int check_profile_name(const struct reader *reader, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	uint64_t builtin;

	if (strlen(name) > PROFILE_NAME_MAX || name[strspn(name, allowed)])
		return fail(reader, "[profile %s]: a profile's name must be 1 to %d letters, digits, dots, underscores and hyphens", show(name).text,
			    PROFILE_NAME_MAX);
	if (user_text_word(name, config_variables[CONFIG_PROFILE].words, &builtin) == 0)
		return fail(reader, "[profile %s]: is a built-in profile, which stays what it is; choose another name", show(name).text);
	return 0;
}

static int check_section(const struct reader *reader, const struct config_section *section)
{
	const char *kind = kinds[section->kind];

	if (section->kind == SECTION_DEFAULT && *section->name)
		return fail(reader, "[default %s]: must be [default]", show(section->name).text);
	if (section->kind != SECTION_DEFAULT && !*section->name)
		return fail(reader, "[%s]: the name is missing, [%s NAME]", kind, kind);
	if (section->kind == SECTION_PROGRAM && strchr(section->name, '/'))
		return fail(reader, "[program %s]: must be a name, without a folder", show(section->name).text);
	if (section->kind == SECTION_PROFILE && check_profile_name(reader, section->name) < 0)
		return -EINVAL;
	for (const struct config_section *other = reader->file->sections; other < section; other++)
		if (other->kind == section->kind && (section->kind == SECTION_PROFILE ? strcasecmp : strcmp)(other->name, section->name) == 0)
			return fail(reader, "[%s%s%s]: is there already, in line %u", kind, *section->name ? " " : "", show(section->name).text,
				    other->number);
	return 0;
}

static int unknown_kind(const struct reader *reader, const char *kind)
{
	struct nearest nearest = NEAREST_INIT(kind);

	for (size_t i = 0; kinds[i]; i++)
		nearest_offer(&nearest, kinds[i]);
	return fail(reader, "[%s]: must be [default], [interface NAME], [program NAME] or [profile NAME]%s%s%s", show(kind).text,
		    nearest.best ? "; did you mean " : "", nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

static int read_header(struct reader *reader, char *line)
{
	struct config_section *section = &reader->file->sections[reader->file->section_count];
	char *end = header_end(line), *kind, *name;
	uint64_t index;

	if (!end)
		return fail(reader, "%s: a section must end with ]", show(line).text);
	*end = '\0';
	kind = trim(line + 1);
	name = kind + strcspn(kind, " \t");
	if (*name)
		*name++ = '\0';
	if (user_text_word(kind, kinds, &index))
		return unknown_kind(reader, kind);
	name = trim(name);
	*section = (struct config_section){
		.kind = (enum config_section_kind)index,
		.is_pattern = strpbrk(name, "*?[") != NULL,
		.name = name,
		.number = reader->number,
		.first = &reader->file->lines[reader->file->line_count],
		.file = reader->file,
	};
	if (check_section(reader, section) < 0)
		return -EINVAL;
	reader->section = section;
	reader->file->section_count++;
	return 0;
}

static int unknown_key(const struct reader *reader, const char *key, const char *bare)
{
	struct nearest nearest = NEAREST_INIT(bare);

	for (size_t i = 0; i < CONFIG_COUNT; i++)
		nearest_offer(&nearest, config_variables[i].name + PREFIX_LENGTH);
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		if (nearest.best == config_variables[i].name + PREFIX_LENGTH)
			return fail(reader, "%s: unknown key, did you mean %s?", show(key).text, key_of(i).text);
	return fail(reader, "%s: unknown key; netring env lists the variables, which are the keys, without NETRING_", show(key).text);
}

/* "block_size" or "NETRING_BLOCK_SIZE", any case; -EINVAL with the sentence. */
static int find_key(const struct reader *reader, const char *key)
{
	const char *bare = strncasecmp(key, PREFIX, PREFIX_LENGTH) == 0 ? key + PREFIX_LENGTH : key;

	for (size_t i = 0; i < CONFIG_COUNT; i++)
		if (strcasecmp(bare, config_variables[i].name + PREFIX_LENGTH) == 0)
			return (int)i;
	return unknown_key(reader, key, bare);
}

/* Ends the value before a comment, and takes it out of its quotes; NULL with the sentence. */
static char *cut_value(const struct reader *reader, char *value)
{
	char *at, *rest;

	if (*value != '"') {
		for (at = value; *at && !(begins_comment(*at) && (at == value || is_blank(at[-1]))); at++)
			;
		*at = '\0';
		return trim(value);
	}
	at = strchr(value + 1, '"');
	if (!at) {
		fail(reader, "%s: the second quote is missing", show(value).text);
		return NULL;
	}
	rest = at + 1 + strspn(at + 1, " \t");
	if (*rest && !begins_comment(*rest)) {
		fail(reader, "%s: nothing may stand behind a value in quotes but a comment", show(value).text);
		return NULL;
	}
	*at = '\0';
	return value + 1;
}

/* What the variable's own check does not know: where in the file it stands. */
static int check_place(const struct reader *reader, enum config_id id)
{
	const struct config_section *section = reader->section;

	if (!section)
		return fail(reader, "%s: stands before the first section, which may be [default]", key_of(id).text);
	if (id == CONFIG_CONFIG)
		return fail(reader, "config: only the environment may name the file, NETRING_CONFIG");
	if (id == CONFIG_PROFILE && section->kind == SECTION_PROFILE)
		return fail(reader, "profile: not in a profile");
	if (config_is_for_the_program(id) && section->kind == SECTION_DEFAULT)
		return fail(reader, "%s: not in [default], which is weaker than the program, and every program decides this; [program *] is stronger",
			    key_of(id).text);
	for (size_t i = 0; i < section->count; i++)
		if (section->first[i].id == id)
			return fail(reader, "%s: is there already, in line %u", key_of(id).text, section->first[i].number);
	return 0;
}

static int read_setting(struct reader *reader, char *line)
{
	struct config_line *setting = &reader->file->lines[reader->file->line_count];
	char *equals = strchr(line, '='), *value;
	int id;

	if (!equals)
		return fail(reader, "%s: must be KEY = VALUE, [SECTION], or a comment", show(line).text);
	*equals = '\0';
	id = find_key(reader, trim(line));
	if (id < 0 || check_place(reader, (enum config_id)id) < 0)
		return -EINVAL;
	value = cut_value(reader, trim(equals + 1));
	if (!value)
		return -EINVAL;
	*setting = (struct config_line){ (enum config_id)id, reader->number, value, reader->section };
	reader->file->line_count++;
	reader->section->count++;
	return 0;
}

static int read_line(struct reader *reader, char *line, size_t length)
{
	/* Of an editor that ends lines as DOS did. */
	if (length > 0 && line[length - 1] == '\r')
		line[--length] = '\0';
	if (check_bytes(reader, line, length) < 0)
		return -EINVAL;
	line = trim(line);
	if (*line == '\0' || begins_comment(*line))
		return 0;
	return *line == '[' ? read_header(reader, line) : read_setting(reader, line);
}

/* No more sections and settings than there are lines. */
static int make_room(struct config_file *file, size_t length, struct netring_error *error)
{
	size_t lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += file->text[i] == '\n';
	file->sections = calloc(lines, sizeof(*file->sections));
	file->lines = calloc(lines, sizeof(*file->lines));
	if (!file->sections || !file->lines)
		return error_errno(error, ENOMEM, "cannot read %s", file->shown);
	return 0;
}

static int read_lines(struct reader *reader, size_t length)
{
	char *at = reader->file->text, *end = at + length;

	if (strncmp(at, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		at += strlen(BYTE_ORDER_MARK);
	while (at < end) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *stop = newline ? newline : end;

		*stop = '\0';
		reader->number++;
		if (read_line(reader, at, (size_t)(stop - at)) < 0)
			return -EINVAL;
		at = stop + 1;
	}
	return 0;
}

/* Values */

/* "NETRING_BLOCK_SIZE=5000: must be …" as "block_size=5000: must be …". */
static int refuse_value(const struct reader *reader, enum config_id id, const struct netring_error *problem)
{
	return fail(reader, "%s%s", key_of(id).text, problem->text + strlen(config_variables[id].name));
}

/* A profile that [default] chooses is as weak as that, so what may not stand there may not be in it. */
static int check_default_profile(const struct reader *reader, const struct config_line *line)
{
	const struct config_section *profile = config_file_profile(reader->file, line->value);

	for (size_t i = 0; profile && line->section->kind == SECTION_DEFAULT && i < profile->count; i++)
		if (config_is_for_the_program(profile->first[i].id))
			return fail(reader,
				    "profile=%s: not in [default], because of %s in line %u, which every program decides; [program *] is stronger",
				    show(line->value).text, key_of(profile->first[i].id).text, profile->first[i].number);
	return 0;
}

static int check_values(struct reader *reader)
{
	const struct config_file *file = reader->file;

	for (size_t i = 0; i < file->line_count; i++) {
		const struct config_line *line = &file->lines[i];
		struct netring_error problem;
		struct config scratch;

		config_init(&scratch);
		scratch.file = file;
		reader->number = line->number;
		if (config_parse(&scratch, line->id, line->value, CONFIG_FROM_FILE_DEFAULT, &problem) < 0)
			return refuse_value(reader, line->id, &problem);
		if (line->id == CONFIG_PROFILE && check_default_profile(reader, line) < 0)
			return -EINVAL;
	}
	return 0;
}

int config_file_parse(struct config_file *file, size_t length, struct netring_error *error)
{
	struct reader reader = { .file = file, .error = error };
	int result = make_room(file, length, error);

	if (result == 0)
		result = read_lines(&reader, length);
	return result < 0 ? result : check_values(&reader);
}

/* Asking */

const struct config_section *config_file_profile(const struct config_file *file, const char *name)
{
	for (size_t i = 0; i < file->section_count; i++)
		if (file->sections[i].kind == SECTION_PROFILE && strcasecmp(file->sections[i].name, name) == 0)
			return &file->sections[i];
	return NULL;
}

const char *config_file_where(const struct config_line *line, char *buffer, size_t size)
{
	const struct config_section *section = line->section;

	snprintf(buffer, size, "%s:%u [%s%s%s]", section->file->shown, line->number, kinds[section->kind], *section->name ? " " : "", section->name);
	return buffer;
}
