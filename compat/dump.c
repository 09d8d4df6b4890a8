/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_dump and its sisters.
 *
 * pcap_dump puts a packet where putc_unlocked(3) would put its bytes, for any stream: ours (dumper.c), standard output, or one of the program's. Only
 * what does not fit goes through fwrite. Whether the packet may wait there is for dump-hold.c to say; a thread that is in a read, and dumps to the
 * same stream again, has nothing more to do.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/single_threaded.h>

#include "dump-failure.h"
#include "dumper.h"
#include "handle.h"
#include "savefile-records.h"
#include "savefile-streams.h"

/* Opening. */

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

static int load_settings(pcap_t *p, struct dumper_settings *settings)
{
	struct netring_error error = { "" };
	int ret;

	settings->stdout_has_buffer = stdout->_IO_buf_base != NULL;
	config_init(&settings->config);
	settings->config.interface = p->device;
	ret = config_load(&settings->config, &error);
	if (ret == 0)
		ret = open_log(&settings->log, p, &settings->config, &error);
	return ret < 0 ? handle_fail(p, "%s", error.text) : 0;
}

/* There can be no stream of ours. libpcap's own does as well, unless that is not wanted. */
static pcap_dumper_t *fall_back(pcap_t *p, FILE *opened, const char *path, struct dumper_settings *settings, const struct netring_error *error)
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

static void warn_of_buffer(const struct dumper_settings *settings, const char *path)
{
	if (settings->config.value[CONFIG_DUMP] == DUMP_STDIO && config_is_set(&settings->config, CONFIG_DUMP_BUFFER))
		log_write(&settings->log, LOG_WARN, "%s: written as libpcap does, as NETRING_DUMP=stdio has it; NETRING_DUMP_BUFFER has no effect",
			  path);
}

/* As libpcap does it, but for the failures that the log names. */
static pcap_dumper_t *leave(FILE *opened, const char *name, struct dumper_settings *settings)
{
	warn_of_buffer(settings, name);
	log_close(&settings->log);
	savefile_stream_opened(opened, name);
	return (pcap_dumper_t *)opened;
}

/* What libpcap has opened, made ours. */
static pcap_dumper_t *adopt(pcap_t *p, FILE *opened, const char *path, const char *mode, struct dumper_settings *settings)
{
	bool is_libpcaps = settings->config.value[CONFIG_DUMP] == DUMP_STDIO;
	struct netring_error error = { "" };
	FILE *file;

	if (!opened) {
		log_close(&settings->log);
		return NULL;
	}
	if (opened == stdout) {
		if (!is_libpcaps)
			dumper_adopt_stdout(settings->stdout_has_buffer);
		return leave(opened, "standard output", settings);
	}
	if (is_libpcaps)
		return leave(opened, path, settings);
	file = dumper_open(opened, path, mode, settings, &error);
	return file ? (pcap_dumper_t *)file : fall_back(p, opened, path, settings, &error);
}

pcap_dumper_t *pcap_dump_open(pcap_t *p, const char *path)
{
	struct dumper_settings settings;

	inner_stdio_refresh();
	if (load_settings(p, &settings) < 0)
		return NULL;
	return adopt(p, (FILE *)inner_pcap_dump_open(p->inner, path), path, "w", &settings);
}

pcap_dumper_t *pcap_dump_open_append(pcap_t *p, const char *path)
{
	struct dumper_settings settings;

	inner_stdio_refresh();
	if (load_settings(p, &settings) < 0)
		return NULL;
	return adopt(p, (FILE *)inner_pcap_dump_open_append(p->inner, path), path, "a+", &settings);
}

/* The stream is the program's, and so is its buffer. */
pcap_dumper_t *pcap_dump_fopen(pcap_t *p, FILE *file)
{
	pcap_dumper_t *dumper = inner_pcap_dump_fopen(p->inner, file);

	if (dumper)
		savefile_stream_opened(file, "stream");
	return dumper;
}

/* Dumping. */

/* A packet that does not fit into the buffer, or whose stream has failed. */
static __attribute__((noinline, cold)) void dump_slowly(FILE *file, const struct savefile_record *record, const u_char *data)
{
	if (!dumper_of(file))
		dumper_forget(file);
	if (ferror_unlocked(file)) {
		dump_refused(file);
		return;
	}
	dump_thread.packet = file->_IO_write_ptr;
	dump_thread.packet_size = sizeof(*record) + record->captured_len;
	if (fwrite_unlocked(record, sizeof(*record), 1, file) == 1)
		fwrite_unlocked(data, record->captured_len, 1, file);
	if (ferror_unlocked(file))
		dump_stream_failed(file, 1);
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

/* A signal handler finds the stream busy until the packet is in it whole. What it wants flushed then makes the stream another than the last. */
static inline __attribute__((always_inline)) void dump(FILE *file, const struct savefile_record *record, const u_char *data)
{
	dump_thread.busy = file;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	append(file, record, data);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	dump_thread.busy = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(dump_thread.last != file))
		dump_look_after(file);
}

static void unlock_stream(void *file)
{
	dump_thread.busy = NULL;
	dump_thread.packet = NULL;
	funlockfile(file);
}

/* The thread may be cancelled where it writes to a pipe. */
static __attribute__((noinline)) void dump_among_threads(FILE *file, const struct savefile_record *record, const u_char *data)
{
	flockfile(file);
	pthread_cleanup_push(unlock_stream, file);
	if (unlikely(__atomic_load_n(&dump_fork_is_near, __ATOMIC_RELAXED)))
		dump_let_fork(file);
	dump(file, record, data);
	pthread_cleanup_pop(1);
}

void pcap_dump(u_char *dumper, const struct pcap_pkthdr *header, const u_char *data)
{
	struct savefile_record record = { (int32_t)header->ts.tv_sec, (int32_t)header->ts.tv_usec, header->caplen, header->len };
	FILE *file = (FILE *)dumper;

	if (unlikely(!__libc_single_threaded))
		dump_among_threads(file, &record, data);
	else
		dump(file, &record, data);
}

/* A signal handler may call this in the middle of a packet (tcpdump's of SIGUSR2 does); then it is done behind that packet. */
int pcap_dump_flush(pcap_dumper_t *dumper)
{
	FILE *file = (FILE *)dumper;

	if (dump_thread.busy == file) {
		dump_thread.flush_wanted = true;
		dump_thread.last = NULL;
		return 0;
	}
	if (dump_flush_stream(file) != EOF && !ferror_unlocked(file))
		return 0;
	dump_stream_failed(file, 0);
	return PCAP_ERROR;
}

void pcap_dump_close(pcap_dumper_t *dumper)
{
	FILE *file = (FILE *)dumper;

	if (!dumper_of(file))
		dumper_forget(file);
	dump_flush_stream(file); /* says so if it fails */
	savefile_stream_closed(file);
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
