/* SPDX-License-Identifier: BSD-3-Clause */
/* A small pcap program, for install.sh: says which library it runs on, from which file, and captures one packet of its own making on lo. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Every libpcap that is mapped into this process. */
static void print_maps(void)
{
	char line[512], last[512] = "";
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps)) {
		char *path = strchr(line, '/');

		if (path && strstr(path, "pcap.so") && strcmp(path, last) != 0) {
			printf("mapped %s", path);
			strcpy(last, path);
		}
	}
	if (maps)
		fclose(maps);
}

static int send_datagram(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	ssize_t sent = sendto(fd, "netring", 7, 0, (struct sockaddr *)&to, sizeof(to));

	close(fd);
	return sent == 7;
}

int main(void)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *data;
	pcap_t *p;
	bool found = false;
	int ret = 0;

	printf("version %s\n", pcap_lib_version());
	print_maps();
	p = pcap_open_live("lo", 65535, 0, 10, errbuf);
	if (!p) {
		printf("open %s\n", errbuf);
		return 1;
	}
	/* Somebody else's traffic may come first, and nothing within the time-out. */
	for (int i = 0; i < 1000 && ret >= 0 && !found && send_datagram(); i++) {
		ret = pcap_next_ex(p, &header, &data);
		found = ret == 1 && header->caplen >= 49 && memcmp(data + 42, "netring", 7) == 0;
	}
	printf("captured %d: %s\n", found, ret < 0 ? pcap_geterr(p) : "");
	pcap_close(p);
	return !found;
}
