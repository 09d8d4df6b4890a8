/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of `netring tune`. Each setting of a group has one function; the order of the groups is that in which they are set: RPS while all of its
 * queues are there; then queues, as they may reset the others; "adaptive" before the value that it would overrule.
 */
#define _GNU_SOURCE 1
#include "tune-plan.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu-set.h"

const char *const tune_profile_names[TUNE_PROFILES + 1] = {
	[TUNE_HIGH_THROUGHPUT] = "high_throughput",
	[TUNE_LOW_LATENCY] = "low_latency",
	[TUNE_LOW_MEMORY] = "low_memory",
	[TUNE_JUMBO] = "jumbo",
};

/* Zero: leave it. */
static const struct profile {
	unsigned ring_part; /* of the adapter's largest ring */
	unsigned rx_usecs, rx_frames;
	unsigned budget, budget_usecs, backlog;
} profiles[TUNE_PROFILES] = {
	[TUNE_HIGH_THROUGHPUT] = { 1, 50, 64, 600, 8000, 50000 },
	[TUNE_LOW_LATENCY] = { 2, 5, 0, 0, 0, 50000 },
	[TUNE_LOW_MEMORY] = { 2, 30, 0, 600, 8000, 0 },
	[TUNE_JUMBO] = { 1, 50, 64, 600, 8000, 50000 },
};

#define MTU_JUMBO 9000

struct planner {
	struct tune_plan *plan;
	const struct facts *facts;
	enum tune_profile profile;
	struct cpus cpus; /* near the adapter */
	bool queues_change;
};

static struct tune_row *add_row(struct planner *planner, enum tune_state state, const char *setting, const char *proposed)
{
	return tune_plan_add(planner->plan, state, setting, facts_get(planner->facts, setting), proposed);
}

static void say_why(struct tune_row *row, const char *format, va_list arguments)
{
	if (row)
		vsnprintf(row->why, sizeof(row->why), format, arguments);
}

static void fine(struct planner *planner, const char *setting, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void left(struct planner *planner, const char *setting, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void change(struct planner *planner, const char *setting, const char *proposed, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void fine(struct planner *planner, const char *setting, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_why(add_row(planner, TUNE_FINE, setting, NULL), format, arguments);
	va_end(arguments);
}

static void left(struct planner *planner, const char *setting, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_why(add_row(planner, TUNE_LEFT, setting, NULL), format, arguments);
	va_end(arguments);
}

static void change(struct planner *planner, const char *setting, const char *proposed, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_why(add_row(planner, TUNE_CHANGE, setting, proposed), format, arguments);
	va_end(arguments);
}

static void change_number(struct planner *planner, const char *setting, int64_t number, const char *why)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	change(planner, setting, text, "%s", why);
}

static void note(struct planner *planner, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct planner *planner, const char *format, ...)
{
	va_list arguments;
	size_t i = 0;

	while (i < sizeof(planner->plan->note) / sizeof(planner->plan->note[0]) && planner->plan->note[i][0])
		i++;
	if (i == sizeof(planner->plan->note) / sizeof(planner->plan->note[0]))
		return;
	va_start(arguments, format);
	vsnprintf(planner->plan->note[i], sizeof(planner->plan->note[i]), format, arguments);
	va_end(arguments);
}

/* Why a setting is not there: the reason that was found for it, or for its group. */
static const char *reason(const struct planner *planner, const char *setting)
{
	char name[160];
	const char *why;

	snprintf(name, sizeof(name), "why.%s", setting);
	why = facts_get(planner->facts, name);
	if (!why && strrchr(name, '.')) {
		*strrchr(name, '.') = '\0';
		why = facts_get(planner->facts, name);
	}
	return why ? why : "the driver does not have it";
}

/* Those at the adapter's node, else all. */
static struct cpus near_cpus(const struct facts *facts)
{
	const char *local = facts_get(facts, "nic.local_cpus"), *online = facts_get(facts, "host.cpus_online");
	struct cpus cpus = cpus_from_list(local ? local : ""), all = cpus_from_list(online ? online : "");
	int64_t count = facts_number(facts, "host.cpus", 0);
	char list[32];

	for (size_t i = 0; online && i < sizeof(cpus.bits) / sizeof(cpus.bits[0]); i++)
		cpus.bits[i] &= all.bits[i];
	if (cpus_count(&cpus))
		return cpus;
	if (cpus_count(&all))
		return all;
	snprintf(list, sizeof(list), "0-%" PRId64, count > 1 ? count - 1 : 0); /* one at least */
	return cpus_from_list(list);
}

/* Queues */

static void plan_channel(struct planner *planner, const char *setting, const char *max_setting)
{
	int64_t now = facts_number(planner->facts, setting, -1), max = facts_number(planner->facts, max_setting, -1);
	int64_t cpus = cpus_count(&planner->cpus), wanted = max < cpus ? max : cpus;

	if (now < 0 || max <= 0)
		return;
	if (facts_is(planner->facts, "if.kind", "tun")) {
		left(planner, setting, "as many as the program behind it has opened");
	} else if (planner->profile == TUNE_LOW_MEMORY) {
		left(planner, setting, "every queue has a ring of its own: not raised in this profile");
	} else if (now == wanted) {
		fine(planner, setting, wanted == max ? "as many as the driver has" : "one for each CPU near the adapter");
	} else if (!facts_is(planner->facts, "nic.xdp.attached", "none") && facts_get(planner->facts, "nic.xdp.attached")) {
		left(planner, setting, "an XDP program is attached, and may be there for certain queues");
	} else {
		change_number(planner, setting, wanted,
			      now > wanted ? "more queues than CPUs near the adapter only share them"
					   : "one queue for each CPU near the adapter, up to what the driver has");
		planner->queues_change = true;
	}
}

static void plan_channels(struct planner *planner)
{
	if (facts_get(planner->facts, "nic.channels.combined_max")) {
		plan_channel(planner, "nic.channels.combined", "nic.channels.combined_max");
		return;
	}
	if (!facts_get(planner->facts, "nic.channels.rx_max"))
		left(planner, "nic.channels.rx", "%s", reason(planner, "nic.channels.rx"));
	plan_channel(planner, "nic.channels.rx", "nic.channels.rx_max");
}

/* Rings */

static void plan_ring(struct planner *planner)
{
	static const char setting[] = "nic.ring.rx";
	int64_t now = facts_number(planner->facts, setting, -1), max = facts_number(planner->facts, "nic.ring.rx_max", -1);
	unsigned part = profiles[planner->profile].ring_part;
	int64_t wanted = max > 1 ? max / part : max;

	if (now < 0 || max <= 0)
		left(planner, setting, "%s", reason(planner, setting));
	else if (now == wanted)
		fine(planner, setting, part == 1 ? "at its maximum" : "half of its maximum");
	else if (part == 1)
		change_number(planner, setting, wanted, "at its maximum it takes longer bursts before the kernel gets to it");
	else if (planner->profile == TUNE_LOW_LATENCY)
		change_number(planner, setting, wanted, "half of its maximum: still takes bursts, and its buffers stay in the cache");
	else
		change_number(planner, setting, wanted, "half of its maximum: every entry holds a buffer of kernel memory");
}

/* Interrupts of one queue, how often */

static void plan_adaptive(struct planner *planner)
{
	static const char setting[] = "nic.coalesce.adaptive_rx";

	if (!facts_get(planner->facts, setting))
		return;
	if (facts_is(planner->facts, setting, "off"))
		fine(planner, setting, "the interval between interrupts stays what it is");
	else
		change(planner, setting, "off", "it changes the interval with the traffic, and with it the time stamps");
}

static bool has_no_coalescing(struct planner *planner)
{
	if (!facts_get(planner->facts, "nic.coalesce.rx_usecs")) {
		left(planner, "nic.coalesce.rx_usecs", "%s", reason(planner, "nic.coalesce.rx_usecs"));
		return true;
	}
	if (facts_is(planner->facts, "nic.virtio.coalescing", "no")) {
		left(planner, "nic.coalesce.rx_usecs", "the hypervisor does not offer it");
		return true;
	}
	return false;
}

static void plan_coalesce(struct planner *planner)
{
	const struct profile *profile = &profiles[planner->profile];
	int64_t frames = facts_number(planner->facts, "nic.coalesce.rx_frames", 0);

	if (has_no_coalescing(planner))
		return;
	plan_adaptive(planner);
	if (facts_number(planner->facts, "nic.coalesce.rx_usecs", -1) == profile->rx_usecs)
		fine(planner, "nic.coalesce.rx_usecs", "as the profile has it");
	else if (planner->profile == TUNE_LOW_LATENCY)
		change_number(planner, "nic.coalesce.rx_usecs", profile->rx_usecs, "a packet waits no longer for its interrupt; costs CPU time");
	else
		change_number(planner, "nic.coalesce.rx_usecs", profile->rx_usecs, "fewer interrupts, with no wait that matters to a capture");
	/* 0: the driver counts no packets. */
	if (!profile->rx_frames || frames == 0)
		return;
	if (frames >= profile->rx_frames)
		fine(planner, "nic.coalesce.rx_frames", "at least %u", profile->rx_frames);
	else
		change_number(planner, "nic.coalesce.rx_frames", profile->rx_frames, "so many packets make an interrupt before the time is over");
}

/* Offloads */

/* rare: not worth a row unless it is on. */
static void plan_feature(struct planner *planner, const char *name, bool rare)
{
	static const char glue[] = "glues packets together: what is captured was not on the wire";
	const char *lower = facts_get(planner->facts, "if.lower"), *now;
	char setting[128];

	snprintf(setting, sizeof(setting), "nic.feature.%s", name);
	now = facts_get(planner->facts, setting);
	if (!now || (rare && strncmp(now, "off", 3) == 0))
		return;
	if (strncmp(now, "off", 3) == 0)
		fine(planner, setting, "what is captured is what was on the wire");
	else if (facts_is(planner->facts, "if.kind", "loopback"))
		fine(planner, setting, "nothing comes in here that it could glue together");
	else if (lower)
		left(planner, setting, "that is done before, in %s", lower);
	else if (strcmp(now, "on") == 0)
		change(planner, setting, "off", "%s", glue);
	else
		left(planner, setting, "%s; but the driver does not let it be switched off", glue);
}

/* In this order: the kernel itself switches off what rests on another. */
static void plan_features(struct planner *planner)
{
	plan_feature(planner, "rx-gro-list", true);
	plan_feature(planner, "rx-udp-gro-forwarding", true);
	plan_feature(planner, "rx-gro-hw", false);
	plan_feature(planner, "rx-lro", false);
	plan_feature(planner, "rx-gro", false);
	if (!facts_get(planner->facts, "nic.feature.rx-gro"))
		left(planner, "nic.feature.rx-gro", "%s", reason(planner, "nic.feature.rx-gro"));
	if (facts_is(planner->facts, "nic.feature.rx-vlan-hw-parse", "on"))
		left(planner, "nic.feature.rx-vlan-hw-parse",
		     "libpcap and netring put the tag back; switch it off for AF_XDP, which does not see it");
}

/* Interrupts, where */

/* Words in the names of those that serve no queue. */
static bool serves_no_queue(const char *name)
{
	static const char *const words[] = { "async", "config", "ctrl", "cmd", "misc", "mgmnt", "fdir", "link", "mbox", "mailbox", "pages" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(name, words[i]))
			return true;
	return false;
}

/* "eth0-TxRx-3", "mlx5_comp3@pci:0000:01:00.0", "virtio2-input.0": the number at the end; -1 if it is not a queue's. */
static int queue_of(const struct planner *planner, const char *name)
{
	const char *interface = facts_get(planner->facts, "if.name");
	size_t end = strcspn(name, "@"), first = end;

	if (serves_no_queue(name) || (interface && strcmp(name, interface) == 0))
		return -1;
	while (first > 0 && isdigit((unsigned char)name[first - 1]))
		first--;
	return first == end || end - first > 5 ? -1 : atoi(name + first);
}

static void plan_irq(struct planner *planner, const char *number, const char *name, int queue)
{
	char setting[64], cpu[16];
	int wanted = cpus_nth(&planner->cpus, (unsigned)queue % cpus_count(&planner->cpus));

	snprintf(setting, sizeof(setting), "nic.irq.%s.cpus", number);
	snprintf(cpu, sizeof(cpu), "%d", wanted);
	if (!facts_get(planner->facts, setting))
		return;
	if (facts_is(planner->facts, setting, cpu))
		fine(planner, setting, "%s: on one CPU near the adapter", name);
	else if (planner->queues_change)
		left(planner, setting, "%s: there will be other interrupts with the other queues: run tune again then", name);
	else
		change(planner, setting, cpu, "%s: each queue always on a CPU of its own, near the adapter", name);
}

static void plan_irqs(struct planner *planner)
{
	const struct fact *fact;
	size_t at = 0;

	if (facts_number(planner->facts, "host.cpus", 0) < 2)
		return;
	while ((fact = facts_next(planner->facts, "nic.irq.", &at))) {
		char number[32];
		size_t length = strspn(fact->name + strlen("nic.irq."), "0123456789");
		int queue = queue_of(planner, fact->value);

		if (strcmp(fact->name + strlen("nic.irq.") + length, ".name") != 0 || queue < 0)
			continue;
		snprintf(number, sizeof(number), "%.*s", (int)length, fact->name + strlen("nic.irq."));
		plan_irq(planner, number, fact->value, queue);
	}
	if (facts_is(planner->facts, "host.irqbalance", "running"))
		note(planner, "irqbalance runs, and will move the interrupts again: let it leave them alone (--banirq), or stop it");
}

/* Once more on another CPU, by software */

static bool has_one_queue(const struct planner *planner)
{
	return facts_number(planner->facts, "nic.queues.rx", 1) <= 1;
}

/* And will go on to do so. */
static bool uses_rps(const struct planner *planner)
{
	size_t at = 0;

	return has_one_queue(planner) && facts_next(planner->facts, "nic.rps.", &at);
}

static void plan_rps(struct planner *planner)
{
	const struct fact *fact;
	size_t at = 0;

	while ((fact = facts_next(planner->facts, "nic.rps.", &at))) {
		if (has_one_queue(planner))
			fine(planner, fact->name, "spreads the only queue over CPUs");
		else
			change(planner, fact->name, "off", "the adapter spreads over queues already; RPS moves every packet once more");
	}
}

/* The host */

static void plan_at_least(struct planner *planner, const char *name, unsigned least, const char *why)
{
	char setting[128];
	int64_t now;

	snprintf(setting, sizeof(setting), "host.sysctl.%s", name);
	now = facts_number(planner->facts, setting, -1);
	if (least == 0)
		return;
	if (now < 0)
		left(planner, setting, "%s", reason(planner, setting));
	else if (now >= (int64_t)least)
		fine(planner, setting, "at least %u", least);
	else
		change_number(planner, setting, least, why);
}

/* Drivers with NAPI do not use the backlog: RPS does, and interfaces that are nothing but software. */
static bool uses_backlog(const struct planner *planner)
{
	return uses_rps(planner) || facts_is(planner->facts, "if.kind", "veth") || facts_is(planner->facts, "if.kind", "loopback");
}

static void plan_sysctls(struct planner *planner)
{
	const struct profile *profile = &profiles[planner->profile];

	plan_at_least(planner, "net.core.netdev_budget", profile->budget, "more packets in one go of the softirq; of the whole host");
	plan_at_least(planner, "net.core.netdev_budget_usecs", profile->budget_usecs, "time enough for the budget; of the whole host");
	if (uses_backlog(planner))
		plan_at_least(planner, "net.core.netdev_max_backlog", profile->backlog,
			      "the queue in front of the protocols here; of the whole host");
	plan_at_least(planner, "net.core.bpf_jit_enable", 1, "filters run as machine code; of the whole host");
}

static void add_notes(struct planner *planner)
{
	bool link = false;

	for (size_t i = 0; i < planner->plan->count; i++)
		link |= planner->plan->row[i].state == TUNE_CHANGE && (strncmp(planner->plan->row[i].setting, "nic.ring.", 9) == 0 ||
								       strncmp(planner->plan->row[i].setting, "nic.channels.", 13) == 0);
	if (link && facts_is(planner->facts, "if.kind", "physical"))
		note(planner, "many drivers take the link down for some seconds when rings or queues change%s",
		     facts_is(planner->facts, "if.route_default", "yes") ? ", and the host's default route goes through this interface" : "");
	if (planner->queues_change && facts_number(planner->facts, "nic.irqs", 0) > 0)
		note(planner, "after a change of queues, run tune once more for their interrupts");
	if (facts_get(planner->facts, "if.lower"))
		note(planner, "packets come to it through %s: tune that as well", facts_get(planner->facts, "if.lower"));
	if (planner->profile == TUNE_JUMBO && facts_number(planner->facts, "if.mtu", MTU_JUMBO) < MTU_JUMBO)
		note(planner, "the MTU is %s: most adapters drop longer frames; ip link set dev %s mtu %d", facts_get(planner->facts, "if.mtu"),
		     facts_get(planner->facts, "if.name") ?: "IF", MTU_JUMBO);
}

void tune_plan_make(struct tune_plan *plan, const struct facts *facts, enum tune_profile profile)
{
	struct planner planner = { plan, facts, profile, near_cpus(facts), false };

	*plan = (struct tune_plan){ 0 };
	plan_rps(&planner);
	plan_channels(&planner);
	plan_ring(&planner);
	plan_coalesce(&planner);
	plan_features(&planner);
	plan_irqs(&planner);
	plan_sysctls(&planner);
	add_notes(&planner);
}
