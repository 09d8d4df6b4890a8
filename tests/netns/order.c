/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * order: are all of bench/blast's packets there, once, and in order? On an interface, or in savefiles.
 *
 * It uses pcap_* and nothing of netring, so that scripts can run it on the system's libpcap too. On an interface it prints "ready" once it captures. At
 * the end it prints one line of NAME=VALUE:
 *   library          the object that pcap_loop comes from
 *   packets, others  of blast, and not
 *   times_back, worst_back_ns         time stamps below the one before, and by how much at worst
 *   lost, twice      numbers that are missing below the highest of each sender; packets that came again
 *   flows, flow_disorder              pairs of IP addresses; numbers that go back inside one
 *   ps_recv, ps_drop, ps_ifdrop       pcap_stats
 *   cpu_user_ms, cpu_sys_ms           from the first read to the last, all threads
 *   wakeups, idle_wakeups             with -m epoll: returns of epoll_wait, and those after which nothing was delivered
 *   worst_delay_us   with -l: from blast's time in the packet to the callback
 *   flows_in_two_files, packets_in_two_files, file_packets     of savefiles, the last a comma between the files
 *
 * A live capture ends after COUNT packets, at the deadline, or when nothing has come in for QUIET_MS since the first packet. SIGTERM and SIGINT end it when
 * nothing has come in for 500 ms and the time-out: what the ring holds is read first. In neither case it ends, for 20 seconds, while pcap_stats has more
 * packets than were read: the reader, or the kernel's timer that hands a block over, had no CPU.
 * Threads: the main one reads; a second one only looks at the clock and calls pcap_breakloop.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "tally.h"

#define LAST_QUIET_MS 500
#define PATIENCE_MS 20000 /* with packets that are there and do not come */
#define TICK_MS 20

enum mode { LOOP, DISPATCH, NEXT_EX, EPOLL };
static const char *const mode_names[] = { "loop", "dispatch", "next_ex", "epoll" };

struct options {
	const char *interface, *filter;
	enum mode mode;
	int count, quiet_ms, deadline_s, timeout_ms, buffer_size, snaplen, per_call, cpu;
	bool immediate, delay, savefiles;
};

struct reading {
	const struct options *options;
	pcap_t *pcap;
	struct tally tally;
	uint64_t start_ms, seen, changed_ms, looked_ms; /* the last three are the clock's alone */
	uint64_t patience_end_ms;			/* 0 before the first silence */
	int set;					/* with EPOLL; -1: none */
	uint64_t wakeups, idle_wakeups;
	struct rusage before, after;
	bool done;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int failed(pcap_t *pcap, const char *what)
{
	fprintf(stderr, "order: %s: %s\n", what, pcap_geterr(pcap));
	return -1;
}

/* ---- when to end ---- */

static bool is_over(struct reading *reading)
{
	const struct options *options = reading->options;
	uint64_t packets = __atomic_load_n(&reading->tally.packets, __ATOMIC_RELAXED), now = now_ms();

	/* A process that was stopped, or had no CPU, has not looked: that is no silence. */
	if (packets != reading->seen || now - reading->looked_ms > LAST_QUIET_MS / 2) {
		reading->seen = packets;
		reading->changed_ms = now;
	}
	reading->looked_ms = now;
	if (options->deadline_s && now - reading->start_ms >= (uint64_t)options->deadline_s * 1000)
		return true;
	if (stop)
		return now - reading->changed_ms >= (uint64_t)(LAST_QUIET_MS + options->timeout_ms);
	return options->quiet_ms && packets && now - reading->changed_ms >= (uint64_t)options->quiet_ms;
}

/* Again and again: a call that comes before the reader reads would be lost. */
static void *watch_clock(void *argument)
{
	struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
	struct reading *reading = argument;

	while (!__atomic_load_n(&reading->done, __ATOMIC_ACQUIRE)) {
		if (is_over(reading))
			pcap_breakloop(reading->pcap);
		nanosleep(&tick, NULL);
	}
	return NULL;
}

/* ---- ways of reading: 0, or -1 when it was printed what is wrong ---- */

/* How many of COUNT are left; -1 for no limit, 0 for none left. */
static int left(const struct reading *reading)
{
	int count = reading->options->count;
	uint64_t had = reading->tally.packets + reading->tally.others;

	return count < 0 ? -1 : had >= (uint64_t)count ? 0 : count - (int)had;
}

static int read_loop(struct reading *reading)
{
	int ret = pcap_loop(reading->pcap, reading->options->count, tally_packet, (u_char *)&reading->tally);

	return ret == PCAP_ERROR ? failed(reading->pcap, "pcap_loop") : 0;
}

/* At most this many in the next call. */
static int next_call(const struct reading *reading)
{
	int per_call = reading->options->per_call, rest = left(reading);

	return rest < 0 || (per_call > 0 && per_call < rest) ? per_call : rest;
}

static int read_dispatch(struct reading *reading)
{
	while (left(reading) != 0) {
		int ret = pcap_dispatch(reading->pcap, next_call(reading), tally_packet, (u_char *)&reading->tally);

		if (ret == PCAP_ERROR_BREAK)
			return 0;
		if (ret < 0)
			return failed(reading->pcap, "pcap_dispatch");
	}
	return 0;
}

static int read_next_ex(struct reading *reading)
{
	while (left(reading) != 0) {
		struct pcap_pkthdr *header;
		const u_char *data;
		int ret = pcap_next_ex(reading->pcap, &header, &data);

		if (ret == PCAP_ERROR_BREAK)
			return 0;
		if (ret < 0)
			return failed(reading->pcap, "pcap_next_ex");
		if (ret == 1)
			tally_packet((u_char *)&reading->tally, header, data);
	}
	return 0;
}

/* The descriptor in an epoll set, level-triggered; -1 when it was printed what is wrong. */
static int make_epoll(pcap_t *pcap)
{
	struct epoll_event event = { .events = EPOLLIN };
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (pcap_setnonblock(pcap, 1, errbuf) < 0) {
		fprintf(stderr, "order: pcap_setnonblock: %s\n", errbuf);
		return -1;
	}
	if (epoll_ctl(set, EPOLL_CTL_ADD, pcap_get_selectable_fd(pcap), &event) < 0) {
		fprintf(stderr, "order: epoll of descriptor %d: %s\n", pcap_get_selectable_fd(pcap), strerror(errno));
		return -1;
	}
	return set;
}

static int read_epoll(struct reading *reading)
{
	if (reading->set < 0)
		reading->set = make_epoll(reading->pcap);
	if (reading->set < 0)
		return -1;
	while (left(reading) != 0 && !is_over(reading)) {
		struct epoll_event event;
		int ret;

		if (epoll_wait(reading->set, &event, 1, TICK_MS) <= 0)
			continue;
		reading->wakeups++;
		ret = pcap_dispatch(reading->pcap, next_call(reading), tally_packet, (u_char *)&reading->tally);
		reading->idle_wakeups += ret == 0;
		if (ret == PCAP_ERROR_BREAK)
			return 0;
		if (ret < 0)
			return failed(reading->pcap, "pcap_dispatch");
	}
	return 0;
}

/* ---- a capture ---- */

static pcap_t *open_capture(const struct options *options)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(options->interface, errbuf);
	struct bpf_program program;
	int ret;

	if (!pcap) {
		fprintf(stderr, "order: %s: %s\n", options->interface, errbuf);
		return NULL;
	}
	pcap_set_snaplen(pcap, options->snaplen);
	pcap_set_timeout(pcap, options->timeout_ms);
	pcap_set_immediate_mode(pcap, options->immediate);
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	if (options->buffer_size)
		pcap_set_buffer_size(pcap, options->buffer_size);
	ret = pcap_activate(pcap);
	if (ret)
		fprintf(stderr, "order: %s: %s (%s)\n", options->interface, pcap_statustostr(ret), pcap_geterr(pcap));
	if (ret >= 0 && options->filter &&
	    (pcap_compile(pcap, &program, options->filter, 1, PCAP_NETMASK_UNKNOWN) < 0 || pcap_setfilter(pcap, &program) < 0))
		ret = failed(pcap, options->filter);
	if (ret >= 0)
		return pcap;
	pcap_close(pcap);
	return NULL;
}

/* The silence was none: packets have come that were not read. */
static bool reads_on(struct reading *reading)
{
	const struct options *options = reading->options;
	uint64_t now = now_ms();
	struct pcap_stat stats;

	if (left(reading) == 0 || (options->deadline_s && now - reading->start_ms >= (uint64_t)options->deadline_s * 1000))
		return false;
	if (reading->patience_end_ms == 0)
		reading->patience_end_ms = now + PATIENCE_MS;
	if (now >= reading->patience_end_ms || pcap_stats(reading->pcap, &stats) < 0)
		return false;
	if (options->mode == EPOLL)
		reading->changed_ms = now; /* else the other thread's, which breaks off again */
	return reading->tally.packets + reading->tally.others + stats.ps_drop < stats.ps_recv;
}

static int read_all(struct reading *reading)
{
	static int (*const ways[])(struct reading *) = { read_loop, read_dispatch, read_next_ex, read_epoll };
	pthread_t watcher;
	int ret;

	reading->start_ms = reading->changed_ms = reading->looked_ms = now_ms();
	getrusage(RUSAGE_SELF, &reading->before);
	if (reading->options->mode != EPOLL && pthread_create(&watcher, NULL, watch_clock, reading)) {
		fprintf(stderr, "order: cannot start the watching thread\n");
		return -1;
	}
	do
		ret = ways[reading->options->mode](reading);
	while (ret == 0 && reads_on(reading));
	__atomic_store_n(&reading->done, true, __ATOMIC_RELEASE);
	if (reading->options->mode != EPOLL)
		pthread_join(watcher, NULL);
	getrusage(RUSAGE_SELF, &reading->after);
	return ret;
}

static const char *library_path(void)
{
	Dl_info info;

	if (dladdr(dlsym(RTLD_DEFAULT, "pcap_loop"), &info) && info.dli_fname)
		return info.dli_fname;
	return "?";
}

static void print_tally(const struct tally *tally)
{
	printf("library=%s packets=%" PRIu64 " others=%" PRIu64 " times_back=%" PRIu64 " worst_back_ns=%" PRIu64 " lost=%" PRIu64 " twice=%" PRIu64
	       " flows=%" PRIu64 " flow_disorder=%" PRIu64,
	       library_path(), tally->packets, tally->others, tally->times_back, tally->worst_back_ns, tally_lost(tally), tally->twice, tally->flows,
	       tally->flow_disorder);
}

static double spent_ms(struct timeval before, struct timeval after)
{
	return (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_usec - before.tv_usec) / 1e3;
}

static int capture(const struct options *options)
{
	struct reading reading = { .options = options, .set = -1 };
	struct pcap_stat stats = { 0 };
	int ret;

	if (!tally_init(&reading.tally))
		return 1;
	reading.tally.measure_delay = options->delay;
	tally_begin_file(&reading.tally);
	reading.pcap = open_capture(options);
	if (!reading.pcap)
		return 1;
	/* Through AF_XDP the first sign of interest is what packets are captured from. */
	if (pcap_stats(reading.pcap, &stats) < 0)
		return failed(reading.pcap, "pcap_stats");
	puts("ready");
	fflush(stdout);
	ret = read_all(&reading);
	if (pcap_stats(reading.pcap, &stats) < 0)
		ret = failed(reading.pcap, "pcap_stats");
	print_tally(&reading.tally);
	printf(" ps_recv=%u ps_drop=%u ps_ifdrop=%u cpu_user_ms=%.1f cpu_sys_ms=%.1f", stats.ps_recv, stats.ps_drop, stats.ps_ifdrop,
	       spent_ms(reading.before.ru_utime, reading.after.ru_utime), spent_ms(reading.before.ru_stime, reading.after.ru_stime));
	if (options->mode == EPOLL)
		printf(" wakeups=%" PRIu64 " idle_wakeups=%" PRIu64, reading.wakeups, reading.idle_wakeups);
	if (options->delay)
		printf(" worst_delay_us=%" PRIu64, reading.tally.worst_delay_ns / 1000);
	putchar('\n');
	pcap_close(reading.pcap);
	return ret < 0;
}

/* ---- savefiles ---- */

static int add_file(struct tally *tally, const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	int ret;

	if (!pcap) {
		fprintf(stderr, "order: %s: %s\n", path, errbuf);
		return -1;
	}
	tally_begin_file(tally);
	ret = pcap_loop(pcap, -1, tally_packet, (u_char *)tally);
	if (ret < 0)
		failed(pcap, path); /* a file that was cut off: what was in it still counts */
	pcap_close(pcap);
	return 0;
}

static int read_savefiles(char **paths, int count)
{
	uint64_t *had = calloc((size_t)count + 1, sizeof(*had));
	struct tally tally;

	if (!had || !tally_init(&tally))
		return 1;
	for (int i = 0; i < count; i++) {
		if (add_file(&tally, paths[i]) < 0)
			return 1;
		had[i + 1] = tally.packets;
	}
	print_tally(&tally);
	printf(" flows_in_two_files=%" PRIu64 " packets_in_two_files=%" PRIu64 " file_packets=", tally.flows_in_two_files,
	       tally.packets_in_two_files);
	for (int i = 0; i < count; i++)
		printf("%s%" PRIu64, i ? "," : "", had[i + 1] - had[i]);
	putchar('\n');
	free(had);
	return 0;
}

/* ---- command line ---- */

static const char usage[] = "usage: order -i INTERFACE [options], order -r FILE...\n"
			    "  -m MODE        loop (default), dispatch, next_ex or epoll\n"
			    "  -k PACKETS     dispatch, epoll: at most that many a call\n"
			    "  -c COUNT       end after so many packets\n"
			    "  -t QUIET_MS    end when nothing has come in for so long since the first packet\n"
			    "  -d SECONDS     end after that time\n"
			    "  -T TIMEOUT_MS  -B BUFFER_BYTES  -s SNAPLEN  -I      pcap_set_*; 100, the library's, 128, not immediate\n"
			    "  -f FILTER      filter expression\n"
			    "  -l             measure the time from blast to the callback\n"
			    "  -p CPU         run on this CPU\n";

static bool parse_number(int *value, int low)
{
	char *end;
	long parsed = strtol(optarg, &end, 10);

	*value = (int)parsed;
	return *optarg && !*end && parsed >= low && parsed <= INT32_MAX;
}

static bool parse_mode(struct options *options)
{
	for (int i = LOOP; i <= EPOLL; i++) {
		options->mode = (enum mode)i;
		if (strcmp(optarg, mode_names[i]) == 0)
			return true;
	}
	return false;
}

static bool parse_option(struct options *options, int option)
{
	switch (option) {
	case 'i':
		options->interface = optarg;
		return true;
	case 'f':
		options->filter = optarg;
		return true;
	case 'm':
		return parse_mode(options);
	case 'k':
		return parse_number(&options->per_call, 1);
	case 'c':
		return parse_number(&options->count, 1);
	case 't':
		return parse_number(&options->quiet_ms, 1);
	case 'd':
		return parse_number(&options->deadline_s, 1);
	case 'T':
		return parse_number(&options->timeout_ms, 0);
	case 'B':
		return parse_number(&options->buffer_size, 1);
	case 's':
		return parse_number(&options->snaplen, 58);
	case 'p':
		return parse_number(&options->cpu, 0);
	case 'I':
		return options->immediate = true;
	case 'l':
		return options->delay = true;
	case 'r':
		return options->savefiles = true;
	default:
		return false;
	}
}

static bool parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "i:f:m:k:c:t:d:T:B:s:p:Ilr")) != -1) {
		if (parse_option(options, option))
			continue;
		if (option != '?')
			fprintf(stderr, "order: bad value for -%c: %s\n", option, optarg);
		return false;
	}
	return options->savefiles ? optind < argc && !options->interface : options->interface && optind == argc;
}

static bool pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return true;
	fprintf(stderr, "order: CPU %d: %s\n", cpu, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct options options = { .count = -1, .timeout_ms = 100, .snaplen = 128, .per_call = -1, .cpu = -1 };
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (!parse_options(&options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!pin(options.cpu))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return options.savefiles ? read_savefiles(argv + optind, argc - optind) : capture(&options);
}
