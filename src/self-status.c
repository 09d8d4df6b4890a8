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

int self_status_open(void)
{
	return open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
}

struct self_status self_status_read(int fd)
{
	char status[4096];
	const char *seccomp, *pid;
	ssize_t size = read(fd, status, sizeof(status) - 1);

	if (size < 0)
		size = 0;
	status[size] = '\0';
	seccomp = value_of(status, "\nSeccomp:\t");
	pid = value_of(status, "\nTgid:\t");
	return (struct self_status){ !seccomp || *seccomp != '0', pid ? (uint32_t)strtoul(pid, NULL, 10) : 0, size };
}

struct self_status self_status_now(void)
{
	struct self_status status = { .sandboxed = true };
	int fd = self_status_open();

	if (fd < 0)
		return status;
	status = self_status_read(fd);
	close(fd);
	return status;
}

bool self_status_look(int *fd)
{
	bool sandboxed;

	if (*fd < 0)
		return true;
	sandboxed = self_status_read(*fd).sandboxed;
	close(*fd);
	*fd = sandboxed ? -1 : self_status_open();
	return sandboxed;
}

/* Counted in the child, which pthread_self does not tell from its parent. */
static unsigned forks;

static void count_fork(void)
{
	forks++;
}

/* Not when a watch is opened first: pthread_atfork takes memory, and may fail. */
static __attribute__((constructor)) void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

struct self_watch self_watch_open(void)
{
	return (struct self_watch){ self_status_open(), pthread_self(), forks };
}

void self_watch_close(struct self_watch *watch)
{
	if (watch->fd >= 0)
		close(watch->fd);
	*watch = SELF_WATCH_NONE;
}

bool self_watch_sees_sandbox(struct self_watch *watch)
{
	if (watch->fd < 0 || watch->forks != forks || !pthread_equal(watch->thread, pthread_self()))
		return true;
	return self_status_look(&watch->fd);
}
