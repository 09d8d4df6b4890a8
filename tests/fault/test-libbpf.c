/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libbpf.so.1 that is missing, too old, or beside a libbpf.so.0, when a fanout program needs it: -ENOSYS, a sentence, nothing left open, and another
 * try the next time. This program is not linked with libbpf, as those that netring is preloaded into are not.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "fanout-program.h"
#include "libbpf.h"
#include "resources.h"
#include "../support/bpf-object.h"

#define THREADS 8

static char directory[] = "/tmp/test-libbpf-XXXXXX";
static char path[64];

/* Faults: a name instead of a library's, a function that is not there, no memory the next time. */
static const char *library_asked, *library_given, *function_missing;
static bool memory_is_out;

void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags)
{
	return library_asked && strcmp(name, library_asked) == 0 ? __real_dlopen(library_given, flags) : __real_dlopen(name, flags);
}

void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name)
{
	return function_missing && strcmp(name, function_missing) == 0 ? NULL : __real_dlsym(library, name);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (!memory_is_out)
		return __real_malloc(size);
	memory_is_out = false;
	return NULL;
}

static bool libbpf_is_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352];
	bool found = false;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "/libbpf.so") != NULL;
	fclose(maps);
	return found;
}

static void setup(void)
{
	static const struct bpf_insn insns[] = { BPF_RETURN(0) };

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/program", directory);
	/* libbpf itself refuses this one, for its type: that takes no privilege. */
	write_bpf_object(path, "xdp", "redirect", insns, 2);
}

static void teardown(void)
{
	unlink(path);
	rmdir(directory);
}

static void open_and_fail(int code, const char *wanted)
{
	struct resources before = resources_now(), after;
	struct netring_error error = { "" };
	struct fanout_program program;
	int ret = fanout_program_open(&program, NETRING_FANOUT_EBPF, path, &error);

	library_asked = function_missing = NULL;
	after = resources_now();
	ck_assert_msg(ret == -code, "%d instead of %d: %s", ret, -code, error.text);
	ck_assert_msg(strstr(error.text, wanted) != NULL, "'%s' instead of '%s'", error.text, wanted);
	ck_assert_int_eq(program.fd, -1);
	ck_assert_uint_eq(after.descriptors, before.descriptors);
}

START_TEST(test_library_is_missing)
{
	library_asked = "libbpf.so.1";
	library_given = "libbpf.so.no-such";
	open_and_fail(ENOSYS, "libbpf.so.1 is needed for eBPF programs: libbpf.so.no-such: cannot open shared object file: No such file or directory "
			      "(package libbpf1)");
	ck_assert(!libbpf_is_mapped());
}
END_TEST

START_TEST(test_library_is_too_old)
{
	function_missing = "libbpf_version_string";
	open_and_fail(ENOSYS, "libbpf.so.1 is needed for eBPF programs, and this one has no libbpf_version_string");
	ck_assert(!libbpf_is_mapped());
}
END_TEST

/* Any library that is loaded stands in for the older one. */
START_TEST(test_older_library_is_there)
{
	library_asked = "libbpf.so.0";
	library_given = "libc.so.6";
	open_and_fail(ENOSYS, "cannot be in one process with libbpf.so.0");
	ck_assert(!libbpf_is_mapped());
}
END_TEST

START_TEST(test_no_memory)
{
	const struct libbpf *untouched = (const struct libbpf *)path, *functions = untouched;

	memory_is_out = true;
	ck_assert_int_eq(libbpf_load(&functions, NULL), -ENOMEM);
	ck_assert_ptr_eq(functions, untouched);
	memory_is_out = true;
	open_and_fail(ENOMEM, "libbpf.so.1: Cannot allocate memory");
	ck_assert(!libbpf_is_mapped());
}
END_TEST

START_TEST(test_other_programs_need_none)
{
	struct netring_error error = { "" };
	struct fanout_program program;

	ck_assert_msg(fanout_program_open(&program, NETRING_FANOUT_INNER, NULL, &error) == 0, "%s", error.text);
	fanout_program_close(&program);
	ck_assert(!libbpf_is_mapped());
}
END_TEST

static pthread_barrier_t barrier;

static void *load_with_others(void *argument)
{
	const struct libbpf **functions = argument;

	pthread_barrier_wait(&barrier);
	return libbpf_load(functions, NULL) == 0 ? argument : NULL;
}

/* And after all these failures it is loaded, once for all threads, and stays. */
START_TEST(test_threads_load_it_together)
{
	const struct libbpf *functions[THREADS] = { NULL };
	pthread_t threads[THREADS];
	void *result;

	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, load_with_others, &functions[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_eq(result, &functions[i]);
		ck_assert_ptr_nonnull(functions[i]);
		ck_assert_ptr_eq(functions[i], functions[0]);
	}
	pthread_barrier_destroy(&barrier);
	ck_assert(libbpf_is_mapped());
	open_and_fail(EINVAL, "redirect is of type xdp; wanted is socket_filter");
	/* What is there is not looked for again. */
	library_asked = "libbpf.so.1";
	library_given = "libbpf.so.no-such";
	open_and_fail(EINVAL, "redirect is of type xdp; wanted is socket_filter");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("libbpf");
	TCase *tests = tcase_create("libbpf");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_library_is_missing);
	tcase_add_test(tests, test_library_is_too_old);
	tcase_add_test(tests, test_older_library_is_there);
	tcase_add_test(tests, test_no_memory);
	tcase_add_test(tests, test_other_programs_need_none);
	tcase_add_test(tests, test_threads_load_it_together);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
