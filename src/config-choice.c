/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "config-choice.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "interface-list.h"

/* The program's name */

static char own_name[NAME_MAX + 1];

static const char *without_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void find_own_name(void)
{
	const char *executed = getauxval(AT_SECURE) ? NULL : (const char *)getauxval(AT_EXECFN);
	char path[PATH_MAX] = "";
	ssize_t length;

	/* What fexecve leaves there is the number of a descriptor. */
	if (!executed || strncmp(executed, "/dev/fd/", 8) == 0) {
		length = readlink("/proc/self/exe", path, sizeof(path) - 1);
		path[length > 0 ? length : 0] = '\0';
		executed = path;
	}
	snprintf(own_name, sizeof(own_name), "%.*s", NAME_MAX, without_folder(executed));
}

const char *config_choice_program(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* Once: /proc may be out of reach later on. */
	pthread_once(&once, find_own_name);
	return own_name;
}

/* Sections */

void config_lines_add(struct config_lines *lines, const struct config_section *section)
{
	struct config_lines added = { 0 };

	for (size_t i = 0; i < section->count; i++)
		added.of[section->first[i].id] = lines->of[section->first[i].id] = &section->first[i];
	/* These two say the same thing: who sets one takes back what a weaker section said by the other. */
	if (added.of[CONFIG_RING_SIZE] && !added.of[CONFIG_BLOCK_COUNT])
		lines->of[CONFIG_BLOCK_COUNT] = NULL;
	if (added.of[CONFIG_BLOCK_COUNT] && !added.of[CONFIG_RING_SIZE])
		lines->of[CONFIG_RING_SIZE] = NULL;
	/* Flags and program are the group's. */
	if (added.of[CONFIG_FANOUT] && !added.of[CONFIG_FANOUT_FLAGS])
		lines->of[CONFIG_FANOUT_FLAGS] = NULL;
	if (added.of[CONFIG_FANOUT] && !added.of[CONFIG_FANOUT_PROG])
		lines->of[CONFIG_FANOUT_PROG] = NULL;
}

static bool holds(const struct config_section *section, const char *name)
{
	return section->is_pattern ? fnmatch(section->name, name, FNM_NOESCAPE) == 0 : strcmp(section->name, name) == 0;
}

/* The sections of that kind, the stronger ones later. */
static void add_sections(struct config_lines *lines, const struct config_file *file, enum config_section_kind kind, const char *name)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < file->section_count; i++) {
			const struct config_section *section = &file->sections[i];

			if (section->kind == kind && section->is_pattern == (pass == 0) && holds(section, name))
				config_lines_add(lines, section);
		}
}

static const struct config_section *find_section(const struct config_file *file, enum config_section_kind kind, const char *name)
{
	for (size_t i = 0; i < file->section_count; i++)
		if (file->sections[i].kind == kind && strcmp(file->sections[i].name, name) == 0)
			return &file->sections[i];
	return NULL;
}

/* Adds what is said of one more interface of the list, if that agrees with what is said of the others, or whole decides it. */
static int add_agreeing(struct config_lines *lines, const struct config_lines *more, const struct config_lines *whole, const char *list,
			struct netring_error *error)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct config_line *one = lines->of[i], *other = more->of[i];
		char first[128], second[128];

		if (one && other && !whole->of[i] && strcmp(one->value, other->value) != 0)
			return error_set(error, EINVAL, "%s: %.90s and %.90s disagree on %s; [interface %s] decides", list,
					 config_file_where(one, first, sizeof(first)), config_file_where(other, second, sizeof(second)),
					 config_variables[i].name, list);
		if (other)
			lines->of[i] = other;
	}
	return 0;
}

static int choose_of_list(struct config_lines *lines, const struct config_file *file, const struct interface_list *list, const char *text,
			  struct netring_error *error)
{
	const struct config_section *section = find_section(file, SECTION_INTERFACE, text);
	struct config_lines whole = { 0 };
	int result = 0;

	if (section)
		config_lines_add(&whole, section);
	for (unsigned i = 0; i < list->count && result == 0; i++) {
		struct config_lines more = { 0 };

		add_sections(&more, file, SECTION_INTERFACE, list->name[i]);
		result = add_agreeing(lines, &more, &whole, text, error);
	}
	if (result == 0 && section)
		config_lines_add(lines, section);
	return result;
}

int config_choose(struct config_choice *choice, const struct config_file *file, const char *program, const char *interface,
		  struct netring_error *error)
{
	const struct config_section *general = find_section(file, SECTION_DEFAULT, "");
	struct interface_list list;

	*choice = (struct config_choice){ 0 };
	if (!file->text)
		return 0;
	if (general)
		config_lines_add(&choice->general, general);
	add_sections(&choice->program, file, SECTION_PROGRAM, program ? program : config_choice_program());
	if (!interface)
		return 0;
	/* A list that is wrong is somebody else's to refuse. */
	if (interface_list_is_list(interface) && interface_list_parse(&list, interface, NULL) == 0)
		return choose_of_list(&choice->interface, file, &list, interface, error);
	add_sections(&choice->interface, file, SECTION_INTERFACE, interface);
	return 0;
}
