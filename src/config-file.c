/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may have written the file, reading it, and the list of those that the process has read. config-file-parse.c takes them apart. */
#define _GNU_SOURCE 1
#include "config-file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Every file that the process has read; only ever grows, at the head. */
static _Atomic(struct config_file *) known;

/* Who may have written it */

static int refuse_status(const char *shown, const struct stat *status, const char *why, struct netring_error *error)
{
	return error_set(error, EPERM, "%s: owner %u, group %u, mode %04o: %s", shown, (unsigned)status->st_uid, (unsigned)status->st_gid,
			 (unsigned)status->st_mode & 07777, why);
}

static const char *type_name(mode_t mode)
{
	return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Whoever may write the file decides what our captures do, to which file the log is appended, and which program the kernel is given. */
static int judge(const char *shown, const struct stat *status, struct netring_error *error)
{
	bool for_root = geteuid() == 0 || getauxval(AT_SECURE);

	if (!S_ISREG(status->st_mode))
		return error_set(error, EINVAL, "%s: is %s, must be a regular file", shown, type_name(status->st_mode));
	if (for_root && status->st_uid != 0)
		return refuse_status(shown, status, "must be owned by root, for it decides about captures with root's rights", error);
	if (status->st_mode & S_IWOTH)
		return refuse_status(shown, status, "must not be writable by everybody (chmod o-w)", error);
	if (for_root && status->st_mode & S_IWGRP && status->st_gid != 0)
		return refuse_status(shown, status, "must not be writable by a group other than root's (chmod g-w)", error);
	return 0;
}

/* /dev/null is the way to say that there is no file, as everywhere. */
static bool is_null_device(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* Reading */

/* Up to size bytes; st_size is not asked, because it may change, and is 0 in /proc. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, buffer + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

static int read_text(int fd, struct config_file *file, size_t *length, struct netring_error *error)
{
	ssize_t got;

	/* One byte more than is allowed, and room for a final NUL. */
	file->text = malloc(CONFIG_FILE_MAX + 2);
	if (!file->text)
		return error_errno(error, ENOMEM, "cannot read %s", file->shown);
	got = read_all(fd, file->text, CONFIG_FILE_MAX + 1);
	if (got < 0)
		return error_errno(error, (int)-got, "cannot read %s", file->shown);
	if (got > CONFIG_FILE_MAX)
		return error_set(error, EFBIG, "%s: is larger than %d bytes", file->shown, CONFIG_FILE_MAX);
	file->text[got] = '\0';
	*length = (size_t)got;
	return 0;
}

/* A sandbox may forbid to open what does not exist as well, or there may be no descriptor left: nothing that the program should hear of from us. */
static bool is_absent(const char *path, int open_errnum)
{
	return open_errnum == ENOENT || access(path, F_OK) < 0;
}

/* Sets length, or leaves file->text NULL if there is no file and none is needed. */
static int open_and_read(struct config_file *file, bool must_exist, size_t *length, struct netring_error *error)
{
	/* Not to wait for the other end of a FIFO. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), result = 0;
	int open_errnum = errno;
	struct stat status;

	if (fd < 0 && !must_exist && is_absent(file->path, open_errnum))
		return 0;
	if (fd < 0)
		return error_errno(error, open_errnum, "cannot open the configuration file %s", file->shown);
	if (fstat(fd, &status) < 0)
		result = error_errno(error, errno, "cannot look at %s", file->shown);
	else if (!is_null_device(&status))
		result = judge(file->shown, &status, error);
	if (result == 0 && S_ISREG(status.st_mode))
		result = read_text(fd, file, length, error);
	close(fd);
	return result;
}

/* Those that are known */

static void destroy(struct config_file *file)
{
	if (!file)
		return;
	free(file->path);
	free(file->text);
	free(file->sections);
	free(file->lines);
	free(file);
}

/* The end of the path, because that tells files apart. */
static void show_path(struct config_file *file)
{
	size_t length = strlen(file->path);
	bool is_long = length > CONFIG_FILE_SHOWN;

	snprintf(file->shown, sizeof(file->shown), "%s%s", is_long ? "..." : "", file->path + (is_long ? length - CONFIG_FILE_SHOWN : 0));
	for (char *at = file->shown; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
}

/* NULL, with result -errno, if it cannot be had. */
static struct config_file *read_file(const char *path, bool must_exist, int *result, struct netring_error *error)
{
	struct config_file *file = calloc(1, sizeof(*file));
	size_t length = 0;

	if (file)
		file->path = strdup(path);
	if (!file || !file->path) {
		destroy(file);
		*result = error_errno(error, ENOMEM, "cannot read the configuration file");
		return NULL;
	}
	show_path(file);
	*result = open_and_read(file, must_exist, &length, error);
	if (*result == 0 && file->text)
		*result = config_file_parse(file, length, error);
	if (*result == 0)
		return file;
	destroy(file);
	return NULL;
}

const struct config_file *config_file_get_read(const char *path)
{
	/* Pairs with the exchange in config_file_get: whoever sees a file sees what is in it. */
	const struct config_file *file = atomic_load_explicit(&known, memory_order_acquire);

	while (file && strcmp(file->path, path ? path : CONFIG_FILE_PATH) != 0)
		file = file->next;
	return file;
}

int config_file_get(const struct config_file **file, const char *path, struct netring_error *error)
{
	const struct config_file *known_file = config_file_get_read(path);
	struct config_file *fresh;
	int result;

	if (!known_file) {
		fresh = read_file(path ? path : CONFIG_FILE_PATH, path != NULL, &result, error);
		if (!fresh)
			return result;
		fresh->next = atomic_load_explicit(&known, memory_order_relaxed);
		while (!atomic_compare_exchange_weak_explicit(&known, &fresh->next, fresh, memory_order_release, memory_order_relaxed))
			;
		known_file = fresh;
	}
	*file = known_file;
	return 0;
}
