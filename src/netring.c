/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's API: what netring.h promises, on one packet ring. */
#include "netring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "capture.h"
#include "packet-filter.h"
#include "pages.h"

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
}

static int lock_handle(const struct netring *capture, struct netring_error *error)
{
	if (mlock(capture, sizeof(*capture)) < 0)
		return error_errno(error, errno, "mlock of %zu bytes (ulimit -l, CAP_IPC_LOCK)", sizeof(*capture));
	return 0;
}

int capture_open(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error)
{
	struct netring *made;
	int ret;

	if (config->size != sizeof(*config))
		return error_set(error, EINVAL, "config.size %zu: netring_config_init sets it to %zu", config->size, sizeof(*config));
	made = pages_allocate(sizeof(*made));
	if (!made)
		return error_errno(error, errno, "capture handle");
	ret = packet_ring_open(&made->ring, config, log, error);
	if (ret == 0 && config->lock_memory)
		ret = lock_handle(made, error);
	if (ret < 0) {
		netring_close(made);
		return ret;
	}
	*capture = made;
	return 0;
}

int netring_open(struct netring **capture, const struct netring_config *config, struct netring_error *error)
{
	static const struct log silent = { LOG_OFF, -1 };

	return capture_open(capture, config, &silent, error);
}

void netring_close(struct netring *capture)
{
	if (!capture)
		return;
	packet_ring_close(&capture->ring);
	pages_free(capture, sizeof(*capture));
}

int capture_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	int ret;

	if (unlikely(capture->out)) {
		burst->count = capture->out;
		netring_give_back(capture, burst, burst->count);
	}
	burst->count = 0;
	if (max == 0)
		return 0;
	ret = packet_ring_take(&capture->ring, burst, max < NETRING_BURST_MAX ? max : NETRING_BURST_MAX, error);
	capture->out = burst->count;
	return ret;
}

int netring_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	/* Once round the ring at most: packets may come in as fast as the filter takes them out. */
	for (uint32_t cells = capture->ring.cells; cells != 0; cells--) {
		int ret = capture_take(capture, burst, max, error);

		if (ret != -EAGAIN)
			return ret;
	}
	return 0;
}

void netring_give_back(struct netring *capture, struct netring_burst *burst, unsigned used)
{
	if (!capture->out)
		return;
	burst->count = capture->out;
	capture->out = 0;
	packet_ring_give_back(&capture->ring, burst, used < burst->count ? used : burst->count);
}

int capture_borrow(struct netring *capture, struct block_cursor *cursor, struct netring_error *error)
{
	int ret;

	if (!packet_ring_is_plain(&capture->ring) || capture->out)
		return -EAGAIN;
	ret = packet_ring_enter_block(&capture->ring, error);
	if (ret == 1)
		*cursor = capture->ring.cursor;
	return ret;
}

void capture_return(struct netring *capture, const struct block_cursor *cursor)
{
	packet_ring_count_delivered(&capture->ring, capture->ring.cursor.left - cursor->left);
	capture->ring.cursor = *cursor;
	packet_ring_leave_if_empty(&capture->ring);
}

void capture_return_at(struct netring *capture, const uint8_t *frame)
{
	struct block_cursor cursor = capture->ring.cursor;

	block_seek(&cursor, frame);
	capture_return(capture, &cursor);
}

int capture_wait(struct netring *capture, int timeout_ms, int wake_fd, const volatile int *stop, struct netring_error *error)
{
	return packet_wait(&capture->ring, timeout_ms, wake_fd, stop, error);
}

bool capture_is_down(const struct netring *capture)
{
	return capture->ring.down;
}

int netring_wait(struct netring *capture, int timeout_ms, struct netring_error *error)
{
	int ret;

	if (packet_ring_is_ready(&capture->ring))
		return 1;
	ret = packet_wait(&capture->ring, timeout_ms, -1, NULL, error);
	if (ret == WAIT_DOWN)
		return error_set(error, ENETDOWN, "%s is down", capture->ring.interface);
	return ret < 0 ? ret : ret == WAIT_READY;
}

int netring_fd(const struct netring *capture)
{
	return capture->ring.fd;
}

int netring_set_filter(struct netring *capture, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	return packet_filter_set(&capture->ring, filter, length, error);
}

int netring_stats(struct netring *capture, struct netring_stats *stats, struct netring_error *error)
{
	return packet_ring_stats(&capture->ring, stats, error);
}

int netring_send(struct netring *capture, const void *frame, size_t length, struct netring_error *error)
{
	ssize_t sent = send(capture->ring.fd, frame, length, 0);

	return sent < 0 ? error_errno(error, errno, "send") : (int)sent;
}

const char *netring_version(void)
{
	return NETRING_VERSION;
}
