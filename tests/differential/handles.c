/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles of a case, and how their packets are read, counted and guarded against waiting for ever. */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Through AF_XDP packets are captured from the first call on that wants some: with NR_INTEREST that is here, and not when a case reads what it has sent. */
static void show_interest(pcap_t *p)
{
	struct pcap_stat stats;

	if (getenv("NR_INTEREST") != NULL && pcap_stats(p, &stats) < 0)
		give_up("stats: %s", pcap_geterr(p));
}

pcap_t *open_how(const struct how *how)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create(how->device, errbuf);
	int rc;

	if (p == NULL)
		give_up("create: %s", errbuf);
	pcap_set_snaplen(p, how->snaplen != 0 ? how->snaplen : 65535);
	pcap_set_timeout(p, how->timeout_ms);
	pcap_set_promisc(p, how->promisc);
	pcap_set_immediate_mode(p, how->immediate);
	if (how->buffer != 0)
		pcap_set_buffer_size(p, how->buffer);
	if (how->precision != 0)
		pcap_set_tstamp_precision(p, how->precision);
	if (how->protocol != 0)
		pcap_set_protocol_linux(p, how->protocol);
	if (how->nonblock)
		pcap_setnonblock(p, 1, errbuf);
	rc = pcap_activate(p);
	if (rc < 0)
		give_up("activate=%d \"%s\"", rc, pcap_geterr(p));
	if (!how->idle)
		show_interest(p);
	return p;
}

pcap_t *open_live(const char *device, int timeout_ms)
{
	return open_how(&(struct how){ .device = device, .timeout_ms = timeout_ms });
}

pcap_t *open_immediate(const char *device)
{
	return open_how(&(struct how){ .device = device, .timeout_ms = 100, .immediate = 1 });
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(unsigned ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

bool readable(int fd, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, ms) == 1 && (poll_fd.revents & POLLIN) != 0;
}

/* ---- collecting ---- */

void collect(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct packets *packets = (struct packets *)user;
	unsigned at = packets->header_length != 0 ? packets->header_length : 14;

	if (packets->count < PACKETS_KEPT) {
		packets->kept[packets->count].caplen = header->caplen;
		packets->kept[packets->count].len = header->len;
		packets->kept[packets->count].number = header->caplen >= at + 2 ? (unsigned)(data[at] << 8 | data[at + 1]) : 0;
	}
	packets->hash = packets->hash * 31 + fingerprint(data, header->caplen);
	packets->last_fraction = header->ts.tv_usec;
	packets->count++;
	if (packets->break_at != 0 && packets->count == packets->break_at)
		pcap_breakloop(packets->handle);
}

void say_packets(const char *label, const struct packets *packets)
{
	char text[2048];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < packets->count && i < PACKETS_KEPT && n < sizeof(text) - 64; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u/%u#%u", i > 0 ? " " : "", packets->kept[i].caplen, packets->kept[i].len,
				      packets->kept[i].number);
	say("%s: n=%u [%s] hash=%016llx", label, packets->count, text, (unsigned long long)packets->hash);
}

void say_stats(pcap_t *p, const char *label)
{
	struct pcap_stat stats;
	int rc;

	memset(&stats, 0x5a, sizeof(stats));
	rc = pcap_stats(p, &stats);
	if (rc < 0)
		say_code(p, label, rc);
	else
		say("%s: recv=%u drop=%u ifdrop=%u", label, stats.ps_recv, stats.ps_drop, stats.ps_ifdrop);
}

/* ---- the guard ---- */

/*
 * The guard counts in short steps, and a step that took long counts as a short one: when the whole process has stood still, because its
 * (virtual) CPU was taken away, the reader first gets the time to see what came meanwhile.
 */
#define GUARD_STEP_MS 20

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	pcap_t *handle;
	unsigned ms;
	bool stop, fired;
} guard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void guard_step(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += GUARD_STEP_MS * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	while (!guard.stop && pthread_cond_timedwait(&guard.stopped, &guard.lock, &end) != ETIMEDOUT)
		;
}

static void *guard_run(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&guard.lock);
	for (unsigned ms = 0; !guard.stop && ms < guard.ms; ms += GUARD_STEP_MS)
		guard_step();
	if (!guard.stop) {
		guard.fired = true;
		pcap_breakloop(guard.handle);
	}
	pthread_mutex_unlock(&guard.lock);
	return NULL;
}

void guard_start(pcap_t *p, unsigned ms)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&guard.stopped, &attributes);
	guard.handle = p;
	guard.stop = guard.fired = false;
	guard.ms = ms;
	if (pthread_create(&guard.thread, NULL, guard_run, NULL) != 0)
		give_up("no thread");
}

bool guard_stop(void)
{
	pthread_mutex_lock(&guard.lock);
	guard.stop = true;
	pthread_cond_signal(&guard.stopped);
	pthread_mutex_unlock(&guard.lock);
	pthread_join(guard.thread, NULL);
	return guard.fired;
}

static int guarded(pcap_t *p, const char *label, bool loop, int count, struct packets *packets, unsigned ms)
{
	bool blocked;
	int rc;

	guard_start(p, ms);
	if (loop)
		rc = pcap_loop(p, count, collect, (u_char *)packets);
	else
		rc = pcap_dispatch(p, count, collect, (u_char *)packets);
	blocked = guard_stop();
	if (blocked)
		say("%s=blocked", label);
	else
		say_code(p, label, rc);
	return rc;
}

int guarded_dispatch(pcap_t *p, const char *label, int count, struct packets *packets, unsigned ms)
{
	return guarded(p, label, false, count, packets, ms);
}

int guarded_loop(pcap_t *p, const char *label, int count, struct packets *packets, unsigned ms)
{
	return guarded(p, label, true, count, packets, ms);
}

/* ---- reading ---- */

#define READ_STEP_MS 20

/*
 * Non-blocking reads with waits on the descriptor: ends at `count`, or after `silence_ms` without a packet. As the guard, it takes a
 * wait that was long because the process stood still for a short one.
 */
static unsigned read_until(pcap_t *p, struct packets *packets, unsigned count, int silence_ms)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	unsigned before = packets->count;
	int was = pcap_getnonblock(p, errbuf);
	int64_t silent_ms = 0, last = now_ms();

	pcap_setnonblock(p, 1, errbuf);
	while (packets->count - before < count && silent_ms < silence_ms) {
		int64_t now;
		int rc;

		readable(pcap_get_selectable_fd(p), READ_STEP_MS);
		rc = pcap_dispatch(p, -1, collect, (u_char *)packets);
		if (rc < 0) {
			say_code(p, "read", rc);
			break;
		}
		now = now_ms();
		silent_ms = rc > 0 ? 0 : silent_ms + (now - last < READ_STEP_MS ? now - last : READ_STEP_MS);
		last = now;
	}
	if (was == 0)
		pcap_setnonblock(p, 0, errbuf);
	return packets->count - before;
}

unsigned drain(pcap_t *p, struct packets *packets, unsigned count)
{
	return read_until(p, packets, count, 1000);
}

unsigned drain_all(pcap_t *p, struct packets *packets)
{
	return read_until(p, packets, 1u << 30, 150);
}

/* ---- filters ---- */

struct bpf_program compiled(pcap_t *p, const char *expression)
{
	struct bpf_program program;

	if (pcap_compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0)
		give_up("compile \"%s\": %s", expression, pcap_geterr(p));
	return program;
}

void set_filter(pcap_t *p, const char *expression)
{
	struct bpf_program program = compiled(p, expression);
	int rc = pcap_setfilter(p, &program);

	pcap_freecode(&program);
	if (rc != 0)
		give_up("setfilter \"%s\": %s", expression, pcap_geterr(p));
}
