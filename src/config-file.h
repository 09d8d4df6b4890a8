/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file, /etc/netring.conf or what NETRING_CONFIG names: who may have written it, what is in it.
 *
 *	[default]		weaker than what the program asks for
 *	[interface eth*]	of captures on it; a pattern of fnmatch(3)
 *	[program tcpdump]	the same, for programs
 *	[profile NAME]		for NETRING_PROFILE=NAME and for profile = NAME
 *	block_size = 4M		NETRING_BLOCK_SIZE; # and ; begin comments
 *
 * A file is read once in the life of a process, at the first load, and kept until its end, as is that there is none: what is loaded later, in a chroot or
 * a sandbox, opens nothing. Only a failure is not kept. What is read never changes again, so any number of threads may look at it; two that read
 * the same file at the same time each get one of their own. There is no lock for a fork to leave locked.
 */
#ifndef NETRING_CONFIG_FILE_H
#define NETRING_CONFIG_FILE_H

#include "config.h"

#define CONFIG_FILE_PATH "/etc/netring.conf"

/* What a file, and a line of it, may have in bytes. */
#define CONFIG_FILE_MAX (64 << 10)
#define CONFIG_FILE_LINE_MAX 4096

/* So much of a path is repeated in sentences, its end, with "..." in front. */
#define CONFIG_FILE_SHOWN 48

enum config_section_kind { SECTION_DEFAULT, SECTION_INTERFACE, SECTION_PROGRAM, SECTION_PROFILE };

struct config_line {
	enum config_id id;
	unsigned number;		/* in the file, from 1 on */
	const char *value;
	const struct config_section *section;
};

struct config_section {
	enum config_section_kind kind;
	bool is_pattern;
	const char *name;		/* "" of [default] */
	unsigned number;		/* of the header's line */
	const struct config_line *first;
	size_t count;
	const struct config_file *file;
};

struct config_file {
	struct config_file *next;	/* of those that this process has read */
	char *path;
	char shown[CONFIG_FILE_SHOWN + 4];
	char *text;			/* that names and values point into; NULL: there is no such file */
	struct config_section *sections;
	size_t section_count;
	struct config_line *lines;
	size_t line_count;
};

/*
 * The file, read and checked: every line of it, whether it holds for this capture or not. path NULL is CONFIG_FILE_PATH, which need not exist. Fails with
 * -errno and "PATH: …" if it cannot be read or its owner or mode could let others decide for us, with -EINVAL and "PATH:LINE: what, and what is allowed".
 */
int config_file_get(const struct config_file **file, const char *path, struct netring_error *error);

/* The same if this process has read it already, else NULL. */
const struct config_file *config_file_get_read(const char *path);

/*
 * Takes file->text of that length apart, which has a NUL behind it; paths are set already. -EINVAL as above, or -ENOMEM; the caller frees what is then in
 * file.
 */
int config_file_parse(struct config_file *file, size_t length, struct netring_error *error);

/* The section of a profile, any case, or NULL. */
const struct config_section *config_file_profile(const struct config_file *file, const char *name);

/* "PATH:12 [program tcpdump]", into buffer; returns buffer. */
const char *config_file_where(const struct config_line *line, char *buffer, size_t size);

#endif
