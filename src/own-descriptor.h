/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A descriptor that the library keeps for itself. Programs close descriptors that they do not know (daemons all of them), and the number is
 * somebody else's then, who would not like what is done to it.
 */
#ifndef NETRING_OWN_DESCRIPTOR_H
#define NETRING_OWN_DESCRIPTOR_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

struct own_descriptor {
	int fd;			/* -1: none */
	dev_t device;
	ino_t inode;
};

#define OWN_DESCRIPTOR_NONE { .fd = -1 }

/* Takes fd; -1 is allowed. */
static inline struct own_descriptor own_descriptor(int fd)
{
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return (struct own_descriptor)OWN_DESCRIPTOR_NONE;
	return (struct own_descriptor){ fd, status.st_dev, status.st_ino };
}

static inline bool own_descriptor_is_intact(const struct own_descriptor *own)
{
	struct stat status;

	return own->fd >= 0 && fstat(own->fd, &status) == 0 && status.st_dev == own->device && status.st_ino == own->inode;
}

static inline void own_descriptor_close(struct own_descriptor *own)
{
	if (own_descriptor_is_intact(own))
		close(own->fd);
	own->fd = -1;
}

/* The same descriptor under a number that no standard stream has. Takes fd; -1 is allowed, and returned on failure. */
static inline int own_descriptor_lift(int fd)
{
	int lifted;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return lifted;
}

#endif
