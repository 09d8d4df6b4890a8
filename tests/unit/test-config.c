/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every NETRING_* variable against every kind of bad value, precedence, profiles, suggestions, formats. Each test begins with an empty
 * environment, whether libcheck forks or not.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "nearest.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* pcap's error buffer; a sentence must fit with some room for a prefix. */
#define ERRBUF_SIZE 256

/* A name that is not in the table. */
#define MISSPELT "NETRING_PROMISK"

static struct config config;
static struct netring_error error;

static void setup(void)
{
	clearenv();
	config_init(&config);
	error.text[0] = '\0';
}

static void load_with(const char *name, const char *value)
{
	setenv(name, value, 1);
	ck_assert_msg(config_load(&config, &error) == 0, "%s=%s refused: %s", name, value, error.text);
}

static void ck_refused(const char *name, const char *value)
{
	struct config before = config;

	setenv(name, value, 1);
	ck_assert_msg(config_load(&config, &error) == -EINVAL, "%s=%s accepted", name, value);
	ck_assert_msg(strstr(error.text, name) == error.text, "text begins with the variable: %s", error.text);
	ck_assert_uint_lt(strlen(error.text), ERRBUF_SIZE);
	ck_assert_msg(memcmp(&before, &config, sizeof(config)) == 0, "%s=%s changed the configuration", name, value);
}

/* Defaults */

START_TEST(test_table_is_complete)
{
	char text[256];

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct config_variable *variable = &config_variables[i];

		ck_assert_ptr_nonnull(variable->name);
		ck_assert_int_eq(strncmp(variable->name, "NETRING_", 8), 0);
		ck_assert_ptr_nonnull(variable->help);
		ck_assert_int_ne(variable->help[strlen(variable->help) - 1], '.');
		ck_assert(variable->type != CONFIG_TYPE_CHOICE || variable->words);
		ck_assert_int_eq(variable->type == CONFIG_TYPE_NUMBER && variable->words, variable->word_values != NULL);
		ck_assert_int_eq(variable->type == CONFIG_TYPE_STRING, variable->allowed != NULL);
		ck_assert_uint_gt(strlen(config_allowed(i, text, sizeof(text))), 0);
		ck_assert_int_eq(config_find(variable->name, NULL), (int)i);
	}
}
END_TEST

START_TEST(test_defaults)
{
	ck_assert_int_eq(config_load(&config, &error), 0);
	ck_assert_uint_eq(config.value[CONFIG_BACKEND], BACKEND_AUTO);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_SIZE], 4 * MIB);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_COUNT], 64);
	ck_assert_uint_eq(config.value[CONFIG_FRAME_SIZE], 2048);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_TIMEOUT_MS], 60);
	ck_assert_uint_eq(config.value[CONFIG_LOG], LOG_WARN);
	ck_assert_ptr_null(config.text[CONFIG_LOG_FILE]);
	ck_assert_uint_eq(config.value[CONFIG_RINGS], 1);
	ck_assert_ptr_null(config.text[CONFIG_FANOUT]);
	ck_assert_int_eq((int)config.value[CONFIG_NUMA], NETRING_NUMA_AUTO);
	ck_assert_uint_eq(config.value[CONFIG_DUMP], DUMP_AUTO);
	ck_assert_uint_eq(config.value[CONFIG_DUMP_BUFFER], 8 * MIB);
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		ck_assert_msg(!config_is_set(&config, i), "%s is set", config_variables[i].name);
}
END_TEST

/* Good values */

static const struct {
	enum config_id id;
	const char *text;
	uint64_t value;
	const char *formatted;
} good[] = {
	{ CONFIG_BACKEND, "auto", BACKEND_AUTO, "auto" },
	{ CONFIG_BACKEND, "packet", BACKEND_PACKET, "packet" },
	{ CONFIG_BACKEND, "LIBPCAP", BACKEND_LIBPCAP, "libpcap" },
	{ CONFIG_PROFILE, "jumbo", 4, "jumbo" },
	{ CONFIG_BLOCK_SIZE, "4096", 4096, "4K" },
	{ CONFIG_BLOCK_SIZE, "12k", 12 * KIB, "12K" },
	{ CONFIG_BLOCK_SIZE, "8M", 8 * MIB, "8M" },
	{ CONFIG_BLOCK_SIZE, "1g", GIB, "1G" },
	{ CONFIG_BLOCK_COUNT, "1", 1, "1" },
	{ CONFIG_BLOCK_COUNT, "00008", 8, "8" },
	{ CONFIG_BLOCK_COUNT, "16384", 16384, "16384" },
	{ CONFIG_RING_SIZE, "4M", 4 * MIB, "4M" },
	{ CONFIG_RING_SIZE, "64G", 64 * GIB, "64G" },
	{ CONFIG_FRAME_SIZE, "128", 128, "128" },
	{ CONFIG_FRAME_SIZE, "4M", 4 * MIB, "4M" },
	{ CONFIG_BLOCK_TIMEOUT_MS, "1", 1, "1" },
	{ CONFIG_BLOCK_TIMEOUT_MS, "3600000", 3600000, "3600000" },
	{ CONFIG_FILL_RXHASH, "1", 1, "yes" },
	{ CONFIG_FILL_RXHASH, "0", 0, "no" },
	{ CONFIG_FILL_RXHASH, "Yes", 1, "yes" },
	{ CONFIG_FILL_RXHASH, "NO", 0, "no" },
	{ CONFIG_IGNORE_OUTGOING, "true", 1, "yes" },
	{ CONFIG_IGNORE_OUTGOING, "False", 0, "no" },
	{ CONFIG_PROMISC, "on", 1, "yes" },
	{ CONFIG_PROMISC, "off", 0, "no" },
	{ CONFIG_BUSY_POLL_US, "0", 0, "0" },
	{ CONFIG_BUSY_POLL_US, "1000000", 1000000, "1000000" },
	{ CONFIG_RINGS, "1", 1, "1" },
	{ CONFIG_RINGS, "256", 256, "256" },
	{ CONFIG_RINGS, "Auto", 0, "auto" },
	{ CONFIG_FANOUT, "hash", 0, "hash" },
	{ CONFIG_FANOUT, "LB:7", 0, "LB:7" },
	{ CONFIG_FANOUT, "symmetric:auto", 0, "symmetric:auto" },
	{ CONFIG_FANOUT, "inner:@sensor1", 0, "inner:@sensor1" },
	{ CONFIG_CPU, "0", 0, "0" },
	{ CONFIG_CPU, "1023", 1023, "1023" },
	{ CONFIG_NUMA, "auto", (uint64_t)NETRING_NUMA_AUTO, "auto" },
	{ CONFIG_NUMA, "OFF", (uint64_t)NETRING_NUMA_OFF, "off" },
	{ CONFIG_NUMA, "0", 0, "0" },
	{ CONFIG_NUMA, "1023", 1023, "1023" },
	{ CONFIG_BACKEND, "xdp", BACKEND_XDP, "xdp" },
	{ CONFIG_BACKEND, "xdp-tap", BACKEND_XDP_TAP, "xdp-tap" },
	{ CONFIG_XDP_MODE, "native", 1, "native" }, { CONFIG_XDP_COPY, "ZEROCOPY", 2, "zerocopy" },
	{ CONFIG_XDP_QUEUES, "all", 0, "all" }, { CONFIG_XDP_QUEUES, "0,2-3,255", 0, "0,2-3,255" },
	{ CONFIG_XDP_FRAMES, "512", 512, "512" }, { CONFIG_XDP_FRAMES, "16777216", 16777216, "16777216" },
	{ CONFIG_XDP_FRAME_SIZE, "4k", 4096, "4K" }, { CONFIG_XDP_STEAL, "1", 1, "yes" },
	{ CONFIG_LOCK_MEMORY, "no", 0, "no" },
	{ CONFIG_LOCK_MEMORY, "yes", 1, "yes" },
	{ CONFIG_SNAPLEN, "1", 1, "1" },
	{ CONFIG_SNAPLEN, "262144", 262144, "262144" },
	{ CONFIG_TIMESTAMP, "host", 0, "host" },
	{ CONFIG_TIMESTAMP, "adapter_unsynced", 4, "adapter_unsynced" },
	{ CONFIG_DUMP, "auto", DUMP_AUTO, "auto" },
	{ CONFIG_DUMP, "Direct", DUMP_DIRECT, "direct" },
	{ CONFIG_DUMP, "cached", DUMP_CACHED, "cached" },
	{ CONFIG_DUMP, "stdio", DUMP_STDIO, "stdio" },
	{ CONFIG_DUMP_BUFFER, "65536", 64 * KIB, "64K" },
	{ CONFIG_DUMP_BUFFER, "1G", GIB, "1G" },
	{ CONFIG_STRICT, "1", 1, "yes" },
	{ CONFIG_LOG, "off", LOG_OFF, "off" },
	{ CONFIG_LOG, "debug", LOG_DEBUG, "debug" },
	{ CONFIG_LOG_FILE, "/tmp/x y", 0, "/tmp/x y" },
};

START_TEST(test_good_value)
{
	enum config_id id = good[_i].id;
	char text[128];

	load_with(config_variables[id].name, good[_i].text);
	ck_assert_uint_eq(config.value[id], good[_i].value);
	ck_assert_int_eq(config.source[id], CONFIG_FROM_ENVIRONMENT);
	ck_assert_str_eq(config_format(&config, id, text, sizeof(text)), good[_i].formatted);
	if (config_variables[id].type == CONFIG_TYPE_STRING)
		ck_assert_str_eq(config.text[id], good[_i].text);
	else
		ck_assert_ptr_null(config.text[id]);
}
END_TEST

/* Bad values: these for every variable that is not a path; an empty one is bad for paths too. */

static const char *const bad_everywhere[] = {
	"", " ", "-1", "-", "+1", " 1", "1 ", "1\n", "0x10", "1.5", "1e3", "abc", "nan", "1K1", "1KB", "KK", "K", "4MM", "1T",
	"18446744073709551615", "18446744073709551616", "99999999999999999999999999999999999999", "17179869184G", "\xff\xfe", "%s%n",
	"auto,packet", "packet ", "yess", "2", "1,0",
};

/* Some of the above are right for some: a digit alone is a number, and "2" is a fine BLOCK_COUNT. */
static bool is_fine(enum config_id id, const char *text)
{
	if (id == CONFIG_XDP_QUEUES && strcmp(text, "1,0") == 0)
		return true;
	return (config_variables[id].type == CONFIG_TYPE_NUMBER || id == CONFIG_XDP_QUEUES) && strcmp(text, "2") == 0;
}

static bool is_path(enum config_id id)
{
	return config_variables[id].type == CONFIG_TYPE_STRING && !config_variables[id].check;
}

START_TEST(test_bad_value_everywhere)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		if (is_fine(i, bad_everywhere[_i]) || (is_path(i) && bad_everywhere[_i][0]))
			continue;
		setup();
		ck_refused(config_variables[i].name, bad_everywhere[_i]);
	}
}
END_TEST

static const struct {
	enum config_id id;
	const char *text;
} bad[] = {
	{ CONFIG_BACKEND, "xdpx" }, { CONFIG_BACKEND, "pack" }, { CONFIG_BACKEND, "0" },
	{ CONFIG_PROFILE, "high-throughput" }, { CONFIG_PROFILE, "none" },
	{ CONFIG_BLOCK_SIZE, "0" }, { CONFIG_BLOCK_SIZE, "4095" }, { CONFIG_BLOCK_SIZE, "4097" }, { CONFIG_BLOCK_SIZE, "6000" },
	{ CONFIG_BLOCK_SIZE, "2G" }, { CONFIG_BLOCK_SIZE, "1073745920" },
	{ CONFIG_BLOCK_COUNT, "0" }, { CONFIG_BLOCK_COUNT, "65537" }, { CONFIG_BLOCK_COUNT, "1K" }, { CONFIG_BLOCK_COUNT, "4294967297" },
	/* In 64 bits these two wrap around to 4 and 4G, which would do. */
	{ CONFIG_BLOCK_COUNT, "18446744073709551620" }, { CONFIG_RING_SIZE, "17179869188G" },
	{ CONFIG_RING_SIZE, "0" }, { CONFIG_RING_SIZE, "4095" }, { CONFIG_RING_SIZE, "65G" }, { CONFIG_RING_SIZE, "68719476737" },
	{ CONFIG_FRAME_SIZE, "0" }, { CONFIG_FRAME_SIZE, "127" }, { CONFIG_FRAME_SIZE, "2050" }, { CONFIG_FRAME_SIZE, "112" },
	{ CONFIG_FRAME_SIZE, "2G" },
	{ CONFIG_BLOCK_TIMEOUT_MS, "0" }, { CONFIG_BLOCK_TIMEOUT_MS, "3600001" }, { CONFIG_BLOCK_TIMEOUT_MS, "60ms" },
	{ CONFIG_FILL_RXHASH, "y" }, { CONFIG_FILL_RXHASH, "enabled" }, { CONFIG_FILL_RXHASH, "01" },
	{ CONFIG_BUSY_POLL_US, "1000001" }, { CONFIG_BUSY_POLL_US, "50us" },
	{ CONFIG_RINGS, "0" }, { CONFIG_RINGS, "257" }, { CONFIG_RINGS, "4294967297" }, { CONFIG_RINGS, "1K" }, { CONFIG_RINGS, "off" },
	{ CONFIG_RINGS, "automatic" },
	{ CONFIG_FANOUT, "42" }, { CONFIG_FANOUT, "hash:65536" }, { CONFIG_FANOUT, "hash:@" }, { CONFIG_FANOUT, "none" },
	{ CONFIG_FANOUT_FLAGS, "rollover," }, { CONFIG_FANOUT_FLAGS, "none" },
	{ CONFIG_FANOUT_PROG, "" },
	{ CONFIG_CPU, "1024" }, { CONFIG_CPU, "auto" }, { CONFIG_CPU, "0-1" },
	{ CONFIG_NUMA, "1024" }, { CONFIG_NUMA, "no" }, { CONFIG_NUMA, "-2" }, { CONFIG_NUMA, "18446744073709551614" },
	{ CONFIG_LOCK_MEMORY, "auto" },
	{ CONFIG_XDP_MODE, "driver" }, { CONFIG_XDP_COPY, "zero" }, { CONFIG_XDP_QUEUES, "256" }, { CONFIG_XDP_QUEUES, "3-2" }, { CONFIG_XDP_QUEUES, "1-" },
	{ CONFIG_XDP_QUEUES, "-2" }, { CONFIG_XDP_QUEUES, "1,,2" }, { CONFIG_XDP_QUEUES, "1," }, { CONFIG_XDP_QUEUES, "0000" }, { CONFIG_XDP_QUEUES, "all,1" },
	{ CONFIG_XDP_FRAMES, "256" }, { CONFIG_XDP_FRAMES, "1000" }, { CONFIG_XDP_FRAMES, "33554432" }, { CONFIG_XDP_FRAME_SIZE, "3K" },
	{ CONFIG_XDP_FRAME_SIZE, "1K" }, { CONFIG_XDP_STEAL, "eth0" },
	{ CONFIG_SNAPLEN, "0" }, { CONFIG_SNAPLEN, "262145" },
	{ CONFIG_TIMESTAMP, "hosts" }, { CONFIG_TIMESTAMP, "0" },
	{ CONFIG_DUMP, "o_direct" }, { CONFIG_DUMP, "0" },
	{ CONFIG_DUMP_BUFFER, "0" }, { CONFIG_DUMP_BUFFER, "32K" }, { CONFIG_DUMP_BUFFER, "65537" }, { CONFIG_DUMP_BUFFER, "96K" },
	{ CONFIG_DUMP_BUFFER, "1073807360" }, { CONFIG_DUMP_BUFFER, "2G" },
	{ CONFIG_LOG, "warning" }, { CONFIG_LOG, "3" },
	{ CONFIG_LOG_FILE, "" },
};

START_TEST(test_bad_value)
{
	ck_refused(config_variables[bad[_i].id].name, bad[_i].text);
}
END_TEST

START_TEST(test_text_names_variable_value_and_allowed)
{
	ck_refused("NETRING_BLOCK_COUNT", "70000");
	ck_assert_str_eq(error.text, "NETRING_BLOCK_COUNT=70000: must be a number, 1..65536");
	setup();
	ck_refused("NETRING_BLOCK_SIZE", "5000");
	ck_assert_str_eq(error.text, "NETRING_BLOCK_SIZE=5000: must be a size (K, M, G allowed), 4K..1G, a multiple of the page size");
	setup();
	ck_refused("NETRING_STRICT", "");
	ck_assert_str_eq(error.text, "NETRING_STRICT=: must be one of 0, 1, no, yes, false, true, off, on");
	setup();
	ck_refused("NETRING_BACKEND", "pakcet");
	ck_assert_str_eq(error.text, "NETRING_BACKEND=pakcet: must be one of auto, packet, xdp, xdp-tap, libpcap; did you mean packet?");
	setup();
	ck_refused("NETRING_DUMP_BUFFER", "100K");
	ck_assert_str_eq(error.text, "NETRING_DUMP_BUFFER=100K: must be a size (K, M, G allowed), 64K..1G, a multiple of 64K");
	setup();
	ck_refused("NETRING_XDP_FRAMES", "3000");
	ck_assert_str_eq(error.text, "NETRING_XDP_FRAMES=3000: must be a number, 512..16777216, a power of two");
	setup();
	ck_refused("NETRING_XDP_QUEUES", "1;2");
	ck_assert_str_eq(error.text, "NETRING_XDP_QUEUES=1;2: must be all, or numbers and ranges with commas between them (0,2-3), 0..255");
	setup();
	ck_refused("NETRING_RINGS", "0");
	ck_assert_str_eq(error.text, "NETRING_RINGS=0: must be 1..256 or auto");
	setup();
	ck_refused("NETRING_NUMA", "aut");
	ck_assert_str_eq(error.text, "NETRING_NUMA=aut: must be 0..1023, auto or off; did you mean auto?");
	setup();
	ck_refused("NETRING_FANOUT", "hash:99999");
	ck_assert_str_eq(error.text, "NETRING_FANOUT=hash:99999: the group must be 0..65535, auto or @NAME");
	setup();
	ck_refused("NETRING_FANOUT_FLAGS", "");
	ck_assert_str_eq(error.text, "NETRING_FANOUT_FLAGS=: must not be empty");
	setup();
	ck_refused("NETRING_LOG_FILE", "");
	ck_assert_str_eq(error.text, "NETRING_LOG_FILE=: must not be empty");
}
END_TEST

START_TEST(test_long_and_unprintable_values_are_cut)
{
	char value[5000];

	memset(value, 'z', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	ck_refused("NETRING_TIMESTAMP", value);
	ck_assert_ptr_nonnull(strstr(error.text, "zzz...: must be"));
	setup();
	ck_refused("NETRING_BACKEND", "a\033[2J\nb");
	ck_assert_ptr_nonnull(strstr(error.text, "=a?[2J?b:"));
}
END_TEST

START_TEST(test_null_error_is_allowed)
{
	setenv("NETRING_BLOCK_COUNT", "0", 1);
	ck_assert_int_eq(config_load(&config, NULL), -EINVAL);
	ck_assert_int_eq(config_parse(&config, CONFIG_LOG, "loud", CONFIG_FROM_ENVIRONMENT, NULL), -EINVAL);
	ck_assert_int_eq(config_find("NETRING_X", NULL), -ENOENT);
}
END_TEST

/* What no single variable can tell */

START_TEST(test_frame_larger_than_block)
{
	setenv("NETRING_BLOCK_SIZE", "4K", 1);
	ck_refused("NETRING_FRAME_SIZE", "8K");
	ck_assert_str_eq(error.text, "NETRING_FRAME_SIZE=8K: must not be larger than a block, NETRING_BLOCK_SIZE=4K");
	setenv("NETRING_FRAME_SIZE", "4K", 1);
	ck_assert_int_eq(config_load(&config, &error), 0);
}
END_TEST

START_TEST(test_block_smaller_than_the_profiles_frame)
{
	setenv("NETRING_PROFILE", "jumbo", 1);
	ck_refused("NETRING_BLOCK_SIZE", "32K");
	ck_assert_str_eq(error.text, "NETRING_BLOCK_SIZE=32K: must not be smaller than a frame, NETRING_FRAME_SIZE=64K");
}
END_TEST

START_TEST(test_ring_size_with_block_count)
{
	setenv("NETRING_BLOCK_COUNT", "8", 1);
	ck_refused("NETRING_RING_SIZE", "32M");
	ck_assert_ptr_nonnull(strstr(error.text, "NETRING_BLOCK_COUNT=8"));
}
END_TEST

START_TEST(test_ring_limits)
{
	load_with("NETRING_RING_SIZE", "1M");
	setup();
	setenv("NETRING_BLOCK_SIZE", "4M", 1);
	ck_refused("NETRING_RING_SIZE", "1M");
	ck_assert_str_eq(error.text, "NETRING_RING_SIZE=1M: must not be smaller than a block, NETRING_BLOCK_SIZE=4M");
	unsetenv("NETRING_BLOCK_SIZE");
	setenv("NETRING_PROFILE", "low_latency", 1);
	ck_refused("NETRING_RING_SIZE", "128K");
	unsetenv("NETRING_PROFILE");
	setenv("NETRING_BLOCK_SIZE", "4K", 1);
	ck_refused("NETRING_RING_SIZE", "64G");
	unsetenv("NETRING_RING_SIZE");
	setenv("NETRING_BLOCK_SIZE", "1G", 1);
	ck_refused("NETRING_BLOCK_COUNT", "65");
	setenv("NETRING_BLOCK_COUNT", "64", 1);
	ck_assert_int_eq(config_load(&config, &error), 0);
}
END_TEST

static const struct {
	const char *fanout, *flags, *program;
	const char *sentence; /* NULL: fine */
} fanouts[] = {
	{ "hash:7", "rollover,defrag,ignore_outgoing", NULL, NULL },
	{ "hash", "unique_id", NULL, NULL },
	{ "rollover", "defrag", NULL, NULL },
	{ "cbpf:7", NULL, "/a", NULL },
	{ "EBPF:@x", "rollover", "/a", NULL },
	{ NULL, "defrag", NULL, "NETRING_FANOUT_FLAGS=defrag: needs a group, NETRING_FANOUT" },
	{ NULL, NULL, "/a", "NETRING_FANOUT_PROG=/a: needs a group, NETRING_FANOUT" },
	{ "cbpf", NULL, NULL, "NETRING_FANOUT=cbpf: needs a program, NETRING_FANOUT_PROG" },
	{ "ebpf:7", "defrag", NULL, "NETRING_FANOUT=ebpf:7: needs a program, NETRING_FANOUT_PROG" },
	{ "hash:7", NULL, "/a", "NETRING_FANOUT_PROG=/a: only the modes cbpf and ebpf take a program, NETRING_FANOUT=hash:7" },
	{ "symmetric", NULL, "/a", "NETRING_FANOUT_PROG=/a: only the modes cbpf and ebpf take a program, NETRING_FANOUT=symmetric" },
	{ "inner", NULL, "/a", "NETRING_FANOUT_PROG=/a: only the modes cbpf and ebpf take a program, NETRING_FANOUT=inner" },
	{ "rollover:7", "defrag,rollover", NULL,
	  "NETRING_FANOUT_FLAGS=defrag,rollover: the flag rollover does not go with the mode rollover, NETRING_FANOUT=rollover:7" },
	{ "hash:7", "unique_id", NULL,
	  "NETRING_FANOUT_FLAGS=unique_id: the flag unique_id does not go with a chosen group, NETRING_FANOUT=hash:7" },
	{ "hash:@a", "unique_id", NULL,
	  "NETRING_FANOUT_FLAGS=unique_id: the flag unique_id does not go with a chosen group, NETRING_FANOUT=hash:@a" },
};

static void set_if(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
}

START_TEST(test_fanout_together)
{
	int result;

	set_if("NETRING_FANOUT", fanouts[_i].fanout);
	set_if("NETRING_FANOUT_FLAGS", fanouts[_i].flags);
	set_if("NETRING_FANOUT_PROG", fanouts[_i].program);
	result = config_load(&config, &error);
	if (!fanouts[_i].sentence) {
		ck_assert_msg(result == 0, "%s", error.text);
		return;
	}
	ck_assert_int_eq(result, -EINVAL);
	ck_assert_str_eq(error.text, fanouts[_i].sentence);
	ck_assert(!config_is_set(&config, CONFIG_FANOUT) && !config_is_set(&config, CONFIG_FANOUT_PROG));
}
END_TEST

START_TEST(test_sentences_on_long_values_fit)
{
	char path[5000], name[80];

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	snprintf(name, sizeof(name), "hash:@%.32s", path);
	setenv("NETRING_FANOUT", name, 1);
	ck_refused("NETRING_FANOUT_PROG", path);
	ck_assert_ptr_nonnull(strstr(error.text, "ppp...: only the modes"));
	ck_assert_ptr_nonnull(strstr(error.text, "NETRING_FANOUT=hash:@ppp"));
}
END_TEST

/* Precedence */

START_TEST(test_environment_over_profile_over_default)
{
	ck_assert_int_eq(config_load(&config, &error), 0);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_TIMEOUT_MS], 60);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_TIMEOUT_MS], CONFIG_FROM_DEFAULT);

	load_with("NETRING_PROFILE", "low_latency");
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_TIMEOUT_MS], 1);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_TIMEOUT_MS], CONFIG_FROM_PROFILE);

	load_with("NETRING_BLOCK_TIMEOUT_MS", "7");
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_TIMEOUT_MS], 7);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_TIMEOUT_MS], CONFIG_FROM_ENVIRONMENT);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_SIZE], CONFIG_FROM_PROFILE);
}
END_TEST

START_TEST(test_ring_size_beats_a_weaker_block_count)
{
	setenv("NETRING_PROFILE", "low_memory", 1);
	load_with("NETRING_RING_SIZE", "100M");
	ck_assert_uint_eq(config.value[CONFIG_RING_SIZE], 100 * MIB);
	ck_assert(!config_is_set(&config, CONFIG_BLOCK_COUNT));
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_SIZE], MIB);
}
END_TEST

/* Profiles */

static const struct {
	const char *name;
	uint64_t block_size, block_count, timeout_ms, busy_poll_us, frame_size;
} profiles[] = {
	{ "default", 4 * MIB, 64, 60, 0, 2048 },
	{ "high_throughput", 4 * MIB, 256, 60, 0, 2048 },
	{ "low_latency", 256 * KIB, 64, 1, 50, 2048 },
	{ "low_memory", MIB, 16, 100, 0, 2048 },
	{ "jumbo", 4 * MIB, 64, 60, 0, 65536 },
};

START_TEST(test_profile)
{
	load_with("NETRING_PROFILE", profiles[_i].name);
	ck_assert_int_eq(config.source[CONFIG_PROFILE], CONFIG_FROM_ENVIRONMENT);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_SIZE], profiles[_i].block_size);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_COUNT], profiles[_i].block_count);
	ck_assert_uint_eq(config.value[CONFIG_BLOCK_TIMEOUT_MS], profiles[_i].timeout_ms);
	ck_assert_uint_eq(config.value[CONFIG_BUSY_POLL_US], profiles[_i].busy_poll_us);
	ck_assert_uint_eq(config.value[CONFIG_FRAME_SIZE], profiles[_i].frame_size);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_SIZE], CONFIG_FROM_PROFILE);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_COUNT], CONFIG_FROM_PROFILE);
	ck_assert_int_eq(config.source[CONFIG_BLOCK_TIMEOUT_MS], CONFIG_FROM_PROFILE);
	ck_assert(!config_is_set(&config, CONFIG_SNAPLEN));
	ck_assert(!config_is_set(&config, CONFIG_LOG));
}
END_TEST

/* Formats */

START_TEST(test_unset_is_shown_in_words)
{
	char text[64];

	ck_assert_str_eq(config_format(&config, CONFIG_SNAPLEN, text, sizeof(text)), "as the program asks");
	ck_assert_str_eq(config_format(&config, CONFIG_LOG_FILE, text, sizeof(text)), "stderr");
	ck_assert_str_eq(config_format(&config, CONFIG_RING_SIZE, text, sizeof(text)), "block size x block count");
	ck_assert_str_eq(config_format(&config, CONFIG_BLOCK_SIZE, text, sizeof(text)), "4M");
	ck_assert_int_eq(config_parse(&config, CONFIG_SNAPLEN, "68", CONFIG_FROM_ENVIRONMENT, &error), 0);
	ck_assert_str_eq(config_format(&config, CONFIG_SNAPLEN, text, sizeof(text)), "68");
}
END_TEST

START_TEST(test_small_buffers_are_not_overrun)
{
	char text[4] = "zzz";

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		ck_assert_uint_lt(strlen(config_format(&config, i, text, sizeof(text))), sizeof(text));
		ck_assert_uint_lt(strlen(config_allowed(i, text, sizeof(text))), sizeof(text));
	}
}
END_TEST

/* Names */

static const struct {
	const char *name, *text;
} unknown[] = {
	{ "NETRING_BLOKC_SIZE", "unknown variable NETRING_BLOKC_SIZE, did you mean NETRING_BLOCK_SIZE?" },
	{ "NETRING_block_size", "unknown variable NETRING_block_size, did you mean NETRING_BLOCK_SIZE?" },
	{ "NETRING_SNAP_LEN", "unknown variable NETRING_SNAP_LEN, did you mean NETRING_SNAPLEN?" },
	{ "NETRING_QUITE_ANOTHER_THING", "unknown variable NETRING_QUITE_ANOTHER_THING" },
	{ "NETRING_", "unknown variable NETRING_" },
};

START_TEST(test_unknown_name)
{
	ck_assert_int_eq(config_find(unknown[_i].name, &error), -ENOENT);
	ck_assert_str_eq(error.text, unknown[_i].text);
}
END_TEST

/* What config_check_names writes to a log file, twice called. */
static void check_names_into(char *text, size_t size, enum log_level level)
{
	char path[] = "/tmp/netring-test-XXXXXX";
	int fd = mkstemp(path);
	struct log log;
	ssize_t length;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(log_open(&log, level, path, &error), 0);
	ck_assert_int_eq(config_check_names(&log, false, &error), 0);
	ck_assert_int_eq(config_check_names(&log, false, &error), 0);
	log_close(&log);
	length = read(fd, text, size - 1);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(fd);
	unlink(path);
}

START_TEST(test_misspelt_names_are_warned_of_once)
{
	char text[1024];

	setenv(MISSPELT, "1", 1);
	setenv("NETRING_TESTS_REQUIRED", "1", 1);
	check_names_into(text, sizeof(text), LOG_WARN);
	ck_assert_str_eq(text, "netring: warn: unknown variable NETRING_PROMISK, did you mean NETRING_PROMISC?\n");
}
END_TEST

START_TEST(test_misspelt_names_are_silent_when_the_log_is_off)
{
	char text[1024];

	setenv(MISSPELT, "1", 1);
	check_names_into(text, sizeof(text), LOG_ERROR);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_strict_refuses_misspelt_names)
{
	struct log log = LOG_INIT;

	ck_assert_int_eq(config_check_names(&log, true, &error), 0);
	setenv(MISSPELT, "1", 1);
	ck_assert_int_eq(config_check_names(&log, true, &error), -EINVAL);
	ck_assert_int_eq(config_check_names(&log, true, &error), -EINVAL);
	ck_assert_str_eq(error.text, "unknown variable NETRING_PROMISK, did you mean NETRING_PROMISC?");
	clearenv();
	ck_assert_int_eq(config_check_names(&log, true, &error), 0);
}
END_TEST

START_TEST(test_nearest)
{
	static const struct {
		const char *text, *candidate;
		bool near;
	} pairs[] = {
		{ "warning", "warn", true }, { "wran", "warn", true }, { "WARN", "warn", true }, { "ls", "no", false }, { "", "no", false },
		{ "xyz", "off", false }, { "of", "off", true }, { "high-throughput", "high_throughput", true },
		{ "0123456789012345678901234567890123456789012345678", "off", false },
	};

	for (int i = 0; i < LENGTH(pairs); i++) {
		struct nearest nearest = NEAREST_INIT(pairs[i].text);

		nearest_offer(&nearest, pairs[i].candidate);
		ck_assert_msg((nearest.best != NULL) == pairs[i].near, "%s and %s", pairs[i].text, pairs[i].candidate);
	}
}
END_TEST

static Suite *config_suite(void)
{
	Suite *suite = suite_create("config");
	TCase *cases = tcase_create("config");

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, test_table_is_complete);
	tcase_add_test(cases, test_defaults);
	tcase_add_loop_test(cases, test_good_value, 0, LENGTH(good));
	tcase_add_loop_test(cases, test_bad_value_everywhere, 0, LENGTH(bad_everywhere));
	tcase_add_loop_test(cases, test_bad_value, 0, LENGTH(bad));
	tcase_add_test(cases, test_text_names_variable_value_and_allowed);
	tcase_add_test(cases, test_long_and_unprintable_values_are_cut);
	tcase_add_test(cases, test_null_error_is_allowed);
	tcase_add_test(cases, test_frame_larger_than_block);
	tcase_add_test(cases, test_block_smaller_than_the_profiles_frame);
	tcase_add_test(cases, test_ring_size_with_block_count);
	tcase_add_test(cases, test_ring_limits);
	tcase_add_loop_test(cases, test_fanout_together, 0, LENGTH(fanouts));
	tcase_add_test(cases, test_sentences_on_long_values_fit);
	tcase_add_test(cases, test_environment_over_profile_over_default);
	tcase_add_test(cases, test_ring_size_beats_a_weaker_block_count);
	tcase_add_loop_test(cases, test_profile, 0, LENGTH(profiles));
	tcase_add_test(cases, test_unset_is_shown_in_words);
	tcase_add_test(cases, test_small_buffers_are_not_overrun);
	tcase_add_loop_test(cases, test_unknown_name, 0, LENGTH(unknown));
	tcase_add_test(cases, test_misspelt_names_are_warned_of_once);
	tcase_add_test(cases, test_misspelt_names_are_silent_when_the_log_is_off);
	tcase_add_test(cases, test_strict_refuses_misspelt_names);
	tcase_add_test(cases, test_nearest);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(config_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
