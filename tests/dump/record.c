/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small programs that write what they capture, each reading in another way. Plain libpcap; no program here ever flushes.
 *
 *   record [-t TIMEOUT_MS] [-I] [-D] [-c COUNT] WAY INTERFACE FILE
 *
 * WAY: loop, dispatch, next_ex, next   the library sleeps
 *      epoll        non-blocking, epoll on the selectable descriptor, then everything there is
 *      select_one   select, then dispatch(1): a packet each time
 *      poll_next    non-blocking, poll, then one next_ex, and its packet dumped: after it the library is not called until the next
 *      loop_few     pcap_loop for five packets, then no read any more
 *      batch        packets are copied in the callback and dumped when dispatch is back; non-blocking, poll
 *      handoff      packets are copied to a thread that dumps them
 * -I immediate mode; -D the dumper is of a dead handle; -c ends, in good order, after so many packets.
 *
 * Prints "ready" when it captures.
 */
#include <errno.h>
#include <getopt.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

static pcap_t *handle;
static pcap_dumper_t *dumper;
static long left = -1; /* packets until the end; negative: for ever */

static void fail(const char *what)
{
	fprintf(stderr, "record: %s: %s\n", what, handle != NULL ? pcap_geterr(handle) : strerror(errno));
	exit(1);
}

static void dump_one(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	pcap_dump((u_char *)dumper, header, data);
	if (left > 0 && --left == 0) {
		pcap_dump_close(dumper);
		pcap_close(handle);
		exit(0);
	}
}

/* ---- the library sleeps ---- */

static void by_loop(void)
{
	pcap_loop(handle, -1, dump_one, NULL);
}

static void by_loop_few(void)
{
	pcap_loop(handle, 5, dump_one, NULL);
	for (;;)
		pause();
}

static void by_dispatch(void)
{
	while (pcap_dispatch(handle, -1, dump_one, NULL) >= 0)
		;
}

static void by_next_ex(void)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc;

	while ((rc = pcap_next_ex(handle, &header, &data)) >= 0)
		if (rc == 1)
			dump_one(NULL, header, data);
}

static void by_next(void)
{
	struct pcap_pkthdr header;
	const u_char *data;

	for (;;) {
		data = pcap_next(handle, &header);
		if (data != NULL)
			dump_one(NULL, &header, data);
	}
}

/* ---- the program sleeps ---- */

static void nonblocking(void)
{
	char text[PCAP_ERRBUF_SIZE];

	if (pcap_setnonblock(handle, 1, text) < 0)
		fail("setnonblock");
}

static void sleep_until_readable(void)
{
	struct pollfd poll_fd = { .fd = pcap_get_selectable_fd(handle), .events = POLLIN };

	poll(&poll_fd, 1, -1);
}

static void by_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	nonblocking();
	if (epoll_ctl(fd, EPOLL_CTL_ADD, pcap_get_selectable_fd(handle), &event) < 0)
		fail("epoll_ctl");
	while (epoll_wait(fd, &event, 1, -1) >= 0 || errno == EINTR)
		if (pcap_dispatch(handle, -1, dump_one, NULL) < 0)
			fail("dispatch");
}

static void by_select_one(void)
{
	int fd = pcap_get_selectable_fd(handle);
	fd_set set;

	for (;;) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, NULL) == 1 && pcap_dispatch(handle, 1, dump_one, NULL) < 0)
			fail("dispatch");
	}
}

static void by_poll_next(void)
{
	struct pcap_pkthdr *header;
	const u_char *data;

	nonblocking();
	for (;;) {
		sleep_until_readable();
		if (pcap_next_ex(handle, &header, &data) == 1)
			dump_one(NULL, header, data);
	}
}

/* ---- copies ---- */

struct copy {
	struct pcap_pkthdr header;
	u_char data[2048];
};

#define COPIES 4096
static struct copy copies[COPIES];
static unsigned filled, emptied;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;

static void keep(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	pthread_mutex_lock(&lock);
	while (filled - emptied == COPIES)
		pthread_cond_wait(&change, &lock);
	copies[filled % COPIES].header = *header;
	memcpy(copies[filled % COPIES].data, data, header->caplen < 2048 ? header->caplen : 2048);
	filled++;
	pthread_cond_signal(&change);
	pthread_mutex_unlock(&lock);
}

static void dump_kept(void)
{
	for (; emptied != filled; emptied++)
		dump_one(NULL, &copies[emptied % COPIES].header, copies[emptied % COPIES].data);
}

static void by_batch(void)
{
	nonblocking();
	for (;;) {
		sleep_until_readable();
		if (pcap_dispatch(handle, 1000, keep, NULL) < 0)
			fail("dispatch");
		dump_kept();
	}
}

static void *dump_in_thread(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	for (;;) {
		dump_kept();
		pthread_cond_signal(&change);
		pthread_cond_wait(&change, &lock);
	}
	return NULL;
}

static void by_handoff(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, dump_in_thread, NULL);
	pcap_loop(handle, -1, keep, NULL);
}

/* ---- */

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "loop", by_loop },
	{ "loop_few", by_loop_few },
	{ "dispatch", by_dispatch },
	{ "next_ex", by_next_ex },
	{ "next", by_next },
	{ "epoll", by_epoll },
	{ "select_one", by_select_one },
	{ "poll_next", by_poll_next },
	{ "batch", by_batch },
	{ "handoff", by_handoff },
};

struct options {
	int timeout_ms;
	bool immediate, dead;
};

static void open_all(const struct options *o, const char *interface, const char *path)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *of;

	handle = pcap_create(interface, text);
	if (handle == NULL || pcap_set_snaplen(handle, 65535) != 0 || pcap_set_timeout(handle, o->timeout_ms) != 0 ||
	    pcap_set_immediate_mode(handle, o->immediate) != 0 || pcap_activate(handle) < 0)
		fail("activate");
	of = o->dead ? pcap_open_dead(DLT_EN10MB, 65535) : handle;
	dumper = pcap_dump_open(of, path);
	if (dumper == NULL) {
		fprintf(stderr, "record: %s\n", pcap_geterr(of));
		exit(1);
	}
}

static void run(const char *way)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, way) == 0) {
			ways[i].run();
			fail(way);
		}
	}
	fprintf(stderr, "record: no way %s\n", way);
	exit(2);
}

int main(int argc, char **argv)
{
	struct options o = { .timeout_ms = 10 };
	int option;

	while ((option = getopt(argc, argv, "t:IDc:")) != -1) {
		switch (option) {
		case 't':
			o.timeout_ms = atoi(optarg);
			break;
		case 'I':
			o.immediate = true;
			break;
		case 'D':
			o.dead = true;
			break;
		case 'c':
			left = atol(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3)
		return 2;
	open_all(&o, argv[optind + 1], argv[optind + 2]);
	puts("ready");
	fflush(stdout);
	run(argv[optind]);
}
