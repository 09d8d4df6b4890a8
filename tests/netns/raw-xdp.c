/* SPDX-License-Identifier: BSD-3-Clause */
/* See raw-xdp.h. Linux, Documentation/networking/af_xdp.rst. */
#include "raw-xdp.h"

#include <check.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIND_TRIES 10000
#define MASK (RAW_XDP_FRAMES - 1)

static void map_ring(struct raw_xdp_ring *ring, int fd, const struct xdp_ring_offset *offset, size_t entry_size, off_t where)
{
	ring->size = (uint32_t)(offset->desc + RAW_XDP_FRAMES * entry_size);
	ring->map = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, where);
	ck_assert_msg(ring->map != MAP_FAILED, "%s", strerror(errno));
	ring->producer = (uint32_t *)((uint8_t *)ring->map + offset->producer);
	ring->consumer = (uint32_t *)((uint8_t *)ring->map + offset->consumer);
	ring->entries = (uint8_t *)ring->map + offset->desc;
}

static void set_option(int fd, int option, const void *value, socklen_t size)
{
	ck_assert_msg(setsockopt(fd, SOL_XDP, option, value, size) == 0, "option %d: %s", option, strerror(errno));
}

/* The kernel lets go of a queue some time after the socket is closed. */
static void bind_late(int fd, const struct sockaddr_xdp *address)
{
	int tries = BIND_TRIES, ret;

	while ((ret = bind(fd, (const struct sockaddr *)address, sizeof(*address))) < 0 && errno == EBUSY && --tries)
		poll(NULL, 0, 1);
	ck_assert_msg(ret == 0, "queue %u: %s", address->sxdp_queue_id, strerror(errno));
}

void raw_xdp_open(struct raw_xdp *raw, const char *interface, uint32_t queue)
{
	const uint32_t entries = RAW_XDP_FRAMES;
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_queue_id = queue };
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	struct xdp_umem_reg memory = { .len = (uint64_t)RAW_XDP_FRAMES * RAW_XDP_FRAME_SIZE, .chunk_size = RAW_XDP_FRAME_SIZE };

	raw->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	ck_assert_msg(raw->fd >= 0, "AF_XDP: %s", strerror(errno));
	raw->memory = mmap(NULL, memory.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(raw->memory, MAP_FAILED);
	memory.addr = (uintptr_t)raw->memory;
	set_option(raw->fd, XDP_UMEM_REG, &memory, sizeof(memory));
	set_option(raw->fd, XDP_UMEM_FILL_RING, &entries, sizeof(entries));
	set_option(raw->fd, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries));
	set_option(raw->fd, XDP_RX_RING, &entries, sizeof(entries));
	ck_assert_int_eq(getsockopt(raw->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size), 0);
	map_ring(&raw->fill, raw->fd, &offsets.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	map_ring(&raw->received, raw->fd, &offsets.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	for (uint32_t i = 0; i < RAW_XDP_FRAMES; i++)
		((uint64_t *)raw->fill.entries)[i] = (uint64_t)i * RAW_XDP_FRAME_SIZE;
	__atomic_store_n(raw->fill.producer, RAW_XDP_FRAMES, __ATOMIC_RELEASE);
	address.sxdp_ifindex = if_nametoindex(interface);
	bind_late(raw->fd, &address);
}

void raw_xdp_close(struct raw_xdp *raw)
{
	close(raw->fd);
	munmap(raw->fill.map, raw->fill.size);
	munmap(raw->received.map, raw->received.size);
	munmap(raw->memory, (size_t)RAW_XDP_FRAMES * RAW_XDP_FRAME_SIZE);
}

static bool is_empty(const struct raw_xdp *raw)
{
	return __atomic_load_n(raw->received.producer, __ATOMIC_ACQUIRE) == *raw->received.consumer;
}

bool raw_xdp_take(struct raw_xdp *raw, struct raw_xdp_packet *packet, int timeout_ms)
{
	struct pollfd waiting = { .fd = raw->fd, .events = POLLIN };
	const struct xdp_desc *entry;
	struct xdp_frame *frame;

	if (is_empty(raw) && (poll(&waiting, 1, timeout_ms) <= 0 || is_empty(raw)))
		return false;
	entry = (const struct xdp_desc *)raw->received.entries + (*raw->received.consumer & MASK);
	frame = (struct xdp_frame *)(raw->memory + entry->addr) - 1;
	*packet = (struct raw_xdp_packet){ .data = raw->memory + entry->addr, .length = entry->len, .address = entry->addr };
	packet->marked = frame->mark == XDP_FRAME_MARK;
	packet->tai_ns = frame->tai_ns;
	packet->verdict = frame->verdict;
	frame->mark = 0;
	__atomic_store_n(raw->received.consumer, *raw->received.consumer + 1, __ATOMIC_RELEASE);
	return true;
}

void raw_xdp_give_back(struct raw_xdp *raw, const struct raw_xdp_packet *packet)
{
	uint32_t producer = *raw->fill.producer;

	((uint64_t *)raw->fill.entries)[producer & MASK] = packet->address & ~(uint64_t)(RAW_XDP_FRAME_SIZE - 1);
	__atomic_store_n(raw->fill.producer, producer + 1, __ATOMIC_RELEASE);
}
