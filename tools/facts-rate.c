/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens now: the counters twice, some time apart, and the difference. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "facts-collect.h"
#include "host-losses.h"
#include "link-list.h"

#define CPUS 4096

/* Of one CPU, in ticks: its time, and what of it went to softirq. */
struct cpu_time {
	uint64_t all, softirq;
};

struct sample {
	struct timespec when;
	struct rtnl_link_stats64 stats;
	uint64_t softnet_dropped, softnet_squeezed;
	struct cpu_time cpu[CPUS];
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
		cpus[cpu] = (struct cpu_time){ .softirq = t[6] };
		for (int i = 0; i < 8; i++)
			cpus[cpu].all += t[i];
	}
	if (file)
		fclose(file);
}

static int read_softnet(struct sample *sample)
{
	struct softnet_losses *rows = calloc(CPUS, sizeof(*rows));
	int count = rows ? softnet_losses_read(rows, CPUS) : -ENOMEM;

	for (int i = 0; i < count; i++) {
		sample->softnet_dropped += rows[i].dropped;
		sample->softnet_squeezed += rows[i].squeezed;
	}
	free(rows);
	return count < 0 ? count : 0;
}

static int take_sample(struct sample *sample, struct netlink *route, const char *interface)
{
	struct link_list list;
	const struct link *link;
	int ret = link_list_read(&list, route);

	if (ret == 0) {
		link = link_list_find(&list, interface);
		ret = link ? 0 : -ENODEV;
		if (link)
			sample->stats = link->stats;
	}
	link_list_free(&list);
	if (ret < 0)
		return ret;
	clock_gettime(CLOCK_MONOTONIC, &sample->when);
	read_cpus(sample->cpu);
	return read_softnet(sample);
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

/* A driver that was loaded anew begins at 0. */
static void set_difference(struct facts *facts, const char *name, uint64_t from, uint64_t to)
{
	facts_format(facts, name, "%" PRIu64, to >= from ? to - from : to);
}

static void set_rates(struct facts *facts, const struct sample *from, const struct sample *to)
{
	double seconds = (double)(to->when.tv_sec - from->when.tv_sec) + (double)(to->when.tv_nsec - from->when.tv_nsec) / 1e9;

	facts_format(facts, "rate.seconds", "%.3f", seconds);
	set_difference(facts, "rate.packets", from->stats.rx_packets, to->stats.rx_packets);
	set_difference(facts, "rate.bytes", from->stats.rx_bytes, to->stats.rx_bytes);
	set_difference(facts, "rate.missed", from->stats.rx_missed_errors, to->stats.rx_missed_errors);
	set_difference(facts, "rate.fifo", from->stats.rx_fifo_errors, to->stats.rx_fifo_errors);
	set_difference(facts, "rate.errors", from->stats.rx_errors, to->stats.rx_errors);
	set_difference(facts, "rate.dropped", from->stats.rx_dropped, to->stats.rx_dropped);
	set_difference(facts, "rate.softnet_dropped", from->softnet_dropped, to->softnet_dropped);
	set_difference(facts, "rate.softnet_squeezed", from->softnet_squeezed, to->softnet_squeezed);
	facts_set_number(facts, "rate.cpu_softirq_most", busiest_softirq(from->cpu, to->cpu));
}

static int sample_twice(struct sample *samples, struct netlink *route, const char *interface, unsigned milliseconds)
{
	struct timespec pause = { milliseconds / 1000, (long)(milliseconds % 1000) * 1000000 };
	int ret = take_sample(&samples[0], route, interface);

	if (ret < 0)
		return ret;
	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	return take_sample(&samples[1], route, interface);
}

int facts_collect_rate(struct facts *facts, const char *interface, unsigned milliseconds, struct netring_error *error)
{
	struct netlink route = { 0 };
	struct sample *samples = calloc(2, sizeof(*samples));
	int ret = samples ? netlink_open(&route, NETLINK_ROUTE) : -ENOMEM;

	if (ret == 0)
		ret = sample_twice(samples, &route, interface, milliseconds);
	if (ret == 0)
		set_rates(facts, &samples[0], &samples[1]);
	netlink_close(&route);
	free(samples);
	if (ret == 0 && facts->failed)
		ret = -ENOMEM;
	return ret < 0 ? error_errno(error, -ret, "cannot watch the traffic of %s", interface) : 0;
}
