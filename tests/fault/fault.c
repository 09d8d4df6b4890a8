/* SPDX-License-Identifier: BSD-3-Clause */
/* The wrappers behind fault.h: ld --wrap=socket sends every call of socket() in the objects of the program to __wrap_socket. */
#define _GNU_SOURCE 1
#include "fault.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>

static struct {
	bool armed, hit, choosy, suspended;
	enum fault_call call;
	enum fault_mode mode;
	unsigned left;
	int errnum;
	unsigned long detail, wanted;
} fault;

static const char *const names[FAULT_CALLS] = {
	"socket", "bind", "setsockopt", "getsockopt", "getsockname", "ioctl", "mmap", "eventfd", "fcntl", "poll", "read", "open", "epoll_create1", "epoll_ctl", "timerfd_create", "timerfd_settime",
	"syscall", "mlock", "malloc", "calloc",
	"realloc", "mmap of memory", "strdup", "send",
};

void fault_arm(enum fault_call call, unsigned nth, int errnum, enum fault_mode mode)
{
	fault.call = call;
	fault.left = nth;
	fault.errnum = errnum;
	fault.mode = mode;
	fault.hit = fault.choosy = fault.suspended = false;
	fault.detail = 0;
	fault.armed = true;
}

void fault_only(unsigned long detail)
{
	fault.choosy = true;
	fault.wanted = detail;
}

void fault_suspend(bool suspended)
{
	fault.suspended = suspended;
}

bool fault_disarm(void)
{
	fault.armed = false;
	return fault.hit;
}

unsigned long fault_detail(void)
{
	return fault.detail;
}

const char *fault_name(enum fault_call call)
{
	return names[call];
}

/* True, with errno set, if this call is to fail. */
static bool fails(enum fault_call call, unsigned long detail)
{
	if (!fault.armed || fault.suspended || call != fault.call || (fault.choosy && detail != fault.wanted) || --fault.left > 0)
		return false;
	if (!fault.hit)
		fault.detail = detail;
	fault.hit = true;
	if (fault.mode == FAULT_FROM_THEN_ON)
		fault.left = 1;
	else
		fault.armed = false;
	errno = fault.errnum;
	return true;
}

#define WRAP(type, name, parameters, arguments, call, detail, failure) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails(call, detail) ? (failure) : __real_##name arguments; \
	}

#define OPTION ((unsigned long)(unsigned)level << 16 | (unsigned)option)

WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), FAULT_SOCKET, (unsigned long)family, -1)
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), FAULT_BIND, 0, -1)
WRAP(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t size), (fd, level, option, value, size), FAULT_SETSOCKOPT, OPTION, -1)
WRAP(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *size), (fd, level, option, value, size), FAULT_GETSOCKOPT, OPTION, -1)
WRAP(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size), FAULT_GETSOCKNAME, 0, -1)
WRAP(void *, mmap, (void *where, size_t length, int protection, int flags, int fd, off_t offset), (where, length, protection, flags, fd, offset),
     flags & MAP_ANONYMOUS ? FAULT_PAGES : FAULT_MMAP, (unsigned long)length, MAP_FAILED)
WRAP(int, eventfd, (unsigned initial, int flags), (initial, flags), FAULT_EVENTFD, 0, -1)
WRAP(int, poll, (struct pollfd *fds, nfds_t count, int timeout), (fds, count, timeout), FAULT_POLL, 0, -1)
WRAP(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size), FAULT_READ, 0, -1)
WRAP(ssize_t, send, (int fd, const void *buffer, size_t size, int flags), (fd, buffer, size, flags), FAULT_SEND, 0, -1)
WRAP(int, epoll_create1, (int flags), (flags), FAULT_EPOLL_CREATE, 0, -1)
WRAP(int, epoll_ctl, (int fd, int operation, int watched, struct epoll_event *event), (fd, operation, watched, event), FAULT_EPOLL_CTL,
     (unsigned long)operation, -1)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), FAULT_TIMERFD_CREATE, 0, -1)
WRAP(int, timerfd_settime, (int fd, int flags, const struct itimerspec *when, struct itimerspec *before), (fd, flags, when, before),
     FAULT_TIMERFD_SETTIME, 0, -1)
WRAP(int, mlock, (const void *where, size_t length), (where, length), FAULT_MLOCK, 0, -1)
WRAP(void *, malloc, (size_t size), (size), FAULT_MALLOC, 0, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), FAULT_CALLOC, 0, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), FAULT_REALLOC, 0, NULL)
WRAP(char *, strdup, (const char *text), (text), FAULT_STRDUP, 0, NULL)

/* These take one argument more, or none; it is passed on in either case, as the kernel would be passed it. */
#define WRAP_VARIADIC(name, first_type, second_type, call, detail) \
	int __real_##name(first_type first, second_type second, ...); \
	int __wrap_##name(first_type first, second_type second, ...); \
	int __wrap_##name(first_type first, second_type second, ...) \
	{ \
		va_list arguments; \
		void *third; \
\
		va_start(arguments, second); \
		third = va_arg(arguments, void *); \
		va_end(arguments); \
		return fails(call, detail) ? -1 : __real_##name(first, second, third); \
	}

WRAP_VARIADIC(ioctl, int, unsigned long, FAULT_IOCTL, second)
WRAP_VARIADIC(fcntl, int, int, FAULT_FCNTL, (unsigned long)second)
WRAP_VARIADIC(open, const char *, int, FAULT_OPEN, 0)

/* As much as any system call takes. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	va_list arguments;
	long given[6];

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		given[i] = va_arg(arguments, long);
	va_end(arguments);
	return fails(FAULT_SYSCALL, (unsigned long)number) ? -1 : __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
