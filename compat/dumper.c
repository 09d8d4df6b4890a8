/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream behind a pcap_dumper_t.
 *
 * To a program a dumper is a FILE: libpcap's pcap_dumper_t is one, so programs print to it, flush it, ask it for its descriptor, and close it with
 * fclose. So ours is one as well: a stream of glibc's (fopencookie) whose reads, writes and seeks end in functions of ours, whoever causes them:
 * this library, the program, or exit; dump-file.c and dump-pipe.c have those that differ. The embedded libpcap opens the file first, with its own
 * checks, header and texts.
 *
 * Where pcap_dump is not given a file of its own (standard output, pcap_dump_fopen), the stream is the program's.
 *
 * A stream has its lock, as any has; a dumper's fields are covered by it.
 */
#include "dumper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump-failure.h"
#include "savefile-streams.h"

/* Of standard output. */
#define PIPE_BUFFER ((size_t)64 << 10)
#define FILE_BUFFER ((size_t)1 << 20)

/* What is behind a FILE that fopencookie has made: glibc's struct _IO_cookie_file. Of another FILE there is the first field only. */
struct cookie_stream {
	FILE file;
	const void *kind; /* what freopen changes */
	void *cookie;
	const void *functions[4]; /* not as they were given */
};

/*
 * Of all our streams, learned from each, by any thread; the function is the one that closes. NULL: there was none yet, or fopencookie is not glibc's.
 */
static const void *our_kind, *our_function;

static struct dump_stream standard_output;
static bool stdout_is_open;
static char stdout_buffer[FILE_BUFFER];

/* Of a stream on the list; NULL: standard output's. */
static struct dumper *dumper_with(struct dump_stream *stream)
{
	return stream == &standard_output ? NULL : (struct dumper *)stream;
}

static struct dumper *search(const FILE *file)
{
	struct dumper *dumper = NULL;

	dump_streams_lock();
	for (struct dump_stream *stream = dump_streams; stream && !dumper; stream = stream->next)
		if (stream->file == file)
			dumper = dumper_with(stream);
	dump_streams_unlock();
	return dumper;
}

struct dumper *dumper_of(const FILE *file)
{
	const struct cookie_stream *stream = (const struct cookie_stream *)file;
	const void *kind = __atomic_load_n(&our_kind, __ATOMIC_RELAXED), *function = __atomic_load_n(&our_function, __ATOMIC_RELAXED);

	if (!kind || stream->kind != kind)
		return NULL;
	if (unlikely(!function))
		return search(file); /* a sanitizer has put a cookie of its own before ours */
	return stream->functions[3] == function ? stream->cookie : NULL;
}

bool dumper_is_open(const FILE *file)
{
	return file == stdout ? __atomic_load_n(&stdout_is_open, __ATOMIC_RELAXED) : dumper_of(file) != NULL;
}

bool dumper_owns_buffer(const FILE *file)
{
	const struct dumper *dumper = dumper_of(file);

	return file->_IO_buf_base == (dumper ? (const char *)dumper->buffer : stdout_buffer);
}

/* Closed or forgotten, and off the list. */
static void free_dumper(struct dumper *dumper)
{
	dump_failure_sum_up(dumper, "closed");
	log_close(&dumper->log);
	free(dumper);
}

void dumper_forget(const FILE *file)
{
	struct dumper *dumper;

	dump_streams_lock();
	dumper = search(file);
	if (dumper)
		dump_stream_remove(&dumper->stream);
	dump_streams_unlock();
	if (!dumper)
		return;
	dumper->kind->forget(dumper); /* may wait for the disk, and be cancelled there */
	free_dumper(dumper);
}

void dumpers_forked(void)
{
	for (struct dump_stream *stream = dump_streams; stream; stream = stream->next) {
		struct dumper *dumper = dumper_with(stream);

		if (dumper)
			dumper->kind->forked(dumper);
	}
}

/* exit would drop what is lost in silence. */
static __attribute__((destructor)) void sum_up_at_exit(void)
{
	dump_streams_lock();
	for (struct dump_stream *stream = dump_streams; stream; stream = stream->next) {
		struct dumper *dumper = dumper_with(stream);

		if (dumper)
			dump_failure_sum_up(dumper, "left open");
	}
	dump_streams_unlock();
	if (stdout_is_open && dump_waiting(stdout) > 0)
		dump_flush_stream(stdout);
	savefile_streams_sum_up();
}

/* Of every stream of ours: dumper_of knows them by it. */
static int close_dumper(void *cookie)
{
	struct dumper *dumper = cookie;
	int ret = dumper->kind->close(dumper);

	dump_held_closed(dumper->stream.file);
	dump_stream_remove(&dumper->stream);
	free_dumper(dumper);
	errno = -ret;
	return ret < 0 ? -1 : 0;
}

/* Opening. */

/* opened's own, which is taken from it in the end; or another number for it, because the log may go to standard error, closed or not. */
static int find_descriptor(FILE *opened)
{
	int fd = fileno(opened);

	return fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
}

/* One that is not opened's own. */
static void leave_descriptor(int fd, FILE *opened)
{
	if (fd >= 0 && fd != fileno(opened))
		close(fd);
}

static struct dumper *make_dumper(FILE *opened, const char *path, struct dumper_settings *settings, struct netring_error *error)
{
	struct dumper *dumper = calloc(1, sizeof(*dumper) + strlen(path) + 1);
	struct stat status;

	if (!dumper) {
		error_errno(error, errno, "%s", path);
		return NULL;
	}
	strcpy(dumper->name, path);
	dumper->log = settings->log;
	dumper->fd = find_descriptor(opened);
	if (dumper->fd < 0 || fstat(dumper->fd, &status) < 0) {
		error_errno(error, errno, "%s", path);
		goto fail;
	}
	dumper->stream.is_pipe = !S_ISREG(status.st_mode);
	dumper->kind = dumper->stream.is_pipe ? &dumper_pipe : &dumper_file;
	if (dumper->kind->open(dumper, &settings->config, error) == 0)
		return dumper;
fail:
	leave_descriptor(dumper->fd, opened);
	free(dumper);
	return NULL;
}

static FILE *make_stream(struct dumper *dumper, const char *mode)
{
	cookie_io_functions_t functions = { dumper->kind->get, dumper->kind->put, dumper->kind->seek, close_dumper };
	FILE *file = fopencookie(dumper, mode, functions);
	const struct cookie_stream *made = (const struct cookie_stream *)file;

	if (!file)
		return NULL;
	file->_fileno = dumper->fd;
	file->_wide_data = NULL; /* else freopen, which takes it for a stream of its own, writes to where fopencookie lets this point */
	__atomic_store_n(&our_function, made->cookie == dumper ? made->functions[3] : NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&our_kind, made->kind, __ATOMIC_RELAXED);
	dumper->stream.file = file;
	return file;
}

/* Moves what the file's header is into the stream, which is then all that is left of the file. */
static void take_over(struct dumper *dumper, FILE *opened)
{
	FILE *file = dumper->stream.file;
	size_t waiting = dump_waiting(opened);

	setvbuf(file, (char *)dumper->buffer, _IOFBF, dumper->buffer_size);
	fwrite(opened->_IO_write_base, 1, waiting, file);
	dumper->in_buffer.position += (off_t)waiting;
	__fpurge(opened);
	if (fileno(opened) == dumper->fd)
		opened->_fileno = -1; /* it stays open */
	fclose(opened);
}

FILE *dumper_open(FILE *opened, const char *path, const char *mode, struct dumper_settings *settings, struct netring_error *error)
{
	struct dumper *dumper = make_dumper(opened, path, settings, error);

	if (!dumper)
		return NULL;
	if (!make_stream(dumper, mode)) {
		error_errno(error, errno, "%s", path);
		dumper->kind->forget(dumper);
		leave_descriptor(dumper->fd, opened);
		free(dumper);
		return NULL;
	}
	take_over(dumper, opened);
	dumper_forget(dumper->stream.file);
	savefile_stream_closed(dumper->stream.file);
	if (dumper->stream.is_pipe)
		savefile_stream_opened(dumper->stream.file, path);
	dump_stream_add(&dumper->stream);
	return dumper->stream.file;
}

void dumper_adopt_stdout(bool has_buffer)
{
	struct stat status;
	bool is_file;

	if (fstat(fileno(stdout), &status) < 0)
		return;
	is_file = S_ISREG(status.st_mode);
	if (!has_buffer && (is_file || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
		setvbuf(stdout, stdout_buffer, _IOFBF, is_file ? FILE_BUFFER : PIPE_BUFFER);
	dump_streams_lock(); /* two threads may come here at once, and it is to be on the list once */
	if (!stdout_is_open) {
		standard_output = (struct dump_stream){ .file = stdout, .is_pipe = !is_file };
		dump_stream_add(&standard_output);
		__atomic_store_n(&stdout_is_open, true, __ATOMIC_RELAXED);
	}
	dump_streams_unlock();
}
