/* SPDX-License-Identifier: BSD-3-Clause */
/* What the checker of the merge and fanout tests sees in packets that are made up: each thing that may go wrong, once. */
#include <check.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"

#define LENGTH 60

static struct tally tally;

static void setup(void)
{
	ck_assert(tally_init(&tally));
	tally_begin_file(&tally);
}

static void teardown(void)
{
	free(tally.flow);
	for (int i = 0; i < SENDERS_MAX; i++) {
		free(tally.sender[i].here);
		free(tally.sender[i].before);
	}
}

/* A frame of blast's: number, at a time, from the last byte of an address to that of another. */
static void packet(uint64_t number, uint64_t time_ns, uint8_t from, uint8_t to)
{
	struct pcap_pkthdr header = { .caplen = LENGTH, .len = LENGTH };
	u_char data[LENGTH] = { [12] = 0x08, [14] = 0x45, [23] = 17, [26] = 10, [29] = from, [30] = 10, [33] = to };
	uint64_t wire = htobe64(number);

	header.ts.tv_sec = (time_t)(time_ns / 1000000000);
	header.ts.tv_usec = (suseconds_t)(time_ns % 1000000000);
	memcpy(data + 42, &wire, sizeof(wire));
	tally_packet((u_char *)&tally, &header, data);
}

static void expect(uint64_t packets, uint64_t lost, uint64_t twice, uint64_t times_back, uint64_t flow_disorder)
{
	ck_assert_uint_eq(tally.packets, packets);
	ck_assert_uint_eq(tally_lost(&tally), lost);
	ck_assert_uint_eq(tally.twice, twice);
	ck_assert_uint_eq(tally.times_back, times_back);
	ck_assert_uint_eq(tally.flow_disorder, flow_disorder);
}

START_TEST(test_all_well)
{
	for (unsigned i = 0; i < 100; i++)
		packet(i, 5000000000 + i / 2, (uint8_t)(i % 4), (uint8_t)(10 + i % 4));
	expect(100, 0, 0, 0, 0);
	ck_assert_uint_eq(tally.flows, 4);
	ck_assert_uint_eq(tally.others, 0);
}
END_TEST

START_TEST(test_lost)
{
	packet(1, 1, 1, 2);
	packet(3, 2, 1, 2);
	packet((uint64_t)1 << 32 | 2, 3, 1, 3);
	expect(3, 4, 0, 0, 0);
}
END_TEST

START_TEST(test_twice)
{
	packet(0, 1, 1, 2);
	packet(1, 2, 1, 2);
	packet(0, 3, 3, 4);
	expect(3, 0, 1, 0, 0);
	packet((uint64_t)1 << 32, 4, 1, 2);
	ck_assert_uint_eq(tally.twice, 1);
}
END_TEST

/* Over the end of a second too. */
START_TEST(test_times_back)
{
	packet(0, 2000000003, 1, 2);
	packet(1, 2000000003, 1, 2);
	packet(2, 1999999996, 1, 2);
	packet(3, 2000000000, 1, 2);
	packet(4, 1999999999, 1, 2);
	expect(5, 0, 0, 2, 0);
	ck_assert_uint_eq(tally.worst_back_ns, 7);
}
END_TEST

/* Both directions are one flow; between flows there is no order. */
START_TEST(test_flow_disorder)
{
	packet(1, 1, 1, 2);
	packet(0, 2, 3, 4);
	expect(2, 0, 0, 0, 0);
	packet(5, 3, 1, 2);
	packet(4, 4, 2, 1);
	ck_assert_uint_eq(tally.flow_disorder, 1);
	ck_assert_uint_eq(tally.flows, 2);
}
END_TEST

START_TEST(test_files)
{
	packet(0, 9, 1, 2);
	packet(1, 10, 3, 4);
	tally_begin_file(&tally);
	packet(2, 1, 2, 1);
	packet(1, 2, 5, 6);
	packet(3, 3, 1, 2);
	expect(5, 0, 0, 0, 0);
	ck_assert_uint_eq(tally.flows_in_two_files, 1);
	ck_assert_uint_eq(tally.packets_in_two_files, 1);
	packet(3, 4, 1, 2);
	ck_assert_uint_eq(tally.twice, 1);
	tally_begin_file(&tally);
	packet(0, 5, 1, 2);
	ck_assert_uint_eq(tally.packets_in_two_files, 2);
	ck_assert_uint_eq(tally.flows_in_two_files, 1);
}
END_TEST

START_TEST(test_others)
{
	struct pcap_pkthdr header = { .caplen = 57, .len = 60 };
	u_char data[LENGTH] = { [12] = 0x08, [23] = 17 };

	tally_packet((u_char *)&tally, &header, data);
	header.caplen = 60;
	data[23] = 6;
	tally_packet((u_char *)&tally, &header, data);
	data[23] = 17;
	data[13] = 6;
	tally_packet((u_char *)&tally, &header, data);
	ck_assert_uint_eq(tally.others, 3);
	expect(0, 0, 0, 0, 0);
}
END_TEST

/* Beyond the first room, with what was seen before kept. */
START_TEST(test_high_numbers)
{
	packet(7, 1, 1, 2);
	packet(20000000, 2, 1, 2);
	packet(7, 3, 3, 4);
	expect(3, 19999999, 1, 0, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *cases = tcase_create("tally");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_all_well);
	tcase_add_test(cases, test_lost);
	tcase_add_test(cases, test_twice);
	tcase_add_test(cases, test_times_back);
	tcase_add_test(cases, test_flow_disorder);
	tcase_add_test(cases, test_files);
	tcase_add_test(cases, test_others);
	tcase_add_test(cases, test_high_numbers);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
