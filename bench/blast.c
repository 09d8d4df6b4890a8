/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blast: the packet generator of the benchmarks and the tests.
 *
 * Two ways to send, chosen by -m:
 *
 * live    BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES. The kernel makes the frames itself and runs a small XDP program
 *         on each, which redirects it to the interface. No system call and no skb on the sending side: a veth pair takes
 *         1.5 to 2.5 million packets a second from one CPU. The kernel recycles the pages of the frames without filling them
 *         again, so what differs from packet to packet (sequence number, time, source port) is written by the program into
 *         every frame. Pacing is done there, too: a frame that is not due yet is dropped, which recycles it at once.
 *         Needs Linux 5.18. The receiving end of a veth pair must have NAPI, that is an XDP program or GRO
 *         ("ethtool -K IF gro on"); without it all frames are lost, and "passed" below says so.
 *
 * packet  sendmmsg on a packet socket. Slower, works on every interface, and every frame counted as sent was accepted.
 *
 * A frame is UDP over IPv4 from 10.99.0.1 to 10.99.0.2, port 9, to a MAC address nobody has: a host drops it before it looks at
 * the addresses. The payload is, in network byte order: sequence number (8 bytes), CLOCK_MONOTONIC at sending in ns (8 bytes).
 *
 * Several flows (-f) take turns. Each is a client of its own, 10.N.X.Y and port 1024 + flow, of the server 10.N.255.2, port 9; X.Y is
 * the flow's number, N is 100 + the first sequence number / 2^32. So two senders with -n 0 and -n 4294967296 have no flow in common.
 * With -2 a flow is a conversation: after each round through all flows the frames go the other way. With -F a flow sends, each time it
 * is its turn, three frames one way: a whole datagram, and two fragments of another. All have their own sequence number in the same place.
 *
 * Output, one line: sent (frames given to the interface), passed (what the interface's tx_packets grew by, others' included),
 * seconds, pps (passed per second). Exit status 0 if everything asked for was sent, 1 if not, 2 for bad usage.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000ULL

/* The page the kernel gives to a frame also holds its head room and its descriptors. */
#define FRAME_MAX 9014
#define UDP_OFFSET (ETH_HLEN + sizeof(struct iphdr))
#define SEQ_OFFSET (UDP_OFFSET + sizeof(struct udphdr))
#define TIME_OFFSET (SEQ_OFFSET + sizeof(uint64_t))
#define FRAME_MIN (TIME_OFFSET + sizeof(uint64_t))
#define IP_ID_OFFSET (ETH_HLEN + offsetof(struct iphdr, id))
#define SOURCE_HOST_OFFSET (ETH_HLEN + offsetof(struct iphdr, saddr) + 2)
#define TARGET_HOST_OFFSET (ETH_HLEN + offsetof(struct iphdr, daddr) + 2)
#define SOURCE_PORT_OFFSET (UDP_OFFSET + offsetof(struct udphdr, source))
#define TARGET_PORT_OFFSET (UDP_OFFSET + offsetof(struct udphdr, dest))
#define FIRST_PORT 1024
#define SERVER_PORT 9
#define SERVER_HOST 0xff02 /* the lower half of its address; as a client it would be a flow beyond the last */
#define FRAGMENT_GROUP 3   /* frames: a whole datagram and two fragments */

/* After a pause (another task had the CPU) the sender catches up with this much at most, instead of sending one long burst. */
#define CATCH_UP_NS 1000000

struct options {
	const char *interface;
	int ifindex;
	uint64_t count;
	uint64_t rate;
	size_t size;
	unsigned int flows;
	unsigned int batch;
	int cpu;
	uint64_t base; /* the first sequence number */
	bool identical;
	bool packet;
	bool both; /* directions */
	bool fragments;
};

/* Shared with the XDP program, which finds it in a map with one element. */
struct pace {
	uint64_t sent;
	uint64_t limit;
	uint64_t due_ns;
	uint64_t interval_ns;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/* Only there to interrupt a system call. */
static void on_wake(int signal)
{
	(void)signal;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ---- the frame ---- */

static uint16_t ip_checksum(const struct iphdr *ip)
{
	const uint16_t *word = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / sizeof(*word); i++)
		sum += word[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* More than the two addresses and ports that all frames have. */
static bool has_conversations(const struct options *o)
{
	return o->flows > 1 || o->both || o->fragments;
}

static void frame_fill(unsigned char *frame, const struct options *o)
{
	static const unsigned char nobody[ETH_ALEN] = { 0x02, 0xbe, 0xef, 0, 0, 0x02 };
	static const unsigned char sender[ETH_ALEN] = { 0x02, 0xbe, 0xef, 0, 0, 0x01 };
	struct ether_header eth = { .ether_type = htons(ETHERTYPE_IP) };
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct udphdr udp = { .source = htons(FIRST_PORT), .dest = htons(SERVER_PORT) };
	uint32_t network = 10u << 24 | (uint32_t)(100 + o->base / ((uint64_t)1 << 32)) << 16;

	memcpy(eth.ether_dhost, nobody, ETH_ALEN);
	memcpy(eth.ether_shost, sender, ETH_ALEN);
	ip.tot_len = htons((uint16_t)(o->size - ETH_HLEN));
	ip.saddr = inet_addr("10.99.0.1");
	ip.daddr = inet_addr("10.99.0.2");
	if (has_conversations(o)) {
		/* The id is the complement of the client's half of its address, so that the checksum is right for every client. */
		ip.id = 0xffff;
		ip.saddr = htonl(network);
		ip.daddr = htonl(network | SERVER_HOST);
	}
	ip.check = ip_checksum(&ip);
	udp.len = htons((uint16_t)(o->size - UDP_OFFSET)); /* checksum 0: not computed */

	memset(frame, 0, o->size);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + UDP_OFFSET, &udp, sizeof(udp));
}

/* What the program of emit_conversation does to live frames. index: of the frame, from 0; of the group of frames if there are fragments. */
static void frame_conversation(unsigned char *frame, const struct options *o, uint64_t index)
{
	bool reverse = o->both && index / o->flows % 2;
	uint16_t flow = (uint16_t)(index % o->flows), client = htons(flow), server = htons(SERVER_HOST), id = (uint16_t)~client;
	uint16_t client_port = htons((uint16_t)(FIRST_PORT + flow)), server_port = htons(SERVER_PORT);

	memcpy(frame + IP_ID_OFFSET, &id, sizeof(id));
	memcpy(frame + SOURCE_HOST_OFFSET, reverse ? &server : &client, sizeof(client));
	memcpy(frame + TARGET_HOST_OFFSET, reverse ? &client : &server, sizeof(client));
	memcpy(frame + SOURCE_PORT_OFFSET, reverse ? &server_port : &client_port, sizeof(client_port));
	memcpy(frame + TARGET_PORT_OFFSET, reverse ? &client_port : &server_port, sizeof(client_port));
}

/* Makes a frame the given one of its group: 0 stays whole, 1 and 2 are the halves of one datagram. */
static void frame_fragment(unsigned char *frame, const struct options *o, uint64_t group, unsigned int position)
{
	uint16_t payload = (uint16_t)(o->size - UDP_OFFSET);
	struct udphdr udp;
	struct iphdr ip;

	memcpy(&ip, frame + ETH_HLEN, sizeof(ip));
	memcpy(&udp, frame + UDP_OFFSET, sizeof(udp));
	ip.id = htons((uint16_t)(2 * group + (position > 0)));
	ip.frag_off = htons((uint16_t)(position == 1 ? IP_MF : position == 2 ? payload / 8 : 0));
	ip.check = 0;
	ip.check = ip_checksum(&ip);
	udp.len = htons((uint16_t)(position ? 2 * payload : payload));
	if (position == 2)
		memset(&udp, 0xff, sizeof(udp)); /* no header there: whoever takes it for one is wrong */
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + UDP_OFFSET, &udp, sizeof(udp));
}

static void frame_number(unsigned char *frame, const struct options *o, uint64_t index, uint64_t time_ns)
{
	uint64_t seq_be = htobe64(o->base + index);
	uint64_t time_be = htobe64(time_ns);

	if (has_conversations(o))
		frame_conversation(frame, o, o->fragments ? index / FRAGMENT_GROUP : index);
	if (o->fragments)
		frame_fragment(frame, o, index / FRAGMENT_GROUP, (unsigned int)(index % FRAGMENT_GROUP));
	memcpy(frame + SEQ_OFFSET, &seq_be, sizeof(seq_be));
	memcpy(frame + TIME_OFFSET, &time_be, sizeof(time_be));
}

/* tx_packets of the interface. From /proc, because /sys may show another network namespace. */
static int64_t interface_tx_packets(const char *interface)
{
	char line[512], name[64];
	int64_t tx = -1;
	FILE *f = fopen("/proc/thread-self/net/dev", "re");

	if (!f)
		return -1;
	while (tx < 0 && fgets(line, sizeof(line), f)) {
		int64_t value;

		if (sscanf(line, " %63[^:]: %*d %*d %*d %*d %*d %*d %*d %*d %*d %" SCNd64, name, &value) == 2 &&
		    strcmp(name, interface) == 0)
			tx = value;
	}
	fclose(f);
	return tx;
}

/* ---- live frames: the program ---- */

struct assembler {
	struct bpf_insn insn[96];
	int length;
	int to_drop[8]; /* jumps to the end, their distance still open */
	int jumps;
};

static void emit(struct assembler *a, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	a->insn[a->length++] = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

static void emit_load(struct assembler *a, uint8_t size, uint8_t dst, uint8_t src, size_t offset)
{
	emit(a, BPF_LDX | size | BPF_MEM, dst, src, (int16_t)offset, 0);
}

static void emit_store(struct assembler *a, uint8_t size, uint8_t dst, size_t offset, uint8_t src)
{
	emit(a, BPF_STX | size | BPF_MEM, dst, src, (int16_t)offset, 0);
}

static void emit_move(struct assembler *a, uint8_t dst, uint8_t src)
{
	emit(a, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_network_order(struct assembler *a, uint8_t reg, int bits)
{
	emit(a, BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, bits);
}

/* Drops the frame if `left op right` holds. */
static void emit_drop_if(struct assembler *a, uint8_t op, uint8_t left, uint8_t right)
{
	a->to_drop[a->jumps++] = a->length;
	emit(a, BPF_JMP | op | BPF_X, left, right, 0, 0);
}

static void emit_call(struct assembler *a, int helper)
{
	emit(a, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static void emit_redirect(struct assembler *a, int ifindex)
{
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, ifindex);
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0);
	emit_call(a, BPF_FUNC_redirect);
	emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_drop_target(struct assembler *a)
{
	for (int i = 0; i < a->jumps; i++)
		a->insn[a->to_drop[i]].off = (int16_t)(a->length - a->to_drop[i] - 1);
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_DROP);
	emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Leaves the address of struct pace in r7, and what was sent so far in r8. */
static void emit_pace_load(struct assembler *a, int map)
{
	emit(a, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_7, BPF_PSEUDO_MAP_VALUE, 0, map);
	emit(a, 0, 0, 0, 0, 0); /* the second half of the 64-bit constant: offset 0 in the value */
	emit_load(a, BPF_DW, BPF_REG_8, BPF_REG_7, offsetof(struct pace, sent));
}

/* Drops the frame if the limit is reached or it is not due, and moves the due time on. Leaves the time in r9. */
static void emit_pace(struct assembler *a)
{
	emit_load(a, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct pace, limit));
	emit_drop_if(a, BPF_JGE, BPF_REG_8, BPF_REG_1);
	emit_call(a, BPF_FUNC_ktime_get_ns);
	emit_move(a, BPF_REG_9, BPF_REG_0);
	emit_load(a, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct pace, due_ns));
	emit_drop_if(a, BPF_JLT, BPF_REG_9, BPF_REG_1);

	/* due = max(due, now - CATCH_UP_NS) + interval */
	emit_move(a, BPF_REG_2, BPF_REG_9);
	emit(a, BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_2, 0, 0, CATCH_UP_NS);
	emit(a, BPF_JMP | BPF_JGE | BPF_X, BPF_REG_1, BPF_REG_2, 1, 0);
	emit_move(a, BPF_REG_1, BPF_REG_2);
	emit_load(a, BPF_DW, BPF_REG_2, BPF_REG_7, offsetof(struct pace, interval_ns));
	emit(a, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);
	emit_store(a, BPF_DW, BPF_REG_7, offsetof(struct pace, due_ns), BPF_REG_1);
}

static void emit_store_number(struct assembler *a, uint8_t dst, size_t offset, uint16_t number)
{
	emit(a, BPF_ST | BPF_H | BPF_MEM, dst, 0, (int16_t)offset, htons(number));
}

/* The client's host and port, in network order in r4 and r3, to these places, the server's to the others. */
static void emit_ends(struct assembler *a, bool reverse)
{
	emit_store(a, BPF_H, BPF_REG_2, reverse ? TARGET_HOST_OFFSET : SOURCE_HOST_OFFSET, BPF_REG_4);
	emit_store(a, BPF_H, BPF_REG_2, reverse ? TARGET_PORT_OFFSET : SOURCE_PORT_OFFSET, BPF_REG_3);
	emit_store_number(a, BPF_REG_2, reverse ? SOURCE_HOST_OFFSET : TARGET_HOST_OFFSET, SERVER_HOST);
	emit_store_number(a, BPF_REG_2, reverse ? SOURCE_PORT_OFFSET : TARGET_PORT_OFFSET, SERVER_PORT);
}

/* Both ends of the flow whose turn it is, into the frame at r2. Changes r0, r3, r4, r5. */
static void emit_conversation(struct assembler *a, const struct options *o)
{
	int to_reverse, to_end;

	emit_move(a, BPF_REG_4, BPF_REG_8);
	emit(a, BPF_ALU64 | BPF_MOD | BPF_K, BPF_REG_4, 0, 0, (int32_t)o->flows);
	emit_move(a, BPF_REG_3, BPF_REG_4);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, FIRST_PORT);
	emit_network_order(a, BPF_REG_3, 16);
	emit_network_order(a, BPF_REG_4, 16);
	emit_move(a, BPF_REG_0, BPF_REG_4);
	emit(a, BPF_ALU64 | BPF_XOR | BPF_K, BPF_REG_0, 0, 0, 0xffff);
	emit_store(a, BPF_H, BPF_REG_2, IP_ID_OFFSET, BPF_REG_0);
	if (!o->both) {
		emit_ends(a, false);
		return;
	}
	emit_move(a, BPF_REG_5, BPF_REG_8);
	emit(a, BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_5, 0, 0, (int32_t)o->flows);
	to_reverse = a->length;
	emit(a, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_5, 0, 0, 1);
	emit_ends(a, false);
	to_end = a->length;
	emit(a, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	a->insn[to_reverse].off = (int16_t)(a->length - to_reverse - 1);
	emit_ends(a, true);
	a->insn[to_end].off = (int16_t)(a->length - to_end - 1);
}

/* Writes sequence number, time and the flow's ends into the frame whose context is in r6, and counts it. */
static void emit_numbering(struct assembler *a, const struct options *o)
{
	emit_load(a, BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data));
	emit_load(a, BPF_W, BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data_end));
	emit_move(a, BPF_REG_4, BPF_REG_2);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, FRAME_MIN);
	emit_drop_if(a, BPF_JGT, BPF_REG_4, BPF_REG_3);

	emit(a, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_4, 0, 0, (int32_t)(uint32_t)o->base);
	emit(a, 0, 0, 0, 0, (int32_t)(uint32_t)(o->base >> 32));
	emit(a, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_4, BPF_REG_8, 0, 0);
	emit_network_order(a, BPF_REG_4, 64);
	emit_store(a, BPF_DW, BPF_REG_2, SEQ_OFFSET, BPF_REG_4);
	emit_network_order(a, BPF_REG_9, 64);
	emit_store(a, BPF_DW, BPF_REG_2, TIME_OFFSET, BPF_REG_9);
	if (has_conversations(o))
		emit_conversation(a, o);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_8, 0, 0, 1);
	emit_store(a, BPF_DW, BPF_REG_7, offsetof(struct pace, sent), BPF_REG_8);
}

/* The program counts in the map unless the frames are identical and unpaced: then it only redirects, in four instructions. */
static bool live_counts(const struct options *o)
{
	return !o->identical || o->rate != 0;
}

static int live_load(const struct options *o, int map)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct assembler a = { .length = 0 };
	static char log[16384];
	int program;

	if (live_counts(o)) {
		emit_move(&a, BPF_REG_6, BPF_REG_1);
		emit_pace_load(&a, map);
		emit_pace(&a);
		emit_numbering(&a, o);
	}
	emit_redirect(&a, o->ifindex);
	if (a.jumps)
		emit_drop_target(&a);

	opts.log_buf = log;
	opts.log_size = sizeof(log);
	opts.log_level = 0;
	program = bpf_prog_load(BPF_PROG_TYPE_XDP, "blast", "BSD", a.insn, (size_t)a.length, &opts);
	if (program < 0)
		fprintf(stderr, "blast: cannot load the XDP program: %s\n%s", strerror(-program), log);
	return program;
}

/* ---- live frames: the run ---- */

/*
 * The kernel's loop knows only a number of runs, and a run that drops a frame counts. So a paced run asks for more runs than it
 * will need, and this thread interrupts it with a signal once the last frame is out.
 */
struct watch {
	pthread_t sender;
	const struct pace *pace;
	bool done; /* set by the sender when the kernel has come back */
};

static void *watch_pace(void *argument)
{
	struct watch *w = argument;
	const struct timespec nap = { .tv_nsec = 500000 };

	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		if (stop || __atomic_load_n(&w->pace->sent, __ATOMIC_RELAXED) >= w->pace->limit)
			pthread_kill(w->sender, SIGUSR1);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static int live_call(const struct options *o, int program, unsigned char *frame, uint64_t repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int error;

	run.data_in = frame;
	run.data_size_in = (uint32_t)o->size;
	run.repeat = (int)repeat;
	run.batch_size = o->batch;
	run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
	error = bpf_prog_test_run_opts(program, &run);
	if (error && error != -EINTR)
		fprintf(stderr, "blast: BPF_PROG_TEST_RUN: %s (live frames need Linux 5.18; try -m packet)\n", strerror(-error));
	return error;
}

#define REPEAT_MAX 1000000000ULL

/* Unpaced: one run is one frame. Returns the frames sent. */
static uint64_t live_flat_out(const struct options *o, int program, unsigned char *frame)
{
	uint64_t left = o->count;

	while (left && !stop) {
		uint64_t repeat = left < REPEAT_MAX ? left : REPEAT_MAX;

		if (live_call(o, program, frame, repeat))
			break;
		left -= repeat;
	}
	return o->count - left;
}

static void live_paced(const struct options *o, int program, unsigned char *frame, const struct pace *pace)
{
	struct watch w = { .sender = pthread_self(), .pace = pace };
	pthread_t watcher;
	int error = 0;

	if (pthread_create(&watcher, NULL, watch_pace, &w)) {
		fprintf(stderr, "blast: cannot start the watching thread\n");
		return;
	}
	while (!stop && !error && __atomic_load_n(&pace->sent, __ATOMIC_RELAXED) < pace->limit) {
		error = live_call(o, program, frame, REPEAT_MAX);
		if (error == -EINTR)
			error = 0;
	}
	__atomic_store_n(&w.done, true, __ATOMIC_RELEASE);
	pthread_join(watcher, NULL);
}

static struct pace *pace_map(const struct options *o, int *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct pace *pace;

	*map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "blast_pace", sizeof(uint32_t), sizeof(struct pace), 1, &opts);
	if (*map < 0) {
		fprintf(stderr, "blast: cannot make a BPF map: %s\n", strerror(-*map));
		return NULL;
	}
	pace = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, *map, 0);
	if (pace == MAP_FAILED) {
		fprintf(stderr, "blast: cannot map the BPF map: %s\n", strerror(errno));
		close(*map);
		return NULL;
	}
	*pace = (struct pace){ .limit = o->count, .due_ns = now_ns() };
	if (o->rate)
		pace->interval_ns = NSEC_PER_SEC / o->rate;
	return pace;
}

static uint64_t live_send(const struct options *o, uint64_t *sending_ns)
{
	unsigned char frame[FRAME_MAX];
	uint64_t sent = 0, start;
	struct pace *pace;
	int map, program;

	pace = pace_map(o, &map);
	if (!pace)
		return 0;
	program = live_load(o, map);
	if (program < 0)
		return 0;
	frame_fill(frame, o);
	start = now_ns();
	if (o->rate)
		live_paced(o, program, frame, pace);
	else
		sent = live_flat_out(o, program, frame);
	*sending_ns = now_ns() - start;
	if (live_counts(o))
		sent = pace->sent;
	return sent; /* the kernel frees map and program with the process */
}

/* ---- packet socket ---- */

#define MESSAGES 64

static int packet_open(const struct options *o)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = o->ifindex };
	int buffer = 4 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "blast: packet socket on %s: %s\n", o->interface, strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return fd;
}

/* How many frames may go out now. Sleeps while none is due, unless that is so short that only spinning is exact. */
static uint64_t packet_due(const struct options *o, uint64_t start, uint64_t sent)
{
	uint64_t elapsed, due;

	if (!o->rate)
		return MESSAGES;
	for (;;) {
		elapsed = now_ns() - start;
		due = (uint64_t)((__uint128_t)elapsed * o->rate / NSEC_PER_SEC) + 1;
		if (due > sent || stop)
			return due > sent ? due - sent : 0;
		if (NSEC_PER_SEC / o->rate > 200000)
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
}

static int packet_send_some(int fd, struct mmsghdr *message, unsigned int n)
{
	int done = sendmmsg(fd, message, n, 0);

	if (done >= 0)
		return done;
	if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
		return 0;
	fprintf(stderr, "blast: sendmmsg: %s\n", strerror(errno));
	return -1;
}

static uint64_t packet_send(const struct options *o, uint64_t *sending_ns)
{
	static unsigned char frame[MESSAGES][FRAME_MAX];
	struct mmsghdr message[MESSAGES] = { 0 };
	struct iovec iov[MESSAGES];
	uint64_t sent = 0, start = now_ns();
	int fd = packet_open(o);

	if (fd < 0)
		return 0;
	for (int i = 0; i < MESSAGES; i++) {
		frame_fill(frame[i], o);
		iov[i] = (struct iovec){ .iov_base = frame[i], .iov_len = o->size };
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < o->count && !stop) {
		uint64_t n = packet_due(o, start, sent);
		uint64_t time_ns = now_ns();
		int done;

		n = n < MESSAGES ? n : MESSAGES;
		n = n < o->count - sent ? n : o->count - sent;
		for (uint64_t i = 0; i < n && !o->identical; i++)
			frame_number(frame[i], o, sent + i, time_ns);
		done = packet_send_some(fd, message, (unsigned int)n);
		if (done < 0)
			break;
		sent += (uint64_t)done;
	}
	*sending_ns = now_ns() - start;
	close(fd);
	return sent;
}

/* ---- command line ---- */

static const char usage[] =
	"usage: blast -i INTERFACE [options]\n"
	"  -c COUNT   frames to send (default 1000000)\n"
	"  -s SIZE    bytes of a frame, without checksum (default 60)\n"
	"  -r RATE    frames a second (default 0: flat out)\n"
	"  -f FLOWS   number of flows, which take turns (default 1)\n"
	"  -2         every other round of the flows goes the other way\n"
	"  -F         packet: a whole datagram and two fragments of another in turn; the SIZE is 34 and a multiple of 8\n"
	"  -n NUMBER  the first sequence number (default 0); another NUMBER / 4294967296 (up to 155), other flows\n"
	"  -p CPU     run on this CPU\n"
	"  -m MODE    live (default) or packet\n"
	"  -b BATCH   live: frames a batch, up to 256 (default 64)\n"
	"  -I         identical frames: no sequence number, time or flows\n";

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value >= low && *value <= high;
}

static bool parse_option(struct options *o, int option)
{
	uint64_t value = 0;

	switch (option) {
	case 'i':
		o->interface = optarg;
		return true;
	case 'c':
		return parse_number(optarg, 1, UINT64_MAX / 2, &o->count);
	case 's':
		if (!parse_number(optarg, FRAME_MIN, FRAME_MAX, &value))
			return false;
		o->size = value;
		return true;
	case 'r':
		return parse_number(optarg, 0, NSEC_PER_SEC, &o->rate);
	case 'f':
		if (!parse_number(optarg, 1, 65536 - FIRST_PORT, &value))
			return false;
		o->flows = (unsigned int)value;
		return true;
	case 'n':
		return parse_number(optarg, 0, ((uint64_t)156 << 32) - 1, &o->base);
	case 'p':
		if (!parse_number(optarg, 0, CPU_SETSIZE - 1, &value))
			return false;
		o->cpu = (int)value;
		return true;
	case 'b':
		if (!parse_number(optarg, 1, 256, &value))
			return false;
		o->batch = (unsigned int)value;
		return true;
	case 'm':
		o->packet = strcmp(optarg, "packet") == 0;
		return o->packet || strcmp(optarg, "live") == 0;
	case 'I':
		return o->identical = true;
	case '2':
		return o->both = true;
	case 'F':
		return o->fragments = true;
	default:
		return false;
	}
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "i:c:s:r:f:n:p:b:m:I2F")) != -1) {
		if (parse_option(o, option))
			continue;
		if (option != '?')
			fprintf(stderr, "blast: bad value for -%c: %s\n", option, optarg);
		return false;
	}
	if (o->fragments && (!o->packet || (o->size - UDP_OFFSET) % 8)) {
		fprintf(stderr, "blast: -F needs -m packet, and a SIZE of %zu and a multiple of 8\n", (size_t)UDP_OFFSET);
		return false;
	}
	return o->interface && optind == argc;
}

static bool pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return true;
	fprintf(stderr, "blast: CPU %d: %s\n", cpu, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct options o = { .count = 1000000, .size = 60, .flows = 1, .batch = 64, .cpu = -1 };
	const struct sigaction action = { .sa_handler = on_signal };
	const struct sigaction wake = { .sa_handler = on_wake };
	uint64_t sent, sending_ns = 1;
	int64_t before, passed;

	if (!parse_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	o.ifindex = (int)if_nametoindex(o.interface);
	if (!o.ifindex) {
		fprintf(stderr, "blast: no interface %s\n", o.interface);
		return 2;
	}
	if (!pin(o.cpu))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &wake, NULL);

	before = interface_tx_packets(o.interface);
	sent = o.packet ? packet_send(&o, &sending_ns) : live_send(&o, &sending_ns);
	passed = before < 0 ? -1 : interface_tx_packets(o.interface) - before;

	printf("sent=%" PRIu64 " passed=%" PRId64 " seconds=%.3f pps=%.0f\n", sent, passed, (double)sending_ns / NSEC_PER_SEC,
	       (double)passed * NSEC_PER_SEC / (double)sending_ns);
	return sent == o.count ? 0 : 1;
}
