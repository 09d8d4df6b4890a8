/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the user's fanout programs, as far as that takes no privilege. */
#define _GNU_SOURCE 1
#include <bpf/libbpf.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fanout-builtin.h"
#include "fanout-program.h"
#include "../support/bpf-object.h"

static char directory[] = "/tmp/test-fanout-program-XXXXXX";
static char path[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/program", directory);
}

static void teardown(void)
{
	unlink(path);
	rmdir(directory);
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* Fails with that code, that in the text and the path as well, and leaves the closed state. */
static void expect_failure(enum netring_fanout_mode mode, int code, const char *wanted)
{
	struct netring_error error = { "" };
	struct fanout_program program;
	int ret = fanout_program_open(&program, mode, path, &error), next = dup(0);

	ck_assert_msg(ret == -code, "%d instead of %d: %s", ret, -code, error.text);
	ck_assert_msg(strstr(error.text, wanted) && strstr(error.text, path), "'%s' instead of '%s'", error.text, wanted);
	ck_assert_ptr_null(program.cbpf);
	ck_assert_int_eq(program.fd, -1);
	close(next);
	ck_assert_int_eq(dup(0), next); /* no descriptor is left open */
	close(next);
}

START_TEST(test_text)
{
	static const char *const forms[] = { "4\n40 0 0 12\n21 0 1 2048\n6 0 0 4294967295\n6 0 0 0\n",
					     "4\n40 0 0 12\n21 0 1 2048\n6 0 0 4294967295\n6 0 0 0" };
	struct netring_error error = { "" };
	struct fanout_program program;

	write_text(forms[_i]);
	ck_assert_msg(fanout_program_open(&program, NETRING_FANOUT_CBPF, path, &error) == 0, "%s", error.text);
	ck_assert_uint_eq(program.length, 4);
	ck_assert_uint_eq(program.cbpf[0].code, 40);
	ck_assert_uint_eq(program.cbpf[0].k, 12);
	ck_assert_uint_eq(program.cbpf[1].jf, 1);
	ck_assert_uint_eq(program.cbpf[2].k, 4294967295);
	ck_assert_int_eq(program.fd, -1);
	fanout_program_close(&program);
	ck_assert_ptr_null(program.cbpf);
	fanout_program_close(&program);
}
END_TEST

struct bad_text {
	const char *text, *wanted;
};

static const struct bad_text bad_texts[] = {
	{ "", "is empty" },
	{ "\n", "line 1 is ''" },
	{ "four\n6 0 0 0\n", "line 1 is 'four'" },
	{ "0\n", "line 1 is '0'" },
	{ "4097\n", "1 to 4096" },
	{ "99999999999999999999\n", "line 1" },
	{ "-1\n6 0 0 0\n", "line 1" },
	{ "1 \n6 0 0 0\n", "line 1" },
	{ "2\n6 0 0 0\n", "ends behind line 2: line 1 promises 2" },
	{ "1\n6 0 0 0\n6 0 0 0\n", "line 3 is one too many" },
	{ "1\n6 0 0 0\n\n", "line 3 is one too many" },
	{ "1\n6 0 0\n", "line 2 is '6 0 0'" },
	{ "1\n6 0 0 0 0\n", "line 2" },
	{ "1\n6  0 0 0\n", "line 2" },
	{ "1\n6 0 0 x\n", "line 2" },
	{ "1\n6 0 0 -1\n", "line 2" },
	{ "1\n65536 0 0 0\n", "line 2" },
	{ "1\n6 256 0 0\n", "line 2" },
	{ "1\n6 0 256 0\n", "line 2" },
	{ "1\n6 0 0 4294967296\n", "line 2" },
	{ "2\n6 0 0 0\n{ 0x6, 0, 0, 0x00000000 },\n", "line 3" },
	{ "(000) ret      #0\n", "line 1" },
	{ "1\n40 0 0 12\n", "no valid program" },
	{ "2\n5 0 0 9\n6 0 0 0\n", "no valid program" },
	{ "2\n65535 0 0 0\n6 0 0 0\n", "no valid program" },
	{ "1\n0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 "
	  "0 0 0\n",
	  "line 2 is too long" },
};

START_TEST(test_bad_text)
{
	write_text(bad_texts[_i].text);
	expect_failure(NETRING_FANOUT_CBPF, EINVAL, bad_texts[_i].wanted);
}
END_TEST

START_TEST(test_what_is_no_file)
{
	unlink(path);
	expect_failure(NETRING_FANOUT_CBPF, ENOENT, "No such file");
	expect_failure(NETRING_FANOUT_EBPF, ENOENT, "No such file");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_failure(NETRING_FANOUT_CBPF, EISDIR, "directory");
	expect_failure(NETRING_FANOUT_EBPF, EISDIR, "directory");
	rmdir(path);
}
END_TEST

START_TEST(test_bad_objects)
{
	static const struct bpf_insn insns[] = { BPF_RETURN(0) };

	write_text("");
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "neither an ELF object file nor pinned");
	write_text("4\n40 0 0 12\n");
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "neither an ELF object file nor pinned");
	write_text("\177ELF and no more");
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "not one with eBPF in it");
	write_bpf_object(path, NULL, "nothing", insns, 2);
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "there is no program in it");
	write_bpf_object(path, "xdp", "redirect", insns, 2);
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "redirect is of type xdp; wanted is socket_filter");
}
END_TEST

static int printed;

static int count_prints(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	printed++;
	return 0;
}

/* The program that netring is a guest in may use libbpf too, and has told it where to print. */
START_TEST(test_libbpf_prints_as_before)
{
	libbpf_print_fn_t before = libbpf_set_print(count_prints);

	write_text("\177ELF and no more");
	expect_failure(NETRING_FANOUT_EBPF, EINVAL, "not one with eBPF in it");
	ck_assert_int_eq(printed, 0);
	ck_assert_ptr_null(bpf_object__open_file(path, NULL));
	ck_assert_int_gt(printed, 0);
	ck_assert(libbpf_set_print(before) == count_prints);
}
END_TEST

START_TEST(test_modes_without_a_file)
{
	struct fanout_program program;

	ck_assert_int_eq(fanout_program_open(&program, NETRING_FANOUT_HASH, NULL, NULL), 0);
	ck_assert_ptr_null(program.cbpf);
	ck_assert_int_eq(program.fd, -1);
	ck_assert_int_eq(fanout_program_open(&program, NETRING_FANOUT_INNER, NULL, NULL), 0);
	ck_assert_ptr_nonnull(program.cbpf);
	ck_assert_uint_gt(program.length, 0);
	fanout_program_close(&program);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fanout-program");
	TCase *tests = tcase_create("programs");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, test_text, 0, 2);
	tcase_add_loop_test(tests, test_bad_text, 0, sizeof(bad_texts) / sizeof(*bad_texts));
	tcase_add_test(tests, test_what_is_no_file);
	tcase_add_test(tests, test_bad_objects);
	tcase_add_test(tests, test_libbpf_prints_as_before);
	tcase_add_test(tests, test_modes_without_a_file);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
