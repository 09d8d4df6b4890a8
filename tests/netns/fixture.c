/* SPDX-License-Identifier: BSD-3-Clause */
/* See fixture.h. */
#define _GNU_SOURCE 1
#include "fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2000
#define ALARM_S 240

static void give_up(const char *reason)
{
	const char *required = getenv("NETRING_TESTS_REQUIRED");

	if (required && strcmp(required, "1") == 0) {
		printf("Bail out! required, but: %s\n", reason);
		exit(EXIT_FAILURE);
	}
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

void shell(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	ck_assert_msg(system(command) == 0, "failed: %s", command);
}

void fixture_enter(void)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (unshare(CLONE_NEWNET) < 0)
		give_up("cannot make a network namespace");
	if (system("ip -V >/dev/null 2>&1") != 0)
		give_up("no ip program (package iproute2)");
	if (system("ip link set lo up && "
		   "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -w $f ] || echo 1 >$f; done; "
		   "ip link add nr0 type veth peer name nr1 && ip link add nr2 type veth peer name nr3 && "
		   "for i in 0 1 2 3; do ip link set nr$i up; done") != 0)
		give_up("cannot make veth interfaces");
	/* The end that came up first gets its queue from the kernel's link watch, up to a second later, and loses until then what it is to send. */
	if (system("for i in $(seq 500); do [ $(ip -o link show | grep -c 'nr[0-3]@.*state UP') -lt 4 ] || exit 0; sleep 0.01; done; exit 1") != 0)
		give_up("the veth interfaces do not come up");
}

/* As libcheck does with the limit of one test: slow machines say by how much. */
static unsigned alarm_seconds(void)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
	int times = multiplier ? atoi(multiplier) : 1;

	return ALARM_S * (unsigned)(times > 0 && times < 1000 ? times : 1);
}

int fixture_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	/* A group of its own: libcheck's handler of SIGALRM kills the group, and the others are make and its caller. */
	setpgid(0, 0);
	alarm(alarm_seconds());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

unsigned open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

int interface_number(const char *name)
{
	return (int)if_nametoindex(name);
}

int sender_open(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = interface_number(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static uint8_t filler(uint32_t number, size_t position)
{
	return (uint8_t)(number * 7 + position);
}

static void make_frame(uint8_t *frame, uint16_t type, uint32_t number, size_t length)
{
	uint16_t net_type = htons(type);
	uint32_t net_number = htonl(number);

	memset(frame, 0xff, ETHER_ADDR_LEN);
	memcpy(frame + ETHER_ADDR_LEN, "\x02nr\0\0\1", ETHER_ADDR_LEN);
	memcpy(frame + 12, &net_type, sizeof(net_type));
	memcpy(frame + ETHERNET, &net_number, sizeof(net_number));
	for (size_t i = ETHERNET + sizeof(net_number); i < length; i++)
		frame[i] = filler(number, i);
}

void sender_send(int fd, uint16_t type, uint32_t number, size_t length)
{
	uint8_t frame[FRAME_MAX];
	ssize_t sent;

	ck_assert_uint_le(length, sizeof(frame));
	make_frame(frame, type, number, length);
	do
		sent = send(fd, frame, length, 0);
	while (sent < 0 && (errno == ENOBUFS || errno == EINTR));
	ck_assert_int_eq(sent, (ssize_t)length);
}

void sender_send_many(int fd, uint16_t type, uint32_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sender_send(fd, type, first + i, FRAME_LEN);
}

struct netring_config small_config(void)
{
	struct netring_config config;

	netring_config_init(&config, NETRING_PROFILE_DEFAULT);
	config.interface = "nr1";
	config.block_size = 65536;
	config.block_count = 16;
	config.block_timeout_ms = 10;
	return config;
}

struct netring *open_or_fail(const struct netring_config *config)
{
	struct netring_error error = { "" };
	struct netring *capture = NULL;
	int ret = netring_open(&capture, config, &error);

	ck_assert_msg(ret == 0 && capture, "netring_open: %d %s", ret, error.text);
	return capture;
}

struct netring_stats stats_of(struct netring *capture)
{
	struct netring_error error = { "" };
	struct netring_stats stats;

	ck_assert_msg(netring_stats(capture, &stats, &error) == 0, "%s", error.text);
	return stats;
}

bool has_unread(struct netring *capture)
{
	struct netring_stats stats = stats_of(capture);

	return stats.delivered + stats.rejected + stats.drops < stats.packets;
}

uint16_t packet_type(const struct netring_packet *packet)
{
	return ntohs(packet->link->sll_protocol);
}

uint32_t packet_number(const struct netring_packet *packet)
{
	uint32_t number;

	memcpy(&number, packet->data + ETHERNET, sizeof(number));
	return ntohl(number);
}

void check_frame(const struct netring_packet *packet, uint16_t type, uint32_t number, size_t length)
{
	uint8_t frame[FRAME_MAX];

	make_frame(frame, type, number, length);
	ck_assert_uint_eq(packet->wire_len, length);
	ck_assert_uint_le(packet->captured_len, length);
	if (packet->captured_len >= ETHERNET + 4)
		ck_assert_uint_eq(packet_number(packet), number);
	ck_assert_mem_eq(packet->data, frame, packet->captured_len);
	ck_assert_uint_eq(packet_type(packet), type);
	ck_assert_uint_eq(packet->link->sll_pkttype, PACKET_BROADCAST);
	ck_assert_uint_eq(packet->link->sll_halen, ETHER_ADDR_LEN);
	ck_assert_mem_eq(packet->link->sll_addr, frame + ETHER_ADDR_LEN, ETHER_ADDR_LEN);
	ck_assert_uint_le(llabs((long long)packet->time_sec - (long long)time(NULL)), 10);
	ck_assert_uint_lt(packet->time_nsec, 1000000000);
}

bool take_some(struct netring *capture, struct netring_burst *burst, unsigned max)
{
	struct netring_error error = { "" };
	uint64_t end = now_ms() + DEADLINE_MS;
	int ret;

	do {
		ret = netring_take(capture, burst, max, &error);
		ck_assert_msg(ret >= 0, "netring_take: %d %s", ret, error.text);
		if (ret > 0) {
			ck_assert_uint_eq(burst->count, (unsigned)ret);
			ck_assert_uint_le(burst->count, max);
			return true;
		}
		ret = netring_wait(capture, 100, &error);
		ck_assert_msg(ret >= 0, "netring_wait: %d %s", ret, error.text);
	} while (now_ms() < end);
	return false;
}

void expect_frames(struct netring *capture, uint16_t type, uint32_t first, unsigned count, unsigned max)
{
	struct netring_burst burst;
	unsigned seen = 0;

	while (seen < count) {
		ck_assert_msg(take_some(capture, &burst, max), "%u of %u frames came", seen, count);
		ck_assert_uint_le(burst.count, count - seen);
		for (unsigned i = 0; i < burst.count; i++)
			check_frame(&burst.packet[i], type, first + seen++, FRAME_LEN);
		netring_give_back(capture, &burst, burst.count);
	}
}

void expect_silence(struct netring *capture, int ms)
{
	struct netring_burst burst;
	struct netring_error error = { "" };
	uint64_t end = now_ms() + (uint64_t)ms;

	while (now_ms() < end) {
		ck_assert_int_ge(netring_wait(capture, 5, &error), 0);
		ck_assert_int_eq(netring_take(capture, &burst, NETRING_BURST_MAX, &error), 0);
	}
}

static void *flood_main(void *argument)
{
	struct flood *flood = argument;
	unsigned n;

	for (n = 0; !flood->stop; n++) {
		while (flood->ahead && n - flood->seen > flood->ahead && !flood->stop)
			usleep(100);
		sender_send(flood->fd, flood->type[n % flood->types], n, FRAME_LEN);
		if (n % 32 == 31 && flood->pause_us)
			usleep(flood->pause_us);
	}
	flood->sent = n;
	return NULL;
}

void flood_start(struct flood *flood, const char *interface, unsigned pause_us)
{
	flood->fd = sender_open(interface);
	flood->pause_us = pause_us;
	flood->stop = false;
	ck_assert_int_eq(pthread_create(&flood->thread, NULL, flood_main, flood), 0);
	flood->running = true;
}

unsigned flood_stop(struct flood *flood)
{
	if (flood->running) {
		flood->stop = true;
		pthread_join(flood->thread, NULL);
		close(flood->fd);
		flood->running = false;
	}
	return flood->sent;
}

unsigned type_filter(struct sock_filter *program, uint16_t type, uint16_t other, uint32_t keep)
{
	const struct sock_filter made[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, keep),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	memcpy(program, made, sizeof(made));
	return sizeof(made) / sizeof(*made);
}
