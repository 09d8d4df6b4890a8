/* SPDX-License-Identifier: BSD-3-Clause */
/* Several rings: opening and closing, the memory that they share, joining a group. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine-rings-fixture.h"

/* Opening and closing */

START_TEST(test_close_in_a_child)
{
	struct netring_config config = rings_config("nr1,nr3", 2, NETRING_FANOUT_LB);
	struct netring *capture = open_or_fail(&config);
	int sender = sender_open("nr0"), status;
	pid_t child;

	sender_send_many(sender, TYPE_A, 0, 10);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		netring_close(capture);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	begin_reading();
	read_more(capture, TYPE_A, 10);
	sender_send_many(sender, TYPE_A, 10, 10);
	ck_assert(is_readable(capture, DEADLINE_MS));
	read_more(capture, TYPE_A, 10);
	close(sender);
	netring_close(capture);
}
END_TEST

START_TEST(test_rings_share_the_memory)
{
	struct netring_config config;
	uint64_t one = 0;

	for (unsigned i = 0; i < RING_COUNTS; i++) {
		struct netring *capture;
		struct netring_stats stats;

		netring_config_init(&config, NETRING_PROFILE_LOW_MEMORY);
		config.interface = "nr1";
		config.rings = ring_counts[i];
		config.immediate = _i;
		capture = open_or_fail(&config);
		stats = stats_of(capture);
		if (i == 0)
			one = stats.ring_bytes;
		ck_assert_uint_le(stats.ring_bytes, one);
		ck_assert_uint_ge(stats.ring_bytes, one / 10 * 9);
		netring_close(capture);
	}
}
END_TEST

/* A block is larger than what one ring gets. */
START_TEST(test_rings_share_less_than_a_block_each)
{
	struct netring_config config;
	struct netring *capture;

	netring_config_init(&config, NETRING_PROFILE_LOW_MEMORY);
	config.interface = "nr1";
	config.rings = RINGS_MAX;
	config.block_count = 2;
	config.immediate = _i;
	capture = open_or_fail(&config);
	ck_assert_uint_le(stats_of(capture).ring_bytes, (uint64_t)config.block_size * config.block_count);
	netring_close(capture);
}
END_TEST

START_TEST(test_number_on_two_interfaces)
{
	struct netring_config config = rings_config("nr1,nr3", 1, NETRING_FANOUT_HASH);
	struct netring *capture = NULL;

	config.fanout.group = 4712;
	ck_assert_int_eq(netring_open(&capture, &config, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "4712"));
	ck_assert_ptr_nonnull(strstr(error.text, "this handle has 2"));
	ck_assert_ptr_null(capture);
}
END_TEST

static unsigned long status_kib(const char *field)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtoul(line + strlen(field), NULL, 10);
	fclose(file);
	return kib;
}

#ifndef __SANITIZE_ADDRESS__ /* which makes nothing of mlock */
START_TEST(test_locked_memory)
{
	struct netring_config config = rings_config("nr1", ring_counts[_i], NETRING_FANOUT_NONE);
	unsigned long before = status_kib("VmLck:");
	struct netring *capture;

	config.lock_memory = true;
	capture = open_or_fail(&config);
	/* The handle, and each ring's list. */
	ck_assert_uint_ge(status_kib("VmLck:") - before, ring_counts[_i] > 1 ? 4 + 4 * ring_counts[_i] : 4);
	netring_close(capture);
	ck_assert_uint_eq(status_kib("VmLck:"), before);
}
END_TEST
#endif

START_TEST(test_automatic_number)
{
	struct netring_config config = rings_config("nr1", 0, NETRING_FANOUT_NONE);
	unsigned cpus = (unsigned)CPU_COUNT(&all_cpus);
	struct netring *capture = open_or_fail(&config);

	ck_assert_uint_eq(netring_rings(capture), 1);
	netring_close(capture);
	shell("ip link add many0 numrxqueues 2 numtxqueues 7 type veth peer name many1 numrxqueues 7 numtxqueues 2 && ip link set many0 up && ip "
	      "link set many1 up");
	config.interface = "many1,nr1";
	capture = open_or_fail(&config);
	ck_assert_uint_eq(netring_rings(capture), (cpus < 7 ? cpus : 7) + 1);
	netring_close(capture);
	config.interface = NULL;
	capture = open_or_fail(&config);
	ck_assert_uint_eq(netring_rings(capture), cpus);
	netring_close(capture);
	shell("ip link del many0");
}
END_TEST

START_TEST(test_too_many_rings)
{
	struct netring_config config = rings_config("nr1", 257, NETRING_FANOUT_NONE);
	struct netring *capture = NULL;

	ck_assert_int_eq(netring_open(&capture, &config, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "257"));
	config.rings = UINT32_MAX;
	ck_assert_int_eq(netring_open(&capture, &config, &error), -EINVAL);
	config.rings = 129;
	config.interface = "nr1,nr3";
	ck_assert_int_eq(netring_open(&capture, &config, &error), -EINVAL);
	ck_assert_ptr_null(capture);
}
END_TEST

/* What a new member does before it joins */

struct joiner {
	struct netring_config config;
	struct netring *capture;
	struct netring_error error;
	int result;
};

static void *join(void *argument)
{
	struct joiner *joiner = argument;

	joiner->result = netring_open(&joiner->capture, &joiner->config, &joiner->error);
	return NULL;
}

/* The lock of the group's name, as one has it who is joining. */
static int hold_lock(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "netring/fanout-lock/%s/%d", name, interface_number("nr1"));

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)length), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* Packet sockets of this network namespace that are bound to nr1. */
static unsigned bound_sockets(void)
{
	FILE *file = fopen("/proc/self/net/packet", "re");
	char line[256];
	unsigned count = 0;
	int protocol, ifindex;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		count += sscanf(line, "%*s %*d %*d %x %d", (unsigned *)&protocol, &ifindex) == 2 && protocol == ETH_P_ALL &&
			 ifindex == interface_number("nr1");
	fclose(file);
	return count;
}

/* Its ring is bound before it is a member, and has to wait for another's lock: what comes until then is the other members'. */
START_TEST(test_nothing_before_joining)
{
	struct joiner joiner = { .config = rings_config("nr1", 2, NETRING_FANOUT_LB) };
	struct netring *first;
	pthread_t thread;
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int sender = sender_open("nr0"), lock;

	joiner.config.fanout.name = "slow";
	first = open_or_fail(&joiner.config);
	lock = hold_lock("slow");
	ck_assert_int_eq(pthread_create(&thread, NULL, join, &joiner), 0);
	while (bound_sockets() < 3 && now_ms() < deadline)
		usleep(1000);
	ck_assert_uint_eq(bound_sockets(), 3);
	sender_send_many(sender, TYPE_A, 0, 100);
	close(lock);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_msg(joiner.result == 0, "%s", joiner.error.text);
	ck_assert_uint_eq(stats_of(first).packets, 100);
	ck_assert_uint_eq(stats_of(joiner.capture).packets, 0);
	netring_close(joiner.capture);
	netring_close(first);
	close(sender);
}
END_TEST

START_TEST(test_handles_leave_nothing)
{
	struct netring_config config = rings_config("nr1,nr3", 2, NETRING_FANOUT_HASH);
	unsigned descriptors = open_descriptors();
	unsigned long size = 0;

	for (unsigned i = 0; i < 64; i++) {
		netring_close(open_or_fail(&config));
		/* The first makes the allocator grow. */
		if (i == 0)
			size = status_kib("VmSize:");
	}
	ck_assert_uint_eq(open_descriptors(), descriptors);
	ck_assert_uint_le(status_kib("VmSize:"), size + 256);
}
END_TEST

void add_tests_of_life(TCase *tests)
{
	tcase_add_test(tests, test_close_in_a_child);
	tcase_add_loop_test(tests, test_rings_share_the_memory, 0, 2);
	tcase_add_loop_test(tests, test_rings_share_less_than_a_block_each, 0, 2);
	tcase_add_test(tests, test_number_on_two_interfaces);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(tests, test_locked_memory, 0, RING_COUNTS);
#endif
	tcase_add_test(tests, test_automatic_number);
	tcase_add_test(tests, test_too_many_rings);
	tcase_add_test(tests, test_nothing_before_joining);
	tcase_add_test(tests, test_handles_leave_nothing);
}
