/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, reading and replacing undo files. */
#define _GNU_SOURCE 1
#include "tune-undo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-file.h"

#define UNDO_VERSION "1"

/* The lines that tell what the file is about, and of interrupts their names. */
#define HEAD "undo."

#define FRONT "tune-"
#define BACK ".undo"
#define LOCK "tune.lock"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* The kernel's cookie is of one namespace until the next start (Linux 5.14); an inode's number may be given again. */
static int find_namespace(char *text, size_t size, struct netring_error *error)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(uint64_t);
	struct stat status;
	uint64_t cookie;
	bool found = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0;

	if (fd >= 0)
		close(fd);
	if (!found && stat("/proc/self/ns/net", &status) < 0)
		return error_errno(error, errno, "cannot tell this network namespace from others by /proc/self/ns/net");
	if (found)
		snprintf(text, size, "%llu", (unsigned long long)cookie);
	else
		snprintf(text, size, "inode-%llu", (unsigned long long)status.st_ino);
	return 0;
}

static int fill_head(struct tune_undo *undo, const char *interface, int index, struct netring_error *error)
{
	static const char boot_file[] = "/proc/sys/kernel/random/boot_id";
	char boot[64] = "", netns[64];
	int ret = host_file_line(boot, sizeof(boot), boot_file);

	if (ret < 0)
		return error_errno(error, -ret, "cannot tell this start of the machine from others by %s", boot_file);
	ret = find_namespace(netns, sizeof(netns), error);
	if (ret < 0)
		return ret;
	undo->index = index;
	snprintf(undo->interface, sizeof(undo->interface), "%s", interface);
	facts_set(&undo->head, HEAD "version", UNDO_VERSION);
	facts_set(&undo->head, HEAD "interface", interface);
	facts_set_number(&undo->head, HEAD "index", index);
	facts_set(&undo->head, HEAD "netns", netns);
	facts_set(&undo->head, HEAD "boot", boot);
	return 0;
}

/* The folder and the lock. */

/* Whoever may write there could put a file of his own there. */
static int check_folder(const char *folder, int fd, struct netring_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "cannot look at the folder %s", folder);
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(error, EPERM, "others may write to the folder %s: it has to be root's own", folder);
	return 0;
}

static int open_folder(const char *folder, bool create, struct netring_error *error)
{
	int fd, ret;

	if (create && mkdir(folder, 0755) < 0 && errno != EEXIST)
		return error_errno(error, errno, "cannot make the folder %s", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, errno, "cannot open the folder %s", folder);
	ret = check_folder(folder, fd, error);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

/* A lock needs the file to be opened: nobody else can. */
static int lock_folder(struct tune_undo *undo, const char *folder, struct netring_error *error)
{
	struct stat status;

	undo->lock = openat(undo->folder, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (undo->lock < 0)
		return error_errno(error, errno, "cannot open the lock file %s/" LOCK, folder);
	if (fstat(undo->lock, &status) < 0)
		return error_errno(error, errno, "cannot look at the lock file %s/" LOCK, folder);
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IRWXG | S_IRWXO)))
		return error_set(error, EPERM, "the lock file %s/" LOCK " is not root's alone", folder);
	if (flock(undo->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(error, EBUSY, "another netring tune is at work in %s", folder);
	return error_errno(error, errno, "cannot lock %s/" LOCK, folder);
}

/* Reading one file. */

/* Root does what the file says: so it has to be root's own. */
static int check_file(const char *path, int fd, struct netring_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "cannot look at %s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s is not a file", path);
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(error, EPERM, "%s could have been written by somebody else: look into it before its values are used", path);
	return 0;
}

static int load_opened(struct facts *loaded, const char *path, int fd, struct netring_error *error)
{
	struct netring_error detail = { 0 };
	char opened[64];
	int ret = check_file(path, fd, error);

	if (ret < 0)
		return ret;
	/* The file that was looked at, whatever has its name by now. */
	snprintf(opened, sizeof(opened), "/proc/self/fd/%d", fd);
	ret = facts_load(loaded, opened, &detail);
	if (ret < 0)
		return error_set(error, -ret, "%s is no undo file: %s", path,
				 strrchr(detail.text, '/') ? strrchr(detail.text, '/') + 1 : detail.text);
	if (loaded->failed)
		return error_set(error, ENOMEM, "no memory for what is in %s", path);
	if (facts_get(loaded, HEAD "version") && !facts_is(loaded, HEAD "version", UNDO_VERSION))
		return error_set(error, EINVAL, "%s is of another version of netring tune, which can undo it", path);
	if (!facts_get(loaded, HEAD "version") || !facts_get(loaded, HEAD "boot") || !facts_get(loaded, HEAD "netns") ||
	    facts_number(loaded, HEAD "index", 0) <= 0)
		return error_set(error, EINVAL, "%s is no undo file of netring tune", path);
	return 0;
}

static int load(struct facts *loaded, const struct tune_undo *undo, const char *name, const char *path, struct netring_error *error)
{
	int ret, fd = openat(undo->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	ret = load_opened(loaded, path, fd, error);
	close(fd);
	return ret;
}

/* Finding the one. */

enum match {
	MATCH_NONE,
	MATCH_OLD,	 /* from before the machine was started */
	MATCH_ELSEWHERE, /* the name, in another namespace */
	MATCH_NAME,	 /* another number, but it had that name */
	MATCH_HOST,	 /* so, and it has values of the host */
	MATCH_INDEX,
};

static bool same(const struct tune_undo *undo, const struct facts *loaded, const char *name)
{
	const char *is = facts_get(&undo->head, name);

	return is && facts_is(loaded, name, is);
}

static enum match compare(const struct tune_undo *undo, const struct facts *loaded)
{
	bool named = same(undo, loaded, HEAD "interface");
	size_t at = 0;

	if (!same(undo, loaded, HEAD "boot"))
		return MATCH_OLD;
	if (!same(undo, loaded, HEAD "netns"))
		return named ? MATCH_ELSEWHERE : MATCH_NONE;
	if (same(undo, loaded, HEAD "index"))
		return MATCH_INDEX;
	if (!named)
		return MATCH_NONE;
	return facts_next(loaded, "host.", &at) ? MATCH_HOST : MATCH_NAME;
}

struct search {
	enum match best;
	struct facts loaded;
	char name[NAME_MAX + 1];
	bool by_number_only;
};

static void consider(struct search *search, struct tune_undo *undo, struct facts *loaded, const char *name, const char *path)
{
	enum match match = compare(undo, loaded);
	struct facts other = search->loaded;

	if (match == MATCH_OLD)
		unlinkat(undo->folder, name, 0);
	if (match == MATCH_ELSEWHERE)
		snprintf(undo->other, sizeof(undo->other), "%s", path);
	if (match <= MATCH_ELSEWHERE || match <= search->best || (search->by_number_only && match != MATCH_INDEX))
		return;
	search->best = match;
	search->loaded = *loaded;
	*loaded = other;
	snprintf(search->name, sizeof(search->name), "%s", name);
}

static bool is_undo_name(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(FRONT BACK) && strncmp(name, FRONT, strlen(FRONT)) == 0 && strcmp(name + length - strlen(BACK), BACK) == 0;
}

/* A file that cannot be read is in the way only of the interface whose name it has. */
static int consider_file(struct search *search, struct tune_undo *undo, const char *folder, const char *name, struct netring_error *error)
{
	size_t length = strlen(undo->interface);
	struct netring_error why = { 0 };
	struct facts loaded = { 0 };
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ret = load(&loaded, undo, name, path, &why);
	if (ret == 0)
		consider(search, undo, &loaded, name, path);
	facts_free(&loaded);
	if (ret == 0 || strncmp(name + strlen(FRONT), undo->interface, length) != 0 || name[strlen(FRONT) + length] != '-')
		return 0;
	return error_set(error, -ret, "%s", why.text);
}

static int search_folder(struct search *search, struct tune_undo *undo, const char *folder, struct netring_error *error)
{
	int ret = 0, fd = fcntl(undo->folder, F_DUPFD_CLOEXEC, 0);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		ret = error_errno(error, errno, "cannot read the folder %s", folder);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	for (const struct dirent *entry; ret == 0 && (entry = readdir(list));)
		if (is_undo_name(entry->d_name))
			ret = consider_file(search, undo, folder, entry->d_name, error);
	closedir(list);
	return ret;
}

static void take(struct tune_undo *undo, const struct search *search, const char *folder)
{
	for (size_t i = 0; i < search->loaded.count; i++) {
		const struct fact *fact = &search->loaded.fact[i];

		if (strncmp(fact->name, HEAD, strlen(HEAD)) != 0)
			facts_set(&undo->values, fact->name, fact->value);
		else
			facts_set(&undo->head, fact->name, fact->value);
	}
	undo->exists = true;
	undo->index = (int)facts_number(&search->loaded, HEAD "index", 0);
	snprintf(undo->interface, sizeof(undo->interface), "%.*s", IFNAMSIZ - 1, facts_get(&search->loaded, HEAD "interface") ?: "");
	memcpy(undo->name, search->name, sizeof(undo->name));
	snprintf(undo->path, sizeof(undo->path), "%s/%s", folder, undo->name);
}

int tune_undo_open(struct tune_undo *undo, const char *folder, const char *interface, int index, bool create, struct netring_error *error)
{
	struct search search = { .by_number_only = create };
	int ret;

	*undo = (struct tune_undo){ .folder = -1, .lock = -1 };
	ret = fill_head(undo, interface, index, error);
	if (ret < 0)
		return ret;
	snprintf(undo->name, sizeof(undo->name), FRONT "%s-%d-%s" BACK, undo->interface, index, facts_get(&undo->head, HEAD "netns") ?: "");
	snprintf(undo->path, sizeof(undo->path), "%s/%s", folder, undo->name);
	ret = open_folder(folder, create, error);
	if (ret < 0)
		return ret;
	undo->folder = ret;
	ret = lock_folder(undo, folder, error);
	if (ret == 0)
		ret = search_folder(&search, undo, folder, error);
	if (ret == 0 && search.best > MATCH_ELSEWHERE)
		take(undo, &search, folder);
	facts_free(&search.loaded);
	return ret;
}

void tune_undo_close(struct tune_undo *undo)
{
	if (undo->folder >= 0)
		close(undo->folder);
	if (undo->lock >= 0)
		close(undo->lock);
	undo->folder = undo->lock = -1;
	facts_free(&undo->head);
	facts_free(&undo->values);
}

void tune_undo_remember(struct tune_undo *undo, const char *setting, const char *value)
{
	if (!facts_get(&undo->values, setting))
		facts_set(&undo->values, setting, value);
}

void tune_undo_remember_interrupt(struct tune_undo *undo, const char *number, const char *name, const char *cpus)
{
	const char *before = tune_undo_interrupt(undo, number);
	char fact[64];

	snprintf(fact, sizeof(fact), "nic.irq.%s.cpus", number);
	if (before && strcmp(before, name) == 0 && facts_get(&undo->values, fact))
		return;
	facts_set(&undo->values, fact, cpus);
	snprintf(fact, sizeof(fact), HEAD "irq.%s.name", number);
	facts_set(&undo->head, fact, name);
}

const char *tune_undo_interrupt(const struct tune_undo *undo, const char *number)
{
	char fact[64];

	snprintf(fact, sizeof(fact), HEAD "irq.%s.name", number);
	return facts_get(&undo->head, fact);
}

/* Writing. */

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
