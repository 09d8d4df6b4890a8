/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel's verifier says of an eBPF program that it refuses. Pure functions on the caller's memory. */
#include "verifier-log.h"

#include <stddef.h>
#include <string.h>

const char *verifier_log_last_words(char *log)
{
	char *line;

	for (;;) {
		size_t length = strlen(log);

		while (length && (log[length - 1] == '\n' || log[length - 1] == ' '))
			log[--length] = '\0';
		if (!length)
			return NULL;
		line = strrchr(log, '\n');
		line = line ? line + 1 : log;
		if (strncmp(line, "processed ", 10) != 0 && strncmp(line, "--", 2) != 0 && strncmp(line, "verification time", 17) != 0)
			return line;
		*line = '\0';
	}
}
