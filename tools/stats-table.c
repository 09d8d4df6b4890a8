/* SPDX-License-Identifier: BSD-3-Clause */
/* netring stats, for people: one ladder for each capture, from the adapter to the program. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stats-report.h"

static void print_row(const char *stage, const char *what, uint64_t value)
{
	printf("  %-8s %-32s %16" PRIu64, stage, what, value);
}

static void print_line(const char *stage, const char *what, uint64_t value)
{
	print_row(stage, what, value);
	putchar('\n');
}

/* A loss is shown when there is one. */
static void print_loss(const char *what, uint64_t value)
{
	if (value)
		print_line("", what, value);
}

static const char *duration(char text[32], double seconds)
{
	if (seconds < 0)
		return "an unknown time";
	if (seconds < 10)
		snprintf(text, 32, "%.1f s", seconds);
	else
		snprintf(text, 32, "%.0f s", seconds);
	return text;
}

/* What the figures are worth, in words. */
static void print_age(const struct stats_view *view)
{
	const char *reader = stats_reader_name(view);
	char text[32];

	if (strcmp(reader, "waiting") == 0)
		printf("waiting for packets; it had read all there were %s ago", duration(text, view->age_s));
	else if (strcmp(reader, "reading") == 0)
		printf("reading; last update %s ago", duration(text, view->age_s));
	else if (strcmp(reader, "stopped") == 0)
		printf("the process is STOPPED; last update %s ago, nobody knows what was lost since", duration(text, view->age_s));
	else
		printf("BUSY; last update %s ago, nobody knows what was lost since", duration(text, view->age_s));
	puts(view->torn ? "; caught in the middle of an update: the figures do not quite belong together" : "");
}

static void print_title(const struct stats_view *view)
{
	time_t opened = (time_t)(view->capture.opened_ns / UINT64_C(1000000000));
	char when[64] = "?";
	struct tm broken_down;

	if (localtime_r(&opened, &broken_down))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &broken_down);
	printf("%s, process %d, since %s\n", view->process.name, (int)view->process.pid, when);
	printf("  %s: %s\n  ", stats_engine_name(view->capture.engine), view->capture.why);
	print_age(view);
}

static void print_interface(const struct stats_ring *ring, const struct interface_losses *interface)
{
	if (!interface) {
		printf("  %-8s %s\n", "NIC",
		       ring->ifindex == STATS_NO_INTERFACE ? "none: a device of libpcap's"
		       : ring->ifindex			   ? "not known"
							   : "all interfaces: see each one's own counters");
		return;
	}
	print_line("NIC", "received", interface->received);
	print_loss("LOST: missed", interface->missed);
	print_loss("LOST: fifo", interface->fifo);
	print_loss("LOST: errors", interface->errors);
	print_loss("LOST: dropped (driver, softnet)", interface->dropped);
}

/* Of a ring of bytes; rounded up, so that little is not nothing. */
static uint64_t kib_of(const struct stats_ring *ring, uint32_t cells)
{
	return ((uint64_t)cells * ring->cell_bytes + 1023) >> 10;
}

static void print_fill(const struct stats_view *view, const struct stats_ring *ring)
{
	const char *cells = view->capture.engine == STATS_PACKET_V3 ? "blocks" : "frames";

	if (view->capture.engine == STATS_XDP_TAP)
		printf("  %-8s %" PRIu64 " of %" PRIu64 " KiB wait, %" PRIu64 " at most", "", kib_of(ring, ring->waiting), ring->bytes_got >> 10,
		       kib_of(ring, ring->waiting_most));
	else
		printf("  %-8s %u of %u %s wait, %u at most; %" PRIu64 " KiB", "", ring->waiting, ring->cells, cells, ring->waiting_most,
		       ring->bytes_got >> 10);
	if (ring->bytes_got < ring->bytes_asked)
		printf(" instead of %" PRIu64 " KiB", ring->bytes_asked >> 10);
	putchar('\n');
}

/* Loss is shown also where there is none: that it is known is worth a line. */
static void print_unknown_ring(const struct stats_view *view, const struct stats_ring *ring)
{
	char text[32];

	if (!stats_ring_knows(ring, STATS_UNKNOWN_LOSSES)) {
		printf("  %-8s %-32s %16s\n", "libpcap", "passed the filter", "unknown");
		printf("  %-8s %-32s %16s  until the program calls pcap_stats\n", "", "LOST: ring full", "unknown");
		return;
	}
	print_line("libpcap", "passed the filter, at least", ring->packets);
	print_row("", "LOST: ring full", stats_ring_full(ring));
	printf("  as the program's pcap_stats said %s ago\n", duration(text, view->losses_age_s));
}

static void print_ring(const struct stats_view *view, const struct stats_ring *ring, const char *name)
{
	if (!stats_ring_knows(ring, STATS_UNKNOWN_RING)) {
		print_unknown_ring(view, ring);
		return;
	}
	print_line(name, "passed the filter", ring->packets);
	if (stats_ring_full(ring)) {
		print_row("", "LOST: ring full", stats_ring_full(ring));
		if (ring->freezes)
			printf("  %" PRIu64 " times full", ring->freezes);
		putchar('\n');
	}
	print_loss("LOST: XDP fill ring empty", ring->xdp_fill_empty);
	print_loss("LOST: XDP, other", ring->xdp_other);
	if (ring->losing)
		printf("  %-8s %s\n", "", "LOSING now: the kernel has not been asked how many yet");
	print_loss("wait in the ring, at least", stats_ring_left(ring));
	print_fill(view, ring);
	print_loss("taken out by a filter here", ring->rejected);
}

/* One interface after the other, with its rings. */
static void print_rings(const struct stats_report *report, const struct stats_view *view)
{
	char name[32];

	for (uint32_t i = 0; i < view->capture.rings; i++) {
		const struct stats_ring *ring = &view->ring[i];

		if (i == 0 || strcmp(ring->interface, view->ring[i - 1].interface) != 0) {
			printf(" %s\n", ring->interface);
			print_interface(ring, stats_report_interface(report, view, ring));
		}
		snprintf(name, sizeof(name), view->capture.rings > 1 ? "ring %u" : "ring", i);
		print_ring(view, ring, name);
	}
}

static void print_capture(const struct stats_report *report, const struct stats_view *view)
{
	struct stats_ring sum = stats_view_sum(view);

	print_title(view);
	print_rings(report, view);
	print_line("program", "delivered", sum.delivered);
	print_loss("blocks not in order", view->capture.disordered);
	print_loss("LOST: dumped, not written", view->head.savefile_lost);
	print_loss("savefiles that failed", view->head.savefile_failures);
	putchar('\n');
}

/* CPUs that have lost nothing are not worth a line. */
static void print_softnet(const struct stats_report *report)
{
	uint64_t dropped = 0, squeezed = 0;

	for (unsigned i = 0; i < report->cpus; i++) {
		dropped += report->softnet[i].dropped;
		squeezed += report->softnet[i].squeezed;
	}
	printf("softnet of this host since it was started, all interfaces: %" PRIu64 " dropped (backlog full), %" PRIu64 " times squeezed (budget)\n",
	       dropped, squeezed);
	for (unsigned i = 0; dropped + squeezed != 0 && i < report->cpus; i++)
		if (report->softnet[i].dropped || report->softnet[i].squeezed)
			printf("  CPU %-4u %16" PRIu64 " dropped %16" PRIu64 " squeezed\n", report->softnet[i].cpu, report->softnet[i].dropped,
			       report->softnet[i].squeezed);
}

void stats_print_table(const struct stats_report *report)
{
	for (size_t i = 0; i < report->views.views; i++)
		print_capture(report, &report->views.view[i]);
	if (report->views.views)
		print_softnet(report);
}
