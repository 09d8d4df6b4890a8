/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blast: the packet generator of the benchmarks and the tests.
 *
 * Two ways to send, chosen by -m:
 *
 * live    BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES. The kernel makes the frames itself and runs a small XDP program
 *         on each, which redirects it to the interface. No system call and no skb on the sending side: a veth pair takes
 *         1.5 to 2.5 million packets a second from one CPU. The kernel recycles the pages of the frames without filling them
 *         again, so what differs from packet to packet (sequence number, time, source port) is written by the program into
 *         every frame. Pacing is done there, too: a frame that is not due yet is dropped, which recycles it at once.
 *         Needs Linux 5.18. The receiving end of a veth pair must have NAPI, that is an XDP program or GRO
 *         ("ethtool -K IF gro on"); without it all frames are lost, and "passed" below says so.
 *
 * packet  sendmmsg on a packet socket. Slower, works on every interface, and every frame counted as sent was accepted.
 *
 * A frame is UDP over IPv4 from 10.99.0.1 to 10.99.0.2, port 9, to a MAC address nobody has: a host drops it before it looks at
 * the addresses. The payload is, in network byte order: sequence number (8 bytes), CLOCK_MONOTONIC at sending in ns (8 bytes).
 *
 * Several flows (-f) take turns. Each is a client of its own, 10.N.X.Y and port 1024 + flow, of the server 10.N.255.2, port 9; X.Y is
 * the flow's number, N is 100 + the first sequence number / 2^32. So two senders with -n 0 and -n 4294967296 have no flow in common.
 * With -2 a flow is a conversation: after each round through all flows the frames go the other way. With -F a flow sends, each time it
 * is its turn, three frames one way: a whole datagram, and two fragments of another. All have their own sequence number in the same place.
 *
 * Output, one line: sent (frames given to the interface), passed (what the interface's tx_packets grew by, others' included),
 * seconds, pps (passed per second). Exit status 0 if everything asked for was sent, 1 if not, 2 for bad usage.
 */
#include "blast.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

volatile sig_atomic_t blast_stop;

static void on_signal(int signal)
{
	(void)signal;
	blast_stop = 1;
}

/* Only there to interrupt a system call. */
static void on_wake(int signal)
{
	(void)signal;
}

uint64_t blast_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* tx_packets of the interface. From /proc, because /sys may show another network namespace. */
static int64_t interface_tx_packets(const char *interface)
{
	char line[512], name[64];
	int64_t tx = -1;
	FILE *f = fopen("/proc/thread-self/net/dev", "re");

	if (!f)
		return -1;
	while (tx < 0 && fgets(line, sizeof(line), f)) {
		int64_t value;

		if (sscanf(line, " %63[^:]: %*d %*d %*d %*d %*d %*d %*d %*d %*d %" SCNd64, name, &value) == 2 && strcmp(name, interface) == 0)
			tx = value;
	}
	fclose(f);
	return tx;
}

static const char usage[] = "usage: blast -i INTERFACE [options]\n"
			    "  -c COUNT   frames to send (default 1000000)\n"
			    "  -s SIZE    bytes of a frame, without checksum (default 60)\n"
			    "  -r RATE    frames a second (default 0: flat out)\n"
			    "  -f FLOWS   number of flows, which take turns (default 1)\n"
			    "  -2         every other round of the flows goes the other way\n"
			    "  -F         packet: a whole datagram and two fragments of another in turn; the SIZE is 34 and a multiple of 8\n"
			    "  -n NUMBER  the first sequence number (default 0); another NUMBER / 4294967296 (up to 155), other flows\n"
			    "  -p CPU     run on this CPU\n"
			    "  -m MODE    live (default) or packet\n"
			    "  -b BATCH   live: frames a batch, up to 256 (default 64)\n"
			    "  -I         identical frames: no sequence number, time or flows\n";

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value >= low && *value <= high;
}

static bool parse_option(struct options *o, int option)
{
	uint64_t value = 0;

	switch (option) {
	case 'i':
		o->interface = optarg;
		return true;
	case 'c':
		return parse_number(optarg, 1, UINT64_MAX / 2, &o->count);
	case 's':
		if (!parse_number(optarg, FRAME_MIN, FRAME_MAX, &value))
			return false;
		o->size = value;
		return true;
	case 'r':
		return parse_number(optarg, 0, NSEC_PER_SEC, &o->rate);
	case 'f':
		if (!parse_number(optarg, 1, 65536 - FIRST_PORT, &value))
			return false;
		o->flows = (unsigned int)value;
		return true;
	case 'n':
		return parse_number(optarg, 0, ((uint64_t)156 << 32) - 1, &o->base);
	case 'p':
		if (!parse_number(optarg, 0, CPU_SETSIZE - 1, &value))
			return false;
		o->cpu = (int)value;
		return true;
	case 'b':
		if (!parse_number(optarg, 1, 256, &value))
			return false;
		o->batch = (unsigned int)value;
		return true;
	case 'm':
		o->packet = strcmp(optarg, "packet") == 0;
		return o->packet || strcmp(optarg, "live") == 0;
	case 'I':
		return o->identical = true;
	case '2':
		return o->both = true;
	case 'F':
		return o->fragments = true;
	default:
		return false;
	}
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "i:c:s:r:f:n:p:b:m:I2F")) != -1) {
		if (parse_option(o, option))
			continue;
		if (option != '?')
			fprintf(stderr, "blast: bad value for -%c: %s\n", option, optarg);
		return false;
	}
	if (o->fragments && (!o->packet || (o->size - UDP_OFFSET) % 8)) {
		fprintf(stderr, "blast: -F needs -m packet, and a SIZE of %zu and a multiple of 8\n", (size_t)UDP_OFFSET);
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
	fprintf(stderr, "blast: CPU %d: %s\n", cpu, strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct options o = { .count = 1000000, .size = 60, .flows = 1, .batch = 64, .cpu = -1 };
	const struct sigaction action = { .sa_handler = on_signal };
	const struct sigaction wake = { .sa_handler = on_wake };
	uint64_t sent, sending_ns = 1;
	int64_t before, passed;

	if (!parse_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	o.ifindex = (int)if_nametoindex(o.interface);
	if (!o.ifindex) {
		fprintf(stderr, "blast: no interface %s\n", o.interface);
		return 2;
	}
	if (!pin(o.cpu))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &wake, NULL);

	before = interface_tx_packets(o.interface);
	sent = o.packet ? packet_send(&o, &sending_ns) : live_send(&o, &sending_ns);
	passed = before < 0 ? -1 : interface_tx_packets(o.interface) - before;

	printf("sent=%" PRIu64 " passed=%" PRId64 " seconds=%.3f pps=%.0f\n", sent, passed, (double)sending_ns / NSEC_PER_SEC,
	       (double)passed * NSEC_PER_SEC / (double)sending_ns);
	return sent == o.count ? 0 : 1;
}
