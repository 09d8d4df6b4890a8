/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count: the smallest program on libpcap that counts packets. The benchmarks run it once with the system's libpcap and once with
 * netring; it uses nothing but pcap_* calls, so that the library is all that differs.
 *
 * Prints "ready" once the capture is active and filtered, then one line of NAME=VALUE at the end:
 *   library      the object that pcap_loop comes from, so that nobody compares a library with itself
 *   received, dropped, ifdropped      pcap_stats()
 *   delivered, bytes                  what the callback saw (bytes: captured)
 *   cpu_s, wall_s                     from the first read to the end of the last, user and system, all threads
 *   activate_ms, close_ms             pcap_activate() and pcap_close(); with -o the medians over all rounds
 *   missing, disordered               with -q: gaps in blast's sequence numbers, numbers not above the one before
 *   p50_us, p99_us                    with -l: from blast's time in the packet to the callback
 *
 * SIGINT and SIGTERM end the capture once nothing has come in for 200 ms and the time-out: what the ring holds is read first. It does not end, for 20
 * seconds, while pcap_stats() has more packets than were read: then the reader, or the kernel's timer that hands a block over, had no CPU.
 * Threads: the main one reads; a second one only looks at the clock and calls pcap_breakloop().
 */
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Where blast puts its numbers in a frame. */
#define SEQ_OFFSET 42
#define TIME_OFFSET 50
#define FRAME_MIN 58

#define LATENCIES_MAX 4000000
#define QUIET_MS 200
#define PATIENCE_MS 20000 /* with packets that are there and do not come */

struct options {
	const char *interface;
	const char *filter;
	int snaplen;
	int timeout_ms;
	int buffer_size;
	bool immediate;
	bool promisc;
	int count;
	double deadline_s;
	int stall_ms;
	int rounds;
	int cpu;
	bool sequence;
	bool latency;
};

struct counter {
	uint64_t packets;
	uint64_t bytes;
	uint64_t next_seq;
	uint64_t missing;
	uint64_t disordered;
	uint64_t *latency_ns;
	uint64_t latencies;
};

struct watch {
	pcap_t *pcap;
	const struct counter *counter;
	uint64_t deadline_ns;
	uint64_t quiet_ns;
	bool done;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* ---- callbacks: one for each thing to measure, so that plain counting pays for nothing else ---- */

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct counter *c = (struct counter *)user;

	(void)data;
	c->packets++;
	c->bytes += header->caplen;
}

static uint64_t packet_number(const u_char *data, size_t offset)
{
	uint64_t value;

	memcpy(&value, data + offset, sizeof(value));
	return be64toh(value);
}

static void check_sequence(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct counter *c = (struct counter *)user;
	uint64_t seq;

	count_packet(user, header, data);
	if (header->caplen < FRAME_MIN)
		return;
	seq = packet_number(data, SEQ_OFFSET);
	if (seq < c->next_seq) {
		c->disordered++;
		return;
	}
	c->missing += seq - c->next_seq;
	c->next_seq = seq + 1;
}

static void note_latency(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct counter *c = (struct counter *)user;

	count_packet(user, header, data);
	if (header->caplen >= FRAME_MIN && c->latencies < LATENCIES_MAX)
		c->latency_ns[c->latencies++] = now_ns() - packet_number(data, TIME_OFFSET);
}

static pcap_handler choose_callback(const struct options *o)
{
	if (o->latency)
		return note_latency;
	return o->sequence ? check_sequence : count_packet;
}

/* ---- the capture ---- */

static void *watch_clock(void *argument)
{
	struct watch *w = argument;
	uint64_t seen = 0, changed_ns = now_ns();

	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		uint64_t packets = __atomic_load_n(&w->counter->packets, __ATOMIC_RELAXED);
		uint64_t now = now_ns();

		if (packets != seen) {
			seen = packets;
			changed_ns = now;
		}
		/* Again and again: a call that comes before pcap_loop() has begun would be lost. */
		if ((w->deadline_ns && now >= w->deadline_ns) || (stop && now - changed_ns >= w->quiet_ns))
			pcap_breakloop(w->pcap);
		sleep_ms(10);
	}
	return NULL;
}

static bool set_filter(pcap_t *pcap, const char *text)
{
	struct bpf_program program;
	bool ok;

	if (!text)
		return true;
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN)) {
		fprintf(stderr, "count: %s: %s\n", text, pcap_geterr(pcap));
		return false;
	}
	ok = pcap_setfilter(pcap, &program) == 0;
	if (!ok)
		fprintf(stderr, "count: %s: %s\n", text, pcap_geterr(pcap));
	pcap_freecode(&program);
	return ok;
}

static pcap_t *open_capture(const struct options *o, uint64_t *activate_ns)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(o->interface, errbuf);
	uint64_t start;
	int result;

	if (!pcap) {
		fprintf(stderr, "count: %s: %s\n", o->interface, errbuf);
		return NULL;
	}
	if (o->snaplen >= 0)
		pcap_set_snaplen(pcap, o->snaplen);
	if (o->timeout_ms >= 0)
		pcap_set_timeout(pcap, o->timeout_ms);
	if (o->buffer_size > 0)
		pcap_set_buffer_size(pcap, o->buffer_size);
	pcap_set_immediate_mode(pcap, o->immediate);
	pcap_set_promisc(pcap, o->promisc);

	start = now_ns();
	result = pcap_activate(pcap);
	*activate_ns = now_ns() - start;
	if (result)
		fprintf(stderr, "count: %s: %s (%s)\n", o->interface, pcap_statustostr(result), pcap_geterr(pcap));
	if (result < 0 || !set_filter(pcap, o->filter)) {
		pcap_close(pcap);
		return NULL;
	}
	return pcap;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The watcher's silence was none: packets have come that were not read. */
static bool has_unread(pcap_t *pcap, const struct counter *c)
{
	struct pcap_stat stats;

	return pcap_stats(pcap, &stats) == 0 && c->packets + stats.ps_drop < stats.ps_recv;
}

static int read_packets(pcap_t *pcap, const struct options *o, struct counter *c)
{
	int hold_ms = o->immediate || o->timeout_ms < 0 ? 0 : o->timeout_ms;
	struct watch w = { .pcap = pcap, .counter = c, .quiet_ns = (uint64_t)(QUIET_MS + hold_ms) * 1000000 };
	uint64_t patience_end_ns = 0;
	pthread_t watcher;
	int result;

	if (o->deadline_s > 0)
		w.deadline_ns = now_ns() + (uint64_t)(o->deadline_s * 1e9);
	if (pthread_create(&watcher, NULL, watch_clock, &w)) {
		fprintf(stderr, "count: cannot start the watching thread\n");
		return PCAP_ERROR;
	}
	do {
		result = pcap_loop(pcap, o->count, choose_callback(o), (u_char *)c);
		if (!patience_end_ns)
			patience_end_ns = now_ns() + (uint64_t)PATIENCE_MS * 1000000;
	} while (result == PCAP_ERROR_BREAK && stop && !w.deadline_ns && now_ns() < patience_end_ns && has_unread(pcap, c));
	__atomic_store_n(&w.done, true, __ATOMIC_RELEASE);
	pthread_join(watcher, NULL);
	if (result == PCAP_ERROR)
		fprintf(stderr, "count: pcap_loop: %s\n", pcap_geterr(pcap));
	return result;
}

/* ---- results ---- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
static double quantile(uint64_t *value, uint64_t n, double q)
{
	if (!n)
		return 0;
	qsort(value, n, sizeof(*value), compare_u64);
	return (double)value[(uint64_t)((double)(n - 1) * q)];
}

static const char *library_path(void)
{
	Dl_info info;

	if (dladdr(dlsym(RTLD_DEFAULT, "pcap_loop"), &info) && info.dli_fname)
		return info.dli_fname;
	return "?";
}

static void print_counts(const struct options *o, struct counter *c, const struct pcap_stat *s)
{
	printf(" received=%u dropped=%u ifdropped=%u delivered=%" PRIu64 " bytes=%" PRIu64, s->ps_recv, s->ps_drop, s->ps_ifdrop,
	       c->packets, c->bytes);
	if (o->sequence)
		printf(" missing=%" PRIu64 " disordered=%" PRIu64, c->missing, c->disordered);
	if (o->latency)
		printf(" p50_us=%.1f p99_us=%.1f", quantile(c->latency_ns, c->latencies, 0.5) / 1e3,
		       quantile(c->latency_ns, c->latencies, 0.99) / 1e3);
}

static int run_capture(const struct options *o)
{
	struct counter c = { 0 };
	struct pcap_stat stats = { 0 };
	uint64_t activate_ns, start_ns, wall_ns, close_ns;
	double cpu;
	pcap_t *pcap;
	int result;

	if (o->latency && !(c.latency_ns = malloc(LATENCIES_MAX * sizeof(*c.latency_ns))))
		return 1;
	pcap = open_capture(o, &activate_ns);
	if (!pcap)
		return 1;
	/* Through AF_XDP the first sign of interest is what packets are captured from. */
	if (pcap_stats(pcap, &stats) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	sleep_ms(o->stall_ms);

	start_ns = now_ns();
	cpu = cpu_seconds();
	result = read_packets(pcap, o, &c);
	cpu = cpu_seconds() - cpu;
	wall_ns = now_ns() - start_ns;
	if (pcap_stats(pcap, &stats))
		fprintf(stderr, "count: pcap_stats: %s\n", pcap_geterr(pcap));
	start_ns = now_ns();
	pcap_close(pcap);
	close_ns = now_ns() - start_ns;

	printf("library=%s", library_path());
	print_counts(o, &c, &stats);
	printf(" cpu_s=%.4f wall_s=%.4f activate_ms=%.3f close_ms=%.3f\n", cpu, (double)wall_ns / 1e9, (double)activate_ns / 1e6,
	       (double)close_ns / 1e6);
	free(c.latency_ns);
	return result == PCAP_ERROR;
}

/* Opens and closes only. The first round warms the memory up and is not counted. */
static int run_rounds(const struct options *o)
{
	size_t n = (size_t)o->rounds;
	uint64_t *activate_ns = calloc(n, sizeof(*activate_ns));
	uint64_t *close_ns = calloc(n, sizeof(*close_ns));
	uint64_t ignored, start;
	int status = 1;

	if (!activate_ns || !close_ns)
		goto out;
	for (int i = -1; i < o->rounds; i++) {
		pcap_t *pcap = open_capture(o, i < 0 ? &ignored : &activate_ns[i]);

		if (!pcap)
			goto out;
		start = now_ns();
		pcap_close(pcap);
		if (i >= 0)
			close_ns[i] = now_ns() - start;
	}
	printf("library=%s rounds=%d activate_ms=%.3f close_ms=%.3f\n", library_path(), o->rounds,
	       quantile(activate_ns, n, 0.5) / 1e6, quantile(close_ns, n, 0.5) / 1e6);
	status = 0;
out:
	free(activate_ns);
	free(close_ns);
	return status;
}

/* ---- command line ---- */

static const char usage[] =
	"usage: count -i INTERFACE [options]\n"
	"  -s SNAPLEN  -t TIMEOUT_MS  -B BUFFER_BYTES    as in pcap_set_*; unset if not given\n"
	"  -I          immediate mode\n"
	"  -P          promiscuous mode\n"
	"  -f FILTER   filter expression\n"
	"  -c COUNT    end after this many packets\n"
	"  -d SECONDS  end after this time\n"
	"  -w MS       after \"ready\", wait this long before reading\n"
	"  -q          check blast's sequence numbers\n"
	"  -l          measure the time from blast to the callback\n"
	"  -o ROUNDS   do not read; open and close this often\n"
	"  -p CPU      run on this CPU\n";

static bool parse_int(const char *text, int low, int *value)
{
	char *end;
	long parsed;

	errno = 0;
	parsed = strtol(text, &end, 10);
	*value = (int)parsed;
	return *text && !*end && !errno && parsed >= low && parsed <= INT32_MAX;
}

static bool parse_option(struct options *o, int option)
{
	switch (option) {
	case 'i':
		o->interface = optarg;
		return true;
	case 'f':
		o->filter = optarg;
		return true;
	case 's':
		return parse_int(optarg, 0, &o->snaplen);
	case 't':
		return parse_int(optarg, 0, &o->timeout_ms);
	case 'B':
		return parse_int(optarg, 1, &o->buffer_size);
	case 'c':
		return parse_int(optarg, 1, &o->count);
	case 'd':
		o->deadline_s = atof(optarg);
		return o->deadline_s > 0;
	case 'w':
		return parse_int(optarg, 0, &o->stall_ms);
	case 'o':
		return parse_int(optarg, 1, &o->rounds);
	case 'p':
		return parse_int(optarg, 0, &o->cpu);
	case 'I':
		return o->immediate = true;
	case 'P':
		return o->promisc = true;
	case 'q':
		return o->sequence = true;
	case 'l':
		return o->latency = true;
	default:
		return false;
	}
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "i:f:s:t:B:c:d:w:o:p:IPql")) != -1) {
		if (parse_option(o, option))
			continue;
		if (option != '?')
			fprintf(stderr, "count: bad value for -%c: %s\n", option, optarg);
		return false;
	}
	return o->interface && optind == argc;
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
	fprintf(stderr, "count: CPU %d: %s\n", cpu, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct options o = { .snaplen = -1, .timeout_ms = -1, .count = -1, .cpu = -1 };
	const struct sigaction action = { .sa_handler = on_signal };

	if (!parse_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!pin(o.cpu))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return o.rounds ? run_rounds(&o) : run_capture(&o);
}
