/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading /proc/thread-self/status: seccomp filters are a thread's own. */
#include "self-status.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *value_of(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? line + strlen(name) : NULL;
}

struct self_status self_status_now(void)
{
	int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	char status[4096];
	const char *seccomp, *pid;
	ssize_t size;

	if (fd < 0)
		return (struct self_status){ .sandboxed = true };
	size = read(fd, status, sizeof(status) - 1);
	close(fd);
	status[size > 0 ? size : 0] = '\0';
	seccomp = value_of(status, "\nSeccomp:\t");
	pid = value_of(status, "\nTgid:\t");
	return (struct self_status){ .sandboxed = !seccomp || *seccomp != '0', .pid = pid ? (uint32_t)strtoul(pid, NULL, 10) : 0 };
}
