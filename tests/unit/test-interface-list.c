/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of interfaces taken apart, with names that nobody has, and lo. What needs interfaces of its own is in tests/netns/test-interface-list.c. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interface-list.h"

static struct interface_list list;
static struct netring_error error;

static void setup(void)
{
	memset(&list, 0xaa, sizeof(list));
	memset(&error, 0, sizeof(error));
}

static void expect_list(const char *text, const char *first, const char *second, unsigned count)
{
	ck_assert(interface_list_is_list(text));
	ck_assert_int_eq(interface_list_parse(&list, text, &error), 0);
	ck_assert_uint_eq(list.count, count);
	ck_assert_str_eq(list.name[0], first);
	ck_assert_str_eq(list.name[1], second);
}

/* The sentence has the list and the piece that is wrong; the output is as it was. */
static void expect_error(const char *text, const char *piece, int errnum)
{
	struct interface_list before = list;

	ck_assert_int_eq(interface_list_parse(&list, text, &error), -errnum);
	ck_assert_msg(strstr(error.text, text) == error.text, "%s: %s", text, error.text);
	ck_assert_msg(strstr(error.text + strlen(text), piece) != NULL, "%s: %s", text, error.text);
	ck_assert_int_eq(memcmp(&before, &list, sizeof(list)), 0);
	ck_assert_int_eq(interface_list_parse(&list, text, NULL), -errnum);
}

START_TEST(test_one_name)
{
	ck_assert(!interface_list_is_list("nosuch0"));
	ck_assert_int_eq(interface_list_parse(&list, "nosuch0", &error), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.name[0], "nosuch0");
	ck_assert_int_eq(interface_list_parse(&list, "any", &error), 0);
	ck_assert_str_eq(list.name[0], "any");
	ck_assert_int_eq(interface_list_parse(&list, "exactly15letter", &error), 0);
	ck_assert_str_eq(list.name[0], "exactly15letter");
	ck_assert_int_eq(interface_list_parse(&list, "", &error), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.name[0], "");
}
END_TEST

/* Whole, or not at all: the first 15 letters may be somebody else. */
START_TEST(test_one_long_name)
{
	expect_error("sixteen-letters0", "so long a name", ENODEV);
}
END_TEST

START_TEST(test_two)
{
	expect_list("nosuch0,lo", "nosuch0", "lo", 2);
	expect_list("lo,nosuch0", "lo", "nosuch0", 2);
	expect_list("exactly15letter,lo", "exactly15letter", "lo", 2);
}
END_TEST

START_TEST(test_three)
{
	expect_list("c,b,a", "c", "b", 3);
	ck_assert_str_eq(list.name[2], "a");
}
END_TEST

START_TEST(test_empty_names)
{
	expect_error(",", "empty", EINVAL);
	expect_error("a,", "empty", EINVAL);
	expect_error(",a", "empty", EINVAL);
	expect_error("a,,b", "empty", EINVAL);
}
END_TEST

START_TEST(test_long_names)
{
	expect_error("lo,sixteen-letters0", " sixteen-letters0 ", EINVAL);
	expect_error("sixteen-letters0,lo", " sixteen-letters0 ", EINVAL);
}
END_TEST

START_TEST(test_any)
{
	expect_error("any,lo", " any ", EINVAL);
	expect_error("lo,any", " any ", EINVAL);
	expect_list("any0,many", "any0", "many", 2);
}
END_TEST

START_TEST(test_twice)
{
	expect_error("lo,lo", " lo ", EINVAL);
	expect_error("x,y,x", " x ", EINVAL);
	expect_list("x,xx", "x", "xx", 2);
}
END_TEST

/* As many names as there is room for, and one more. */
START_TEST(test_how_many)
{
	char text[8 * INTERFACE_LIST_MAX + 8] = "n0";

	for (int i = 1; i < INTERFACE_LIST_MAX; i++)
		sprintf(text + strlen(text), ",n%d", i);
	ck_assert_int_eq(interface_list_parse(&list, text, &error), 0);
	ck_assert_uint_eq(list.count, INTERFACE_LIST_MAX);
	ck_assert_str_eq(list.name[INTERFACE_LIST_MAX - 1], "n63");
	strcat(text, ",more");
	ck_assert_int_eq(interface_list_parse(&list, text, &error), -EINVAL);
	ck_assert_msg(strstr(error.text, "more than 64") != NULL, "%s", error.text);
	ck_assert_str_eq(list.name[INTERFACE_LIST_MAX - 1], "n63");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interface list");
	TCase *cases = tcase_create("interface list");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, test_one_name);
	tcase_add_test(cases, test_one_long_name);
	tcase_add_test(cases, test_two);
	tcase_add_test(cases, test_three);
	tcase_add_test(cases, test_empty_names);
	tcase_add_test(cases, test_long_names);
	tcase_add_test(cases, test_any);
	tcase_add_test(cases, test_twice);
	tcase_add_test(cases, test_how_many);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
