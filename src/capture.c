/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A handle's rings: how many, how large, and their opening and closing together.
 *
 * The rings of one interface share its packets in a fanout group. Where the group is this handle's alone, none of its rings hears anything before
 * all of them have joined: otherwise those that are open already would each get all of what the others get too. Where it is shared with other
 * processes a ring's filter is in force at the moment before it joins, so that nothing of its share is lost, and only what comes in that moment is
 * seen by another member, too.
 *
 * Of AF_XDP the rings of one interface are its receive queues, and what they share is the XDP program (xdp-port.h). Where that is not to be had at all,
 * the packet ring takes its place; where the user has to decide something first, it does not.
 */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "geometry.h"
#include "interface.h"
#include "interface-list.h"
#include "numa.h"
#include "pages.h"
#include "reader-cpu.h"
#include "self-status.h"
#include "xdp-gather.h"
#include "xdp-tap.h"

#define MERGE_DELAY_NS UINT64_C(5000000)

/* What is to be opened. */
struct plan {
	struct interface_list list;
	bool is_any, is_xdp, is_tap;	    /* is_tap: of XDP, too, but packets are copied */
	unsigned rings[INTERFACE_LIST_MAX]; /* of each interface */
	unsigned total, opened;
	struct netring_fanout fanout;
	enum packet_ring_gate gate;  /* of rings that are to be in a group */
	bool is_private;	     /* the group is this handle's alone */
	uint64_t memory_limit;	     /* of one ring */
	struct netring_config share; /* what one ring gets of config */
};

static bool is_private(const struct netring_fanout *fanout)
{
	return !fanout->name && fanout->group == NETRING_FANOUT_AUTO;
}

/* Without a word from the user: no two CPUs fill one ring, and the memory of all is there for each. */
static const struct netring_fanout rings_of_one_handle = {
	.mode = NETRING_FANOUT_CPU,
	.flags = NETRING_FANOUT_FLAG_ROLLOVER,
	.group = NETRING_FANOUT_AUTO,
};

static int queues_of(const char *interface, unsigned *queues, struct netring_error *error)
{
	/* Of any family, for its ioctl. Of this one it needs no privilege: what is missing is for the ring to say. */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return error_errno(error, errno, "socket");
	ret = interface_receive_queues(fd, interface);
	close(fd);
	*queues = ret > 0 ? (unsigned)ret : 1;
	return 0;
}

/* As many as receive queues, so that each can be filled by a CPU of its own; more than the CPUs that we have cannot be. */
static int automatic_rings(const struct plan *plan, unsigned i, unsigned *rings, struct netring_error *error)
{
	unsigned cpus = (unsigned)reader_cpu_count(), queues = cpus;
	int ret = plan->is_any ? 0 : queues_of(plan->list.name[i], &queues, error);

	*rings = queues < cpus ? queues : cpus;
	return ret;
}

static const char *interface_name(const struct plan *plan, unsigned i)
{
	return plan->is_any ? NULL : plan->list.name[i];
}

static int rings_of(const struct plan *plan, const struct netring_config *config, unsigned i, unsigned *rings, struct netring_error *error)
{
	struct queue_list queues;
	int ret;

	if (plan->is_xdp) {
		ret = xdp_port_queues(config, interface_name(plan, i), plan->list.count, &queues, error);
		*rings = ret == 0 ? queues.count : 0;
		return ret;
	}
	*rings = config->rings;
	return config->rings == 0 ? automatic_rings(plan, i, rings, error) : 0;
}

static int count_rings(struct plan *plan, const struct netring_config *config, struct netring_error *error)
{
	for (unsigned i = 0; i < plan->list.count; i++) {
		int ret = rings_of(plan, config, i, &plan->rings[i], error);

		if (ret < 0)
			return ret;
		if (plan->rings[i] > CAPTURE_RINGS_MAX || plan->total + plan->rings[i] > CAPTURE_RINGS_MAX)
			return error_set(error, EINVAL, "%u rings on each of %u interfaces: a handle has %d at the most", plan->rings[i],
					 plan->list.count, CAPTURE_RINGS_MAX);
		plan->total += plan->rings[i];
	}
	return 0;
}

/* Each ring's part of the memory, in blocks of which there are enough for the kernel to fill some while the reader is at others. */
static void share_memory(struct plan *plan, const struct netring_config *config)
{
	uint64_t total = (uint64_t)config->block_size * config->block_count;
	struct netring_config *share = &plan->share;

	plan->memory_limit = packet_ring_memory_limit(config) / plan->total;
	if (plan->total == 1)
		return;
	total /= plan->total;
	share->minimum_bytes /= plan->total;
	/* In immediate mode a block is only a container of slots: there the larger one wastes less. */
	if (!config->immediate || total < config->block_size)
		share->block_size = geometry_divide(total, config->block_size);
	share->block_count = (uint32_t)(total / share->block_size);
	if (share->block_count == 0)
		share->block_count = 1;
}

/* The kernel would say so at the second interface, and name this handle as the one that has the group. */
static int check_group(const struct plan *plan, struct netring_error *error)
{
	if (plan->list.count == 1 || plan->fanout.mode == NETRING_FANOUT_NONE || plan->fanout.name || plan->fanout.group == NETRING_FANOUT_AUTO)
		return 0;
	return error_set(error, EINVAL,
			 "fanout group %d: a number is a group on one interface, and this handle has %u; a name (@NAME) or auto is one on each",
			 plan->fanout.group, plan->list.count);
}

static int make_plan(struct plan *plan, const struct netring_config *config, struct netring_error *error)
{
	int ret = 0;

	memset(plan, 0, sizeof(*plan));
	plan->is_any = !config->interface;
	plan->is_tap = config->backend == NETRING_BACKEND_XDP_TAP;
	plan->is_xdp = plan->is_tap || config->backend == NETRING_BACKEND_XDP;
	plan->share = *config;
	if (plan->is_any)
		plan->list.count = 1;
	else
		ret = interface_list_parse(&plan->list, config->interface, error);
	if (ret == 0)
		ret = count_rings(plan, config, error);
	if (ret == 0 && config->numa_node >= 0)
		ret = numa_check(config->numa_node, error);
	if (ret < 0)
		return ret;
	if (plan->is_xdp) {
		share_memory(plan, config);
		return 0;
	}
	plan->fanout = config->fanout;
	ret = check_group(plan, error);
	if (ret < 0)
		return ret;
	if (plan->fanout.mode == NETRING_FANOUT_NONE && plan->total > plan->list.count)
		plan->fanout = rings_of_one_handle;
	plan->gate = plan->fanout.mode != NETRING_FANOUT_NONE ? GATE_SHUT : GATE_OPEN;
	plan->is_private = plan->gate == GATE_SHUT && is_private(&plan->fanout);
	share_memory(plan, config);
	return 0;
}

/* The rings of the i-th interface, in a group if there is to be one. */
static int open_interface(struct netring *capture, struct plan *plan, unsigned i, const struct log *log, struct netring_error *error)
{
	bool in_group = plan->fanout.mode != NETRING_FANOUT_NONE && plan->rings[i] != 0;
	struct fanout *fanout = in_group ? &capture->fanout[capture->fanouts++] : NULL;
	int ret = 0;

	plan->share.interface = interface_name(plan, i);
	for (unsigned n = 0; ret == 0 && n < plan->rings[i]; n++) {
		struct packet_ring *ring = &capture->ring[plan->opened++];

		ret = packet_ring_open(ring, &plan->share, plan->gate, plan->memory_limit, log, error);
		if (ret < 0)
			return ret;
		ring->one_of_several = plan->list.count > 1;
		if (fanout && n == 0)
			ret = fanout_open(fanout, &plan->fanout, plan->share.ignore_outgoing, ring->interface, ring->ifindex, error);
		/* Not before fanout_open, which may take long: it waits for another process's lock, or for the verifier. */
		if (fanout && ret == 0 && !plan->is_private)
			ret = packet_ring_let_in(ring, &plan->share, error);
		if (fanout && ret == 0)
			ret = fanout_join(fanout, ring->fd, error);
	}
	if (fanout && ret == 0)
		fanout_settle(fanout);
	return ret;
}

/* The same through AF_XDP. */
static int open_port(struct netring *capture, struct plan *plan, unsigned i, const struct log *log, struct netring_error *error)
{
	struct packet_ring *rings = &capture->ring[plan->opened];
	struct queue_list queues;
	int ret;

	plan->share.interface = interface_name(plan, i);
	if (plan->is_tap) {
		queues.count = plan->rings[i];
		ret = 0;
	} else {
		ret = xdp_port_queues(&plan->share, plan->share.interface, plan->list.count, &queues, error);
	}
	if (ret == 0 && queues.count != plan->rings[i])
		ret = error_set(error, EAGAIN, "%s: the number of its receive queues has just changed", plan->share.interface);
	if (ret == 0)
		ret = xdp_port_open(&capture->port[i], rings, &plan->share, &queues, plan->memory_limit, log, error);
	plan->opened += plan->rings[i];
	for (unsigned n = 0; ret == 0 && n < queues.count; n++)
		rings[n].one_of_several = plan->list.count > 1;
	return ret;
}

static int let_in(struct netring *capture, const struct plan *plan, struct netring_error *error)
{
	for (unsigned i = 0; plan->is_private && i < capture->rings; i++) {
		int ret = packet_ring_let_in(&capture->ring[i], &plan->share, error);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* events 0: errors only. */
static int watch(const struct netring *capture, int fd, uint32_t events, struct netring_error *error)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(capture->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? error_errno(error, errno, "epoll_ctl") : 0;
}

/*
 * Nobody waits longer than a block does; and a softirq is seldom held up for longer than this. Who wants each packet at once gets the order of those
 * that are there.
 */
static uint64_t merge_delay_ns(const struct netring_config *config)
{
	uint64_t block_ns = config->block_timeout_ms * UINT64_C(1000000);

	if (config->immediate)
		return 0;
	return block_ns != 0 && block_ns < MERGE_DELAY_NS ? block_ns : MERGE_DELAY_NS;
}

static int open_merge(struct netring *capture, const struct netring_config *config, struct netring_error *error)
{
	int ret = merge_open(&capture->merge, capture->ring, capture->rings, merge_delay_ns(config), error);

	if (ret < 0)
		return ret;
	capture->self = self_watch_open();
	capture->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	return capture->timer_fd < 0 ? error_errno(error, errno, "timerfd_create") : 0;
}

/* What the program sleeps on, where that is not one socket. */
static int open_epoll(struct netring *capture, struct netring_error *error)
{
	int ret = 0;

	capture->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (capture->epoll_fd < 0)
		return error_errno(error, errno, "epoll_create1");
	if (capture->timer_fd >= 0)
		ret = watch(capture, capture->timer_fd, EPOLLIN, error);
	for (unsigned i = 0; ret == 0 && i < capture->rings; i++)
		ret = watch(capture, capture->ring[i].fd, EPOLLIN, error);
	for (unsigned i = 0; ret == 0 && i < capture->ports; i++)
		ret = watch(capture, capture->port[i].watch_fd, 0, error);
	return ret;
}

static size_t handle_size(unsigned rings)
{
	return sizeof(struct netring) + rings * sizeof(struct packet_ring);
}

/* What packets are copied to on their way to the reader, if they are. */
static int lock_copies(const struct packet_ring *ring)
{
	if (ring->tap)
		return mlock(ring->tap->copy, XDP_TAP_COPIES_LENGTH);
	if (ring->xdp && ring->xdp->gather.place)
		return mlock(ring->xdp->gather.place, XDP_GATHER_ROOM);
	return 0;
}

/* mlock: what the reader touches besides the rings. */
static int lock_handle(const struct netring *capture, struct netring_error *error)
{
	size_t size = handle_size(capture->rings);
	int ret = mlock(capture, size);

	for (unsigned i = 0; ret == 0 && i < capture->merge.sources; i++)
		ret = mlock(capture->merge.source[i].entry, capture->merge.source[i].capacity * sizeof(struct packet_entry));
	for (unsigned i = 0; ret == 0 && i < capture->rings; i++)
		ret = lock_copies(&capture->ring[i]);
	if (ret < 0)
		return error_errno(error, errno, "mlock of %zu bytes and more (ulimit -l, CAP_IPC_LOCK)", size);
	return 0;
}

static int open_ports(struct netring *capture, struct plan *plan, const struct log *log, struct netring_error *error)
{
	int ret = 0;

	capture->port = calloc(plan->list.count, sizeof(*capture->port));
	if (!capture->port)
		return error_errno(error, ENOMEM, "interfaces of an AF_XDP capture");
	for (unsigned i = 0; i < plan->list.count; i++)
		xdp_port_init(&capture->port[i]);
	capture->ports = plan->list.count;
	for (unsigned i = 0; ret == 0 && i < plan->list.count; i++)
		ret = open_port(capture, plan, i, log, error);
	capture->waiting = true;
	return ret;
}

static int open_interfaces(struct netring *capture, struct plan *plan, const struct log *log, struct netring_error *error)
{
	int ret = 0;

	if (plan->fanout.mode != NETRING_FANOUT_NONE) {
		capture->fanout = calloc(plan->list.count, sizeof(*capture->fanout));
		if (!capture->fanout)
			return error_errno(error, ENOMEM, "fanout groups");
		for (unsigned i = 0; i < plan->list.count; i++)
			fanout_init(&capture->fanout[i]);
	}
	for (unsigned i = 0; ret == 0 && i < plan->list.count; i++)
		ret = open_interface(capture, plan, i, log, error);
	return ret < 0 ? ret : let_in(capture, plan, error);
}

static int open_all(struct netring *capture, struct plan *plan, const struct log *log, struct netring_error *error)
{
	int ret = plan->is_xdp ? open_ports(capture, plan, log, error) : open_interfaces(capture, plan, log, error);

	if (ret == 0 && (plan->total > 1 || plan->is_tap))
		ret = open_merge(capture, &plan->share, error);
	if (ret == 0 && (plan->total > 1 || plan->is_xdp))
		ret = open_epoll(capture, error);
	if (ret == 0 && plan->share.lock_memory)
		ret = lock_handle(capture, error);
	return ret;
}

static int open_backend(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error)
{
	struct netring *made;
	struct plan plan;
	int ret;

	ret = make_plan(&plan, config, error);
	if (ret < 0)
		return ret;
	made = pages_allocate(handle_size(plan.total));
	if (!made)
		return error_errno(error, errno, "capture handle");
	made->rings = plan.total;
	made->epoll_fd = -1;
	made->timer_fd = -1;
	made->self = SELF_WATCH_NONE;
	merge_init(&made->merge);
	for (unsigned i = 0; i < made->rings; i++)
		packet_ring_init(&made->ring[i]);
	ret = open_all(made, &plan, log, error);
	if (ret < 0) {
		capture_close(made);
		return ret;
	}
	if (config->show_stats)
		capture_stats_open(made, log);
	*capture = made;
	return 0;
}

/* The kernel, the driver, the process's rights: nothing that the user has to decide. */
static bool is_unavailable(int ret)
{
	return ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -EPERM || ret == -EACCES;
}

static int open_xdp(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error)
{
	struct netring_config instead = *config;
	struct netring_error reason = { "" };
	int ret = open_backend(capture, config, log, &reason);

	if (ret < 0 && (config->strict || !is_unavailable(ret)))
		return error_set(error, -ret, "%s", reason.text);
	if (ret == 0)
		return ret;
	log_write(log, LOG_WARN, "%s; captured through the packet ring instead of %s", reason.text,
		  config->backend == NETRING_BACKEND_XDP_TAP ? "XDP" : "AF_XDP");
	instead.backend = NETRING_BACKEND_PACKET;
	return open_backend(capture, &instead, log, error);
}

int capture_open(struct netring **capture, const struct netring_config *config, const struct log *log, struct netring_error *error)
{
	if (config->size != sizeof(*config))
		return error_set(error, EINVAL, "config.size %zu: netring_config_init sets it to %zu", config->size, sizeof(*config));
	return config->backend == NETRING_BACKEND_PACKET ? open_backend(capture, config, log, error) : open_xdp(capture, config, log, error);
}

void capture_close(struct netring *capture)
{
	if (!capture)
		return;
	capture_stats_close(capture);
	merge_close(&capture->merge);
	if (capture->epoll_fd >= 0)
		close(capture->epoll_fd);
	if (capture->timer_fd >= 0)
		close(capture->timer_fd);
	self_watch_close(&capture->self);
	/* A name goes before the group that it stands for: nobody shall be led to a number that may be another's by now. */
	for (unsigned i = 0; i < capture->fanouts; i++)
		fanout_close(&capture->fanout[i]);
	free(capture->fanout);
	for (unsigned i = 0; i < capture->ports; i++)
		xdp_port_close(&capture->port[i]);
	free(capture->port);
	for (unsigned i = 0; i < capture->rings; i++)
		packet_ring_close(&capture->ring[i]);
	pages_free(capture, handle_size(capture->rings));
}
