/* SPDX-License-Identifier: BSD-3-Clause */
/* netring stats: the captures of this host and where each loses packets, once. */
#include <getopt.h>
#include <stdio.h>

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

/* On standard error: what is not in the report, and why. */
static void say_what_is_missing(const struct stats_report *report)
{
	for (size_t i = 0; i < report->blinds; i++)
		fprintf(stderr, "netring stats: process %d: %s\n", (int)report->blind[i].process.pid, report->blind[i].reason);
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

static int run(void (*print)(const struct stats_report *report), const char *word)
{
	struct stats_report report;
	struct netring_error error;
	int status = STATUS_FAILED;

	if (stats_report_read(&report, word, &error) < 0) {
		fprintf(stderr, "netring stats: %s\n", error.text);
	} else {
		say_what_is_missing(&report);
		print(&report);
		if (report.views.views || print == stats_print_prometheus)
			status = STATUS_OK;
		else
			say_that_there_is_none(word);
	}
	stats_report_free(&report);
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
