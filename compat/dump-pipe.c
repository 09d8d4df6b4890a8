/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream's functions for what is no regular file: a FIFO, a terminal, a device. It is written as stdio would, but for the larger buffer: signals,
 * the cancellation of threads, and errors find it as they find any FILE.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dumper.h"
#include "savefile-streams.h"

#define PIPE_BUFFER ((size_t)64 << 10)

static ssize_t put(void *cookie, const char *data, size_t size)
{
	struct dumper *dumper = cookie;
	size_t done = 0;

	while (done < size) {
		ssize_t written = write(dumper->fd, data + done, size - done);

		if (written < 0)
			break;
		done += (size_t)written;
	}
	return (ssize_t)done;
}

static int seek(void *cookie, off64_t *offset, int whence)
{
	struct dumper *dumper = cookie;
	off_t position = lseek(dumper->fd, *offset, whence);

	if (position < 0)
		return -1;
	*offset = position;
	return 0;
}

static ssize_t get(void *cookie, char *data, size_t size)
{
	struct dumper *dumper = cookie;

	return read(dumper->fd, data, size);
}

static int open_pipe(struct dumper *dumper, const struct config *config, struct netring_error *error)
{
	(void)config;
	dumper->buffer = malloc(PIPE_BUFFER);
	if (!dumper->buffer)
		return error_errno(error, ENOMEM, "%s", dumper->name);
	dumper->buffer_size = PIPE_BUFFER;
	return 0;
}

static void forget_pipe(struct dumper *dumper)
{
	free(dumper->buffer);
}

static int close_pipe(struct dumper *dumper)
{
	int ret = close(dumper->fd) < 0 ? -errno : 0;

	savefile_stream_closed(dumper->stream.file);
	forget_pipe(dumper);
	return ret;
}

static void pipe_forked(struct dumper *dumper)
{
	(void)dumper;
}

const struct dumper_kind dumper_pipe = {
	.open = open_pipe,
	.close = close_pipe,
	.forget = forget_pipe,
	.forked = pipe_forked,
	.put = put,
	.seek = seek,
	.get = get,
};
