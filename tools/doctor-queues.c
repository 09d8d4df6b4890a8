/* SPDX-License-Identifier: BSD-3-Clause */
/* How packets get from the adapter's queues to CPUs: RSS, interrupts, NUMA nodes, RPS. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cpu-set.h"
#include "doctor-rules.h"
#include "irq-name.h"

static bool is_busy(const struct doctor *doctor)
{
	return doctor_rate(doctor, "rate.packets") > 500000;
}

static void add_other_queues(struct doctor *doctor, int64_t now, int64_t most)
{
	int64_t max = doctor_number(doctor, "nic.channels.combined_max");
	bool more = most > now;

	doctor_add(doctor, more && now == 1 && is_busy(doctor) ? DOCTOR_COSTS : DOCTOR_FINE, "queues",
		   more ? "The adapter could use more queues" : "The adapter has more queues than there are CPUs for them");
	doctor_seen(doctor, "%lld of %lld, and CPUs for %lld%s", (long long)now,
		    (long long)(max > 0 ? max : doctor_number(doctor, "nic.channels.rx_max")), (long long)most,
		    doctor_number(doctor, "host.nodes") > 1 && doctor_number(doctor, "nic.numa_node") >= 0 ? " at its node" : "");
	if (more)
		doctor_cost(doctor, "Each queue is emptied by one CPU, and %s.%s",
			    now == 1 ? "one CPU receives everything" : "the others receive nothing; that matters only when these are busy",
			    doctor_link_warning(doctor));
	else
		doctor_cost(doctor, "Those that share a CPU gain nothing by being several.%s", doctor_link_warning(doctor));
	doctor_mend_queues(doctor);
}

/* An interface that is only software has as many as it was made with. */
void doctor_rule_queues(struct doctor *doctor)
{
	int64_t now = doctor_number(doctor, "nic.channels.combined"), most = doctor_most_queues(doctor), all = doctor_number(doctor, "nic.queues.rx");

	if (now <= 0)
		now = doctor_number(doctor, "nic.channels.rx");
	if (now > 0 && most > 0 && most != now) {
		add_other_queues(doctor, now, most);
	} else if (now > 0 || all > 1) {
		int64_t queues = now > 0 ? now : all;

		doctor_add(doctor, DOCTOR_FINE, "queues", "Receive queues");
		doctor_seen(doctor, "%lld", (long long)queues);
		if (queues == 1 && now > 0 && doctor_is(doctor, "if.kind", "physical"))
			doctor_cost(doctor, "All packets are received by one CPU; the adapter has no more queues.");
	}
}

void doctor_rule_rss(struct doctor *doctor)
{
	int64_t named = doctor_number(doctor, "nic.rss.queues"), all = doctor_number(doctor, "nic.channels.combined");

	if (all <= 0)
		all = doctor_number(doctor, "nic.channels.rx");
	if (all <= 1 || named <= 0)
		return;
	if (named < all || doctor_is(doctor, "nic.rss.even", "no")) {
		doctor_add(doctor, DOCTOR_COSTS, "rss", "RSS spreads packets unevenly");
		if (named < all)
			doctor_seen(doctor, "the table of %lld entries names %lld of %lld queues",
				    (long long)doctor_number(doctor, "nic.rss.table_size"), (long long)named, (long long)all);
		else
			doctor_seen(doctor, "some of the %lld queues have more entries of the table than others", (long long)all);
		doctor_cost(doctor, named < all ? "These get all packets and are the first to overflow; the others stay empty."
						: "These get more than their share, and are the first to overflow.");
		doctor_mend(doctor, "ethtool -X %s equal %lld", doctor->quoted, (long long)all);
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "rss", "RSS spreads packets evenly");
	doctor_seen(doctor, "%lld queues", (long long)all);
	if (doctor_is(doctor, "nic.rss.symmetric", "no"))
		doctor_cost(
			doctor,
			"The two directions of a connection come by different queues: with NETRING_FANOUT=cpu or qm, or AF_XDP on some queues, no "
			"reader sees both. NETRING_FANOUT=hash or symmetric keeps them together whatever the adapter does.");
}

/* Interrupts. The CPU that it goes to is the effective one, or, if that is not known, the first it may go to. */

struct interrupts {
	unsigned all, remote, cpus, loose; /* loose: may go to several CPUs */
	int example;			   /* the number of a remote one */
	struct cpus seen;
};

static void count_interrupt(struct interrupts *interrupts, long number, const char *list, const struct cpus *local)
{
	struct cpus cpus = cpus_from_list(list);
	int cpu = cpus_nth(&cpus, 0);

	if (cpu < 0)
		return;
	interrupts->all++;
	if (!cpus_has(&interrupts->seen, (unsigned)cpu))
		interrupts->cpus++;
	cpus_add(&interrupts->seen, (unsigned)cpu);
	if (local && !cpus_has(local, (unsigned)cpu)) {
		interrupts->remote++;
		interrupts->example = (int)number;
	}
}

/* Of queues, not of the link or of the adapter's control; where none has a name, all of them. */
static bool is_of_queue(const struct doctor *doctor, const char *name)
{
	return !name || !*name || (irq_name_queue(name, doctor_fact(doctor, "if.name")) >= 0 && !irq_name_only_sends(name));
}

static struct interrupts find_interrupts(const struct doctor *doctor)
{
	static const char prefix[] = "nic.irq.";
	const char *list = doctor_fact(doctor, "nic.local_cpus");
	struct cpus local = cpus_from_list(list ? list : "");
	struct interrupts interrupts = { 0 };
	const struct fact *fact;
	size_t at = 0;

	while ((fact = facts_next(doctor->facts, prefix, &at))) {
		char *end, name[64];
		long number = strtol(fact->name + strlen(prefix), &end, 10);
		const char *effective;

		if (strcmp(end, ".cpus") != 0)
			continue;
		snprintf(name, sizeof(name), "nic.irq.%ld.name", number);
		if (!is_of_queue(doctor, doctor_fact(doctor, name)))
			continue;
		snprintf(name, sizeof(name), "nic.irq.%ld.effective", number);
		effective = doctor_fact(doctor, name);
		interrupts.loose += strpbrk(fact->value, "-,") != NULL;
		count_interrupt(&interrupts, number, effective && *effective ? effective : fact->value, list ? &local : NULL);
	}
	return interrupts;
}

int64_t doctor_receiving_cpus(const struct doctor *doctor)
{
	int64_t queues = doctor_queues(doctor), cpus = doctor_number(doctor, "host.cpus"), interrupted = find_interrupts(doctor).cpus;

	if (cpus > 0 && queues > cpus)
		queues = cpus;
	return interrupted > 0 && queues > interrupted ? interrupted : queues;
}

void doctor_rule_irq_node(struct doctor *doctor)
{
	const char *local = doctor_fact(doctor, "nic.local_cpus"), *node = doctor_fact(doctor, "nic.numa_node");
	struct interrupts interrupts = find_interrupts(doctor);

	/* Without a node of its own, all CPUs are local. */
	if (doctor_number(doctor, "host.nodes") < 2 || doctor_number(doctor, "nic.numa_node") < 0 || !doctor_is_cpu_list(local) || !interrupts.all)
		return;
	if (!interrupts.remote) {
		doctor_add(doctor, DOCTOR_FINE, "irq-node", "Interrupts go to the adapter's own NUMA node");
		doctor_seen(doctor, "%u of %u, CPUs %s", interrupts.all, interrupts.all, local);
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "irq-node", "Interrupts go to the wrong NUMA node");
	doctor_seen(doctor, "%u of %u queues are served by CPUs far from the adapter, which is at node %s (CPUs %s)", interrupts.remote,
		    interrupts.all, node, local);
	doctor_cost(
		doctor,
		"Each packet crosses the link between the nodes before a CPU can look at it: such a CPU is late sooner, and the adapter's ring runs "
		"over.");
	doctor_mend(doctor, "netring tune %s", doctor->quoted);
	doctor_mend(doctor, "echo %s > /proc/irq/%d/smp_affinity_list    # for each of them", local, interrupts.example);
}

void doctor_rule_irq_spread(struct doctor *doctor)
{
	struct interrupts interrupts = find_interrupts(doctor);
	int64_t cpus = doctor_number(doctor, "host.cpus");

	if (interrupts.all < 2 || cpus < 2)
		return;
	if (interrupts.cpus == 1 || (interrupts.cpus * 2 <= interrupts.all && (int64_t)interrupts.cpus * 2 <= cpus)) {
		doctor_add(doctor, is_busy(doctor) || interrupts.cpus == 1 ? DOCTOR_COSTS : DOCTOR_FINE, "irq-spread", "Few CPUs serve many queues");
		doctor_seen(doctor, "%u queues, %u %s", interrupts.all, interrupts.cpus, interrupts.cpus == 1 ? "CPU" : "CPUs");
		doctor_cost(doctor, "The queues share what %s can do: having several gains nothing.",
			    interrupts.cpus == 1 ? "this CPU" : "these CPUs");
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "irq-spread", "Interrupts of the queues");
	doctor_seen(doctor, "%u, on %u CPUs", interrupts.all, interrupts.cpus);
	if (doctor_is(doctor, "host.irqbalance", "running"))
		doctor_cost(
			doctor,
			"irqbalance runs and may move them; to keep what was set by hand: IRQBALANCE_ARGS=--banirq=N in /etc/default/irqbalance.");
	else if (interrupts.loose)
		doctor_cost(doctor, "They may move, as each may go to several CPUs; tune gives each queue one of its own, near the adapter:");
	if (interrupts.loose)
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
}

void doctor_rule_numa(struct doctor *doctor)
{
	const char *local = doctor_fact(doctor, "nic.local_cpus"), *node = doctor_fact(doctor, "nic.numa_node");

	if (doctor_number(doctor, "host.nodes") < 2 || doctor_number(doctor, "nic.numa_node") < 0 || !doctor_is_cpu_list(local))
		return;
	doctor_add(doctor, DOCTOR_FINE, "numa", "NUMA");
	doctor_seen(doctor, "the adapter is at node %s, and netring's ring will be, too", node);
	doctor_cost(doctor, "The program is best there as well; of two nodes, the far one reads each packet across the link between them.");
	doctor_mend(doctor, "taskset -c %s netring run -- PROGRAM", local);
}

/* RPS */

static unsigned count_rps(const struct doctor *doctor, const char **cpus)
{
	const struct fact *fact;
	unsigned found = 0;
	size_t at = 0;

	while ((fact = facts_next(doctor->facts, "nic.rps.", &at))) {
		if (!*fact->value || strcmp(fact->value, "off") == 0)
			continue;
		*cpus = fact->value;
		found++;
	}
	return found;
}

void doctor_rule_rps(struct doctor *doctor)
{
	const char *cpus = NULL;
	unsigned queues = count_rps(doctor, &cpus);

	if (!queues || doctor_sees_first(doctor))
		return;
	doctor_add(doctor, doctor_queues(doctor) > 1 && is_busy(doctor) ? DOCTOR_COSTS : DOCTOR_FINE, "rps", "RPS hands packets to other CPUs");
	doctor_seen(doctor, "on %u of %lld queues, to CPUs %s", queues, (long long)doctor_number(doctor, "nic.queues.rx"), cpus);
	doctor_cost(
		doctor,
		"Each packet waits in one more queue, of net.core.netdev_max_backlog packets for each CPU, before a capture sees it, and packets of "
		"different CPUs change places. %s",
		doctor_queues(doctor) > 1 ? "With several queues the adapter does that better by itself (RSS). To turn it off:"
					  : "With one queue it is how several CPUs get to work.");
	if (doctor_queues(doctor) > 1)
		doctor_mend(doctor, "for q in /sys/class/net/%s/queues/rx-*; do echo 0 > \"$q/rps_cpus\"; done", doctor->quoted);
}

/* One CPU that does nothing but receive is the limit, whatever the rest of the machine does. */
void doctor_rule_softirq(struct doctor *doctor)
{
	int64_t most = doctor_number(doctor, "rate.cpu_softirq_most"), queues = doctor_queues(doctor);
	bool bunched = doctor_receiving_cpus(doctor) < queues, can_spread = doctor_can_have_more_queues(doctor);

	if (most < DOCTOR_SOFTIRQ_LIMIT)
		return;
	doctor_add(doctor, DOCTOR_COSTS, "softirq", "A CPU is at its limit with receiving");
	doctor_seen(doctor, "%lld %% of the busiest CPU's time went into softirqs", (long long)most);
	doctor_cost(doctor, "What comes beyond that is lost at the adapter or the backlog. %s",
		    bunched	 ? "The queues' interrupts can be spread over more CPUs."
		    : can_spread ? "More queues spread it."
				 : "More queues are not to be had; RPS, or a filter in XDP (NETRING_BACKEND=xdp-tap), would take work off it.");
	if (bunched)
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
	else if (can_spread)
		doctor_mend_queues(doctor);
	else
		doctor_mend(doctor, "mpstat -P ALL -I SCPU 1 3");
}
