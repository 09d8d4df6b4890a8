/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens now: the counters of the host and all its interfaces twice, some time apart, and the difference. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ethtool.h"
#include "facts-collect.h"
#include "host-losses.h"
#include "link-list.h"
#include "stats-pages.h"

#define CPUS 4096

/* Of one CPU, in ticks: its time, and what of it went to softirq, or to others of the hypervisor. */
struct cpu_time {
	uint64_t all, softirq, steal;
};

struct look {
	struct timespec when;
	struct link_list links;
	struct softnet_losses softnet;
	bool knows_softnet; /* not where /proc shows processes alone */
	struct cpu_time cpu[CPUS];
	struct stats_views captures;
};

struct facts_watch {
	struct look first, second;
};

/* "cpu3 user nice system idle iowait irq softirq steal guest guest_nice"; guest is part of user. */
static void read_cpus(struct cpu_time *cpus)
{
	FILE *file = fopen("/proc/stat", "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		uint64_t t[8];
		unsigned cpu;

		if (sscanf(line, "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &cpu, &t[0],
			   &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 9 ||
		    cpu >= CPUS)
			continue;
		cpus[cpu] = (struct cpu_time){ .softirq = t[6], .steal = t[7] };
		for (int i = 0; i < 8; i++)
			cpus[cpu].all += t[i];
	}
	if (file)
		fclose(file);
}

static int take_look(struct look *look, struct netlink *route)
{
	struct netring_error ignored;
	int ret = link_list_read(&look->links, route);

	if (ret < 0)
		return ret;
	clock_gettime(CLOCK_MONOTONIC, &look->when);
	read_cpus(look->cpu);
	/* Without /proc there are none to be seen. */
	stats_views_find(&look->captures, "/proc", &ignored);
	look->knows_softnet = softnet_losses_sum(&look->softnet) == 0;
	return 0;
}

static unsigned busiest_softirq(const struct cpu_time *from, const struct cpu_time *to)
{
	unsigned most = 0;

	for (int i = 0; i < CPUS; i++) {
		uint64_t all = to[i].all - from[i].all, softirq = to[i].softirq - from[i].softirq;

		if (to[i].all > from[i].all && to[i].softirq >= from[i].softirq && 100 * softirq / all > most)
			most = (unsigned)(100 * softirq / all);
	}
	return most;
}

/* Per cent of all CPUs' time. */
static unsigned stolen(const struct cpu_time *from, const struct cpu_time *to)
{
	uint64_t all = 0, steal = 0;

	for (int i = 0; i < CPUS; i++) {
		if (to[i].all <= from[i].all || to[i].steal < from[i].steal)
			continue;
		all += to[i].all - from[i].all;
		steal += to[i].steal - from[i].steal;
	}
	return all ? (unsigned)(100 * steal / all) : 0;
}

/* A driver that was loaded anew begins at 0. */
static void set_difference(struct facts *facts, const char *name, uint64_t from, uint64_t to)
{
	facts_format(facts, name, "%" PRIu64, to >= from ? to - from : to);
}

static void set_host(struct facts *facts, const struct look *from, const struct look *to)
{
	double seconds = (double)(to->when.tv_sec - from->when.tv_sec) + (double)(to->when.tv_nsec - from->when.tv_nsec) / 1e9;

	facts_format(facts, "rate.seconds", "%.3f", seconds);
	facts_set_number(facts, "rate.cpu_softirq_most", busiest_softirq(from->cpu, to->cpu));
	facts_set_number(facts, "rate.cpu_steal", stolen(from->cpu, to->cpu));
	if (!from->knows_softnet || !to->knows_softnet)
		return;
	set_difference(facts, "rate.softnet_dropped", from->softnet.dropped, to->softnet.dropped);
	set_difference(facts, "rate.softnet_squeezed", from->softnet.squeezed, to->softnet.squeezed);
	set_difference(facts, "rate.softnet_flow_limit", from->softnet.flow_limited, to->softnet.flow_limited);
}

static void set_link(struct facts *facts, const struct rtnl_link_stats64 *from, const struct rtnl_link_stats64 *to)
{
	set_difference(facts, "rate.packets", from->rx_packets, to->rx_packets);
	set_difference(facts, "rate.bytes", from->rx_bytes, to->rx_bytes);
	set_difference(facts, "rate.missed", from->rx_missed_errors, to->rx_missed_errors);
	set_difference(facts, "rate.fifo", from->rx_fifo_errors, to->rx_fifo_errors);
	set_difference(facts, "rate.errors", from->rx_errors, to->rx_errors);
	set_difference(facts, "rate.dropped", from->rx_dropped, to->rx_dropped);
}

/* What has grown of the driver's counters since they were collected, which was just before the first look. */
static void set_driver(struct facts *facts, const struct link *link)
{
	static const char prefix[] = "nic.driver_count.";
	struct facts now = { 0 };
	struct ethtool ethtool;
	const struct fact *counter;
	size_t at = 0;

	if (ethtool_open(&ethtool, link->name, link->index) == 0)
		ethtool_losses_collect(&ethtool, &now);
	ethtool_close(&ethtool);
	while ((counter = facts_next(&now, prefix, &at))) {
		int64_t from = facts_number(facts, counter->name, 0), to = facts_number(&now, counter->name, 0);
		char name[128];

		snprintf(name, sizeof(name), "rate.driver_count.%s", counter->name + strlen(prefix));
		if (to > from)
			facts_set_number(facts, name, to - from);
	}
	facts_free(&now);
}

int facts_watch_traffic(struct facts_watch **watch, unsigned milliseconds, struct netring_error *error)
{
	struct timespec pause = { milliseconds / 1000, (long)(milliseconds % 1000) * 1000000 };
	struct netlink route = { 0 };
	struct facts_watch *made = calloc(1, sizeof(*made));
	int ret = made ? netlink_open(&route, NETLINK_ROUTE) : -ENOMEM;

	if (ret == 0)
		ret = take_look(&made->first, &route);
	while (ret == 0 && nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	if (ret == 0)
		ret = take_look(&made->second, &route);
	netlink_close(&route);
	if (ret < 0) {
		facts_watch_free(made);
		return error_errno(error, -ret, "cannot watch the traffic");
	}
	*watch = made;
	return 0;
}

void facts_watch_free(struct facts_watch *watch)
{
	if (!watch)
		return;
	stats_views_free(&watch->first.captures);
	stats_views_free(&watch->second.captures);
	link_list_free(&watch->first.links);
	link_list_free(&watch->second.links);
	free(watch);
}

void facts_collect_rate(struct facts *facts, const struct facts_watch *watch)
{
	int index = (int)facts_number(facts, "if.index", 0);
	const struct link *from = link_list_at(&watch->first.links, index), *to = link_list_at(&watch->second.links, index);

	set_host(facts, &watch->first, &watch->second);
	if (!from || !to)
		return;
	set_link(facts, &from->stats, &to->stats);
	facts_collect_captures(facts, index, &watch->first.captures, &watch->second.captures);
	set_driver(facts, to);
}
