/* SPDX-License-Identifier: BSD-3-Clause */
/* softnet, the kernel's stage between adapter and protocols; its settings; and what the kernel allows this process. */
#include <string.h>

#include "doctor-rules.h"

#define SYSCTL "host.sysctl.net.core."

/* Each second; one now and then is any machine's. */
#define SQUEEZES_MANY 10

void doctor_rule_squeezed(struct doctor *doctor)
{
	int64_t now = doctor_number(doctor, "rate.softnet_squeezed"), total = doctor_number(doctor, "host.softnet.squeezed");
	int64_t budget = doctor_number(doctor, SYSCTL "netdev_budget"), usecs = doctor_number(doctor, SYSCTL "netdev_budget_usecs");
	char settings[96] = "";

	if (total < 0)
		return;
	if (budget > 0 && usecs > 0)
		snprintf(settings, sizeof(settings), "; netdev_budget %lld packets, netdev_budget_usecs %lld", (long long)budget, (long long)usecs);
	if (doctor_rate(doctor, "rate.softnet_squeezed") >= SQUEEZES_MANY) {
		doctor_add(doctor, DOCTOR_COSTS, "squeezed", "The kernel stops receiving before the queues are empty");
		doctor_seen(doctor, "time_squeeze %s %s, %s since boot%s", doctor_count((double)now), doctor_sample(doctor),
			    doctor_count((double)total), settings);
		doctor_cost(doctor,
			    "Each time packets stay in the adapter's ring until the CPU comes back to it, and the ring may run over meanwhile.");
		doctor_mend(doctor, "sysctl -w net.core.netdev_budget=%lld net.core.netdev_budget_usecs=%lld",
			    (long long)(budget > 0 ? 2 * budget : 600), (long long)(usecs > 0 ? 2 * usecs : 8000));
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "squeezed", "softnet gets to the end of its queues");
	if (now >= 0)
		doctor_seen(doctor, "time_squeeze %s since boot, %s %s%s", doctor_count((double)total), doctor_count((double)now),
			    doctor_sample(doctor), settings);
	else
		doctor_seen(doctor, "time_squeeze %s since boot%s", doctor_count((double)total), settings);
}

/* A veth with GRO has NAPI of its own. */
static bool passes_backlog(const struct doctor *doctor)
{
	size_t at = 0;

	return (doctor_is(doctor, "if.kind", "veth") && !doctor_feature_is_on(doctor, "rx-gro")) || doctor_is(doctor, "if.kind", "loopback") ||
	       facts_next(doctor->facts, "nic.rps.", &at) != NULL;
}

/* The limit is the host's: a container does not see it. */
static void add_full_backlog(struct doctor *doctor, int64_t dropped, int64_t now, int64_t backlog)
{
	char limit[64] = "";

	if (backlog > 0)
		snprintf(limit, sizeof(limit), "; netdev_max_backlog is %lld", (long long)backlog);
	doctor_add(doctor, now > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "backlog", "The backlog of a CPU %s", now > 0 ? "is full" : "was full at some time");
	doctor_seen(doctor, "%s packets dropped since boot%s%s%s%s", doctor_count((double)dropped), now >= 0 ? ", " : "",
		    now >= 0 ? doctor_count((double)now) : "", now >= 0 ? " of them just now" : "", limit);
	doctor_cost(doctor, "They came by veth, loopback, tunnels or RPS, which queue packets once more for a CPU, and no capture saw them. "
			    "(Adapters without RPS do "
			    "not pass it.)");
	if (now > 0)
		doctor_mend(doctor, "sysctl -w net.core.netdev_max_backlog=%lld", (long long)(backlog < 10000 ? 10000 : 2 * backlog));
}

void doctor_rule_backlog(struct doctor *doctor)
{
	int64_t dropped = doctor_number(doctor, "host.softnet.dropped"), now = doctor_number(doctor, "rate.softnet_dropped");
	int64_t backlog = doctor_number(doctor, SYSCTL "netdev_max_backlog");
	bool interface = doctor_fact(doctor, "if.name") != NULL;

	if (now > 0 || (dropped > 0 && (!interface || passes_backlog(doctor)))) {
		add_full_backlog(doctor, dropped, now, backlog);
	} else if (dropped == 0 && backlog > 0 && (!interface || passes_backlog(doctor))) {
		doctor_add(doctor, DOCTOR_FINE, "backlog", "The backlog of the CPUs was never full");
		doctor_seen(doctor, "netdev_max_backlog %lld, 0 dropped", (long long)backlog);
		if (!interface)
			doctor_cost(doctor, "It is for veth, loopback, tunnels and RPS only: raising it does nothing for an adapter.");
	}
}

void doctor_rule_flow_limit(struct doctor *doctor)
{
	int64_t limited = doctor_number(doctor, "host.softnet.flow_limit");
	const char *bitmap = doctor_fact(doctor, SYSCTL "flow_limit_cpu_bitmap");

	if (limited <= 0)
		return;
	if (bitmap && bitmap[strspn(bitmap, "0,")] == '\0') {
		doctor_add(doctor, DOCTOR_FINE, "flow-limit", "The kernel has dropped packets of large flows early, and does so no more");
		doctor_seen(doctor, "flow_limit_count %s since boot, flow_limit_cpu_bitmap is 0", doctor_count((double)limited));
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "flow-limit", "The kernel drops packets of large flows early");
	doctor_seen(doctor, "flow_limit_count %s since boot", doctor_count((double)limited));
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
		doctor_mend(doctor, "sysctl -w net.core.bpf_jit_enable=1");
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

	if (optmem < 0 || optmem >= FILTER_LONGEST + 4096)
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

void doctor_rule_container(struct doctor *doctor)
{
	const char *kind = doctor_fact(doctor, "if.kind");

	/* An adapter that was moved into it is seen like any other. */
	if (!doctor_is(doctor, "host.container", "yes") || (kind && strcmp(kind, "physical") == 0))
		return;
	doctor_add(doctor, DOCTOR_FINE, "container", "This is a container");
	doctor_seen(doctor, "what is in it is the container's end of a pair of interfaces, not the adapter");
	doctor_cost(doctor, "What the adapter loses can be seen on the host only: run netring doctor there, too.");
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
