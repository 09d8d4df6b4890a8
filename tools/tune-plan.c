/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of `netring tune`. Each setting of a group has one function; the order of the groups is that in which they are set: RPS while all of its
 * queues are there; then queues and the MTU, as they may reset the others; "adaptive" before the value that it would overrule.
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
#include "irq-name.h"

struct planner {
	struct tune_plan *plan;
	const struct facts *facts;
	enum advice_profile profile;
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

static int64_t advised(const struct planner *planner, const char *setting)
{
	return advice_number(planner->facts, planner->profile, setting);
}

/* Queues */

static void plan_channel(struct planner *planner, const char *setting, const char *max_setting)
{
	int64_t now = facts_number(planner->facts, setting, -1), max = facts_number(planner->facts, max_setting, -1);
	int64_t wanted = advised(planner, setting);

	if (now < 0 || max <= 0)
		return;
	if (facts_is(planner->facts, "if.kind", "tun")) {
		left(planner, setting, "as many as the program behind it has opened");
	} else if (planner->profile == ADVICE_LOW_MEMORY) {
		left(planner, setting, "every queue has a ring of its own: not raised in this profile");
	} else if (wanted < 0) {
		left(planner, setting, "an XDP program is attached, and may be there for certain queues");
	} else if (now == wanted) {
		fine(planner, setting, wanted == max ? "as many as the driver has" : "one for each CPU near the adapter");
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

/* The longest packet. Longer ones the host would also send: where it does, whether the others take them is not known here. */
static void plan_mtu(struct planner *planner)
{
	static const char setting[] = "if.mtu";
	int64_t now = facts_number(planner->facts, setting, -1), wanted = advised(planner, setting);

	if (wanted < 0)
		return;
	if (now == wanted)
		fine(planner, setting, "frames of that size are taken");
	else if (advice_only_listens(planner->facts) && !facts_get(planner->facts, "if.lower"))
		change_number(planner, setting, wanted, "longer frames are dropped by most adapters; nothing is sent here that could be too long");
	else
		left(planner, setting, "longer frames are dropped by most adapters; but the host would send such, too: ip link set mtu %" PRId64,
		     wanted);
}

/* Rings */

static void plan_ring(struct planner *planner)
{
	static const char setting[] = "nic.ring.rx";
	int64_t now = facts_number(planner->facts, setting, -1), wanted = advised(planner, setting);
	bool all = advice_ring_will_do(wanted, facts_number(planner->facts, "nic.ring.rx_max", -1));

	if (wanted < 0)
		left(planner, setting, "%s", reason(planner, setting));
	else if (now == wanted)
		fine(planner, setting, all ? "at its maximum" : "half of its maximum");
	else if (all)
		change_number(planner, setting, wanted, "at its maximum it takes longer bursts before the kernel gets to it");
	else if (planner->profile == ADVICE_LOW_LATENCY)
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

static void plan_usecs(struct planner *planner)
{
	static const char setting[] = "nic.coalesce.rx_usecs";
	int64_t now = facts_number(planner->facts, setting, -1), wanted = advised(planner, setting);

	if (wanted < 0)
		left(planner, setting, "the driver's answer is no number");
	else if (now == wanted)
		fine(planner, setting, "as the profile has it");
	else if (planner->profile == ADVICE_LOW_LATENCY && now > wanted)
		change_number(planner, setting, wanted, "a packet waits no longer for its interrupt; costs CPU time");
	else if (now > wanted)
		change_number(planner, setting, wanted, "less comes in between two interrupts that the adapter's ring has to hold");
	else
		change_number(planner, setting, wanted, "fewer interrupts, with no wait that matters to a capture");
}

static void plan_frames(struct planner *planner)
{
	static const char setting[] = "nic.coalesce.rx_frames";
	int64_t now = facts_number(planner->facts, setting, -1), wanted = advised(planner, setting);

	if (wanted < 0)
		return;
	if (now == wanted)
		fine(planner, setting, "enough packets for one interrupt");
	else
		change_number(planner, setting, wanted, "so many packets make an interrupt before the time is over");
}

static void plan_coalesce(struct planner *planner)
{
	if (has_no_coalescing(planner))
		return;
	plan_adaptive(planner);
	plan_usecs(planner);
	plan_frames(planner);
}

/* Offloads */

/* rare: not worth a row unless it is on. */
static void plan_feature(struct planner *planner, const char *name, bool rare)
{
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
	else if (strcmp(name, "rx-lro") == 0 && !advice_may_have_adapter(planner->facts))
		left(planner, setting, "only adapters do that%s%s", lower ? ": run tune on each of " : "; there is none in it", lower ? lower : "");
	else if (lower)
		left(planner, setting, "that is done before, in %s", lower);
	else if (strcmp(now, "on") != 0)
		left(planner, setting, "glues packets together; but the driver does not let it be switched off");
	else if (advice_feature_off(planner->facts, planner->profile, name))
		change(planner, setting, "off", "glues packets together: what is captured was not on the wire");
	else
		left(planner, setting,
		     "glues packets together, which saves work: the host's, and the capture's; --profile low_latency switches it off");
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
		int queue = irq_name_queue(fact->value, facts_get(planner->facts, "if.name"));

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

/* No row where it does not matter. */
static void plan_sysctl(struct planner *planner, const char *name, const char *why)
{
	char setting[128];
	int64_t now, wanted;

	snprintf(setting, sizeof(setting), "host.sysctl.%s", name);
	now = facts_number(planner->facts, setting, -1);
	wanted = advised(planner, setting);
	if (now < 0)
		left(planner, setting, "%s", reason(planner, setting));
	else if (wanted >= 0 && now == wanted)
		fine(planner, setting, "enough");
	else if (wanted >= 0)
		change_number(planner, setting, wanted, why);
}

static void plan_sysctls(struct planner *planner)
{
	if (planner->profile != ADVICE_LOW_LATENCY) {
		plan_sysctl(planner, "net.core.netdev_budget", "more packets in one go of the softirq; of the whole host");
		plan_sysctl(planner, "net.core.netdev_budget_usecs", "time enough for the budget; of the whole host");
	}
	if (facts_number(planner->facts, "host.sysctl.net.core.netdev_max_backlog", -1) >= 0 || advice_passes_backlog(planner->facts))
		plan_sysctl(planner, "net.core.netdev_max_backlog",
			    facts_number(planner->facts, "host.softnet.dropped", 0) > 0
				    ? "this queue in front of the protocols was full before; of the whole host"
				    : "the queue in front of the protocols here; of the whole host");
	plan_sysctl(planner, "net.core.bpf_jit_enable", "filters run as machine code; of the whole host");
}

static void add_notes(struct planner *planner)
{
	const char *carries = tune_plan_carries_default(planner->facts);
	bool link = false;

	for (size_t i = 0; i < planner->plan->count; i++)
		link |= tune_plan_resets_link(&planner->plan->row[i]);
	if (link && carries)
		note(planner, "the host's default route goes through %s, and some of this may take the link down: --apply needs --force", carries);
	else if (link && facts_is(planner->facts, "if.kind", "physical"))
		note(planner, "many drivers take the link down for some seconds when rings or queues change");
	if (planner->queues_change && facts_number(planner->facts, "nic.irqs", 0) > 0)
		note(planner, "after a change of queues, run tune once more for their interrupts");
	if (facts_get(planner->facts, "if.lower"))
		note(planner, "packets come to it through %s: tune that as well", facts_get(planner->facts, "if.lower"));
	if (planner->profile == ADVICE_JUMBO)
		note(planner, "what the capture's own ring holds is set by NETRING_PROFILE=jumbo, for AF_XDP by NETRING_XDP_FRAME_SIZE, not here");
}

void tune_plan_make(struct tune_plan *plan, const struct facts *facts, enum advice_profile profile)
{
	struct planner planner = { plan, facts, profile, advice_cpus(facts), false };

	*plan = (struct tune_plan){ 0 };
	plan_rps(&planner);
	plan_channels(&planner);
	plan_mtu(&planner);
	plan_ring(&planner);
	plan_coalesce(&planner);
	plan_features(&planner);
	plan_irqs(&planner);
	plan_sysctls(&planner);
	add_notes(&planner);
}
