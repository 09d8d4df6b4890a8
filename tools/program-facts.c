/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Facts about a program that is to be started on netring. Reads files, starts nothing.
 *
 * AppArmor: a profile is looked for by the program's path, as text: "profile NAME PATH {" or "PATH {" in the files of /etc/apparmor.d; patterns in the
 * path are not understood. Whether it is in force is the kernel's word.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "doctor.h"
#include "elf-file.h"
#include "library-search.h"
#include "program.h"
#include "secure-exec.h"
#include "tools.h"

#define PROFILES "/etc/apparmor.d"
#define LOADED "/sys/kernel/security/apparmor/profiles"
#define ENABLED "/sys/module/apparmor/parameters/enabled"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Set-uid and the like, as they would be for any user. */
static void collect_privilege(struct facts *facts, const char *path)
{
	char attribute[64];
	struct stat status;
	bool known = stat(path, &status) == 0;
	bool capabilities = getxattr(path, "security.capability", attribute, sizeof(attribute)) > 0;

	if (capabilities)
		facts_set(facts, "program.privilege", "has file capabilities");
	else if (known && (status.st_mode & S_ISUID))
		facts_set(facts, "program.privilege", "is set-uid");
	else if (known && (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		facts_set(facts, "program.privilege", "is set-gid");
	else
		facts_set(facts, "program.privilege", "none");
}

static void collect_secure(struct facts *facts, const char *path)
{
	static const char *const names[] = {
		[SECURE_EXEC_NO] = "no",
		[SECURE_EXEC_SET_ID] = "set-id",
		[SECURE_EXEC_CAPABILITIES] = "capabilities",
		[SECURE_EXEC_PROCESS] = "process",
	};

	facts_set(facts, "program.secure", names[secure_exec_cause(path)]);
}

static void collect_elf(struct facts *facts, const char *path)
{
	char library[PATH_MAX];
	struct elf elf;
	bool captures;

	if (elf_open(&elf, path, NULL) < 0) {
		facts_set(facts, "program.kind", "script");
		return;
	}
	facts_set(facts, "program.kind", "elf");
	facts_set(facts, "program.static", elf_interpreter(&elf) ? "no" : "yes");
	elf_close(&elf);
	captures = library_search_find_libpcap(path, library, sizeof(library));
	facts_set(facts, "program.captures", captures ? "yes" : "no");
	if (captures)
		facts_set(facts, "program.libpcap", *library ? library : "found when it runs (dlopen)");
}

/* AppArmor */

struct profile {
	char name[256], file[256];
	bool allows;
};

/* The path, whole, as a word of the line. */
static bool has_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = line; (at = strstr(at, word)); at += length)
		if ((at == line || isspace((unsigned char)at[-1]) || at[-1] == '"') &&
		    (at[length] == '\0' || isspace((unsigned char)at[length]) || at[length] == '"' || at[length] == '{'))
			return true;
	return false;
}

static bool is_head(const char *line, const char *path, char *name, size_t size)
{
	line += strspn(line, " \t");
	if (*line == '#' || !strchr(line, '{') || !has_word(line, path))
		return false;
	if (strncmp(line, "profile ", 8) == 0)
		line += 8 + strspn(line + 8, " \t");
	else if (*line != '/' && *line != '"')
		return false;
	line += *line == '"';
	snprintf(name, size, "%.*s", (int)strcspn(line, " \t\"{\n"), line);
	return true;
}

/* A rule that names the folder, but in a comment. */
static bool mentions(const char *path, const char *folder)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (file && !found && getline(&line, &room, file) >= 0)
		found = line[strspn(line, " \t")] != '#' && strstr(line, folder) != NULL;
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool look_into(struct profile *profile, const char *name, const char *program)
{
	char path[512], *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), PROFILES "/%s", name);
	file = fopen(path, "re");
	while (file && !found && getline(&line, &room, file) >= 0)
		found = is_head(line, program, profile->name, sizeof(profile->name));
	free(line);
	if (file)
		fclose(file);
	if (found)
		snprintf(profile->file, sizeof(profile->file), "%s", name);
	return found;
}

static bool find_profile(struct profile *profile, const char *program)
{
	DIR *folder = opendir(PROFILES);
	struct dirent *entry;
	bool found = false;

	while (folder && !found && (entry = readdir(folder)))
		found = entry->d_type != DT_DIR && entry->d_name[0] != '.' && look_into(profile, entry->d_name, program);
	if (folder)
		closedir(folder);
	return found;
}

/* What the abstractions of every profile allow, or a rule of this one. */
static bool allows(const struct profile *profile, const char *folder)
{
	char path[600];

	if (strncmp(folder, "/usr/lib/", 9) == 0 || strncmp(folder, "/lib/", 5) == 0)
		return true;
	snprintf(path, sizeof(path), PROFILES "/%s", profile->file);
	if (mentions(path, folder))
		return true;
	snprintf(path, sizeof(path), PROFILES "/local/%s", profile->file);
	return mentions(path, folder);
}

/* Lines of the kernel: "NAME (enforce)". */
static void collect_mode(struct facts *facts, const char *name)
{
	FILE *file = fopen(LOADED, "re");
	char *line = NULL, *mode;
	size_t room = 0, length = strlen(name);

	if (!file) {
		facts_set(facts, "program.apparmor.mode", "nobody but root may know whether it is in force");
		return;
	}
	facts_set(facts, "program.apparmor.mode", "not loaded");
	while (getline(&line, &room, file) >= 0) {
		if (strncmp(line, name, length) != 0 || strncmp(line + length, " (", 2) != 0)
			continue;
		mode = line + length + 2;
		mode[strcspn(mode, ")\n")] = '\0';
		facts_set(facts, "program.apparmor.mode", mode);
	}
	free(line);
	fclose(file);
}

static bool is_enabled(void)
{
	FILE *file = fopen(ENABLED, "re");
	int answer = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return answer == 'Y';
}

static void collect_apparmor(struct facts *facts, const char *path, const char *folder)
{
	struct profile profile;

	if (!is_enabled() || !find_profile(&profile, path))
		return;
	facts_set(facts, "program.apparmor.profile", profile.name);
	facts_set(facts, "program.apparmor.file", profile.file);
	facts_set(facts, "program.apparmor.allows", allows(&profile, folder) ? "yes" : "no");
	collect_mode(facts, profile.name);
}

int doctor_collect_program(struct facts *facts, char *const argv[], const char *folder, struct netring_error *error)
{
	char found[PATH_MAX], resolved[PATH_MAX];
	struct shim shim;
	int ret = program_find(argv[0], found, sizeof(found));

	if (ret < 0)
		return error_errno(error, -ret, "cannot start %s", argv[0]);
	ret = shim_find(&shim, folder, error);
	if (ret < 0)
		return ret;
	facts_set(facts, "program.name", base_name(found));
	facts_set(facts, "program.path", found);
	facts_set(facts, "program.library_folder", shim.folder);
	collect_privilege(facts, found);
	collect_secure(facts, found);
	collect_elf(facts, found);
	facts_set(facts, "program.check", program_check(found, argv, shim.library, error) < 0 ? error->text : "ok");
	if (realpath(found, resolved))
		collect_apparmor(facts, resolved, shim.folder);
	return 0;
}
