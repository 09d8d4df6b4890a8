/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring stats --prometheus, in the text format for node_exporter's textfile collector: each metric once, with all its samples behind it. Labels tell
 * captures of one process apart by their number on its page, and rings by theirs in the capture.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stats-report.h"

/* A ring's values, and those that are made of them. */
struct ring_values {
	struct stats_ring ring;
	uint64_t full, waiting, waiting_most;
};

struct ring_metric {
	const char *name, *type, *help; /* help NULL: more samples of the metric before */
	size_t offset;			/* into struct ring_values, of a uint64_t */
	const char *label;		/* one more, with its value */
	uint32_t unknown;		/* enum stats_unknown: without a sample if that is not known */
};

#define LOSSES STATS_UNKNOWN_LOSSES
#define SIZES STATS_UNKNOWN_RING
#define RING(field) offsetof(struct ring_values, ring.field)
#define MADE(field) offsetof(struct ring_values, field)

static const struct ring_metric ring_metrics[] = {
	{ "netring_passed_filter_packets_total", "counter", "Packets that passed the filter in the kernel, those lost behind it included.",
	  RING(packets), "", LOSSES },
	{ "netring_lost_packets_total", "counter", "Packets lost between the filter and the program.", MADE(full), ",reason=\"ring_full\"", LOSSES },
	{ "netring_lost_packets_total", NULL, NULL, RING(xdp_fill_empty), ",reason=\"xdp_fill_ring_empty\"", LOSSES },
	{ "netring_lost_packets_total", NULL, NULL, RING(xdp_other), ",reason=\"xdp_other\"", LOSSES },
	{ "netring_rejected_packets_total", "counter", "Packets that the filter in user space took out.", RING(rejected), "", SIZES },
	{ "netring_delivered_packets_total", "counter", "Packets that the program got.", RING(delivered), "", 0 },
	{ "netring_captured_bytes_total", "counter", "Bytes of packets that were read, up to 7 too many for each packet.", RING(bytes), "", 0 },
	{ "netring_ring_freezes_total", "counter", "Times that the ring became full.", RING(freezes), "", SIZES },
	{ "netring_ring_size_bytes", "gauge", "Size of the ring.", RING(bytes_got), "", SIZES },
	{ "netring_ring_asked_size_bytes", "gauge", "Size of the ring as it was asked for.", RING(bytes_asked), "", SIZES },
	{ "netring_ring_waiting_bytes", "gauge", "Ring memory that waited for the reader at the last update.", MADE(waiting), "", SIZES },
	{ "netring_ring_waiting_max_bytes", "gauge", "Ring memory that has waited for the reader at most.", MADE(waiting_most), "", SIZES },
};

/* A label's value: of printable characters, as texts of a page are. */
static void print_value(const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
}

static void print_head(const char *name, const char *type, const char *help)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_labels(const char *name, const struct stats_view *view)
{
	printf("%s{pid=\"%d\",program=\"", name, (int)view->process.pid);
	print_value(view->process.name);
	printf("\",capture=\"%" PRIu32 "\"", view->number);
}

static struct ring_values values_of(const struct stats_ring *ring)
{
	return (struct ring_values){
		.ring = *ring,
		.full = stats_ring_full(ring),
		.waiting = (uint64_t)ring->waiting * ring->cell_bytes,
		.waiting_most = (uint64_t)ring->waiting_most * ring->cell_bytes,
	};
}

static void print_rings(const struct stats_report *report, const struct ring_metric *metric)
{
	for (size_t i = 0; i < report->views.views; i++) {
		const struct stats_view *view = &report->views.view[i];

		for (uint32_t ring = 0; ring < view->capture.rings; ring++) {
			struct ring_values values = values_of(&view->ring[ring]);
			uint64_t value;

			if (values.ring.unknown & metric->unknown)
				continue;
			memcpy(&value, (const char *)&values + metric->offset, sizeof(value));
			print_labels(metric->name, view);
			fputs(",interface=\"", stdout);
			print_value(view->ring[ring].interface);
			printf("\",ring=\"%" PRIu32 "\"%s} %" PRIu64 "\n", ring, metric->label, value);
		}
	}
}

/* No age, which would stand still in the collector's file. */
static void print_time(const char *name, const struct stats_view *view, double age_s)
{
	struct timespec now;

	if (age_s < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	print_labels(name, view);
	printf("} %.3f\n", (double)now.tv_sec + (double)now.tv_nsec / 1e9 - age_s);
}

static void print_updates(const struct stats_report *report)
{
	static const char updated[] = "netring_capture_updated_timestamp_seconds", losses[] = "netring_capture_losses_timestamp_seconds";

	print_head(updated, "gauge", "When the capture's figures were true.");
	for (size_t i = 0; i < report->views.views; i++)
		print_time(updated, &report->views.view[i], report->views.view[i].age_s);
	print_head(losses, "gauge", "The same of those that passed the filter or were lost, which may be older if libpcap captures.");
	for (size_t i = 0; i < report->views.views; i++)
		print_time(losses, &report->views.view[i], report->views.view[i].losses_age_s);
}

static void print_captures(const struct stats_report *report)
{
	print_head("netring_capture_info", "gauge", "Always 1; the labels say what the capture is.");
	for (size_t i = 0; i < report->views.views; i++) {
		const struct stats_view *view = &report->views.view[i];

		print_labels("netring_capture_info", view);
		printf(",engine=\"%s\",library=\"", stats_engine_name(view->capture.engine));
		print_value(view->head.library);
		puts("\"} 1");
	}
	print_head("netring_capture_opened_timestamp_seconds", "gauge", "When the capture was opened.");
	for (size_t i = 0; i < report->views.views; i++) {
		print_labels("netring_capture_opened_timestamp_seconds", &report->views.view[i]);
		printf("} %.3f\n", (double)report->views.view[i].capture.opened_ns / 1e9);
	}
	print_updates(report);
	print_head("netring_stale", "gauge", "1 if the program is stopped or busy, so that its figures may lag behind.");
	for (size_t i = 0; i < report->views.views; i++) {
		print_labels("netring_stale", &report->views.view[i]);
		printf("} %d\n", stats_view_is_stale(&report->views.view[i]));
	}
	print_head("netring_disordered_blocks_total", "counter", "Blocks of several rings that came too late to be handed out in the order of time.");
	for (size_t i = 0; i < report->views.views; i++) {
		print_labels("netring_disordered_blocks_total", &report->views.view[i]);
		printf("} %" PRIu64 "\n", report->views.view[i].capture.disordered);
	}
}

static void print_savefiles(const struct stats_report *report, const char *name, const char *help, bool lost)
{
	pid_t last = -1;

	print_head(name, "counter", help);
	for (size_t i = 0; i < report->views.views; i++) {
		const struct stats_view *view = &report->views.view[i];

		/* They are the process's: one sample for each. */
		if (view->process.pid == last)
			continue;
		last = view->process.pid;
		printf("%s{pid=\"%d\",program=\"", name, (int)last);
		print_value(view->process.name);
		printf("\"} %" PRIu64 "\n", lost ? view->head.savefile_lost : view->head.savefile_failures);
	}
}

struct interface_metric {
	const char *name, *help, *label;
	size_t offset;
};

static const struct interface_metric interface_metrics[] = {
	{ "netring_interface_received_packets_total", "Packets that the adapter has received.", "", offsetof(struct interface_losses, received) },
	{ "netring_interface_lost_packets_total", "Packets lost at the adapter, as its driver counts them; one may be counted for several reasons.",
	  ",reason=\"missed\"", offsetof(struct interface_losses, missed) },
	{ "netring_interface_lost_packets_total", NULL, ",reason=\"fifo\"", offsetof(struct interface_losses, fifo) },
	{ "netring_interface_lost_packets_total", NULL, ",reason=\"errors\"", offsetof(struct interface_losses, errors) },
	{ "netring_interface_lost_packets_total", NULL, ",reason=\"dropped\"", offsetof(struct interface_losses, dropped) },
};

/* True if a capture of the report is on this interface. */
static bool is_captured(const struct stats_report *report, const struct interface_losses *interface)
{
	for (size_t i = 0; i < report->views.views; i++)
		for (uint32_t ring = 0; ring < report->views.view[i].capture.rings; ring++)
			if (stats_report_interface(report, &report->views.view[i], &report->views.view[i].ring[ring]) == interface)
				return true;
	return false;
}

static void print_interfaces(const struct stats_report *report, const struct interface_metric *metric)
{
	if (metric->help)
		print_head(metric->name, "counter", metric->help);
	for (size_t i = 0; i < report->namespaces; i++)
		for (size_t n = 0; n < report->namespace[i].interfaces; n++) {
			const struct interface_losses *interface = &report->namespace[i].interface[n];
			uint64_t value = *(const uint64_t *)((const char *)interface + metric->offset);

			if (!is_captured(report, interface))
				continue;
			printf("%s{network_namespace=\"%" PRIu64 "\",interface=\"", metric->name, report->namespace[i].number);
			print_value(interface->name);
			printf("\"%s} %" PRIu64 "\n", metric->label, value);
		}
}

static void print_all_captures(const struct stats_report *report)
{
	for (size_t i = 0; i < sizeof(ring_metrics) / sizeof(*ring_metrics); i++) {
		if (ring_metrics[i].help)
			print_head(ring_metrics[i].name, ring_metrics[i].type, ring_metrics[i].help);
		print_rings(report, &ring_metrics[i]);
	}
	print_captures(report);
	print_savefiles(report, "netring_savefile_failures_total", "Savefiles that could not be written.", false);
	print_savefiles(report, "netring_savefile_lost_packets_total", "Packets that the program dumped and that are not in their savefile.", true);
	for (size_t i = 0; i < sizeof(interface_metrics) / sizeof(*interface_metrics); i++)
		print_interfaces(report, &interface_metrics[i]);
}

static void print_softnet(const struct stats_report *report)
{
	print_head("netring_softnet_dropped_packets_total", "counter", "Packets lost because a CPU's backlog was full, of all interfaces.");
	for (unsigned i = 0; i < report->cpus; i++)
		printf("netring_softnet_dropped_packets_total{cpu=\"%u\"} %" PRIu64 "\n", report->softnet[i].cpu, report->softnet[i].dropped);
	print_head("netring_softnet_squeezed_total", "counter", "Times that a CPU's budget ended with packets left.");
	for (unsigned i = 0; i < report->cpus; i++)
		printf("netring_softnet_squeezed_total{cpu=\"%u\"} %" PRIu64 "\n", report->softnet[i].cpu, report->softnet[i].squeezed);
}

void stats_print_prometheus(const struct stats_report *report)
{
	if (report->views.views)
		print_all_captures(report);
	print_softnet(report);
	print_head("netring_hidden_processes", "gauge", "Processes that netring stats was not allowed to look into.");
	printf("netring_hidden_processes %u\n", report->views.hidden);
	print_head("netring_refused_processes", "gauge", "Processes whose statistics could not be read.");
	printf("netring_refused_processes %zu\n", report->views.refusals);
}
