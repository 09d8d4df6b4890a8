/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "engine-rings-fixture.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

struct netring_error error;

const unsigned ring_counts[RING_COUNTS] = { 1, 2, 4 };

struct netring_config rings_config(const char *interface, unsigned rings, enum netring_fanout_mode mode)
{
	struct netring_config config = small_config();

	config.interface = interface;
	config.rings = rings;
	config.fanout.mode = mode;
	return config;
}

cpu_set_t all_cpus;

void run_on(unsigned n)
{
	int number = 0;
	cpu_set_t set;

	for (n %= (unsigned)CPU_COUNT(&all_cpus); !CPU_ISSET(number, &all_cpus) || n-- > 0;)
		number++;
	CPU_ZERO(&set);
	CPU_SET(number, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

void rings_setup(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all_cpus), &all_cpus), 0);
	error.text[0] = '\0';
}

void rings_teardown(void)
{
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all_cpus), &all_cpus), 0);
}

struct reading reading;

void begin_reading(void)
{
	memset(&reading, 0, sizeof(reading));
}

void read_packet(const struct netring_packet *packet, uint16_t type)
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

void read_more(struct netring *capture, uint16_t type, unsigned count)
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

void check_stats(struct netring *capture)
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

void check_rings_delivered(struct netring *capture)
{
	struct netring_stats one;

	for (unsigned i = 0; i < netring_rings(capture); i++) {
		ck_assert_int_eq(netring_ring_stats(capture, i, &one, &error), 0);
		ck_assert_uint_eq(one.delivered, reading.of_ring[i]);
	}
}

bool is_readable(struct netring *capture, int timeout_ms)
{
	struct pollfd fd = { .fd = netring_fd(capture), .events = POLLIN };
	int ret = poll(&fd, 1, timeout_ms);

	ck_assert_int_ge(ret, 0);
	return ret == 1;
}
