/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands of netring share: their entry points, exit statuses, and how they complain. */
#ifndef NETRING_TOOLS_H
#define NETRING_TOOLS_H

#include <limits.h>

#include "error.h"

/* Exit statuses; those of `run` are env(1)'s for a program that cannot be started. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,	/* wrong words on the command line, or `run` refuses */
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
};

/* Each takes its own name as argv[0] and returns an exit status. */
int run_main(int argc, char **argv);
int env_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int top_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int tune_main(int argc, char **argv);
int version_main(int argc, char **argv);

/* A subcommand as its messages need it: "netring run", and the text that --help prints. */
struct command_text {
	const char *name;
	const char *usage;
};

/* Says on stderr what is wrong, then the usage; returns STATUS_USAGE. */
int complain_usage(const struct command_text *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what getopt_long has just refused (it returned '?' or ':'; opterr is 0 and optstring begins with ':'). */
int complain_option(const struct command_text *command, int result, char *const argv[]);

/* Prints the usage on stdout; returns STATUS_OK. */
int print_usage(const struct command_text *command);

/* Where the drop-in library is. */
struct shim {
	char folder[PATH_MAX];			/* absolute */
	char library[PATH_MAX + 64];		/* folder/libpcap.so.0.8 */
};

/* -errno with the reason if folder has no such library, or a name that the loader's variables cannot hold. */
int shim_find(struct shim *shim, const char *folder, struct netring_error *error);

#endif
