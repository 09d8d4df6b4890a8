/* SPDX-License-Identifier: BSD-3-Clause */
/* netring stats --json. What is in it: netring-stats.schema.json, which changes with this file. */
#include <string.h>

#include "json.h"
#include "stats-report.h"

#define FORMAT_VERSION 1

static void print_known(const char *name, bool is_known, uint64_t value)
{
	if (is_known)
		json_number(name, value);
	else
		json_null(name);
}

static void print_losses(const struct stats_ring *ring)
{
	bool is_known = stats_ring_knows(ring, STATS_UNKNOWN_LOSSES);

	json_open("lost", '{');
	print_known("ring_full", is_known, stats_ring_full(ring));
	print_known("xdp_fill_ring_empty", is_known, ring->xdp_fill_empty);
	print_known("xdp_other", is_known, ring->xdp_other);
	json_close('}');
}

static void print_counters(const struct stats_ring *ring)
{
	bool is_known = stats_ring_knows(ring, STATS_UNKNOWN_RING);

	print_known("passed_filter", stats_ring_knows(ring, STATS_UNKNOWN_LOSSES), ring->packets);
	print_losses(ring);
	print_known("freezes", is_known, ring->freezes);
	if (is_known)
		json_bool("losing", ring->losing != 0);
	else
		json_null("losing");
	print_known("left", is_known, stats_ring_left(ring));
	print_known("rejected", is_known, ring->rejected);
	json_number("delivered", ring->delivered);
	json_number("bytes", ring->bytes);
	print_known("ring_bytes", is_known, ring->bytes_got);
	print_known("ring_bytes_asked", is_known, ring->bytes_asked);
}

static void print_fill(const struct stats_ring *ring)
{
	if (!stats_ring_knows(ring, STATS_UNKNOWN_RING)) {
		json_null("fill");
		return;
	}
	json_open("fill", '{');
	json_number("cells", ring->cells);
	json_number("cell_bytes", ring->cell_bytes);
	json_number("waiting", ring->waiting);
	json_number("waiting_most", ring->waiting_most);
	json_close('}');
}

static void print_interface(const struct interface_losses *interface)
{
	if (!interface) {
		json_null("nic");
		return;
	}
	json_open("nic", '{');
	json_number("received", interface->received);
	json_number("missed", interface->missed);
	json_number("fifo", interface->fifo);
	json_number("errors", interface->errors);
	json_number("dropped", interface->dropped);
	json_close('}');
}

static void print_ring(const struct stats_report *report, const struct stats_view *view, const struct stats_ring *ring)
{
	json_open(NULL, '{');
	json_string("interface", ring->interface);
	json_signed("ifindex", ring->ifindex);
	if (view->capture.engine == STATS_XDP)
		json_number("queue", ring->queue);
	print_counters(ring);
	print_fill(ring);
	print_interface(stats_report_interface(report, view, ring));
	json_close('}');
}

static void print_capture(const struct stats_report *report, const struct stats_view *view)
{
	struct stats_ring sum = stats_view_sum(view);

	json_open(NULL, '{');
	json_signed("pid", view->process.pid);
	json_string("process", view->process.name);
	json_string("program", view->head.program);
	json_string("library", view->head.library);
	json_number("number", view->number);
	json_string("engine", stats_engine_name(view->capture.engine));
	json_string("why", view->capture.why);
	json_seconds("opened", (double)view->capture.opened_ns / 1e9);
	json_string("reader", stats_reader_name(view));
	json_seconds("age", view->age_s);
	json_seconds("losses_age", view->losses_age_s);
	json_bool("stale", stats_view_is_stale(view));
	json_bool("torn", view->torn);
	json_number("network_namespace", view->process.namespace);
	json_number("disordered", view->capture.disordered);
	json_open("total", '{');
	print_counters(&sum);
	json_close('}');
	json_open("rings", '[');
	for (uint32_t i = 0; i < view->capture.rings; i++)
		print_ring(report, view, &view->ring[i]);
	json_close(']');
	json_open("savefiles", '{');
	json_number("failures", view->head.savefile_failures);
	json_number("lost", view->head.savefile_lost);
	json_close('}');
	json_close('}');
}

static void print_softnet(const struct stats_report *report)
{
	json_open("softnet", '[');
	for (unsigned i = 0; i < report->cpus; i++) {
		json_open(NULL, '{');
		json_number("cpu", report->softnet[i].cpu);
		json_number("processed", report->softnet[i].processed);
		json_number("dropped", report->softnet[i].dropped);
		json_number("squeezed", report->softnet[i].squeezed);
		json_close('}');
	}
	json_close(']');
}

void stats_print_json(const struct stats_report *report)
{
	json_open(NULL, '{');
	json_number("format", FORMAT_VERSION);
	json_open("captures", '[');
	for (size_t i = 0; i < report->views.views; i++)
		print_capture(report, &report->views.view[i]);
	json_close(']');
	json_open("refused", '[');
	for (size_t i = 0; i < report->views.refusals; i++) {
		json_open(NULL, '{');
		json_signed("pid", report->views.refusal[i].process.pid);
		json_string("process", report->views.refusal[i].process.name);
		json_string("reason", report->views.refusal[i].reason);
		json_close('}');
	}
	json_close(']');
	json_number("hidden_processes", report->views.hidden);
	print_softnet(report);
	json_close('}');
}
