/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine on AF_XDP: what comes out is what was sent, byte for byte, in order and stamped; filters, statistics, sending, several queues, the
 * interface's life, and what opening refuses.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "fixture.h"
#include "xdp-fill.h"
#include "xdp-interpreter.h"

/* Of the small rings of these tests. */
#define FRAMES 1024

static int sender;

static void setup(void)
{
	sender = sender_open("nr0");
}

static void teardown(void)
{
	close(sender);
}

static struct netring_config xdp_config(void)
{
	struct netring_config config = small_config();

	config.backend = NETRING_BACKEND_XDP;
	config.strict = true;
	config.limit_memory = false;
	config.xdp.frames = FRAMES;
	return config;
}

/* Packets are captured from the first sign of interest on. */
static struct netring *open_and_start(const struct netring_config *config)
{
	struct netring *capture = open_or_fail(config);

	stats_of(capture);
	return capture;
}

/* Opens, and fails: with this number, and with this in the sentence. */
static void expect_refusal(const struct netring_config *config, int err, const char *text)
{
	struct netring_error error = { "" };
	struct netring *capture = NULL;
	int ret = netring_open(&capture, config, &error);

	ck_assert_msg(ret == -err && !capture, "netring_open: %d %s", ret, error.text);
	ck_assert_msg(strstr(error.text, text) != NULL, "no \"%s\" in: %s", text, error.text);
}

/* True if an XDP program is on the interface. */
static bool has_program(const char *interface)
{
	char command[100];

	snprintf(command, sizeof(command), "ip link show %s | grep -q xdp", interface);
	return system(command) == 0;
}

static void raw_send(int fd, const uint8_t *frame, size_t length)
{
	ck_assert_int_eq(send(fd, frame, length, 0), (ssize_t)length);
}

/* Taking one packet, and leaving it out. */
static const struct netring_packet *take_one(struct netring *capture, struct netring_burst *burst)
{
	ck_assert_msg(take_some(capture, burst, 1), "nothing came");
	return &burst->packet[0];
}

/* What is in force of the program, as it looks at it. */
static uint32_t in_force(const struct netring *capture)
{
	return __atomic_load_n(&capture->port[0].program.control->in_force, __ATOMIC_RELAXED);
}

static void look_by_take(struct netring *capture)
{
	struct netring_burst burst;

	ck_assert_int_eq(netring_take(capture, &burst, 1, NULL), 0);
}

static void look_by_wait(struct netring *capture)
{
	ck_assert_int_eq(netring_wait(capture, 0, NULL), 0);
}

static void look_by_descriptor(struct netring *capture)
{
	ck_assert_int_ge(netring_fd(capture), 0);
}

static void look_by_stats(struct netring *capture)
{
	stats_of(capture);
}

static void look_by_ring_stats(struct netring *capture)
{
	struct netring_stats stats;

	ck_assert_int_eq(netring_ring_stats(capture, 0, &stats, NULL), 0);
}

static void look_by_filter(struct netring *capture)
{
	ck_assert_int_eq(netring_set_filter(capture, NULL, 0, NULL), 0);
}

static void look_by_sending(struct netring *capture)
{
	static const uint8_t frame[60];

	ck_assert_int_eq(netring_send(capture, frame, sizeof(frame), NULL), sizeof(frame));
}

/* Opened only, it leaves the host its packets; each first sign of interest ends that. */
START_TEST(begins_with_interest)
{
	static void (*const looks[])(struct netring *) = {
		look_by_take, look_by_wait, look_by_descriptor, look_by_stats, look_by_ring_stats, look_by_filter, look_by_sending,
	};
	struct netring_config config = xdp_config();
	uint8_t frame[60] = { 2 };

	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		struct netring *capture = open_or_fail(&config);
		struct netring_burst burst;

		ck_assert_uint_eq(in_force(capture), XDP_IN_FORCE_HOST);
		frame[20] = 1;
		raw_send(sender, frame, sizeof(frame));
		looks[i](capture);
		ck_assert_uint_eq(in_force(capture), XDP_IN_FORCE_COMPILED);
		frame[20] = 2;
		raw_send(sender, frame, sizeof(frame));
		ck_assert_uint_eq(take_one(capture, &burst)->data[20], 2);
		netring_give_back(capture, &burst, 1);
		ck_assert_uint_eq(stats_of(capture).packets, 1);
		netring_close(capture);
	}
}
END_TEST

START_TEST(every_length)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct netring_burst burst;
	uint8_t frame[1514];

	ck_assert(capture_is_xdp(capture));
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 31 + 2); /* not multicast, of no type that is known */
	for (size_t length = ETHERNET; length <= sizeof(frame); length++) {
		const struct netring_packet *packet;

		raw_send(sender, frame, length);
		packet = take_one(capture, &burst);
		ck_assert_uint_eq(packet->wire_len, length);
		ck_assert_uint_eq(packet->captured_len, length);
		ck_assert_mem_eq(packet->data, frame, length);
		ck_assert_uint_eq(packet->flags, 0);
		ck_assert_uint_eq(packet->link->sll_pkttype, PACKET_OTHERHOST);
		ck_assert_int_eq(packet->link->sll_ifindex, interface_number("nr1"));
		ck_assert_uint_eq((uintptr_t)(packet->data + ETHERNET) % 4, 0);
		netring_give_back(capture, &burst, 1);
	}
	netring_close(capture);
	ck_assert(!has_program("nr1"));
}
END_TEST

START_TEST(many_times_round)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);

	for (unsigned first = 0; first < 20 * FRAMES; first += FRAMES / 2) {
		sender_send_many(sender, TYPE_A, first, FRAMES / 2);
		expect_frames(capture, TYPE_A, first, FRAMES / 2, 1 + first % NETRING_BURST_MAX);
	}
	ck_assert_uint_eq(stats_of(capture).delivered, 20 * FRAMES);
	netring_close(capture);
}
END_TEST

/* What is not used comes again, the same. */
START_TEST(partly_used)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct netring_burst burst;
	uint64_t time_ns[10];

	sender_send_many(sender, TYPE_A, 0, 10);
	ck_assert(take_some(capture, &burst, 1));
	netring_give_back(capture, &burst, 0);
	while (stats_of(capture).packets < 10)
		poll(NULL, 0, 1);
	for (unsigned used = 0; used < 10; used++) {
		ck_assert(take_some(capture, &burst, NETRING_BURST_MAX));
		ck_assert_uint_eq(burst.count, 10 - used);
		for (unsigned i = 0; i < burst.count; i++) {
			check_frame(&burst.packet[i], TYPE_A, used + i, FRAME_LEN);
			if (used == 0)
				time_ns[i] = netring_packet_time_ns(&burst.packet[i]);
			ck_assert_uint_eq(netring_packet_time_ns(&burst.packet[i]), time_ns[used + i]);
		}
		netring_give_back(capture, &burst, 1);
	}
	ck_assert_uint_eq(stats_of(capture).delivered, 10);
	netring_close(capture);
}
END_TEST

/* Ethernet, one tag, TYPE_A behind it, in a frame of FRAME_LEN. */
static void make_tagged(uint8_t *frame, uint16_t tci)
{
	memset(frame, 0x55, FRAME_LEN);
	memset(frame, 0xff, ETH_ALEN);
	memcpy(frame + 12, "\x81\x00", 2);
	frame[14] = (uint8_t)(tci >> 8);
	frame[15] = (uint8_t)tci;
	memcpy(frame + 16, "\x88\xb5", 2);
}

/* The tag stays where it is, and filters see it as the kernel shows it: beside the packet. */
START_TEST(vlan_tags)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 5),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 42, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_A, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 60),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct netring_error error = { "" };
	uint8_t tagged[FRAME_LEN], other[FRAME_LEN];
	struct netring_burst burst;

	make_tagged(tagged, 42);
	make_tagged(other, 43);
	/* Queued before the filter is set, so judged here; then by the kernel. */
	for (int round = 0; round < 2; round++) {
		raw_send(sender, other, sizeof(other));
		raw_send(sender, tagged, sizeof(tagged));
		sender_send(sender, TYPE_A, 1, FRAME_LEN);
		if (round == 0)
			while (stats_of(capture).packets < 3)
				poll(NULL, 0, 1);
		ck_assert_int_eq(netring_set_filter(capture, filter, 8, &error), 0);
		ck_assert(take_some(capture, &burst, NETRING_BURST_MAX));
		ck_assert_uint_eq(burst.count, 1);
		ck_assert_uint_eq(burst.packet[0].wire_len, FRAME_LEN);
		ck_assert_uint_eq(burst.packet[0].captured_len, 64);
		ck_assert_mem_eq(burst.packet[0].data, tagged, 64);
		netring_give_back(capture, &burst, 1);
		expect_silence(capture, 30);
	}
	netring_close(capture);
}
END_TEST

START_TEST(filter_before_the_first)
{
	struct netring_config config = xdp_config();
	struct sock_filter filter[5];
	struct netring *capture;

	config.filter = filter;
	config.filter_length = type_filter(filter, TYPE_A, TYPE_A, 65535);
	capture = open_and_start(&config);
	for (unsigned i = 0; i < 100; i++) {
		sender_send(sender, TYPE_B, i, FRAME_LEN);
		sender_send(sender, TYPE_A, i, FRAME_LEN);
	}
	expect_frames(capture, TYPE_A, 0, 100, NETRING_BURST_MAX);
	expect_silence(capture, 20);
	ck_assert_uint_eq(stats_of(capture).packets, 100);
	netring_close(capture);
}
END_TEST

/* Nothing that the new one rejects comes out of the ring, and nothing that both accept is lost. */
START_TEST(filter_while_queued)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct netring_error error = { "" };
	struct sock_filter filter[5];
	struct netring_stats stats;

	for (unsigned i = 0; i < 100; i++) {
		sender_send(sender, TYPE_B, i, FRAME_LEN);
		sender_send(sender, TYPE_A, i, FRAME_LEN);
	}
	ck_assert_int_eq(netring_set_filter(capture, filter, type_filter(filter, TYPE_A, TYPE_A, 65535), &error), 0);
	sender_send_many(sender, TYPE_A, 100, 100);
	sender_send_many(sender, TYPE_B, 100, 100);
	expect_frames(capture, TYPE_A, 0, 200, 50);
	ck_assert_int_eq(netring_set_filter(capture, NULL, 0, &error), 0);
	sender_send_many(sender, TYPE_B, 7, 1);
	expect_frames(capture, TYPE_B, 7, 1, 1);
	expect_silence(capture, 20);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, stats.delivered + stats.rejected);
	ck_assert_uint_eq(stats.delivered, 201);
	netring_close(capture);
}
END_TEST

/* The flood goes on while filters change: each packet that is accepted all the time comes, once and in order. */
START_TEST(filters_in_a_flood)
{
	struct netring_config config = xdp_config();
	struct flood flood = { .type = { TYPE_BOTH, TYPE_A, TYPE_B }, .types = 3, .ahead = 8000 };
	struct netring_error error = { "" };
	struct sock_filter filter[5];
	struct netring_burst burst;
	struct netring *capture;
	uint32_t next = 0;

	config.xdp.frames = 0;
	config.block_count = 2048;
	capture = open_and_start(&config);
	ck_assert_int_ge(netring_set_filter(capture, filter, type_filter(filter, TYPE_BOTH, TYPE_A, 65535), &error), 0);
	flood_start(&flood, "nr0", 1000);
	for (unsigned round = 0; round < 60; round++) {
		uint16_t other = round % 2 ? TYPE_A : TYPE_B, rejected = round % 2 ? TYPE_B : TYPE_A;

		ck_assert_int_eq(netring_set_filter(capture, filter, type_filter(filter, TYPE_BOTH, other, 65535), &error), 0);
		for (unsigned bursts = 0; bursts < 5; bursts++) {
			ck_assert(take_some(capture, &burst, NETRING_BURST_MAX));
			for (unsigned i = 0; i < burst.count; i++) {
				ck_assert_uint_ne(packet_type(&burst.packet[i]), rejected);
				if (packet_type(&burst.packet[i]) != TYPE_BOTH)
					continue;
				ck_assert_uint_eq(packet_number(&burst.packet[i]), next);
				flood.seen = next;
				next += 3;
			}
			netring_give_back(capture, &burst, burst.count);
		}
	}
	flood_stop(&flood);
	ck_assert_uint_eq(stats_of(capture).drops, 0);
	netring_close(capture);
}
END_TEST

/* What a packet socket bound to TYPE_A gets: of the packets that are queued, and of those to come; behind a tag too. */
START_TEST(one_protocol)
{
	struct netring_config config = xdp_config();
	/* The accumulator that a filter finds is empty. */
	const struct sock_filter filter[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 50),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct netring *capture;
	uint8_t tagged[FRAME_LEN];

	config.protocol = TYPE_A;
	capture = open_and_start(&config);
	make_tagged(tagged, 42);
	for (uint32_t round = 0; round < 3; round++) {
		sender_send(sender, TYPE_B, round, FRAME_LEN);
		sender_send(sender, TYPE_A, round, FRAME_LEN);
		raw_send(sender, tagged, sizeof(tagged));
		check_frame(take_one(capture, &burst), TYPE_A, round, FRAME_LEN);
		ck_assert_uint_eq(burst.packet[0].captured_len, round == 1 ? 50 : FRAME_LEN);
		netring_give_back(capture, &burst, 1);
		ck_assert_mem_eq(take_one(capture, &burst)->data, tagged, 50);
		netring_give_back(capture, &burst, 1);
		expect_silence(capture, 20);
		ck_assert_int_eq(round ? netring_set_filter(capture, NULL, 0, &error) : netring_set_filter(capture, filter, 3, &error), 0);
	}
	ck_assert_uint_eq(stats_of(capture).packets, 6);
	netring_close(capture);
}
END_TEST

START_TEST(snaplen)
{
	struct netring_config config = xdp_config();
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct netring *capture;
	struct sock_filter filter[5];

	config.snaplen = 60;
	capture = open_and_start(&config);
	sender_send(sender, TYPE_A, 1, FRAME_LEN);
	check_frame(take_one(capture, &burst), TYPE_A, 1, FRAME_LEN);
	ck_assert_uint_eq(burst.packet[0].captured_len, 60);
	netring_give_back(capture, &burst, 1);
	ck_assert_int_ge(netring_set_filter(capture, filter, type_filter(filter, TYPE_A, TYPE_A, 40), &error), 0);
	sender_send(sender, TYPE_A, 2, FRAME_LEN);
	check_frame(take_one(capture, &burst), TYPE_A, 2, FRAME_LEN);
	ck_assert_uint_eq(burst.packet[0].captured_len, 40);
	netring_close(capture);
}
END_TEST

/* A driver that lets nothing through in front of a packet, so that the verdict is not there. In place, and in bursts. */
START_TEST(no_metadata)
{
	struct netring_config config = xdp_config();
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct xdp_cursor cursor;
	struct xdp_packet packet;
	struct netring *capture = open_and_start(&config);
	struct xdp_queue *queue = capture->ring[0].xdp;
	struct sock_filter filter[5];
	uint8_t tagged[FRAME_LEN];

	/* Until the filters that were in force before have nothing to do with what comes. */
	ck_assert_int_eq(netring_set_filter(capture, filter, type_filter(filter, TYPE_A, TYPE_A, 40), &error), 0);
	sender_send_many(sender, TYPE_A, 0, 2 * FRAMES);
	while (stats_of(capture).packets < 2 * FRAMES)
		poll(NULL, 0, 1);
	expect_frames(capture, TYPE_A, 0, FRAMES, NETRING_BURST_MAX);
	sender_send_many(sender, TYPE_A, 0, FRAMES);
	expect_frames(capture, TYPE_A, 0, FRAMES, NETRING_BURST_MAX);
	make_tagged(tagged, 42);
	for (int in_place = 0; in_place < 2; in_place++) {
		raw_send(sender, tagged, sizeof(tagged));
		while (!capture_is_ready(capture))
			poll(NULL, 0, 1);
		for (uint32_t i = 0; i < FRAMES; i++)
			((struct xdp_frame *)(queue->umem + ((struct xdp_desc *)queue->receive.entries)[i].addr) - 1)->mark = 0;
		if (in_place) {
			ck_assert_int_eq(capture_borrow_xdp(capture, &cursor, 1), 1);
			ck_assert(xdp_ring_next(&cursor, &packet));
			ck_assert_uint_eq(packet.captured_len, 44);
			ck_assert_uint_eq(packet.wire_len, FRAME_LEN);
			ck_assert_mem_eq(packet.data, tagged, FRAME_LEN);
			capture_return_xdp(capture, cursor.desc);
		} else {
			ck_assert_uint_eq(take_one(capture, &burst)->captured_len, 44);
			ck_assert_uint_eq(burst.packet[0].wire_len, FRAME_LEN);
			ck_assert_mem_eq(burst.packet[0].data, tagged, FRAME_LEN);
			ck_assert_int_le(llabs((long long)burst.packet[0].time_sec - (long long)time(NULL)), 10);
			netring_give_back(capture, &burst, 1);
		}
	}
	netring_close(capture);
}
END_TEST

static uint64_t tai_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool has_mark(const struct netring_packet *packet)
{
	return ((const struct xdp_frame *)packet->data - 1)->mark == XDP_FRAME_MARK;
}

/* By less than what has passed since: the stamp of the next packet looks as if another one had left it. Marks are wiped out until that is settled. */
START_TEST(clock_set_back_a_little)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct xdp_queue *queue = capture->ring[0].xdp;
	struct netring_burst burst;
	unsigned number = 1;

	sender_send(sender, TYPE_A, 0, FRAME_LEN);
	while (!capture_is_ready(capture))
		poll(NULL, 0, 1);
	queue->newest_ns = tai_now_ns();
	ck_assert_uint_eq(packet_number(take_one(capture, &burst)), 0);
	netring_give_back(capture, &burst, 1);
	ck_assert(queue->wiping);
	while (queue->wiping && number < 100 * FRAMES) {
		sender_send_many(sender, TYPE_A, number, FRAMES);
		expect_frames(capture, TYPE_A, number, FRAMES, NETRING_BURST_MAX);
		number += FRAMES;
	}
	ck_assert_msg(!queue->wiping, "still wiping after %u packets", number);
	sender_send_many(sender, TYPE_A, number, FRAMES);
	expect_frames(capture, TYPE_A, number, FRAMES, NETRING_BURST_MAX);
	sender_send(sender, TYPE_A, number + FRAMES, FRAME_LEN);
	ck_assert(has_mark(take_one(capture, &burst)));
	netring_give_back(capture, &burst, 1);
	netring_close(capture);
}
END_TEST

/* A reader that stands still: what is sent is delivered or counted as dropped. */
START_TEST(overflow)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct netring_stats stats;

	sender_send_many(sender, TYPE_A, 0, 3 * FRAMES);
	while (stats_of(capture).packets < 3 * FRAMES)
		poll(NULL, 0, 1);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, 3 * FRAMES);
	ck_assert_uint_eq(stats.drops, 2 * FRAMES);
	ck_assert_uint_ge(stats.ring_bytes, FRAMES * UINT64_C(2048));
	expect_frames(capture, TYPE_A, 0, FRAMES, NETRING_BURST_MAX);
	sender_send_many(sender, TYPE_A, 3 * FRAMES, FRAMES);
	expect_frames(capture, TYPE_A, 3 * FRAMES, FRAMES, NETRING_BURST_MAX);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, 4 * FRAMES);
	ck_assert_uint_eq(stats.delivered, 2 * FRAMES);
	ck_assert_uint_eq(stats.drops, 2 * FRAMES);
	netring_close(capture);
}
END_TEST

/* While the reader keeps up, few frames go round; when it stops, each of them still takes a packet. */
START_TEST(all_frames_while_stopped)
{
	struct netring_config config = xdp_config();
	unsigned first = 0, frames = config.xdp.frames = XDP_FILL_ENTRIES_MIN;
	struct netring *capture = open_and_start(&config);
	uint64_t drops = 0;

	ck_assert_uint_ne(capture->ring[0].xdp->lead, 0);
	for (unsigned stop = 0; stop < 3; stop++) {
		for (unsigned end = first + 2 * frames; first < end; first += FRAMES) {
			sender_send_many(sender, TYPE_A, first, FRAMES);
			expect_frames(capture, TYPE_A, first, FRAMES, NETRING_BURST_MAX);
		}
		sender_send_many(sender, TYPE_A, first, frames + 100);
		while (stats_of(capture).packets < first + frames + 100)
			poll(NULL, 0, 1);
		expect_frames(capture, TYPE_A, first, frames, NETRING_BURST_MAX);
		first += frames + 100;
		ck_assert_uint_eq(stats_of(capture).drops - drops, 100);
		drops += 100;
	}
	netring_close(capture);
}
END_TEST

/* Of a packet that is longer than the MTU was the program tells, and then frames go back at a larger distance from where the kernel is. */
START_TEST(mtu_raised)
{
	struct netring_config config = xdp_config();
	static uint8_t frame[30000];
	struct netring *capture;
	struct xdp_queue *queue;
	struct netring_burst burst;

	config.snaplen = sizeof(frame);
	config.xdp.frames = XDP_FILL_ENTRIES_MIN;
	capture = open_and_start(&config);
	queue = capture->ring[0].xdp;
	if (!queue->gather.place) {
		netring_close(capture);
		return;
	}
	shell("ip link set nr1 mtu 40000 && ip link set nr0 mtu 40000");
	memset(frame, 0xff, ETH_ALEN);
	for (unsigned i = 0; i < 2; i++) {
		size_t length = i ? sizeof(frame) : 12000;

		ck_assert_uint_eq(queue->lead, XDP_FILL_LEAD);
		raw_send(sender, frame, length);
		ck_assert_uint_eq(take_one(capture, &burst)->wire_len, length);
		ck_assert_uint_eq(*queue->long_packets != 0, i);
		netring_give_back(capture, &burst, 1);
	}
	ck_assert_uint_eq(queue->lead, XDP_FILL_LEAD_LONG);
	netring_close(capture);
	shell("ip link set nr0 mtu 1500 && ip link set nr1 mtu 1500");
}
END_TEST

/* Against the stamps that a packet ring at the sending end gives the same packets. */
START_TEST(time_stamps)
{
	struct netring_config config = xdp_config(), other = small_config();
	struct netring *capture = open_and_start(&config), *sent;
	struct netring_burst burst, sent_burst;
	uint64_t last_ns = 0;
	unsigned late = 0;

	other.interface = "nr0";
	other.block_timeout_ms = 1;
	sent = open_and_start(&other);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t time_ns, sent_ns;

		sender_send(sender, TYPE_A, i, FRAME_LEN);
		time_ns = netring_packet_time_ns(take_one(capture, &burst));
		sent_ns = netring_packet_time_ns(take_one(sent, &sent_burst));
		ck_assert_uint_eq(packet_number(&burst.packet[0]), packet_number(&sent_burst.packet[0]));
		ck_assert_uint_ge(time_ns, last_ns);
		/* Between the two stamps the CPU may be another's. */
		ck_assert_msg(time_ns + 1000000 > sent_ns && time_ns < sent_ns + 10000000000, "packet %u: %lld ns behind", i,
			      (long long)(time_ns - sent_ns));
		late += time_ns >= sent_ns + 20000000;
		last_ns = time_ns;
		netring_give_back(capture, &burst, 1);
		netring_give_back(sent, &sent_burst, 1);
	}
	ck_assert_uint_le(late, 5);
	netring_close(sent);
	netring_close(capture);
}
END_TEST

/* Queues */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void wide_pair(void)
{
	if (interface_number("nr5") != 0)
		return;
	shell("ip link add nr4 numtxqueues 2 numrxqueues 2 type veth peer name nr5 numtxqueues 2 numrxqueues 2 && "
	      "ip link set nr4 up && ip link set nr5 up && "
	      "timeout 10 sh -c 'until ip link show nr4 | grep -q \"state UP\"; do sleep 0.01; done'");
}

/* Sends from both CPUs in turn, which are two queues: past the queueing discipline the kernel chooses by CPU. */
static void send_to_both(int fd, unsigned count)
{
	int one = 1;

	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)), 0);
	for (unsigned i = 0; i < count; i++) {
		pin((int)(i % 2));
		sender_send(fd, TYPE_A, i, FRAME_LEN);
	}
}

START_TEST(two_queues)
{
	struct netring_config config = xdp_config();
	unsigned seen = 0, of_queue[2] = { 0 };
	struct netring_stats one, two;
	struct netring_burst burst;
	struct netring *capture;
	uint64_t last_ns = 0;
	int fd;

	wide_pair();
	config.interface = "nr5";
	capture = open_and_start(&config);
	ck_assert_uint_eq(netring_rings(capture), 2);
	fd = sender_open("nr4");
	send_to_both(fd, 400);
	while (seen < 400) {
		ck_assert_msg(take_some(capture, &burst, NETRING_BURST_MAX), "%u came", seen);
		for (unsigned i = 0; i < burst.count; i++) {
			uint64_t time_ns = netring_packet_time_ns(&burst.packet[i]);

			ck_assert_uint_eq(packet_number(&burst.packet[i]), seen++);
			ck_assert_uint_ge(time_ns, last_ns);
			ck_assert_uint_lt(burst.packet[i].ring, 2);
			of_queue[burst.packet[i].ring]++;
			last_ns = time_ns;
		}
		netring_give_back(capture, &burst, burst.count);
	}
	ck_assert_uint_eq(of_queue[0], 200);
	ck_assert_uint_eq(of_queue[1], 200);
	ck_assert_int_eq(netring_ring_stats(capture, 0, &one, NULL), 0);
	ck_assert_int_eq(netring_ring_stats(capture, 1, &two, NULL), 0);
	ck_assert_uint_eq(one.packets + two.packets, 400);
	ck_assert_uint_eq(stats_of(capture).disordered, 0);
	close(fd);
	netring_close(capture);
}
END_TEST

/* In immediate mode a packet does not wait for what another queue may still get: the quickest of them comes in much less than the merge's 5 ms. */
START_TEST(two_queues_at_once)
{
	struct netring_config config = xdp_config();
	struct netring *capture;
	struct netring_burst burst;
	uint64_t least_ns = UINT64_MAX;
	int fd;

	wide_pair();
	config.interface = "nr5";
	config.immediate = true;
	capture = open_and_start(&config);
	fd = sender_open("nr4");
	for (unsigned i = 0; i < 50; i++) {
		struct timespec now;
		uint64_t time_ns, now_ns;

		sender_send(fd, TYPE_A, i, FRAME_LEN);
		time_ns = netring_packet_time_ns(take_one(capture, &burst));
		clock_gettime(CLOCK_REALTIME, &now);
		netring_give_back(capture, &burst, 1);
		now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
		if (now_ns - time_ns < least_ns)
			least_ns = now_ns - time_ns;
	}
	ck_assert_uint_lt(least_ns, 2500000);
	close(fd);
	netring_close(capture);
}
END_TEST

/* Of the queues that are not taken the host has the packets. */
START_TEST(one_of_two_queues)
{
	struct netring_config config = xdp_config(), host = small_config();
	struct netring *capture, *rest;
	struct netring_burst burst;
	int fd;

	wide_pair();
	config.interface = host.interface = "nr5";
	config.xdp.queues = "1";
	capture = open_and_start(&config);
	rest = open_and_start(&host);
	fd = sender_open("nr4");
	send_to_both(fd, 20);
	for (unsigned i = 0; i < 10; i++) {
		uint32_t number = packet_number(take_one(capture, &burst));

		ck_assert_uint_eq(number % 2, 1);
		netring_give_back(capture, &burst, 1);
		ck_assert_uint_eq(packet_number(take_one(rest, &burst)), number - 1);
		netring_give_back(rest, &burst, 1);
	}
	expect_silence(capture, 20);
	close(fd);
	netring_close(capture);
	netring_close(rest);
}
END_TEST

START_TEST(two_interfaces)
{
	struct netring_config config = xdp_config();
	struct netring *capture;
	struct netring_burst burst;
	int other = sender_open("nr2");

	config.interface = "nr1,nr3";
	capture = open_and_start(&config);
	ck_assert_uint_eq(netring_rings(capture), 2);
	for (unsigned i = 0; i < 100; i++)
		sender_send(i % 2 ? other : sender, TYPE_A, i, FRAME_LEN);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(packet_number(take_one(capture, &burst)), i);
		ck_assert_str_eq(netring_ring_interface(capture, burst.packet[0].ring), i % 2 ? "nr3" : "nr1");
		netring_give_back(capture, &burst, 1);
	}
	close(other);
	netring_close(capture);
}
END_TEST

/* Sending */

START_TEST(send_arrives)
{
	struct netring_config config = xdp_config(), other = small_config();
	struct netring *capture = open_and_start(&config), *receiver;
	struct netring_error error = { "" };
	struct netring_burst burst;
	uint8_t frame[1520];

	other.interface = "nr0";
	other.ignore_outgoing = true;
	other.block_timeout_ms = 1;
	receiver = open_and_start(&other);
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 5 + 4);
	/* More than there are frames to send from. */
	for (size_t length = ETHERNET; length <= 1514; length += 4) {
		const struct netring_packet *packet;
		int ret = netring_send(capture, frame, length, &error);

		ck_assert_msg(ret == (int)length, "%zu: %d %s", length, ret, error.text);
		packet = take_one(receiver, &burst);
		ck_assert_uint_eq(packet->wire_len, length);
		ck_assert_mem_eq(packet->data, frame, length);
		netring_give_back(receiver, &burst, 1);
	}
	expect_silence(capture, 20);
	ck_assert_int_eq(netring_send(capture, frame, ETHERNET - 1, &error), -EINVAL);
	ck_assert_int_eq(netring_send(capture, frame, 1514 + 1, &error), -EMSGSIZE);
	ck_assert_str_eq(error.text, "send: Message too long");
	memcpy(frame + 12, "\x88\xa8", 2);
	ck_assert_int_eq(netring_send(capture, frame, 1514 + 4, &error), -EMSGSIZE);
	memcpy(frame + 12, "\x81\x00", 2);
	ck_assert_int_eq(netring_send(capture, frame, 1514 + 5, &error), -EMSGSIZE);
	ck_assert_int_eq(netring_send(capture, frame, 1514 + 4, &error), 1514 + 4);
	/* A packet ring shows the tag beside it. */
	ck_assert_uint_eq(take_one(receiver, &burst)->wire_len, 1514);
	netring_give_back(receiver, &burst, 1);
	memset(frame + 12, 0x55, 2);
	shell("ip link set nr1 down");
	ck_assert_int_eq(netring_send(capture, frame, 60, &error), -ENETDOWN);
	shell("ip link set nr1 up");
	ck_assert_int_eq(netring_send(capture, frame, 60, &error), 60);
	ck_assert_uint_eq(take_one(receiver, &burst)->wire_len, 60);
	expect_silence(capture, 5);
	netring_close(receiver);
	netring_close(capture);
}
END_TEST

/* As many as there are frames to send from, more than once, each. */
static void send_numbered(struct netring *capture, uint8_t process)
{
	uint8_t frame[60] = { 2 };

	frame[ETHERNET] = process;
	for (unsigned i = 0; i < 150; i++) {
		frame[ETHERNET + 1] = (uint8_t)i;
		if (netring_send(capture, frame, sizeof(frame), NULL) != (int)sizeof(frame))
			_exit(2);
	}
}

/* Parent and child have one transmit ring: each packet of either goes out once, whoever has sent before. */
START_TEST(fork_and_send)
{
	struct netring_config config = xdp_config(), other = small_config();
	struct netring *capture = open_and_start(&config), *receiver;
	struct netring_burst burst;
	int status;

	other.interface = "nr0";
	other.ignore_outgoing = true;
	receiver = open_and_start(&other);
	for (unsigned round = 0; round < 2; round++) {
		pid_t child = fork();

		if (child == 0) {
			send_numbered(capture, 1);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		send_numbered(capture, 0);
		for (unsigned i = 0; i < 300; i++) {
			const struct netring_packet *packet = take_one(receiver, &burst);

			ck_assert_uint_eq(packet->data[ETHERNET], i < 150);
			ck_assert_uint_eq(packet->data[ETHERNET + 1], i % 150);
			netring_give_back(receiver, &burst, 1);
		}
	}
	expect_silence(receiver, 20);
	netring_close(receiver);
	netring_close(capture);
}
END_TEST

/* The interface */

static bool wait_for(struct netring *capture, int expected)
{
	uint64_t end = now_ms() + DEADLINE_MS;
	struct netring_error error;
	int ret;

	do
		ret = netring_wait(capture, 50, &error);
	while (ret != expected && now_ms() < end);
	return ret == expected;
}

START_TEST(down_and_up)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);

	sender_send_many(sender, TYPE_A, 0, 10);
	expect_frames(capture, TYPE_A, 0, 10, 10);
	shell("ip link set nr1 down");
	ck_assert(wait_for(capture, -ENETDOWN));
	shell("ip link set nr1 up");
	ck_assert(wait_for(capture, 0));
	/* The other end takes a while to find out; until then it throws away what is sent. */
	shell("timeout 10 sh -c 'until ip link show nr0 | grep -q \"state UP\"; do sleep 0.01; done'");
	sender_send_many(sender, TYPE_A, 10, 10);
	expect_frames(capture, TYPE_A, 10, 10, 10);
	netring_close(capture);
}
END_TEST

START_TEST(deleted)
{
	struct netring_config config = xdp_config();
	struct netring_error error = { "" };
	struct netring *capture;
	const uint8_t packet[60] = { 2 };
	struct pollfd event;
	int ret;

	shell("ip link add nr6 type veth peer name nr7 && ip link set nr6 up && ip link set nr7 up");
	config.interface = "nr7";
	capture = open_and_start(&config);
	event = (struct pollfd){ .fd = netring_fd(capture), .events = POLLIN };
	ck_assert_int_eq(poll(&event, 1, 0), 0);
	shell("ip link del nr6");
	ck_assert_int_eq(poll(&event, 1, DEADLINE_MS), 1);
	ck_assert(wait_for(capture, -ENODEV));
	ret = netring_wait(capture, 0, &error);
	ck_assert_int_eq(ret, -ENODEV);
	ck_assert_str_eq(error.text, "The interface disappeared");
	ck_assert_int_eq(netring_send(capture, packet, sizeof(packet), &error), -ENXIO);
	ck_assert_str_eq(error.text, "send: No such device or address");
	netring_close(capture);
}
END_TEST

/* A process with a network namespace of its own. It ends when it is told to by a byte, with 1 if nr7 is there and has a program on it, else 0. */
static pid_t start_neighbour(int orders[2])
{
	int ready[2];
	pid_t child;
	char byte;

	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1 || read(orders[0], &byte, 1) != 1)
			_exit(2);
		_exit(interface_number("nr7") <= 0 ? 2 : has_program("nr7"));
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

/* To another network namespace: there the program would take packets that nobody gets any more. */
START_TEST(moved)
{
	struct netring_config config = xdp_config();
	struct netring *capture;
	int orders[2], status;
	pid_t neighbour;

	shell("ip link add nr6 type veth peer name nr7 && ip link set nr6 up && ip link set nr7 up");
	config.interface = "nr7";
	neighbour = start_neighbour(orders); /* first: it shall have no descriptor of the capture's */
	capture = open_and_start(&config);
	shell("ip link set nr7 netns %d", (int)neighbour);
	ck_assert(wait_for(capture, -ENODEV));
	ck_assert_int_eq(write(orders[1], "", 1), 1);
	ck_assert_int_eq(waitpid(neighbour, &status, 0), neighbour);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the program is on the interface (%#x)", status);
	close(orders[0]);
	close(orders[1]);
	netring_close(capture);
	shell("ip link del nr6 2>/dev/null || true");
}
END_TEST

START_TEST(renamed)
{
	struct netring_config config = xdp_config();
	struct netring_error error = { "" };
	struct netring *capture;
	uint8_t frame[60] = { 2 };
	int ret;

	shell("ip link add nr6 type veth peer name nr7 && ip link set nr6 up && ip link set nr7 up");
	config.interface = "nr7";
	capture = open_and_start(&config);
	shell("ip link set nr7 down && ip link set nr7 name nr8 && ip link set nr8 up");
	ret = netring_send(capture, frame, sizeof(frame), &error);
	ck_assert_msg(ret == (int)sizeof(frame), "%d %s", ret, error.text);
	netring_close(capture);
	shell("ip link del nr6");
}
END_TEST

START_TEST(descriptor)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct pollfd event = { .fd = netring_fd(capture), .events = POLLIN };
	struct netring_burst burst;

	ck_assert_int_eq(poll(&event, 1, 0), 0);
	sender_send_many(sender, TYPE_A, 0, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(poll(&event, 1, DEADLINE_MS), 1);
		ck_assert_int_eq(poll(&event, 1, DEADLINE_MS), 1);
		take_one(capture, &burst);
		netring_give_back(capture, &burst, 1);
	}
	ck_assert_int_eq(poll(&event, 1, 0), 0);
	netring_close(capture);
}
END_TEST

START_TEST(busy_polling)
{
	struct netring_config config = xdp_config();
	struct netring *capture;

	config.busy_poll_us = 2000;
	capture = open_and_start(&config);
	for (unsigned i = 0; i < 50; i++) {
		sender_send_many(sender, TYPE_A, i * 10, 10);
		expect_frames(capture, TYPE_A, i * 10, 10, 10);
	}
	netring_close(capture);
}
END_TEST

START_TEST(promiscuous)
{
	struct netring_config config = xdp_config();
	struct netring *capture;

	config.promiscuous = true;
	capture = open_and_start(&config);
	shell("ip -d link show nr1 | grep -q 'promiscuity 1'");
	netring_close(capture);
	shell("ip -d link show nr1 | grep -q 'promiscuity 0'");
}
END_TEST

/* Nothing is left behind. */
START_TEST(open_and_close)
{
	struct netring_config config = xdp_config();
	unsigned descriptors = open_descriptors();

	for (unsigned i = 0; i < 200; i++) {
		struct netring *capture = open_and_start(&config);

		sender_send(sender, TYPE_A, i, FRAME_LEN);
		if (i % 10 == 0)
			expect_frames(capture, TYPE_A, i, 1, 1);
		netring_close(capture);
	}
	ck_assert_uint_eq(open_descriptors(), descriptors);
	ck_assert(!has_program("nr1"));
}
END_TEST

/* A program that goes to the background reads on in the child; a child that closes disturbs nobody. */
START_TEST(fork_and_read)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	int status;
	pid_t child;

	sender_send_many(sender, TYPE_A, 0, 5);
	expect_frames(capture, TYPE_A, 0, 5, 5);
	child = fork();
	if (child == 0) {
		netring_close(capture);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	sender_send_many(sender, TYPE_A, 5, 5);
	expect_frames(capture, TYPE_A, 5, 5, 5);
	child = fork();
	if (child == 0) {
		sender_send_many(sender, TYPE_A, 10, 5);
		expect_frames(capture, TYPE_A, 10, 5, 5);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	netring_close(capture);
}
END_TEST

/* Refusals */

START_TEST(wrong_settings)
{
	struct netring_config config = xdp_config();
	unsigned descriptors = open_descriptors();

	config.xdp.queues = "0,3";
	expect_refusal(&config, EINVAL, "nr1: queues 0,3: there is no receive queue 3; the interface has 1");
	config.xdp.queues = "0-";
	expect_refusal(&config, EINVAL, "must be all, or numbers");
	config.xdp.queues = NULL;
	config.xdp.frames = 1000;
	expect_refusal(&config, EINVAL, "power of two");
	config.xdp.frames = 1 << 24;
	config.xdp.frame_size = 4096;
	expect_refusal(&config, ENOMEM, "nr1: 67108864 KiB");
	config.xdp.frame_size = 1024;
	expect_refusal(&config, EINVAL, "frame_size");
	config = xdp_config();
	config.xdp.copy = NETRING_XDP_ZEROCOPY;
	expect_refusal(&config, EINVAL, "zero-copy was asked for");
	config = xdp_config();
	config.xdp.mode = NETRING_XDP_OFFLOAD;
	expect_refusal(&config, EINVAL, "nr1");
	config = xdp_config();
	config.interface = "nr8";
	expect_refusal(&config, ENODEV, "nr8");
	ck_assert_uint_eq(open_descriptors(), descriptors);
	ck_assert(!has_program("nr1"));
}
END_TEST

START_TEST(taken_already)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);

	expect_refusal(&config, EBUSY, "nr1");
	sender_send_many(sender, TYPE_A, 0, 1);
	expect_frames(capture, TYPE_A, 0, 1, 1);
	netring_close(capture);
	shell("ip addr add 10.98.0.1/24 dev nr1");
	expect_refusal(&config, EBUSY, "NETRING_XDP_STEAL");
	config.xdp.steal = true;
	netring_close(open_and_start(&config));
	shell("ip addr del 10.98.0.1/24 dev nr1");
}
END_TEST

/* Without a number the queues share the ring's size; it is cut to what memory there is, unless that is forbidden. */
START_TEST(frames_of_the_size)
{
	struct netring_config config = xdp_config();
	struct netring *capture;

	wide_pair();
	config.interface = "nr5";
	config.xdp.frames = 0;
	config.block_size = 1 << 20;
	config.block_count = 15;
	capture = open_and_start(&config);
	ck_assert_uint_eq(capture->ring[0].cells, 2048);
	ck_assert_uint_eq(capture->ring[1].cells, 2048);
	netring_close(capture);
	config.block_count = 1 << 20;
	expect_refusal(&config, ENOMEM, "because memory is short");
}
END_TEST

/* What AF_XDP is not for gets the packet ring, unless that is forbidden. */
START_TEST(fallback)
{
	struct netring_config config = xdp_config();
	struct netring *capture;

	config.interface = NULL;
	expect_refusal(&config, EOPNOTSUPP, "any");
	config.strict = false;
	capture = open_and_start(&config);
	ck_assert(!capture_is_xdp(capture));
	netring_close(capture);
	config.interface = "lo";
	capture = open_and_start(&config);
	ck_assert(!capture_is_xdp(capture));
	netring_close(capture);
}
END_TEST

/* The test itself is of interest here only for its memory: a descriptor that cannot be true. */
START_TEST(corrupted_descriptor)
{
	struct netring_config config = xdp_config();
	struct netring *capture = open_and_start(&config);
	struct xdp_queue *queue = capture->ring[0].xdp;
	struct xdp_desc *desc = queue->receive.entries, sound;
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct xdp_cursor cursor;
	struct xdp_packet packet;
	static const struct xdp_desc wrong[] = {
		{ .addr = 0, .len = 60 },
		{ .addr = 57, .len = 60 },
		{ .addr = UINT64_MAX, .len = 60 },
		{ .addr = 274, .len = 1775 },
		{ .addr = (FRAMES + XDP_TRANSMIT_FRAMES) * 2048, .len = 60 },
		{ .addr = 274, .len = UINT32_MAX },
	};

	sender_send_many(sender, TYPE_A, 0, 1);
	while (!capture_is_ready(capture))
		poll(NULL, 0, 1);
	sound = desc[0];
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		desc[0] = wrong[i];
		ck_assert_int_eq(netring_take(capture, &burst, 1, &error), -EBADMSG);
		ck_assert_msg(strstr(error.text, "corrupted descriptor") != NULL, "%s", error.text);
		ck_assert_int_eq(capture_borrow_xdp(capture, &cursor, 1), 1);
		ck_assert(!xdp_ring_next(&cursor, &packet) && cursor.desc != cursor.end);
	}
	desc[0] = sound;
	expect_frames(capture, TYPE_A, 0, 1, 1);
	netring_close(capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp ring");
	TCase *tcase = tcase_create("xdp ring");

	fixture_enter();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, begins_with_interest);
	tcase_add_test(tcase, every_length);
	tcase_add_test(tcase, many_times_round);
	tcase_add_test(tcase, partly_used);
	tcase_add_test(tcase, vlan_tags);
	tcase_add_test(tcase, filter_before_the_first);
	tcase_add_test(tcase, filter_while_queued);
	tcase_add_test(tcase, filters_in_a_flood);
	tcase_add_test(tcase, one_protocol);
	tcase_add_test(tcase, snaplen);
	tcase_add_test(tcase, no_metadata);
	tcase_add_test(tcase, clock_set_back_a_little);
	tcase_add_test(tcase, overflow);
	tcase_add_test(tcase, all_frames_while_stopped);
	tcase_add_test(tcase, mtu_raised);
	tcase_add_test(tcase, time_stamps);
	tcase_add_test(tcase, two_queues);
	tcase_add_test(tcase, two_queues_at_once);
	tcase_add_test(tcase, one_of_two_queues);
	tcase_add_test(tcase, two_interfaces);
	tcase_add_test(tcase, send_arrives);
	tcase_add_test(tcase, fork_and_send);
	tcase_add_test(tcase, down_and_up);
	tcase_add_test(tcase, deleted);
	tcase_add_test(tcase, moved);
	tcase_add_test(tcase, renamed);
	tcase_add_test(tcase, descriptor);
	tcase_add_test(tcase, busy_polling);
	tcase_add_test(tcase, promiscuous);
	tcase_add_test(tcase, open_and_close);
	tcase_add_test(tcase, fork_and_read);
	tcase_add_test(tcase, wrong_settings);
	tcase_add_test(tcase, taken_already);
	tcase_add_test(tcase, frames_of_the_size);
	tcase_add_test(tcase, fallback);
	tcase_add_test(tcase, corrupted_descriptor);
	suite_add_tcase(suite, tcase);
	return fixture_run(suite);
}
