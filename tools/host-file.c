/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing files of one line. */
#include "host-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int host_file_line(char *line, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, line, size - 1);
	if (length < 0) {
		int errnum = errno;

		close(fd);
		return -errnum;
	}
	close(fd);
	line[length] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int host_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;
	size_t length = strlen(text);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, length);
	if (written < 0)
		ret = -errno;
	else if ((size_t)written != length)
		ret = -EIO;
	close(fd);
	return ret;
}

void host_file_sysctl(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/proc/sys/%s", name);
	for (char *c = path; *c; c++)
		if (*c == '.')
			*c = '/';
}
