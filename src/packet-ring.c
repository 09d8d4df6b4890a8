/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting up a packet socket with its ring, and taking it down.
 *
 * The order is what keeps foreign packets out: the socket begins with protocol 0 and hears nothing; version, reserve, filter, ring and mapping come
 * next; binding it to the interface with the real protocol is the last step, and opens a ring that was empty and filtered from its first packet.
 */
#include "packet-ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "geometry.h"
#include "interface.h"
#include "memory-limit.h"
#include "numa.h"
#include "packet-filter.h"
#include "xdp-ring.h"
#include "xdp-tap.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif

/* Room for one VLAN tag that the reader may put back. */
#define RESERVE_MIN 4

void packet_ring_init(struct packet_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = -1;
	ring->watch_fd = -1;
	ring->self = SELF_WATCH_NONE;
	ring->log = (struct log)LOG_INIT;
}

void packet_ring_close(struct packet_ring *ring)
{
	/* Only what this process has of it: after a fork the socket and its ring live on in the other. */
	if (ring->kind && ring->kind->close)
		ring->kind->close(ring);
	if (ring->map)
		munmap(ring->map, ring->map_length);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring->filter);
	packet_ring_init(ring);
}

static int set_option(const struct packet_ring *ring, int option, const void *value, socklen_t size, const char *name, struct netring_error *error)
{
	if (setsockopt(ring->fd, SOL_PACKET, option, value, size) < 0)
		return error_errno(error, errno, "setsockopt (%s)", name);
	return 0;
}

static int set_number(const struct packet_ring *ring, int option, int value, const char *name, struct netring_error *error)
{
	return set_option(ring, option, &value, sizeof(value), name, error);
}

static int open_socket(struct packet_ring *ring, const struct netring_config *config, struct netring_error *error)
{
	ring->fd = socket(AF_PACKET, (config->interface ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	ring->watch_fd = ring->fd;
	if (ring->fd >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return error_set(error, EPERM, "socket: %s: CAP_NET_RAW is needed for a packet socket", strerror(errno));
	return error_errno(error, errno, "socket");
}

static int find_interface(struct packet_ring *ring, const struct netring_config *config, struct netring_error *error)
{
	const char *name = config->interface ? config->interface : "any";

	if (strlen(name) >= sizeof(ring->interface))
		return error_set(error, ENODEV, "%s: no interface has so long a name", name);
	strcpy(ring->interface, name);
	return config->interface ? interface_index(ring->fd, name, &ring->ifindex, error) : 0;
}

static int set_timestamp(const struct packet_ring *ring, enum netring_timestamp timestamp, struct netring_error *error)
{
	switch (timestamp) {
	case NETRING_TIMESTAMP_ADAPTER:
		return set_number(ring, PACKET_TIMESTAMP, SOF_TIMESTAMPING_SYS_HARDWARE, "PACKET_TIMESTAMP", error);
	case NETRING_TIMESTAMP_ADAPTER_UNSYNCED:
		return set_number(ring, PACKET_TIMESTAMP, SOF_TIMESTAMPING_RAW_HARDWARE, "PACKET_TIMESTAMP", error);
	case NETRING_TIMESTAMP_HOST:
		return 0; /* what the kernel does by itself */
	}
	return error_set(error, EINVAL, "time stamps of type %d: there is no such type", (int)timestamp);
}

/* Lets nothing in. Unlike a filter that rejects, packet_ring_let_in is not told of in the statistics: nobody has been promised these packets. */
static int shut_gate(const struct packet_ring *ring, struct netring_error *error)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };

	if (setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return error_errno(error, errno, "setsockopt (SO_ATTACH_FILTER)");
	return 0;
}

int packet_ring_let_in(struct packet_ring *ring, const struct netring_config *config, struct netring_error *error)
{
	int ret = packet_filter_open(ring, config->filter, config->filter_length, error);

	return ret < 0 ? ret : 0;
}

/* Everything that has to be said before there is a ring. */
static int prepare(struct packet_ring *ring, const struct netring_config *config, enum packet_ring_gate gate, struct netring_error *error)
{
	int reserve = config->reserve > RESERVE_MIN ? config->reserve : RESERVE_MIN;
	int ret = set_number(ring, PACKET_VERSION, ring->kind->version, "PACKET_VERSION", error);

	if (ret == 0)
		ret = set_number(ring, PACKET_RESERVE, reserve, "PACKET_RESERVE", error);
	if (ret == 0)
		ret = set_timestamp(ring, config->timestamp, error);
	if (ret == 0 && config->ignore_outgoing)
		ret = set_number(ring, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING", error);
	if (ret == 0)
		ret = gate == GATE_SHUT ? shut_gate(ring, error) : packet_ring_let_in(ring, config, error);
	return ret;
}

/* The longest packet, for the slots of immediate mode. */
static int slot_size(const struct packet_ring *ring, const struct netring_config *config, uint32_t *size, struct netring_error *error)
{
	uint32_t length = config->snaplen && config->snaplen < INTERFACE_PACKET_MAX ? config->snaplen : INTERFACE_PACKET_MAX, longest;
	int ret;

	if (!config->immediate) {
		*size = 2048;
		return 0;
	}
	if (config->interface) {
		ret = interface_longest_packet(ring->fd, config->interface, &longest, error);
		if (ret < 0)
			return ret;
		if (longest < length)
			length = longest;
	}
	*size = geometry_slot_size(length, config->reserve > RESERVE_MIN ? config->reserve : RESERVE_MIN);
	return 0;
}

static int request_ring(const struct packet_ring *ring, const struct netring_config *config, const struct geometry *geometry)
{
	struct tpacket_req3 request = {
		.tp_block_size = geometry->block_size,
		.tp_block_nr = geometry->blocks,
		.tp_frame_size = geometry->frame_size,
		.tp_frame_nr = geometry->frames_per_block * geometry->blocks,
		.tp_retire_blk_tov = config->block_timeout_ms,
		.tp_feature_req_word = config->fill_rxhash ? TP_FT_REQ_FILL_RXHASH : 0,
	};
	socklen_t size = ring->kind->version == TPACKET_V3 ? sizeof(request) : sizeof(struct tpacket_req);

	return setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, size) < 0 ? -errno : 0;
}

static int numa_node(const struct packet_ring *ring, const struct netring_config *config)
{
	if (config->numa_node == NETRING_NUMA_AUTO)
		return config->interface ? numa_node_of(ring->interface) : NETRING_NUMA_OFF;
	return config->numa_node;
}

int packet_ring_enter_node(const struct packet_ring *ring, const struct netring_config *config, struct numa_policy *policy,
			   struct netring_error *error)
{
	int node = numa_node(ring, config), ret = numa_enter(policy, node, error);

	if (ret < 0 && !config->strict) {
		log_write(&ring->log, LOG_WARN, "%s: the ring's memory is not from node %d: %s", ring->interface, node, strerror(-ret));
		return 0;
	}
	return ret;
}

static int report_shrink(const struct packet_ring *ring, const struct netring_config *config, uint64_t got, uint64_t limit,
			 struct netring_error *error)
{
	const char *why = "the kernel could not allocate more";

	if (got >= ring->asked_length) {
		log_write(&ring->log, LOG_INFO, "%s: the ring is %llu KiB", ring->interface, (unsigned long long)got >> 10);
		return 0;
	}
	if (got + config->block_size > limit)
		why = config->limit_memory ? "that is an eighth of the memory that the process may still use"
					   : "the machine has not more memory to spare";
	if (config->strict)
		return error_set(error, ENOMEM, "%s: the ring would be %llu KiB instead of %llu KiB: %s", ring->interface,
				 (unsigned long long)got >> 10, (unsigned long long)ring->asked_length >> 10, why);
	log_write(&ring->log, LOG_WARN, "%s: the ring is %llu KiB instead of %llu KiB: %s", ring->interface, (unsigned long long)got >> 10,
		  (unsigned long long)ring->asked_length >> 10, why);
	return 0;
}

/* A ring that the memory cuts short is cut into smaller blocks, too. In immediate mode a block is only a container of slots. */
static int plan(struct geometry *geometry, const struct netring_config *config, uint32_t slot, uint64_t limit, struct netring_error *error)
{
	struct netring_config fitted = *config;
	int ret = geometry_plan(geometry, config, slot, limit, error);

	if (ret < 0 || config->immediate || (uint64_t)config->block_size * config->block_count <= limit)
		return ret;
	fitted.block_size = geometry_divide(limit, config->block_size);
	if (fitted.block_size == config->block_size || fitted.block_size < config->frame_size)
		return 0;
	fitted.block_count = (uint32_t)(limit / fitted.block_size) + 1;
	return geometry_plan(geometry, &fitted, slot, limit, error);
}

/*
 * However much was asked for, an eighth of what the machine has stays free: the kernel would rather kill somebody than refuse
 * the memory for a ring.
 */
uint64_t packet_ring_memory_limit(const struct netring_config *config)
{
	uint64_t machine = memory_available_on_machine(), most = machine - machine / 8, eighth;

	if (!config->limit_memory)
		return most;
	eighth = memory_available() / 8;
	if (eighth < config->minimum_bytes)
		eighth = config->minimum_bytes;
	return eighth < most ? eighth : most;
}

static int make_ring(struct packet_ring *ring, const struct netring_config *config, uint64_t limit, struct netring_error *error)
{
	struct geometry geometry;
	struct numa_policy policy;
	uint32_t slot, asked;
	int ret = slot_size(ring, config, &slot, error);

	if (ret == 0)
		ret = plan(&geometry, config, slot, limit, error);
	if (ret < 0)
		return ret;
	ring->asked_length = (uint64_t)config->block_size * config->block_count;
	if (config->strict && geometry_bytes(&geometry) < ring->asked_length)
		return report_shrink(ring, config, geometry_bytes(&geometry), limit, error);
	asked = geometry.blocks;
	ret = packet_ring_enter_node(ring, config, &policy, error);
	if (ret < 0)
		return ret;
	while ((ret = request_ring(ring, config, &geometry)) == -ENOMEM && geometry_shrink(&geometry, asked))
		;
	numa_leave(&policy);
	if (ret < 0)
		return error_errno(error, -ret, "can't create rx ring on packet socket (%u blocks of %u bytes)", geometry.blocks,
				   geometry.block_size);
	ring->block_size = geometry.block_size;
	ring->cells_per_block = config->immediate ? geometry.frames_per_block : 1;
	ring->cell_size = config->immediate ? geometry.frame_size : geometry.block_size;
	ring->cells = geometry.blocks * ring->cells_per_block;
	return report_shrink(ring, config, geometry_bytes(&geometry), limit, error);
}

static int map_ring(struct packet_ring *ring, struct netring_error *error)
{
	size_t length = (size_t)ring->cells / ring->cells_per_block * ring->block_size;
	/* Neither MAP_LOCKED nor MAP_POPULATE: the kernel maps its own, unswappable pages here, all of them at once. */
	void *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);

	if (map == MAP_FAILED)
		return error_errno(error, errno, "can't mmap rx ring of %zu bytes", length);
	ring->map = map;
	ring->map_length = length;
	return 0;
}

static int set_promiscuous(const struct packet_ring *ring, struct netring_error *error)
{
	struct packet_mreq membership = { .mr_ifindex = ring->ifindex, .mr_type = PACKET_MR_PROMISC };

	return set_option(ring, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership), "PACKET_ADD_MEMBERSHIP", error);
}

static int bind_ring(const struct packet_ring *ring, const struct netring_config *config, struct netring_error *error)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(config->protocol ? config->protocol : ETH_P_ALL),
		.sll_ifindex = ring->ifindex,
	};
	int pending = 0;
	socklen_t size = sizeof(pending);

	if (bind(ring->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		pending = errno;
	else if (getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &pending, &size) < 0)
		return error_errno(error, errno, "getsockopt (SO_ERROR)");
	if (pending)
		return error_errno(error, pending, "bind to %s", ring->interface);
	return 0;
}

int packet_ring_open(struct packet_ring *ring, const struct netring_config *config, enum packet_ring_gate gate, uint64_t memory_limit,
		     const struct log *log, struct netring_error *error)
{
	int ret;

	packet_ring_init(ring);
	ring->log = *log;
	ring->kind = config->immediate ? &packet_ring_v2 : &packet_ring_v3;
	ring->busy_poll_us = config->busy_poll_us;
	ring->snaplen = config->snaplen;
	ring->strict = config->strict;
	ring->foreign_clock = config->timestamp != NETRING_TIMESTAMP_HOST;

	ret = open_socket(ring, config, error);
	if (ret == 0)
		ret = find_interface(ring, config, error);
	if (ret == 0)
		ret = prepare(ring, config, gate, error);
	if (ret == 0)
		ret = make_ring(ring, config, memory_limit, error);
	if (ret == 0)
		ret = map_ring(ring, error);
	if (ret == 0 && config->promiscuous)
		ret = set_promiscuous(ring, error);
	if (ret == 0)
		ret = bind_ring(ring, config, error);
	if (ret < 0)
		packet_ring_close(ring);
	return ret;
}

void packet_ring_count_rejected(struct packet_ring *ring, unsigned packets)
{
	__atomic_store_n(&ring->rejected, ring->rejected + packets, __ATOMIC_RELAXED);
}

int packet_ring_take(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	int taken = ring->kind->take(ring, burst, max, error);

	burst->count = taken > 0 ? (unsigned)taken : 0;
	if (taken <= 0 || likely(!packet_filter_is_due(ring)))
		return taken;
	packet_filter_sift(ring, burst);
	if (burst->count)
		return (int)burst->count;
	packet_ring_count_rejected(ring, ring->kind->give_back(ring, NULL));
	return -EAGAIN;
}

void packet_ring_give_back(struct packet_ring *ring, struct netring_burst *burst, unsigned used)
{
	unsigned consumed = ring->kind->give_back(ring, used < burst->count ? burst->packet[used].link : NULL);

	packet_ring_count_delivered(ring, used);
	if (unlikely(consumed != used))
		packet_ring_count_rejected(ring, consumed - used);
	burst->count = 0;
}

bool packet_ring_is_half_full(const struct packet_ring *ring)
{
	return ring->kind->is_ours(ring, (ring->position + ring->cells / 2) % ring->cells);
}

bool packet_ring_is_ready(const struct packet_ring *ring)
{
	return ring->cursor.frame != NULL || ring->kind->is_ours(ring, ring->position);
}

/* Cells become ours in turn, so that the first that is not ends them: it is between `ours` and `end`. */
uint32_t packet_ring_waiting(const struct packet_ring *ring)
{
	uint32_t ours = 0, end = ring->kind->is_ours(ring, ring->position) ? ring->cells : 0;

	while (ours < end) {
		uint32_t middle = ours + (end - ours) / 2;

		if (ring->kind->is_ours(ring, packet_ring_cell_ahead(ring, middle)))
			ours = middle + 1;
		else
			end = middle;
	}
	return ours;
}

void packet_ring_note(struct packet_ring *ring, bool losing)
{
	if (ring->waiting_most < ring->cells && ring->kind->is_ours(ring, packet_ring_cell_ahead(ring, ring->waiting_most)))
		ring->waiting_most = packet_ring_waiting(ring);
	/* Full: nothing is filled behind the last packet that would say that others were lost. */
	if (losing || ring->kind->is_ours(ring, packet_ring_cell_ahead(ring, ring->cells - 1)))
		ring->losing = true;
}

/* Reading resets what the kernel has, so every reader adds what it got to the sums: nothing is lost, nothing counted twice. */
static int fold(struct packet_ring *ring, struct tpacket_stats_v3 *fresh)
{
	socklen_t size = ring->kind->version == TPACKET_V3 ? sizeof(*fresh) : sizeof(struct tpacket_stats);

	memset(fresh, 0, sizeof(*fresh));
	if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, fresh, &size) < 0)
		return -errno;
	__atomic_fetch_add(&ring->packets, fresh->tp_packets, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ring->drops, fresh->tp_drops, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ring->freezes, fresh->tp_freeze_q_cnt, __ATOMIC_RELAXED);
	return 0;
}

void packet_ring_ask_losses(struct packet_ring *ring)
{
	struct tpacket_stats_v3 fresh;

	if (ring->xdp) {
		xdp_ring_ask_losses(ring);
		return;
	}
	if (ring->tap) {
		xdp_tap_ask_losses(ring);
		return;
	}
	ring->losing = fold(ring, &fresh) < 0;
	if (!ring->losing && fresh.tp_drops != 0)
		__atomic_store_n(&ring->lost, true, __ATOMIC_RELAXED);
}

uint32_t packet_ring_cell_of(const struct packet_ring *ring, const uint8_t *address)
{
	size_t offset = (size_t)(address - ring->map), block = offset / ring->block_size;

	return (uint32_t)(block * ring->cells_per_block + (offset - block * ring->block_size) / ring->cell_size);
}

int packet_ring_kernel_stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error)
{
	struct tpacket_stats_v3 fresh;
	int ret = fold(ring, &fresh);

	if (ret < 0)
		return error_errno(error, -ret, "failed to get statistics from socket");
	stats->packets = __atomic_load_n(&ring->packets, __ATOMIC_RELAXED);
	stats->drops = __atomic_load_n(&ring->drops, __ATOMIC_RELAXED);
	stats->freezes = __atomic_load_n(&ring->freezes, __ATOMIC_RELAXED);
	stats->ring_bytes = ring->map_length;
	return 0;
}

int packet_ring_stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error)
{
	int ret = ring->kind->stats(ring, stats, error);

	if (ret < 0)
		return ret;
	__atomic_store_n(&ring->lost, false, __ATOMIC_RELAXED);
	stats->delivered = __atomic_load_n(&ring->delivered, __ATOMIC_RELAXED);
	stats->rejected = __atomic_load_n(&ring->rejected, __ATOMIC_RELAXED);
	stats->disordered = 0;
	stats->ring_bytes_asked = ring->asked_length;
	return 0;
}
