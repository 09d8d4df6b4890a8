/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs do with pcap handles beside capturing: open very many, fork, cancel, jump, nest, change threads, drop every privilege. One test a run:
 *
 *	handles TEST [NUMBER]
 *
 * in a network namespace of its own, with a veth pair nr0 - nr1 that is silent but for the test's frames. It uses pcap_* and nothing of netring, so that
 * handles.sh can run it on the system's libpcap too. Exit status 0 and "ok", or 1 and what went wrong; 77: no namespace can be made.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_LEN 100
#define ALARM_S 120
#define NOBODY 65534
#define THREADS 16

static int sender;

#define require(condition, ...) do { if (!(condition)) fail(__LINE__, __VA_ARGS__); } while (0)

static void __attribute__((format(printf, 2, 3), noreturn)) fail(int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "line %d: ", line);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

/* Frames with a number, of two EtherTypes in turn: even 0x88b5, odd 0x88b6. */

static void send_frame(uint32_t number)
{
	uint8_t frame[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, (uint8_t)(number % 2 ? 0xb6 : 0xb5) };
	uint32_t net_number = htonl(number);

	memcpy(frame + 14, &net_number, sizeof(net_number));
	require(send(sender, frame, sizeof(frame), 0) == sizeof(frame), "send: %s", strerror(errno));
}

static void send_frames(uint32_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		send_frame(first + i);
}

static uint32_t frame_number(const struct pcap_pkthdr *header, const u_char *data)
{
	uint32_t number;

	require(header->caplen == FRAME_LEN && header->len == FRAME_LEN, "caplen %u len %u", header->caplen, header->len);
	memcpy(&number, data + 14, sizeof(number));
	return ntohl(number);
}

/*
 * Until then what is sent is lost, and nobody says so: the kernel gives the end that came up first its queue behind our back. (The name of the queueing
 * discipline says nothing of it.)
 */
static void wait_for_link(const char *interface)
{
	char command[100];
	time_t end = time(NULL) + 10;

	snprintf(command, sizeof(command), "ip link show %s | grep -q ' state UP '", interface);
	while (system(command) != 0)
		require(time(NULL) < end, "%s does not get ready", interface);
}

static void set_up(void)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };

	if (unshare(CLONE_NEWNET) < 0)
		exit(77);
	require(system("for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -w $f ] || echo 1 >$f; done; ip link set lo up && "
		       "ip link add nr0 type veth peer name nr1 && ip link set nr0 up && ip link set nr1 up") == 0, "no veth pair");
	wait_for_link("nr0");
	address.sll_ifindex = (int)if_nametoindex("nr0");
	sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	require(sender >= 0 && bind(sender, (struct sockaddr *)&address, sizeof(address)) == 0, "sender: %s", strerror(errno));
}

/* Handles */

static int promiscuous; /* what open_handle asks for */

static pcap_t *open_handle(int timeout_ms, int immediate)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create("nr1", errbuf);
	int ret;

	require(p, "pcap_create: %s", errbuf);
	pcap_set_snaplen(p, 2000);
	pcap_set_timeout(p, timeout_ms);
	pcap_set_immediate_mode(p, immediate);
	pcap_set_promisc(p, promiscuous);
	ret = pcap_activate(p);
	require(ret == 0, "pcap_activate: %d %s", ret, pcap_geterr(p));
	return p;
}

static void set_filter(pcap_t *p, const char *text)
{
	struct bpf_program program;

	require(pcap_compile(p, &program, text, 1, 0) == 0, "pcap_compile: %s", pcap_geterr(p));
	require(pcap_setfilter(p, &program) == 0, "pcap_setfilter: %s", pcap_geterr(p));
	pcap_freecode(&program);
}

static void check_stats(pcap_t *p, unsigned received)
{
	struct pcap_stat stats;

	require(pcap_stats(p, &stats) == 0, "pcap_stats: %s", pcap_geterr(p));
	require(stats.ps_recv == received && stats.ps_drop == 0, "ps_recv %u ps_drop %u, not %u and 0", stats.ps_recv, stats.ps_drop, received);
}

/* What is sent may be on its way for a while, if another CPU is to deliver it. */
static void wait_for_received(pcap_t *p, unsigned count)
{
	struct pcap_stat stats = { 0 };
	time_t end = time(NULL) + 20;

	while (stats.ps_recv < count) {
		require(pcap_stats(p, &stats) == 0, "pcap_stats: %s", pcap_geterr(p));
		require(time(NULL) < end, "%u came, not %u", stats.ps_recv, count);
	}
}

static void expect_next(pcap_t *p, uint32_t number)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int ret;

	while ((ret = pcap_next_ex(p, &header, &data)) == 0)
		;
	require(ret == 1, "pcap_next_ex: %d %s", ret, pcap_geterr(p));
	require(frame_number(header, data) == number, "frame %u, not %u", frame_number(header, data), number);
}

static void ignore_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	(void)header;
	(void)data;
}

/* cycles NUMBER: no descriptor and no memory is lost, however often. */

static unsigned open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	require(directory, "/proc/self/fd: %s", strerror(errno));
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* size, resident: KiB */
static void memory(long *size, long *resident)
{
	FILE *file = fopen("/proc/self/statm", "r");

	require(file && fscanf(file, "%ld %ld", size, resident) == 2, "/proc/self/statm");
	fclose(file);
	*size *= sysconf(_SC_PAGESIZE) / 1024;
	*resident *= sysconf(_SC_PAGESIZE) / 1024;
}

static void *cycle(void *argument)
{
	unsigned rounds = *(unsigned *)argument;

	for (unsigned i = 0; i < rounds; i++) {
		pcap_t *p = open_handle(i % 3 ? 100 : 0, i % 5 == 0);

		if (i % 2)
			set_filter(p, "ether proto 0x88b5");
		pcap_close(p);
	}
	return NULL;
}

static void cycles(unsigned rounds)
{
	pthread_t threads[THREADS];
	unsigned share = (rounds + THREADS - 1) / THREADS;

	for (int i = 0; i < THREADS; i++)
		require(pthread_create(&threads[i], NULL, cycle, &share) == 0, "pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void test_cycles(unsigned rounds)
{
	long size = 0, resident = 0, size_after = 0, resident_after = 0;
	unsigned descriptors;
	size_t heap;

	/* One heap for all, or glibc's number of them would depend on luck. */
	mallopt(M_ARENA_MAX, 1);
	cycles(4 * THREADS);
	descriptors = open_descriptors();
	memory(&size, &resident);
	heap = mallinfo2().uordblks;
	cycles(rounds);
	memory(&size_after, &resident_after);
	printf("%u cycles: descriptors %+d, size %+ld KiB, resident %+ld KiB, heap %+ld bytes\n", rounds, (int)open_descriptors() - (int)descriptors,
	       size_after - size, resident_after - resident, (long)(mallinfo2().uordblks - heap));
	fflush(stdout);
	require(open_descriptors() == descriptors, "%u descriptors, not %u", open_descriptors(), descriptors);
	require(size_after - size < 1024, "grown by %ld KiB", size_after - size);
	require(resident_after - resident < 1024, "resident grown by %ld KiB", resident_after - resident);
	require(mallinfo2().uordblks < heap + 16384, "heap grown by %zu bytes", mallinfo2().uordblks - heap);
}

/* many NUMBER: every one of so many handles at once sees every packet. */
static void test_many(unsigned number)
{
	pcap_t **p = calloc(number, sizeof(*p));

	for (unsigned i = 0; i < number; i++)
		p[i] = open_handle(10, i % 2);
	send_frames(0, 20);
	for (unsigned i = 0; i < number; i++) {
		for (uint32_t n = 0; n < 20; n++)
			expect_next(p[i], n);
		check_stats(p[i], 20);
	}
	for (unsigned i = 0; i < number; i++)
		pcap_close(p[i]);
	free(p);
}

static void test_fork(unsigned close_in_child)
{
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(10, immediate);
		int status;
		pid_t child;

		set_filter(p, "ether proto 0x88b5 or ether proto 0x88b6");
		send_frames(0, 5);
		child = fork();
		if (child == 0) {
			if (close_in_child)
				pcap_close(p);
			_exit(0);
		}
		require(waitpid(child, &status, 0) == child && status == 0, "child: %d", status);
		send_frames(5, 5);
		for (uint32_t n = 0; n < 10; n++)
			expect_next(p, n);
		check_stats(p, 10);
		pcap_close(p);
	}
}

/* The parent ends, the child reads (softflowd). */
static void test_child_reads(unsigned unused)
{
	pcap_t *p = open_handle(10, 0);
	int status;
	pid_t child = fork();

	(void)unused;
	if (child == 0) {
		for (uint32_t n = 0; n < 10; n++)
			expect_next(p, n);
		check_stats(p, 10);
		pcap_close(p);
		_exit(0);
	}
	close(pcap_fileno(p));
	send_frames(0, 10);
	require(waitpid(child, &status, 0) == child && status == 0, "child: %d", status);
}

/* cancel */

static atomic_uint seen;

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	frame_number(header, data);
	seen++;
}

static void *loop_for_ever(void *argument)
{
	pcap_loop(argument, -1, count_packet, NULL);
	return NULL;
}

static void wait_for_seen(unsigned number)
{
	time_t end = time(NULL) + 20;

	while (seen < number) {
		require(time(NULL) < end, "%u packets came, not %u", seen, number);
		usleep(1000);
	}
}

static void test_cancel(unsigned unused)
{
	(void)unused;
	for (unsigned round = 0; round < 10; round++) {
		pcap_t *p = open_handle(10, round % 2);
		pthread_t thread;
		void *result;

		seen = 0;
		require(pthread_create(&thread, NULL, loop_for_ever, p) == 0, "pthread_create");
		send_frames(0, 10);
		wait_for_seen(10);
		pthread_cancel(thread);
		require(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED, "not cancelled");
		send_frames(10, 1);
		expect_next(p, 10);
		check_stats(p, 11);
		pcap_close(p);
	}
}

/* breakloop */

static pcap_t *to_break;

static void break_from_handler(int number)
{
	(void)number;
	pcap_breakloop(to_break);
}

static void *break_from_thread(void *argument)
{
	usleep(30000);
	pcap_breakloop(argument);
	return NULL;
}

static void break_from_callback(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)header;
	(void)data;
	pcap_breakloop((pcap_t *)user);
}

static void test_breakloop(unsigned unused)
{
	struct sigaction action = { .sa_handler = break_from_handler };
	struct itimerspec soon = { .it_value = { .tv_nsec = 30000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	require(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	for (unsigned round = 0; round < 6; round++) {
		pcap_t *p = open_handle(10, round % 2);
		pthread_t thread;
		int ret;

		to_break = p;
		timer_settime(timer, 0, &soon, NULL);
		ret = pcap_loop(p, -1, ignore_packet, NULL);
		require(ret == PCAP_ERROR_BREAK, "by a signal handler: %d", ret);
		pthread_create(&thread, NULL, break_from_thread, p);
		ret = pcap_loop(p, -1, ignore_packet, NULL);
		require(ret == PCAP_ERROR_BREAK, "by a thread: %d", ret);
		pthread_join(thread, NULL);
		send_frames(0, 10);
		for (int i = 0; i < 9; i++) {
			ret = pcap_loop(p, -1, break_from_callback, (u_char *)p);
			require(ret == PCAP_ERROR_BREAK, "by the callback: %d", ret);
		}
		expect_next(p, 9);
		pcap_close(p);
	}
	timer_delete(timer);
}

/* longjmp: out of every third callback; each packet is seen exactly once. */

static jmp_buf outside;
static volatile uint32_t next_number;

static void jump(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	uint32_t number = frame_number(header, data);

	(void)user;
	require(number == next_number, "frame %u, not %u", number, next_number);
	next_number++;
	if (number % 3 == 0)
		longjmp(outside, 1);
}

static void test_longjmp(unsigned unused)
{
	(void)unused;
	for (volatile int immediate = 0; immediate < 2; immediate++) {
		pcap_t *volatile p = open_handle(10, immediate);

		next_number = 0;
		send_frames(0, 600);
		(void)setjmp(outside);
		while (next_number < 600) {
			int ret = pcap_dispatch(p, -1, jump, NULL);

			require(ret >= 0, "pcap_dispatch: %d %s", ret, pcap_geterr(p));
		}
		check_stats(p, 600);
		pcap_close(p);
	}
}

/* nested: a read inside a callback of the same handle. libpcap promises nothing; it has to be survived, and every packet is there once. */

static unsigned nested_seen[600];

static void read_nested(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_t *p = (pcap_t *)user;
	struct pcap_pkthdr *inner;
	uint32_t number = frame_number(header, data);

	nested_seen[number]++;
	if (number % 10 == 0 && number < 590 && pcap_next_ex(p, &inner, &data) == 1)
		nested_seen[frame_number(inner, data)]++;
}

static void test_nested(unsigned unused)
{
	(void)unused;
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(10, immediate);
		time_t end = time(NULL) + 30;
		unsigned missing;

		memset(nested_seen, 0, sizeof(nested_seen));
		send_frames(0, 600);
		do {
			pcap_dispatch(p, -1, read_nested, (u_char *)p);
			missing = 0;
			for (unsigned n = 0; n < 600; n++)
				missing += nested_seen[n] == 0;
		} while (missing && time(NULL) < end && nested_seen[599] == 0);
		printf("immediate %d: missing %u\n", immediate, missing);
		for (unsigned n = 0; n < 600; n++)
			require(nested_seen[n] <= 1, "frame %u came %u times", n, nested_seen[n]);
		require(missing == 0, "%u missing", missing);
		pcap_close(p);
	}
}

/*
 * nested-dispatch COUNT: a callback dispatches so many packets, more than are in one block or one batch, and so ends the read that it was called from.
 * Each packet comes once, in order.
 */

#define NESTED_FRAMES 1500

static int nested_count, nested_result;

static void expect_number(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	uint32_t number = frame_number(header, data);

	(void)user;
	require(number == next_number, "frame %u, not %u", number, next_number);
	next_number++;
}

static void dispatch_inside(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	expect_number(user, header, data);
	if (next_number == 10)
		nested_result = pcap_dispatch((pcap_t *)user, nested_count, expect_number, user);
}

static void test_nested_dispatch(unsigned count)
{
	nested_count = (int)count;
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(10, immediate);

		next_number = 0;
		nested_result = 0;
		check_stats(p, 0); /* AF_XDP leaves the host its packets before the first look */
		send_frames(0, NESTED_FRAMES);
		wait_for_received(p, NESTED_FRAMES);
		while (next_number < NESTED_FRAMES) {
			int ret = pcap_dispatch(p, -1, dispatch_inside, (u_char *)p);

			require(ret >= 0, "pcap_dispatch: %d %s", ret, pcap_geterr(p));
		}
		require(nested_result == nested_count, "immediate %d: %d inside, not %d", immediate, nested_result, nested_count);
		check_stats(p, NESTED_FRAMES);
		pcap_close(p);
	}
}

/* threads: each call from a thread of its own (Go). */

enum step { CREATE, OPTIONS, ACTIVATE, FILTER, READ, STATS, CLOSE, STEPS };

struct journey {
	enum step step;
	pcap_t *p;
	uint32_t number;
};

static void *take_step(void *argument)
{
	struct journey *journey = argument;
	char errbuf[PCAP_ERRBUF_SIZE];

	switch (journey->step) {
	case CREATE:
		journey->p = pcap_create("nr1", errbuf);
		require(journey->p, "pcap_create: %s", errbuf);
		break;
	case OPTIONS:
		require(pcap_set_snaplen(journey->p, 65536) == 0 && pcap_set_timeout(journey->p, 10) == 0 && pcap_set_promisc(journey->p, 1) == 0,
			"options: %s", pcap_geterr(journey->p));
		break;
	case ACTIVATE:
		require(pcap_activate(journey->p) == 0, "pcap_activate: %s", pcap_geterr(journey->p));
		break;
	case FILTER:
		set_filter(journey->p, "ether proto 0x88b5 or ether proto 0x88b6");
		send_frames(0, 20);
		break;
	case READ:
		expect_next(journey->p, journey->number);
		break;
	case STATS:
		check_stats(journey->p, 20);
		break;
	default:
		pcap_close(journey->p);
	}
	return NULL;
}

static void step_in_thread(struct journey *journey)
{
	pthread_t thread;

	require(pthread_create(&thread, NULL, take_step, journey) == 0, "pthread_create");
	pthread_join(thread, NULL);
}

static void test_threads(unsigned unused)
{
	struct journey journey = { 0 };

	(void)unused;
	for (journey.step = CREATE; journey.step < STEPS; journey.step++)
		for (journey.number = 0; journey.number < (journey.step == READ ? 20U : 1U); journey.number++)
			step_in_thread(&journey);
}

/* close: the callback breaks off in the middle of what is there, and the handle is closed as soon as the read has returned (npm cap). */
static void test_close(unsigned unused)
{
	(void)unused;
	for (unsigned round = 0; round < 20; round++) {
		pcap_t *p = open_handle(10, round % 2);
		int ret;

		if (round % 4 >= 2) {
			char errbuf[PCAP_ERRBUF_SIZE];

			require(pcap_setnonblock(p, 1, errbuf) == 0, "%s", errbuf);
		}
		send_frames(0, 100);
		while ((ret = pcap_dispatch(p, round % 3 ? 1 : -1, break_from_callback, (u_char *)p)) == 0)
			;
		require(ret == PCAP_ERROR_BREAK, "pcap_dispatch: %d", ret);
		pcap_close(p);
	}
}

/* close-inside: the callback closes the handle that it was called from. (With libpcap the read goes on with freed memory.) */

static void close_in_callback(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)header;
	(void)data;
	pcap_close((pcap_t *)user);
}

static void test_close_inside(unsigned unused)
{
	unsigned before = open_descriptors();

	(void)unused;
	for (unsigned round = 0; round < 8; round++) {
		pcap_t *p = open_handle(10, round % 2);
		int ret;

		send_frames(0, 100);
		if (round % 4 < 2)
			ret = pcap_loop(p, -1, close_in_callback, (u_char *)p);
		else
			ret = pcap_dispatch(p, -1, close_in_callback, (u_char *)p);
		require(ret == PCAP_ERROR_BREAK, "round %u: %d", round, ret);
	}
	require(open_descriptors() == before, "descriptors: %u, then %u", before, open_descriptors());
}

/* refilter: a filter that is set inside a callback holds from the next packet on. */

static void refilter_callback(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	uint32_t number = frame_number(header, data);

	require(number == next_number, "frame %u, not %u", number, next_number);
	if (number == 4)
		set_filter((pcap_t *)user, "ether proto 0x88b6");
	require(frame_number(header, data) == number, "the packet changed under the callback");
	next_number += number >= 5 ? 2 : 1;
}

static void test_refilter(unsigned unused)
{
	(void)unused;
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(10, immediate);

		next_number = 0;
		send_frames(0, 200);
		while (next_number < 200)
			require(pcap_dispatch(p, -1, refilter_callback, (u_char *)p) >= 0, "pcap_dispatch: %s", pcap_geterr(p));
		pcap_close(p);
	}
}

/* busy: while the reader is at a packet others come, and none is lost. */

static void send_ten_more(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	uint32_t number = frame_number(header, data);

	(void)user;
	require(number == next_number, "frame %u, not %u", number, next_number);
	next_number++;
	if (number < 50)
		send_frames(10 + number * 10, 10);
}

static void test_busy(unsigned unused)
{
	(void)unused;
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(10, immediate);
		struct pcap_stat stats;

		next_number = 0;
		send_frames(0, 10);
		while (next_number < 510) {
			require(pcap_dispatch(p, -1, send_ten_more, NULL) >= 0, "pcap_dispatch: %s", pcap_geterr(p));
			require(pcap_stats(p, &stats) == 0 && stats.ps_drop == 0, "%u of %u dropped", stats.ps_drop, stats.ps_recv);
		}
		pcap_close(p);
	}
}

/* drop: nobody, in an empty directory. The sender has been opened before. */
static void test_drop(unsigned unused)
{
	char directory[] = "/tmp/nr-empty-XXXXXX";
	pcap_t *p = open_handle(10, 0), *immediate = open_handle(10, 1);

	(void)unused;
	set_filter(p, "ether proto 0x88b5");
	set_filter(immediate, "ether proto 0x88b5");
	require(mkdtemp(directory) && chdir(directory) == 0 && rmdir(directory) == 0 && chroot(".") == 0, "chroot: %s", strerror(errno));
	require(setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "setuid: %s", strerror(errno));
	send_frames(0, 20);
	for (uint32_t n = 0; n < 20; n += 2) {
		expect_next(p, n);
		expect_next(immediate, n);
	}
	check_stats(p, 10);
	check_stats(immediate, 10);
	set_filter(p, "ether proto 0x88b6");
	send_frames(20, 2);
	expect_next(p, 21);
	pcap_breakloop(p);
	pcap_close(p);
	pcap_close(immediate);
}

/* seccomp: a capture with all that sniffglue's filter leaves it; any other system call ends the process. Its descriptor is known before, as to libpcap. */

static void forbid(void)
{
	static const int allowed[] = {
		__NR_poll, __NR_read, __NR_readv, __NR_write, __NR_mmap, __NR_munmap, __NR_mremap, __NR_mprotect, __NR_madvise, __NR_brk, __NR_futex,
		__NR_openat, __NR_close, __NR_fstat, __NR_newfstatat, __NR_getsockopt, __NR_setsockopt, __NR_getsockname, __NR_clock_gettime,
		__NR_clone, __NR_exit, __NR_exit_group, __NR_rt_sigreturn, __NR_sigaltstack,
	};
	struct sock_filter program[sizeof(allowed) / sizeof(*allowed) + 3];
	struct sock_fprog request = { .filter = program };
	unsigned n = 0, count = sizeof(allowed) / sizeof(*allowed);

	program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < count; i++)
		program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], (uint8_t)(count - i), 0);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	request.len = (unsigned short)n;
	require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &request) == 0, "PR_SET_SECCOMP: %s", strerror(errno));
}

static void test_seccomp(unsigned forbidden)
{
	pcap_t *p = open_handle(10, 0), *immediate = open_handle(10, 1);
	pid_t child;

	set_filter(p, "ether proto 0x88b5 or ether proto 0x88b6");
	require(pcap_get_selectable_fd(p) >= 0 && pcap_get_selectable_fd(immediate) >= 0, "pcap_get_selectable_fd");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t n = 0; ; n++) {
			usleep(5000);
			send_frame(n);
		}
	}
	forbid();
	if (forbidden)
		getppid();	/* the filter works: this is the end */
	for (int i = 0; i < 5; i++) {
		struct pcap_pkthdr *header;
		struct pcap_stat stats;
		const u_char *data;

		require(pcap_next_ex(p, &header, &data) >= 0, "pcap_next_ex");
		require(pcap_loop(p, 3, ignore_packet, NULL) == 0, "pcap_loop");
		require(pcap_dispatch(immediate, -1, ignore_packet, NULL) >= 0, "pcap_dispatch");
		require(pcap_stats(p, &stats) == 0 && stats.ps_recv > 0, "pcap_stats");
		pcap_breakloop(p);
		require(pcap_loop(p, -1, ignore_packet, NULL) == PCAP_ERROR_BREAK, "pcap_breakloop");
	}
	pcap_close(p);
	pcap_close(immediate);
}

/*
 * seccomp-many WHO: the same for a reader that has many packets to read before it waits. Under the filter is, and reads: 0 the process, 1 another thread,
 * 2 a child process.
 */
static void *read_many_in_sandbox(void *handle)
{
	forbid();
	require(pcap_loop(handle, 3010, ignore_packet, NULL) == 0, "pcap_loop");
	/* The end of a thread is not for free either. */
	printf("%s\n", "ok");
	fflush(stdout);
	_exit(0);
}

static void test_seccomp_many(unsigned who)
{
	pcap_t *p = open_handle(10, 0);
	pthread_t thread;
	int status;
	pid_t child;

	set_filter(p, "ether proto 0x88b5 or ether proto 0x88b6");
	require(pcap_get_selectable_fd(p) >= 0, "pcap_get_selectable_fd");
	send_frames(0, 3000);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t n = 3000; ; n++) {
			usleep(5000);
			send_frame(n);
		}
	}
	if (who == 0)
		read_many_in_sandbox(p);
	if (who == 1) {
		require(pthread_create(&thread, NULL, read_many_in_sandbox, p) == 0, "pthread_create");
		pthread_join(thread, NULL);
	}
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_many_in_sandbox(p);
	}
	require(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: status %#x", (unsigned)status);
}

/*
 * read IMMEDIATE: for strace. What is between the two marks is the read path. In promiscuous mode, because in no other does libpcap's pcap_stats read
 * what the adapter has lost.
 */
static void test_read(unsigned immediate)
{
	struct pcap_stat stats;
	pcap_t *p;
	pid_t child;

	promiscuous = 1;
	p = open_handle(20, (int)immediate);
	set_filter(p, "ether proto 0x88b5 or ether proto 0x88b6");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t n = 0; ; n++) {
			usleep(2000);
			send_frame(n);
		}
	}
	(void)!write(-1, "mark", 4);
	require(pcap_loop(p, 300, ignore_packet, NULL) == 0, "pcap_loop");
	for (int i = 0; i < 50; i++) {
		struct pcap_pkthdr header;

		pcap_next(p, &header);
	}
	(void)!write(-1, "stats", 5);
	require(pcap_stats(p, &stats) == 0, "pcap_stats");
	(void)!write(-1, "close", 5);
	pcap_close(p);
	(void)!write(-1, "end", 3);
}

static const struct {
	const char *name;
	void (*run)(unsigned number);
} tests[] = {
	{ "cycles", test_cycles }, { "many", test_many }, { "fork", test_fork }, { "child-reads", test_child_reads }, { "cancel", test_cancel },
	{ "breakloop", test_breakloop }, { "longjmp", test_longjmp }, { "nested", test_nested },
	{ "nested-dispatch", test_nested_dispatch }, { "threads", test_threads }, { "close", test_close },
	{ "close-inside", test_close_inside },
	{ "refilter", test_refilter }, { "busy", test_busy },
	{ "drop", test_drop }, { "seccomp", test_seccomp }, { "seccomp-many", test_seccomp_many },
	{ "read", test_read },
};

int main(int argc, char **argv)
{
	unsigned number = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	for (size_t i = 0; argc > 1 && i < sizeof(tests) / sizeof(*tests); i++)
		if (strcmp(tests[i].name, argv[1]) == 0) {
			set_up();
			if (strcmp(argv[1], "cycles") != 0)
				alarm(ALARM_S);
			tests[i].run(number);
			printf("%s\n", "ok");
			fflush(stdout);
			/* Not through exit handlers: under seccomp these are not for free. */
			_exit(0);
		}
	fprintf(stderr, "usage: handles TEST [NUMBER]\n");
	return 2;
}
