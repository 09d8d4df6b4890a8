/* SPDX-License-Identifier: BSD-3-Clause */
/* What the adapter reports as lost: files in a mount namespace of each test stand in for drivers that are not here. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "interface-drops.h"

#define NET "/sys/class/net/"
#define NAME "nr1"

static struct interface_drops drops;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_msg(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path, strerror(errno));
	close(fd);
}

static void set(const char *counter, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), NET NAME "/statistics/%s", counter);
	write_text(path, value);
}

/* An adapter with this driver; NULL: no adapter, as a veth end. */
static void stand_in(const char *driver)
{
	char text[128];

	ck_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	ck_assert(mount("tmpfs", "/sys/class/net", "tmpfs", 0, NULL) == 0);
	ck_assert(mkdir(NET NAME, 0755) == 0 && mkdir(NET NAME "/statistics", 0755) == 0);
	set("rx_missed_errors", "100\n");
	set("rx_fifo_errors", "50\n");
	set("rx_dropped", "1000\n");
	if (!driver)
		return;
	ck_assert(mkdir(NET NAME "/device", 0755) == 0);
	snprintf(text, sizeof(text), "PCI_ID=15B3:1019\nDRIVER=%s\nPCI_SLOT_NAME=0000:01:00.0\n", driver);
	write_text(NET NAME "/device/uevent", text);
}

static void expect_lost(unsigned long long lost)
{
	ck_assert_uint_eq(interface_drops_now(&drops), lost);
}

/* What both kinds of driver count. */
static void expect_adapter_counters(void)
{
	expect_lost(0);
	set("rx_missed_errors", "103\n");
	expect_lost(3);
	set("rx_fifo_errors", "57\n");
	expect_lost(10);
	expect_lost(10);
}

START_TEST(test_ordinary_driver)
{
	static const char *const drivers[] = { NULL, "virtio_net", "igb", "cxgb", "en", "enicx", "xena", "mlx5_core_x" };

	stand_in(drivers[_i]);
	interface_drops_open(&drops, NAME);
	expect_adapter_counters();
	set("rx_dropped", "2000\n");
	expect_lost(10);
	interface_drops_close(&drops);
}
END_TEST

START_TEST(test_driver_that_counts_in_rx_dropped)
{
	static const char *const drivers[] = { "cxgb4", "ena", "enic", "i40e", "mlx5_core", "vmxnet3" };

	stand_in(drivers[_i]);
	interface_drops_open(&drops, NAME);
	expect_adapter_counters();
	set("rx_dropped", "1500\n");
	expect_lost(510);
	interface_drops_close(&drops);
}
END_TEST

/* The driver was loaded anew: what was lost stays lost, and it goes on from there. */
START_TEST(test_counter_that_goes_back)
{
	stand_in(NULL);
	interface_drops_open(&drops, NAME);
	expect_adapter_counters();
	set("rx_missed_errors", "0\n");
	set("rx_fifo_errors", "0\n");
	expect_lost(10);
	set("rx_missed_errors", "5\n");
	expect_lost(15);
	interface_drops_close(&drops);
}
END_TEST

START_TEST(test_what_is_no_counter)
{
	static const char *const texts[] = { "", "\n", "x\n", "12x\n", "-\n", "\001\002" };

	stand_in(NULL);
	interface_drops_open(&drops, NAME);
	expect_adapter_counters();
	set("rx_missed_errors", texts[_i]);
	expect_lost(10);
	set("rx_missed_errors", "104\n");
	expect_lost(11);
	interface_drops_close(&drops);
}
END_TEST

/* 64 bits, and a file that comes later counts from then on. */
START_TEST(test_large_and_late)
{
	stand_in("ena");
	set("rx_missed_errors", "18446744073709551000\n");
	ck_assert(unlink(NET NAME "/statistics/rx_fifo_errors") == 0);
	interface_drops_open(&drops, NAME);
	expect_lost(0);
	set("rx_missed_errors", "18446744073709551007\n");
	set("rx_fifo_errors", "1000\n");
	expect_lost(7);
	set("rx_fifo_errors", "1001\n");
	expect_lost(8);
	interface_drops_close(&drops);
}
END_TEST

/* In a child process: the test's own report needs files. Exits with the number of what went wrong. */
static void leave_for_nowhere(void)
{
	char directory[] = "/tmp/nr-empty-XXXXXX";
	int counter = open(NET NAME "/statistics/rx_missed_errors", O_WRONLY | O_CLOEXEC);

	if (!mkdtemp(directory) || chdir(directory) < 0 || rmdir(directory) < 0 || chroot(".") < 0)
		_exit(1);
	if (setgid(65534) < 0 || setuid(65534) < 0 || access(NET, F_OK) == 0)
		_exit(2);
	if (interface_drops_now(&drops) != 0)
		_exit(3);
	if (pwrite(counter, "103\n", 4, 0) != 4 || interface_drops_now(&drops) != 3)
		_exit(4);
	interface_drops_close(&drops);
	_exit(0);
}

START_TEST(test_chroot_without_privilege)
{
	pid_t child;
	int status;

	stand_in(NULL);
	interface_drops_open(&drops, NAME);
	child = fork();
	if (child == 0)
		leave_for_nowhere();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	interface_drops_close(&drops);
}
END_TEST

/* One descriptor for all, and none at the end. */
START_TEST(test_descriptors)
{
	unsigned before = open_descriptors();
	struct interface_drops other;

	stand_in(NULL);
	interface_drops_open(&drops, NAME);
	interface_drops_open(&other, NAME);
	ck_assert_uint_eq(open_descriptors(), before + 1);
	interface_drops_close(&other);
	interface_drops_close(&other);
	expect_adapter_counters();
	interface_drops_close(&drops);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

static int open_end(bool of_socket)
{
	int ends[2];

	ck_assert_int_eq(of_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC), 0);
	ck_assert(write(ends[1], "x", 1) == 1 && close(ends[1]) == 0);
	return ends[0];
}

/* What a program may open at a number that it has closed; the inotify would wait for ever if it were read. */
static int open_stranger(int kind)
{
	switch (kind) {
	case 0:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case 1:
		return open_end(true);
	case 2:
		return open_end(false);
	case 3:
		return eventfd(1, EFD_CLOEXEC);
	case 4:
		return inotify_init1(IN_CLOEXEC);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

/* Who closes the descriptor himself keeps what he opens at its number, and what is to be read there. */
START_TEST(test_number_reused)
{
	int number = dup(STDIN_FILENO), stranger;
	char byte;

	stand_in(NULL);
	close(number);
	interface_drops_open(&drops, NAME);
	stranger = open_stranger(_i);
	ck_assert_int_eq(dup3(stranger, number, O_CLOEXEC), number);
	close(stranger);
	expect_lost(0);
	interface_drops_close(&drops);
	ck_assert_int_ge(fcntl(number, F_GETFD), 0);
	if (_i == 1 || _i == 2)
		ck_assert_int_eq(read(number, &byte, 1), 1);
	close(number);
}
END_TEST

static void *open_and_close(void *unused)
{
	for (int i = 0; i < 3000; i++) {
		struct interface_drops own;

		interface_drops_open(&own, NAME);
		interface_drops_close(&own);
	}
	return unused;
}

/* The descriptor is neither lost between threads that come and go nor closed under one that stays. */
START_TEST(test_threads)
{
	unsigned before = open_descriptors();
	pthread_t threads[8];

	stand_in(NULL);
	for (int stays = 0; stays < 2; stays++) {
		if (stays)
			interface_drops_open(&drops, NAME);
		for (int i = 0; i < 8; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		ck_assert_uint_eq(open_descriptors(), before + (unsigned)stays);
	}
	interface_drops_close(&drops);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

static void *ask_cancelled(void *unused)
{
	pthread_cancel(pthread_self());
	interface_drops_now(&drops);
	pthread_testcancel();
	return unused;
}

/* A thread that is cancelled while it asks keeps nobody else from asking. */
START_TEST(test_cancelled)
{
	pthread_t thread;

	stand_in(NULL);
	interface_drops_open(&drops, NAME);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_cancelled, NULL), 0);
	pthread_join(thread, NULL);
	expect_adapter_counters();
	interface_drops_close(&drops);
}
END_TEST

START_TEST(test_no_interface)
{
	stand_in(NULL);
	interface_drops_open(&drops, "nosuch0");
	expect_lost(0);
	interface_drops_close(&drops);
	interface_drops_open(&drops, "../../../proc");
	expect_lost(0);
	interface_drops_close(&drops);
}
END_TEST

START_TEST(test_alternative_name)
{
	shell("ip link property add dev nr1 altname uplink");
	stand_in(NULL);
	interface_drops_open(&drops, "uplink");
	expect_adapter_counters();
	interface_drops_close(&drops);
	shell("ip link property del dev nr1 altname uplink");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interface drops");
	TCase *cases = tcase_create("interface drops");

	fixture_enter();
	tcase_add_loop_test(cases, test_ordinary_driver, 0, 8);
	tcase_add_loop_test(cases, test_driver_that_counts_in_rx_dropped, 0, 6);
	tcase_add_test(cases, test_counter_that_goes_back);
	tcase_add_loop_test(cases, test_what_is_no_counter, 0, 6);
	tcase_add_test(cases, test_large_and_late);
	tcase_add_test(cases, test_chroot_without_privilege);
	tcase_add_test(cases, test_descriptors);
	tcase_add_loop_test(cases, test_number_reused, 0, 6);
	tcase_add_test(cases, test_threads);
	tcase_add_test(cases, test_cancelled);
	tcase_add_test(cases, test_no_interface);
	tcase_add_test(cases, test_alternative_name);
	suite_add_tcase(suite, cases);
	return fixture_run(suite);
}
