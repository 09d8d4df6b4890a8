/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists and masks of CPUs; what netring tune proposes for facts, rule by rule; and its undo file, also as others would like it to be. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu-set.h"
#include "irq-name.h"
#include "tune-plan.h"
#include "tune-setting.h"
#include "tune-undo.h"
#include "test-random.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* CPUs */

static const struct {
	const char *list, *mask;
	unsigned count;
} sets[] = {
	{ "", "0", 0 },
	{ "0", "1", 1 },
	{ "0-3", "f", 4 },
	{ "0,2-3", "d", 3 },
	{ "31", "80000000", 1 },
	{ "32", "1,00000000", 1 },
	{ "0-1,63-64", "1,80000000,00000003", 4 },
	{ "8191", NULL, 1 },
};

START_TEST(test_cpus)
{
	struct cpus cpus = cpus_from_list(sets[_i].list), again;
	char list[4096], mask[4096];

	cpus_to_list(&cpus, list, sizeof(list));
	cpus_to_mask(&cpus, mask, sizeof(mask));
	ck_assert_str_eq(list, sets[_i].list);
	if (sets[_i].mask)
		ck_assert_str_eq(mask, sets[_i].mask);
	ck_assert_uint_eq(cpus_count(&cpus), sets[_i].count);
	again = cpus_from_mask(mask);
	ck_assert_mem_eq(&again, &cpus, sizeof(cpus));
}
END_TEST

START_TEST(test_cpus_odd)
{
	static const char *const odd[] = { "x", "-", "3-", "9999999999999999999999", "1,,2", "5-3", "0-99999999", " 1", "8192" };
	struct cpus cpus = cpus_from_list(odd[_i]);
	char list[64], all[8];

	ck_assert_uint_le(cpus_count(&cpus), CPU_SET_MAX);
	cpus_to_list(&cpus, list, sizeof(list));
	cpus_to_list(&cpus, all, sizeof(all));
	ck_assert_uint_lt(strlen(all), sizeof(all));
	cpus = cpus_from_mask(odd[_i]);
	cpus_to_mask(&cpus, all, sizeof(all));
	ck_assert_uint_lt(strlen(all), sizeof(all));
}
END_TEST

START_TEST(test_cpus_random)
{
	struct random random = { 77 };

	for (int i = 0; i < 200; i++) {
		struct cpus cpus = { 0 }, again;
		char list[65536], mask[4096];

		for (unsigned n = random_below(&random, 300); n > 0; n--) {
			unsigned cpu = random_below(&random, CPU_SET_MAX);

			cpus.bits[cpu / 64] |= (uint64_t)1 << cpu % 64;
		}
		cpus_to_list(&cpus, list, sizeof(list));
		again = cpus_from_list(list);
		ck_assert_mem_eq(&again, &cpus, sizeof(cpus));
		cpus_to_mask(&cpus, mask, sizeof(mask));
		again = cpus_from_mask(mask);
		ck_assert_mem_eq(&again, &cpus, sizeof(cpus));
	}
}
END_TEST

START_TEST(test_nth)
{
	struct cpus cpus = cpus_from_list("4-5,9");

	ck_assert_int_eq(cpus_nth(&cpus, 0), 4);
	ck_assert_int_eq(cpus_nth(&cpus, 2), 9);
	ck_assert_int_eq(cpus_nth(&cpus, 3), -1);
}
END_TEST

/* The plan */

static struct facts facts;
static struct tune_plan plan;

static void setup_facts(void)
{
	struct netring_error error;
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/cli/facts/tune-ixgbe.facts", getenv("abs_top_srcdir") ?: ".");
	ck_assert_msg(facts_load(&facts, path, &error) == 0, "%s", error.text);
}

static void teardown_facts(void)
{
	tune_plan_free(&plan);
	facts_free(&facts);
}

static const struct tune_row *row_of(const char *setting)
{
	for (size_t i = 0; i < plan.count; i++)
		if (strcmp(plan.row[i].setting, setting) == 0)
			return &plan.row[i];
	return NULL;
}

/* One fact, by which the recorded host is changed ("" takes it away), and what then is proposed. NULL: nothing. */
static const struct {
	enum advice_profile profile;
	const char *fact, *value, *setting;
	enum tune_state state;
	const char *proposed;
} rules[] = {
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.channels.combined", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.channels.combined", "8", "nic.channels.combined", TUNE_CHANGE, "4" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.channels.combined_max", "2", "nic.channels.combined", TUNE_CHANGE, "2" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.channels.combined_max", "4", "nic.channels.combined", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.local_cpus", "", "nic.channels.combined", TUNE_CHANGE, "8" },
	{ ADVICE_LOW_MEMORY, "nic.channels.combined", "1", "nic.channels.combined", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.ring.rx", TUNE_CHANGE, "8192" },
	{ ADVICE_JUMBO, NULL, NULL, "nic.ring.rx", TUNE_CHANGE, "8192" },
	{ ADVICE_JUMBO, NULL, NULL, "if.mtu", TUNE_CHANGE, "9000" },
	{ ADVICE_JUMBO, "if.mtu", "9216", "if.mtu", TUNE_FINE, NULL },
	{ ADVICE_JUMBO, "if.addresses", "1", "if.mtu", TUNE_LEFT, NULL },
	{ ADVICE_JUMBO, "if.master", "br0", "if.mtu", TUNE_LEFT, NULL },
	{ ADVICE_JUMBO, "if.lower", "eno1", "if.mtu", TUNE_LEFT, NULL },
	{ ADVICE_LOW_LATENCY, NULL, NULL, "nic.ring.rx", TUNE_CHANGE, "4096" },
	{ ADVICE_LOW_MEMORY, NULL, NULL, "nic.ring.rx", TUNE_CHANGE, "4096" },
	{ ADVICE_LOW_MEMORY, "nic.ring.rx", "8192", "nic.ring.rx", TUNE_CHANGE, "4096" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.ring.rx", "8192", "nic.ring.rx", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.ring.rx_max", "0", "nic.ring.rx", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.ring.rx_max", "many", "nic.ring.rx", TUNE_LEFT, NULL },
	{ ADVICE_LOW_LATENCY, "nic.ring.rx_max", "1", "nic.ring.rx", TUNE_CHANGE, "1" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.coalesce.adaptive_rx", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.coalesce.rx_usecs", TUNE_CHANGE, "50" },
	{ ADVICE_LOW_LATENCY, NULL, NULL, "nic.coalesce.rx_usecs", TUNE_CHANGE, "5" },
	{ ADVICE_LOW_MEMORY, NULL, NULL, "nic.coalesce.rx_usecs", TUNE_CHANGE, "30" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.coalesce.rx_usecs", "50", "nic.coalesce.rx_usecs", TUNE_FINE, NULL },
	{ ADVICE_LOW_LATENCY, "nic.coalesce.rx_usecs", "5", "nic.coalesce.rx_usecs", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.coalesce.adaptive_rx", "off", "nic.coalesce.rx_usecs", TUNE_CHANGE, "50" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.coalesce.rx_frames", "1", "nic.coalesce.rx_frames", TUNE_CHANGE, "64" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.virtio.coalescing", "no", "nic.coalesce.rx_usecs", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.feature.rx-lro", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.feature.rx-gro", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.feature.rx-gro-hw", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.addresses", "1", "nic.feature.rx-gro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.addresses", "", "nic.feature.rx-gro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.addresses", "1", "nic.feature.rx-lro", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, "if.master", "br0", "nic.feature.rx-gro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.route_default", "yes", "nic.feature.rx-gro", TUNE_LEFT, NULL },
	{ ADVICE_LOW_LATENCY, "if.addresses", "1", "nic.feature.rx-gro", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.feature.rx-gro-hw", "on fixed", "nic.feature.rx-gro-hw", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.feature.rx-gro-list", "on", "nic.feature.rx-gro-list", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, "if.kind", "loopback", "nic.feature.rx-gro", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.lower", "eno1 eno2", "nic.feature.rx-gro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.lower", "eno1 eno2", "nic.feature.rx-lro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.kind", "bond", "nic.feature.rx-lro", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "if.kind", "virtual", "nic.feature.rx-lro", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.feature.rx-vlan-hw-parse", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.irq.90.cpus", TUNE_CHANGE, "4" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.irq.91.cpus", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.irq.93.cpus", TUNE_CHANGE, "7" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.local_cpus", "6-7", "nic.irq.92.cpus", TUNE_LEFT, NULL },
	{ ADVICE_LOW_MEMORY, "nic.local_cpus", "6-7", "nic.irq.92.cpus", TUNE_CHANGE, "6" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.rps.0", TUNE_CHANGE, "off" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.queues.rx", "1", "nic.rps.0", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "nic.queues.rx", "1", "host.sysctl.net.core.netdev_max_backlog", TUNE_CHANGE, "50000" },
	{ ADVICE_HIGH_THROUGHPUT, "if.kind", "veth", "host.sysctl.net.core.netdev_max_backlog", TUNE_CHANGE, "50000" },
	{ ADVICE_HIGH_THROUGHPUT, "host.softnet.dropped", "7", "host.sysctl.net.core.netdev_max_backlog", TUNE_CHANGE, "50000" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "host.sysctl.net.core.netdev_budget", TUNE_CHANGE, "600" },
	{ ADVICE_HIGH_THROUGHPUT, "host.sysctl.net.core.netdev_budget", "601", "host.sysctl.net.core.netdev_budget", TUNE_FINE, NULL },
	{ ADVICE_HIGH_THROUGHPUT, "host.sysctl.net.core.netdev_budget", "", "host.sysctl.net.core.netdev_budget", TUNE_LEFT, NULL },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "host.sysctl.net.core.netdev_budget_usecs", TUNE_CHANGE, "8000" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "host.sysctl.net.core.bpf_jit_enable", TUNE_CHANGE, "1" },
};

START_TEST(test_rule)
{
	const struct tune_row *row;

	if (rules[_i].fact)
		facts_set(&facts, rules[_i].fact, rules[_i].value);
	tune_plan_make(&plan, &facts, rules[_i].profile);
	row = row_of(rules[_i].setting);
	ck_assert_msg(row != NULL, "no row for %s", rules[_i].setting);
	ck_assert_msg(row->state == rules[_i].state, "%s: state %d, %s", row->setting, row->state, row->why);
	if (rules[_i].proposed)
		ck_assert_str_eq(row->proposed, rules[_i].proposed);
	else
		ck_assert_ptr_null(row->proposed);
	ck_assert_str_ne(row->why, "");
}
END_TEST

/* What is not mentioned at all. */
static const struct {
	enum advice_profile profile;
	const char *fact, *value, *setting;
} absent[] = {
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "if.mtu" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.irq.94.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.irq.90.name", "mlx5_async0@pci:0000:01:00.0", "nic.irq.90.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.irq.90.name", "virtio2-config", "nic.irq.90.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.irq.90.name", "i40e-0000:01:00.0:fdir-TxRx-0", "nic.irq.90.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, "nic.irq.90.name", "x-99999999999999999999", "nic.irq.90.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, "host.cpus", "1", "nic.irq.90.cpus" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "nic.coalesce.rx_frames" },
	{ ADVICE_HIGH_THROUGHPUT, NULL, NULL, "host.sysctl.net.core.netdev_max_backlog" },
	{ ADVICE_LOW_LATENCY, NULL, NULL, "host.sysctl.net.core.netdev_budget" },
};

START_TEST(test_absent)
{
	if (absent[_i].fact)
		facts_set(&facts, absent[_i].fact, absent[_i].value);
	tune_plan_make(&plan, &facts, absent[_i].profile);
	ck_assert_ptr_null(row_of(absent[_i].setting));
}
END_TEST

static const struct {
	const char *name, *interface;
	int queue;
} interrupts[] = {
	{ "eth0-TxRx-3", "eth0", 3 },
	{ "eth0-rxtx-12", "eth0", 12 },
	{ "eth0-event-8", "eth0", -1 }, /* vmxnet3's last */
	{ "eth0", "eth0", -1 },
	{ "uplink0-TxRx-3", "uplink0", 3 },
	{ "iavf-uplink0-TxRx-3", "uplink0", 3 },
	{ "uplink0-event-4", "uplink0", -1 },
	{ "mlx5_comp3@pci:0000:01:00.0", "misc0", 3 },
	{ "virtio2-input.0", NULL, 0 },
	{ "virtio2-config", "", -1 },
};

START_TEST(test_interrupt)
{
	ck_assert_int_eq(irq_name_queue(interrupts[_i].name, interrupts[_i].interface), interrupts[_i].queue);
}
END_TEST

/* Several facts at once. */
static const struct {
	const char *facts[3][2], *setting;
	enum advice_profile profile;
	int64_t advice;
} numbers[] = {
	{ { { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "10" } }, "nic.coalesce.rx_usecs", ADVICE_HIGH_THROUGHPUT, 10 },
	{ { { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "100" } }, "nic.coalesce.rx_usecs", ADVICE_HIGH_THROUGHPUT, 100 },
	{ { { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "101" } }, "nic.coalesce.rx_usecs", ADVICE_HIGH_THROUGHPUT, 50 },
	{ { { "nic.coalesce.adaptive_rx", "on" }, { "nic.coalesce.rx_usecs", "20" } }, "nic.coalesce.rx_usecs", ADVICE_HIGH_THROUGHPUT, 50 },
	{ { { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "0" } }, "nic.coalesce.rx_usecs", ADVICE_LOW_LATENCY, 5 },
	{ { { "nic.driver", "igb" }, { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "3" } },
	  "nic.coalesce.rx_usecs",
	  ADVICE_LOW_LATENCY,
	  3 },
	{ { { "nic.driver", "igb" }, { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "50" } },
	  "nic.coalesce.rx_usecs",
	  ADVICE_LOW_LATENCY,
	  10 },
	{ { { "nic.driver", "ixgbe" }, { "nic.coalesce.adaptive_rx", "off" }, { "nic.coalesce.rx_usecs", "50" } },
	  "nic.coalesce.rx_usecs",
	  ADVICE_LOW_LATENCY,
	  5 },
	{ { { "if.kind", "veth" } }, "host.sysctl.net.core.netdev_max_backlog", ADVICE_HIGH_THROUGHPUT, 50000 },
	{ { { "if.kind", "veth" }, { "if.addresses", "1" } }, "host.sysctl.net.core.netdev_max_backlog", ADVICE_HIGH_THROUGHPUT, -1 },
	{ { { "nic.xdp.attached", "native" }, { "nic.channels.combined", "8" } }, "nic.channels.combined", ADVICE_HIGH_THROUGHPUT, -1 },
	{ { { "nic.xdp.attached", "native" } }, "nic.channels.combined", ADVICE_HIGH_THROUGHPUT, 4 },
	{ { { "if.mtu", "1500" } }, "if.mtu", ADVICE_HIGH_THROUGHPUT, -1 },
	{ { { "if.mtu", "1500" } }, "if.mtu", ADVICE_JUMBO, 9000 },
	{ { { "if.mtu", "1500" }, { "if.mtu_max", "3498" } }, "if.mtu", ADVICE_JUMBO, 3498 },
	{ { { "if.mtu", "9216" }, { "if.mtu_max", "3498" } }, "if.mtu", ADVICE_JUMBO, 9216 },
	{ { { "nic.ring.rx", "9007199254740993" } }, "nic.ring.rx", ADVICE_HIGH_THROUGHPUT, -1 },
	{ { { "nic.ring.rx", "7680" } }, "nic.ring.rx", ADVICE_HIGH_THROUGHPUT, 7680 },
	{ { { "nic.ring.rx", "7679" } }, "nic.ring.rx", ADVICE_HIGH_THROUGHPUT, 8192 },
	{ { { NULL } }, "nic.ring.tx", ADVICE_HIGH_THROUGHPUT, -1 },
};

START_TEST(test_advice)
{
	for (size_t i = 0; i < 3 && numbers[_i].facts[i][0]; i++)
		facts_set(&facts, numbers[_i].facts[i][0], numbers[_i].facts[i][1]);
	ck_assert_int_eq(advice_number(&facts, numbers[_i].profile, numbers[_i].setting), numbers[_i].advice);
}
END_TEST

START_TEST(test_xdp_keeps_queues)
{
	facts_set(&facts, "nic.channels.combined", "8");
	facts_set(&facts, "nic.xdp.attached", "native");
	tune_plan_make(&plan, &facts, ADVICE_HIGH_THROUGHPUT);
	ck_assert_int_eq(row_of("nic.channels.combined")->state, TUNE_LEFT);
	/* And so the interrupts stay those that there are. */
	ck_assert_int_eq(row_of("nic.irq.90.cpus")->state, TUNE_CHANGE);
}
END_TEST

START_TEST(test_notes)
{
	tune_plan_make(&plan, &facts, ADVICE_JUMBO);
	ck_assert_ptr_nonnull(strstr(plan.note[0], "irqbalance"));
	ck_assert_ptr_nonnull(strstr(plan.note[1], "link down"));
	ck_assert_ptr_nonnull(strstr(plan.note[2], "NETRING_PROFILE=jumbo"));
	ck_assert_str_eq(plan.note[3], "");
}
END_TEST

/* What may cut the host off, and what not. */
START_TEST(test_default_route)
{
	ck_assert_ptr_null(tune_plan_carries_default(&facts));
	facts_set(&facts, "if.above_route_default", "bond0");
	ck_assert_str_eq(tune_plan_carries_default(&facts), "bond0");
	facts_set(&facts, "if.route_default", "yes");
	ck_assert_str_eq(tune_plan_carries_default(&facts), "ens2f0");
	tune_plan_make(&plan, &facts, ADVICE_HIGH_THROUGHPUT);
	ck_assert(tune_plan_resets_link(row_of("nic.ring.rx")));
	ck_assert(tune_plan_resets_link(row_of("nic.coalesce.rx_usecs")));
	ck_assert(tune_plan_resets_link(row_of("nic.feature.rx-lro")));
	ck_assert(!tune_plan_resets_link(row_of("nic.feature.rx-gro-hw"))); /* not changed */
	ck_assert(!tune_plan_resets_link(row_of("nic.rps.0")));
	ck_assert(!tune_plan_resets_link(row_of("nic.irq.90.cpus")));
	ck_assert(!tune_plan_resets_link(row_of("host.sysctl.net.core.netdev_budget")));
}
END_TEST

/* Adaptive before the value that it overrules; queues before all but RPS, whose queues they may take away; and nothing twice, or it would be undone twice. */
START_TEST(test_order)
{
	facts_set(&facts, "nic.channels.combined", "8");
	tune_plan_make(&plan, &facts, ADVICE_HIGH_THROUGHPUT);
	ck_assert(row_of("nic.rps.0") < row_of("nic.channels.combined"));
	ck_assert(row_of("nic.channels.combined") < row_of("nic.ring.rx"));
	ck_assert(row_of("nic.coalesce.adaptive_rx") < row_of("nic.coalesce.rx_usecs"));
	for (size_t i = 0; i < plan.count; i++)
		ck_assert_ptr_eq(row_of(plan.row[i].setting), &plan.row[i]);
}
END_TEST

START_TEST(test_no_facts)
{
	struct facts none = { 0 };

	for (int profile = 0; profile < ADVICE_PROFILES; profile++) {
		tune_plan_make(&plan, &none, (enum advice_profile)profile);
		ck_assert_uint_eq(tune_plan_changes(&plan), 0);
		tune_plan_free(&plan);
	}
}
END_TEST

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Facts of anything: no crash, and nothing proposed that is no value. */
START_TEST(test_random_facts)
{
	static const char *const values[] = {
		"",    "0",    "-1",	   "1",	       "off",	   "on",       "18446744073709551616", "9223372036854775807", "x",
		"0-7", "8191", "on fixed", "0-999999", "ens2f0-0", "%s%s%n%n", "-9223372036854775808"
	};
	struct random random = { 4711 };

	for (int i = 0; i < 3000; i++) {
		facts_set(&facts, facts.fact[random_below(&random, (uint32_t)facts.count)].name, values[random_below(&random, LENGTH(values))]);
		tune_plan_make(&plan, &facts, (enum advice_profile)random_below(&random, ADVICE_PROFILES));
		for (size_t row = 0; row < plan.count; row++)
			if (plan.row[row].state == TUNE_CHANGE)
				ck_assert_msg(strcmp(plan.row[row].proposed, "off") == 0 || is_number(plan.row[row].proposed), "%s",
					      plan.row[row].proposed);
		tune_plan_free(&plan);
	}
}
END_TEST

/* Settings: only those that netring tune has */

START_TEST(test_no_such_setting)
{
	static const char *const names[] = {
		"",
		"host.sysctl.kernel.core_pattern",
		"host.sysctl.net.core.../../kernel.panic",
		"nic.irq.1/../../../tmp/x.cpus",
		"nic.irq..cpus",
		"nic.irq.99999999999.cpus",
		"nic.rps.0/../../x",
		"nic.feature",
		"nic.feature./etc",
		"host.sysctl.net.core.netdev_budget ",
		"nic.ring.rx_mini",
		"if.mac",
	};
	struct ethtool target;
	struct netring_error error;
	char value[TUNE_VALUE];

	ck_assert_int_eq(tune_target_open(&target, "lo", 1, &error), 0);
	ck_assert_int_lt(tune_setting_get(&target, names[_i], value, &error), 0);
	ck_assert_int_lt(tune_setting_set(&target, names[_i], "1", &error), 0);
	ethtool_close(&target);
}
END_TEST

START_TEST(test_no_such_value)
{
	static const char *const values[] = { "", "-1", "x", "1x", "4294967296", "99999999999999999999" };
	struct ethtool target;
	struct netring_error error;

	ck_assert_int_eq(tune_target_open(&target, "lo", 1, &error), 0);
	ck_assert_int_eq(tune_setting_set(&target, "nic.ring.rx", values[_i], &error), -EINVAL);
	ck_assert_int_eq(tune_setting_set(&target, "nic.coalesce.adaptive_rx", values[_i], &error), -EINVAL);
	ck_assert_int_eq(tune_setting_set(&target, "nic.feature.rx-gro", values[_i], &error), -EINVAL);
	ck_assert_int_eq(tune_setting_set(&target, "if.mtu", values[_i], &error), -EINVAL);
	ethtool_close(&target);
}
END_TEST

/* The undo file */

static char folder[64], file[PATH_MAX], lock[128];
static struct tune_undo undo;
static struct netring_error error;

/* The one that is tuned in all of these. */
static int open_undo(bool create)
{
	return tune_undo_open(&undo, folder, "ens2f0", 5, create, &error);
}

static void setup_undo(void)
{
	strcpy(folder, "/tmp/nr-undo-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(lock, sizeof(lock), "%s/tune.lock", folder);
	error.text[0] = '\0';
	ck_assert_msg(open_undo(false) == 0, "%s", error.text);
	ck_assert(!undo.exists);
	strcpy(file, undo.path);
	tune_undo_close(&undo);
}

static void teardown_undo(void)
{
	tune_undo_close(&undo);
	unlink(file);
	rmdir(file);
	unlink(lock);
	rmdir(folder);
}

static void save_one(void)
{
	ck_assert_msg(open_undo(true) == 0, "%s", error.text);
	tune_undo_remember(&undo, "nic.ring.rx", "512");
	tune_undo_remember(&undo, "nic.rps.0", "0-3,8");
	tune_undo_remember_interrupt(&undo, "38", "ens2f0-TxRx-0", "0-7");
	ck_assert_msg(tune_undo_save(&undo, &error) == 0, "%s", error.text);
	tune_undo_close(&undo);
}

START_TEST(test_undo_file)
{
	struct stat status;

	save_one();
	ck_assert_int_eq(stat(file, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(lock, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	ck_assert_int_eq(open_undo(false), 0);
	ck_assert(undo.exists);
	ck_assert_uint_eq(undo.values.count, 3);
	ck_assert_str_eq(undo.values.fact[0].name, "nic.ring.rx");
	/* The oldest value stays. */
	tune_undo_remember(&undo, "nic.ring.rx", "8192");
	ck_assert_str_eq(facts_get(&undo.values, "nic.ring.rx"), "512");
	facts_free(&undo.values);
	ck_assert_int_eq(tune_undo_save(&undo, &error), 0);
	ck_assert_int_eq(access(file, F_OK), -1);
}
END_TEST

/* An interrupt of that number which is another one has values of its own. */
START_TEST(test_undo_interrupt)
{
	save_one();
	ck_assert_int_eq(open_undo(true), 0);
	ck_assert_str_eq(tune_undo_interrupt(&undo, "38"), "ens2f0-TxRx-0");
	ck_assert_ptr_null(tune_undo_interrupt(&undo, "39"));
	tune_undo_remember_interrupt(&undo, "38", "ens2f0-TxRx-0", "3");
	ck_assert_str_eq(facts_get(&undo.values, "nic.irq.38.cpus"), "0-7");
	tune_undo_remember_interrupt(&undo, "38", "ens2f0-TxRx-4", "0-1");
	ck_assert_str_eq(facts_get(&undo.values, "nic.irq.38.cpus"), "0-1");
	ck_assert_str_eq(tune_undo_interrupt(&undo, "38"), "ens2f0-TxRx-4");
}
END_TEST

/* The number tells which interface it is, for an apply it alone; where that has gone, an undo takes the name. */
START_TEST(test_undo_identity)
{
	save_one();
	ck_assert_int_eq(tune_undo_open(&undo, folder, "lan0", 5, true, &error), 0);
	ck_assert(undo.exists);
	ck_assert_str_eq(undo.path, file);
	ck_assert_str_eq(undo.interface, "ens2f0");
	tune_undo_close(&undo);
	ck_assert_int_eq(tune_undo_open(&undo, folder, "ens2f0", 6, true, &error), 0);
	ck_assert(!undo.exists);
	ck_assert_str_ne(undo.path, file);
	tune_undo_close(&undo);
	ck_assert_int_eq(tune_undo_open(&undo, folder, "ens2f0", 0, false, &error), 0);
	ck_assert(undo.exists);
	ck_assert_int_eq(undo.index, 5);
	tune_undo_close(&undo);
	ck_assert_int_eq(tune_undo_open(&undo, folder, "lan0", 0, false, &error), 0);
	ck_assert(!undo.exists);
}
END_TEST

/* Of two that had the name, the number; else the one that has something left to restore. */
START_TEST(test_undo_best)
{
	char second[PATH_MAX];

	save_one();
	ck_assert_int_eq(tune_undo_open(&undo, folder, "ens2f0", 6, true, &error), 0);
	tune_undo_remember(&undo, "host.sysctl.net.core.netdev_budget", "300");
	ck_assert_int_eq(tune_undo_save(&undo, &error), 0);
	strcpy(second, undo.path);
	tune_undo_close(&undo);
	ck_assert_int_eq(open_undo(false), 0);
	ck_assert_int_eq(undo.index, 5);
	tune_undo_close(&undo);
	ck_assert_int_eq(tune_undo_open(&undo, folder, "ens2f0", 0, false, &error), 0);
	ck_assert_int_eq(undo.index, 6);
	unlink(second);
}
END_TEST

static void write_undo(const char *contents, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, contents, strlen(contents)), (ssize_t)strlen(contents));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* What is from before the start is over. */
START_TEST(test_undo_of_another_boot)
{
	write_undo("undo.version = 1\nundo.interface = ens2f0\nundo.index = 5\nundo.netns = 1\nundo.boot = 0\nnic.ring.rx = 1\n", 0600);
	ck_assert_int_eq(open_undo(false), 0);
	ck_assert(!undo.exists);
	ck_assert_int_eq(access(file, F_OK), -1);
}
END_TEST

START_TEST(test_undo_of_another_namespace)
{
	char contents[512], boot[64];
	FILE *boot_id = fopen("/proc/sys/kernel/random/boot_id", "r");

	ck_assert_int_eq(fscanf(boot_id, "%63s", boot), 1);
	fclose(boot_id);
	snprintf(contents, sizeof(contents), "undo.version = 1\nundo.interface = ens2f0\nundo.index = 5\nundo.netns = x\nundo.boot = %s\n", boot);
	write_undo(contents, 0600);
	ck_assert_int_eq(open_undo(false), 0);
	ck_assert(!undo.exists);
	ck_assert_str_eq(undo.other, file);
	ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

static const struct {
	const char *contents;
	mode_t mode;
	int ret;
} bad_files[] = {
	{ "", 0600, -EINVAL },
	{ "nonsense\n", 0600, -EINVAL },
	{ "undo.version = 2\n", 0600, -EINVAL },
	{ "undo.version = 1\n", 0600, -EINVAL },
	{ "undo.version = 1\nundo.boot = 0\nundo.netns = 1\nundo.index = -1\n", 0600, -EINVAL },
	{ "undo.version = 1\n", 0666, -EPERM },
	{ "undo.version = 1\n", 0620, -EPERM },
};

START_TEST(test_bad_undo_file)
{
	write_undo(bad_files[_i].contents, bad_files[_i].mode);
	ck_assert_int_eq(open_undo(true), bad_files[_i].ret);
	ck_assert_msg(strstr(error.text, file) == error.text, "%s", error.text);
	ck_assert_int_eq(access(file, F_OK), 0);
	tune_undo_close(&undo);
	/* It is in nobody else's way. */
	ck_assert_int_eq(tune_undo_open(&undo, folder, "ens2f1", 6, true, &error), 0);
}
END_TEST

START_TEST(test_undo_file_is_a_link)
{
	char target[128];

	save_one();
	snprintf(target, sizeof(target), "%s/elsewhere", folder);
	ck_assert_int_eq(rename(file, target), 0);
	ck_assert_int_eq(symlink(target, file), 0);
	ck_assert_int_eq(open_undo(true), -ELOOP);
	unlink(target);
}
END_TEST

START_TEST(test_undo_file_is_a_folder)
{
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_eq(open_undo(true), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "is not a file"));
}
END_TEST

START_TEST(test_undo_file_is_a_pipe)
{
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_eq(open_undo(true), -EINVAL);
}
END_TEST

START_TEST(test_undo_is_locked)
{
	struct tune_undo second;

	ck_assert_int_eq(open_undo(true), 0);
	ck_assert_int_eq(tune_undo_open(&second, folder, "ens2f1", 6, true, &error), -EBUSY);
	tune_undo_close(&second);
}
END_TEST

/* Anybody who can open the folder may lock it. */
START_TEST(test_folder_is_locked)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_msg(open_undo(true) == 0, "%s", error.text);
	close(fd);
}
END_TEST

START_TEST(test_lock_of_others)
{
	ck_assert_int_eq(chmod(lock, 0604), 0);
	ck_assert_int_eq(open_undo(true), -EPERM);
	tune_undo_close(&undo);
	unlink(lock);
	ck_assert_int_eq(symlink("/dev/null", lock), 0);
	ck_assert_int_eq(open_undo(true), -ELOOP);
}
END_TEST

START_TEST(test_folder_of_others)
{
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(open_undo(true), -EPERM);
	ck_assert_ptr_nonnull(strstr(error.text, folder));
}
END_TEST

/* A file that a killed tune left half written is in nobody's way. */
START_TEST(test_undo_left_behind)
{
	char new[PATH_MAX + 8];

	snprintf(new, sizeof(new), "%s.new", file);
	ck_assert_int_eq(symlink("/dev/null", new), 0);
	save_one();
	ck_assert_int_eq(access(new, F_OK), -1);
	ck_assert_int_eq(open_undo(false), 0);
	ck_assert_uint_eq(undo.values.count, 3);
}
END_TEST

START_TEST(test_no_folder)
{
	char missing[128];

	snprintf(missing, sizeof(missing), "%s/a/b", folder);
	ck_assert_int_eq(tune_undo_open(&undo, missing, "lo", 1, false, &error), -ENOENT);
	tune_undo_close(&undo);
	ck_assert_int_eq(tune_undo_open(&undo, missing, "lo", 1, true, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error.text, missing));
}
END_TEST

static TCase *undo_cases(void)
{
	TCase *cases = tcase_create("undo");

	tcase_add_checked_fixture(cases, setup_undo, teardown_undo);
	tcase_add_test(cases, test_undo_file);
	tcase_add_test(cases, test_undo_interrupt);
	tcase_add_test(cases, test_undo_identity);
	tcase_add_test(cases, test_undo_best);
	tcase_add_test(cases, test_undo_of_another_boot);
	tcase_add_test(cases, test_undo_of_another_namespace);
	tcase_add_loop_test(cases, test_bad_undo_file, 0, LENGTH(bad_files));
	tcase_add_test(cases, test_undo_file_is_a_link);
	tcase_add_test(cases, test_undo_file_is_a_folder);
	tcase_add_test(cases, test_undo_file_is_a_pipe);
	tcase_add_test(cases, test_undo_is_locked);
	tcase_add_test(cases, test_folder_is_locked);
	tcase_add_test(cases, test_lock_of_others);
	tcase_add_test(cases, test_folder_of_others);
	tcase_add_test(cases, test_undo_left_behind);
	tcase_add_test(cases, test_no_folder);
	return cases;
}

static Suite *tune_suite(void)
{
	Suite *suite = suite_create("tune");
	TCase *cpus = tcase_create("cpus"), *plans = tcase_create("plan"), *settings = tcase_create("settings");

	tcase_add_loop_test(cpus, test_cpus, 0, LENGTH(sets));
	tcase_add_loop_test(cpus, test_cpus_odd, 0, 9);
	tcase_add_test(cpus, test_cpus_random);
	tcase_add_test(cpus, test_nth);
	suite_add_tcase(suite, cpus);
	tcase_add_checked_fixture(plans, setup_facts, teardown_facts);
	tcase_add_loop_test(plans, test_rule, 0, LENGTH(rules));
	tcase_add_loop_test(plans, test_absent, 0, LENGTH(absent));
	tcase_add_loop_test(plans, test_interrupt, 0, LENGTH(interrupts));
	tcase_add_loop_test(plans, test_advice, 0, LENGTH(numbers));
	tcase_add_test(plans, test_xdp_keeps_queues);
	tcase_add_test(plans, test_notes);
	tcase_add_test(plans, test_default_route);
	tcase_add_test(plans, test_order);
	tcase_add_test(plans, test_no_facts);
	tcase_add_test(plans, test_random_facts);
	suite_add_tcase(suite, plans);
	tcase_add_loop_test(settings, test_no_such_setting, 0, 12);
	tcase_add_loop_test(settings, test_no_such_value, 0, 6);
	suite_add_tcase(suite, settings);
	suite_add_tcase(suite, undo_cases());
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(tune_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
