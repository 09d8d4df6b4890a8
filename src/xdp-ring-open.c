/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting up the AF_XDP socket of one queue, by the kernel's own interface (linux/if_xdp.h): memory, four rings, frames to fill, bind.
 *
 * Each queue has memory of its own: sharing it costs more than it saves, and does not go together with NEED_WAKEUP everywhere. The memory is shared
 * with forked children, as that of a packet ring is: programs that go to the background by fork read on from there.
 */
#include "xdp-ring-open.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "packet-filter.h"
#include "xdp-code.h"
#include "xdp-fill.h"
#include "xdp-gather.h"
#include "xdp-ring.h"

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69 /* Linux 5.11 */
#define SO_BUSY_POLL_BUDGET 70
#endif

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

/*
 * What the kernel leaves free in front of a packet; then the program's notes, so that they begin the cache line that the packet's first headers are in;
 * and 2 bytes more, so that an IP header behind 14 bytes is aligned.
 */
#define KERNEL_HEADROOM 256
#define HEADROOM (XDP_FRAME_METADATA + 2)

_Static_assert(XDP_LONG_PACKET + XDP_FRAME_METADATA <= XDP_FILL_CELLS * (2048 - KERNEL_HEADROOM - HEADROOM), "what is not long takes few frames");

#define HUGE_PAGE ((size_t)2 << 20)

/* A queue of a process that is dead, or of a handle that has just been closed, is released by a worker of the kernel's. */
#define BUSY_MS 2000
#define BUSY_LOOK_MS 5
#define BUSY_LATE_LOOKS 40

/* A ring of fewer could run over while its reader sleeps for a moment: it has to take what comes in that time, at any rate that there is. */
#define REST_FRAMES_MIN 16384

/* Packets that the kernel takes in one round when it is made to look. */
#define BUSY_POLL_BUDGET 64

static void unmap_area(struct xdp_area *area)
{
	if (area->map)
		munmap(area->map, area->map_length);
	area->map = NULL;
}

void xdp_ring_close(struct packet_ring *ring)
{
	struct xdp_queue *queue = ring->xdp;

	if (!queue)
		return;
	self_watch_close(&ring->self);
	unmap_area(&queue->receive);
	unmap_area(&queue->fill);
	unmap_area(&queue->transmit);
	unmap_area(&queue->completion);
	xdp_gather_close(queue);
	if (queue->umem)
		munmap(queue->umem, queue->umem_length);
	/* Its lock may be in use by another process that has it, too. */
	if (queue->sender)
		munmap(queue->sender, sizeof(*queue->sender));
	free(queue);
	ring->xdp = NULL;
}

static int open_socket(struct packet_ring *ring, struct netring_error *error)
{
	ring->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring->fd >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return error_set(error, EPERM, "socket: %s: CAP_NET_RAW is needed for an AF_XDP socket", strerror(errno));
	if (errno == EAFNOSUPPORT)
		return error_set(error, EOPNOTSUPP, "the kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	return error_errno(error, errno, "socket (AF_XDP)");
}

static int set_option(const struct packet_ring *ring, int option, const void *value, socklen_t size, const char *name, struct netring_error *error)
{
	if (setsockopt(ring->fd, SOL_XDP, option, value, size) < 0)
		return error_errno(error, errno, "%s: setsockopt (%s)", ring->interface, name);
	return 0;
}

/* Huge pages if there are any to be had; else, where the machine has them for shared memory, they are asked for. */
static uint8_t *map_memory(size_t *length)
{
	size_t rounded = (*length + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_ANONYMOUS;
	void *map = MAP_FAILED;

	if (*length >= HUGE_PAGE)
		map = mmap(NULL, rounded, protection, flags | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
	if (map != MAP_FAILED) {
		*length = rounded;
		return map;
	}
	map = mmap(NULL, *length, protection, flags, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	madvise(map, *length, MADV_HUGEPAGE);
	return map;
}

/* The kernel pins it, so that all of it is there from now on. */
static int register_memory(const struct packet_ring *ring, size_t used, uint32_t frame_size, struct netring_error *error)
{
	const struct xdp_queue *queue = ring->xdp;
	struct xdp_umem_reg request;
	struct rlimit limit = { 0 };

	memset(&request, 0, sizeof(request)); /* what is padding to us is a field of a newer kernel's */
	request.addr = (uintptr_t)queue->umem;
	request.len = used;
	request.chunk_size = frame_size;
	request.headroom = HEADROOM;
	if (setsockopt(ring->fd, SOL_XDP, XDP_UMEM_REG, &request, sizeof(request)) == 0)
		return 0;
	if (errno != ENOBUFS)
		return error_errno(error, errno, "%s: setsockopt (XDP_UMEM_REG) of %zu KiB", ring->interface, used >> 10);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	return error_set(error, ENOMEM, "%s: %zu KiB of memory for frames is more than may be locked, %llu KiB (ulimit -l, CAP_IPC_LOCK)",
			 ring->interface, used >> 10, (unsigned long long)limit.rlim_cur >> 10);
}

static int make_memory(struct packet_ring *ring, const struct netring_config *config, const struct xdp_ring_options *options,
		       struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	size_t frames = options->frames + (options->transmits ? XDP_TRANSMIT_FRAMES : 0), used = frames * options->frame_size;
	struct numa_policy policy;
	int ret = packet_ring_enter_node(ring, config, &policy, error);

	if (ret < 0)
		return ret;
	queue->umem_length = used;
	queue->umem = map_memory(&queue->umem_length);
	if (queue->umem)
		ret = register_memory(ring, used, options->frame_size, error);
	else
		ret = error_errno(error, ENOMEM, "%s: can't mmap %zu KiB for frames", ring->interface, used >> 10);
	numa_leave(&policy);
	queue->chunk_mask = ~(uint64_t)(options->frame_size - 1);
	queue->longest = options->frame_size - KERNEL_HEADROOM - HEADROOM;
	return ret;
}

static int map_area(const struct packet_ring *ring, struct xdp_area *area, const struct xdp_ring_offset *offset, uint32_t entries, size_t entry_size,
		    uint64_t page_offset, struct netring_error *error)
{
	size_t length = offset->desc + entries * entry_size;
	void *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, (off_t)page_offset);

	if (map == MAP_FAILED)
		return error_errno(error, errno, "%s: can't mmap an AF_XDP ring of %u", ring->interface, entries);
	area->map = map;
	area->map_length = length;
	area->producer = (uint32_t *)(area->map + offset->producer);
	area->consumer = (uint32_t *)(area->map + offset->consumer);
	area->flags = (uint32_t *)(area->map + offset->flags);
	area->entries = area->map + offset->desc;
	area->mask = entries - 1;
	return 0;
}

static int set_sizes(const struct packet_ring *ring, const struct xdp_ring_options *options, struct netring_error *error)
{
	uint32_t frames = options->frames, transmits = XDP_TRANSMIT_FRAMES;
	int ret = set_option(ring, XDP_UMEM_FILL_RING, &frames, sizeof(frames), "XDP_UMEM_FILL_RING", error);

	if (ret == 0)
		ret = set_option(ring, XDP_UMEM_COMPLETION_RING, &transmits, sizeof(transmits), "XDP_UMEM_COMPLETION_RING", error);
	if (ret == 0)
		ret = set_option(ring, XDP_RX_RING, &frames, sizeof(frames), "XDP_RX_RING", error);
	if (ret == 0 && options->transmits)
		ret = set_option(ring, XDP_TX_RING, &transmits, sizeof(transmits), "XDP_TX_RING", error);
	return ret;
}

static int map_rings(struct packet_ring *ring, const struct xdp_ring_options *options, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	int ret;

	if (getsockopt(ring->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) < 0)
		return error_errno(error, errno, "%s: getsockopt (XDP_MMAP_OFFSETS)", ring->interface);
	if (size != sizeof(offsets))
		return error_set(error, EOPNOTSUPP, "the kernel's AF_XDP is older than Linux 5.4");
	ret = map_area(ring, &queue->receive, &offsets.rx, options->frames, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, error);
	if (ret == 0)
		ret = map_area(ring, &queue->fill, &offsets.fr, options->frames, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, error);
	if (ret == 0)
		ret = map_area(ring, &queue->completion, &offsets.cr, XDP_TRANSMIT_FRAMES, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, error);
	if (ret == 0 && options->transmits)
		ret = map_area(ring, &queue->transmit, &offsets.tx, XDP_TRANSMIT_FRAMES, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, error);
	return ret;
}

/* All frames for receiving to the kernel, those for sending to whoever sends. */
static void hand_out_frames(struct packet_ring *ring, const struct xdp_ring_options *options)
{
	struct xdp_queue *queue = ring->xdp;

	xdp_fill_begin(queue, options->frames, options->frame_size);
	for (uint32_t n = 0; queue->sender && n < XDP_TRANSMIT_FRAMES; n++)
		queue->sender->idle_frame[queue->sender->idle++] = ((uint64_t)options->frames + n) * options->frame_size;
}

/* A process that dies while it sends does not keep the others from it. */
static int make_sender(struct xdp_queue *queue, struct netring_error *error)
{
	void *map = mmap(NULL, sizeof(*queue->sender), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;

	if (map == MAP_FAILED)
		return error_errno(error, errno, "what is needed for sending through AF_XDP");
	queue->sender = map;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&queue->sender->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0, or the errno. Waits until end_ms for a queue that is in use; and a little longer, because the whole machine may have stood still until then. */
static int bind_patiently(const struct packet_ring *ring, uint16_t flags, uint64_t end_ms)
{
	const struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = flags,
		.sxdp_ifindex = (uint32_t)ring->ifindex,
		.sxdp_queue_id = ring->xdp->number,
	};
	unsigned late = 0;

	while (bind(ring->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int err = errno;

		if (err != EBUSY || (now_ms() >= end_ms && ++late > BUSY_LATE_LOOKS))
			return err;
		poll(NULL, 0, BUSY_LOOK_MS);
	}
	return 0;
}

/*
 * What to bind with, one after the other. Where the driver gives packets without a copy, but not those in several frames, the kernel copies if they are
 * asked for. So they are asked for where packets may be that long, and otherwise where nothing is lost by it. Before Linux 6.6 nobody has them.
 *
 * Behind the driver, in generic mode, the kernel copies whatever the driver could do. Some drivers would be bound for zero copy all the same, and then
 * send nothing, for want of a program of theirs.
 */
static unsigned bind_flags(const struct netring_config *config, bool long_packets, uint16_t flags[3])
{
	bool copies = config->xdp.copy == NETRING_XDP_COPY || config->xdp.mode == NETRING_XDP_GENERIC;
	uint16_t common = XDP_USE_NEED_WAKEUP;
	unsigned count = 0;

	if (copies)
		common |= XDP_COPY;
	else if (config->xdp.copy == NETRING_XDP_ZEROCOPY)
		common |= XDP_ZEROCOPY;
	if (!copies && config->xdp.copy == NETRING_XDP_COPY_AUTO && !long_packets)
		flags[count++] = common | XDP_ZEROCOPY;
	flags[count++] = common | XDP_USE_SG;
	flags[count++] = common;
	return count;
}

/* 0, or the errno of the last attempt. */
static int bind_somehow(struct packet_ring *ring, const struct netring_config *config, bool long_packets)
{
	uint16_t flags[3], used;
	unsigned count = bind_flags(config, long_packets, flags);
	uint64_t end_ms = now_ms() + BUSY_MS;
	int err = 0;

	for (unsigned i = 0; i < count; i++) {
		used = flags[i];
		err = bind_patiently(ring, used, end_ms);
		if (err == 0 && used & XDP_USE_SG)
			err = -xdp_gather_open(ring->xdp);
		if (err == 0 || err == EPERM || err == ENODEV || err == ENETDOWN || err == ENOMEM)
			break;
	}
	return err;
}

static int bind_queue(struct packet_ring *ring, const struct netring_config *config, bool long_packets, struct netring_error *error)
{
	struct xdp_options options = { 0 };
	socklen_t size = sizeof(options);
	int err = bind_somehow(ring, config, long_packets);

	if (err == EBUSY)
		return error_set(error, EBUSY, "%s: receive queue %u has an AF_XDP socket already, another program's", ring->interface,
				 ring->xdp->number);
	if (err && config->xdp.copy == NETRING_XDP_ZEROCOPY)
		return error_set(error, EINVAL, "%s: zero-copy was asked for, and the driver refuses it on queue %u (%s)", ring->interface,
				 ring->xdp->number, strerror(err));
	if (err)
		return error_errno(error, err, "%s: bind to receive queue %u", ring->interface, ring->xdp->number);
	ring->xdp->zero_copy = getsockopt(ring->fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0 && options.flags & XDP_OPTIONS_ZEROCOPY;
	return 0;
}

/*
 * Preferred busy polling: with it the reader's looks drive the adapter, where its interrupts have been put off (napi_defer_hard_irqs,
 * gro_flush_timeout). Those are the administrator's, for all who use the interface: a process that is killed could not set them back.
 */
static void set_busy_poll(struct packet_ring *ring)
{
	int one = 1, us = (int)ring->busy_poll_us, budget = BUSY_POLL_BUDGET;

	if (us == 0)
		return;
	if (setsockopt(ring->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &one, sizeof(one)) < 0 ||
	    setsockopt(ring->fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us)) < 0 ||
	    setsockopt(ring->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof(budget)) < 0) {
		log_write(&ring->log, LOG_INFO, "%s: the kernel does not let its driver be polled (%s); only the ring is", ring->interface,
			  strerror(errno));
		return;
	}
	ring->drives = true;
}

static int prepare(struct packet_ring *ring, const struct netring_config *config, const struct xdp_ring_options *options, const struct log *log,
		   struct netring_error *error)
{
	struct xdp_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return error_errno(error, ENOMEM, "queue of %u frames", options->frames);
	queue->snaplen = config->snaplen ? config->snaplen : UINT32_MAX;
	queue->program = options->program;
	queue->long_packets = &options->program->control->long_packets;
	queue->number = (uint16_t)options->queue;
	queue->batches = XDP_CLOCK_BATCHES;
	queue->link = options->link;
	ring->xdp = queue;
	ring->kind = &xdp_ring;
	ring->log = *log;
	ring->watch_fd = options->watch_fd;
	ring->ifindex = options->link.sll_ifindex;
	ring->cells = options->frames;
	ring->cells_per_block = 1;
	ring->busy_poll_us = config->busy_poll_us;
	ring->rests = !config->immediate && config->busy_poll_us == 0 && options->frames >= REST_FRAMES_MIN;
	/* Of several rings that are waited for the first one is asked. */
	if (ring->rests && options->watch_fd >= 0)
		ring->self = self_watch_open();
	ring->snaplen = config->snaplen;
	ring->strict = config->strict;
	strncpy(ring->interface, options->interface, sizeof(ring->interface) - 1);
	return 0;
}

int xdp_ring_open(struct packet_ring *ring, const struct netring_config *config, const struct xdp_ring_options *options, const struct log *log,
		  struct netring_error *error)
{
	int ret;

	packet_ring_init(ring);
	ret = prepare(ring, config, options, log, error);
	if (ret == 0)
		ret = open_socket(ring, error);
	if (ret == 0)
		ret = make_memory(ring, config, options, error);
	if (ret == 0)
		ret = set_sizes(ring, options, error);
	if (ret == 0)
		ret = map_rings(ring, options, error);
	if (ret == 0 && options->transmits)
		ret = make_sender(ring->xdp, error);
	if (ret == 0) {
		hand_out_frames(ring, options);
		set_busy_poll(ring);
		ret = bind_queue(ring, config, options->longest > ring->xdp->longest, error);
	}
	if (ret == 0 && !ring->xdp->zero_copy && options->frames >= XDP_FILL_ENTRIES_MIN)
		xdp_fill_reuse_for(ring->xdp, options->longest ? options->longest / ring->xdp->longest + 1 : UINT64_MAX);
	if (ret == 0) {
		ret = packet_filter_open(ring, config->filter, config->filter_length, error);
		ret = ret < 0 ? ret : 0;
	}
	if (ret < 0)
		packet_ring_close(ring);
	return ret;
}
