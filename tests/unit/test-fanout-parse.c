/* SPDX-License-Identifier: BSD-3-Clause */
/* MODE[:GROUP] and the flags of a fanout group: every word, every kind of bad text, and that a refusal changes nothing. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fanout.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* pcap's error buffer, less the longest name that is put in front of the sentence: "NETRING_FANOUT_FLAGS=". */
#define SENTENCE_MAX (256 - 21)

#define NAME_OF_32 "0123456789abcdef0123456789abcdef"

static struct netring_error error;

static const struct {
	const char *text;
	enum netring_fanout_mode mode;
	int group;
	const char *name;
} good[] = {
	{ "hash", NETRING_FANOUT_HASH, NETRING_FANOUT_AUTO, NULL },
	{ "lb", NETRING_FANOUT_LB, NETRING_FANOUT_AUTO, NULL },
	{ "cpu", NETRING_FANOUT_CPU, NETRING_FANOUT_AUTO, NULL },
	{ "rollover", NETRING_FANOUT_ROLLOVER, NETRING_FANOUT_AUTO, NULL },
	{ "random", NETRING_FANOUT_RANDOM, NETRING_FANOUT_AUTO, NULL },
	{ "qm", NETRING_FANOUT_QM, NETRING_FANOUT_AUTO, NULL },
	{ "cbpf", NETRING_FANOUT_CBPF, NETRING_FANOUT_AUTO, NULL },
	{ "ebpf", NETRING_FANOUT_EBPF, NETRING_FANOUT_AUTO, NULL },
	{ "symmetric", NETRING_FANOUT_SYMMETRIC, NETRING_FANOUT_AUTO, NULL },
	{ "inner", NETRING_FANOUT_INNER, NETRING_FANOUT_AUTO, NULL },
	{ "HASH:42", NETRING_FANOUT_HASH, 42, NULL },
	{ "hash:0", NETRING_FANOUT_HASH, 0, NULL },
	{ "hash:65535", NETRING_FANOUT_HASH, 65535, NULL },
	{ "lb:0007", NETRING_FANOUT_LB, 7, NULL },
	{ "qm:auto", NETRING_FANOUT_QM, NETRING_FANOUT_AUTO, NULL },
	{ "qm:Auto", NETRING_FANOUT_QM, NETRING_FANOUT_AUTO, NULL },
	{ "hash:@sensor1", NETRING_FANOUT_HASH, NETRING_FANOUT_AUTO, "sensor1" },
	{ "hash:@Auto", NETRING_FANOUT_HASH, NETRING_FANOUT_AUTO, "Auto" },
	{ "hash:@7", NETRING_FANOUT_HASH, NETRING_FANOUT_AUTO, "7" },
	{ "cbpf:@a.b_c-D", NETRING_FANOUT_CBPF, NETRING_FANOUT_AUTO, "a.b_c-D" },
	{ "hash:@" NAME_OF_32, NETRING_FANOUT_HASH, NETRING_FANOUT_AUTO, NAME_OF_32 },
};

START_TEST(test_good)
{
	struct netring_fanout fanout = { .flags = 5, .group = 9, .name = "old", .program = "program" };

	ck_assert_msg(fanout_parse(&fanout, good[_i].text, &error) == 0, "%s: %s", good[_i].text, error.text);
	ck_assert_int_eq(fanout.mode, good[_i].mode);
	ck_assert_int_eq(fanout.group, good[_i].group);
	if (good[_i].name)
		ck_assert_str_eq(fanout.name, good[_i].name);
	else
		ck_assert_ptr_null(fanout.name);
	ck_assert_uint_eq(fanout.flags, 5);
	ck_assert_str_eq(fanout.program, "program");
}
END_TEST

START_TEST(test_name_points_into_the_text)
{
	char text[] = "hash:@sensor1";
	struct netring_fanout fanout = { 0 };

	ck_assert_int_eq(fanout_parse(&fanout, text, &error), 0);
	ck_assert_ptr_eq(fanout.name, text + 6);
}
END_TEST

#define MODE_IS "the mode must be one of hash, lb, cpu, rollover, random, qm, cbpf, ebpf, symmetric, inner"
#define GROUP_IS "the group must be 0..65535, auto or @NAME"
#define NAME_IS "a group's name must be 1..32 letters, digits, '.', '_', '-', not beginning with '.'"

static const struct {
	const char *text, *problem;
} bad[] = {
	{ "", MODE_IS },
	{ ":", MODE_IS },
	{ ":42", MODE_IS },
	{ "42", MODE_IS },
	{ " hash", MODE_IS "; did you mean hash?" },
	{ "hash ", MODE_IS "; did you mean hash?" },
	{ "hsah", MODE_IS "; did you mean hash?" },
	{ "roll:7", MODE_IS },
	{ "none", MODE_IS },
	{ "data", MODE_IS },
	{ "hash,lb", MODE_IS "; did you mean hash?" },
	{ "symmetrics", MODE_IS "; did you mean symmetric?" },
	/* Longer than any word, and equal to none in its beginning. */
	{ "hash000000000000000000000000000000", MODE_IS },
	{ "hash:", GROUP_IS },
	{ "hash:-1", GROUP_IS },
	{ "hash:65536", GROUP_IS },
	{ "hash:18446744073709551616", GROUP_IS },
	{ "hash:4294967338", GROUP_IS },
	{ "hash:0x10", GROUP_IS },
	{ "hash:1K", GROUP_IS },
	{ "hash: 7", GROUP_IS },
	{ "hash:7 ", GROUP_IS },
	{ "hash:7:8", GROUP_IS },
	{ "hash:automatic", GROUP_IS },
	{ "hash:sensor1", GROUP_IS },
	{ "hash:@", NAME_IS },
	{ "hash:@a b", NAME_IS },
	{ "hash:@../x", NAME_IS },
	{ "hash:@a/b", NAME_IS },
	{ "hash:@.", NAME_IS },
	{ "hash:@@a", NAME_IS },
	{ "hash:@a:b", NAME_IS },
	{ "hash:@\xc3\xa4", NAME_IS },
	{ "hash:@" NAME_OF_32 "x", NAME_IS },
};

START_TEST(test_bad)
{
	const struct netring_fanout before = { NETRING_FANOUT_QM, 3, 11, "old", "program" };
	struct netring_fanout fanout = before;

	ck_assert_msg(fanout_parse(&fanout, bad[_i].text, &error) == -EINVAL, "%s accepted", bad[_i].text);
	ck_assert_msg(strstr(error.text, bad[_i].problem) != NULL, "%s: %s", bad[_i].text, error.text);
	ck_assert_str_eq(strstr(error.text, bad[_i].problem), bad[_i].problem);
	ck_assert_uint_lt(strlen(error.text), SENTENCE_MAX);
	ck_assert_mem_eq(&fanout, &before, sizeof(before));
	ck_assert_int_eq(fanout_parse(&fanout, bad[_i].text, NULL), -EINVAL);
}
END_TEST

START_TEST(test_sentences_begin_with_the_text)
{
	struct netring_fanout fanout = { 0 };
	char text[400];

	fanout_parse(&fanout, "hash:70000", &error);
	ck_assert_str_eq(error.text, "hash:70000: " GROUP_IS);
	fanout_parse(&fanout, "a\033[2J\n", &error);
	ck_assert_str_eq(error.text, "a?[2J?: " MODE_IS);
	memset(text, 'z', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fanout_parse(&fanout, text, &error);
	ck_assert_ptr_nonnull(strstr(error.text, "zzz...: " MODE_IS));
	ck_assert_uint_lt(strlen(error.text), SENTENCE_MAX);
}
END_TEST

#define ALL_FLAGS (NETRING_FANOUT_FLAG_ROLLOVER | NETRING_FANOUT_FLAG_DEFRAG | NETRING_FANOUT_FLAG_IGNORE_OUTGOING | NETRING_FANOUT_FLAG_UNIQUE_ID)

static const struct {
	const char *text;
	unsigned flags;
} good_flags[] = {
	{ "rollover", NETRING_FANOUT_FLAG_ROLLOVER },
	{ "defrag", NETRING_FANOUT_FLAG_DEFRAG },
	{ "ignore_outgoing", NETRING_FANOUT_FLAG_IGNORE_OUTGOING },
	{ "unique_id", NETRING_FANOUT_FLAG_UNIQUE_ID },
	{ "Defrag,ROLLOVER", NETRING_FANOUT_FLAG_ROLLOVER | NETRING_FANOUT_FLAG_DEFRAG },
	{ "defrag,defrag", NETRING_FANOUT_FLAG_DEFRAG },
	{ "rollover,defrag,ignore_outgoing,unique_id", ALL_FLAGS },
};

START_TEST(test_good_flags)
{
	unsigned flags = 64;

	ck_assert_msg(fanout_parse_flags(&flags, good_flags[_i].text, &error) == 0, "%s: %s", good_flags[_i].text, error.text);
	ck_assert_uint_eq(flags, good_flags[_i].flags);
}
END_TEST

#define FLAGS_ARE "flags must be one or more of rollover, defrag, ignore_outgoing, unique_id, with commas between them"

static const struct {
	const char *text, *sentence;
} bad_flags[] = {
	{ "", ": " FLAGS_ARE },
	{ ",", ",: " FLAGS_ARE },
	{ "rollover,", "rollover,: " FLAGS_ARE },
	{ ",rollover", ",rollover: " FLAGS_ARE },
	{ "rollover,,defrag", "rollover,,defrag: " FLAGS_ARE },
	{ "rollover, defrag", "rollover, defrag: " FLAGS_ARE "; did you mean defrag?" },
	{ "rollover+defrag", "rollover+defrag: " FLAGS_ARE "; did you mean rollover?" },
	{ "none", "none: " FLAGS_ARE },
	{ "1", "1: " FLAGS_ARE },
	{ "defrag,unique-id", "defrag,unique-id: " FLAGS_ARE "; did you mean unique_id?" },
	{ "ignore_outgoing_and_incoming_too", "ignore_outgoing_and_incoming_too: " FLAGS_ARE "; did you mean ignore_outgoing?" },
};

START_TEST(test_bad_flags)
{
	unsigned flags = 64;

	ck_assert_msg(fanout_parse_flags(&flags, bad_flags[_i].text, &error) == -EINVAL, "%s accepted", bad_flags[_i].text);
	ck_assert_str_eq(error.text, bad_flags[_i].sentence);
	ck_assert_uint_lt(strlen(error.text), SENTENCE_MAX);
	ck_assert_uint_eq(flags, 64);
	ck_assert_int_eq(fanout_parse_flags(&flags, bad_flags[_i].text, NULL), -EINVAL);
}
END_TEST

static Suite *fanout_suite(void)
{
	Suite *suite = suite_create("fanout-parse");
	TCase *cases = tcase_create("fanout-parse");

	tcase_add_loop_test(cases, test_good, 0, LENGTH(good));
	tcase_add_test(cases, test_name_points_into_the_text);
	tcase_add_loop_test(cases, test_bad, 0, LENGTH(bad));
	tcase_add_test(cases, test_sentences_begin_with_the_text);
	tcase_add_loop_test(cases, test_good_flags, 0, LENGTH(good_flags));
	tcase_add_loop_test(cases, test_bad_flags, 0, LENGTH(bad_flags));
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(fanout_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
