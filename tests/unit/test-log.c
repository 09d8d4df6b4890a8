/* SPDX-License-Identifier: BSD-3-Clause */
/* The log: format, levels, one write per line also from several writers, errno left alone, files; and the sentences of struct netring_error. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "log.h"

#define WRITERS 4
#define LINES 500

static char path[64];
static char text[WRITERS * LINES * 128];
static struct netring_error error;

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/netring-test-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

static const char *content(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(fd);
	return text;
}

static void open_log(struct log *log, enum log_level level)
{
	ck_assert_msg(log_open(log, level, path, &error) == 0, "%s", error.text);
}

START_TEST(test_line_format)
{
	struct log log;

	open_log(&log, LOG_DEBUG);
	log_write(&log, LOG_ERROR, "a %d", 1);
	log_write(&log, LOG_WARN, "b");
	log_write(&log, LOG_INFO, "c");
	log_write(&log, LOG_DEBUG, "two\nlines\r");
	log_close(&log);
	ck_assert_str_eq(content(), "netring: error: a 1\nnetring: warn: b\nnetring: info: c\nnetring: debug: two lines \n");
}
END_TEST

/* Every level of the log against every level of a message. */
START_TEST(test_levels)
{
	struct log log;

	open_log(&log, _i);
	for (int level = LOG_OFF; level <= LOG_DEBUG; level++)
		log_write(&log, level, "level %d", level);
	log_close(&log);
	content();
	for (int level = LOG_OFF; level <= LOG_DEBUG; level++) {
		char line[32];

		snprintf(line, sizeof(line), "level %d\n", level);
		ck_assert_int_eq(strstr(text, line) != NULL, level != LOG_OFF && level <= _i);
	}
}
END_TEST

START_TEST(test_long_line_is_cut_and_ends)
{
	struct log log;
	static char message[5000];

	memset(message, 'x', sizeof(message) - 1);
	open_log(&log, LOG_WARN);
	log_write(&log, LOG_WARN, "%s", message);
	log_write(&log, LOG_WARN, "next");
	log_close(&log);
	content();
	ck_assert_uint_lt(strlen(text), 1100);
	ck_assert_ptr_nonnull(strstr(text, "xxx\nnetring: warn: next\n"));
}
END_TEST

START_TEST(test_errno_is_preserved)
{
	struct log log = { LOG_WARN, 1000 };	/* no such descriptor: the write fails with EBADF */

	errno = ENOMEM;
	log_write(&log, LOG_WARN, "x %s", "y");
	ck_assert_int_eq(errno, ENOMEM);
	log_write(&log, LOG_DEBUG, "not written");
	ck_assert_int_eq(errno, ENOMEM);
}
END_TEST

START_TEST(test_stderr)
{
	struct log log;
	int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_APPEND);

	ck_assert_int_eq(log_open(&log, LOG_WARN, _i ? "" : NULL, &error), 0);
	ck_assert_int_eq(log.fd, -1);
	dup2(fd, STDERR_FILENO);
	log_write(&log, LOG_WARN, "to stderr");
	dup2(saved, STDERR_FILENO);
	log_close(&log);
	ck_assert_int_ne(fcntl(STDERR_FILENO, F_GETFD), -1);
	ck_assert_str_eq(content(), "netring: warn: to stderr\n");
}
END_TEST

START_TEST(test_file_is_appended_to_and_close_on_exec)
{
	struct log log;
	int fd;

	for (int i = 0; i < 2; i++) {
		open_log(&log, LOG_WARN);
		ck_assert_int_eq(fcntl(log.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		log_write(&log, LOG_WARN, "%d", i);
		fd = log.fd;
		log_close(&log);
		ck_assert_int_eq(log.fd, -1);
		ck_assert_int_eq(log.level, LOG_WARN);
		ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
		log_close(&log);
	}
	ck_assert_str_eq(content(), "netring: warn: 0\nnetring: warn: 1\n");
}
END_TEST

START_TEST(test_file_that_cannot_be_opened)
{
	struct log log = { LOG_DEBUG, 77 };

	ck_assert_int_eq(log_open(&log, LOG_DEBUG, "/nonexistent/dir/log", &error), -ENOENT);
	ck_assert_str_eq(error.text, "cannot open the log file /nonexistent/dir/log: No such file or directory");
	ck_assert_int_eq(log.fd, -1);
	ck_assert_int_eq(log.level, LOG_WARN);
	ck_assert_int_eq(log_open(&log, LOG_DEBUG, "/", NULL), -EISDIR);
}
END_TEST

static void *write_lines(void *argument)
{
	/* Each writer has a log of its own, as two processes would: only write(2) keeps their lines apart. */
	struct log log;

	open_log(&log, LOG_INFO);
	for (int i = 0; i < LINES; i++)
		log_write(&log, LOG_INFO, "writer %d abcdefghijklmnopqrstuvwxyz", *(int *)argument);
	log_close(&log);
	return NULL;
}

START_TEST(test_lines_of_several_writers_do_not_mix)
{
	pthread_t threads[WRITERS];
	int numbers[WRITERS], counts[WRITERS] = { 0 }, total = 0;

	for (int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	content();
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), total++) {
		int writer = -1, length = 0;

		sscanf(line, "netring: info: writer %d abcdefghijklmnopqrstuvwxyz%n", &writer, &length);
		ck_assert_msg(writer >= 0 && writer < WRITERS && length == (int)strlen(line), "mixed line: %s", line);
		counts[writer]++;
	}
	ck_assert_int_eq(total, WRITERS * LINES);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(counts[i], LINES);
}
END_TEST

START_TEST(test_error_sentences)
{
	ck_assert_int_eq(error_set(&error, EINVAL, "bad %s", "thing"), -EINVAL);
	ck_assert_str_eq(error.text, "bad thing");
	ck_assert_int_eq(error_errno(&error, EPERM, "open %d", 3), -EPERM);
	ck_assert_str_eq(error.text, "open 3: Operation not permitted");
	ck_assert_int_eq(error_set(NULL, ENOMEM, "x"), -ENOMEM);
	ck_assert_int_eq(error_errno(NULL, ENOMEM, "x"), -ENOMEM);
}
END_TEST

START_TEST(test_long_sentences_are_cut)
{
	static char message[5000];

	memset(message, 'x', sizeof(message) - 1);
	error_set(&error, EINVAL, "%s", message);
	ck_assert_uint_eq(strlen(error.text), sizeof(error.text) - 1);
	error_errno(&error, EINVAL, "%s", message);
	ck_assert_uint_eq(strlen(error.text), sizeof(error.text) - 1);
}
END_TEST

static Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *cases = tcase_create("log");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_line_format);
	tcase_add_loop_test(cases, test_levels, LOG_OFF, LOG_DEBUG + 1);
	tcase_add_test(cases, test_long_line_is_cut_and_ends);
	tcase_add_test(cases, test_errno_is_preserved);
	tcase_add_loop_test(cases, test_stderr, 0, 2);
	tcase_add_test(cases, test_file_is_appended_to_and_close_on_exec);
	tcase_add_test(cases, test_file_that_cannot_be_opened);
	tcase_add_test(cases, test_lines_of_several_writers_do_not_mix);
	tcase_add_test(cases, test_error_sentences);
	tcase_add_test(cases, test_long_sentences_are_cut);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(log_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
