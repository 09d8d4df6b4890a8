/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork and exit with open dumpers. What stdio holds back is in both processes after a fork, and stock writes it twice if both flush; netring
 * must not: each packet is in the file once, whoever flushes. expected-differences.txt has those.
 */
#include "probe.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT "out.pcap"

static pcap_dumper_t *held; /* what a child or a handler at exit finds */

enum child { EXIT, QUIT, EXEC, CLOSE, FLUSH };

static void end_child(int how)
{
	if (how == EXEC)
		execl("/bin/true", "true", (char *)NULL);
	if (how == CLOSE)
		pcap_dump_close(held);
	if (how == FLUSH)
		pcap_dump_flush(held);
	if (how == EXIT)
		exit(0);
	_exit(0);
}

/* The argument is the child's end and, in hundreds, how many packets are dumped before the fork. */
static void child_ends(int argument)
{
	unsigned count = (unsigned)argument / 100 * 100;
	pid_t child;

	held = open_dump(dead_handle(), OUT);
	dump_packets(held, 0, count, 1399);
	child = fork();
	if (child == 0)
		end_child(argument % 100);
	say_child("child", child);
	dump_packets(held, count, 10, 1399);
	say("flush=%d", pcap_dump_flush(held));
	say_packets("flushed", OUT);
	dump_packets(held, count + 10, 10, 1399);
	pcap_dump_close(held);
	say_packets("closed", OUT);
}

/* The child goes on, the first process ends: a daemon. */
static void daemon_like(int by_exit)
{
	pid_t first, second, parent;

	/* The second process becomes a child of this one. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	first = fork();
	if (first == 0) {
		parent = getpid();
		held = open_dump(dead_handle(), OUT);
		dump_packets(held, 0, 2003, 1399);
		second = fork();
		if (second != 0 && by_exit)
			exit(0);
		if (second != 0)
			_exit(0);
		while (getppid() == parent)
			usleep(1000);
		dump_packets(held, 2003, 2000, 1399);
		pcap_dump_close(held);
		_exit(0);
	}
	say_child("first", first);
	second = wait(NULL);
	say("second=%d", second > 0);
	say_packets("closed", OUT);
}

static void library_daemon(int unused)
{
	int done[2];
	pid_t first;
	char byte;

	(void)unused;
	if (pipe(done) < 0)
		give_up("pipe");
	first = fork();
	if (first == 0) {
		held = open_dump(dead_handle(), OUT);
		dump_packets(held, 0, 2003, 1399);
		if (daemon(1, 1) < 0)
			_exit(1);
		dump_packets(held, 2003, 2000, 1399);
		pcap_dump_close(held);
		_exit(0);
	}
	close(done[1]);
	say_child("first", first);
	say("done=%zd", read(done[0], &byte, 1));
	say_packets("closed", OUT);
}

/* Both write, one after the other, with a flush at the end of each turn. */
static void both_write(int flushed_before)
{
	int to_child[2], to_parent[2];
	char byte = 0;
	pid_t child;

	if (pipe(to_child) < 0 || pipe(to_parent) < 0)
		give_up("pipe");
	held = open_dump(dead_handle(), OUT);
	dump_packets(held, 0, 1000, 1399);
	if (flushed_before)
		pcap_dump_flush(held);
	child = fork();
	for (unsigned round = 0; child == 0 && round < 5; round++) {
		if (read(to_child[0], &byte, 1) != 1)
			_exit(1);
		dump_packets(held, 1000 + 200 * round, 100, 1399);
		pcap_dump_flush(held);
		if (write(to_parent[1], &byte, 1) != 1)
			_exit(1);
	}
	if (child == 0)
		_exit(0);
	for (unsigned round = 0; round < 5; round++) {
		if (write(to_child[1], &byte, 1) != 1 || read(to_parent[0], &byte, 1) != 1)
			give_up("child");
		dump_packets(held, 1100 + 200 * round, 100, 1399);
		pcap_dump_flush(held);
	}
	say_child("child", child);
	pcap_dump_close(held);
	say_packets("closed", OUT);
}

/* Only the child writes after the fork: a worker that a supervisor has opened the file for. */
static void worker(int parent_closes)
{
	pid_t child;

	held = open_dump(dead_handle(), OUT);
	child = fork();
	if (child == 0) {
		dump_packets(held, 0, 3000, 1399);
		pcap_dump_close(held);
		_exit(0);
	}
	say_child("child", child);
	if (parent_closes)
		pcap_dump_close(held);
	say_packets("closed", OUT);
}

/* What waits in standard output is nobody's twice either. */
static void standard_output(int how)
{
	pid_t child;

	if (freopen(OUT, "w", stdout) == NULL)
		give_up("freopen");
	held = open_dump(dead_handle(), "-");
	dump_packets(held, 0, 2003, 1399);
	child = fork();
	if (child == 0)
		end_child(how);
	say_child("child", child);
	dump_packets(held, 2003, 10, 1399);
	pcap_dump_close(held);
	say_packets("closed", OUT);
}

static void commands(int unused)
{
	(void)unused;
	held = open_dump(dead_handle(), OUT);
	for (unsigned i = 0; i < 10; i++) {
		FILE *program;

		dump_packets(held, 1000 * i, 1000, 700);
		if (system("true") != 0)
			give_up("system");
		program = popen("true", "r");
		pclose(program);
	}
	pcap_dump_close(held);
	say_packets("closed", OUT);
	say_file("closed", OUT);
}

/* ---- exit ---- */

static void last_words(void)
{
	if (held != NULL)
		dump_packet(held, 3000, 500);
}

static bool destructor_dumps;

__attribute__((destructor)) static void at_unload(void)
{
	if (destructor_dumps)
		dump_packet(held, 3000, 500);
}

static void *exit_in_thread(void *unused)
{
	(void)unused;
	exit(0);
}

enum end { PLAIN, HANDLER_BEFORE, HANDLER_AFTER, DESTRUCTOR, IN_THREAD, SEVERAL, HANDLE_CLOSED, AFTER_FLUSH };

static void end_without_close(int how)
{
	pcap_t *p = dead_handle();
	pthread_t thread;

	if (how == HANDLER_BEFORE)
		atexit(last_words);
	held = open_dump(p, OUT);
	if (how == HANDLER_AFTER)
		atexit(last_words);
	destructor_dumps = how == DESTRUCTOR;
	if (how == SEVERAL)
		dump_packets(open_dump(p, "other"), 0, 4000, 1399);
	dump_packets(held, 0, 3000, 1399);
	if (how == AFTER_FLUSH)
		pcap_dump_flush(held);
	if (how == HANDLE_CLOSED)
		pcap_close(p);
	if (how == IN_THREAD) {
		pthread_create(&thread, NULL, exit_in_thread, NULL);
		pthread_join(thread, NULL);
	}
	exit(0);
}

static void exits(int how)
{
	pid_t child = fork();

	if (child == 0)
		end_without_close(how);
	say_child("child", child);
	say_file("left", OUT);
	say_packets("left", OUT);
	if (how == SEVERAL)
		say_packets("other", "other");
}

const struct test_case process_cases[] = {
	{ "fork: little dumped, child exits", child_ends, 100 + EXIT, 0, NULL },
	{ "fork: much dumped, child exits", child_ends, 5000 + EXIT, EVERYWHERE, NULL },
	{ "fork: very much dumped, child exits", child_ends, 30000 + EXIT, EVERYWHERE, NULL },
	{ "fork: little dumped, child _exits", child_ends, 100 + QUIT, 0, NULL },
	{ "fork: much dumped, child _exits", child_ends, 30000 + QUIT, EVERYWHERE, NULL },
	{ "fork: little dumped, child executes", child_ends, 100 + EXEC, 0, NULL },
	{ "fork: much dumped, child executes", child_ends, 30000 + EXEC, EVERYWHERE, NULL },
	{ "fork: little dumped, child closes", child_ends, 100 + CLOSE, 0, NULL },
	{ "fork: much dumped, child closes", child_ends, 30000 + CLOSE, EVERYWHERE, NULL },
	{ "fork: little dumped, child flushes", child_ends, 100 + FLUSH, 0, NULL },
	{ "fork: much dumped, child flushes", child_ends, 30000 + FLUSH, EVERYWHERE, NULL },
	{ "fork: daemon, parent exits", daemon_like, 1, EVERYWHERE, NULL },
	{ "fork: daemon, parent _exits", daemon_like, 0, EVERYWHERE, NULL },
	{ "fork: daemon(3)", library_daemon, 0, EVERYWHERE, NULL },
	{ "fork: both write", both_write, 0, EVERYWHERE, NULL },
	{ "fork: both write, flushed before", both_write, 1, EVERYWHERE, NULL },
	{ "fork: worker", worker, 0, EVERYWHERE, NULL },
	{ "fork: worker, parent closes", worker, 1, EVERYWHERE, NULL },
	{ "fork: standard output, child exits", standard_output, EXIT, 0, NULL },
	{ "fork: standard output, child _exits", standard_output, QUIT, 0, NULL },
	{ "fork: commands", commands, 0, EVERYWHERE, NULL },
	{ "exit: without close", exits, PLAIN, EVERYWHERE, NULL },
	{ "exit: a handler registered before dumps", exits, HANDLER_BEFORE, 0, NULL },
	{ "exit: a handler registered after dumps", exits, HANDLER_AFTER, 0, NULL },
	{ "exit: a destructor dumps", exits, DESTRUCTOR, 0, NULL },
	{ "exit: in a thread", exits, IN_THREAD, 0, NULL },
	{ "exit: several files", exits, SEVERAL, EVERYWHERE, NULL },
	{ "exit: handle closed, dumper not", exits, HANDLE_CLOSED, 0, NULL },
	{ "exit: after a flush", exits, AFTER_FLUSH, 0, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
