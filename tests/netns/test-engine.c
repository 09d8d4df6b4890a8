/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's bursts, statistics, geometry and settings, with real packets. Every test that takes packets runs in both modes of the ring (TPACKET_V3
 * and, immediate, V2). T numbers are the traps that the project started from a list of.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/net_tstamp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "fixture.h"

#define MODES 2		/* _i of a loop test: 0 block by block, 1 immediate */

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
	/* A veth interface takes packets of 64 KiB: slots for these would be few. */
	config.frame_size = mode == 1 ? 2048 : 0;
	return config;
}

START_TEST(test_profiles)
{
	static const struct {
		enum netring_profile profile;
		uint32_t block_size, block_count, timeout_ms, frame_size, busy_poll_us;
	} profiles[] = {
		{ NETRING_PROFILE_DEFAULT, 4 << 20, 64, 60, 0, 0 },
		{ NETRING_PROFILE_HIGH_THROUGHPUT, 4 << 20, 256, 60, 0, 0 },
		{ NETRING_PROFILE_LOW_LATENCY, 256 << 10, 64, 1, 0, 50 },
		{ NETRING_PROFILE_LOW_MEMORY, 1 << 20, 16, 100, 0, 0 },
		{ NETRING_PROFILE_JUMBO, 4 << 20, 64, 60, 65536, 0 },
	};

	for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++) {
		struct netring_config config;

		memset(&config, 0xff, sizeof(config));
		netring_config_init(&config, profiles[i].profile);
		ck_assert_uint_eq(config.size, sizeof(config));
		ck_assert_ptr_null(config.interface);
		ck_assert_ptr_null(config.filter);
		ck_assert(!config.promiscuous && !config.immediate && !config.strict && config.limit_memory);
		ck_assert_uint_eq(config.block_size, profiles[i].block_size);
		ck_assert_uint_eq(config.block_count, profiles[i].block_count);
		ck_assert_uint_eq(config.block_timeout_ms, profiles[i].timeout_ms);
		ck_assert_uint_eq(config.frame_size, profiles[i].frame_size);
		ck_assert_uint_eq(config.busy_poll_us, profiles[i].busy_poll_us);
	}
	ck_assert_ptr_nonnull(strchr(netring_version(), '.'));
	netring_close(NULL);
}
END_TEST

/* Every profile opens, in both modes, and captures. */
START_TEST(test_profiles_capture)
{
	for (int mode = 0; mode < MODES; mode++) {
		struct netring_config config;
		struct netring *capture;

		netring_config_init(&config, (enum netring_profile)_i);
		config.interface = "nr1";
		config.immediate = mode == 1;
		capture = open_or_fail(&config);
		sender_send_many(sender, TYPE_A, 0, 10);
		expect_frames(capture, TYPE_A, 0, 10, NETRING_BURST_MAX);
		netring_close(capture);
	}
}
END_TEST

START_TEST(test_bursts_of_every_size)
{
	static const unsigned sizes[] = { 1, 2, 3, 7, 31, 63, 64, 65, 1000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct netring_config config = mode_config(_i);
		struct netring *capture = open_or_fail(&config);
		struct netring_stats stats;

		sender_send_many(sender, TYPE_A, 1000, 300);
		expect_frames(capture, TYPE_A, 1000, 300, sizes[i] > NETRING_BURST_MAX ? NETRING_BURST_MAX : sizes[i]);
		expect_silence(capture, 10);
		stats = stats_of(capture);
		ck_assert_uint_eq(stats.packets, 300);
		ck_assert_uint_eq(stats.delivered, 300);
		ck_assert_uint_eq(stats.drops, 0);
		netring_close(capture);
	}
}
END_TEST

START_TEST(test_a_burst_is_never_larger_than_its_array)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst burst;

	sender_send_many(sender, TYPE_A, 0, 200);
	ck_assert(take_some(capture, &burst, 1000000));
	ck_assert_uint_le(burst.count, NETRING_BURST_MAX);
	ck_assert_int_eq(netring_take(capture, &burst, 0, NULL), 0);
	netring_close(capture);
}
END_TEST

/* Only the first `used` packets are consumed; the others come again. */
START_TEST(test_partial_give_back)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst burst;
	unsigned next = 0, turn = 0;

	sender_send_many(sender, TYPE_A, 0, 500);
	while (next < 500) {
		unsigned used, max = 1 + turn * 5 % 64;

		ck_assert_msg(take_some(capture, &burst, max), "at %u", next);
		for (unsigned i = 0; i < burst.count; i++)
			check_frame(&burst.packet[i], TYPE_A, next + i, FRAME_LEN);
		used = turn++ % (burst.count + 1);
		netring_give_back(capture, &burst, used);
		next += used;
		ck_assert_uint_eq(stats_of(capture).delivered, next);
	}
	expect_silence(capture, 10);
	netring_close(capture);
}
END_TEST

START_TEST(test_giving_back_nothing_or_too_much)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst burst = { .count = 0 };

	netring_give_back(capture, &burst, 5);
	ck_assert_uint_eq(stats_of(capture).delivered, 0);
	sender_send_many(sender, TYPE_A, 0, 20);
	for (unsigned seen = 0; seen < 20; seen += 1) {
		ck_assert(take_some(capture, &burst, 1));
		check_frame(&burst.packet[0], TYPE_A, seen, FRAME_LEN);
		netring_give_back(capture, &burst, 1000);
		netring_give_back(capture, &burst, 1000);	/* not out any more */
	}
	ck_assert_uint_eq(stats_of(capture).delivered, 20);
	netring_close(capture);
}
END_TEST

START_TEST(test_a_burst_that_is_out_counts_as_used)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst burst;

	sender_send_many(sender, TYPE_A, 0, 100);
	for (unsigned seen = 0; seen < 100; seen += burst.count) {
		ck_assert(take_some(capture, &burst, 9));
		for (unsigned i = 0; i < burst.count; i++)
			check_frame(&burst.packet[i], TYPE_A, seen + i, FRAME_LEN);
	}
	ck_assert_int_eq(netring_take(capture, &burst, 9, NULL), 0);
	ck_assert_uint_eq(stats_of(capture).delivered, 100);
	netring_close(capture);
}
END_TEST

START_TEST(test_a_burst_in_another_struct)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst first, second;

	sender_send_many(sender, TYPE_A, 0, 10);
	ck_assert(take_some(capture, &first, 4));
	memset(&second, 0xaa, sizeof(second));
	ck_assert_int_gt(netring_take(capture, &second, 4, NULL), 0);
	ck_assert_uint_eq(stats_of(capture).delivered, first.count);
	check_frame(&second.packet[0], TYPE_A, first.count, FRAME_LEN);
	netring_close(capture);
}
END_TEST

START_TEST(test_block_sequence)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	struct netring_burst burst;
	uint64_t last = 0;

	config.block_size = 4096;
	config.block_count = 64;
	capture = open_or_fail(&config);
	for (unsigned seen = 0; seen < 2000; ) {
		if (seen % 100 == 0)
			sender_send_many(sender, TYPE_A, seen, 100);
		ck_assert(take_some(capture, &burst, 10));
		if (_i == 1) {
			ck_assert_uint_eq(burst.block_sequence, 0);
		} else {
			ck_assert(burst.block_sequence == last || burst.block_sequence == last + 1);
			last = burst.block_sequence;
		}
		seen += burst.count;
		netring_give_back(capture, &burst, burst.count);
	}
	if (_i == 0)
		ck_assert_uint_gt(last, 64);	/* all around the ring, and on */
	netring_close(capture);
}
END_TEST

/* T4, T7: a reader that stalls loses packets; how many is known, and the block says so. */
START_TEST(test_drops_of_a_stalled_reader)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	struct netring_burst burst;
	struct netring_stats stats;
	unsigned seen = 0, losing = 0;
	uint64_t end = now_ms() + DEADLINE_MS;

	config.block_size = 65536;
	config.block_count = 2;
	config.frame_size = 2048;
	capture = open_or_fail(&config);
	sender_send_many(sender, TYPE_A, 0, 3000);
	/* Room again, while the loss has not been asked for: what is filled now is marked. */
	for (int round = 0; round < 2; round++) {
		while (netring_wait(capture, 50, NULL) == 1 || (round == 1 && has_unread(capture) && now_ms() < end)) {
			if (netring_take(capture, &burst, NETRING_BURST_MAX, NULL) <= 0)
				continue;
			for (unsigned i = 0; i < burst.count; i++)
				ck_assert_uint_eq(packet_type(&burst.packet[i]), TYPE_A);
			seen += burst.count;
			losing += burst.losing;
			netring_give_back(capture, &burst, burst.count);
		}
		if (round == 0)
			sender_send_many(sender, TYPE_A, 3000, 20);
	}
	stats = stats_of(capture);
	ck_assert_uint_gt(losing, 0);
	ck_assert_uint_eq(stats.packets, 3020);
	ck_assert_uint_gt(stats.drops, 0);
	ck_assert_uint_eq(stats.packets - stats.drops, seen);
	ck_assert_uint_eq(stats.delivered, seen);
	if (_i == 0)
		ck_assert_uint_gt(stats.freezes, 0);
	/* The loss has been asked for: no mark any more. */
	sender_send_many(sender, TYPE_A, 4000, 20);
	for (seen = 0; seen < 20; ) {
		ck_assert(take_some(capture, &burst, NETRING_BURST_MAX));
		ck_assert(!burst.losing);
		seen += burst.count;
		netring_give_back(capture, &burst, burst.count);
	}
	netring_close(capture);
}
END_TEST

static void *read_stats(void *argument)
{
	for (int i = 0; i < 2000; i++)
		stats_of(argument);
	return NULL;
}

/* T8: reading resets what the kernel has; the sums stay right with several who read, and beyond 32 bits. */
START_TEST(test_statistics_add_up)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_stats stats;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_stats, capture), 0);
	for (unsigned round = 0; round < 30; round++) {
		sender_send_many(sender, TYPE_A, round * 20, 20);
		expect_frames(capture, TYPE_A, round * 20, 20, NETRING_BURST_MAX);
		ck_assert_uint_le(stats_of(capture).packets, round * 20 + 20);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, 600);
	ck_assert_uint_eq(stats.delivered, 600);

	capture->ring[0].packets = UINT32_MAX - 5;
	capture->ring[0].drops = UINT32_MAX;
	capture->ring[0].delivered = UINT64_C(1) << 40;
	sender_send_many(sender, TYPE_A, 0, 20);
	expect_frames(capture, TYPE_A, 0, 20, NETRING_BURST_MAX);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, UINT64_C(0xffffffff) - 5 + 20);
	ck_assert_uint_eq(stats.drops, UINT64_C(0xffffffff));
	ck_assert_uint_eq(stats.delivered, (UINT64_C(1) << 40) + 20);
	netring_close(capture);
}
END_TEST

static void expect_cut(struct netring *capture, uint32_t keep)
{
	struct netring_burst burst;

	sender_send(sender, TYPE_A, 5, 1000);
	ck_assert(take_some(capture, &burst, 1));
	ck_assert_uint_eq(burst.packet[0].captured_len, keep);
	check_frame(&burst.packet[0], TYPE_A, 5, 1000);
	netring_give_back(capture, &burst, 1);
}

/* T3: the snaplen really cuts, in the kernel, whatever the filter would keep. */
START_TEST(test_snaplen)
{
	static const uint32_t snaplens[] = { 1, 14, 60, 96, 999, 1000, 1001, 65535 };
	const struct sock_filter keep_all[] = { BPF_STMT(BPF_RET | BPF_K, UINT32_MAX) };
	const struct sock_filter keep_length[] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter keep_20[] = { BPF_STMT(BPF_RET | BPF_K, 20) };

	for (size_t i = 0; i < sizeof(snaplens) / sizeof(*snaplens); i++) {
		struct netring_config config = mode_config(_i);
		uint32_t keep = snaplens[i] < 1000 ? snaplens[i] : 1000;
		struct netring *capture;

		config.snaplen = snaplens[i];
		capture = open_or_fail(&config);
		expect_cut(capture, keep);
		ck_assert_int_ge(netring_set_filter(capture, keep_all, 1, NULL), 0);
		expect_cut(capture, keep);
		ck_assert_int_ge(netring_set_filter(capture, keep_length, 2, NULL), 0);
		expect_cut(capture, keep);
		ck_assert_int_ge(netring_set_filter(capture, keep_20, 1, NULL), 0);
		expect_cut(capture, keep < 20 ? keep : 20);
		ck_assert_int_eq(netring_set_filter(capture, NULL, 0, NULL), 0);
		expect_cut(capture, keep);
		netring_close(capture);
	}
}
END_TEST

/* Blocks of odd sizes, few of them, one of them; the reader keeps up, nothing is lost and nothing out of order. */
START_TEST(test_odd_geometries)
{
	static const struct { uint32_t block_size, block_count, frame_size; } shapes[] = {
		{ 4096, 1, 0 }, { 4096, 2, 2048 }, { 4096, 5, 0 }, { 12288, 3, 0 }, { 20480, 7, 1600 }, { 65536, 1, 0 }, { 1 << 20, 1, 65536 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct netring_config config = mode_config(_i);
		struct netring *capture;
		struct netring_stats stats;
		/* Between two, the timer may retire the only block that there is. */
		unsigned at_once = shapes[i].block_count == 1 ? 1 : 2;

		config.block_size = shapes[i].block_size;
		config.block_count = shapes[i].block_count;
		config.frame_size = shapes[i].frame_size;
		config.block_timeout_ms = 1;
		config.strict = true;	/* no shape here is to be made smaller */
		config.snaplen = 1514;
		capture = open_or_fail(&config);
		for (unsigned n = 0; n < 200; n += at_once) {
			sender_send_many(sender, TYPE_A, n, at_once);
			expect_frames(capture, TYPE_A, n, at_once, NETRING_BURST_MAX);
		}
		stats = stats_of(capture);
		ck_assert_uint_eq(stats.packets, 200);
		ck_assert_uint_eq(stats.drops, 0);
		ck_assert_uint_eq(stats.ring_bytes_asked, (uint64_t)shapes[i].block_size * shapes[i].block_count);
		ck_assert_uint_ge(stats.ring_bytes, stats.ring_bytes_asked);
		ck_assert_uint_eq(stats.ring_bytes, capture->ring[0].map_length);
		netring_close(capture);
	}
}
END_TEST

/* 64 KiB in one packet, in blocks that hold three of them; each comes twice on lo (T14), outgoing first. */
START_TEST(test_glued_packets)
{
	static uint8_t payload[65507];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	struct netring_burst burst;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 20;
	unsigned seen = 0;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 >> 3);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	config.interface = "lo";
	config.block_size = 256 << 10;
	config.block_count = 32;
	config.frame_size = 0;
	capture = open_or_fail(&config);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(payload));
	while (seen < 20) {
		ck_assert_msg(take_some(capture, &burst, NETRING_BURST_MAX), "%u came", seen);
		for (unsigned i = 0; i < burst.count; i++) {
			const struct netring_packet *packet = &burst.packet[i];

			if (packet->wire_len < 60000)
				continue;	/* an ICMP answer */
			ck_assert_uint_eq(packet->wire_len, sizeof(payload) + 42);
			ck_assert_uint_eq(packet->captured_len, packet->wire_len);
			ck_assert_mem_eq(packet->data + 42, payload, sizeof(payload));
			ck_assert_uint_eq(packet->link->sll_pkttype, seen % 2 ? PACKET_HOST : PACKET_OUTGOING);
			seen++;
		}
		netring_give_back(capture, &burst, burst.count);
	}
	ck_assert_uint_eq(stats_of(capture).drops, 0);
	close(fd);
	netring_close(capture);
}
END_TEST

/* T13: the kernel takes the tag out and says so; there is room to put it back. */
START_TEST(test_vlan_tag)
{
	uint8_t frame[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0x00, 0x60, 0x2a, 0x88, 0xb5, 1, 2, 3 };
	struct netring_config config = mode_config(_i);
	struct netring *capture = open_or_fail(&config);
	struct netring_burst burst;
	struct netring_packet *packet = &burst.packet[0];

	for (unsigned n = 0; n < 3; n++)
		ck_assert_int_eq(send(sender, frame, sizeof(frame), 0), sizeof(frame));
	for (unsigned seen = 0; seen < 3; seen++) {
		ck_assert(take_some(capture, &burst, 1));
		ck_assert_uint_eq(packet->flags & (NETRING_VLAN | NETRING_VLAN_TPID), NETRING_VLAN | NETRING_VLAN_TPID);
		ck_assert_uint_eq(packet->vlan_tci, 0x602a);
		ck_assert_uint_eq(packet->vlan_tpid, 0x8100);
		ck_assert_uint_eq(packet->wire_len, FRAME_LEN - 4);
		ck_assert_uint_eq(packet->captured_len, FRAME_LEN - 4);
		memmove(packet->data - 4, packet->data, 12);
		memcpy(packet->data + 8, "\x81\x00\x60\x2a", 4);
		ck_assert_mem_eq(packet->data - 4, frame, FRAME_LEN);
		netring_give_back(capture, &burst, 1);
	}
	netring_close(capture);
}
END_TEST

static void send_udp(int fd)
{
	uint8_t frame[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00 };
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(FRAME_LEN - ETHERNET),
			    .saddr = htonl(0x0a630001), .daddr = htonl(0x0a630002) };
	struct udphdr udp = { .source = htons(1000), .dest = htons(9), .len = htons(FRAME_LEN - ETHERNET - 20) };

	memcpy(frame + ETHERNET, &ip, sizeof(ip));
	memcpy(frame + ETHERNET + sizeof(ip), &udp, sizeof(udp));
	ck_assert_int_eq(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

START_TEST(test_rxhash)
{
	for (int fill = 0; fill < 2; fill++) {
		struct netring_config config = small_config();
		struct netring *capture;
		struct netring_burst burst;

		config.fill_rxhash = fill;
		capture = open_or_fail(&config);
		send_udp(sender);
		ck_assert(take_some(capture, &burst, 1));
		ck_assert_int_eq(burst.packet[0].rxhash != 0, fill);
		netring_close(capture);
	}
}
END_TEST

START_TEST(test_ignore_outgoing)
{
	int out = sender_open("nr1");

	for (int ignore = 0; ignore < 2; ignore++) {
		struct netring_config config = mode_config(_i);
		struct netring *capture;
		struct netring_burst burst;
		unsigned outgoing = 0, incoming = 0;
		bool went_out;

		config.ignore_outgoing = ignore;
		capture = open_or_fail(&config);
		for (uint32_t n = 0; n < 10; n++) {
			sender_send(out, TYPE_B, n, FRAME_LEN);
			sender_send(sender, TYPE_A, n, FRAME_LEN);
		}
		while (incoming < 10) {
			ck_assert(take_some(capture, &burst, 1));
			went_out = burst.packet[0].link->sll_pkttype == PACKET_OUTGOING;
			ck_assert_uint_eq(packet_type(&burst.packet[0]), went_out ? TYPE_B : TYPE_A);
			outgoing += went_out;
			incoming += !went_out;
			netring_give_back(capture, &burst, 1);
		}
		ck_assert_uint_eq(outgoing, ignore ? 0 : 10);
		netring_close(capture);
	}
	close(out);
}
END_TEST

/* One EtherType: no other, and nothing that goes out. */
START_TEST(test_protocol)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	int out = sender_open("nr1");

	config.protocol = TYPE_A;
	capture = open_or_fail(&config);
	for (uint32_t n = 0; n < 10; n++) {
		sender_send(sender, TYPE_B, n, FRAME_LEN);
		sender_send(out, TYPE_A, 100 + n, FRAME_LEN);
		sender_send(sender, TYPE_A, n, FRAME_LEN);
	}
	expect_frames(capture, TYPE_A, 0, 10, NETRING_BURST_MAX);
	expect_silence(capture, 20);
	close(out);
	netring_close(capture);
}
END_TEST

START_TEST(test_all_interfaces)
{
	struct netring_config config = mode_config(_i);
	struct netring *capture;
	struct netring_burst burst;
	struct netring_error error = { "" };
	int other = sender_open("nr2"), nr1 = interface_number("nr1"), nr3 = interface_number("nr3"), ifindex, ret;
	unsigned on_nr1 = 0, on_nr3 = 0;

	config.interface = NULL;
	config.ignore_outgoing = true;
	capture = open_or_fail(&config);
	sender_send_many(sender, TYPE_A, 0, 10);
	sender_send_many(other, TYPE_B, 0, 10);
	while (on_nr1 + on_nr3 < 20) {
		ck_assert(take_some(capture, &burst, 1));
		ifindex = burst.packet[0].link->sll_ifindex;
		ck_assert(ifindex == nr1 || ifindex == nr3);
		ck_assert_uint_eq(packet_type(&burst.packet[0]), ifindex == nr1 ? TYPE_A : TYPE_B);
		on_nr1 += ifindex == nr1;
		on_nr3 += ifindex == nr3;
		ck_assert_uint_eq(burst.packet[0].wire_len, FRAME_LEN - ETHERNET);	/* from the network header on */
		netring_give_back(capture, &burst, 1);
	}
	ck_assert_uint_eq(on_nr1, 10);
	ret = netring_send(capture, "0123456789abcdef", 16, &error);
	ck_assert_int_lt(ret, 0);
	ck_assert_str_ne(error.text, "");
	close(other);
	netring_close(capture);
}
END_TEST

/* The other end gets it, byte by byte; the sending handle does not. */
START_TEST(test_send)
{
	struct netring_config config = mode_config(_i);
	struct netring *receiver = open_or_fail(&config), *capture;
	struct netring_error error = { "" };
	uint8_t frame[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 'n', 'r', 0, 0, 1, 0x88, 0xb5, 0, 0, 0, 9 };
	static uint8_t large[4000];

	for (unsigned i = 18; i < FRAME_LEN; i++)
		frame[i] = (uint8_t)(9 * 7 + i);
	config.interface = "nr0";
	capture = open_or_fail(&config);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(netring_send(capture, frame, sizeof(frame), &error), (int)sizeof(frame));
		expect_frames(receiver, TYPE_A, 9, 1, 1);
	}
	expect_silence(capture, 30);
	ck_assert_uint_eq(stats_of(capture).packets, 0);
	ck_assert_int_eq(netring_send(capture, large, sizeof(large), &error), -EMSGSIZE);
	ck_assert_msg(strstr(error.text, "Message too long"), "%s", error.text);
	ck_assert_int_lt(netring_send(capture, frame, 3, &error), 0);
	netring_close(capture);
	netring_close(receiver);
}
END_TEST

static struct netring_config bad(void)
{
	return small_config();
}

static void expect_refused(const struct netring_config *config, int ret, const char *what, const char *value)
{
	struct netring *capture = (struct netring *)1;
	struct netring_error error = { "" };
	unsigned before = open_descriptors();

	ck_assert_int_eq(netring_open(&capture, config, &error), ret);
	ck_assert_msg(strstr(error.text, what) && strstr(error.text, value), "\"%s\" has no \"%s\" or \"%s\"", error.text, what, value);
	ck_assert_ptr_eq(capture, (struct netring *)1);
	ck_assert_uint_eq(open_descriptors(), before);
	ck_assert_int_eq(netring_open(&capture, config, NULL), ret);
}

START_TEST(test_bad_configurations)
{
	struct netring_config config;
	struct sock_filter jump_out = BPF_JUMP(BPF_JMP | BPF_JA, 100, 0, 0);

	config = bad(), config.size = 8, expect_refused(&config, -EINVAL, "config.size", "8");
	config = bad(), config.block_count = 0, expect_refused(&config, -EINVAL, "block count", "0");
	config = bad(), config.block_size = 0, expect_refused(&config, -EINVAL, "block size", "0");
	config = bad(), config.block_size = 5000, expect_refused(&config, -EINVAL, "block size", "5000");
	config = bad(), config.block_size = 0x80000000, expect_refused(&config, -EINVAL, "block size", "2147483648");
	config = bad(), config.frame_size = 100, expect_refused(&config, -EINVAL, "frame size", "100");
	config = bad(), config.frame_size = 16, expect_refused(&config, -EINVAL, "frame size", "16");
	config = bad(), config.frame_size = 131072, expect_refused(&config, -EINVAL, "frame size", "131072");
	config = bad(), config.interface = "no-such-if", expect_refused(&config, -ENODEV, "no-such-if", "No such device");
	config = bad(), config.interface = "", expect_refused(&config, -ENODEV, "", "");
	config = bad(), config.interface = "a-name-that-is-too-long", expect_refused(&config, -ENODEV, "a-name-that-is-too-long", "");
	config = bad(), config.filter = &jump_out, config.filter_length = 1, expect_refused(&config, -EINVAL, "BPF", "not valid");
}
END_TEST

/* Rings of every impossible size: an error or a smaller ring, as it was asked for, and never more than the arithmetic holds. */
START_TEST(test_huge_rings)
{
	struct netring_config config = small_config();
	struct netring_error error = { "" };
	struct netring *capture = NULL;
	struct netring_stats stats;
	int ret;

	config.block_size = 4096;
	config.block_count = UINT32_MAX;
	capture = open_or_fail(&config);	/* cut to an eighth of the memory */
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.ring_bytes_asked, UINT64_C(4096) * UINT32_MAX);
	ck_assert_uint_lt(stats.ring_bytes, stats.ring_bytes_asked);
	netring_close(capture);

	config.strict = true;
	ret = netring_open(&capture, &config, &error);
	ck_assert_int_eq(ret, -ENOMEM);
	ck_assert_msg(strstr(error.text, "instead of"), "%s", error.text);

	/* No limit is asked for, and there is one all the same: no ring is worth an out-of-memory killer. */
	config.limit_memory = false;
	config.block_size = 4 << 20;
	config.block_count = 1 << 20;
	ret = netring_open(&capture, &config, &error);
	ck_assert_int_eq(ret, -ENOMEM);
	ck_assert_msg(strstr(error.text, "the machine has not more"), "%s", error.text);
}
END_TEST

/* Slots of 64 KiB in smaller blocks: the blocks grow, and the ring does not get smaller than it was asked for. */
START_TEST(test_blocks_that_have_to_grow)
{
	struct netring_config config = mode_config(1);
	struct netring *capture;
	struct netring_stats stats;

	config.frame_size = 0;
	config.block_size = 65536;
	config.block_count = 3;
	config.strict = true;
	capture = open_or_fail(&config);
	stats = stats_of(capture);
	ck_assert_uint_ge(stats.ring_bytes, stats.ring_bytes_asked);
	sender_send_many(sender, TYPE_A, 0, 2);
	expect_frames(capture, TYPE_A, 0, 2, 2);
	netring_close(capture);
}
END_TEST

/* T6: an adapter that cannot stamp leaves the time to software, and no flag says otherwise. */
START_TEST(test_timestamp_types)
{
	static const enum netring_timestamp types[] = {
		NETRING_TIMESTAMP_HOST, NETRING_TIMESTAMP_ADAPTER, NETRING_TIMESTAMP_ADAPTER_UNSYNCED,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct netring_config config = mode_config(_i);
		struct netring *capture;
		struct netring_burst burst;
		int option = -1;
		socklen_t size = sizeof(option);

		config.timestamp = types[i];
		capture = open_or_fail(&config);
		ck_assert_int_eq(getsockopt(netring_fd(capture), SOL_PACKET, PACKET_TIMESTAMP, &option, &size), 0);
		ck_assert_int_eq(option, i == 0 ? 0 : i == 1 ? SOF_TIMESTAMPING_SYS_HARDWARE : SOF_TIMESTAMPING_RAW_HARDWARE);
		sender_send(sender, TYPE_A, 7, FRAME_LEN);
		ck_assert(take_some(capture, &burst, 1));
		check_frame(&burst.packet[0], TYPE_A, 7, FRAME_LEN);
		ck_assert_uint_eq(burst.packet[0].flags & ((uint32_t)NETRING_TIME_RAW_HARDWARE | NETRING_TIME_SYS_HARDWARE), 0);
		netring_close(capture);
	}
}
END_TEST

START_TEST(test_no_privilege)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct netring_config config = small_config();
		struct netring_error error = { "" };
		struct netring *capture;

		if (setuid(65534) < 0)
			_exit(1);
		if (netring_open(&capture, &config, &error) != -EPERM)
			_exit(2);
		_exit(strstr(error.text, "CAP_NET_RAW") ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_descriptor)
{
	struct netring_config config = mode_config(_i);
	unsigned before = open_descriptors();
	struct netring *capture = open_or_fail(&config);
	int fd = netring_fd(capture);

	ck_assert_uint_eq(open_descriptors(), before + 2); /* the socket, and the process's page of counters */
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	netring_close(capture);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

static Suite *engine_suite(void)
{
	Suite *suite = suite_create("engine");
	TCase *cases = tcase_create("engine");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_profiles);
	tcase_add_loop_test(cases, test_profiles_capture, NETRING_PROFILE_DEFAULT, NETRING_PROFILE_JUMBO + 1);
	tcase_add_loop_test(cases, test_bursts_of_every_size, 0, MODES);
	tcase_add_loop_test(cases, test_a_burst_is_never_larger_than_its_array, 0, MODES);
	tcase_add_loop_test(cases, test_partial_give_back, 0, MODES);
	tcase_add_loop_test(cases, test_giving_back_nothing_or_too_much, 0, MODES);
	tcase_add_loop_test(cases, test_a_burst_that_is_out_counts_as_used, 0, MODES);
	tcase_add_loop_test(cases, test_a_burst_in_another_struct, 0, MODES);
	tcase_add_loop_test(cases, test_block_sequence, 0, MODES);
	tcase_add_loop_test(cases, test_drops_of_a_stalled_reader, 0, MODES);
	tcase_add_loop_test(cases, test_statistics_add_up, 0, MODES);
	tcase_add_loop_test(cases, test_snaplen, 0, MODES);
	tcase_add_loop_test(cases, test_odd_geometries, 0, MODES);
	tcase_add_loop_test(cases, test_glued_packets, 0, MODES);
	tcase_add_loop_test(cases, test_vlan_tag, 0, MODES);
	tcase_add_test(cases, test_rxhash);
	tcase_add_loop_test(cases, test_ignore_outgoing, 0, MODES);
	tcase_add_loop_test(cases, test_protocol, 0, MODES);
	tcase_add_loop_test(cases, test_all_interfaces, 0, MODES);
	tcase_add_loop_test(cases, test_send, 0, MODES);
	tcase_add_test(cases, test_bad_configurations);
	tcase_add_test(cases, test_huge_rings);
	tcase_add_test(cases, test_blocks_that_have_to_grow);
	tcase_add_loop_test(cases, test_timestamp_types, 0, MODES);
	tcase_add_test(cases, test_no_privilege);
	tcase_add_loop_test(cases, test_descriptor, 0, MODES);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	fixture_enter();
	return fixture_run(engine_suite());
}
