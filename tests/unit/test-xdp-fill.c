/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving frames back to a kernel that is made up here: it takes frames from the fill ring, and shows later that it has. No frame may be with it twice, and
 * none may get lost, whatever the two do meanwhile.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "test-random.h"
#include "xdp-fill.h"

#define ENTRIES 1024
#define FRAME_SIZE 2048
#define HEADROOM 274
#define LEAD 64
#define UNSHOWN 16 /* frames that the kernel takes before it shows them */
#define MARGIN (2 * UNSHOWN)
#define START ((uint32_t)-4 * ENTRIES) /* of all indices: they are soon past 2^32 */

static struct xdp_queue queue;
static struct xdp_desc descs[ENTRIES];
static uint64_t fill[ENTRIES];
static uint32_t fill_producer, fill_consumer, receive_producer, long_packets;

/* The kernel's own numbers, and which frames it has filled and the reader has not given back. */
static uint32_t taken, filled;
static bool busy[ENTRIES];

static void setup(void)
{
	memset(&queue, 0, sizeof(queue));
	memset(busy, 0, sizeof(busy));
	fill_consumer = receive_producer = taken = filled = START;
	long_packets = 0;
	queue.long_packets = &long_packets;
	queue.receive = (struct xdp_area){ .producer = &receive_producer, .entries = descs, .mask = ENTRIES - 1 };
	queue.fill = (struct xdp_area){ .producer = &fill_producer, .consumer = &fill_consumer, .entries = fill, .mask = ENTRIES - 1 };
	queue.chunk_mask = ~(uint64_t)(FRAME_SIZE - 1);
	xdp_fill_begin(&queue, ENTRIES, FRAME_SIZE);
	queue.taken = queue.front = START;
	queue.given += START;
	fill_producer = queue.given;
	xdp_fill_reuse(&queue, LEAD, MARGIN);
}

static uint64_t frame_at(uint32_t entry)
{
	return __atomic_load_n(&fill[entry % ENTRIES], __ATOMIC_RELAXED) / FRAME_SIZE;
}

/* The kernel: a packet goes to that frame. No ck_assert for each: it is a system call. */
static void fill_frame(uint64_t frame)
{
	if (frame >= ENTRIES)
		ck_abort_msg("frame %llu is none", (unsigned long long)frame);
	if (__atomic_exchange_n(&busy[frame], true, __ATOMIC_ACQ_REL))
		ck_abort_msg("frame %u is filled twice", (unsigned)frame);
	descs[filled++ % ENTRIES] = (struct xdp_desc){ .addr = frame * FRAME_SIZE + HEADROOM, .len = 60 };
}

static void show(void)
{
	store_release(&receive_producer, filled);
	store_release(&fill_consumer, taken);
}

/* False if there was no frame. */
static bool receive(void)
{
	if (taken == load_acquire(&fill_producer))
		return false;
	fill_frame(frame_at(taken++));
	return true;
}

static void receive_some(uint32_t count)
{
	for (uint32_t i = 0; i < count && receive(); i++)
		if (i % UNSHOWN == UNSHOWN - 1)
			show();
	show();
}

/* The reader, of so many packets that have come. */
static void give_back(uint32_t count)
{
	while (count != 0) {
		uint32_t cell = queue.taken % ENTRIES, run = count < ENTRIES - cell ? count : ENTRIES - cell;

		for (uint32_t i = 0; i < run; i++)
			__atomic_store_n(&busy[descs[cell + i].addr / FRAME_SIZE], false, __ATOMIC_RELEASE);
		xdp_fill_put(&queue, cell, run);
		queue.taken += run;
		count -= run;
		store_release(queue.fill.producer, queue.given);
	}
}

static uint32_t waiting(void)
{
	return load_acquire(&receive_producer) - queue.taken;
}

/* Nothing waits: every frame is in the fill ring once, and of each pair in doubt one is. */
static void expect_all_frames(void)
{
	static bool there[ENTRIES];

	ck_assert_uint_eq(waiting(), 0);
	memset(there, 0, sizeof(there));
	ck_assert_uint_eq(queue.given - taken + queue.doubts, ENTRIES);
	for (uint32_t entry = taken; entry != queue.given; entry++) {
		ck_assert(!there[frame_at(entry)]);
		there[frame_at(entry)] = true;
	}
	for (unsigned i = 0; i < queue.doubts; i++)
		ck_assert(there[queue.doubt[i].given / FRAME_SIZE] != there[queue.doubt[i].was_there / FRAME_SIZE]);
}

/* Bursts of packets, given back so many at a time. Returns how many frames they came in. */
static unsigned count_used(unsigned bursts, uint32_t burst, uint32_t at_a_time)
{
	static bool used[ENTRIES];
	unsigned count = 0;

	memset(used, 0, sizeof(used));
	for (unsigned i = 0; i < bursts; i++) {
		receive_some(burst);
		for (uint32_t cell = queue.taken; cell != receive_producer; cell++)
			used[descs[cell % ENTRIES].addr / FRAME_SIZE] = true;
		while (waiting())
			give_back(waiting() < at_a_time ? waiting() : at_a_time);
	}
	for (unsigned i = 0; i < ENTRIES; i++)
		count += used[i];
	return count;
}

/* While the reader keeps up, few frames are used; and when it stops, all of them. */
START_TEST(test_few_frames)
{
	for (unsigned round = 0; round < 100; round++) {
		count_used(ENTRIES, 10, 10);
		receive_some(2 * ENTRIES);
		ck_assert_uint_eq(waiting(), ENTRIES);
		give_back(ENTRIES);
		expect_all_frames();
		/* Behind, but not so far that the front is given up. */
		count_used(1, 6 * LEAD, LEAD);
		count_used(4 * ENTRIES, 10, 10);
		ck_assert_uint_le(count_used(ENTRIES, 1, 1), LEAD + UNSHOWN);
	}
	ck_assert_uint_eq(queue.doubts, 0);
}
END_TEST

/* A reader that sleeps, and then takes one packet after the other, needs the frames that come while it sleeps, but no more. */
START_TEST(test_one_by_one)
{
	count_used(100, 5 * LEAD, 1);
	ck_assert_uint_le(count_used(200, 5 * LEAD, 1), 6 * LEAD + UNSHOWN);
	expect_all_frames();
}
END_TEST

/* Far behind for long, so that nothing goes to the front: the place for it goes on with the kernel. */
START_TEST(test_far_behind)
{
	receive_some(2 * ENTRIES);
	for (unsigned i = 0; i < 1000; i++) {
		give_back(10);
		receive_some(2 * ENTRIES);
		ck_assert_int_ge((int32_t)(queue.front - receive_producer), 0);
	}
	give_back(ENTRIES);
	expect_all_frames();
	count_used(4 * ENTRIES, 10, 10);
	ck_assert_uint_le(count_used(ENTRIES, 1, 1), LEAD + UNSHOWN);
}
END_TEST

/* Any order of what the two do. */
START_TEST(test_any_order)
{
	struct random random = { 4711 };

	for (unsigned i = 0; i < 200000; i++) {
		uint32_t most = random_below(&random, 50) ? 2 * LEAD : 2 * ENTRIES;

		receive_some(random_below(&random, most));
		give_back(random_below(&random, waiting() + 1));
	}
	give_back(waiting());
	expect_all_frames();
	ck_assert_uint_eq(queue.doubts, 0);
}
END_TEST

/* The reader has been stopped in the middle of an exchange, and the kernel has taken what was there before from every other entry. */
START_TEST(test_too_late)
{
	static uint64_t before[ENTRIES];

	for (unsigned round = 0; round < 1000; round++) {
		uint32_t front;

		receive_some(32);
		memcpy(before, fill, sizeof(before));
		queue.margin = ENTRIES; /* as if the kernel had come that far */
		give_back(32);
		queue.margin = MARGIN;
		ck_assert_uint_eq(queue.doubts, 32);
		front = queue.front - 32;
		while (taken != front)
			ck_assert(receive());
		for (uint32_t i = 0; i < 32; i++, taken++)
			fill_frame(i & 1 ? frame_at(taken) : before[taken % ENTRIES] / FRAME_SIZE);
		show();
		give_back(waiting());
		ck_assert_uint_eq(queue.doubts, 0);
		expect_all_frames();
	}
}
END_TEST

/* As long packets may be in hand, more than was thought may have been taken. */
START_TEST(test_long_packets)
{
	receive_some(32);
	long_packets = 1;
	give_back(32);
	ck_assert_uint_eq(queue.doubts, 32);
	ck_assert_uint_eq(queue.margin, XDP_FILL_MARGIN_LONG);
	receive_some(2 * ENTRIES);
	give_back(waiting());
	ck_assert_uint_eq(queue.doubts, 0);
	expect_all_frames();
}
END_TEST

/* Both at once; what they do not read from each other must still fit. */
static volatile bool stop;

static void *kernel_thread(void *unused)
{
	struct random random = { 815 };

	(void)unused;
	while (!stop) {
		receive_some(random_below(&random, random_below(&random, 100) ? 2 * UNSHOWN : ENTRIES));
		if (random_below(&random, 20) == 0)
			sched_yield();
	}
	return NULL;
}

START_TEST(test_at_once)
{
	struct random random = { 42 };
	pthread_t kernel;

	stop = false;
	queue.margin = LEAD - UNSHOWN / 2; /* so that it often looks as if it had been too late */
	ck_assert_int_eq(pthread_create(&kernel, NULL, kernel_thread, NULL), 0);
	/* Whether an exchange comes too late here is chance; test_too_late sees to that. */
	while (queue.taken - START < 5000000) {
		give_back(random_below(&random, waiting() + 1) % 64);
		if (random_below(&random, 1000) == 0)
			sched_yield();
	}
	stop = true;
	pthread_join(kernel, NULL);
	give_back(waiting());
	expect_all_frames();
}
END_TEST

static Suite *fill_suite(void)
{
	Suite *suite = suite_create("xdp-fill");
	TCase *cases = tcase_create("fill");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, test_few_frames);
	tcase_add_test(cases, test_one_by_one);
	tcase_add_test(cases, test_far_behind);
	tcase_add_test(cases, test_any_order);
	tcase_add_test(cases, test_too_late);
	tcase_add_test(cases, test_long_packets);
	tcase_add_test(cases, test_at_once);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(fill_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
