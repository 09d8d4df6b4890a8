/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered frames: sends them, and looks for them in savefiles. Knows nothing of libpcap.
 *
 *   numbered send INTERFACE COUNT SIZE [FIRST [PPS]]   numbers FIRST, FIRST + 1, …; without PPS as fast as it goes
 *   numbered check FILE...                             the files in this order, as one capture; "-" is standard input
 *   numbered write FILE COUNT SIZE                     a savefile of numbers 0, 1, …
 *   numbered sandbox PROGRAM...                        runs it under a seccomp filter that kills whoever asks for an io_uring
 *
 * A frame has EtherType 0x88b5, its number in the host's byte order, and bytes that depend on the number. What a check prints, one line:
 *   packets   whole ones with the right bytes
 *   first, last   their numbers; 0 if there are none
 *   gaps      numbers not one above the one before
 *   partial   files that end in a packet
 *   broken    files with a header or a packet that is not right; what comes behind it is not looked at
 *   bytes     of all files
 * Exit status 0 if nothing is broken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MIN 60
#define FRAME_MAX 9000
#define BATCH 32

static void make_frame(uint8_t *frame, size_t size, uint32_t number)
{
	static const uint8_t head[ETH_HLEN] = { 2, 0xbe, 0xef, 0, 0, 2, 2, 0xbe, 0xef, 0, 0, 1, 0x88, 0xb5 };

	memcpy(frame, head, sizeof(head));
	memcpy(frame + ETH_HLEN, &number, sizeof(number));
	memset(frame + ETH_HLEN + 4, (int)(number % 251), size - ETH_HLEN - 4);
}

static int open_interface(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "numbered: %s: %s\n", name, strerror(errno));
		exit(2);
	}
	return fd;
}

static void send_batch(int fd, struct mmsghdr *messages, unsigned count)
{
	unsigned sent = 0;

	while (sent < count) {
		int n = sendmmsg(fd, messages + sent, count - sent, 0);

		if (n > 0) {
			sent += (unsigned)n;
		} else if (errno != ENOBUFS && errno != EINTR) {
			perror("numbered: sendmmsg");
			exit(1);
		}
	}
}

static void wait_until_due(const struct timespec *start, uint64_t sent, uint64_t pps)
{
	uint64_t ns = sent * 1000000000u / pps + (uint64_t)start->tv_nsec;
	struct timespec due = { start->tv_sec + (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static int send_frames(const char *interface, uint64_t count, size_t size, uint32_t first, uint64_t pps)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	int fd = open_interface(interface);
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t sent = 0; sent < count;) {
		unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;

		for (unsigned i = 0; i < n; i++) {
			make_frame(frames[i], size, first + (uint32_t)(sent + i));
			vectors[i] = (struct iovec){ frames[i], size };
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
		}
		send_batch(fd, messages, n);
		sent += n;
		if (pps != 0)
			wait_until_due(&start, sent, pps);
	}
	return 0;
}

static int write_file(const char *path, uint32_t count, uint32_t size)
{
	static const uint32_t header[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1 };
	static uint8_t frame[FRAME_MAX];
	FILE *file = fopen(path, "w");

	if (file == NULL) {
		perror(path);
		return 1;
	}
	fwrite(header, sizeof(header), 1, file);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t packet[4] = { 1700000000u + i / 1000, i % 1000 * 1000, size, size };

		make_frame(frame, size, i);
		fwrite(packet, sizeof(packet), 1, file);
		fwrite(frame, size, 1, file);
	}
	return fclose(file) != 0;
}

/* ---- check ---- */

struct census {
	uint64_t packets, gaps, bytes;
	uint32_t first, last;
	unsigned partial, broken;
};

static void count_packet(struct census *census, uint32_t number)
{
	if (census->packets++ == 0)
		census->first = number;
	else if (number != census->last + 1)
		census->gaps++;
	census->last = number;
}

struct packet_header {
	uint32_t sec, fraction, captured_len, wire_len;
};

static bool header_is_right(const struct packet_header *header)
{
	return header->captured_len >= FRAME_MIN && header->captured_len <= FRAME_MAX && header->wire_len == header->captured_len &&
	       header->sec > 1500000000u && header->fraction < 1000000000u;
}

/* The packets of a file behind its header. */
static void check_packets(struct census *census, FILE *file)
{
	static uint8_t frame[FRAME_MAX], right[FRAME_MAX];
	struct packet_header header;
	uint32_t number;
	size_t n;

	while ((n = fread(&header, 1, sizeof(header), file)) == sizeof(header)) {
		census->bytes += n;
		if (!header_is_right(&header)) {
			census->broken++;
			return;
		}
		n = fread(frame, 1, header.captured_len, file);
		census->bytes += n;
		if (n < header.captured_len) {
			census->partial++;
			return;
		}
		memcpy(&number, frame + ETH_HLEN, sizeof(number));
		make_frame(right, n, number);
		if (memcmp(frame, right, n) != 0) {
			census->broken++;
			return;
		}
		count_packet(census, number);
	}
	census->bytes += n;
	census->partial += n > 0;
}

static void check_file(struct census *census, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	uint32_t header[6];

	if (file == NULL || fread(header, sizeof(header), 1, file) != 1 || (header[0] != 0xa1b2c3d4 && header[0] != 0xa1b23c4d)) {
		census->broken++;
	} else {
		census->bytes += sizeof(header);
		check_packets(census, file);
	}
	if (file != NULL)
		fclose(file);
}

static int check_files(char **paths)
{
	struct census census = { 0 };

	for (; *paths != NULL; paths++)
		check_file(&census, *paths);
	printf("packets=%llu first=%u last=%u gaps=%llu partial=%u broken=%u bytes=%llu\n", (unsigned long long)census.packets, census.first,
	       census.last, (unsigned long long)census.gaps, census.partial, census.broken, (unsigned long long)census.bytes);
	return census.broken != 0;
}

static int sandbox(char **program)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
		perror("numbered: seccomp");
		return 2;
	}
	execvp(program[0], program);
	perror("numbered: exec");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "sandbox") == 0)
		return sandbox(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "check") == 0)
		return check_files(argv + 2);
	if (argc >= 5) {
		size_t size = strtoul(argv[4], NULL, 10);

		if (size >= FRAME_MIN && size <= FRAME_MAX && strcmp(argv[1], "write") == 0)
			return write_file(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), (uint32_t)size);
		if (size >= FRAME_MIN && size <= FRAME_MAX && strcmp(argv[1], "send") == 0)
			return send_frames(argv[2], strtoull(argv[3], NULL, 10), size, argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0,
					   argc > 6 ? strtoull(argv[6], NULL, 10) : 0);
	}
	fputs("usage: numbered send INTERFACE COUNT SIZE [FIRST [PPS]] | numbered check FILE... | numbered write FILE COUNT SIZE | numbered sandbox "
	      "PROGRAM...\n",
	      stderr);
	return 2;
}
