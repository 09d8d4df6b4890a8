/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 48, 49: tags that the kernel takes off and the library puts back, and filters on them. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static const struct vlan_tag plain_tag[] = { { 0x8100, 42 } };
static const struct vlan_tag priority_tag[] = { { 0x8100, 0xa000 } };
static const struct vlan_tag zero_tag[] = { { 0x8100, 0 } };
static const struct vlan_tag service_tag[] = { { 0x88a8, 100 } };
static const struct vlan_tag odd_tag[] = { { 0x9100, 7 } };
static const struct vlan_tag stacked_tags[] = { { 0x88a8, 100 }, { 0x8100, 42 } };
static const struct vlan_tag twice_tags[] = { { 0x8100, 0xe064 }, { 0x8100, 42 } };

static const struct {
	const char *name;
	const struct vlan_tag *tags;
	unsigned count;
} kinds[] = {
	{ "802.1Q", plain_tag, 1 }, { "priority", priority_tag, 1 }, { "zero", zero_tag, 1 },
	{ "802.1ad", service_tag, 1 }, { "0x9100", odd_tag, 1 }, { "QinQ", stacked_tags, 2 },
	{ "802.1Q twice", twice_tags, 2 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void next_bytes(pcap_t *p, const char *label)
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
	say_bytes("bytes", data, header->caplen < 36 ? header->caplen : 36);
	say("hash=%016llx", (unsigned long long)fingerprint(data, header->caplen));
}

static void every_kind(const char *device, int dlt, int immediate)
{
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .immediate = immediate });

	pcap_set_datalink(p, dlt);
	for (size_t i = 0; i < KINDS; i++) {
		send_tagged(100, kinds[i].tags, kinds[i].count);
		next_bytes(p, kinds[i].name);
	}
	pcap_close(p);
}

static void on_ethernet(void)
{
	every_kind(CAP, DLT_EN10MB, 0);
}

static void on_ethernet_immediate(void)
{
	every_kind(CAP, DLT_EN10MB, 1);
}

static void as_docsis(void)
{
	every_kind(CAP, DLT_DOCSIS, 0);
}

static void on_sll(void)
{
	every_kind("any", DLT_LINUX_SLL, 0);
	every_kind("any", DLT_LINUX_SLL, 1);
}

static void on_sll2(void)
{
	every_kind("any", DLT_LINUX_SLL2, 0);
	every_kind("any", DLT_LINUX_SLL2, 1);
}

/* A tagged frame on its way out still holds its tag. */
static void outgoing(void)
{
	uint8_t frame[128];
	pcap_t *p = open_live(CAP, 10);

	for (size_t i = 0; i < KINDS; i++) {
		send_out_raw(frame, make_tagged(frame, 100, 1, kinds[i].tags, kinds[i].count));
		next_bytes(p, kinds[i].name);
	}
}

static void snapshot_lengths(int immediate)
{
	static const int lengths[] = { 1, 11, 12, 13, 14, 15, 16, 18, 60, 68, 99, 100, 103, 104, 105, 65535 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p;

		begin_result("3.6-48 snapshot length %d%s", lengths[i], immediate ? ", immediate" : "");
		p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = lengths[i],
					    .immediate = immediate });
		send_tagged(100, plain_tag, 1);
		drain(p, &packets, 1);
		say_packets("cut", &packets);
		pcap_close(p);
	}
}

static void snaplen_v3(void)
{
	snapshot_lengths(0);
}

static void snaplen_v2(void)
{
	snapshot_lengths(1);
}

static void snaplen_sll(void)
{
	static const int lengths[] = { 21, 30, 60, 68, 102, 106 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct packets packets = { .header_length = 16 };
		pcap_t *p = open_how(&(struct how){ .device = "any", .timeout_ms = 10, .snaplen = lengths[i] });

		send_tagged(100, plain_tag, 1);
		drain(p, &packets, 1);
		say_packets("cut", &packets);
		pcap_close(p);
	}
}

/* The kernel cuts by what the filter returns, before the tag is put back. */
static void cut_by_filter(void)
{
	static const unsigned values[] = { 1, 12, 14, 40, 100, 104, 65535 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct bpf_insn instruction = { BPF_RET | BPF_K, 0, 0, values[i] };
		struct bpf_program program = { 1, &instruction };
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = 80 });

		pcap_setfilter(p, &program);
		send_tagged(100, plain_tag, 1);
		drain(p, &packets, 1);
		say_packets("cut", &packets);
		pcap_close(p);
	}
}

static void large_frame(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		send_tagged(1514, plain_tag, 1);
		send_in(1, 1514);
		drain(p, &packets, 2);
		say_packets("read", &packets);
		pcap_close(p);
	}
}

static void tagged_among_plain(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	for (size_t i = 0; i < KINDS; i++) {
		send_in(1, 100);
		send_tagged(100, kinds[i].tags, kinds[i].count);
	}
	drain(p, &packets, 2 * KINDS);
	say_packets("read", &packets);
}

/* ---- 49 ---- */

static void send_filter_mix(void)
{
	static const struct vlan_tag other[] = { { 0x8100, 43 } };

	send_in(3, 100);
	send_tagged(100, plain_tag, 1);
	send_tagged(101, plain_tag, 1);
	send_tagged(102, other, 1);
	send_tagged(103, stacked_tags, 2);
	send_tagged(104, twice_tags, 2);
	send_tagged(105, zero_tag, 1);
	send_in_type(1, 106, ETHERTYPE_B);
}

static void with_filter(const char *device, const char *expression)
{
	struct bpf_program program;
	struct packets packets = { 0 };
	pcap_t *p = open_live(device, 10);

	if (pcap_compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		say("compile \"%s\"", pcap_geterr(p));
		pcap_close(p);
		return;
	}
	say_code(p, "set", pcap_setfilter(p, &program));
	pcap_freecode(&program);
	send_filter_mix();
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
	pcap_close(p);
}

static void expressions(void)
{
	static const char *const texts[] = {
		"vlan", "vlan 42", "vlan 43", "vlan 0", "vlan and vlan", "vlan 100 and vlan 42", "not vlan", "not vlan 42",
		"vlan and ether proto 0x88b5", "vlan 42 and ether proto 0x88b5", "ether proto 0x88b5", "ether proto 0x88b6",
		"ether[12:2] = 0x8100", "ether[12:2] = 0x88b5", "vlan or ether proto 0x88b6", "ether proto 0x8100",
		"vlan and ether[14:2] = 42", "len <= 101", "vlan and len <= 101", "ether proto 0x88b5 and not vlan",
		"(vlan and ether proto 0x88b5) or (ether proto 0x88b5)", "outbound", "inbound and vlan", "ifindex 2 and vlan 42",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		begin_result("3.6-49 \"%s\"", texts[i]);
		with_filter(CAP, texts[i]);
	}
}

/* Queued when the filter comes: the library itself has to know the tag. */
static void queued(void)
{
	static const char *const texts[] = { "vlan", "vlan 42", "not vlan", "ether proto 0x88b5", "vlan and ether proto 0x88b5" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_live(CAP, 10);

		send_filter_mix();
		sleep_ms(100);
		set_filter(p, texts[i]);
		drain_all(p, &packets);
		say_packets(texts[i], &packets);
		pcap_close(p);
	}
}

static void lo_filter(void)
{
	pcap_t *p = open_live("lo", 10);
	struct packets packets = { 0 };

	set_filter(p, "not vlan");
	send_lo(2, 20);
	drain_all(p, &packets);
	say("n=%u", packets.count);
}

const struct test_case vlan_cases[] = {
	{ "3.6-48 on Ethernet", on_ethernet },
	{ "3.6-48 on Ethernet, immediate", on_ethernet_immediate },
	{ "3.6-48 labelled DOCSIS", as_docsis },
	{ "3.6-48 on any, SLL", on_sll },
	{ "3.6-48 on any, SLL2", on_sll2 },
	{ "3.6-48 outgoing", outgoing },
	{ "3.6-48 snapshot lengths", snaplen_v3 },
	{ "3.6-48 snapshot lengths, immediate", snaplen_v2 },
	{ "3.6-48 snapshot lengths on any", snaplen_sll },
	{ "3.6-48 cut by the filter", cut_by_filter },
	{ "3.6-48 a full-sized frame", large_frame },
	{ "3.6-48 tagged among plain", tagged_among_plain },
	{ "3.6-49 filters on tags", expressions },
	{ "3.6-49 filters on queued packets", queued },
	{ "3.6-49 not vlan on lo", lo_filter },
	{ NULL, NULL },
};
