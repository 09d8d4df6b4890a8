/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The assembler of eBPF: jumps near and far, forward and back, with the kernel to say where they lead, and each allocation failing in turn. The parts
 * that run a program need privilege.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>

#include "xdp-filter-run.h"

/* Allocations of the engine fail from the one with this number on; 0: none does. */
static unsigned fail_from, allocations;

void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);

static bool is_to_fail(void)
{
	return fail_from && ++allocations >= fail_from;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return is_to_fail() ? NULL : __real_reallocarray(memory, count, size);
}

/* Parts that are run in another order than they lie in: each jumps to the next. R0 is a checksum of the way. */

#define PARTS_MAX 64

struct course {
	unsigned parts, length;	/* of each part, about */
	unsigned order[PARTS_MAX];
	bool wide;		/* many instructions of double width */
};

static uint32_t mixed(uint32_t sum, uint32_t value)
{
	return (sum ^ value) * 31;
}

static void emit_mix(struct ebpf_code *code, uint32_t value, bool wide)
{
	if (wide) {
		ebpf_emit(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, 0, 0, value));
		ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
		ebpf_emit(code, ebpf_alu32(BPF_XOR, BPF_REG_0, BPF_REG_1));
	} else {
		ebpf_emit(code, ebpf_alu32_imm(BPF_XOR, BPF_REG_0, value));
	}
	ebpf_emit(code, ebpf_alu32_imm(BPF_MUL, BPF_REG_0, 31));
}

/* Out of every part there are also jumps to the end that are not taken, and not all parts are as long as the others. */
static unsigned emit_part(struct ebpf_code *code, const struct course *course, unsigned part, unsigned end)
{
	unsigned count = course->length / (course->wide ? 4 : 2) + part % 5;

	for (unsigned i = 0; i < count; i++)
		emit_mix(code, part * 100000 + i, course->wide);
	ebpf_jump(code, ebpf_if_imm(BPF_REG_6, BPF_JEQ, 77), end);
	return count;
}

/* Returns what it should return. */
static uint32_t emit_course(struct ebpf_code *code, const struct course *course)
{
	unsigned label[PARTS_MAX + 1], count[PARTS_MAX], next[PARTS_MAX];
	uint32_t sum = 0;

	for (unsigned i = 0; i <= course->parts; i++)
		label[i] = ebpf_label(code);
	for (unsigned i = 0; i < course->parts; i++)
		next[course->order[i]] = i + 1 < course->parts ? course->order[i + 1] : course->parts;
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_6, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index)));
	ebpf_emit(code, ebpf_mov32_imm(BPF_REG_0, 0));
	ebpf_jump(code, ebpf_always(), label[course->order[0]]);
	for (unsigned part = 0; part < course->parts; part++) {
		ebpf_place(code, label[part]);
		count[part] = emit_part(code, course, part, label[course->parts]);
		ebpf_jump(code, ebpf_always(), label[next[part]]);
	}
	ebpf_place(code, label[course->parts]);
	ebpf_emit(code, ebpf_exit());
	for (unsigned i = 0; i < course->parts; i++)
		for (unsigned n = 0; n < count[course->order[i]]; n++)
			sum = mixed(sum, course->order[i] * 100000 + n);
	return sum;
}

static uint32_t run_course(const struct course *course)
{
	static const uint8_t frame[64];
	struct netring_error error = { "" };
	struct ebpf_code code;
	uint32_t wanted, got;
	int fd;

	ebpf_code_init(&code);
	wanted = emit_course(&code, course);
	ck_assert_msg(ebpf_finish(&code, &error) == 0, "%s", error.text);
	fd = xdp_test_load(&code, false, NULL, 0, 0);
	if (fd < 0)
		fail_verifier(&code, fd, "course");
	got = xdp_test_run(fd, frame, sizeof(frame));
	close(fd);
	ebpf_code_free(&code);
	ck_assert_msg(got == wanted, "%u instead of %u: %u parts of %u", got, wanted, course->parts, course->length);
	return got;
}

static void shuffle(struct course *course, struct random *random)
{
	for (unsigned i = 0; i < course->parts; i++)
		course->order[i] = i;
	for (unsigned i = course->parts - 1; i > 0; i--) {
		unsigned other = random_below(random, i + 1), part = course->order[i];

		course->order[i] = course->order[other];
		course->order[other] = part;
	}
}

/* Lengths around those at which islands become necessary, and many times as long. */
START_TEST(test_far_jumps)
{
	static const unsigned lengths[] = { 10, 900, 1020, 1022, 1024, 1026, 2000, 4096, 8190, 8192, 8194, 8196, 9000 };
	struct random random = { UINT64_C(0x6a756d7073) };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned wide = 0; wide < 2; wide++) {
			struct course course = { .parts = lengths[i] > 4000 ? 16 : 32, .length = lengths[i] + (unsigned)i % 3, .wide = wide };

			shuffle(&course, &random);
			run_course(&course);
			for (unsigned part = 0; part < course.parts; part++)
				course.order[part] = course.parts - 1 - part;
			run_course(&course);
		}
}
END_TEST

/* An island behind a jump, over which nothing has to step. */
START_TEST(test_places_of_islands)
{
	for (unsigned padding = 8180; padding < 8200; padding++) {
		static const uint8_t frame[64];
		struct ebpf_code code;
		unsigned end, next;
		int fd;

		ebpf_code_init(&code);
		end = ebpf_label(&code);
		next = ebpf_label(&code);
		ebpf_emit(&code, ebpf_load(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index)));
		ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 5));
		ebpf_jump(&code, ebpf_if_imm(BPF_REG_2, BPF_JEQ, 9), end);
		for (unsigned i = 0; i < padding; i++)
			ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 6));
		ebpf_jump(&code, ebpf_always(), next);
		ebpf_place(&code, next);
		for (unsigned i = 0; i < 40000; i++)
			ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 7));
		ebpf_place(&code, end);
		ebpf_emit(&code, ebpf_exit());
		ck_assert_int_eq(ebpf_finish(&code, NULL), 0);
		fd = xdp_test_load(&code, false, NULL, 0, 0);
		if (fd < 0)
			fail_verifier(&code, fd, "island");
		ck_assert_uint_eq(xdp_test_run(fd, frame, sizeof(frame)), 7);
		close(fd);
		ebpf_code_free(&code);
	}
}
END_TEST

/* At the very limit of what goes without islands. */
START_TEST(test_lengths_about_the_reach)
{
	for (unsigned padding = 32750; padding < 32775; padding++) {
		static const uint8_t frame[64];
		struct ebpf_code code;
		unsigned end;
		int fd;

		ebpf_code_init(&code);
		end = ebpf_label(&code);
		ebpf_emit(&code, ebpf_load(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index)));
		ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 5));
		ebpf_jump(&code, ebpf_if_imm(BPF_REG_2, BPF_JEQ, 0), end);
		for (unsigned i = 0; i < padding; i++)
			ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 6));
		ebpf_place(&code, end);
		ebpf_emit(&code, ebpf_exit());
		ck_assert_int_eq(ebpf_finish(&code, NULL), 0);
		fd = xdp_test_load(&code, false, NULL, 0, 0);
		ck_assert_int_ge(fd, 0);
		ck_assert_uint_eq(xdp_test_run(fd, frame, sizeof(frame)), 5);
		close(fd);
		ebpf_code_free(&code);
	}
}
END_TEST

START_TEST(test_too_long)
{
	struct netring_error error = { "" };
	struct ebpf_code code;
	unsigned label;

	ebpf_code_init(&code);
	label = ebpf_label(&code);
	ebpf_jump(&code, ebpf_always(), label);
	for (unsigned i = 0; i < EBPF_COUNT_MAX; i++)
		ebpf_emit(&code, ebpf_exit());
	ebpf_place(&code, label);
	ebpf_jump(&code, ebpf_always(), ebpf_label(&code));
	ck_assert_int_eq(ebpf_finish(&code, &error), -E2BIG);
	ck_assert_ptr_nonnull(strstr(error.text, "too long: 1000000"));
	ck_assert_int_eq(code.failure, -E2BIG);
	ebpf_code_free(&code);

	/* Just not too long, but with islands it is. */
	ebpf_code_init(&code);
	label = ebpf_label(&code);
	ebpf_jump(&code, ebpf_always(), label);
	for (unsigned i = 0; i < EBPF_COUNT_MAX - 2; i++)
		ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 0));
	ebpf_place(&code, label);
	ebpf_emit(&code, ebpf_exit());
	ck_assert_int_eq(code.failure, 0);
	ck_assert_int_eq(ebpf_finish(&code, &error), -E2BIG);
	ebpf_code_free(&code);
}
END_TEST

/* More far jumps over one place than an island holds. */
START_TEST(test_too_many_far_jumps)
{
	struct netring_error error = { "" };
	struct ebpf_code code;
	unsigned label[9000];

	ebpf_code_init(&code);
	for (unsigned i = 0; i < 9000; i++) {
		label[i] = ebpf_label(&code);
		ebpf_jump(&code, ebpf_if_imm(BPF_REG_1, BPF_JEQ, 0), label[i]);
	}
	for (unsigned i = 0; i < 40000; i++)
		ebpf_emit(&code, ebpf_mov_imm(BPF_REG_0, 0));
	for (unsigned i = 0; i < 9000; i++) {
		ebpf_place(&code, label[i]);
		ebpf_emit(&code, ebpf_exit());
	}
	ck_assert_int_eq(ebpf_finish(&code, &error), -E2BIG);
	ebpf_code_free(&code);
}
END_TEST

START_TEST(test_nowhere)
{
	struct netring_error error = { "" };
	struct ebpf_code code;
	unsigned unused, nowhere;

	ebpf_code_init(&code);
	unused = ebpf_label(&code);
	nowhere = ebpf_label(&code);
	ebpf_emit(&code, ebpf_exit());
	ebpf_jump(&code, ebpf_always(), nowhere);
	ck_assert(ebpf_is_target(&code, nowhere) && !ebpf_is_target(&code, unused));
	ck_assert_int_eq(ebpf_finish(&code, &error), -EINVAL);
	ck_assert_str_eq(error.text, "instruction 1 of an eBPF program jumps to label 1, which is nowhere");
	ebpf_code_free(&code);
	ck_assert_uint_eq(code.count, 0);
	ebpf_code_free(&code);
}
END_TEST

/* Returns what came of a translation and a long course. */
static int build_all(struct netring_error *error)
{
	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0800, 0, 1), BPF_STMT(BPF_RET | BPF_K, 96), BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct course course = { .parts = 8, .length = 9000, .order = { 7, 1, 5, 2, 6, 3, 0, 4 } };
	struct ebpf_code code;
	unsigned verdict;
	int ret;

	ebpf_code_init(&code);
	verdict = ebpf_label(&code);
	ret = xdp_filter_translate(&code, program, 4, &own_context, verdict, error);
	ebpf_place(&code, verdict);
	if (ret == 0) {
		emit_course(&code, &course);
		ret = ebpf_finish(&code, error);
	}
	ebpf_code_free(&code);
	return ret;
}

START_TEST(test_no_memory)
{
	struct netring_error error;
	unsigned failed = 0;
	int ret;

	do {
		error.text[0] = '\0';
		allocations = 0;
		fail_from = failed + 1;
		ret = build_all(&error);
		fail_from = 0;
		if (ret < 0) {
			ck_assert_msg(ret == -ENOMEM, "allocation %u: %d, %s", failed + 1, ret, error.text);
			ck_assert_ptr_nonnull(strstr(error.text, "Cannot allocate memory"));
			failed++;
		}
	} while (ret < 0);
	ck_assert_uint_gt(failed, 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ebpf-code");
	TCase *cases = tcase_create("ebpf-code");

	tcase_set_timeout(cases, 300);
	tcase_add_test(cases, test_far_jumps);
	tcase_add_test(cases, test_places_of_islands);
	tcase_add_test(cases, test_lengths_about_the_reach);
	tcase_add_test(cases, test_too_long);
	tcase_add_test(cases, test_too_many_far_jumps);
	tcase_add_test(cases, test_nowhere);
	tcase_add_test(cases, test_no_memory);
	suite_add_tcase(suite, cases);
	return xdp_test_main(suite);
}
