/* SPDX-License-Identifier: BSD-3-Clause */
/* The one place where the library speaks: one line, one write(2). Any thread may call log_write; open and close belong to the handle. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* Below PIPE_BUF, so that a line stays whole on a pipe too. */
#define LINE_MAX_BYTES 1024

/* A descriptor that is none: there is nowhere to write to. */
#define NOWHERE (-2)

static const char *const level_names[] = { "off", "error", "warn", "info", "debug" };

/* The program's arguments, each NUL-terminated, and one NUL more. False if they cannot be read. */
static bool read_arguments(char *arguments, size_t size)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, arguments, size - 2);
	close(fd);
	if (length <= 0)
		return false;
	arguments[length] = arguments[length + 1] = '\0';
	return true;
}

/* dumpcap -Z reports to Wireshark or tshark on stderr, in binary. A line of ours in between would end the capture. */
static bool stderr_is_taken(void)
{
	char arguments[4096], *argument;

	if (strcmp(program_invocation_short_name, "dumpcap") != 0 || !read_arguments(arguments, sizeof(arguments)))
		return false;
	for (argument = arguments; *argument; argument += strlen(argument) + 1)
		if (strcmp(argument, "-Z") == 0)
			return true;
	return false;
}

int log_open(struct log *log, enum log_level level, const char *path, struct netring_error *error)
{
	int fd;

	*log = (struct log)LOG_INIT;
	if (path && *path) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
		if (fd < 0)
			return error_errno(error, errno, "cannot open the log file %s", path);
	} else {
		fd = stderr_is_taken() ? NOWHERE : -1;
	}
	log->level = level;
	log->fd = fd;
	return 0;
}

void log_close(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	*log = (struct log)LOG_INIT;
}

/* Returns the length, newline included. What is too long is cut, and a line break inside becomes a blank: one message stays one line. */
static size_t format_line(char *line, size_t size, enum log_level level, const char *format, va_list arguments)
{
	size_t length, i;

	length = (size_t)snprintf(line, size, "netring: %s: ", level_names[level]);
	vsnprintf(line + length, size - length - 1, format, arguments);
	length += strlen(line + length);
	for (i = 0; i < length; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[length++] = '\n';
	return length;
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	va_list arguments;
	size_t length;
	ssize_t written;

	if (level > log->level || level <= LOG_OFF || log->fd == NOWHERE)
		return;
	va_start(arguments, format);
	length = format_line(line, sizeof(line), level, format, arguments);
	va_end(arguments);
	written = write(log->fd >= 0 ? log->fd : STDERR_FILENO, line, length);
	(void)written; /* nobody is left to be told */
	errno = saved_errno;
}
