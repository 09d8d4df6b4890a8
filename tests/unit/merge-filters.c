/* SPDX-License-Identifier: BSD-3-Clause */
/* Several rings read as one: filters that change, and blocks that cannot be true. */
#include <errno.h>
#include <string.h>

#include "merge-rings.h"

/* Filters */

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
		merge_teardown();
		merge_setup();
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

void add_tests_of_filters(TCase *cases)
{
	tcase_add_loop_test(cases, test_filters_change, 0, 20);
	tcase_add_test(cases, test_all_rejected);
	tcase_add_test(cases, test_rejected_while_waiting);
	tcase_add_test(cases, test_rejected_flood_beside_a_packet);
	tcase_add_test(cases, test_corrupted_block);
	tcase_add_test(cases, test_hostile_blocks);
	tcase_add_test(cases, test_empty_blocks_are_passed);
}
