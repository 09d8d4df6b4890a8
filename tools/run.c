/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring run: start a program so that its libpcap is netring's.
 *
 * Everything is checked before anything is changed, and then this process becomes the program: no parent stays behind, so signals, exit
 * status and the terminal are the program's own.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "program.h"
#include "tools.h"

#define PREFIX "NETRING_"

static const struct command_text text = {
	"netring run",
	"Usage: netring run [-f] [-p PROFILE] [-o NAME=VALUE]... [-L DIR] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Start PROGRAM so that what it captures with libpcap goes through netring.\n"
	"\n"
	"  -p, --profile PROFILE    default, high_throughput, low_latency, low_memory or jumbo; the same as -o PROFILE=PROFILE\n"
	"  -o, --option NAME=VALUE  set NETRING_NAME, unless the environment has it already; netring env lists them\n"
	"  -L, --library-dir DIR    take " NETRING_PCAP_SONAME " from DIR instead of " NETRING_SHIM_DIR "\n"
	"  -f, --force              start PROGRAM also when it seems that netring cannot get into it\n",
};

struct request {
	const char *folder;
	bool force;
	const char *values[CONFIG_COUNT]; /* of -o and -p; NULL: not given */
};

static int refuse(const struct netring_error *error, const char *hint)
{
	fprintf(stderr, "netring run: %s%s\n", error->text, hint);
	return STATUS_USAGE;
}

/* "NAME=VALUE", NAME with or without the prefix. */
static int take_option(struct request *request, const char *argument)
{
	const char *equals = strchr(argument, '=');
	struct config scratch;
	struct netring_error error;
	char name[256];
	int id;

	if (!equals)
		return complain_usage(&text, "-o %s: needs NAME=VALUE", argument);
	snprintf(name, sizeof(name), "%s%.*s", strncmp(argument, PREFIX, strlen(PREFIX)) == 0 ? "" : PREFIX, (int)(equals - argument), argument);
	id = config_find(name, &error);
	if (id < 0)
		return refuse(&error, "");
	config_init(&scratch);
	/* A profile may be of the configuration file, which another option may choose: set_variables looks at it. */
	if (id != CONFIG_PROFILE && config_parse(&scratch, id, equals + 1, CONFIG_FROM_ENVIRONMENT, &error) < 0)
		return refuse(&error, "");
	request->values[id] = equals + 1;
	return STATUS_OK;
}

static int take_profile(struct request *request, const char *profile)
{
	char argument[256];
	int status;

	snprintf(argument, sizeof(argument), PREFIX "PROFILE=%s", profile);
	status = take_option(request, argument);
	request->values[CONFIG_PROFILE] = profile;
	return status;
}

/* Fills the request up to the program's name, which is at optind then. Sets done when --help was all that was asked. */
static int read_options(struct request *request, int argc, char **argv, bool *done)
{
	static const struct option options[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "option", required_argument, NULL, 'o' },
		{ "library-dir", required_argument, NULL, 'L' },
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, status = STATUS_OK;

	opterr = 0;
	/* '+': the first word that is no option is the program; what follows belongs to it. */
	while (status == STATUS_OK && (option = getopt_long(argc, argv, "+:p:o:L:fh", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			status = take_profile(request, optarg);
			break;
		case 'o':
			status = take_option(request, optarg);
			break;
		case 'L':
			request->folder = optarg;
			break;
		case 'f':
			request->force = true;
			break;
		case 'h':
			*done = true;
			return print_usage(&text);
		default:
			return complain_option(&text, option, argv);
		}
	}
	if (status == STATUS_OK && optind == argc)
		return complain_usage(&text, "the program to start is missing");
	return status;
}

/* The environment is stronger than -o: it is the user's more deliberate, or the administrator's, word. */
static void set_variable(enum config_id id, const char *value)
{
	const char *name = config_variables[id].name, *present = getenv(name);

	if (!present)
		setenv(name, value, 1);
	else if (strcmp(present, value) != 0)
		fprintf(stderr, "netring run: warning: %s=%s of the environment counts, not %s\n", name, present, value);
}

/* What was asked for must be right together with the environment too. */
static int set_variables(const struct request *request, const char *path, struct netring_error *error)
{
	const char *slash = strrchr(path, '/');
	struct config config;
	bool asked = false;

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		if (!request->values[i])
			continue;
		set_variable(i, request->values[i]);
		asked = true;
	}
	config_init(&config);
	config.program = slash ? slash + 1 : path;
	return asked ? config_load(&config, error) : 0;
}

/* Put item before what the variable holds, unless it is there already. An empty list stays without a separator: the loader would read it as ".". */
static int prepend(const char *name, const char *item, struct netring_error *error)
{
	const char *list = getenv(name);
	size_t length = strlen(item);
	char *joined;
	int result = 0;

	if (list && strncmp(list, item, length) == 0 && (list[length] == '\0' || list[length] == ':'))
		return 0;
	if (asprintf(&joined, "%s%s%s", item, list && *list ? ":" : "", list ? list : "") < 0)
		return error_errno(error, ENOMEM, "cannot set %s", name);
	if (setenv(name, joined, 1) != 0)
		result = error_errno(error, errno, "cannot set %s", name);
	free(joined);
	return result;
}

static int set_loader_variables(const struct shim *shim, struct netring_error *error)
{
	int result = prepend("LD_LIBRARY_PATH", shim->folder, error);

	return result < 0 ? result : prepend("LD_PRELOAD", shim->library, error);
}

static int cannot_start(const char *program, int errnum)
{
	fprintf(stderr, "netring run: cannot start %s: %s\n", program, strerror(errnum));
	return errnum == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static int start(const struct request *request, char **argv)
{
	struct shim shim;
	struct netring_error error;
	char path[PATH_MAX];
	int result;

	result = program_find(argv[0], path, sizeof(path));
	if (result < 0)
		return cannot_start(argv[0], -result);
	if (shim_find(&shim, request->folder, &error) < 0)
		return refuse(&error, "");
	if (!request->force && program_check(path, argv, shim.library, &error) < 0)
		return refuse(&error, " (-f starts it anyway)");
	if (set_variables(request, path, &error) < 0 || set_loader_variables(&shim, &error) < 0)
		return refuse(&error, "");
	/* Not execv: a script without #! is the shell's, as everywhere. */
	execvp(path, argv);
	return cannot_start(argv[0], errno);
}

int run_main(int argc, char **argv)
{
	struct request request = { .folder = NETRING_SHIM_DIR };
	bool done = false;
	int status = read_options(&request, argc, argv, &done);

	if (done || status != STATUS_OK)
		return status;
	return start(&request, argv + optind);
}
