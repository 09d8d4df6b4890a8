/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine with several rings and several interfaces, and real packets: what one ring does, and the order of time. Frames are sent on nr0 and nr2. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "fixture.h"

#define RINGS_MAX 8
#define NUMBERS_MAX 200000

/* Frames that fill a block of 64 KiB and begin another. */
#define BLOCKFUL 500

static struct netring_error error;

static struct netring_config rings_config(const char *interface, unsigned rings, enum netring_fanout_mode mode)
{
	struct netring_config config = small_config();

	config.interface = interface;
	config.rings = rings;
	config.fanout.mode = mode;
	return config;
}

static cpu_set_t all_cpus;

/* On the n-th of the CPUs that we have, and begins again behind the last. */
static void run_on(unsigned n)
{
	int number = 0;
	cpu_set_t set;

	for (n %= (unsigned)CPU_COUNT(&all_cpus); !CPU_ISSET(number, &all_cpus) || n-- > 0;)
		number++;
	CPU_ZERO(&set);
	CPU_SET(number, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void setup(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all_cpus), &all_cpus), 0);
	error.text[0] = '\0';
}

static void teardown(void)
{
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all_cpus), &all_cpus), 0);
}

/* What has been read: each frame once, and the order of time. */

struct reading {
	unsigned count;
	uint64_t last_ns;
	unsigned of_ring[RINGS_MAX];
	uint8_t seen[NUMBERS_MAX];
};

static struct reading reading;

static void begin_reading(void)
{
	memset(&reading, 0, sizeof(reading));
}

static void read_packet(const struct netring_packet *packet, uint16_t type)
{
	uint64_t time_ns = netring_packet_time_ns(packet);
	uint32_t number = packet_number(packet);

	ck_assert_uint_lt(number, NUMBERS_MAX);
	ck_assert_uint_lt(packet->ring, RINGS_MAX);
	check_frame(packet, type, number, FRAME_LEN);
	ck_assert_msg(reading.seen[number]++ == 0, "frame %u twice", number);
	ck_assert_msg(time_ns >= reading.last_ns, "frame %u: %llu ns too late", number, (unsigned long long)(reading.last_ns - time_ns));
	reading.last_ns = time_ns;
	reading.of_ring[packet->ring]++;
	reading.count++;
}

/* Until that many more frames have come; in bursts, some of them given back in part. */
static void read_more(struct netring *capture, uint16_t type, unsigned count)
{
	unsigned end = reading.count + count;
	struct netring_burst burst;

	while (reading.count < end) {
		unsigned used;

		ck_assert_msg(take_some(capture, &burst, NETRING_BURST_MAX), "%u of %u frames came", reading.count, end);
		used = burst.count % 7 == 3 ? burst.count / 2 : burst.count;
		for (unsigned i = 0; i < used; i++)
			read_packet(&burst.packet[i], type);
		netring_give_back(capture, &burst, used);
	}
	ck_assert_uint_eq(reading.count, end);
}

/* Each ring's figures fit, and together they are the handle's. Once it has been read empty. */
static void check_stats(struct netring *capture)
{
	struct netring_stats sum = { 0 }, one, all = stats_of(capture);

	for (unsigned i = 0; i < netring_rings(capture); i++) {
		ck_assert_int_eq(netring_ring_stats(capture, i, &one, &error), 0);
		ck_assert_uint_eq(one.packets, one.drops + one.delivered + one.rejected);
		ck_assert_uint_eq(one.disordered, 0);
		sum.packets += one.packets;
		sum.drops += one.drops;
		sum.delivered += one.delivered;
		sum.rejected += one.rejected;
		sum.ring_bytes += one.ring_bytes;
		sum.ring_bytes_asked += one.ring_bytes_asked;
	}
	ck_assert_uint_eq(sum.packets, all.packets);
	ck_assert_uint_eq(sum.drops, all.drops);
	ck_assert_uint_eq(sum.delivered, all.delivered);
	ck_assert_uint_eq(sum.rejected, all.rejected);
	ck_assert_uint_eq(sum.ring_bytes, all.ring_bytes);
	ck_assert_uint_eq(sum.ring_bytes_asked, all.ring_bytes_asked);
	ck_assert_int_eq(netring_ring_stats(capture, netring_rings(capture), &one, &error), -EINVAL);
	ck_assert_ptr_null(netring_ring_interface(capture, netring_rings(capture)));
}

static void check_rings_delivered(struct netring *capture)
{
	struct netring_stats one;

	for (unsigned i = 0; i < netring_rings(capture); i++) {
		ck_assert_int_eq(netring_ring_stats(capture, i, &one, &error), 0);
		ck_assert_uint_eq(one.delivered, reading.of_ring[i]);
	}
}

/* One interface */

static const unsigned ring_counts[] = { 1, 2, 4 };
static const enum netring_fanout_mode modes[] = { NETRING_FANOUT_NONE, NETRING_FANOUT_HASH, NETRING_FANOUT_LB, NETRING_FANOUT_RANDOM };

#define RING_COUNTS 3
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
	int sender = sender_open("nr0");

	sender_send_many(sender, TYPE_A, 0, 9000);
	while (netring_wait(capture, 200, &error) == 1)
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

/* One goes down, comes up, and is deleted. The other goes on all the time. */
START_TEST(test_one_of_two_goes_down)
{
	struct netring_config config = rings_config("nr1,gone1", ring_counts[_i], NETRING_FANOUT_NONE);
	struct netring *capture;
	uint64_t end = now_ms() + DEADLINE_MS;
	unsigned frames = 0;
	int sender, other, ret;

	shell("ip link add gone0 type veth peer name gone1 && ip link set gone0 up && ip link set gone1 up");
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
	/* Until the other end has noticed, what is sent there goes nowhere. */
	shell("for i in $(seq 100); do ip link show gone0 | grep -q 'state UP' && exit 0; sleep 0.05; done; exit 1");
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

static bool has_unread(struct netring *capture)
{
	struct netring_stats stats = stats_of(capture);

	return stats.delivered + stats.rejected + stats.drops < stats.packets;
}

/* Reads all that the kernel has counted, and counts by type. Its timer, which hands over blocks that are not full, may be late. */
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

static bool is_readable(struct netring *capture, int timeout_ms)
{
	struct pollfd fd = { .fd = netring_fd(capture), .events = POLLIN };
	int ret = poll(&fd, 1, timeout_ms);

	ck_assert_int_ge(ret, 0);
	return ret == 1;
}

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
	struct netring *capture = open_waiting(400, 16, senders);
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
	ck_assert_uint_le(looks, 200);
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
	struct netring *capture = open_waiting(600, 16, senders);
	uint64_t begin = now_ms(), used = cpu_ms();

	/* Where the host stamps packets early, a wait ends now and then, because only a take can tell. */
	if (capture->merge.delay_ns == 0) {
		ck_assert_int_eq(netring_wait(capture, 0, &error), 0);
		ck_assert_int_eq(netring_wait(capture, 1, &error), 0);
		ck_assert_int_eq(netring_wait(capture, 50, &error), 0);
		ck_assert_uint_ge(now_ms() - begin, 50);
	}
	do {
		ret = netring_wait(capture, DEADLINE_MS, &error);
		ck_assert_int_eq(ret, 1);
		ret = netring_take(capture, &burst, 1, &error);
	} while (ret == 0 && capture->merge.delay_ns);
	ck_assert_int_gt(ret, 0);
	ck_assert_uint_lt(now_ms() - begin, 3000);
	ck_assert_uint_lt(cpu_ms() - used, 200);
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
	struct netring *capture = open_waiting(4000, 64, senders);
	uint64_t begin = now_ms();
	int taken = 0;

	/* 32 blocks are nr1's: more than half of them. */
	for (unsigned n = 0; !packet_ring_is_half_full(&capture->ring[0]); n++)
		sender_send(senders[0], TYPE_A, n, FRAME_LEN);
	while (taken == 0 && now_ms() - begin < 3000) {
		if (_i)
			is_readable(capture, 3000);
		else
			netring_wait(capture, 3000, &error);
		taken = netring_take(capture, &burst, NETRING_BURST_MAX, &error);
	}
	ck_assert_int_gt(taken, 0);
	ck_assert_uint_lt(now_ms() - begin, 3000);
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
	ck_assert_uint_lt(now_ms() - begin, 3000);
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

static void add_tests(TCase *cases)
{
	tcase_add_loop_test(cases, test_every_packet_once, 0, RING_COUNTS * (MODES + 1));
	tcase_add_loop_test(cases, test_order_under_load, 1, RING_COUNTS);
	tcase_add_loop_test(cases, test_accounts_after_overflow, 0, RING_COUNTS);
	tcase_add_loop_test(cases, test_two_interfaces, 0, RING_COUNTS);
	tcase_add_loop_test(cases, test_one_of_two_goes_down, 0, RING_COUNTS - 1);
	tcase_add_test(cases, test_descriptor_while_packets_wait);
	tcase_add_test(cases, test_descriptor_after_rejected_wait);
	tcase_add_test(cases, test_wait_while_packets_wait);
	tcase_add_loop_test(cases, test_sleeper_wakes_at_half_full, 0, 2);
	tcase_add_loop_test(cases, test_wait_on_empty_rings, 0, RING_COUNTS);
	tcase_add_loop_test(cases, test_early_stamps, 0, RING_COUNTS);
	tcase_add_loop_test(cases, test_own_frames_do_not_come_back, 0, 3 * RING_COUNTS);
	tcase_add_loop_test(cases, test_loopback, 0, 2 * RING_COUNTS);
	tcase_add_test(cases, test_close_in_a_child);
	tcase_add_loop_test(cases, test_rings_share_the_memory, 0, 2);
	tcase_add_loop_test(cases, test_rings_share_less_than_a_block_each, 0, 2);
	tcase_add_test(cases, test_number_on_two_interfaces);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(cases, test_locked_memory, 0, RING_COUNTS);
#endif
	tcase_add_test(cases, test_automatic_number);
	tcase_add_test(cases, test_too_many_rings);
	tcase_add_test(cases, test_nothing_before_joining);
	tcase_add_test(cases, test_handles_leave_nothing);
}

int main(void)
{
	Suite *suite = suite_create("engine rings");
	TCase *cases = tcase_create("engine rings"), *filters = tcase_create("filters");

	fixture_enter();
	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	add_tests(cases);
	suite_add_tcase(suite, cases);
	tcase_set_timeout(filters, 60);
	tcase_add_checked_fixture(filters, setup, teardown);
	tcase_add_loop_test(filters, test_filter_on_queued_packets, 0, 2 * RING_COUNTS);
	tcase_add_loop_test(filters, test_strict_filter, 0, RING_COUNTS);
	suite_add_tcase(suite, filters);
	return fixture_run(suite);
}
