/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring tune: shows what would make captures on an interface lose less, sets it, and takes it back.
 *
 * --apply writes the old values of all that it will set to the undo file first; --undo sets them in the opposite order (tune-restore.h), and takes those
 * that are restored out of the file only when all were tried. Killed at any moment, either can be done again.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts-collect.h"
#include "tools.h"
#include "tune-plan.h"
#include "tune-report.h"
#include "tune-restore.h"
#include "tune-setting.h"
#include "tune-undo.h"

#define STATE_FOLDER "/run/netring"

static const struct command_text text = {
	"netring tune",
	"Usage: netring tune IF [--profile NAME] [--json] [--facts FILE]\n"
	"       netring tune IF --apply [--profile NAME] [--force] [--json] [--state DIR]\n"
	"       netring tune IF --undo [--json] [--state DIR]\n"
	"       netring tune IF --record\n"
	"\n"
	"Show what on the interface IF and its host could be set so that captures lose fewer packets: setting, now, proposed, why.\n"
	"Nothing is changed without --apply. The exit status is 1 if something could not be found out, set or restored.\n"
	"\n"
	"  -p, --profile NAME  high_throughput (the default), low_latency, low_memory or jumbo\n"
	"  -a, --apply         set what is proposed; the old values go to the undo file first\n"
	"      --force         apply though the link that the default route needs may go down\n"
	"  -u, --undo          set the old values again\n"
	"  -j, --json          for programs; netring-tune.schema.json says what is in it\n"
	"  -r, --record        print what is known of the interface and its host, for --facts\n"
	"  -f, --facts FILE    judge what was recorded elsewhere instead of this host\n"
	"  -s, --state DIR     the folder of undo files instead of " STATE_FOLDER "\n",
};

struct request {
	const char *interface, *facts_file, *state;
	enum advice_profile profile;
	enum tune_mode mode;
	bool profile_given, record, force;
	void (*print)(const struct tune_report *);
};

static int complain(const struct netring_error *error)
{
	fprintf(stderr, "%s: %s\n", text.name, error->text);
	return STATUS_FAILED;
}

static int find_facts(struct facts *facts, const struct request *request, struct netring_error *error)
{
	const char *name;
	int ret;

	if (!request->facts_file) {
		ret = facts_collect_interface(facts, request->interface, error);
		return ret < 0 ? ret : facts_collect_host(facts, error);
	}
	ret = facts_load(facts, request->facts_file, error);
	if (ret < 0)
		return ret;
	name = facts_get(facts, "if.name");
	if (!name || strcmp(name, request->interface) != 0)
		return error_set(error, EINVAL, "%s is about %s, not about %s", request->facts_file, name ? name : "no interface",
				 request->interface);
	return facts->failed ? error_set(error, ENOMEM, "no memory for what is in %s", request->facts_file) : 0;
}

/* For the rows, whose sentence is the reason then. */
static void take_outcome(struct tune_row *row, int ret, const struct netring_error *error)
{
	row->outcome = ret < 0 ? TUNE_FAILED : TUNE_DONE;
	if (ret < 0)
		snprintf(row->why, sizeof(row->why), "%.*s", (int)sizeof(row->why) - 1, error->text);
}

/* As it is now that no other tune is at work; the plan was made before. */
static void remember(struct tune_undo *undo, const struct tune_row *row, const struct facts *facts, struct ethtool *target)
{
	struct netring_error error;
	char now[TUNE_VALUE], number[16], fact[64];
	const char *name;

	if (tune_setting_get(target, row->setting, now, &error) < 0)
		snprintf(now, sizeof(now), "%s", row->now ? row->now : "");
	if (sscanf(row->setting, "nic.irq.%15[0-9].cpus", number) != 1) {
		tune_undo_remember(undo, row->setting, now);
		return;
	}
	snprintf(fact, sizeof(fact), "nic.irq.%s.name", number);
	name = facts_get(facts, fact);
	tune_undo_remember_interrupt(undo, number, name ? name : "", now);
}

static int remember_all(struct tune_undo *undo, const struct tune_plan *plan, const struct facts *facts, struct ethtool *target,
			struct netring_error *error)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->row[i].state == TUNE_CHANGE)
			remember(undo, &plan->row[i], facts, target);
	return tune_undo_save(undo, error);
}

/* A ring that the driver has rounded is set. */
static bool is_rounded(struct ethtool *target, const struct tune_row *row)
{
	struct netring_error error;
	char now[TUNE_VALUE];

	return strcmp(row->setting, "nic.ring.rx") == 0 && tune_setting_get(target, row->setting, now, &error) == 0 &&
	       advice_ring_will_do(atoll(now), atoll(row->proposed));
}

static bool set_all(struct tune_plan *plan, struct ethtool *target)
{
	bool all = true;

	for (size_t i = 0; i < plan->count; i++) {
		struct tune_row *row = &plan->row[i];
		struct netring_error error = { 0 };
		int ret;

		if (row->state != TUNE_CHANGE)
			continue;
		ret = tune_setting_set(target, row->setting, row->proposed, &error);
		if (ret == -EIO && is_rounded(target, row))
			ret = 0;
		take_outcome(row, ret, &error);
		all &= ret == 0;
	}
	return all;
}

/* A session that is cut in the middle would leave half of it set. */
static void outlive_the_session(void)
{
	signal(SIGHUP, SIG_IGN);
}

static int apply(const struct request *request, struct tune_report *report, struct tune_plan *plan, const struct facts *facts)
{
	int index = (int)facts_number(facts, "if.index", 0);
	struct tune_undo undo;
	struct ethtool target = { .socket = -1 };
	struct netring_error error = { 0 };
	int status, ret = tune_undo_open(&undo, request->state, request->interface, index, true, &error);

	if (ret == 0)
		ret = tune_target_open(&target, request->interface, index, &error);
	if (ret == 0)
		ret = remember_all(&undo, plan, facts, &target, &error);
	if (ret == 0) {
		outlive_the_session();
		status = set_all(plan, &target) ? STATUS_OK : STATUS_FAILED;
		report->undo_file = undo.path;
		request->print(report);
	} else {
		status = complain(&error);
	}
	ethtool_close(&target);
	tune_undo_close(&undo);
	return status;
}

/* With --force, or if nothing of the plan can cut the host off. What cannot be told is not taken for a no. */
static int check_route(const struct request *request, const struct tune_plan *plan, const struct facts *facts, struct netring_error *error)
{
	const char *carries = tune_plan_carries_default(facts), *first = NULL, *why = facts_get(facts, "why.if.route_default");
	size_t others = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (!tune_plan_resets_link(&plan->row[i]))
			continue;
		others += first != NULL;
		first = first ? first : plan->row[i].setting;
	}
	if (!first || request->force || (!carries && facts_is(facts, "if.route_default", "no")))
		return 0;
	if (!carries)
		return error_set(
			error, EBUSY,
			"whether the host's default route goes through %s cannot be told (%s), and setting %s%s may take the link down. Nothing "
			"was set; --force does it all the same",
			request->interface, why ? why : "the kernel's list of routes", first, others ? " and others" : "");
	return error_set(error, EBUSY,
			 "the host's default route goes through %s, and setting %s%s may take the link down, for good if the driver fails: sessions "
			 "through it would be cut. Nothing was set; --force does it all the same",
			 carries, first, others ? " and others" : "");
}

static int show_or_apply(const struct request *request, const struct facts *facts)
{
	struct tune_plan plan;
	struct tune_report report = { request->interface, advice_profile_names[request->profile], NULL, request->mode, &plan };
	struct netring_error error = { 0 };
	int status = STATUS_OK;

	tune_plan_make(&plan, facts, request->profile);
	if (plan.failed) {
		error_set(&error, ENOMEM, "no memory for the settings");
		status = complain(&error);
	} else if (request->mode != TUNE_APPLY || tune_plan_changes(&plan) == 0) {
		request->print(&report);
	} else if (check_route(request, &plan, facts, &error) < 0) {
		status = complain(&error);
	} else {
		status = apply(request, &report, &plan, facts);
	}
	tune_plan_free(&plan);
	return status;
}

static int undo_opened(const struct request *request, struct tune_undo *undo, struct netring_error *error)
{
	struct tune_plan plan = { 0 };
	struct tune_report report = { request->interface, NULL, NULL, TUNE_UNDO, &plan };
	int ret;

	outlive_the_session();
	ret = tune_restore(undo, &plan, request->interface, error);
	if (ret >= 0) {
		report.undo_file = undo->values.count ? undo->path : NULL;
		request->print(&report);
	}
	if (ret > 0)
		error_set(error, EIO, "what could not be restored stays in %s", undo->path);
	tune_plan_free(&plan);
	return ret;
}

static int take_back(const struct request *request)
{
	struct tune_undo undo;
	struct netring_error error = { 0 };
	int ret = tune_undo_open(&undo, request->state, request->interface, (int)if_nametoindex(request->interface), false, &error);

	if (ret == 0 && undo.exists)
		ret = undo_opened(request, &undo, &error);
	else if (ret == 0 && undo.other[0])
		ret = error_set(&error, ENOENT, "there is nothing to undo here: the %s that %s is about was tuned in another network namespace",
				request->interface, undo.other);
	else if (ret == 0 || ret == -ENOENT)
		ret = error_set(&error, ENOENT, "there is nothing to undo: %s was not tuned since the machine was started (by what is in %s)",
				request->interface, request->state);
	tune_undo_close(&undo);
	return ret == 0 ? STATUS_OK : complain(&error);
}

static int run(const struct request *request)
{
	struct facts facts = { 0 };
	struct netring_error error = { 0 };
	int status;

	if (request->mode == TUNE_UNDO)
		status = take_back(request);
	else if (find_facts(&facts, request, &error) < 0)
		status = complain(&error);
	else if (!request->record)
		status = show_or_apply(request, &facts);
	else {
		facts_print(&facts, stdout);
		status = STATUS_OK;
	}
	facts_free(&facts);
	return status;
}

static int take_profile(struct request *request, const char *name)
{
	for (unsigned i = 0; i < ADVICE_PROFILES; i++)
		if (strcmp(advice_profile_names[i], name) == 0) {
			request->profile = (enum advice_profile)i;
			request->profile_given = true;
			return 0;
		}
	return -EINVAL;
}

enum { OPTION_FORCE = 256 };

static const struct option options[] = {
	{ "profile", required_argument, NULL, 'p' },  { "apply", no_argument, NULL, 'a' },
	{ "force", no_argument, NULL, OPTION_FORCE }, { "undo", no_argument, NULL, 'u' },
	{ "json", no_argument, NULL, 'j' },	      { "record", no_argument, NULL, 'r' },
	{ "facts", required_argument, NULL, 'f' },    { "state", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },	      { 0 },
};

/* What goes with what; NULL: all is well. */
static const char *find_conflict(const struct request *request, unsigned modes)
{
	if (modes > 1)
		return "--apply, --undo and --record: one of them";
	if (modes && request->facts_file)
		return "--facts is about another host: it goes with none of --apply, --undo and --record";
	if (request->mode == TUNE_UNDO && request->profile_given)
		return "--undo restores what was, whatever the profile: leave --profile out";
	if (request->record && request->profile_given)
		return "--record prints what is, whatever the profile: leave --profile out";
	if (request->record && request->print == tune_print_json)
		return "--record has a form of its own: leave --json out";
	if (request->state && request->mode == TUNE_DRY_RUN)
		return "--state is for undo files: it goes with --apply and --undo only";
	if (request->force && request->mode != TUNE_APPLY)
		return "--force goes with --apply only";
	return NULL;
}

/* STATUS_OK: go on with the request. */
static int check_request(const struct request *request, unsigned modes, int argc, char **argv)
{
	const char *conflict = find_conflict(request, modes);

	if (conflict)
		return complain_usage(&text, "%s", conflict);
	if (!request->interface)
		return complain_usage(&text, "an interface is missing");
	if (!*request->interface)
		return complain_usage(&text, "the name of the interface is empty");
	if (optind + 1 < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind + 1]);
	return STATUS_OK;
}

static int parse_options(struct request *request, unsigned *modes, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, ":p:aujrf:s:h", options, NULL)) != -1) {
		if (option == 'p' && take_profile(request, optarg) < 0)
			return complain_usage(&text, "unknown profile %s", optarg);
		else if (option == 'h')
			return -1;
		else if (option == ':' || option == '?')
			return complain_option(&text, option, argv);
		else if (option == 'j')
			request->print = tune_print_json;
		else if (option == 'f')
			request->facts_file = optarg;
		else if (option == 's')
			request->state = optarg;
		else if (option == OPTION_FORCE)
			request->force = true;
		else if (option != 'p')
			++*modes;
		if (option == 'a' || option == 'u')
			request->mode = option == 'a' ? TUNE_APPLY : TUNE_UNDO;
		request->record |= option == 'r';
	}
	request->interface = argv[optind];
	return STATUS_OK;
}

int tune_main(int argc, char **argv)
{
	struct request request = { .print = tune_print_table };
	unsigned modes = 0;
	int status;

	opterr = 0;
	status = parse_options(&request, &modes, argc, argv);
	if (status == -1)
		return print_usage(&text);
	if (status == STATUS_OK)
		status = check_request(&request, modes, argc, argv);
	if (!request.state)
		request.state = STATE_FOLDER;
	return status == STATUS_OK ? run(&request) : status;
}
