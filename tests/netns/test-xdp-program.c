/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program: what it does with packets, and its life with the process. Its filters, and what may be in its way, are tests in files of their own, of
 * the same suite.
 */
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fault/resources.h"
#include "xdp-program-fixture.h"

#define RUN_MAX 9000
#define FAR 5000 /* in the second page of a packet */

static uint64_t tai_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Packets */

static void check_packets(enum netring_xdp_mode mode, unsigned attach_mode)
{
	uint64_t before = tai_now();
	struct raw_xdp_packet packet;

	start(mode, TYPE_A);
	ck_assert_uint_eq(query("nr1").attach_mode, attach_mode);
	ck_assert(program.native == (attach_mode == XDP_ATTACHED_DRV));
	ck_assert(program.judges && program.tai && program.fragments);
	sender_send(in, TYPE_A, 1, FRAME_LEN);
	packet = take(TYPE_A, 1);
	ck_assert(packet.marked);
	ck_assert_uint_eq(packet.verdict, KEEP);
	ck_assert_uint_ge(packet.tai_ns, before);
	ck_assert_uint_le(packet.tai_ns, tai_now());
	host_open(TYPE_A);
	expect_redirected(TYPE_A, 2, KEEP);
	ck_assert(!host_gets(0));
	close(host);
	expect_passed(TYPE_B, 3);
	xdp_program_close(&program);
	ck_assert(is_free("nr1"));
	expect_passed(TYPE_A, 4);
}

START_TEST(test_native)
{
	check_packets(NETRING_XDP_NATIVE, XDP_ATTACHED_DRV);
	ck_assert(is_logged("nr1: XDP in native mode"));
}
END_TEST

START_TEST(test_generic)
{
	check_packets(NETRING_XDP_GENERIC, XDP_ATTACHED_SKB);
	ck_assert(is_logged("nr1: XDP in generic mode"));
	ck_assert(!is_logged("warn"));
}
END_TEST

START_TEST(test_auto_is_native)
{
	check_packets(NETRING_XDP_MODE_AUTO, XDP_ATTACHED_DRV);
}
END_TEST

START_TEST(test_no_filter_takes_all)
{
	start(NETRING_XDP_MODE_AUTO, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	expect_redirected(TYPE_B, 2, UINT32_MAX);
}
END_TEST

/* What the program does with so long a frame of zeros on queue 0. Redirected it has its metadata in front of it, passed on it has not. */
static void expect_run(size_t length, uint32_t action, uint32_t verdict)
{
	static uint8_t frame[RUN_MAX], out[RUN_MAX + XDP_FRAME_METADATA];
	struct bpf_test_run_opts run = {
		.sz = sizeof(run), .data_in = frame, .data_size_in = (uint32_t)length, .data_out = out, .data_size_out = sizeof(out)
	};
	uint32_t found[2]; /* verdict, mark */

	ck_assert_int_eq(bpf_prog_test_run_opts(program.program_fd, &run), 0);
	ck_assert_uint_eq(run.retval, action);
	ck_assert_uint_eq(run.data_size_out, length + (action == XDP_REDIRECT ? XDP_FRAME_METADATA : 0));
	if (action != XDP_REDIRECT)
		return;
	memcpy(found, out + sizeof(uint64_t), sizeof(found));
	ck_assert_uint_eq(found[0], verdict);
	ck_assert_uint_eq(found[1], XDP_FRAME_MARK);
}

/* Not even filtered: and without metadata, which would keep the host from gluing packets together. */
START_TEST(test_queue_without_socket)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_msg(open_for(&options, 0, 0) == 0, "%s", error.text);
	expect_run(FRAME_LEN, XDP_PASS, 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	raw_xdp_open(&raw, "nr1", 0);
	expect_passed(TYPE_A, 1);
	ck_assert_int_eq(xdp_program_add(&program, 1, raw.fd, &error), -EINVAL);
	ck_assert_str_eq(error.text, "nr1: there is no receive queue 1: it has 1");
	ck_assert_int_eq(xdp_program_add(&program, 0, raw.fd, &error), 0);
	expect_run(FRAME_LEN, XDP_REDIRECT, UINT32_MAX);
	expect_redirected(TYPE_A, 2, UINT32_MAX);
}
END_TEST

/* Where the filter looks at what XDP cannot show it, user space judges; but not where there is nothing. */
START_TEST(test_packet_in_fragments)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),	 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_A, 2, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAR), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, KEEP),	 BPF_STMT(BPF_RET | BPF_K, 0),
	};

	ck_assert_msg(xdp_program_open(&program, &options, filter, 6, &error) == 0, "%s", error.text);
	ck_assert(program.judges);
	attach();
	expect_run(FRAME_LEN, XDP_PASS, 0);
	expect_run(FAR + 1, XDP_REDIRECT, 0);
	expect_run(RUN_MAX, XDP_REDIRECT, 0);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

/* The host gets every packet again when the socket is gone. */
START_TEST(test_socket_goes)
{
	start(NETRING_XDP_MODE_AUTO, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	host_open(TYPE_A);
	close_raw();
	for (uint64_t deadline = now_ms() + DEADLINE_MS; now_ms() < deadline;) {
		sender_send(in, TYPE_A, 2, FRAME_LEN);
		if (host_gets(100))
			return;
	}
	ck_abort_msg("no packet came to the host");
}
END_TEST

/* Before 6.1 no TAI, before 5.18 no fragments. */
START_TEST(test_older_kernel)
{
	uint64_t before = now_ms();
	struct raw_xdp_packet packet;

	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(!program.tai && !program.fragments && program.judges);
	sender_send(in, TYPE_A, 1, FRAME_LEN);
	packet = take(TYPE_A, 1);
	ck_assert(packet.marked);
	ck_assert_uint_ge(packet.tai_ns / 1000000, before);
	ck_assert_uint_le(packet.tai_ns / 1000000, now_ms());
}
END_TEST

/* Modes */

START_TEST(test_no_native_mode)
{
	struct xdp_program_options options;

	shell("ip link add br9 type bridge && ip link set br9 up");
	options = options_of("br9", NETRING_XDP_NATIVE);
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text, "br9: the driver, bridge, has no native XDP, or not beside the offloads that are on (LRO, GRO-HW)");
	ck_assert(is_free("br9"));
	xdp_program_close(&program);

	options.mode = NETRING_XDP_MODE_AUTO;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	ck_assert(!program.native);
	ck_assert(is_logged(
		"netring: warn: br9: the driver, bridge, has no native XDP, or not beside the offloads that are on (LRO, GRO-HW); XDP runs in "
		"generic mode, behind the driver, which is slower"));
	ck_assert_uint_eq(query("br9").attach_mode, XDP_ATTACHED_SKB);
	xdp_program_close(&program);

	options.strict = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error.text, "has no native XDP"));
	ck_assert(is_free("br9"));
	shell("ip link del br9");
}
END_TEST

START_TEST(test_mtu_is_too_large)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_NATIVE);

	options.fragments = false;
	shell("ip link set nr0 mtu 9000; ip link set nr1 mtu 9000");
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text,
			 "nr1: the MTU is too large for native XDP in the driver, veth: 9000 here, or that of the other end of a veth pair");
	xdp_program_close(&program);
	options.fragments = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_msg(xdp_program_attach(&program, &error) == 0, "%s", error.text);
	ck_assert(program.native);
	xdp_program_close(&program);
	shell("ip link set nr0 mtu 1500; ip link set nr1 mtu 1500");
}
END_TEST

/* Life and death */

/* Waits for a byte of the child's: it has got so far. */
static void await_child(int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&waiting, 1, DEADLINE_MS), 1);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

/* A process: a thread could hold a lock of libcheck's while another child is forked. */
static pid_t flood_with_both_types(void)
{
	pid_t child = fork_child();

	if (child)
		return child;
	for (uint32_t i = 0;; i++) {
		sender_send(in, i % 2 ? TYPE_A : TYPE_B, i, FRAME_LEN);
		if (i % 32 == 0)
			usleep(1000);
	}
}

static void kill_child(pid_t child)
{
	int status = -1;

	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(test_killed)
{
	pid_t flood = flood_with_both_types();

	for (unsigned i = 0; i < 20; i++) {
		int ends[2];
		pid_t child;

		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		child = fork_child();
		if (child == 0) {
			start(i % 2 ? NETRING_XDP_NATIVE : NETRING_XDP_GENERIC, TYPE_A);
			if (write(ends[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		await_child(ends[0]);
		ck_assert(!is_free("nr1"));
		kill_child(child);
		ck_assert(is_free("nr1"));
		close(ends[0]);
		close(ends[1]);
	}
	kill_child(flood);
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	expect_passed(TYPE_B, 1);
}
END_TEST

/* The program stays for as long as one of them has it. */
START_TEST(test_forked)
{
	pid_t child;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	child = fork_child();
	if (child == 0) {
		xdp_program_close(&program);
		_exit(0);
	}
	wait_for(child);
	expect_redirected(TYPE_A, 1, KEEP);
	child = fork_child();
	if (child == 0) {
		int ret = set_types(TYPE_B, TYPE_B);

		_exit(ret == 0 ? 0 : 1);
	}
	wait_for(child);
	expect_redirected(TYPE_B, 2, KEEP);
	expect_passed(TYPE_A, 3);
}
END_TEST

START_TEST(test_executed)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	const int fds[] = { program.sockets_fd, program.switch_fd, program.program_fd, program.link_fd, program.status_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		ck_assert_int_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

/* A filter may still be set. */
START_TEST(test_interface_goes)
{
	struct xdp_program_options options;

	shell("ip link add nr8 type veth peer name nr9 && ip link set nr8 up && ip link set nr9 up");
	options = options_of("nr9", NETRING_XDP_MODE_AUTO);
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	shell("ip link del nr8");
	ck_assert_msg(set_types(TYPE_B, TYPE_B) == 0, "%s", error.text);
	ck_assert(program.judges);
}
END_TEST

START_TEST(test_interface_goes_down_and_up)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	expect_redirected(TYPE_A, 1, KEEP);
	shell("ip link set nr1 down; ip link set nr1 up");
	for (uint64_t deadline = now_ms() + DEADLINE_MS; now_ms() < deadline;) {
		struct raw_xdp_packet packet;

		sender_send(in, TYPE_A, 2, FRAME_LEN);
		if (raw_xdp_take(&raw, &packet, 100))
			return;
	}
	ck_abort_msg("no packet came");
}
END_TEST

START_TEST(test_nothing_is_left)
{
	struct resources before = resources_now(), after;

	for (unsigned i = 0; i < 20; i++) {
		start(NETRING_XDP_MODE_AUTO, TYPE_A);
		ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
		xdp_program_close(&program);
		xdp_program_close(&program);
		close_raw();
	}
	after = resources_now();
	ck_assert_uint_eq(after.descriptors, before.descriptors);
}
END_TEST

static void add_tests_of_packets(TCase *tests)
{
	tcase_add_test(tests, test_native);
	tcase_add_test(tests, test_generic);
	tcase_add_test(tests, test_auto_is_native);
	tcase_add_test(tests, test_no_filter_takes_all);
	tcase_add_test(tests, test_queue_without_socket);
	tcase_add_test(tests, test_packet_in_fragments);
	tcase_add_test(tests, test_socket_goes);
	tcase_add_test(tests, test_older_kernel);
	tcase_add_test(tests, test_no_native_mode);
	tcase_add_test(tests, test_mtu_is_too_large);
}

static void add_tests_of_life(TCase *tests)
{
	tcase_add_test(tests, test_killed);
	tcase_add_test(tests, test_forked);
	tcase_add_test(tests, test_executed);
	tcase_add_test(tests, test_interface_goes);
	tcase_add_test(tests, test_interface_goes_down_and_up);
	tcase_add_test(tests, test_nothing_is_left);
}

int main(void)
{
	Suite *suite = suite_create("xdp program");
	TCase *tests = tcase_create("program");

	fixture_enter();
	program_suite_begins();
	tcase_add_checked_fixture(tests, program_setup, program_teardown);
	tcase_set_timeout(tests, 60);
	add_tests_of_packets(tests);
	add_tests_of_filters(tests);
	add_tests_of_refusals(tests);
	add_tests_of_life(tests);
	suite_add_tcase(suite, tests);
	return fixture_run(suite);
}
