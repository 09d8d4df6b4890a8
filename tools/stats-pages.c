/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The search: every descriptor of every process whose name is that of a page; and, because a sandboxed process makes none, every piece of shared
 * anonymous memory that has a page's size and begins like one. After a fork several processes have the same page, so pages are told apart by their
 * inode, and each capture on a page goes to one of its holders: its maker, or, where a forked child has taken the capture over, a holder that is not
 * the maker. A page is read when it is found, and no descriptor of it is kept: there may be more captures than we may have descriptors.
 */
#include "stats-pages.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINK "/memfd:" STATS_NAME " (deleted)"
#define ANONYMOUS " /dev/zero (deleted)"
#define PAGES_OF_A_PROCESS 64 /* one, and those of the processes that it was forked from */

/* A page and a process that has it open. */
struct holder {
	struct stats_process process;
	dev_t device;
	ino_t inode;
};

struct search {
	struct stats_views views;
	struct holder *holder;
	size_t holders;
};

/* Opened only when it is known to be a regular file: others may do something when they are. By O_PATH, so that it stays the one that was looked at. */
static int open_regular(int folder, const char *name, struct stat *status, const char **reason)
{
	int found = openat(folder, name, O_PATH | O_CLOEXEC), fd = -1;
	char path[64];

	if (found < 0 || fstat(found, status) < 0) {
		*reason = errno == ENOENT || errno == ESRCH ? NULL : strerror(errno);
	} else if (!S_ISREG(status->st_mode)) {
		*reason = "it is no file";
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		*reason = fd < 0 ? strerror(errno) : NULL;
	}
	if (found >= 0)
		close(found);
	return fd;
}

/* -1: reason says why, NULL that it has gone. The size of a sealed file stays what it is, and only files in memory have seals. */
static int open_page(int folder, const char *name, struct stat *status, const char **reason)
{
	int fd = open_regular(folder, name, status, reason), seals;

	if (fd < 0)
		return -1;
	seals = fcntl(fd, F_GET_SEALS);
	if (status->st_size != (off_t)STATS_SIZE)
		*reason = "its size is not that of this version's statistics";
	else if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
		*reason = "it is not sealed";
	else
		return fd;
	close(fd);
	return -1;
}

static bool is_known(const struct search *search, pid_t pid, const struct stat *status)
{
	for (size_t i = search->holders; i-- > 0 && search->holder[i].process.pid == pid;)
		if (search->holder[i].device == status->st_dev && search->holder[i].inode == status->st_ino)
			return true;
	return false;
}

static bool has_too_many(const struct search *search, pid_t pid)
{
	return search->holders >= PAGES_OF_A_PROCESS && search->holder[search->holders - PAGES_OF_A_PROCESS].process.pid == pid;
}

/* Notes who has the page, and reads it if nobody had it before. */
static int take_page(struct search *search, const struct stats_place *page)
{
	struct holder *holder;
	bool is_read = false;

	if (has_too_many(search, page->process->pid))
		return stats_views_refuse(&search->views, page->process, "it has too many pages of statistics");
	for (size_t i = 0; i < search->holders && !is_read; i++)
		is_read = search->holder[i].device == page->device && search->holder[i].inode == page->inode;
	holder = stats_array_grow(search->holder, search->holders, sizeof(*holder));
	if (!holder)
		return -ENOMEM;
	search->holder = holder;
	holder[search->holders++] = (struct holder){ *page->process, page->device, page->inode };
	return is_read ? 0 : stats_views_read(&search->views, page);
}

static int take_descriptor(struct search *search, int process_folder, int folder, const char *name, pid_t pid)
{
	struct stat status;
	struct stats_process process;
	const char *reason;
	int fd = open_page(folder, name, &status, &reason), ret = 0;

	if (fd < 0 && !reason)
		return 0;
	if (fd < 0) {
		stats_process_describe(&process, process_folder, pid);
		return stats_views_refuse(&search->views, &process, reason);
	}
	if (!is_known(search, pid, &status)) {
		stats_process_describe(&process, process_folder, pid);
		ret = take_page(search, &(struct stats_place){ &process, status.st_dev, status.st_ino, fd, 0 });
	}
	close(fd);
	return ret;
}

static int take_descriptors(struct search *search, int process, DIR *descriptors, pid_t pid)
{
	const struct dirent *entry;
	char target[sizeof(LINK) + 1];
	int ret = 0, folder = dirfd(descriptors);

	while (ret == 0 && (entry = readdir(descriptors))) {
		ssize_t length = readlinkat(folder, entry->d_name, target, sizeof(target));

		if (length == (ssize_t)strlen(LINK) && memcmp(target, LINK, strlen(LINK)) == 0)
			ret = take_descriptor(search, process, folder, entry->d_name, pid);
	}
	return ret;
}

static bool begins_like_a_page(int memory, off_t page)
{
	uint64_t magic;

	return pread(memory, &magic, sizeof(magic), page) == sizeof(magic) && magic == STATS_MAGIC;
}

/* A line of maps: "FROM-TO rw-s OFFSET MAJOR:MINOR INODE NAME". */
static bool parse_memory(const char *line, struct stat *status, off_t *page)
{
	unsigned long from, to, inode;
	unsigned major, minor;

	if (sscanf(line, "%lx-%lx rw-s 00000000 %x:%x %lu", &from, &to, &major, &minor, &inode) != 5 || to - from != STATS_SIZE ||
	    !strstr(line, ANONYMOUS))
		return false;
	status->st_dev = makedev(major, minor);
	status->st_ino = inode;
	*page = (off_t)from;
	return true;
}

static int take_memory(struct search *search, int process_folder, const char *line, pid_t pid)
{
	struct stats_process process;
	struct stat status;
	off_t offset;
	int fd, ret = 0;

	if (!parse_memory(line, &status, &offset) || is_known(search, pid, &status))
		return 0;
	fd = openat(process_folder, "mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		search->views.hidden += errno == EACCES || errno == EPERM;
		return 0;
	}
	if (begins_like_a_page(fd, offset)) {
		stats_process_describe(&process, process_folder, pid);
		ret = take_page(search, &(struct stats_place){ &process, status.st_dev, status.st_ino, fd, offset });
	}
	close(fd);
	return ret;
}

static int take_memories(struct search *search, int process_folder, pid_t pid)
{
	int fd = openat(process_folder, "maps", O_RDONLY | O_CLOEXEC), ret = 0;
	FILE *maps = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (!maps) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (ret == 0 && getline(&line, &size, maps) > 0)
		ret = take_memory(search, process_folder, line, pid);
	free(line);
	fclose(maps);
	return ret;
}

/* `process` is the folder of any thread: what one has, all have. That of the process is the first thread's. */
static int take_thread(struct search *search, int process, pid_t pid)
{
	int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *descriptors;

	if (folder < 0 && (errno == EACCES || errno == EPERM) && stats_process_has_memory(process))
		search->views.hidden++;
	descriptors = folder >= 0 ? fdopendir(folder) : NULL;
	if (descriptors) {
		ret = take_descriptors(search, process, descriptors, pid);
		closedir(descriptors);
		if (ret == 0)
			ret = take_memories(search, process, pid);
	} else if (folder >= 0) {
		close(folder);
	}
	return ret;
}

static int take_process(struct search *search, int proc, const char *name)
{
	int process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), thread, ret;
	pid_t pid = (pid_t)strtol(name, NULL, 10);

	if (process < 0)
		return 0;
	thread = stats_process_is_zombie(process) ? stats_process_open_living_thread(process) : process;
	ret = thread >= 0 ? take_thread(search, thread, pid) : 0;
	if (thread >= 0 && thread != process)
		close(thread);
	close(process);
	return ret;
}

static int find_holders(struct search *search, const char *path, struct netring_error *error)
{
	DIR *proc = opendir(path);
	const struct dirent *entry;
	int ret = 0;

	if (!proc)
		return error_errno(error, errno, "cannot read %s", path);
	while (ret == 0 && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = take_process(search, dirfd(proc), entry->d_name);
	closedir(proc);
	return ret < 0 ? error_errno(error, -ret, "list of captures") : 0;
}

/* Whose captures they are */

static void choose_holder(const struct search *search, struct stats_view *view)
{
	const struct holder *chosen = NULL;

	for (const struct holder *holder = search->holder; holder < search->holder + search->holders; holder++) {
		bool is_maker = (uint32_t)holder->process.own_pid == view->head.pid;

		if (holder->device != view->device || holder->inode != view->inode)
			continue;
		if (!chosen || is_maker == (view->capture.writer == 0))
			chosen = holder;
		if (is_maker == (view->capture.writer == 0))
			break;
	}
	if (chosen) /* always: who has it was noted before it was read */
		view->process = chosen->process;
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *one, const void *other)
{
	const struct stats_view *a = one, *b = other;
	int by_process = order((uint64_t)a->process.pid, (uint64_t)b->process.pid);
	int by_device = order(a->device, b->device), by_inode = order(a->inode, b->inode);

	return by_process ?: by_device ?: by_inode ?: order(a->number, b->number);
}

/* Two pages of a process have captures of the same numbers. Sorted. */
static void number_apart(struct stats_views *views)
{
	uint32_t pages = 0;

	for (size_t i = 1; i < views->views; i++) {
		struct stats_view *view = &views->view[i];

		if (view[-1].process.pid != view->process.pid)
			pages = 0;
		else if (view[-1].device != view->device || view[-1].inode != view->inode)
			pages++;
		view->number += pages * STATS_RECORDS_MAX;
	}
}

int stats_views_find(struct stats_views *views, const char *proc, struct netring_error *error)
{
	struct search search = { 0 };
	int ret;

	ret = find_holders(&search, proc, error);
	for (size_t i = 0; i < search.views.views; i++)
		choose_holder(&search, &search.views.view[i]);
	free(search.holder);
	*views = search.views;
	if (views->views)
		qsort(views->view, views->views, sizeof(*views->view), compare);
	number_apart(views);
	return ret;
}
