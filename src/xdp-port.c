/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening an interface for AF_XDP. The order is what loses no packet, and lets none in that the filter does not want: program and maps, then a bound
 * socket for each queue, then their places in the map; attaching the program is the last step.
 */
#include "xdp-port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "geometry.h"
#include "interface.h"
#include "sandbox.h"
#include "xdp-filter.h"
#include "xdp-interpreter.h"
#include "xdp-protocol.h"
#include "xdp-tap.h"

/* Less than this is no ring: one round of NAPI for each of a few CPUs fills it. */
#define FRAMES_MIN UINT32_C(512)
#define FRAMES_MAX (UINT32_C(1) << 24)

/* A copper link needs two to four seconds to come back. */
#define LINK_PATIENCE_MS 5000

/* Below 0x0600 a type field is a length: no packet has this type. With type 0 a socket would not be told of its interface. */
#define IDLE_PROTOCOL 0x05ff

static bool copies(const struct netring_config *config)
{
	return config->backend == NETRING_BACKEND_XDP_TAP;
}

void xdp_port_init(struct xdp_port *port)
{
	memset(port, 0, sizeof(*port));
	xdp_program_init(&port->program);
	port->watch_fd = -1;
}

void xdp_port_close(struct xdp_port *port)
{
	xdp_program_close(&port->program);
	if (port->watch_fd >= 0)
		close(port->watch_fd);
	if (port->watches)
		sandbox_unwatch();
	xdp_port_init(port);
}

void xdp_port_let_go(struct xdp_port *port)
{
	struct sockaddr_ll address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(port->watch_fd, (struct sockaddr *)&address, &size) == 0 && address.sll_ifindex == -1)
		xdp_program_detach(&port->program);
}

void xdp_port_look_at_queues(const struct xdp_port *port)
{
	const struct xdp_program *program = &port->program;
	unsigned had = program->options.receive_queues, queues;

	if (!port->watches || sandbox_is_suspected())
		return;
	queues = (unsigned)interface_receive_queues(port->watch_fd, program->interface);
	if (queues <= had || __atomic_exchange_n(&program->control->told_of_strays, 1, __ATOMIC_RELAXED))
		return;
	log_write(&port->log, LOG_WARN,
		  "%s: it has %u receive queues, and had %u when the capture began: what comes on those that were added goes to the host, and is not "
		  "captured; start the capture again",
		  program->interface, queues, had);
}

static int look_up_link(int fd, const char *interface, struct sockaddr_ll *link, struct netring_error *error)
{
	struct ifreq request;
	int ret = interface_index(fd, interface, &link->sll_ifindex, error);

	if (ret < 0)
		return ret;

	memset(&request, 0, sizeof(request));
	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return error_errno(error, errno, "%s: SIOCGIFHWADDR", interface);
	link->sll_family = AF_PACKET;
	link->sll_hatype = request.ifr_hwaddr.sa_family;
	link->sll_halen = ETH_ALEN;
	memcpy(link->sll_addr, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (link->sll_hatype == ARPHRD_ETHER || link->sll_hatype == ARPHRD_LOOPBACK)
		return 0;
	return error_set(error, EOPNOTSUPP, "%s is no Ethernet (link type %u), and AF_XDP is for Ethernet", interface, link->sll_hatype);
}

static int find_queues(const struct netring_config *config, const char *interface, int fd, struct queue_list *queues, struct netring_error *error)
{
	struct netring_error about = { "" };
	int ret = queue_list_parse(queues, config->xdp.queues, (unsigned)interface_receive_queues(fd, interface), &about);

	return ret < 0 ? error_set(error, -ret, "%s: queues %s", interface, about.text) : 0;
}

int xdp_port_queues(const struct netring_config *config, const char *interface, unsigned interfaces, struct queue_list *queues,
		    struct netring_error *error)
{
	struct sockaddr_ll link = { 0 };
	int fd, ret;

	if (!interface)
		return error_set(error, EOPNOTSUPP, "XDP is at one interface: all of them at once (\"any\") cannot be captured by AF_XDP");
	/* Of any family, for its ioctl. Of this one it needs no privilege. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(error, errno, "socket");
	ret = look_up_link(fd, interface, &link, error);
	if (ret == 0 && copies(config))
		queues->count = xdp_tap_rings(config, interfaces);
	else if (ret == 0)
		ret = find_queues(config, interface, fd, queues, error);
	close(fd);
	return ret;
}

/* Bound to the interface, of a type that no packet has. */
static int open_watch(struct xdp_port *port, const struct netring_config *config, const char *interface, struct sockaddr_ll *link,
		      struct netring_error *error)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(IDLE_PROTOCOL) };
	struct packet_mreq membership = { .mr_type = PACKET_MR_PROMISC };
	int ret, up;

	port->watch_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (port->watch_fd < 0)
		return error_errno(error, errno, "socket (AF_PACKET, CAP_NET_RAW)");
	ret = look_up_link(port->watch_fd, interface, link, error);
	if (ret < 0)
		return ret;
	up = interface_is_up(port->watch_fd, interface, error);
	if (up < 0)
		return up;
	if (up == 0)
		return error_errno(error, ENETDOWN, "bind to %s", interface);
	address.sll_ifindex = membership.mr_ifindex = link->sll_ifindex;
	if (config->promiscuous && setsockopt(port->watch_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership)) < 0)
		return error_errno(error, errno, "setsockopt (PACKET_ADD_MEMBERSHIP)");
	if (bind(port->watch_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(error, errno, "bind to %s", interface);
	return 0;
}

static bool is_power_of_two(uint32_t number)
{
	return (number & (number - 1)) == 0;
}

static int check_config(const struct netring_config *config, struct netring_error *error)
{
	const struct netring_xdp *xdp = &config->xdp;

	if (xdp->frames != 0 && (!is_power_of_two(xdp->frames) || xdp->frames < FRAMES_MIN || xdp->frames > FRAMES_MAX))
		return error_set(error, EINVAL, "xdp.frames %u: must be 0 or a power of two, %u..%u", xdp->frames, FRAMES_MIN, FRAMES_MAX);
	if (xdp->frame_size != 2048 && xdp->frame_size != 4096)
		return error_set(error, EINVAL, "xdp.frame_size %u: must be 2048 or 4096", xdp->frame_size);
	if (xdp->mode == NETRING_XDP_GENERIC && xdp->copy == NETRING_XDP_ZEROCOPY)
		return error_set(error, EINVAL, "%s: zero-copy was asked for, and in generic mode, behind the driver, packets are always copied",
				 config->interface);
	if (config->reserve > XDP_FRAME_METADATA)
		return error_set(error, EINVAL, "reserve %u: of AF_XDP %d at the most", config->reserve, XDP_FRAME_METADATA);
	return 0;
}

/* The largest power of two that fits. */
static uint32_t frames_in(uint64_t bytes, uint32_t frame_size)
{
	uint32_t frames = FRAMES_MIN;

	while (frames < FRAMES_MAX && 2 * (uint64_t)frames * frame_size <= bytes)
		frames *= 2;
	return frames;
}

/* As many as were asked for, or as many as there is memory for. A number that was asked for and that nobody has allowed to cut is not cut. */
static int plan_frames(const struct xdp_port *port, const struct netring_config *config, uint64_t limit, struct xdp_ring_options *options,
		       struct netring_error *error)
{
	uint64_t size = config->xdp.frame_size, share = (uint64_t)config->block_size * config->block_count;
	int ret = check_config(config, error);

	options->frames = config->xdp.frames ? config->xdp.frames : frames_in(share, config->xdp.frame_size);
	options->asked = options->frames;
	if (ret < 0 || options->frames * size <= limit)
		return ret;
	if (config->xdp.frames && !config->limit_memory)
		return error_set(error, ENOMEM, "%s: %" PRIu64 " KiB for the frames of each queue: there is memory for %" PRIu64 " KiB",
				 config->interface, options->frames * size >> 10, limit >> 10);
	options->frames = frames_in(limit, config->xdp.frame_size);
	if (config->strict)
		return error_set(error, ENOMEM, "%s: each queue would have %u frames instead of %u, because memory is short", config->interface,
				 options->frames, options->asked);
	log_write(&port->log, LOG_WARN, "%s: each queue has %u frames instead of %u, because memory is short", config->interface, options->frames,
		  options->asked);
	return 0;
}

/* The same of ring buffers. */
static int plan_bytes(const struct xdp_port *port, const struct netring_config *config, uint64_t limit, struct xdp_tap_ring_options *options,
		      struct netring_error *error)
{
	const char *interface = config->interface;

	options->asked = (uint64_t)config->block_size * config->block_count;
	options->bytes = xdp_tap_size(options->asked);
	if (options->bytes <= limit)
		return 0;
	if (!config->limit_memory)
		return error_set(error, ENOMEM, "%s: %" PRIu64 " KiB for the ring buffer of each CPU: there is memory for %" PRIu64 " KiB", interface,
				 options->bytes >> 10, limit >> 10);
	options->bytes = xdp_tap_size(limit);
	if (config->strict)
		return error_set(error, ENOMEM,
				 "%s: the ring buffer of each CPU would have %" PRIu64 " KiB instead of %" PRIu64 ", because memory is short",
				 interface, options->bytes >> 10, options->asked >> 10);
	log_write(&port->log, LOG_WARN, "%s: the ring buffer of each CPU has %" PRIu64 " KiB instead of %" PRIu64 ", because memory is short",
		  interface, options->bytes >> 10, options->asked >> 10);
	return 0;
}

static int open_taps(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, unsigned count,
		     struct xdp_tap_ring_options *options, struct netring_error *error)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < count; i++) {
		options->number = i;
		options->watch_fd = i == 0 ? port->watch_fd : -1;
		ret = xdp_tap_open(&rings[i], config, options, &port->log, error);
		if (ret < 0)
			return ret;
		port->rings = i + 1;
		ret = xdp_program_add(&port->program, i, rings[i].fd, error);
	}
	return ret;
}

static int open_rings(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, const struct queue_list *queues,
		      struct xdp_ring_options *options, struct netring_error *error)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < queues->count; i++) {
		options->queue = queues->number[i];
		/* The first sends, and looks after the interface. */
		options->transmits = i == 0;
		options->watch_fd = i == 0 ? port->watch_fd : -1;
		ret = xdp_ring_open(&rings[i], config, options, &port->log, error);
		if (ret < 0)
			return ret;
		port->rings = i + 1;
		rings[i].asked_length = (uint64_t)options->asked * options->frame_size;
		ret = xdp_program_add(&port->program, options->queue, rings[i].fd, error);
	}
	return ret;
}

/* Some drivers (igb, ixgbe, i40e) begin anew with a program: for seconds nothing comes, and what is sent is lost. */
static void wait_for_link(const struct xdp_port *port)
{
	const char *interface = port->program.interface;

	if (!interface_wait_for_link(port->watch_fd, interface, LINK_PATIENCE_MS))
		log_write(&port->log, LOG_WARN, "%s: it lost its link when the XDP program was attached, and has not got it back for %d s", interface,
			  LINK_PATIENCE_MS / 1000);
}

static int attach(struct xdp_port *port, const struct netring_config *config, struct netring_error *error)
{
	bool had_link = interface_has_link(port->watch_fd, config->interface);
	int ret = xdp_program_attach(&port->program, error);

	if (ret == 0 && had_link)
		wait_for_link(port);
	/* What was asked for by name is not quietly replaced by something else. */
	return ret == -EOPNOTSUPP && config->xdp.mode != NETRING_XDP_MODE_AUTO ? -EINVAL : ret;
}

/* What became of it, and what it does not see. */
static void report(const struct xdp_port *port, const struct packet_ring *rings, unsigned count)
{
	const char *interface = rings[0].interface;
	bool strips = interface_strips_vlan(port->watch_fd, interface);
	uint32_t longest;

	log_write(&port->log, LOG_INFO, "%s: AF_XDP, %s, %s, %u queue%s, %u frames of %llu bytes each%s", interface,
		  port->program.native ? "native" : "generic", rings[0].xdp->zero_copy ? "zero-copy" : "copied", count, count == 1 ? "" : "s",
		  rings[0].cells, (unsigned long long)~rings[0].xdp->chunk_mask + 1,
		  rings[0].drives && rings[0].xdp->zero_copy ? ", with the driver polled" : "");
	log_write(&port->log, LOG_WARN, "%s: XDP does not see what this host sends%s", interface,
		  strips ? ", nor VLAN tags, which the adapter takes out (ethtool -K rxvlan off)" : "");
	if (!rings[0].xdp->gather.place && interface_longest_frame(port->watch_fd, interface, &longest) == 0 && longest > rings[0].xdp->longest)
		log_write(&port->log, LOG_WARN,
			  "%s: packets of more than %u bytes are lost, and its MTU allows %u (NETRING_XDP_FRAME_SIZE, or the MTU)", interface,
			  rings[0].xdp->longest, longest);
}

/* The same where packets are copied: nothing is lost for its length. */
static void report_tap(const struct xdp_port *port, const struct packet_ring *rings, unsigned count)
{
	const char *interface = rings[0].interface;
	bool strips = interface_strips_vlan(port->watch_fd, interface);

	log_write(&port->log, LOG_INFO, "%s: copies in XDP, %s, %u ring buffer%s of %llu KiB", interface, port->program.native ? "native" : "generic",
		  count, count == 1 ? "" : "s", (unsigned long long)rings[0].cells * XDP_TAP_CELL >> 10);
	log_write(&port->log, LOG_WARN, "%s: XDP does not see what this host sends%s", interface,
		  strips ? ", nor VLAN tags, which the adapter takes out (ethtool -K rxvlan off)" : "");
}

/* Fewer bytes could not be judged in user space as they are in the kernel. */
static uint32_t tap_snaplen(const struct netring_config *config)
{
	if (config->snaplen == 0 || config->snaplen > XDP_TAP_CAPTURE_MAX)
		return XDP_TAP_CAPTURE_MAX;
	return config->snaplen < XDP_FILTER_TAGGED_MIN ? XDP_FILTER_TAGGED_MIN : config->snaplen;
}

static int open_program(struct xdp_port *port, const struct netring_config *config, const struct xdp_program_options *options,
			struct netring_error *error)
{
	int ret = xdp_program_open(&port->program, options, config->filter, config->filter_length, error);

	return ret == -EOPNOTSUPP && config->xdp.mode == NETRING_XDP_OFFLOAD ? -EINVAL : ret;
}

static int open_tap_port(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, unsigned count, uint64_t memory_limit,
			 struct netring_error *error)
{
	struct xdp_tap_ring_options options = { .interface = config->interface, .program = &port->program };
	struct xdp_program_options program = {
		.interface = config->interface,
		.mode = config->xdp.mode,
		.strict = config->strict,
		.fragments = true,
		.queues = count,
		.snaplen = tap_snaplen(config),
		.log = &port->log,
	};
	int ret = open_watch(port, config, config->interface, &options.link, error);

	if (ret == 0)
		ret = plan_bytes(port, config, memory_limit, &options, error);
	if (ret == 0) {
		program.ifindex = options.link.sll_ifindex;
		program.ring_bytes = options.bytes;
		ret = open_program(port, config, &program, error);
	}
	if (ret == 0)
		ret = open_taps(port, rings, config, count, &options, error);
	if (ret == 0)
		ret = attach(port, config, error);
	return ret;
}

static int open_port(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, const struct queue_list *queues,
		     uint64_t memory_limit, struct netring_error *error)
{
	struct xdp_ring_options options = {
		.interface = config->interface,
		.frame_size = config->xdp.frame_size,
		.program = &port->program,
	};
	struct xdp_program_options program = {
		.interface = config->interface,
		.mode = config->xdp.mode,
		.steal = config->xdp.steal,
		.strict = config->strict,
		.waits = true,
		.fragments = true,
		.queues = QUEUE_LIST_MAX,
		.log = &port->log,
	};
	int ret = open_watch(port, config, config->interface, &options.link, error);

	program.receive_queues = ret == 0 ? (unsigned)interface_receive_queues(port->watch_fd, config->interface) : 0;
	if (ret == 0 && interface_longest_frame(port->watch_fd, config->interface, &options.longest) < 0)
		options.longest = 0;
	if (ret == 0)
		ret = plan_frames(port, config, memory_limit, &options, error);
	if (ret == 0) {
		program.ifindex = options.link.sll_ifindex;
		ret = open_program(port, config, &program, error);
	}
	if (ret == 0)
		ret = open_rings(port, rings, config, queues, &options, error);
	if (ret == 0)
		ret = attach(port, config, error);
	/* There each CPU stamps its packets before it waits for the ring. */
	for (unsigned i = 0; ret == 0 && !port->program.native && i < queues->count; i++)
		xdp_stamp_wipe_for_good(rings[i].xdp);
	if (ret == 0) {
		sandbox_watch();
		port->watches = true;
	}
	return ret;
}

/* Everything but who it is for. */
static void close_rings(struct xdp_port *port, struct packet_ring *rings)
{
	struct xdp_port was = *port;

	xdp_port_close(port);
	for (unsigned i = 0; i < was.rings; i++)
		packet_ring_close(&rings[i]);
	port->log = was.log;
	port->protocol = was.protocol;
}

/*
 * Which mode it is only attaching the program shows, and that is the last step. A driver that was bound for zero copy and then refused the program would not
 * send: again, for generic mode from the beginning.
 */
static int open_port_as_it_runs(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config,
				const struct queue_list *queues, uint64_t memory_limit, struct netring_error *error)
{
	struct netring_config generic = *config;
	int ret = open_port(port, rings, config, queues, memory_limit, error);

	if (ret < 0 || port->program.native || !rings[0].xdp->zero_copy)
		return ret;
	close_rings(port, rings);
	generic.xdp.mode = NETRING_XDP_GENERIC;
	return open_port(port, rings, &generic, queues, memory_limit, error);
}

int xdp_port_open(struct xdp_port *port, struct packet_ring *rings, const struct netring_config *config, const struct queue_list *queues,
		  uint64_t memory_limit, const struct log *log, struct netring_error *error)
{
	struct netring_config with_protocol = *config;
	struct sock_filter *filter;
	unsigned length;
	int ret;

	xdp_port_init(port);
	port->log = *log;
	port->protocol = config->protocol;
	ret = xdp_protocol_filter(&filter, &length, config->protocol, config->filter, config->filter_length, error);
	if (ret == 0 && filter) {
		with_protocol.filter = filter;
		with_protocol.filter_length = length;
	}
	if (ret == 0 && copies(config))
		ret = open_tap_port(port, rings, &with_protocol, queues->count, memory_limit, error);
	else if (ret == 0)
		ret = open_port_as_it_runs(port, rings, &with_protocol, queues, memory_limit, error);
	free(filter);
	if (ret < 0)
		xdp_port_close(port);
	else if (copies(config))
		report_tap(port, rings, queues->count);
	else
		report(port, rings, queues->count);
	return ret;
}
