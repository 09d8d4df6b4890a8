/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dumpers as programs use and misuse them, and dumpers whose file cannot be written any more: the file ends behind its last whole packet, and what was
 * dumped is in the file or counted.
 *
 * The drop-in is linked into this program. Its calls of write go through the wrapper below.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/test-random.h"
#include "dump.h"
#include "file-writer.h"
#include "resources.h"

#define HEADER 24
#define RECORD 16
#define CONTENT_MAX ((size_t)64 << 20)
#define PACKET_MAX 262144

/* The kernel's own writes fail, and leave it to write to be judged. */
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __real___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask);

static struct {
	int errnum;
	size_t left; /* bytes until write fails with it */
} disk;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);

static bool is_spared(int fd)
{
	return !disk.errnum || fd <= STDERR_FILENO || fcntl(fd, F_GETFL) & O_APPEND; /* the log appends */
}

/* How much of a write is done; 0: it fails with errno. */
static size_t allowed(int fd, size_t size)
{
	if (size > disk.left)
		size = fcntl(fd, F_GETFL) & O_DIRECT ? disk.left & ~(size_t)4095 : disk.left;
	if (size == 0)
		errno = disk.errnum;
	return size;
}

static ssize_t note_written(ssize_t written)
{
	if (written > 0)
		disk.left -= (size_t)written;
	return written;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (is_spared(fd))
		return __real_write(fd, data, size);
	size = allowed(fd, size);
	return size > 0 ? note_written(__real_write(fd, data, size)) : -1;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	if (is_spared(fd))
		return __real_pwrite(fd, data, size, offset);
	size = allowed(fd, size);
	return size > 0 ? note_written(__real_pwrite(fd, data, size, offset)) : -1;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	if (disk.errnum)
		ring->sq.sqes[(ring->sq.sqe_tail - 1) & *ring->sq.kring_mask].opcode = IORING_OP_NOP;
	return __real_io_uring_submit(ring);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
	for (unsigned i = 0; disk.errnum && i < count; i++)
		ring->sq.sqes[(ring->sq.sqe_tail - count + i) & *ring->sq.kring_mask].opcode = IORING_OP_NOP;
	return __real_io_uring_submit_and_wait(ring, count);
}

int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask)
{
	int ret = __real___io_uring_get_cqe(ring, cqe, submit, wait, mask);

	if (ret == 0 && disk.errnum)
		(*cqe)->res = -disk.errnum;
	return ret;
}

static struct random numbers;
static uint8_t *model, *content, *bytes;
static size_t model_size;
static char path[64], log_path[72];
static pcap_t *dead;
static struct dump_losses before_test;

static void setup(void)
{
	dump_losses(&before_test);
	disk.errnum = 0;
	numbers.state = 1;
	snprintf(path, sizeof(path), "./test-dump-faults.%d", getpid());
	snprintf(log_path, sizeof(log_path), "%s.log", path);
	unlink(path);
	unlink(log_path);
	setenv("NETRING_LOG_FILE", log_path, 1);
	unsetenv("NETRING_LOG");
	unsetenv("NETRING_DUMP");
	setenv("NETRING_DUMP_BUFFER", "512K", 1);
	dead = pcap_open_dead(DLT_EN10MB, PACKET_MAX);
	dump_read_begins(); /* as in a callback, or nothing would wait */
}

static void teardown(void)
{
	disk.errnum = 0;
	dump_read_ends(DUMP_LIKE_LIBPCAP);
	pcap_close(dead);
	unlink(path);
	unlink(log_path);
}

static size_t read_file(const char *name, uint8_t *to)
{
	int fd = open(name, O_RDONLY);
	ssize_t size = fd >= 0 ? read(fd, to, CONTENT_MAX) : 0;

	ck_assert_int_ge(size, 0);
	if (fd >= 0)
		close(fd);
	return (size_t)size;
}

static const char *logged(void)
{
	content[read_file(log_path, content)] = '\0';
	return (const char *)content;
}

/* The file's header, as libpcap would write it, begins the model of what should be in the file. */
static void begin_model(void)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, PACKET_MAX, DLT_EN10MB };

	memcpy(model, header, HEADER);
	model_size = HEADER;
}

static pcap_dumper_t *open_dumper(void)
{
	pcap_dumper_t *dumper = pcap_dump_open(dead, path);

	ck_assert_ptr_nonnull(dumper);
	begin_model();
	return dumper;
}

static void dump_to(pcap_dumper_t *dumper, size_t size)
{
	struct pcap_pkthdr header = { .ts = { (long)model_size, 7 }, .caplen = (bpf_u_int32)size, .len = (bpf_u_int32)size + 1 };
	uint32_t record[] = { (uint32_t)header.ts.tv_sec, 7, header.caplen, header.len };

	memcpy(model + model_size, record, RECORD);
	memcpy(model + model_size + RECORD, bytes + model_size % 1000, size);
	pcap_dump((u_char *)dumper, &header, model + model_size + RECORD);
	model_size += RECORD + size;
}

static size_t any_size(void)
{
	unsigned choice = random_below(&numbers, 100);

	if (choice == 0)
		return random_below(&numbers, PACKET_MAX);
	return choice < 50 ? random_below(&numbers, 100) : random_below(&numbers, 1514);
}

static void check_file(const char *what)
{
	size_t size = read_file(path, content);

	ck_assert_msg(size == model_size, "%s: %zu bytes, not %zu", what, size, model_size);
	ck_assert_msg(memcmp(content, model, size) == 0, "%s: other bytes", what);
}

/* What stdio offers, in the middle of it all. */
static void meddle(pcap_dumper_t *dumper)
{
	FILE *file = pcap_dump_file(dumper);

	switch (random_below(&numbers, 6)) {
	case 0:
		ck_assert_int_eq(pcap_dump_flush(dumper), 0);
		check_file("pcap_dump_flush");
		break;
	case 1:
		ck_assert_int_eq(fflush(file), 0);
		check_file("fflush");
		ck_assert_int_eq(lseek(fileno(file), 0, SEEK_CUR), (off_t)model_size);
		break;
	case 2:
		ck_assert_int_eq(ftello(file), (off_t)model_size);
		ck_assert_int_eq(pcap_dump_ftell(dumper), (long)model_size);
		ck_assert_int_eq(pcap_dump_ftell64(dumper), (int64_t)model_size);
		break;
	case 3:
		fwrite("between", 1, 7, file);
		memcpy(model + model_size, "between", 7);
		model_size += 7;
		break;
	case 4:
		dump_before_sleep();
		check_file("before sleep");
		break;
	default:
		dump_to(dumper, PACKET_MAX);
	}
}

START_TEST(test_stdio_on_a_dumper)
{
	static const char *const ways[] = { "auto", "direct", "cached", "stdio" };
	static const char *const buffers[] = { "64K", "512K", "8M" };
	struct resources before = resources_now();
	pcap_dumper_t *dumper;

	numbers.state = (uint64_t)_i + 1;
	setenv("NETRING_DUMP", ways[_i & 3], 1);
	setenv("NETRING_DUMP_BUFFER", buffers[_i / 4 % 3], 1);
	/* There is no such buffer, and a line would say so: test_buffer_without_the_writer. */
	if (strcmp(ways[_i & 3], "stdio") == 0)
		unsetenv("NETRING_DUMP_BUFFER");
	dumper = open_dumper();
	while (model_size < 20 << 20) {
		dump_to(dumper, any_size());
		if (random_below(&numbers, 1000) == 0 && (_i & 3) < 3)
			meddle(dumper);
	}
	if (_i & 16)
		fclose(pcap_dump_file(dumper));
	else
		pcap_dump_close(dumper);
	check_file("at the end");
	ck_assert_uint_eq(resources_now().descriptors, before.descriptors);
	ck_assert_str_eq(logged(), "");
}
END_TEST

/* The program brings its own buffer, or wants none: its wish is respected, and nothing gets lost. */
START_TEST(test_setvbuf_by_the_program)
{
	static char own[10000];
	pcap_dumper_t *dumper = open_dumper();

	for (int i = 0; i < 2000; i++)
		dump_to(dumper, any_size());
	ck_assert_int_eq(setvbuf(pcap_dump_file(dumper), _i ? own : NULL, _i ? _IOFBF : _IONBF, _i ? sizeof(own) : 0), 0);
	check_file("setvbuf");
	for (int i = 0; i < 2000; i++) {
		dump_to(dumper, any_size());
		if (_i == 0)
			ck_assert_int_eq(lseek(fileno(pcap_dump_file(dumper)), 0, SEEK_END), (off_t)model_size);
	}
	pcap_dump_close(dumper);
	check_file("at the end");
}
END_TEST

START_TEST(test_append_and_seek)
{
	pcap_dumper_t *dumper = open_dumper();
	size_t size;

	for (int i = 0; i < 3000; i++)
		dump_to(dumper, any_size());
	pcap_dump_close(dumper);
	dumper = pcap_dump_open_append(dead, path);
	ck_assert_ptr_nonnull(dumper);
	ck_assert_int_eq(pcap_dump_ftell64(dumper), (int64_t)model_size);
	for (int i = 0; i < 3000; i++) {
		dump_to(dumper, any_size());
		if (i % 700 == 0)
			ck_assert_int_eq(pcap_dump_ftell64(dumper), (int64_t)model_size);
	}
	pcap_dump_close(dumper);
	check_file("append");
	dumper = open_dumper();
	dump_to(dumper, 1000);
	ck_assert_int_eq(fseek(pcap_dump_file(dumper), 16, SEEK_SET), 0);
	fwrite("1234", 1, 4, pcap_dump_file(dumper));
	memcpy(model + 16, "1234", 4);
	ck_assert_int_eq(fseek(pcap_dump_file(dumper), 0, SEEK_END), 0);
	size = model_size;
	while (model_size < size + (4 << 20))
		dump_to(dumper, any_size());
	pcap_dump_close(dumper);
	check_file("seek");
}
END_TEST

/* As a daemon does it, the child goes on (0); or the parent does, and the child closes (1) or just ends (2), which flushes. Each byte is there once. */
START_TEST(test_fork)
{
	size_t before;
	pcap_dumper_t *dumper = open_dumper();
	struct random then;
	int status;
	pid_t child;

	for (int i = 0; i < 50 + 3000 * (_i / 3); i++)
		dump_to(dumper, any_size());
	before = model_size;
	then = numbers;
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 3000 && _i % 3 == 0; i++)
			dump_to(dumper, any_size());
		if (_i % 3 == 1)
			pcap_dump_close(dumper);
		pcap_close(dead); /* for the sanitizer */
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	if (_i % 3 == 0) { /* what the child has dumped, on paper only */
		pcap_dumper_t *nowhere = pcap_dump_open(dead, "/dev/null");

		numbers = then;
		model_size = before;
		for (int i = 0; i < 3000; i++)
			dump_to(nowhere, any_size());
		pcap_dump_close(nowhere);
	}
	for (int i = 0; i < 3000 && _i % 3; i++)
		dump_to(dumper, any_size());
	pcap_dump_close(dumper);
	check_file("after fork");
}
END_TEST

/* exit flushes the streams that are open. */
START_TEST(test_exit_without_close)
{
	int status;
	pid_t child = fork();

	numbers.state = 5;
	if (child == 0) {
		pcap_dumper_t *dumper = open_dumper();

		for (int i = 0; i < 8000; i++)
			dump_to(dumper, any_size());
		pcap_close(dead); /* for the sanitizer */
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	begin_model();
	for (int i = 0; i < 8000; i++) {
		size_t size = any_size();
		uint32_t record[] = { (uint32_t)model_size, 7, (uint32_t)size, (uint32_t)size + 1 };

		memcpy(model + model_size, record, RECORD);
		memcpy(model + model_size + RECORD, bytes + model_size % 1000, size);
		model_size += RECORD + size;
	}
	check_file("exit");
}
END_TEST

static pcap_dumper_t *interrupted;
static volatile sig_atomic_t flushes;

static void flush_in_handler(int number)
{
	(void)number;
	flushes += pcap_dump_flush(interrupted) == 0;
}

/* tcpdump flushes in its handler of SIGUSR2, wherever that finds the program. */
START_TEST(test_flush_in_a_signal_handler)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };

	interrupted = open_dumper();
	signal(SIGALRM, flush_in_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	while (model_size < 20 << 20)
		dump_to(interrupted, any_size());
	setitimer(ITIMER_REAL, &never, NULL);
	pcap_dump_close(interrupted);
	check_file("signals");
	ck_assert_int_gt(flushes, 0);
}
END_TEST

#define THREADS 4
#define THREAD_PACKETS 20000

static void *dump_in_thread(void *dumper)
{
	static const u_char data[1500];

	for (bpf_u_int32 i = 0; i < THREAD_PACKETS; i++) {
		struct pcap_pkthdr header = { .ts = { 1, i }, .caplen = i % 1500, .len = 1500 };

		pcap_dump(dumper, &header, data);
		if (i % 1000 == 0)
			dump_before_sleep();
	}
	return NULL;
}

START_TEST(test_threads)
{
	pcap_dumper_t *dumper = open_dumper();
	unsigned seen[THREAD_PACKETS] = { 0 }, packets = 0;
	pthread_t threads[THREADS];
	size_t size;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, dump_in_thread, dumper), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pcap_dump_close(dumper);
	size = read_file(path, content);
	for (size_t at = HEADER; at < size; packets++) {
		uint32_t record[4];

		memcpy(record, content + at, sizeof(record));
		ck_assert(record[0] == 1 && record[1] < THREAD_PACKETS && record[2] == record[1] % 1500);
		seen[record[1]]++;
		at += RECORD + record[2];
	}
	ck_assert_uint_eq(packets, THREADS * THREAD_PACKETS);
	for (int i = 0; i < THREAD_PACKETS; i++)
		ck_assert_uint_eq(seen[i], THREADS);
}
END_TEST

/* All but what libpcap would hold back as well. */
static void check_nearly_all(const char *what)
{
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_msg(status.st_size > (off_t)model_size - DUMP_LIBPCAP_HOLDS, "%s: %lld of %zu bytes", what, (long long)status.st_size, model_size);
}

static void *dump_many(void *dumper)
{
	for (int i = 0; i < 100; i++) {
		dump_to(dumper, 1000);
		check_nearly_all("another thread");
	}
	return NULL;
}

static void *dump_and_end(void *dumper)
{
	dump_read_begins();
	for (int i = 0; i < 10; i++)
		dump_to(dumper, 1000);
	return NULL;
}

static void in_thread(void *(*run)(void *dumper), pcap_dumper_t *dumper)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, run, dumper), 0);
	pthread_join(thread, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Only a thread that is in a read, or will be at once, holds anything back. */
START_TEST(test_who_holds)
{
	const struct timespec long_enough = { 0, 120000000 };
	pcap_dumper_t *dumper = open_dumper();
	int64_t began_ms;
	bool held;

	for (int i = 0; i < 50; i++)
		dump_to(dumper, 1000);
	ck_assert_uint_eq(read_file(path, content), 0);
	dump_before_sleep();
	check_file("before sleep");
	in_thread(dump_many, dumper);
	dump_to(dumper, 10000);
	dump_read_ends(DUMP_LIKE_LIBPCAP);
	check_file("the read is over");
	for (int i = 0; i < 100; i++) {
		dump_to(dumper, 1000);
		check_nearly_all("in no read");
	}
	dump_read_ends(DUMP_AT_ONCE);
	dump_to(dumper, 10);
	check_file("at once");
	began_ms = now_ms();
	dump_read_ends(DUMP_HOLD_BETWEEN);
	dump_to(dumper, 10000);
	held = read_file(path, content) < model_size;
	ck_assert(held || now_ms() - began_ms >= 90); /* this process was stopped between the two */
	nanosleep(&long_enough, NULL);
	dump_to(dumper, 10);
	check_file("long between reads");
	in_thread(dump_and_end, dumper);
	check_file("the thread has ended");
	pcap_dump_close(dumper);
}
END_TEST

/* A thread holds so many streams, and others not at all. Those that are closed meanwhile, by whom ever, are not touched. */
START_TEST(test_holding_many)
{
	pcap_dumper_t *dumper[3 * DUMP_HELD_MAX];
	char name[80];

	for (int i = 0; i < 3 * DUMP_HELD_MAX; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		dumper[i] = pcap_dump_open(dead, name);
		ck_assert_ptr_nonnull(dumper[i]);
	}
	for (int packet = 0; packet < 5000; packet++) {
		begin_model();
		dump_to(dumper[packet % (3 * DUMP_HELD_MAX)], 1400);
	}
	for (int i = 0; i < 3 * DUMP_HELD_MAX; i += 2)
		fclose(pcap_dump_file(dumper[i]));
	dump_before_sleep();
	for (int i = 0; i < 3 * DUMP_HELD_MAX; i++) {
		struct stat status;

		snprintf(name, sizeof(name), "%s.%d", path, i);
		ck_assert_int_eq(stat(name, &status), 0);
		ck_assert_int_gt(status.st_size, HEADER + 200 * (RECORD + 1400));
		ck_assert_int_eq(unlink(name), 0);
		if (i % 2)
			pcap_dump_close(dumper[i]);
	}
}
END_TEST

/* Packets of the model that are whole within size bytes; *end is where the last one ends. */
static unsigned whole_packets(size_t size, size_t *end)
{
	unsigned packets = 0;
	size_t at = HEADER;

	*end = size < HEADER ? 0 : HEADER;
	while (at + RECORD <= size) {
		uint32_t record[4];

		memcpy(record, model + at, sizeof(record));
		at += RECORD + record[2];
		if (at > size)
			break;
		*end = at;
		packets++;
	}
	return packets;
}

static void check_failed_file(pcap_dumper_t *dumper, size_t room, unsigned dumped, int errnum)
{
	size_t end, size;
	unsigned whole = whole_packets(room, &end), lost = 0, at_first;
	struct dump_losses now;
	const char *text, *said;
	char line[240];

	ck_assert_int_eq(pcap_dump_flush(dumper), PCAP_ERROR);
	ck_assert_int_eq(pcap_dump_flush(dumper), PCAP_ERROR);
	ck_assert(ferror(pcap_dump_file(dumper)));
	pcap_dump_close(dumper);
	disk.errnum = 0;
	size = read_file(path, content);
	ck_assert_msg(size == end && memcmp(content, model, size) == 0, "room for %zu bytes: %zu in the file, not %zu", room, size, end);
	text = logged();
	snprintf(line, sizeof(line),
		 "netring: error: %s: cannot write: %s; the file ends at byte %zu, and nothing more is written to it; lost=", path, strerror(errnum),
		 end);
	said = strstr(text, line);
	ck_assert_msg(said && sscanf(said + strlen(line), "%u\n", &at_first) == 1, "log: %s", text);
	ck_assert_msg(!strstr(said + strlen(line), "error:") && !strstr(text, "warn:"), "more than one line: %s", text);
	snprintf(line, sizeof(line), "netring: info: %s: closed; it could not be written; lost=", path);
	said = strstr(said, line);
	if (dumped > whole)
		ck_assert_msg(said && sscanf(said + strlen(line), "%u\n", &lost) == 1 && at_first > 0 && at_first <= lost, "log: %s", text);
	dump_losses(&now);
	ck_assert_uint_eq(now.packets - before_test.packets, lost);
	ck_assert_uint_eq(now.failures - before_test.failures, 1);
	ck_assert_msg(lost + whole == dumped, "room for %zu bytes: %u packets dumped, %u in the file, %u counted as lost", room, dumped, whole, lost);
}

/* A disk of any size. It is full for good, or somebody makes room later: too late for this file. */
START_TEST(test_full_disk)
{
	struct resources before = resources_now();
	size_t room = (size_t)_i * (size_t)_i * 997;
	pcap_dumper_t *dumper;
	unsigned dumped = 0;

	numbers.state = (uint64_t)_i + 1;
	setenv("NETRING_DUMP", _i & 1 ? "cached" : "direct", 1);
	setenv("NETRING_LOG", "info", 1);
	dumper = open_dumper();
	disk.errnum = _i & 2 ? ENOSPC : EIO;
	disk.left = room;
	for (; model_size < room + (2 << 20); dumped++) {
		dump_to(dumper, any_size());
		if (_i & 4 && dumped % 500 == 0)
			pcap_dump_flush(dumper);
		if (_i & 8 && dumped % 1000 == 0)
			dump_before_sleep();
		if (_i & 16 && ferror(pcap_dump_file(dumper)))
			disk.left = CONTENT_MAX;
	}
	check_failed_file(dumper, room, dumped, _i & 2 ? ENOSPC : EIO);
	ck_assert_uint_eq(resources_now().descriptors, before.descriptors);
}
END_TEST

/* Nobody closes the file: how much is lost is said all the same. */
START_TEST(test_full_disk_at_exit)
{
	unsigned dumped = 0, whole, lost = 0;
	const char *said;
	size_t end;
	pid_t child;
	int status;

	setenv("NETRING_LOG", "info", 1);
	numbers.state = 5;
	child = fork();
	for (pcap_dumper_t *dumper = child == 0 ? open_dumper() : NULL; dumper && model_size < 4 << 20;) {
		disk.errnum = ENOSPC;
		disk.left = model_size == HEADER ? 1 << 20 : disk.left;
		dump_to(dumper, any_size());
	}
	if (child == 0) {
		pcap_close(dead); /* for the sanitizer */
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	begin_model();
	for (size_t size; model_size < 4 << 20; dumped++) {
		size = any_size();
		memcpy(model + model_size, (uint32_t[]){ (uint32_t)model_size, 7, (uint32_t)size, (uint32_t)size + 1 }, RECORD);
		model_size += RECORD + size;
	}
	whole = whole_packets(1 << 20, &end);
	said = strstr(logged(), "left open; it could not be written; lost=");
	if (said)
		sscanf(strstr(said, "lost="), "lost=%u", &lost);
	ck_assert_msg(lost + whole == dumped, "%u dumped, %u in the file, log: %s", dumped, whole, logged());
}
END_TEST

/* A real one: the kernel refuses the writes in flight as well. */
START_TEST(test_limit_of_file_size)
{
	size_t room = (size_t)(_i + 1) * 300001;
	struct rlimit before, limit;
	pcap_dumper_t *dumper;
	unsigned dumped = 0;

	numbers.state = (uint64_t)_i + 1;
	setenv("NETRING_DUMP", _i & 1 ? "cached" : "direct", 1);
	setenv("NETRING_LOG", "info", 1);
	dumper = open_dumper();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = room;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (; model_size < 8 << 20; dumped++) {
		dump_to(dumper, any_size());
		if (_i & 2 && dumped % 500 == 0)
			pcap_dump_flush(dumper);
	}
	check_failed_file(dumper, room, dumped, EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
}
END_TEST

START_TEST(test_bad_settings)
{
	struct resources before = resources_now();

	setenv("NETRING_DUMP", "quick", 1);
	ck_assert_ptr_null(pcap_dump_open(dead, path));
	ck_assert_str_eq(pcap_geterr(dead), "NETRING_DUMP=quick: must be one of auto, direct, cached, stdio");
	ck_assert_int_eq(access(path, F_OK), -1);
	unsetenv("NETRING_DUMP");
	ck_assert_ptr_null(pcap_dump_open(dead, "/nonexistent/file"));
	ck_assert_str_eq(pcap_geterr(dead), "/nonexistent/file: No such file or directory");
	setenv("NETRING_LOG_FILE", "/nonexistent/log", 1);
	ck_assert_ptr_null(pcap_dump_open(dead, path));
	ck_assert_uint_eq(resources_now().descriptors, before.descriptors);
}
END_TEST

START_TEST(test_buffer_without_the_writer)
{
	pcap_dumper_t *dumper;

	setenv("NETRING_DUMP", "stdio", 1);
	setenv("NETRING_DUMP_BUFFER", "1M", 1);
	dumper = pcap_dump_open(dead, path);
	ck_assert_ptr_nonnull(dumper);
	pcap_dump_close(dumper);
	ck_assert_ptr_nonnull(strstr(logged(), "NETRING_DUMP_BUFFER has no effect"));
}
END_TEST

static Suite *dump_suite(void)
{
	Suite *suite = suite_create("dump");
	TCase *cases = tcase_create("dump");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, test_stdio_on_a_dumper, 0, 24);
	tcase_add_loop_test(cases, test_setvbuf_by_the_program, 0, 2);
	tcase_add_test(cases, test_append_and_seek);
	tcase_add_loop_test(cases, test_fork, 0, 6);
	tcase_add_test(cases, test_exit_without_close);
	tcase_add_test(cases, test_flush_in_a_signal_handler);
	tcase_add_test(cases, test_threads);
	tcase_add_test(cases, test_who_holds);
	tcase_add_test(cases, test_holding_many);
	tcase_add_loop_test(cases, test_full_disk, 0, 80);
	tcase_add_test(cases, test_full_disk_at_exit);
	tcase_add_loop_test(cases, test_limit_of_file_size, 0, 16);
	tcase_add_test(cases, test_bad_settings);
	tcase_add_test(cases, test_buffer_without_the_writer);
	suite_add_tcase(suite, cases);
	return suite;
}

/* What the writers of a process share stays open from the first on, and is not a leak of the test that was the first. */
static void open_what_stays(void)
{
	const struct log quiet = { LOG_OFF, -1 };
	const struct file_writer_options options = { .buffer_size = (size_t)512 << 10, .name = "warm-up", .log = &quiet };
	struct file_writer writer;
	struct netring_error error;
	uint8_t *start, *end;

	setup();
	if (file_writer_open(&writer, open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), &options, &error) < 0)
		abort();
	for (int i = 0; i < 50; i++) {
		file_writer_room(&writer, &start, &end);
		file_writer_put(&writer, start, (size_t)(end - start), FILE_WRITER_SOON);
	}
	file_writer_close(&writer);
	teardown();
}

int main(void)
{
	SRunner *runner = srunner_create(dump_suite());
	int failed;

	model = malloc(CONTENT_MAX);
	content = malloc(CONTENT_MAX + 1);
	bytes = malloc(2 * PACKET_MAX);
	for (size_t i = 0; i < 2 * PACKET_MAX; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	open_what_stays();
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(model);
	free(content);
	free(bytes);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
