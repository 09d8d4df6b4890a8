/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The traffic of a case. Nothing is slept for: a witness, a plain packet socket on each captured interface
 * that is older than every handle of the case, tells when a frame has been through. The kernel hands a frame
 * to the youngest tap first, so what the witness has seen, every handle has seen too.
 *
 * What XDP takes off the interface no packet socket sees. With NR_WITNESS=counters the interface's own count of packets tells instead; the driver
 * adds to it right before it hands over what XDP took, so it is waited for that whoever was at it has got to its end.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WITNESS_DEADLINE_MS 10000
#define FRAME_MAX 70000

void traffic_open(void);

static int gen_fd = -1, out_fd = -1;
static int cap_witness = -1, lo_witness = -1;
static int udp_fd = -1, udp_sink = -1;
static int counters = -1;	/* /proc/net/dev where CAP is, instead of the witness */
static uint64_t counted;	/* packets that CAP had received when last looked at */
static uint8_t frame_buffer[FRAME_MAX];

/* A packet socket on the interface; protocol 0 receives nothing. */
static int packet_socket(const char *interface, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("no packet socket on %s: %s", interface, strerror(errno));
	return fd;
}

static int witness_socket(const char *interface)
{
	struct sock_filter short_copy = BPF_STMT(BPF_RET | BPF_K, 64);
	struct sock_fprog program = { .len = 1, .filter = &short_copy };
	int room = 256 << 20;
	int fd = packet_socket(interface, ETH_P_ALL);

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		give_up("witness: %s", strerror(errno));
	return fd;
}

/* Frames read from the socket until `count` came or the deadline passed. */
static unsigned count_frames(int fd, unsigned count, uint8_t *last, size_t size, size_t *last_length)
{
	int64_t deadline = now_ms() + WITNESS_DEADLINE_MS;
	unsigned seen = 0;

	while (seen < count) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n;

		/* Looked at once more when the time is up: the process may have stood still. */
		if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) == 0)
			break;
		n = recv(fd, last, size, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0)
			continue;
		if (last_length != NULL)
			*last_length = (size_t)n;
		seen++;
	}
	return seen;
}

static void settle(int witness, unsigned count)
{
	uint8_t ignored[64];
	unsigned seen = count_frames(witness, count, ignored, sizeof(ignored), NULL);

	if (seen != count)
		give_up("the fixture lost traffic: %u of %u arrived", seen, count);
}

/* Packets that CAP has received since it was made. */
static uint64_t cap_received(void)
{
	char text[4096], *line;
	ssize_t n = pread(counters, text, sizeof(text) - 1, 0);
	unsigned long long packets;

	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, CAP ":");
	return line != NULL && sscanf(line, CAP ": %*u %llu", &packets) == 1 ? packets : 0;
}

/* A driver polls inside a reading section of RCU: when all CPUs have left theirs, what was counted has been handed over. */
static void wait_for_drivers(void)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	/* Not with nohz_full. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		nanosleep(&moment, NULL);
}

static void settle_counters(unsigned count)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	int64_t deadline = now_ms() + WITNESS_DEADLINE_MS;
	uint64_t received;

	while ((received = cap_received()) < counted + count) {
		if (now_ms() > deadline && (received = cap_received()) < counted + count)
			give_up("the fixture lost traffic: %u of %u arrived", (unsigned)(received - counted), count);
		nanosleep(&moment, NULL);
	}
	counted = received;
	wait_for_drivers();
}

static void settle_in(unsigned count)
{
	if (counters >= 0)
		settle_counters(count);
	else
		settle(cap_witness, count);
}

/* What the witness has of packets that went past XDP would be taken for the one that goes out. */
static void forget_witnessed(void)
{
	uint8_t ignored[64];

	while (counters >= 0 && recv(cap_witness, ignored, sizeof(ignored), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
}

static int udp_socket(bool sink)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(9999),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (sink) {
		rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	} else {
		struct sockaddr_in source = address;

		source.sin_port = htons(9998);
		rc = bind(fd, (struct sockaddr *)&source, sizeof(source));
		if (rc == 0)
			rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
	}
	if (fd < 0 || rc < 0)
		give_up("no UDP socket: %s", strerror(errno));
	return fd;
}

void traffic_open(void)
{
	int one = 1;

	enter_gen();
	/* It also receives, for the tests of injection. */
	gen_fd = packet_socket(GEN, ETH_P_ALL);
	/* Past the queueing discipline, which comes back only some time after the carrier does. */
	setsockopt(gen_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	enter_cap();
	cap_witness = witness_socket(CAP);
	lo_witness = witness_socket("lo");
	out_fd = packet_socket(CAP, 0);
	if (getenv("NR_WITNESS") != NULL) {
		counters = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
		counted = cap_received();
	}
	udp_sink = udp_socket(true);
	udp_fd = udp_socket(false);
}

size_t make_tagged(uint8_t *frame, size_t length, unsigned number, const struct vlan_tag *tags, unsigned tag_count)
{
	static const uint8_t addresses[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	uint8_t *at = frame + sizeof(addresses);

	memcpy(frame, addresses, sizeof(addresses));
	for (unsigned i = 0; i < tag_count; i++) {
		*at++ = (uint8_t)(tags[i].tpid >> 8);
		*at++ = (uint8_t)tags[i].tpid;
		*at++ = (uint8_t)(tags[i].tci >> 8);
		*at++ = (uint8_t)tags[i].tci;
	}
	*at++ = (uint8_t)(ETHERTYPE_A >> 8);
	*at++ = (uint8_t)ETHERTYPE_A;
	*at++ = (uint8_t)(number >> 8);
	*at++ = (uint8_t)number;
	for (size_t i = 16; i < length; i++)
		*at++ = (uint8_t)(i * 7 + number);
	return length + 4 * (size_t)tag_count;
}

size_t make_frame(uint8_t *frame, size_t length, uint16_t ethertype, unsigned number)
{
	make_tagged(frame, length, number, NULL, 0);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	return length;
}

static void send_from(int fd, const void *frame, size_t length)
{
	ssize_t n;

	do
		n = send(fd, frame, length, 0);
	while (n < 0 && errno == ENOBUFS);
	if (n != (ssize_t)length)
		give_up("send: %s", strerror(errno));
}

void send_in_raw(const void *frame, size_t length)
{
	send_from(gen_fd, frame, length);
	settle_in(1);
}

void send_in_unchecked(unsigned count, size_t length)
{
	for (unsigned i = 0; i < count; i++) {
		make_frame(frame_buffer, length, ETHERTYPE_A, i);
		if (send(gen_fd, frame_buffer, length, 0) < 0)
			return;
	}
}

/* A pause every now and then: the kernel's backlog holds 1000 frames. */
void send_in_type(unsigned count, size_t length, uint16_t ethertype)
{
	unsigned unsettled = 0;

	for (unsigned i = 0; i < count; i++) {
		make_frame(frame_buffer, length, ethertype, i);
		send_from(gen_fd, frame_buffer, length);
		if (++unsettled == 200 || i + 1 == count) {
			settle_in(unsettled);
			unsettled = 0;
		}
	}
}

void send_in(unsigned count, size_t length)
{
	send_in_type(count, length, ETHERTYPE_A);
}

void send_tagged(size_t length, const struct vlan_tag *tags, unsigned tag_count)
{
	size_t total = make_tagged(frame_buffer, length, 0, tags, tag_count);

	send_in_raw(frame_buffer, total);
}

void send_out_raw(const void *frame, size_t length)
{
	forget_witnessed();
	send_from(out_fd, frame, length);
	settle(cap_witness, 1);
}

void send_out(unsigned count, size_t length)
{
	for (unsigned i = 0; i < count; i++) {
		make_frame(frame_buffer, length, ETHERTYPE_A, i);
		send_out_raw(frame_buffer, length);
	}
}

void send_lo(unsigned count, size_t length)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t *ignored = frame_buffer + FRAME_MAX / 2;

		memset(frame_buffer, (int)('a' + i % 26), length);
		send_from(udp_fd, frame_buffer, length);
		settle(lo_witness, 2);	/* it goes out and comes in */
		while (recv(udp_sink, ignored, FRAME_MAX / 2, MSG_DONTWAIT) > 0)
			;
	}
}

unsigned gen_received(unsigned count, uint8_t *last, size_t size, size_t *last_length)
{
	return count_frames(gen_fd, count, last, size, last_length);
}
