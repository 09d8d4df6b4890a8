/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transfer: a host's ordinary traffic, to see whether a capture disturbs it.
 *
 *	transfer receive PORT			one TCP connection to its end: bytes=N sum=HEX
 *	transfer send ADDRESS PORT BYTES	the other end: bytes=N sum=HEX retransmits=N seconds=S
 *	transfer hear PORT			UDP until SIGTERM: datagrams=N
 *	transfer say ADDRESS PORT COUNT RATE	numbered datagrams a second
 *	transfer sizes ADDRESS PORT BYTES...	a datagram of each size, full of different bytes
 *	transfer tai [SECONDS]			how far the kernel has TAI ahead of UTC, after setting it
 *
 * Those that wait for the other end print "ready" when they can be sent to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 16384

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int failed(const char *what)
{
	fprintf(stderr, "transfer: %s: %s\n", what, strerror(errno));
	return 1;
}

/* FNV-1a */
static uint64_t add_to_sum(uint64_t sum, const unsigned char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static int bound_socket(int type, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	failed(port);
	return -1;
}

static int connected_socket(int type, const char *host, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = inet_addr(host) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	failed(host);
	return -1;
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static int receive(const char *port)
{
	static unsigned char data[CHUNK];
	uint64_t bytes = 0, sum = 0;
	int listener = bound_socket(SOCK_STREAM, port), fd;
	ssize_t n;

	if (listener < 0 || listen(listener, 1))
		return failed("listen");
	say_ready();
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		return failed("accept");
	while ((n = read(fd, data, sizeof(data))) > 0) {
		bytes += (uint64_t)n;
		sum = add_to_sum(sum, data, (size_t)n);
	}
	printf("bytes=%" PRIu64 " sum=%" PRIx64 "\n", bytes, sum);
	return n < 0 ? failed("read") : 0;
}

/* Bytes that no other transfer of the same length would have in the same place. */
static void fill(unsigned char *data, size_t length, uint64_t *state)
{
	for (size_t i = 0; i < length; i++) {
		*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		data[i] = (unsigned char)(*state >> 56);
	}
}

static int send_bytes(const char *host, const char *port, uint64_t bytes)
{
	static unsigned char data[CHUNK];
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	int fd = connected_socket(SOCK_STREAM, host, port);
	uint64_t sent = 0, sum = 0, state = 1;
	double start = now_s();

	if (fd < 0)
		return 1;
	while (sent < bytes) {
		size_t n = bytes - sent < CHUNK ? (size_t)(bytes - sent) : CHUNK, done = 0;

		fill(data, n, &state);
		while (done < n) {
			ssize_t now = write(fd, data + done, n - done);

			if (now < 0)
				return failed("write");
			done += (size_t)now;
		}
		sum = add_to_sum(sum, data, n);
		sent += n;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, data, 1) != 0) /* the other end has everything when it closes */
		return failed("the other end");
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	printf("bytes=%" PRIu64 " sum=%" PRIx64 " retransmits=%u seconds=%.2f\n", sent, sum, info.tcpi_total_retrans, now_s() - start);
	return 0;
}

static int hear(const char *port)
{
	int fd = bound_socket(SOCK_DGRAM, port), room = 1 << 24;
	uint64_t datagrams = 0;
	char data[64];

	if (fd < 0)
		return 1;
	/* For all that is said while this process has no CPU. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		return failed("SO_RCVBUFFORCE");
	say_ready();
	while (!stop) {
		struct pollfd waiting = { .fd = fd, .events = POLLIN };

		if (poll(&waiting, 1, 50) > 0 && recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0)
			datagrams++;
	}
	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0)
		datagrams++;
	printf("datagrams=%" PRIu64 "\n", datagrams);
	return 0;
}

static int say(const char *host, const char *port, uint64_t count, uint64_t rate)
{
	int fd = connected_socket(SOCK_DGRAM, host, port);
	double start = now_s();

	if (fd < 0)
		return 1;
	for (uint64_t i = 0; i < count && !stop; i++) {
		while (now_s() - start < (double)i / (double)rate)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		/* Nobody may be listening there: that is an answer, not an error. */
		if (send(fd, &i, sizeof(i), 0) < 0 && errno != ECONNREFUSED)
			return failed("send");
	}
	return 0;
}

static int say_sizes(const char *host, const char *port, char *const *sizes)
{
	static uint8_t bytes[UINT16_MAX];
	int fd = connected_socket(SOCK_DGRAM, host, port);

	if (fd < 0)
		return 1;
	for (; *sizes; sizes++) {
		size_t size = strtoul(*sizes, NULL, 10);

		for (size_t i = 0; i < size && i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(i * 31 + i / 251 + size);
		if (size > sizeof(bytes) || (send(fd, bytes, size, 0) < 0 && errno != ECONNREFUSED))
			return failed("send");
	}
	return 0;
}

static int tai(const char *seconds)
{
	struct timex t = { .modes = 0 };

	if (seconds) {
		t.modes = ADJ_TAI;
		t.constant = atoi(seconds);
		if (adjtimex(&t) < 0)
			return failed("adjtimex");
		t.modes = 0;
	}
	if (adjtimex(&t) < 0)
		return failed("adjtimex");
	printf("%d\n", t.tai);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const char *what = argc > 1 ? argv[1] : "";

	sigaction(SIGTERM, &action, NULL);
	if (strcmp(what, "receive") == 0 && argc == 3)
		return receive(argv[2]);
	if (strcmp(what, "send") == 0 && argc == 5)
		return send_bytes(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (strcmp(what, "hear") == 0 && argc == 3)
		return hear(argv[2]);
	if (strcmp(what, "say") == 0 && argc == 6)
		return say(argv[2], argv[3], strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
	if (strcmp(what, "sizes") == 0 && argc > 4)
		return say_sizes(argv[2], argv[3], argv + 4);
	if (strcmp(what, "tai") == 0 && argc <= 3)
		return tai(argv[2]);
	fprintf(stderr, "transfer: receive PORT | send ADDRESS PORT BYTES | hear PORT | say ADDRESS PORT COUNT RATE | sizes ADDRESS PORT BYTES... | tai [SECONDS]\n");
	return 2;
}
