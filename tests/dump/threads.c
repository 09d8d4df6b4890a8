/* SPDX-License-Identifier: BSD-3-Clause */
/* Dumpers and threads. */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT "out.pcap"
#define THREADS 4
#define PACKETS 5000u

static pcap_dumper_t *dumpers[THREADS];
static bool locked;
static bool stop;

static void *dump_some(void *number)
{
	size_t me = (size_t)number;

	for (unsigned i = 0; i < PACKETS; i++) {
		if (locked)
			flockfile(pcap_dump_file(dumpers[me]));
		dump_packet(dumpers[me], (unsigned)me * PACKETS + i, 60 + i % 1400);
		if (locked)
			funlockfile(pcap_dump_file(dumpers[me]));
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, dump_some, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Programs that share a dumper take the FILE's lock; without it stock may tear a packet's header from its data, and netring must not. */
static void one_dumper(int lock)
{
	dumpers[0] = open_dump(dead_handle(), OUT);
	for (size_t i = 1; i < THREADS; i++)
		dumpers[i] = dumpers[0];
	locked = lock || !on_netring();
	run_threads();
	pcap_dump_close(dumpers[0]);
	say_packets("closed", OUT);
}

static void dumper_each(int unused)
{
	char path[] = "0";

	(void)unused;
	for (size_t i = 0; i < THREADS; i++, path[0]++)
		dumpers[i] = open_dump(dead_handle(), path);
	run_threads();
	for (size_t i = 0; i < THREADS; i++) {
		path[0] = (char)('0' + i);
		pcap_dump_close(dumpers[i]);
		say_file(path, path);
	}
}

static void *flush_on(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		if (pcap_dump_flush(dumpers[0]) != 0 || pcap_dump_ftell64(dumpers[0]) < 24)
			return "failed";
		usleep(200);
	}
	return "fine";
}

/* A thread that flushes every so often. */
static void flusher(int unused)
{
	pthread_t thread;
	void *result;

	(void)unused;
	dumpers[0] = open_dump(dead_handle(), OUT);
	pthread_create(&thread, NULL, flush_on, NULL);
	dump_packets(dumpers[0], 0, 40000, 700);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, &result);
	say("flushes=%s", (const char *)result);
	pcap_dump_close(dumpers[0]);
	say_file("closed", OUT);
}

static void *open_and_close(void *name)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), name);

	dump_packets(dumper, 0, 100, 1000);
	return dumper;
}

/* Opened in one thread that ends, used in another, closed in a third: Go does that. */
static void handed_on(int unused)
{
	pthread_t thread;
	void *dumper;

	(void)unused;
	pthread_create(&thread, NULL, open_and_close, OUT);
	pthread_join(thread, &dumper);
	dumpers[0] = dumper;
	pthread_create(&thread, NULL, dump_some, NULL);
	pthread_join(thread, NULL);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void *open_and_close_for_ever(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		FILE *file = fopen("/dev/null", "w");

		pcap_dump_close(pcap_dump_fopen(dead_handle(), file));
	}
	return NULL;
}

/* No lock of the library is taken for good in a child, whatever another thread was at. */
static void forked_beside(int unused)
{
	pthread_t thread;
	int hung = 0;

	(void)unused;
	pthread_create(&thread, NULL, open_and_close_for_ever, NULL);
	for (int i = 0; i < 100 && hung == 0; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			alarm(60);
			pcap_dump_close(open_dump(dead_handle(), OUT));
			_exit(0);
		}
		waitpid(child, &status, 0);
		hung += status != 0;
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	say("hung=%d", hung);
}

/*
 * Two threads fork, and the second has to wait for the first; then a third dumps, and the second must not take what that has in memory into its child.
 * The last handler before a fork, which each thread of these goes through, is registered before the library has its own.
 */
static __thread enum { NOBODY, FIRST, SECOND } forker;
static pid_t second_thread, dumping_thread;
static sem_t second_may, dumping_may;
static bool second_forks, dumped;

static bool is_asleep(pid_t thread)
{
	char path[64], text[256] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		give_up("%s", path);
	close(fd);
	state = strstr(text, ") ");
	return state && state[2] == 'S';
}

/* Until that is true, or the thread sleeps for a reason of its own. */
static void wait_until(const bool *what, const sem_t *may, pid_t thread)
{
	int value = 1;

	for (int tries = 0; tries < 20000 && !__atomic_load_n(what, __ATOMIC_SEQ_CST); tries++) {
		sem_getvalue((sem_t *)may, &value);
		if (value == 0 && is_asleep(thread))
			return;
		usleep(100);
	}
}

static void at_fork(void)
{
	if (forker == FIRST) {
		sem_post(&second_may);
		wait_until(&second_forks, &second_may, second_thread);
	} else if (forker == SECOND) {
		__atomic_store_n(&second_forks, true, __ATOMIC_SEQ_CST);
		sem_post(&dumping_may);
		wait_until(&dumped, &dumping_may, dumping_thread);
	}
}

static void register_first(void)
{
	pthread_atfork(at_fork, NULL, NULL);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = register_first;

/* What a child writes at its exit is what two processes have; of stock that is what stdio holds back. */
static void fork_as(int which)
{
	pid_t child;

	forker = which;
	child = fork();
	if (child == 0 && on_netring())
		exit(0);
	if (child == 0)
		_exit(0);
	forker = NOBODY;
	waitpid(child, NULL, 0);
}

static void *fork_second(void *unused)
{
	__atomic_store_n(&second_thread, gettid(), __ATOMIC_SEQ_CST);
	while (sem_wait(&second_may) != 0)
		;
	fork_as(SECOND);
	return unused;
}

static void *dump_when_told(void *unused)
{
	__atomic_store_n(&dumping_thread, gettid(), __ATOMIC_SEQ_CST);
	while (sem_wait(&dumping_may) != 0)
		;
	dump_packets(dumpers[0], 10, 1, 100);
	__atomic_store_n(&dumped, true, __ATOMIC_SEQ_CST);
	return unused;
}

static void forks_at_once(int unused)
{
	pthread_t second, dumping;

	(void)unused;
	dumpers[0] = open_dump(dead_handle(), OUT);
	dump_packets(dumpers[0], 0, 10, 100);
	pthread_create(&second, NULL, fork_second, NULL);
	pthread_create(&dumping, NULL, dump_when_told, NULL);
	while (!__atomic_load_n(&second_thread, __ATOMIC_SEQ_CST) || !__atomic_load_n(&dumping_thread, __ATOMIC_SEQ_CST))
		usleep(100);
	fork_as(FIRST);
	pthread_join(second, NULL);
	pthread_join(dumping, NULL);
	pcap_dump_close(dumpers[0]);
	say_packets("closed", OUT);
}

/* fork is no place where a thread ends: the locks that it takes would stay taken. */
static pid_t fork_and_exit(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child;
}

/* fork is no place where a thread ends: the locks that it takes would stay taken. */
static void *fork_cancelled(void *path)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), path);
	pid_t child;

	dump_packets(dumper, 0, 10, 100);
	pthread_cancel(pthread_self());
	child = fork_and_exit();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	say_child("child", child);
	pcap_dump_close(dumper);
	return NULL;
}

static void cancelled_in_fork(int into_fifo)
{
	pthread_t thread;
	int fd = -1;

	alarm(20);
	if (into_fifo && (mkfifo(OUT, 0600) < 0 || (fd = open(OUT, O_RDWR)) < 0))
		give_up("mkfifo");
	pthread_create(&thread, NULL, fork_cancelled, OUT);
	pthread_join(thread, NULL);
	if (into_fifo)
		close(fd);
	say_child("child", fork_and_exit());
}

static void *dump_cancelled(void *dumper)
{
	pthread_cancel(pthread_self());
	dump_packet(dumper, 0, 100);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return NULL;
}

/* The stream has failed, and whoever dumps to it next says so, in the log; others go on when he is cancelled there. */
static void cancelled_in_log(int unused)
{
	FILE *file = fopen("/dev/full", "w");
	pcap_dumper_t *dumper = pcap_dump_fopen(dead_handle(), file);
	pthread_t thread;

	(void)unused;
	alarm(20);
	fflush(file);
	pthread_create(&thread, NULL, dump_cancelled, dumper);
	pthread_join(thread, NULL);
	pcap_dump_close(open_dump(dead_handle(), OUT));
	pcap_dump_close(dumper);
	say_packets("closed", OUT);
}

const struct test_case thread_cases[] = {
	{ "threads: one dumper, locked", one_dumper, 1, 0, NULL },
	{ "threads: one dumper", one_dumper, 0, EVERYWHERE, NULL },
	{ "threads: a dumper each", dumper_each, 0, EVERYWHERE, NULL },
	{ "threads: a thread that flushes", flusher, 0, EVERYWHERE, NULL },
	{ "threads: handed on", handed_on, 0, 0, NULL },
	{ "threads: one forks while another opens and closes", forked_beside, 0, 0, NULL },
	{ "threads: two fork at once while another dumps", forks_at_once, 0, 0, NULL },
	{ "threads: cancelled, forks", cancelled_in_fork, false, 0, NULL },
	{ "threads: cancelled, forks, FIFO", cancelled_in_fork, true, 0, NULL },
	{ "threads: cancelled where a stream failed", cancelled_in_log, 0, 0, "NETRING_LOG_FILE=log" },
	{ NULL, NULL, 0, 0, NULL },
};
