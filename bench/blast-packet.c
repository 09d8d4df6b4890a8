/* SPDX-License-Identifier: BSD-3-Clause */
/* blast -m packet: sendmmsg on a packet socket. */
#include "blast.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES 64

static int packet_open(const struct options *o)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = o->ifindex };
	int buffer = 4 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "blast: packet socket on %s: %s\n", o->interface, strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return fd;
}

/* How many frames may go out now. Sleeps while none is due, unless that is so short that only spinning is exact. */
static uint64_t packet_due(const struct options *o, uint64_t start, uint64_t sent)
{
	uint64_t elapsed, due;

	if (!o->rate)
		return MESSAGES;
	for (;;) {
		elapsed = blast_now_ns() - start;
		due = (uint64_t)((__uint128_t)elapsed * o->rate / NSEC_PER_SEC) + 1;
		if (due > sent || blast_stop)
			return due > sent ? due - sent : 0;
		if (NSEC_PER_SEC / o->rate > 200000)
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
}

static int packet_send_some(int fd, struct mmsghdr *message, unsigned int n)
{
	int done = sendmmsg(fd, message, n, 0);

	if (done >= 0)
		return done;
	if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
		return 0;
	fprintf(stderr, "blast: sendmmsg: %s\n", strerror(errno));
	return -1;
}

uint64_t packet_send(const struct options *o, uint64_t *sending_ns)
{
	static unsigned char frame[MESSAGES][FRAME_MAX];
	struct mmsghdr message[MESSAGES] = { 0 };
	struct iovec iov[MESSAGES];
	uint64_t sent = 0, start = blast_now_ns();
	int fd = packet_open(o);

	if (fd < 0)
		return 0;
	for (int i = 0; i < MESSAGES; i++) {
		frame_fill(frame[i], o);
		iov[i] = (struct iovec){ .iov_base = frame[i], .iov_len = o->size };
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < o->count && !blast_stop) {
		uint64_t n = packet_due(o, start, sent);
		uint64_t time_ns = blast_now_ns();
		int done;

		n = n < MESSAGES ? n : MESSAGES;
		n = n < o->count - sent ? n : o->count - sent;
		for (uint64_t i = 0; i < n && !o->identical; i++)
			frame_number(frame[i], o, sent + i, time_ns);
		done = packet_send_some(fd, message, (unsigned int)n);
		if (done < 0)
			break;
		sent += (uint64_t)done;
	}
	*sending_ns = blast_now_ns() - start;
	close(fd);
	return sent;
}
