/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp-loop: the least that can be done to get packets through AF_XDP, in copy mode from receive queue 0. What netring is compared with: the rings are
 * mapped by hand, the XDP program is six instructions without a filter or a time stamp, and a packet costs one addition. With -m the program leaves a time
 * stamp in front of each packet, and the loop looks at it and at the packet: the least that any program can do that hands over captured packets.
 *
 * Without -P it spins; with -P it sleeps in poll() whenever the ring is empty. Prints and ends as bench/count.c does: "ready", then one line of
 * NAME=VALUE after SIGINT or SIGTERM, once nothing has come for a while.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_SIZE 2048
#define BATCH 64 /* packets between two looks at the ring's indices: what the kernel shows at once */
#define BIND_TRIES 200
#define METADATA 16 /* bytes in front of a packet: the time stamp, and as many again that netring's program writes to, and this one does not */
#define QUIET_NS 300000000ULL /* without a packet after a signal: all have been read */
#define EMPTY_LOOKS 4096      /* between looks at the clock, while spinning */

struct options {
	const char *interface;
	unsigned int ifindex;
	uint32_t frames; /* and entries of both rings */
	int cpu;
	bool poll;
	bool generic;
	bool socket_only;
	bool stamps;
};

/* One of the rings: its two indices and its entries, in memory shared with the kernel. */
struct ring {
	uint32_t *producer;
	uint32_t *consumer;
	void *entry;
	uint32_t mask;
};

struct loop {
	int fd;
	int map;
	int program;
	int link;
	void *umem;
	struct ring fill;
	struct ring rx;
	uint64_t packets;
	uint64_t bytes;
	uint64_t seen; /* a sum that nobody needs, so that stamps and packets are read */
	bool stamps;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool failed(const char *what)
{
	fprintf(stderr, "xdp-loop: %s: %s\n", what, strerror(errno));
	return false;
}

/* ---- the socket ---- */

static bool register_umem(struct loop *l, const struct options *o)
{
	struct xdp_umem_reg umem = { .len = (uint64_t)o->frames * FRAME_SIZE, .chunk_size = FRAME_SIZE };

	l->umem = mmap(NULL, umem.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (l->umem == MAP_FAILED)
		return failed("umem");
	umem.addr = (uintptr_t)l->umem;
	return setsockopt(l->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) == 0 || failed("XDP_UMEM_REG");
}

static bool map_ring(const struct loop *l, struct ring *ring, uint32_t entries, size_t entry_size, off_t page, const struct xdp_ring_offset *at)
{
	char *base = mmap(NULL, at->desc + entries * entry_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, l->fd, page);

	if (base == MAP_FAILED)
		return failed("mapping a ring");
	*ring = (struct ring){ .producer = (uint32_t *)(base + at->producer),
			       .consumer = (uint32_t *)(base + at->consumer),
			       .entry = base + at->desc,
			       .mask = entries - 1 };
	return true;
}

static bool make_rings(struct loop *l, const struct options *o)
{
	struct xdp_mmap_offsets at;
	socklen_t length = sizeof(at);
	uint32_t n = o->frames;

	if (setsockopt(l->fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n)) || setsockopt(l->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof(n)) ||
	    setsockopt(l->fd, SOL_XDP, XDP_RX_RING, &n, sizeof(n)) || getsockopt(l->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length))
		return failed("rings");
	return map_ring(l, &l->fill, n, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, &at.fr) &&
	       map_ring(l, &l->rx, n, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, &at.rx);
}

static void fill_all(struct loop *l, uint32_t frames)
{
	uint64_t *address = l->fill.entry;

	for (uint32_t i = 0; i < frames; i++)
		address[i] = (uint64_t)i * FRAME_SIZE;
	__atomic_store_n(l->fill.producer, frames, __ATOMIC_RELEASE);
}

static bool open_socket(struct loop *l, const struct options *o)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_ifindex = o->ifindex, .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP };

	l->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return failed("AF_XDP socket");
	if (!register_umem(l, o) || !make_rings(l, o))
		return false;
	fill_all(l, o->frames);
	/* The kernel lets go of a queue some time after the socket before was closed. */
	for (int tries = 0; bind(l->fd, (struct sockaddr *)&address, sizeof(address)); tries++) {
		if (errno != EBUSY || tries == BIND_TRIES)
			return failed("bind");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return true;
}

/* ---- the program ---- */

/* return bpf_redirect_map(map, context->rx_queue_index, XDP_PASS) */
static bool load_program(struct loop *l)
{
	const struct bpf_insn insn[] = {
		{ .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1, .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = l->map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	l->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_loop", "BSD", insn, sizeof(insn) / sizeof(insn[0]), NULL);
	return l->program >= 0 || failed("loading the program");
}

/* The same, with bpf_ktime_get_tai_ns at the front of the metadata, if there is room for it. */
static bool load_stamping_program(struct loop *l)
{
	const struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_tai_ns },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_7, .src_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = -METADATA },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_adjust_meta },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_0, .off = 6 },
		{ .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6, .off = offsetof(struct xdp_md, data_meta) },
		{ .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_6, .off = offsetof(struct xdp_md, data) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_3, .imm = METADATA },
		{ .code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_2, .off = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_MEM, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_7 },
		{ .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_6, .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = l->map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	l->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_loop", "Dual BSD/GPL", insn, sizeof(insn) / sizeof(insn[0]), NULL);
	return l->program >= 0 || failed("loading the program");
}

static bool attach(struct loop *l, const struct options *o)
{
	LIBBPF_OPTS(bpf_link_create_opts, link, .flags = o->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	uint32_t queue = 0;

	l->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xdp_loop", sizeof(uint32_t), sizeof(int), 1, NULL);
	if (l->map < 0)
		return failed("map");
	if (!(o->stamps ? load_stamping_program(l) : load_program(l)))
		return false;
	if (bpf_map_update_elem(l->map, &queue, &l->fd, 0))
		return failed("adding the socket to the map");
	l->link = bpf_link_create(l->program, (int)o->ifindex, BPF_XDP, &link);
	return l->link >= 0 || failed("attaching the program");
}

/* ---- the loop ---- */

/* Counts what is in the ring, a batch at the most, and gives the frames back. The acquire pairs with the kernel's store after the entries. */
static uint32_t take_batch(struct loop *l)
{
	const struct xdp_desc *packet = l->rx.entry;
	uint64_t *given = l->fill.entry;
	uint32_t from = *l->rx.consumer, to = *l->fill.producer;
	uint32_t n = __atomic_load_n(l->rx.producer, __ATOMIC_ACQUIRE) - from;

	if (n > BATCH)
		n = BATCH;
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *p = &packet[(from + i) & l->rx.mask];

		l->bytes += p->len;
		if (l->stamps) {
			const uint8_t *data = (const uint8_t *)l->umem + p->addr;
			uint64_t stamp;

			memcpy(&stamp, data - METADATA, sizeof(stamp));
			l->seen += stamp + *data;
		}
		given[(to + i) & l->fill.mask] = p->addr & ~(uint64_t)(FRAME_SIZE - 1);
	}
	if (n) {
		l->packets += n;
		__atomic_store_n(l->rx.consumer, from + n, __ATOMIC_RELEASE);
		__atomic_store_n(l->fill.producer, to + n, __ATOMIC_RELEASE);
	}
	return n;
}

static void run(struct loop *l, const struct options *o)
{
	struct pollfd waiting = { .fd = l->fd, .events = POLLIN };
	uint64_t empty = 0, empty_since_ns = 0;

	for (;;) {
		if (take_batch(l)) {
			empty_since_ns = 0;
			continue;
		}
		if (o->poll)
			poll(&waiting, 1, 50);
		else if (++empty % EMPTY_LOOKS)
			continue;
		if (!empty_since_ns)
			empty_since_ns = now_ns();
		else if (stop && now_ns() - empty_since_ns > QUIET_NS)
			return;
	}
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool measure(struct loop *l, const struct options *o)
{
	struct xdp_statistics s = { 0 };
	socklen_t length = sizeof(s);
	double cpu = cpu_seconds();
	uint64_t start_ns = now_ns(), lost;

	run(l, o);
	cpu = cpu_seconds() - cpu;
	start_ns = now_ns() - start_ns;
	if (getsockopt(l->fd, SOL_XDP, XDP_STATISTICS, &s, &length))
		return failed("XDP_STATISTICS");
	lost = s.rx_dropped + s.rx_ring_full;
	printf("library=none received=%" PRIu64 " dropped=%" PRIu64 " delivered=%" PRIu64 " bytes=%" PRIu64 " cpu_s=%.4f wall_s=%.4f\n",
	       (uint64_t)(l->packets + lost), lost, l->packets, l->bytes, cpu, (double)start_ns / 1e9);
	return true;
}

/* ---- command line ---- */

static const char usage[] = "usage: xdp-loop -i INTERFACE [options]\n"
			    "  -n FRAMES  of the umem and entries of each ring, a power of two (default 4096)\n"
			    "  -P         poll; without it, spin\n"
			    "  -m         time stamps in front of packets, and a look at both\n"
			    "  -g         the kernel's generic XDP instead of the driver's\n"
			    "  -s         no program: only take the queue\n"
			    "  -p CPU     run on this CPU\n";

static bool parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "i:n:p:Pgsm")) != -1) {
		if (option == 'i')
			o->interface = optarg;
		else if (option == 'n')
			o->frames = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'p')
			o->cpu = atoi(optarg);
		else if (option == 'P')
			o->poll = true;
		else if (option == 'g')
			o->generic = true;
		else if (option == 'm')
			o->stamps = true;
		else if (option == 's')
			o->socket_only = true;
		else
			return false;
	}
	return o->interface && optind == argc && o->frames >= BATCH && !(o->frames & (o->frames - 1));
}

static bool pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 || failed("CPU");
}

int main(int argc, char **argv)
{
	struct options o = { .frames = 4096, .cpu = -1 };
	const struct sigaction action = { .sa_handler = on_signal };
	struct loop l = { .fd = -1 };

	if (!parse_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	o.ifindex = if_nametoindex(o.interface);
	if (!o.ifindex && !failed(o.interface))
		return 2;
	if (!pin(o.cpu))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	l.stamps = o.stamps;
	if (!open_socket(&l, &o) || (!o.socket_only && !attach(&l, &o)))
		return 1;
	puts("ready");
	fflush(stdout);
	return measure(&l, &o) ? 0 : 1; /* the kernel detaches the program with the process */
}
