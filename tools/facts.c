/* SPDX-License-Identifier: BSD-3-Clause */
/* Facts in a list: a few hundred of them, looked up a few hundred times. */
#define _GNU_SOURCE 1
#include "facts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct fact *find(const struct facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->count; i++)
		if (strcmp(facts->fact[i].name, name) == 0)
			return &facts->fact[i];
	return NULL;
}

static char *copy_line(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	return copy;
}

/* A place for a fact that there is not yet; NULL: no memory. */
static struct fact *add(struct facts *facts, const char *name)
{
	struct fact *larger = reallocarray(facts->fact, facts->count + 1, sizeof(*larger)), *place;

	if (!larger)
		return NULL;
	facts->fact = larger;
	place = &larger[facts->count];
	place->name = strdup(name);
	place->value = NULL;
	facts->count += place->name != NULL;
	return place->name ? place : NULL;
}

void facts_set(struct facts *facts, const char *name, const char *value)
{
	char *copy = copy_line(value);
	struct fact *fact = find(facts, name);

	if (copy && !fact)
		fact = add(facts, name);
	if (!copy || !fact) {
		free(copy);
		facts->failed = true;
		return;
	}
	free(fact->value);
	fact->value = copy;
}

void facts_set_number(struct facts *facts, const char *name, int64_t value)
{
	facts_format(facts, name, "%" PRId64, value);
}

void facts_format(struct facts *facts, const char *name, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text)
		facts_set(facts, name, text);
	else
		facts->failed = true;
	free(text);
}

const char *facts_get(const struct facts *facts, const char *name)
{
	const struct fact *fact = find(facts, name);

	return fact ? fact->value : NULL;
}

int64_t facts_number(const struct facts *facts, const char *name, int64_t absent)
{
	const char *value = facts_get(facts, name);
	char *end;
	int64_t number;

	if (!value || !*value)
		return absent;
	errno = 0;
	number = strtoll(value, &end, 10);
	return errno || *end ? absent : number;
}

bool facts_is(const struct facts *facts, const char *name, const char *text)
{
	const char *value = facts_get(facts, name);

	return value && strcmp(value, text) == 0;
}

const struct fact *facts_next(const struct facts *facts, const char *prefix, size_t *at)
{
	size_t length = strlen(prefix);

	while (*at < facts->count) {
		const struct fact *fact = &facts->fact[(*at)++];

		if (strncmp(fact->name, prefix, length) == 0)
			return fact;
	}
	return NULL;
}

void facts_print(const struct facts *facts, FILE *file)
{
	for (size_t i = 0; i < facts->count; i++)
		fprintf(file, "%s = %s\n", facts->fact[i].name, facts->fact[i].value);
}

/* The line without the blanks around it. */
static char *trim(char *line)
{
	char *end;

	while (isspace((unsigned char)*line))
		line++;
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	return line;
}

static int load_line(struct facts *facts, char *line)
{
	char *name = trim(line), *equals;

	if (!*name || *name == '#')
		return 0;
	equals = strchr(name, '=');
	if (!equals || equals == name)
		return -EINVAL;
	*equals = '\0';
	facts_set(facts, trim(name), trim(equals + 1));
	return 0;
}

static int load_lines(struct facts *facts, FILE *file, const char *path, struct netring_error *error)
{
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	for (unsigned number = 1; ret == 0 && getline(&line, &room, file) >= 0; number++) {
		ret = load_line(facts, line);
		if (ret < 0)
			error_set(error, -ret, "%s:%u: %s: must be NAME = VALUE", path, number, line);
	}
	if (ret == 0 && ferror(file))
		ret = error_errno(error, errno, "cannot read %s", path);
	free(line);
	return ret;
}

int facts_load(struct facts *facts, const char *path, struct netring_error *error)
{
	struct facts loaded = { 0 };
	FILE *file = fopen(path, "re");
	int ret;

	if (!file)
		return error_errno(error, errno, "cannot open %s", path);
	ret = load_lines(&loaded, file, path, error);
	fclose(file);
	for (size_t i = 0; ret == 0 && i < loaded.count; i++)
		facts_set(facts, loaded.fact[i].name, loaded.fact[i].value);
	facts->failed |= loaded.failed;
	facts_free(&loaded);
	return ret;
}

void facts_free(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		free(facts->fact[i].name);
		free(facts->fact[i].value);
	}
	free(facts->fact);
	*facts = (struct facts){ 0 };
}
