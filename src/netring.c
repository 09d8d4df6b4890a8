/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's API: what netring.h promises, on one packet ring or on several that are read as one. */
#include "netring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "capture.h"
#include "packet-filter.h"
#include "self-status.h"
#include "xdp-protocol.h"
#include "xdp-tap.h"

struct shape {
	uint32_t block_size, block_count, block_timeout_ms, frame_size, busy_poll_us;
};

static const struct shape shapes[] = {
	[NETRING_PROFILE_DEFAULT] = { 4 << 20, 64, 60, 0, 0 },	     [NETRING_PROFILE_HIGH_THROUGHPUT] = { 4 << 20, 256, 60, 0, 0 },
	[NETRING_PROFILE_LOW_LATENCY] = { 256 << 10, 64, 1, 0, 50 }, [NETRING_PROFILE_LOW_MEMORY] = { 1 << 20, 16, 100, 0, 0 },
	[NETRING_PROFILE_JUMBO] = { 4 << 20, 64, 60, 65536, 0 },
};

void netring_config_init(struct netring_config *config, enum netring_profile profile)
{
	bool known = (unsigned)profile < sizeof(shapes) / sizeof(*shapes);
	const struct shape *shape = &shapes[known ? profile : NETRING_PROFILE_DEFAULT];

	memset(config, 0, sizeof(*config));
	config->size = sizeof(*config);
	config->block_size = shape->block_size;
	config->block_count = shape->block_count;
	config->block_timeout_ms = shape->block_timeout_ms;
	config->frame_size = shape->frame_size;
	config->busy_poll_us = shape->busy_poll_us;
	config->limit_memory = true;
	config->show_stats = true;
	config->rings = 1;
	config->fanout.group = NETRING_FANOUT_AUTO;
	config->numa_node = NETRING_NUMA_AUTO;
	config->xdp.frame_size = 2048;
}

int netring_open(struct netring **capture, const struct netring_config *config, struct netring_error *error)
{
	static const struct log silent = { LOG_OFF, -1 };

	return capture_open(capture, config, &silent, error);
}

void netring_close(struct netring *capture)
{
	capture_close(capture);
}

/* Taking from one ring */

static int take_single(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	int ret;

	if (unlikely(capture->out)) {
		burst->count = capture->out;
		netring_give_back(capture, burst, burst->count);
	}
	burst->count = 0;
	if (max == 0)
		return 0;
	ret = packet_ring_take(&capture->ring[0], burst, max, error);
	capture->out = burst->count;
	return ret;
}

static void give_back_single(struct netring *capture, struct netring_burst *burst, unsigned used)
{
	if (!capture->out)
		return;
	burst->count = capture->out;
	capture->out = 0;
	if (used > burst->count)
		used = burst->count;
	packet_ring_give_back(&capture->ring[0], burst, used);
	capture_stats_moved(capture, &capture->stats, used);
}

int capture_borrow(struct netring *capture, struct block_cursor *cursor, struct netring_error *error)
{
	struct packet_ring *ring = &capture->ring[0];
	int ret;

	if (!packet_ring_is_plain(ring) || capture->out)
		return -EAGAIN;
	ret = packet_ring_enter_block(ring, error);
	if (ret == 1)
		*cursor = ring->cursor;
	return ret;
}

void capture_return(struct netring *capture, const struct block_cursor *cursor)
{
	struct packet_ring *ring = &capture->ring[0];
	unsigned packets = ring->cursor.left - cursor->left;

	packet_ring_count_delivered(ring, packets);
	ring->cursor = *cursor;
	packet_ring_leave_if_empty(ring);
	capture_stats_moved(capture, &capture->stats, cursor->left == 0 ? STATS_LOOK_WEIGHT : packets);
}

void capture_return_at(struct netring *capture, const uint8_t *frame)
{
	struct block_cursor cursor = capture->ring[0].cursor;

	block_seek(&cursor, frame);
	capture_return(capture, &cursor);
}

int capture_borrow_xdp(struct netring *capture, struct xdp_cursor *cursor, unsigned max)
{
	struct packet_ring *ring = &capture->ring[0];

	return packet_filter_is_due(ring) || capture->out ? -EAGAIN : xdp_ring_borrow(ring, cursor, max);
}

void capture_return_xdp(struct netring *capture, const struct xdp_desc *desc)
{
	struct packet_ring *ring = &capture->ring[0];
	uint64_t before = ring->delivered;

	xdp_ring_return(ring, desc);
	capture_stats_moved(capture, &capture->stats, (unsigned)(ring->delivered - before));
}

/* Taking from several */

/* How long packets that wait are left alone. */
static int look_ms(const struct netring *capture)
{
	int delay_ms = (int)((capture->merge.delay_ns + 999999) / 1000000);

	return delay_ms && delay_ms < CAPTURE_LOOK_MS ? delay_ms : CAPTURE_LOOK_MS;
}

/* The rings that have nothing in hand. Of the others the sockets are readable for what is in hand. */
static unsigned rings_to_wait_for(struct netring *capture, struct packet_ring **rings)
{
	unsigned count = 0;

	for (unsigned i = 0; i < capture->rings; i++)
		if (!capture_is_merged(capture) || merge_source_is_empty(&capture->merge.source[i]))
			rings[count++] = &capture->ring[i];
	return count;
}

/*
 * The descriptor for poll is not to say readable for packets that have to wait: so the rings that have packets in hand are not watched for as long.
 * What they wait for is in the others; or it was stamped and is on its way; or their own ring gets half full meanwhile: the timer says when to
 * look.
 */
static int set_muted(struct netring *capture, bool muted, struct netring_error *error)
{
	struct itimerspec timer = { .it_value.tv_nsec = muted ? look_ms(capture) * 1000000L : 0 };

	if (timerfd_settime(capture->timer_fd, 0, &timer, NULL) < 0)
		return error_errno(error, errno, "timerfd_settime");
	for (unsigned i = 0; i < capture->rings; i++) {
		struct epoll_event event = { .events = muted && !merge_source_is_empty(&capture->merge.source[i]) ? 0 : EPOLLIN };

		if (epoll_ctl(capture->epoll_fd, EPOLL_CTL_MOD, capture->ring[i].fd, &event) < 0)
			return error_errno(error, errno, "epoll_ctl");
	}
	capture->muted = muted;
	return 0;
}

/* The same by a short sleep, which is poll alone: a sandbox that is made for libpcap ends a process that does any other thing. */
static int rest(struct netring *capture, struct netring_error *error)
{
	struct packet_ring *rings[CAPTURE_RINGS_MAX];
	unsigned count = rings_to_wait_for(capture, rings);
	int ret = packet_wait(rings, count, look_ms(capture), -1, NULL, error);

	return ret < 0 ? ret : 0;
}

/* A descriptor that was muted when the sandbox was entered stays as it is, with a timer that has run out: readable at all times. */
static int keep_waiting(struct netring *capture, bool waiting, struct netring_error *error)
{
	if (!self_watch_sees_sandbox(&capture->self))
		return set_muted(capture, waiting, error);
	return waiting ? rest(capture, error) : 0;
}

int capture_borrow_merged(struct netring *capture, unsigned max, struct netring_error *error)
{
	int taken = merge_take(&capture->merge, max, error), ret = 0;
	bool waiting = taken == 0 && max != 0 && capture->watched && merge_is_waiting(&capture->merge);

	/* Each time, when it waits: it may be other rings by now, and the timer runs once. */
	if (unlikely(waiting || capture->muted))
		ret = keep_waiting(capture, waiting, error);
	if (likely(ret == 0))
		return taken;
	merge_give_back(&capture->merge, 0);
	return ret;
}

static int take_merged(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	const struct merge *merge = &capture->merge;
	int taken = capture_borrow_merged(capture, max, error);

	burst->count = taken > 0 ? (unsigned)taken : 0;
	burst->block_sequence = 0;
	burst->losing = false;
	for (unsigned i = 0; i < burst->count; i++) {
		const struct merge_source *source = merge->packet[i].source;

		source->ring->kind->view(source->ring, &burst->packet[i], merge->packet[i].frame);
		burst->packet[i].ring = (uint32_t)(source - merge->source);
		burst->losing |= source->list.losing;
	}
	return taken;
}

/* Both */

int capture_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	if (max > NETRING_BURST_MAX)
		max = NETRING_BURST_MAX;
	return capture_is_merged(capture) ? take_merged(capture, burst, max, error) : take_single(capture, burst, max, error);
}

/* When there is nothing to take: is there nothing, or nothing in order? */
static enum stats_state state_of(const struct netring *capture)
{
	return merge_is_waiting(&capture->merge) ? STATS_READING : STATS_EMPTY;
}

int netring_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	capture_start(capture);
	/* Once round the ring at most: packets may come in as fast as the filter takes them out. */
	for (uint32_t cells = capture->ring[0].cells; cells != 0; cells--) {
		int ret = capture_take(capture, burst, max, error);

		/* A program that sleeps by itself sleeps now. */
		if (ret == 0 && max != 0 && capture_stats_are_old(&capture->stats, state_of(capture)))
			capture_stats_update(capture, state_of(capture));
		if (ret != -EAGAIN)
			return ret;
	}
	return 0;
}

void netring_give_back(struct netring *capture, struct netring_burst *burst, unsigned used)
{
	if (capture_is_merged(capture)) {
		merge_give_back(&capture->merge, used);
		capture_stats_moved(capture, &capture->stats, used);
	} else {
		give_back_single(capture, burst, used);
	}
}

/*
 * Packets in hand wait for other rings, and the kernel goes on filling their own: a look now and then, and when one is half full it is read on. An
 * interface that is down keeps nobody from the packets of the others.
 */
static int wait_with_looks(struct netring *capture, struct packet_ring *const *rings, unsigned count, int timeout_ms, int wake_fd,
			   const volatile int *stop, struct netring_error *error)
{
	int ret, left_ms = timeout_ms, look = look_ms(capture);

	do {
		int slice_ms = left_ms >= 0 && left_ms < look ? left_ms : look;

		ret = packet_wait(rings, count, slice_ms, wake_fd, stop, error);
		if (left_ms > 0)
			left_ms -= slice_ms;
		/* Stamped before they came: what has become of them in that time, only a take can tell. */
		if (ret == WAIT_TIMEOUT && (merge_is_ready(&capture->merge) || (capture->merge.delay_ns && slice_ms == look)))
			return WAIT_READY;
	} while (ret == WAIT_TIMEOUT && left_ms != 0);
	return ret == WAIT_DOWN ? WAIT_READY : ret;
}

/*
 * There is nothing in hand. A burst of XDP may be a few packets, and the next one near: only when nothing has come for a moment does the page get the
 * figures of a reader that waits.
 */
static int wait_with_figures(struct netring *capture, struct packet_ring *const *rings, unsigned count, int timeout_ms, int wake_fd,
			     const volatile int *stop, struct netring_error *error)
{
	if (timeout_ms < 0 && capture_is_xdp(capture) && capture_stats_are_behind(&capture->stats)) {
		int ret = packet_wait(rings, count, PACKET_WAIT_BRIEF, wake_fd, stop, error);

		if (ret != WAIT_TIMEOUT && ret != WAIT_DOWN)
			return ret;
	}
	capture_stats_update(capture, STATS_EMPTY);
	return packet_wait(rings, count, timeout_ms, wake_fd, stop, error);
}

int capture_wait(struct netring *capture, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error)
{
	struct packet_ring *rings[CAPTURE_RINGS_MAX];
	unsigned count = rings_to_wait_for(capture, rings);
	int ret;

	/* Who reads comes here before there can be anything. */
	capture_start(capture);
	if (merge_is_waiting(&capture->merge)) {
		capture_stats_look(capture);
		ret = wait_with_looks(capture, rings, count, timeout_ms, wake_fd, stop, error);
	} else {
		ret = wait_with_figures(capture, rings, count, timeout_ms, wake_fd, stop, error);
	}
	for (unsigned i = 0; ret == -ENODEV && i < capture->ports; i++)
		xdp_port_let_go(&capture->port[i]);
	if (ret == WAIT_READY && capture->stats.shown != STATS_READING)
		capture_stats_resume(capture);
	return ret;
}

static const struct packet_ring *ring_that_is_down(const struct netring *capture)
{
	for (unsigned i = 0; i < capture->rings; i++)
		if (capture->ring[i].down)
			return &capture->ring[i];
	return NULL;
}

bool capture_is_down(const struct netring *capture)
{
	return ring_that_is_down(capture) != NULL;
}

bool capture_is_ready(const struct netring *capture)
{
	return capture_is_merged(capture) ? merge_is_ready(&capture->merge) : packet_ring_is_ready(&capture->ring[0]);
}

int netring_wait(struct netring *capture, int timeout_ms, struct netring_error *error)
{
	const struct packet_ring *down;
	int ret;

	if (capture_is_ready(capture))
		return 1;
	ret = capture_wait(capture, timeout_ms, -1, NULL, error);
	down = ring_that_is_down(capture); /* none, if it has just come up */
	if (ret == WAIT_DOWN && down)
		return error_set(error, ENETDOWN, "%s is down", down->interface);
	return ret < 0 ? ret : ret == WAIT_READY;
}

/*
 * Who sleeps by himself is told of what there is, too, without a system call, as the program may be in a sandbox: the first record of each ring has
 * woken (xdp_tap_line.wanted is 1 at first), and until somebody looks epoll keeps in mind that it has to look there.
 */
static void watch_taps(struct netring *capture)
{
	for (unsigned i = 0; i < capture->rings; i++)
		xdp_tap_watch(&capture->ring[i]);
}

int netring_fd(struct netring *capture)
{
	capture_start(capture);
	if (!capture->watched && capture_is_tap(capture))
		watch_taps(capture);
	capture->watched = true;
	return capture_fd(capture);
}

int capture_fd(const struct netring *capture)
{
	return capture->epoll_fd >= 0 ? capture->epoll_fd : capture->ring[0].fd;
}

/* Of AF_XDP the program is the interface's; then each ring looks what it has to judge itself. */
static int set_filters(struct netring *capture, const struct sock_filter *filter, unsigned length, unsigned *set, struct netring_error *error)
{
	int ret = 0, result = 0;

	for (unsigned i = 0; ret >= 0 && i < capture->ports; i++)
		ret = xdp_program_set_filter(&capture->port[i].program, filter, length, error);
	for (*set = 0; ret >= 0 && *set < capture->rings; ++*set) {
		ret = packet_filter_set(&capture->ring[*set], filter, length, error);
		if (ret > result)
			result = ret;
	}
	return ret < 0 ? ret : result;
}

/* The kernel's memory for filters ran out at a later ring, or there is to be no fallback: the program that was in force is in force again. */
static void restore_filter(struct netring *capture, unsigned rings, const struct sock_filter *filter, unsigned length)
{
	for (unsigned i = 0; i < capture->ports; i++)
		xdp_program_set_filter(&capture->port[i].program, filter, length, NULL);
	for (unsigned i = 0; i < rings; i++)
		packet_filter_set(&capture->ring[i], filter, length, NULL);
}

static int exchange_filter(struct netring *capture, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	const struct packet_ring *first = &capture->ring[0];
	size_t size = first->filter_length * sizeof(*filter);
	unsigned old_length = first->filter_length, set;
	struct sock_filter *old = NULL;
	int ret;

	if ((capture->rings > 1 || capture_is_xdp(capture)) && size) {
		old = malloc(size);
		if (!old)
			return error_errno(error, ENOMEM, "filter of %u instructions", old_length);
		memcpy(old, first->filter, size);
	}
	ret = set_filters(capture, filter, length, &set, error);
	if (ret < 0 && (capture->rings > 1 || capture_is_xdp(capture)))
		restore_filter(capture, capture_is_xdp(capture) ? capture->rings : set, old, old_length);
	free(old);
	return ret;
}

int netring_set_filter(struct netring *capture, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	uint16_t protocol = capture_is_xdp(capture) ? capture->port[0].protocol : 0;
	struct sock_filter *whole;
	unsigned whole_length;
	int ret = xdp_protocol_filter(&whole, &whole_length, protocol, filter, length, error);

	if (ret < 0)
		return ret;
	ret = whole ? exchange_filter(capture, whole, whole_length, error) : exchange_filter(capture, filter, length, error);
	free(whole);
	capture_start(capture);
	return ret;
}

static void add_stats(struct netring_stats *sum, const struct netring_stats *one)
{
	sum->packets += one->packets;
	sum->drops += one->drops;
	sum->freezes += one->freezes;
	sum->delivered += one->delivered;
	sum->rejected += one->rejected;
	sum->ring_bytes += one->ring_bytes;
	sum->ring_bytes_asked += one->ring_bytes_asked;
}

int netring_stats(struct netring *capture, struct netring_stats *stats, struct netring_error *error)
{
	struct netring_stats sum = { .disordered = __atomic_load_n(&capture->merge.disordered, __ATOMIC_RELAXED) };

	capture_start(capture);
	for (unsigned i = 0; i < capture->rings; i++) {
		struct netring_stats one;
		int ret = packet_ring_stats(&capture->ring[i], &one, error);

		if (ret < 0)
			return ret;
		add_stats(&sum, &one);
	}
	for (unsigned i = 0; i < capture->ports; i++)
		xdp_port_look_at_queues(&capture->port[i]);
	*stats = sum;
	return 0;
}

unsigned netring_rings(const struct netring *capture)
{
	return capture->rings;
}

int netring_ring_stats(struct netring *capture, unsigned ring, struct netring_stats *stats, struct netring_error *error)
{
	if (ring >= capture->rings)
		return error_set(error, EINVAL, "ring %u: there are %u, counted from 0", ring, capture->rings);
	capture_start(capture);
	return packet_ring_stats(&capture->ring[ring], stats, error);
}

const char *netring_ring_interface(const struct netring *capture, unsigned ring)
{
	return ring < capture->rings ? capture->ring[ring].interface : NULL;
}

int netring_send(struct netring *capture, const void *frame, size_t length, struct netring_error *error)
{
	ssize_t sent;

	capture_start(capture);
	if (capture_is_tap(capture))
		return xdp_tap_send(capture_sender(capture), capture->ring[0].ifindex, frame, length, error);
	if (capture_is_xdp(capture))
		return xdp_ring_send(&capture->ring[0], frame, length, error);
	sent = send(capture->ring[0].fd, frame, length, 0);
	return sent < 0 ? error_errno(error, errno, "send") : (int)sent;
}

const char *netring_version(void)
{
	return NETRING_VERSION;
}
