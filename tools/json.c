/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON on standard output. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

static unsigned depth;
static bool behind; /* another member */

/* Bytes that are not ASCII as the characters of Latin-1 with their numbers: the output is valid whatever they were meant to be. */
static void put_string(const char *string)
{
	putchar('"');
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			printf("\\u%04x", byte);
		else
			putchar(byte);
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
