/* SPDX-License-Identifier: BSD-3-Clause */
/* What netring doctor says to people: 80 columns, colours only on a terminal that wants them. Commands are never broken: they are there to be copied. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "text-wrap.h"

/* A full stop may follow in the last one. */
#define COLUMNS 79

static bool coloured;

static const struct {
	const char *title, *colour;
} groups[] = {
	[DOCTOR_BROKEN] = { "BROKEN", "\033[1;31m" },
	[DOCTOR_COSTS] = { "COSTS PACKETS", "\033[1;33m" },
	[DOCTOR_FINE] = { "FINE", "\033[1;32m" },
};

static void put_title(enum doctor_group group, size_t count)
{
	printf("\n%s%s (%zu)%s\n", coloured ? groups[group].colour : "", groups[group].title, count, coloured ? "\033[0m" : "");
}

/* On any output alike, so that what is piped reads like what was on the screen. */
static void put_words(const char *text, unsigned *column, unsigned indent)
{
	text_wrap(text, column, indent, COLUMNS);
}

/* "    costs:  words" */
static void put_labelled(const char *label, const char *text)
{
	unsigned column = 12;

	if (!text)
		return;
	printf("    %-8s", label);
	put_words(text, &column, 12);
	putchar('\n');
}

static void put_commands(const char *label, const char *commands)
{
	while (commands && *commands) {
		size_t length = strcspn(commands, "\n");

		printf("    %-8s%.*s\n", label, (int)length, commands);
		commands += length;
		commands += *commands != '\0';
		label = "";
	}
}

static void put_finding(const struct doctor_finding *finding)
{
	unsigned column = 2;

	printf("\n%s  ", coloured ? "\033[1m" : "");
	put_words(finding->what, &column, 2);
	printf("%s\n", coloured ? "\033[0m" : "");
	put_labelled("seen:", finding->seen);
	put_labelled("costs:", finding->cost);
	put_commands("mend:", finding->mend);
}

/* What is fine is a paragraph: "what: seen. And so on." */
static void put_fine(const struct doctor_finding *finding)
{
	unsigned column = 4;

	fputs("  - ", stdout);
	put_words(finding->what, &column, 4);
	if (finding->seen) {
		putchar(':');
		column++;
		put_words(finding->seen, &column, 4);
	}
	if (finding->cost) {
		putchar('.');
		column++;
		put_words(finding->cost, &column, 4);
	}
	putchar('\n');
	put_commands("", finding->mend);
}

static void put_group(const struct doctor *doctor, enum doctor_group group)
{
	size_t count = 0;

	for (size_t i = 0; i < doctor->count; i++)
		count += doctor->finding[i].group == group;
	if (!count)
		return;
	put_title(group, count);
	if (group == DOCTOR_FINE)
		putchar('\n');
	for (size_t i = 0; i < doctor->count; i++) {
		if (doctor->finding[i].group != group)
			continue;
		if (group == DOCTOR_FINE)
			put_fine(&doctor->finding[i]);
		else
			put_finding(&doctor->finding[i]);
	}
}

static const char *describe_kind(const struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver"), *kind = doctor_fact(doctor, "if.kind");

	return driver ? driver : kind ? kind : "interface";
}

/* "eth0: ixgbe, 10 Gbit/s, MTU 1500, 8 queues, up", and the rate. */
static void put_head(const struct doctor *doctor)
{
	int64_t speed = doctor_number(doctor, "if.speed_mbps"), mtu = doctor_number(doctor, "if.mtu"), queues = doctor_queues(doctor);
	const char *name = doctor_fact(doctor, "if.name"), *state = doctor_fact(doctor, "if.state");
	double packets = doctor_rate(doctor, "rate.packets"), bytes = doctor_rate(doctor, "rate.bytes");

	if (!name)
		return;
	printf("%s%s%s: %s", coloured ? "\033[1m" : "", name, coloured ? "\033[0m" : "", describe_kind(doctor));
	/* Software has a speed by name only: veth says 10 Gbit/s. */
	if (speed > 0 && doctor_is(doctor, "if.kind", "physical"))
		printf(", %s", doctor_bits((double)speed * 1e6));
	if (mtu > 0)
		printf(", MTU %lld", (long long)mtu);
	if (queues > 1)
		printf(", %lld receive queues", (long long)queues);
	if (state)
		printf(", %s", state);
	putchar('\n');
	if (packets >= 0 && bytes >= 0)
		printf("Now: %s packets/s, %s\n", doctor_count(packets), doctor_bits(8 * bytes));
}

static void put_overview(const struct doctor_overview *overview)
{
	size_t width = 0;

	if (!overview->count)
		return;
	printf("\nINTERFACES (netring doctor NAME tells more)\n\n");
	for (size_t i = 0; i < overview->count; i++)
		if (strlen(overview->interface[i].name) > width)
			width = strlen(overview->interface[i].name);
	for (size_t i = 0; i < overview->count; i++) {
		const struct doctor_interface_verdict *verdict = &overview->interface[i];
		unsigned indent = (unsigned)width + 19, column = indent;
		const char *name = verdict->group == DOCTOR_FINE ? "fine" : verdict->group == DOCTOR_COSTS ? "costs packets" : "broken";

		printf("  %-*s  %s%-*s%s", (int)width, verdict->name, coloured ? groups[verdict->group].colour : "", verdict->why ? 13 : 0, name,
		       coloured ? "\033[0m" : "");
		if (verdict->why) {
			fputs("  ", stdout);
			put_words(verdict->why, &column, indent);
		}
		if (verdict->more) {
			char more[64];

			snprintf(more, sizeof(more), "(and %zu more)", verdict->more);
			put_words(more, &column, indent);
		}
		putchar('\n');
	}
}

/* Whether tune would change one of them: it knows these. */
static bool is_tunable(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		const char *mend = doctor->finding[i].mend;

		if (doctor->finding[i].group == DOCTOR_COSTS && mend && (strncmp(mend, "ethtool -", 9) == 0 || strncmp(mend, "sysctl -w", 9) == 0))
			return true;
	}
	return false;
}

void doctor_print_text(const struct doctor *doctor, const struct doctor_overview *overview)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	coloured = isatty(STDOUT_FILENO) && !(none && *none) && !(terminal && strcmp(terminal, "dumb") == 0);
	put_head(doctor);
	for (int group = DOCTOR_BROKEN; group <= DOCTOR_FINE; group++)
		put_group(doctor, group);
	put_overview(overview);
	if (doctor->quoted[0] && is_tunable(doctor))
		printf("\nnetring tune %s shows what of this it would change, and can take it back.\n", doctor->quoted);
}
