/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing JSON on standard output, one member after the other. Commas, lines and indentation are seen to; that what is opened is closed is the
 * caller's business. name NULL: an element of an array.
 */
#ifndef NETRING_JSON_H
#define NETRING_JSON_H

#include <stdbool.h>
#include <stdint.h>

void json_open(const char *name, char bracket);	/* '{' or '[' */
void json_close(char bracket);			/* '}' or ']' */
void json_string(const char *name, const char *value);
void json_number(const char *name, uint64_t value);
void json_signed(const char *name, int64_t value);
void json_seconds(const char *name, double value);	/* negative: null */
void json_bool(const char *name, bool value);
void json_null(const char *name);

#endif
