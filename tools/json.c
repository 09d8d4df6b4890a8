/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON on standard output. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#include "utf8.h"

static unsigned depth;
static bool behind; /* another member */

/* UTF-8 as it is; other bytes as the characters of Latin-1 with their numbers: the output is valid whatever they were meant to be. */
static void put_string(const char *string)
{
	putchar('"');
	for (unsigned length; *string; string += length) {
		length = utf8_printable(string);
		if (length == 0) {
			printf("\\u%04x", (unsigned char)*string);
			length = 1;
			continue;
		}
		if (*string == '"' || *string == '\\')
			putchar('\\');
		fwrite(string, 1, length, stdout);
	}
	putchar('"');
}

static void begin(const char *name)
{
	if (behind)
		putchar(',');
	if (depth)
		printf("\n%*s", (int)(2 * depth), "");
	behind = true;
	if (!name)
		return;
	put_string(name);
	fputs(": ", stdout);
}

void json_open(const char *name, char bracket)
{
	begin(name);
	putchar(bracket);
	depth++;
	behind = false;
}

void json_close(char bracket)
{
	depth--;
	if (behind)
		printf("\n%*s", (int)(2 * depth), "");
	putchar(bracket);
	behind = true;
	if (depth == 0) {
		putchar('\n');
		behind = false;
	}
}

void json_string(const char *name, const char *value)
{
	begin(name);
	put_string(value);
}

void json_number(const char *name, uint64_t value)
{
	begin(name);
	printf("%" PRIu64, value);
}

void json_signed(const char *name, int64_t value)
{
	begin(name);
	printf("%" PRId64, value);
}

void json_seconds(const char *name, double value)
{
	if (value < 0) {
		json_null(name);
		return;
	}
	begin(name);
	printf("%.3f", value);
}

void json_bool(const char *name, bool value)
{
	begin(name);
	fputs(value ? "true" : "false", stdout);
}

void json_null(const char *name)
{
	begin(name);
	fputs("null", stdout);
}
