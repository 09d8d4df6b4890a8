/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file: each pair of the order of precedence, which sections hold, each kind of file and of line that is refused with its sentence, and
 * bytes at random. Every test begins with an empty environment. What the machine has in /etc is never looked at: open and access are wrapped.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config-choice.h"
#include "test-random.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define MIB ((uint64_t)1 << 20)

/* pcap's error buffer. */
#define ERRBUF_SIZE 256

static struct config config;
static struct netring_error error;
static char folder[] = "/tmp/netring-test-XXXXXX";
static char path[160];	/* of the file of this test */

/* Calls that fail, and what is in the place of the system's file. */

static const char *system_file;	/* NULL: there is none */
static int open_errnum, read_errnum;
static int allocations_left = -1;	/* until one fails; -1: none does */
static unsigned opened;

int __real_open(const char *name, int flags, ...);
int __real_access(const char *name, int mode);
ssize_t __real_read(int fd, void *buffer, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
char *__real_strdup(const char *text);
int __wrap_open(const char *name, int flags, ...);
int __wrap_access(const char *name, int mode);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
char *__wrap_strdup(const char *text);

int __wrap_open(const char *name, int flags, ...)
{
	bool is_system_file = strcmp(name, CONFIG_FILE_PATH) == 0;

	opened++;
	if (open_errnum || (is_system_file && !system_file)) {
		errno = open_errnum ? open_errnum : ENOENT;
		return -1;
	}
	return __real_open(is_system_file ? system_file : name, flags);
}

int __wrap_access(const char *name, int mode)
{
	if (strcmp(name, CONFIG_FILE_PATH) != 0)
		return __real_access(name, mode);
	errno = ENOENT;
	return system_file ? 0 : -1;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	static unsigned calls;

	if (read_errnum) {
		errno = read_errnum;
		return -1;
	}
	/* In pieces, and interrupted now and then. */
	if (++calls % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return __real_read(fd, buffer, size > 100 ? 100 : size);
}

static bool allocation_fails(void)
{
	if (allocations_left < 0)
		return false;
	errno = ENOMEM;
	return allocations_left-- == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

char *__wrap_strdup(const char *text)
{
	return allocation_fails() ? NULL : __real_strdup(text);
}

/* Files */

static void setup(void)
{
	clearenv();
	config_init(&config);
	config.program = "tcpdump";
	config.interface = "eth0";
	error.text[0] = '\0';
	system_file = NULL;
	open_errnum = read_errnum = 0;
	allocations_left = -1;
}

/* A name that no test had before, whether libcheck forks or not: a process remembers files by name. */
static void new_path(void)
{
	static unsigned number;

	snprintf(path, sizeof(path), "%s/%d-%u", folder, (int)getpid(), ++number);
	setenv("NETRING_CONFIG", path, 1);
}

static void write_bytes(const char *bytes, size_t length)
{
	int fd = __real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

static void write_file(const char *text)
{
	new_path();
	write_bytes(text, strlen(text));
}

static void load(void)
{
	const char *program = config.program, *interface = config.interface;

	config_init(&config);
	config.program = program;
	config.interface = interface;
	ck_assert_msg(config_load(&config, &error) == 0, "refused: %s", error.text);
}

static void load_text(const char *text)
{
	write_file(text);
	load();
}

/* The sentence is the path, as it is shown, and the rest. */
static void ck_refused(const char *rest)
{
	struct config before = config;

	error.text[0] = '\0';
	ck_assert_msg(config_load(&config, &error) < 0, "accepted, instead of: %s", rest);
	ck_assert_msg(strncmp(error.text, path, strlen(path)) == 0, "the path is first: %s", error.text);
	ck_assert_str_eq(error.text + strlen(path), rest);
	ck_assert_uint_lt(strlen(error.text), ERRBUF_SIZE);
	ck_assert_msg(memcmp(&before, &config, sizeof(config)) == 0, "the configuration has changed");
}

static void ck_value(enum config_id id, const char *value)
{
	char text[256];

	ck_assert_str_eq(config_format(&config, id, text, sizeof(text)), value);
}

static void ck_where(enum config_id id, const char *rest)
{
	char text[256];

	ck_assert_msg(config.line[id] != NULL, "%s is from no file", config_variables[id].name);
	config_file_where(config.line[id], text, sizeof(text));
	ck_assert_int_eq(strncmp(text, path, strlen(path)), 0);
	ck_assert_str_eq(text + strlen(path), rest);
}

/* Precedence: everyone who can say how many rings there are, the weakest first. */

static const struct {
	const char *text, *name, *value; /* of the file, and of the environment */
	enum config_source source;
	bool overrules, is_deliberate;
} layers[] = {
	{ "[default]\nprofile = weak\n", NULL, NULL, CONFIG_FROM_DEFAULT_PROFILE, false, false },
	{ "[default]\nrings = 2\n", NULL, NULL, CONFIG_FROM_FILE_DEFAULT, false, false },
	{ "", "NETRING_PROFILE", "strong", CONFIG_FROM_PROFILE, true, false },
	{ "[interface eth0]\nrings = 4\n", NULL, NULL, CONFIG_FROM_FILE_INTERFACE, true, true },
	{ "[program tcpdump]\nrings = 5\n", NULL, NULL, CONFIG_FROM_FILE_PROGRAM, true, true },
	{ "", "SNF_NUM_RINGS", "6", CONFIG_FROM_ALIAS, true, false },
	{ "", "NETRING_RINGS", "7", CONFIG_FROM_ENVIRONMENT, true, true },
};

static void take_layer(char *text, size_t size, int i)
{
	/* The same section twice is an error, so two layers in [default] share one. */
	const char *header = "[default]\n", *more = layers[i].text;
	size_t used = strlen(text);

	if (strstr(text, header) && strncmp(more, header, strlen(header)) == 0)
		more += strlen(header);
	snprintf(text + used, size - used, "%s", more);
	if (layers[i].name)
		setenv(layers[i].name, layers[i].value, 1);
}

/* _i: a pair, the first of which is not stronger than the second. */
START_TEST(test_precedence)
{
	static const char *const values[] = { "1", "2", "3", "4", "5", "6", "7" };
	int weak = _i / LENGTH(layers), strong = _i % LENGTH(layers);
	char text[512] = "";

	if (weak > strong)
		return;
	if (weak < strong)
		take_layer(text, sizeof(text), weak);
	take_layer(text, sizeof(text), strong);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "[profile weak]\nrings = 1\n[profile strong]\nrings = 3\n");
	load_text(text);
	ck_value(CONFIG_RINGS, values[strong]);
	ck_assert_int_eq(config.source[CONFIG_RINGS], layers[strong].source);
	ck_assert(config_is_set(&config, CONFIG_RINGS));
	ck_assert_int_eq(config_overrules(&config, CONFIG_RINGS), layers[strong].overrules);
	ck_assert_int_eq(config_is_deliberate(&config, CONFIG_RINGS), layers[strong].is_deliberate);
	ck_assert_int_eq(config.line[CONFIG_RINGS] != NULL, strong < 5);
}
END_TEST

START_TEST(test_nobody_says_anything)
{
	load_text("");
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		ck_assert(i == CONFIG_CONFIG || (!config_is_set(&config, i) && !config_overrules(&config, i) && !config.line[i]));
}
END_TEST

START_TEST(test_who_chooses_the_profile)
{
	static const char profiles[] = "[profile one]\nbusy_poll_us = 1\n[profile two]\nbusy_poll_us = 2\n[profile three]\nbusy_poll_us = 3\n"
				       "[default]\nprofile = one\nbusy_poll_us = 9\n[interface *]\nprofile = two\n[program t*]\nprofile = three\n";

	config.interface = NULL;
	config.program = "";
	load_text(profiles);
	ck_value(CONFIG_PROFILE, "one");
	ck_value(CONFIG_BUSY_POLL_US, "9");
	config.interface = "eth0";
	load();
	ck_value(CONFIG_PROFILE, "two");
	ck_value(CONFIG_BUSY_POLL_US, "2");
	ck_where(CONFIG_BUSY_POLL_US, ":4 [profile two]");
	config.program = "tcpdump";
	load();
	ck_value(CONFIG_BUSY_POLL_US, "3");
	setenv("NETRING_PROFILE", "ONE", 1);
	load();
	ck_value(CONFIG_BUSY_POLL_US, "1");
	ck_assert_int_eq(config.source[CONFIG_BUSY_POLL_US], CONFIG_FROM_PROFILE);
	setenv("NETRING_PROFILE", "low_latency", 1);
	load();
	ck_value(CONFIG_BUSY_POLL_US, "50");
	ck_assert_ptr_null(config.line[CONFIG_BUSY_POLL_US]);
}
END_TEST

START_TEST(test_unknown_profile_of_the_environment)
{
	write_file("[profile site]\nrings = 2\n");
	setenv("NETRING_PROFILE", "sit", 1);
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_str_eq(error.text, "NETRING_PROFILE=sit: must be one of default, high_throughput, low_latency, low_memory, jumbo, "
				     "or a [profile NAME] of the configuration file");
}
END_TEST

/* Which sections hold */

static const struct {
	const char *text, *program, *interface, *rings;
} choices[] = {
	{ "[program tcpdump]\nrings = 2\n[program tcp*]\nrings = 3\n", "tcpdump", NULL, "2" },
	{ "[program *dump]\nrings = 2\n[program tcp*]\nrings = 3\n", "tcpdump", NULL, "3" },
	{ "[program tcp?ump]\nrings = 2\n", "tcpdump", NULL, "2" },
	{ "[program tcp]\nrings = 2\n", "tcpdump", NULL, "1" },
	{ "[program TCPDUMP]\nrings = 2\n", "tcpdump", NULL, "1" },
	{ "[program *]\nrings = 2\n", "", NULL, "2" },
	{ "[program my tool]\nrings = 2\n", "my tool", NULL, "2" },
	{ "[interface eth[01]]\nrings = 2\n", "", "eth1", "2" },
	{ "[interface eth[01]] # a [comment]\nrings = 2\n", "", "eth1", "2" },
	{ "[interface eth[01]]\nrings = 2\n", "", "eth2", "1" },
	{ "[interface a\\*]\nrings = 2\n", "", "a\\b", "2" },
	{ "[interface any]\nrings = 2\n", "", "any", "2" },
	{ "[interface *]\nrings = 2\n", "", NULL, "1" },
	{ "[interface eth0]\nrings = 2\n[interface eth1]\nrings = 2\n", "", "eth0,eth1", "2" },
	{ "[interface eth0]\nrings = 2\n", "", "eth0,eth1", "2" },
	{ "[interface eth0]\nrings = 2\n", "", "eth1,eth0", "2" },
	{ "[interface eth0]\nrings = 2\n[interface eth1]\nrings = 3\n[interface eth0,eth1]\nrings = 4\n", "", "eth0,eth1", "4" },
	{ "[interface eth0]\nrings = 2\n[interface eth0,eth1]\nfanout = lb\n", "", "eth0,eth1", "2" },
	{ "[interface eth0,eth1]\nrings = 4\n", "", "eth0", "1" },
};

START_TEST(test_choice)
{
	config.program = choices[_i].program;
	config.interface = choices[_i].interface;
	load_text(choices[_i].text);
	ck_value(CONFIG_RINGS, choices[_i].rings);
}
END_TEST

START_TEST(test_interfaces_that_disagree)
{
	char expected[512];

	config.interface = "eth0,eth1";
	write_file("[interface eth0]\nrings = 2\n[interface eth1]\nrings = 3\n");
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "eth0,eth1: %s:2 [interface eth0] and %s:4 [interface eth1] disagree on NETRING_RINGS; "
		 "[interface eth0,eth1] decides", path, path);
	ck_assert_str_eq(error.text, expected);
	config.interface = "eth1";
	load();
	ck_value(CONFIG_RINGS, "3");
}
END_TEST

START_TEST(test_ring_size_and_block_count_take_each_other_back)
{
	load_text("[program t*]\nblock_count = 8\n[program tcpdump]\nring_size = 16M\n");
	ck_value(CONFIG_RING_SIZE, "16M");
	ck_assert(!config_is_set(&config, CONFIG_BLOCK_COUNT));
	load_text("[program tcpdump]\nblock_count = 8\n[program t*]\nring_size = 16M\n");
	ck_value(CONFIG_BLOCK_COUNT, "8");
	ck_assert(!config_is_set(&config, CONFIG_RING_SIZE));
	load_text("[default]\nblock_count = 8\n[profile p]\nring_size = 16M\n[interface *]\nprofile = p\n");
	ck_value(CONFIG_RING_SIZE, "16M");
	ck_assert(!config_is_set(&config, CONFIG_BLOCK_COUNT));
	write_file("[program tcpdump]\nblock_count = 8\nring_size = 16M\n");
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, ":3): not allowed together with NETRING_BLOCK_COUNT=8 ("));
}
END_TEST

START_TEST(test_a_group_takes_flags_and_program_of_a_weaker_one_back)
{
	static const char group[] = "[program t*]\nfanout = cbpf\nfanout_prog = /a\nfanout_flags = defrag\n";
	char text[256];

	load_text(group);
	ck_value(CONFIG_FANOUT_PROG, "/a");
	setenv("NETRING_FANOUT", "hash", 1);
	load();
	ck_assert(!config_is_set(&config, CONFIG_FANOUT_PROG) && !config_is_set(&config, CONFIG_FANOUT_FLAGS));
	unsetenv("NETRING_FANOUT");
	setenv("PCAP_FANOUT", "hash+rollover", 1);
	load();
	ck_assert(!config_is_set(&config, CONFIG_FANOUT_PROG));
	ck_value(CONFIG_FANOUT_FLAGS, "rollover");
	unsetenv("PCAP_FANOUT");
	setenv("NETRING_FANOUT_FLAGS", "rollover", 1);
	load();
	ck_value(CONFIG_FANOUT_PROG, "/a");
	ck_value(CONFIG_FANOUT_FLAGS, "rollover");
	unsetenv("NETRING_FANOUT_FLAGS");
	snprintf(text, sizeof(text), "%s[program tcpdump]\nfanout = hash\n", group);
	load_text(text);
	ck_assert(!config_is_set(&config, CONFIG_FANOUT_PROG) && !config_is_set(&config, CONFIG_FANOUT_FLAGS));
}
END_TEST

START_TEST(test_sentences_about_several_values_name_the_lines)
{
	char expected[512];

	write_file("[default]\nblock_size = 64K\n\n[program tcpdump]\nframe_size = 1M\n");
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "NETRING_FRAME_SIZE=1M (%s:5): must not be larger than a block, NETRING_BLOCK_SIZE=64K (%s:2)", path, path);
	ck_assert_str_eq(error.text, expected);
}
END_TEST

/* What may be written */

static const struct {
	const char *text, *log_file;
} good[] = {
	{ "[default]\nlog_file = /a b\n", "/a b" },
	{ "[default]\nlog_file=/a", "/a" },
	{ "\xef\xbb\xbf[default]\r\nlog_file=/a\r\n", "/a" },
	{ "  [ default ]\t\n\t log_file\t = \t/a \t\n", "/a" },
	{ "[DEFAULT]\nLog_File = /a\n", "/a" },
	{ "[default]\nNETRING_LOG_FILE = /a\n", "/a" },
	{ "[default]\nnetring_log_file = /a\n", "/a" },
	{ "# x\n ; y = z\n[default] ; z\nlog_file = /a # b\n", "/a" },
	{ "[default]#\nlog_file = /a ;b\n", "/a" },
	{ "[default]\nlog_file = /a#b;c\n", "/a#b;c" },
	{ "[default]\nlog_file = \"/a # b \" # c\n", "/a # b " },
	{ "[default]\nlog_file = /a=b\n", "/a=b" },
	{ "[default]\nlog_file = /a\"b\n", "/a\"b" },
	{ "[default]\nlog_file = /caf\xc3\xa9\n", "/caf\xc3\xa9" },
	{ "[default]\nlog_file = /latin\xe9\n", "/latin\xe9" },
	{ "[default]\n[program x]\n[interface x]\nlog = off\n[interface y]\n[profile x]\n[program *]\nlog_file = /a\n", "/a" },
};

START_TEST(test_good_text)
{
	load_text(good[_i].text);
	ck_assert_str_eq(config.text[CONFIG_LOG_FILE], good[_i].log_file);
}
END_TEST

/* Every variable in turn, by its key, with the value that it has by default, where there is one that can be written. */
START_TEST(test_every_variable)
{
	char value[128], text[256];

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		setup();
		config_init(&config);
		config_format(&config, i, value, sizeof(value));
		if (i == CONFIG_CONFIG || config_variables[i].unset)
			continue;
		snprintf(text, sizeof(text), "[default]\n%s = %s\n", config_variables[i].name + 8, value);
		load_text(text);
		ck_assert_int_eq(config.source[i], CONFIG_FROM_FILE_DEFAULT);
		ck_where(i, ":2 [default]");
	}
}
END_TEST

static const struct {
	const char *text, *sentence;
} bad[] = {
	{ "log = off\n", ":1: log: stands before the first section, which may be [default]" },
	{ "[default]\nlog off\n", ":2: log off: must be KEY = VALUE, [SECTION], or a comment" },
	{ "[default\n", ":1: [default: a section must end with ]" },
	{ "[default] x\n", ":1: [default] x: a section must end with ]" },
	{ "[]\n", ":1: []: must be [default], [interface NAME], [program NAME] or [profile NAME]" },
	{ "[programm x]\n", ":1: [programm]: must be [default], [interface NAME], [program NAME] or [profile NAME]; did you mean program?" },
	{ "[tcpdump]\n", ":1: [tcpdump]: must be [default], [interface NAME], [program NAME] or [profile NAME]" },
	{ "[default eth0]\n", ":1: [default eth0]: must be [default]" },
	{ "[program]\n", ":1: [program]: the name is missing, [program NAME]" },
	{ "[interface  ]\n", ":1: [interface]: the name is missing, [interface NAME]" },
	{ "[program /usr/bin/tcpdump]\n", ":1: [program /usr/bin/tcpdump]: must be a name, without a folder" },
	{ "[profile a b]\n", ":1: [profile a b]: a profile's name must be 1 to 32 letters, digits, dots, underscores and hyphens" },
	{ "[profile p*]\n", ":1: [profile p*]: a profile's name must be 1 to 32 letters, digits, dots, underscores and hyphens" },
	{ "[profile 012345678901234567890123456789012]\n",
	  ":1: [profile 012345678901234567890123456789012]: a profile's name must be 1 to 32 letters, digits, dots, underscores and hyphens" },
	{ "[profile Jumbo]\n", ":1: [profile Jumbo]: is a built-in profile, which stays what it is; choose another name" },
	{ "[profile a]\n\n[profile A]\n", ":3: [profile A]: is there already, in line 1" },
	{ "[default]\n[default]\n", ":2: [default]: is there already, in line 1" },
	{ "[program x]\n[program y]\n[program x]\n", ":3: [program x]: is there already, in line 1" },
	{ "[default]\nblokc_size = 4M\n", ":2: blokc_size: unknown key, did you mean block_size?" },
	{ "[default]\nNETRING_BLOKC_SIZE = 4M\n", ":2: NETRING_BLOKC_SIZE: unknown key, did you mean block_size?" },
	{ "[default]\nblock-size = 4M\n", ":2: block-size: unknown key, did you mean block_size?" },
	{ "[default]\nquite_another_thing = 4M\n",
	  ":2: quite_another_thing: unknown key; netring env lists the variables, which are the keys, without NETRING_" },
	{ "[default]\n= 4M\n", ":2: : unknown key; netring env lists the variables, which are the keys, without NETRING_" },
	{ "[default]\nconfig = /a\n", ":2: config: only the environment may name the file, NETRING_CONFIG" },
	{ "[profile x]\nprofile = low_memory\n", ":2: profile: not in a profile" },
	{ "[default]\nsnaplen = 96\n",
	  ":2: snaplen: not in [default], which is weaker than the program, and every program decides this; [program *] is stronger" },
	{ "[default]\nprofile = x\n[profile x]\nlog = off\npromisc = no\n",
	  ":2: profile=x: not in [default], because of promisc in line 5, which every program decides; [program *] is stronger" },
	{ "[default]\nlog = off\nstrict = no\nLOG = off\n", ":4: log: is there already, in line 2" },
	{ "[default]\nblock_size = 5000\n", ":2: block_size=5000: must be a size (K, M, G allowed), 4K..1G, a multiple of the page size" },
	{ "[program unrelated]\nlog = loud\n", ":2: log=loud: must be one of off, error, warn, info, debug" },
	{ "[default]\nlog = wran\n", ":2: log=wran: must be one of off, error, warn, info, debug; did you mean warn?" },
	{ "[default]\nlog_file =\n", ":2: log_file=: must not be empty" },
	{ "[default]\nlog_file = # none\n", ":2: log_file=: must not be empty" },
	{ "[default]\nfanout = hash:99999\n", ":2: fanout=hash:99999: the group must be 0..65535, auto or @NAME" },
	{ "[default]\nprofile = sit\n[profile site]\n",
	  ":2: profile=sit: must be one of default, high_throughput, low_latency, low_memory, jumbo, or a [profile NAME] of the configuration file" },
	{ "[default]\nlog_file = \"/a\n", ":2: \"/a: the second quote is missing" },
	{ "[default]\nlog_file = \"/a\" b\n", ":2: \"/a\" b: nothing may stand behind a value in quotes but a comment" },
	{ "[default]\nlog\x01 = off\n", ":2: byte 4 is 0x01: the file must be text" },
	{ "# \x7f\n", ":1: byte 3 is 0x7f: the file must be text" },
	{ "[default]\nlog = off\rstrict = no\r\n", ":2: byte 10 is 0x0d: the file must be text" },
};

START_TEST(test_bad_text)
{
	write_file(bad[_i].text);
	ck_refused(bad[_i].sentence);
}
END_TEST

START_TEST(test_bytes_that_are_no_text)
{
	static const char zero[] = "[default]\nlog\0 = off\n", wide[] = "\xff\xfe[\0d\0";

	new_path();
	write_bytes(zero, sizeof(zero) - 1);
	ck_refused(":2: byte 4 is 0x00: the file must be text");
	new_path();
	write_bytes(wide, sizeof(wide) - 1);
	ck_refused(":1: byte 4 is 0x00: the file must be text");
}
END_TEST

START_TEST(test_sizes)
{
	static char text[CONFIG_FILE_MAX + 2];

	memset(text, '#', sizeof(text) - 1);
	for (size_t i = 1000; i < sizeof(text) - 1; i += 1000)
		text[i] = '\n';
	text[CONFIG_FILE_MAX] = '\0';
	load_text(text);
	text[CONFIG_FILE_MAX] = '#';
	write_file(text);
	ck_refused(": is larger than 65536 bytes");
	memset(text, '#', sizeof(text));
	text[CONFIG_FILE_LINE_MAX] = '\0';
	load_text(text);
	text[CONFIG_FILE_LINE_MAX] = '#';
	text[CONFIG_FILE_LINE_MAX + 1] = '\0';
	write_file(text);
	ck_refused(":1: the line has more than 4096 bytes");
}
END_TEST

/* The longest names and values are cut in sentences; the end of a path is what tells it from others. */
START_TEST(test_long_texts_are_cut)
{
	char text[3000] = "[program ";

	memset(text + 9, 'p', 1000);
	strcpy(text + 1009, "/]\n");
	write_file(text);
	ck_refused(":1: [program pppppppppppppppppppppppppppppppppppppppp...]: must be a name, without a folder");
	snprintf(path, sizeof(path), "%s/a-name-that-is-too-long-to-be-shown-as-a-whole-in-a-sentence.conf", folder);
	setenv("NETRING_CONFIG", path, 1);
	write_bytes("[x]", 3);
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_int_eq(strncmp(error.text, "...o-long-to-be-shown-as-a-whole-in-a-sentence.conf:1: [x]: must", 60), 0);
}
END_TEST

/* Which files are read */

START_TEST(test_missing_file)
{
	new_path();
	ck_assert_int_eq(config_load(&config, &error), -ENOENT);
	ck_assert_int_eq(strncmp(error.text, "cannot open the configuration file /tmp/", 40), 0);
	ck_assert_ptr_nonnull(strstr(error.text, ": No such file or directory"));
	setenv("NETRING_CONFIG", "", 1);
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_str_eq(error.text, "NETRING_CONFIG=: must not be empty");
}
END_TEST

START_TEST(test_null_device_is_no_file)
{
	setenv("NETRING_CONFIG", "/dev/null", 1);
	load();
	ck_assert(!config_is_set(&config, CONFIG_LOG));
}
END_TEST

START_TEST(test_not_a_regular_file)
{
	new_path();
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_refused(": is a directory, must be a regular file");
	rmdir(path);
	new_path();
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	ck_refused(": is a FIFO, must be a regular file");
	strcpy(path, "/dev/zero");
	setenv("NETRING_CONFIG", path, 1);
	ck_refused(": is a device, must be a regular file");
}
END_TEST

START_TEST(test_writable_by_everybody)
{
	char expected[200];

	write_file("");
	chmod(path, 0646);
	snprintf(expected, sizeof(expected), ": owner %u, group %u, mode 0646: must not be writable by everybody (chmod o-w)", geteuid(), getegid());
	ck_refused(expected);
	chmod(path, 0644);
	load();
}
END_TEST

START_TEST(test_owner_and_group_where_root_captures)
{
	if (geteuid() != 0)
		return;
	write_file("");
	ck_assert_int_eq(chown(path, 65533, 0), 0);
	ck_refused(": owner 65533, group 0, mode 0644: must be owned by root, for it decides about captures with root's rights");
	ck_assert_int_eq(chown(path, 0, 65532), 0);
	chmod(path, 0664);
	ck_refused(": owner 0, group 65532, mode 0664: must not be writable by a group other than root's (chmod g-w)");
	chmod(path, 0644);
	load();
	write_file("");
	chmod(path, 0664);
	load();
	/* Whose captures have no more rights than the file's owner. */
	write_file("");
	ck_assert_int_eq(chown(path, 65533, 65533), 0);
	ck_assert_int_eq(seteuid(65532), 0);
	load();
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_symbolic_link_is_as_good_as_its_target)
{
	char target[sizeof(path)];

	write_file("[default]\nlog = off\n");
	strcpy(target, path);
	chmod(target, 0666);
	new_path();
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(config_load(&config, &error), -EPERM);
	chmod(target, 0644);
	load();
	ck_value(CONFIG_LOG, "off");
}
END_TEST

START_TEST(test_faults)
{
	int succeeded = 0;

	write_file("[default]\nlog = off\n");
	open_errnum = EMFILE;
	ck_assert_int_eq(config_load(&config, &error), -EMFILE);
	open_errnum = 0;
	read_errnum = EIO;
	ck_assert_int_eq(config_load(&config, &error), -EIO);
	read_errnum = 0;
	for (int i = 0; !succeeded; i++) {
		int result;

		ck_assert_int_lt(i, 20);
		allocations_left = i;
		result = config_load(&config, &error);
		succeeded = allocations_left >= 0;
		allocations_left = -1;
		ck_assert_int_eq(result, succeeded ? 0 : -ENOMEM);
		ck_assert(succeeded || strstr(error.text, "Cannot allocate memory"));
	}
}
END_TEST

/* The file of the system: a process reads it once, so each test is a process. */

static void load_system_file(void)
{
	unsetenv("NETRING_CONFIG");
	load();
}

static void in_a_child(void (*test)(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		test();
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

#define CHILD_EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s\n", #condition); \
			exit(1); \
		} \
	} while (0)

static void none(void)
{
	write_file("[default]\nlog = off\n");
	load_system_file();
	CHILD_EXPECT(!config_is_set(&config, CONFIG_LOG));
	/* That there was none is remembered, too. */
	system_file = path;
	opened = 0;
	load_system_file();
	CHILD_EXPECT(!config_is_set(&config, CONFIG_LOG) && opened == 0);
}

static void one(void)
{
	write_file("[default]\nlog = off\n");
	system_file = path;
	load_system_file();
	CHILD_EXPECT(config.source[CONFIG_LOG] == CONFIG_FROM_FILE_DEFAULT);
}

static void no_descriptor(void)
{
	open_errnum = EMFILE;
	load_system_file();
}

static void forbidden(void)
{
	write_file("[default]\nlog = off\n");
	unsetenv("NETRING_CONFIG");
	system_file = path;
	open_errnum = EACCES;
	CHILD_EXPECT(config_load(&config, &error) == -EACCES);
	CHILD_EXPECT(strcmp(error.text, "cannot open the configuration file /etc/netring.conf: Permission denied") == 0);
	/* Where there is none, it does not matter that it cannot be opened. */
	system_file = NULL;
	load_system_file();
}

START_TEST(test_system_file)
{
	in_a_child(none);
	in_a_child(one);
	in_a_child(forbidden);
	in_a_child(no_descriptor);
}
END_TEST

/* Once */

START_TEST(test_a_file_is_read_once)
{
	load_text("[default]\nlog = off\n");
	write_bytes("[default]\nlog = info\n", 21);
	opened = 0;
	load();
	ck_value(CONFIG_LOG, "off");
	unlink(path);
	load();
	ck_value(CONFIG_LOG, "off");
	ck_assert_uint_eq(opened, 0);
}
END_TEST

START_TEST(test_a_refused_file_is_read_again)
{
	write_file("[default]\nlog = loud\n");
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	write_bytes("[default]\nlog = info\n", 21);
	load();
	ck_value(CONFIG_LOG, "info");
}
END_TEST

START_TEST(test_a_load_that_opens_no_file)
{
	write_file("[default]\nlog = off\n");
	config.opens_no_file = true;
	opened = 0;
	ck_assert_int_eq(config_load(&config, &error), 0);
	ck_assert(!config_is_set(&config, CONFIG_LOG));
	ck_assert_uint_eq(opened, 0);
	load();
	config_init(&config);
	config.opens_no_file = true;
	ck_assert_int_eq(config_load(&config, &error), 0);
	ck_value(CONFIG_LOG, "off");
}
END_TEST

static void *load_in_thread(void *argument)
{
	struct config *loaded = argument;

	config_init(loaded);
	loaded->program = "tcpdump";
	config_load(loaded, NULL);
	return NULL;
}

/* Round after round with a file that nobody has read before. */
START_TEST(test_threads)
{
	for (int round = 0; round < 50; round++) {
		struct config loaded[4];
		pthread_t threads[LENGTH(loaded)];

		write_file("[program tcpdump]\nlog_file = /a\n");
		for (int i = 0; i < LENGTH(loaded); i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, load_in_thread, &loaded[i]), 0);
		for (int i = 0; i < LENGTH(loaded); i++) {
			pthread_join(threads[i], NULL);
			ck_assert_ptr_nonnull(loaded[i].text[CONFIG_LOG_FILE]);
			ck_assert_str_eq(loaded[i].text[CONFIG_LOG_FILE], "/a");
		}
	}
}
END_TEST

START_TEST(test_own_name)
{
	const char *name = config_choice_program();

	ck_assert_str_eq(name, "test-config-file");
	config.program = NULL;
	load_text("[program test-config-file]\nlog = off\n[program tcpdump]\nlog = info\n");
	ck_value(CONFIG_LOG, "off");
}
END_TEST

/* Bytes at random */

static const char seed_text[] = "\xef\xbb\xbf# site\r\n[default]\nblock_size = 1M ; x\nprofile = site\nlog_file = \"/a # b\"\n\n[interface eth[0-9]]\n"
				"NETRING_PROMISC = no\nfanout = hash:@a\n[interface eth0,eth1]\nrings=auto\n[program tcp*]\nring_size = 8M\n"
				"[profile site]\nblock_count = 33\nbusy_poll_us = 5\n";

/* What is left of a text must be refused with a sentence, or good for every question that is asked of a file. */
static void try_text(char *text, size_t length)
{
	struct config_file file = { .path = (char *)"x", .shown = "x" };
	struct config_choice choice;
	int result;

	file.text = malloc(length + 1);
	memcpy(file.text, text, length);
	file.text[length] = '\0';
	error.text[0] = '\0';
	result = config_file_parse(&file, length, &error);
	if (result < 0) {
		ck_assert_int_eq(result, -EINVAL);
		ck_assert_int_eq(strncmp(error.text, "x:", 2), 0);
		for (const char *at = error.text; *at; at++)
			ck_assert_msg(*at >= 0x20 && *at < 0x7f, "unprintable in: %s", error.text);
	} else {
		char where[64];

		config_choose(&choice, &file, "tcpdump", "eth0,eth1", &error);
		config_choose(&choice, &file, "", "eth0", &error);
		for (size_t i = 0; i < file.line_count; i++)
			config_file_where(&file.lines[i], where, sizeof(where));
	}
	free(file.text);
	free(file.sections);
	free(file.lines);
}

START_TEST(test_random_bytes)
{
	static const char letters[] = "[]=#;\"\\ \t\r\n\0*?-_aedfghinoprtlk0129KM,:@\xef\xbb\xbf\xff";
	struct random random = { 0x6e657472 };
	char text[200];

	for (int i = 0; i < 20000; i++) {
		size_t length = random_below(&random, sizeof(text));

		for (size_t j = 0; j < length; j++)
			text[j] = i % 2 ? (char)random_next(&random) : letters[random_below(&random, sizeof(letters) - 1)];
		try_text(text, length);
	}
}
END_TEST

static size_t mutate(struct random *random, char *text, size_t length)
{
	size_t at = random_below(random, (uint32_t)length), span = random_below(random, 30);

	switch (random_below(random, 4)) {
	case 0:
		text[at] = (char)random_next(random);
		break;
	case 1:
		text[at] = seed_text[random_below(random, sizeof(seed_text) - 1)];
		break;
	case 2: /* cut a piece out */
		span = span < length - at ? span : length - at - 1;
		memmove(text + at, text + at + span, length - at - span);
		return length - span;
	default: /* a piece twice */
		span = span < length - at ? span : length - at;
		memmove(text + at + span, text + at, length - at);
		return length + span;
	}
	return length;
}

START_TEST(test_mutations)
{
	struct random random = { 0x72696e67 };
	char text[2 * sizeof(seed_text) + 400];

	for (int i = 0; i < 20000; i++) {
		size_t length = sizeof(seed_text) - 1;

		memcpy(text, seed_text, length);
		if (i > 0)
			for (uint32_t j = 1 + random_below(&random, 5); j > 0; j--)
				length = mutate(&random, text, length);
		try_text(text, length);
		ck_assert_msg(i > 0 || !error.text[0], "the seed: %s", error.text);
	}
}
END_TEST

static Suite *config_file_suite(void)
{
	Suite *suite = suite_create("config-file");
	TCase *cases = tcase_create("config-file");

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_loop_test(cases, test_precedence, 0, LENGTH(layers) * LENGTH(layers));
	tcase_add_test(cases, test_nobody_says_anything);
	tcase_add_test(cases, test_who_chooses_the_profile);
	tcase_add_test(cases, test_unknown_profile_of_the_environment);
	tcase_add_loop_test(cases, test_choice, 0, LENGTH(choices));
	tcase_add_test(cases, test_interfaces_that_disagree);
	tcase_add_test(cases, test_ring_size_and_block_count_take_each_other_back);
	tcase_add_test(cases, test_a_group_takes_flags_and_program_of_a_weaker_one_back);
	tcase_add_test(cases, test_sentences_about_several_values_name_the_lines);
	tcase_add_loop_test(cases, test_good_text, 0, LENGTH(good));
	tcase_add_test(cases, test_every_variable);
	tcase_add_loop_test(cases, test_bad_text, 0, LENGTH(bad));
	tcase_add_test(cases, test_bytes_that_are_no_text);
	tcase_add_test(cases, test_sizes);
	tcase_add_test(cases, test_long_texts_are_cut);
	tcase_add_test(cases, test_missing_file);
	tcase_add_test(cases, test_null_device_is_no_file);
	tcase_add_test(cases, test_not_a_regular_file);
	tcase_add_test(cases, test_writable_by_everybody);
	tcase_add_test(cases, test_owner_and_group_where_root_captures);
	tcase_add_test(cases, test_symbolic_link_is_as_good_as_its_target);
	tcase_add_test(cases, test_faults);
	tcase_add_test(cases, test_system_file);
	tcase_add_test(cases, test_a_file_is_read_once);
	tcase_add_test(cases, test_a_refused_file_is_read_again);
	tcase_add_test(cases, test_a_load_that_opens_no_file);
	tcase_add_test(cases, test_threads);
	tcase_add_test(cases, test_own_name);
	tcase_add_test(cases, test_random_bytes);
	tcase_add_test(cases, test_mutations);
	suite_add_tcase(suite, cases);
	return suite;
}

static void remove_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		printf("# %s is left\n", folder);
}

int main(void)
{
	SRunner *runner = srunner_create(config_file_suite());
	int failed;

	if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
		return EXIT_FAILURE;
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	setup();
	remove_folder();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
