/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_dump and its sisters: libpcap's savefiles, written by src/file-writer.c.
 *
 * To a program a dumper is a FILE: libpcap's pcap_dumper_t is one, so programs print to it, flush it, ask it for its descriptor, and close it with
 * fclose. So ours is one as well: a stream of glibc's (fopencookie) whose reads, writes and seeks end in the functions below, whoever causes them:
 * this library, the program, or exit. The buffer of the stream is the chunk that the writer wants filled. When stdio hands a chunk over,
 * cookie_write gives the stream the next one, in the moment in which stdio looks for where to go on. The embedded libpcap opens the file first,
 * with its own checks, header and texts.
 *
 * pcap_dump puts a packet where putc_unlocked(3) would put its bytes, for any stream. Only what does not fit goes through fwrite. A chunk that such a
 * packet has filled is left in flight, because the rest of that packet is in the next one: there are always bytes waiting in a stream behind a chunk in
 * flight, so that whatever flushes the stream comes through cookie_write, which waits.
 *
 * Who may do what: a stream has its lock, as any has; a dumper's fields are covered by it. The list of dumpers has a lock of its own, which may be taken
 * while holding a stream's, and never the other way round except by trying.
 *
 * Where pcap_dump is not given a file of its own (standard output, pcap_dump_fopen), the stream is the program's, and its buffer stays as it is.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <time.h>
#include <unistd.h>

#include "file-writer.h"
#include "savefile-records.h"
#include "savefile-streams.h"

/* A place in the file that is known to lie between packets. */
struct boundary {
	off_t position;	    /* a packet begins here, or will; -1: not known */
	off_t straddler;    /* and the one before it begins here, in what was handed over earlier */
	bool has_straddler; /* false: there is none, or it is the file's header */
};

struct dumper {
	struct dumper *next;
	FILE *file;
	const void *kind; /* of stream: what freopen changes */
	uint8_t *buffer;  /* that the stream was given last; the program may have given it another */
	struct file_writer writer;
	struct boundary in_buffer, in_flight; /* the first boundary in what the stream holds, and in what the kernel is writing */
	unsigned long lost;		      /* packets that are not in the file, because it could not be written */
	bool is_reported;
	struct log log;
	char name[];
};

__thread struct dump_thread dump_thread;
bool dump_by_others, dump_reader_sleeps;
static bool dumped_to_stdout;

/* Set while a thread is about to fork: no other may begin a packet. How long they wait for each other at most. */
static bool fork_is_near;
static const struct timespec fork_pause = { 0, 500000 };
#define FORK_TRIES 200

static struct dumper *dumpers;
/* Recursive, because programs close their dumpers in signal handlers, wherever that finds them. */
static pthread_mutex_t dumpers_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* A stream's own functions, behind which fopencookie's are. glibc keeps the pointer to them behind the FILE. */
static const void *kind_of(const FILE *file)
{
	return *(const void *const *)(file + 1);
}

/* With its writer closed or abandoned. */
static void free_dumper(struct dumper *dumper)
{
	if (dumper->lost > 0)
		log_write(&dumper->log, LOG_INFO, "%s: closed; it could not be written; lost=%lu", dumper->name, dumper->lost);
	log_close(&dumper->log);
	free(dumper);
}

/*
 * freopen has made other streams of some: the program's own, which keep the descriptor's number. It has flushed them, so nothing is in flight. The next
 * pcap_dump comes here, for they have no buffer then.
 */
static void forget_reopened(void)
{
	pthread_mutex_lock(&dumpers_lock);
	for (struct dumper **place = &dumpers; *place;) {
		struct dumper *dumper = *place;

		if (kind_of(dumper->file) == dumper->kind) {
			place = &dumper->next;
			continue;
		}
		*place = dumper->next;
		file_writer_abandon(&dumper->writer);
		free_dumper(dumper);
	}
	pthread_mutex_unlock(&dumpers_lock);
}

/* Failures. */

/* Of a piece of the file that the stream handed over and that is not, or not wholly, in the file: what is lost, and where the last whole packet ends. */
static off_t count_lost(struct dumper *dumper, const struct file_writer_loss *piece, const struct boundary *first)
{
	size_t offset = (size_t)(first->position - piece->position);
	struct savefile_walk walk;

	if (first->position < piece->position || offset > piece->size)
		return -1;
	if (savefile_walk(piece->data + offset, piece->size - offset, piece->written > offset ? piece->written - offset : 0, &walk) < 0)
		return -1;
	dumper->lost += walk.begun;
	if (piece->written >= offset)
		return first->position + (off_t)walk.end;
	dumper->lost += first->has_straddler;
	return first->straddler;
}

/* One line for each file: all that is lost is counted when it is closed. */
static void report(struct dumper *dumper)
{
	const struct file_writer *writer = &dumper->writer;
	const char *reason = strerror(-writer->failure);

	if (writer->regular)
		log_write(&dumper->log, LOG_ERROR, "%s: cannot write: %s; the file ends at byte %lld, and nothing more is written to it; lost=%lu",
			  dumper->name, reason, (long long)writer->position, dumper->lost);
	else
		log_write(&dumper->log, LOG_ERROR, "%s: cannot write: %s; nothing more is written to it; lost=%lu", dumper->name, reason,
			  dumper->lost);
}

/*
 * The writer has failed. Cuts the file behind its last whole packet, once, and says so. *piece, of that size, is what the stream was handing over
 * when the failure came to light; NULL if nothing.
 */
static void note_failure(struct dumper *dumper, const uint8_t *data, size_t size)
{
	struct file_writer *writer = &dumper->writer;
	const struct file_writer_loss *loss = &writer->loss;
	struct file_writer_loss refused = { .data = data, .size = size, .position = loss->position + (off_t)loss->size };
	bool is_this_piece = loss->data == data, is_first = !dumper->is_reported;

	if (is_first) {
		off_t end = count_lost(dumper, loss, is_this_piece ? &dumper->in_buffer : &dumper->in_flight);

		if (end >= 0)
			file_writer_trim(writer, end);
	}
	if (size > 0 && !(is_first && is_this_piece) && dumper->in_buffer.position >= refused.position) {
		dumper->in_buffer.has_straddler = false; /* counted where it begins */
		count_lost(dumper, &refused, &dumper->in_buffer);
	}
	dumper->is_reported = true;
	if (is_first)
		report(dumper);
}

static struct dumper *dumper_of(const FILE *file)
{
	struct dumper *dumper;

	pthread_mutex_lock(&dumpers_lock);
	for (dumper = dumpers; dumper; dumper = dumper->next)
		if (dumper->file == file)
			break;
	pthread_mutex_unlock(&dumpers_lock);
	return dumper;
}

/* One packet that was not even taken, because its stream has failed before. */
static void count_refused(const FILE *file)
{
	struct dumper *dumper = dumper_of(file);

	if (dumper)
		dumper->lost++;
	else
		savefile_stream_failed(file, 0, 1);
}

/* The stream has just failed. A dumper's has said so itself. */
static void note_stream_failure(const FILE *file, unsigned lost)
{
	int errnum = errno;

	if (!dumper_of(file))
		savefile_stream_failed(file, errnum, lost);
	errno = errnum;
}

/* The stream's functions. */

/* The stream goes on in the chunk that the writer wants filled, unless the program has given it a buffer of its own. */
static void turn_buffer(struct dumper *dumper)
{
	uint8_t *start, *end;

	if (dumper->file->_IO_buf_base != (char *)dumper->buffer)
		return;
	file_writer_room(&dumper->writer, &start, &end);
	dumper->file->_IO_buf_base = (char *)start;
	dumper->file->_IO_buf_end = (char *)end;
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

static ssize_t cookie_write(void *cookie, const char *data, size_t size)
{
	struct dumper *dumper = cookie;
	struct file_writer *writer = &dumper->writer;
	bool dumping = dump_thread.busy == dumper->file && dump_thread.packet;
	bool is_chunk = file_writer_owns(writer, data) && data + size == dumper->file->_IO_buf_end;
	off_t position = file_writer_tell(writer);
	int cancel_state, ret;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	ret = file_writer_put(writer, (const uint8_t *)data, size, dumping && is_chunk ? FILE_WRITER_SOON : FILE_WRITER_NOW);
	if (ret == 0) {
		move_boundary(dumper, data, size, position, dumping);
		if (!dumping)
			ret = file_writer_settle(writer);
	} else {
		note_failure(dumper, (const uint8_t *)data, size);
	}
	turn_buffer(dumper);
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
	if (dumper->file->_IO_write_ptr > dumper->file->_IO_write_base)
		dumper->in_buffer.position += file_writer_tell(&dumper->writer) - before;
	else
		turn_buffer(dumper);
}

/*
 * Where in the file the stream is: asked for each packet by programs that limit the size of a file, so without a system call while packets come.
 * What the program has done to the descriptor behind a flush, when nothing waits in the stream, is seen.
 */
static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
	struct dumper *dumper = cookie;
	bool waiting = dumper->file->_IO_write_ptr > dumper->file->_IO_write_base;
	off_t position;
	int ret;

	if (whence == SEEK_CUR && *offset == 0 && waiting && file_writer_is_sure(&dumper->writer)) {
		*offset = file_writer_tell(&dumper->writer);
		return 0;
	}
	ret = file_writer_settle(&dumper->writer);
	position = ret < 0 ? ret : lseek(dumper->writer.fd, *offset, whence);
	if (position < 0) {
		errno = ret < 0 ? -ret : errno;
		return -1;
	}
	*offset = position;
	learn_position(dumper);
	return 0;
}

static ssize_t cookie_read(void *cookie, char *data, size_t size)
{
	struct dumper *dumper = cookie;
	int ret = file_writer_settle(&dumper->writer);

	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return read(dumper->writer.fd, data, size);
}

static int cookie_close(void *cookie)
{
	struct dumper *dumper = cookie, **place = &dumpers;
	int ret = file_writer_settle(&dumper->writer);

	if (ret < 0)
		note_failure(dumper, NULL, 0);
	ret = file_writer_close(&dumper->writer);
	if (ret < 0 && !dumper->is_reported)
		report(dumper);
	pthread_mutex_lock(&dumpers_lock);
	while (*place && *place != dumper)
		place = &(*place)->next;
	if (*place)
		*place = dumper->next;
	pthread_mutex_unlock(&dumpers_lock);
	free_dumper(dumper);
	errno = -ret;
	return ret < 0 ? -1 : 0;
}

/* Flushing. */

/* Not again, while it is under way, by a signal handler: it would take away what the first is waiting for. */
static int flush_stream(FILE *file)
{
	FILE *busy = dump_thread.busy;
	int ret;

	dump_thread.busy = file;
	ret = fflush(file);
	dump_thread.busy = busy;
	return ret;
}

/* Standard output is the program's; but what waits there for a reader that goes to sleep, or for the end, was dumped by pcap_dump. */
static void flush_stdout(void)
{
	if (__atomic_exchange_n(&dumped_to_stdout, false, __ATOMIC_RELAXED) && fflush(stdout) == EOF)
		savefile_stream_failed(stdout, errno, 0);
}

/* exit would drop it in silence. */
static __attribute__((destructor)) void flush_stdout_at_exit(void)
{
	flush_stdout();
}

static bool try_flush(struct dumper *dumper)
{
	FILE *file = dumper->file;

	if (dump_thread.busy == file)
		return true; /* in a signal handler */
	if (ftrylockfile(file) != 0)
		return false;
	if (file->_IO_write_ptr > file->_IO_write_base)
		flush_stream(file);
	funlockfile(file);
	return true;
}

void dump_flush_pending(void)
{
	bool all = __atomic_exchange_n(&dump_by_others, false, __ATOMIC_SEQ_CST) || dump_thread.several;
	int saved_errno = errno;

	if (all)
		forget_reopened();
	pthread_mutex_lock(&dumpers_lock);
	for (struct dumper *dumper = dumpers; dumper; dumper = dumper->next)
		if (all || dump_thread.last == dumper->file)
			try_flush(dumper); /* a thread that is at it now will flush it itself */
	pthread_mutex_unlock(&dumpers_lock);
	flush_stdout();
	dump_thread.last = NULL;
	dump_thread.several = false;
	errno = saved_errno;
}

void dump_look_if_drained(pcap_t *p)
{
	if (p->closed || capture_is_ready(p->capture))
		return;
	dump_before_sleep();
	dump_thread.drained = true;
}

/*
 * Behind fork there are two of each stream, and bytes that wait in it would be written by both. So none wait, and other threads do not dump until
 * it is done (fork_is_near). A stream or a list that another thread is busy with is waited for, but not for ever: that thread may be stuck in a
 * pipe. The list is locked when this returns, if that could be.
 */
static void before_fork(void)
{
	dump_thread.forks = true;
	__atomic_store_n(&fork_is_near, true, __ATOMIC_SEQ_CST);
	for (int tries = 0; tries < FORK_TRIES; tries++) {
		bool all = true;

		dump_thread.locks_list = pthread_mutex_trylock(&dumpers_lock) == 0;
		for (struct dumper *dumper = dump_thread.locks_list ? dumpers : NULL; dumper; dumper = dumper->next)
			all &= try_flush(dumper);
		if (dump_thread.locks_list && (all || tries == FORK_TRIES - 1))
			return;
		if (dump_thread.locks_list)
			pthread_mutex_unlock(&dumpers_lock);
		dump_thread.locks_list = false;
		nanosleep(&fork_pause, NULL);
	}
}

static void after_fork_in_parent(void)
{
	__atomic_store_n(&fork_is_near, false, __ATOMIC_RELAXED);
	dump_thread.forks = false;
	if (dump_thread.locks_list)
		pthread_mutex_unlock(&dumpers_lock);
}

static void after_fork_in_child(void)
{
	fork_is_near = dump_thread.forks = false;
	/* The child's thread is not the one that has locked it. */
	dumpers_lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	for (struct dumper *dumper = dumpers; dumper; dumper = dumper->next)
		file_writer_forked(&dumper->writer);
}

/* With the stream locked, which another thread wants to flush before it forks. If that does not end, it may be stuck in a pipe: then things go on. */
static __attribute__((noinline, cold)) void let_fork(FILE *file)
{
	for (int tries = 0; __atomic_load_n(&fork_is_near, __ATOMIC_RELAXED) && !dump_thread.forks; tries++) {
		funlockfile(file);
		if (tries == FORK_TRIES)
			__atomic_store_n(&fork_is_near, false, __ATOMIC_RELAXED);
		else
			nanosleep(&fork_pause, NULL);
		flockfile(file);
	}
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* Opening. */

struct settings {
	struct config config;
	struct log log;
};

/* The dumper outlives the handle, so it has a log of its own. */
static int open_log(struct log *log, const pcap_t *p, const struct config *config, struct netring_error *error)
{
	if (!p->device)
		return log_open(log, (enum log_level)config->value[CONFIG_LOG], config->text[CONFIG_LOG_FILE], error);
	*log = p->log;
	if (log->fd >= 0)
		log->fd = fcntl(log->fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

static int load_settings(pcap_t *p, struct settings *settings)
{
	struct netring_error error = { "" };
	int ret;

	config_init(&settings->config);
	ret = config_load(&settings->config, &error);
	if (ret == 0)
		ret = open_log(&settings->log, p, &settings->config, &error);
	return ret < 0 ? handle_fail(p, "%s", error.text) : 0;
}

static struct dumper *make_dumper(FILE *opened, const char *path, struct settings *settings, struct netring_error *error)
{
	static const enum file_writer_way ways[] = { [DUMP_DIRECT] = FILE_WRITER_DIRECT, [DUMP_CACHED] = FILE_WRITER_CACHED };
	struct dumper *dumper = calloc(1, sizeof(*dumper) + strlen(path) + 1);
	struct file_writer_options options = {
		.way = ways[settings->config.value[CONFIG_DUMP]],
		.strict = settings->config.value[CONFIG_STRICT],
		.buffer_size = settings->config.value[CONFIG_DUMP_BUFFER],
	};
	int fd = fcntl(fileno(opened), F_DUPFD, STDERR_FILENO + 1), ret = -ENOMEM; /* the log may go to stderr, closed or not */

	if (fd < 0 || !dumper) {
		error_errno(error, errno, "%s", path);
		goto fail;
	}
	strcpy(dumper->name, path);
	dumper->log = settings->log;
	options.name = dumper->name;
	options.log = &dumper->log;
	ret = file_writer_open(&dumper->writer, fd, &options, error);
	if (ret == 0)
		return dumper;
fail:
	if (fd >= 0)
		close(fd);
	free(dumper);
	return NULL;
}

/* Moves what the file's header is into the stream, which is then all that is left of the file. Returns false if there can be no stream. */
static bool make_stream(struct dumper *dumper, FILE *opened, const char *mode)
{
	static const cookie_io_functions_t functions = { cookie_read, cookie_write, cookie_seek, cookie_close };
	size_t waiting = (size_t)(opened->_IO_write_ptr - opened->_IO_write_base);
	off_t position = file_writer_tell(&dumper->writer);
	uint8_t *end;

	dumper->file = fopencookie(dumper, mode, functions);
	if (!dumper->file)
		return false;
	dumper->file->_fileno = dumper->writer.fd;
	dumper->file->_wide_data = NULL; /* else freopen, which takes it for a stream of its own, writes to where fopencookie lets this point */
	dumper->kind = kind_of(dumper->file);
	file_writer_room(&dumper->writer, &dumper->buffer, &end);
	setvbuf(dumper->file, (char *)dumper->buffer, _IOFBF, (size_t)(end - dumper->buffer));
	fwrite(opened->_IO_write_base, 1, waiting, dumper->file);
	dumper->in_buffer = (struct boundary){ position + (off_t)waiting, position, false };
	__fpurge(opened);
	fclose(opened);
	return true;
}

/* There can be no stream of ours. libpcap's own does as well, unless that is not wanted. */
static pcap_dumper_t *fall_back(pcap_t *p, FILE *opened, const char *path, struct settings *settings, const struct netring_error *error)
{
	bool strict = settings->config.value[CONFIG_STRICT];

	if (!strict)
		log_write(&settings->log, LOG_WARN, "%s; it is written as libpcap does", error->text);
	log_close(&settings->log);
	if (strict) {
		fclose(opened);
		handle_fail(p, "%s (NETRING_STRICT)", error->text);
		return NULL;
	}
	savefile_stream_opened(opened, path);
	return (pcap_dumper_t *)opened;
}

static void warn_of_buffer(const struct settings *settings, const char *path)
{
	if (settings->config.value[CONFIG_DUMP] == DUMP_STDIO && config_is_set(&settings->config, CONFIG_DUMP_BUFFER))
		log_write(&settings->log, LOG_WARN, "%s: written as libpcap does, as NETRING_DUMP=stdio has it; NETRING_DUMP_BUFFER has no effect",
			  path);
}

/* The same file as a stream of ours. */
static pcap_dumper_t *adopt(pcap_t *p, FILE *opened, const char *path, const char *mode, struct settings *settings)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct netring_error error = { "" };
	struct dumper *dumper;

	if (!opened || opened == stdout || settings->config.value[CONFIG_DUMP] == DUMP_STDIO) {
		warn_of_buffer(settings, path);
		log_close(&settings->log);
		if (opened)
			savefile_stream_opened(opened, opened == stdout ? "standard output" : path);
		return (pcap_dumper_t *)opened;
	}
	dumper = make_dumper(opened, path, settings, &error);
	if (dumper && !make_stream(dumper, opened, mode)) {
		error_errno(&error, errno, "%s", path);
		file_writer_close(&dumper->writer);
		free(dumper);
		dumper = NULL;
	}
	if (!dumper)
		return fall_back(p, opened, path, settings, &error);
	savefile_stream_closed(dumper->file); /* there was another in that place */
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&dumpers_lock);
	dumper->next = dumpers;
	dumpers = dumper;
	pthread_mutex_unlock(&dumpers_lock);
	return (pcap_dumper_t *)dumper->file;
}

pcap_dumper_t *pcap_dump_open(pcap_t *p, const char *path)
{
	struct settings settings;

	inner_stdio_refresh();
	if (load_settings(p, &settings) < 0)
		return NULL;
	return adopt(p, (FILE *)inner_pcap_dump_open(p->inner, path), path, "w", &settings);
}

pcap_dumper_t *pcap_dump_open_append(pcap_t *p, const char *path)
{
	struct settings settings;

	inner_stdio_refresh();
	if (load_settings(p, &settings) < 0)
		return NULL;
	return adopt(p, (FILE *)inner_pcap_dump_open_append(p->inner, path), path, "a+", &settings);
}

pcap_dumper_t *pcap_dump_fopen(pcap_t *p, FILE *file)
{
	pcap_dumper_t *dumper = inner_pcap_dump_fopen(p->inner, file);

	if (dumper)
		savefile_stream_opened(file, "stream");
	return dumper;
}

/* Dumping. */

static __attribute__((noinline)) void remember_stream(FILE *file)
{
	if (file == stdout)
		__atomic_store_n(&dumped_to_stdout, true, __ATOMIC_RELAXED);
	if (!dump_thread.reads) {
		__atomic_store_n(&dump_by_others, true, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&dump_reader_sleeps, __ATOMIC_SEQ_CST))
			dump_flush_pending();
		return;
	}
	dump_thread.several |= dump_thread.last != NULL;
	dump_thread.last = file;
}

/* A packet that does not fit into the buffer, or whose stream has failed. */
static __attribute__((noinline, cold)) void dump_slowly(FILE *file, const struct savefile_record *record, const u_char *data)
{
	forget_reopened();
	if (ferror_unlocked(file)) {
		count_refused(file);
		return;
	}
	dump_thread.packet = file->_IO_write_ptr;
	dump_thread.packet_size = sizeof(*record) + record->captured_len;
	if (fwrite_unlocked(record, sizeof(*record), 1, file) == 1)
		fwrite_unlocked(data, record->captured_len, 1, file);
	if (ferror_unlocked(file))
		note_stream_failure(file, 1);
	dump_thread.packet = NULL;
}

static inline void append(FILE *file, const struct savefile_record *record, const u_char *data)
{
	ptrdiff_t room = file->_IO_write_end - file->_IO_write_ptr;
	char *place = file->_IO_write_ptr;

	if (unlikely(room < (ptrdiff_t)(sizeof(*record) + record->captured_len) || ferror_unlocked(file))) {
		dump_slowly(file, record, data);
		return;
	}
	memcpy(place, record, sizeof(*record));
	memcpy(place + sizeof(*record), data, record->captured_len);
	file->_IO_write_ptr = place + sizeof(*record) + record->captured_len;
}

static __attribute__((noinline, cold)) void flush_dumped(FILE *file)
{
	if (dump_thread.flush_wanted)
		flush_stream(file);
	dump_thread.flush_wanted = false;
	if (dump_thread.drained)
		dump_flush_pending();
}

void pcap_dump(u_char *dumper, const struct pcap_pkthdr *header, const u_char *data)
{
	struct savefile_record record = { (int32_t)header->ts.tv_sec, (int32_t)header->ts.tv_usec, header->caplen, header->len };
	FILE *file = (FILE *)dumper;
	bool lock = !__libc_single_threaded;

	if (unlikely(lock)) {
		flockfile(file);
		if (unlikely(__atomic_load_n(&fork_is_near, __ATOMIC_RELAXED)))
			let_fork(file);
	}
	dump_thread.busy = file;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	append(file, &record, data);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	dump_thread.busy = NULL;
	if (unlikely(lock))
		funlockfile(file);
	if (unlikely(dump_thread.last != file))
		remember_stream(file);
	if (unlikely(dump_thread.flush_wanted | dump_thread.drained))
		flush_dumped(file);
}

/* A signal handler may call this in the middle of a packet (tcpdump's of SIGUSR2 does); then it is done behind that packet. */
int pcap_dump_flush(pcap_dumper_t *dumper)
{
	FILE *file = (FILE *)dumper;

	if (dump_thread.busy == file) {
		dump_thread.flush_wanted = true;
		return 0;
	}
	if (flush_stream(file) != EOF && !ferror(file))
		return 0;
	note_stream_failure(file, 0);
	return PCAP_ERROR;
}

void pcap_dump_close(pcap_dumper_t *dumper)
{
	FILE *file = (FILE *)dumper;

	forget_reopened();
	if (!dumper_of(file)) {
		if (fflush(file) == EOF)
			savefile_stream_failed(file, errno, 0);
		savefile_stream_closed(file);
	}
	fclose(file);
}

FILE *pcap_dump_file(pcap_dumper_t *dumper)
{
	return (FILE *)dumper;
}

long pcap_dump_ftell(pcap_dumper_t *dumper)
{
	return ftell((FILE *)dumper);
}

int64_t pcap_dump_ftell64(pcap_dumper_t *dumper)
{
	return ftello((FILE *)dumper);
}
