/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much memory this process may still use.
 *
 * Ring pages are not charged to the cgroup, but a process that was given 256 MiB has no business taking as much again beside it.
 */
#include "memory-limit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A cgroup version's names: where its tree is mounted, the limit and the use. */
struct cgroup_files {
	const char *root, *limit, *usage;
	const char *cache; /* the line of memory.stat with what is counted as used but gives way at once: file pages not in active use */
};

static const struct cgroup_files cgroup_v1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_inactive_file " };
static const struct cgroup_files cgroup_v2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "\ninactive_file " };

/* Reads a small file whole, NUL-terminated. False if it cannot be read. */
static bool read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, buffer, size - 1);
	close(fd);
	if (length < 0)
		return false;
	buffer[length] = '\0';
	return true;
}

static bool read_number(const char *root, const char *group, const char *name, uint64_t *number)
{
	char path[PATH_MAX], buffer[32], *end;

	if ((size_t)snprintf(path, sizeof(path), "%s%s/%s", root, group, name) >= sizeof(path) || !read_file(path, buffer, sizeof(buffer)))
		return false;
	*number = strtoull(buffer, &end, 10);
	return end != buffer; /* "max" is no number: no limit */
}

static uint64_t group_cache(const struct cgroup_files *files, const char *group)
{
	char path[PATH_MAX], buffer[8192];
	const char *line;

	if ((size_t)snprintf(path, sizeof(path), "%s%s/memory.stat", files->root, group) >= sizeof(path) || !read_file(path, buffer, sizeof(buffer)))
		return 0;
	line = strstr(buffer, files->cache);
	return line ? strtoull(line + strlen(files->cache), NULL, 10) : 0;
}

static uint64_t group_available(const struct cgroup_files *files, const char *group)
{
	uint64_t limit, usage, cache;

	if (!read_number(files->root, group, files->limit, &limit) || !read_number(files->root, group, files->usage, &usage))
		return UINT64_MAX;
	cache = group_cache(files, group);
	usage -= cache < usage ? cache : usage;
	return limit > usage ? limit - usage : 0;
}

/* The tightest of a group and its parents. group is cut shorter on the way; a container may see only a part of the path. */
static uint64_t cgroup_available(const struct cgroup_files *files, char *group)
{
	uint64_t available = UINT64_MAX;

	for (;;) {
		uint64_t left = group_available(files, group);
		char *slash = strrchr(group, '/');

		if (left < available)
			available = left;
		if (!slash)
			return available;
		*slash = '\0';
	}
}

uint64_t memory_available_on_machine(void)
{
	char buffer[1024];
	const char *line;

	if (!read_file("/proc/meminfo", buffer, sizeof(buffer)))
		return UINT64_MAX;
	line = strstr(buffer, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : UINT64_MAX;
}

/* A line of /proc/self/cgroup is "hierarchy:controllers:path"; version 2 has no controllers. */
static const struct cgroup_files *memory_group(char *line, char **path)
{
	char *controllers = strchr(line, ':'), *end = controllers ? strchr(controllers + 1, ':') : NULL;
	char *word, *rest;

	if (!end)
		return NULL;
	*end = '\0';
	*path = end + 1;
	if (controllers[1] == '\0')
		return &cgroup_v2;
	for (word = strtok_r(controllers + 1, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (strcmp(word, "memory") == 0)
			return &cgroup_v1;
	return NULL;
}

uint64_t memory_available(void)
{
	uint64_t available = memory_available_on_machine();
	char groups[8192], *line, *rest, *path;

	if (!read_file("/proc/self/cgroup", groups, sizeof(groups)))
		return available;
	for (line = strtok_r(groups, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const struct cgroup_files *files = memory_group(line, &path);
		uint64_t left = files ? cgroup_available(files, path) : UINT64_MAX;

		if (left < available)
			available = left;
	}
	return available;
}
