/* SPDX-License-Identifier: BSD-3-Clause */
/* Engine handles: opening the ring behind a pcap_t, closing it, and everything that is not reading. */
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "geometry.h"
#include "handle.h"
#include "interfaces.h"
#include "pages.h"
#include "reader-cpu.h"

/* A cooked header is built in front of the packet: SLL2's 20 bytes, where the kernel leaves 16, and one VLAN tag. */
#define COOKED_RESERVE 8

/* pcap_snapshot of a handle that is to keep whole packets. */
#define SNAPLEN_MAX 262144

bool engine_supports(int linktype, bool is_any)
{
	switch (linktype) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_IEEE802_11:
	case DLT_PRISM_HEADER:
	case DLT_IEEE802_11_RADIO:
		return !is_any;
	case DLT_LINUX_SLL:
		return is_any;
	}
	return false;
}

/*
 * The longest that several rings wait for a block of one of them, unless the user says otherwise: what the others get meanwhile has to fit into them.
 */
#define MERGED_TIMEOUT_MS 10

static bool has_several_rings(const pcap_t *p, const struct config *config)
{
	return p->list || config->value[CONFIG_RINGS] != 1;
}

/* The ring's block timer is libpcap's packet buffer timeout. Where libpcap would wait for ever (0), packets come after netring's default. */
static uint32_t block_timeout(const pcap_t *p, const struct config *config)
{
	uint32_t timeout_ms = (uint32_t)config->value[CONFIG_BLOCK_TIMEOUT_MS];

	if (config_overrules(config, CONFIG_BLOCK_TIMEOUT_MS))
		return timeout_ms;
	if (p->request.timeout_ms != 0)
		timeout_ms = p->request.timeout_ms > 0 ? (uint32_t)p->request.timeout_ms : 0;
	if (has_several_rings(p, config) && (timeout_ms == 0 || timeout_ms > MERGED_TIMEOUT_MS))
		return MERGED_TIMEOUT_MS;
	return timeout_ms;
}

static enum netring_timestamp timestamp(const pcap_t *p, const struct config *config)
{
	uint64_t word = config->value[CONFIG_TIMESTAMP];
	int type = p->request.tstamp_type;

	if (config_is_set(config, CONFIG_TIMESTAMP))
		type = inner_pcap_tstamp_type_name_to_val(config_variables[CONFIG_TIMESTAMP].words[word]);
	switch (type) {
	case PCAP_TSTAMP_ADAPTER:
		return NETRING_TIMESTAMP_ADAPTER;
	case PCAP_TSTAMP_ADAPTER_UNSYNCED:
		return NETRING_TIMESTAMP_ADAPTER_UNSYNCED;
	default:
		return NETRING_TIMESTAMP_HOST;
	}
}

/* A size that was written for this capture is meant as it stands, and not cut to an eighth of the memory. */
static bool size_is_default(const struct config *config)
{
	return !config_is_deliberate(config, CONFIG_BLOCK_SIZE) && !config_is_deliberate(config, CONFIG_BLOCK_COUNT) &&
	       !config_is_deliberate(config, CONFIG_RING_SIZE);
}

/* Of a profile or of [default] it is weaker than the program's. */
static uint64_t ring_size(const struct config *config, uint64_t asked)
{
	uint64_t size = config->value[CONFIG_RING_SIZE];

	return config->source[CONFIG_RING_SIZE] <= CONFIG_FROM_PROFILE && asked > size ? asked : size;
}

/* What pcap_set_buffer_size asked for is a minimum; NETRING_* says how large the ring is, when it says anything. */
static void set_size(pcap_t *p, const struct config *config, struct netring_config *ring)
{
	uint64_t total, asked = (uint64_t)p->request.buffer_size;

	ring->block_size = (uint32_t)config->value[CONFIG_BLOCK_SIZE];
	ring->block_count = (uint32_t)config->value[CONFIG_BLOCK_COUNT];
	ring->limit_memory = size_is_default(config);
	ring->minimum_bytes = asked;
	if (config_is_set(config, CONFIG_RING_SIZE))
		total = ring_size(config, asked);
	else if (ring->limit_memory && asked > (uint64_t)ring->block_size * ring->block_count)
		total = asked;
	else
		return;
	/* In immediate mode a block is only a container of slots: there the larger one wastes less. */
	if (!config_is_deliberate(config, CONFIG_BLOCK_SIZE) && !p->request.immediate)
		ring->block_size = geometry_divide(total, ring->block_size);
	ring->block_count = (uint32_t)((total + ring->block_size - 1) / ring->block_size);
	if (ring->block_size > total && total >= (uint64_t)sysconf(_SC_PAGESIZE)) {
		ring->block_size = (uint32_t)(total - total % (uint64_t)sysconf(_SC_PAGESIZE));
		ring->block_count = 1;
	}
}

/* What the kernel keeps of a packet; 0: all. The addresses at least, because a VLAN tag is put back behind them before the packet is cut. */
static uint32_t kernel_snaplen(int snaplen)
{
	if (snaplen >= SNAPLEN_MAX)
		return 0;
	return snaplen > ETHER_HDR_LEN ? (uint32_t)snaplen : ETHER_HDR_LEN;
}

/* config_load has read these texts once already, so nothing is wrong with them. */
static void set_fanout(const struct config *config, struct netring_config *ring)
{
	ring->rings = (uint32_t)config->value[CONFIG_RINGS];
	ring->numa_node = (int)config->value[CONFIG_NUMA];
	if (!config_is_set(config, CONFIG_FANOUT))
		return;
	fanout_parse(&ring->fanout, config->text[CONFIG_FANOUT], NULL);
	if (config_is_set(config, CONFIG_FANOUT_FLAGS))
		fanout_parse_flags(&ring->fanout.flags, config->text[CONFIG_FANOUT_FLAGS], NULL);
	ring->fanout.program = config->text[CONFIG_FANOUT_PROG];
}

static void set_xdp(const struct config *config, struct netring_config *ring)
{
	struct netring_xdp *xdp = &ring->xdp;

	xdp->mode = (enum netring_xdp_mode)config->value[CONFIG_XDP_MODE];
	if (config->value[CONFIG_BACKEND] == BACKEND_XDP_TAP)
		ring->backend = NETRING_BACKEND_XDP_TAP;
	if (config->value[CONFIG_BACKEND] != BACKEND_XDP)
		return;
	ring->backend = NETRING_BACKEND_XDP;
	xdp->copy = (enum netring_xdp_copy)config->value[CONFIG_XDP_COPY];
	xdp->queues = config_is_set(config, CONFIG_XDP_QUEUES) ? config->text[CONFIG_XDP_QUEUES] : NULL;
	xdp->frames = config_is_set(config, CONFIG_XDP_FRAMES) ? (uint32_t)config->value[CONFIG_XDP_FRAMES] : 0;
	xdp->frame_size = (uint32_t)config->value[CONFIG_XDP_FRAME_SIZE];
	xdp->steal = config->value[CONFIG_XDP_STEAL];
	/* A number in the environment is meant as it stands. */
	if (config_is_set(config, CONFIG_XDP_FRAMES))
		ring->limit_memory = false;
}

static void ring_config(pcap_t *p, const struct config *config, struct netring_config *ring)
{
	netring_config_init(ring, NETRING_PROFILE_DEFAULT);
	set_size(p, config, ring);
	set_fanout(config, ring);
	set_xdp(config, ring);
	ring->interface = strcmp(p->device, "any") == 0 ? NULL : p->device;
	ring->frame_size = config_is_set(config, CONFIG_FRAME_SIZE) ? (uint32_t)config->value[CONFIG_FRAME_SIZE] : 0;
	ring->block_timeout_ms = block_timeout(p, config);
	/*
	 * Only the slots of immediate mode are cut to it, and what XDP copies: filters look at whole packets, also when they run here, and the packet is
	 * cut afterwards.
	 */
	ring->snaplen = p->request.immediate || ring->backend == NETRING_BACKEND_XDP_TAP ? kernel_snaplen(p->snaplen) : 0;
	ring->busy_poll_us = (uint32_t)config->value[CONFIG_BUSY_POLL_US];
	ring->protocol = (uint16_t)p->request.protocol;
	ring->immediate = p->request.immediate != 0;
	ring->ignore_outgoing = config->value[CONFIG_IGNORE_OUTGOING];
	ring->fill_rxhash = config->value[CONFIG_FILL_RXHASH];
	ring->strict = config->value[CONFIG_STRICT];
	ring->show_stats = config->value[CONFIG_STATS];
	ring->reserve = ring->interface ? 0 : COOKED_RESERVE;
	ring->timestamp = timestamp(p, config);
	ring->lock_memory = config->value[CONFIG_LOCK_MEMORY];
}

static int open_wake_fd(pcap_t *p)
{
	if (p->wake_fd < 0)
		p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return p->wake_fd < 0 ? handle_fail(p, "Could not open eventfd: %s", strerror(errno)) : 0;
}

static void close_wake_fd(pcap_t *p)
{
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	p->wake_fd = -1;
}

/* What is the reader's own and could be swapped out: the handle with its burst, and the buffer of pcap_next. */
static int lock_reader(pcap_t *p)
{
	if (mlock(p, sizeof(*p)) < 0 || mlock(p->next_data, (size_t)p->snaplen) < 0)
		return handle_fail(p, "NETRING_LOCK_MEMORY=yes: mlock: %s (ulimit -l, CAP_IPC_LOCK)", strerror(errno));
	return 0;
}

static int set_mode(pcap_t *p, int fd, bool nonblock)
{
	int flags = fcntl(fd, F_GETFL, 0);

	if (flags < 0)
		return handle_fail(p, "F_GETFL: %s", strerror(errno));
	if (fcntl(fd, F_SETFL, nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		return handle_fail(p, "F_SETFL: %s", strerror(errno));
	return 0;
}

/* The program's descriptor, and the socket that sends, which with one ring is the same. */
static int set_fd_nonblock(pcap_t *p, bool nonblock)
{
	int fd = capture_fd(p->capture), sender = capture_sender(p->capture);

	if (set_mode(p, fd, nonblock) < 0)
		return PCAP_ERROR;
	if (sender == fd || set_mode(p, sender, nonblock) == 0)
		return 0;
	set_mode(p, fd, p->nonblock);
	return PCAP_ERROR;
}

static int set_nonblock(pcap_t *p, bool nonblock)
{
	/* The descriptor's mode last: what fails before it leaves the handle as it was. */
	if ((!nonblock && open_wake_fd(p) < 0) || set_fd_nonblock(p, nonblock) < 0)
		return PCAP_ERROR;
	if (nonblock)
		close_wake_fd(p);
	p->nonblock = nonblock;
	return 0;
}

/* Everything about the open ring that may fail, in the order in which engine_close undoes it. */
static int set_up_reader(pcap_t *p, const struct config *config)
{
	bool nonblock = p->request.nonblock || p->request.timeout_ms < 0;

	p->next_data = pages_allocate((size_t)p->snaplen);
	if (!p->next_data)
		return handle_fail(p, "can't allocate oneshot buffer: %s", strerror(errno));
	if (config->value[CONFIG_LOCK_MEMORY] && lock_reader(p) < 0)
		return PCAP_ERROR;
	if (config->value[CONFIG_STATS] && interfaces_count_drops(p) < 0)
		return PCAP_ERROR;
	if (!nonblock)
		return open_wake_fd(p);
	p->nonblock = true;
	/* A negative timeout makes reads return at once, and nothing else. */
	return p->request.nonblock ? set_fd_nonblock(p, true) : 0;
}

static int check_cpu(pcap_t *p, const struct config *config)
{
	struct netring_error error = { "" };

	p->cpu = -1;
	if (!config_is_set(config, CONFIG_CPU))
		return 0;
	p->cpu = (int)config->value[CONFIG_CPU];
	if (reader_cpu_check((unsigned)p->cpu, &error) < 0)
		return handle_fail(p, "%s: %s", config_assignment(config, CONFIG_CPU).text, error.text);
	return 0;
}

int engine_pin(pcap_t *p)
{
	struct netring_error error = { "" };
	int ret = reader_cpu_pin((unsigned)p->cpu, &error);

	if (ret < 0) {
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	p->cpu = -1;
	return 0;
}

int engine_open(pcap_t *p, const struct config *config)
{
	char ignored[PCAP_ERRBUF_SIZE];
	struct netring_config ring;
	struct netring_error error = { "" };
	int ret = check_cpu(p, config);

	if (ret < 0)
		return ret;
	p->snaplen = inner_pcap_snapshot(p->inner);
	p->linktype = inner_pcap_datalink(p->inner);
	p->nanoseconds = p->request.tstamp_precision == PCAP_TSTAMP_PRECISION_NANO;
	p->direction = PCAP_D_INOUT;
	p->loopback_ifindex = (int)if_nametoindex("lo");
	p->is_loopback = interfaces_have_loopback(p);
	p->strict = config->value[CONFIG_STRICT];
	ring_config(p, config, &ring);
	ret = capture_open(&p->capture, &ring, &p->log, &error);
	if (ret < 0)
		return handle_engine_error(p, ret, &error);
	ret = set_up_reader(p, config);
	if (ret < 0) {
		engine_close(p);
		return ret;
	}
	/* The idle handle is never read: it needs no descriptor to be woken by. */
	inner_pcap_setnonblock(p->inner, 1, ignored);
	engine_choose_dress(p);
	p->ops = &engine_ops;
	return 0;
}

void engine_close(pcap_t *p)
{
	netring_close(p->capture);
	p->capture = NULL;
	close_wake_fd(p);
	interfaces_leave_drops(p);
	pages_free(p->next_data, (size_t)p->snaplen);
	p->next_data = NULL;
	free(p->cooked_filter);
	p->cooked_filter = NULL;
	log_close(&p->log);
	p->ops = &delegated_ops;
}

void engine_choose_dress(pcap_t *p)
{
	/* Through AF_XDP everything comes in, on Ethernet. */
	p->dressed = !capture_is_xdp(p->capture) &&
		     (p->linktype == DLT_LINUX_SLL || p->linktype == DLT_LINUX_SLL2 || p->direction != PCAP_D_INOUT || p->is_loopback);
	attention_set(&p->attention, ATTENTION_CHANGED);
}

static void engine_breakloop(pcap_t *p)
{
	uint64_t one = 1;

	attention_set(&p->attention, ATTENTION_BREAK);
	if (p->wake_fd >= 0 && write(p->wake_fd, &one, sizeof(one)) < 0)
		return; /* the eventfd is full of wake-ups already */
}

static int engine_setdirection(pcap_t *p, pcap_direction_t direction)
{
	if (direction != PCAP_D_INOUT && direction != PCAP_D_IN && direction != PCAP_D_OUT)
		return handle_fail(p, "Invalid direction");
	if (direction == PCAP_D_OUT && capture_is_xdp(p->capture))
		return handle_fail(p,
				   capture_is_tap(p->capture) ? "%s: XDP has no outgoing packets (NETRING_BACKEND=xdp-tap)"
							      : "%s: AF_XDP has no outgoing packets (NETRING_BACKEND=xdp)",
				   p->device);
	p->direction = direction;
	engine_choose_dress(p);
	return 0;
}

static int engine_set_datalink(pcap_t *p, int link)
{
	int ret = inner_pcap_set_datalink(p->inner, link);

	if (ret == 0)
		ret = interfaces_set_datalink(p, link);
	if (ret == 0)
		p->linktype = inner_pcap_datalink(p->inner);
	engine_choose_dress(p);
	return ret;
}

static int engine_getnonblock(pcap_t *p, char *errbuf)
{
	(void)errbuf;
	return p->nonblock;
}

static int engine_setnonblock(pcap_t *p, int nonblock, char *errbuf)
{
	int ret = set_nonblock(p, nonblock != 0);

	capture_start(p->capture);
	if (ret < 0)
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", handle_errbuf(p));
	return ret;
}

static int engine_stats(pcap_t *p, struct pcap_stat *stats)
{
	struct netring_stats ring;
	struct netring_error error = { "" };
	int ret = interfaces_stats(p, stats);

	if (ret < 0)
		return ret;
	ret = netring_stats(p->capture, &ring, &error);
	if (ret < 0) {
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	stats->ps_recv = (u_int)ring.packets;
	stats->ps_drop = (u_int)ring.drops;
	return 0;
}

static int send_frame(pcap_t *p, const void *frame, size_t size)
{
	struct netring_error error = { "" };
	int ret;

	if (p->linktype == DLT_LINUX_SLL || p->linktype == DLT_LINUX_SLL2)
		return handle_fail(p, "Sending packets isn't supported on the \"any\" device");
	ret = netring_send(p->capture, frame, size, &error);
	if (ret < 0) {
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	return ret;
}

static int engine_inject(pcap_t *p, const void *frame, size_t size)
{
	/* Sizes that cannot be: the idle handle has the words, and sends nothing. */
	if (size == 0 || size > INT32_MAX)
		return inner_pcap_inject(p->inner, frame, size);
	return send_frame(p, frame, size);
}

static int engine_sendpacket(pcap_t *p, const u_char *frame, int size)
{
	if (size <= 0)
		return inner_pcap_sendpacket(p->inner, frame, size);
	return send_frame(p, frame, (size_t)size) < 0 ? PCAP_ERROR : 0;
}

static int engine_fileno(pcap_t *p)
{
	return netring_fd(p->capture);
}

/* Nothing wakes a sleeper when an interface is deleted after it went down, so an event loop has to come by. */
static const struct timeval *engine_required_select_timeout(pcap_t *p)
{
	static const struct timeval soon = { .tv_usec = 1000 };

	return capture_is_down(p->capture) ? &soon : NULL;
}

const struct handle_ops engine_ops = {
	.dispatch = engine_dispatch,
	.loop = engine_loop,
	.next = engine_next,
	.next_ex = engine_next_ex,
	.breakloop = engine_breakloop,
	.setfilter = engine_setfilter,
	.setdirection = engine_setdirection,
	.set_datalink = engine_set_datalink,
	.getnonblock = engine_getnonblock,
	.setnonblock = engine_setnonblock,
	.stats = engine_stats,
	.inject = engine_inject,
	.sendpacket = engine_sendpacket,
	.fileno = engine_fileno,
	.selectable_fd = engine_fileno,
	.required_select_timeout = engine_required_select_timeout,
};
