/* SPDX-License-Identifier: BSD-3-Clause */
/* Sleeping until one of several packet rings has something, and finding out what became of the interface when poll says that something is wrong. */
#include "packet-wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "interface.h"

/* A reader's sleep after packets: the shortest that poll knows, and half of it after more cells than that. */
#define REST_MS 1
#define REST_CELLS 2048

/* Longer than the gaps in a stream of packets that is worth a thought. */
#define BRIEF_MS 10

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool any_is_ready(struct packet_ring *const *rings, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (packet_ring_is_ready(rings[i]))
			return true;
	return false;
}

/* Where the kernel waits to be asked for packets. */
static void drive(struct packet_ring *const *rings, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rings[i]->drives)
			rings[i]->kind->drive(rings[i]);
}

/* Watches the rings without sleeping, for a part of *timeout_ms. True if there is something. */
static bool spin(struct packet_ring *const *rings, unsigned count, int *timeout_ms, const volatile int *stop)
{
	uint64_t limit = *timeout_ms < 0 ? UINT64_MAX : (uint64_t)*timeout_ms * 1000;
	uint64_t us = rings[0]->busy_poll_us < limit ? rings[0]->busy_poll_us : limit, end = now_us() + us;

	if (*timeout_ms > 0)
		*timeout_ms -= (int)(us / 1000);
	do {
		if (any_is_ready(rings, count))
			return true;
		drive(rings, count);
	} while (!(stop && *stop) && now_us() < end);
	return false;
}

/* The socket's error, which asking for clears. ENETDOWN is no error: the interface may come up again. */
static int take_error(struct packet_ring *ring, struct netring_error *error)
{
	int pending = 0;
	socklen_t size = sizeof(pending);

	if (getsockopt(ring->watch_fd, SOL_SOCKET, SO_ERROR, &pending, &size) < 0)
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
	if (getsockname(ring->watch_fd, (struct sockaddr *)&address, &size) < 0)
		return error_errno(error, errno, "getsockname failed");
	if (address.sll_ifindex == -1)
		return error_set(error, ENODEV, "The interface disappeared");
	up = interface_is_up(ring->watch_fd, ring->interface, error);
	if (up < 0)
		return up;
	ring->down = up == 0;
	return WAIT_DOWN;
}

/* Of several interfaces, which one it is about. */
static int name_interface(const struct packet_ring *ring, int err, struct netring_error *error)
{
	struct netring_error about;

	if (!ring->one_of_several || !error)
		return err;
	about = *error;
	return error_set(error, -err, "%s: %s", ring->interface, about.text);
}

static bool any_is_down(struct packet_ring *const *rings, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rings[i]->down)
			return true;
	return false;
}

/*
 * What poll is to look at: the rings, then whoever else tells what becomes of their interfaces (for rings of one interface that is the same, more than
 * once), then wake_fd. Returns the number.
 */
static unsigned make_events(struct pollfd *events, struct packet_ring *const *rings, unsigned count, int wake_fd)
{
	unsigned number = count;

	for (unsigned i = 0; i < count; i++)
		events[i] = (struct pollfd){ .fd = rings[i]->fd, .events = POLLIN };
	for (unsigned i = 0; i < count; i++)
		if (rings[i]->watch_fd != rings[i]->fd)
			events[number++] = (struct pollfd){ .fd = rings[i]->watch_fd };
	events[number] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
	return number + 1;
}

static bool any_has_packets(const struct pollfd *events, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (events[i].revents == POLLIN)
			return true;
	return false;
}

static int take_events(struct packet_ring *const *rings, const struct pollfd *events, unsigned count, struct netring_error *error)
{
	unsigned watcher = count;

	for (unsigned i = 0; i < count; i++) {
		short seen = rings[i]->watch_fd == rings[i]->fd ? events[i].revents : events[watcher++].revents;
		int ret = seen ? socket_event(rings[i], seen, error) : 0;

		if (ret < 0)
			return name_interface(rings[i], ret, error);
	}
	return 0;
}

/* WAIT_DOWN if one of them is down, else WAIT_TIMEOUT. */
static int look_after_interfaces(struct packet_ring *const *rings, unsigned count, struct netring_error *error)
{
	int result = WAIT_TIMEOUT;

	for (unsigned i = 0; i < count; i++) {
		int ret = rings[i]->down ? look_after_interface(rings[i], error) : WAIT_TIMEOUT;

		if (ret < 0)
			return name_interface(rings[i], ret, error);
		if (ret == WAIT_DOWN)
			result = WAIT_DOWN;
	}
	return result;
}

static int read_wakes(int wake_fd, struct netring_error *error)
{
	uint64_t wakes;

	if (read(wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
		return error_errno(error, errno, "Error reading from event FD");
	return WAIT_WOKEN;
}

/* Cells that have been read since the last time. A whole round of the ring looks like none: then there is no rest, once. */
static uint32_t read_since(struct packet_ring *ring)
{
	uint32_t cells = ring->position - ring->rested_at + (ring->position < ring->rested_at ? ring->cells : 0);

	ring->rested_at = ring->position;
	return ring->rests ? cells : 0;
}

/*
 * poll for REST_MS, or half of that where so many cells come in it that they leave the caches. For the half it takes ppoll, which libpcap does not use,
 * and which a sandbox may forbid.
 */
static int sleep_a_moment(struct packet_ring *first, uint32_t cells, struct pollfd *others, unsigned number)
{
	const struct timespec half = { .tv_nsec = REST_MS * 1000000 / 2 };

	if (cells <= REST_CELLS || self_watch_sees_sandbox(&first->self))
		return poll(others, number, REST_MS);
	return ppoll(others, number, &half, NULL);
}

/*
 * Lets packets come together, where each would be a wake-up of its own: sleeps for a moment without an eye on the rings. Only after packets: what
 * comes after a silence is not kept waiting. WAIT_READY if that was it, and there are packets now; WAIT_INTERRUPTED by a signal; else WAIT_TIMEOUT, also if
 * there is something else to look at.
 */
static int rest(struct packet_ring *const *rings, unsigned count, struct pollfd *others, unsigned number)
{
	uint32_t cells = 0;
	int ret;

	for (unsigned i = 0; i < count; i++)
		cells += read_since(rings[i]);
	if (cells == 0)
		return WAIT_TIMEOUT;
	ret = sleep_a_moment(rings[0], cells, others, number);
	if (ret < 0 && errno == EINTR)
		return WAIT_INTERRUPTED;
	return ret == 0 && any_is_ready(rings, count) ? WAIT_READY : WAIT_TIMEOUT;
}

static void arm(struct packet_ring *const *rings, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rings[i]->kind->arm)
			rings[i]->kind->arm(rings[i]);
}

/*
 * Rings that wake nobody who has not asked for it: what comes gathers during a nap, at the end of which poll looks by itself; only who sleeps on asks to
 * be woken.
 */
static int sleep_on(struct packet_ring *const *rings, unsigned count, struct pollfd *events, unsigned number, int timeout_ms)
{
	int nap_ms = count != 0 ? (int)rings[0]->nap_ms : 0, ret;

	if (nap_ms != 0 && timeout_ms != 0) {
		if (timeout_ms >= 0 && timeout_ms <= nap_ms)
			return poll(events, number, timeout_ms);
		ret = poll(events, number, nap_ms);
		if (ret != 0)
			return ret;
		timeout_ms -= timeout_ms < 0 ? 0 : nap_ms;
	}
	if (timeout_ms != 0)
		arm(rings, count);
	return poll(events, number, timeout_ms);
}

int packet_wait(struct packet_ring *const *rings, unsigned count, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error)
{
	struct pollfd events[2 * PACKET_WAIT_MAX + 1];
	unsigned number;
	int ret;

	if (count != 0 && rings[0]->busy_poll_us && timeout_ms != 0 && spin(rings, count, &timeout_ms, stop))
		return WAIT_READY;
	if (timeout_ms != 0 && any_is_down(rings, count))
		timeout_ms = 1;
	number = make_events(events, rings, count, wake_fd);
	ret = timeout_ms < 0 ? rest(rings, count, events + count, number - count - (wake_fd < 0)) : WAIT_TIMEOUT;
	if (ret != WAIT_TIMEOUT)
		return ret;
	if (timeout_ms == PACKET_WAIT_BRIEF)
		timeout_ms = BRIEF_MS;
	ret = sleep_on(rings, count, events, wake_fd >= 0 ? number : number - 1, timeout_ms);
	if (ret < 0)
		return errno == EINTR ? WAIT_INTERRUPTED : error_errno(error, errno, "can't poll on packet socket");
	if (any_has_packets(events, count))
		return WAIT_READY;
	ret = take_events(rings, events, count, error);
	if (ret < 0)
		return ret;
	if (events[number - 1].revents & POLLIN)
		return read_wakes(wake_fd, error);
	return look_after_interfaces(rings, count, error);
}
