/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_compile on every kind of handle. A live handle compiles some expressions otherwise than a dead one, "any"
 * otherwise than Ethernet, SLL2 otherwise than SLL: one line for an expression holds them all.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static const char *const expressions[] = {
	"", "tcp", "udp", "icmp", "ip", "ip6", "arp", "rarp", "tcp port 80", "udp port 53", "port 53", "not port 22",
	"tcp portrange 1000-2000", "host 10.0.0.1", "src host 10.0.0.1 and dst port 443", "net 10.0.0.0/8",
	"src net 192.168.0.0 mask 255.255.0.0", "ip6 host ::1", "ether host 02:00:00:00:00:01",
	"ether src 02:00:00:00:00:01", "ether proto 0x88b5", "ether broadcast", "ether multicast", "ip broadcast", "ip multicast",
	"ip6 multicast", "vlan", "vlan 42", "vlan and tcp", "vlan 42 and ip host 10.0.0.1", "vlan and vlan and udp", "not vlan",
	"mpls", "mpls 100 and ip", "pppoes", "pppoed", "inbound", "outbound", "ifindex 2", "ifindex 2 and tcp",
	"inbound and udp port 53", "greater 100", "less 100", "len > 100 and len < 200", "tcp[tcpflags] & tcp-syn != 0",
	"tcp[13] = 2", "ip[0] & 0xf > 5", "icmp[icmptype] = icmp-echo", "ether[0] & 1 = 1", "ether[12:2] = 0x0800",
	"link[0:2] = 4", "ip proto 17", "ip6 proto 58", "proto 132", "sctp", "igmp", "esp or ah", "gateway nosuchhost",
	"tcp or udp or icmp and not arp", "(tcp port 80 or tcp port 443) and not host 10.0.0.1", "decnet src 1.2", "iso",
	"stp", "ipx", "atalk", "llc", "wlan type data", "dir 1", "geneve", "geneve 7 and tcp", "vxlan", "atm", "nosuchword",
	"tcp port", "host", "port 99999", "ether proto", "vlan 5000", "ip[", "1 = 1", "host 300.1.1.1", "net 10", "len = 0",
	"tcp port 80 and tcp port 81 and udp", "ip[2:2] > 576", "random 5", "rnr 5", "on eth0", "ppp",
};

#define EXPRESSIONS (sizeof(expressions) / sizeof(expressions[0]))

static void say_program(pcap_t *p, const char *kind, const char *expression, int optimize, bpf_u_int32 mask)
{
	struct bpf_program program = { 0 };
	uint64_t hash = 0;

	if (pcap_compile(p, &program, expression, optimize, mask) < 0) {
		say("%s \"%s\"", kind, pcap_geterr(p));
		return;
	}
	for (u_int i = 0; i < program.bf_len; i++) {
		const char *image = bpf_image(&program.bf_insns[i], (int)i);

		hash = hash * 31 + fingerprint(image, strlen(image));
	}
	say("%s %u:%08x", kind, program.bf_len, (unsigned)(hash ^ hash >> 32));
	pcap_freecode(&program);
}

static void live_handles(void)
{
	pcap_t *ethernet = open_live(CAP, 100), *docsis = open_live(CAP, 100), *lo = open_live("lo", 100);
	pcap_t *sll = open_live("any", 100), *sll2 = open_live("any", 100);
	pcap_t *shorter = open_how(&(struct how){ .device = CAP, .snaplen = 96 });

	pcap_set_datalink(docsis, DLT_DOCSIS);
	pcap_set_datalink(sll2, DLT_LINUX_SLL2);
	for (size_t i = 0; i < EXPRESSIONS; i++) {
		begin_result("compile live: \"%s\"", expressions[i]);
		say_program(ethernet, "ethernet", expressions[i], 1, PCAP_NETMASK_UNKNOWN);
		say_program(ethernet, "unoptimized", expressions[i], 0, 0x00ffffff);
		say_program(shorter, "snaplen 96", expressions[i], 1, 0x00ffffff);
		say_program(docsis, "docsis", expressions[i], 1, 0x00ffffff);
		say_program(lo, "lo", expressions[i], 1, 0x00ffffff);
		say_program(sll, "sll", expressions[i], 1, 0x00ffffff);
		say_program(sll2, "sll2", expressions[i], 1, 0x00ffffff);
	}
}

static void dead_handles(void)
{
	static const int dlts[] = { DLT_EN10MB, DLT_RAW, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_IEEE802_11_RADIO,
				    DLT_PPP, DLT_IEEE802_11, DLT_C_HDLC, DLT_USB_LINUX };
	pcap_t *handles[10];

	for (size_t d = 0; d < 10; d++)
		handles[d] = pcap_open_dead(dlts[d], 65535);
	for (size_t i = 0; i < EXPRESSIONS; i++) {
		begin_result("compile dead: \"%s\"", expressions[i]);
		for (size_t d = 0; d < 10; d++) {
			char kind[16];

			snprintf(kind, sizeof(kind), "%d", dlts[d]);
			say_program(handles[d], kind, expressions[i], 1, 0x00ffffff);
		}
	}
}

/* The switch of the link type is seen by the next compile. */
static void after_a_switch(void)
{
	pcap_t *p = open_live("any", 100);

	say_program(p, "before", "tcp port 80", 1, 0);
	pcap_set_datalink(p, DLT_LINUX_SLL2);
	say_program(p, "SLL2", "tcp port 80", 1, 0);
	pcap_set_datalink(p, DLT_LINUX_SLL);
	say_program(p, "SLL", "tcp port 80", 1, 0);
}

static void no_expression(void)
{
	pcap_t *p = open_live(CAP, 100);

	say_program(p, "NULL", NULL, 1, 0);
	say_program(p, "empty", "", 1, 0);
	say_program(p, "blank", "   ", 1, 0);
	say_program(p, "error", "tcp port", 1, 0);
	say_program(p, "after an error", "tcp", 1, 0);
	say("geterr=\"%s\"", pcap_geterr(p));
}

const struct test_case compile_cases[] = {
	{ "compile live handles", live_handles },
	{ "compile dead handles", dead_handles },
	{ "compile after set_datalink", after_a_switch },
	{ "compile without an expression", no_expression },
	{ NULL, NULL },
};
