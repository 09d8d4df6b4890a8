/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of findings, and what rules need to write them. */
#include "doctor.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"

/* Findings */

/* 'eth0' as a shell takes it: as it stands if there is nothing in it that a shell would see. */
static void quote(const char *name, char *out, size_t size)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@:-";
	size_t at = 0;

	if (*name && *name != '-' && name[strspn(name, harmless)] == '\0') {
		snprintf(out, size, "%s", name);
		return;
	}
	out[at++] = '\'';
	for (; *name && at + 7 < size; name++)
		if (*name == '\'')
			at += (size_t)snprintf(out + at, size - at, "'\\''");
		else
			out[at++] = *name;
	out[at++] = '\'';
	out[at] = '\0';
}

void doctor_start(struct doctor *doctor, const struct facts *facts)
{
	const char *name = facts_get(facts, "if.name");

	*doctor = (struct doctor){ .facts = facts };
	if (name)
		quote(name, doctor->quoted, sizeof(doctor->quoted));
}

static void DOCTOR_FORMAT(3, 0) set_text(struct doctor *doctor, char **text, const char *format, va_list arguments)
{
	char *made, *joined;

	if (vasprintf(&made, format, arguments) < 0) {
		doctor->failed = true;
		return;
	}
	if (*text && asprintf(&joined, "%s\n%s", *text, made) < 0)
		doctor->failed = true;
	else if (*text) {
		free(*text);
		*text = joined;
		free(made);
		return;
	} else {
		*text = made;
		return;
	}
	free(made);
}

void doctor_add(struct doctor *doctor, enum doctor_group group, const char *rule, const char *what, ...)
{
	struct doctor_finding *larger = reallocarray(doctor->finding, doctor->count + 1, sizeof(*larger)), *finding;
	va_list arguments;

	if (!larger) {
		doctor->failed = true;
		return;
	}
	doctor->finding = larger;
	finding = &larger[doctor->count++];
	*finding = (struct doctor_finding){ .group = group, .rule = rule, .about = strdup(doctor->about) };
	va_start(arguments, what);
	set_text(doctor, &finding->what, what, arguments);
	va_end(arguments);
	doctor->failed |= !finding->about;
}

#define SET_TEXT(member) \
	do { \
		va_list arguments; \
\
		va_start(arguments, format); \
		if (doctor->count) \
			set_text(doctor, &doctor->finding[doctor->count - 1].member, format, arguments); \
		va_end(arguments); \
	} while (0)

void doctor_seen(struct doctor *doctor, const char *format, ...)
{
	SET_TEXT(seen);
}

void doctor_cost(struct doctor *doctor, const char *format, ...)
{
	SET_TEXT(cost);
}

void doctor_mend(struct doctor *doctor, const char *format, ...)
{
	SET_TEXT(mend);
}

void doctor_free(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		free(doctor->finding[i].about);
		free(doctor->finding[i].what);
		free(doctor->finding[i].seen);
		free(doctor->finding[i].cost);
		free(doctor->finding[i].mend);
	}
	free(doctor->finding);
	doctor->finding = NULL;
	doctor->count = 0;
}

enum doctor_group doctor_verdict(const struct doctor *doctor, const char *about, const struct doctor_finding **first)
{
	enum doctor_group worst = DOCTOR_FINE;

	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->finding[i];

		if ((about && strcmp(finding->about, about) != 0) || finding->group >= worst)
			continue;
		worst = finding->group;
		if (first)
			*first = finding;
	}
	return worst;
}

enum doctor_group doctor_worst(const struct doctor *doctor, const struct doctor_overview *overview)
{
	enum doctor_group group = doctor_verdict(doctor, NULL, NULL);

	for (size_t i = 0; i < overview->count && group > DOCTOR_COSTS; i++)
		if (overview->interface[i].group == DOCTOR_COSTS)
			group = DOCTOR_COSTS;
	return group;
}

const char *doctor_group_name(enum doctor_group group)
{
	static const char *const names[] = { "broken", "costs_packets", "fine" };

	return names[group];
}

/* Facts */

double doctor_rate(const struct doctor *doctor, const char *name)
{
	const char *seconds = doctor_fact(doctor, "rate.seconds");
	int64_t number = doctor_number(doctor, name);
	double length = seconds ? strtod(seconds, NULL) : 0;

	return number < 0 || !(length > 0) ? -1 : (double)number / length;
}

bool doctor_feature_is_on(const struct doctor *doctor, const char *feature)
{
	char name[128];
	const char *value;

	snprintf(name, sizeof(name), "nic.feature.%s", feature);
	value = doctor_fact(doctor, name);
	return value && (strcmp(value, "on") == 0 || strcmp(value, "on fixed") == 0);
}

bool doctor_is_cpu_list(const char *text)
{
	return text && isdigit((unsigned char)*text) && text[strspn(text, "0123456789,-")] == '\0';
}

int64_t doctor_advised(const struct doctor *doctor, const char *setting)
{
	int64_t advised = advice_number(doctor->facts, ADVICE_HIGH_THROUGHPUT, setting);

	return advised == doctor_number(doctor, setting) ? -1 : advised;
}

/* Drivers have queues for both directions, or for each apart. */
static const char *channels(const struct doctor *doctor)
{
	return doctor_number(doctor, "nic.channels.combined_max") > 0 ? "combined" : "rx";
}

bool doctor_can_have_more_queues(const struct doctor *doctor)
{
	char setting[32];

	snprintf(setting, sizeof(setting), "nic.channels.%s", channels(doctor));
	return doctor_advised(doctor, setting) > doctor_number(doctor, setting);
}

void doctor_mend_queues(struct doctor *doctor)
{
	char setting[32];

	snprintf(setting, sizeof(setting), "nic.channels.%s", channels(doctor));
	if (doctor_advised(doctor, setting) > 0)
		doctor_mend(doctor, "ethtool -L %s %s %lld", doctor->quoted, channels(doctor), (long long)doctor_advised(doctor, setting));
}

int64_t doctor_most_queues(const struct doctor *doctor)
{
	char setting[32];

	snprintf(setting, sizeof(setting), "nic.channels.%s", channels(doctor));
	return advice_number(doctor->facts, ADVICE_HIGH_THROUGHPUT, setting);
}

void doctor_mend_sysctl(struct doctor *doctor, const char *name)
{
	char setting[96];

	snprintf(setting, sizeof(setting), "host.sysctl.%s", name);
	if (doctor_advised(doctor, setting) >= 0)
		doctor_mend(doctor, "sysctl -w %s=%lld", name, (long long)doctor_advised(doctor, setting));
}

int64_t doctor_queues(const struct doctor *doctor)
{
	int64_t queues = doctor_number(doctor, "nic.rss.queues");

	if (queues <= 0 && doctor_number(doctor, "nic.channels.rx") > 0)
		queues = doctor_number(doctor, "nic.channels.rx");
	if (queues <= 0)
		queues = doctor_number(doctor, "nic.channels.combined");
	if (queues <= 0)
		queues = doctor_number(doctor, "nic.queues.rx");
	return queues > 0 ? queues : 1;
}

/* Figures */

static char *buffer(void)
{
	static char buffers[8][48];
	static unsigned next;

	return buffers[next++ % 8];
}

#define BUFFER 48

const char *doctor_sample(const struct doctor *doctor)
{
	const char *seconds = doctor_fact(doctor, "rate.seconds");
	double length = seconds ? strtod(seconds, NULL) : 0;
	char *text = buffer();

	snprintf(text, BUFFER, length < 10 ? "in the last %.2g s" : "in the last %.0f s", length);
	return text;
}

const char *doctor_average(const struct doctor *doctor, int64_t total)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "a second", 1 }, { "a minute", 60 }, { "an hour", 3600 }, { "a day", 86400 } };
	double each = (double)total / (double)doctor_number(doctor, "host.uptime");
	char *text = buffer();
	size_t unit = 0;

	text[0] = '\0';
	if (doctor_number(doctor, "host.uptime") <= 0 || total <= 0)
		return text;
	while (unit < 3 && each * units[unit].seconds < 1)
		unit++;
	snprintf(text, BUFFER, " (on average %s %s)", doctor_count(each * units[unit].seconds), units[unit].name);
	return text;
}

/* Digits in groups of three, with blanks between them; from ten million on it is millions, then billions. */
const char *doctor_count(double number)
{
	char *text = buffer(), digits[32];
	size_t length, at = 0;

	if (number >= 1e10) {
		snprintf(text, BUFFER, "%.*f billion", number < 1e11 ? 1 : 0, number / 1e9);
		return text;
	}
	if (number >= 1e7) {
		snprintf(text, BUFFER, "%.*f million", number < 1e8 ? 1 : 0, number / 1e6);
		return text;
	}
	length = (size_t)snprintf(digits, sizeof(digits), "%.0f", number);
	for (size_t i = 0; i < length && at + 2 < BUFFER; i++) {
		if (i && (length - i) % 3 == 0 && length > 4)
			text[at++] = ' ';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

const char *doctor_bytes(double bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	char *text = buffer();
	unsigned unit = 0;

	for (; bytes >= 1024 && unit < 4; unit++)
		bytes /= 1024;
	snprintf(text, BUFFER, "%.*f %s", bytes < 10 && bytes != (double)(int64_t)bytes ? 1 : 0, bytes, units[unit]);
	return text;
}

const char *doctor_bits(double per_second)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	char *text = buffer();
	unsigned unit = 0;

	for (; per_second >= 1000 && unit < 4; unit++)
		per_second /= 1000;
	snprintf(text, BUFFER, "%.*f %s", per_second < 10 && per_second != (double)(int64_t)per_second ? 1 : 0, per_second, units[unit]);
	return text;
}

const char *doctor_time(double seconds)
{
	char *text = buffer();

	if (seconds < 0.001)
		snprintf(text, BUFFER, "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(text, BUFFER, "%.*f ms", seconds < 0.01 ? 1 : 0, seconds * 1e3);
	else
		snprintf(text, BUFFER, "%.*f s", seconds < 10 ? 1 : 0, seconds);
	return text;
}
