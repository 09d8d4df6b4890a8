/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process holds: its open descriptors and the packet rings that it has mapped. For tests. */
#ifndef NETRING_TEST_RESOURCES_H
#define NETRING_TEST_RESOURCES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct resources {
	unsigned descriptors, eventfds, rings;
};

static inline struct resources resources_now(void)
{
	struct resources now = { 0, 0, 0 };
	DIR *folder = opendir("/proc/self/fd");
	FILE *maps = fopen("/proc/self/maps", "r");
	const struct dirent *entry;
	char line[4352];

	if (!folder || !maps)
		abort();
	while ((entry = readdir(folder))) {
		ssize_t length;

		if (entry->d_name[0] == '.')
			continue;
		now.descriptors++;
		length = readlinkat(dirfd(folder), entry->d_name, line, sizeof(line) - 1);
		line[length > 0 ? length : 0] = '\0';
		now.eventfds += strcmp(line, "anon_inode:[eventfd]") == 0;
	}
	while (fgets(line, sizeof(line), maps))
		now.rings += strstr(line, "socket:") != NULL;
	fclose(maps);
	closedir(folder);
	return now;
}

#endif
