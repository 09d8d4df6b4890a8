/* SPDX-License-Identifier: BSD-3-Clause */
/* Which CPUs the reader may use, and pinning it: on whatever CPUs this machine lets us have, each tried in turn. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reader-cpu.h"

static cpu_set_t allowed;
static struct netring_error error;

static void setup(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	memset(&error, 0, sizeof(error));
}

static void teardown(void)
{
	ck_assert_int_eq(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
}

START_TEST(test_count)
{
	ck_assert_int_eq(reader_cpu_count(), CPU_COUNT(&allowed));
}
END_TEST

START_TEST(test_check)
{
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		ck_assert_int_eq(reader_cpu_check(cpu, &error), CPU_ISSET(cpu, &allowed) ? 0 : -EINVAL);
	ck_assert_int_eq(reader_cpu_check(8191, NULL), -EINVAL);
	ck_assert_int_eq(reader_cpu_check(8192, NULL), -EINVAL);
	ck_assert_int_eq(reader_cpu_check(UINT32_MAX, &error), -EINVAL);
	ck_assert_msg(strstr(error.text, "CPU 4294967295: ") == error.text, "%s", error.text);
}
END_TEST

/* Pinned to each CPU: it runs there, the others are refused, and the sentence says which is left. */
START_TEST(test_pin)
{
	char only[32];

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		teardown();
		ck_assert_int_eq(reader_cpu_pin(cpu, &error), 0);
		ck_assert_int_eq(sched_getcpu(), (int)cpu);
		ck_assert_int_eq(reader_cpu_count(), 1);
		ck_assert_int_eq(reader_cpu_check(cpu, &error), 0);
		ck_assert_int_eq(reader_cpu_check(cpu + 1, &error), -EINVAL);
		snprintf(only, sizeof(only), "only on %u", cpu);
		ck_assert_str_eq(strstr(error.text, "only on"), only);
	}
}
END_TEST

START_TEST(test_pin_nowhere)
{
	static const unsigned cpus[] = { CPU_SETSIZE + 1, 8191, 8192, UINT32_MAX };

	for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
		ck_assert_int_eq(reader_cpu_pin(cpus[i], &error), -EINVAL);
		ck_assert_msg(strstr(error.text, "sched_setaffinity") != NULL, "%s", error.text);
		ck_assert_int_eq(reader_cpu_count(), CPU_COUNT(&allowed));
	}
}
END_TEST

/* The ranges, on a made-up machine. */
static cpu_set_t *made_up;
int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	if (!made_up)
		return __real_sched_getaffinity(pid, size, set);
	memcpy(set, made_up, sizeof(*made_up));
	return 0;
}

START_TEST(test_ranges)
{
	static const struct {
		unsigned char cpu[6];
		const char *text;
	} sets[] = { { { 0, 1, 4 }, "0-1,4" }, { { 7 }, "7" }, { { 0, 2, 4, 6 }, "0,2,4,6" }, { { 1, 2, 3, 63, 64, 65 }, "1-3,63-65" } };

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		for (size_t j = 0; j < 6; j++)
			if (sets[i].cpu[j] || j == 0)
				CPU_SET(sets[i].cpu[j], &set);
		made_up = &set;
		ck_assert_int_eq(reader_cpu_check(200, &error), -EINVAL);
		made_up = NULL;
		ck_assert_str_eq(strstr(error.text, "only on ") + strlen("only on "), sets[i].text);
	}
}
END_TEST

/* Longer than any sentence: cut, and not beyond the end. */
START_TEST(test_very_many_ranges)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu += 2)
		CPU_SET(cpu, &set);
	made_up = &set;
	ck_assert_int_eq(reader_cpu_check(1, &error), -EINVAL);
	ck_assert_int_eq(reader_cpu_count(), CPU_SETSIZE / 2);
	made_up = NULL;
	ck_assert_msg(strstr(error.text, "only on 0,2,4,") != NULL, "%s", error.text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader CPU");
	TCase *cases = tcase_create("reader CPU");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_count);
	tcase_add_test(cases, test_check);
	tcase_add_test(cases, test_pin);
	tcase_add_test(cases, test_pin_nowhere);
	tcase_add_test(cases, test_ranges);
	tcase_add_test(cases, test_very_many_ranges);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
