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

#include "utf8.h"

#ifndef __clang__
/* The analyzer of gcc 12 loses sight of what the members of an array own. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static struct fact *find(const struct facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->count; i++)
		if (strcmp(facts->fact[i].name, name) == 0)
			return &facts->fact[i];
	return NULL;
}

void facts_blank_controls(char *text)
{
	for (unsigned length; *text; text += length) {
		length = utf8_printable(text);
		if (length > 0)
			continue;
		/* U+0080 to U+009F, which some terminals obey, as UTF-8 and as single bytes; other bytes may be a name's. */
		length = (unsigned char)text[0] == 0xc2 && (text[1] & 0xe0) == 0x80 ? 2 : 1;
		if (length == 2 || iscntrl((unsigned char)*text) || (*text & 0xe0) == 0x80)
			memset(text, ' ', length);
	}
}

static char *copy_line(const char *text)
{
	char *copy = strdup(text);

	if (copy)
		facts_blank_controls(copy);
	return copy;
}

/* Room for one more. */
static bool make_room(struct facts *facts)
{
	struct fact *larger = reallocarray(facts->fact, facts->count + 1, sizeof(*larger));

	if (larger)
		facts->fact = larger;
	return larger;
}

void facts_set(struct facts *facts, const char *name, const char *value)
{
	struct fact *known = find(facts, name), made = { known ? NULL : strdup(name), copy_line(value) };

	if (known && made.value) {
		free(known->value);
		known->value = made.value;
	} else if (made.name && made.value && make_room(facts)) {
		facts->fact[facts->count++] = made;
	} else {
		free(made.name);
		free(made.value);
		facts->failed = true;
	}
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

void facts_free(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		free(facts->fact[i].name);
		free(facts->fact[i].value);
	}
	free(facts->fact);
	*facts = (struct facts){ 0 };
}
