/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine with several rings and several interfaces, and real packets: what one ring does, and the order of time; and what it sends. Filters, waiting,
 * opening and closing are tests in files of their own, of the same suite.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine-rings-fixture.h"

/* One interface */

static const enum netring_fanout_mode modes[] = { NETRING_FANOUT_NONE, NETRING_FANOUT_HASH, NETRING_FANOUT_LB, NETRING_FANOUT_RANDOM };

#define MODES 4

/* Every packet once, in order, through a ring whose figures say so; in turn means through all of them. The last variants are immediate mode. */
START_TEST(test_every_packet_once)
{
	bool immediate = _i >= RING_COUNTS * MODES;
	unsigned count = ring_counts[_i % RING_COUNTS];
	enum netring_fanout_mode mode = modes[_i / RING_COUNTS % MODES];
	struct netring_config config = rings_config("nr1", count, mode);
	struct netring *capture;
	int sender = sender_open("nr0");

	config.immediate = immediate;
	config.snaplen = immediate ? 200 : 0; /* small slots: many of them */
	capture = open_or_fail(&config);
	begin_reading();
	ck_assert_uint_eq(netring_rings(capture), count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_str_eq(netring_ring_interface(capture, i), "nr1");
	for (unsigned round = 0; round < 30; round++) {
		run_on(round);
		sender_send_many(sender, TYPE_A, round * 100, 100);
		read_more(capture, TYPE_A, 100);
	}
	expect_silence(capture, 50);
	check_stats(capture);
	check_rings_delivered(capture);
	ck_assert_uint_eq(stats_of(capture).disordered, 0);
	ck_assert_uint_eq(stats_of(capture).delivered, 3000);
	for (unsigned i = 0; i < count && mode == NETRING_FANOUT_LB; i++)
		ck_assert_uint_ge(reading.of_ring[i], 3000 / count / 2);
	close(sender);
	netring_close(capture);
}
END_TEST

/* A flood from both CPUs while it is read: the order of time holds without an exception. (A single ring is read as it was filled.) */
START_TEST(test_order_under_load)
{
	struct netring_config config = rings_config("nr1", ring_counts[_i], NETRING_FANOUT_LB);
	struct flood floods[2] = { { .type = { TYPE_A }, .types = 1 }, { .type = { TYPE_B }, .types = 1 } };
	uint64_t last_ns = 0, end = now_ms() + 500;
	struct netring_burst burst;
	struct netring *capture;
	unsigned sent, taken = 0;

	config.block_count = 256;
	capture = open_or_fail(&config);
	flood_start(&floods[0], "nr0", 200);
	flood_start(&floods[1], "nr0", 150);
	sent = 0;
	for (;;) {
		struct netring_stats stats;

		if (now_ms() >= end && sent == 0)
			sent = flood_stop(&floods[0]) + flood_stop(&floods[1]);
		stats = stats_of(capture);
		if (sent && taken == stats.packets - stats.drops)
			break;
		if (!take_some(capture, &burst, NETRING_BURST_MAX))
			ck_abort_msg("%u of %u came", taken, sent);
		for (unsigned i = 0; i < burst.count; i++) {
			ck_assert_uint_ge(netring_packet_time_ns(&burst.packet[i]), last_ns);
			last_ns = netring_packet_time_ns(&burst.packet[i]);
		}
		taken += burst.count;
		netring_give_back(capture, &burst, burst.count);
	}
	ck_assert_uint_eq(stats_of(capture).disordered, 0);
	ck_assert_uint_eq(stats_of(capture).packets, sent);
	check_stats(capture);
	netring_close(capture);
}
END_TEST

/* Nobody reads until the rings have overflowed: what was dropped, and what is there, is all of it, of each ring. */
START_TEST(test_accounts_after_overflow)
{
	struct netring_config config = rings_config("nr1", ring_counts[_i], NETRING_FANOUT_LB);
	struct netring_burst burst;
	struct netring *capture = open_or_fail(&config);
	struct netring_stats stats;
	uint64_t end = now_ms() + DEADLINE_MS;
	int sender = sender_open("nr0");

	sender_send_many(sender, TYPE_A, 0, 9000);
	while (netring_wait(capture, 200, &error) == 1 || (has_unread(capture) && now_ms() < end))
		while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0)
			netring_give_back(capture, &burst, burst.count);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, 9000);
	ck_assert_uint_gt(stats.drops, 0);
	ck_assert_uint_gt(stats.freezes, 0);
	check_stats(capture);
	close(sender);
	netring_close(capture);
}
END_TEST

/* Several interfaces */

/* Frames on both in turn come out in turn, and say where they came from. */
START_TEST(test_two_interfaces)
{
	unsigned per_interface = ring_counts[_i % RING_COUNTS];
	struct netring_config config = rings_config("nr1,nr3", per_interface, NETRING_FANOUT_NONE);
	struct netring *capture;
	int senders[2] = { sender_open("nr0"), sender_open("nr2") };
	struct netring_burst burst;
	unsigned next = 0;

	config.block_count = 128; /* no ring shall be half full, and read on without waiting */
	capture = open_or_fail(&config);
	ck_assert_uint_eq(netring_rings(capture), 2 * per_interface);
	for (unsigned i = 0; i < 2 * per_interface; i++)
		ck_assert_str_eq(netring_ring_interface(capture, i), i < per_interface ? "nr1" : "nr3");
	for (unsigned n = 0; n < 1000; n++)
		sender_send(senders[n & 1], TYPE_A, n, FRAME_LEN);
	while (next < 1000) {
		ck_assert_msg(take_some(capture, &burst, 50), "%u of 1000 came", next);
		for (unsigned i = 0; i < burst.count; i++, next++) {
			check_frame(&burst.packet[i], TYPE_A, next, FRAME_LEN);
			ck_assert_str_eq(netring_ring_interface(capture, burst.packet[i].ring), next & 1 ? "nr3" : "nr1");
			ck_assert_int_eq(burst.packet[i].link->sll_ifindex, interface_number(next & 1 ? "nr3" : "nr1"));
		}
		netring_give_back(capture, &burst, burst.count);
	}
	expect_silence(capture, 50);
	check_stats(capture);
	close(senders[0]);
	close(senders[1]);
	netring_close(capture);
}
END_TEST

/* Takes and looks until the wait says this, for as long as a test may wait. Frames that come are counted. */
static int wait_for_error(struct netring *capture, unsigned *frames)
{
	uint64_t end = now_ms() + DEADLINE_MS;
	struct netring_burst burst;
	int ret;

	do {
		ret = netring_wait(capture, 100, &error);
		while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0) {
			*frames += burst.count;
			netring_give_back(capture, &burst, burst.count);
		}
	} while (ret >= 0 && now_ms() < end);
	return ret;
}

static void expect_frame_despite(struct netring *capture, int err, int sender)
{
	uint64_t end = now_ms() + DEADLINE_MS;
	struct netring_burst burst;
	int ret = 0;

	sender_send(sender, TYPE_A, 1, FRAME_LEN);
	while (ret <= 0 && now_ms() < end) {
		ret = netring_wait(capture, 100, &error);
		ck_assert_msg(ret >= 0 || ret == err, "%d %s", ret, error.text);
		ret = netring_take(capture, &burst, NETRING_BURST_MAX, &error);
	}
	ck_assert_int_eq(ret, 1);
	check_frame(&burst.packet[0], TYPE_A, 1, FRAME_LEN);
	netring_give_back(capture, &burst, 1);
}

/* Until an end has noticed that the other one is up, what is sent there goes nowhere. */
static void wait_for_sender(const char *interface)
{
	shell("for i in $(seq 100); do ip link show %s | grep -q 'state UP' && exit 0; sleep 0.05; done; exit 1", interface);
}

/* One goes down, comes up, and is deleted. The other goes on all the time. */
START_TEST(test_one_of_two_goes_down)
{
	struct netring_config config = rings_config("nr1,gone1", ring_counts[_i], NETRING_FANOUT_NONE);
	struct netring *capture;
	uint64_t end = now_ms() + DEADLINE_MS;
	unsigned frames = 0;
	int sender, other, ret;

	shell("ip link add gone0 type veth peer name gone1 && ip link set gone0 up && ip link set gone1 up");
	wait_for_sender("gone0");
	capture = open_or_fail(&config);
	sender = sender_open("nr0");
	other = sender_open("gone0");
	expect_frame_despite(capture, 0, sender);
	expect_frame_despite(capture, 0, other);
	shell("ip link set gone1 down");
	ck_assert_int_eq(wait_for_error(capture, &frames), -ENETDOWN);
	ck_assert_str_eq(error.text, "gone1 is down");
	expect_frame_despite(capture, -ENETDOWN, sender);
	shell("ip link set gone1 up");
	do
		ret = netring_wait(capture, 100, &error);
	while (ret == -ENETDOWN && now_ms() < end);
	ck_assert_int_eq(ret, 0);
	wait_for_sender("gone0");
	expect_frame_despite(capture, 0, other);
	close(other);
	shell("ip link del gone1");
	do
		ret = wait_for_error(capture, &frames);
	while (ret == -ENETDOWN && now_ms() < end);
	ck_assert_int_eq(ret, -ENODEV);
	ck_assert_str_eq(error.text, "gone1: The interface disappeared");
	expect_frame_despite(capture, -ENODEV, sender);
	ck_assert_uint_eq(frames, 0);
	close(sender);
	netring_close(capture);
}
END_TEST

/* What a handle sends */

static void expect_no_echo(const struct netring_config *config)
{
	struct netring_config far = small_config();
	struct netring *capture = open_or_fail(config), *other;
	uint8_t frame[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, TYPE_A >> 8, TYPE_A & 0xff };
	struct netring_burst burst;
	unsigned came = 0;

	far.interface = "nr0";
	other = open_or_fail(&far);
	for (unsigned n = 0; n < 20; n++)
		ck_assert_int_eq(netring_send(capture, frame, sizeof(frame), &error), sizeof(frame));
	while (came < 20) {
		ck_assert(take_some(other, &burst, NETRING_BURST_MAX));
		came += burst.count;
		netring_give_back(other, &burst, burst.count);
	}
	expect_silence(capture, 100);
	netring_close(other);
	netring_close(capture);
}

/* The rings of one handle, in groups of all kinds. */
START_TEST(test_own_frames_do_not_come_back)
{
	struct netring_config config = rings_config("nr1,nr3", ring_counts[_i % RING_COUNTS], NETRING_FANOUT_LB);

	if (_i / RING_COUNTS == 1)
		config.fanout.group = 4711;
	if (_i / RING_COUNTS == 2)
		config.fanout.name = "echo";
	/* A number is one interface's. */
	if (_i / RING_COUNTS == 1)
		config.interface = "nr1";
	expect_no_echo(&config);
}
END_TEST

/* T14: what is sent on the loopback interface is there twice, going out and coming in, with several rings as with one. */
START_TEST(test_loopback)
{
	struct netring_config config = rings_config("lo", ring_counts[_i % RING_COUNTS], _i >= RING_COUNTS ? NETRING_FANOUT_LB : NETRING_FANOUT_NONE);
	struct netring *capture = open_or_fail(&config);
	uint8_t frame[64] = { [12] = TYPE_A >> 8, [13] = TYPE_A & 0xff };
	struct netring_burst burst;
	unsigned came = 0;
	int sender = sender_open("lo");

	for (unsigned n = 0; n < 100; n++) {
		frame[ETHERNET] = (uint8_t)n;
		ck_assert_int_eq(send(sender, frame, sizeof(frame), 0), sizeof(frame));
	}
	while (came < 200) {
		ck_assert(take_some(capture, &burst, NETRING_BURST_MAX));
		for (unsigned i = 0; i < burst.count; i++, came++) {
			ck_assert_uint_eq(burst.packet[i].data[ETHERNET], came / 2);
			ck_assert_uint_eq(burst.packet[i].link->sll_pkttype, came & 1 ? PACKET_HOST : PACKET_OUTGOING);
		}
		netring_give_back(capture, &burst, burst.count);
	}
	expect_silence(capture, 50);
	close(sender);
	netring_close(capture);
}
END_TEST

static void add_tests_of_packets(TCase *tests)
{
	tcase_add_loop_test(tests, test_every_packet_once, 0, RING_COUNTS * (MODES + 1));
	tcase_add_loop_test(tests, test_order_under_load, 1, RING_COUNTS);
	tcase_add_loop_test(tests, test_accounts_after_overflow, 0, RING_COUNTS);
	tcase_add_loop_test(tests, test_two_interfaces, 0, RING_COUNTS);
	tcase_add_loop_test(tests, test_one_of_two_goes_down, 0, RING_COUNTS - 1);
	tcase_add_loop_test(tests, test_own_frames_do_not_come_back, 0, 3 * RING_COUNTS);
	tcase_add_loop_test(tests, test_loopback, 0, 2 * RING_COUNTS);
}

int main(void)
{
	Suite *suite = suite_create("engine rings");
	TCase *cases = tcase_create("engine rings"), *filters = tcase_create("filters");

	fixture_enter();
	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, rings_setup, rings_teardown);
	add_tests_of_packets(cases);
	add_tests_of_waiting(cases);
	add_tests_of_life(cases);
	suite_add_tcase(suite, cases);
	tcase_set_timeout(filters, 60);
	tcase_add_checked_fixture(filters, rings_setup, rings_teardown);
	add_tests_of_filters(filters);
	suite_add_tcase(suite, filters);
	return fixture_run(suite);
}
