/* SPDX-License-Identifier: BSD-3-Clause */
/* Ring sizes: what is planned, what is refused and in which words, and the way down when memory is short. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "geometry.h"

#define NO_LIMIT UINT64_MAX
#define MIB ((uint64_t)1 << 20)

static struct netring_config config;
static struct geometry geometry;
static struct netring_error error;
static uint32_t page;

static void setup(void)
{
	netring_config_init(&config, NETRING_PROFILE_DEFAULT);
	memset(&geometry, 0xee, sizeof(geometry));
	error.text[0] = '\0';
	page = (uint32_t)sysconf(_SC_PAGESIZE);
}

static void plan(uint32_t slot_size, uint64_t max_bytes)
{
	ck_assert_msg(geometry_plan(&geometry, &config, slot_size, max_bytes, &error) == 0, "%s", error.text);
}

/* What packet_set_ring() in the kernel asks of every request. */
static void check_kernel_rules(void)
{
	ck_assert_uint_gt(geometry.blocks, 0);
	ck_assert_uint_gt(geometry.block_size, 0);
	ck_assert_uint_le(geometry.block_size, INT32_MAX);
	ck_assert_uint_eq(geometry.block_size % page, 0);
	ck_assert_uint_eq(geometry.frame_size % TPACKET_ALIGNMENT, 0);
	ck_assert_uint_ge(geometry.frame_size, TPACKET3_HDRLEN);
	ck_assert_uint_gt(geometry.frames_per_block, 0);
	ck_assert_uint_eq(geometry.frames_per_block, geometry.block_size / geometry.frame_size);
}

/* Plans */

START_TEST(test_profiles)
{
	for (int profile = NETRING_PROFILE_DEFAULT; profile <= NETRING_PROFILE_JUMBO; profile++) {
		netring_config_init(&config, (enum netring_profile)profile);
		plan(2048, NO_LIMIT);
		check_kernel_rules();
		ck_assert_uint_eq(geometry.block_size, config.block_size);
		ck_assert_uint_eq(geometry.blocks, config.block_count);
		ck_assert_uint_eq(geometry.frame_size, config.frame_size ? config.frame_size : 2048);
	}
}
END_TEST

START_TEST(test_default_is_256_mib)
{
	plan(2048, NO_LIMIT);
	ck_assert_uint_eq(geometry_bytes(&geometry), 256 * MIB);
}
END_TEST

START_TEST(test_limit_cuts_to_whole_blocks)
{
	static const struct { uint64_t limit; uint32_t blocks; } cases[] = {
		{ 256 * MIB, 64 }, { 256 * MIB - 1, 63 }, { 100 * MIB, 25 }, { 8 * MIB, 2 }, { 8 * MIB - 1, 1 }, { 4 * MIB, 1 }, { 1, 1 }, { 0, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		plan(2048, cases[i].limit);
		ck_assert_uint_eq(geometry.blocks, cases[i].blocks);
		ck_assert_uint_eq(geometry.block_size, 4 * MIB);
		check_kernel_rules();
	}
}
END_TEST

/* A packet has to fit: the block becomes larger, and the ring stays as large as it was. */
START_TEST(test_block_smaller_than_a_packet_grows)
{
	config.block_size = page;
	config.block_count = 1024;
	plan(65536 + 512, NO_LIMIT);
	check_kernel_rules();
	ck_assert_uint_ge(geometry.block_size, 65536 + 512);
	ck_assert_uint_lt(geometry.block_size, 4 * 65536);
	ck_assert_uint_eq(geometry_bytes(&geometry), (uint64_t)page * 1024);

	config.block_count = 1;
	plan(65536 + 512, NO_LIMIT);
	ck_assert_uint_eq(geometry.blocks, 1);
	check_kernel_rules();
}
END_TEST

/* The longest packet that the API lets anybody ask for is no packet that a block could hold. */
START_TEST(test_slot_larger_than_any_block)
{
	static const uint32_t slots[] = { 0x40000010, 0x7ffffff0, 0x80000000, 0x80000160, 0xfffffff0 };

	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
		ck_assert_int_eq(geometry_plan(&geometry, &config, slots[i], NO_LIMIT, &error), -EINVAL);
		ck_assert_ptr_eq(strstr(error.text, "slot size "), error.text);
	}
	for (config.block_size = page; config.block_size < 100 * page; config.block_size += page) {
		plan(0x40000000, NO_LIMIT);
		check_kernel_rules();
	}
}
END_TEST

START_TEST(test_largest_figures)
{
	config.block_size = INT32_MAX / page * page;
	config.block_count = UINT32_MAX;
	plan(2048, NO_LIMIT);
	check_kernel_rules();
	ck_assert_uint_eq(geometry.blocks, UINT32_MAX);
	config.block_size = page;
	config.block_count = 1;
	plan(2048, NO_LIMIT);
	check_kernel_rules();
	ck_assert_uint_eq(geometry_bytes(&geometry), page);
}
END_TEST

START_TEST(test_slot_holds_the_packet)
{
	for (uint32_t length = 0; length < 70000; length += 1 + length / 50)
		for (unsigned reserve = 4; reserve < 256; reserve += 20) {
			uint32_t slot = geometry_slot_size(length, reserve);

			ck_assert_uint_eq(slot % TPACKET_ALIGNMENT, 0);
			ck_assert_uint_ge(slot, TPACKET2_HDRLEN + 16 + reserve + length);
		}
}
END_TEST

/* Bad input */

static void refused(const char *text)
{
	struct geometry before = geometry;

	ck_assert_int_eq(geometry_plan(&geometry, &config, 2048, NO_LIMIT, &error), -EINVAL);
	ck_assert_msg(strstr(error.text, text) == error.text, "\"%s\" does not begin with \"%s\"", error.text, text);
	ck_assert_int_eq(memcmp(&geometry, &before, sizeof(before)), 0);
	ck_assert_int_eq(geometry_plan(&geometry, &config, 2048, NO_LIMIT, NULL), -EINVAL);
	setup();
}

START_TEST(test_bad_values_are_named)
{
	config.block_count = 0;
	refused("block count 0: ");
	config.block_size = 0;
	refused("block size 0: ");
	config.block_size = page + 1;
	refused("block size 4097: ");
	config.block_size = page - 1;
	refused("block size 4095: ");
	config.block_size = 0x80000000;
	refused("block size 2147483648: ");
	config.block_size = 0xfffff000;
	refused("block size 4294963200: ");
	config.frame_size = 1;
	refused("frame size 1: ");
	config.frame_size = 64;
	refused("frame size 64: ");
	config.frame_size = 2049;
	refused("frame size 2049: ");
	config.frame_size = 0xfffffff0;
	refused("frame size 4294967280: it must not be larger than the block, 4194304");
	config.block_size = page;
	config.frame_size = page + 16;
	refused("frame size 4112: it must not be larger than the block, 4096");
}
END_TEST

START_TEST(test_smallest_frame)
{
	config.frame_size = 80;
	plan(2048, NO_LIMIT);
	check_kernel_rules();
	ck_assert_uint_eq(geometry.frame_size, 80);
	config.frame_size = config.block_size;
	plan(2048, NO_LIMIT);
	check_kernel_rules();
	ck_assert_uint_eq(geometry.frames_per_block, 1);
}
END_TEST

/* The way down */

static void check_steps(uint32_t asked, const uint32_t *steps)
{
	geometry = (struct geometry){ .block_size = page, .blocks = asked };
	for (; *steps; steps++) {
		ck_assert(geometry_shrink(&geometry, asked));
		ck_assert_msg(geometry.blocks == *steps, "from %u: %u instead of %u", asked, geometry.blocks, *steps);
		ck_assert_uint_eq(geometry.block_size, page);
	}
	ck_assert(!geometry_shrink(&geometry, asked));
	ck_assert_uint_eq(geometry.blocks, 1);
}

START_TEST(test_quarters_then_halves)
{
	check_steps(64, (const uint32_t[]){ 48, 32, 16, 8, 4, 2, 1, 0 });
	check_steps(256, (const uint32_t[]){ 192, 128, 64, 32, 16, 8, 4, 2, 1, 0 });
	check_steps(16, (const uint32_t[]){ 12, 8, 4, 2, 1, 0 });
	check_steps(4, (const uint32_t[]){ 3, 2, 1, 0 });
	check_steps(3, (const uint32_t[]){ 1, 0 });
	check_steps(2, (const uint32_t[]){ 1, 0 });
	check_steps(1, (const uint32_t[]){ 0 });
	check_steps(10, (const uint32_t[]){ 8, 6, 4, 2, 1, 0 });
}
END_TEST

/* Always smaller, never 0, and soon at the end, whatever was asked for. */
START_TEST(test_every_start_ends_at_one)
{
	static const uint32_t large[] = { UINT32_MAX, UINT32_MAX - 1, 0x80000000, 0x7fffffff, 1000003 };

	for (uint32_t n = 1; n < 5000 + sizeof(large) / sizeof(*large); n++) {
		uint32_t asked = n < 5000 ? n : large[n - 5000];
		unsigned steps = 0;

		geometry.blocks = asked;
		for (;;) {
			uint32_t before = geometry.blocks;

			if (!geometry_shrink(&geometry, asked))
				break;
			ck_assert_uint_lt(geometry.blocks, before);
			ck_assert_uint_ge(geometry.blocks, 1);
			ck_assert_uint_le(++steps, 40);
		}
		ck_assert_uint_eq(geometry.blocks, 1);
	}
}
END_TEST

static Suite *geometry_suite(void)
{
	Suite *suite = suite_create("geometry");
	TCase *cases = tcase_create("geometry");

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, test_profiles);
	tcase_add_test(cases, test_default_is_256_mib);
	tcase_add_test(cases, test_limit_cuts_to_whole_blocks);
	tcase_add_test(cases, test_block_smaller_than_a_packet_grows);
	tcase_add_test(cases, test_slot_larger_than_any_block);
	tcase_add_test(cases, test_largest_figures);
	tcase_add_test(cases, test_slot_holds_the_packet);
	tcase_add_test(cases, test_bad_values_are_named);
	tcase_add_test(cases, test_smallest_frame);
	tcase_add_test(cases, test_quarters_then_halves);
	tcase_add_test(cases, test_every_start_ends_at_one);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(geometry_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
