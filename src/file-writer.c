/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer of large files.
 *
 * Memory. A writer begins with one small chunk, which is all that most files ever need. A regular file that turns out to be none of those gets two large
 * ones: one is filled while the other is written. A chunk is filled from the place on that lies in it as the next byte lies in a block of the file, so
 * that memory and file are aligned to each other; it ends with a block. What a large writer has beyond a small one, memory, a ring while something is
 * in flight, is lent by the process (write-pool.h), and there is not enough for any number: then a writer stays small, or waits for each write.
 *
 * Order. There is never more than one write under way, and the next begins only when it has ended, all of it: so the file is at every moment a prefix of
 * what was handed over, whatever happens to the process. A write that the kernel does while the caller goes on (write-ring.h) is "in flight".
 *
 * The ways into the file. Through the page cache, with write(2): what is small, what is not aligned, everything but regular files. Around it, with
 * O_DIRECT: the whole blocks of large pieces; their ragged ends go through the cache. No byte is written twice, so the two ways never meet in a
 * block but for the one that a flush has ended in, whose rest goes through the cache as well. Around it there is a descriptor of the writer's own,
 * which nobody else sees. Where /proc does not give it one (the file is another user's by now), O_DIRECT is switched on for each write and off again,
 * which takes neither privilege nor name; then the caller waits for each.
 *
 * The descriptor's offset. Programs may write to the descriptor and move it, while nothing waits here. So before bytes go around it, its offset is moved
 * over their place, which says where that is: a flush of many packets takes four system calls.
 *
 * O_DIRECT makes the disk's speed the limit, and not the memory's. Where the disk turns out to be slower than the page cache, the cache, being large,
 * would lose less: so a writer that was to choose goes on through the cache.
 *
 * Sandboxes. A program may be under a seccomp filter at any time, for which one more system call than libpcap would make is the end. So all of the above
 * is done only after a look (sandbox.h), for each large piece; between looks nothing is left that takes such a call to be undone. Who is
 * suspected writes with write(2), whatever memory and descriptors there are by then. The look also fails when somebody has closed the library's
 * descriptors, so that those that are used behind it are the writer's own still.
 *
 * Failures. Whatever goes wrong with a write in flight or with O_DIRECT, the rest of that piece is written again with plain write(2), and only if that
 * fails too, with its error and its signals (SIGPIPE, SIGXFSZ), has the writer failed. Then it takes nothing more. Pipes and devices are not so final:
 * a write that a signal has interrupted, or that would have had to wait, has failed, as in stdio, and the next one is tried.
 */
#include "file-writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler.h"
#include "file-ways.h"
#include "pages.h"
#include "sandbox.h"
#include "write-pool.h"

/* Of memory and file for O_DIRECT; no file system in use asks for more. A power of two. */
#define BLOCK 4096

#define SMALL_CHUNK ((size_t)64 << 10)

/* A file of that many bytes is worth large chunks; and so many bytes later it is asked again if it could not be. */
#define LARGE_FROM ((uint64_t)1 << 20)
#define LARGE_AGAIN ((uint64_t)4 << 20)

/* Smaller chunks are not worth the calls that writing in the background takes. They are not large, unless O_DIRECT is asked for. */
#define FLIGHT_CHUNK ((size_t)256 << 10)

/* Going around the cache has a price that a small piece is not worth. Half a chunk at the most, because chunks begin anywhere in their first block. */
#define LARGE_PIECE ((size_t)64 << 10)

/* A flush ends anywhere in a block: around the cache it takes seven system calls where one would do. */
#define LARGE_FLUSH ((size_t)1 << 20)

static size_t behind_block(off_t position)
{
	return (size_t)position & (BLOCK - 1);
}

/* What the log says once for each file. */
enum {
	SAID_SANDBOX = 1 << 0,
	SAID_NO_RING = 1 << 1,
	SAID_SMALL = 1 << 2,
};

static void say_once(struct file_writer *writer, unsigned what, const char *text)
{
	if (!(writer->said & what))
		log_write(writer->options.log, LOG_INFO, "%s: %s", writer->options.name, text);
	writer->said |= what;
}

/* Asked where the answer makes a difference. */
static bool is_sandboxed(struct file_writer *writer)
{
	if (!sandbox_is_suspected())
		return false;
	say_once(writer, SAID_SANDBOX, "a seccomp filter may be there, or the thread is not the first that wrote; using write(2) alone");
	return true;
}

/* What a sandbox forbids to find out is found out later, if that is another thread's. */
static int look_at_file(struct file_writer *writer, struct netring_error *error)
{
	const struct file_writer_options *options = &writer->options;

	if (!writer->regular)
		return 0;
	sandbox_watch();
	if (!sandbox_is_suspected())
		return file_ways_choose(writer, error);
	if (options->strict && options->way == FILE_WRITER_DIRECT)
		return error_set(error, EOPNOTSUPP, "%s: a seccomp filter may forbid O_DIRECT", options->name);
	return 0;
}

int file_writer_open(struct file_writer *writer, int fd, const struct file_writer_options *options, struct netring_error *error)
{
	struct stat status;
	int ret;

	*writer = (struct file_writer){ .options = *options, .fd = fd, .direct_file = OWN_DESCRIPTOR_NONE, .chunk_size = options->buffer_size / 2 };
	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "%s", options->name);
	writer->regular = S_ISREG(status.st_mode);
	writer->grows_at = LARGE_FROM;
	if (writer->chunk_size < FLIGHT_CHUNK && options->way != FILE_WRITER_DIRECT)
		writer->grows_at = UINT64_MAX;
	if (writer->chunk_size > SMALL_CHUNK || !writer->regular)
		writer->chunk_size = SMALL_CHUNK;
	ret = look_at_file(writer, error);
	if (ret < 0)
		goto fail;
	writer->memory = pages_allocate(writer->chunk_size);
	if (!writer->memory) {
		ret = error_errno(error, errno, "%s: cannot allocate %zu bytes", options->name, writer->chunk_size);
		goto fail;
	}
	file_ways_learn_position(writer);
	return 0;
fail:
	if (writer->regular)
		sandbox_unwatch();
	return ret;
}

static void free_memory(struct file_writer *writer)
{
	if (writer->large)
		write_pool_give_memory(writer->memory, 2 * writer->chunk_size);
	else
		pages_free(writer->memory, writer->chunk_size);
	writer->memory = NULL;
}

/* Two large chunks instead of a small one. If there is no memory for them, things stay as they are. Only if not sandboxed. */
static void grow(struct file_writer *writer)
{
	struct netring_error error;
	uint8_t *memory = write_pool_take_memory(writer->options.buffer_size);

	if (!memory) {
		say_once(writer, SAID_SMALL, errno == EBUSY ? "many files are large already; written in small pieces" : "no memory for large pieces");
		return;
	}
	free_memory(writer);
	writer->memory = memory;
	writer->chunk_size = writer->options.buffer_size / 2;
	writer->large = true;
	if (!writer->knows_way)
		file_ways_choose(writer, &error);
	file_ways_look_around(writer);
}

/* A ring for one write. NULL: there is none. */
static struct write_ring *borrow_ring(struct file_writer *writer)
{
	struct write_ring *ring;
	struct netring_error error;
	int ret;

	if (writer->ring_refused)
		return NULL;
	ret = write_pool_take_ring(&ring, &error);
	if (ret == 0)
		return ring;
	writer->ring_refused = ret != -EBUSY;
	if (!(writer->said & SAID_NO_RING))
		log_write(writer->options.log, LOG_INFO, "%s: %s; the program waits for each write", writer->options.name, error.text);
	writer->said |= SAID_NO_RING;
	return NULL;
}

static int fail(struct file_writer *writer, int err, const struct file_writer_loss *piece)
{
	writer->failure = err;
	writer->loss = *piece;
	writer->loss.written = (size_t)(writer->position - piece->position);
	return err;
}

/* The result of the write in flight, whose ring is given back. *slept follows: the disk is slower than the caller. is_free: known not to be sandboxed. */
static ssize_t await_flight(struct file_writer *writer, bool is_free, bool *slept)
{
	ssize_t written;

	*slept = !write_ring_is_done(writer->ring);
	written = *slept && !is_free && is_sandboxed(writer) ? write_ring_spin(writer->ring) : write_ring_wait(writer->ring);
	write_pool_give_ring(writer->ring);
	writer->ring = NULL;
	return written;
}

/* Waits for the write in flight, and writes what it has left out. */
static int land(struct file_writer *writer, bool is_free)
{
	struct file_writer_loss piece = writer->flight;
	size_t size = writer->in_flight, done;
	bool is_late;
	ssize_t written;
	int ret;

	if (size == 0)
		return writer->failure;
	written = await_flight(writer, is_free, &is_late);
	writer->in_flight = 0;
	writer->behind = true;
	if (written > 0)
		writer->position += written;
	else if (writer->flight_is_direct)
		file_ways_failed(writer, (int)written, size);
	if (written == (ssize_t)size) {
		if (writer->flight_is_direct && is_late)
			file_ways_note_speed(writer, size, file_ways_now_us() - writer->flight_began_us);
		return 0;
	}
	done = (size_t)(writer->position - piece.position);
	ret = file_ways_write_through_cache(writer, piece.data + done, piece.size - done);
	return ret < 0 ? fail(writer, ret, &piece) : 0;
}

/* Gives the last bytes of a chunk to the kernel, all but its head, and goes on with the other chunk. False if that could not be. */
static bool take_off(struct file_writer *writer, const struct file_writer_loss *piece, size_t head, bool direct)
{
	struct write_part part = { direct ? writer->direct_file.fd : writer->fd, piece->data + head, piece->size - head };
	struct write_ring *ring;

	if (direct && writer->direct_file.fd < 0)
		return false; /* fd would have to stay switched */
	ring = borrow_ring(writer);
	if (!ring)
		return false;
	writer->flight_began_us = file_ways_now_us();
	if (write_ring_submit(ring, &part, 1, writer->position, WRITE_RING_AT_ONCE) < 0) {
		write_pool_drop_ring(ring);
		writer->ring_refused = true;
		return false;
	}
	writer->ring = ring;
	writer->flight = *piece;
	writer->in_flight = piece->size - head;
	writer->flight_is_direct = direct;
	writer->filling ^= 1;
	return true;
}

/* A large piece behind its head: whole blocks, and the rest. */
static int write_in_blocks(struct file_writer *writer, struct file_writer_loss *piece, size_t head, size_t tail)
{
	size_t whole = piece->size - head - tail;
	off_t began_at;
	int ret = file_ways_write_around_cache(writer, piece->data + head, whole, &began_at);

	piece->position = began_at - (off_t)head;
	return ret < 0 || tail == 0 ? ret : file_ways_write_through_cache(writer, piece->data + head + whole, tail);
}

static unsigned parts_of(const struct file_writer *writer, const struct file_writer_loss *piece, size_t head, size_t tail, struct write_part *parts)
{
	unsigned count = 0;

	if (head)
		parts[count++] = (struct write_part){ writer->fd, piece->data, head };
	parts[count++] = (struct write_part){ writer->direct_file.fd, piece->data + head, piece->size - head - tail };
	if (tail)
		parts[count++] = (struct write_part){ writer->fd, piece->data + piece->size - tail, tail };
	return count;
}

/*
 * A large piece in one system call: a reader that is about to sleep does it for every block that it has read. Returns the bytes written, which may be
 * none.
 */
static size_t write_together(struct file_writer *writer, struct file_writer_loss *piece, size_t head, size_t tail)
{
	struct write_part parts[WRITE_PARTS_MAX];
	unsigned count = parts_of(writer, piece, head, tail, parts);
	bool is_worth_it = writer->direct_file.fd >= 0 && writer->chunk_size >= FLIGHT_CHUNK;
	struct write_ring *ring = is_worth_it ? borrow_ring(writer) : NULL;
	uint64_t began_us = file_ways_now_us();
	ssize_t written;

	if (!ring)
		return 0;
	if (!file_ways_pass_over(writer, piece->size)) {
		write_pool_give_ring(ring);
		piece->position = writer->position;
		return 0;
	}
	if (write_ring_submit(ring, parts, count, writer->position, WRITE_RING_AT_END) < 0) {
		write_pool_drop_ring(ring);
		writer->ring_refused = true;
		return 0;
	}
	written = write_ring_wait(ring);
	write_pool_give_ring(ring);
	writer->position += written > 0 ? written : 0;
	writer->behind = written != (ssize_t)piece->size;
	if (!writer->behind)
		file_ways_note_speed(writer, piece->size, file_ways_now_us() - began_us);
	return written > 0 ? (size_t)written : 0;
}

/* Head, blocks and tail are in the file when this returns. What the ring does not do is done here, with the errors and signals that belong to it. */
static int write_at_once(struct file_writer *writer, struct file_writer_loss *piece, size_t head, size_t tail)
{
	size_t done = write_together(writer, piece, head, tail);
	int ret = 0;

	if (done > head || behind_block(piece->position + (off_t)head) != 0)
		return file_ways_write_through_cache(writer, piece->data + done, piece->size - done);
	if (done < head)
		ret = file_ways_write_through_cache(writer, piece->data + done, head - done);
	return ret < 0 ? ret : write_in_blocks(writer, piece, head, tail);
}

/* All that is not small. *piece is what put was given; its whole blocks may be left in flight. Only if not sandboxed. */
static int write_large(struct file_writer *writer, struct file_writer_loss *piece, enum file_writer_when when)
{
	size_t head = (size_t)-writer->position & (BLOCK - 1), tail = (piece->size - head) & (BLOCK - 1);
	bool direct = writer->direct && ((uintptr_t)piece->data + head) % BLOCK == 0;
	int ret;

	if (when == FILE_WRITER_SOON && writer->chunk_size < FLIGHT_CHUNK)
		when = FILE_WRITER_NOW;
	if (!direct)
		return when == FILE_WRITER_SOON && take_off(writer, piece, 0, false)
			       ? 0
			       : file_ways_write_through_cache(writer, piece->data, piece->size);
	if (when == FILE_WRITER_NOW || tail != 0)
		return write_at_once(writer, piece, head, tail);
	ret = head ? file_ways_write_through_cache(writer, piece->data, head) : 0;
	if (ret < 0 || take_off(writer, piece, head, true))
		return ret;
	return write_in_blocks(writer, piece, head, tail);
}

static bool is_large(const struct file_writer *writer, size_t size, enum file_writer_when when)
{
	size_t large = when == FILE_WRITER_NOW ? LARGE_FLUSH : LARGE_PIECE, half = writer->chunk_size / 2;

	return writer->large && size >= (large < half ? large : half);
}

static bool must_grow(struct file_writer *writer)
{
	if (writer->large || !writer->regular || writer->taken < writer->grows_at)
		return false;
	writer->grows_at = writer->taken + LARGE_AGAIN;
	return !is_sandboxed(writer);
}

int file_writer_put(struct file_writer *writer, const uint8_t *data, size_t size, enum file_writer_when when)
{
	struct file_writer_loss piece = { .data = data, .size = size };
	bool large = is_large(writer, size, when) && !is_sandboxed(writer);
	int ret;

	if (!writer->regular)
		writer->failure = 0;
	ret = land(writer, large);
	if (ret < 0)
		return ret;
	if (large && (when == FILE_WRITER_SOON || writer->direct_file.fd < 0))
		file_ways_learn_position(writer);
	piece.position = writer->position;
	ret = large ? write_large(writer, &piece, when) : file_ways_write_through_cache(writer, data, size);
	if (ret < 0)
		return fail(writer, ret, &piece);
	writer->taken += size;
	if (when == FILE_WRITER_SOON && must_grow(writer))
		grow(writer);
	return 0;
}

int file_writer_settle(struct file_writer *writer)
{
	int ret = land(writer, false);

	if (file_ways_catch_up(writer) < 0 && ret == 0)
		ret = -errno;
	writer->seen = true;
	return ret;
}

void file_writer_room(const struct file_writer *writer, uint8_t **start, uint8_t **end)
{
	uint8_t *chunk = writer->memory + writer->filling * writer->chunk_size;

	*start = chunk + (writer->regular ? behind_block(file_writer_tell(writer)) : 0);
	*end = chunk + writer->chunk_size;
}

bool file_writer_owns(const struct file_writer *writer, const void *memory)
{
	size_t size = writer->large ? 2 * writer->chunk_size : writer->chunk_size;

	return (uintptr_t)memory - (uintptr_t)writer->memory < size;
}

off_t file_writer_tell(const struct file_writer *writer)
{
	return writer->position + (off_t)writer->in_flight;
}

bool file_writer_is_sure(const struct file_writer *writer)
{
	return writer->knows_way && !writer->appends && !writer->seen;
}

void file_writer_moved(struct file_writer *writer)
{
	file_ways_learn_position(writer);
}

void file_writer_trim(struct file_writer *writer, off_t end)
{
	struct stat status;

	if (!writer->regular || is_sandboxed(writer) || fstat(writer->fd, &status) < 0 || status.st_size != writer->position || end > status.st_size)
		return;
	if (ftruncate(writer->fd, end) < 0)
		return;
	writer->position = end;
	writer->behind = true;
	file_ways_catch_up(writer);
}

void file_writer_forked(struct file_writer *writer)
{
	if (writer->regular)
		sandbox_forked();
	writer->behind |= writer->in_flight > 0;
	writer->position += (off_t)writer->in_flight;
	writer->in_flight = 0;
	write_ring_close(writer->ring);
	writer->ring = NULL;
}

void file_writer_abandon(struct file_writer *writer)
{
	bool slept;

	if (writer->in_flight)
		await_flight(writer, false, &slept);
	writer->in_flight = 0;
	own_descriptor_close(&writer->direct_file);
	free_memory(writer);
	writer->fd = -1;
	if (writer->regular)
		sandbox_unwatch();
}

int file_writer_close(struct file_writer *writer)
{
	int ret = land(writer, false);

	file_ways_catch_up(writer);
	if (close(writer->fd) < 0 && ret == 0)
		ret = writer->failure = -errno;
	file_writer_abandon(writer);
	return ret;
}
