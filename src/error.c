/* SPDX-License-Identifier: BSD-3-Clause */
/* The sentence that goes with a negative return value. Pure functions on the caller's struct. */
#define _GNU_SOURCE 1 /* strerror_r */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

int error_set(struct netring_error *error, int errnum, const char *format, ...)
{
	va_list arguments;

	if (error) {
		va_start(arguments, format);
		vsnprintf(error->text, sizeof(error->text), format, arguments);
		va_end(arguments);
	}
	return -errnum;
}

int error_errno(struct netring_error *error, int errnum, const char *format, ...)
{
	char reason[128];
	va_list arguments;
	size_t used;

	if (!error)
		return -errnum;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	used = strlen(error->text);
	/* The GNU strerror_r: strerror would share one buffer among the program's threads. */
	snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror_r(errnum, reason, sizeof(reason)));
	return -errnum;
}
