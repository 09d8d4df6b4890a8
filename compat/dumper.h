/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream behind a pcap_dumper_t: a FILE whose bytes go to a savefile through src/file-writer.c, or to a pipe. */
#ifndef NETRING_DUMPER_H
#define NETRING_DUMPER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "dump-hold.h"
#include "file-writer.h"

/* A place in the file that is known to lie between packets. */
struct boundary {
	off_t position;		/* a packet begins here, or will; -1: not known */
	off_t straddler;	/* and the one before it begins here, in what was handed over earlier */
	bool has_straddler;	/* false: there is none, or it is the file's header */
};

struct dumper {
	struct dump_stream stream;	/* first */
	const struct dumper_kind *kind;
	int fd;
	uint8_t *buffer;		/* that the stream was given last; the program may have given it another */
	size_t buffer_size;		/* of the first buffer */

	/* Of a file. */
	struct file_writer writer;
	struct boundary in_buffer, in_flight;	/* the first boundary in what the stream holds, and in what the kernel is writing */
	unsigned long lost;		/* packets that are not in the file, because it could not be written */
	bool is_reported;

	struct log log;
	char name[];
};

/* What differs between a file and a pipe. put, get and seek are the stream's functions, as fopencookie(3) has them; the cookie is the dumper. */
struct dumper_kind {
	/* Finds fd, and gives the stream its first buffer. Returns 0 or -errno. */
	int (*open)(struct dumper *dumper, const struct config *config, struct netring_error *error);
	/* Closes fd and frees everything but the dumper itself. Returns 0 or -errno. */
	int (*close)(struct dumper *dumper);
	/* The same without fd. */
	void (*forget)(struct dumper *dumper);
	void (*forked)(struct dumper *dumper);
	ssize_t (*put)(void *dumper, const char *data, size_t size);
	ssize_t (*get)(void *dumper, char *data, size_t size);
	int (*seek)(void *dumper, off64_t *offset, int whence);
};

extern const struct dumper_kind dumper_file, dumper_pipe;

/* What a dumper is to be opened with. The log is the dumper's then. */
struct dumper_settings {
	struct config config;
	struct log log;
	bool stdout_has_buffer;		/* before anything was put to it */
};

/*
 * The same file as a stream of ours: `opened`, to which nothing but the savefile's header was put, is closed then. Returns NULL, with `opened` as it
 * was, if that cannot be.
 */
FILE *dumper_open(FILE *opened, const char *path, const char *mode, struct dumper_settings *settings, struct netring_error *error);

/* Standard output, to which a savefile's header was put: a larger buffer for it, if it had none at all before. */
void dumper_adopt_stdout(bool has_buffer);

/* The dumper behind a stream; NULL: it is none of ours. Without a lock; for streams that the caller knows to be open. */
struct dumper *dumper_of(const FILE *file);

/* The same, but NULL for a pipe's as well: what has a writer. */
static inline struct dumper *dumper_of_file(const FILE *file)
{
	struct dumper *dumper = dumper_of(file);

	return dumper && !dumper->stream.is_pipe ? dumper : NULL;
}

/* True if a thread may hold back what it dumps to that stream, because the list has it. */
bool dumper_is_open(const FILE *file);

/* True if its buffer is ours, and not one that the program has chosen. */
bool dumper_owns_buffer(const FILE *file);

/* Behind fork, in the child. */
void dumpers_forked(void);

/* That stream is none of ours any more: freopen has made one of the program's own of it, or another is in its place. Accepts any. */
void dumper_forget(const FILE *file);

#endif
