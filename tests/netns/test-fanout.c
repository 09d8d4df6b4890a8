/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fanout groups with real sockets and packets: T10 (outgoing packets), T11 (what cannot be joined, and numbers), names. Which member gets what is tested in
 * a file of its own, of the same suite.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fanout-diag.h"
#include "fanout-fixture.h"
#include "fanout-name.h"

/* Outgoing packets */

static bool is_before_6_2(void)
{
	struct utsname system;
	unsigned major, minor;

	ck_assert_int_eq(uname(&system), 0);
	ck_assert_int_eq(sscanf(system.release, "%u.%u", &major, &minor), 2);
	return major < 6 || (major == 6 && minor < 2);
}

START_TEST(test_outgoing)
{
	bool ignored = _i == 1, by_flag = _i == 2;
	struct netring_fanout config = config_of(NETRING_FANOUT_LB, by_flag ? NETRING_FANOUT_FLAG_IGNORE_OUTGOING : 0, NETRING_FANOUT_AUTO);
	struct netring_error error = { "" };
	struct group group = { .members = 0 };
	int one = 1, ret = fanout_open(&group.fanout, &config, ignored, "nr1", interface_number("nr1"), &error);

	if ((ignored || by_flag) && is_before_6_2()) {
		expect_text(ret, EOPNOTSUPP, &error, "needs Linux 6.2 or newer");
		return;
	}
	ck_assert_msg(ret == 0, "%s", error.text);
	group_add(&group, "nr1", 2);
	if (_i == 3) /* what does not work (T10), else the flag would not be needed */
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(setsockopt(group.fd[i], SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &one, sizeof(one)), 0);
	sender_send_many(out, TYPE_A, 0, 10);
	/* These are there when send returns. */
	ck_assert_uint_eq(await_all(&group, 0), ignored || by_flag ? 0 : 10);
	sender_send_many(in, TYPE_A, 0, 10);
	ck_assert_uint_eq(await_one(&group, 0, 5), 5);
	ck_assert_uint_eq(await_one(&group, 1, 5), 5);
	group_close(&group);
}
END_TEST

/* What cannot be */

struct bad_config {
	struct netring_fanout config;
	const char *wanted;
};

static const struct bad_config bad_configs[] = {
	{ { .mode = NETRING_FANOUT_NONE }, "fanout mode 0" },
	{ { .mode = 11 }, "fanout mode 11" },
	{ { .mode = NETRING_FANOUT_HASH, .flags = 16 }, "fanout flags 0x10" },
	{ { .mode = NETRING_FANOUT_ROLLOVER, .flags = NETRING_FANOUT_FLAG_ROLLOVER },
	  "mode rollover and the fanout flag rollover exclude each other" },
	{ { .mode = NETRING_FANOUT_HASH, .flags = NETRING_FANOUT_FLAG_UNIQUE_ID, .group = 42 }, "fanout group 42 and the fanout flag unique_id" },
	{ { .mode = NETRING_FANOUT_HASH, .flags = NETRING_FANOUT_FLAG_UNIQUE_ID, .group = -1, .name = "a" },
	  "fanout group @a and the fanout flag unique_id" },
	{ { .mode = NETRING_FANOUT_HASH, .group = 65536 }, "fanout group 65536: allowed are 0 to 65535" },
	{ { .mode = NETRING_FANOUT_HASH, .group = -2 }, "fanout group -2" },
	{ { .mode = NETRING_FANOUT_HASH, .program = "/x" }, "fanout mode hash takes no program, but one is given: /x" },
	{ { .mode = NETRING_FANOUT_INNER, .program = "/x" }, "fanout mode inner takes no program" },
	{ { .mode = NETRING_FANOUT_CBPF }, "fanout mode cbpf needs a program" },
	{ { .mode = NETRING_FANOUT_EBPF, .program = "" }, "fanout mode ebpf needs a program" },
	{ { .mode = NETRING_FANOUT_HASH, .group = -1, .name = "" }, "1 to 32" },
	{ { .mode = NETRING_FANOUT_HASH, .group = -1, .name = "a/b" }, "'@a/b'" },
	{ { .mode = NETRING_FANOUT_HASH, .group = -1, .name = "a b" }, "A-Z a-z 0-9 . _ -" },
	{ { .mode = NETRING_FANOUT_HASH, .group = -1, .name = "123456789012345678901234567890123" }, "1 to 32" },
};

START_TEST(test_bad_config)
{
	struct netring_error error = { "" };
	struct group group;
	unsigned descriptors = open_descriptors();

	expect_text(try_open(&group, &bad_configs[_i].config, "nr1", &error), EINVAL, &error, bad_configs[_i].wanted);
	ck_assert_int_eq(group.fanout.lock_fd, -1);
	ck_assert_int_eq(group.fanout.id, -1);
	fanout_close(&group.fanout);
	ck_assert_uint_eq(open_descriptors(), descriptors);
}
END_TEST

START_TEST(test_bad_sockets)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_HASH, 0, 41);
	struct netring_error error = { "" };
	struct fanout_group found;
	struct group group;
	int deaf = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(try_open(&group, &config, "nr1", &error), 0);
	expect_text(fanout_join(&group.fanout, deaf, &error), EINVAL, &error, "fanout group 41 on nr1");
	close(deaf);
	ck_assert_int_eq(fanout_diag_find(&found, 41), -ENOENT);
	group_add(&group, "nr1", 1);
	expect_text(fanout_join(&group.fanout, group.fd[0], &error), EALREADY, &error, "the socket is a member of a group already");
	group_close(&group);
	ck_assert_int_eq(fanout_diag_find(&found, 41), -ENOENT);
}
END_TEST

START_TEST(test_257_members)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_LB, 0, 43);
	struct netring_error error = { "" };
	struct fanout_group found;
	struct group group;

	group_open(&group, &config, "nr1", 256);
	ck_assert_int_eq(fanout_diag_find(&found, 43), 0);
	ck_assert_uint_eq(found.members, 256);
	expect_text(try_join(&group, "nr1", &error), ENOSPC, &error, "fanout group 43 on nr1 is full: it has 256 members");
	group_close(&group);
}
END_TEST

/* Groups that are taken */

/* A process that runs main, which writes a byte when it is ready; then it sleeps until it is killed. */
static pid_t start_holder(void (*main)(void *), void *argument)
{
	int ready[2];
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		main(argument);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void kill_holder(pid_t child)
{
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void hold_group(void *config)
{
	static struct group group;

	group_open(&group, config, "nr1", 2);
}

static void expect_taken(const struct netring_fanout *config, const char *interface, const char *first, const char *second)
{
	struct netring_error error = { "" };
	struct group group;
	int ret;

	ck_assert_int_eq(try_open(&group, config, interface, &error), 0);
	ret = try_join(&group, interface, &error);
	expect_text(ret, EINVAL, &error, first);
	expect_text(ret, EINVAL, &error, second);
	group_close(&group);
}

START_TEST(test_taken)
{
	struct netring_fanout theirs = config_of(NETRING_FANOUT_HASH, NETRING_FANOUT_FLAG_ROLLOVER, 44);
	struct netring_fanout ours = theirs;
	struct netring_error error = { "" };
	struct fanout_group found;
	struct group group;
	char process[64];
	pid_t child = start_holder(hold_group, &theirs);
	int fd;

	snprintf(process, sizeof(process), "by process %d (", (int)child);
	ours.mode = NETRING_FANOUT_LB;
	expect_taken(&ours, "nr1", "fanout group 44 on nr1 is mode hash, taken by process", process);
	ours = theirs;
	ours.flags |= NETRING_FANOUT_FLAG_DEFRAG;
	expect_taken(&ours, "nr1", "with other flags or for another protocol; it cannot be joined with mode hash, flags rollover,defrag", process);
	expect_taken(&theirs, "nr3", "fanout group 44 is taken on interface nr1", process);

	ck_assert_int_eq(try_open(&group, &theirs, "nr1", &error), 0);
	fd = bound_socket("nr1", TYPE_A);
	expect_text(fanout_join(&group.fanout, fd, &error), EINVAL, &error, "for packets of protocol 0x0003");
	close(fd);
	group_add(&group, "nr1", 1); /* as theirs: that goes */
	ck_assert_int_eq(fanout_diag_find(&found, 44), 0);
	ck_assert_uint_eq(found.members, 3);
	group_close(&group);
	ck_assert_int_eq(fanout_diag_find(&found, 44), 0);
	ck_assert_uint_eq(found.members, 2);
	kill_holder(child);
	ck_assert_int_eq(fanout_diag_find(&found, 44), -ENOENT);
	ours.mode = NETRING_FANOUT_LB; /* nothing of it is left */
	group_open(&group, &ours, "nr3", 1);
	group_close(&group);
}
END_TEST

/* Numbers */

START_TEST(test_new_numbers)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_LB, _i ? NETRING_FANOUT_FLAG_UNIQUE_ID : 0, NETRING_FANOUT_AUTO);
	struct group first, second;
	struct fanout_group found;
	int value;
	socklen_t size = sizeof(value);

	group_open(&first, &config, "nr1", 3);
	group_open(&second, &config, "nr1", 2);
	ck_assert_int_ge(first.fanout.id, 0);
	ck_assert_int_ne(first.fanout.id, second.fanout.id);
	ck_assert_int_eq(getsockopt(first.fd[2], SOL_PACKET, PACKET_FANOUT, &value, &size), 0);
	ck_assert_int_eq(value & 0xffff, first.fanout.id);
	ck_assert_int_eq(fanout_diag_find(&found, first.fanout.id), 0);
	ck_assert_uint_eq(found.members, 3);
	ck_assert_int_eq(found.kernel_mode, PACKET_FANOUT_LB);
	ck_assert_int_eq(found.ifindex, interface_number("nr1"));
	ck_assert_uint_eq(found.protocol, ETH_P_ALL);
	sender_send_many(in, TYPE_A, 0, 6);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(await_one(&first, i, 2), 2);
	for (int i = 0; i < 2; i++) /* each group sees everything */
		ck_assert_uint_eq(await_one(&second, i, 3), 3);
	group_close(&first);
	group_close(&second);
}
END_TEST

START_TEST(test_given_numbers)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_LB, 0, _i ? 65535 : 0);
	struct group first, second;

	group_open(&first, &config, "nr1", 1);
	group_open(&second, &config, "nr1", 1);
	ck_assert_int_eq(first.fanout.id, config.group);
	sender_send_many(in, TYPE_A, 0, 6);
	ck_assert_uint_eq(await_all(&first, 3), 3);
	ck_assert_uint_eq(await_all(&second, 3), 3);
	group_close(&first);
	group_close(&second);
}
END_TEST

/* Names */

static struct netring_fanout named(const char *name)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_LB, 0, NETRING_FANOUT_AUTO);

	config.name = name;
	return config;
}

static int entries(const char *name, const char *interface)
{
	struct fanout_name_entry entry;
	struct netring_error error = { "" };
	int ret = fanout_name_find(&entry, name, interface_number(interface), &error);

	ck_assert_msg(ret >= 0, "%s", error.text);
	return ret;
}

START_TEST(test_names)
{
	struct netring_fanout config = named("sensor1"), other_name = named("sensor"), other_mode = named("sensor1");
	struct group first, second, third, elsewhere;
	struct netring_error error = { "" };
	char process[64];
	int id;

	group_open(&first, &config, "nr1", 2);
	group_open(&second, &config, "nr1", 1);
	group_open(&third, &other_name, "nr1", 1);
	group_open(&elsewhere, &config, "nr3", 1);
	id = first.fanout.id;
	ck_assert_int_eq(second.fanout.id, id);
	ck_assert_int_ne(third.fanout.id, id);
	ck_assert_int_ne(elsewhere.fanout.id, id);
	group_close(&third);
	group_close(&elsewhere);
	sender_send_many(in, TYPE_A, 0, 6);
	ck_assert_uint_eq(await_all(&first, 4), 4);
	ck_assert_uint_eq(await_all(&second, 2), 2);

	other_mode.mode = NETRING_FANOUT_SYMMETRIC;
	snprintf(process, sizeof(process), "process %d (", (int)getpid());
	expect_text(try_open(&third, &other_mode, "nr1", &error), EINVAL, &error,
		    "fanout group @sensor1 on nr1 is mode lb; it cannot be joined with mode symmetric");
	ck_assert_ptr_nonnull(strstr(error.text, process));
	other_mode.mode = NETRING_FANOUT_LB;
	other_mode.flags = NETRING_FANOUT_FLAG_ROLLOVER;
	expect_text(try_open(&third, &other_mode, "nr1", &error), EINVAL, &error, "mode lb, flags rollover");

	/* A number with a program is there, too: to the kernel both modes are one, and the second program would replace the first. */
	other_mode = (struct netring_fanout){ .mode = NETRING_FANOUT_SYMMETRIC, .group = 7 };
	group_open(&third, &other_mode, "nr1", 1);
	other_mode.mode = NETRING_FANOUT_INNER;
	expect_text(try_open(&elsewhere, &other_mode, "nr1", &error), EINVAL, &error,
		    "fanout group 7 on nr1 is mode symmetric; it cannot be joined with mode inner");
	ck_assert_ptr_nonnull(strstr(error.text, process));
	group_close(&third);
	group_open(&elsewhere, &other_mode, "nr1", 1);
	group_close(&elsewhere);

	group_close(&first); /* the name lives on with the second one, and dies with it */
	group_open(&third, &config, "nr1", 1);
	ck_assert_int_eq(third.fanout.id, id);
	group_close(&second);
	ck_assert_int_eq(entries("sensor1", "nr1"), 1);
	group_close(&third);
	ck_assert_int_eq(entries("sensor1", "nr1"), 0);
}
END_TEST

START_TEST(test_killed_member)
{
	struct netring_fanout config = named("killed");
	struct group group;
	struct fanout_group found;
	struct fanout_name_entry entry = { .id = -1 };
	struct netring_error error = { "" };
	pid_t child = start_holder(hold_group, &config);

	ck_assert_int_eq(fanout_name_find(&entry, "killed", interface_number("nr1"), &error), 1);
	ck_assert_int_eq(entry.pid, child);
	group_open(&group, &config, "nr1", 1);
	ck_assert_int_eq(group.fanout.id, entry.id);
	ck_assert_int_eq(fanout_diag_find(&found, entry.id), 0);
	ck_assert_uint_eq(found.members, 3);
	kill_holder(child);
	ck_assert_int_eq(fanout_name_find(&entry, "killed", interface_number("nr1"), &error), 1);
	ck_assert_int_eq(entry.pid, getpid()); /* ours is the one that is left */
	sender_send_many(in, TYPE_A, 0, 6);
	ck_assert_uint_eq(await_all(&group, 6), 6);
	group_close(&group);
	ck_assert_int_eq(entries("killed", "nr1"), 0);
}
END_TEST

#define RACERS 16
#define ROUNDS 5

/* Waits for the start, joins, says which number it got, and stays until the end of the round. */
static void race(int start, int result, int end)
{
	struct netring_fanout config = named("race");
	struct netring_error error = { "" };
	struct group group;
	char byte;
	int ret;

	if (read(start, &byte, 1) != 0)
		_exit(1);
	ret = try_open(&group, &config, "nr1", &error);
	if (ret == 0)
		ret = try_join(&group, "nr1", &error);
	if (ret == 0)
		ret = group.fanout.id;
	else
		fprintf(stderr, "# %s\n", error.text);
	fanout_settle(&group.fanout);
	if (write(result, &ret, sizeof(ret)) != sizeof(ret))
		_exit(1);
	_exit(read(end, &byte, 1) == 0 ? 0 : 1);
}

static void start_racers(pid_t racer[RACERS], int start[2], int result[2], int end[2])
{
	for (int i = 0; i < RACERS; i++) {
		racer[i] = fork();
		ck_assert_int_ge(racer[i], 0);
		if (racer[i] == 0) {
			close(start[1]);
			close(end[1]);
			race(start[0], result[1], end[0]);
		}
	}
}

START_TEST(test_start_at_once)
{
	pid_t racer[RACERS];
	int start[2], result[2], end[2], id, first = -1, status;
	struct fanout_group found;

	ck_assert(pipe(start) == 0 && pipe(result) == 0 && pipe(end) == 0);
	start_racers(racer, start, result, end);
	close(start[1]); /* off they go */
	for (int i = 0; i < RACERS; i++) {
		ck_assert_int_eq(read(result[0], &id, sizeof(id)), sizeof(id));
		ck_assert_int_ge(id, 0);
		first = i ? first : id;
		ck_assert_int_eq(id, first);
	}
	ck_assert_int_eq(fanout_diag_find(&found, first), 0);
	ck_assert_uint_eq(found.members, RACERS);
	close(end[1]);
	for (int i = 0; i < RACERS; i++) {
		ck_assert_int_eq(waitpid(racer[i], &status, 0), racer[i]);
		ck_assert_int_eq(status, 0);
	}
	close(start[0]);
	close(end[0]);
	close(result[0]);
	close(result[1]);
	ck_assert_int_eq(entries("race", "nr1"), 0);
}
END_TEST

static void hold_lock(void *argument)
{
	struct netring_fanout config = named(argument);
	static struct group group;

	if (try_open(&group, &config, "nr1", NULL) < 0)
		_exit(1);
}

START_TEST(test_lock_that_is_held)
{
	struct netring_fanout config = named("stuck");
	struct netring_error error = { "" };
	struct group group;
	unsigned descriptors = open_descriptors();
	uint64_t start = now_ms();
	char process[64];
	pid_t child = start_holder(hold_lock, "stuck");

	snprintf(process, sizeof(process), "fanout group @stuck: process %d (", (int)child);
	expect_text(try_open(&group, &config, "nr1", &error), EBUSY, &error, process);
	ck_assert_uint_ge(now_ms() - start, 5000);
	ck_assert_uint_eq(open_descriptors(), descriptors);
	config.name = "free"; /* the lock is that name's alone */
	group_open(&group, &config, "nr1", 1);
	group_close(&group);
	config.name = "stuck";
	kill_holder(child);
	group_open(&group, &config, "nr1", 1);
	group_close(&group);
}
END_TEST

static Suite *fanout_suite(void)
{
	Suite *suite = suite_create("fanout");
	TCase *tests = tcase_create("groups");

	tcase_add_unchecked_fixture(tests, fanout_setup, fanout_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, test_outgoing, 0, 4);
	tcase_add_loop_test(tests, test_bad_config, 0, sizeof(bad_configs) / sizeof(*bad_configs));
	tcase_add_test(tests, test_bad_sockets);
	tcase_add_test(tests, test_257_members);
	tcase_add_test(tests, test_taken);
	tcase_add_loop_test(tests, test_new_numbers, 0, 2);
	tcase_add_loop_test(tests, test_given_numbers, 0, 2);
	add_tests_of_packets(tests);
	tcase_add_test(tests, test_names);
	tcase_add_test(tests, test_killed_member);
	tcase_add_loop_test(tests, test_start_at_once, 0, ROUNDS);
	tcase_add_test(tests, test_lock_that_is_held);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	int failed;

	fixture_enter();
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    (mkdir(BPF_DIRECTORY, 0700) < 0 && errno != EEXIST) || mount("bpf", BPF_DIRECTORY, "bpf", 0, NULL) < 0) {
		printf("Bail out! cannot mount a BPF file system of its own: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	failed = fixture_run(fanout_suite());
	umount(BPF_DIRECTORY);
	rmdir(BPF_DIRECTORY);
	unlink(PROGRAM_PATH);
	return failed;
}
