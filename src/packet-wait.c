/* SPDX-License-Identifier: BSD-3-Clause */
/* Sleeping until a packet ring has something, and finding out what became of the interface when poll says that something is wrong. */
#include "packet-wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "interface.h"

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Watches the ring without sleeping, for a part of *timeout_ms. True if there is something. */
static bool spin(const struct packet_ring *ring, int *timeout_ms, const volatile int *stop)
{
	uint64_t limit = *timeout_ms < 0 ? UINT64_MAX : (uint64_t)*timeout_ms * 1000;
	uint64_t us = ring->busy_poll_us < limit ? ring->busy_poll_us : limit, end = now_us() + us;

	if (*timeout_ms > 0)
		*timeout_ms -= (int)(us / 1000);
	do {
		if (packet_ring_is_ready(ring))
			return true;
	} while (!(stop && *stop) && now_us() < end);
	return false;
}

/* The socket's error, which asking for clears. ENETDOWN is no error: the interface may come up again. */
static int take_error(struct packet_ring *ring, struct netring_error *error)
{
	int pending = 0;
	socklen_t size = sizeof(pending);

	if (getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &pending, &size) < 0)
		pending = errno;
	if (pending == ENETDOWN) {
		ring->down = true;
		return 0;
	}
	if (pending == 0)
		return error_set(error, EIO, "Error condition on packet socket: Reported error was 0");
	return error_errno(error, pending, "Error condition on packet socket");
}

static int socket_event(struct packet_ring *ring, short events, struct netring_error *error)
{
	if (events & POLLNVAL)
		return error_set(error, EBADF, "Invalid polling request on packet socket");
	if (events & (POLLHUP | POLLRDHUP))
		return error_set(error, EIO, "Hangup on packet socket");
	if (events & POLLERR)
		return take_error(ring, error);
	return 0;
}

/* The socket of a deleted interface is bound to index -1. A name that is gone says the same, and sometimes earlier. */
static int look_after_interface(struct packet_ring *ring, struct netring_error *error)
{
	struct sockaddr_ll address;
	socklen_t size = sizeof(address);
	int up;

	if (ring->ifindex == 0)
		return WAIT_DOWN;
	if (getsockname(ring->fd, (struct sockaddr *)&address, &size) < 0)
		return error_errno(error, errno, "getsockname failed");
	if (address.sll_ifindex == -1)
		return error_set(error, ENODEV, "The interface disappeared");
	up = interface_is_up(ring->fd, ring->interface, error);
	if (up < 0)
		return up;
	ring->down = up == 0;
	return WAIT_DOWN;
}

int packet_wait(struct packet_ring *ring, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error)
{
	struct pollfd events[2] = { { .fd = ring->fd, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };
	uint64_t wakes;
	int ret;

	if (ring->busy_poll_us && timeout_ms != 0 && spin(ring, &timeout_ms, stop))
		return WAIT_READY;
	if (ring->down && timeout_ms != 0)
		timeout_ms = 1;
	ret = poll(events, wake_fd >= 0 ? 2 : 1, timeout_ms);
	if (ret < 0)
		return errno == EINTR ? WAIT_INTERRUPTED : error_errno(error, errno, "can't poll on packet socket");
	if (events[0].revents == POLLIN)
		return WAIT_READY;
	ret = socket_event(ring, events[0].revents, error);
	if (ret < 0)
		return ret;
	if (wake_fd >= 0 && events[1].revents & POLLIN) {
		if (read(wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
			return error_errno(error, errno, "Error reading from event FD");
		return WAIT_WOKEN;
	}
	return ring->down ? look_after_interface(ring, error) : WAIT_TIMEOUT;
}
