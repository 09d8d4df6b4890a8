/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's life with its interface and its process: waiting, signals, an interface that goes down, comes up, disappears (T9), promiscuous mode,
 * busy polling, locked memory, fork.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "fixture.h"

#define MODES 2

/* The address sanitizer makes mlock do nothing. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define LOCKING_WORKS false
#else
#define LOCKING_WORKS true
#endif

static int sender;

static void setup(void)
{
	sender = sender_open("nr0");
}

static void teardown(void)
{
	close(sender);
}

static struct netring_config mode_config(int mode)
{
	struct netring_config config = small_config();

	config.immediate = mode == 1;
	config.frame_size = mode == 1 ? 2048 : 0;
	return config;
}

/* Milliseconds that netring_wait took; *ret is what it returned. */
static uint64_t timed_wait(struct netring *capture, int timeout_ms, int *ret)
{
	struct netring_error error = { "" };
	uint64_t start = now_ms();

	*ret = netring_wait(capture, timeout_ms, &error);
	return now_ms() - start;
}

struct later {
	unsigned delay_ms;
	uint32_t number;
};

static void *send_later(void *argument)
{
	struct later *later = argument;

	usleep(later->delay_ms * 1000);
	sender_send(sender, TYPE_A, later->number, FRAME_LEN);
	return NULL;
}

/* Immediate: a lone packet wakes the reader at once, whatever the timeouts. Else: when the block's time is over. */
START_TEST(test_a_lone_packet)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;

	config.block_timeout_ms = _i == 1 ? 3 * DEADLINE_MS : 400;
	capture = open_or_fail(&config);
	for (uint32_t n = 0; n < 3; n++) {
		struct later later = { 20, n };
		pthread_t thread;
		uint64_t took;
		int ret;

		pthread_create(&thread, NULL, send_later, &later);
		took = timed_wait(capture, -1, &ret);
		pthread_join(thread, NULL);
		ck_assert_int_eq(ret, 1);
		ck_assert_uint_lt(took, DEADLINE_MS);
		expect_frames(capture, TYPE_A, n, 1, 1);
	}
	netring_close(capture);
}
END_TEST

START_TEST(test_block_timeout)
{
	struct netring_config config = small_config();
	struct netring *capture;
	int ret;

	config.block_timeout_ms = DEADLINE_MS / 2;
	capture = open_or_fail(&config);
	sender_send(sender, TYPE_A, 0, FRAME_LEN);
	ck_assert_uint_ge(timed_wait(capture, 20, &ret), 20);
	ck_assert_int_eq(ret, 0);
	expect_frames(capture, TYPE_A, 0, 1, 1);
	netring_close(capture);
	/* 0: the kernel chooses some milliseconds. */
	config.block_timeout_ms = 0;
	capture = open_or_fail(&config);
	sender_send(sender, TYPE_A, 1, FRAME_LEN);
	ck_assert_uint_lt(timed_wait(capture, 2 * DEADLINE_MS, &ret), DEADLINE_MS);
	ck_assert_int_eq(ret, 1);
	netring_close(capture);
}
END_TEST

START_TEST(test_wait_timeouts)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct pollfd event = { .fd = netring_fd(capture), .events = POLLIN };
	uint64_t took;
	int ret;

	took = timed_wait(capture, 0, &ret);
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_lt(took, DEADLINE_MS);
	took = timed_wait(capture, 100, &ret);
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_ge(took, 99);
	ck_assert_uint_lt(took, DEADLINE_MS);

	/* Level-triggered: ready for as long as something is left, and not longer. */
	sender_send_many(sender, TYPE_A, 0, 3);
	ck_assert_int_eq(poll(&event, 1, DEADLINE_MS), 1);
	for (uint32_t n = 0; n < 3; n++) {
		ck_assert_int_eq(poll(&event, 1, DEADLINE_MS), 1);
		expect_frames(capture, TYPE_A, n, 1, 1);
	}
	ck_assert_int_eq(poll(&event, 1, 0), 0);
	ck_assert_int_eq(netring_wait(capture, 0, NULL), 0);
	netring_close(capture);
}
END_TEST

static void on_alarm(int number)
{
	(void)number;
}

START_TEST(test_signal_ends_a_wait)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct sigaction action = { .sa_handler = on_alarm }, old;
	/* Again and again: one that comes before the wait has begun ends nothing. */
	struct itimerval timer = { .it_value = { .tv_usec = 50000 }, .it_interval = { .tv_usec = 50000 } };
	unsigned left = alarm(0); /* the fixture's; the timer is the same one */
	uint64_t took;
	int ret;

	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &timer, NULL);
	took = timed_wait(capture, 3 * DEADLINE_MS, &ret);
	alarm(0);
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_lt(took, DEADLINE_MS);
	sigaction(SIGALRM, &old, NULL);
	alarm(left);
	netring_close(capture);
}
END_TEST

/* Frames 5 to 9 are in the ring: they come, too. */
static void expect_down(struct netring *capture)
{
	struct netring_error error = { "" };
	uint64_t end = now_ms() + DEADLINE_MS;
	int ret;

	do {
		ret = netring_wait(capture, 100, &error);
		if (ret == 1)
			expect_frames(capture, TYPE_A, 5, 5, 5);
	} while (ret >= 0 && now_ms() < end);
	ck_assert_msg(ret == -ENETDOWN, "%d %s", ret, error.text);
	ck_assert_msg(strstr(error.text, "nr4 is down"), "%s", error.text);
}

/* How often the thread that calls gave up its CPU to wait. */
static long sleeps(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_nvcsw;
}

/* T9: down is told and costs no time; up again goes on by itself; gone is told apart from down. */
START_TEST(test_interface_down_up_gone)
{
	struct netring_config config = mode_config(_i);
	struct netring_error error = { "" };
	struct netring *capture;
	uint64_t end;
	unsigned turns = 0;
	long slept;
	int other, ret;

	shell("ip link add nr4 type veth peer name nr5 && ip link set nr4 up && ip link set nr5 up");
	other = sender_open("nr5");
	config.interface = "nr4";
	capture = open_or_fail(&config);
	sender_send_many(other, TYPE_A, 0, 5);
	expect_frames(capture, TYPE_A, 0, 5, 5);
	sender_send_many(other, TYPE_A, 5, 5);
	ck_assert_int_eq(netring_wait(capture, DEADLINE_MS, NULL), 1);
	shell("ip link set nr4 down");
	expect_down(capture);
	slept = sleeps();
	end = now_ms() + 500;
	while (now_ms() < end) {
		ret = netring_wait(capture, -1, &error);
		ck_assert_int_eq(ret, -ENETDOWN);
		turns++;
	}
	/* Each gives up the CPU; how much of it is used is not ours to say, where the CPU itself may be taken away. */
	ck_assert_msg(turns < 1000 && sleeps() - slept >= turns, "%u waits, %ld sleeps in 500 ms", turns, sleeps() - slept);

	shell("ip link set nr4 up");
	for (end = now_ms() + DEADLINE_MS; (ret = netring_wait(capture, 20, &error)) == -ENETDOWN && now_ms() < end;)
		;
	ck_assert_msg(ret == 0, "%d %s", ret, error.text);
	/* Until the other end has noticed, what is sent there goes nowhere. */
	shell("timeout 10 sh -c 'until ip link show nr5 | grep -q \"state UP\"; do sleep 0.01; done'");
	sender_send_many(other, TYPE_A, 20, 5);
	expect_frames(capture, TYPE_A, 20, 5, 5);

	shell("ip link del nr4");
	for (end = now_ms() + DEADLINE_MS; (ret = netring_wait(capture, -1, &error)) != -ENODEV && now_ms() < end;)
		ck_assert_int_eq(ret, -ENETDOWN);
	ck_assert_int_eq(ret, -ENODEV);
	ck_assert_int_eq(netring_wait(capture, -1, &error), -ENODEV);
	ck_assert_int_eq(stats_of(capture).drops, 0);
	close(other);
	netring_close(capture);
}
END_TEST

START_TEST(test_open_on_an_interface_that_is_down)
{
	struct netring_config config = mode_config(_i);
	struct netring_error error = { "" };
	struct netring *capture;

	shell("ip link add nr4 type veth peer name nr5");
	config.interface = "nr4";
	ck_assert_int_eq(netring_open(&capture, &config, &error), -ENETDOWN);
	ck_assert_msg(strstr(error.text, "nr4"), "%s", error.text);
	shell("ip link del nr4");
}
END_TEST

static int promiscuity(void)
{
	return system("ip -d link show nr1 | grep -q 'promiscuity 1 '") == 0;
}

START_TEST(test_promiscuous_only_while_open)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);

	ck_assert(!promiscuity());
	netring_close(capture);
	config.promiscuous = true;
	capture = open_or_fail(&config);
	ck_assert(promiscuity());
	netring_close(capture);
	ck_assert(!promiscuity());
}
END_TEST

/* Spinning finds a packet without sleeping. */
START_TEST(test_busy_polling)
{
	struct later later = { 60, 0 };

	for (uint32_t spin = 0; spin < 2; spin++) {
		struct netring_config config = mode_config(1);
		struct netring *capture;
		pthread_t thread;
		uint64_t begin;
		long slept;
		int ret;

		config.busy_poll_us = spin ? 2 * DEADLINE_MS * 1000 : 0;
		later.number = spin;
		capture = open_or_fail(&config);
		pthread_create(&thread, NULL, send_later, &later);
		slept = sleeps();
		timed_wait(capture, -1, &ret);
		slept = sleeps() - slept;
		pthread_join(thread, NULL);
		ck_assert_int_eq(ret, 1);
		ck_assert_int_eq(slept == 0, spin);
		expect_frames(capture, TYPE_A, spin, 1, 1);
		/* A look is a look. */
		begin = now_ms();
		ck_assert_int_eq(netring_wait(capture, 0, NULL), 0);
		ck_assert_uint_lt(now_ms() - begin, DEADLINE_MS);
		/* Spinning is a part of the timeout, not on top of it. */
		ck_assert_uint_lt(timed_wait(capture, 20, &ret), DEADLINE_MS);
		ck_assert_int_eq(ret, 0);
		netring_close(capture);
	}
}
END_TEST

static unsigned locked_kib(void)
{
	char line[128];
	unsigned kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmLck: %u", &kib);
	fclose(file);
	return kib;
}

static int keep_only_net_raw(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = 1 << CAP_NET_RAW, .permitted = 1 << CAP_NET_RAW } };

	return (int)syscall(SYS_capset, &header, data);
}

START_TEST(test_lock_memory)
{
	struct netring_config config = mode_config(_i);
	struct rlimit none = { 0, 0 };
	unsigned before = locked_kib();
	struct netring *capture;
	pid_t child;
	int status;

	config.lock_memory = true;
	capture = open_or_fail(&config);
	ck_assert_uint_gt(locked_kib(), before);
	netring_close(capture);
	ck_assert_uint_eq(locked_kib(), before);

	/* Without the right to lock it is an error, not a shrug. */
	child = fork();
	if (child == 0) {
		struct netring_error error = { "" };

		setrlimit(RLIMIT_MEMLOCK, &none);
		if (keep_only_net_raw() < 0)
			_exit(1);
		if (netring_open(&capture, &config, &error) != -EPERM && !strstr(error.text, "mlock"))
			_exit(2);
		_exit(strstr(error.text, "mlock") ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The child closes what it inherited, or ends without: the parent goes on, promiscuous mode included. */
START_TEST(test_fork)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	int status;

	config.promiscuous = true;
	capture = open_or_fail(&config);
	for (uint32_t round = 0; round < 4; round++) {
		pid_t child;

		sender_send_many(sender, TYPE_A, round * 10, 5);
		child = fork();
		if (child == 0) {
			if (round % 2)
				netring_close(capture);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		sender_send_many(sender, TYPE_A, round * 10 + 5, 5);
		expect_frames(capture, TYPE_A, round * 10, 10, 3);
		ck_assert(promiscuity());
	}
	ck_assert_uint_eq(stats_of(capture).packets, 40);
	netring_close(capture);
	ck_assert(!promiscuity());
}
END_TEST

static Suite *life_suite(void)
{
	Suite *suite = suite_create("engine-life");
	TCase *cases = tcase_create("engine-life");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, test_a_lone_packet, 0, MODES);
	tcase_add_test(cases, test_block_timeout);
	tcase_add_loop_test(cases, test_wait_timeouts, 0, MODES);
	tcase_add_loop_test(cases, test_signal_ends_a_wait, 0, MODES);
	tcase_add_loop_test(cases, test_interface_down_up_gone, 0, MODES);
	tcase_add_loop_test(cases, test_open_on_an_interface_that_is_down, 0, MODES);
	tcase_add_loop_test(cases, test_promiscuous_only_while_open, 0, MODES);
	tcase_add_test(cases, test_busy_polling);
	if (LOCKING_WORKS)
		tcase_add_loop_test(cases, test_lock_memory, 0, MODES);
	tcase_add_loop_test(cases, test_fork, 0, MODES);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	fixture_enter();
	return fixture_run(life_suite());
}
