/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much memory is left, in every arrangement of cgroups: the files are the test's own.
 *
 * Linked with --wrap=open, so that memory_available reads /proc and /sys/fs/cgroup below a temporary directory. Two tests without that look at the machine.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory-limit.h"

#define GIB ((uint64_t)1 << 30)
#define MIB ((uint64_t)1 << 20)
#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"
#define LONGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char root[PATH_MAX];
static bool real_machine;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	char moved[2 * PATH_MAX];

	/* memory-limit.c creates nothing, so there is no mode. */
	if (real_machine)
		return __real_open(path, flags);
	snprintf(moved, sizeof(moved), "%s%s", root, path);
	return __real_open(moved, flags);
}

static void setup(void)
{
	strcpy(root, "/tmp/netring-memory-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	real_machine = false;
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* One file of the made-up machine; its folders are made on the way. */
static void put(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *path, const char *format, ...)
{
	char full[2 * PATH_MAX];
	va_list arguments;
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	ck_assert_msg(file != NULL, "%s", full);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	ck_assert_int_eq(fclose(file), 0);
}

static void put_machine(uint64_t available)
{
	put("/proc/meminfo", "MemTotal:       99999999 kB\nMemFree:          1234 kB\nMemAvailable:   %llu kB\nBuffers: 7 kB\n",
	    (unsigned long long)available / 1024);
}

static void put_v1(const char *group, uint64_t limit, uint64_t usage, uint64_t cache)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), V1 "%s/memory.limit_in_bytes", group);
	put(path, "%llu\n", (unsigned long long)limit);
	snprintf(path, sizeof(path), V1 "%s/memory.usage_in_bytes", group);
	put(path, "%llu\n", (unsigned long long)usage);
	snprintf(path, sizeof(path), V1 "%s/memory.stat", group);
	/* Without the "total_" it is the group's own, without its children. */
	put(path, "cache 1\ninactive_file 2\ntotal_cache 3\ntotal_inactive_file %llu\ntotal_active_file 4\n", (unsigned long long)cache);
}

static void put_v2(const char *group, const char *limit, uint64_t usage, uint64_t cache)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), V2 "%s/memory.max", group);
	put(path, "%s\n", limit);
	snprintf(path, sizeof(path), V2 "%s/memory.current", group);
	put(path, "%llu\n", (unsigned long long)usage);
	snprintf(path, sizeof(path), V2 "%s/memory.stat", group);
	put(path, "anon 1\nfile 2\ninactive_file %llu\nactive_file 3\n", (unsigned long long)cache);
}

START_TEST(test_nothing_tells)
{
	ck_assert_uint_eq(memory_available(), UINT64_MAX);
}
END_TEST

START_TEST(test_machine_alone)
{
	put_machine(3 * GIB);
	ck_assert_uint_eq(memory_available(), 3 * GIB);
	put("/proc/self/cgroup", "%s", "");
	ck_assert_uint_eq(memory_available(), 3 * GIB);
}
END_TEST

/* Linux before 3.14 has no MemAvailable. */
START_TEST(test_old_meminfo)
{
	put("/proc/meminfo", "MemTotal: 100 kB\nMemFree: 50 kB\n");
	ck_assert_uint_eq(memory_available(), UINT64_MAX);
}
END_TEST

START_TEST(test_v1)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "9:name=systemd:/\n5:devices:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/\n0::/\n");
	put_v1("/docker/abc", 256 * MIB, 100 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 156 * MIB);
	put_v1("/docker/abc", 256 * MIB, 100 * MIB, 40 * MIB);
	ck_assert_uint_eq(memory_available(), 196 * MIB);
}
END_TEST

START_TEST(test_v1_shares_its_hierarchy)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "4:cpu,memory,pids:/x\n");
	put_v1("/x", 64 * MIB, MIB, 0);
	ck_assert_uint_eq(memory_available(), 63 * MIB);
}
END_TEST

/* A controller whose name only begins so. */
START_TEST(test_v1_other_controllers)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "4:memory2:/x\n3:name=memory:/x\n");
	put_v1("/x", 64 * MIB, MIB, 0);
	ck_assert_uint_eq(memory_available(), 8 * GIB);
}
END_TEST

START_TEST(test_v1_without_limit)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "4:memory:/x\n");
	put_v1("/x", 9223372036854771712u, 100 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 8 * GIB);
}
END_TEST

START_TEST(test_v2)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/user.slice/a.service\n");
	put_v2("/user.slice/a.service", "268435456", 128 * MIB, 28 * MIB);
	ck_assert_uint_eq(memory_available(), 156 * MIB);
	put_v2("/user.slice/a.service", "max", 128 * MIB, 28 * MIB);
	ck_assert_uint_eq(memory_available(), 8 * GIB);
}
END_TEST

/* The tightest of a group and all its parents, the root's own included, as a container sees it. */
START_TEST(test_parents)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/a/b/c\n");
	put_v2("/a/b/c", "max", 10 * MIB, 0);
	put_v2("/a/b", "1073741824", 24 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 1000 * MIB);
	put_v2("/a", "536870912", 12 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 500 * MIB);
	put_v2("", "104857600", 50 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 50 * MIB);
}
END_TEST

/* Inside a container the path may be the host's, and only the root of the tree be there. */
START_TEST(test_path_of_the_host)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "4:memory:/docker/0123456789\n");
	put_v1("", 256 * MIB, 56 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 200 * MIB);
}
END_TEST

START_TEST(test_both_versions)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "4:memory:/x\n0::/y\n");
	put_v1("/x", 300 * MIB, 0, 0);
	put_v2("/y", "209715200", 0, 0);
	ck_assert_uint_eq(memory_available(), 200 * MIB);
	put_v1("/x", 100 * MIB, 0, 0);
	ck_assert_uint_eq(memory_available(), 100 * MIB);
}
END_TEST

START_TEST(test_machine_is_tighter)
{
	put_machine(50 * MIB);
	put("/proc/self/cgroup", "0::/y\n");
	put_v2("/y", "209715200", 0, 0);
	ck_assert_uint_eq(memory_available(), 50 * MIB);
}
END_TEST

START_TEST(test_more_used_than_allowed)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/y\n");
	put_v2("/y", "1048576", 2 * MIB, 0);
	ck_assert_uint_eq(memory_available(), 0);
	put_v2("/y", "0", 0, 0);
	ck_assert_uint_eq(memory_available(), 0);
}
END_TEST

/* The statistics are older than the use: more cache than use is possible. */
START_TEST(test_more_cache_than_use)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/y\n");
	put_v2("/y", "1048576", 1000, 2000);
	ck_assert_uint_eq(memory_available(), MIB);
}
END_TEST

START_TEST(test_files_missing_or_empty)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/y\n");
	put_v2("/y", "209715200", 0, 0);
	put("/sys/fs/cgroup/y/memory.stat", "%s", "");
	ck_assert_uint_eq(memory_available(), 200 * MIB);
	put("/sys/fs/cgroup/y/memory.current", "%s", "");
	ck_assert_uint_eq(memory_available(), 8 * GIB);
	put("/sys/fs/cgroup/y/memory.current", "nonsense\n");
	ck_assert_uint_eq(memory_available(), 8 * GIB);
	put("/sys/fs/cgroup/y/memory.max", "%s", "");
	ck_assert_uint_eq(memory_available(), 8 * GIB);
}
END_TEST

/* A limit that is cut off in the middle of the digits would be a wrong one; the largest has 20. */
START_TEST(test_long_numbers)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/y\n");
	put_v2("/y", "18446744073709551615", 0, 0);
	ck_assert_uint_eq(memory_available(), 8 * GIB);
}
END_TEST

START_TEST(test_lines_that_are_none)
{
	put_machine(8 * GIB);
	put_v2("/y", "1048576", 0, 0);
	put("/proc/self/cgroup", "\n:\n::\nrubbish\n4\n4:memory\n0:/y\n\n0::/y\n");
	ck_assert_uint_eq(memory_available(), MIB);
	put("/proc/self/cgroup", "0::/y");
	ck_assert_uint_eq(memory_available(), MIB);
}
END_TEST

START_TEST(test_names_with_colons)
{
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::/system.slice/x@0:1.service\n");
	put_v2("/system.slice/x@0:1.service", "1048576", 0, 0);
	ck_assert_uint_eq(memory_available(), MIB);
}
END_TEST

/* Deeper than a path may be: nothing can be read there, but the parents still count. */
START_TEST(test_path_too_long)
{
	char group[PATH_MAX] = "/y";

	while (strlen(group) + sizeof(LONGEST) + 1 < sizeof(group))
		strcat(strcat(group, "/"), LONGEST);
	put_machine(8 * GIB);
	put("/proc/self/cgroup", "0::%s\n", group);
	put_v2("/y", "1048576", 0, 0);
	ck_assert_uint_eq(memory_available(), MIB);
}
END_TEST

static uint64_t read_meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long long value = 0;
	char line[128];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, 10);
	fclose(file);
	return value * 1024;
}

/* This machine, with other programs on it: not more than all of its memory, and not more than it says is available, give or take what they do. */
START_TEST(test_plausible_here)
{
	uint64_t available;

	real_machine = true;
	available = memory_available();
	ck_assert_uint_gt(available, 0);
	ck_assert_uint_lt(available, read_meminfo("MemTotal:"));
	ck_assert_uint_lt(available, read_meminfo("MemAvailable:") + GIB);
}
END_TEST

START_TEST(test_no_descriptor_is_left)
{
	int before = dup(STDERR_FILENO), after;

	close(before);
	real_machine = true;
	for (int i = 0; i < 10; i++)
		memory_available();
	real_machine = false;
	memory_available();
	after = dup(STDERR_FILENO);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

static Suite *memory_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *cases = tcase_create("memory");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_nothing_tells);
	tcase_add_test(cases, test_machine_alone);
	tcase_add_test(cases, test_old_meminfo);
	tcase_add_test(cases, test_v1);
	tcase_add_test(cases, test_v1_shares_its_hierarchy);
	tcase_add_test(cases, test_v1_other_controllers);
	tcase_add_test(cases, test_v1_without_limit);
	tcase_add_test(cases, test_v2);
	tcase_add_test(cases, test_parents);
	tcase_add_test(cases, test_path_of_the_host);
	tcase_add_test(cases, test_both_versions);
	tcase_add_test(cases, test_machine_is_tighter);
	tcase_add_test(cases, test_more_used_than_allowed);
	tcase_add_test(cases, test_more_cache_than_use);
	tcase_add_test(cases, test_files_missing_or_empty);
	tcase_add_test(cases, test_long_numbers);
	tcase_add_test(cases, test_lines_that_are_none);
	tcase_add_test(cases, test_names_with_colons);
	tcase_add_test(cases, test_path_too_long);
	tcase_add_test(cases, test_plausible_here);
	tcase_add_test(cases, test_no_descriptor_is_left);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(memory_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
