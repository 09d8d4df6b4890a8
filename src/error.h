/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sentence that goes with a negative return value.
 *
 * Functions of src return 0 or -errno. The place that first knows of a failure writes what was tried, on what, with which value; whoever
 * passes the failure on leaves the text alone. A NULL struct netring_error * is allowed everywhere and drops the text.
 */
#ifndef NETRING_ERROR_H
#define NETRING_ERROR_H

#include "netring.h"

/* Write the sentence and return -errnum, so that a failure is one statement. */
int error_set(struct netring_error *error, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same, with ": strerror(errnum)" behind the sentence. errnum is positive. */
int error_errno(struct netring_error *error, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
