/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interpreter in XDP programs: what test-xdp-filter*.c do not compare. What only the kernel knows, packets with fragments, the longest programs,
 * refusals, and slots that change while a packet is being judged.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "xdp-interpreter-run.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ANCILLARY(what) ((uint32_t)SKF_AD_OFF + (what))
#define LD(mode, k) BPF_STMT(BPF_LD | (mode), k)
#define SET_A(k) BPF_STMT(BPF_LD | BPF_IMM, k)
#define SET_X(k) BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(op, k) BPF_STMT(BPF_ALU | (op), k)
#define TAX BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
#define RETURN_A BPF_STMT(BPF_RET | BPF_A, 0)

static const uint8_t frame[64] = { [12] = 0x08, [13] = 0x06 };

static uint32_t run(const struct sock_filter *program, unsigned length)
{
	return xdp_test_run(interpret(program, length), frame, sizeof(frame));
}

static uint32_t value_of(uint32_t what)
{
	const struct sock_filter program[] = { SET_X(0x5a), SET_A(0x11), LD(BPF_W | BPF_ABS, ANCILLARY(what)), RETURN_A };

	return run(program, LENGTH(program));
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

/* With fragments the bytes in them are within reach. */
START_TEST(test_fragments)
{
	static uint8_t bytes[9000] = { [3000] = 77, [8000] = 78, [8004] = 79, [8999] = 80 };
	const struct sock_filter near[] = { LD(BPF_B | BPF_ABS, 3000), RETURN_A };
	const struct sock_filter far[] = { LD(BPF_W | BPF_ABS, 7997), RETURN_A };
	const struct sock_filter indexed[] = { LD(BPF_W | BPF_LEN, 0), TAX, LD(BPF_B | BPF_IND, 0u - 1), RETURN_A };
	const struct sock_filter beyond[] = { LD(BPF_H | BPF_ABS, 8999), RETURN(1) };
	const struct sock_filter unreachable[] = { LD(BPF_B | BPF_ABS, 70000), RETURN(1) };
	const struct sock_filter length[] = { LD(BPF_W | BPF_LEN, 0), RETURN_A };
	struct xdp_filter_context in = own_context;
	struct test_interpreter interpreter;

	in.fragments = true;
	interpreter = interpreter_open(&in);
	for (uint32_t tag = 0; tag <= 4; tag += 4) {
		bytes[12] = tag ? 0x81 : 0x08;
		memmove(bytes + 3000 - 4 + tag, (uint8_t[5]){ 0, 0, 0, 0, 0 }, 5);
		bytes[3000 + tag] = 77;
#define EXPECT(program, wanted) \
	interpreter_set(&interpreter, program, LENGTH(program), &in); \
	ck_assert_uint_eq(xdp_test_run(interpreter.fd, bytes, sizeof(bytes)), wanted)
		EXPECT(near, 77 + tag);
		EXPECT(far, (tag ? 79 : 78) + tag);
		EXPECT(indexed, 80 + tag);
		EXPECT(beyond, 0);
		EXPECT(unreachable, 0);
		EXPECT(length, 9000);
	}
}
END_TEST

/* All steps there can be, and the longest jumps. */
START_TEST(test_longest_programs)
{
	static struct sock_filter program[BPF_MAXINSNS + 1];
	static struct xdp_step steps[BPF_MAXINSNS + 1];
	struct netring_error error = { "" };

	for (unsigned i = 0; i < BPF_MAXINSNS; i++)
		program[i] = (struct sock_filter)OP(BPF_ADD | BPF_K, i);
	program[BPF_MAXINSNS - 1] = (struct sock_filter)RETURN_A;
	ck_assert_uint_eq(run(program, BPF_MAXINSNS), (BPF_MAXINSNS - 1) * (BPF_MAXINSNS - 2) / 2);
	program[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, BPF_MAXINSNS - 3);
	ck_assert_uint_eq(run(program, BPF_MAXINSNS), BPF_MAXINSNS - 2);
	program[BPF_MAXINSNS] = (struct sock_filter)RETURN(1);
	ck_assert_int_eq(xdp_interpreter_steps(steps, program, BPF_MAXINSNS + 1, &own_context, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text, "a filter of 4097 instructions: no kernel takes more than 4096");
}
END_TEST

static void expect_steps(const struct sock_filter *program, unsigned length, bool has_address, int wanted)
{
	struct xdp_filter_context in = own_context;
	struct netring_error error = { "" };
	struct xdp_step steps[8];

	in.has_address = has_address;
	ck_assert_int_eq(xdp_interpreter_steps(steps, program, length, &in, &error), wanted);
	ck_assert(wanted == 0 || error.text[0]);
}

/* What the translator refuses. */
START_TEST(test_refusals)
{
	static const uint32_t unknown[] = { SKF_AD_MARK, SKF_AD_RXHASH, SKF_AD_NLATTR, SKF_AD_NLATTR_NEST, SKF_AD_PAY_OFFSET, SKF_AD_MAX,
					    3,		 SKF_AD_PKTTYPE };
	const struct sock_filter back[] = { LD(BPF_B | BPF_ABS, 0), BPF_STMT(BPF_JMP | BPF_JA, 0u - 2), RETURN(1) };
	const struct sock_filter endless[] = { LD(BPF_B | BPF_ABS, 0) };

	for (size_t i = 0; i < LENGTH(unknown); i++) {
		const struct sock_filter program[] = { SET_A(1), LD(BPF_W | BPF_ABS, ANCILLARY(unknown[i])), RETURN_A };
		const struct sock_filter never_run[] = { RETURN(1), LD(BPF_W | BPF_ABS, ANCILLARY(unknown[i])), RETURN_A };

		expect_steps(program, 3, false, -EOPNOTSUPP);
		expect_steps(program, 3, true, unknown[i] == SKF_AD_PKTTYPE ? 0 : -EOPNOTSUPP);
		expect_steps(never_run, 3, false, 0);
	}
	expect_steps(back, 3, true, -EOPNOTSUPP);
	expect_steps(endless, 1, true, -EINVAL);
	expect_steps(back, 0, true, -EINVAL);
}
END_TEST

/* Slots that change */

#define SUMMANDS 3000 /* takes longer than to write two such programs */

static void fill_sum(struct sock_filter *program, uint32_t summand)
{
	for (unsigned i = 0; i < SUMMANDS; i++)
		program[i] = (struct sock_filter)OP(BPF_ADD | BPF_K, summand);
	program[SUMMANDS] = (struct sock_filter)RETURN_A;
}

/* A word that puts a slot in force which has another filter by now. */
START_TEST(test_slot_of_another_filter)
{
	struct test_interpreter interpreter = interpreter_open(&own_context);
	const struct sock_filter program[] = { RETURN(77) };

	ck_assert_uint_eq(xdp_test_run(interpreter.fd, frame, sizeof(frame)), UNJUDGED);
	for (unsigned i = 0; i < 4; i++) {
		interpreter_set(&interpreter, program, 1, &own_context);
		ck_assert_uint_eq(xdp_test_run(interpreter.fd, frame, sizeof(frame)), 77);
		interpreter.control->in_force += 1 << XDP_IN_FORCE_SHIFT;
		ck_assert_uint_eq(xdp_test_run(interpreter.fd, frame, sizeof(frame)), UNJUDGED);
	}
	interpreter.control->in_force = XDP_IN_FORCE_ALL;
	ck_assert_uint_eq(xdp_test_run(interpreter.fd, frame, sizeof(frame)), UNJUDGED);
}
END_TEST

static struct test_interpreter changing;
static atomic_bool stop;

static void *change_slots(void *nothing)
{
	static struct sock_filter program[SUMMANDS + 1];
	static struct xdp_step steps[2][SUMMANDS + 1];

	for (unsigned i = 0; i < 2; i++) {
		fill_sum(program, i ? 3 : 1);
		xdp_interpreter_steps(steps[i], program, SUMMANDS + 1, &own_context, NULL);
	}
	for (unsigned i = 0; !stop; i++) {
		/* Two by two the same: each slot gets both. */
		memcpy(xdp_interpreter_begin(changing.control, i % 2, &changing.filters), steps[i / 2 % 2], sizeof(steps[0]));
		xdp_interpreter_put_in_force(changing.control, i % 2);
		for (unsigned pause = 0; pause < i % 20000; pause++)
			atomic_signal_fence(memory_order_seq_cst);
	}
	return nothing;
}

/* A verdict is one of either filter, never of both. It happens that there is none. */
START_TEST(test_torn_programs)
{
	struct timespec begin, now;
	unsigned runs = 0, unjudged = 0, ones = 0, threes = 0;
	static struct sock_filter first[SUMMANDS + 1];
	pthread_t changer;

	changing = interpreter_open(&own_context);
	fill_sum(first, 1);
	interpreter_set(&changing, first, SUMMANDS + 1, &own_context);
	stop = false;
	ck_assert_int_eq(pthread_create(&changer, NULL, change_slots, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		uint32_t verdict = xdp_test_run(changing.fd, frame, sizeof(frame));

		ck_assert_msg(verdict == UNJUDGED || verdict == SUMMANDS || verdict == 3 * SUMMANDS, "%u, after %u runs", verdict, runs);
		unjudged += verdict == UNJUDGED;
		ones += verdict == SUMMANDS;
		threes += verdict == 3 * SUMMANDS;
		runs++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < begin.tv_sec + 2 || (now.tv_sec < begin.tv_sec + 30 && !(unjudged && ones && threes)));
	stop = true;
	pthread_join(changer, NULL);
	printf("# %u runs, %u not judged, %u and %u by either filter\n", runs, unjudged, ones, threes);
	ck_assert(unjudged && ones && threes);
}
END_TEST

static Suite *interpreter_suite(void)
{
	Suite *suite = suite_create("xdp-interpreter");
	TCase *cases = tcase_create("interpreter");

	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, test_values_of_the_kernel);
	tcase_add_test(cases, test_fragments);
	tcase_add_test(cases, test_longest_programs);
	tcase_add_test(cases, test_refusals);
	tcase_add_test(cases, test_slot_of_another_filter);
	tcase_add_test(cases, test_torn_programs);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	return xdp_test_main(interpreter_suite());
}
