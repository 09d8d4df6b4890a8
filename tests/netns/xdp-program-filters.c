/* SPDX-License-Identifier: BSD-3-Clause */
/* The filters of the XDP program: exchanged with and without privilege, in a sandbox, and where they do not go into XDP. */
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "xdp-code.h"
#include "xdp-program-fixture.h"

#define FLOOD_PACKETS 20000

/* With privilege */

START_TEST(test_filter_is_replaced)
{
	uint32_t id;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	id = query("nr1").prog_id;
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_msg(set_types(TYPE_B, TYPE_B) == 0, "%s", error.text);
		ck_assert_uint_ne(query("nr1").prog_id, id);
		ck_assert(program.judges);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		ck_assert_int_eq(set_types(TYPE_A, TYPE_A), 0);
		expect_redirected(TYPE_A, 3, KEEP);
	}
	ck_assert_int_eq(xdp_program_set_filter(&program, NULL, 0, &error), 0);
	expect_redirected(TYPE_BOTH, 4, UINT32_MAX);
	ck_assert(!is_logged("warn"));
}
END_TEST

START_TEST(test_filter_before_attach)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	attach();
	expect_redirected(TYPE_B, 1, KEEP);
	expect_passed(TYPE_A, 2);
}
END_TEST

START_TEST(test_filter_is_invalid)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	const struct sock_filter wrong = { 0xffff, 0, 0, 0 };

	ck_assert_int_eq(xdp_program_open(&program, &options, &wrong, 1, &error), -EINVAL);
	ck_assert_str_eq(error.text, "BPF program is not valid");
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(xdp_program_set_filter(&program, &wrong, 1, &error), -EINVAL);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

/* Takes packets of TYPE_A until `count` are there or the deadline is over. */
static unsigned take_numbers(unsigned count)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct raw_xdp_packet packet;
	uint32_t expected = 0;

	while (expected < count && now_ms() < deadline) {
		if (!raw_xdp_take(&raw, &packet, 10))
			continue;
		if (type_of(&packet) == TYPE_A)
			ck_assert_uint_eq(number_of(&packet), expected++);
		raw_xdp_give_back(&raw, &packet);
	}
	return expected;
}

static void *change_filters(void *stop)
{
	for (unsigned i = 0; !*(atomic_bool *)stop; i++)
		ck_assert_int_eq(set_types(TYPE_A, i % 2 ? TYPE_A : TYPE_B), 0);
	return NULL;
}

/* What both filters accept is missed by neither, and not delivered twice. */
START_TEST(test_no_packet_is_missed_by_a_change)
{
	atomic_bool stop = false;
	pthread_t changer;
	unsigned sent = 0, received = 0;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&changer, NULL, change_filters, &stop), 0);
	for (; sent < FLOOD_PACKETS; sent += 500) {
		for (unsigned i = 0; i < 500; i++)
			sender_send(in, TYPE_A, i, FRAME_LEN);
		received += take_numbers(500);
	}
	stop = true;
	pthread_join(changer, NULL);
	ck_assert_uint_eq(received, sent);
}
END_TEST

/* Without privilege */

static int set_types_without_privilege(uint16_t type, uint16_t other)
{
	int ret;

	drop(UINT64_MAX);
	ret = set_types(type, other);
	raise_all();
	return ret;
}

START_TEST(test_filter_without_privilege)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	options.strict = _i;
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	attach();
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 0);
		ck_assert(program.judges);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		ck_assert_int_eq(set_types_without_privilege(TYPE_A, TYPE_A), 0);
		expect_redirected(TYPE_A, 3, KEEP);
		expect_passed(TYPE_B, 4);
	}
	ck_assert_uint_eq(count_logged("nr1: the filter is interpreted in XDP, which is slower than a translated one (nr1: loading the XDP program: "
				       "Operation not permitted)"),
			  1);
	ck_assert_uint_eq(count_logged("interpreted"), 1);
	ck_assert(!is_logged("warn"));
	/* And back, when it may again. */
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert_uint_eq(program.control->in_force, XDP_IN_FORCE_COMPILED);
	expect_redirected(TYPE_B, 5, KEEP);
	expect_passed(TYPE_A, 6);
}
END_TEST

START_TEST(test_no_filter_without_privilege)
{
	int ret;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	drop(UINT64_MAX);
	ret = xdp_program_set_filter(&program, NULL, 0, &error);
	raise_all();
	ck_assert_int_eq(ret, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	expect_redirected(TYPE_B, 2, UINT32_MAX);
}
END_TEST

/* Of the one that has just been set when the packet is sent, each of a thousand times. */
START_TEST(test_thousand_filters_without_privilege)
{
	uint16_t type[] = { TYPE_A, TYPE_B };
	struct raw_xdp_packet packet;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	drop(UINT64_MAX);
	for (uint32_t i = 1; i <= 1000; i++) {
		ck_assert_int_eq(set_types(type[i % 2], type[i % 2]), 0);
		sender_send(in, type[(i + 1) % 2], i, FRAME_LEN);
		sender_send(in, type[i % 2], i, FRAME_LEN);
		packet = take(type[i % 2], i);
		ck_assert_uint_eq(packet.verdict, KEEP);
	}
	ck_assert(!raw_xdp_take(&raw, &packet, 0));
	raise_all();
}
END_TEST

static void *change_filters_without_privilege(void *end)
{
	drop(UINT64_MAX); /* of this thread */
	return change_filters(end);
}

/* While the filters change as fast as they can, so that slots are written to while packets are judged: what each filter accepts is missed by none. */
START_TEST(test_no_packet_is_missed_by_an_unprivileged_change)
{
	atomic_bool end = false;
	uint64_t deadline = now_ms() + DEADLINE_MS;
	pthread_t changer;
	unsigned sent = 0, received = 0;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&changer, NULL, change_filters_without_privilege, &end), 0);
	/* As long as it takes the other thread. */
	for (; sent < FLOOD_PACKETS || (__atomic_load_n(&program.filters, __ATOMIC_RELAXED) <= 100 && now_ms() < deadline); sent += 500) {
		for (unsigned i = 0; i < 500; i++)
			sender_send(in, TYPE_A, i, FRAME_LEN);
		received += take_numbers(500);
	}
	end = true;
	pthread_join(changer, NULL);
	ck_assert_uint_eq(received, sent);
	ck_assert_uint_gt(program.filters, 100);
}
END_TEST

/* A kernel without what the interpreter needs. */
START_TEST(test_filter_without_privilege_and_interpreter)
{
	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_uint_eq(count_logged("nr1: no interpreter for filters that are set without privilege: it needs Linux 5.17"), 1);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 1);
	ck_assert(!program.judges);
	ck_assert_uint_eq(count_logged("nr1: the filter runs in user space: the host gets no packet from this interface meanwhile"), 1);
	expect_redirected(TYPE_B, 1, 0);
	expect_redirected(TYPE_A, 2, 0);
	/* And back, when it may again. */
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert(program.judges);
	expect_redirected(TYPE_B, 3, KEEP);
	expect_passed(TYPE_A, 4);
}
END_TEST

START_TEST(test_filter_without_privilege_and_interpreter_is_strict)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	options.strict = true;
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	attach();
	ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error.text,
				     "nr1: the filter cannot run in XDP, and the settings allow no fallback: nr1: loading the XDP program: "
				     "Operation not permitted"));
	ck_assert(program.judges);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

START_TEST(test_filter_in_sandbox)
{
	pid_t child = fork_child();

	if (child == 0) {
		start(NETRING_XDP_MODE_AUTO, TYPE_A);
		if (set_types(TYPE_B, TYPE_B) != 0)
			_exit(1);
		enter_sandbox();
		if (set_types(TYPE_A, TYPE_A) != 0 || set_types(TYPE_B, TYPE_B) != 0)
			_exit(2);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		_exit(0);
	}
	wait_for(child);
	ck_assert(is_logged("a seccomp filter may forbid bpf()"));
	ck_assert(is_free("nr1"));
}
END_TEST

/* Filters that do not go into XDP */

/* A load that has no meaning there: the socket's netlink attributes. */
static const struct sock_filter untranslatable[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR),
	BPF_STMT(BPF_RET | BPF_A, 0),
};

START_TEST(test_filter_that_cannot_be_translated)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_int_eq(xdp_program_open(&program, &options, untranslatable, 2, &error), 0);
	ck_assert(!program.judges);
	ck_assert(is_logged("nr1: the filter runs in user space"));
	attach();
	expect_redirected(TYPE_A, 1, 0);
	ck_assert_int_eq(set_types(TYPE_A, TYPE_A), 0);
	ck_assert(program.judges);
	expect_redirected(TYPE_A, 2, KEEP);
	expect_passed(TYPE_B, 3);
	ck_assert_int_eq(xdp_program_set_filter(&program, untranslatable, 2, &error), 1);
	expect_redirected(TYPE_B, 4, 0);
	xdp_program_close(&program);
	options.strict = true;
	ck_assert_int_eq(xdp_program_open(&program, &options, untranslatable, 2, &error), -EOPNOTSUPP);
	ck_assert(is_free("nr1"));
}
END_TEST

/* Then it is interpreted. */
START_TEST(test_verifier_refuses)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	table.bpf_prog_load = refuse_to_load;
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert(is_logged("(nr1: the kernel's verifier refused the XDP program: R0 is not to my taste)"));
	expect_redirected(TYPE_B, 1, KEEP);
	expect_passed(TYPE_A, 2);
}
END_TEST

static unsigned loads;

/* The first program, with the first filter. */
static int refuse_once(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
		       const struct bpf_prog_load_opts *options)
{
	if (loads++ == 0)
		return refuse_to_load(type, name, license, insns, count, options);
	return sound_libbpf()->bpf_prog_load(type, name, license, insns, count, options);
}

START_TEST(test_verifier_refuses_the_first)
{
	loads = 0;
	table.bpf_prog_load = refuse_once;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges && program.interprets);
	ck_assert_uint_eq(count_logged("nr1: the filter is interpreted in XDP"), 1);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

static int refuse_functions(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
			    const struct bpf_prog_load_opts *options)
{
	if (options && options->func_info_cnt)
		return refuse_to_load(type, name, license, insns, count, options);
	return sound_libbpf()->bpf_prog_load(type, name, license, insns, count, options);
}

START_TEST(test_verifier_refuses_the_interpreter)
{
	table.bpf_prog_load = refuse_functions;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges && !program.interprets);
	ck_assert_uint_eq(count_logged("nr1: no interpreter for filters that are set without privilege: nr1: the kernel's verifier refused"), 1);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
	ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 1);
	expect_redirected(TYPE_A, 3, 0);
}
END_TEST

void add_tests_of_filters(TCase *tests)
{
	tcase_add_test(tests, test_filter_is_replaced);
	tcase_add_test(tests, test_filter_before_attach);
	tcase_add_test(tests, test_filter_is_invalid);
	tcase_add_test(tests, test_no_packet_is_missed_by_a_change);
	tcase_add_loop_test(tests, test_filter_without_privilege, 0, 2);
	tcase_add_test(tests, test_no_filter_without_privilege);
	tcase_add_test(tests, test_thousand_filters_without_privilege);
	tcase_add_test(tests, test_no_packet_is_missed_by_an_unprivileged_change);
	tcase_add_test(tests, test_filter_without_privilege_and_interpreter);
	tcase_add_test(tests, test_filter_without_privilege_and_interpreter_is_strict);
	tcase_add_test(tests, test_filter_in_sandbox);
	tcase_add_test(tests, test_filter_that_cannot_be_translated);
	tcase_add_test(tests, test_verifier_refuses);
	tcase_add_test(tests, test_verifier_refuses_the_first);
	tcase_add_test(tests, test_verifier_refuses_the_interpreter);
}
