/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sections of the configuration file hold for a program and an interface, and which of their lines count. Pure but for the program's own name. */
#ifndef NETRING_CONFIG_CHOICE_H
#define NETRING_CONFIG_CHOICE_H

#include "config-file.h"

/* For each variable the line that counts, or NULL. */
struct config_lines {
	const struct config_line *of[CONFIG_COUNT];
};

struct config_choice {
	struct config_lines general;		/* [default] */
	struct config_lines interface;
	struct config_lines program;
};

/*
 * Of two sections that hold, one without wildcards is stronger, else the one further down. program NULL is this process (config_choice_program), interface
 * NULL is none. -EINVAL if a list of interfaces has sections that say different things, and there is no section of the whole list to decide.
 */
int config_choose(struct config_choice *choice, const struct config_file *file, const char *program, const char *interface, struct netring_error *error);

/* Puts the section's lines over those that are there. */
void config_lines_add(struct config_lines *lines, const struct config_section *section);

/*
 * The name of this process for [program NAME]: that of the file that was executed, which of a script is the script's. What argv[0], prctl or setproctitle say
 * does not count. In set-uid programs, whose caller could choose a name by a link, it is the file itself that counts.
 */
const char *config_choice_program(void);

#endif
