/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's opinion of a classic BPF program, for tests: a socket pair takes a filter without any privilege, and what arrives at its other end is
 * what the filter kept.
 */
#ifndef NETRING_TEST_KERNEL_FILTER_H
#define NETRING_TEST_KERNEL_FILTER_H

#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct kernel_filter {
	int in, out;
};

static inline void kernel_filter_open(struct kernel_filter *kernel)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	kernel->in = ends[0];
	kernel->out = ends[1];
}

static inline void kernel_filter_close(struct kernel_filter *kernel)
{
	close(kernel->in);
	close(kernel->out);
}

/* 0, or -errno if the kernel refuses the program. */
static inline int kernel_filter_set(struct kernel_filter *kernel, const struct sock_filter *program, unsigned length)
{
	struct sock_fprog request = { .len = (unsigned short)length, .filter = (struct sock_filter *)program };

	return setsockopt(kernel->out, SOL_SOCKET, SO_ATTACH_FILTER, &request, sizeof(request)) < 0 ? -errno : 0;
}

/* Bytes kept of a packet of 1 to 4096 bytes; 0: rejected. */
static inline uint32_t kernel_filter_run(struct kernel_filter *kernel, const void *data, uint32_t length)
{
	char kept[4096];
	ssize_t got;

	ck_assert(length > 0 && length <= sizeof(kept));
	ck_assert_int_eq(send(kernel->in, data, length, 0), (ssize_t)length);
	got = recv(kernel->out, kept, sizeof(kept), 0);
	if (got < 0)
		ck_assert_int_eq(errno, EAGAIN);
	else
		ck_assert_int_eq(memcmp(kept, data, (size_t)got), 0);
	return got < 0 ? 0 : (uint32_t)got;
}

#endif
