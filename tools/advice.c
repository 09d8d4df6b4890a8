/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of values, and where they hold. */
#define _GNU_SOURCE 1
#include "advice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SYSCTL "host.sysctl.net.core."

/* No number of a host is larger: what is, is no fact. */
#define NUMBER_MAX ((int64_t)1 << 52)

const char *const advice_profile_names[ADVICE_PROFILES + 1] = {
	[ADVICE_HIGH_THROUGHPUT] = "high_throughput",
	[ADVICE_LOW_LATENCY] = "low_latency",
	[ADVICE_LOW_MEMORY] = "low_memory",
	[ADVICE_JUMBO] = "jumbo",
};

/* Zero: leave it. The seeds' values: 50 us and 64 frames, a budget of 600 in 8 ms, a backlog of 50000, jumbo frames of 9000 bytes. */
static const struct values {
	int64_t ring_part;			/* of the adapter's largest ring */
	int64_t usecs, usecs_least, usecs_most; /* what is set; what is fine as well */
	int64_t frames, budget, budget_usecs, backlog, mtu;
} values[ADVICE_PROFILES] = {
	[ADVICE_HIGH_THROUGHPUT] = { 1, 50, 10, 100, 64, 600, 8000, 50000, 0 },
	[ADVICE_LOW_LATENCY] = { 2, 5, 1, 10, 0, 0, 0, 50000, 0 },
	[ADVICE_LOW_MEMORY] = { 2, 30, 10, 100, 0, 600, 8000, 0, 0 },
	[ADVICE_JUMBO] = { 1, 50, 10, 100, 64, 600, 8000, 50000, 9000 },
};

/* -1: there is none. */
static int64_t number(const struct facts *facts, const char *name)
{
	int64_t found = facts_number(facts, name, -1);

	return found < 0 || found > NUMBER_MAX ? -1 : found;
}

struct cpus advice_cpus(const struct facts *facts)
{
	const char *local = facts_get(facts, "nic.local_cpus"), *online = facts_get(facts, "host.cpus_online");
	struct cpus cpus = cpus_from_list(local ? local : ""), all = cpus_from_list(online ? online : "");
	int64_t count = number(facts, "host.cpus");
	char list[32];

	for (size_t i = 0; online && i < sizeof(cpus.bits) / sizeof(cpus.bits[0]); i++)
		cpus.bits[i] &= all.bits[i];
	if (cpus_count(&cpus))
		return cpus;
	if (cpus_count(&all))
		return all;
	snprintf(list, sizeof(list), "0-%" PRId64, count > 1 ? count - 1 : 0);
	return cpus_from_list(list);
}

bool advice_only_listens(const struct facts *facts)
{
	return facts_is(facts, "if.addresses", "0") && !facts_is(facts, "if.route_default", "yes") && !facts_get(facts, "if.master") &&
	       !facts_is(facts, "if.kind", "loopback");
}

bool advice_may_have_adapter(const struct facts *facts)
{
	const char *kind = facts_get(facts, "if.kind");

	return !facts_get(facts, "if.lower") && (!kind || strcmp(kind, "physical") == 0 || strcmp(kind, "virtual") == 0);
}

bool advice_feature_off(const struct facts *facts, enum advice_profile profile, const char *feature)
{
	static const char *const gro[] = { "rx-gro", "rx-gro-hw", "rx-gro-list", "rx-udp-gro-forwarding" };

	if (strcmp(feature, "rx-lro") == 0)
		return true;
	for (size_t i = 0; i < sizeof(gro) / sizeof(gro[0]); i++)
		if (strcmp(feature, gro[i]) == 0)
			return profile == ADVICE_LOW_LATENCY || advice_only_listens(facts);
	return false;
}

static bool uses_rps(const struct facts *facts)
{
	size_t at = 0;

	for (const struct fact *fact; (fact = facts_next(facts, "nic.rps.", &at));)
		if (fact->value[0] && strcmp(fact->value, "off") != 0)
			return true;
	return false;
}

/* A veth with GRO has NAPI of its own. */
static bool has_backlog(const struct facts *facts)
{
	const char *gro = facts_get(facts, "nic.feature.rx-gro");

	return facts_is(facts, "if.kind", "loopback") || (facts_is(facts, "if.kind", "veth") && !(gro && strncmp(gro, "on", 2) == 0));
}

bool advice_passes_backlog(const struct facts *facts)
{
	return has_backlog(facts) || uses_rps(facts);
}

/* As it will be once the rest of the advice is followed: RPS is off where there are several queues, and a veth's GRO perhaps. Or one has been full. */
static bool will_pass_backlog(const struct facts *facts, enum advice_profile profile)
{
	if (facts_is(facts, "if.kind", "veth") && advice_feature_off(facts, profile, "rx-gro"))
		return true;
	return number(facts, "host.softnet.dropped") > 0 || has_backlog(facts) || (uses_rps(facts) && number(facts, "nic.queues.rx") <= 1);
}

static int64_t at_least(int64_t now, int64_t least)
{
	return now < 0 || least == 0 ? -1 : now > least ? now : least;
}

static int64_t queues(const struct facts *facts, enum advice_profile profile, int64_t now, const char *setting)
{
	char max_setting[64];
	struct cpus cpus = advice_cpus(facts);
	int64_t max, count = cpus_count(&cpus);

	snprintf(max_setting, sizeof(max_setting), "%s_max", setting);
	max = number(facts, max_setting);
	/* A tap device has as many as its program has opened, and every queue has a ring of its own, in memory. */
	if (now < 0 || max <= 0 || facts_is(facts, "if.kind", "tun") || profile == ADVICE_LOW_MEMORY)
		return -1;
	if (max > count)
		max = count;
	/* An XDP program may be there for certain queues. */
	return now != max && facts_get(facts, "nic.xdp.attached") && !facts_is(facts, "nic.xdp.attached", "none") ? -1 : max;
}

bool advice_ring_will_do(int64_t now, int64_t wanted)
{
	return now <= wanted && now >= wanted - wanted / 16;
}

static int64_t ring(const struct facts *facts, const struct values *profile, int64_t now)
{
	int64_t max = number(facts, "nic.ring.rx_max"), wanted;

	if (now < 0 || max <= 0)
		return -1;
	wanted = max > 1 ? max / profile->ring_part : max;
	return advice_ring_will_do(now, wanted) ? now : wanted;
}

bool advice_usecs_is_mode(const struct facts *facts, int64_t usecs)
{
	static const struct {
		const char *driver;
		int64_t most;
	} modes[] = { { "e1000", 9 }, { "e1000e", 9 }, { "igb", 9 }, { "igbvf", 9 }, { "igc", 9 }, { "ixgbe", 1 }, { "ixgbevf", 1 } };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (facts_is(facts, "nic.driver", modes[i].driver))
			return usecs > 0 && usecs <= modes[i].most;
	return false;
}

/* With "adaptive", the value is that of the moment, and nothing to rely on. */
static int64_t usecs(const struct facts *facts, const struct values *profile, int64_t now)
{
	bool adaptive = facts_is(facts, "nic.coalesce.adaptive_rx", "on");

	if (now < 0 || facts_is(facts, "nic.virtio.coalescing", "no"))
		return -1;
	if (!adaptive && now >= profile->usecs_least && now <= profile->usecs_most)
		return now;
	return advice_usecs_is_mode(facts, profile->usecs) ? profile->usecs_most : profile->usecs;
}

/* 0: the driver counts no packets. */
static int64_t frames(const struct facts *facts, const struct values *profile, int64_t now)
{
	return now <= 0 || facts_is(facts, "nic.virtio.coalescing", "no") ? -1 : at_least(now, profile->frames);
}

/* What is larger than the adapter's MTU it throws away, mostly. */
static int64_t mtu(const struct facts *facts, const struct values *profile, int64_t now)
{
	int64_t max = number(facts, "if.mtu_max"), wanted = at_least(now, profile->mtu);

	return max > 0 && wanted > max && wanted > now ? (max > now ? max : now) : wanted;
}

int64_t advice_number(const struct facts *facts, enum advice_profile profile, const char *setting)
{
	const struct values *value = &values[profile];
	int64_t now = number(facts, setting);

	if (strcmp(setting, "nic.channels.combined") == 0 || strcmp(setting, "nic.channels.rx") == 0)
		return queues(facts, profile, now, setting);
	if (strcmp(setting, "nic.ring.rx") == 0)
		return ring(facts, value, now);
	if (strcmp(setting, "nic.coalesce.rx_usecs") == 0)
		return usecs(facts, value, now);
	if (strcmp(setting, "nic.coalesce.rx_frames") == 0)
		return frames(facts, value, now);
	if (strcmp(setting, "if.mtu") == 0)
		return mtu(facts, value, now);
	if (strcmp(setting, SYSCTL "netdev_budget") == 0)
		return at_least(now, value->budget);
	if (strcmp(setting, SYSCTL "netdev_budget_usecs") == 0)
		return at_least(now, value->budget_usecs);
	if (strcmp(setting, SYSCTL "netdev_max_backlog") == 0)
		return will_pass_backlog(facts, profile) ? at_least(now, value->backlog) : -1;
	if (strcmp(setting, SYSCTL "bpf_jit_enable") == 0)
		return at_least(now, 1);
	return -1;
}
