/* SPDX-License-Identifier: BSD-3-Clause */
/* netring stats: the captures of this host and where each loses packets, once. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats-report.h"
#include "tools.h"

static const struct command_text text = {
	"netring stats",
	"Usage: netring stats [--json|--prometheus] [PID|NAME]\n"
	"\n"
	"Show every capture that runs on netring: packets received by the adapter, lost there, passed by the filter, lost in the ring, delivered.\n"
	"With PID or NAME only those of that process, or of the programs of that name. The exit status is 1 if there are none,\n"
	"but not with --prometheus: that nothing is captured is a report like any other.\n"
	"\n"
	"  -j, --json        for programs; netring-stats.schema.json says what is in it\n"
	"  -p, --prometheus  for node_exporter's textfile collector\n",
};

const char *stats_engine_name(uint32_t engine)
{
	static const char *const names[] = { [STATS_PACKET_V3] = "packet-v3", [STATS_PACKET_V2] = "packet-v2", [STATS_XDP] = "xdp" };

	return engine < sizeof(names) / sizeof(*names) ? names[engine] : "unknown";
}

const char *stats_reader_name(const struct stats_view *view)
{
	if (view->process.state == 'T' || view->process.state == 't')
		return "stopped";
	if (view->capture.state == STATS_EMPTY)
		return "waiting";
	return stats_view_is_stale(view) ? "busy" : "reading";
}

uint64_t stats_ring_left(const struct stats_ring *ring)
{
	uint64_t known = ring->delivered + ring->rejected + ring->drops;

	return ring->packets > known ? ring->packets - known : 0;
}

uint64_t stats_ring_full(const struct stats_ring *ring)
{
	uint64_t others = ring->xdp_fill_empty + ring->xdp_other;

	return ring->drops > others ? ring->drops - others : 0;
}

const struct interface_losses *stats_report_interface(const struct stats_report *report, const struct stats_view *view, const struct stats_ring *ring)
{
	for (size_t i = 0; i < report->namespaces; i++) {
		const struct namespace_losses *namespace = &report->namespace[i];

		if (namespace->number != view->process.namespace)
			continue;
		for (size_t n = 0; n < namespace->interfaces; n++)
			if (namespace->interface[n].ifindex == ring->ifindex && strcmp(namespace->interface[n].name, ring->interface) == 0)
				return &namespace->interface[n];
	}
	return NULL;
}

static bool is_number(const char *word)
{
	return word[strspn(word, "0123456789")] == '\0';
}

static bool is_wanted(const struct stats_process *process, const char *program, const char *word)
{
	if (!word)
		return true;
	if (is_number(word))
		return process->pid == (pid_t)strtol(word, NULL, 10);
	return strcmp(process->name, word) == 0 || strcmp(program, word) == 0;
}

/* Takes out what was not asked for. */
static void choose(struct stats_views *views, const char *word)
{
	size_t kept = 0;

	for (size_t i = 0; i < views->views; i++)
		if (is_wanted(&views->view[i].process, views->view[i].head.program, word))
			views->view[kept++] = views->view[i];
		else
			free(views->view[i].ring);
	views->views = kept;
	kept = 0;
	for (size_t i = 0; i < views->refusals; i++)
		if (is_wanted(&views->refusal[i].process, "", word))
			views->refusal[kept++] = views->refusal[i];
	views->refusals = kept;
}

static bool is_read(const struct stats_report *report, uint64_t namespace)
{
	for (size_t i = 0; i < report->namespaces; i++)
		if (report->namespace[i].number == namespace)
			return true;
	return false;
}

/* One that cannot be entered is left out, and its interfaces' losses with it. */
static void read_namespaces(struct stats_report *report)
{
	for (size_t i = 0; i < report->views.views; i++) {
		const struct stats_process *process = &report->views.view[i].process;
		struct namespace_losses *larger, losses;
		struct netring_error error;

		if (is_read(report, process->namespace))
			continue;
		if (interface_losses_read(&losses, process->pid, &error) < 0) {
			fprintf(stderr, "netring stats: process %d: %s\n", (int)process->pid, error.text);
			losses.number = process->namespace;
		}
		larger = reallocarray(report->namespace, report->namespaces + 1, sizeof(*larger));
		if (!larger) {
			free(losses.interface);
			return;
		}
		report->namespace = larger;
		larger[report->namespaces++] = losses;
	}
}

static void read_softnet(struct stats_report *report)
{
	int rows;

	report->softnet = calloc(SOFTNET_CPUS_MAX, sizeof(*report->softnet));
	rows = report->softnet ? softnet_losses_read(report->softnet, SOFTNET_CPUS_MAX) : 0;
	report->cpus = rows > 0 ? (unsigned)rows : 0;
}

/* On standard error: what is not in the report, and why. */
static void say_what_is_missing(const struct stats_report *report)
{
	for (size_t i = 0; i < report->views.refusals; i++) {
		const struct stats_refusal *refusal = &report->views.refusal[i];

		fprintf(stderr, "netring stats: process %d (%s) is not shown: %s\n", (int)refusal->process.pid, refusal->process.name,
			refusal->reason);
	}
	if (report->views.hidden)
		fprintf(stderr, "netring stats: %u processes may not be looked into: root may\n", report->views.hidden);
}

static void say_that_there_is_none(const char *word)
{
	if (word)
		fprintf(stderr, "netring stats: no capture on netring by %s\n", word);
	else
		fprintf(stderr, "netring stats: no capture on netring\n");
}

static void free_report(struct stats_report *report)
{
	for (size_t i = 0; i < report->namespaces; i++)
		free(report->namespace[i].interface);
	free(report->namespace);
	free(report->softnet);
	stats_views_free(&report->views);
}

static int run(void (*print)(const struct stats_report *report), const char *word)
{
	struct stats_report report = { 0 };
	struct netring_error error;
	int status = STATUS_FAILED;

	if (stats_views_find(&report.views, "/proc", &error) < 0) {
		fprintf(stderr, "netring stats: %s\n", error.text);
	} else {
		choose(&report.views, word);
		read_namespaces(&report);
		read_softnet(&report);
		say_what_is_missing(&report);
		print(&report);
		if (report.views.views || print == stats_print_prometheus)
			status = STATUS_OK;
		else
			say_that_there_is_none(word);
	}
	free_report(&report);
	return status;
}

int stats_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "prometheus", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	void (*print)(const struct stats_report *report) = stats_print_table;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":jph", options, NULL)) != -1) {
		if (option == 'h')
			return print_usage(&text);
		if (option != 'j' && option != 'p')
			return complain_option(&text, option, argv);
		if (print != stats_print_table)
			return complain_usage(&text, "--json and --prometheus: one of them");
		print = option == 'j' ? stats_print_json : stats_print_prometheus;
	}
	if (optind + 1 < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind + 1]);
	return run(print, argv[optind]);
}
