/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine on copies in XDP: what comes out is what was sent, and the host gets it too; who sleeps is woken, in whatever way he sleeps; filters in user
 * space, statistics, sending, the interface's life.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "faulty-libbpf.h"
#include "fixture.h"
#include "xdp-tap.h"

static int sender;

static void setup(void)
{
	sender = sender_open("nr0");
}

static void teardown(void)
{
	close(sender);
}

static struct netring_config tap_config(void)
{
	struct netring_config config = small_config();

	config.backend = NETRING_BACKEND_XDP_TAP;
	config.strict = true;
	config.limit_memory = false;
	config.block_count = 64; /* 4 MiB */
	return config;
}

static const struct netring_packet *take_one(struct netring *capture, struct netring_burst *burst)
{
	ck_assert_msg(take_some(capture, burst, 1), "nothing came");
	return &burst->packet[0];
}

/* Every length, to the host as well, at an aligned address that can be written to. */
START_TEST(every_length)
{
	struct netring_config config = tap_config();
	struct netring *capture = open_or_fail(&config);
	struct netring_config beside = small_config();
	struct netring *host = open_or_fail(&beside);
	struct netring_burst burst;
	uint8_t frame[1514];

	ck_assert(capture_is_tap(capture));
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 31 + 2); /* not multicast, of no type that is known */
	for (size_t length = ETHERNET; length <= sizeof(frame); length++) {
		const struct netring_packet *packet;

		ck_assert_int_eq(send(sender, frame, length, 0), (ssize_t)length);
		packet = take_one(capture, &burst);
		ck_assert_uint_eq(packet->wire_len, length);
		ck_assert_uint_eq(packet->captured_len, length);
		ck_assert_mem_eq(packet->data, frame, length);
		ck_assert_uint_eq(packet->link->sll_pkttype, PACKET_OTHERHOST);
		ck_assert_int_eq(packet->link->sll_ifindex, interface_number("nr1"));
		ck_assert_uint_eq((uintptr_t)(packet->data + ETHERNET) % 4, 0);
		memset(packet->data, 0, length);
		netring_give_back(capture, &burst, 1);
	}
	while (stats_of(host).packets < sizeof(frame) - ETHERNET + 1)
		poll(NULL, 0, 1);
	netring_close(host);
	netring_close(capture);
}
END_TEST

START_TEST(many_times_round)
{
	struct netring_config config = tap_config();
	struct netring *capture = open_or_fail(&config);

	/* 4096 records of 136 bytes: each ring buffer several times round, wherever the sender runs. */
	for (unsigned first = 0; first < 200000; first += 4096) {
		sender_send_many(sender, TYPE_A, first, 4096);
		expect_frames(capture, TYPE_A, first, 4096, 1 + first / 4096 * 7 % NETRING_BURST_MAX);
	}
	ck_assert_uint_eq(stats_of(capture).drops, 0);
	netring_close(capture);
}
END_TEST

/* A packet is on its way at any time of a sleep, a nap's end above all. */
struct late {
	pthread_t thread;
	unsigned us;
	uint32_t number;
};

static void *send_late(void *context)
{
	struct late *late = context;
	const struct timespec pause = { 0, late->us * 1000L };

	nanosleep(&pause, NULL);
	sender_send(sender, TYPE_A, late->number, FRAME_LEN);
	return NULL;
}

static void wait_for_late(struct netring *capture, struct late *late)
{
	struct netring_error error = { "" };
	struct netring_burst burst;

	ck_assert_int_eq(pthread_create(&late->thread, NULL, send_late, late), 0);
	while (netring_take(capture, &burst, 1, &error) == 0) {
		int ret = netring_wait(capture, DEADLINE_MS, &error);

		ck_assert_msg(ret == 1, "packet %u, after %u us: nobody was woken (%d %s)", late->number, late->us, ret, error.text);
	}
	check_frame(&burst.packet[0], TYPE_A, late->number, FRAME_LEN);
	netring_give_back(capture, &burst, 1);
	pthread_join(late->thread, NULL);
}

/* _i: in immediate mode */
START_TEST(lone_packets)
{
	struct netring_config config = tap_config();
	struct netring *capture;

	config.immediate = _i;
	capture = open_or_fail(&config);
	for (uint32_t n = 0; n < 300; n++) {
		struct late late = { .us = n % 60 * 250, .number = n };

		wait_for_late(capture, &late);
	}
	netring_close(capture);
}
END_TEST

/* One after the other, from changing CPUs. */
static void *send_scattered(void *context)
{
	uint32_t *count = context;

	for (uint32_t n = 0; n < *count; n++) {
		const struct timespec pause = { 0, n * 7919 % 400 * 1000 };
		cpu_set_t cpu;

		CPU_ZERO(&cpu);
		CPU_SET(n / 8 % 2, &cpu);
		sched_setaffinity(0, sizeof(cpu), &cpu);
		sender_send(sender, TYPE_A, n, FRAME_LEN);
		if (n % 3 == 0)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void poll_for(int fd, uint32_t next)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };

	ck_assert_msg(poll(&event, 1, DEADLINE_MS) == 1, "packet %u: the descriptor does not become readable", next);
}

/* Who sleeps on the descriptor by himself takes one packet, or two, or all, and sleeps again. */
START_TEST(descriptor)
{
	struct netring_config config = tap_config();
	struct netring_error error = { "" };
	struct netring *capture;
	struct netring_burst burst;
	uint32_t count = 6000, next = 0;
	struct pollfd event = { .events = POLLIN };
	pthread_t thread;

	config.immediate = _i;
	capture = open_or_fail(&config);
	/* There is something already when the descriptor is asked for. */
	sender_send_many(sender, TYPE_B, 0, 1);
	while (stats_of(capture).packets < 1)
		poll(NULL, 0, 1);
	event.fd = netring_fd(capture);
	poll_for(event.fd, 0);
	expect_frames(capture, TYPE_B, 0, 1, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_scattered, &count), 0);
	while (next < count) {
		poll_for(event.fd, next);
		ck_assert_int_ge(netring_take(capture, &burst, next % 5 ? next % 5 : NETRING_BURST_MAX, &error), 0);
		for (unsigned i = 0; i < burst.count; i++)
			ck_assert_uint_eq(packet_number(&burst.packet[i]), next++);
		netring_give_back(capture, &burst, burst.count);
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(netring_take(capture, &burst, 1, &error), 0);
	ck_assert_int_eq(poll(&event, 1, 20), 0);
	netring_close(capture);
}
END_TEST

/* How much is in the ring buffer when its reader, who has not asked for it, is woken. _i: of packets of which lengths, in turn. */
START_TEST(woken_in_time)
{
	static const size_t lengths[][2] = { { 60, 1514 }, { 1514, 60 }, { 1514, 1514 }, { 60, 60 } };
	struct netring_config config = tap_config();
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct netring *capture;
	const struct xdp_tap *tap;
	uint8_t frame[1514] = { 2 };
	uint64_t limit;
	unsigned sent = 0;

	config.block_count = 16; /* 1 MiB, and so one ring buffer */
	capture = open_or_fail(&config);
	ck_assert_uint_eq(capture->rings, 1);
	tap = capture->ring[0].tap;
	limit = (uint64_t)capture->ring[0].cells * XDP_TAP_CELL / 4;
	/* Told of wake-ups alone, of which the first record is one. */
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, capture->ring[0].fd, &event), 0);
	ck_assert_int_eq(send(sender, frame, 60, 0), 60);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, DEADLINE_MS), 1);
	do {
		size_t length = lengths[_i][sent++ % 2];

		ck_assert_int_eq(send(sender, frame, length, 0), (ssize_t)length);
		while (stats_of(capture).packets < sent + 1)
			poll(NULL, 0, 1);
	} while (epoll_wait(epoll, &event, 1, 0) == 0 && sent < 2000);
	/* A wake-up takes a moment. */
	ck_assert_uint_le(sent, XDP_TAP_WAKE_RECORDS + 4);
	ck_assert_uint_le(__atomic_load_n(tap->producer, __ATOMIC_ACQUIRE), limit + 4 * 2048);
	ck_assert(sent > 100);
	netring_close(capture);
	close(epoll);
}
END_TEST

START_TEST(filter_while_queued)
{
	struct netring_config config = tap_config();
	struct netring *capture = open_or_fail(&config);
	struct netring_error error = { "" };
	struct sock_filter filter[5];
	struct netring_burst burst;

	for (unsigned i = 0; i < 100; i++) {
		sender_send(sender, TYPE_B, i, FRAME_LEN);
		sender_send(sender, TYPE_A, i, FRAME_LEN);
	}
	/* Some are in hand. */
	ck_assert(take_some(capture, &burst, 1));
	netring_give_back(capture, &burst, 0);
	ck_assert_int_eq(netring_set_filter(capture, filter, type_filter(filter, TYPE_A, TYPE_A, 65535), &error), 0);
	sender_send_many(sender, TYPE_B, 100, 100);
	sender_send_many(sender, TYPE_A, 100, 100);
	expect_frames(capture, TYPE_A, 0, 200, 50);
	expect_silence(capture, 20);
	ck_assert_uint_eq(stats_of(capture).packets, 300);
	ck_assert_uint_eq(stats_of(capture).rejected, 100);
	netring_close(capture);
}
END_TEST

/* What looks at the packet's hash cannot be judged in XDP. It also looks at a byte behind the snaplen, which is there for that. */
START_TEST(in_user_space)
{
	static const struct sock_filter hashed[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RXHASH)),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 90),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_A, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 65535),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct netring_config config = tap_config();
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct netring *capture;

	config.strict = false;
	config.snaplen = 40;
	capture = open_or_fail(&config);
	ck_assert_int_eq(netring_set_filter(capture, hashed, 6, &error), 1);
	for (unsigned i = 0; i < 50; i++) {
		sender_send(sender, TYPE_B, i, FRAME_LEN);
		sender_send(sender, TYPE_A, i, FRAME_LEN);
	}
	for (unsigned i = 0; i < 50; i++) {
		const struct netring_packet *packet = take_one(capture, &burst);

		ck_assert_uint_eq(packet_type(packet), TYPE_A);
		ck_assert_uint_eq(packet_number(packet), i);
		ck_assert_uint_eq(packet->captured_len, 40);
		ck_assert_uint_eq(packet->wire_len, FRAME_LEN);
		netring_give_back(capture, &burst, 1);
	}
	expect_silence(capture, 20);
	ck_assert_int_eq(netring_set_filter(capture, NULL, 0, &error), 0);
	sender_send(sender, TYPE_B, 1, FRAME_LEN);
	ck_assert_uint_eq(take_one(capture, &burst)->captured_len, 40);
	netring_close(capture);
}
END_TEST

/* A filter that looks behind the snaplen judges whole packets in XDP, and is not asked again here, where only their begins are. */
START_TEST(behind_the_snaplen)
{
	static const struct sock_filter last_byte[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FRAME_LEN - 1),
		BPF_STMT(BPF_RET | BPF_K, 65535),
	};
	struct netring_config config = tap_config();
	struct netring_error error = { "" };
	struct netring_burst burst;
	struct netring *capture;

	config.snaplen = 40;
	capture = open_or_fail(&config);
	for (unsigned round = 0; round < 20; round++) {
		ck_assert_int_eq(netring_set_filter(capture, last_byte, 2, &error), 0);
		sender_send(sender, TYPE_B, round, FRAME_LEN - 1);
		sender_send(sender, TYPE_A, round, FRAME_LEN);
		ck_assert_uint_eq(packet_type(take_one(capture, &burst)), TYPE_A);
		netring_give_back(capture, &burst, 1);
	}
	expect_silence(capture, 20);
	netring_close(capture);
}
END_TEST

START_TEST(overflow)
{
	struct netring_config config = tap_config();
	struct netring_stats stats;
	struct netring *capture;
	unsigned seen = 0;

	config.block_size = 1 << 16;
	config.block_count = 1;
	capture = open_or_fail(&config);
	sender_send_many(sender, TYPE_A, 0, 3000);
	while (stats_of(capture).packets < 3000)
		poll(NULL, 0, 1);
	stats = stats_of(capture);
	seen = (unsigned)(3000 - stats.drops);
	ck_assert_uint_gt(seen, 300);
	ck_assert_uint_lt(seen, 1000);
	expect_frames(capture, TYPE_A, 0, seen, 64);
	expect_silence(capture, 20);
	sender_send_many(sender, TYPE_A, 5000, 1);
	expect_frames(capture, TYPE_A, 5000, 1, 1);
	stats = stats_of(capture);
	ck_assert_uint_eq(stats.packets, 3001);
	ck_assert_uint_eq(stats.delivered + stats.drops, 3001);
	netring_close(capture);
}
END_TEST

START_TEST(send_arrives)
{
	struct netring_config config = tap_config(), other = small_config();
	struct netring *capture = open_or_fail(&config), *peer;
	struct netring_error error = { "" };
	struct netring_burst burst;
	uint8_t frame[FRAME_LEN], large[2000] = { 0 };

	other.interface = "nr0";
	peer = open_or_fail(&other);
	memset(frame, 0xff, ETH_ALEN);
	memset(frame + ETH_ALEN, 2, FRAME_LEN - ETH_ALEN);
	memcpy(frame + 12, "\x88\xb5", 2);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_int_eq(netring_send(capture, frame, sizeof(frame), &error), FRAME_LEN);
		ck_assert_mem_eq(take_one(peer, &burst)->data, frame, sizeof(frame));
		netring_give_back(peer, &burst, 1);
	}
	expect_silence(capture, 20);
	ck_assert_int_eq(netring_send(capture, large, sizeof(large), &error), -EMSGSIZE);
	ck_assert_str_eq(error.text, "send: Message too long");
	netring_close(peer);
	netring_close(capture);
}
END_TEST

START_TEST(down_and_up)
{
	struct netring_config config = tap_config();
	struct netring *capture = open_or_fail(&config);
	struct netring_error error = { "" };
	uint64_t end = now_ms() + DEADLINE_MS;

	shell("ip link set nr1 down");
	while (netring_wait(capture, 100, &error) != -ENETDOWN)
		ck_assert_msg(now_ms() < end, "%s", error.text);
	shell("ip link set nr1 up");
	do {
		ck_assert(now_ms() < end);
		sender_send(sender, TYPE_A, 7, FRAME_LEN);
	} while (netring_wait(capture, 20, &error) != 1 || !capture_is_ready(capture));
	netring_close(capture);
}
END_TEST

START_TEST(deleted)
{
	struct netring_config config = tap_config();
	struct netring_error error = { "" };
	struct netring *capture;
	uint64_t end = now_ms() + DEADLINE_MS;
	int ret;

	config.interface = "nr3";
	capture = open_or_fail(&config);
	shell("ip link del nr3");
	do {
		ret = netring_wait(capture, 100, &error);
		ck_assert(now_ms() < end);
	} while (ret >= 0 || ret == -ENETDOWN);
	ck_assert_int_eq(ret, -ENODEV);
	ck_assert_str_eq(error.text, "The interface disappeared");
	netring_close(capture);
	shell("ip link add nr2 type veth peer name nr3 && ip link set nr2 up && ip link set nr3 up");
}
END_TEST

START_TEST(two_interfaces)
{
	struct netring_config config = tap_config();
	struct netring *capture;
	int other = sender_open("nr2");

	config.interface = "nr1,nr3";
	capture = open_or_fail(&config);
	for (uint32_t n = 0; n < 1000; n += 2) {
		sender_send(sender, TYPE_A, n, FRAME_LEN);
		sender_send(other, TYPE_A, n + 1, FRAME_LEN);
	}
	expect_frames(capture, TYPE_A, 0, 1000, 64);
	close(other);
	netring_close(capture);
}
END_TEST

START_TEST(open_and_close)
{
	struct netring_config config = tap_config();
	unsigned before = 0;

	for (unsigned i = 0; i < 10; i++) {
		netring_close(open_or_fail(&config));
		if (i == 0)
			before = open_descriptors();
	}
	ck_assert_uint_eq(open_descriptors(), before);
	ck_assert_int_ne(system("ip link show nr1 | grep -q xdp"), 0);
}
END_TEST

/* One call of the kernel after the other fails. */

static unsigned until_failure; /* calls */
static int failure;

static int map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size, __u32 entries,
		      const struct bpf_map_create_opts *options)
{
	return --until_failure == 0 ? failure : sound_libbpf()->bpf_map_create(type, name, key_size, value_size, entries, options);
}

static int map_update(int fd, const void *key, const void *value, __u64 flags)
{
	return --until_failure == 0 ? failure : sound_libbpf()->bpf_map_update_elem(fd, key, value, flags);
}

static int prog_load(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insn, size_t count,
		     const struct bpf_prog_load_opts *options)
{
	return --until_failure == 0 ? failure : sound_libbpf()->bpf_prog_load(type, name, license, insn, count, options);
}

static int link_create(int program, int target, enum bpf_attach_type type, const struct bpf_link_create_opts *options)
{
	return --until_failure == 0 ? failure : sound_libbpf()->bpf_link_create(program, target, type, options);
}

static int no_load_bytes(enum bpf_prog_type type, enum bpf_func_id helper, const void *options)
{
	return helper == BPF_FUNC_xdp_load_bytes ? 0 : sound_libbpf()->libbpf_probe_bpf_helper(type, helper, options);
}

/* Returns the number of calls that there are. */
static unsigned fail_each(int errnum)
{
	struct netring_config config = tap_config();

	for (unsigned nth = 1;; nth++) {
		struct netring_error error = { "" };
		unsigned before = open_descriptors();
		struct netring *capture = NULL;
		int ret;

		until_failure = nth;
		failure = -errnum;
		ret = netring_open(&capture, &config, &error);
		if (ret == 0)
			netring_close(capture);
		ck_assert_uint_eq(open_descriptors(), before);
		ck_assert_int_ne(system("ip link show nr1 | grep -q xdp"), 0);
		if (until_failure != 0)
			return nth - 1;
		ck_assert_msg(ret < 0 && strlen(error.text) > 20 && !capture, "call %u: %d %s", nth, ret, error.text);
	}
}

START_TEST(failures)
{
	static const int errnums[] = { EPERM, ENOMEM };
	struct netring_config config = tap_config();
	struct netring_error error = { "" };
	struct netring *capture = NULL;

	netring_close(open_or_fail(&config));
	for (unsigned i = 0; i < 2; i++) {
		table.bpf_map_create = map_create;
		ck_assert_uint_gt(fail_each(errnums[i]), 4);
		table.bpf_map_create = sound_libbpf()->bpf_map_create;
		table.bpf_map_update_elem = map_update;
		ck_assert_uint_gt(fail_each(errnums[i]), 0);
		table.bpf_map_update_elem = sound_libbpf()->bpf_map_update_elem;
		table.bpf_prog_load = prog_load;
		ck_assert_uint_gt(fail_each(errnums[i]), 0);
		table.bpf_prog_load = sound_libbpf()->bpf_prog_load;
		table.bpf_link_create = link_create;
		ck_assert_uint_gt(fail_each(errnums[i]), 0);
		table.bpf_link_create = sound_libbpf()->bpf_link_create;
	}
	table.libbpf_probe_bpf_helper = no_load_bytes;
	ck_assert_int_eq(netring_open(&capture, &config, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text, "nr1: the kernel cannot copy packets in XDP, which Linux 5.18 can");
	config.strict = false;
	capture = open_or_fail(&config);
	ck_assert(!capture_is_xdp(capture));
	netring_close(capture);
	table = *sound_libbpf();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp tap");
	TCase *tcase = tcase_create("xdp tap");

	fixture_enter();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_length);
	tcase_add_test(tcase, many_times_round);
	tcase_add_loop_test(tcase, lone_packets, 0, 2);
	tcase_add_loop_test(tcase, descriptor, 0, 2);
	tcase_add_loop_test(tcase, woken_in_time, 0, 4);
	tcase_add_test(tcase, filter_while_queued);
	tcase_add_test(tcase, in_user_space);
	tcase_add_test(tcase, behind_the_snaplen);
	tcase_add_test(tcase, overflow);
	tcase_add_test(tcase, send_arrives);
	tcase_add_test(tcase, down_and_up);
	tcase_add_test(tcase, deleted);
	tcase_add_test(tcase, two_interfaces);
	tcase_add_test(tcase, open_and_close);
	tcase_add_test(tcase, failures);
	suite_add_tcase(suite, tcase);
	return fixture_run(suite);
}
