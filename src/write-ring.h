/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One write at a time, of a few parts, that the kernel does while the caller goes on: io_uring(7), through liburing.
 *
 * No thread of the process takes part; the kernel may use one of its own. A ring belongs to the process that opened it: behind fork the child must
 * close its copy and open another. Not under a seccomp filter, where the system calls behind it could end the process: the caller looks first.
 */
#ifndef NETRING_WRITE_RING_H
#define NETRING_WRITE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

struct write_ring;

/* Fails with -EPERM where the system forbids it (kernel.io_uring_disabled, a container), -ENOSYS, -ENOMEM. */
int write_ring_open(struct write_ring **ring, struct netring_error *error);

/* Accepts NULL. Nothing may be in flight, unless this is a child's copy. */
void write_ring_close(struct write_ring *ring);

/* False if its descriptor has been closed by somebody else. */
bool write_ring_is_intact(const struct write_ring *ring);

/* Of what is to be written: size bytes (below 2 GiB), through that descriptor. */
struct write_part {
	int fd;
	const void *data;
	size_t size;
};

#define WRITE_PARTS_MAX 3

/* When write_ring_submit returns: at once, or, if nothing interrupts it, when the write has ended; write_ring_wait says how in either case. */
enum write_ring_return { WRITE_RING_AT_ONCE, WRITE_RING_AT_END };

/*
 * Begins to write one part behind the other, from that offset of the file on, in one system call; a part that fails keeps the next ones from being
 * written. The data must stay until write_ring_wait has returned.
 */
int write_ring_submit(struct write_ring *ring, const struct write_part *parts, unsigned count, off_t offset, enum write_ring_return when);

/* True if the write has ended: write_ring_wait will not sleep. */
bool write_ring_is_done(const struct write_ring *ring);

/* Sleeps until the write has ended. Returns what write(2) would: the bytes written, maybe fewer than asked for, or -errno if that is none. */
ssize_t write_ring_wait(struct write_ring *ring);

/* The same under a seccomp filter that has come meanwhile: it spins, with fstat(2) for the only system call. */
ssize_t write_ring_spin(struct write_ring *ring);

#endif
