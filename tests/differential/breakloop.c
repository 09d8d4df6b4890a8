/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 36-40: pcap_breakloop from a callback, a thread, a signal handler, and too early. */
#include "probe.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

enum reader { DISPATCH, LOOP, NEXT_EX, NEXT };
static const char *const reader_names[] = { "dispatch", "loop", "next_ex", "next" };

static int read_by(pcap_t *p, enum reader reader, struct packets *packets)
{
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;

	switch (reader) {
	case DISPATCH:
		return pcap_dispatch(p, -1, collect, (u_char *)packets);
	case LOOP:
		return pcap_loop(p, -1, collect, (u_char *)packets);
	case NEXT_EX:
		return pcap_next_ex(p, &header, &data);
	default:
		return pcap_next(p, &plain_header) == NULL ? 0 : 1;
	}
}

/* ---- 36 ---- */

/* How long the reader took to return, in steps of 10 ms: a step during which the process stood still is one step. */
#define STEPS_IN_TIME 185

static struct {
	pcap_t *handle;
	volatile bool returned;
	unsigned steps;
} broken;

static void *break_later(void *unused)
{
	(void)unused;
	sleep_ms(150);
	pcap_breakloop(broken.handle);
	for (broken.steps = 0; !broken.returned && broken.steps < STEPS_IN_TIME; broken.steps++)
		sleep_ms(10);
	return NULL;
}

static void from_a_thread(const char *device, int timeout_ms, int immediate)
{
	for (enum reader reader = DISPATCH; reader <= NEXT; reader++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = timeout_ms,
						    .immediate = immediate });
		pthread_t thread;
		int rc;

		broken.handle = p;
		broken.returned = false;
		pthread_create(&thread, NULL, break_later, NULL);
		rc = read_by(p, reader, &packets);
		broken.returned = true;
		pthread_join(thread, NULL);
		say("%s=%d woken in time=%d", reader_names[reader], rc, broken.steps < STEPS_IN_TIME);
		send_in(1, 60);
		guarded_dispatch(p, "usable", 1, &packets, 2000);
		pcap_close(p);
	}
}

static void thread_wakes(void)
{
	from_a_thread(CAP, 10, 0);
}

static void thread_wakes_immediate(void)
{
	from_a_thread(CAP, 0, 1);
}

static void thread_wakes_any(void)
{
	from_a_thread("any", 10, 0);
}

static pcap_t *signalled;
static volatile int64_t handled_at;

static void break_in_handler(int number)
{
	(void)number;
	handled_at = now_ms();
	pcap_breakloop(signalled);
}

static void from_a_signal(int flags, int immediate)
{
	struct sigaction action = { .sa_handler = break_in_handler, .sa_flags = flags };
	struct itimerval once = { .it_value.tv_usec = 150000 };

	for (enum reader reader = DISPATCH; reader <= NEXT_EX; reader++) {
		struct packets packets = { 0 };
		int rc;

		signalled = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &once, NULL);
		rc = read_by(signalled, reader, &packets);
		say("%s=%d in time=%d", reader_names[reader], rc, now_ms() - handled_at < 2000);
		pcap_close(signalled);
	}
}

static void signal_wakes(void)
{
	from_a_signal(0, 0);
	from_a_signal(0, 1);
}

static void signal_wakes_restart(void)
{
	from_a_signal(SA_RESTART, 0);
	from_a_signal(SA_RESTART, 1);
}

/* ---- 37 ---- */

static void in_the_callback(int immediate, bool loop)
{
	struct packets packets = { .break_at = 2 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	packets.handle = p;
	send_in(10, 60);
	sleep_ms(100);
	if (loop)
		guarded_loop(p, "loop", -1, &packets, 2000);
	else
		guarded_dispatch(p, "dispatch", -1, &packets, 2000);
	say("n=%u", packets.count);
	guarded_dispatch(p, "next call", -1, &packets, 2000);
	say_packets("read", &packets);
	pcap_close(p);
}

static void callback_breaks(void)
{
	in_the_callback(0, false);
	in_the_callback(1, false);
	in_the_callback(0, true);
	in_the_callback(1, true);
}

/* Broken in the callback of the last packet that was asked for: -2 all the same. */
static void last_callback_breaks(int immediate, bool loop)
{
	struct packets packets = { .break_at = 3 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	packets.handle = p;
	send_in(3, 60);
	sleep_ms(100);
	if (loop)
		guarded_loop(p, "loop(3)", 3, &packets, 2000);
	else
		guarded_dispatch(p, "dispatch(3)", 3, &packets, 2000);
	say("n=%u", packets.count);
	send_in(1, 60);
	packets.break_at = 0;
	guarded_dispatch(p, "then", 1, &packets, 2000);
	guarded_dispatch(p, "then", 1, &packets, 500);
	say("n=%u", packets.count);
	pcap_close(p);
}

static void break_at_the_count(void)
{
	last_callback_breaks(0, false);
	last_callback_breaks(1, false);
	last_callback_breaks(0, true);
	last_callback_breaks(1, true);
}

/* ---- 38, 40 ---- */

static void too_early(int immediate, int times)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	send_in(3, 60);
	sleep_ms(100);
	for (int i = 0; i < times; i++)
		pcap_breakloop(p);
	guarded_dispatch(p, "first", -1, &packets, 2000);
	say("n=%u", packets.count);
	guarded_dispatch(p, "second", -1, &packets, 2000);
	say_packets("read", &packets);
	pcap_close(p);
}

static void before_dispatch(void)
{
	too_early(0, 1);
}

static void before_dispatch_immediate(void)
{
	too_early(1, 1);
}

static void twice(void)
{
	too_early(0, 2);
	too_early(1, 2);
}

/* Nothing queued: the blocking call ends at once, and the one after it blocks. */
static void before_dispatch_idle(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		pcap_breakloop(p);
		pcap_breakloop(p);
		guarded_dispatch(p, "first", -1, &packets, 1000);
		guarded_dispatch(p, "second", -1, &packets, 400);
		pcap_close(p);
	}
}

static void before_loop(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		send_in(2, 60);
		sleep_ms(100);
		pcap_breakloop(p);
		guarded_loop(p, "loop", 2, &packets, 1000);
		guarded_loop(p, "again", 1, &packets, 1000);
		say("n=%u", packets.count);
		pcap_close(p);
	}
}

static void before_next_ex(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		send_in(2, 60);
		sleep_ms(100);
		pcap_breakloop(p);
		for (int i = 0; i < 3; i++) {
			guard_start(p, 500);
			say("next_ex=%d", read_by(p, NEXT_EX, &packets));
			guard_stop();
		}
		pcap_close(p);
	}
}

/* ---- 39 ---- */

static void nonblocking(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate, .nonblock = 1 });

	pcap_breakloop(p);
	for (int i = 0; i < 3; i++)
		guarded_dispatch(p, "idle", -1, &packets, 1000);
	send_in(3, 60);
	sleep_ms(100);
	guarded_dispatch(p, "queued", -1, &packets, 1000);
	say("n=%u", packets.count);
	guarded_dispatch(p, "rest", -1, &packets, 1000);
	say_packets("read", &packets);
	pcap_close(p);
}

static void nonblocking_keeps(void)
{
	nonblocking(0);
}

static void nonblocking_keeps_immediate(void)
{
	nonblocking(1);
}

/* Broken while non-blocking, then set to block. */
static void nonblocking_then_blocking(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate,
						    .nonblock = 1 });

		pcap_breakloop(p);
		say("set=%d", pcap_setnonblock(p, 0, errbuf));
		send_in(2, 60);
		sleep_ms(100);
		guarded_dispatch(p, "first", -1, &packets, 1000);
		guarded_dispatch(p, "second", -1, &packets, 1000);
		say("n=%u", packets.count);
		pcap_close(p);
	}
}

/* A non-blocking loop spins; that it was broken is seen with the next packet only. */
static void *break_then_send(void *handle)
{
	sleep_ms(100);
	pcap_breakloop(handle);
	sleep_ms(300);
	send_in_unchecked(1, 60);
	return NULL;
}

static void nonblocking_loop(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });
	int64_t start = now_ms();
	pthread_t thread;

	pthread_create(&thread, NULL, break_then_send, p);
	say("loop=%d", pcap_loop(p, 5, collect, (u_char *)&packets));
	say("ended by the packet=%d n=%u", now_ms() - start >= 300, packets.count);
	pthread_join(thread, NULL);
}

static void nonblocking_callback(void)
{
	struct packets packets = { .break_at = 1 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });

	packets.handle = p;
	send_in(4, 60);
	readable(pcap_get_selectable_fd(p), 1000);
	sleep_ms(100);
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("n=%u", packets.count);
}

/* breakloop without pause from another thread, while packets come: nothing is lost, nothing doubled. */
static volatile bool hammering;

static void *hammer(void *handle)
{
	while (hammering) {
		pcap_breakloop(handle);
		sleep_ms(1);
	}
	return NULL;
}

static void hammered(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);
	pthread_t thread;
	int64_t deadline = now_ms() + 20000;
	int breaks = 0;

	hammering = true;
	pthread_create(&thread, NULL, hammer, p);
	for (int i = 0; i < 20; i++)
		send_in(20, 60);
	while ((packets.count < 400 || breaks == 0) && now_ms() < deadline)
		breaks += pcap_dispatch(p, 3, collect, (u_char *)&packets) == PCAP_ERROR_BREAK;
	hammering = false;
	pthread_join(thread, NULL);
	say("n=%u broken=%d hash=%llx", packets.count, breaks > 0, (unsigned long long)packets.hash);
}

const struct test_case breakloop_cases[] = {
	{ "3.4-36 from a thread", thread_wakes },
	{ "3.4-36 from a thread, immediate", thread_wakes_immediate },
	{ "3.4-36 from a thread, any", thread_wakes_any },
	{ "3.4-36 from a signal handler", signal_wakes },
	{ "3.4-36 from a signal handler with SA_RESTART", signal_wakes_restart },
	{ "3.4-37 from a callback", callback_breaks },
	{ "3.4-37 from the callback of the last packet", break_at_the_count },
	{ "3.4-38 before dispatch", before_dispatch },
	{ "3.4-38 before dispatch, immediate", before_dispatch_immediate },
	{ "3.4-38 twice before dispatch", twice },
	{ "3.4-38 before an idle dispatch", before_dispatch_idle },
	{ "3.4-38 before loop", before_loop },
	{ "3.4-38 before next_ex", before_next_ex },
	{ "3.4-39 non-blocking keeps the flag", nonblocking_keeps },
	{ "3.4-39 non-blocking keeps the flag, immediate", nonblocking_keeps_immediate },
	{ "3.4-39 a non-blocking loop", nonblocking_loop },
	{ "3.4-39 broken, then set to block", nonblocking_then_blocking },
	{ "3.4-40 from a callback, non-blocking", nonblocking_callback },
	{ "3.4-40 again and again while packets come", hammered },
	{ NULL, NULL },
};
