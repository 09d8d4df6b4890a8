/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting up the ring buffer of one CPU: the map, which is all of its memory, and two mappings of it, one of which can be written to. They are shared with
 * forked children, as those of packet rings are: programs that go to the background by fork read on from there.
 */
#include "xdp-tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libbpf.h"
#include "packet-filter.h"
#include "packet-wait.h"
#include "pages.h"

/* A CPU gets less than this only if it is one of a few. */
#define RING_SHARE_MIN (UINT64_C(1) << 20)

/* A map's size is a number of 32 bits, and a power of two. */
#define RING_MAX (UINT64_C(1) << 31)

unsigned xdp_tap_rings(const struct netring_config *config, unsigned interfaces)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t total = (uint64_t)config->block_size * config->block_count, fit = total / interfaces / RING_SHARE_MIN;

	if (fit > PACKET_WAIT_MAX / interfaces)
		fit = PACKET_WAIT_MAX / interfaces;
	if (fit == 0)
		return 1;
	return cpus > 0 && (uint64_t)cpus < fit ? (unsigned)cpus : (unsigned)fit;
}

uint64_t xdp_tap_size(uint64_t bytes)
{
	uint64_t size = (uint64_t)sysconf(_SC_PAGESIZE);

	while (size < RING_MAX && 2 * size <= bytes)
		size *= 2;
	return size;
}

void xdp_tap_close(struct packet_ring *ring)
{
	struct xdp_tap *tap = ring->tap;

	if (!tap)
		return;
	if (tap->words)
		munmap(tap->words, (size_t)sysconf(_SC_PAGESIZE));
	if (tap->map)
		munmap(tap->map, tap->map_length);
	pages_free(tap->copy, XDP_TAP_COPIES_LENGTH);
	free(tap);
	ring->tap = NULL;
}

static int make_map(const struct xdp_program *program, uint64_t bytes)
{
	return program->bpf->bpf_map_create(BPF_MAP_TYPE_RINGBUF, "netring_packets", 0, 0, (uint32_t)bytes, NULL);
}

/* The kernel says ENOMEM only when it has no page left, so that one step less is worth trying. */
static int open_map(struct packet_ring *ring, const struct xdp_tap_ring_options *options, uint64_t *bytes, struct netring_error *error)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int ret;

	for (*bytes = options->bytes;; *bytes /= 2) {
		ret = make_map(options->program, *bytes);
		if (ret != -ENOMEM || ring->strict || *bytes / 2 < page)
			break;
	}
	if (ret < 0)
		return error_errno(error, -ret, "%s: BPF ring buffer of %llu KiB", ring->interface, (unsigned long long)*bytes >> 10);
	ring->fd = ret;
	if (*bytes < options->bytes)
		log_write(&ring->log, LOG_WARN, "%s: a ring buffer has %llu KiB instead of %llu, because memory is short", ring->interface,
			  (unsigned long long)*bytes >> 10, (unsigned long long)options->bytes >> 10);
	return 0;
}

/* One page with the consumer, one with the producer, the data twice. */
static int map_ring(struct packet_ring *ring, uint64_t bytes, struct netring_error *error)
{
	struct xdp_tap *tap = ring->tap;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);

	if (map == MAP_FAILED)
		return error_errno(error, errno, "%s: mmap of a BPF ring buffer's first page", ring->interface);
	tap->words = map;
	tap->consumer = map;
	tap->map_length = page + 2 * (size_t)bytes;
	map = mmap(NULL, tap->map_length, PROT_READ, MAP_SHARED, ring->fd, (off_t)page);
	if (map == MAP_FAILED)
		return error_errno(error, errno, "%s: mmap of a BPF ring buffer of %llu KiB", ring->interface, (unsigned long long)bytes >> 10);
	tap->map = map;
	tap->producer = map;
	tap->data = tap->map + page;
	tap->copy = pages_allocate(XDP_TAP_COPIES_LENGTH);
	if (!tap->copy)
		return error_errno(error, errno, "%s: memory for packets", ring->interface);
	return 0;
}

static uint32_t nap_ms(const struct netring_config *config)
{
	if (config->immediate)
		return 0;
	return config->block_timeout_ms != 0 && config->block_timeout_ms < XDP_TAP_NAP_MS ? config->block_timeout_ms : XDP_TAP_NAP_MS;
}

static int prepare(struct packet_ring *ring, const struct netring_config *config, const struct xdp_tap_ring_options *options, const struct log *log,
		   struct netring_error *error)
{
	struct xdp_tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return error_errno(error, ENOMEM, "ring buffer");
	tap->program = options->program;
	tap->line = &options->program->line[options->number];
	tap->line->wanted = 1;
	tap->batches = UINT32_MAX; /* the clocks have not been looked at */
	tap->link = options->link;
	ring->tap = tap;
	ring->kind = &xdp_tap;
	ring->log = *log;
	ring->watch_fd = options->watch_fd;
	ring->ifindex = options->link.sll_ifindex;
	ring->cells_per_block = 1;
	ring->cell_size = XDP_TAP_CELL;
	ring->busy_poll_us = config->busy_poll_us;
	ring->nap_ms = nap_ms(config);
	ring->snaplen = config->snaplen;
	ring->strict = config->strict;
	ring->asked_length = options->asked;
	strncpy(ring->interface, options->interface, sizeof(ring->interface) - 1);
	return 0;
}

int xdp_tap_open(struct packet_ring *ring, const struct netring_config *config, const struct xdp_tap_ring_options *options, const struct log *log,
		 struct netring_error *error)
{
	uint64_t bytes = 0;
	int ret;

	packet_ring_init(ring);
	ret = prepare(ring, config, options, log, error);
	if (ret == 0)
		ret = open_map(ring, options, &bytes, error);
	if (ret == 0)
		ret = map_ring(ring, bytes, error);
	if (ret == 0) {
		ring->cells = (uint32_t)(bytes / XDP_TAP_CELL);
		ret = packet_filter_open(ring, config->filter, config->filter_length, error);
		ret = ret < 0 ? ret : 0;
	}
	if (ret < 0)
		packet_ring_close(ring);
	return ret;
}
