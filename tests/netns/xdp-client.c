/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp-client: a pcap program with what tcpdump cannot be told to do. It uses pcap_* and nothing of netring.
 *
 *	xdp-client refused INTERFACE		activates several times: prints the text; fails if it succeeds, or the text changes, or a descriptor
 *						or a mapping is left
 *	xdp-client switch INTERFACE ROUNDS NAMESPACE PEER [USER]	sets two filters in turn, one for each of bench/blast's two flows, while both send;
 *						as USER, without privileges, if one is named. After each pcap_setfilter it sends packets of both flows
 *						of its own, from PEER in the network namespace. Fails if a packet of the old filter comes, or one of its
 *						own that the new one accepts does not
 *	xdp-client stamps FILE FILE		two savefiles of the same packets of bench/blast: packets=N median_us=N p90_us=N (of how much later
 *						the second has them, without sign) times_back=N (in the second)
 *	xdp-client lengths INTERFACE COUNT	prints of each packet its lengths, the sum of its bytes, and how far from a
 *						multiple of 4 its IP header begins
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Where blast puts its numbers in a frame. */
#define PORT_OFFSET 34
#define SEQ_OFFSET 42
#define FRAME_MIN 58
#define FIRST_PORT 1024
#define ETHER_HEADER 14

#define ATTEMPTS 8
#define PAGES_OF_A_HEAP 64 /* a handle has more */

#define PATIENCE_NS UINT64_C(3000000000) /* for packets on their way */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t number_at(const u_char *data, size_t offset)
{
	uint64_t value;

	memcpy(&value, data + offset, sizeof(value));
	return be64toh(value);
}

static int failed(const char *what, const char *why)
{
	fprintf(stderr, "xdp-client: %s: %s\n", what, why);
	return 1;
}

static pcap_t *created(const char *interface)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(interface, errbuf);

	if (!pcap) {
		failed("pcap_create", errbuf);
		exit(1);
	}
	pcap_set_timeout(pcap, 10);
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	return pcap;
}

/* ---- refused ---- */

static int entries_of(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static long address_space_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = -1;

	if (file) {
		if (fscanf(file, "%ld", &pages) != 1)
			pages = -1;
		fclose(file);
	}
	return pages;
}

/* Long numbers are amounts of memory, which change by themselves. */
static void without_amounts(char *text)
{
	char *out = text;

	while (*text) {
		size_t digits = strspn(text, "0123456789");

		if (digits > 4) {
			*out++ = 'N';
			text += digits;
		} else {
			size_t n = digits ? digits : 1;

			memmove(out, text, n);
			out += n;
			text += n;
		}
	}
	*out = '\0';
}

static int refused(const char *interface)
{
	char first[PCAP_ERRBUF_SIZE] = "", text[PCAP_ERRBUF_SIZE];
	int descriptors = 0;
	long pages = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		pcap_t *pcap = created(interface);
		int ret = pcap_activate(pcap);

		snprintf(text, sizeof(text), "%s", pcap_geterr(pcap));
		pcap_close(pcap);
		if (ret >= 0)
			return failed("pcap_activate", "succeeds");
		if (i == 0)
			puts(text);
		without_amounts(text);
		if (i == 0)
			strcpy(first, text);
		if (strcmp(text, first) != 0)
			return failed("the text changes", text);
		/* Until then libraries are loaded, and the heap finds its size. */
		if (i == ATTEMPTS / 2) {
			descriptors = entries_of("/proc/self/fd");
			pages = address_space_pages();
		}
	}
	if (entries_of("/proc/self/fd") != descriptors)
		return failed("descriptors", "are left open");
	if (address_space_pages() > pages + PAGES_OF_A_HEAP)
		return failed("memory", "is left mapped");
	return 0;
}

/* ---- switch ---- */

/* Its own packets have numbers from here on. */
#define OWN_NUMBERS (UINT64_C(1) << 40)
#define OWN_PACKETS 10 /* of each flow, a round */

struct round {
	unsigned flow;
	uint64_t packets, old, own;
	uint64_t next_own; /* number of the next one of its own, in order */
};

static void switch_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct round *round = (struct round *)user;
	uint64_t number;
	uint16_t port;

	if (header->caplen < FRAME_MIN) {
		round->old++;
		return;
	}
	memcpy(&port, data + PORT_OFFSET, sizeof(port));
	if (be16toh(port) != FIRST_PORT + round->flow) {
		round->old++;
		return;
	}
	round->packets++;
	number = number_at(data, SEQ_OFFSET);
	if (number >= OWN_NUMBERS && number == round->next_own) {
		round->own++;
		round->next_own = number + 1;
	}
}

/* A packet socket on the interface of another namespace. */
static int peer_socket(const char *namespace, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	char path[256];
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd = -1;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		address.sll_ifindex = (int)if_nametoindex(interface);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || setns(here, CLONE_NEWNET))
			fd = -1;
	}
	if (here >= 0)
		close(here);
	if (there >= 0)
		close(there);
	return fd;
}

/* A frame as bench/blast's. */
static bool send_own(int fd, unsigned flow, uint64_t number)
{
	static const unsigned char head[] = { 2, 0xbe, 0xef, 0, 0, 2, 2, 0xbe, 0xef, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17 };
	unsigned char frame[60] = { 0 };
	uint16_t port = htobe16((uint16_t)(FIRST_PORT + flow)), length = htobe16(26);

	memcpy(frame, head, sizeof(head));
	memcpy(frame + PORT_OFFSET, &port, sizeof(port));
	memcpy(frame + PORT_OFFSET + 4, &length, sizeof(length));
	number = htobe64(number);
	memcpy(frame + SEQ_OFFSET, &number, sizeof(number));
	return send(fd, frame, sizeof(frame), 0) == sizeof(frame);
}

static bool become(const char *name)
{
	struct passwd *user = getpwnam(name);

	return user && setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0;
}

static int set_flow_filter(pcap_t *pcap, unsigned flow)
{
	struct bpf_program program;
	char text[64];
	int ret;

	snprintf(text, sizeof(text), "udp src port %u", FIRST_PORT + flow);
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN))
		return -1;
	ret = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	return ret;
}

static int switch_once(pcap_t *pcap, int fd, unsigned flow, struct round *total)
{
	struct round round = { .flow = flow, .next_own = total->next_own };
	uint64_t end_ns;

	if (set_flow_filter(pcap, flow))
		return failed("the filter", pcap_geterr(pcap));
	for (unsigned i = 0; i < OWN_PACKETS; i++)
		if (!send_own(fd, 1 - flow, 0) || !send_own(fd, flow, round.next_own + i))
			return failed("sending", strerror(errno));
	end_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	while (round.own < OWN_PACKETS && now_ns(CLOCK_MONOTONIC) < end_ns)
		if (pcap_dispatch(pcap, -1, switch_packet, (u_char *)&round) < 0)
			return failed("pcap_dispatch", pcap_geterr(pcap));
	total->packets += round.packets;
	total->old += round.old;
	total->own += round.own;
	total->next_own += OWN_PACKETS;
	return 0;
}

/* argument: INTERFACE ROUNDS NAMESPACE PEER [USER] */
static int switch_filters(char **argument)
{
	unsigned rounds = (unsigned)atoi(argument[1]);
	int fd = peer_socket(argument[2], argument[3]);
	pcap_t *pcap = created(argument[0]);
	struct round total = { 0 };
	struct pcap_stat stats;

	if (fd < 0)
		return failed(argument[3], "no packet socket there");
	if (pcap_activate(pcap) < 0)
		return failed(argument[0], pcap_geterr(pcap));
	if (argument[4] && !become(argument[4]))
		return failed(argument[4], "cannot become that user");
	/* The first filter, then traffic, then all the others. */
	if (set_flow_filter(pcap, 0))
		return failed("the filter", pcap_geterr(pcap));
	puts("ready");
	fflush(stdout);
	while (pcap_dispatch(pcap, 1, switch_packet, (u_char *)&total) == 0)
		;
	total = (struct round){ .next_own = OWN_NUMBERS };
	for (unsigned i = 1; i <= rounds; i++)
		if (switch_once(pcap, fd, i % 2, &total))
			return 1;
	if (pcap_stats(pcap, &stats))
		return failed("pcap_stats", pcap_geterr(pcap));
	printf("packets=%" PRIu64 " old=%" PRIu64 " own=%" PRIu64 "/%u ps_drop=%u\n", total.packets, total.old, total.own, rounds * OWN_PACKETS,
	       stats.ps_drop);
	pcap_close(pcap);
	return total.old || total.own != (uint64_t)rounds * OWN_PACKETS || total.packets == total.own;
}

/* ---- stamps ---- */

struct stamps {
	uint64_t *time_ns; /* by number; 0: none */
	uint64_t count, times_back, last_ns;
};

#define STAMPS_MAX 1000000

static bool read_stamps(const char *path, struct stamps *stamps)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	struct pcap_pkthdr *header;
	const u_char *data;

	stamps->time_ns = calloc(STAMPS_MAX, sizeof(*stamps->time_ns));
	if (!pcap || !stamps->time_ns)
		return failed(path, errbuf) == 0;
	while (pcap_next_ex(pcap, &header, &data) == 1) {
		uint64_t time_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;

		if (header->caplen < FRAME_MIN || number_at(data, SEQ_OFFSET) >= STAMPS_MAX)
			continue;
		stamps->time_ns[number_at(data, SEQ_OFFSET)] = time_ns;
		stamps->count++;
		stamps->times_back += time_ns < stamps->last_ns;
		stamps->last_ns = time_ns;
	}
	pcap_close(pcap);
	return true;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_stamps(const char *first_path, const char *second_path)
{
	struct stamps first = { 0 }, second = { 0 };
	uint64_t count = 0;

	if (!read_stamps(first_path, &first) || !read_stamps(second_path, &second))
		return 1;
	for (uint64_t i = 0; i < STAMPS_MAX; i++) {
		uint64_t a = first.time_ns[i], b = second.time_ns[i];

		if (a && b)
			first.time_ns[count++] = a < b ? b - a : a - b;
	}
	if (count == 0)
		return failed("stamps", "the files have no packet in common");
	qsort(first.time_ns, count, sizeof(*first.time_ns), compare_u64);
	printf("packets=%" PRIu64 " median_us=%" PRIu64 " p90_us=%" PRIu64 " times_back=%" PRIu64 "\n", count, first.time_ns[count / 2] / 1000,
	       first.time_ns[count * 9 / 10] / 1000, second.times_back);
	return 0;
}

/* ---- lengths ---- */

static void print_lengths(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	uint64_t sum = 0;

	(void)user;
	for (bpf_u_int32 i = 0; i < header->caplen; i++)
		sum += data[i];
	printf("caplen=%u len=%u sum=%" PRIu64 " misaligned=%u\n", header->caplen, header->len, sum,
	       (unsigned)((uintptr_t)(data + ETHER_HEADER) % 4));
	fflush(stdout);
}

static int lengths(const char *interface, int count)
{
	pcap_t *pcap = created(interface);
	struct pcap_stat stats;

	if (pcap_activate(pcap) < 0)
		return failed(interface, pcap_geterr(pcap));
	/* Through AF_XDP the first sign of interest is what packets are captured from. */
	if (pcap_stats(pcap, &stats) < 0)
		return failed("pcap_stats", pcap_geterr(pcap));
	puts("ready");
	fflush(stdout);
	if (pcap_loop(pcap, count, print_lengths, NULL))
		return failed("pcap_loop", pcap_geterr(pcap));
	pcap_close(pcap);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "refused") == 0 && argc == 3)
		return refused(argv[2]);
	if (strcmp(what, "switch") == 0 && (argc == 6 || argc == 7))
		return switch_filters(argv + 2);
	if (strcmp(what, "stamps") == 0 && argc == 4)
		return compare_stamps(argv[2], argv[3]);
	if (strcmp(what, "lengths") == 0 && argc == 4)
		return lengths(argv[2], atoi(argv[3]));
	fprintf(stderr, "xdp-client: refused IF | switch IF ROUNDS NAMESPACE PEER [USER] | stamps FILE FILE | lengths IF COUNT\n");
	return 2;
}
