/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring tune: shows what would make captures on an interface lose less, sets it, and takes it back.
 *
 * --apply writes the old values of all that it will set to the undo file first; --undo sets them in the opposite order, and takes those that are
 * restored out of the file only when all were tried. Killed at any moment, either can be done again.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts-collect.h"
#include "tools.h"
#include "tune-plan.h"
#include "tune-report.h"
#include "tune-setting.h"
#include "tune-undo.h"

#define STATE_FOLDER "/run/netring"

static const struct command_text text = {
	"netring tune",
	"Usage: netring tune IF [--profile NAME] [--apply|--undo|--record] [--json] [--facts FILE] [--state DIR]\n"
	"\n"
	"Show what on the interface IF and its host could be set so that captures lose fewer packets: setting, now, proposed, why.\n"
	"Nothing is changed without --apply. The exit status is 1 if something could not be found out, set or restored.\n"
	"\n"
	"  -p, --profile NAME  high_throughput (the default), low_latency, low_memory or jumbo\n"
	"  -a, --apply         set what is proposed; the old values go to the undo file first\n"
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
	bool profile_given, record;
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

static int remember_all(struct tune_undo *undo, const struct tune_plan *plan, struct netring_error *error)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->row[i].state == TUNE_CHANGE)
			tune_undo_remember(undo, plan->row[i].setting, plan->row[i].now);
	return tune_undo_save(undo, error);
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
		take_outcome(row, ret, &error);
		all &= ret == 0;
	}
	return all;
}

static int open_target(struct ethtool *target, const struct facts *facts, struct netring_error *error)
{
	return tune_target_open(target, facts_get(facts, "if.name"), (int)facts_number(facts, "if.index", 0), error);
}

static int apply(const struct request *request, struct tune_report *report, struct tune_plan *plan, const struct facts *facts)
{
	struct tune_undo undo;
	struct ethtool target = { .socket = -1 };
	struct netring_error error = { 0 };
	int status, ret = tune_undo_open(&undo, request->state, facts, true, &error);

	if (ret == 0)
		ret = open_target(&target, facts, &error);
	if (ret == 0)
		ret = remember_all(&undo, plan, &error);
	if (ret == 0) {
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
	} else if (request->mode == TUNE_APPLY && tune_plan_changes(&plan) > 0) {
		status = apply(request, &report, &plan, facts);
	} else {
		request->print(&report);
	}
	tune_plan_free(&plan);
	return status;
}

/* Behind nsenter, /sys shows another namespace's interface of that name. */
static int get_old(const struct facts *facts, struct ethtool *target, const char *setting, char value[TUNE_VALUE], struct netring_error *error)
{
	if (strncmp(setting, "nic.rps.", 8) == 0 && !facts_is(facts, "if.sysfs", "yes"))
		return error_set(error, ESTALE, "/sys is not there, or shows another network namespace");
	return tune_setting_get(target, setting, value, error);
}

/* Into a row of the plan; whether it has the old value now. */
static bool restore_one(struct tune_plan *plan, const struct facts *facts, struct ethtool *target, const struct fact *old)
{
	char now[TUNE_VALUE] = "";
	struct netring_error error = { 0 };
	int ret = get_old(facts, target, old->name, now, &error);
	bool same = ret == 0 && strcmp(now, old->value) == 0;
	struct tune_row *row = tune_plan_add(plan, same ? TUNE_FINE : TUNE_CHANGE, old->name, ret == 0 ? now : NULL, old->value);

	if (same) {
		if (row)
			snprintf(row->why, sizeof(row->why), "already so");
		return true;
	}
	if (ret == 0)
		ret = tune_setting_set(target, old->name, old->value, &error);
	if (row)
		take_outcome(row, ret, &error);
	return ret == 0;
}

/* A number of queues that was set back takes others along: their rings, interrupts, RPS. Those that are not, or not any more, as they were. */
static bool restore_again(struct tune_row *row, const struct facts *facts, struct ethtool *target, const struct fact *old)
{
	char now[TUNE_VALUE] = "";
	struct netring_error error = { 0 };
	int ret = get_old(facts, target, old->name, now, &error);

	if (ret == 0 && strcmp(now, old->value) == 0)
		return true;
	if (ret == 0)
		ret = tune_setting_set(target, old->name, old->value, &error);
	row->state = TUNE_CHANGE;
	row->why[0] = '\0';
	take_outcome(row, ret, &error);
	return ret == 0;
}

/* What could not be restored stays, in its order. */
static int restore_all(struct tune_undo *undo, struct tune_plan *plan, const struct facts *facts, struct ethtool *target, struct netring_error *error)
{
	bool *restored = calloc(undo->values.count + 1, sizeof(*restored));
	struct facts kept = { 0 };
	int ret;

	if (!restored)
		return error_set(error, ENOMEM, "no memory for an undo");
	for (size_t i = undo->values.count; i-- > 0;)
		restored[i] = restore_one(plan, facts, target, &undo->values.fact[i]);
	for (size_t i = undo->values.count; i-- > 0 && !plan->failed;)
		restored[i] = restore_again(&plan->row[undo->values.count - 1 - i], facts, target, &undo->values.fact[i]);
	for (size_t i = 0; i < undo->values.count; i++)
		if (!restored[i])
			facts_set(&kept, undo->values.fact[i].name, undo->values.fact[i].value);
	free(restored);
	facts_free(&undo->values);
	undo->values = kept;
	ret = tune_undo_save(undo, error);
	return ret < 0 || !kept.count ? ret : 1;
}

static int undo_opened(const struct request *request, struct tune_undo *undo, const struct facts *facts, struct netring_error *error)
{
	struct tune_plan plan = { 0 };
	struct tune_report report = { request->interface, NULL, NULL, TUNE_UNDO, &plan };
	struct ethtool target;
	int ret = open_target(&target, facts, error);

	if (ret == 0)
		ret = restore_all(undo, &plan, facts, &target, error);
	ethtool_close(&target);
	if (ret >= 0) {
		report.undo_file = ret > 0 ? undo->path : NULL;
		request->print(&report);
	}
	if (ret > 0)
		error_set(error, EIO, "what could not be restored stays in %s", undo->path);
	tune_plan_free(&plan);
	return ret;
}

static int take_back(const struct request *request, const struct facts *facts)
{
	struct tune_undo undo;
	struct netring_error error = { 0 };
	int ret = tune_undo_open(&undo, request->state, facts, false, &error);

	if (ret == -ENOENT || (ret == 0 && !undo.exists))
		ret = error_set(&error, ENOENT, "there is nothing to undo: no %s", undo.path);
	else if (ret == 0)
		ret = undo_opened(request, &undo, facts, &error);
	tune_undo_close(&undo);
	return ret == 0 ? STATUS_OK : complain(&error);
}

static int run(const struct request *request)
{
	struct facts facts = { 0 };
	struct netring_error error = { 0 };
	int status;

	if (find_facts(&facts, request, &error) < 0)
		status = complain(&error);
	else if (request->mode == TUNE_UNDO)
		status = take_back(request, &facts);
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

static const struct option options[] = {
	{ "profile", required_argument, NULL, 'p' }, { "apply", no_argument, NULL, 'a' },  { "undo", no_argument, NULL, 'u' },
	{ "json", no_argument, NULL, 'j' },	     { "record", no_argument, NULL, 'r' }, { "facts", required_argument, NULL, 'f' },
	{ "state", required_argument, NULL, 's' },   { "help", no_argument, NULL, 'h' },   { 0 },
};

/* STATUS_OK: go on with the request. */
static int check_request(const struct request *request, unsigned modes, int argc, char **argv)
{
	if (modes > 1)
		return complain_usage(&text, "--apply, --undo and --record: one of them");
	if (modes && request->facts_file)
		return complain_usage(&text, "--facts is about another host: it goes with none of --apply, --undo and --record");
	if (request->mode == TUNE_UNDO && request->profile_given)
		return complain_usage(&text, "--undo restores what was, whatever the profile: leave --profile out");
	if (request->record && request->print == tune_print_json)
		return complain_usage(&text, "--record has a form of its own: leave --json out");
	if (!request->interface)
		return complain_usage(&text, "an interface is missing");
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
	struct request request = { .state = STATE_FOLDER, .print = tune_print_table };
	unsigned modes = 0;
	int status;

	opterr = 0;
	status = parse_options(&request, &modes, argc, argv);
	if (status == -1)
		return print_usage(&text);
	if (status == STATUS_OK)
		status = check_request(&request, modes, argc, argv);
	return status == STATUS_OK ? run(&request) : status;
}
