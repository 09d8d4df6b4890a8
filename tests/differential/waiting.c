/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 25-28, 32-35: waiting, timeouts, non-blocking mode, the descriptor. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SILENCE_MS 400

static char errbuf[PCAP_ERRBUF_SIZE];

/* ---- 25: silence does not end a read ---- */

static void silent(const char *label, int timeout_ms, int immediate)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;
	int rc;
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = timeout_ms, .immediate = immediate });

	say("%s", label);
	guarded_dispatch(p, "dispatch", -1, &packets, SILENCE_MS);
	guarded_loop(p, "loop", 1, &packets, SILENCE_MS);
	guard_start(p, SILENCE_MS);
	rc = pcap_next_ex(p, &header, &data);
	say("next_ex=%d blocked=%d", rc, guard_stop());
	guard_start(p, SILENCE_MS);
	data = pcap_next(p, &plain_header);
	say("next=%s blocked=%d", data == NULL ? "NULL" : "data", guard_stop());
	pcap_close(p);
}

static void silence_timeout_0(void)
{
	silent("timeout 0", 0, 0);
}

static void silence_timeout_1(void)
{
	silent("timeout 1", 1, 0);
}

static void silence_timeout_100(void)
{
	silent("timeout 100", 100, 0);
}

static void silence_immediate(void)
{
	silent("immediate", 0, 1);
	silent("immediate, timeout 100", 100, 1);
}

/* Woken for packets that are then rejected: 0. Once ready before the call, once coming while it waits. */
static void *send_later(void *unused)
{
	(void)unused;
	sleep_ms(150);
	send_in(1, 60);
	return NULL;
}

static void rejected(const char *label, int timeout_ms, int immediate, bool ready)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header = NULL;
	const u_char *data = NULL;
	pthread_t threads[2];
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = timeout_ms, .immediate = immediate });

	begin_result("3.3-25 rejected packets %s, %s", ready ? "at hand" : "to come", label);
	pcap_setdirection(p, PCAP_D_OUT);
	for (int call = 0; call < 2; call++) {
		int rc;

		if (ready) {
			send_in(1, 60);
			sleep_ms(150);
		} else {
			pthread_create(&threads[call], NULL, send_later, NULL);
		}
		guard_start(p, 1000);
		rc = call == 0 ? pcap_dispatch(p, -1, collect, (u_char *)&packets) : pcap_next_ex(p, &header, &data);
		if (guard_stop())
			say("%s=blocked", call == 0 ? "dispatch" : "next_ex");
		else
			say_code(p, call == 0 ? "dispatch" : "next_ex", rc);
		if (!ready)
			pthread_join(threads[call], NULL);
	}
	say("header %s n=%u", header != NULL ? "set" : "untouched", packets.count);
	pcap_close(p);
}

static void rejected_wakes(void)
{
	for (int ready = 0; ready <= 1; ready++) {
		rejected("timeout 10", 10, 0, ready);
		rejected("immediate, timeout 10", 10, 1, ready);
		rejected("immediate, timeout 0", 0, 1, ready);
	}
}

/* loop goes on through such wake-ups. */
static void rejected_loop(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	pcap_setdirection(p, PCAP_D_OUT);
	send_in(3, 60);
	guarded_loop(p, "loop", 1, &packets, 500);
	send_out(1, 60);
	guarded_loop(p, "loop", 1, &packets, 2000);
	say("n=%u", packets.count);
}

/* ---- 26: how long a packet is held ---- */

static int64_t time_of_a_packet(pcap_t *p)
{
	struct packets packets = { 0 };
	int64_t start;

	send_in(1, 60);
	start = now_ms();
	guarded_dispatch(p, "dispatch", 1, &packets, 5000);
	say("n=%u", packets.count);
	return now_ms() - start;
}

/* The shortest time of three is that of the library: the machine may stand still now and then. */
static void lone_packet(int timeout_ms, int immediate, int64_t limit_ms)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = timeout_ms, .immediate = immediate });
	int64_t shortest_ms = INT64_MAX;

	for (int i = 0; i < 3; i++) {
		int64_t took_ms = time_of_a_packet(p);

		if (took_ms < shortest_ms)
			shortest_ms = took_ms;
	}
	say("timeout %d immediate %d: in time=%s", timeout_ms, immediate, shortest_ms <= limit_ms ? "yes" : "no");
	pcap_close(p);
}

static void lone_packets(void)
{
	lone_packet(1, 0, 300);
	lone_packet(100, 0, 500);
	lone_packet(500, 0, 1300);
}

static void lone_packets_immediate(void)
{
	lone_packet(0, 1, 200);
	lone_packet(5000, 1, 200);
}

/* A long timeout is kept to: the packet is not delivered at once. */
static void long_timeout_holds(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 6000);

	send_in(1, 60);
	say("readable within 300 ms=%d", readable(pcap_get_selectable_fd(p), 300));
	guarded_dispatch(p, "dispatch", 1, &packets, 20000);
	say("n=%u", packets.count);
}

/* ---- 27: timeout 0 ---- */

static void timeout_0_holds(void)
{
	struct packets packets = { 0 };
	struct pcap_stat stats = { 0 };
	pcap_t *p = open_live(CAP, 0);

	send_in(5, 60);
	sleep_ms(500);
	say("readable=%d", readable(pcap_get_selectable_fd(p), 0));
	pcap_setnonblock(p, 1, errbuf);
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	pcap_stats(p, &stats);
	say("recv=%u", stats.ps_recv);
}

static void timeout_0_block(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 0);

	send_in(300, 1000);
	sleep_ms(500);
	pcap_setnonblock(p, 1, errbuf);
	pcap_dispatch(p, -1, collect, (u_char *)&packets);
	say("some=%s all=%s", packets.count > 0 ? "yes" : "no", packets.count == 300 ? "yes" : "no");
}

/* ---- 28: a negative timeout ---- */

static void negative_timeout(void)
{
	static const int timeouts[] = { -1, -1000 };

	for (int i = 0; i < 4; i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = timeouts[i % 2], .immediate = i / 2 });

		say("getnonblock=%d", pcap_getnonblock(p, errbuf));
		say("O_NONBLOCK=%d", (fcntl(pcap_fileno(p), F_GETFL) & O_NONBLOCK) != 0);
		guarded_dispatch(p, "dispatch", -1, &packets, 1000);
		say_code(p, "block", pcap_setnonblock(p, 0, errbuf));
		say("getnonblock=%d", pcap_getnonblock(p, errbuf));
		pcap_close(p);
	}
}

/* ---- 32: non-blocking mode ---- */

static void nonblock_before(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });

	say("get=%d", pcap_getnonblock(p, errbuf));
	say("O_NONBLOCK=%d", (fcntl(pcap_fileno(p), F_GETFL) & O_NONBLOCK) != 0);
	guarded_dispatch(p, "dispatch", -1, &packets, 1000);
	send_in(2, 60);
	say("readable=%d", readable(pcap_get_selectable_fd(p), 1000));
	/* Both, even if the timer has closed a block between them. */
	sleep_ms(100);
	guarded_dispatch(p, "dispatch", -1, &packets, 1000);
	say("set=%d", pcap_setnonblock(p, 0, errbuf));
	say("get=%d", pcap_getnonblock(p, errbuf));
	guarded_dispatch(p, "dispatch", -1, &packets, SILENCE_MS);
}

static void nonblock_switches(void)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header = NULL, plain_header;
	const u_char *data = NULL;
	pcap_t *p = open_live(CAP, 10);

	/* The essence of libpcap's nonblocktest. */
	for (int i = 0; i < 10; i++) {
		int set = i % 2 == 0;

		say("set %d=%d", set, pcap_setnonblock(p, set, errbuf));
		say("get=%d", pcap_getnonblock(p, errbuf));
		say("O_NONBLOCK=%d", (fcntl(pcap_fileno(p), F_GETFL) & O_NONBLOCK) != 0);
		if (set)
			say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	}
	say("set 5=%d", pcap_setnonblock(p, 5, errbuf));
	say("get=%d", pcap_getnonblock(p, errbuf));
	say("next_ex=%d", pcap_next_ex(p, &header, &data));
	say("header %s", header != NULL ? "set" : "untouched");
	say("next=%s", pcap_next(p, &plain_header) == NULL ? "NULL" : "data");
	pcap_setnonblock(p, 0, errbuf);
	send_in(1, 60);
	guarded_dispatch(p, "blocking again", 1, &packets, 2000);
	say("n=%u", packets.count);
}

static void nonblock_exhausted(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);
	int last = -1, fd;

	say("set=%d", pcap_setnonblock(p, 1, errbuf));
	while ((fd = dup(0)) >= 0)
		last = fd;
	errbuf[0] = '\0';
	say("exhausted: set=%d errbuf=\"%s\"", pcap_setnonblock(p, 0, errbuf), errbuf);
	say("get=%d", pcap_getnonblock(p, errbuf));
	close(last);
	say("one free: set=%d", pcap_setnonblock(p, 0, errbuf));
	say("get=%d", pcap_getnonblock(p, errbuf));
	guarded_dispatch(p, "dispatch", -1, &packets, SILENCE_MS);
}

/* ---- 33, 34: the descriptor ---- */

static void say_socket(const char *label, int fd)
{
	int domain = -1, type = -1;
	socklen_t size = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	say("%s domain=%d type=%d", label, domain, type);
}

static void descriptor_kind(void)
{
	static const char *const names[] = { CAP, "lo", "any" };

	for (size_t i = 0; i < 3; i++) {
		struct sockaddr_ll address = { 0 };
		socklen_t size = sizeof(address);
		pcap_t *p = open_live(names[i], 100);
		int fd = pcap_fileno(p);

		say("%s same=%d below 1024=%d", names[i], fd == pcap_get_selectable_fd(p), fd >= 0 && fd < 1024);
		say_socket("socket", fd);
		say("getsockname=%d", getsockname(fd, (struct sockaddr *)&address, &size));
		say("family=%d protocol=%04x ifindex=%d hatype=%d", address.sll_family, address.sll_protocol,
		    address.sll_ifindex, address.sll_hatype);
		pcap_close(p);
	}
}

static void level_triggered(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate, .nonblock = 1 });
	int fd = pcap_get_selectable_fd(p);

	say("idle=%d", readable(fd, 100));
	send_in(5, 60);
	say("queued=%d", readable(fd, 1000));
	/* The timer may have closed a block between two of them; by now it has closed the next one, too. */
	sleep_ms(100);
	for (int i = 0; i < 4; i++) {
		say("dispatch(1)=%d", pcap_dispatch(p, 1, collect, (u_char *)&packets));
		say("readable=%d", readable(fd, 0));
	}
	say("dispatch(1)=%d", pcap_dispatch(p, 1, collect, (u_char *)&packets));
	pcap_dispatch(p, 1, collect, (u_char *)&packets);
	say("drained: readable=%d", readable(fd, 100));
	pcap_breakloop(p);
	say("breakloop: readable=%d", readable(fd, 100));
	say_packets("read", &packets);
	pcap_close(p);
}

static void level_triggered_v3(void)
{
	level_triggered(0);
}

static void level_triggered_v2(void)
{
	level_triggered(1);
}

/* dumpcap's way: select, then one packet. */
static void select_and_one(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);
	int fd = pcap_get_selectable_fd(p), selected = 0;

	send_in(20, 60);
	while (packets.count < 20) {
		struct timeval limit = { .tv_sec = 1 };
		fd_set set;

		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, &limit) != 1)
			break;
		selected++;
		if (pcap_dispatch(p, 1, collect, (u_char *)&packets) < 0)
			break;
	}
	say("selected=%d n=%u", selected, packets.count);
}

static void epoll_level(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .nonblock = 1 });
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), woken = 0;

	say("add=%d", epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pcap_get_selectable_fd(p), &event));
	send_in(5, 60);
	while (packets.count < 5 && epoll_wait(epoll_fd, &event, 1, 1000) == 1) {
		woken++;
		pcap_dispatch(p, 2, collect, (u_char *)&packets);
	}
	say("woken=%d n=%u idle=%d", woken, packets.count, epoll_wait(epoll_fd, &event, 1, 100));
}

static void required_timeout(void)
{
	static const char *const names[] = { CAP, "any", "lo" };

	for (size_t i = 0; i < 3; i++) {
		pcap_t *p = open_live(names[i], 100);

		say("%s: %s", names[i], pcap_get_required_select_timeout(p) == NULL ? "NULL" : "set");
		pcap_setnonblock(p, 1, errbuf);
		say("nonblock: %s", pcap_get_required_select_timeout(p) == NULL ? "NULL" : "set");
		pcap_close(p);
	}
}

/* ---- 35: interrupted waits ---- */

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

static void interrupted(int immediate)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval every = { .it_interval.tv_usec = 30000, .it_value.tv_usec = 30000 }, never = { 0 };
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
	sigset_t set;

	sigaction(SIGALRM, &action, NULL);
	/* The guard's thread inherits the blocked signal, so that it lands in the reader. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	guard_start(p, 500);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	setitimer(ITIMER_REAL, &never, NULL);
	say("blocked=%d interrupted=%d", guard_stop(), alarms > 1);
	send_in(1, 60);
	guarded_dispatch(p, "after", 1, &packets, 2000);
	pcap_close(p);
}

static void interrupted_both(void)
{
	interrupted(0);
	interrupted(1);
}

const struct test_case waiting_cases[] = {
	{ "3.3-25 silence, timeout 0", silence_timeout_0 },
	{ "3.3-25 silence, timeout 1", silence_timeout_1 },
	{ "3.3-25 silence, timeout 100", silence_timeout_100 },
	{ "3.3-25 silence, immediate", silence_immediate },
	{ "3.3-25 rejected packets", rejected_wakes },
	{ "3.3-25 loop over rejected packets", rejected_loop },
	{ "3.3-26 a lone packet", lone_packets },
	{ "3.3-26 a lone packet, immediate", lone_packets_immediate },
	{ "3.3-26 a long timeout holds the packet", long_timeout_holds },
	{ "3.3-27 timeout 0 holds packets", timeout_0_holds },
	{ "3.3-27 timeout 0, more than a block", timeout_0_block },
	{ "3.3-28 negative timeout", negative_timeout },
	{ "3.3-32 nonblock before activate", nonblock_before },
	{ "3.3-32 nonblock switched ten times (nonblocktest)", nonblock_switches },
	{ "3.4-39 back to blocking without a descriptor (nonblocktest)", nonblock_exhausted },
	{ "3.3-33 the descriptor is the packet socket", descriptor_kind },
	{ "3.3-33 level-triggered", level_triggered_v3 },
	{ "3.3-33 level-triggered, immediate", level_triggered_v2 },
	{ "3.3-33 select and dispatch(1)", select_and_one },
	{ "3.3-33 epoll", epoll_level },
	{ "3.3-34 required_select_timeout", required_timeout },
	{ "3.3-35 interrupted waits go on", interrupted_both },
	{ NULL, NULL },
};
