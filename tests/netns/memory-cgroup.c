/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For memory-cgroup.sh: a program that never sets a buffer size. Opens lo in a network namespace of its own, sends itself 100 datagrams, and has to see
 * each of them. Prints the error of a failed open, or "captured 100".
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAMS 100

static int lo_up(int fd)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING };

	return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int is_ours(const struct pcap_pkthdr *header, const u_char *data)
{
	return header->caplen == 42 + 7 && memcmp(data + 42, "netring", 7) == 0;
}

int main(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *data;
	int fd, captured = 0, ret;
	pcap_t *p;

	if (unshare(CLONE_NEWNET) < 0 || (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0 || lo_up(fd) < 0)
		return 77;
	p = pcap_open_live("lo", 65535, 0, 10, errbuf);
	if (!p) {
		printf("error %s\n", errbuf);
		return 1;
	}
	alarm(30);
	for (int i = 0; i < DATAGRAMS; i++)
		if (sendto(fd, "netring", 7, 0, (struct sockaddr *)&to, sizeof(to)) != 7)
			return 2;
	while (captured < DATAGRAMS && (ret = pcap_next_ex(p, &header, &data)) >= 0)
		captured += ret == 1 && is_ours(header, data);
	printf("captured %d\n", captured);
	pcap_close(p);
	return captured != DATAGRAMS;
}
