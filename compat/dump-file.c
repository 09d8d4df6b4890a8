/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream's functions for a regular file, which src/file-writer.c writes.
 *
 * The buffer of the stream is the chunk that the writer wants filled. When stdio hands a chunk over, put gives the stream the next one, in the moment
 * in which stdio looks for where to go on.
 *
 * A chunk that a packet has filled in the middle is left in flight, because the rest of that packet is in the next one: there are always bytes waiting
 * in a stream behind a chunk in flight, so that whatever flushes the stream comes through put, which waits.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "dump-failure.h"
#include "dumper.h"

/* The stream goes on in the chunk that the writer wants filled, unless the program has given it a buffer of its own. */
static void turn_buffer(struct dumper *dumper)
{
	FILE *file = dumper->stream.file;
	uint8_t *start, *end;

	if (file->_IO_buf_base != (char *)dumper->buffer)
		return;
	file_writer_room(&dumper->writer, &start, &end);
	file->_IO_buf_base = (char *)start;
	file->_IO_buf_end = (char *)end;
	dumper->buffer = start;
}

/* size bytes have been handed over, which began at that place in the file. */
static void move_boundary(struct dumper *dumper, const char *data, size_t size, off_t position, bool dumping)
{
	struct boundary *first = &dumper->in_buffer;
	const char *packet = dump_thread.packet;

	dumper->in_flight = *first;
	if (dumping && packet >= data && packet <= data + size) {
		first->straddler = position + (packet - data);
		first->position = first->straddler + (off_t)dump_thread.packet_size;
		first->has_straddler = packet < data + size;
	} else if (first->position < position + (off_t)size) {
		*first = (struct boundary){ position + (off_t)size, position + (off_t)size, false };
	}
}

/* What has filled the chunk, and goes on in the next, need not be in the file at once. */
static enum file_writer_when when(const struct dumper *dumper, const char *data, size_t size, bool dumping)
{
	bool is_chunk = dumping && file_writer_owns(&dumper->writer, data) && data + size == dumper->stream.file->_IO_buf_end;

	return is_chunk ? FILE_WRITER_SOON : FILE_WRITER_NOW;
}

static int put_and_settle(struct dumper *dumper, const char *data, size_t size)
{
	struct file_writer *writer = &dumper->writer;
	bool dumping = dump_thread.packet && dump_thread.busy == dumper->stream.file;
	off_t position = file_writer_tell(writer);
	int ret = file_writer_put(writer, (const uint8_t *)data, size, when(dumper, data, size, dumping));

	if (ret < 0) {
		dump_file_failed(dumper, (const uint8_t *)data, size);
	} else {
		move_boundary(dumper, data, size, position, dumping);
		if (!dumping)
			ret = file_writer_settle(writer);
	}
	turn_buffer(dumper);
	return ret;
}

/* A thread that is cancelled here would leave things half done. */
static ssize_t put(void *cookie, const char *data, size_t size)
{
	bool can_be_cancelled = !__libc_single_threaded;
	int cancel_state = 0, ret;

	if (can_be_cancelled)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	ret = put_and_settle(cookie, data, size);
	if (can_be_cancelled)
		pthread_setcancelstate(cancel_state, NULL);
	if (ret == 0)
		return (ssize_t)size;
	errno = -ret;
	return 0;
}

/* Somebody else may have written to the descriptor, or moved it. What waits in the stream comes behind that. */
static void learn_position(struct dumper *dumper)
{
	off_t before = file_writer_tell(&dumper->writer);

	file_writer_moved(&dumper->writer);
	if (dump_waiting(dumper->stream.file) > 0)
		dumper->in_buffer.position += file_writer_tell(&dumper->writer) - before;
	else
		turn_buffer(dumper);
}

/*
 * Where in the file the stream is: asked for each packet by programs that limit the size of a file, so without a system call while packets come.
 * What the program has done to the descriptor behind a flush, when nothing waits in the stream, is seen.
 */
static int seek(void *cookie, off64_t *offset, int whence)
{
	struct dumper *dumper = cookie;
	bool waiting = dump_waiting(dumper->stream.file) > 0;
	off_t position;
	int ret;

	if (whence == SEEK_CUR && *offset == 0 && waiting && file_writer_is_sure(&dumper->writer)) {
		*offset = file_writer_tell(&dumper->writer);
		return 0;
	}
	ret = file_writer_settle(&dumper->writer);
	position = ret < 0 ? ret : lseek(dumper->fd, *offset, whence);
	if (position < 0) {
		errno = ret < 0 ? -ret : errno;
		return -1;
	}
	*offset = position;
	learn_position(dumper);
	return 0;
}

static ssize_t get(void *cookie, char *data, size_t size)
{
	struct dumper *dumper = cookie;
	int ret = file_writer_settle(&dumper->writer);

	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return read(dumper->fd, data, size);
}

static int close_file(struct dumper *dumper)
{
	int ret = file_writer_settle(&dumper->writer);

	if (ret < 0)
		dump_file_failed(dumper, NULL, 0);
	ret = file_writer_close(&dumper->writer);
	if (ret < 0 && !dumper->is_reported)
		dump_failure_report(dumper);
	return ret;
}

static int open_file(struct dumper *dumper, const struct config *config, struct netring_error *error)
{
	static const enum file_writer_way ways[] = { [DUMP_DIRECT] = FILE_WRITER_DIRECT, [DUMP_CACHED] = FILE_WRITER_CACHED };
	struct file_writer_options options = {
		.way = ways[config->value[CONFIG_DUMP]],
		.strict = config->value[CONFIG_STRICT],
		.buffer_size = config->value[CONFIG_DUMP_BUFFER],
		.name = dumper->name,
		.log = &dumper->log,
	};
	uint8_t *end;
	int ret = file_writer_open(&dumper->writer, dumper->fd, &options, error);

	if (ret < 0)
		return ret;
	file_writer_room(&dumper->writer, &dumper->buffer, &end);
	dumper->buffer_size = (size_t)(end - dumper->buffer);
	dumper->in_buffer.straddler = dumper->in_buffer.position = file_writer_tell(&dumper->writer);
	return 0;
}

static void forget_file(struct dumper *dumper)
{
	file_writer_abandon(&dumper->writer);
}

static void file_forked(struct dumper *dumper)
{
	file_writer_forked(&dumper->writer);
}

const struct dumper_kind dumper_file = {
	.open = open_file,
	.close = close_file,
	.forget = forget_file,
	.forked = file_forked,
	.put = put,
	.seek = seek,
	.get = get,
};
