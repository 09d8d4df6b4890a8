/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What others see of a savefile while its writer goes on, and what a SIGKILL leaves: never less than libpcap's, once the writer is out of its read.
 * libpcap holds back less than 4 KiB. Each such writer is a process of its own, and says here how many bytes it has dumped.
 */
#include "probe.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN "in.pcap"
#define OUT "out.pcap"
#define PACKETS 3000u
#define LENGTH 1000u
#define RECORD (16 + LENGTH)

static pcap_dumper_t *out;
static long *dumped; /* bytes; shared with the writer */
static pcap_t *reader;

static long size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 ? -1 : (long)status.st_size;
}

static void make_input(void)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), IN);

	dump_packets(dumper, 0, PACKETS, LENGTH);
	pcap_dump_close(dumper);
	reader = pcap_open_offline(IN, errbuf);
	if (reader == NULL)
		give_up("%s", errbuf);
}

static void copy(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)unused;
	pcap_dump((u_char *)out, header, data);
	*dumped += RECORD;
}

static void copy_and_break(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	copy(unused, header, data);
	if (*dumped == (long)(2000 * RECORD))
		pcap_breakloop(reader);
}

static void dump_ones(unsigned count)
{
	dump_packets(out, 0, count, LENGTH);
	*dumped += (long)(count * RECORD);
}

static void take_ones(unsigned count)
{
	struct pcap_pkthdr *header;
	const u_char *data;

	while (count-- > 0 && pcap_next_ex(reader, &header, &data) == 1)
		copy(NULL, header, data);
}

static void *take_in_thread(void *unused)
{
	(void)unused;
	take_ones(2000);
	return NULL;
}

static void *dump_in_thread(void *unused)
{
	(void)unused;
	dump_ones(2000);
	return NULL;
}

static void in_thread(void *(*run)(void *))
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, NULL);
	pthread_join(thread, NULL);
}

static void dump_elsewhere(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)unused, (void)header, (void)data;
	in_thread(dump_in_thread);
	kill(getpid(), SIGKILL);
}

enum moment {
	NO_READ,
	LOOP,
	LOOP_COUNT,
	LOOP_BROKEN,
	DISPATCH,
	NEXT_EX,
	NEXT,
	PAUSE,
	THREAD_ENDS,
	READER_CLOSED,
	OTHER_THREAD,
	AFTER_LOOP,
	NESTED,
	PIPE,
	JUMP,
};

static void take_all_by_next(void)
{
	struct pcap_pkthdr header;
	const u_char *data;

	while ((data = pcap_next(reader, &header)) != NULL)
		copy(NULL, &header, data);
}

/* Many packets, the last of them 150 ms later: long enough for anybody. */
static void take_slowly(void)
{
	const struct timespec pause = { 0, 150000000 };

	take_ones(2000);
	nanosleep(&pause, NULL);
	take_ones(1);
}

static jmp_buf before_loop;

static void copy_and_jump(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	copy(unused, header, data);
	if (*dumped == (long)(2000 * RECORD))
		longjmp(before_loop, 1);
}

/* Out of the read, past its end. */
static void jump_and_close(void)
{
	if (setjmp(before_loop) == 0)
		pcap_loop(reader, -1, copy_and_jump, NULL);
	pcap_close(reader);
	dump_ones(500);
}

static void inner_read(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_t *other = pcap_open_offline(IN, errbuf);

	(void)unused, (void)header, (void)data;
	pcap_loop(other, 2000, copy, NULL);
	pcap_close(other);
	dump_ones(1000);
	kill(getpid(), SIGKILL);
}

static bool almost_all_is_there(void)
{
	return *dumped == (long)(PACKETS * RECORD) && 24 + *dumped - size_of(OUT) < 4096;
}

/*
 * Sends the input through a pipe, and kills the reader when that has seen all and waits for more: then it has nothing left to do, so what is not in
 * the file soon never will be.
 */
static void feed_and_kill(int pipe_fd, pid_t victim)
{
	static char bytes[24 + PACKETS * RECORD];
	FILE *in = fopen(IN, "r");
	size_t size = fread(bytes, 1, sizeof(bytes), in);

	if (write(pipe_fd, bytes, size) != (ssize_t)size)
		_exit(1);
	for (int i = 0; i < 10000 && !almost_all_is_there(); i++)
		usleep(1000);
	kill(victim, SIGKILL);
	_exit(0);
}

/* As from popen: the stream is the program's. The pipe stays open, so that it is silent and not at its end. */
static void take_from_pipe(void)
{
	pid_t self = getpid();
	int pipe_fds[2];
	pcap_t *p;

	if (pipe(pipe_fds) < 0)
		give_up("pipe");
	if (fork() == 0)
		feed_and_kill(pipe_fds[1], self);
	p = pcap_fopen_offline(fdopen(pipe_fds[0], "r"), errbuf);
	pcap_loop(p, -1, copy, NULL);
}

static void write_until(enum moment moment)
{
	switch (moment) {
	case NO_READ:
		dump_ones(30000);
		break;
	case LOOP:
		pcap_loop(reader, -1, copy, NULL);
		break;
	case LOOP_COUNT:
		pcap_loop(reader, 2000, copy, NULL);
		break;
	case LOOP_BROKEN:
		pcap_loop(reader, -1, copy_and_break, NULL);
		break;
	case DISPATCH:
		while (pcap_dispatch(reader, 100, copy, NULL) > 0)
			;
		break;
	case NEXT_EX:
		take_ones(PACKETS + 1);
		break;
	case NEXT:
		take_all_by_next();
		break;
	case PAUSE:
		take_slowly();
		break;
	case THREAD_ENDS:
		in_thread(take_in_thread);
		break;
	case READER_CLOSED:
		take_ones(2000);
		pcap_close(reader);
		break;
	case OTHER_THREAD:
		pcap_loop(reader, -1, dump_elsewhere, NULL);
		break;
	case AFTER_LOOP:
		pcap_loop(reader, 1, copy, NULL);
		dump_ones(3000);
		break;
	case NESTED:
		pcap_loop(reader, -1, inner_read, NULL);
		break;
	case PIPE:
		take_from_pipe();
		break;
	case JUMP:
		jump_and_close();
		break;
	}
}

/* Kills a writer at that moment, and says whether more is missing than libpcap would hold back. */
static void killed(int moment)
{
	long missing;
	int status;
	pid_t child;

	make_input();
	dumped = mmap(NULL, sizeof(*dumped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = fork();
	if (child == 0) {
		out = open_dump(dead_handle(), OUT);
		write_until((enum moment)moment);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	missing = 24 + *dumped - size_of(OUT);
	say("killed=%d dumped=%ld", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, *dumped);
	if (missing < 0 || missing >= 4096)
		say("missing=%ld", missing);
}

/* More files than a thread holds packets for, but one after the other. */
static void close_many(u_char *unused, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_dumper_t *many[20];
	char path[16];

	(void)unused;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%u", i);
		many[i] = open_dump(dead_handle(), path);
	}
	out = open_dump(dead_handle(), OUT);
	for (unsigned i = 0; i < 20; i++) {
		pcap_dump((u_char *)many[i], header, data);
		pcap_dump_close(many[i]);
	}
	dump_packets(out, 0, 20, LENGTH);
	say("held=%d", size_of(OUT) < 4096 || !on_netring());
}

static void held_after_many(int unused)
{
	(void)unused;
	make_input();
	pcap_loop(reader, 1, close_many, NULL);
	pcap_dump_close(out);
	say_packets("read", OUT);
}

const struct test_case moment_cases[] = {
	{ "killed: dumping without any read", killed, NO_READ, EVERYWHERE, NULL },
	{ "killed: pcap_loop is at the end", killed, LOOP, EVERYWHERE, NULL },
	{ "killed: pcap_loop has its packets", killed, LOOP_COUNT, 0, NULL },
	{ "killed: pcap_loop is broken off", killed, LOOP_BROKEN, 0, NULL },
	{ "killed: pcap_dispatch is at the end", killed, DISPATCH, 0, NULL },
	{ "killed: pcap_next_ex is at the end", killed, NEXT_EX, 0, NULL },
	{ "killed: pcap_next is at the end", killed, NEXT, 0, NULL },
	{ "killed: a pause between reads", killed, PAUSE, 0, NULL },
	{ "killed: the thread has ended between reads", killed, THREAD_ENDS, 0, NULL },
	{ "killed: the reader is closed between reads", killed, READER_CLOSED, 0, NULL },
	{ "killed: dumping in another thread than the reader's", killed, OTHER_THREAD, 0, NULL },
	{ "killed: dumping after the last read", killed, AFTER_LOOP, 0, NULL },
	{ "killed: dumping after a read in a callback", killed, NESTED, 0, NULL },
	{ "killed: the pipe that is read from is silent", killed, PIPE, 0, NULL },
	{ "killed: a callback was left by longjmp, and the reader closed", killed, JUMP, 0, NULL },
	{ "held: after many files", held_after_many, 0, 0, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
