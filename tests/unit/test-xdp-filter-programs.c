/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Translated programs that no compiler made: all instructions at random, each one at its limits, the longest ones, and those that are refused. The
 * judge is bpf_run, on the frame without its outer tag; what only the kernel knows is checked by itself.
 */
#define _GNU_SOURCE 1
#include <sched.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "xdp-interpreter-run.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ANCILLARY(what) ((uint32_t)SKF_AD_OFF + (what))
#define FRAMES 400
#define LD(mode, k) BPF_STMT(BPF_LD | (mode), k)
#define SET_A(k) BPF_STMT(BPF_LD | BPF_IMM, k)
#define SET_X(k) BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(op, k) BPF_STMT(BPF_ALU | (op), k)
#define TAX BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define TXA BPF_STMT(BPF_MISC | BPF_TXA, 0)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
#define RETURN_A BPF_STMT(BPF_RET | BPF_A, 0)

static struct test_frame *frames;

static void setup(void)
{
	frames = frames_build(FRAMES, UINT64_C(0x70726f6772616d));
}

static void teardown(void)
{
	free(frames);
}

/* An untagged and a tagged frame with different bytes everywhere. */
static const struct test_frame *digits(bool tagged)
{
	static struct test_frame made[2];
	struct test_frame *frame = &made[tagged];

	frame->length = tagged ? 68 : 64;
	for (uint32_t i = 0; i < frame->length; i++)
		frame->bytes[i] = (uint8_t)(0x91 + 7 * i);
	memcpy(frame->bytes, own_address, 6);
	frame->bytes[12] = tagged ? 0x88 : 0x08;
	frame->bytes[13] = tagged ? 0xa8 : 0x06;
	frame_describe(frame);
	return frame;
}

/* Returns how many of the frames are accepted. */
static unsigned compare_on(const struct sock_filter *program, unsigned length, const struct test_frame *on, unsigned count, int fd)
{
	unsigned accepted = 0;

	for (unsigned i = 0; i < count; i++) {
		uint32_t wanted = frame_verdict(&on[i], bpf_run(program, &on[i].packet)), got = xdp_test_run(fd, on[i].bytes, on[i].length);

		ck_assert_msg(got == wanted, "bpf_run says %u, XDP %u, of a frame of %u bytes\n%s\n%s", wanted, got, on[i].length, frame_hex(&on[i]),
			      listing(program, length));
		accepted += got != 0;
	}
	return accepted;
}

/* Translated, and interpreted. */
static unsigned compare(const struct sock_filter *program, unsigned length, unsigned count)
{
	int fd = load(program, length, listing(program, length));
	unsigned accepted = compare_on(program, length, frames, count, fd);

	ck_assert_uint_eq(compare_on(program, length, frames, count, interpret(program, length)), accepted);

	close(fd);
	return accepted;
}

/* Single instructions */

struct case_of_a {
	const char *name;
	struct sock_filter program[4];	/* the last leaves its result in A; 0: end */
};

static const struct case_of_a cases_of_a[] = {
	{ "half beyond", { LD(BPF_H | BPF_ABS, 63) } }, { "last half", { LD(BPF_H | BPF_ABS, 62) } }, { "word beyond", { LD(BPF_W | BPF_ABS, 61) } },
	{ "byte beyond", { LD(BPF_B | BPF_ABS, 64) } }, { "last byte", { LD(BPF_B | BPF_ABS, 63) } }, { "word at 2^31", { LD(BPF_W | BPF_ABS, 0x80000000) } },
	{ "word that wraps", { LD(BPF_W | BPF_ABS, 0x7fffffff) } }, { "word at the reach", { LD(BPF_W | BPF_ABS, 0xfefc) } },
	{ "word behind it", { LD(BPF_W | BPF_ABS, 0xff00) } }, { "link header", { LD(BPF_W | BPF_ABS, (uint32_t)SKF_LL_OFF) } },
	{ "network header", { LD(BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF) } },
	{ "indexed, wraps to 1", { SET_X(0xffffffff), LD(BPF_B | BPF_IND, 2) } }, { "indexed, wraps to 25", { SET_X(0xfffffff0), LD(BPF_B | BPF_IND, 41) } },
	{ "indexed, wraps to 13", { SET_X(0xfffffff0), LD(BPF_B | BPF_IND, 29) } }, { "indexed, no ancillary", { SET_X(0), LD(BPF_W | BPF_IND, ANCILLARY(0)) } },
	{ "indexed beyond", { SET_X(63), LD(BPF_H | BPF_IND, 0) } }, { "indexed, last", { SET_X(62), LD(BPF_H | BPF_IND, 0) } },
	{ "indexed by 2^31", { SET_X(0x80000000), LD(BPF_H | BPF_IND, 20) } }, { "indexed, far k", { SET_X(0), LD(BPF_H | BPF_IND, 50) } },
	{ "indexed, k beyond", { SET_X(0), LD(BPF_H | BPF_IND, 241) } }, { "header length", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), TXA } },
	{ "header length at 11", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 11), TXA } }, { "header length at 12", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 12), TXA } },
	{ "header length beyond", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 64), TXA } },
	{ "header length, no ancillary", { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ANCILLARY(0)), TXA } }, { "length", { LD(BPF_W | BPF_LEN, 0) } },
	{ "length into X", { SET_A(5), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), OP(BPF_ADD | BPF_X, 0) } },
	{ "memory", { SET_A(77), BPF_STMT(BPF_ST, 15), SET_A(1), LD(BPF_MEM, 15) } }, { "memory is 0", { SET_A(77), LD(BPF_MEM, 3) } },
	{ "A is 0", { OP(BPF_ADD | BPF_K, 3) } }, { "X is 0", { TXA } }, { "X in memory", { SET_X(78), BPF_STMT(BPF_STX, 0), SET_X(1), LD(BPF_MEM, 0) } },
	{ "memory into X", { SET_A(79), BPF_STMT(BPF_ST, 7), BPF_STMT(BPF_LDX | BPF_MEM, 7), TXA } },
	{ "add", { SET_A(0xffffffff), OP(BPF_ADD | BPF_K, 3) } }, { "subtract", { SET_A(1), OP(BPF_SUB | BPF_K, 3) } },
	{ "multiply", { SET_A(0x10001), OP(BPF_MUL | BPF_K, 0x10001) } }, { "divide", { SET_A(0xfffffffe), OP(BPF_DIV | BPF_K, 0xfffffffd) } },
	{ "modulo", { SET_A(0xffffffff), OP(BPF_MOD | BPF_K, 0x80000001) } }, { "divide by X", { SET_X(0x90000000), SET_A(0xf0000000), OP(BPF_DIV | BPF_X, 0) } },
	{ "modulo X", { SET_X(0x90000000), SET_A(0xf0000000), OP(BPF_MOD | BPF_X, 0) } }, { "divide by 0", { SET_X(0), SET_A(10), OP(BPF_DIV | BPF_X, 0) } },
	{ "modulo 0", { SET_X(0), SET_A(10), OP(BPF_MOD | BPF_X, 0) } }, { "negate", { SET_A(1), OP(BPF_NEG, 0) } }, { "negate 0", { SET_A(0), OP(BPF_NEG, 0) } },
	{ "and", { SET_A(0xf00000f0), OP(BPF_AND | BPF_K, 0x8000003c) } }, { "or", { SET_A(0xf0), OP(BPF_OR | BPF_K, 0x80000003) } },
	{ "exclusive or", { SET_A(0xf0), OP(BPF_XOR | BPF_K, 0x8000003c) } }, { "left 31", { SET_A(3), OP(BPF_LSH | BPF_K, 31) } },
	{ "right 31", { SET_A(0xc0000000), OP(BPF_RSH | BPF_K, 31) } }, { "left 0", { SET_A(3), OP(BPF_LSH | BPF_K, 0) } },
	{ "left 32", { SET_X(32), SET_A(3), OP(BPF_LSH | BPF_X, 0) } }, { "left 33", { SET_X(33), SET_A(3), OP(BPF_LSH | BPF_X, 0) } },
	{ "right 36", { SET_X(36), SET_A(0x30), OP(BPF_RSH | BPF_X, 0) } }, { "right 2^32 - 1", { SET_X(0xffffffff), SET_A(0xc0000000), OP(BPF_RSH | BPF_X, 0) } },
	{ "protocol", { LD(BPF_H | BPF_ABS, ANCILLARY(SKF_AD_PROTOCOL)) } }, { "packet type", { LD(BPF_B | BPF_ABS, ANCILLARY(SKF_AD_PKTTYPE)) } },
	{ "interface", { LD(BPF_W | BPF_ABS, ANCILLARY(SKF_AD_IFINDEX)) } }, { "hardware type", { LD(BPF_B | BPF_ABS, ANCILLARY(SKF_AD_HATYPE)) } },
	{ "tag", { LD(BPF_W | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG)) } }, { "tag is there", { LD(BPF_B | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TAG_PRESENT)) } },
	{ "tag's type", { LD(BPF_H | BPF_ABS, ANCILLARY(SKF_AD_VLAN_TPID)) } },
};

/* All bits of A: its two halves, each with a bit added that makes it a verdict. */
START_TEST(test_instructions)
{
	const struct case_of_a *one = &cases_of_a[_i];

	for (unsigned half = 0; half < 2; half++) {
		struct sock_filter program[8];
		unsigned length = 0;
		int fd;

		for (; length < 4 && (one->program[length].code || one->program[length].k); length++)
			program[length] = one->program[length];
		program[length++] = (struct sock_filter)OP(half ? BPF_RSH | BPF_K : BPF_AND | BPF_K, half ? 16 : 0xffff);
		program[length++] = (struct sock_filter)OP(BPF_ADD | BPF_K, 0x10000);
		program[length++] = (struct sock_filter)RETURN_A;
		fd = load(program, length, one->name);
		for (int tagged = 0; tagged < 2; tagged++)
			compare_on(program, length, digits(tagged), 1, fd);
		compare_on(program, length, frames, FRAMES, fd);
		for (int tagged = 0; tagged < 2; tagged++)
			compare_on(program, length, digits(tagged), 1, interpret(program, length));
		compare_on(program, length, frames, FRAMES, interpret(program, length));
		close(fd);
	}
}
END_TEST

/* Each size at each offset, fixed and computed in all ways that the translator tells apart, on frames of each length. */
START_TEST(test_offsets)
{
	static const uint16_t sizes[] = { BPF_B, BPF_H, BPF_W };

	for (uint32_t offset = 0; offset < 70; offset++)
		for (size_t size = 0; size < LENGTH(sizes); size++)
			for (uint32_t k = 0; k <= 14 && k <= offset; k += k == 0 ? 12 : 2) {
				const struct sock_filter fixed[] = { LD(BPF_ABS | sizes[size], offset), OP(BPF_OR | BPF_K, 256), RETURN_A };
				const struct sock_filter constant[] = { SET_X(offset - k), LD(BPF_IND | sizes[size], k), OP(BPF_OR | BPF_K, 256), RETURN_A };
				const struct sock_filter unknown[] = { LD(BPF_W | BPF_LEN, 0), OP(BPF_AND | BPF_K, 3), OP(BPF_ADD | BPF_K, offset - k), TAX,
								       LD(BPF_IND | sizes[size], k), OP(BPF_OR | BPF_K, 256), RETURN_A };
				const struct sock_filter wrapping[] = { LD(BPF_W | BPF_LEN, 0), OP(BPF_SUB | BPF_K, 64 - offset + k), TAX,
									LD(BPF_IND | sizes[size], k), OP(BPF_OR | BPF_K, 256), RETURN_A };

				const struct sock_filter stored[] = { LD(BPF_W | BPF_LEN, 0), OP(BPF_SUB | BPF_K, 64 - offset + k), BPF_STMT(BPF_ST, 5),
								      BPF_STMT(BPF_LDX | BPF_MEM, 5), LD(BPF_IND | sizes[size], k),
								      OP(BPF_OR | BPF_K, 256), RETURN_A };

				compare(fixed, LENGTH(fixed), 100);
				compare(stored, LENGTH(stored), 100);
				compare(constant, LENGTH(constant), 100);
				compare(unknown, LENGTH(unknown), 100);
				compare(wrapping, LENGTH(wrapping), 100);
			}
}
END_TEST

START_TEST(test_jumps)
{
	static const uint16_t kinds[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const uint32_t values[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };
	static const uint8_t targets[][2] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 0, 2 }, { 2, 0 }, { 1, 2 }, { 2, 1 }, { 1, 1 }, { 3, 1 }, { 1, 3 }, { 0, 3 }, { 3, 0 } };

	for (size_t kind = 0; kind < LENGTH(kinds); kind++)
		for (size_t i = 0; i < LENGTH(values) * LENGTH(values); i++)
			for (size_t target = 0; target < LENGTH(targets); target++)
				for (int source = 0; source < 2; source++) {
					uint32_t a = values[i / LENGTH(values)], b = values[i % LENGTH(values)];
					const struct sock_filter program[] = {
						SET_X(b), SET_A(a),
						BPF_JUMP(BPF_JMP | kinds[kind] | (source ? BPF_X : BPF_K), b, targets[target][0], targets[target][1]),
						RETURN(9), RETURN(7), RETURN(8), RETURN(0),
					};

					compare(program, LENGTH(program), 4);
				}
}
END_TEST

/* Verdicts */

START_TEST(test_verdicts)
{
	static const uint32_t values[] = { 1, 11, 12, 13, 64, 96, 262144, 0x7fffffff, 0x80000000, 0xfffffffa, 0xfffffffb, 0xfffffffc, 0xffffffff };

	for (size_t i = 0; i < LENGTH(values); i++) {
		const struct sock_filter constant[] = { RETURN(values[i]) }, computed[] = { SET_A(values[i]), RETURN_A };

		compare(constant, 1, FRAMES);
		compare(computed, 2, FRAMES);
	}
}
END_TEST

START_TEST(test_verdict_of_a_tagged_frame)
{
	static const uint32_t pairs[][2] = { { 0, 0 }, { 1, 1 }, { 11, 11 }, { 12, 16 }, { 96, 100 }, { 0xfffffffb, 0xffffffff }, { 0xfffffffe, 0xffffffff } };

	for (size_t i = 0; i < LENGTH(pairs); i++) {
		const struct sock_filter constant[] = { RETURN(pairs[i][0]) }, computed[] = { SET_A(pairs[i][0]), RETURN_A };
		int one = load(constant, 1, "constant"), other = load(computed, 2, "computed");

		ck_assert_uint_eq(xdp_test_run(one, digits(true)->bytes, digits(true)->length), pairs[i][1]);
		ck_assert_uint_eq(xdp_test_run(other, digits(true)->bytes, digits(true)->length), pairs[i][1]);
		ck_assert_uint_eq(xdp_test_run(one, digits(false)->bytes, digits(false)->length), pairs[i][0]);
		ck_assert_uint_eq(xdp_test_run(other, digits(false)->bytes, digits(false)->length), pairs[i][0]);
		/* The kernel drops a frame that is too short for its tag. */
		ck_assert_uint_eq(xdp_test_run(one, digits(true)->bytes, 19), 0);
		close(one);
		close(other);
	}
}
END_TEST

/* What bpf_run does not know. */

static uint32_t value_of(uint32_t what)
{
	const struct sock_filter program[] = { SET_X(0x5a), SET_A(0x11), LD(BPF_W | BPF_ABS, ANCILLARY(what)), RETURN_A };
	int fd = load(program, LENGTH(program), "ancillary value");
	uint32_t value = xdp_test_run(fd, digits(false)->bytes, 64);

	close(fd);
	return value;
}

START_TEST(test_values_of_the_kernel)
{
	unsigned cpu = (unsigned)sched_getcpu(), numbers = 0;
	cpu_set_t one, before;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_uint_eq(value_of(SKF_AD_CPU), cpu);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
	ck_assert_uint_eq(value_of(SKF_AD_QUEUE), 1);
	ck_assert_uint_eq(value_of(SKF_AD_ALU_XOR_X), 0x4b);
	for (uint32_t i = 0, first = value_of(SKF_AD_RANDOM); i < 10; i++)
		numbers += value_of(SKF_AD_RANDOM) != first;
	ck_assert_uint_gt(numbers, 5);
}
END_TEST

/* Registers outlive a helper's call. */
START_TEST(test_registers_around_helpers)
{
	static const uint32_t helpers[] = { SKF_AD_CPU, SKF_AD_RANDOM };

	for (size_t i = 0; i < LENGTH(helpers); i++) {
		const struct sock_filter program[] = {
			SET_A(7), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), LD(BPF_H | BPF_IND, 14), LD(BPF_W | BPF_ABS, ANCILLARY(helpers[i])),
			LD(BPF_H | BPF_IND, 14), OP(BPF_ADD | BPF_X, 0), BPF_STMT(BPF_LDX | BPF_MEM, 2), OP(BPF_ADD | BPF_X, 0), RETURN_A,
		};
		struct sock_filter without[LENGTH(program)];
		int fd = load(program, LENGTH(program), "helpers");

		memcpy(without, program, sizeof(program));
		without[4] = (struct sock_filter)SET_A(0);
		compare_on(without, LENGTH(without), frames, FRAMES, fd);
		close(fd);
	}
}
END_TEST

/* Beyond the linear part */

static uint32_t run_beyond(const struct sock_filter *program, unsigned length, const void *bytes, uint32_t size)
{
	struct xdp_filter_context in = own_context;
	struct netring_error error = { "" };
	struct ebpf_code code;
	uint32_t verdict;
	int fd;

	in.fragments = true;
	ck_assert_msg(translate(&code, program, length, in, true, &error) == 0, "%s", error.text);
	fd = xdp_test_load(&code, true, verifier_log, sizeof(verifier_log), 1);
	ck_assert_msg(fd >= 0, "%s", verifier_log);
	verdict = xdp_test_run(fd, bytes, size);
	ebpf_code_free(&code);
	close(fd);
	return verdict;
}

START_TEST(test_fragments)
{
	static uint8_t bytes[9000] = { [12] = 0x08, [3000] = 77, [3100] = 78 };
	const struct sock_filter near[] = { LD(BPF_B | BPF_ABS, 3000), RETURN_A };
	const struct sock_filter far[] = { LD(BPF_B | BPF_ABS, 8000), RETURN(1) };
	const struct sock_filter unreachable[] = { LD(BPF_B | BPF_ABS, 70000), RETURN(1) };
	const struct sock_filter indexed[] = { LD(BPF_W | BPF_LEN, 0), TAX, LD(BPF_B | BPF_IND, 0u - 1000), RETURN(1) };
	const struct sock_filter behind_x[] = { SET_X(3000), LD(BPF_B | BPF_IND, 100), RETURN_A };
	const struct sock_filter far_behind_x[] = { SET_X(8000), LD(BPF_B | BPF_IND, 100), RETURN_A };
	const struct sock_filter nothing[] = { LD(BPF_B | BPF_ABS, 8000), RETURN(0) };
	const struct sock_filter length[] = { SET_A(100000), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), OP(BPF_ADD | BPF_X, 0), RETURN_A };
	const struct sock_filter behind_x_twice[] = { SET_X(3000), LD(BPF_B | BPF_IND, 100), LD(BPF_W | BPF_LEN, 0), LD(BPF_B | BPF_IND, 100), RETURN_A };
	const struct sock_filter only_length[] = { LD(BPF_W | BPF_LEN, 0), RETURN_A };

	ck_assert_uint_eq(run_beyond(near, 2, bytes, sizeof(bytes)), 77);
	ck_assert_uint_eq(run_beyond(near, 2, bytes, 1000), BEYOND);
	ck_assert_uint_eq(run_beyond(far, 2, bytes, sizeof(bytes)), BEYOND);
	ck_assert_uint_eq(run_beyond(unreachable, 2, bytes, sizeof(bytes)), BEYOND);
	ck_assert_uint_eq(run_beyond(indexed, 4, bytes, sizeof(bytes)), BEYOND);
	ck_assert_uint_eq(run_beyond(indexed, 4, bytes, 1500), 1);
	ck_assert_uint_eq(run_beyond(behind_x, 3, bytes, sizeof(bytes)), 78);
	ck_assert_uint_eq(run_beyond(behind_x_twice, 5, bytes, sizeof(bytes)), 78);
	ck_assert_uint_eq(run_beyond(far_behind_x, 3, bytes, sizeof(bytes)), BEYOND);
	ck_assert_uint_eq(run_beyond(nothing, 2, bytes, sizeof(bytes)), 0);
	ck_assert_uint_eq(run_beyond(length, 4, bytes, sizeof(bytes)), 109000);
	ck_assert_uint_eq(run_beyond(only_length, 2, bytes, sizeof(bytes)), 9000);
	bytes[12] = 0x81;
	ck_assert_uint_eq(run_beyond(length, 4, bytes, sizeof(bytes)), 109000); /* less a tag, and the tag again */
	bytes[12] = 0x08;
}
END_TEST

/* Long programs */

static struct sock_filter long_program[BPF_MAXINSNS];

static unsigned fill(const struct sock_filter *pattern, unsigned count)
{
	for (unsigned i = 0; i < BPF_MAXINSNS; i++)
		long_program[i] = pattern[i % count];
	long_program[BPF_MAXINSNS - 2] = (struct sock_filter)RETURN_A;
	long_program[BPF_MAXINSNS - 1] = (struct sock_filter)RETURN(0);
	return BPF_MAXINSNS;
}

START_TEST(test_long_programs)
{
	const struct sock_filter chain[] = { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0806, 0, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0xfffffff0, 1, 0) };
	const struct sock_filter far_chain[] = { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0806, 255, 0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80000000, 0, 200) };
	const struct sock_filter sums[] = { OP(BPF_ADD | BPF_K, 0x01010101), BPF_STMT(BPF_ST, 3), OP(BPF_LSH | BPF_K, 1), TAX, OP(BPF_XOR | BPF_X, 0), LD(BPF_MEM, 3) };
	const struct sock_filter fixed[] = { LD(BPF_H | BPF_ABS, 12), OP(BPF_ADD | BPF_X, 0), TAX, LD(BPF_W | BPF_ABS, 10), OP(BPF_ADD | BPF_X, 0), TAX };
	const struct sock_filter types[] = { LD(BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x86dd, 0, 1), LD(BPF_B | BPF_ABS, 20),
					     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 40, 0) };
	const struct sock_filter ports[] = { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), LD(BPF_H | BPF_IND, 14), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 80, 99, 0),
					     LD(BPF_H | BPF_IND, 16), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 443, 99, 0) };
	const struct {
		const struct sock_filter *pattern;
		unsigned count;
	} all[] = { { chain, 2 }, { far_chain, 2 }, { sums, 6 }, { fixed, 6 }, { types, 4 }, { ports, 5 } };
	unsigned length = fill(all[_i].pattern, all[_i].count);

	for (unsigned i = BPF_MAXINSNS - 300; i < BPF_MAXINSNS - 2; i++) /* none beyond the end */
		if (BPF_CLASS(long_program[i].code) == BPF_JMP)
			long_program[i].jt = long_program[i].jf = 0;
	long_program[0] = (struct sock_filter)LD(BPF_H | BPF_ABS, 12);
	ck_assert(bpf_is_valid(long_program, length));
	ck_assert_uint_gt(compare(long_program, length, FRAMES), FRAMES / 10);
}
END_TEST

/* From the first instruction to the last, over what is longer than a jump of eBPF. */
START_TEST(test_longest_jumps)
{
	const struct sock_filter body[] = { LD(BPF_W | BPF_LEN, 0), OP(BPF_AND | BPF_K, 15), TAX, LD(BPF_W | BPF_IND, 2), OP(BPF_ADD | BPF_X, 0), BPF_STMT(BPF_ST, 1) };
	unsigned length = fill(body, LENGTH(body));

	long_program[0] = (struct sock_filter)LD(BPF_H | BPF_ABS, 12);
	long_program[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0800, 0, 1);
	long_program[2] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, BPF_MAXINSNS - 5);
	long_program[BPF_MAXINSNS - 3] = (struct sock_filter)OP(BPF_ADD | BPF_K, 1);
	ck_assert(bpf_is_valid(long_program, length));
	ck_assert_uint_gt(compare(long_program, length, FRAMES), FRAMES / 10);
}
END_TEST

/* Random programs */

#define PROGRAM_MAX 40

static const uint16_t all_codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LDX | BPF_B | BPF_MSH, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X, BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_MOD | BPF_X, BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K, BPF_ALU | BPF_OR | BPF_X, BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X, BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X, BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X,
	BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_RET | BPF_K, BPF_RET | BPF_A,
};
static const uint32_t ancillaries[] = {
	SKF_AD_PROTOCOL, SKF_AD_PKTTYPE, SKF_AD_IFINDEX, SKF_AD_HATYPE, SKF_AD_VLAN_TAG, SKF_AD_VLAN_TAG_PRESENT, SKF_AD_VLAN_TPID,
};

static uint32_t random_constant(struct random *random)
{
	switch (random_below(random, 3)) {
	case 0:
		return random_below(random, 64);
	case 1:
		return random_next(random) >> random_below(random, 32);
	default:
		return 0u - random_below(random, 64);
	}
}

/* An operand that is in order for the code, left instructions before the end. */
static void complete(struct sock_filter *insn, struct random *random, unsigned left)
{
	uint16_t mode = BPF_MODE(insn->code), class = BPF_CLASS(insn->code), operation = BPF_OP(insn->code);

	insn->jt = insn->jf = 0;
	insn->k = random_constant(random);
	if (class == BPF_ALU && (operation == BPF_DIV || operation == BPF_MOD))
		insn->k += insn->k == 0;
	else if (class == BPF_ALU && (operation == BPF_LSH || operation == BPF_RSH))
		insn->k %= 32;
	else if (class == BPF_ST || class == BPF_STX || (class <= BPF_LDX && mode == BPF_MEM))
		insn->k %= BPF_MEMWORDS;
	else if (class == BPF_LD && mode == BPF_ABS && random_below(random, 5) == 0)
		insn->k = ANCILLARY(ancillaries[random_below(random, LENGTH(ancillaries))]);
	else if (class <= BPF_LDX && (mode == BPF_ABS || mode == BPF_MSH))
		insn->k = random_below(random, 4) ? random_below(random, 20) : random_below(random, 70);
	else if (class == BPF_LD && mode == BPF_IND)
		insn->k = random_below(random, 4) ? random_below(random, 20) : 0u - random_below(random, 20);
	if (class != BPF_JMP)
		return;
	insn->k = operation == BPF_JA ? random_below(random, left < 4 ? left : 4) : insn->k;
	insn->jt = (uint8_t)random_below(random, left < 6 ? left : 6);
	insn->jf = (uint8_t)random_below(random, left < 6 ? left : 6);
}

/* X is small again before an indexed load, as a rule: at random it hardly ever points into the packet. */
static unsigned random_program(struct sock_filter *program, struct random *random)
{
	unsigned length = 2 + random_below(random, PROGRAM_MAX - 2), i;

	for (i = 0; i < length - 1; i++) {
		program[i].code = all_codes[random_below(random, LENGTH(all_codes))];
		if (BPF_CLASS(program[i].code) == BPF_RET && random_below(random, 4))
			program[i].code = BPF_LDX | BPF_IMM;
		complete(&program[i], random, length - 1 - i);
		if (program[i].code == (BPF_LDX | BPF_IMM))
			program[i].k %= 40;
	}
	program[i].code = random_below(random, 3) ? BPF_RET | BPF_A : BPF_RET | BPF_K;
	complete(&program[i], random, 1);
	return length;
}

/*
 * Linux before 6.8 does not always see that a comparison has one outcome only, goes on with the other one, where the register has a value or limits that
 * it cannot have, and refuses the next load at that offset. In a capture such a filter is interpreted.
 */
static bool is_refused_for_the_impossible(const struct sock_filter *program, unsigned length)
{
	struct ebpf_code code;
	int fd;

	ck_assert_int_eq(translate(&code, program, length, own_context, false, NULL), 0);
	fd = xdp_test_load(&code, false, NULL, 0, 0);
	if (fd >= 0)
		close(fd);
	else
		xdp_test_load(&code, false, verifier_log, sizeof(verifier_log), 1);
	ebpf_code_free(&code);
	return (fd == -EACCES && strstr(verifier_log, "invalid mem access 'scalar'")) ||
	       (fd == -EINVAL && strstr(verifier_log, "math between pkt pointer and"));
}

static bool verifier_believes_the_impossible(void)
{
	struct utsname host;
	unsigned major, minor;

	ck_assert(uname(&host) == 0 && sscanf(host.release, "%u.%u", &major, &minor) == 2);
	return major < 6 || (major == 6 && minor < 8);
}

START_TEST(test_random_programs)
{
	struct random random = { UINT64_C(0x72616e646f6d) };
	struct sock_filter program[PROGRAM_MAX];
	unsigned programs = 6000, accepted = 0, refused = 0;
	bool old = verifier_believes_the_impossible();

	for (unsigned i = 0; i < programs; i++) {
		unsigned length = random_program(program, &random);

		ck_assert(bpf_is_valid(program, length));
		if (old && is_refused_for_the_impossible(program, length)) {
			accepted += compare_on(program, length, frames, FRAMES / 4, interpret(program, length));
			refused++;
		} else {
			accepted += compare(program, length, FRAMES / 4);
		}
	}
	printf("# %u random programs, %u pairs, %u accepted; the kernel refuses %u\n", programs, programs * (FRAMES / 4), accepted, refused);
	ck_assert_uint_le(refused, programs / 200);
	ck_assert_uint_gt(accepted, programs * (FRAMES / 4) / 5);
	ck_assert_uint_lt(accepted, programs * (FRAMES / 4) * 4 / 5);
}
END_TEST

/* Refusals */

START_TEST(test_refusals)
{
	static const struct {
		uint32_t what;
		const char *wanted;
	} unknown[] = {
		{ SKF_AD_MARK, "instruction 1 of the filter loads the packet's mark" }, { SKF_AD_RXHASH, "receive hash" }, { SKF_AD_NLATTR, "netlink" },
		{ SKF_AD_NLATTR_NEST, "netlink" }, { SKF_AD_PAY_OFFSET, "payload offset" }, { SKF_AD_MAX, "value 64, which does not exist" },
		{ 3, "value 3, which" }, { SKF_AD_PKTTYPE, "packet type (the interface has no address)" },
	};
	struct xdp_filter_context in = own_context;

	in.has_address = false;
	for (size_t i = 0; i < LENGTH(unknown); i++) {
		const struct sock_filter program[] = { SET_A(1), LD(BPF_W | BPF_ABS, ANCILLARY(unknown[i].what)), RETURN_A };
		const struct sock_filter never_run[] = { RETURN(1), LD(BPF_W | BPF_ABS, ANCILLARY(unknown[i].what)), RETURN_A };
		struct ebpf_code code;

		expect_refusal(program, 3, in, EOPNOTSUPP, unknown[i].wanted);
		ck_assert_int_eq(translate(&code, never_run, 3, in, false, NULL), 0);
		ebpf_code_free(&code);
	}
}
END_TEST

START_TEST(test_other_refusals)
{
	const struct sock_filter back[] = { LD(BPF_B | BPF_ABS, 0), BPF_STMT(BPF_JMP | BPF_JA, 0u - 2), RETURN(1) };
	const struct sock_filter endless[] = { LD(BPF_B | BPF_ABS, 0) };
	const struct sock_filter division[] = { OP(BPF_DIV | BPF_K, 0), RETURN(1) };

	expect_refusal(back, 3, own_context, EOPNOTSUPP, "instruction 1 of the filter jumps back");
	expect_refusal(endless, 1, own_context, EINVAL, "not valid");
	expect_refusal(division, 2, own_context, EINVAL, "not valid");
	expect_refusal(back, 0, own_context, EINVAL, "not valid");
}
END_TEST

static Suite *programs_suite(void)
{
	Suite *suite = suite_create("xdp-filter-programs");
	TCase *cases = tcase_create("programs");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 600);
	tcase_add_loop_test(cases, test_instructions, 0, LENGTH(cases_of_a));
	tcase_add_test(cases, test_offsets);
	tcase_add_test(cases, test_jumps);
	tcase_add_test(cases, test_verdicts);
	tcase_add_test(cases, test_verdict_of_a_tagged_frame);
	tcase_add_test(cases, test_values_of_the_kernel);
	tcase_add_test(cases, test_registers_around_helpers);
	tcase_add_test(cases, test_fragments);
	tcase_add_loop_test(cases, test_long_programs, 0, 6);
	tcase_add_test(cases, test_longest_jumps);
	tcase_add_test(cases, test_random_programs);
	tcase_add_test(cases, test_refusals);
	tcase_add_test(cases, test_other_refusals);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	return xdp_test_main(programs_suite());
}
