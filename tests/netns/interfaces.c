/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A handle on several interfaces, as a program sees it that knows pcap_* and nothing of netring. One test a run:
 *
 *	interfaces TEST
 *	interfaces send INTERFACE COUNT		frames, in the network namespace that it is started in
 *
 * in a network namespace of its own with the veth pairs nr0 - nr1 and nr2 - nr3, silent but for the test's frames. Exit status 0 and "ok", or 1 and what went
 * wrong; 77: no namespace can be made.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FRAME_LEN 100
#define ALARM_S 100
#define DEADLINE_MS 10000
#define LIST "nr1,nr3"
#define FIRST_TYPE 0x88b5
#define SECOND_TYPE 0x88b6

/* A socket on each end: nr0 to nr3. What comes in at one end was sent at the other. */
static int wire[4];

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

/* The network */

static void shell(const char *command)
{
	int status = system(command);

	require(status == 0, "%s: %d", command, status);
}

/* Both ends of a pair, and waits until packets can pass: the queue of the other end is set up some time after the carrier is back. */
static void bring_up(const char *end, const char *other)
{
	char command[400];

	snprintf(command, sizeof(command), "ip link set %s up && ip link set %s up && for i in $(seq 500); do "
		 "[ $( (ip link show %s; ip link show %s) | grep -c 'state UP') = 2 ] && exit 0; sleep 0.02; done; exit 1",
		 end, other, end, other);
	shell(command);
}

static int open_wire(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "socket on %s: %s", name, strerror(errno));
	return fd;
}

/* As soon as any program of the host wants the time of its packets, all are stamped when they leave the driver, and not on their way into a ring. */
static void stamp_early(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;

	require(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &yes, sizeof(yes)) == 0, "SO_TIMESTAMP: %s", strerror(errno));
}

static void set_up(void)
{
	static const char *const names[] = { "nr0", "nr1", "nr2", "nr3" };

	if (unshare(CLONE_NEWNET) < 0)
		exit(77);
	shell("for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -w $f ] || echo 1 >$f; done; ip link set lo up && "
	      "ip link add nr0 type veth peer name nr1 && ip link add nr2 type veth peer name nr3");
	bring_up("nr0", "nr1");
	bring_up("nr2", "nr3");
	for (int i = 0; i < 4; i++)
		wire[i] = open_wire(names[i]);
	if (getenv("NR_EARLY"))
		stamp_early();
}

static void send_typed(int end, uint32_t number, uint16_t type)
{
	uint8_t frame[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, (uint8_t)(type >> 8), (uint8_t)type };
	uint32_t net_number = htonl(number);

	memcpy(frame + 14, &net_number, sizeof(net_number));
	require(send(wire[end], frame, sizeof(frame), 0) == sizeof(frame), "send: %s", strerror(errno));
}

/* Even numbers are of the first type. */
static void send_frame(int end, uint32_t number)
{
	send_typed(end, number, number % 2 ? SECOND_TYPE : FIRST_TYPE);
}

static uint32_t frame_number(const u_char *data)
{
	uint32_t number;

	memcpy(&number, data + 14, sizeof(number));
	return ntohl(number);
}

/* The kernel's own count of promiscuous members. */
static unsigned promiscuity(const char *name)
{
	char command[128];
	unsigned count = 99;
	FILE *pipe;

	snprintf(command, sizeof(command), "ip -d link show dev %s | sed -n 's/.* promiscuity \\([0-9]*\\).*/\\1/p'", name);
	pipe = popen(command, "re");
	require(pipe && fscanf(pipe, "%u", &count) == 1, "no promiscuity of %s", name);
	pclose(pipe);
	return count;
}

static unsigned open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	require(folder, "/proc/self/fd: %s", strerror(errno));
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Handles */

static pcap_t *create_handle(const char *device)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create(device, errbuf);

	require(p, "pcap_create: %s", errbuf);
	pcap_set_snaplen(p, 2000);
	pcap_set_timeout(p, 20);
	pcap_set_promisc(p, 1);
	return p;
}

static pcap_t *open_handle(const char *device, int immediate)
{
	pcap_t *p = create_handle(device);
	int ret;

	pcap_set_immediate_mode(p, immediate);
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
	require(stats.ps_recv == received && stats.ps_drop == 0 && stats.ps_ifdrop == 0, "ps_recv %u ps_drop %u ps_ifdrop %u, not %u, 0, 0",
		stats.ps_recv, stats.ps_drop, stats.ps_ifdrop, received);
}

/* Patient: 0 means that what came was nothing that the program wants. */
static void expect(pcap_t *p, uint32_t number, bool patient)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int ret;

	do
		ret = pcap_next_ex(p, &header, &data);
	while (ret == 0 && patient);
	require(ret == 1, "waiting for frame %u: %d %s", number, ret, pcap_geterr(p));
	require(frame_number(data) == number && header->caplen == FRAME_LEN, "frame %u (%u bytes), not %u", frame_number(data), header->caplen, number);
}

static void expect_next(pcap_t *p, uint32_t number)
{
	expect(p, number, false);
}

/* What came: numbers and times. */
struct seen {
	unsigned count, backwards;
	uint32_t number[1024];
	struct timeval last;
};

static void look(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct seen *seen = (struct seen *)user;

	seen->backwards += timercmp(&header->ts, &seen->last, <);
	seen->last = header->ts;
	seen->number[seen->count++ % 1024] = frame_number(data);
}

/* order, and order-immediate: what is sent on the two interfaces in turn comes in that order. */

static void check_order(int immediate)
{
	pcap_t *p = open_handle(LIST, immediate);
	struct seen seen = { .count = 0 };
	unsigned mistakes = 0;

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned n = 0; n < 100; n++)
			send_frame(n % 2 ? 2 : 0, round * 100 + n);
		require(pcap_loop(p, 100, look, (u_char *)&seen) == 0, "pcap_loop: %s", pcap_geterr(p));
	}
	for (unsigned n = 0; n < 500; n++)
		mistakes += seen.number[n] != n;
	/* In immediate mode nothing waits for the others, so that only what is in one ring is in order. */
	require(seen.count == 500 && (immediate || (mistakes == 0 && seen.backwards == 0)), "%u came, %u out of place, %u back in time", seen.count, mistakes,
		seen.backwards);
	check_stats(p, 500);
	pcap_close(p);
}

static void test_order(void)
{
	check_order(0);
	check_order(1);
}

/* filter: on both, also for what is queued already. */
static void test_filter(void)
{
	for (int immediate = 0; immediate < 2; immediate++) {
		pcap_t *p = open_handle(LIST, immediate);

		set_filter(p, "ether proto 0x88b5");
		for (unsigned n = 0; n < 8; n++)
			send_frame(n / 2 % 2 ? 2 : 0, n);
		for (unsigned n = 0; n < 8; n += 2)
			expect_next(p, n);
		check_stats(p, 4);
		for (unsigned n = 8; n < 12; n++)
			send_typed(n % 2 ? 2 : 0, n, FIRST_TYPE);
		set_filter(p, "ether proto 0x88b6");
		send_frame(0, 13);
		expect(p, 13, true);
		send_frame(2, 15);
		expect(p, 15, true);
		pcap_close(p);
	}
}

static void test_direction(void)
{
	/* The last that is sent is one that is seen: what nobody has looked at would be judged by the next direction. */
	static const struct {
		pcap_direction_t direction;
		int end[4];
		unsigned from;
	} parts[] = { { PCAP_D_IN, { 1, 3, 0, 2 }, 2 }, { PCAP_D_OUT, { 0, 2, 1, 3 }, 2 }, { PCAP_D_INOUT, { 0, 1, 2, 3 }, 0 } };
	pcap_t *p = open_handle(LIST, 0);

	for (unsigned i = 0; i < 3; i++) {
		require(pcap_setdirection(p, parts[i].direction) == 0, "pcap_setdirection: %s", pcap_geterr(p));
		for (unsigned n = 0; n < 4; n++)
			send_frame(parts[i].end[n], i * 4 + n);
		/* What is not wanted may come in a block of its own, which ends a read. */
		for (unsigned n = parts[i].from; n < 4; n++)
			expect(p, i * 4 + n, true);
	}
	check_stats(p, 12);
	pcap_close(p);
}

static void test_promiscuous(void)
{
	pcap_t *p = open_handle(LIST, 0);

	require(promiscuity("nr1") == 1 && promiscuity("nr3") == 1, "while open: nr1 %u, nr3 %u", promiscuity("nr1"), promiscuity("nr3"));
	pcap_close(p);
	require(promiscuity("nr1") == 0 && promiscuity("nr3") == 0, "closed: nr1 %u, nr3 %u", promiscuity("nr1"), promiscuity("nr3"));
}

/* inject: by the first interface; the handle itself does not see it. */
static void test_inject(void)
{
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	uint8_t frame[FRAME_LEN] = { 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x88, 0xb5, 1, 2, 3, 4 }, got[2000];
	pcap_t *p = open_handle(LIST, 0);

	for (int end = 0; end < 4; end += 2) {
		all.sll_ifindex = (int)if_nametoindex(end ? "nr2" : "nr0");
		require(bind(wire[end], (struct sockaddr *)&all, sizeof(all)) == 0, "bind: %s", strerror(errno));
	}
	for (int i = 0; i < 6; i++)
		require(pcap_inject(p, frame, sizeof(frame)) == FRAME_LEN, "pcap_inject: %s", pcap_geterr(p));
	for (int i = 0; i < 6; i++)
		require(recv(wire[0], got, sizeof(got), 0) == FRAME_LEN && memcmp(frame, got, FRAME_LEN) == 0, "frame %d did not get to nr0", i);
	require(recv(wire[2], got, sizeof(got), 0) < 0, "a frame got to nr2");
	send_frame(2, 1);
	send_frame(0, 2);
	expect_next(p, 1);
	expect_next(p, 2);
	check_stats(p, 2);
	pcap_close(p);
}

/* questions: what programs ask besides. */

static bool has_link_type(pcap_t *p, int wanted)
{
	int *links, count = pcap_list_datalinks(p, &links);
	bool found = false;

	require(count > 0, "pcap_list_datalinks: %d", count);
	for (int i = 0; i < count; i++)
		found |= links[i] == wanted;
	pcap_free_datalinks(links);
	return found;
}

static void check_link_types(void)
{
	pcap_t *p = open_handle(LIST, 0);

	require(pcap_datalink(p) == DLT_EN10MB && has_link_type(p, DLT_DOCSIS), "link type %d", pcap_datalink(p));
	require(pcap_set_datalink(p, DLT_DOCSIS) == 0 && pcap_datalink(p) == DLT_DOCSIS, "DOCSIS: %s", pcap_geterr(p));
	send_frame(2, 7);
	expect_next(p, 7);
	require(pcap_set_datalink(p, DLT_RAW) == PCAP_ERROR, "RAW");
	pcap_close(p);
	/* The loopback interface is Ethernet and nothing else. */
	p = open_handle("nr1,lo", 0);
	require(!has_link_type(p, DLT_DOCSIS), "a link type that not all have is listed");
	require(pcap_set_datalink(p, DLT_DOCSIS) == PCAP_ERROR && strstr(pcap_geterr(p), "lo"), "DOCSIS: %s", pcap_geterr(p));
	require(pcap_datalink(p) == DLT_EN10MB, "link type %d after it was refused", pcap_datalink(p));
	pcap_close(p);
}

static void test_questions(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	bpf_u_int32 net, mask, first_net, first_mask;
	pcap_if_t *devices;
	pcap_t *p;
	int *types, count;

	shell("ip address add 10.1.0.1/16 dev nr1 && ip address add 10.2.0.1/24 dev nr3");
	require(pcap_lookupnet("nr1", &first_net, &first_mask, errbuf) == 0, "pcap_lookupnet: %s", errbuf);
	require(pcap_lookupnet(LIST, &net, &mask, errbuf) == 0 && net == first_net && mask == first_mask, "pcap_lookupnet: %s", errbuf);
	require(pcap_findalldevs(&devices, errbuf) == 0, "pcap_findalldevs: %s", errbuf);
	for (pcap_if_t *device = devices; device; device = device->next)
		require(!strchr(device->name, ','), "device %s", device->name);
	pcap_freealldevs(devices);
	p = create_handle(LIST);
	count = pcap_list_tstamp_types(p, &types);
	require(count >= 0 && pcap_can_set_rfmon(p) == 0, "%d time-stamp types", count);
	pcap_free_tstamp_types(types);
	pcap_close(p);
	check_link_types();
}

/* A device whose name has a comma is no list. */
static void test_comma(void)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	pcap_t *p;

	shell("ip link add nr5 type veth peer name nr1,nr3");
	bring_up("nr5", "nr1,nr3");
	p = open_handle("nr1,nr3", 0);
	require(promiscuity("nr1,nr3") == 1 && promiscuity("nr1") == 0, "nr1,nr3: %u, nr1: %u", promiscuity("nr1,nr3"), promiscuity("nr1"));
	address.sll_ifindex = (int)if_nametoindex("nr5");
	send_frame(0, 1);
	require(bind(wire[0], (struct sockaddr *)&address, sizeof(address)) == 0, "bind: %s", strerror(errno));
	send_frame(0, 2);
	expect_next(p, 2);
	pcap_close(p);
}

/* nonblock: the mode is the sending socket's too, as libpcap's descriptor is both. */

static unsigned nonblocking_sockets(void)
{
	unsigned count = 0;

	for (int fd = 3; fd < 256; fd++) {
		int domain, flags = fcntl(fd, F_GETFL);
		socklen_t size = sizeof(domain);

		if (flags >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0)
			count += (flags & O_NONBLOCK) != 0;
	}
	return count;
}

static void test_nonblock(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = open_handle(LIST, 0);
	unsigned before = nonblocking_sockets();

	require(pcap_setnonblock(p, 1, errbuf) == 0 && pcap_getnonblock(p, errbuf) == 1, "%s", errbuf);
	require(fcntl(pcap_get_selectable_fd(p), F_GETFL) & O_NONBLOCK, "the descriptor blocks");
	require(nonblocking_sockets() == before + 1, "%u sockets that do not block, then %u", before, nonblocking_sockets());
	require(pcap_dispatch(p, -1, look, NULL) == 0, "pcap_dispatch: %s", pcap_geterr(p));
	require(pcap_setnonblock(p, 0, errbuf) == 0 && nonblocking_sockets() == before, "%s", errbuf);
	pcap_close(p);
}

/* bad: what cannot be opened, each with its code and its sentence; nothing stays. */

struct bad {
	const char *device;
	int status;
	const char *text[2];
	bool rfmon;
};

static const struct bad bad_devices[] = {
	{ "nr1,nr3,nr1", PCAP_ERROR, { "nr1", "twice" }, false },
	{ "nr1,", PCAP_ERROR, { "nr1,", "empty" }, false },
	{ ",nr1", PCAP_ERROR, { ",nr1", "empty" }, false },
	{ "nr1,,nr3", PCAP_ERROR, { "nr1,,nr3", "empty" }, false },
	{ ",", PCAP_ERROR, { ",", "empty" }, false },
	{ "nr1,any", PCAP_ERROR, { "any", "alone" }, false },
	{ "nr1,a-name-of-16-byt", PCAP_ERROR, { "a-name-of-16-byt", "long" }, false },
	{ "nr1,nosuch0", PCAP_ERROR_NO_SUCH_DEVICE, { "nosuch0: ", "No such device exists" }, false },
	{ "nosuch0,nr1", PCAP_ERROR_NO_SUCH_DEVICE, { "nosuch0: ", "No such device exists" }, false },
	{ "nr1,nr7", PCAP_ERROR, { "nr7: ", "not up" }, false },
	{ "nr7,nr1", PCAP_ERROR, { "nr7: ", "not up" }, false },
	{ "nr1,nr3,nr7", PCAP_ERROR, { "nr7: ", "not up" }, false },
	{ "nr1,tun0", PCAP_ERROR, { "nr1 has EN10MB", "tun0 has RAW" }, false },
	{ "tun0,nr1", PCAP_ERROR, { "tun0 has RAW", "nr1 has EN10MB" }, false },
	{ LIST, PCAP_ERROR, { LIST, "monitor mode" }, true },
};

static void check_bad(const struct bad *bad)
{
	unsigned before = open_descriptors();
	pcap_t *p = create_handle(bad->device);
	int ret;

	pcap_set_rfmon(p, bad->rfmon);
	for (int i = 0; i < 2; i++) {
		ret = pcap_activate(p);
		require(ret == bad->status, "%s: %d \"%s\", not %d", bad->device, ret, pcap_geterr(p), bad->status);
		for (int n = 0; n < 2; n++)
			require(strstr(pcap_geterr(p), bad->text[n]), "%s: \"%s\" without \"%s\"", bad->device, pcap_geterr(p), bad->text[n]);
		require(promiscuity("nr1") == 0 && promiscuity("nr3") == 0, "%s: nr1 %u, nr3 %u promiscuous", bad->device, promiscuity("nr1"),
			promiscuity("nr3"));
	}
	pcap_close(p);
	require(open_descriptors() == before, "%s: %u descriptors, then %u", bad->device, before, open_descriptors());
}

static void test_bad(void)
{
	shell("ip link add nr6 type veth peer name nr7 && ip tuntap add dev tun0 mode tun && ip link set tun0 up");
	for (size_t i = 0; i < sizeof(bad_devices) / sizeof(*bad_devices); i++)
		check_bad(&bad_devices[i]);
}

/* again: the handle that failed works once what was wrong is not. */
static void test_again(void)
{
	unsigned before = open_descriptors();
	pcap_t *p = create_handle("nr1,nr7");

	require(pcap_activate(p) == PCAP_ERROR_NO_SUCH_DEVICE, "%s", pcap_geterr(p));
	shell("ip link add nr6 type veth peer name nr7 && ip link set nr6 up");
	require(pcap_activate(p) == PCAP_ERROR, "%s", pcap_geterr(p));
	shell("ip link set nr7 up");
	require(pcap_activate(p) == 0, "%s", pcap_geterr(p));
	require(promiscuity("nr1") == 1 && promiscuity("nr7") == 1, "nr1 %u, nr7 %u promiscuous", promiscuity("nr1"), promiscuity("nr7"));
	send_frame(0, 1);
	expect_next(p, 1);
	pcap_close(p);
	require(open_descriptors() == before, "%u descriptors, then %u", before, open_descriptors());
}

/* down, deleted: one of the two */

static atomic_uint loop_seen, loop_last;

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	(void)header;
	loop_last = frame_number(data);
	loop_seen++;
}

static void *loop_for_ever(void *argument)
{
	return (void *)(intptr_t)pcap_loop(argument, -1, count_packet, NULL);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

static void wait_for_seen(unsigned count)
{
	int64_t end = now_ms() + DEADLINE_MS;

	while (loop_seen < count) {
		require(now_ms() < end, "%u packets came, not %u", loop_seen, count);
		usleep(1000);
	}
}

static void check_blocking(int immediate)
{
	pcap_t *p = open_handle(LIST, immediate);
	pthread_t thread;
	void *result;
	unsigned n = 0;

	loop_seen = 0;
	require(pthread_create(&thread, NULL, loop_for_ever, p) == 0, "pthread_create");
	for (int end = 0; end < 4; end += 2)
		send_frame(end, n++);
	wait_for_seen(2);
	shell("ip link set nr3 down");
	for (int i = 0; i < 3; i++) {
		send_frame(0, n++);
		wait_for_seen(n);
	}
	bring_up("nr2", "nr3");
	for (int end = 0; end < 4; end += 2) {
		send_frame(end, n++);
		wait_for_seen(n);
	}
	shell("ip link del nr3");
	pthread_join(thread, &result);
	require((int)(intptr_t)result == PCAP_ERROR && strcmp(pcap_geterr(p), "nr3: The interface disappeared") == 0, "%d %s", (int)(intptr_t)result,
		pcap_geterr(p));
	for (int i = 0; i < 3; i++) {
		struct seen seen = { .count = 0 };

		require(pcap_dispatch(p, -1, look, (u_char *)&seen) == PCAP_ERROR && strstr(pcap_geterr(p), "nr3: "), "again: %s", pcap_geterr(p));
		send_frame(0, n);
		while (seen.count == 0) {
			int ret = pcap_dispatch(p, -1, look, (u_char *)&seen);

			require(ret >= 0 || (ret == PCAP_ERROR && strstr(pcap_geterr(p), "nr3: ")), "%d %s", ret, pcap_geterr(p));
		}
		require(seen.number[0] == n, "frame %u, not %u", seen.number[0], n);
		n++;
	}
	pcap_close(p);
	require(promiscuity("nr1") == 0, "nr1 is promiscuous");
}

static void test_blocking(void)
{
	check_blocking(0);
}

static void test_blocking_immediate(void)
{
	check_blocking(1);
}

/* Reads by select until `count` packets came, or an error: its code. */
static int select_until(pcap_t *p, struct seen *seen, unsigned count)
{
	int fd = pcap_get_selectable_fd(p), ret = 0;
	int64_t end = now_ms() + DEADLINE_MS;

	while (seen->count < count && ret >= 0) {
		const struct timeval *required = pcap_get_required_select_timeout(p);
		struct timeval timeout = required ? *required : (struct timeval){ .tv_sec = 1 };
		fd_set set;

		require(now_ms() < end, "%u packets came, not %u", seen->count, count);
		FD_ZERO(&set);
		FD_SET(fd, &set);
		require(select(fd + 1, &set, NULL, NULL, &timeout) >= 0, "select: %s", strerror(errno));
		ret = pcap_dispatch(p, -1, look, (u_char *)seen);
	}
	return ret;
}

static void test_select(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = open_handle(LIST, 0);
	struct seen seen = { .count = 0 };
	int ret;

	require(pcap_setnonblock(p, 1, errbuf) == 0, "%s", errbuf);
	send_frame(0, 0);
	send_frame(2, 1);
	select_until(p, &seen, 2);
	require(!pcap_get_required_select_timeout(p), "a timeout is required while all is well");
	shell("ip link set nr3 down");
	for (int64_t end = now_ms() + DEADLINE_MS; !pcap_get_required_select_timeout(p); )
		require(now_ms() < end && pcap_dispatch(p, -1, look, (u_char *)&seen) == 0, "nobody sees that nr3 is down: %s", pcap_geterr(p));
	send_frame(0, 2);
	select_until(p, &seen, 3);
	bring_up("nr2", "nr3");
	send_frame(2, 3);
	select_until(p, &seen, 4);
	for (int64_t end = now_ms() + DEADLINE_MS; pcap_get_required_select_timeout(p); )
		require(now_ms() < end && pcap_dispatch(p, -1, look, (u_char *)&seen) == 0, "nobody sees that nr3 is up: %s", pcap_geterr(p));
	shell("ip link del nr3");
	ret = select_until(p, &seen, 5);
	require(ret == PCAP_ERROR && strcmp(pcap_geterr(p), "nr3: The interface disappeared") == 0, "%d %s", ret, pcap_geterr(p));
	send_frame(0, 4);
	while (select_until(p, &seen, 5) < 0)
		require(strstr(pcap_geterr(p), "nr3: "), "%s", pcap_geterr(p));
	for (unsigned n = 0; n < 5; n++)
		require(seen.number[n] == n, "frame %u, not %u", seen.number[n], n);
	pcap_close(p);
}

/* libpcap: NETRING_BACKEND=libpcap cannot have several. */
static void test_libpcap(void)
{
	unsigned before = open_descriptors();
	pcap_t *p = create_handle(LIST);
	int ret = pcap_activate(p);

	require(ret == PCAP_ERROR && strstr(pcap_geterr(p), LIST) && strstr(pcap_geterr(p), "NETRING_BACKEND=libpcap"), "%d %s", ret, pcap_geterr(p));
	pcap_close(p);
	require(open_descriptors() == before, "%u descriptors, then %u", before, open_descriptors());
}

/* cpu: NETRING_CPU=0; the thread that reads first runs there from then on, and no other. */
static void test_cpu(void)
{
	pcap_t *p = open_handle("nr1", 0);
	cpu_set_t set, before;

	sched_getaffinity(0, sizeof(before), &before);
	require(CPU_COUNT(&before) > 1, "pinned before the first read");
	send_frame(0, 1);
	expect_next(p, 1);
	sched_getaffinity(0, sizeof(set), &set);
	require(CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set), "the reader may run on %d CPUs", CPU_COUNT(&set));
	pcap_close(p);
}

/* refused: by a setting; says how. */
static void test_refused(void)
{
	unsigned before = open_descriptors();
	pcap_t *p = create_handle("nr1");
	int ret = pcap_activate(p);

	require(ret == PCAP_ERROR, "%d %s", ret, pcap_geterr(p));
	puts(pcap_geterr(p));
	require(promiscuity("nr1") == 0, "nr1 is promiscuous");
	pcap_close(p);
	require(open_descriptors() == before, "%u descriptors, then %u", before, open_descriptors());
}

/* read: for strace. What is between the marks is the read path. With two interfaces packets have to wait now and then, whichever ring's timer is first. */
static void test_read(void)
{
	const char *device = getenv("NR_DEVICE");
	pcap_t *p = open_handle(device ? device : LIST, 0);

	if (getenv("NR_ASK"))
		require(pcap_get_selectable_fd(p) >= 0, "no descriptor");
	(void)!write(-1, "mark", 4);
	for (unsigned n = 0; n < 100; n += 2) {
		int first = device || n % 4 ? 0 : 2;

		send_frame(first, n);
		send_frame(device ? first : 2 - first, n + 1);
		expect_next(p, n);
		expect_next(p, n + 1);
		for (int64_t until = now_us() + n * 70; now_us() < until; )
			;
	}
	(void)!write(-1, "end", 3);
	pcap_close(p);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "order", test_order }, { "filter", test_filter }, { "direction", test_direction }, { "promiscuous", test_promiscuous },
	{ "inject", test_inject }, { "questions", test_questions }, { "comma", test_comma }, { "nonblock", test_nonblock }, { "bad", test_bad },
	{ "again", test_again }, { "blocking", test_blocking }, { "blocking-immediate", test_blocking_immediate }, { "select", test_select },
	{ "libpcap", test_libpcap }, { "cpu", test_cpu }, { "refused", test_refused }, { "read", test_read },
};

static int send_by(const char *interface, unsigned count)
{
	wire[0] = open_wire(interface);
	for (unsigned n = 0; n < count; n++)
		send_frame(0, n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		return send_by(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	for (size_t i = 0; argc > 1 && i < sizeof(tests) / sizeof(*tests); i++)
		if (strcmp(tests[i].name, argv[1]) == 0) {
			/* What it starts shall not be on netring. */
			unsetenv("LD_PRELOAD");
			unsetenv("LD_LIBRARY_PATH");
			set_up();
			alarm(ALARM_S);
			tests[i].run();
			puts("ok");
			return 0;
		}
	fprintf(stderr, "usage: interfaces TEST\n");
	return 2;
}
