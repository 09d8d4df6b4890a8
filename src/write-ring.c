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
	size_t size[WRITE_PARTS_MAX]; /* of each part */
	unsigned pending;	      /* parts that have not ended */
	bool broken;		      /* one has not been written wholly */
	ssize_t result;
};

int write_ring_open(struct write_ring **ring, struct netring_error *error)
{
	struct write_ring *fresh = calloc(1, sizeof(*fresh));
	int ret;

	if (!fresh)
		return error_errno(error, ENOMEM, "cannot allocate a ring for writing");
	ret = io_uring_queue_init(WRITE_PARTS_MAX, &fresh->uring, 0);
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

int write_ring_submit(struct write_ring *ring, const struct write_part *parts, unsigned count, off_t offset, enum write_ring_return when)
{
	int ret;

	if (io_uring_sq_space_left(&ring->uring) < count)
		return -EBUSY;
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

		io_uring_prep_write(sqe, parts[i].fd, parts[i].data, (unsigned)parts[i].size, (__u64)offset);
		io_uring_sqe_set_flags(sqe, i + 1 < count ? IOSQE_IO_LINK : 0);
		io_uring_sqe_set_data64(sqe, i);
		ring->size[i] = parts[i].size;
		offset += (off_t)parts[i].size;
	}
	do
		ret = when == WRITE_RING_AT_END ? io_uring_submit_and_wait(&ring->uring, count) : io_uring_submit(&ring->uring);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	ring->broken = false;
	ring->result = 0;
	ring->pending = count;
	return 0;
}

bool write_ring_is_done(const struct write_ring *ring)
{
	return io_uring_cq_ready(&ring->uring) >= ring->pending;
}

/* Parts end in their order. */
static void take_result(struct write_ring *ring, const struct io_uring_cqe *cqe)
{
	if (ring->broken)
		return;
	ring->broken = cqe->res < 0 || (size_t)cqe->res < ring->size[cqe->user_data];
	if (cqe->res >= 0)
		ring->result += cqe->res;
	else if (ring->result == 0)
		ring->result = cqe->res;
}

ssize_t write_ring_wait(struct write_ring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned pending;
	int ret;

	while ((pending = ring->pending) != 0) {
		ret = io_uring_wait_cqe(&ring->uring, &cqe);
		if (ret == -EINTR || ret == -EAGAIN || ring->pending != pending)
			continue;
		if (ret < 0) {
			ring->result = ret;
			ring->pending = 0;
			break;
		}
		take_result(ring, cqe);
		ring->pending--;
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
