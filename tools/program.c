/* SPDX-License-Identifier: BSD-3-Clause */
/* See program.h for the rule. Reads files only, starts nothing. */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf-file.h"
#include "library-search.h"
#include "program.h"
#include "secure-exec.h"

/* They start other programs with an environment of their own. */
static const char *const environment_cleaners[] = { "sudo", "doas", "pkexec", NULL };

/* They start other programs, in ways that their arguments do not show, and hand their environment down. A version behind the name is ignored. */
static const char *const starters[] = {
	/* shells */
	"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "rbash", "sh", "tcsh", "zsh",
	/* interpreters */
	"awk", "expect", "gawk", "java", "lua", "make", "mawk", "node", "nodejs", "perl", "php", "pypy", "python", "Rscript", "ruby", "tclsh",
	/* launchers */
	"chroot", "chrt", "dumb-init", "env", "find", "flock", "gdb", "ionice", "ip", "ltrace", "nice", "nohup", "nsenter", "numactl", "parallel",
	"perf", "prlimit", "runuser", "screen", "script", "setarch", "setpriv", "setsid", "start-stop-daemon", "stdbuf", "strace", "su", "taskset",
	"time", "timeout", "tini", "tmux", "unshare", "valgrind", "watch", "xargs", NULL
};

/* These capture through a helper beside them. */
static const struct {
	const char *program, *helper;
} helpers[] = {
	{ "tshark", "dumpcap" },
	{ "wireshark", "dumpcap" },
};

/* Finding */

/* 0, -EACCES or -ENOENT */
static int check_executable(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	return S_ISREG(status.st_mode) && eaccess(path, X_OK) == 0 ? 0 : -EACCES;
}

static int find_in_path(const char *name, const char *folders, char *path, size_t size)
{
	int result = -ENOENT;

	for (;; folders++) {
		size_t length = strcspn(folders, ":");
		int found = -ENOENT;

		/* An empty item is the current folder. */
		if ((size_t)snprintf(path, size, "%.*s/%s", length ? (int)length : 1, length ? folders : ".", name) < size)
			found = check_executable(path);
		if (found == 0)
			return 0;
		if (found == -EACCES)
			result = -EACCES;
		folders += length;
		if (!*folders)
			return result;
	}
}

int program_find(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH");
	char standard[256];

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/')) {
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return -ENOENT;
		return check_executable(path);
	}
	if (!folders) {
		confstr(_CS_PATH, standard, sizeof(standard));
		folders = standard;
	}
	return find_in_path(name, folders, path, size);
}

/* Names */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* python3.11 and python3 are python. */
static bool is_named(const char *path, const char *const *names)
{
	const char *name = base_name(path);
	size_t length = strlen(name);

	while (length > 1 && (isdigit((unsigned char)name[length - 1]) || name[length - 1] == '.' || name[length - 1] == '-'))
		length--;
	for (; *names; names++)
		if (strlen(*names) == length && strncmp(name, *names, length) == 0)
			return true;
	return false;
}

/* Both what was typed and what it is a link to: sh may be busybox, python3 may be something else. */
static bool is_starter(const char *path)
{
	char resolved[PATH_MAX];

	return is_named(path, starters) || (realpath(path, resolved) && is_named(resolved, starters));
}

/* Reasons */

static int check_cleaner(const char *path, struct netring_error *error)
{
	if (!is_named(path, environment_cleaners))
		return 0;
	return error_set(error, EINVAL, "%s removes LD_PRELOAD from the environment of what it starts; put it first: %s netring run -- PROGRAM",
			 base_name(path), base_name(path));
}

static int check_secure(const char *path, const char *whose, struct netring_error *error)
{
	switch (secure_exec_cause(path)) {
	case SECURE_EXEC_NO:
		return 0;
	case SECURE_EXEC_SET_ID:
		return error_set(error, EINVAL,
				 "%s%s is set-uid or set-gid, and for such programs the loader ignores LD_PRELOAD; "
				 "start netring run as the user that it changes to",
				 whose, path);
	case SECURE_EXEC_CAPABILITIES:
		return error_set(error, EINVAL,
				 "%s%s has file capabilities, and for such programs the loader ignores LD_PRELOAD unless root starts them; "
				 "start netring run as root, or a copy of the program without them under setpriv --ambient-caps",
				 whose, path);
	case SECURE_EXEC_PROCESS:
		return error_set(error, EINVAL, "real and effective ids of this process differ, and then the loader ignores LD_PRELOAD");
	}
	return 0;
}

static int check_helper(const char *path, struct netring_error *error)
{
	char copy[PATH_MAX], helper[PATH_MAX + 32], whose[64];

	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		if (strcmp(base_name(path), helpers[i].program) != 0 || !realpath(path, copy))
			continue;
		snprintf(helper, sizeof(helper), "%s/%s", dirname(copy), helpers[i].helper);
		snprintf(whose, sizeof(whose), "%s captures through %s: ", helpers[i].program, helpers[i].helper);
		return check_secure(helper, whose, error);
	}
	return 0;
}

/* Neither another machine's code nor another libc's goes into a process. netring's own loader stands for that of its library. */
static int check_machine(const char *path, const struct elf *elf, const struct elf *library, struct netring_error *error)
{
	char theirs[64], ours[64];
	const char *interpreter = elf_interpreter(elf);
	struct elf self;
	int result = 0;

	if (!elf_same_machine(elf, library))
		return error_set(error, EINVAL, "%s is a %s program, and netring's library is for %s", path,
				 elf_describe_machine(elf, theirs, sizeof(theirs)), elf_describe_machine(library, ours, sizeof(ours)));
	if (!interpreter)
		return error_set(error, EINVAL, "%s is statically linked: there is no loader that could put netring into it", path);
	if (elf_open(&self, "/proc/self/exe", NULL) < 0)
		return 0;
	if (elf_interpreter(&self) && strcmp(base_name(elf_interpreter(&self)), base_name(interpreter)) != 0)
		result = error_set(error, EINVAL, "%s is linked with another C library (its loader is %s, netring's %s)", path, interpreter,
				   elf_interpreter(&self));
	elf_close(&self);
	return result;
}

/* What is known of one program. 0 only if it captures and netring gets into it. */
struct finding {
	bool is_elf;
	bool captures; /* needs or opens a libpcap.so */
	int result;
};

/* A file that is no ELF file is a script, if only for the shell that execvp falls back to; result is 0 then. */
static struct finding examine(const char *path, const char *library_path, struct netring_error *error)
{
	struct finding finding = { false, false, 0 };
	struct elf elf, library;

	if (elf_open(&elf, path, error) < 0)
		return finding;
	finding.is_elf = true;
	finding.result = elf_open(&library, library_path, error);
	if (finding.result == 0) {
		finding.result = check_machine(path, &elf, &library, error);
		elf_close(&library);
	}
	elf_close(&elf);
	if (finding.result < 0)
		return finding;
	finding.captures = library_search_uses_libpcap(path);
	if (!finding.captures) {
		finding.result = error_set(error, EINVAL, "%s has no libpcap in it, so there is nothing for netring to replace", path);
		return finding;
	}
	finding.result = check_secure(path, "", error);
	if (finding.result == 0)
		finding.result = check_helper(path, error);
	return finding;
}

/* The first argument that names a program that captures: 0 if netring gets into it. -ENOENT and error as it was: there is no such argument. */
static int check_arguments(char *const argv[], const char *library, struct netring_error *error)
{
	char path[PATH_MAX];

	for (size_t i = 1; argv[i]; i++) {
		struct finding finding;
		struct netring_error reason;

		if (argv[i][0] == '-' || program_find(argv[i], path, sizeof(path)) < 0)
			continue;
		if (check_cleaner(path, error) < 0)
			return -EINVAL;
		finding = examine(path, library, &reason);
		if (!finding.captures)
			continue;
		if (finding.result < 0)
			return error_set(error, EINVAL, "%s", reason.text);
		return 0;
	}
	return -ENOENT;
}

int program_check(const char *path, char *const argv[], const char *library, struct netring_error *error)
{
	struct finding finding;
	bool starts_others;
	int result;

	result = check_cleaner(path, error);
	if (result < 0)
		return result;
	finding = examine(path, library, error);
	if (finding.captures)
		return finding.result;
	starts_others = !finding.is_elf || is_starter(path);
	result = check_arguments(argv, library, error);
	/* Without such an argument the program's own reason stands. */
	if (result == -ENOENT && !starts_others)
		return finding.result;
	if (result < 0 && result != -ENOENT)
		return result;
	/* In secure mode what it starts does not inherit the variables either. Of a script the kernel ignores the bits. */
	return finding.is_elf ? check_secure(path, "", error) : 0;
}
