/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds back what.
 *
 * libpcap's streams write whenever they have 4 KiB. Here a thread that is in a read holds back what it dumps, as far as the buffers go, because it is
 * certain that it will come by again: before it sleeps, and when the read is over, it writes that. A thread that is in no read has made no such
 * promise, and what it dumps is written as soon as there are 4 KiB.
 *
 * Each thread remembers where it has dumped to, and writes that and nothing else. A stream that it remembers may have been closed meanwhile, by any
 * thread: it is one only if it is on the list. It is locked while the list is, and stays while it is locked, because whoever closes it has to lock it.
 * So the list is free while the stream is written, which may take for ever if it is a pipe.
 */
#include "dump-hold.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <time.h>
#include <unistd.h>

#include "cancellation.h"
#include "dump-failure.h"
#include "dumper.h"
#include "savefile-streams.h"

/* Between two reads. */
#define HOLD_MS 100

/* A thread that is to write what another thread is at waits for 1 ms at most, and tries again the next time. */
static const struct timespec flush_pause = { 0, 100000 };
#define FLUSH_TRIES 10

/* A thread that is about to fork and one that dumps wait for each other for 100 ms at most. */
static const struct timespec fork_pause = { 0, 500000 };
#define FORK_TRIES 200

__thread struct dump_thread dump_thread;
struct dump_stream *dump_streams;
bool dump_fork_is_near;

/* Recursive, because programs close their dumpers in signal handlers, wherever that finds them. */
static pthread_mutex_t list_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_key_t end_of_thread;
static unsigned forks_ended; /* changed with the list locked */

/* The list. */

void dump_streams_lock(void)
{
	pthread_mutex_lock(&list_lock);
}

void dump_streams_unlock(void)
{
	pthread_mutex_unlock(&list_lock);
}

/* Writing. */

int dump_flush_stream(FILE *file)
{
	FILE *busy = dump_thread.busy;
	int ret;

	dump_thread.busy = file;
	ret = __libc_single_threaded ? fflush_unlocked(file) : fflush(file);
	dump_thread.busy = busy;
	if (ret == EOF)
		dump_stream_failed(file, 0);
	return ret;
}

/* Writes what a pipe takes without waiting, and leaves the rest. A pipe that can be written to takes PIPE_BUF bytes at least. */
static void drain_pipe(FILE *file)
{
	struct pollfd pipe = { .fd = fileno(file), .events = POLLOUT };

	while (dump_waiting(file) > 0 && poll(&pipe, 1, 0) == 1 && pipe.revents == POLLOUT) {
		size_t waiting = dump_waiting(file);
		ssize_t written = write(pipe.fd, file->_IO_write_base, waiting < PIPE_BUF ? waiting : PIPE_BUF);

		if (written <= 0)
			return;
		memmove(file->_IO_write_base, file->_IO_write_base + written, waiting - (size_t)written);
		file->_IO_write_ptr -= written;
	}
}

/* For a thread that must not wait for the reader of a pipe. */
static void flush_or_drain(const struct dump_stream *stream)
{
	if (stream->is_pipe)
		drain_pipe(stream->file);
	else
		dump_flush_stream(stream->file);
}

enum found { FOUND_NONE, FOUND_BUSY, FOUND_LOCKED };

/* Locks the stream, if it is on the list, and no other thread is at it now. *found stays when the stream is closed. */
static enum found find_and_lock(FILE *file, struct dump_stream *found)
{
	enum found ret = FOUND_NONE;

	dump_streams_lock();
	for (struct dump_stream *stream = dump_streams; stream && ret == FOUND_NONE; stream = stream->next) {
		if (stream->file != file)
			continue;
		*found = *stream;
		ret = ftrylockfile(file) == 0 ? FOUND_LOCKED : FOUND_BUSY;
	}
	dump_streams_unlock();
	return ret;
}

static void unlock_stream(void *file)
{
	funlockfile(file);
}

/* False if another thread is at it, which may be stuck in a pipe. */
static bool try_flush(FILE *file)
{
	struct dump_stream stream;
	enum found found = dump_thread.busy == file ? FOUND_NONE : find_and_lock(file, &stream); /* busy: this is a signal handler */

	if (found != FOUND_LOCKED)
		return found == FOUND_NONE;
	pthread_cleanup_push(unlock_stream, file);
	if (dump_waiting(file) > 0 && dump_thread.ends)
		flush_or_drain(&stream);
	else if (dump_waiting(file) > 0)
		dump_flush_stream(file);
	pthread_cleanup_pop(1);
	return true;
}

static bool flush_soon(FILE *file)
{
	for (int tries = 0; tries < FLUSH_TRIES; tries++) {
		if (try_flush(file))
			return true;
		nanosleep(&flush_pause, NULL);
	}
	return false;
}

/* Holding. */

/* Where it waits, at a pipe, the thread may be cancelled, and comes here once more for the rest (thread_ends). */
void dump_flush_held(void)
{
	unsigned kept = 0;
	int saved_errno = errno;

	dump_thread.last = NULL;
	dump_thread.held_since_ms = 0;
	for (unsigned i = 0; i < dump_thread.held_count; i++)
		if (!flush_soon(dump_thread.held[i]))
			dump_thread.held[kept++] = dump_thread.held[i];
	dump_thread.held_count = kept;
	errno = saved_errno;
}

/* Its place is free for another: programs that go through many files in one read would else run out of them. */
void dump_held_closed(const FILE *file)
{
	for (unsigned i = 0; i < dump_thread.held_count; i++) {
		if (dump_thread.held[i] != file)
			continue;
		dump_thread.held[i] = dump_thread.held[--dump_thread.held_count];
		dump_thread.last = NULL;
		return;
	}
}

static bool is_held_for_long(void)
{
	struct timespec now;
	int64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (dump_thread.held_since_ms == 0)
		dump_thread.held_since_ms = now_ms;
	return now_ms - dump_thread.held_since_ms > HOLD_MS;
}

void dump_settle_held(void)
{
	if (dump_thread.hold != DUMP_HOLD_BETWEEN || is_held_for_long())
		dump_flush_held();
}

/* The thread will write it when it has to. False if it has too many of them. */
static bool remember(FILE *file)
{
	unsigned count = dump_thread.held_count;

	for (unsigned i = 0; i < count; i++)
		if (dump_thread.held[i] == file)
			return true;
	if (count == DUMP_HELD_MAX)
		return false;
	if (count == 0)
		pthread_setspecific(end_of_thread, &dump_thread);
	dump_thread.held[count] = file;
	dump_thread.held_count = count + 1;
	return true;
}

/*
 * As libpcap's streams do it. A pipe gets whole pages from them, so that it has room for one or has none: a write that a signal ends has written
 * nothing. A file gets all, which ends between packets.
 */
static void flush_like_libpcap(FILE *file)
{
	char tail[DUMP_LIBPCAP_HOLDS];
	size_t size = dumper_of_file(file) ? 0 : dump_waiting(file) % sizeof(tail);

	file->_IO_write_ptr -= size;
	memcpy(tail, file->_IO_write_ptr, size);
	if (dump_flush_stream(file) == 0)
		fwrite_unlocked(tail, 1, size, file);
}

void dump_look_after(FILE *file)
{
	bool is_held = dumper_is_open(file) && remember(file);

	if (dump_thread.flush_wanted)
		dump_flush_stream(file);
	dump_thread.flush_wanted = false;
	if (is_held && dump_thread.hold == DUMP_HOLD)
		dump_thread.last = file;
	else if (is_held && dump_thread.hold != DUMP_LIKE_LIBPCAP)
		dump_settle_held();
	else if (dump_waiting(file) >= DUMP_LIBPCAP_HOLDS && dumper_owns_buffer(file))
		flush_like_libpcap(file);
}

/* Forking. */

/* With the list locked: the next stream with something in it, locked. */
static struct dump_stream *next_to_write(unsigned round, bool *all)
{
	for (struct dump_stream *stream = dump_streams; stream; stream = stream->next) {
		if (stream->flushed == round || dump_thread.busy == stream->file)
			continue; /* busy: this is a signal handler */
		if (ftrylockfile(stream->file) != 0) {
			*all = false;
			continue;
		}
		stream->flushed = round;
		if (dump_waiting(stream->file) > 0)
			return stream;
		funlockfile(stream->file);
	}
	return NULL;
}

static unsigned next_round(void)
{
	static unsigned rounds;

	return __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
}

/* Writes everything that is not in the hands of another thread. False if something is. */
static bool flush_all(void)
{
	struct dump_stream *found, stream;
	unsigned round = next_round();
	bool all = true;

	for (;;) {
		dump_streams_lock();
		found = next_to_write(round, &all);
		if (found)
			stream = *found; /* which may go, though its FILE does not */
		dump_streams_unlock();
		if (!found)
			return all;
		flush_or_drain(&stream);
		funlockfile(stream.file);
	}
}

/*
 * Locks the list when nothing waits; unless tried that often, then in any case. Another thread's fork may keep this one waiting for the list: when it
 * ends it lets everybody dump, and what has been dumped since has to be written as well.
 */
static void flush_and_lock(void)
{
	for (int tries = 0;; tries++) {
		unsigned ended = __atomic_load_n(&forks_ended, __ATOMIC_ACQUIRE);
		bool all;

		__atomic_store_n(&dump_fork_is_near, true, __ATOMIC_SEQ_CST);
		all = flush_all();
		dump_streams_lock();
		if (tries == FORK_TRIES || (all && ended == forks_ended))
			return;
		dump_streams_unlock();
		if (!all)
			nanosleep(&fork_pause, NULL);
	}
}

/*
 * Behind fork there are two of each stream, and bytes that wait in it would be written by both. So none wait, and other threads do not dump until
 * it is done. A stream that another thread is busy with is waited for, but not for ever: that thread may be stuck in a pipe. The lists are
 * locked when this returns.
 */
static void before_fork(void)
{
	dump_thread.cancel_state = cancellation_put_off(); /* fork is no place where programs expect that */
	dump_thread.forks = true;
	flush_and_lock();
	savefile_streams_before_fork();
}

static void after_fork_in_parent(void)
{
	__atomic_store_n(&dump_fork_is_near, false, __ATOMIC_RELAXED);
	__atomic_add_fetch(&forks_ended, 1, __ATOMIC_RELEASE); /* who sees it announces his own fork behind that */
	dump_thread.forks = false;
	savefile_streams_after_fork_in_parent();
	dump_streams_unlock();
	cancellation_allow(dump_thread.cancel_state);
}

static void after_fork_in_child(void)
{
	dump_fork_is_near = dump_thread.forks = false;
	/* The child's thread is not the one that has locked it. */
	list_lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	savefile_streams_after_fork_in_child();
	dumpers_forked();
	cancellation_allow(dump_thread.cancel_state);
}

void dump_let_fork(FILE *file)
{
	for (int tries = 0; __atomic_load_n(&dump_fork_is_near, __ATOMIC_RELAXED) && !dump_thread.forks; tries++) {
		funlockfile(file);
		if (tries == FORK_TRIES) /* it is stuck itself: things go on */
			__atomic_store_n(&dump_fork_is_near, false, __ATOMIC_RELAXED);
		else
			nanosleep(&fork_pause, NULL);
		flockfile(file);
	}
}

/* Adding to the list. */

/* It was in a callback, or between two reads. If it was cancelled, that may be because it was stuck in a pipe. */
static void thread_ends(void *thread)
{
	(void)thread;
	dump_thread.ends = true;
	dump_flush_held();
}

/* Not when it is needed first: pthread_once makes a system call that a sandbox may forbid. */
static __attribute__((constructor)) void watch_processes_and_threads(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	pthread_key_create(&end_of_thread, thread_ends);
}

void dump_stream_add(struct dump_stream *stream)
{
	dump_streams_lock();
	stream->next = dump_streams;
	__atomic_store_n(&dump_streams, stream, __ATOMIC_RELEASE);
	dump_streams_unlock();
}

void dump_stream_remove(struct dump_stream *stream)
{
	struct dump_stream **place = &dump_streams;

	dump_streams_lock();
	while (*place && *place != stream)
		place = &(*place)->next;
	if (*place)
		__atomic_store_n(place, stream->next, __ATOMIC_RELEASE);
	dump_streams_unlock();
}
