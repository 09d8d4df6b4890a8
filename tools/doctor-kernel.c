/* SPDX-License-Identifier: BSD-3-Clause */
/* softnet, the kernel's stage between adapter and protocols; its settings; and what the kernel allows this process. */
#include <string.h>

#include "advice.h"
#include "doctor-rules.h"

#define SYSCTL "host.sysctl.net.core."

/* Each second: fewer are any machine's. */
#define SQUEEZES_MANY 10

/* Whether packets were lost in the sample where they wait while receiving is interrupted, or a CPU has no time left for them. */
static bool falls_behind(const struct doctor *doctor)
{
	return doctor_lost(doctor, "rate") > 0 || doctor_number(doctor, "rate.softnet_dropped") > 0 ||
	       doctor_number(doctor, "rate.cpu_softirq_most") >= DOCTOR_SOFTIRQ_LIMIT;
}

static void see_squeezes(struct doctor *doctor, int64_t now, int64_t total)
{
	int64_t budget = doctor_number(doctor, SYSCTL "netdev_budget"), usecs = doctor_number(doctor, SYSCTL "netdev_budget_usecs");
	char settings[96] = "", sample[96] = "";

	if (budget > 0 && usecs > 0)
		snprintf(settings, sizeof(settings), "; a turn is netdev_budget %lld packets or netdev_budget_usecs %lld", (long long)budget,
			 (long long)usecs);
	if (now >= 0)
		snprintf(sample, sizeof(sample), "%s times %s, ", doctor_count((double)now), doctor_sample(doctor));
	doctor_seen(doctor, "%s%s since boot%s (time_squeeze)%s", sample, doctor_count((double)total), doctor_average(doctor, total), settings);
}

/*
 * A CPU receives in turns. One that ends with packets left over is counted as time_squeeze: they stay in the adapter's ring until the next one. That
 * alone loses nothing.
 */
void doctor_rule_squeezed(struct doctor *doctor)
{
	int64_t now = doctor_number(doctor, "rate.softnet_squeezed"), total = doctor_number(doctor, "host.softnet.squeezed");
	bool often = doctor_rate(doctor, "rate.softnet_squeezed") >= SQUEEZES_MANY;

	if (total < 0)
		return;
	if (often && falls_behind(doctor)) {
		doctor_add(doctor, DOCTOR_COSTS, "squeezed", "Receiving is cut short again and again, and falls behind");
		see_squeezes(doctor, now, total);
		doctor_cost(doctor, "What is left over waits in the adapter's ring for the CPU's next turn, and what comes while the ring is full is "
				    "lost. Longer turns empty it; other programs on that CPU wait longer for theirs.");
	} else if (now > 0 || (now < 0 && total > 0)) {
		doctor_add(doctor, DOCTOR_FINE, "squeezed", "Receiving is cut short at times");
		see_squeezes(doctor, now, total);
		doctor_cost(doctor, "What is left over waits in the adapter's ring for the CPU's next turn. That alone loses nothing.");
	} else {
		doctor_add(doctor, DOCTOR_FINE, "squeezed", "Receiving is not cut short");
		see_squeezes(doctor, now, total);
		if (doctor_advised(doctor, SYSCTL "netdev_budget") > 0 || doctor_advised(doctor, SYSCTL "netdev_budget_usecs") > 0)
			doctor_cost(doctor, "For bursts a CPU may still get longer turns:");
	}
	doctor_mend_sysctl(doctor, "net.core.netdev_budget");
	doctor_mend_sysctl(doctor, "net.core.netdev_budget_usecs");
}

/* The limit is the host's: a container does not see it. */
static void add_full_backlog(struct doctor *doctor, int64_t dropped, int64_t now, int64_t backlog)
{
	char limit[64] = "", sample[96] = "";

	if (backlog > 0)
		snprintf(limit, sizeof(limit), "; netdev_max_backlog is %lld packets for each CPU", (long long)backlog);
	if (now >= 0)
		snprintf(sample, sizeof(sample), ", %s of them %s", doctor_count((double)now), doctor_sample(doctor));
	doctor_add(doctor, now > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "backlog", "The backlog of a CPU %s", now > 0 ? "is full" : "was full at some time");
	doctor_seen(doctor, "%s packets dropped since boot%s%s%s", doctor_count((double)dropped), doctor_average(doctor, dropped), sample, limit);
	doctor_cost(doctor,
		    "Packets that come by veth, loopback, tunnels or RPS are queued once more for a CPU; those were thrown away there, and no "
		    "capture behind it saw them. (Adapters without RPS do not pass it.)");
	doctor_mend_sysctl(doctor, "net.core.netdev_max_backlog");
}

void doctor_rule_backlog(struct doctor *doctor)
{
	int64_t dropped = doctor_number(doctor, "host.softnet.dropped"), now = doctor_number(doctor, "rate.softnet_dropped");
	int64_t backlog = doctor_number(doctor, SYSCTL "netdev_max_backlog");
	bool interface = doctor_fact(doctor, "if.name") != NULL, concerned = !interface || advice_passes_backlog(doctor->facts);

	if (now > 0 || (dropped > 0 && concerned)) {
		add_full_backlog(doctor, dropped, now, backlog);
	} else if (dropped == 0 && backlog > 0 && concerned) {
		doctor_add(doctor, DOCTOR_FINE, "backlog", "The backlog of the CPUs was never full");
		doctor_seen(doctor, "netdev_max_backlog %lld packets for each CPU, 0 dropped since boot", (long long)backlog);
		if (!interface)
			doctor_cost(doctor, "It is for veth, loopback, tunnels and RPS only: raising it does nothing for an adapter.");
		else if (doctor_advised(doctor, SYSCTL "netdev_max_backlog") > 0)
			doctor_cost(doctor, "This interface's packets go through it; for bursts:");
		if (interface)
			doctor_mend_sysctl(doctor, "net.core.netdev_max_backlog");
	}
}

void doctor_rule_flow_limit(struct doctor *doctor)
{
	int64_t limited = doctor_number(doctor, "host.softnet.flow_limit"), now = doctor_number(doctor, "rate.softnet_flow_limit");
	const char *bitmap = doctor_fact(doctor, SYSCTL "flow_limit_cpu_bitmap");

	if (limited <= 0)
		return;
	if (now <= 0) {
		bool off = bitmap && bitmap[strspn(bitmap, "0,")] == '\0';

		doctor_add(doctor, DOCTOR_FINE, "flow-limit", "The kernel has dropped packets of large flows early%s",
			   off ? ", and does so no more" : "");
		doctor_seen(doctor, "flow_limit_count %s since boot%s%s%s", doctor_count((double)limited), doctor_average(doctor, limited),
			    now == 0 ? ", none just now" : "", off ? "; flow_limit_cpu_bitmap is 0" : "");
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "flow-limit", "The kernel drops packets of large flows early");
	doctor_seen(doctor, "flow_limit_count %s %s, %s since boot", doctor_count((double)now), doctor_sample(doctor), doctor_count((double)limited));
	doctor_cost(doctor, "With net.core.flow_limit_cpu_bitmap a flow that fills half of a backlog loses its packets, before a capture sees them.");
	doctor_mend(doctor, "sysctl -w net.core.flow_limit_cpu_bitmap=0");
}

void doctor_rule_jit(struct doctor *doctor)
{
	int64_t jit = doctor_number(doctor, SYSCTL "bpf_jit_enable");

	if (jit < 0)
		return;
	if (jit == 0) {
		doctor_add(doctor, DOCTOR_COSTS, "jit", "Filters are interpreted, not compiled");
		doctor_seen(doctor, "net.core.bpf_jit_enable is 0");
		doctor_cost(doctor, "A filter runs for every packet on the CPU that receives, several times slower than it could.");
		doctor_mend_sysctl(doctor, "net.core.bpf_jit_enable");
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "jit", "Filters are compiled by the kernel");
	doctor_seen(doctor, "net.core.bpf_jit_enable is %lld", (long long)jit);
	if (jit == 2)
		doctor_cost(doctor, "2 also writes each program into the kernel's log: 1 is for production.");
}

/* 4096 instructions of 8 bytes: the longest filter that the kernel takes. */
#define FILTER_LONGEST (4096 * 8)

void doctor_rule_optmem(struct doctor *doctor)
{
	int64_t optmem = doctor_number(doctor, SYSCTL "optmem_max");

	/* XDP has no such limit. */
	if (optmem < 0 || optmem >= FILTER_LONGEST + 4096 || doctor_path(doctor) != DOCTOR_PATH_PACKET)
		return;
	doctor_add(doctor, DOCTOR_FINE, "optmem", "Long filters would run in the program instead of the kernel");
	doctor_seen(doctor, "net.core.optmem_max %lld: about %lld instructions, of 4096 that a filter may have", (long long)optmem,
		    (long long)(optmem / 8));
	doctor_cost(doctor,
		    "Then all packets go into the ring. tcpdump -d counts the instructions of yours; a list of some hundred addresses is that long.");
	doctor_mend(doctor, "sysctl -w net.core.optmem_max=131072");
}

void doctor_rule_rmem(struct doctor *doctor)
{
	int64_t most = doctor_number(doctor, SYSCTL "rmem_max");

	if (most <= 0 || doctor_fact(doctor, "if.name"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "rmem", "Socket buffers");
	doctor_seen(doctor, "net.core.rmem_max %s", doctor_bytes((double)most));
	doctor_cost(doctor, "Guides raise it for captures; it is for sockets without a ring and does nothing for netring's.");
}

void doctor_rule_cpus(struct doctor *doctor)
{
	int64_t allowed = doctor_number(doctor, "host.cpus_allowed"), all = doctor_number(doctor, "host.cpus");

	if (allowed <= 0 || all <= 0)
		return;
	if (all == 1) {
		doctor_add(doctor, DOCTOR_FINE, "cpus", "One CPU receives and runs the program");
		doctor_seen(doctor, "1 CPU");
		doctor_cost(
			doctor,
			"While packets come in faster than it can receive them, the program does not run at all; the ring has to hold the burst.");
	} else if (allowed < all) {
		doctor_add(doctor, DOCTOR_FINE, "cpus", "This process may use some of the CPUs only");
		doctor_seen(doctor, "%lld of %lld (cpuset, taskset)", (long long)allowed, (long long)all);
	}
}

/* Per cent of the CPUs' time; a little is usual. */
#define STEAL_MANY 5

void doctor_rule_steal(struct doctor *doctor)
{
	int64_t steal = doctor_number(doctor, "rate.cpu_steal");

	if (steal < STEAL_MANY)
		return;
	doctor_add(doctor, DOCTOR_COSTS, "steal", "The hypervisor gives the CPUs' time to other machines");
	doctor_seen(doctor, "%lld %% of it %s (steal)", (long long)steal, doctor_sample(doctor));
	doctor_cost(doctor,
		    "While a CPU is away, nobody empties its queue, and the adapter's ring runs over. No setting in here helps: pin the virtual "
		    "CPUs, or take an instance that does not share them.");
	doctor_mend(doctor, "mpstat -P ALL 1 3");
}

void doctor_rule_container(struct doctor *doctor)
{
	const char *kind = doctor_fact(doctor, "if.kind");
	/* Whoever has gone into another namespace since, by ip netns say, looks at what that has, not at the container. */
	bool moved = doctor_is(doctor, "host.netns", "other"), container = doctor_is(doctor, "host.container", "yes") && !moved;

	/* An adapter that was moved into it is seen like any other. */
	if ((!container && !moved) || (kind && (strcmp(kind, "physical") == 0 || strcmp(kind, "loopback") == 0)))
		return;
	doctor_add(doctor, DOCTOR_FINE, "container", container ? "This is a container" : "This is a network namespace of its own");
	doctor_seen(doctor, "what is in it is, as a rule, its end of a pair of interfaces, not the adapter");
	doctor_cost(doctor, "What the adapter loses can be seen %s: run netring doctor there, too.",
		    container ? "on the host only" : "in the namespace that it is in");
}

void doctor_rule_seccomp(struct doctor *doctor)
{
	const char *seccomp = doctor_fact(doctor, "self.seccomp");

	if (!seccomp || strcmp(seccomp, "off") == 0)
		return;
	doctor_add(doctor, DOCTOR_FINE, "seccomp", "System calls are filtered (seccomp)");
	doctor_seen(doctor, "%s", seccomp);
	doctor_cost(doctor, "netring then makes no system call that libpcap does not make: no AF_XDP, and no io_uring for "
			    "savefiles.");
}

void doctor_rule_irqbalance(struct doctor *doctor)
{
	if (!doctor_is(doctor, "host.irqbalance", "absent") || doctor_number(doctor, "host.cpus") < 2 || doctor_fact(doctor, "if.name"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "irqbalance", "irqbalance does not run");
	doctor_seen(doctor, "interrupts stay where they are set");
}
