/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a recording of facts. */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"

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

/* Names are shown, those of counters for instance: nothing for a terminal to obey is among them. */
static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || (unsigned char)*c >= 0x7f)
			return false;
	return *name != '\0';
}

static int load_line(struct facts *facts, char *line)
{
	char *name = trim(line), *equals;

	if (!*name || *name == '#')
		return 0;
	equals = strchr(name, '=');
	if (!equals)
		return -EINVAL;
	*equals = '\0';
	if (!is_name(trim(name)))
		return -EINVAL;
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
		if (ret < 0) {
			facts_blank_controls(line);
			error_set(error, -ret, "%s:%u: %s: must be NAME = VALUE", path, number, line);
		}
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
