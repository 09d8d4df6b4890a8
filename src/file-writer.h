/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing one file from one end to the other, as fast as what is behind it takes the bytes. file-writer.c begins with how.
 *
 * The caller fills memory that it gets from file_writer_room and hands it over with file_writer_put. What has been handed over reaches the file in
 * order: at every moment the file is a prefix of it. A writer belongs to one thread at a time. It owns the descriptor, the memory, and the ring.
 */
#ifndef NETRING_FILE_WRITER_H
#define NETRING_FILE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "own-descriptor.h"
#include "write-ring.h"

enum file_writer_way {
	FILE_WRITER_AUTO,	/* O_DIRECT where it is known to pay, else the page cache */
	FILE_WRITER_DIRECT,
	FILE_WRITER_CACHED,
};

struct file_writer_options {
	enum file_writer_way way;
	bool strict;		/* FILE_WRITER_DIRECT that is refused is an error */
	size_t buffer_size;	/* bytes held back at most; a multiple of 64 KiB */
	const char *name;	/* for people; must outlive the writer, like log */
	const struct log *log;
};

/* What a failed write was about: of size bytes at data, the first `written` are in the file. data is valid until the next call. */
struct file_writer_loss {
	const uint8_t *data;
	size_t size, written;
	off_t position;		/* in the file, of data */
};

struct file_writer {
	struct file_writer_options options;
	int fd;
	bool regular;
	bool knows_way;		/* the next three are known: they take system calls that a sandbox may forbid */
	bool appends;
	bool direct;		/* whole blocks go around the page cache */
	struct own_descriptor direct_file;	/* the same file, with O_DIRECT; -1: there is none, and fd is switched */
	bool behind;		/* fd's own offset is not position */
	bool seen;		/* the program may have written to fd, or moved it, since position was learned */
	off_t position;		/* in the file, of the first byte that is not known to be there */
	uint8_t *memory;	/* chunks[2], or only one while not large */
	size_t chunk_size;
	unsigned filling;	/* the chunk that file_writer_room gives out */
	bool large;
	uint64_t taken;		/* bytes, since it was opened */
	uint64_t grows_at;	/* bytes */
	bool ring_refused;
	unsigned said;		/* what the log has said already, a bit for each */
	struct write_ring *ring;	/* while bytes are in flight */
	size_t in_flight;	/* bytes that the kernel is writing, the last ones of flight; 0: none */
	bool flight_is_direct;
	struct file_writer_loss flight;
	uint64_t flight_began_us;
	unsigned slow;		/* writes around the cache in a row that the disk was slow with */
	int failure;		/* -errno of the first failed write; 0. Of a file that is not regular: of the last write */
	struct file_writer_loss loss;	/* of that write */
};

/*
 * A writer for fd, from its offset on (appends: from the end, wherever that is by then). Takes fd on success. -EBADF,
 * -ENOMEM. What the file system refuses is no failure but a line in the log, unless options->strict: -EOPNOTSUPP. (A refusal that comes later, with the
 * first write, is never one: the packets would be lost.) A program's sandbox may exist, or be made later.
 */
int file_writer_open(struct file_writer *writer, int fd, const struct file_writer_options *options, struct netring_error *error);

/* Waits for what is in flight and closes fd. Returns 0 or the -errno of the first failure, close(2)'s included. */
int file_writer_close(struct file_writer *writer);

/* Where the next bytes are to be put together: up to *end, from *start on. Changes with every file_writer_put. */
void file_writer_room(const struct file_writer *writer, uint8_t **start, uint8_t **end);

/* True if the memory is the writer's. */
bool file_writer_owns(const struct file_writer *writer, const void *memory);

enum file_writer_when {
	FILE_WRITER_NOW,	/* in the file when the call returns: other readers see it */
	FILE_WRITER_SOON,	/* may be left in flight; only for all that file_writer_room gave out */
};

/*
 * The next size bytes of the file; data may be any memory if now. Returns 0, or the -errno of the first write that failed, from then on always: see
 * failure and loss. The failure may be one of bytes that an earlier call handed over. For what is not a regular file a failure, which may be
 * -EINTR or -EAGAIN, is that of these bytes only.
 */
int file_writer_put(struct file_writer *writer, const uint8_t *data, size_t size, enum file_writer_when when);

/* Everything handed over is in the file, and fd is as anybody would expect it: its offset behind that, without O_DIRECT. Returns as file_writer_put. */
int file_writer_settle(struct file_writer *writer);

/* The position in the file behind everything that was handed over, if nobody else has written to the file or moved fd. */
off_t file_writer_tell(const struct file_writer *writer);

/* True if that is certain for a program that does not write to fd while it leaves bytes in the caller's memory. */
bool file_writer_is_sure(const struct file_writer *writer);

/* The descriptor has been moved by somebody else. After file_writer_settle. */
void file_writer_moved(struct file_writer *writer);

/* After a failure: ends a regular file at that position, before its last bytes, unless somebody else has written to it. */
void file_writer_trim(struct file_writer *writer, off_t end);

/* Gives up all but the descriptor: its number has become somebody else's. After file_writer_settle. */
void file_writer_abandon(struct file_writer *writer);

/* In a child process behind fork: what is in flight is the parent's, and so is the ring. */
void file_writer_forked(struct file_writer *writer);

#endif
