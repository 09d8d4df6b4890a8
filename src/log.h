/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one place where the library speaks: lines "netring: LEVEL: text" on stderr, or in NETRING_LOG_FILE.
 *
 * A log belongs to one handle. It owns the descriptor of its file (opened by log_open, closed by log_close, O_CLOEXEC); on stderr it owns
 * nothing. A line is one write(2), so lines of several threads and processes do not mix. Not for the per-packet path.
 */
#ifndef NETRING_LOG_H
#define NETRING_LOG_H

#include "error.h"

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level;
	int fd;			/* -1: stderr; -2: nowhere */
};

/* Closed state: level warn, stderr. */
#define LOG_INIT { LOG_WARN, -1 }

/*
 * path NULL or "": stderr, but nowhere if stderr is not for people: dumpcap under Wireshark. Appends. Fails with the path in the text; log is then
 * in the closed state.
 */
int log_open(struct log *log, enum log_level level, const char *path, struct netring_error *error);
void log_close(struct log *log);

/* errno is preserved, so that a caller may log between a failure and its report. */
void log_write(const struct log *log, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
