/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring doctor: what captures on this host lose, why, and what mends it.
 *
 * Facts are collected (facts-collect.h, and netring's own), or read from a recording; rules judge them (doctor-rules.c); a report is printed. Nothing is
 * changed, and no XDP program is attached.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "facts-collect.h"
#include "tools.h"

/* Exit statuses; a wrong command line is also 2. */
enum { STATUS_FINE = 0, STATUS_COSTS = 1, STATUS_BROKEN = 2 };

#define SECONDS_MOST 3600

static const struct command_text text = {
	"netring doctor",
	"Usage: netring doctor [--json] [--seconds N] [-L DIR] [IF] [-- PROGRAM [ARGUMENT...]]\n"
	"       netring doctor --record [--seconds N] [-L DIR] [IF] [-- PROGRAM [ARGUMENT...]]\n"
	"       netring doctor --facts FILE [--json]\n"
	"\n"
	"Find out what costs captures packets on this host, or on interface IF, and whether netring gets into PROGRAM.\n"
	"Nothing is changed. Without IF: the host, and a line for each interface.\n"
	"\n"
	"  -s, --seconds N        look at the traffic for so long; 1 without this, 0: not at all\n"
	"  -j, --json             the same for programs\n"
	"  -r, --record           print the facts instead of judging them: for somebody who knows more\n"
	"  -f, --facts FILE       judge such a recording instead of this host\n"
	"  -L, --library-dir DIR  take " NETRING_PCAP_SONAME " from DIR instead of " NETRING_SHIM_DIR "\n"
	"\n"
	"Exit status: 0 fine, 1 something costs packets, 2 capture is impossible (or the command line is wrong).\n",
};

struct request {
	const char *interface, *facts;
	const char *folder; /* NULL: it was not given */
	char **program;	    /* with its arguments; NULL: none */
	unsigned milliseconds;
	bool json, record, seconds_given;
};

static int fail(const struct netring_error *error)
{
	fprintf(stderr, "netring doctor: %s\n", error->text);
	return STATUS_BROKEN;
}

static int status_of(enum doctor_group group)
{
	return group == DOCTOR_BROKEN ? STATUS_BROKEN : group == DOCTOR_COSTS ? STATUS_COSTS : STATUS_FINE;
}

/* Collecting */

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* A second of traffic, or as long as was asked for, of the interface or of all. */
static int watch_traffic(struct facts *facts, struct doctor_overview *overview, unsigned milliseconds, struct netring_error *error)
{
	struct facts_watch *watch;
	int ret;

	if (milliseconds == 0 || facts_get(facts, "if.missing"))
		return 0;
	ret = facts_watch_traffic(&watch, milliseconds, error);
	if (ret < 0)
		return ret;
	facts_collect_rate(facts, watch);
	doctor_overview_collect_rates(overview, watch);
	facts_watch_free(watch);
	return 0;
}

static int collect(struct facts *facts, struct doctor_overview *overview, const struct request *request, struct netring_error *error)
{
	int ret = facts_collect_host(facts, error);

	if (ret == 0 && !request->interface && !request->record)
		ret = doctor_overview_collect(overview, facts, error);
	if (ret == 0 && request->interface)
		ret = doctor_collect_interface(facts, request->interface, error);
	if (ret == 0)
		ret = watch_traffic(facts, overview, request->milliseconds, error);
	if (ret == 0 && request->program)
		ret = doctor_collect_program(facts, request->program, request->folder ? request->folder : NETRING_SHIM_DIR, error);
	if (ret == 0)
		doctor_collect_own(facts, request->interface, base_name(facts_get(facts, "program.name")));
	if (ret == 0 && facts->failed)
		ret = error_errno(error, ENOMEM, "cannot keep the facts");
	return ret;
}

/* Reporting */

static int judge(const struct facts *facts, struct doctor_overview *overview, const struct request *request)
{
	struct netring_error error = { 0 };
	struct doctor doctor;
	enum doctor_group group;
	int ret;

	doctor_start(&doctor, facts);
	doctor_judge_program(&doctor);
	doctor_judge_interface(&doctor);
	doctor_judge_host(&doctor);
	ret = doctor_overview_judge(overview, &error);
	if (ret == 0 && doctor.failed)
		ret = error_errno(&error, ENOMEM, "cannot keep the findings");
	if (ret == 0 && request->json)
		doctor_print_json(&doctor, overview);
	else if (ret == 0)
		doctor_print_text(&doctor, overview);
	group = doctor_worst(&doctor, overview);
	doctor_free(&doctor);
	return ret < 0 ? fail(&error) : status_of(group);
}

static int run(const struct request *request)
{
	struct facts facts = { 0 };
	struct doctor_overview overview = { 0 };
	struct netring_error error = { 0 };
	int status = STATUS_FINE;
	int ret = request->facts ? facts_load(&facts, request->facts, &error) : collect(&facts, &overview, request, &error);

	if (ret < 0)
		status = fail(&error);
	else if (request->record)
		facts_print(&facts, stdout);
	else
		status = judge(&facts, &overview, request);
	doctor_overview_free(&overview);
	facts_free(&facts);
	return status;
}

/* The command line */

/* Cuts it at the first "--", what follows is the program; getopt would lose the place. */
static int split(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		request->program = &argv[i + 1];
		return i;
	}
	return argc;
}

static int take_seconds(struct request *request, const char *argument)
{
	char *end;
	unsigned long seconds = strtoul(argument, &end, 10);

	if (*argument < '0' || *argument > '9' || *end || seconds > SECONDS_MOST)
		return complain_usage(&text, "--seconds %s: must be a number, 0..%d", argument, SECONDS_MOST);
	request->milliseconds = (unsigned)seconds * 1000;
	request->seconds_given = true;
	return STATUS_OK;
}

static int check_request(const struct request *request)
{
	if (request->facts && (request->interface || request->program || request->record))
		return complain_usage(&text, "--facts judges a recording: no interface, program or --record with it");
	if (request->facts && request->seconds_given)
		return complain_usage(&text, "--facts judges a recording, which has its own sample: no --seconds with it");
	if (request->folder && !request->program)
		return complain_usage(&text, "--library-dir says what a program is to load: it goes with -- PROGRAM only");
	if (request->record && request->json)
		return complain_usage(&text, "--record and --json: one of them");
	if (request->program && !request->program[0])
		return complain_usage(&text, "the program is missing behind --");
	if (request->interface && !*request->interface)
		return complain_usage(&text, "the name of the interface is empty");
	/* What pcap_create takes as well. */
	if (request->interface && (strcmp(request->interface, "any") == 0 || strchr(request->interface, ',')))
		return complain_usage(&text, "%s: one interface at a time; without any, each has a line", request->interface);
	return STATUS_OK;
}

static int read_option(struct request *request, int option, char **argv)
{
	switch (option) {
	case 's':
		return take_seconds(request, optarg);
	case 'j':
		request->json = true;
		return STATUS_OK;
	case 'r':
		request->record = true;
		return STATUS_OK;
	case 'f':
		request->facts = optarg;
		return STATUS_OK;
	case 'L':
		request->folder = optarg;
		return STATUS_OK;
	default:
		return complain_option(&text, option, argv);
	}
}

int doctor_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "record", no_argument, NULL, 'r' },
		{ "facts", required_argument, NULL, 'f' },
		{ "library-dir", required_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request request = { .milliseconds = 1000 };
	int option, status = STATUS_OK;

	argc = split(&request, argc, argv);
	opterr = 0;
	while (status == STATUS_OK && (option = getopt_long(argc, argv, ":s:jrf:L:h", options, NULL)) != -1) {
		if (option == 'h')
			return print_usage(&text);
		status = read_option(&request, option, argv);
	}
	if (status != STATUS_OK)
		return status;
	if (optind + 1 < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind + 1]);
	request.interface = optind < argc ? argv[optind] : NULL;
	status = check_request(&request);
	return status == STATUS_OK ? run(&request) : status;
}
