/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several rings read as one: the order of what comes out, giving back, waiting, immediate mode. Filters and corrupted blocks, and a simulated world, are
 * tests in files of their own, of the same suite.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "merge-rings.h"
#include "packet-frame.h"

/* Order */

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
		merge_teardown();
		merge_setup();
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
			merge_teardown();
			merge_setup();
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

static void add_tests_of_order(TCase *cases)
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
	tcase_add_test(cases, test_immediate_mode);
	tcase_add_test(cases, test_immediate_mode_filter_and_corruption);
}

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *cases = tcase_create("merge");
	SRunner *runner;
	int failed;

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, merge_setup, merge_teardown);
	add_tests_of_order(cases);
	add_tests_of_filters(cases);
	add_tests_of_worlds(cases);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
