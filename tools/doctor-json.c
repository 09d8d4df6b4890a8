/* SPDX-License-Identifier: BSD-3-Clause */
/* netring doctor --json. What is in it: netring-doctor.schema.json, which changes with this file. */
#include <string.h>

#include "doctor.h"
#include "json.h"

#define FORMAT_VERSION 1

static void print_text(const char *name, const char *text)
{
	if (text)
		json_string(name, text);
	else
		json_null(name);
}

/* A list of commands, perhaps empty. */
static void print_commands(const char *commands)
{
	char line[1024];

	json_open("mend", '[');
	while (commands && *commands) {
		size_t length = strcspn(commands, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)length, commands);
		json_string(NULL, line);
		commands += length;
		commands += *commands != '\0';
	}
	json_close(']');
}

static void print_finding(const struct doctor_finding *finding)
{
	json_open(NULL, '{');
	json_string("group", doctor_group_name(finding->group));
	json_string("rule", finding->rule);
	json_string("about", finding->about);
	json_string("what", finding->what);
	print_text("seen", finding->seen);
	print_text("cost", finding->cost);
	print_commands(finding->mend);
	json_close('}');
}

static void print_interface(const struct doctor_interface_verdict *interface)
{
	json_open(NULL, '{');
	json_string("name", interface->name);
	json_string("verdict", doctor_group_name(interface->group));
	print_text("why", interface->why);
	json_number("more", interface->more);
	json_close('}');
}

void doctor_print_json(const struct doctor *doctor, const struct doctor_overview *overview)
{
	double packets = doctor_rate(doctor, "rate.packets"), bytes = doctor_rate(doctor, "rate.bytes");

	json_open(NULL, '{');
	json_number("format", FORMAT_VERSION);
	print_text("interface", doctor_fact(doctor, "if.name"));
	json_string("verdict", doctor_group_name(doctor_worst(doctor, overview)));
	json_seconds("packets_per_second", packets);
	json_seconds("bytes_per_second", bytes);
	json_open("findings", '[');
	for (int group = DOCTOR_BROKEN; group <= DOCTOR_FINE; group++)
		for (size_t i = 0; i < doctor->count; i++)
			if ((int)doctor->finding[i].group == group)
				print_finding(&doctor->finding[i]);
	json_close(']');
	json_open("interfaces", '[');
	for (size_t i = 0; i < overview->count; i++)
		print_interface(&overview->interface[i]);
	json_close(']');
	json_close('}');
}
