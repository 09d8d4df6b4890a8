/* SPDX-License-Identifier: BSD-3-Clause */
/* The two reports of `netring tune`, on standard output. */
#include "tune-report.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

/* A list of CPUs can be long; the whole of it is in the JSON. */
#define VALUE_WIDTH 16

/* The names that people know: without what the facts have in front. */
static const char *label(const char *setting)
{
	static const char *const fronts[] = { "host.sysctl.", "nic." };

	for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (strncmp(setting, fronts[i], strlen(fronts[i])) == 0)
			return setting + strlen(fronts[i]);
	return setting;
}

static int label_width(const struct tune_plan *plan)
{
	size_t width = strlen("setting");

	for (size_t i = 0; i < plan->count; i++)
		if (strlen(label(plan->row[i].setting)) > width)
			width = strlen(label(plan->row[i].setting));
	return (int)width;
}

static void print_value(const char *value)
{
	if (value && strlen(value) > VALUE_WIDTH)
		printf("  %.*s...", VALUE_WIDTH - 3, value);
	else
		printf("  %-*s", VALUE_WIDTH, value ? value : "-");
}

static void print_row(const struct tune_row *row, int width)
{
	static const char *const outcomes[] = { [TUNE_NOT_TRIED] = "", [TUNE_DONE] = "done", [TUNE_FAILED] = "failed: " };

	printf("%-*s", width, label(row->setting));
	print_value(row->now);
	print_value(row->proposed);
	printf("  %s%s\n", outcomes[row->outcome], row->outcome == TUNE_DONE ? "" : row->why);
}

static size_t count_outcome(const struct tune_plan *plan, enum tune_outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->row[i].outcome == outcome;
	return count;
}

static void print_end(const struct tune_report *report)
{
	size_t changes = tune_plan_changes(report->plan), done = count_outcome(report->plan, TUNE_DONE);

	if (changes == 0)
		printf("Nothing to change.\n");
	else if (report->mode == TUNE_DRY_RUN)
		printf("%zu to change. This was a dry run: --apply sets them, and --undo takes that back.\n", changes);
	else if (report->mode == TUNE_APPLY)
		printf("%zu of %zu changed. To go back: netring tune %s --undo\n", done, changes, report->interface);
	else
		printf("%zu of %zu restored.\n", done, changes);
}

void tune_print_table(const struct tune_report *report)
{
	static const char *const heads[][3] = {
		[TUNE_DRY_RUN] = { "now", "proposed", "why" },
		[TUNE_APPLY] = { "before", "new", "result" },
		[TUNE_UNDO] = { "before", "restored", "result" },
	};
	int width = label_width(report->plan);

	printf("%s", report->interface);
	if (report->profile)
		printf(", profile %s", report->profile);
	printf("\n\n%-*s  %-*s  %-*s  %s\n", width, "setting", VALUE_WIDTH, heads[report->mode][0], VALUE_WIDTH, heads[report->mode][1],
	       heads[report->mode][2]);
	for (size_t i = 0; i < report->plan->count; i++)
		print_row(&report->plan->row[i], width);
	putchar('\n');
	for (size_t i = 0; i < sizeof(report->plan->note) / sizeof(report->plan->note[0]) && report->plan->note[i][0]; i++)
		printf("Note: %s.\n", report->plan->note[i]);
	print_end(report);
}

static void put_text(const char *name, const char *text)
{
	if (text)
		json_string(name, text);
	else
		json_null(name);
}

static void put_row(const struct tune_row *row)
{
	static const char *const states[] = { [TUNE_CHANGE] = "change", [TUNE_FINE] = "fine", [TUNE_LEFT] = "left" };
	static const char *const outcomes[] = { [TUNE_NOT_TRIED] = NULL, [TUNE_DONE] = "done", [TUNE_FAILED] = "failed" };

	json_open(NULL, '{');
	json_string("setting", row->setting);
	json_string("state", states[row->state]);
	put_text("now", row->now);
	put_text("proposed", row->proposed);
	put_text("outcome", outcomes[row->outcome]);
	json_string("why", row->why);
	json_close('}');
}

void tune_print_json(const struct tune_report *report)
{
	static const char *const modes[] = { [TUNE_DRY_RUN] = "dry_run", [TUNE_APPLY] = "apply", [TUNE_UNDO] = "undo" };

	json_open(NULL, '{');
	json_string("interface", report->interface);
	put_text("profile", report->profile);
	json_string("mode", modes[report->mode]);
	put_text("undo_file", report->undo_file);
	json_open("settings", '[');
	for (size_t i = 0; i < report->plan->count; i++)
		put_row(&report->plan->row[i]);
	json_close(']');
	json_open("notes", '[');
	for (size_t i = 0; i < sizeof(report->plan->note) / sizeof(report->plan->note[0]) && report->plan->note[i][0]; i++)
		json_string(NULL, report->plan->note[i]);
	json_close(']');
	json_close('}');
}
