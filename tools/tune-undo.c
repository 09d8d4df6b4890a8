/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and replacing the undo file. */
#define _GNU_SOURCE 1
#include "tune-undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-file.h"

#define UNDO_VERSION "1"

/* The lines that tell what the file is about. */
#define HEAD "undo."

static void fill_head(struct tune_undo *undo, const struct facts *facts)
{
	char boot[64] = "";

	host_file_line(boot, sizeof(boot), "/proc/sys/kernel/random/boot_id");
	facts_set(&undo->head, HEAD "version", UNDO_VERSION);
	facts_set(&undo->head, HEAD "interface", facts_get(facts, "if.name") ?: "");
	facts_set(&undo->head, HEAD "index", facts_get(facts, "if.index") ?: "");
	facts_set(&undo->head, HEAD "mac", facts_get(facts, "if.mac") ?: "");
	facts_set(&undo->head, HEAD "boot", boot);
}

static int open_folder(const char *folder, bool create, struct netring_error *error)
{
	int fd, errnum;

	if (create && mkdir(folder, 0755) < 0 && errno != EEXIST)
		return error_errno(error, errno, "cannot make the folder %s", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, errno, "cannot open the folder %s", folder);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	errnum = errno;
	close(fd);
	if (errnum == EWOULDBLOCK)
		return error_set(error, EBUSY, "another netring tune is at work in %s", folder);
	return error_errno(error, errnum, "cannot lock the folder %s", folder);
}

/* Root does what the file says: so it has to be root's own. */
static int check_file(const struct tune_undo *undo, int fd, struct netring_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "cannot look at %s", undo->path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s is not a file", undo->path);
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(error, EPERM, "%s could have been written by somebody else: remove it", undo->path);
	return 0;
}

static int split(struct tune_undo *undo, const struct facts *loaded, struct netring_error *error)
{
	for (size_t i = 0; i < loaded->count; i++)
		if (strncmp(loaded->fact[i].name, HEAD, strlen(HEAD)) != 0)
			facts_set(&undo->values, loaded->fact[i].name, loaded->fact[i].value);
	if (!facts_is(loaded, HEAD "version", UNDO_VERSION))
		return error_set(error, EINVAL, "%s is no undo file of this version of netring", undo->path);
	for (size_t i = 0; i < undo->head.count; i++) {
		const struct fact *is = &undo->head.fact[i];

		if (facts_is(loaded, is->name, is->value))
			continue;
		if (strcmp(is->name, HEAD "boot") == 0)
			return error_set(error, ESTALE, "%s is from before the machine was started: remove it", undo->path);
		return error_set(error, ESTALE, "%s is about another interface (%s was %s, is %s): it was renamed or replaced; remove the file",
				 undo->path, is->name + strlen(HEAD), facts_get(loaded, is->name) ?: "unknown", is->value);
	}
	return 0;
}

static int load(struct tune_undo *undo, int fd, struct netring_error *error)
{
	struct netring_error detail = { 0 };
	struct facts loaded = { 0 };
	char path[64];
	int ret = check_file(undo, fd, error);

	if (ret < 0)
		return ret;
	/* The file that was looked at, whatever has its name by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = facts_load(&loaded, path, &detail);
	if (ret < 0)
		error_set(error, -ret, "%s is no undo file: %s", undo->path, strrchr(detail.text, '/') ? strrchr(detail.text, '/') + 1 : detail.text);
	else
		ret = split(undo, &loaded, error);
	facts_free(&loaded);
	return ret;
}

int tune_undo_open(struct tune_undo *undo, const char *folder, const struct facts *facts, bool create, struct netring_error *error)
{
	int fd, ret;

	*undo = (struct tune_undo){ .folder = -1 };
	snprintf(undo->name, sizeof(undo->name), "tune-%s.undo", facts_get(facts, "if.name") ?: "");
	snprintf(undo->path, sizeof(undo->path), "%s/%s", folder, undo->name);
	fill_head(undo, facts);
	ret = open_folder(folder, create, error);
	if (ret < 0)
		return ret;
	undo->folder = ret;
	fd = openat(undo->folder, undo->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(error, errno, "cannot open %s", undo->path);
	undo->exists = true;
	ret = load(undo, fd, error);
	close(fd);
	return ret;
}

void tune_undo_close(struct tune_undo *undo)
{
	if (undo->folder >= 0)
		close(undo->folder);
	undo->folder = -1;
	facts_free(&undo->head);
	facts_free(&undo->values);
}

void tune_undo_remember(struct tune_undo *undo, const char *setting, const char *value)
{
	if (!facts_get(&undo->values, setting))
		facts_set(&undo->values, setting, value);
}

static int write_file(const struct tune_undo *undo, int fd)
{
	FILE *file = fdopen(fd, "we");
	int errnum = 0;

	if (!file) {
		errnum = errno;
		close(fd);
		return -errnum;
	}
	fputs("# What netring tune has changed, as it was before: netring tune IF --undo\n", file);
	facts_print(&undo->head, file);
	facts_print(&undo->values, file);
	if (fflush(file) != 0 || ferror(file) || fsync(fd) < 0)
		errnum = errno ? errno : EIO;
	fclose(file);
	return -errnum;
}

static int replace(struct tune_undo *undo, struct netring_error *error)
{
	char new[sizeof(undo->name) + 8];
	int fd, ret;

	snprintf(new, sizeof(new), "%s.new", undo->name);
	/* One that a killed tune has left behind. */
	unlinkat(undo->folder, new, 0);
	fd = openat(undo->folder, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(error, errno, "cannot write %s.new", undo->path);
	ret = write_file(undo, fd);
	if (ret == 0 && renameat(undo->folder, new, undo->folder, undo->name) < 0)
		ret = -errno;
	if (ret < 0)
		unlinkat(undo->folder, new, 0);
	return ret < 0 ? error_errno(error, -ret, "cannot write %s", undo->path) : 0;
}

static int remove_file(struct tune_undo *undo, struct netring_error *error)
{
	if (unlinkat(undo->folder, undo->name, 0) < 0 && errno != ENOENT)
		return error_errno(error, errno, "cannot remove %s", undo->path);
	return 0;
}

int tune_undo_save(struct tune_undo *undo, struct netring_error *error)
{
	int ret;

	if (undo->head.failed || undo->values.failed)
		return error_set(error, ENOMEM, "no memory for the undo file");
	ret = undo->values.count ? replace(undo, error) : remove_file(undo, error);
	/* The name is on the disk only then. */
	if (ret == 0 && fsync(undo->folder) < 0)
		ret = error_errno(error, errno, "cannot write the folder of %s to the disk", undo->path);
	return ret;
}
