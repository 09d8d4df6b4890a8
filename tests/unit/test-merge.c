/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several rings read as one, on rings that are built in memory between pages that may not be touched.
 *
 * The larger tests simulate the kernel: a world with a clock of its own, in which each source opens blocks, counts packets into them, stamps them and
 * hands the blocks over. Its time can go on at every look that the merge takes at a ring, so that whatever can happen between two looks does happen.
 * What comes out has to be everything, once, and in the order of time.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "guarded.h"
#include "merge.h"
#include "packet-filter.h"
#include "packet-frame.h"
#include "test-random.h"

#define SOURCES_MAX 9
#define ETHERNET 14
#define LENGTH (ETHERNET + 4)
#define MAC_OFFSET 86
#define STEP ((MAC_OFFSET + LENGTH + 7) & ~7u)
#define V2_MAC_OFFSET 66
#define V2_FRAME 128u
#define IDS_MAX 200000

/* Simulated nanoseconds begin here: large enough to subtract delays from. */
#define EPOCH UINT64_C(5000000000)
#define DELAY 40

static struct packet_ring rings[SOURCES_MAX];
static size_t pages[SOURCES_MAX];
static uint32_t next_cell[SOURCES_MAX]; /* the one that the kernel fills, or fills next */
static unsigned opened;
static struct merge merge;
static struct netring_error error;
static uint64_t world_ns;
static uint32_t next_id;
static uint64_t time_of[IDS_MAX];
static unsigned source_of[IDS_MAX];
static unsigned seen[IDS_MAX];
static char about[32];	   /* what failed */
static uint64_t last_time; /* of the last packet that was consumed */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(world_ns / 1000000000);
	now->tv_nsec = (long)(world_ns % 1000000000);
	return 0;
}

static void setup(void)
{
	opened = 0;
	memset(seen, 0, next_id * sizeof(*seen));
	next_id = 0;
	world_ns = EPOCH;
	error.text[0] = '\0';
	last_time = 0;
	merge_init(&merge);
}

static void teardown(void)
{
	merge_close(&merge);
	for (unsigned i = 0; i < opened; i++) {
		uint8_t *map = rings[i].map;

		rings[i].map = NULL;
		packet_ring_close(&rings[i]);
		guarded_unmap(map, pages[i]);
	}
	opened = 0;
}

/* Rings */

/* A socket that takes filters, and needs no privilege. */
static int any_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void open_ring(unsigned i, const struct packet_ring_kind *kind, uint32_t cells, uint32_t block_pages)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct packet_ring *ring = &rings[i];

	packet_ring_init(ring);
	ring->fd = any_socket();
	ring->kind = kind;
	ring->block_size = block_pages * page;
	ring->cells_per_block = kind->version == TPACKET_V2 ? ring->block_size / V2_FRAME : 1;
	ring->cell_size = kind->version == TPACKET_V2 ? V2_FRAME : ring->block_size;
	ring->cells = cells;
	pages[i] = (size_t)(cells + ring->cells_per_block - 1) / ring->cells_per_block * block_pages;
	ring->map = guarded_map(pages[i]);
	next_cell[i] = 0;
}

static void open_rings(unsigned count, const struct packet_ring_kind *kind, uint32_t cells, uint32_t block_pages)
{
	for (opened = 0; opened < count; opened++)
		open_ring(opened, kind, cells, block_pages);
	ck_assert_int_eq(merge_open(&merge, rings, count, DELAY, &error), 0);
}

/* Blocks */

static struct tpacket_block_desc *block_of(unsigned source, uint32_t cell)
{
	return (struct tpacket_block_desc *)packet_ring_cell(&rings[source], cell);
}

static uint32_t first_offset(void)
{
	return (sizeof(struct tpacket_block_desc) + 7) & ~7u;
}

static struct tpacket3_hdr *packet_in(unsigned source, uint32_t cell, unsigned n)
{
	return (struct tpacket3_hdr *)((uint8_t *)block_of(source, cell) + first_offset() + n * STEP);
}

static unsigned packets_per_block(unsigned source)
{
	return (rings[source].block_size - first_offset()) / STEP;
}

static void write_id(uint8_t *data, uint32_t id)
{
	memset(data, 0xff, ETHERNET);
	memcpy(data + ETHERNET, &id, sizeof(id));
}

/* Numbers a packet, and remembers what it was. */
static uint32_t new_id(unsigned source, uint64_t time_ns)
{
	ck_assert_uint_lt(next_id, IDS_MAX);
	time_of[next_id] = time_ns;
	source_of[next_id] = source;
	return next_id++;
}

static void open_block(unsigned source, uint64_t at_ns)
{
	struct tpacket_block_desc *block = block_of(source, next_cell[source]);

	ck_assert(!block_is_ours(block));
	block->version = 2;
	block->hdr.bh1.num_pkts = 0;
	block->hdr.bh1.offset_to_first_pkt = first_offset();
	block->hdr.bh1.blk_len = first_offset();
	block->hdr.bh1.ts_first_pkt.ts_sec = (unsigned)(at_ns / 1000000000);
	block->hdr.bh1.ts_first_pkt.ts_nsec = (unsigned)(at_ns % 1000000000);
}

static uint32_t add_packet(unsigned source, uint64_t time_ns, uint32_t status)
{
	uint32_t cell = next_cell[source], n = block_of(source, cell)->hdr.bh1.num_pkts++, id = new_id(source, time_ns);
	struct tpacket3_hdr *header = packet_in(source, cell, n);

	ck_assert_uint_lt(n, packets_per_block(source));
	memset(header, 0, STEP);
	header->tp_sec = (uint32_t)(time_ns / 1000000000);
	header->tp_nsec = (uint32_t)(time_ns % 1000000000);
	header->tp_snaplen = header->tp_len = LENGTH;
	header->tp_mac = MAC_OFFSET;
	header->tp_status = TP_STATUS_USER | status;
	write_id((uint8_t *)header + MAC_OFFSET, id);
	if (n)
		packet_in(source, cell, n - 1)->tp_next_offset = STEP;
	block_of(source, cell)->hdr.bh1.blk_len += STEP;
	return id;
}

static void retire_block(unsigned source)
{
	struct tpacket_block_desc *block = block_of(source, next_cell[source]);

	ck_assert(!block_is_ours(block));
	block->hdr.bh1.block_status = TP_STATUS_USER;
	next_cell[source] = (next_cell[source] + 1) % rings[source].cells;
}

/* A block of packets at these times, opened at the first of them, and handed over. */
static void put_block(unsigned source, const uint64_t *times, unsigned count)
{
	open_block(source, count ? times[0] : 0);
	for (unsigned i = 0; i < count; i++)
		add_packet(source, times[i], 0);
	retire_block(source);
}

static void put_row(unsigned source, uint64_t first_ns, uint64_t step_ns, unsigned count)
{
	open_block(source, first_ns);
	for (unsigned i = 0; i < count; i++)
		add_packet(source, first_ns + i * step_ns, 0);
	retire_block(source);
}

/* Reading */

static unsigned source_of_packet(unsigned n)
{
	return (unsigned)(merge.packet[n].source - merge.source);
}

static uint32_t id_of(unsigned n)
{
	struct netring_packet packet;
	uint32_t id;

	rings[source_of_packet(n)].kind->view(&rings[source_of_packet(n)], &packet, merge.packet[n].frame);
	ck_assert_uint_ge(packet.captured_len, LENGTH);
	memcpy(&id, packet.data + ETHERNET, sizeof(id));
	ck_assert_uint_lt(id, next_id);
	ck_assert_uint_eq(source_of[id], source_of_packet(n));
	return id;
}

static int take(unsigned max)
{
	int taken = merge_take(&merge, max, &error);

	ck_assert_int_le(taken, (int)max);
	ck_assert_uint_eq(merge.count, taken > 0 ? (unsigned)taken : 0);
	return taken;
}

static void consume(unsigned used)
{
	for (unsigned i = 0; i < used; i++) {
		uint32_t id = id_of(i);

		ck_assert_msg(seen[id]++ == 0, "packet %u twice", id);
		ck_assert_msg(time_of[id] >= last_time, "%spacket %u of source %u: %lld ns too late", about, id, source_of[id],
			      (long long)(last_time - time_of[id]));
		last_time = time_of[id];
	}
	merge_give_back(&merge, used);
}

/* A take, which has to give exactly the packets with these numbers. */
static void expect(unsigned max, const uint32_t *ids, unsigned count)
{
	ck_assert_int_eq(take(max), (int)count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_uint_eq(id_of(i), ids[i]);
}

#define EXPECT(max, ...) expect(max, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static uint64_t sum_delivered(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < opened; i++)
		sum += rings[i].delivered;
	return sum;
}

static uint64_t sum_rejected(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < opened; i++)
		sum += rings[i].rejected;
	return sum;
}

/* Until nothing comes any more, in bursts and with partial returns of random sizes. */
static void read_all(struct random *random)
{
	int taken;

	while ((taken = take(1 + random_below(random, MERGE_BATCH_MAX))) > 0)
		consume(random_below(random, 4) ? (unsigned)taken : random_below(random, (unsigned)taken + 1));
	ck_assert_int_eq(taken, 0);
}

static void expect_all_seen(void)
{
	for (uint32_t id = 0; id < next_id; id++)
		ck_assert_msg(seen[id] == 1, "packet %u (source %u) came %u times", id, source_of[id], seen[id]);
}

/* Order */

static int by_time(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return a < b ? -1 : a > b;
}

/* Random times, few or many different ones, over 1 to 9 sources, all there from the beginning: what comes out is what a sort would make of them. */
START_TEST(test_as_a_sort_would)
{
	unsigned sources = (unsigned)_i;
	struct random random = { 77 + (unsigned)_i };
	static uint64_t sorted[IDS_MAX];

	for (unsigned round = 0; round < 60; round++) {
		uint32_t range = round % 3 == 0 ? 5 : 1 + random_below(&random, 100000);
		uint32_t n = 0;
		int taken;

		open_rings(sources, &packet_ring_v3, 4, 1);
		for (unsigned i = 0; i < sources; i++) {
			open_block(i, EPOCH);
			for (unsigned count = random_below(&random, packets_per_block(i) + 1); count > 0; count--)
				add_packet(i, EPOCH + random_below(&random, range), 0);
			retire_block(i);
		}
		memcpy(sorted, time_of, next_id * sizeof(*sorted));
		qsort(sorted, next_id, sizeof(*sorted), by_time);
		while ((taken = take(1 + random_below(&random, MERGE_BATCH_MAX))) > 0) {
			for (int i = 0; i < taken; i++)
				ck_assert_uint_eq(time_of[id_of((unsigned)i)], sorted[n++]);
			consume((unsigned)taken);
		}
		ck_assert_int_eq(taken, 0);
		ck_assert_uint_eq(n, next_id);
		expect_all_seen();
		ck_assert_uint_eq(sum_delivered(), next_id);
		ck_assert_uint_eq(merge.disordered, 0);
		teardown();
		setup();
	}
}
END_TEST

/* Packets of one time stay in the order of their ring, however the list is sorted. */
START_TEST(test_equal_times_keep_their_rings_order)
{
	uint32_t last[2] = { 0, 0 };
	int taken;

	open_rings(2, &packet_ring_v3, 4, 16);
	for (unsigned i = 0; i < 2; i++) {
		open_block(i, EPOCH);
		/* Falling times, so that the list is given to qsort; ten packets of each. */
		for (unsigned n = 0; n < packets_per_block(i); n++)
			add_packet(i, EPOCH + 10000 - n / 10, 0);
		retire_block(i);
	}
	while ((taken = take(100)) > 0) {
		for (unsigned n = 0; n < (unsigned)taken; n++) {
			uint32_t id = id_of(n), *before = &last[source_of_packet(n)];

			if (*before && time_of[*before] == time_of[id])
				ck_assert_uint_gt(id, *before);
			*before = id;
		}
		consume((unsigned)taken);
	}
	expect_all_seen();
}
END_TEST

enum disorder { NEIGHBOURS, ONE_LATE, REVERSED, SHUFFLED, DISORDERS };

static void make_disorder(uint64_t *times, unsigned count, enum disorder disorder)
{
	struct random random = { 5 };

	for (unsigned i = 0; i < count; i++)
		times[i] = EPOCH + 10 * (disorder == REVERSED ? count - i : i);
	for (unsigned i = 0; i + 1 < count && disorder == NEIGHBOURS; i += 2) {
		uint64_t swapped = times[i];

		times[i] = times[i + 1];
		times[i + 1] = swapped;
	}
	if (disorder == ONE_LATE)
		times[count - 1] = EPOCH;
	for (unsigned i = count; i > 1 && disorder == SHUFFLED; i--) {
		unsigned other = random_below(&random, i);
		uint64_t swapped = times[i - 1];

		times[i - 1] = times[other];
		times[other] = swapped;
	}
}

/* A block is put in order, whatever order it had, beside one that is in order. */
START_TEST(test_disorder_inside_a_block)
{
	struct random random = { 9 };
	static uint64_t times[2000];
	unsigned count;

	open_rings(2, &packet_ring_v3, 4, 30);
	count = packets_per_block(0);
	ck_assert(count > 1000 && count < 2000);
	make_disorder(times, count, (enum disorder)_i);
	put_block(0, times, count);
	put_row(1, EPOCH + 5, 11, count);
	read_all(&random);
	expect_all_seen();
	ck_assert_uint_eq(merge.disordered, 0);
	ck_assert_uint_eq(sum_delivered(), 2 * count);
}
END_TEST

/* Giving back */

/* Two sources in turn. Every number taken, and every number of them used: the rest comes again, first. */
START_TEST(test_partial_return_at_every_point)
{
	for (unsigned max = 1; max <= 24; max++)
		for (unsigned used = 0; used <= max; used++) {
			open_rings(2, &packet_ring_v3, 4, 1);
			put_row(0, EPOCH, 20, 10);
			put_row(1, EPOCH + 10, 20, 10);
			for (unsigned first = 0; first < 20;) {
				int taken = take(max);
				unsigned consumed = (unsigned)taken < used ? (unsigned)taken : used;

				ck_assert_int_gt(taken, 0);
				ck_assert_uint_eq(time_of[id_of(0)], EPOCH + 10 * first);
				ck_assert_uint_eq(sum_delivered(), first);
				consume(consumed);
				first += consumed;
				ck_assert_uint_eq(sum_delivered(), first);
				if (used == 0) {
					ck_assert_int_eq(take(max), taken);
					ck_assert_uint_eq(time_of[id_of(0)], EPOCH + 10 * first);
					consume((unsigned)taken);
					first += (unsigned)taken;
				}
			}
			ck_assert_int_eq(take(max), 0);
			expect_all_seen();
			teardown();
			setup();
		}
}
END_TEST

/* A batch that is not given back is used up. Giving back none, or more than there are, or twice, does no harm. */
START_TEST(test_odd_returns)
{
	open_rings(2, &packet_ring_v3, 4, 1);
	merge_give_back(&merge, 3);
	put_row(0, EPOCH, 20, 4);
	put_row(1, EPOCH + 10, 20, 4);
	EXPECT(2, 0, 4);
	EXPECT(2, 1, 5);
	merge_give_back(&merge, 99);
	merge_give_back(&merge, 99);
	ck_assert_uint_eq(sum_delivered(), 4);
	EXPECT(1, 2);
	merge_give_back(&merge, 0);
	EXPECT(1, 2);
}
END_TEST

START_TEST(test_none_asked_for)
{
	struct merge_packet before[MERGE_BATCH_MAX];

	open_rings(2, &packet_ring_v3, 4, 1);
	put_row(0, EPOCH, 20, 4);
	put_row(1, EPOCH + 10, 20, 4);
	memcpy(before, merge.packet, sizeof(before));
	ck_assert_int_eq(take(0), 0);
	ck_assert_mem_eq(before, merge.packet, sizeof(before));
	EXPECT(8, 0, 4, 1, 5, 2, 6, 3);
}
END_TEST

/* Waiting */

START_TEST(test_empty_sources_hold_nobody_back)
{
	open_rings(3, &packet_ring_v3, 4, 1);
	put_row(1, EPOCH, 1, 3);
	ck_assert(merge_is_ready(&merge));
	EXPECT(9, 0, 1, 2);
	merge_give_back(&merge, 3);
	ck_assert(!merge_is_ready(&merge));
	ck_assert_int_eq(take(9), 0);
	ck_assert(!merge_is_waiting(&merge));
	ck_assert(!block_is_ours(block_of(1, 0)));
}
END_TEST

/* A block that was opened at a time holds back what is younger, and only that, until it is handed over. */
START_TEST(test_filling_block_is_a_limit)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, EPOCH, 10, 6);
	open_block(1, EPOCH + 25);
	add_packet(1, EPOCH + 27, 0);
	EXPECT(9, 0, 1, 2);
	merge_give_back(&merge, 3);
	ck_assert_int_eq(take(9), 0);
	ck_assert(merge_is_waiting(&merge));
	ck_assert(!merge_is_ready(&merge));
	ck_assert(merge_source_is_empty(&merge.source[1]));
	add_packet(1, EPOCH + 35, 0);
	ck_assert_int_eq(take(9), 0);
	retire_block(1);
	ck_assert(merge_is_ready(&merge));
	/* Source 1 runs out with 7, and what it has next is older than 4 for all that is known. */
	EXPECT(9, 6, 3, 7);
	merge_give_back(&merge, 3);
	EXPECT(9, 4, 5);
	merge_give_back(&merge, 2);
	ck_assert_uint_eq(merge.disordered, 0);
	ck_assert_uint_eq(sum_delivered(), next_id);
}
END_TEST

/* An opened block without a packet is no limit: what will be in there is younger than the look. */
START_TEST(test_open_block_without_packets)
{
	open_rings(2, &packet_ring_v3, 4, 1);
	put_row(0, EPOCH + 100, 10, 3);
	open_block(1, EPOCH);
	EXPECT(9, 0, 1, 2);
}
END_TEST

/* A block that has gone back to the kernel is not taken for one that is being filled, although its figures are still there. */
START_TEST(test_returned_block_is_no_limit)
{
	open_rings(2, &packet_ring_v3, 1, 1);
	put_row(1, EPOCH, 1, 3);
	EXPECT(9, 0, 1, 2);
	merge_give_back(&merge, 3);
	put_row(0, EPOCH + 100, 1, 3);
	EXPECT(9, 3, 4, 5);
}
END_TEST

/* Half of a ring is used up while it waits: it is read on, and what comes too late is told of. Cells 0 to 3 of 8 are nothing yet, 4 is. */
START_TEST(test_half_full_ring_does_not_wait)
{
	struct random random = { 3 };

	open_rings(2, &packet_ring_v3, 8, 1);
	open_block(1, EPOCH);
	add_packet(1, EPOCH + 5, 0);
	for (unsigned i = 0; i < 4; i++)
		put_row(0, EPOCH + 100 + i * 10, 1, 2);
	ck_assert_int_eq(take(9), 0);
	ck_assert(!merge_is_ready(&merge));
	put_row(0, EPOCH + 200, 1, 2);
	ck_assert(merge_is_ready(&merge));
	EXPECT(9, 1, 2);
	merge_give_back(&merge, 2);
	/* Now there is room again. */
	ck_assert_int_eq(take(9), 0);
	ck_assert_uint_eq(merge.disordered, 0);
	retire_block(1);
	read_all(&random);
	ck_assert_uint_eq(merge.disordered, 1);
	ck_assert_uint_eq(sum_delivered(), next_id);
}
END_TEST

/* Packets of the time before do not wait until the clock is there again. */
START_TEST(test_clock_is_set_back)
{
	world_ns = EPOCH + UINT64_C(3000000000);
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, world_ns - 10, 1, 2);
	open_block(1, world_ns - 20);
	add_packet(1, world_ns - 19, 0);
	ck_assert_int_eq(take(9), 0);
	ck_assert(!merge_is_ready(&merge));
	world_ns = EPOCH;
	ck_assert(merge_is_ready(&merge));
	EXPECT(9, 0, 1);
	merge_give_back(&merge, 2);
	retire_block(1);
	EXPECT(9, 2);
}
END_TEST

/* Not only the ring of the oldest packet has to be looked after. */
START_TEST(test_another_ring_is_half_full)
{
	open_rings(3, &packet_ring_v3, 8, 1);
	open_block(2, EPOCH);
	add_packet(2, EPOCH + 5, 0);
	put_row(0, EPOCH + 50, 1, 1);
	for (unsigned i = 0; i < 4; i++)
		put_row(1, EPOCH + 100 + i * 10, 1, 2);
	ck_assert_int_eq(take(9), 0);
	put_row(1, EPOCH + 200, 1, 2);
	ck_assert(merge_is_ready(&merge));
	EXPECT(9, 1);
	merge_give_back(&merge, 1);
	EXPECT(9, 2, 3);
}
END_TEST

/* Stamps that are older than the block */

START_TEST(test_early_stamps_delay)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, EPOCH, 1, 2);
	EXPECT(9, 0, 1);
	merge_give_back(&merge, 2);
	ck_assert_uint_eq(merge.delay_ns, 0);
	open_block(0, EPOCH + 100);
	add_packet(0, EPOCH + 90, TP_STATUS_TS_SOFTWARE);
	add_packet(0, EPOCH + 110, TP_STATUS_TS_SOFTWARE);
	retire_block(0);
	world_ns = EPOCH + 110;
	ck_assert_int_eq(take(9), 0);
	ck_assert(merge_is_waiting(&merge));
	ck_assert_uint_eq(merge.delay_ns, DELAY);
	world_ns = EPOCH + 90 + DELAY;
	EXPECT(9, 2);
	merge_give_back(&merge, 1);
	/* The other opens a block; what is in there may have been stamped before. */
	open_block(1, EPOCH + 140);
	add_packet(1, EPOCH + 105, TP_STATUS_TS_SOFTWARE);
	world_ns = EPOCH + 1000;
	ck_assert_int_eq(take(9), 0);
	retire_block(1);
	EXPECT(9, 4);
	merge_give_back(&merge, 1);
	EXPECT(9, 3);
	merge_give_back(&merge, 1);
	ck_assert_uint_eq(merge.disordered, 0);
}
END_TEST

/* Nothing says when a block of the other clock began: it is waited for. An empty ring is not, whatever the time is here. */
START_TEST(test_foreign_clock)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	rings[0].foreign_clock = rings[1].foreign_clock = true;
	put_row(0, 1000, 1, 2);
	merge.delay_ns = DELAY;
	EXPECT(9, 0, 1);
	merge_give_back(&merge, 2);
	put_row(0, 2000, 1, 2);
	open_block(1, EPOCH);
	add_packet(1, 1500, 0);
	ck_assert_int_eq(take(9), 0);
	retire_block(1);
	EXPECT(9, 4);
	merge_give_back(&merge, 1);
	EXPECT(9, 2, 3);
}
END_TEST

/* Filters */

/* Keeps packets whose number has this remainder modulo 4, or the other one. */
static unsigned remainder_filter(struct sock_filter *program, uint32_t remainder, uint32_t other)
{
	const struct sock_filter made[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHERNET),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, remainder, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 65535),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	memcpy(program, made, sizeof(made));
	return sizeof(made) / sizeof(*made);
}

static void set_filters(uint32_t remainder, uint32_t other)
{
	struct sock_filter program[6];
	unsigned length = remainder_filter(program, remainder, other);

	for (unsigned i = 0; i < opened; i++)
		ck_assert_msg(packet_filter_set(&rings[i], program, length, &error) == 0, "%s", error.text);
}

/* As if the kernel had refused the program: each packet is judged here, for ever. */
static void set_filters_here(uint32_t remainder, uint32_t other)
{
	set_filters(remainder, other);
	for (unsigned i = 0; i < opened; i++)
		rings[i].filter_here = true;
}

/* Filters change while packets are in hand, out, given back in part, and in the ring: none that the new one rejects, all that all have accepted. */
START_TEST(test_filters_change)
{
	struct random random = { 100 + (unsigned)_i };
	uint32_t accepted = 0, kept = 0;
	int taken;

	open_rings(3, &packet_ring_v3, 16, 1);
	for (unsigned round = 0; round < 8; round++)
		for (unsigned i = 0; i < 3; i++)
			put_row(i, EPOCH + round * 1000 + i, 7, 1 + random_below(&random, packets_per_block(i)));
	/* 1 is in all of them. */
	set_filters(1, 1);
	accepted = 1;
	do {
		if (random_below(&random, 3) == 0) {
			accepted = random_below(&random, 4);
			set_filters(1, accepted);
		}
		taken = take(1 + random_below(&random, 40));
		if (taken == -EAGAIN)
			continue;
		for (int i = 0; i < taken; i++)
			ck_assert_msg(id_of((unsigned)i) % 4 == 1 || id_of((unsigned)i) % 4 == accepted, "%u is out under 1 and %u",
				      id_of((unsigned)i), accepted);
		if (taken > 0)
			consume(random_below(&random, (unsigned)taken + 1));
	} while (taken != 0);
	for (uint32_t id = 0; id < next_id; id++) {
		ck_assert_msg(id % 4 != 1 || seen[id] == 1, "%u came %u times", id, seen[id]);
		kept += seen[id];
	}
	ck_assert_uint_eq(sum_delivered(), kept);
	ck_assert_uint_eq(sum_delivered() + sum_rejected(), next_id);
}
END_TEST

/* A block of which nothing is left goes back at once, and the take says that there was something. */
START_TEST(test_all_rejected)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, EPOCH, 1, 1);
	set_filters_here(3, 3);
	ck_assert_int_eq(take(9), -EAGAIN);
	ck_assert(!block_is_ours(block_of(0, 0)));
	ck_assert_int_eq(take(9), 0);
	ck_assert_uint_eq(rings[0].rejected, 1);
}
END_TEST

/* What waits in hand is rejected by a new filter: nobody waits any more. */
START_TEST(test_rejected_while_waiting)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, EPOCH + 10, 1, 1);
	open_block(1, EPOCH);
	add_packet(1, EPOCH + 5, 0);
	ck_assert_int_eq(take(9), 0);
	ck_assert(merge_is_waiting(&merge));
	set_filters(1, 1);
	ck_assert_int_le(take(9), 0);
	ck_assert(!merge_is_waiting(&merge));
	ck_assert(!block_is_ours(block_of(0, 0)));
	ck_assert_uint_eq(rings[0].rejected, 1);
	retire_block(1);
	EXPECT(9, 1);
}
END_TEST

/* A ring that never runs dry, of packets that are all rejected here, must not keep the others' packets in hand for ever. */
START_TEST(test_rejected_flood_beside_a_packet)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	set_filters_here(0, 0);
	put_row(0, EPOCH, 1, 1);
	next_id = 1;
	for (unsigned i = 0; i < 4; i++) {
		open_block(1, EPOCH + i * 10);
		next_id = 1;
		add_packet(1, EPOCH + i * 10 + 5, 0);
		retire_block(1);
	}
	for (unsigned i = 0; i < 4; i++) {
		int taken = take(9);

		if (taken > 0) {
			ck_assert_uint_eq(id_of(0), 0);
			return;
		}
		ck_assert_int_eq(taken, -EAGAIN);
		open_block(1, EPOCH + (i + 4) * 10);
		next_id = 1;
		add_packet(1, EPOCH + (i + 4) * 10 + 5, 0);
		retire_block(1);
	}
	ck_abort_msg("the packet has been kept back");
}
END_TEST

/* Corrupted blocks */

/* Sound packets first; then every take says so, and nothing of the others is lost or told twice. */
START_TEST(test_corrupted_block)
{
	open_rings(2, &packet_ring_v3, 8, 1);
	put_row(0, EPOCH, 10, 6);
	put_row(1, EPOCH + 5, 10, 4);
	packet_in(1, 0, 2)->tp_mac = 0;
	EXPECT(99, 0, 6, 1, 7);
	merge_give_back(&merge, 4);
	for (unsigned i = 0; i < 3; i++) {
		error.text[0] = '\0';
		ck_assert_int_eq(take(99), -EBADMSG);
		ck_assert_ptr_eq(strstr(error.text, "corrupted frame on kernel ring"), error.text);
		merge_give_back(&merge, 0);
	}
	ck_assert_uint_eq(sum_delivered(), 4);
	ck_assert(block_is_ours(block_of(1, 0)));
	ck_assert(block_is_ours(block_of(0, 0)));
}
END_TEST

/* Headers of blocks and packets that cannot be true, thousands of them: every read stays in the rings, and every packet that comes out is sound. */
START_TEST(test_hostile_blocks)
{
	struct random random = { 4711 };
	static volatile unsigned long touched __attribute__((unused));

	for (unsigned round = 0; round < 4000; round++) {
		open_rings(2, &packet_ring_v3, 2, 1);
		for (unsigned i = 0; i < 2; i++)
			put_row(i, EPOCH + random_below(&random, 50), 1 + random_below(&random, 9), 1 + random_below(&random, packets_per_block(i)));
		for (unsigned changes = 1 + random_below(&random, 4); changes > 0; changes--) {
			uint8_t *block = (uint8_t *)block_of(random_below(&random, 2), 0);
			/* Anything but the status, which is what hands it over. */
			uint32_t at = 12 + random_below(&random, random_below(&random, 2) ? 40 : rings[0].block_size - 16);
			uint32_t value = random_below(&random, 2) ? random_below(&random, 5000) : random_next(&random);

			memcpy(block + at, &value, 1 + random_below(&random, 4));
		}
		for (unsigned turn = 0; turn < 100; turn++) {
			int taken = take(1 + random_below(&random, MERGE_BATCH_MAX));

			if (taken <= 0)
				break;
			for (int n = 0; n < taken; n++) {
				struct netring_packet packet;

				packet_ring_v3.view(merge.packet[n].source->ring, &packet, merge.packet[n].frame);
				for (uint32_t b = 0; b < packet.captured_len; b++)
					touched += packet.data[b];
			}
			merge_give_back(&merge, random_below(&random, (unsigned)taken + 1));
		}
		teardown();
		setup();
	}
}
END_TEST

/* A block with more packets than the list can hold comes in parts. */
START_TEST(test_empty_blocks_are_passed)
{
	open_rings(2, &packet_ring_v3, 4, 1);
	for (unsigned i = 0; i < 3; i++)
		put_block(0, NULL, 0);
	put_row(0, EPOCH, 1, 2);
	for (unsigned i = 0; i < 4; i++)
		put_block(1, NULL, 0);
	EXPECT(9, 0, 1);
	merge_give_back(&merge, 2);
	for (unsigned i = 0; i < 4; i++)
		ck_assert(!block_is_ours(block_of(0, i)) && !block_is_ours(block_of(1, i)));
}
END_TEST

/* Immediate mode */

static struct tpacket2_hdr *frame_of(unsigned source, uint32_t cell)
{
	return (struct tpacket2_hdr *)packet_ring_cell(&rings[source], cell);
}

static void put_frame(unsigned source, uint64_t time_ns)
{
	struct tpacket2_hdr *header = frame_of(source, next_cell[source]);

	ck_assert(!frame_is_ours(header));
	memset(header, 0, V2_FRAME);
	header->tp_sec = (uint32_t)(time_ns / 1000000000);
	header->tp_nsec = (uint32_t)(time_ns % 1000000000);
	header->tp_snaplen = header->tp_len = LENGTH;
	header->tp_mac = V2_MAC_OFFSET;
	write_id((uint8_t *)header + V2_MAC_OFFSET, new_id(source, time_ns));
	header->tp_status = TP_STATUS_USER;
	next_cell[source] = (next_cell[source] + 1) % rings[source].cells;
}

/* Frames come in while they are taken, in bursts and with partial returns; the ring goes round many times. */
START_TEST(test_immediate_mode)
{
	struct random random = { 21 };

	open_rings(3, &packet_ring_v2, 64, 1);
	for (unsigned round = 0; round < 3000; round++) {
		int taken;

		for (unsigned n = random_below(&random, 40); n > 0; n--) {
			unsigned source = random_below(&random, 3);

			if (!frame_is_ours(frame_of(source, next_cell[source])))
				put_frame(source, world_ns++);
		}
		/* What is there now is in order. Who comes later need not be. */
		last_time = 0;
		while ((taken = take(1 + random_below(&random, 80))) > 0)
			consume(random_below(&random, (unsigned)taken + 1));
		ck_assert_int_eq(taken, 0);
	}
	expect_all_seen();
	ck_assert_uint_gt(next_id, 30000);
	ck_assert_uint_eq(sum_delivered(), next_id);
	ck_assert_uint_eq(merge.disordered, 0);
}
END_TEST

START_TEST(test_immediate_mode_filter_and_corruption)
{
	open_rings(2, &packet_ring_v2, 32, 1);
	for (unsigned i = 0; i < 8; i++)
		put_frame(i & 1, EPOCH + i);
	EXPECT(2, 0, 1);
	merge_give_back(&merge, 1);
	set_filters(1, 3);
	EXPECT(9, 1, 3, 5, 7);
	merge_give_back(&merge, 4);
	ck_assert_uint_eq(sum_delivered(), 5);
	ck_assert_uint_eq(sum_rejected(), 3);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(!frame_is_ours(frame_of(0, i)) && !frame_is_ours(frame_of(1, i)));
	for (unsigned i = 0; i < 4; i++)
		put_frame(1, EPOCH + 10 + i);
	frame_of(1, 6)->tp_mac = 3;
	EXPECT(9, 9);
	merge_give_back(&merge, 1);
	ck_assert_int_eq(take(9), -EBADMSG);
	ck_assert_int_eq(take(9), -EBADMSG);
}
END_TEST

/* The world */

struct planned_block {
	uint64_t open_ns, retire_ns;
	unsigned packets, added;
	uint64_t counted_ns[40]; /* when each is counted, in order */
	uint64_t stamp_ns[40];
	uint64_t newest_ns; /* of all stamps so far */
};

struct world {
	struct random random;
	unsigned early; /* packets are stamped up to that long before they are counted */
	bool moves;	/* time goes on while the merge looks */
	bool filtered;	/* packets are judged here */
	bool active;
	struct planned_block plan[SOURCES_MAX];
};

static struct world world;

/* Between the count and the handing over. */
static uint64_t late_stamp(uint64_t counted_ns, uint64_t retire_ns)
{
	return counted_ns + random_below(&world.random, (uint32_t)(retire_ns - counted_ns) + 1);
}

/* Before the count; but a ring's blocks do not overlap: one CPU fills it. Inside a block they may be in any order. */
static uint64_t early_stamp(uint64_t counted_ns, uint64_t oldest_ns)
{
	uint64_t stamp_ns = counted_ns - random_below(&world.random, world.early + 1);

	return stamp_ns < oldest_ns ? oldest_ns : stamp_ns;
}

static void plan_block(unsigned source, uint64_t open_ns)
{
	struct planned_block *plan = &world.plan[source];
	/* Idle for long, or busy. */
	uint32_t pause = random_below(&world.random, 8) == 0 ? 2000 : 30, length = 1 + random_below(&world.random, 200);
	uint64_t first_ns = open_ns + 1 + random_below(&world.random, pause);

	plan->open_ns = open_ns;
	plan->retire_ns = first_ns + length;
	plan->packets = 1 + random_below(&world.random, packets_per_block(source));
	plan->added = 0;
	for (unsigned i = 0; i < plan->packets; i++)
		plan->counted_ns[i] = first_ns + random_below(&world.random, length);
	qsort(plan->counted_ns, plan->packets, sizeof(plan->counted_ns[0]), by_time);
	/* Stamped after being counted, neighbours perhaps in another order; or before, if the kernel stamps early. */
	for (unsigned i = 0; i < plan->packets; i++)
		plan->stamp_ns[i] =
			world.early ? early_stamp(plan->counted_ns[i], plan->newest_ns) : late_stamp(plan->counted_ns[i], plan->retire_ns);
	for (unsigned i = 0; i < plan->packets; i++)
		if (plan->stamp_ns[i] > plan->newest_ns)
			plan->newest_ns = plan->stamp_ns[i];
}

/* Everything that has happened in one source until now. */
static void let_happen(unsigned source)
{
	struct planned_block *plan = &world.plan[source];

	for (;;) {
		while (plan->added < plan->packets && plan->counted_ns[plan->added] <= world_ns) {
			add_packet(source, plan->stamp_ns[plan->added], world.early ? TP_STATUS_TS_SOFTWARE : 0);
			plan->added++;
		}
		if (plan->retire_ns > world_ns)
			return;
		retire_block(source);
		plan_block(source, plan->retire_ns);
		open_block(source, plan->open_ns);
	}
}

static void go_on(uint32_t ns)
{
	world_ns += ns;
	for (unsigned i = 0; i < opened; i++)
		let_happen(i);
}

static void look(void)
{
	if (world.moves && world.active && random_below(&world.random, 6) == 0)
		go_on(random_below(&world.random, 30));
}

static int world_list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *text)
{
	look();
	return packet_ring_v3.list(ring, ahead, list, max, text);
}

static bool world_is_ours(const struct packet_ring *ring, uint32_t cell)
{
	look();
	return packet_ring_v3.is_ours(ring, cell);
}

static bool world_is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	look();
	return packet_ring_v3.is_filling(ring, ahead, not_before_ns);
}

static void world_release(struct packet_ring *ring, uint32_t cells)
{
	look();
	packet_ring_v3.release(ring, cells);
}

static struct packet_ring_kind world_kind;

static void begin_world(unsigned sources)
{
	world_kind = packet_ring_v3;
	world_kind.list = world_list;
	world_kind.is_ours = world_is_ours;
	world_kind.is_filling = world_is_filling;
	world_kind.release = world_release;
	open_rings(sources, &world_kind, 256, 1);
	if (world.filtered)
		set_filters_here(1, 2);
	for (unsigned i = 0; i < sources; i++) {
		plan_block(i, world_ns);
		open_block(i, world_ns);
	}
	merge.delay_ns = world.early ? DELAY : 0;
}

/* No more packets: all blocks are handed over as they are, and time goes on for as long as anybody could wait. */
static void end_world(void)
{
	world.moves = false;
	for (unsigned i = 0; i < opened; i++)
		if (block_of(i, next_cell[i])->hdr.bh1.num_pkts)
			retire_block(i);
	world_ns += 10000;
}

static int take_in_the_world(void)
{
	int taken;

	world.active = true;
	taken = take(1 + random_below(&world.random, random_below(&world.random, 3) == 0 ? 10 : MERGE_BATCH_MAX));
	ck_assert(taken >= 0 || (taken == -EAGAIN && world.filtered));
	if (taken > 0)
		consume(random_below(&world.random, 3) ? (unsigned)taken : random_below(&world.random, (unsigned)taken + 1));
	world.active = false;
	return taken;
}

static void read_the_world(void)
{
	while (next_id < 15000) {
		go_on(random_below(&world.random, 100));
		while (take_in_the_world() != 0 && random_below(&world.random, 4) != 0)
			;
		/* A ring that is half full would not wait, and then order is not promised. */
		for (unsigned i = 0; i < opened; i++)
			ck_assert(!packet_ring_is_half_full(&rings[i]));
	}
}

static void expect_the_filtered(void)
{
	unsigned kept = 0;

	for (uint32_t id = 0; id < next_id; id++) {
		ck_assert_uint_eq(seen[id], id % 4 == 1 || id % 4 == 2);
		kept += seen[id];
	}
	ck_assert_uint_eq(sum_delivered(), kept);
	ck_assert_uint_eq(sum_rejected(), next_id - kept);
}

static void run_world(unsigned sources)
{
	begin_world(sources);
	read_the_world();
	end_world();
	while (take_in_the_world() != 0)
		;
	if (world.filtered) {
		expect_the_filtered();
	} else {
		expect_all_seen();
		ck_assert_uint_eq(sum_delivered(), next_id);
	}
	ck_assert_uint_eq(merge.disordered, 0);
	teardown();
	setup();
}

/* 1 to 9 sources; time that stands still while the merge looks, or goes on; stamps that are made in the ring, or before; filters in the kernel, or here. */
START_TEST(test_world)
{
	for (unsigned variant = 0; variant < 8; variant++) {
		memset(&world, 0, sizeof(world));
		snprintf(about, sizeof(about), "variant %u: ", variant);
		world.random.state = 1000 * (uint64_t)_i + variant + 1;
		world.moves = variant & 1;
		world.early = variant & 2 ? DELAY : 0;
		world.filtered = variant & 4;
		run_world((unsigned)_i);
	}
}
END_TEST

static void add_tests(TCase *cases)
{
	tcase_add_loop_test(cases, test_as_a_sort_would, 1, SOURCES_MAX + 1);
	tcase_add_test(cases, test_equal_times_keep_their_rings_order);
	tcase_add_loop_test(cases, test_disorder_inside_a_block, 0, DISORDERS);
	tcase_add_test(cases, test_partial_return_at_every_point);
	tcase_add_test(cases, test_odd_returns);
	tcase_add_test(cases, test_none_asked_for);
	tcase_add_test(cases, test_empty_sources_hold_nobody_back);
	tcase_add_test(cases, test_filling_block_is_a_limit);
	tcase_add_test(cases, test_open_block_without_packets);
	tcase_add_test(cases, test_returned_block_is_no_limit);
	tcase_add_test(cases, test_half_full_ring_does_not_wait);
	tcase_add_test(cases, test_clock_is_set_back);
	tcase_add_test(cases, test_another_ring_is_half_full);
	tcase_add_test(cases, test_early_stamps_delay);
	tcase_add_test(cases, test_foreign_clock);
	tcase_add_loop_test(cases, test_filters_change, 0, 20);
	tcase_add_test(cases, test_all_rejected);
	tcase_add_test(cases, test_rejected_while_waiting);
	tcase_add_test(cases, test_rejected_flood_beside_a_packet);
	tcase_add_test(cases, test_corrupted_block);
	tcase_add_test(cases, test_hostile_blocks);
	tcase_add_test(cases, test_empty_blocks_are_passed);
	tcase_add_test(cases, test_immediate_mode);
	tcase_add_test(cases, test_immediate_mode_filter_and_corruption);
	tcase_add_loop_test(cases, test_world, 1, SOURCES_MAX + 1);
}

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *cases = tcase_create("merge");
	SRunner *runner;
	int failed;

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, teardown);
	add_tests(cases);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
