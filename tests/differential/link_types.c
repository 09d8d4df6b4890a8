/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sentences 20-24: link types, their lists, the cooked headers. The hardware types that no device here has
 * are lent to a tun device (TUNSETLINK), which is all that libpcap looks at.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

/* Makes the device and leaves it up; packets written to the descriptor arrive on it. */
static int open_tun(const char *name, short mode, int hardware_type)
{
	struct ifreq request = { .ifr_flags = (short)(mode | IFF_NO_PI) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		give_up("no tun device: %s", strerror(errno));
	if (hardware_type >= 0 && ioctl(fd, TUNSETLINK, (unsigned long)hardware_type) < 0)
		give_up("hardware type %d: %s", hardware_type, strerror(errno));
	link_up(name);
	return fd;
}

static void say_links(pcap_t *p)
{
	int *list = NULL, n;

	say("datalink=%d ext=%d", pcap_datalink(p), pcap_datalink_ext(p));
	n = pcap_list_datalinks(p, &list);
	say("list=%d", n);
	for (int i = 0; i < n; i++)
		say("%d", list[i]);
	pcap_free_datalinks(list);
}

static void lists(void)
{
	static const char *const names[] = { CAP, "lo", "any" };

	for (size_t i = 0; i < 3; i++) {
		pcap_t *p = open_live(names[i], 100);

		say("%s", names[i]);
		say_links(p);
		pcap_close(p);
	}
}

static void docsis(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	say_code(p, "set", pcap_set_datalink(p, DLT_DOCSIS));
	say_links(p);
	send_in(2, 60);
	drain(p, &packets, 2);
	say_packets("as DOCSIS", &packets);
	say_code(p, "set back", pcap_set_datalink(p, DLT_EN10MB));
	say_links(p);
}

static void hardware_type(const char *name, int type)
{
	int fd = open_tun("tun7", IFF_TUN, type);
	pcap_t *p = pcap_create("tun7", errbuf);
	int rc;

	pcap_set_timeout(p, 10);
	rc = pcap_activate(p);
	say("%s activate=%d \"%s\"", name, rc, pcap_geterr(p));
	if (rc >= 0)
		say_links(p);
	pcap_close(p);
	close(fd);
}

static void hardware_types(void)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {
		{ "NONE", ARPHRD_NONE }, { "TUNNEL", ARPHRD_TUNNEL }, { "SIT", ARPHRD_SIT }, { "SLIP", ARPHRD_SLIP },
		{ "RAWHDLC", ARPHRD_RAWHDLC }, { "DLCI", ARPHRD_DLCI }, { "PPP", ARPHRD_PPP }, { "ATM", ARPHRD_ATM },
		{ "CISCO", ARPHRD_CISCO }, { "FDDI", ARPHRD_FDDI }, { "IEEE80211", ARPHRD_IEEE80211 },
		{ "PRISM", ARPHRD_IEEE80211_PRISM }, { "RADIOTAP", ARPHRD_IEEE80211_RADIOTAP }, { "CAN", ARPHRD_CAN },
		{ "NETLINK", ARPHRD_NETLINK }, { "IRDA", ARPHRD_IRDA }, { "LAPD", 8445 }, { "FCPP", ARPHRD_FCPP },
		{ "INFINIBAND", ARPHRD_INFINIBAND }, { "IPGRE", ARPHRD_IPGRE }, { "IEEE802154", ARPHRD_IEEE802154 },
		{ "VSOCKMON", 826 }, { "AX25", ARPHRD_AX25 }, { "unknown", 12345 }, { "ETHER", ARPHRD_ETHER },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		begin_result("3.2-20 hardware type %s", types[i].name);
		hardware_type(types[i].name, types[i].type);
	}
}

/* An IPv4 header and some bytes, written into the tun device: it comes in there. */
static void cooked_packet(int type)
{
	static const uint8_t packet[] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
					  0, 7, 0, 7, 0, 8, 0, 0 };
	struct pcap_pkthdr *header;
	const u_char *data;
	int fd = open_tun("tun7", IFF_TUN, type), rc;
	pcap_t *p = open_live("tun7", 10);

	if (write(fd, packet, sizeof(packet)) != (ssize_t)sizeof(packet))
		give_up("tun: %s", strerror(errno));
	guard_start(p, 2000);
	rc = pcap_next_ex(p, &header, &data);
	guard_stop();
	say_code(p, "next_ex", rc);
	if (rc == 1) {
		say("%u/%u", header->caplen, header->len);
		say_bytes("bytes", data, header->caplen);
	}
	say_code(p, "inject", pcap_inject(p, packet, sizeof(packet)));
	say_code(p, "filter", pcap_set_datalink(p, DLT_LINUX_SLL2));
	set_filter(p, "ip host 10.0.0.1");
	if (write(fd, packet, sizeof(packet)) != (ssize_t)sizeof(packet))
		give_up("tun: %s", strerror(errno));
	guard_start(p, 2000);
	rc = pcap_next_ex(p, &header, &data);
	guard_stop();
	say_code(p, "next_ex", rc);
}

static void raw_packet(void)
{
	cooked_packet(ARPHRD_NONE);
}

static void ppp_packet(void)
{
	cooked_packet(ARPHRD_PPP);
}

static void name_prefixes(void)
{
	static const char *const names[] = { "isdn0", "isdY0", "cdma_rmnet0", "usbmon0x", "dag0x" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open_tun(names[i], IFF_TAP, -1);
		pcap_t *p = pcap_create(names[i], errbuf);
		int rc;

		if (p == NULL)
			give_up("%s: %s", names[i], errbuf);
		rc = pcap_activate(p);
		say("%s activate=%d \"%s\"", names[i], rc, pcap_geterr(p));
		if (rc >= 0)
			say_links(p);
		pcap_close(p);
		close(fd);
	}
}

/* ---- 21, 22 ---- */

static void set_unlisted(void)
{
	static const struct {
		const char *device;
		int dlt;
	} tries[] = {
		{ CAP, DLT_EN10MB }, { CAP, DLT_LINUX_SLL }, { CAP, DLT_RAW }, { CAP, 9999 }, { CAP, -1 },
		{ "lo", DLT_EN10MB }, { "lo", DLT_DOCSIS }, { "lo", DLT_NULL },
		{ "any", DLT_LINUX_SLL }, { "any", DLT_LINUX_SLL2 }, { "any", DLT_EN10MB }, { "any", DLT_RAW },
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		pcap_t *p = open_live(tries[i].device, 100);
		char label[64];

		snprintf(label, sizeof(label), "%s %d", tries[i].device, tries[i].dlt);
		say_code(p, label, pcap_set_datalink(p, tries[i].dlt));
		say("now %d", pcap_datalink(p));
		pcap_close(p);
	}
}

static void any_switch(void)
{
	struct packets sll = { .header_length = 16 }, sll2 = { .header_length = 20 };
	pcap_t *p = open_live("any", 10);

	send_in(1, 60);
	drain(p, &sll, 1);
	say_code(p, "set", pcap_set_datalink(p, DLT_LINUX_SLL2));
	send_in(1, 60);
	drain(p, &sll2, 1);
	say_packets("SLL", &sll);
	say_packets("SLL2", &sll2);
}

/* The switch comes after setfilter: the filter in the kernel stays as it was. */
static void any_switch_after_filter(void)
{
	struct packets packets = { .header_length = 20 };
	pcap_t *p = open_live("any", 10);

	set_filter(p, "ether proto 0x88b5");
	say_code(p, "set", pcap_set_datalink(p, DLT_LINUX_SLL2));
	send_in(2, 60);
	send_in_type(2, 60, ETHERTYPE_B);
	drain_all(p, &packets);
	say_packets("read", &packets);
}

/* ---- 23 ---- */

static void next_bytes(pcap_t *p, const char *label, size_t shown)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc;

	guard_start(p, 2000);
	rc = pcap_next_ex(p, &header, &data);
	if (guard_stop() || rc != 1) {
		say("%s: next_ex=%d", label, rc);
		return;
	}
	say("%s %u/%u", label, header->caplen, header->len);
	say_bytes("bytes", data, header->caplen < shown ? header->caplen : shown);
}

static void cooked_headers(int dlt, int immediate)
{
	static const uint8_t destinations[][6] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 1, 0, 0x5e, 0, 0, 1 }, { 2, 0, 0, 0, 0, 9 },
	};
	uint8_t frame[60];
	pcap_t *p = open_how(&(struct how){ .device = "any", .timeout_ms = 10, .immediate = immediate });

	pcap_set_datalink(p, dlt);
	send_in(1, 60);
	next_bytes(p, "host", 24);
	for (size_t i = 0; i < 3; i++) {
		make_frame(frame, sizeof(frame), ETHERTYPE_A, 0);
		memcpy(frame, destinations[i], 6);
		send_in_raw(frame, sizeof(frame));
		next_bytes(p, "other", 24);
	}
	send_out(1, 60);
	next_bytes(p, "out", 24);
	/* 802.3 with a length in place of the type, with and without SNAP's relative 0xffff. */
	make_frame(frame, sizeof(frame), 46, 0);
	send_in_raw(frame, sizeof(frame));
	next_bytes(p, "802.2", 24);
	memset(frame + 14, 0xff, 2);
	send_in_raw(frame, sizeof(frame));
	next_bytes(p, "802.3", 24);
	send_lo(1, 20);
	next_bytes(p, "lo", 20);
}

static void sll_headers(void)
{
	cooked_headers(DLT_LINUX_SLL, 0);
}

static void sll2_headers(void)
{
	cooked_headers(DLT_LINUX_SLL2, 0);
}

static void sll_headers_immediate(void)
{
	cooked_headers(DLT_LINUX_SLL, 1);
}

static void sll2_headers_immediate(void)
{
	cooked_headers(DLT_LINUX_SLL2, 1);
}

static void ethernet_bytes(void)
{
	static const size_t lengths[] = { 14, 15, 60, 61, 100, 1514 };

	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			send_in(1, lengths[i]);
		drain(p, &packets, 6);
		say_packets(immediate ? "V2" : "V3", &packets);
		pcap_close(p);
	}
}

/* ---- 24 ---- */

static void file_identity(void)
{
	static const char *const names[] = { CAP, "any" };

	for (size_t i = 0; i < 2; i++) {
		pcap_t *p = open_live(names[i], 100);

		say("file=%s swapped=%d major=%d minor=%d", pcap_file(p) == NULL ? "NULL" : "set", pcap_is_swapped(p),
		    pcap_major_version(p), pcap_minor_version(p));
		pcap_close(p);
	}
}

const struct test_case link_type_cases[] = {
	{ "3.2-20 lists", lists },
	{ "3.2-20 DOCSIS is a label", docsis },
	{ "3.2-20 hardware types", hardware_types },
	{ "3.2-20 a packet on a RAW device", raw_packet },
	{ "3.2-20 a packet on a PPP device", ppp_packet },
	{ "3.2-20 name prefixes", name_prefixes },
	{ "3.2-21 any switches to SLL2", any_switch },
	{ "3.2-21 any switches after setfilter", any_switch_after_filter },
	{ "3.2-22 set_datalink", set_unlisted },
	{ "3.2-23 SLL headers", sll_headers },
	{ "3.2-23 SLL2 headers", sll2_headers },
	{ "3.2-23 SLL headers in immediate mode", sll_headers_immediate },
	{ "3.2-23 SLL2 headers in immediate mode", sll2_headers_immediate },
	{ "3.2-20 bytes on Ethernet", ethernet_bytes },
	{ "3.2-24 file identity", file_identity },
	{ NULL, NULL },
};
