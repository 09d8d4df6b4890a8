/* SPDX-License-Identifier: BSD-3-Clause */
/* netring env: every variable of the table, the value that a capture started from here would use, and where it comes from. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-alias.h"
#include "config-file.h"
#include "tools.h"

static const struct command_text text = {
	"netring env",
	"Usage: netring env [--program NAME] [--interface IF] [--json]\n"
	"\n"
	"List every NETRING_* variable: its value here, where that came from (default, a profile, a line of the configuration file, the "
	"environment,\n"
	"or an alias: another library's variable), and what it is for.\n"
	"Values that no capture would accept are shown with the reason, and the exit status is 1.\n"
	"\n"
	"  -p, --program NAME  with the sections of the configuration file for that program; a folder in front does not count\n"
	"  -i, --interface IF  with those for captures on that interface\n"
	"  -j, --json          the same for programs, with what is allowed and the default\n",
};

struct report {
	struct config config;
	struct netring_error errors[CONFIG_COUNT]; /* of single values; empty text: none */
	struct netring_error together;		   /* of values that do not go together, or of an unknown name under NETRING_STRICT */
	bool failed;
	bool file_is_named; /* which is wrong; else it is the default's */
};

/* The first step of a load, by itself: with a file that is wrong, the rest is shown as it would be without one. */
static void load_file(struct report *report)
{
	struct config scratch = report->config;

	if (config_find_file(&scratch, &report->errors[CONFIG_CONFIG]) == 0) {
		report->config.file = scratch.file;
		return;
	}
	report->failed = true;
	report->file_is_named = secure_getenv(config_variables[CONFIG_CONFIG].name) != NULL;
	setenv(config_variables[CONFIG_CONFIG].name, "/dev/null", 1);
}

/* What goes wrong while aliases are read, or sections of several interfaces, ends that; the environment still counts. */
static void show_what_was_read(struct report *report)
{
	if (config_read(&report->config, NULL) == 0)
		return;
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const char *value = secure_getenv(config_variables[i].name);

		if (value)
			config_parse(&report->config, i, value, CONFIG_FROM_ENVIRONMENT, NULL);
	}
}

/* Where a value that is wrong by itself is from. */
static const char *source_of_error(const struct report *report, enum config_id id)
{
	return id == CONFIG_CONFIG && !report->file_is_named ? "default" : "environment";
}

/*
 * Bad values are taken out of our own environment after they were noted, so that the others can be loaded and shown as what they are. Values
 * that are fine one by one but not together are shown as they were read; while some are bad by themselves, whether the rest goes together tells nothing.
 */
static void load(struct report *report)
{
	struct log log = LOG_INIT;

	load_file(report);
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		struct config scratch = report->config;
		const char *value = secure_getenv(config_variables[i].name);

		if (!value || config_parse(&scratch, i, value, CONFIG_FROM_ENVIRONMENT, &report->errors[i]) == 0)
			continue;
		unsetenv(config_variables[i].name);
		report->failed = true;
	}
	if (config_load(&report->config, &report->together) < 0) {
		if (report->failed)
			report->together.text[0] = '\0';
		report->failed = true;
		show_what_was_read(report);
	} else if (config_check_names(&log, report->config.value[CONFIG_STRICT], &report->together) < 0) {
		report->failed = true;
	}
}

static void describe_source(const struct config *config, enum config_id id, char *buffer, size_t size)
{
	char profile[128];

	if (config->line[id]) {
		config_file_where(config->line[id], buffer, size);
		return;
	}
	switch (config->source[id]) {
	case CONFIG_FROM_DEFAULT_PROFILE:
	case CONFIG_FROM_PROFILE:
		snprintf(buffer, size, "profile %s", config_format(config, CONFIG_PROFILE, profile, sizeof(profile)));
		break;
	case CONFIG_FROM_ALIAS:
		snprintf(buffer, size, "alias %s", config_alias_of(config, id));
		break;
	case CONFIG_FROM_ENVIRONMENT:
		snprintf(buffer, size, "environment");
		break;
	default:
		snprintf(buffer, size, "default");
	}
}

static void print_row(const char *name, const char *value, const char *source, const char *help)
{
	printf("%-25s %-42s %-38s %s\n", name, value, source, help);
}

static void print_table(const struct report *report)
{
	char value[4096], source[256];

	print_row("VARIABLE", "VALUE", "FROM", "MEANING");
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct config_variable *variable = &config_variables[i];

		if (report->errors[i].text[0]) {
			print_row(variable->name, "error", source_of_error(report, i), report->errors[i].text);
			continue;
		}
		describe_source(&report->config, i, source, sizeof(source));
		print_row(variable->name, config_format(&report->config, i, value, sizeof(value)), source, variable->help);
	}
	if (report->together.text[0])
		printf("error: %s\n", report->together.text);
}

static void print_string(const char *string)
{
	putchar('"');
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			printf("\\u%04x", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

static void print_member(const char *name, const char *value, const char *end)
{
	printf("\"%s\": ", name);
	print_string(value);
	fputs(end, stdout);
}

static void print_json_variable(const struct report *report, const struct config *defaults, enum config_id id)
{
	char buffer[4096];
	const char *error = report->errors[id].text;

	fputs("    {", stdout);
	print_member("name", config_variables[id].name, ", ");
	if (*error) {
		print_member("error", error, ", ");
		print_member("from", source_of_error(report, id), ", ");
	} else {
		print_member("value", config_format(&report->config, id, buffer, sizeof(buffer)), ", ");
		describe_source(&report->config, id, buffer, sizeof(buffer));
		print_member("from", buffer, ", ");
	}
	print_member("allowed", config_allowed(id, buffer, sizeof(buffer)), ", ");
	print_member("default", config_format(defaults, id, buffer, sizeof(buffer)), ", ");
	print_member("help", config_variables[id].help, "}");
}

static void print_json_aliases(void)
{
	enum config_id target;
	const char *name;

	fputs("  \"aliases\": [", stdout);
	for (size_t i = 0; (name = config_alias_name(i, &target)); i++) {
		fputs(i ? ",\n    {" : "\n    {", stdout);
		print_member("name", name, ", ");
		print_member("variable", config_variables[target].name, "}");
	}
	puts("\n  ],");
}

static void print_json(const struct report *report)
{
	struct config defaults;

	config_init(&defaults);
	printf("{\n  \"variables\": [\n");
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		print_json_variable(report, &defaults, i);
		puts(i + 1 < CONFIG_COUNT ? "," : "");
	}
	puts("  ],");
	print_json_aliases();
	fputs("  \"error\": ", stdout);
	if (report->together.text[0])
		print_string(report->together.text);
	else
		fputs("null", stdout);
	puts("\n}");
}

static const char *without_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int env_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "program", required_argument, NULL, 'p' },
		{ "interface", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct report report;
	bool json = false;
	int option;

	config_init(&report.config);
	report.config.program = ""; /* not ours: only what is for all programs */
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":p:i:jh", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			report.config.program = without_folder(optarg);
			break;
		case 'i':
			report.config.interface = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return print_usage(&text);
		default:
			return complain_option(&text, option, argv);
		}
	}
	if (optind < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind]);
	load(&report);
	if (json)
		print_json(&report);
	else
		print_table(&report);
	return report.failed ? STATUS_FAILED : STATUS_OK;
}
