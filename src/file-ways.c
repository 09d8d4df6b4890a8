/* SPDX-License-Identifier: BSD-3-Clause */
/* Through the page cache and around it. file-writer.c begins with when which is taken. */
#include "file-ways.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* What a page cache takes at the least, in bytes per microsecond; and for how many writes in a row a disk may take less. */
#define SLOW_DISK 400
#define SLOW_WRITES 8

uint64_t file_ways_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int set_direct(const struct file_writer *writer, bool on)
{
	int flags = fcntl(writer->fd, F_GETFL);

	if (flags < 0 || fcntl(writer->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
		return -errno;
	return 0;
}

/* The file systems where O_DIRECT was measured to be faster than the page cache. On the others it may be emulated, refused, or slow. */
static bool direct_pays(int fd)
{
	struct statfs system;

	if (fstatfs(fd, &system) < 0)
		return false;
	return system.f_type == EXT4_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC;
}

static void refuse_direct(struct file_writer *writer)
{
	writer->direct = false;
	log_write(writer->options.log, writer->options.way == FILE_WRITER_DIRECT ? LOG_WARN : LOG_INFO,
		  "%s: O_DIRECT is refused; writing through the page cache", writer->options.name);
}

/* fd's file once more. By /proc, because the name may be another file's by now, or out of reach. */
static int open_direct(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return own_descriptor_lift(open(path, O_WRONLY | O_DIRECT | O_CLOEXEC));
}

void file_ways_look_around(struct file_writer *writer)
{
	if (writer->options.way == FILE_WRITER_AUTO)
		writer->direct = !writer->appends && direct_pays(writer->fd);
	if (writer->direct && !writer->appends)
		writer->direct_file = own_descriptor(open_direct(writer->fd));
}

int file_ways_choose(struct file_writer *writer, struct netring_error *error)
{
	const struct file_writer_options *options = &writer->options;
	int flags = fcntl(writer->fd, F_GETFL);

	writer->knows_way = true;
	writer->appends = flags & O_APPEND;
	writer->direct = options->way == FILE_WRITER_DIRECT;
	if (writer->direct && set_direct(writer, true) < 0) {
		if (options->strict)
			return error_set(error, EOPNOTSUPP, "%s: the file system refuses O_DIRECT", options->name);
		refuse_direct(writer);
	}
	if (options->way == FILE_WRITER_DIRECT)
		set_direct(writer, false);
	return 0;
}

/* The descriptor is not where it was left. If it is another file's by now (dup2), the one with O_DIRECT is not. */
static void look_at_direct_file(struct file_writer *writer)
{
	const struct own_descriptor *direct = &writer->direct_file;
	struct stat status;

	if (direct->fd < 0 || fstat(writer->fd, &status) < 0 || (status.st_dev == direct->device && status.st_ino == direct->inode))
		return;
	own_descriptor_close(&writer->direct_file);
	writer->direct = false;
	log_write(writer->options.log, LOG_INFO, "%s: the descriptor is another file's; writing through the page cache", writer->options.name);
}

/*
 * Somebody else may have moved the descriptor, written, or cut the file. What is appended goes to the file's end, wherever the offset is.
 */
void file_ways_learn_position(struct file_writer *writer)
{
	struct stat status;
	off_t position;

	if (!writer->regular || writer->behind)
		return;
	if (writer->appends)
		position = fstat(writer->fd, &status) < 0 ? -1 : status.st_size;
	else
		position = lseek(writer->fd, 0, SEEK_CUR);
	if (position != writer->position)
		look_at_direct_file(writer);
	if (position >= 0)
		writer->position = position;
	writer->seen = false;
}

void file_ways_note_speed(struct file_writer *writer, size_t size, uint64_t us)
{
	if (writer->options.way != FILE_WRITER_AUTO || size / (us + 1) >= SLOW_DISK) {
		writer->slow = 0;
		return;
	}
	if (++writer->slow < SLOW_WRITES)
		return;
	writer->direct = false;
	log_write(writer->options.log, LOG_INFO, "%s: the disk is slower than the page cache, which is used from here on", writer->options.name);
}

/*
 * A write that begins below the limit of the process and ends above it is cut at the limit by the kernel, and O_DIRECT refuses the odd size; the rest is
 * for write(2), which sends the signal that belongs to it.
 */
static bool is_within_limit(const struct file_writer *writer, size_t size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return true;
	return (uint64_t)writer->position + size <= limit.rlim_cur;
}

/* What the file system answers, and not what the disk does, says that O_DIRECT is not for this file. */
static bool is_refusal(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP;
}

void file_ways_failed(struct file_writer *writer, int err, size_t size)
{
	if (is_refusal(err) && is_within_limit(writer, size))
		refuse_direct(writer);
}

/* Writes at fd's offset until all is there, and says how many bytes are. What is not a regular file may be slow for ever, and a signal ends that. */
static int write_all(struct file_writer *writer, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(writer->fd, data, size);

		if (written < 0 && errno == EINTR && writer->regular)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		writer->position += written;
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

int file_ways_catch_up(struct file_writer *writer)
{
	if (writer->behind && lseek(writer->fd, writer->position, SEEK_SET) < 0)
		return -errno;
	writer->behind = false;
	return 0;
}

int file_ways_write_through_cache(struct file_writer *writer, const uint8_t *data, size_t size)
{
	int ret = file_ways_catch_up(writer);

	return ret < 0 ? ret : write_all(writer, data, size);
}

bool file_ways_pass_over(struct file_writer *writer, size_t size)
{
	off_t behind;

	if (writer->behind)
		return lseek(writer->fd, writer->position + (off_t)size, SEEK_SET) >= 0;
	behind = lseek(writer->fd, (off_t)size, SEEK_CUR);
	writer->behind = behind >= 0;
	if (behind == writer->position + (off_t)size)
		return true;
	look_at_direct_file(writer);
	if (behind >= 0)
		writer->position = behind - (off_t)size;
	return false;
}

/* As write_all, by direct_file, and leaves fd's offset right if all is written. */
static int write_by_direct_fd(struct file_writer *writer, const uint8_t *data, size_t size)
{
	off_t end = writer->position + (off_t)size;

	while (writer->position < end) {
		ssize_t written = pwrite(writer->direct_file.fd, data, (size_t)(end - writer->position), writer->position);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		writer->position += written;
		data += written;
	}
	writer->behind = false;
	return 0;
}

/* Off again at once, because a sandbox may forbid it the next time. */
static int write_by_switched_fd(struct file_writer *writer, const uint8_t *data, size_t size)
{
	int ret = file_ways_catch_up(writer);

	if (ret == 0)
		ret = set_direct(writer, true);
	if (ret < 0)
		return ret;
	ret = write_all(writer, data, size);
	set_direct(writer, false);
	return ret;
}

int file_ways_write_around_cache(struct file_writer *writer, const uint8_t *data, size_t size, off_t *began_at)
{
	uint64_t began_us = file_ways_now_us();
	int ret = 0;

	*began_at = writer->position;
	if (writer->direct_file.fd < 0) {
		ret = write_by_switched_fd(writer, data, size);
	} else if (file_ways_pass_over(writer, size)) {
		ret = write_by_direct_fd(writer, data, size);
	} else {
		*began_at = writer->position;
		return file_ways_write_through_cache(writer, data, size);
	}
	if (ret == 0) {
		file_ways_note_speed(writer, size, file_ways_now_us() - began_us);
		return 0;
	}
	if (ret == -EFBIG)
		return ret; /* with its signal, which shall come once */
	file_ways_failed(writer, ret, size);
	data += writer->position - *began_at;
	return file_ways_write_through_cache(writer, data, size - (size_t)(writer->position - *began_at));
}
