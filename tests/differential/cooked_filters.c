/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentence 44: filters on "any", whose offsets count from a header that the kernel's filter does not see. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static void send_mix(void)
{
	uint8_t frame[60];

	send_in_type(2, 60, ETHERTYPE_A);
	send_in_type(3, 61, ETHERTYPE_B);
	send_out(4, 62);
	make_frame(frame, sizeof(frame), ETHERTYPE_A, 0);
	memset(frame, 0xff, 6);
	send_in_raw(frame, sizeof(frame));
	send_lo(2, 21);
}

static void with_expression(int dlt, const char *expression)
{
	struct packets packets = { .header_length = dlt == DLT_LINUX_SLL2 ? 20 : 16 };
	struct bpf_program program;
	pcap_t *p = open_live("any", 10);

	pcap_set_datalink(p, dlt);
	if (pcap_compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		say("compile \"%s\"", pcap_geterr(p));
		pcap_close(p);
		return;
	}
	say_code(p, "set", pcap_setfilter(p, &program));
	pcap_freecode(&program);
	say_stderr("stderr");
	send_mix();
	drain_all(p, &packets);
	/* The datagrams' bytes hold an IP id that changes: lengths only. */
	packets.hash = 0;
	for (unsigned i = 0; i < packets.count && i < PACKETS_KEPT; i++)
		packets.kept[i].number = 0;
	say_packets("read", &packets);
	pcap_close(p);
}

static void expressions(void)
{
	static const char *const texts[] = {
		"", "ether proto 0x88b5", "ether proto 0x88b6", "inbound", "outbound", "inbound and ether proto 0x88b5",
		"ifindex 2", "ifindex 1", "ifindex 2 and outbound", "not ifindex 1", "udp", "udp port 9999", "src host 127.0.0.1",
		"link[0:2] = 0", "link[0:2] = 4", "link[14:2] = 0x88b5", "link[0:2] = 0x88b5", "link[4:4] = 2",
		"link[10] = 4", "link[2:2] = 1", "link[6:4] = 0x02000000", "link[8:2] = 1", "link[16:2] = 1", "link[20:2] = 1",
		"link[20] = 0x45", "broadcast", "link broadcast", "ether src 02:00:00:00:00:01", "len <= 78", "greater 82",
		"ip[6:2] & 0x4000 != 0", "vlan",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		begin_result("3.5-44 SLL \"%s\"", texts[i]);
		with_expression(DLT_LINUX_SLL, texts[i]);
		begin_result("3.5-44 SLL2 \"%s\"", texts[i]);
		with_expression(DLT_LINUX_SLL2, texts[i]);
	}
}

/* One load and a comparison, at each place of the header; what cannot be rewritten runs in the library. */
static void raw_load(int dlt, unsigned code, unsigned offset, unsigned value)
{
	struct bpf_insn instructions[] = {
		{ (u_short)(BPF_LD | code | BPF_ABS), 0, 0, offset }, { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value },
		{ BPF_RET | BPF_K, 0, 0, 65535 }, { BPF_RET | BPF_K, 0, 0, 0 } };
	struct bpf_program program = { 4, instructions };
	struct packets packets = { .header_length = dlt == DLT_LINUX_SLL2 ? 20 : 16 };
	static const char *const sizes[] = { "word", "half", "byte" };
	pcap_t *p = open_live("any", 10);

	begin_result("3.5-44 %s %s at %u = %u", dlt == DLT_LINUX_SLL ? "SLL" : "SLL2", sizes[code >> 3], offset, value);
	pcap_set_datalink(p, dlt);
	say_code(p, "set", pcap_setfilter(p, &program));
	send_in_type(2, 60, ETHERTYPE_A);
	send_in_type(1, 61, ETHERTYPE_B);
	send_out(1, 62);
	drain_all(p, &packets);
	say("n=%u", packets.count);
	say_stats(p, "stats");
	pcap_close(p);
}

static void raw_loads_sll(void)
{
	raw_load(DLT_LINUX_SLL, BPF_H, 0, 0);
	raw_load(DLT_LINUX_SLL, BPF_H, 0, 4);
	raw_load(DLT_LINUX_SLL, BPF_B, 1, 4);
	raw_load(DLT_LINUX_SLL, BPF_H, 2, 1);
	raw_load(DLT_LINUX_SLL, BPF_H, 14, ETHERTYPE_A);
	raw_load(DLT_LINUX_SLL, BPF_W, 12, ETHERTYPE_A);
	raw_load(DLT_LINUX_SLL, BPF_B, 15, ETHERTYPE_A & 0xff);
	raw_load(DLT_LINUX_SLL, BPF_H, 16, 1);
	raw_load(DLT_LINUX_SLL, BPF_B, 17, 1);
	raw_load(DLT_LINUX_SLL, BPF_W, 100, 1);
}

static void raw_loads_sll2(void)
{
	raw_load(DLT_LINUX_SLL2, BPF_H, 0, ETHERTYPE_A);
	raw_load(DLT_LINUX_SLL2, BPF_B, 0, ETHERTYPE_A >> 8);
	raw_load(DLT_LINUX_SLL2, BPF_W, 4, 2);
	raw_load(DLT_LINUX_SLL2, BPF_H, 6, 2);
	raw_load(DLT_LINUX_SLL2, BPF_H, 8, 1);
	raw_load(DLT_LINUX_SLL2, BPF_B, 10, 4);
	raw_load(DLT_LINUX_SLL2, BPF_H, 20, 1);
	raw_load(DLT_LINUX_SLL2, BPF_B, 21, 1);
}

const struct test_case cooked_filter_cases[] = {
	{ "3.5-44 expressions on any", expressions },
	{ "3.5-44 loads from the SLL header", raw_loads_sll },
	{ "3.5-44 loads from the SLL2 header", raw_loads_sll2 },
	{ NULL, NULL },
};
