/* SPDX-License-Identifier: BSD-3-Clause */
/* netring: the command line. This file finds the subcommand; each has a file of its own. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nearest.h"
#include "tools.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "run", run_main },	   { "env", env_main },	  { "stats", stats_main },     { "top", top_main },
	{ "doctor", doctor_main }, { "tune", tune_main }, { "version", version_main },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command_text text = {
	"netring",
	"Usage: netring COMMAND [ARGUMENT...]\n"
	"\n"
	"  run      start a program so that its captures go through netring\n"
	"  env      list every NETRING_* variable, its value, and where that came from\n"
	"  stats    show the captures that run, and where they lose packets\n"
	"  top      the same live, with rates, and who loses in words\n"
	"  doctor   find out what costs captures packets on this host, and what mends it\n"
	"  tune     show, set and take back what makes captures on an interface lose less\n"
	"  version  versions of netring and of the libpcap inside it\n"
	"\n"
	"netring COMMAND --help tells more; so do netring(1) and netring(7).\n",
};

int complain_usage(const struct command_text *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n%s", command->usage);
	return STATUS_USAGE;
}

int complain_option(const struct command_text *command, int result, char *const argv[])
{
	if (result == ':')
		return complain_usage(command, "%s needs a value", argv[optind - 1]);
	/* optopt is the letter of an unknown short option, which may sit in the middle of a word; for long ones the word is behind us. */
	if (optopt && strncmp(argv[optind - 1], "--", 2) != 0)
		return complain_usage(command, "unknown option -%c", optopt);
	return complain_usage(command, "unknown option %s", argv[optind - 1]);
}

int print_usage(const struct command_text *command)
{
	fputs(command->usage, stdout);
	return STATUS_OK;
}

int shim_find(struct shim *shim, const char *folder, struct netring_error *error)
{
	char resolved[PATH_MAX];

	if (!realpath(folder, resolved))
		return error_errno(error, errno, "cannot use the library folder %s", folder);
	/* The loader splits its lists at these, and knows no way to quote them. */
	if (strpbrk(resolved, ":; \t\n"))
		return error_set(error, EINVAL,
				 "cannot use the library folder %s: a colon, semicolon or blank in its path would end it in LD_PRELOAD", resolved);
	snprintf(shim->folder, sizeof(shim->folder), "%s", resolved);
	snprintf(shim->library, sizeof(shim->library), "%s/%s", resolved, NETRING_PCAP_SONAME);
	if (access(shim->library, R_OK) != 0)
		return error_set(error, errno, "cannot use %s: %s; -L DIR names the folder of netring's library", shim->library, strerror(errno));
	return 0;
}

static int unknown_command(const char *name)
{
	struct nearest nearest = NEAREST_INIT(name);

	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.best)
		return complain_usage(&text, "unknown command %s, did you mean %s?", name, nearest.best);
	return complain_usage(&text, "unknown command %s", name);
}

static int run_command(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name)
		return complain_usage(&text, "a command is missing");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return print_usage(&text);
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1);
	return name[0] == '-' ? complain_usage(&text, "unknown option %s", name) : unknown_command(name);
}

/* A report on a full disk looks like a short one. */
static int check_output(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_OK;
	fprintf(stderr, "netring: cannot write to standard output: %s\n", strerror(errno ? errno : EIO));
	return STATUS_FAILED;
}

int main(int argc, char **argv)
{
	int status = run_command(argc, argv), output = check_output();

	return status == STATUS_OK ? output : status;
}
