/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats-process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utf8.h"

void stats_text_clean(char *text, size_t size)
{
	unsigned length;

	text[size - 1] = '\0';
	for (; *text; text += length) {
		length = utf8_printable(text);
		if (length == 0) {
			*text = '?';
			length = 1;
		}
	}
}

/* A small file of a process, NUL-terminated; empty if there is none. */
static void read_text(int folder, const char *name, char *text, size_t size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, size - 1) : -1;

	text[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The last number of the line is how the process sees itself. */
static pid_t innermost_pid(const char *status)
{
	const char *line = strstr(status, "\nNStgid:"), *end;

	if (!line)
		return 0;
	end = line + 1 + strcspn(line + 1, "\n");
	while (end > line && isdigit((unsigned char)end[-1]))
		end--;
	return (pid_t)strtol(end, NULL, 10);
}

void stats_process_describe(struct stats_process *process, int folder, pid_t pid)
{
	char text[4096];
	const char *state;
	struct stat status;

	memset(process, 0, sizeof(*process));
	process->pid = pid;
	read_text(folder, "comm", text, sizeof(process->name));
	text[strcspn(text, "\n")] = '\0';
	snprintf(process->name, sizeof(process->name), "%.*s", STATS_TEXT - 1, text);
	stats_text_clean(process->name, sizeof(process->name));
	read_text(folder, "status", text, sizeof(text));
	state = strstr(text, "\nState:\t");
	process->state = state ? state[strlen("\nState:\t")] : '?';
	process->own_pid = innermost_pid(text);
	if (fstatat(folder, "ns/net", &status, 0) == 0)
		process->namespace = status.st_ino;
}

bool stats_process_has_memory(int process)
{
	char text[4096];

	read_text(process, "status", text, sizeof(text));
	return strstr(text, "\nVmSize:") != NULL;
}

bool stats_process_is_zombie(int process)
{
	char text[4096];

	read_text(process, "status", text, sizeof(text));
	return strstr(text, "\nState:\tZ") != NULL;
}

int stats_process_open_living_thread(int process)
{
	int folder = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), thread = -1;
	DIR *threads = folder >= 0 ? fdopendir(folder) : NULL;
	const struct dirent *entry;

	while (threads && thread < 0 && (entry = readdir(threads))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			thread = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && stats_process_is_zombie(thread)) {
			close(thread);
			thread = -1;
		}
	}
	if (threads)
		closedir(threads);
	else if (folder >= 0)
		close(folder);
	return thread;
}
