/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filter machine of user space against two others: libpcap's bpf_filter (this is the one test that links the system's libpcap) and the kernel.
 *
 * Every primitive of pcap-filter(7), alone and combined, over thousands of packets, whole and cut short; and random programs. Where libpcap and the
 * kernel differ, the kernel is right, because it is the one that judges a packet on its way into the ring:
 *	- a shift by X takes X modulo 32; libpcap gives 0 for 32 and more;
 *	- the sum of an indexed load wraps around at 32 bits; libpcap rejects;
 *	- ancillary loads; libpcap has only the two for VLAN tags.
 * Programs that loop ("protochain") are libpcap's alone; an endless loop rejects the packet here, and never ends there.
 * Where bpf_is_valid takes more than the kernel: see refused_by_kernel_only().
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <check.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-run.h"
#include "expressions.h"
#include "guarded.h"
#include "kernel-filter.h"
#include "packets.h"
#include "unwritten-memory.h"

#define PACKETS 1500
#define ANCILLARY(what) ((uint32_t)SKF_AD_OFF + (what))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct kernel_filter kernel;
static uint8_t *memory;	/* a page between two that may not be touched: packets end where it ends */
static uint8_t *memory_end;

static void setup(void)
{
	kernel_filter_open(&kernel);
	memory = guarded_map(1);
	memory_end = memory + sysconf(_SC_PAGESIZE);
}

static void teardown(void)
{
	kernel_filter_close(&kernel);
	guarded_unmap(memory, 1);
}

/* Running */

static struct sockaddr_ll no_link;

static uint32_t run(const struct sock_filter *program, const void *bytes, uint32_t length, uint32_t wire_len)
{
	struct netring_packet packet = { .captured_len = length, .wire_len = wire_len, .link = &no_link };

	packet.data = memory_end - length;
	memcpy(packet.data, bytes, length);
	return bpf_run(program, &packet);
}

static const struct bpf_insn *for_libpcap(const struct sock_filter *program)
{
	_Static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn), "the same instructions");
	return (const struct bpf_insn *)program;
}

/* A program in the message of a failure. */
static const char *listing(const struct sock_filter *program, unsigned length)
{
	static char text[4096];
	size_t used = 0;

	for (unsigned i = 0; i < length && used < sizeof(text) - 64; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "{ 0x%02x, %u, %u, 0x%08x } ", program[i].code, program[i].jt,
					 program[i].jf, program[i].k);
	return text;
}

/* Expressions */

struct link_layer {
	int type;
	void (*put)(struct packet_builder *builder);
};

static const struct link_layer ethernet = { DLT_EN10MB, put_ethernet };
static const struct link_layer others[] = {
	{ DLT_LINUX_SLL, put_sll }, { DLT_LINUX_SLL2, put_sll2 }, { DLT_RAW, put_raw }, { DLT_IEEE802_11, put_wlan },
};

struct sample {
	uint32_t captured_len, wire_len;
	uint8_t bytes[PACKET_ROOM];
};

/* Two thirds as built, the others with bytes changed; half of all are cut short. */
static struct sample *build_samples(const struct link_layer *link, uint64_t seed)
{
	struct sample *samples = calloc(PACKETS, sizeof(*samples));
	struct random random = { seed };

	for (unsigned i = 0; i < PACKETS; i++) {
		struct packet_builder builder = { &random, 0, samples[i].bytes };

		link->put(&builder);
		ck_assert_uint_le(builder.length, PACKET_ROOM);
		for (uint32_t n = random_below(&random, 3) ? 0 : 1 + random_below(&random, 5); n > 0; n--)
			samples[i].bytes[random_below(&random, builder.length)] = (uint8_t)random_next(&random);
		samples[i].wire_len = builder.length;
		samples[i].captured_len = random_below(&random, 2) ? builder.length : random_below(&random, builder.length + 1);
	}
	return samples;
}

struct tally {
	unsigned compiled, both_verdicts;
};

static bool shifts_by_x(const struct sock_filter *insn)
{
	return insn->code == (BPF_ALU | BPF_LSH | BPF_X) || insn->code == (BPF_ALU | BPF_RSH | BPF_X);
}

/* Where libpcap is not asked: shifts, and "inbound" of a link type that has no field for it, which libpcap compiles for the kernel. */
static bool is_the_kernels(const struct sock_filter *program, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (shifts_by_x(&program[i]) ||
		    (BPF_CLASS(program[i].code) == BPF_LD && BPF_MODE(program[i].code) == BPF_ABS && program[i].k >= (uint32_t)SKF_AD_OFF))
			return true;
	return false;
}

static void compare_program(const struct bpf_program *program, const struct sample *samples, const char *text, struct tally *tally)
{
	const struct sock_filter *insns = (const struct sock_filter *)program->bf_insns;
	unsigned accepted = 0;

	ck_assert_msg(bpf_is_valid(insns, program->bf_len), "\"%s\" is not valid", text);
	for (unsigned i = 0; i < PACKETS; i++) {
		const struct sample *sample = &samples[i];
		uint32_t ours = run(insns, sample->bytes, sample->captured_len, sample->wire_len);
		uint32_t libpcaps = bpf_filter(program->bf_insns, sample->bytes, sample->wire_len, sample->captured_len);

		ck_assert_msg(ours == libpcaps, "\"%s\", packet %u: %u, libpcap's %u", text, i, ours, libpcaps);
		accepted += ours != 0;
	}
	tally->compiled++;
	tally->both_verdicts += accepted != 0 && accepted != PACKETS;
}

/* Compiled as it is and optimised; not every expression is one for every link type. */
static void compare_expression(pcap_t *pcap, const struct sample *samples, const char *text, struct tally *tally)
{
	for (int optimize = 0; optimize <= 1; optimize++) {
		struct bpf_program program;

		if (pcap_compile(pcap, &program, text, optimize, 0xffffff00) < 0)
			continue;
		if (!is_the_kernels((struct sock_filter *)program.bf_insns, program.bf_len))
			compare_program(&program, samples, text, tally);
		pcap_freecode(&program);
	}
}

static struct tally compare_expressions(const struct link_layer *link)
{
	pcap_t *pcap = pcap_open_dead(link->type, 262144);
	struct sample *samples = build_samples(link, UINT64_C(0x706361702d66696c) + (uint64_t)link->type);
	struct tally tally = { 0, 0 };

	for (size_t i = 0; i < LENGTH(expressions); i++)
		compare_expression(pcap, samples, expressions[i], &tally);
	free(samples);
	pcap_close(pcap);
	return tally;
}

START_TEST(test_expressions_on_ethernet)
{
	struct tally tally = compare_expressions(&ethernet);

	ck_assert_msg(tally.compiled > 380, "only %u programs", tally.compiled);
	/* Expressions that no packet of the pool meets, or all of them, prove little. */
	ck_assert_msg(tally.both_verdicts > tally.compiled * 8 / 10, "only %u of %u programs told packets apart", tally.both_verdicts, tally.compiled);
}
END_TEST

START_TEST(test_expressions_on_other_link_types)
{
	struct tally tally = compare_expressions(&others[_i]);

	ck_assert_msg(tally.compiled > 250, "only %u programs", tally.compiled);
	ck_assert_msg(tally.both_verdicts > tally.compiled / 2, "only %u of %u programs told packets apart", tally.both_verdicts, tally.compiled);
}
END_TEST

/* Two of them joined, or one denied. */
START_TEST(test_combined_expressions)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct sample *samples = build_samples(&ethernet, 77);
	struct random random = { 88 };
	struct tally tally = { 0, 0 };

	for (unsigned i = 0; i < 400; i++) {
		const char *one = PICK(&(struct packet_builder){ .random = &random }, expressions);
		const char *two = PICK(&(struct packet_builder){ .random = &random }, expressions);
		char text[512];

		if (!*one || !*two)
			continue;
		snprintf(text, sizeof(text), i % 3 ? "(%s) or (%s)" : "(%s) and not (%s)", one, two);
		compare_expression(pcap, samples, text, &tally);
	}
	ck_assert_uint_gt(tally.compiled, 500);
	free(samples);
	pcap_close(pcap);
}
END_TEST

/* The kernel runs the same programs on whole packets. */
START_TEST(test_expressions_in_the_kernel)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	struct sample *samples = build_samples(&ethernet, 99);
	unsigned compiled = 0;

	for (size_t i = 0; i < LENGTH(expressions); i++) {
		struct bpf_program program;
		const struct sock_filter *insns;

		if (pcap_compile(pcap, &program, expressions[i], 1, 0xffffff00) < 0)
			continue;
		insns = (const struct sock_filter *)program.bf_insns;
		if (kernel_filter_set(&kernel, insns, program.bf_len) == 0) {
			compiled++;
			for (unsigned n = 0; n < 300; n++) {
				uint32_t length = samples[n].wire_len, ours = run(insns, samples[n].bytes, length, length);

				ck_assert_msg((ours < length ? ours : length) == kernel_filter_run(&kernel, samples[n].bytes, length),
					      "\"%s\", packet %u: %u", expressions[i], n, ours);
			}
		}
		pcap_freecode(&program);
	}
	ck_assert_uint_gt(compiled, 180);
	free(samples);
	pcap_close(pcap);
}
END_TEST

/* Single instructions */

struct case_of_a {
	const char *name;
	struct sock_filter program[4];	/* the last leaves its result in A; 0: end */
	uint32_t a;
	bool rejects;
};

static const uint8_t digits[] = { 0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9 };

#define LD(mode, k) BPF_STMT(BPF_LD | (mode), k)
#define A(k) BPF_STMT(BPF_LD | BPF_IMM, k)
#define X(k) BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(op, k) BPF_STMT(BPF_ALU | (op), k)
#define TXA BPF_STMT(BPF_MISC | BPF_TXA, 0)

static const struct case_of_a cases_of_a[] = {
	{ "word", { LD(BPF_W | BPF_ABS, 0) }, 0x10213243, false },
	{ "last word", { LD(BPF_W | BPF_ABS, 6) }, 0x768798a9, false },
	{ "word beyond", { LD(BPF_W | BPF_ABS, 7) }, 0, true },
	{ "half", { LD(BPF_H | BPF_ABS, 8) }, 0x98a9, false },
	{ "half beyond", { LD(BPF_H | BPF_ABS, 9) }, 0, true },
	{ "byte", { LD(BPF_B | BPF_ABS, 9) }, 0xa9, false },
	{ "byte beyond", { LD(BPF_B | BPF_ABS, 10) }, 0, true },
	{ "word at 2^31", { LD(BPF_W | BPF_ABS, 0x80000000) }, 0, true },
	{ "word that wraps", { LD(BPF_W | BPF_ABS, 0x7fffffff) }, 0, true },
	{ "indexed", { X(4), LD(BPF_B | BPF_IND, 3) }, 0x87, false },
	{ "indexed, wraps to 1", { X(0xffffffff), LD(BPF_B | BPF_IND, 2) }, 0x21, false },
	{ "indexed, wraps to 9", { X(0xfffffff0), LD(BPF_B | BPF_IND, 25) }, 0xa9, false },
	{ "indexed beyond", { X(9), LD(BPF_H | BPF_IND, 0) }, 0, true },
	{ "indexed, no ancillary", { X(0), LD(BPF_W | BPF_IND, ANCILLARY(0)) }, 0, true },
	{ "header length", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 4), TXA }, 16, false },
	{ "header length beyond", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 10), TXA }, 0, true },
	{ "header length, no ancillary", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ANCILLARY(0)), TXA }, 0, true },
	{ "length", { LD(BPF_W | BPF_LEN, 0) }, 10, false },
	{ "length into X", { BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), TXA }, 10, false },
	{ "memory", { A(77), BPF_STMT(BPF_ST, 15), A(1), LD(BPF_MEM, 15) }, 77, false },
	{ "X in memory", { X(78), BPF_STMT(BPF_STX, 0), BPF_STMT(BPF_LDX | BPF_MEM, 0), TXA }, 78, false },
	{ "X and A", { A(5), BPF_STMT(BPF_MISC | BPF_TAX, 0), A(1), TXA }, 5, false },
	{ "add", { A(0xffffffff), OP(BPF_ADD | BPF_K, 3) }, 2, false },
	{ "subtract", { A(1), OP(BPF_SUB | BPF_K, 3) }, 0xfffffffe, false },
	{ "multiply", { A(0x10001), OP(BPF_MUL | BPF_K, 0x10001) }, 0x20001, false },
	{ "divide", { A(0xfffffffe), OP(BPF_DIV | BPF_K, 2) }, 0x7fffffff, false },
	{ "modulo", { A(0xffffffff), OP(BPF_MOD | BPF_K, 10) }, 5, false },
	{ "divide by X", { X(3), A(10), OP(BPF_DIV | BPF_X, 0) }, 3, false },
	{ "divide by 0", { X(0), A(10), OP(BPF_DIV | BPF_X, 0) }, 0, true },
	{ "modulo 0", { X(0), A(10), OP(BPF_MOD | BPF_X, 0) }, 0, true },
	{ "and, or", { A(0xf0), OP(BPF_AND | BPF_K, 0x3c), OP(BPF_OR | BPF_K, 3) }, 0x33, false },
	{ "exclusive or", { A(0xf0), OP(BPF_XOR | BPF_K, 0x3c) }, 0xcc, false },
	{ "negate", { A(1), OP(BPF_NEG, 0) }, 0xffffffff, false },
	{ "left 31", { A(3), OP(BPF_LSH | BPF_K, 31) }, 0x80000000, false },
	{ "right 31", { A(0xc0000000), OP(BPF_RSH | BPF_K, 31) }, 1, false },
	{ "left X", { X(4), A(3), OP(BPF_LSH | BPF_X, 0) }, 48, false },
	{ "left 32", { X(32), A(3), OP(BPF_LSH | BPF_X, 0) }, 3, false },
	{ "left 33", { X(33), A(3), OP(BPF_LSH | BPF_X, 0) }, 6, false },
	{ "right 36", { X(36), A(0x30), OP(BPF_RSH | BPF_X, 0) }, 3, false },
	{ "right 2^32 - 1", { X(0xffffffff), A(0xc0000000), OP(BPF_RSH | BPF_X, 0) }, 1, false },
};

/* {what leaves A}, then A == expected ? 1 : 2. The kernel has to agree before we do. */
START_TEST(test_instructions)
{
	const struct case_of_a *one = &cases_of_a[_i];
	struct sock_filter program[8];
	unsigned length = 0;
	uint32_t expected = one->rejects ? 0 : 1;

	while (length < 4 && (one->program[length].code || one->program[length].k)) {
		program[length] = one->program[length];
		length++;
	}
	program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one->a, 0, 1);
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 1);
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 2);
	ck_assert_msg(bpf_is_valid(program, length), "%s: not valid", one->name);
	ck_assert_msg(kernel_filter_set(&kernel, program, length) == 0, "%s: the kernel refuses it", one->name);
	ck_assert_msg(kernel_filter_run(&kernel, digits, sizeof(digits)) == expected, "%s: the kernel finds something else", one->name);
	ck_assert_msg(run(program, digits, sizeof(digits), sizeof(digits)) == expected, "%s: %u", one->name,
		      run(program, digits, sizeof(digits), sizeof(digits)));
}
END_TEST

START_TEST(test_jumps)
{
	static const uint16_t kinds[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const uint32_t values[] = { 0, 1, 2, 3, 4, 0x7fffffff, 0x80000000, 0xffffffff };

	for (size_t kind = 0; kind < LENGTH(kinds); kind++)
		for (size_t a = 0; a < LENGTH(values); a++)
			for (size_t b = 0; b < LENGTH(values); b++)
				for (int source = 0; source < 2; source++) {
					const struct sock_filter program[] = {
						X(values[b]), A(values[a]),
						BPF_JUMP(BPF_JMP | kinds[kind] | (source ? BPF_X : BPF_K), values[b], 1, 3),
						BPF_STMT(BPF_RET | BPF_K, 9),
						BPF_STMT(BPF_JMP | BPF_JA, 0),
						BPF_STMT(BPF_RET | BPF_K, 1),
						BPF_STMT(BPF_RET | BPF_K, 2),
					};
					uint32_t ours = run(program, digits, sizeof(digits), 10);

					ck_assert(bpf_is_valid(program, LENGTH(program)));
					ck_assert(ours == 1 || ours == 2);
					ck_assert_uint_eq(ours, bpf_filter(for_libpcap(program), digits, 10, 10));
				}
}
END_TEST

/* Ancillary loads */

struct ancillary {
	const char *name;
	uint32_t what, value;
};

static const struct ancillary ancillaries[] = {
	{ "protocol", SKF_AD_PROTOCOL, 0x86dd },
	{ "packet type", SKF_AD_PKTTYPE, PACKET_OUTGOING },
	{ "interface", SKF_AD_IFINDEX, 17 },
	{ "hardware type", SKF_AD_HATYPE, 772 },
	{ "hash", SKF_AD_RXHASH, 0xdeadbeef },
	{ "tag", SKF_AD_VLAN_TAG, 0xb02a },
	{ "tag is there", SKF_AD_VLAN_TAG_PRESENT, 1 },
	{ "tag's type", SKF_AD_VLAN_TPID, 0x88a8 },
};

static struct netring_packet described_packet(void)
{
	static struct sockaddr_ll link;
	static uint8_t bytes[4];

	link = (struct sockaddr_ll){ .sll_ifindex = 17, .sll_hatype = 772, .sll_pkttype = PACKET_OUTGOING };
	link.sll_protocol = htons(0x86dd);
	return (struct netring_packet){
		.data = bytes, .captured_len = sizeof(bytes), .wire_len = 60, .flags = NETRING_VLAN | NETRING_VLAN_TPID, .rxhash = 0xdeadbeef,
		.vlan_tci = 0xb02a, .vlan_tpid = 0x88a8, .link = &link,
	};
}

START_TEST(test_ancillary_loads)
{
	static const uint16_t sizes[] = { BPF_W, BPF_H, BPF_B };
	struct netring_packet packet = described_packet();

	for (size_t i = 0; i < LENGTH(ancillaries); i++)
		for (size_t size = 0; size < LENGTH(sizes); size++) {
			/* The kernel's ancillary values are whole whatever the load's size. */
			const struct sock_filter program[] = {
				LD(sizes[size] | BPF_ABS, ANCILLARY(ancillaries[i].what)), BPF_STMT(BPF_RET | BPF_A, 0),
			};

			ck_assert(bpf_is_valid(program, 2));
			ck_assert_int_eq(kernel_filter_set(&kernel, program, 2), 0);
			ck_assert_msg(bpf_run(program, &packet) == ancillaries[i].value, "%s: %u", ancillaries[i].name, bpf_run(program, &packet));
		}
}
END_TEST

START_TEST(test_tag_of_an_untagged_packet)
{
	struct netring_packet packet = described_packet();
	const struct sock_filter tag[] = { LD(BPF_W | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG)), OP(BPF_ADD | BPF_K, 1), BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter present[] = { LD(BPF_B | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG_PRESENT)), OP(BPF_ADD | BPF_K, 1), BPF_STMT(BPF_RET | BPF_A, 0) };

	packet.flags = 0;
	ck_assert_uint_eq(bpf_run(tag, &packet), 1);
	ck_assert_uint_eq(bpf_run(present, &packet), 1);
	/* Priority 0 of VLAN 0 is a tag too. */
	packet.flags = NETRING_VLAN;
	packet.vlan_tci = 0;
	ck_assert_uint_eq(bpf_run(tag, &packet), 1);
	ck_assert_uint_eq(bpf_run(present, &packet), 2);
}
END_TEST

/* What only the kernel can know, and what does not exist: the packet is rejected, as by libpcap. */
START_TEST(test_other_ancillary_loads_reject)
{
	struct netring_packet packet = described_packet();

	for (uint32_t what = 0; what < 200; what++) {
		const struct sock_filter program[] = { LD(BPF_W | BPF_ABS, ANCILLARY(what)), BPF_STMT(BPF_RET | BPF_K, 1) };
		bool known = false;

		for (size_t i = 0; i < LENGTH(ancillaries); i++)
			known |= ancillaries[i].what == what;
		ck_assert_uint_eq(bpf_run(program, &packet), known);
	}
}
END_TEST

/* Lengths and bytes from elsewhere, the rest from the packet. */
START_TEST(test_run_on_other_bytes)
{
	struct netring_packet packet = described_packet();
	const struct sock_filter byte[] = { LD(BPF_B | BPF_ABS, 9), BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter length[] = { LD(BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter type[] = { LD(BPF_W | BPF_ABS, ANCILLARY(SKF_AD_PKTTYPE)), BPF_STMT(BPF_RET | BPF_A, 0) };

	ck_assert_uint_eq(bpf_run_on(byte, &packet, digits, sizeof(digits), 99), 0xa9);
	ck_assert_uint_eq(bpf_run_on(byte, &packet, digits, 9, 99), 0);
	ck_assert_uint_eq(bpf_run_on(length, &packet, digits, 9, 99), 99);
	ck_assert_uint_eq(bpf_run_on(type, &packet, digits, 9, 99), PACKET_OUTGOING);
	ck_assert_uint_eq(bpf_run(length, &packet), 60);
}
END_TEST

/* Random programs */

#define PROGRAM_MAX 40
#define SCRATCH_USED 4

static const uint16_t all_codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LDX | BPF_B | BPF_MSH, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_MOD | BPF_X, BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_AND | BPF_X, BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_OR | BPF_X, BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X, BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X, BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_RET | BPF_K, BPF_RET | BPF_A,
};

static uint32_t random_constant(struct random *random)
{
	switch (random_below(random, 4)) {
	case 0:
		return random_below(random, 64);
	case 1:
		return random_next(random) >> random_below(random, 32);
	case 2:
		return 1u << random_below(random, 32);
	default:
		return 0u - random_below(random, 64);	/* far below the kernel's other negative offsets */
	}
}

/* An operand that is in order for the code, left instructions before the end. */
static void complete(struct sock_filter *insn, struct random *random, unsigned left)
{
	insn->jt = insn->jf = 0;
	insn->k = random_constant(random);
	switch (insn->code) {
	case BPF_ALU | BPF_DIV | BPF_K: case BPF_ALU | BPF_MOD | BPF_K:
		insn->k += insn->k == 0;
		return;
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_K:
		insn->k %= 32;
		return;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX:
		insn->k %= SCRATCH_USED;
		return;
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS: case BPF_LDX | BPF_B | BPF_MSH:
		insn->k = random_below(random, 70);
		return;
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
		insn->k = random_below(random, 4) ? random_below(random, 70) : 0u - random_below(random, 70);
		return;
	}
	if (BPF_CLASS(insn->code) != BPF_JMP)
		return;
	if (BPF_OP(insn->code) == BPF_JA)
		insn->k = random_below(random, left);
	insn->jt = (uint8_t)random_below(random, left < 6 ? left : 6);
	insn->jf = (uint8_t)random_below(random, left < 6 ? left : 6);
}

/* X is small again before an indexed load, as a rule: at random it hardly ever points into the packet. */
static unsigned random_program(struct sock_filter *program, struct random *random)
{
	unsigned length = SCRATCH_USED + 2 + random_below(random, PROGRAM_MAX - SCRATCH_USED - 2), i;

	/* The kernel refuses a program that reads memory which it may not have written. */
	for (i = 0; i < SCRATCH_USED; i++)
		program[i] = (struct sock_filter)BPF_STMT(i % 2 ? BPF_ST : BPF_STX, i);
	for (; i < length - 1; i++) {
		program[i].code = all_codes[random_below(random, LENGTH(all_codes))];
		if (BPF_CLASS(program[i].code) == BPF_RET && random_below(random, 4))
			program[i].code = BPF_LDX | BPF_IMM;
		complete(&program[i], random, length - 1 - i);
		if (program[i].code == (BPF_LDX | BPF_IMM))
			program[i].k %= 80;
	}
	program[i].code = random_below(random, 2) ? BPF_RET | BPF_A : BPF_RET | BPF_K;
	complete(&program[i], random, 1);
	return length;
}

static uint32_t random_packet(uint8_t *bytes, struct random *random)
{
	uint32_t length = 1 + random_below(random, 90);

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(random_below(random, 2) ? random_next(random) : random_below(random, 4));
	return length;
}

START_TEST(test_random_programs_in_the_kernel)
{
	struct random random = { UINT64_C(0x6b65726e656c) };
	struct sock_filter program[PROGRAM_MAX];
	uint8_t bytes[128];
	unsigned accepted = 0, runs = 0;

	for (unsigned i = 0; i < 10000; i++) {
		unsigned length = random_program(program, &random);
		int ret = kernel_filter_set(&kernel, program, length);

		ck_assert_msg(bpf_is_valid(program, length) && ret == 0, "kernel %d: %s", ret, listing(program, length));
		for (unsigned n = 0; n < 20; n++) {
			uint32_t size = random_packet(bytes, &random), ours = run(program, bytes, size, size);
			uint32_t kernels = kernel_filter_run(&kernel, bytes, size);

			ck_assert_msg((ours < size ? ours : size) == kernels, "%u, kernel %u, %u bytes: %s", ours, kernels, size,
				      listing(program, length));
			accepted += ours != 0;
			runs++;
		}
	}
	ck_assert_uint_gt(accepted, runs / 10);
	ck_assert_uint_lt(accepted, runs - runs / 10);
}
END_TEST

/* The two differences in random programs; see the head of the file. */
static bool may_differ_from_libpcap(const struct sock_filter *program, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (shifts_by_x(&program[i]) || (BPF_CLASS(program[i].code) == BPF_LD && BPF_MODE(program[i].code) == BPF_IND))
			return true;
	return false;
}

START_TEST(test_random_programs_in_libpcap)
{
	struct random random = { UINT64_C(0x6c696270636170) };
	struct sock_filter program[PROGRAM_MAX];
	uint8_t bytes[128];
	unsigned compared = 0;

	for (unsigned i = 0; i < 40000; i++) {
		unsigned length = random_program(program, &random);

		ck_assert(bpf_validate(for_libpcap(program), (int)length));
		if (may_differ_from_libpcap(program, length))
			continue;
		compared++;
		for (unsigned n = 0; n < 20; n++) {
			uint32_t size = random_packet(bytes, &random), wire_len = size + random_below(&random, 1000);

			ck_assert_msg(run(program, bytes, size, wire_len) == bpf_filter(for_libpcap(program), bytes, wire_len, size), "%s",
				      listing(program, length));
		}
	}
	ck_assert_uint_gt(compared, 5000);
}
END_TEST

/* Valid or not */

static bool jumps_back(const struct sock_filter *program, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= length)
			return true;
	return false;
}

static bool loads_unknown_ancillary(const struct sock_filter *program, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (BPF_CLASS(program[i].code) == BPF_LD && BPF_MODE(program[i].code) == BPF_ABS && program[i].k >= (uint32_t)SKF_AD_OFF &&
		    (program[i].k >= ANCILLARY(SKF_AD_MAX) || program[i].k % 4 != 0))
			return true;
	return false;
}

/*
 * What the kernel refuses of programs that bpf_is_valid takes, each time because they can be run here, and libpcap would too:
 *	- more than 4096 instructions (the kernel's limit for everybody; that is what the filter in user space is for);
 *	- jumps back, which "protochain" needs;
 *	- memory that may be read before it is written: it is 0 here;
 *	- ancillary loads that do not exist: they reject the packet.
 */
static bool refused_by_kernel_only(const struct sock_filter *program, unsigned length)
{
	return length > BPF_MAXINSNS || jumps_back(program, length) || loads_unknown_ancillary(program, length) || reads_unwritten_memory(program, length);
}

static void compare_validity(const struct sock_filter *program, unsigned length, bool *valid)
{
	bool ours = bpf_is_valid(program, length);
	int kernels = kernel_filter_set(&kernel, program, length);

	*valid = ours;
	ck_assert_msg((ours && !refused_by_kernel_only(program, length)) == (kernels == 0), "ours %d, kernel %d: %s", ours, kernels,
		      listing(program, length));
	/* libpcap looks less closely (it takes a shift by 40, or a load of a half-word constant), but never more closely. */
	if (ours)
		ck_assert_msg(bpf_validate(for_libpcap(program), (int)length), "libpcap refuses: %s", listing(program, length));
}

START_TEST(test_every_code)
{
	bool valid;
	unsigned taken = 0;

	for (uint32_t code = 0; code <= UINT16_MAX; code++)
		for (uint32_t k = 0; k <= 1; k++) {
			struct sock_filter program[] = {
				BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_ST, 1), BPF_STMT((uint16_t)code, k), BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 2),
			};

			compare_validity(program, LENGTH(program), &valid);
			taken += valid && k == 1;
		}
	ck_assert_uint_eq(taken, LENGTH(all_codes));
}
END_TEST

START_TEST(test_every_code_at_the_end)
{
	bool valid;

	for (uint32_t code = 0; code <= 0x1ff; code++) {
		struct sock_filter program[] = { BPF_STMT(BPF_ST, 0), BPF_STMT((uint16_t)code, 0) };

		compare_validity(program, 2, &valid);
		ck_assert_int_eq(valid, code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A));
		compare_validity(program + 1, 1, &valid);
	}
}
END_TEST

START_TEST(test_operands_at_their_limits)
{
	static const uint32_t values[] = { 0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 255, 256, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffff004, 0xfffffffd, 0xfffffffe, 0xffffffff };
	bool valid;

	for (size_t code = 0; code < LENGTH(all_codes); code++)
		for (size_t k = 0; k < LENGTH(values); k++)
			for (unsigned jump = 0; jump < 16; jump++) {
				struct sock_filter program[] = {
					BPF_JUMP(all_codes[code], values[k], jump & 3, jump >> 2), BPF_STMT(BPF_RET | BPF_K, 1),
					BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 2),
				};

				compare_validity(program, LENGTH(program), &valid);
			}
}
END_TEST

START_TEST(test_lengths)
{
	struct sock_filter *program = calloc(5000, sizeof(*program));

	for (unsigned i = 0; i < 5000; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 7);
	ck_assert(!bpf_is_valid(program, 0));
	ck_assert_int_eq(kernel_filter_set(&kernel, program, 0), -EINVAL);
	ck_assert(bpf_is_valid(program, BPF_MAXINSNS));
	ck_assert_int_eq(kernel_filter_set(&kernel, program, BPF_MAXINSNS), 0);
	ck_assert(bpf_is_valid(program, 5000));
	ck_assert_int_eq(kernel_filter_set(&kernel, program, 5000), -EINVAL);
	/* A long jump over it all. */
	program[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 4998);
	ck_assert(bpf_is_valid(program, 5000));
	ck_assert_uint_eq(run(program, digits, 1, 1), 7);
	program[0].k = 4999;
	ck_assert(!bpf_is_valid(program, 5000));
	free(program);
}
END_TEST

/* It sums up the packet's bytes, from the last to the first. */
START_TEST(test_loop)
{
	const struct sock_filter program[] = {
		A(0), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		/* Here it goes round. */
		TXA, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 9, 0), OP(BPF_SUB | BPF_K, 1), BPF_STMT(BPF_MISC | BPF_TAX, 0), LD(BPF_B | BPF_IND, 0),
		BPF_STMT(BPF_STX, 1), BPF_STMT(BPF_LDX | BPF_MEM, 0), OP(BPF_ADD | BPF_X, 0), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LDX | BPF_MEM, 1),
		BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)-11),
		LD(BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(digits); i++)
		sum += digits[i];
	ck_assert(bpf_is_valid(program, LENGTH(program)));
	ck_assert_uint_eq(bpf_filter(for_libpcap(program), digits, sizeof(digits), sizeof(digits)), sum);
	ck_assert_uint_eq(run(program, digits, sizeof(digits), sizeof(digits)), sum);
}
END_TEST

/* libpcap would hang. */
START_TEST(test_endless_loop_rejects)
{
	const struct sock_filter program[] = { BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)-1), BPF_STMT(BPF_RET | BPF_K, 1) };

	ck_assert(bpf_is_valid(program, LENGTH(program)));
	ck_assert_uint_eq(run(program, digits, sizeof(digits), sizeof(digits)), 0);
	ck_assert(!bpf_is_valid((const struct sock_filter[]){ BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)-2), BPF_STMT(BPF_RET | BPF_K, 1) }, 2));
}
END_TEST

START_TEST(test_mutated_programs)
{
	struct random random = { UINT64_C(0x6d757461746564) };
	struct sock_filter program[PROGRAM_MAX];
	uint8_t bytes[128];
	unsigned taken = 0;

	for (unsigned i = 0; i < 50000; i++) {
		unsigned length = random_program(program, &random);
		bool valid;

		for (uint32_t n = 1 + random_below(&random, 3); n > 0; n--) {
			struct sock_filter *insn = &program[random_below(&random, length)];

			switch (random_below(&random, 4)) {
			case 0:
				insn->code = (uint16_t)(random_below(&random, 2) ? random_below(&random, 256) : all_codes[random_below(&random, LENGTH(all_codes))]);
				break;
			case 1:
				insn->k = random_constant(&random);
				break;
			case 2:
				insn->jt = (uint8_t)random_below(&random, 50);
				break;
			default:
				insn->jf = (uint8_t)random_next(&random);
			}
		}
		compare_validity(program, length, &valid);
		taken += valid;
		/* Whatever is valid ends, and stays inside its memory and its packet. */
		for (unsigned n = 0; valid && n < 5; n++) {
			uint32_t size = random_packet(bytes, &random);

			run(program, bytes, size, size);
		}
	}
	ck_assert_uint_gt(taken, 5000);
	ck_assert_uint_lt(taken, 45000);
}
END_TEST

static Suite *bpf_suite(void)
{
	Suite *suite = suite_create("bpf");
	TCase *cases = tcase_create("bpf");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 300);
	tcase_add_loop_test(cases, test_instructions, 0, LENGTH(cases_of_a));
	tcase_add_test(cases, test_jumps);
	tcase_add_test(cases, test_ancillary_loads);
	tcase_add_test(cases, test_tag_of_an_untagged_packet);
	tcase_add_test(cases, test_other_ancillary_loads_reject);
	tcase_add_test(cases, test_run_on_other_bytes);
	tcase_add_test(cases, test_every_code);
	tcase_add_test(cases, test_every_code_at_the_end);
	tcase_add_test(cases, test_operands_at_their_limits);
	tcase_add_test(cases, test_lengths);
	tcase_add_test(cases, test_loop);
	tcase_add_test(cases, test_endless_loop_rejects);
	tcase_add_test(cases, test_mutated_programs);
	tcase_add_test(cases, test_random_programs_in_the_kernel);
	tcase_add_test(cases, test_random_programs_in_libpcap);
	tcase_add_test(cases, test_expressions_on_ethernet);
	tcase_add_loop_test(cases, test_expressions_on_other_link_types, 0, LENGTH(others));
	tcase_add_test(cases, test_combined_expressions);
	tcase_add_test(cases, test_expressions_in_the_kernel);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(bpf_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
