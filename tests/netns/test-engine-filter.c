/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's filter, with real packets: in force before the first one (T5), changed under load without a wrong packet or a lost one (T19), too long. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "fixture.h"

#define MODES 2
#define FILTER_LEN 5
#define LONG_LEN 5000

static int sender;
static struct flood flood;

static void setup(void)
{
	sender = sender_open("nr0");
}

static void teardown(void)
{
	flood_stop(&flood);
	close(sender);
}

static struct netring_config mode_config(int mode)
{
	struct netring_config config = small_config();

	config.immediate = mode == 1;
	config.frame_size = mode == 1 ? 2048 : 0;
	config.block_count = 512;
	return config;
}

static void set_filter(struct netring *capture, uint16_t type, uint16_t other)
{
	struct sock_filter program[FILTER_LEN];
	struct netring_error error = { "" };
	int ret = netring_set_filter(capture, program, type_filter(program, type, other, 65535), &error);

	ck_assert_msg(ret == 0, "netring_set_filter: %d %s", ret, error.text);
}

/* Of what arrives within some time everything is of this type; returns how much that was. */
static unsigned count_only(struct netring *capture, uint16_t type, int ms)
{
	struct netring_burst burst;
	struct netring_error error = { "" };
	uint64_t end = now_ms() + (uint64_t)ms;
	unsigned count = 0;

	while (now_ms() < end) {
		ck_assert_int_ge(netring_wait(capture, 5, &error), 0);
		while (now_ms() < end && netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0) {
			for (unsigned i = 0; i < burst.count; i++)
				ck_assert_uint_eq(packet_type(&burst.packet[i]), type);
			count += burst.count;
			netring_give_back(capture, &burst, burst.count);
		}
	}
	return count;
}

START_TEST(test_in_force_before_the_first_packet)
{
	struct netring_config config = mode_config(_i);
	struct sock_filter program[FILTER_LEN];
	unsigned wanted = 0;

	flood = (struct flood){ .types = 2, .type = { TYPE_A, TYPE_B } };
	flood_start(&flood, "nr0", 0);
	config.block_timeout_ms = 1;
	config.block_count = 16;
	config.filter = program;
	config.filter_length = type_filter(program, TYPE_B, TYPE_B, 65535);
	for (int round = 0; round < 30; round++) {
		struct netring *capture = open_or_fail(&config);

		wanted += count_only(capture, TYPE_B, 10);
		netring_close(capture);
	}
	ck_assert_uint_gt(wanted, 0);
}
END_TEST

/* T5: another interface's packets are never in the ring, however busy it is while the ring is opened. */
START_TEST(test_no_packet_of_another_interface)
{
	struct netring_config config = mode_config(_i);

	flood = (struct flood){ .types = 1, .type = { TYPE_B } };
	flood_start(&flood, "nr2", 0);
	config.block_timeout_ms = 1;
	config.block_count = 16;
	config.promiscuous = true;
	for (unsigned round = 0; round < 30; round++) {
		struct netring *capture = open_or_fail(&config);

		sender_send(sender, TYPE_A, round, FRAME_LEN);
		expect_frames(capture, TYPE_A, round, 1, NETRING_BURST_MAX);
		expect_silence(capture, 5);
		ck_assert_uint_eq(stats_of(capture).packets, 1);
		netring_close(capture);
	}
	ck_assert_uint_gt(flood_stop(&flood), 0);
}
END_TEST

/* Packets are queued, some of a block has been read; from the exchange on only what the new filter accepts comes, and all of that. */
START_TEST(test_queued_packets_are_judged_again)
{
	for (unsigned already = 0; already < 70; already += 7) {
		struct netring_config config = mode_config(_i);
		struct netring *capture = open_or_fail(&config);
		struct netring_burst burst;

		for (uint32_t n = 0; n < 100; n++) {
			sender_send(sender, TYPE_A, n, FRAME_LEN);
			sender_send(sender, TYPE_B, n, FRAME_LEN);
		}
		for (unsigned seen = 0; seen < already; seen++) {
			ck_assert(take_some(capture, &burst, 1));
			check_frame(&burst.packet[0], seen % 2 ? TYPE_B : TYPE_A, seen / 2, FRAME_LEN);
			netring_give_back(capture, &burst, 1);
		}
		set_filter(capture, TYPE_B, TYPE_B);
		expect_frames(capture, TYPE_B, already / 2, 100 - already / 2, 1 + already);
		sender_send_many(sender, TYPE_A, 0, 10);
		sender_send_many(sender, TYPE_B, 500, 10);
		expect_frames(capture, TYPE_B, 500, 10, NETRING_BURST_MAX);
		ck_assert_int_eq(netring_set_filter(capture, NULL, 0, NULL), 0);
		sender_send_many(sender, TYPE_A, 600, 10);
		expect_frames(capture, TYPE_A, 600, 10, NETRING_BURST_MAX);
		netring_close(capture);
	}
}
END_TEST

/* A burst that is out when the filter changes is given back in part: its rest is judged by the new filter. */
START_TEST(test_rest_of_a_burst_is_judged_again)
{
	struct netring_config config = mode_config(_i);
	struct netring_burst burst = { .count = 0 };
	uint64_t end = now_ms() + 5000;
	struct netring *capture;

	/* Long enough for all of them to be in one block, even if the sender has to wait for its CPU. */
	config.block_timeout_ms = 1000;
	capture = open_or_fail(&config);
	for (uint32_t n = 0; n < 40; n++)
		sender_send(sender, n % 2 ? TYPE_B : TYPE_A, n, FRAME_LEN);
	while (netring_take(capture, &burst, NETRING_BURST_MAX, NULL) < 3 && now_ms() < end) {
		netring_give_back(capture, &burst, 0);
		netring_wait(capture, 100, NULL);
	}
	ck_assert_uint_ge(burst.count, 3);
	set_filter(capture, TYPE_B, TYPE_B);
	netring_give_back(capture, &burst, 2);
	for (uint32_t n = 3; n < 40; n += 2)
		expect_frames(capture, TYPE_B, n, 1, 1);
	expect_silence(capture, 10);
	netring_close(capture);
}
END_TEST

/* TYPE_BOTH comes every third packet and passes both filters: its numbers must be without a gap. */
static void check_flooded(const struct netring_burst *burst, uint16_t only, uint32_t *next_both)
{
	for (unsigned i = 0; i < burst->count; i++) {
		const struct netring_packet *packet = &burst->packet[i];

		if (packet_type(packet) != TYPE_BOTH) {
			ck_assert_uint_eq(packet_type(packet), only);
			continue;
		}
		if (*next_both != 0)
			ck_assert_uint_eq(packet_number(packet), *next_both);
		*next_both = packet_number(packet) + 3;
		flood.seen = packet_number(packet);
	}
}

START_TEST(test_exchange_under_a_flood)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	struct netring_burst burst;
	struct netring_stats stats;
	uint32_t next_both = 0, bursts = 0;
	uint64_t end;

	config.block_timeout_ms = 1;
	capture = open_or_fail(&config);
	set_filter(capture, TYPE_A, TYPE_BOTH);
	flood = (struct flood){ .types = 3, .type = { TYPE_A, TYPE_BOTH, TYPE_B }, .ahead = 8000 };
	flood_start(&flood, "nr0", 200);
	for (unsigned round = 0; round < 300; round++) {
		uint16_t only = round % 2 ? TYPE_A : TYPE_B;

		set_filter(capture, only, TYPE_BOTH);
		for (unsigned n = 0; n < 5; n++) {
			ck_assert(take_some(capture, &burst, 1 + round % 64));
			check_flooded(&burst, only, &next_both);
			netring_give_back(capture, &burst, burst.count);
			bursts++;
		}
	}
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.drops, 0);
	ck_assert_uint_gt(stats.rejected, 0);
	flood_stop(&flood);
	end = now_ms() + DEADLINE_MS;
	while (netring_wait(capture, 50, NULL) == 1 || (has_unread(capture) && now_ms() < end))
		while (netring_take(capture, &burst, 7, NULL) > 0)
			netring_give_back(capture, &burst, burst.count > 3 ? 3 : burst.count);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, stats.drops + stats.delivered + stats.rejected);
	ck_assert_uint_gt(next_both, 0);
	ck_assert_uint_eq(bursts, 1500);
	netring_close(capture);
}
END_TEST

/* Longer than the kernel takes: many times the same test, then a filter. */
static unsigned long_filter(struct sock_filter *program, uint16_t type)
{
	struct sock_filter body[FILTER_LEN];
	unsigned length = type_filter(body, type, type, 65535), i;

	for (i = 0; i < LONG_LEN - length; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
	memcpy(program + i, body, sizeof(body));
	return LONG_LEN;
}

START_TEST(test_filter_that_the_kernel_refuses)
{
	static struct sock_filter program[LONG_LEN];
	struct netring_config config = mode_config(_i);
	struct netring_error error = { "" };
	unsigned length = long_filter(program, TYPE_B);
	struct netring *capture;

	for (int at_open = 0; at_open < 2; at_open++) {
		config.filter = at_open ? program : NULL;
		config.filter_length = at_open ? length : 0;
		capture = open_or_fail(&config);
		if (!at_open)
			ck_assert_int_eq(netring_set_filter(capture, program, length, &error), 1);
		for (uint32_t n = 0; n < 100; n++) {
			sender_send(sender, TYPE_A, n, FRAME_LEN);
			sender_send(sender, TYPE_B, n, FRAME_LEN);
		}
		expect_frames(capture, TYPE_B, 0, 100, 13);
		expect_silence(capture, 20);
		ck_assert_uint_eq(stats_of(capture).delivered, 100);
		ck_assert_uint_eq(stats_of(capture).rejected, 100);
		/* Back into the kernel: what it let in until then is still judged here. */
		sender_send_many(sender, TYPE_B, 0, 10);
		set_filter(capture, TYPE_A, TYPE_A);
		sender_send_many(sender, TYPE_A, 200, 100);
		expect_frames(capture, TYPE_A, 200, 100, 13);
		netring_close(capture);
	}

	config.filter = NULL;
	config.filter_length = 0;
	config.strict = true;
	capture = open_or_fail(&config);
	ck_assert_int_lt(netring_set_filter(capture, program, length, &error), 0);
	ck_assert_msg(strstr(error.text, "5000"), "%s", error.text);
	sender_send_many(sender, TYPE_A, 0, 5); /* and the old one, none, is still in force */
	expect_frames(capture, TYPE_A, 0, 5, 5);
	netring_close(capture);
}
END_TEST

START_TEST(test_invalid_filters_change_nothing)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_error error = { "" };
	const struct sock_filter no_return = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	const struct sock_filter by_zero[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 1) };
	const struct sock_filter beyond[] = { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_RET | BPF_K, 1) };
	const struct sock_filter memory[] = { BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 1) };

	set_filter(capture, TYPE_B, TYPE_B);
	ck_assert_int_eq(netring_set_filter(capture, &no_return, 1, &error), -EINVAL);
	ck_assert_int_eq(netring_set_filter(capture, by_zero, 2, &error), -EINVAL);
	ck_assert_int_eq(netring_set_filter(capture, beyond, 2, &error), -EINVAL);
	ck_assert_int_eq(netring_set_filter(capture, memory, 2, NULL), -EINVAL);
	ck_assert_str_ne(error.text, "");
	sender_send_many(sender, TYPE_A, 0, 5);
	sender_send_many(sender, TYPE_B, 0, 5);
	expect_frames(capture, TYPE_B, 0, 5, 5);
	expect_silence(capture, 20);
	netring_close(capture);
}
END_TEST

static Suite *filter_suite(void)
{
	Suite *suite = suite_create("engine-filter");
	TCase *cases = tcase_create("engine-filter");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, test_in_force_before_the_first_packet, 0, MODES);
	tcase_add_loop_test(cases, test_no_packet_of_another_interface, 0, MODES);
	tcase_add_loop_test(cases, test_queued_packets_are_judged_again, 0, MODES);
	tcase_add_loop_test(cases, test_rest_of_a_burst_is_judged_again, 0, MODES);
	tcase_add_loop_test(cases, test_exchange_under_a_flood, 0, MODES);
	tcase_add_loop_test(cases, test_filter_that_the_kernel_refuses, 0, MODES);
	tcase_add_loop_test(cases, test_invalid_filters_change_nothing, 0, MODES);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	fixture_enter();
	return fixture_run(filter_suite());
}
