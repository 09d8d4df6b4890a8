/* SPDX-License-Identifier: BSD-3-Clause */
/* Each variable of a peer: what it is taken as, every kind of bad value, who wins over whom, and what the log says. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config-alias.h"

#define MIB ((uint64_t)1 << 20)
#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* pcap's error buffer; a sentence must fit. */
#define ERRBUF_SIZE 256

#define PF_RING "PCAP_PF_RING_"
#define USE_CLUSTER PF_RING "USE_CLUSTER_"
#define CLUSTER_7 PF_RING "CLUSTER_ID=7"

static struct config config;
static struct netring_error error;

static void setup(void)
{
	clearenv();
	config_init(&config);
	error.text[0] = '\0';
}

/* "NAME=VALUE" into the environment; putenv keeps the pointer, and clearenv drops it. */
static void set(const char *assignment)
{
	if (assignment)
		ck_assert_int_eq(putenv((char *)(uintptr_t)assignment), 0);
}

static void load(void)
{
	ck_assert_msg(config_load(&config, &error) == 0, "%s", error.text);
}

static void ck_value(enum config_id id, const char *formatted)
{
	char text[128];

	ck_assert_str_eq(config_format(&config, id, text, sizeof(text)), formatted);
}

/* What each is taken as */

static const struct {
	const char *set[3];
	enum config_id id;
	const char *value, *alias;
} good[] = {
	{ { CLUSTER_7 }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { PF_RING "CLUSTER_ID=1" }, CONFIG_FANOUT, "hash:1", PF_RING "CLUSTER_ID" },
	{ { PF_RING "CLUSTER_ID=254" }, CONFIG_FANOUT, "hash:254", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_2_TUPLE=1" }, CONFIG_FANOUT, "symmetric:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_4_TUPLE=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_5_TUPLE=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_TCP_5_TUPLE=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_IP_5_TUPLE=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_FLOW_IP_WITH_DUP_TUPLE=1" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=yes" }, CONFIG_FANOUT, "lb:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW_2_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW_4_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW_5_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW_TCP_5_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW_IP_5_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	/* PF_RING would switch it on. */
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=0" }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=off", USE_CLUSTER "PER_INNER_FLOW=on" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { CLUSTER_7, USE_CLUSTER "PER_INNER_FLOW=1", USE_CLUSTER "PER_INNER_FLOW_2_TUPLE=1" }, CONFIG_FANOUT, "inner:7", PF_RING "CLUSTER_ID" },
	{ { "PCAP_FANOUT=hash" }, CONFIG_FANOUT, "hash", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=lb", "PCAP_GROUP=3" }, CONFIG_FANOUT, "lb:3", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=cpu", "PCAP_GROUP=0" }, CONFIG_FANOUT, "cpu:0", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=rollover", "PCAP_GROUP=65535" }, CONFIG_FANOUT, "rollover:65535", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=rnd" }, CONFIG_FANOUT, "random", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=QM" }, CONFIG_FANOUT, "qm", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=cbpf", "NETRING_FANOUT_PROG=/a" }, CONFIG_FANOUT, "cbpf", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=ebpf", "NETRING_FANOUT_PROG=/a" }, CONFIG_FANOUT, "ebpf", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=hash+defrag", "PCAP_GROUP=3" }, CONFIG_FANOUT, "hash:3", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=hash+defrag" }, CONFIG_FANOUT_FLAGS, "defrag", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=lb+rollover" }, CONFIG_FANOUT_FLAGS, "rollover", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=lb+DEFRAG+rollover" }, CONFIG_FANOUT_FLAGS, "rollover,defrag", "PCAP_FANOUT" },
	{ { "PCAP_FANOUT=hash" }, CONFIG_FANOUT_FLAGS, "none", NULL },
	{ { "PCAP_GROUP=3" }, CONFIG_FANOUT, "none", NULL },
	{ { USE_CLUSTER "ROUNDROBIN=1" }, CONFIG_FANOUT, "none", NULL },
	{ { "SNF_APP_ID=1" }, CONFIG_FANOUT, "hash:1", "SNF_APP_ID" },
	{ { "SNF_APP_ID=65535" }, CONFIG_FANOUT, "hash:65535", "SNF_APP_ID" },
	{ { "SNF_APP_ID=-1" }, CONFIG_FANOUT, "none", NULL },
	{ { "SNF_APP_ID=-1", "SNF_NUM_RINGS=4" }, CONFIG_RINGS, "4", "SNF_NUM_RINGS" },
	{ { "SNF_APP_ID=-1", CLUSTER_7 }, CONFIG_FANOUT, "hash:7", PF_RING "CLUSTER_ID" },
	{ { "SNF_APP_ID=3", "SNF_NUM_RINGS=4" }, CONFIG_FANOUT, "hash:3", "SNF_APP_ID" },
	{ { "SNF_APP_ID=3", "SNF_NUM_RINGS=4" }, CONFIG_RINGS, "1", NULL },
	{ { "SNF_NUM_RINGS=1" }, CONFIG_RINGS, "1", "SNF_NUM_RINGS" },
	{ { "SNF_NUM_RINGS=256" }, CONFIG_RINGS, "256", "SNF_NUM_RINGS" },
	{ { "SNF_NUM_RINGS=4", CLUSTER_7 }, CONFIG_RINGS, "4", "SNF_NUM_RINGS" },
	{ { "SNF_DATARING_SIZE=1" }, CONFIG_RING_SIZE, "1M", "SNF_DATARING_SIZE" },
	{ { "SNF_DATARING_SIZE=65536" }, CONFIG_RING_SIZE, "64G", "SNF_DATARING_SIZE" },
	{ { "SNF_DATARING_SIZE=1048576" }, CONFIG_RING_SIZE, "1M", "SNF_DATARING_SIZE" },
	{ { "SNF_DATARING_SIZE=268435456" }, CONFIG_RING_SIZE, "256M", "SNF_DATARING_SIZE" },
	{ { "PCAP_FRAMES=32768" }, CONFIG_RING_SIZE, "64M", "PCAP_FRAMES" },
	{ { "PCAP_FRAMES=1000", "NETRING_FRAME_SIZE=4K" }, CONFIG_RING_SIZE, "4000K", "PCAP_FRAMES" },
	{ { "PCAP_FRAMES=max" }, CONFIG_RING_SIZE, "1G", "PCAP_FRAMES" },
	{ { "PCAP_FRAMES=MAX" }, CONFIG_RING_SIZE, "1G", "PCAP_FRAMES" },
};

START_TEST(test_good)
{
	for (int i = 0; i < LENGTH(good[0].set); i++)
		set(good[_i].set[i]);
	load();
	ck_value(good[_i].id, good[_i].value);
	if (good[_i].alias)
		ck_assert_str_eq(config_alias_of(&config, good[_i].id), good[_i].alias);
	else
		ck_assert_ptr_null(config_alias_of(&config, good[_i].id));
	ck_assert_int_eq(config.source[good[_i].id], good[_i].alias ? CONFIG_FROM_ALIAS : CONFIG_FROM_DEFAULT);
}
END_TEST

START_TEST(test_the_text_is_the_structs_own)
{
	struct config other;

	set(CLUSTER_7);
	load();
	ck_assert_ptr_eq(config.text[CONFIG_FANOUT], config.alias_fanout);
	setup();
	set(CLUSTER_7);
	load();
	setenv(PF_RING "CLUSTER_ID", "8", 1);
	config_init(&other);
	ck_assert_int_eq(config_load(&other, &error), 0);
	ck_assert_str_eq(config.text[CONFIG_FANOUT], "hash:7");
	ck_assert_str_eq(other.text[CONFIG_FANOUT], "hash:8");
}
END_TEST

/* Bad values */

static const char *const bad_everywhere[] = {
	"", " ", "-2", "+1", " 1", "1 ", "1\n", "0x10", "1.5", "1e3", "abc", "1K", "18446744073709551616", "99999999999999999999999", "\xff\xfe",
	"%s%n", "hash:7", "auto", "max ", "hash,lb", "2 rings",
};

static const char *const names[] = {
	PF_RING "CLUSTER_ID", USE_CLUSTER "PER_FLOW", USE_CLUSTER "ROUNDROBIN", USE_CLUSTER "PER_INNER_FLOW_IP_5_TUPLE",
	"PCAP_FANOUT", "PCAP_GROUP", "SNF_APP_ID", "SNF_NUM_RINGS", "SNF_DATARING_SIZE", "PCAP_FRAMES",
};

/* Refused, with the name in front and the configuration as it was. */
static void ck_refused(const char *name)
{
	struct config before = config;

	ck_assert_msg(config_load(&config, &error) == -EINVAL, "%s=%s accepted", name, getenv(name));
	ck_assert_msg(strstr(error.text, name) == error.text, "text begins with the alias: %s", error.text);
	ck_assert_uint_lt(strlen(error.text), ERRBUF_SIZE);
	ck_assert_msg(memcmp(&before, &config, sizeof(config)) == 0, "%s changed the configuration", name);
	ck_assert_int_eq(config_load(&config, NULL), -EINVAL);
}

START_TEST(test_bad_everywhere)
{
	for (int i = 0; i < LENGTH(names); i++) {
		setup();
		if (strstr(names[i], "USE_CLUSTER"))
			set(CLUSTER_7);
		if (strcmp(names[i], "PCAP_GROUP") == 0)
			set("PCAP_FANOUT=hash");
		setenv(names[i], bad_everywhere[_i], 1);
		ck_refused(names[i]);
	}
}
END_TEST

#define PFQ_MODES "hash, lb, cpu, rollover, rnd, qm, cbpf or ebpf, with +defrag and +rollover behind it"
#define DATARING_IS "a number, of MiB below 1048576, else of bytes"
#define FRAMES_IS "a number of frames, or max"
#define SIZE_IS "must be a size (K, M, G allowed), 4K..64G"

static const struct {
	const char *set[2];
	const char *sentence;
} bad[] = {
	{ { PF_RING "CLUSTER_ID=0" }, PF_RING "CLUSTER_ID=0: must be a number, 1..254" },
	{ { PF_RING "CLUSTER_ID=255" }, PF_RING "CLUSTER_ID=255: must be a number, 1..254" },
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=2" }, USE_CLUSTER "ROUNDROBIN=2: must be one of 0, 1, no, yes, false, true, off, on" },
	{ { "PCAP_FANOUT=random" }, "PCAP_FANOUT=random: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=hash+" }, "PCAP_FANOUT=hash+: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=+defrag" }, "PCAP_FANOUT=+defrag: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=hash++defrag" }, "PCAP_FANOUT=hash++defrag: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=hash+lb" }, "PCAP_FANOUT=hash+lb: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=hash,defrag" }, "PCAP_FANOUT=hash,defrag: must be " PFQ_MODES },
	{ { "PCAP_FANOUT=data+defrag" },
	  "PCAP_FANOUT=data+defrag: the mode data is not supported; NETRING_FANOUT=ebpf takes a program, NETRING_FANOUT_PROG" },
	{ { "PCAP_FANOUT=ebpf" }, "NETRING_FANOUT=ebpf: needs a program, NETRING_FANOUT_PROG (NETRING_FANOUT is from PCAP_FANOUT)" },
	{ { "PCAP_FANOUT=rollover+rollover" },
	  "NETRING_FANOUT_FLAGS=rollover: the flag rollover does not go with the mode rollover, NETRING_FANOUT=rollover "
	  "(NETRING_FANOUT is from PCAP_FANOUT) (NETRING_FANOUT_FLAGS is from PCAP_FANOUT)" },
	{ { "PCAP_FANOUT=hash", "PCAP_GROUP=65536" }, "PCAP_GROUP=65536: must be a number, 0..65535" },
	{ { "PCAP_FANOUT=hash", "PCAP_GROUP=-1" }, "PCAP_GROUP=-1: must be a number, 0..65535" },
	{ { "SNF_APP_ID=0" }, "SNF_APP_ID=0: must be a number, 1..65535, or -1 for none" },
	{ { "SNF_APP_ID=65536" }, "SNF_APP_ID=65536: must be a number, 1..65535, or -1 for none" },
	{ { "SNF_NUM_RINGS=0" }, "SNF_NUM_RINGS=0: must be a number, 1..256" },
	{ { "SNF_NUM_RINGS=257" }, "SNF_NUM_RINGS=257: must be a number, 1..256" },
	{ { "SNF_DATARING_SIZE=0" }, "SNF_DATARING_SIZE=0: must be " DATARING_IS },
	{ { "SNF_DATARING_SIZE=64M" }, "SNF_DATARING_SIZE=64M: must be " DATARING_IS },
	{ { "SNF_DATARING_SIZE=65537" }, "SNF_DATARING_SIZE=65537, taken as NETRING_RING_SIZE=65537M: " SIZE_IS },
	{ { "SNF_DATARING_SIZE=68719476737" }, "SNF_DATARING_SIZE=68719476737, taken as NETRING_RING_SIZE=68719476737: " SIZE_IS },
	{ { "PCAP_FRAMES=0" }, "PCAP_FRAMES=0: must be " FRAMES_IS },
	{ { "PCAP_FRAMES=maximum" }, "PCAP_FRAMES=maximum: must be " FRAMES_IS },
	{ { "PCAP_FRAMES=1" }, "PCAP_FRAMES=1, taken as NETRING_RING_SIZE=2048: " SIZE_IS },
	{ { "PCAP_FRAMES=33554433" }, "PCAP_FRAMES=33554433, taken as NETRING_RING_SIZE=68719478784: " SIZE_IS },
	/* In 64 bits this many frames wrap around to 4096 bytes, which would do. */
	{ { "PCAP_FRAMES=9007199254740994" }, "PCAP_FRAMES=9007199254740994: must be " FRAMES_IS },
	{ { "PCAP_FRAMES=1000", "NETRING_BLOCK_SIZE=4M" },
	  "NETRING_RING_SIZE=2000K: must not be smaller than a block, NETRING_BLOCK_SIZE=4M (NETRING_RING_SIZE is from PCAP_FRAMES)" },
	{ { "SNF_APP_ID=3", "NETRING_FANOUT_FLAGS=unique_id" },
	  "NETRING_FANOUT_FLAGS=unique_id: the flag unique_id does not go with a chosen group, NETRING_FANOUT=hash:3 "
	  "(NETRING_FANOUT is from SNF_APP_ID)" },
	/* Two that say the same thing. */
	{ { CLUSTER_7, "PCAP_FANOUT=hash" },
	  "PCAP_FANOUT=hash: not allowed together with " CLUSTER_7 ", each decides NETRING_FANOUT; set one of them" },
	{ { CLUSTER_7, "SNF_APP_ID=7" },
	  "SNF_APP_ID=7: not allowed together with " CLUSTER_7 ", each decides NETRING_FANOUT; set one of them" },
	{ { "PCAP_FANOUT=hash", "SNF_APP_ID=7" },
	  "SNF_APP_ID=7: not allowed together with PCAP_FANOUT=hash, each decides NETRING_FANOUT; set one of them" },
	{ { "SNF_DATARING_SIZE=64", "PCAP_FRAMES=32768" },
	  "PCAP_FRAMES=32768: not allowed together with SNF_DATARING_SIZE=64, each decides NETRING_RING_SIZE; set one of them" },
};

START_TEST(test_bad)
{
	set(bad[_i].set[0]);
	set(bad[_i].set[1]);
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_str_eq(error.text, bad[_i].sentence);
	ck_assert_uint_lt(strlen(error.text), ERRBUF_SIZE);
}
END_TEST

START_TEST(test_two_kinds_of_cluster)
{
	set(CLUSTER_7);
	set(USE_CLUSTER "ROUNDROBIN=1");
	set(USE_CLUSTER "PER_INNER_FLOW=1");
	ck_assert_int_eq(config_load(&config, &error), -EINVAL);
	ck_assert_str_eq(error.text, USE_CLUSTER "PER_INNER_FLOW=1: not allowed together with " USE_CLUSTER
						 "ROUNDROBIN=1, each decides NETRING_FANOUT; set one of them");
}
END_TEST

START_TEST(test_long_values_are_cut)
{
	char value[5000];

	memset(value, 'z', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	setenv("PCAP_FANOUT", value, 1);
	ck_refused("PCAP_FANOUT");
	ck_assert_ptr_nonnull(strstr(error.text, "zzz...: must be"));
	setup();
	setenv("PCAP_FANOUT", "a\033[2J\nb", 1);
	ck_refused("PCAP_FANOUT");
	ck_assert_ptr_nonnull(strstr(error.text, "=a?[2J?b:"));
}
END_TEST

/* Who wins. The last of the three is the value that comes of it. */

static const struct {
	const char *alias, *other;
	enum config_id id;
	const char *value;
	enum config_source source;
} precedence[] = {
	{ CLUSTER_7, "NETRING_FANOUT=lb:1", CONFIG_FANOUT, "lb:1", CONFIG_FROM_ENVIRONMENT },
	{ "PCAP_FANOUT=hash", "NETRING_FANOUT=lb:1", CONFIG_FANOUT, "lb:1", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_APP_ID=3", "NETRING_FANOUT=lb:1", CONFIG_FANOUT, "lb:1", CONFIG_FROM_ENVIRONMENT },
	{ "PCAP_FANOUT=hash+defrag", "NETRING_FANOUT=lb:1", CONFIG_FANOUT_FLAGS, "none", CONFIG_FROM_DEFAULT },
	{ "PCAP_FANOUT=hash+defrag", "NETRING_FANOUT_FLAGS=rollover", CONFIG_FANOUT_FLAGS, "rollover", CONFIG_FROM_ENVIRONMENT },
	{ "PCAP_FANOUT=hash+defrag", "NETRING_FANOUT_FLAGS=rollover", CONFIG_FANOUT, "hash", CONFIG_FROM_ALIAS },
	{ CLUSTER_7, "NETRING_FANOUT_FLAGS=rollover", CONFIG_FANOUT_FLAGS, "rollover", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_NUM_RINGS=4", "NETRING_RINGS=2", CONFIG_RINGS, "2", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_NUM_RINGS=4", "NETRING_RINGS=auto", CONFIG_RINGS, "auto", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_DATARING_SIZE=64", "NETRING_RING_SIZE=8M", CONFIG_RING_SIZE, "8M", CONFIG_FROM_ENVIRONMENT },
	{ "PCAP_FRAMES=max", "NETRING_RING_SIZE=8M", CONFIG_RING_SIZE, "8M", CONFIG_FROM_ENVIRONMENT },
	{ "PCAP_FRAMES=max", "NETRING_BLOCK_COUNT=8", CONFIG_RING_SIZE, "block size x block count", CONFIG_FROM_DEFAULT },
	{ "PCAP_FRAMES=max", "NETRING_BLOCK_COUNT=8", CONFIG_BLOCK_COUNT, "8", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_DATARING_SIZE=64", "NETRING_PROFILE=high_throughput", CONFIG_RING_SIZE, "64M", CONFIG_FROM_ALIAS },
	{ "SNF_DATARING_SIZE=64", "NETRING_PROFILE=high_throughput", CONFIG_BLOCK_COUNT, "64", CONFIG_FROM_DEFAULT },
	{ "SNF_DATARING_SIZE=64", "NETRING_PROFILE=low_latency", CONFIG_BLOCK_SIZE, "256K", CONFIG_FROM_PROFILE },
	{ "PCAP_FRAMES=1024", "NETRING_PROFILE=jumbo", CONFIG_RING_SIZE, "64M", CONFIG_FROM_ALIAS },
	/* One that is overruled is not looked at. */
	{ "PCAP_FANOUT=data", "NETRING_FANOUT=lb:1", CONFIG_FANOUT, "lb:1", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_NUM_RINGS=0", "NETRING_RINGS=2", CONFIG_RINGS, "2", CONFIG_FROM_ENVIRONMENT },
	{ "SNF_NUM_RINGS=0", "SNF_APP_ID=3", CONFIG_RINGS, "1", CONFIG_FROM_DEFAULT },
	{ "PCAP_FRAMES=", "NETRING_BLOCK_COUNT=8", CONFIG_BLOCK_COUNT, "8", CONFIG_FROM_ENVIRONMENT },
};

START_TEST(test_precedence)
{
	set(precedence[_i].alias);
	set(precedence[_i].other);
	load();
	ck_value(precedence[_i].id, precedence[_i].value);
	ck_assert_int_eq(config.source[precedence[_i].id], precedence[_i].source);
}
END_TEST

/* The log */

#define INFO "netring: info: "

static const struct {
	const char *set[4];
	const char *lines;
} logs[] = {
	{ { NULL }, "" },
	{ { "NETRING_FANOUT=hash:7" }, "" },
	{ { CLUSTER_7 }, INFO CLUSTER_7 " is taken as NETRING_FANOUT=hash:7\n" },
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=1" },
	  INFO CLUSTER_7 " is taken as NETRING_FANOUT=lb:7\n" INFO USE_CLUSTER "ROUNDROBIN=1 is taken as NETRING_FANOUT=lb:7\n" },
	{ { CLUSTER_7, USE_CLUSTER "ROUNDROBIN=0" },
	  INFO CLUSTER_7 " is taken as NETRING_FANOUT=hash:7\n" INFO USE_CLUSTER "ROUNDROBIN=0 is off\n" },
	{ { USE_CLUSTER "ROUNDROBIN=1" }, INFO USE_CLUSTER "ROUNDROBIN=1 has no effect without " PF_RING "CLUSTER_ID\n" },
	{ { CLUSTER_7, "NETRING_FANOUT=lb:1" }, INFO CLUSTER_7 " is overruled by NETRING_FANOUT=lb:1\n" },
	{ { "PCAP_FANOUT=hash", "PCAP_GROUP=3" },
	  INFO "PCAP_FANOUT=hash is taken as NETRING_FANOUT=hash:3\n" INFO "PCAP_GROUP=3 is taken as NETRING_FANOUT=hash:3\n" },
	{ { "PCAP_FANOUT=hash+defrag" },
	  INFO "PCAP_FANOUT=hash+defrag is taken as NETRING_FANOUT=hash\n" INFO
	       "the flags of PCAP_FANOUT=hash+defrag are taken as NETRING_FANOUT_FLAGS=defrag\n" },
	{ { "PCAP_FANOUT=hash+defrag", "NETRING_FANOUT_FLAGS=rollover" },
	  INFO "PCAP_FANOUT=hash+defrag is taken as NETRING_FANOUT=hash\n" INFO
	       "the flags of PCAP_FANOUT=hash+defrag are overruled by NETRING_FANOUT_FLAGS=rollover\n" },
	{ { "PCAP_FANOUT=hash+defrag", "NETRING_FANOUT=lb:1" }, INFO "PCAP_FANOUT=hash+defrag is overruled by NETRING_FANOUT=lb:1\n" },
	{ { "PCAP_GROUP=3" }, INFO "PCAP_GROUP=3 has no effect without PCAP_FANOUT\n" },
	{ { "SNF_APP_ID=3", "SNF_NUM_RINGS=4" },
	  INFO "SNF_APP_ID=3 is taken as NETRING_FANOUT=hash:3\n" INFO
	       "SNF_NUM_RINGS=4 is the number of processes that share SNF_APP_ID; nothing is to be set\n" },
	{ { "SNF_APP_ID=-1", "SNF_NUM_RINGS=4" },
	  INFO "SNF_APP_ID=-1 means that nothing is shared\n" INFO "SNF_NUM_RINGS=4 is taken as NETRING_RINGS=4\n" },
	{ { "SNF_NUM_RINGS=4", "NETRING_RINGS=auto" }, INFO "SNF_NUM_RINGS=4 is overruled by NETRING_RINGS=auto\n" },
	{ { "SNF_DATARING_SIZE=64" }, INFO "SNF_DATARING_SIZE=64 is taken as NETRING_RING_SIZE=64M\n" },
	{ { "SNF_DATARING_SIZE=64", "NETRING_BLOCK_COUNT=8" }, INFO "SNF_DATARING_SIZE=64 is overruled by NETRING_BLOCK_COUNT=8\n" },
	{ { "PCAP_FRAMES=max" }, INFO "PCAP_FRAMES=max is taken as NETRING_RING_SIZE=1G\n" },
	{ { "PCAP_FRAMES=a\tb", "NETRING_RING_SIZE=8M" }, INFO "PCAP_FRAMES=a?b is overruled by NETRING_RING_SIZE=8M\n" },
};

static void read_log(enum log_level level, char *text, size_t size)
{
	char path[] = "/tmp/netring-test-XXXXXX";
	int fd = mkstemp(path);
	struct log log;
	ssize_t length;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(log_open(&log, level, path, &error), 0);
	config_alias_log(&config, &log);
	log_close(&log);
	length = read(fd, text, size - 1);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(fd);
	unlink(path);
}

START_TEST(test_log)
{
	char text[1024];

	for (int i = 0; i < LENGTH(logs[0].set); i++)
		set(logs[_i].set[i]);
	load();
	read_log(LOG_INFO, text, sizeof(text));
	ck_assert_str_eq(text, logs[_i].lines);
	read_log(LOG_WARN, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

static Suite *alias_suite(void)
{
	Suite *suite = suite_create("config-alias");
	TCase *cases = tcase_create("config-alias");

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_loop_test(cases, test_good, 0, LENGTH(good));
	tcase_add_test(cases, test_the_text_is_the_structs_own);
	tcase_add_loop_test(cases, test_bad_everywhere, 0, LENGTH(bad_everywhere));
	tcase_add_loop_test(cases, test_bad, 0, LENGTH(bad));
	tcase_add_test(cases, test_two_kinds_of_cluster);
	tcase_add_test(cases, test_long_values_are_cut);
	tcase_add_loop_test(cases, test_precedence, 0, LENGTH(precedence));
	tcase_add_loop_test(cases, test_log, 0, LENGTH(logs));
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(alias_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
