/* SPDX-License-Identifier: BSD-3-Clause */
/* Several rings: filters while packets are queued, and waiting while packets have to wait for others. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine-rings-fixture.h"

/* Filters */

static void set_filter(struct netring *capture, uint16_t type, uint16_t other, int expected)
{
	struct sock_filter program[5];
	unsigned length = type_filter(program, type, other, 65535);
	int ret = netring_set_filter(capture, program, length, &error);

	ck_assert_msg(ret == expected, "%d instead of %d: %s", ret, expected, error.text);
}

/* Before Linux 6.8 there is one limit for the whole host, out of a namespace's reach: nothing is refused for it here. */
static bool has_own_optmem(void)
{
	if (access("/proc/sys/net/core/optmem_max", W_OK) == 0)
		return true;
	printf("# optmem_max is the host's: no filter is refused\n");
	return false;
}

static void write_optmem(const char *value)
{
	FILE *file = fopen("/proc/sys/net/core/optmem_max", "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fprintf(file, "%s\n", value), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void read_optmem(char *value, size_t size)
{
	FILE *file = fopen("/proc/sys/net/core/optmem_max", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(value, (int)size, file));
	fclose(file);
}

/* A long one that accepts a type: the kernel refuses it if it has no memory for it. */
static unsigned long_filter(struct sock_filter *program, uint16_t type)
{
	unsigned length = type_filter(program, type, type, 65535);
	struct sock_filter tail[5];

	memcpy(tail, program, sizeof(tail));
	for (unsigned i = 0; i < 1000; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
	memcpy(program + 1000, tail, sizeof(tail));
	return 1000 + length;
}

/*
 * The kernel has judged them all. What is sent may still wait for ksoftirqd (before Linux 6.4 all of a CPU's packets do, while that is to run): until then
 * no filter has seen it, and the next one does.
 */
static void await_packets(struct netring *capture, uint64_t count)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;

	while (stats_of(capture).packets < count && now_ms() < deadline)
		usleep(1000);
	ck_assert_uint_eq(stats_of(capture).packets, count);
}

/* Reads all that the kernel has counted, and counts by type. */
static void count_types(struct netring *capture, unsigned *a, unsigned *b, unsigned *both)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct netring_burst burst;

	while (netring_wait(capture, 100, &error) == 1 || (has_unread(capture) && now_ms() < deadline))
		while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0) {
			for (unsigned i = 0; i < burst.count; i++) {
				uint16_t type = packet_type(&burst.packet[i]);

				*(type == TYPE_A ? a : type == TYPE_B ? b : both) += 1;
			}
			netring_give_back(capture, &burst, burst.count);
		}
}

/* While packets are queued, and some are in hand: none that the new one rejects, all that both accept. In the kernel, or refused by it. */
START_TEST(test_filter_on_queued_packets)
{
	unsigned rings = ring_counts[_i % RING_COUNTS], a = 0, b = 0, both = 0, first_both = 0;
	bool refused = _i >= RING_COUNTS && has_own_optmem();
	struct netring_config config = rings_config("nr1", rings, NETRING_FANOUT_LB);
	static struct sock_filter program[1100];
	struct netring *capture;
	struct netring_burst burst;
	int sender = sender_open("nr0");
	char optmem[32];

	/* Nobody reads meanwhile: a second's blocks for each ring, where sending takes that long. */
	config.block_count = 256;
	config.block_timeout_ms = 20;
	capture = open_or_fail(&config);
	set_filter(capture, TYPE_A, TYPE_BOTH, 0);
	for (unsigned n = 0; n < 900; n++)
		sender_send(sender, n % 3 == 0 ? TYPE_A : n % 3 == 1 ? TYPE_B : TYPE_BOTH, n, FRAME_LEN);
	await_packets(capture, 600);
	ck_assert(take_some(capture, &burst, 20));
	for (unsigned i = 0; i < 3 && i < burst.count; i++)
		first_both += packet_type(&burst.packet[i]) == TYPE_BOTH;
	netring_give_back(capture, &burst, burst.count < 3 ? burst.count : 3);
	if (refused) {
		read_optmem(optmem, sizeof(optmem));
		write_optmem("4096");
		ck_assert_int_eq(netring_set_filter(capture, program, long_filter(program, TYPE_BOTH), &error), 1);
		write_optmem(optmem);
	} else {
		set_filter(capture, TYPE_B, TYPE_BOTH, 0);
	}
	for (unsigned n = 0; n < 90; n++)
		sender_send(sender, n % 3 == 0 ? TYPE_A : n % 3 == 1 ? TYPE_B : TYPE_BOTH, n, FRAME_LEN);
	await_packets(capture, refused ? 690 : 660);
	count_types(capture, &a, &b, &both);
	ck_assert_uint_eq(stats_of(capture).drops, 0);
	ck_assert_uint_eq(a, 0);
	ck_assert_uint_eq(b, refused ? 0 : 30);
	ck_assert_uint_eq(both + first_both, 330);
	check_stats(capture);
	close(sender);
	netring_close(capture);
}
END_TEST

/* With strict a refused filter is an error, and all rings have the old one. */
START_TEST(test_strict_filter)
{
	struct netring_config config = rings_config("nr1", ring_counts[_i], NETRING_FANOUT_LB);
	static struct sock_filter program[1100];
	unsigned a = 0, b = 0, both = 0;
	struct netring *capture;
	char optmem[32];
	int sender;

	if (!has_own_optmem())
		return;
	sender = sender_open("nr0");
	config.strict = true;
	capture = open_or_fail(&config);
	set_filter(capture, TYPE_A, TYPE_BOTH, 0);
	read_optmem(optmem, sizeof(optmem));
	write_optmem("4096");
	ck_assert_int_eq(netring_set_filter(capture, program, long_filter(program, TYPE_B), &error), -ENOMEM);
	write_optmem(optmem);
	for (unsigned n = 0; n < 300; n++)
		sender_send(sender, n % 3 == 0 ? TYPE_A : n % 3 == 1 ? TYPE_B : TYPE_BOTH, n, FRAME_LEN);
	await_packets(capture, 200);
	count_types(capture, &a, &b, &both);
	ck_assert_uint_eq(a, 100);
	ck_assert_uint_eq(b, 0);
	ck_assert_uint_eq(both, 100);
	ck_assert_uint_eq(stats_of(capture).rejected, 0);
	close(sender);
	netring_close(capture);
}
END_TEST

/* Waiting */

/* nr1 has handed over a block whose packets have to wait, because nr3 has one packet in a block that was opened before, and that lasts for a while. */
static struct netring *open_waiting(uint32_t block_timeout_ms, uint32_t blocks, int senders[2])
{
	struct netring_config config = rings_config("nr1,nr3", 1, NETRING_FANOUT_NONE);
	struct netring_burst burst;
	struct netring *capture;

	config.block_timeout_ms = block_timeout_ms;
	config.block_count = blocks;
	capture = open_or_fail(&config);
	senders[0] = sender_open("nr0");
	senders[1] = sender_open("nr2");
	sender_send(senders[1], TYPE_A, 0, FRAME_LEN);
	sender_send_many(senders[0], TYPE_A, 1, BLOCKFUL);
	ck_assert(is_readable(capture, DEADLINE_MS));
	ck_assert_int_eq(netring_take(capture, &burst, NETRING_BURST_MAX, &error), 0);
	ck_assert(merge_is_waiting(&capture->merge));
	return capture;
}

/* The descriptor is silent while packets wait, but for a look now and then, and readable again when the wait is over; also if nobody takes. */
START_TEST(test_descriptor_while_packets_wait)
{
	struct netring_burst burst;
	int senders[2];
	struct netring *capture = open_waiting(3000, 16, senders);
	uint64_t end = now_ms() + DEADLINE_MS;
	unsigned looks = 0;
	int taken;

	ck_assert(!is_readable(capture, 0));
	for (;;) {
		ck_assert_msg(is_readable(capture, 1000), "silent after %u looks", looks);
		taken = netring_take(capture, &burst, NETRING_BURST_MAX, &error);
		if (taken)
			break;
		looks++;
		ck_assert_uint_lt(now_ms(), end);
	}
	ck_assert_uint_le(looks, 1500);
	ck_assert_int_gt(taken, 0);
	check_frame(&burst.packet[0], TYPE_A, 0, FRAME_LEN);
	netring_give_back(capture, &burst, 1);
	/* Level-triggered: as long as there is something, however often it is asked, and without a take. */
	for (unsigned i = 0; i < 5; i++)
		ck_assert(is_readable(capture, 0));
	expect_frames(capture, TYPE_A, 1, BLOCKFUL, NETRING_BURST_MAX);
	ck_assert_int_eq(netring_take(capture, &burst, NETRING_BURST_MAX, &error), 0);
	ck_assert(!is_readable(capture, 50));
	close(senders[0]);
	close(senders[1]);
	netring_close(capture);
}
END_TEST

/* What waits is rejected by a new filter: the ring that it was in is watched again. */
START_TEST(test_descriptor_after_rejected_wait)
{
	struct netring_burst burst;
	int senders[2];
	struct netring *capture = open_waiting(4000, 16, senders);
	uint64_t end;

	set_filter(capture, TYPE_B, TYPE_B, 0);
	ck_assert_int_eq(netring_take(capture, &burst, NETRING_BURST_MAX, &error), 0);
	for (end = now_ms() + 20; now_ms() < end;)
		if (is_readable(capture, 20))
			netring_take(capture, &burst, NETRING_BURST_MAX, &error);
	sender_send_many(senders[0], TYPE_B, 0, 2 * BLOCKFUL);
	ck_assert(is_readable(capture, 1000));
	close(senders[0]);
	close(senders[1]);
	netring_close(capture);
}
END_TEST

/* A wait sleeps while packets wait, until the other ring has handed its block over, and says so within its own time. */
START_TEST(test_wait_while_packets_wait)
{
	struct netring_burst burst;
	int senders[2], ret;
	struct netring *capture = open_waiting(4000, 16, senders);
	uint64_t begin = now_ms(), used = cpu_ms();

	/* Where the host stamps packets early, a wait ends now and then, because only a take can tell. */
	if (capture->merge.delay_ns == 0) {
		ck_assert_int_eq(netring_wait(capture, 0, &error), 0);
		ck_assert_int_eq(netring_wait(capture, 1, &error), 0);
		ck_assert_int_eq(netring_wait(capture, 50, &error), 0);
		ck_assert_uint_ge(now_ms() - begin, 50);
	}
	do {
		ret = netring_wait(capture, 2 * DEADLINE_MS, &error);
		ck_assert_int_eq(ret, 1);
		ret = netring_take(capture, &burst, 1, &error);
	} while (ret == 0 && capture->merge.delay_ns);
	ck_assert_int_gt(ret, 0);
	ck_assert_uint_lt(now_ms() - begin, DEADLINE_MS);
	ck_assert_uint_lt(cpu_ms() - used, 800);
	check_frame(&burst.packet[0], TYPE_A, 0, FRAME_LEN);
	close(senders[0]);
	close(senders[1]);
	netring_close(capture);
}
END_TEST

/* A ring that gets half full while its reader sleeps is read on, by a reader that waits and by one that polls, and nothing is lost. */
START_TEST(test_sleeper_wakes_at_half_full)
{
	struct netring_burst burst;
	int senders[2];
	struct netring *capture = open_waiting(20000, 64, senders);
	uint64_t begin = now_ms();
	int taken = 0;

	/* 32 blocks are nr1's: more than half of them. */
	for (unsigned n = 0; !packet_ring_is_half_full(&capture->ring[0]); n++)
		sender_send(senders[0], TYPE_A, n, FRAME_LEN);
	while (taken == 0 && now_ms() - begin < 15000) {
		if (_i)
			is_readable(capture, 15000);
		else
			netring_wait(capture, 15000, &error);
		taken = netring_take(capture, &burst, NETRING_BURST_MAX, &error);
	}
	ck_assert_int_gt(taken, 0);
	ck_assert_uint_lt(now_ms() - begin, 15000);
	ck_assert_uint_eq(stats_of(capture).drops, 0);
	close(senders[0]);
	close(senders[1]);
	netring_close(capture);
}
END_TEST

START_TEST(test_wait_on_empty_rings)
{
	struct netring_config config = rings_config("nr1,nr3", ring_counts[_i], NETRING_FANOUT_NONE);
	struct netring *capture = open_or_fail(&config);
	uint64_t begin = now_ms();

	ck_assert_int_eq(netring_wait(capture, 0, &error), 0);
	ck_assert_int_eq(netring_wait(capture, 60, &error), 0);
	ck_assert_uint_ge(now_ms() - begin, 60);
	ck_assert_uint_lt(now_ms() - begin, DEADLINE_MS);
	ck_assert(!is_readable(capture, 0));
	netring_close(capture);
}
END_TEST

/* A socket somewhere wants time stamps, and the kernel stamps packets before they are in a ring: everything comes, in order, by polling alone. */
START_TEST(test_early_stamps)
{
	struct netring_config config = rings_config("nr1", ring_counts[_i], NETRING_FANOUT_LB);
	int on = 1, helper = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), sender = sender_open("nr0");
	struct netring *capture = open_or_fail(&config);
	uint64_t end = now_ms() + DEADLINE_MS, used;
	struct netring_burst burst;
	bool early = false;
	unsigned came = 0, turns = 0;

	ck_assert_int_eq(setsockopt(helper, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)), 0);
	begin_reading();
	for (unsigned n = 0; !early && now_ms() < end; n++) {
		sender_send(sender, TYPE_B, n, FRAME_LEN);
		ck_assert(take_some(capture, &burst, 1));
		early = burst.packet[0].flags & TP_STATUS_TS_SOFTWARE;
		netring_give_back(capture, &burst, 1);
	}
	ck_assert(early);
	used = cpu_ms();
	for (unsigned round = 0; round < 10; round++) {
		sender_send_many(sender, TYPE_A, round * 200, 200);
		while (came < (round + 1) * 200) {
			ck_assert_msg(is_readable(capture, DEADLINE_MS), "%u came", came);
			turns++;
			while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0) {
				for (unsigned i = 0; i < burst.count; i++)
					read_packet(&burst.packet[i], TYPE_A);
				came += burst.count;
				netring_give_back(capture, &burst, burst.count);
			}
		}
	}
	ck_assert_uint_eq(capture->merge.delay_ns != 0, ring_counts[_i] > 1);
	ck_assert_uint_eq(stats_of(capture).disordered, 0);
	ck_assert_msg(turns < 1000, "%u turns, %u ms of CPU", turns, (unsigned)(cpu_ms() - used));
	check_stats(capture);
	close(helper);
	close(sender);
	netring_close(capture);
}
END_TEST

void add_tests_of_filters(TCase *tests)
{
	tcase_add_loop_test(tests, test_filter_on_queued_packets, 0, 2 * RING_COUNTS);
	tcase_add_loop_test(tests, test_strict_filter, 0, RING_COUNTS);
}

void add_tests_of_waiting(TCase *tests)
{
	tcase_add_test(tests, test_descriptor_while_packets_wait);
	tcase_add_test(tests, test_descriptor_after_rejected_wait);
	tcase_add_test(tests, test_wait_while_packets_wait);
	tcase_add_loop_test(tests, test_sleeper_wakes_at_half_full, 0, 2);
	tcase_add_loop_test(tests, test_wait_on_empty_rings, 0, RING_COUNTS);
	tcase_add_loop_test(tests, test_early_stamps, 0, RING_COUNTS);
}
