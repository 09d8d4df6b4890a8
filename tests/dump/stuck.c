/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dumper whose FIFO or pipe is full: what can still be done, in its thread and in others. And a standard input and output that are shared with the
 * program.
 */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIFO "fifo"
#define OUT "out.pcap"

static pcap_dumper_t *stuck;
static int reading_end;

static void open_fifo(void)
{
	if (mkfifo(FIFO, 0600) < 0)
		give_up("mkfifo");
	reading_end = open(FIFO, O_RDONLY | O_NONBLOCK);
	stuck = open_dump(dead_handle(), FIFO);
}

static bool is_full(void)
{
	struct pollfd pipe = { .fd = fileno(pcap_dump_file(stuck)), .events = POLLOUT };

	return poll(&pipe, 1, 0) == 0;
}

/* Whether a thread of this process sleeps in a write to it. */
static bool is_written_to(void)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *entry;
	char path[300], call[64], wanted[32];
	bool found = false;

	snprintf(wanted, sizeof(wanted), "%d %#x ", SYS_write, (unsigned)fileno(pcap_dump_file(stuck)));
	while ((entry = readdir(threads)) != NULL) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		found |= fgets(call, sizeof(call), file) != NULL && strncmp(call, wanted, strlen(wanted)) == 0;
		fclose(file);
	}
	closedir(threads);
	return found;
}

/* And the thread sleeps in the next write. */
static void wait_until_full(void)
{
	for (int i = 0; i < 1000 && !(is_full() && is_written_to()); i++)
		usleep(10000);
}

static void *dump_for_ever(void *unused)
{
	(void)unused;
	for (unsigned i = 0;; i++)
		dump_packet(stuck, i, 1400);
	return NULL;
}

/* As a program does that copies to a FIFO: the thread is in a read. */
static void dump_all(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)unused, (void)header, (void)data;
	dump_for_ever(NULL);
}

static void *copy_for_ever(void *unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), "in.pcap");
	pcap_t *p;

	(void)unused;
	dump_packets(dumper, 0, 1, 100);
	pcap_dump_close(dumper);
	p = pcap_open_offline("in.pcap", errbuf);
	pcap_loop(p, -1, dump_all, NULL);
	return NULL;
}

static void copy(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)unused;
	pcap_dump((u_char *)stuck, header, data);
}

static void *copy_from_pipe(void *unused)
{
	pcap_t *p = pcap_open_offline("input", errbuf);

	(void)unused;
	pcap_loop(p, -1, copy, NULL);
	return NULL;
}

static pcap_dumper_t *beside;
static long dumped_beside; /* bytes */

static void copy_to_both(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	copy(unused, header, data);
	pcap_dump((u_char *)beside, header, data);
	dumped_beside += 16 + header->caplen;
}

static void *copy_to_both_from_pipe(void *unused)
{
	pcap_t *p = pcap_open_offline("input", errbuf);

	(void)unused;
	pcap_loop(p, -1, copy_to_both, NULL);
	return NULL;
}

/* Two lots of packets; each fits into the FIFO, but not both. Behind each the reader sleeps, or would. */
static void feed(void)
{
	int input = open("input", O_WRONLY), there = 0;
	FILE *file = fdopen(input, "w");
	pcap_dumper_t *dumper = pcap_dump_fopen(dead_handle(), file);

	dump_packets(dumper, 0, 40, 1400);
	fflush(file);
	for (int i = 0; i < 1000 && there < 50000; i++) {
		ioctl(reading_end, FIONREAD, &there);
		usleep(10000);
	}
	dump_packets(dumper, 0, 40, 1400);
	fflush(file);
}

enum place { NO_READ, CALLBACK, SLEEP, SLEEP_WITH_FILE };

static pthread_t get_stuck(int place)
{
	static void *(*const run[])(void *) = { dump_for_ever, copy_for_ever, copy_from_pipe, copy_to_both_from_pipe };
	pthread_t thread;

	open_fifo();
	if (mkfifo("input", 0600) < 0)
		give_up("mkfifo");
	pthread_create(&thread, NULL, run[place], NULL);
	if (place >= SLEEP)
		feed();
	wait_until_full();
	return thread;
}

/* All that others do goes on. What does not end is killed by the probe's deadline. */
static void others_go_on(int place)
{
	pcap_dumper_t *dumper;
	pid_t child;

	get_stuck(place);
	child = fork();
	if (child == 0)
		_exit(0);
	say_child("child", child);
	dumper = open_dump(dead_handle(), OUT);
	dump_packets(dumper, 0, 100, 1000);
	say("flush=%d", pcap_dump_flush(dumper));
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void cancelled(int place)
{
	pthread_t thread = get_stuck(place);
	struct timespec deadline;
	void *result = NULL;

	pthread_cancel(thread);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	say("join=%d", pthread_timedjoin_np(thread, &result, &deadline));
	say("cancelled=%d", result == PTHREAD_CANCELED);
	say("lock=%d", ftrylockfile(pcap_dump_file(stuck)));
}

/* What the thread has dumped elsewhere is not stuck with it. libpcap holds back less than 4 KiB. */
static void cancelled_with_file(int unused)
{
	struct stat status;

	(void)unused;
	beside = open_dump(dead_handle(), OUT);
	cancelled(SLEEP_WITH_FILE);
	if (stat(OUT, &status) < 0 || 24 + dumped_beside - status.st_size >= 4096)
		say("missing=%ld", 24 + dumped_beside - (long)status.st_size);
}

static void on_signal(int number)
{
	(void)number;
}

static void *interrupt(void *thread)
{
	wait_until_full();
	pthread_kill(*(pthread_t *)thread, SIGINT);
	return NULL;
}

/* The write that waits ends with EINTR, and the program goes on. */
static void interrupted(int unused)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), thread;
	unsigned i;

	(void)unused;
	open_fifo();
	sigaction(SIGINT, &action, NULL);
	pthread_create(&thread, NULL, interrupt, &self);
	for (i = 0; i < 200 && !ferror(pcap_dump_file(stuck)); i++)
		dump_packet(stuck, i, 1400);
	say("ended=%d", i < 200);
	pthread_join(thread, NULL);
	say_logged(FIFO);
}

static long drain(void)
{
	static char bytes[1 << 20];
	long all = 0;
	ssize_t n;

	while ((n = read(reading_end, bytes, sizeof(bytes))) > 0)
		all += n;
	return all;
}

/* No failure is for ever, if the program says so. */
static void full_for_a_while(int unused)
{
	FILE *file;

	(void)unused;
	open_fifo();
	file = pcap_dump_file(stuck);
	fcntl(fileno(file), F_SETFL, O_NONBLOCK | O_WRONLY);
	dump_packets(stuck, 0, 100, 1400);
	pcap_dump_flush(stuck);
	say("ferror=%d", ferror(file) != 0);
	drain();
	clearerr(file);
	dump_packets(stuck, 100, 10, 1400);
	say("flush=%d read=%ld", pcap_dump_flush(stuck), drain());
	say_logged(FIFO);
}

/* What waits for a FIFO is written by one of two processes. */
static void forked(int unused)
{
	pid_t child;

	(void)unused;
	open_fifo();
	dump_packets(stuck, 0, 2, 1000);
	child = fork();
	if (child == 0)
		_exit(0);
	say_child("child", child);
	pcap_dump_close(stuck);
	say("read=%ld", drain());
}

static void share_stdin(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	struct pcap_pkthdr *header;
	const u_char *data;
	uint32_t record[4] = { 0 };
	int pipe_fds[2];
	char bytes[4096];
	size_t size;
	FILE *file;
	pcap_t *p;

	(void)unused;
	dump_packets(dumper, 0, 20, 100);
	pcap_dump_close(dumper);
	file = fopen(OUT, "r");
	size = fread(bytes, 1, sizeof(bytes), file);
	if (pipe(pipe_fds) < 0 || write(pipe_fds[1], bytes, size) != (ssize_t)size)
		give_up("pipe");
	close(pipe_fds[1]);
	dup2(pipe_fds[0], STDIN_FILENO);
	p = pcap_open_offline("-", errbuf);
	for (int i = 0; i < 3; i++)
		say("next_ex=%d", pcap_next_ex(p, &header, &data));
	say("read=%zu", fread(record, sizeof(record), 1, stdin));
	say("%u of %u bytes", record[2], record[3]);
}

const struct test_case stuck_cases[] = {
	{ "stuck: others go on", others_go_on, NO_READ, 0, NULL },
	{ "stuck: others go on beside a callback", others_go_on, CALLBACK, 0, NULL },
	{ "stuck: others go on beside a reader that would sleep", others_go_on, SLEEP, 0, NULL },
	{ "stuck: cancelled", cancelled, NO_READ, 0, NULL },
	{ "stuck: cancelled in a callback", cancelled, CALLBACK, 0, NULL },
	{ "stuck: cancelled where the reader would sleep", cancelled, SLEEP, 0, NULL },
	{ "stuck: cancelled with a file beside it", cancelled_with_file, 0, 0, NULL },
	{ "stuck: interrupted", interrupted, 0, 0, NULL },
	{ "stuck: for a while", full_for_a_while, 0, 0, NULL },
	{ "stuck: not, and forked", forked, 0, 0, NULL },
	{ "stdin: shared with the program", share_stdin, 0, 0, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
