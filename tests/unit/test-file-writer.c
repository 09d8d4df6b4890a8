/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file writer: whatever is handed over in whatever pieces is in the file, in order, and at every moment the file is a prefix of it; on a disk, in
 * memory, in a pipe; with io_uring and O_DIRECT and without; when the kernel writes less than asked for, and when it refuses. In a sandbox nothing is
 * called that libpcap would not call.
 *
 * Calls of write, fcntl, getrlimit and liburing in the writer go through the wrappers below.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/sandbox.h"
#include "file-writer.h"
#include "sandbox.h"
#include "test-random.h"

#define BUFFER ((size_t)512 << 10)
#define CHUNK (BUFFER / 2)
#define FILE_MAX ((size_t)24 << 20)

static struct {
	int write_errno;	   /* that write fails with, */
	size_t write_left;	   /* once this many bytes are written */
	bool refuse_direct;	   /* by fcntl */
	bool refuse_direct_writes; /* by write */
	int ring_errno;		   /* io_uring_queue_init */
	int flight_result;	   /* what a write in flight comes to, if not 0: -errno, or at most so many bytes */
	bool parts_fail;	   /* of a write of several parts, those behind the first parts_written */
	unsigned parts_written;
	unsigned flights, together, rings_made, direct_writes, limits_asked;
} kernel;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __real___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);

int __real_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);

static bool goes_around_cache(int fd)
{
	return __real_fcntl(fd, F_GETFL) & O_DIRECT;
}

/* How much of a write is done; 0: it fails with errno. */
static size_t allowed(int fd, size_t size)
{
	if (fd <= STDERR_FILENO || (!kernel.write_errno && !kernel.refuse_direct_writes))
		return size;
	if (kernel.refuse_direct_writes && goes_around_cache(fd)) {
		errno = EINVAL;
		return 0;
	}
	if (kernel.write_errno && size > kernel.write_left)
		size = goes_around_cache(fd) ? kernel.write_left & ~(size_t)4095 : kernel.write_left;
	if (size == 0)
		errno = kernel.write_errno;
	return size;
}

static ssize_t note_written(int fd, ssize_t written)
{
	if (fd > STDERR_FILENO && kernel.write_errno && written > 0)
		kernel.write_left -= (size_t)written;
	return written;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	size_t done = allowed(fd, size);

	return done > 0 || size == 0 ? note_written(fd, __real_write(fd, data, done)) : -1;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	size_t done = allowed(fd, size);

	kernel.direct_writes++;
	return done > 0 || size == 0 ? note_written(fd, __real_pwrite(fd, data, done, offset)) : -1;
}

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	kernel.limits_asked++;
	return __real_getrlimit(resource, limit);
}

int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	if (kernel.refuse_direct && command == F_SETFL && argument & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	return __real_fcntl(fd, command, argument);
}

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	kernel.rings_made++;
	return kernel.ring_errno ? -kernel.ring_errno : __real_io_uring_queue_init(entries, ring, flags);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = &ring->sq.sqes[(ring->sq.sqe_tail - 1) & *ring->sq.kring_mask];

	if (kernel.flight_result > 0 && sqe->len > (unsigned)kernel.flight_result)
		sqe->len = (unsigned)kernel.flight_result;
	else if (kernel.flight_result < 0)
		sqe->opcode = IORING_OP_NOP;
	kernel.flights++;
	return __real_io_uring_submit(ring);
}

/* Writes of several parts: where the kernel is to fail, all parts from the chosen one on are not written. */
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
	bool fails = kernel.write_errno || kernel.refuse_direct_writes || kernel.parts_fail;

	kernel.together++;
	for (unsigned i = kernel.parts_written; fails && i < count; i++)
		ring->sq.sqes[(ring->sq.sqe_tail - count + i) & *ring->sq.kring_mask].opcode = IORING_OP_NOP;
	return __real_io_uring_submit_and_wait(ring, count);
}

int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask)
{
	int ret = __real___io_uring_get_cqe(ring, cqe, submit, wait, mask);

	if (ret == 0 && kernel.flight_result < 0)
		(*cqe)->res = kernel.flight_result;
	return ret;
}

/* What was handed over, and where it should be. */
static uint8_t *model, *content;
static size_t handed_over;
static char path[64];
static struct log quiet = { LOG_OFF, -1 };
static struct file_writer writer;
static struct netring_error error;
static struct random numbers;

static struct file_writer_options options(enum file_writer_way way, size_t buffer_size)
{
	return (struct file_writer_options){ .way = way, .buffer_size = buffer_size, .name = path, .log = &quiet };
}

static void open_file(const char *folder, int flags, enum file_writer_way way, size_t buffer_size)
{
	struct file_writer_options chosen = options(way, buffer_size);
	int fd;

	snprintf(path, sizeof(path), "%s/test-file-writer.%d", folder, getpid());
	fd = open(path, O_RDWR | O_CREAT | flags, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_writer_open(&writer, fd, &chosen, &error), 0);
}

static void setup(void)
{
	memset(&kernel, 0, sizeof(kernel));
	handed_over = 0;
	numbers.state = 1;
	path[0] = '\0';
}

static void teardown(void)
{
	if (path[0])
		unlink(path);
}

static size_t read_back(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, content, FILE_MAX);

	ck_assert_int_ge(size, 0);
	close(fd);
	return (size_t)size;
}

/* The file is a prefix of what was handed over, at least so long. */
static void check_prefix(size_t least)
{
	size_t size = read_back();

	ck_assert_msg(size >= least && size <= handed_over, "%zu bytes in the file, %zu handed over", size, handed_over);
	ck_assert_msg(memcmp(content, model, size) == 0, "the first %zu bytes differ", size);
}

/* Fills the room with the next bytes of the model, from the front, and hands over so many; all of it may stay in flight. */
static int hand_over(size_t size)
{
	uint8_t *start, *end;
	size_t room;

	file_writer_room(&writer, &start, &end);
	room = (size_t)(end - start);
	if (end <= start)
		abort(); /* an assertion would make system calls */
	if (size >= room)
		size = room;
	memcpy(start, model + handed_over, size);
	handed_over += size;
	return file_writer_put(&writer, start, size, size == room ? FILE_WRITER_SOON : FILE_WRITER_NOW);
}

static int hand_over_foreign(size_t size)
{
	handed_over += size;
	return file_writer_put(&writer, model + handed_over - size, size, FILE_WRITER_NOW);
}

static void hand_over_all(size_t total)
{
	while (handed_over < total)
		ck_assert_int_eq(hand_over(SIZE_MAX), 0);
}

static void become_large(void)
{
	while (!writer.large && handed_over < FILE_MAX / 8)
		ck_assert_int_eq(hand_over(SIZE_MAX), 0);
	ck_assert(writer.large);
}

static void check_settled(void)
{
	ck_assert_int_eq(file_writer_settle(&writer), 0);
	ck_assert_int_eq(lseek(writer.fd, 0, SEEK_CUR), (off_t)handed_over);
	ck_assert_int_eq(__real_fcntl(writer.fd, F_GETFL) & O_DIRECT, 0);
	check_prefix(handed_over);
}

/* Whole chunks mostly, as under load, and everything else now and then. */
static void hand_over_much(size_t total)
{
	while (handed_over < total) {
		unsigned choice = random_next(&numbers) % 16;
		int ret;

		if (choice < 10)
			ret = hand_over(SIZE_MAX);
		else if (choice < 12)
			ret = hand_over(1 + random_next(&numbers) % 3000);
		else if (choice < 14)
			ret = hand_over(1 + random_next(&numbers) % CHUNK);
		else
			ret = hand_over_foreign(1 + random_next(&numbers) % (3 * CHUNK));
		ck_assert_int_eq(ret, 0);
		ck_assert_int_eq(file_writer_tell(&writer), (off_t)handed_over);
		if (random_next(&numbers) % 8 == 0)
			check_prefix(0);
		if (random_next(&numbers) % 16 == 0)
			check_settled();
	}
}

static void close_and_check(void)
{
	ck_assert_int_eq(file_writer_close(&writer), 0);
	check_prefix(handed_over);
	unlink(path);
}

static const char *const folders[] = { ".", "/dev/shm" };
static const enum file_writer_way ways[] = { FILE_WRITER_AUTO, FILE_WRITER_DIRECT, FILE_WRITER_CACHED };
static const size_t buffers[] = { (size_t)64 << 10, (size_t)192 << 10, BUFFER };

START_TEST(test_any_pieces)
{
	const char *folder = folders[_i & 1];
	enum file_writer_way way = ways[_i / 2 % 3];
	size_t buffer = buffers[_i / 6 % 3];

	numbers.state = (uint64_t)_i + 1;
	open_file(folder, O_TRUNC, way, buffer);
	hand_over_much(FILE_MAX / 2);
	close_and_check();
	/* With the smaller buffers a chunk never is large enough to be worth it. */
	ck_assert_msg(buffer < BUFFER || kernel.flights > 0, "nothing was ever in flight");
}
END_TEST

START_TEST(test_file_with_something_in_it)
{
	static const char before[] = "something";
	int flags = _i & 1 ? O_APPEND : 0;

	open_file(".", O_TRUNC, FILE_WRITER_AUTO, BUFFER);
	file_writer_close(&writer);
	memcpy(model, before, sizeof(before));
	{
		struct file_writer_options chosen = options(ways[_i / 2], BUFFER);
		int fd = open(path, O_RDWR | flags);

		ck_assert_int_eq(__real_write(fd, before, sizeof(before)), sizeof(before));
		if (flags)
			lseek(fd, 0, SEEK_SET);
		ck_assert_int_eq(file_writer_open(&writer, fd, &chosen, &error), 0);
	}
	handed_over = sizeof(before);
	ck_assert_int_eq(file_writer_tell(&writer), sizeof(before));
	hand_over_much(FILE_MAX / 4);
	close_and_check();
}
END_TEST

START_TEST(test_pipe)
{
	struct file_writer_options chosen = options(ways[_i], BUFFER);
	size_t size = 0;
	ssize_t n;
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		file_writer_open(&writer, ends[1], &chosen, &error);
		while (handed_over < FILE_MAX / 8)
			if (hand_over(random_next(&numbers) % 3 ? SIZE_MAX : 100) < 0)
				_exit(1);
		_exit(file_writer_close(&writer) == 0 && kernel.flights == 0 ? 0 : 1);
	}
	close(ends[1]);
	while ((n = read(ends[0], content + size, FILE_MAX - size)) > 0)
		size += (size_t)n;
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &ends[0], 0), child);
	ck_assert_int_eq(ends[0], 0);
	ck_assert_uint_ge(size, FILE_MAX / 8);
	ck_assert_int_eq(memcmp(content, model, size), 0);
}
END_TEST

/* Whatever becomes of a write in flight, what it has left out is written. */
START_TEST(test_flights_that_end_early)
{
	static const int results[] = { -EINVAL, -ECANCELED, -EIO, -ENOSPC, 1, 4096, 5000, (int)CHUNK - 1 };

	kernel.flight_result = results[_i / 2];
	open_file(".", O_TRUNC, _i & 1 ? FILE_WRITER_DIRECT : FILE_WRITER_CACHED, BUFFER);
	hand_over_much(FILE_MAX / 4);
	close_and_check();
	ck_assert_uint_gt(kernel.flights, 0);
}
END_TEST

/* Flushes of odd sizes: head, blocks and tail go together, and whatever is not written of them is written in another way. */
START_TEST(test_parts_that_fail)
{
	kernel.parts_fail = _i > 0;
	kernel.parts_written = (unsigned)_i - 1;
	open_file(".", O_TRUNC, FILE_WRITER_DIRECT, BUFFER);
	while (handed_over < FILE_MAX - CHUNK) {
		ck_assert_int_eq(hand_over(CHUNK - 5000 - handed_over % 3), 0);
		ck_assert_int_eq(hand_over(700), 0);
	}
	ck_assert_uint_gt(kernel.together, 10);
	ck_assert_uint_eq(read_back(), handed_over);
	close_and_check();
}
END_TEST

START_TEST(test_without_ring_or_direct)
{
	kernel.ring_errno = _i & 1 ? EPERM : 0;
	kernel.refuse_direct = _i & 2;
	open_file(".", O_TRUNC, FILE_WRITER_DIRECT, BUFFER);
	ck_assert_int_eq(writer.direct, !kernel.refuse_direct);
	hand_over_much(FILE_MAX / 4);
	ck_assert(_i & 1 ? kernel.flights == 0 : kernel.flights > 0);
	close_and_check();
}
END_TEST

/* Refused only when it is used: some file systems allow the flag and not the write. By the writer's own descriptor, and without one. */
START_TEST(test_direct_refused_late)
{
	kernel.ring_errno = EPERM;
	open_file(".", O_TRUNC, FILE_WRITER_DIRECT, BUFFER);
	become_large();
	ck_assert_int_ge(writer.direct_file.fd, 0);
	if (_i)
		own_descriptor_close(&writer.direct_file);
	ck_assert_int_eq(hand_over(SIZE_MAX), 0);
	ck_assert_int_eq(hand_over(SIZE_MAX), 0);
	ck_assert(writer.direct && kernel.direct_writes == (_i ? 0 : 2));
	ck_assert(!goes_around_cache(writer.fd));
	kernel.refuse_direct_writes = true;
	ck_assert_int_eq(hand_over(SIZE_MAX), 0);
	ck_assert(!writer.direct);
	hand_over_much(FILE_MAX / 4);
	close_and_check();
}
END_TEST

/* The file ends with the last byte that could be written, the loss says which that is, and nothing more is taken. */
START_TEST(test_full_disk)
{
	size_t room = (size_t)_i * 177777, piece_begins;
	int ret;

	open_file(folders[_i & 1], O_TRUNC, ways[_i % 3], BUFFER);
	kernel.ring_errno = _i & 4 ? EPERM : 0;
	kernel.flight_result = -ENOSPC;
	kernel.write_errno = ENOSPC;
	kernel.write_left = room;
	do
		ret = hand_over(_i & 8 ? 70000 : SIZE_MAX);
	while (ret == 0 && handed_over < FILE_MAX / 2);
	ck_assert_int_eq(ret, -ENOSPC);
	ck_assert_int_eq(writer.failure, -ENOSPC);
	ck_assert_uint_eq(read_back(), room);
	ck_assert_int_eq(memcmp(content, model, room), 0);
	piece_begins = (size_t)writer.loss.position;
	ck_assert_uint_eq(piece_begins + writer.loss.written, room);
	ck_assert_int_eq(memcmp(writer.loss.data, model + piece_begins, writer.loss.size), 0);
	kernel.write_errno = 0;
	ck_assert_int_eq(hand_over(100), -ENOSPC);
	ck_assert_int_eq(file_writer_settle(&writer), -ENOSPC);
	ck_assert_uint_eq(read_back(), room);
	file_writer_trim(&writer, (off_t)room / 2);
	ck_assert_uint_eq(read_back(), room / 2);
	ck_assert_int_eq(file_writer_close(&writer), -ENOSPC);
}
END_TEST

START_TEST(test_file_of_somebody_else_is_not_trimmed)
{
	open_file(".", O_TRUNC, FILE_WRITER_AUTO, BUFFER);
	ck_assert_int_eq(hand_over(1000), 0);
	ck_assert_int_eq(truncate(path, 2000), 0);
	file_writer_trim(&writer, 500);
	ck_assert_uint_eq(read_back(), 2000);
	file_writer_close(&writer);
}
END_TEST

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

/* write(2) writes up to the limit, and only then fails, with a signal. */
START_TEST(test_limit_of_file_size)
{
	struct rlimit before, limit;
	int ret;

	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 3234567;
	signals = 0;
	signal(SIGXFSZ, count_signal);
	open_file(folders[_i & 1], O_TRUNC, ways[_i % 3], BUFFER);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	do
		ret = hand_over(SIZE_MAX);
	while (ret == 0);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert_int_eq(ret, -EFBIG);
	ck_assert_int_eq(signals, 1);
	ck_assert_uint_eq(read_back(), limit.rlim_cur);
	ck_assert_int_eq(memcmp(content, model, limit.rlim_cur), 0);
	ck_assert_int_eq(file_writer_close(&writer), -EFBIG);
}
END_TEST

/* The other process writes on where this one has stopped, and this one goes on behind that. */
START_TEST(test_child_writes_on)
{
	size_t here, there;
	int status;
	pid_t child;

	open_file(".", O_TRUNC, ways[_i], BUFFER);
	hand_over_much(FILE_MAX / 8);
	check_settled();
	here = handed_over;
	child = fork();
	if (child == 0) {
		kernel.rings_made = kernel.flights = 0;
		file_writer_forked(&writer);
		hand_over_all(here + FILE_MAX / 8);
		status = file_writer_settle(&writer) < 0 || kernel.rings_made != 1 || kernel.flights == 0;
		_exit(status);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	there = (size_t)lseek(writer.fd, 0, SEEK_CUR);
	ck_assert_uint_gt(there, here);
	handed_over = there;
	file_writer_moved(&writer);
	check_settled();
	hand_over_much(there + FILE_MAX / 8);
	close_and_check();
}
END_TEST

/* Files that stay small, or nearly, cost one small chunk; and however many are large, they do not take all memory. */
START_TEST(test_memory)
{
	struct file_writer others[20];
	uint8_t *start, *end;
	unsigned large = 0;

	open_file(".", O_TRUNC, FILE_WRITER_AUTO, BUFFER);
	file_writer_room(&writer, &start, &end);
	ck_assert_int_eq(end - start, 64 << 10);
	hand_over_all((size_t)900 << 10);
	file_writer_room(&writer, &start, &end);
	ck_assert_uint_eq((size_t)(end - start), (size_t)64 << 10);
	hand_over_all((size_t)1200 << 10);
	file_writer_room(&writer, &start, &end);
	ck_assert_uint_eq((size_t)(end - start), CHUNK);
	ck_assert(file_writer_owns(&writer, start) && file_writer_owns(&writer, end - 1));
	ck_assert(!file_writer_owns(&writer, model) && !file_writer_owns(&writer, NULL));
	close_and_check();
	for (unsigned i = 0; i < 20; i++) {
		open_file(".", O_TRUNC, FILE_WRITER_AUTO, BUFFER);
		handed_over = 0;
		hand_over_all((size_t)2 << 20);
		ck_assert_int_eq(file_writer_settle(&writer), 0);
		check_prefix(handed_over);
		large += writer.large;
		others[i] = writer;
		unlink(path);
	}
	ck_assert_uint_eq(large, 16);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(file_writer_close(&others[i]), 0);
}
END_TEST

/* However small the chunks are, what was asked for is done; and where it was not, small chunks cost nothing but their write. */
START_TEST(test_small_buffer)
{
	static const size_t sizes[] = { (size_t)64 << 10, (size_t)128 << 10, (size_t)256 << 10 };

	open_file(".", O_TRUNC, FILE_WRITER_DIRECT, sizes[_i]);
	hand_over_all(FILE_MAX / 4);
	ck_assert_uint_ge(kernel.direct_writes, (unsigned)(FILE_MAX / 4 / sizes[_i]));
	close_and_check();
	ck_assert_uint_eq(kernel.limits_asked, 0);
	handed_over = kernel.direct_writes = 0;
	open_file(".", O_TRUNC, FILE_WRITER_AUTO, sizes[_i]);
	hand_over_all(FILE_MAX / 4);
	close_and_check();
	ck_assert_uint_eq(kernel.direct_writes + kernel.flights + kernel.limits_asked, 0);
}
END_TEST

static unsigned open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* One for each file, one more for each large one, one to look for sandboxes, and a few rings. */
START_TEST(test_descriptors)
{
	struct file_writer writers[20];
	unsigned before = open_descriptors(), large = 0, kept;

	for (unsigned i = 0; i < 20; i++) {
		open_file(".", O_TRUNC, FILE_WRITER_DIRECT, BUFFER);
		writers[i] = writer;
		unlink(path);
	}
	ck_assert_uint_le(open_descriptors() - before, 20 + 1);
	for (unsigned i = 0; i < 20; i++) {
		writer = writers[i];
		handed_over = 0;
		hand_over_all((size_t)2 << 20);
		large += writer.large;
		writers[i] = writer; /* in flight */
	}
	ck_assert_uint_le(open_descriptors() - before, 20 + 1 + large + 4);
	ck_assert_uint_le(kernel.rings_made, 4);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(file_writer_close(&writers[i]), 0);
	kept = open_descriptors() - before;
	ck_assert_uint_le(kept, 4);
}
END_TEST

static void write_file(enum file_writer_way way)
{
	handed_over = 0;
	open_file(".", O_TRUNC, way, BUFFER);
	hand_over_all(FILE_MAX / 8);
	close_and_check();
}

/* From file to file the ring stays; and a child makes its own. */
START_TEST(test_rotation)
{
	int status = 0;

	write_file(ways[_i]);
	kernel.rings_made = kernel.flights = 0;
	for (int i = 0; i < 5; i++)
		write_file(ways[_i]);
	ck_assert_uint_ge(kernel.flights, 5);
	ck_assert_uint_eq(kernel.rings_made, 0);
	if (fork() == 0) {
		write_file(ways[_i]);
		_exit(kernel.rings_made == 1 ? 0 : 1);
	}
	ck_assert_int_gt(wait(&status), 0);
	ck_assert_int_eq(status, 0);
	write_file(ways[_i]);
	ck_assert_uint_eq(kernel.rings_made, 0);
}
END_TEST

/* What the library keeps open for itself. */
static bool is_of_library(int fd)
{
	char name[32], target[256];
	ssize_t size;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	size = readlink(name, target, sizeof(target) - 1);
	if (size < 0)
		return false;
	target[size] = '\0';
	return strstr(target, "/status") || strstr(target, "io_uring") || fd == writer.direct_file.fd;
}

START_TEST(test_descriptors_of_somebody_else)
{
	int other, replaced[64], count = 0;
	char name[80];

	open_file(".", O_TRUNC, FILE_WRITER_DIRECT, BUFFER);
	become_large();
	ck_assert_int_eq(hand_over(SIZE_MAX), 0);
	check_settled();
	ck_assert_int_ge(writer.direct_file.fd, 0);
	snprintf(name, sizeof(name), "%s.other", path);
	other = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unlink(name);
	ck_assert_int_eq(ftruncate(other, 1000), 0);
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (is_of_library(fd))
			ck_assert_int_eq(dup2(other, replaced[count++] = fd), fd);
	ck_assert_int_ge(count, 3);
	hand_over_all(FILE_MAX / 4);
	close_and_check();
	ck_assert_int_eq(lseek(other, 0, SEEK_CUR), 0);
	ck_assert_int_eq(lseek(other, 0, SEEK_END), 1000);
	while (count > 0)
		ck_assert_int_eq(close(replaced[--count]), 0);
	close(other);
}
END_TEST

static void interrupt(int number)
{
	(void)number;
}

/* A full pipe: a signal ends the wait, and a write that does not wait fails. Once there is room, things go on. */
START_TEST(test_full_pipe)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct file_writer_options chosen = options(FILE_WRITER_AUTO, BUFFER);
	int ends[2], expected = _i ? -EAGAIN : -EINTR, ret;
	size_t drained = 0;
	ssize_t size;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	if (_i)
		ck_assert_int_eq(__real_fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(file_writer_open(&writer, ends[1], &chosen, &error), 0);
	if (!_i)
		setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 100000 }, { 0, 100000 } }, NULL);
	do
		ret = hand_over(SIZE_MAX);
	while (ret == 0 && handed_over < FILE_MAX / 2);
	ck_assert_int_eq(ret, expected);
	ck_assert_int_eq(hand_over(100), expected);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL);
	__real_fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((size = read(ends[0], content, FILE_MAX)) > 0)
		drained += (size_t)size;
	ck_assert_uint_gt(drained, 0);
	ck_assert_int_eq(hand_over(100), 0);
	ck_assert_int_eq(file_writer_settle(&writer), 0);
	ck_assert_int_eq(read(ends[0], content, FILE_MAX), 100);
	ck_assert_int_eq(memcmp(content, model + handed_over - 100, 100), 0);
	ck_assert_int_eq(file_writer_close(&writer), 0);
}
END_TEST

/* Sandboxes. */

#define LOAD_CALL BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SANDBOX_OTHERS)

/* What writing through stdio takes (and ending a thread and a process), and at choice openat and clone. */
static void make_sandbox(bool may_open, bool may_fork)
{
	struct sock_filter filter[] = {
		LOAD_CALL,
		ALLOW(__NR_write),
		ALLOW(__NR_read),
		ALLOW(__NR_close),
		ALLOW(__NR_lseek),
		ALLOW(__NR_fstat),
		ALLOW(__NR_newfstatat),
		ALLOW(__NR_brk),
		ALLOW(__NR_mmap),
		ALLOW(__NR_munmap),
		ALLOW(__NR_exit),
		ALLOW(__NR_exit_group),
		ALLOW(may_open ? __NR_openat : __NR_write),
		ALLOW(may_fork ? __NR_clone : __NR_write),
		ALLOW(may_fork ? __NR_wait4 : __NR_write),
		ALLOW(may_fork ? __NR_set_robust_list : __NR_write),
		KILL,
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
}

/* No assertions here: a failing one makes calls of its own. */
static bool writes_on(size_t total)
{
	while (handed_over < total)
		if (hand_over(SIZE_MAX) < 0)
			return false;
	return hand_over(100) == 0 && hand_over_foreign(3 * CHUNK) == 0;
}

static bool ends_well(void)
{
	return file_writer_settle(&writer) == 0 && file_writer_close(&writer) == 0;
}

/* Ends the process, because ending a thread takes more than the sandbox allows. */
static void *write_in_sandbox(void *unused)
{
	make_sandbox(false, false);
	_exit(writes_on(FILE_MAX / 2) && ends_well() ? 0 : 1);
	return unused;
}

static bool writes_in_sandboxed_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, write_in_sandbox, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static bool writes_in_sandboxed_child(void)
{
	int status;
	pid_t child;

	make_sandbox(false, true);
	if (file_writer_settle(&writer) < 0)
		return false;
	child = fork();
	if (child == 0) {
		file_writer_forked(&writer);
		_exit(writes_on(FILE_MAX / 2) && ends_well() ? 0 : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

enum sandbox_case {
	BEFORE_OPEN,
	WHILE_SMALL,
	WHILE_LARGE,
	IN_FLIGHT,
	WHILE_SWITCHED,
	ONE_THREAD,
	ONE_THREAD_LARGE,
	CHILD,
	CHILD_LARGE,
	SANDBOX_CASES
};

static bool write_sandboxed(enum sandbox_case which, enum file_writer_way way)
{
	bool large = which != BEFORE_OPEN && which != WHILE_SMALL && which != ONE_THREAD && which != CHILD;
	struct file_writer_options chosen = options(way, BUFFER);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (which == BEFORE_OPEN)
		make_sandbox(true, false);
	if (file_writer_open(&writer, fd, &chosen, &error) < 0 || hand_over(1000) < 0)
		return false;
	while (large && !writer.large)
		if (hand_over(SIZE_MAX) < 0)
			return false;
	if (which == WHILE_SWITCHED)
		own_descriptor_close(&writer.direct_file);
	if (large && hand_over(SIZE_MAX) < 0)
		return false;
	if (which == WHILE_LARGE && file_writer_settle(&writer) < 0)
		return false;
	if (which == ONE_THREAD || which == ONE_THREAD_LARGE)
		return writes_in_sandboxed_thread();
	if (which == CHILD || which == CHILD_LARGE)
		return writes_in_sandboxed_child();
	if (which != BEFORE_OPEN)
		make_sandbox(false, false);
	return writes_on(FILE_MAX / 2) && ends_well();
}

START_TEST(test_sandbox)
{
	enum sandbox_case which = (enum sandbox_case)(_i / 3);
	int status;
	pid_t child;

	snprintf(path, sizeof(path), "./test-file-writer.%d", getpid());
	child = fork();
	if (child == 0)
		_exit(write_sandboxed(which, ways[_i % 3]) ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(!WIFSIGNALED(status), "case %d: killed by %s", which, strsignal(WTERMSIG(status)));
	ck_assert_int_eq(status, 0);
	handed_over = read_back();
	ck_assert_uint_ge(handed_over, FILE_MAX / 2);
	check_prefix(handed_over);
}
END_TEST

static void *write_elsewhere(void *unused)
{
	unsigned *flights = unused;

	open_file(".", O_TRUNC, FILE_WRITER_CACHED, BUFFER);
	hand_over_all(FILE_MAX / 4);
	close_and_check();
	*flights = kernel.flights;
	return NULL;
}

/* The thread that is looked at is the one that writes, though another had a file open before. */
START_TEST(test_other_thread)
{
	unsigned flights = 0;
	pthread_t thread;

	open_file(".", O_TRUNC, FILE_WRITER_CACHED, BUFFER);
	close_and_check();
	ck_assert_int_eq(pthread_create(&thread, NULL, write_elsewhere, &flights), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(flights, 0);
}
END_TEST

static void *watch_cancelled(void *unused)
{
	pthread_cancel(pthread_self());
	sandbox_watch();
	sandbox_unwatch();
	pthread_testcancel();
	return unused;
}

/* A thread that is cancelled where it opens or closes a file takes no lock along. */
START_TEST(test_cancelled)
{
	pthread_t thread;

	alarm(10);
	ck_assert_int_eq(pthread_create(&thread, NULL, watch_cancelled, NULL), 0);
	pthread_join(thread, NULL);
	open_file(".", O_TRUNC, FILE_WRITER_CACHED, BUFFER);
	close_and_check();
}
END_TEST

static Suite *file_writer_suite(void)
{
	Suite *suite = suite_create("file-writer");
	TCase *cases = tcase_create("file-writer");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, test_any_pieces, 0, 18);
	tcase_add_loop_test(cases, test_file_with_something_in_it, 0, 6);
	tcase_add_loop_test(cases, test_pipe, 0, 3);
	tcase_add_loop_test(cases, test_flights_that_end_early, 0, 16);
	tcase_add_loop_test(cases, test_parts_that_fail, 0, 4);
	tcase_add_loop_test(cases, test_without_ring_or_direct, 0, 4);
	tcase_add_loop_test(cases, test_direct_refused_late, 0, 2);
	tcase_add_loop_test(cases, test_full_disk, 0, 24);
	tcase_add_test(cases, test_file_of_somebody_else_is_not_trimmed);
	tcase_add_loop_test(cases, test_limit_of_file_size, 0, 6);
	tcase_add_loop_test(cases, test_child_writes_on, 0, 3);
	tcase_add_test(cases, test_memory);
	tcase_add_loop_test(cases, test_small_buffer, 0, 3);
	tcase_add_test(cases, test_descriptors);
	tcase_add_loop_test(cases, test_rotation, 0, 3);
	tcase_add_test(cases, test_descriptors_of_somebody_else);
	tcase_add_loop_test(cases, test_full_pipe, 0, 2);
	tcase_add_loop_test(cases, test_sandbox, 0, 3 * SANDBOX_CASES);
	tcase_add_test(cases, test_other_thread);
	tcase_add_test(cases, test_cancelled);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(file_writer_suite());
	int failed;

	model = malloc(FILE_MAX);
	content = malloc(FILE_MAX);
	for (size_t i = 0; i < FILE_MAX; i += sizeof(uint32_t)) {
		uint32_t word = (uint32_t)i * 2654435761U;

		memcpy(model + i, &word, sizeof(word));
	}
	srunner_set_fork_status(runner, CK_FORK); /* what writers share is kept in the process */
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(model);
	free(content);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
