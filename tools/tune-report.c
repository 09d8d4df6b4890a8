/* SPDX-License-Identifier: BSD-3-Clause */
/* The two reports of `netring tune`, on standard output. */
#include "tune-report.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "text-wrap.h"

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

/* Where the columns of the table are. */
struct table {
	unsigned label, now, proposed; /* widths */
	unsigned why;		       /* where the last one begins */
	unsigned columns;	       /* of the terminal; 0: there is none, and each row is one line */
};

static void widen(unsigned *width, const char *text, unsigned most)
{
	size_t length = text ? strlen(text) : 0;

	if (length > *width)
		*width = length < most ? (unsigned)length : most;
}

/* Fewer columns than this are no place for a sentence: it gets lines of its own. */
#define WHY_LEAST 24
#define WHY_BELOW 4

static struct table measure(const struct tune_plan *plan, const char *const head[3])
{
	struct table table = { .columns = text_columns() };

	widen(&table.label, "setting", UINT_MAX);
	widen(&table.now, head[0], VALUE_WIDTH);
	widen(&table.proposed, head[1], VALUE_WIDTH);
	for (size_t i = 0; i < plan->count; i++) {
		widen(&table.label, label(plan->row[i].setting), UINT_MAX);
		widen(&table.now, plan->row[i].now, VALUE_WIDTH);
		widen(&table.proposed, plan->row[i].proposed, VALUE_WIDTH);
	}
	table.why = table.label + 2 + table.now + 2 + table.proposed + 2;
	if (table.columns && table.why + WHY_LEAST > table.columns)
		table.why = WHY_BELOW;
	return table;
}

static void print_value(const char *value, unsigned width)
{
	if (value && strlen(value) > VALUE_WIDTH)
		printf("  %.*s...", VALUE_WIDTH - 3, value);
	else
		printf("  %-*s", (int)width, value ? value : "-");
}

static void print_line(const struct table *table, const char *setting, const char *now, const char *proposed, const char *why)
{
	bool below = table->why == WHY_BELOW;
	unsigned column = table->why;

	printf("%-*s", (int)table->label, setting);
	print_value(now, table->now);
	print_value(proposed, below ? 0 : table->proposed);
	if (*why)
		printf("%s%*s", below ? "\n" : "", below ? WHY_BELOW : 2, "");
	text_wrap(why, &column, table->why, table->columns);
	putchar('\n');
}

static void print_row(const struct tune_row *row, const struct table *table)
{
	char result[sizeof(row->why) + 16];

	if (row->outcome == TUNE_DONE)
		snprintf(result, sizeof(result), "done");
	else
		snprintf(result, sizeof(result), "%s%s", row->outcome == TUNE_FAILED ? "failed: " : "", row->why);
	print_line(table, label(row->setting), row->now, row->proposed, result);
}

static void print_note(const char *note, unsigned columns)
{
	unsigned column = strlen("Note: ");

	fputs("Note: ", stdout);
	text_wrap(note, &column, column, columns);
	fputs(".\n", stdout);
}

static size_t count_outcome(const struct tune_plan *plan, enum tune_outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->row[i].outcome == outcome;
	return count;
}

static void print_end(const struct tune_report *report, unsigned columns)
{
	size_t changes = tune_plan_changes(report->plan), done = count_outcome(report->plan, TUNE_DONE);
	unsigned column = 0;
	char text[160];

	if (changes == 0)
		snprintf(text, sizeof(text), "Nothing to change.");
	else if (report->mode == TUNE_DRY_RUN)
		snprintf(text, sizeof(text), "%zu to change. This was a dry run: --apply sets them, and --undo takes that back.", changes);
	else if (report->mode == TUNE_APPLY)
		snprintf(text, sizeof(text), "%zu of %zu changed. To go back: netring tune %s --undo", done, changes, report->interface);
	else
		snprintf(text, sizeof(text), "%zu of %zu restored.", done, changes);
	text_wrap(text, &column, 0, columns);
	putchar('\n');
}

void tune_print_table(const struct tune_report *report)
{
	static const char *const heads[][3] = {
		[TUNE_DRY_RUN] = { "now", "proposed", "why" },
		[TUNE_APPLY] = { "before", "new", "result" },
		[TUNE_UNDO] = { "before", "restored", "result" },
	};
	const char *const *head = heads[report->mode];
	struct table table = measure(report->plan, head);

	printf("%s", report->interface);
	if (report->profile)
		printf(", profile %s", report->profile);
	fputs("\n\n", stdout);
	print_line(&table, "setting", head[0], head[1], head[2]);
	for (size_t i = 0; i < report->plan->count; i++)
		print_row(&report->plan->row[i], &table);
	putchar('\n');
	for (size_t i = 0; i < sizeof(report->plan->note) / sizeof(report->plan->note[0]) && report->plan->note[i][0]; i++)
		print_note(report->plan->note[i], table.columns);
	print_end(report, table.columns);
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
