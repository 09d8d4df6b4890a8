/* SPDX-License-Identifier: BSD-3-Clause */
/* io_uring for one write at a time. One thread at a time may use a ring; which one may change. */
#include "write-ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "own-descriptor.h"

/* How a write has ended stays known: a signal handler may interrupt who waits for it, and wait as well. */
struct write_ring {
	struct io_uring uring;
	struct own_descriptor descriptor;
	bool waiting;
	ssize_t result;
};

int write_ring_open(struct write_ring **ring, struct netring_error *error)
{
	struct write_ring *fresh = calloc(1, sizeof(*fresh));
	int ret;

	if (!fresh)
		return error_errno(error, ENOMEM, "cannot allocate a ring for writing");
	ret = io_uring_queue_init(2, &fresh->uring, 0);
	if (ret < 0) {
		free(fresh);
		return error_errno(error, -ret, "io_uring");
	}
	fresh->descriptor = own_descriptor(fresh->uring.ring_fd);
	*ring = fresh;
	return 0;
}

void write_ring_close(struct write_ring *ring)
{
	if (!ring)
		return;
	if (!write_ring_is_intact(ring))
		ring->uring.ring_fd = ring->uring.enter_ring_fd = -1; /* is not closed with the rest */
	io_uring_queue_exit(&ring->uring);
	free(ring);
}

bool write_ring_is_intact(const struct write_ring *ring)
{
	return own_descriptor_is_intact(&ring->descriptor);
}

int write_ring_submit(struct write_ring *ring, int fd, const void *data, size_t size, off_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	int ret;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_write(sqe, fd, data, (unsigned)size, (__u64)offset);
	do
		ret = io_uring_submit(&ring->uring);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	ring->waiting = true;
	return 0;
}

bool write_ring_is_done(const struct write_ring *ring)
{
	return !ring->waiting || io_uring_cq_ready(&ring->uring) > 0;
}

ssize_t write_ring_wait(struct write_ring *ring)
{
	struct io_uring_cqe *cqe;
	int ret;

	while (ring->waiting) {
		ret = io_uring_wait_cqe(&ring->uring, &cqe);
		if (ret == -EINTR || ret == -EAGAIN)
			continue;
		if (!ring->waiting)
			break;
		ring->result = ret < 0 ? ret : cqe->res;
		ring->waiting = false;
		if (ret == 0)
			io_uring_cqe_seen(&ring->uring, cqe);
	}
	return ring->result;
}

ssize_t write_ring_spin(struct write_ring *ring)
{
	while (!write_ring_is_done(ring))
		write_ring_is_intact(ring);
	return write_ring_wait(ring);
}
