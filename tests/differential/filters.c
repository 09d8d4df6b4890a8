/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 41-43, 45-47: setting filters, filters that the kernel refuses, queued packets, truncation. */
#include "probe.h"

#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char errbuf[PCAP_ERRBUF_SIZE];

#define JUMP_EQUAL(value, yes, no) { BPF_JMP | BPF_JEQ | BPF_K, yes, no, value }
#define LOAD_HALF(offset) { BPF_LD | BPF_H | BPF_ABS, 0, 0, (bpf_u_int32)(offset) }
#define RETURN(value) { BPF_RET | BPF_K, 0, 0, value }

static void send_both_types(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		send_in_type(1, 60, ETHERTYPE_A);
		send_in_type(1, 61, ETHERTYPE_B);
	}
}

/* ---- 41 ---- */

static void refused(void)
{
	static struct bpf_insn far_jump[] = { { BPF_JMP | BPF_JA, 0, 0, 7 }, RETURN(1) };
	static struct bpf_insn no_return[] = { LOAD_HALF(12) };
	static struct bpf_insn bad_code[] = { { 0xffff, 0, 0, 0 }, RETURN(1) };
	static struct bpf_insn divide[] = { { BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0 }, RETURN(1) };
	struct packets packets = { 0 };
	struct bpf_program program;
	pcap_t *p = open_live(CAP, 10);

	begin_result("3.5-41 refused: NULL");
	say_code(p, "NULL", pcap_setfilter(p, NULL));
	begin_result("3.5-41 refused: invalid programs");
	program = (struct bpf_program){ 2, far_jump };
	say_code(p, "far jump", pcap_setfilter(p, &program));
	program = (struct bpf_program){ 1, no_return };
	say_code(p, "no return", pcap_setfilter(p, &program));
	program = (struct bpf_program){ 2, divide };
	say_code(p, "division", pcap_setfilter(p, &program));
	program = (struct bpf_program){ 0, far_jump };
	say_code(p, "empty", pcap_setfilter(p, &program));
	program = (struct bpf_program){ 0, NULL };
	say_code(p, "nothing", pcap_setfilter(p, &program));
	begin_result("3.5-41 refused: an unknown instruction");
	program = (struct bpf_program){ 2, bad_code };
	say_code(p, "set", pcap_setfilter(p, &program));
	say_warned();
	send_in(1, 60);
	drain(p, &packets, 1);
	say("n=%u", packets.count);
}

/* What stands after a refused filter: the one before it, or none. */
static void refused_after_good(void)
{
	static struct bpf_insn no_return[] = { LOAD_HALF(12) };
	struct bpf_program program = { 1, no_return };
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	set_filter(p, "ether proto 0x88b5");
	say_code(p, "set", pcap_setfilter(p, &program));
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
}

static void program_is_copied(void)
{
	static struct bpf_insn instructions[] = { LOAD_HALF(12), JUMP_EQUAL(ETHERTYPE_A, 0, 1), RETURN(65535), RETURN(0) };
	struct bpf_program program = { 4, instructions };
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	say_code(p, "set", pcap_setfilter(p, &program));
	memset(instructions, 0xff, sizeof(instructions));
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
}

static void many_times(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	for (int i = 0; i < 50; i++)
		set_filter(p, i % 2 == 0 ? "ether proto 0x88b5" : "ether proto 0x88b6");
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
	set_filter(p, "");
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("empty filter", &packets);
}

/* ---- 42: what the kernel refuses runs in the library ---- */

/* "EtherType A" behind a long chain of no-operations. */
static struct bpf_program long_program(unsigned length, bpf_u_int32 accepted)
{
	struct bpf_insn tail[] = { LOAD_HALF(12), JUMP_EQUAL(ETHERTYPE_A, 0, 1), RETURN(accepted), RETURN(0) };
	struct bpf_program program = { .bf_len = length, .bf_insns = calloc(length, sizeof(struct bpf_insn)) };

	if (program.bf_insns == NULL)
		give_up("no memory");
	for (unsigned i = 0; i < length - 4; i++)
		program.bf_insns[i] = (struct bpf_insn){ BPF_LD | BPF_IMM, 0, 0, i };
	memcpy(program.bf_insns + length - 4, tail, sizeof(tail));
	return program;
}

static void of_length(unsigned length, int immediate)
{
	struct bpf_program program = long_program(length, 65535);
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	say_code(p, "set", pcap_setfilter(p, &program));
	say_warned();
	pcap_freecode(&program);
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
	pcap_close(p);
}

static void of_4096(void)
{
	of_length(4096, 0);
}

static void of_5000(void)
{
	of_length(5000, 0);
	of_length(5000, 1);
}

static void of_65535(void)
{
	of_length(65535, 0);
}

static void of_66000(void)
{
	of_length(66000, 0);
	of_length(70000, 1);
}

/* A short filter after a refused one goes into the kernel again. */
static void short_after_long(void)
{
	struct bpf_program program = long_program(5000, 65535);
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	pcap_setfilter(p, &program);
	pcap_freecode(&program);
	say_warned();
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("read", &packets);
	set_filter(p, "ether proto 0x88b6");
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
}

/* A filter in the kernel, then one that it refuses: the old one must not go on working. */
static void long_after_short(void)
{
	struct bpf_program program = long_program(5000, 65535);
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	set_filter(p, "ether proto 0x88b6");
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("read", &packets);
	pcap_setfilter(p, &program);
	pcap_freecode(&program);
	say_warned();
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
}

/* The words, which people search the web for. */
static void warning_texts(void)
{
	static const unsigned lengths[] = { 5000, 65535, 66000 };

	for (size_t i = 0; i < 3; i++) {
		struct bpf_program program = long_program(lengths[i], 65535);
		pcap_t *p = open_live(CAP, 10);

		begin_result("3.5-42 words of the warning, %u instructions", lengths[i]);
		say_code(p, "set", pcap_setfilter(p, &program));
		say_stderr("stderr");
		pcap_freecode(&program);
		pcap_close(p);
	}
}

static void memory_warning_text(void)
{
	pcap_t *p = open_live(CAP, 10);

	if (!write_file("/proc/sys/net/core/optmem_max", "128"))
		give_up("optmem_max cannot be set");
	set_filter(p, "ether proto 0x88b5 or ether proto 0x88b7 or ether proto 0x88b8");
	say_stderr("stderr");
}

static void no_kernel_memory(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	if (!write_file("/proc/sys/net/core/optmem_max", "128"))
		give_up("optmem_max cannot be set");
	set_filter(p, "ether proto 0x88b5 or ether proto 0x88b7 or ether proto 0x88b8");
	say_warned();
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("read", &packets);
}

/* The value that a filter in the library returns does not cut the packet. */
static void long_that_truncates(void)
{
	struct bpf_program program = long_program(5000, 40);
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = 50 });

	pcap_setfilter(p, &program);
	pcap_freecode(&program);
	say_warned();
	send_both_types(1);
	drain_all(p, &packets);
	say_packets("read", &packets);
}

/* ---- 43: queued packets are filtered again ---- */

static pcap_t *open_queued(int immediate)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	send_both_types(5);
	sleep_ms(100);
	return p;
}

static void queued(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(immediate);

	set_filter(p, "ether proto 0x88b5");
	drain_all(p, &packets);
	say_packets("queued", &packets);
	send_both_types(3);
	drain_all(p, &packets);
	say_packets("and new", &packets);
	pcap_close(p);
}

static void queued_refiltered(void)
{
	queued(0);
	queued(1);
}

static void queued_middle(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(immediate);

	guarded_dispatch(p, "dispatch(3)", 3, &packets, 2000);
	set_filter(p, "ether proto 0x88b6");
	drain_all(p, &packets);
	say_packets("read", &packets);
	pcap_close(p);
}

static void queued_mid_block(void)
{
	queued_middle(0);
	queued_middle(1);
}

/* From one filter to another while packets of the first are queued; then a refused one. */
static void queued_other_filter(void)
{
	struct bpf_program program = long_program(5000, 65535);
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	set_filter(p, "ether proto 0x88b5");
	send_both_types(3);
	sleep_ms(100);
	set_filter(p, "ether proto 0x88b6");
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("second", &packets);
	send_both_types(3);
	sleep_ms(100);
	pcap_setfilter(p, &program);
	pcap_freecode(&program);
	say_warned();
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("third", &packets);
}

static void queued_on_any(void)
{
	static const int dlts[] = { DLT_LINUX_SLL, DLT_LINUX_SLL2 };

	for (size_t i = 0; i < 2; i++) {
		struct packets packets = { .header_length = i == 0 ? 16 : 20 };
		pcap_t *p = open_live("any", 10);

		pcap_set_datalink(p, dlts[i]);
		send_both_types(3);
		sleep_ms(100);
		set_filter(p, "ether proto 0x88b5");
		send_both_types(1);
		drain_all(p, &packets);
		say_packets("read", &packets);
		pcap_close(p);
	}
}

static void queued_in_the_handle(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct packets *packets = (struct packets *)user;

	collect(user, header, data);
	if (packets->count == 2)
		set_filter(packets->handle, "ether proto 0x88b6");
}

static void filter_set_in_callback(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_queued(immediate);

		packets.handle = p;
		pcap_setnonblock(p, 1, errbuf);
		say("dispatch=%d", pcap_dispatch(p, -1, queued_in_the_handle, (u_char *)&packets));
		say_packets("read", &packets);
		pcap_close(p);
	}
}

/* ---- 45: the interpreter in the library ---- */

static void long_with(const char *label, const struct bpf_insn *test, unsigned count)
{
	static const struct vlan_tag tag = { 0x8100, 42 };
	struct bpf_program program = long_program(5000, 65535);
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	begin_result("3.5-45 in the library: %s", label);
	memcpy(program.bf_insns + 5000 - count, test, count * sizeof(*test));
	pcap_setfilter(p, &program);
	pcap_freecode(&program);
	say_warned();
	send_in(2, 60);
	send_tagged(60, &tag, 1);
	send_out(1, 60);
	drain_all(p, &packets);
	say_packets(label, &packets);
	pcap_close(p);
}

static void ancillary_in_userland(void)
{
	static const struct bpf_insn vlan_present[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, (bpf_u_int32)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT) },
		JUMP_EQUAL(1, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn vlan_42[] = {
		LOAD_HALF(SKF_AD_OFF + SKF_AD_VLAN_TAG), JUMP_EQUAL(42, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn packet_type[] = {
		LOAD_HALF(SKF_AD_OFF + SKF_AD_PKTTYPE), JUMP_EQUAL(0, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn interface[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, (bpf_u_int32)(SKF_AD_OFF + SKF_AD_IFINDEX) },
		JUMP_EQUAL(2, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn untagged_type[] = {
		LOAD_HALF(12), JUMP_EQUAL(ETHERTYPE_A, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn tagged_type[] = {
		LOAD_HALF(12), JUMP_EQUAL(0x8100, 0, 1), RETURN(65535), RETURN(0) };
	static const struct bpf_insn wire_length[] = {
		{ BPF_LD | BPF_W | BPF_LEN, 0, 0, 0 }, JUMP_EQUAL(60, 0, 1), RETURN(65535), RETURN(0) };

	long_with("VLAN present", vlan_present, 4);
	long_with("VLAN 42", vlan_42, 4);
	long_with("packet type", packet_type, 4);
	long_with("interface", interface, 4);
	long_with("EtherType behind the tag", untagged_type, 4);
	long_with("TPID", tagged_type, 4);
	long_with("length", wire_length, 4);
}

/*
 * `inbound` and its like are for the kernel alone. Once the blocks that were in the ring at setfilter have
 * gone by, such a filter works: ten blocks of one packet each, then those that are looked at.
 */
static void kernel_only_expressions(void)
{
	static const struct vlan_tag tag = { 0x8100, 42 };
	static const char *const texts[] = { "inbound", "outbound", "ifindex 2", "inbound and vlan 42", "not ifindex 2" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packets first = { 0 }, packets = { 0 };
		pcap_t *p = open_live(CAP, 10);

		set_filter(p, texts[i]);
		for (int round = 0; round < 12; round++) {
			send_tagged(60, &tag, 1);
			send_out(1, 60);
			sleep_ms(30);
			pcap_setnonblock(p, 1, errbuf);
			pcap_dispatch(p, -1, collect, (u_char *)&first);
		}
		drain_all(p, &first);
		send_tagged(61, &tag, 1);
		send_in(2, 62);
		send_out(1, 63);
		drain_all(p, &packets);
		say_packets(texts[i], &packets);
		pcap_close(p);
	}
}

static void kernel_only_at_once(void)
{
	static const char *const texts[] = { "inbound", "outbound", "ifindex 2" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_live(CAP, 10);

		begin_result("3.5-45 kernel-only filter at once: %s", texts[i]);
		set_filter(p, texts[i]);
		send_in(2, 62);
		send_out(1, 63);
		drain_all(p, &packets);
		say("n=%u", packets.count);
		say_stats(p, "stats");
		pcap_close(p);
	}
}

/* ---- 46: lengths ---- */

static void returns(unsigned value, int snaplen, int immediate)
{
	struct bpf_insn instruction = RETURN(value);
	struct bpf_program program = { 1, &instruction };
	struct packets packets = { 0 };
	pcap_t *p;

	begin_result("3.5-46 return %u, snaplen %d%s", value, snaplen, immediate ? ", immediate" : "");
	p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = snaplen, .immediate = immediate });
	say_code(p, "set", pcap_setfilter(p, &program));
	send_in(1, 60);
	send_in(1, 1514);
	drain_all(p, &packets);
	say_packets("read", &packets);
	pcap_close(p);
}

static void return_truncates(void)
{
	static const unsigned values[] = { 0, 1, 40, 60, 61, 2000, 0x7fffffff, 0xffffffff };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		returns(values[i], 65535, 0);
		returns(values[i], 50, 0);
	}
	returns(40, 65535, 1);
	returns(40, 30, 1);
}

static void no_filter_truncates(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p;

		begin_result("3.5-46 snaplen 50 without a filter%s", immediate ? ", immediate" : "");
		p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = 50, .immediate = immediate });
		send_in(1, 40);
		send_in(1, 60);
		send_in(1, 1514);
		drain(p, &packets, 3);
		say_packets("read", &packets);
		pcap_close(p);
	}
}

/* ---- 47 ---- */

static void raw_attach(void)
{
	struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &reject };
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	say("attach=%d", setsockopt(pcap_fileno(p), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
	set_filter(p, "ether proto 0x88b5");
	send_both_types(2);
	drain_all(p, &packets);
	say_packets("after setfilter", &packets);
	say("detach=%d", setsockopt(pcap_fileno(p), SOL_SOCKET, SO_DETACH_FILTER, &program, sizeof(program)));
	/* The blocks that were in the ring at setfilter have to pass before the library trusts the kernel. */
	send_both_types(1);
	drain_all(p, &packets);
	say_packets("after detach", &packets);
}

/* What a filter rejects is a reason to return, not to sleep on: the descriptor said that there was something. */
static void queued_all_rejected(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 100, .immediate = immediate });

		send_in(10, 60);
		sleep_ms(300);
		set_filter(p, "ether proto 0x88b7");
		say("readable=%d", readable(pcap_get_selectable_fd(p), 500));
		guarded_dispatch(p, "dispatch", -1, &packets, 2000);
		say_packets("read", &packets);
		pcap_close(p);
	}
}

/* A filter that runs in the library looks at whole packets too, whatever is kept of them afterwards. */
static void beyond_the_snapshot(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = 60 });

	send_in(3, 200);
	sleep_ms(100);
	set_filter(p, "ether[199] < 128 or ether[199] >= 128");
	send_in(2, 200);
	drain_all(p, &packets);
	say_packets("read", &packets);
	pcap_close(p);
}

const struct test_case filter_cases[] = {
	{ "3.5-41 refused filters", refused },
	{ "3.5-41 a refused filter after a good one", refused_after_good },
	{ "3.5-41 the program is copied", program_is_copied },
	{ "3.5-41 fifty filters", many_times },
	{ "3.5-42 4096 instructions", of_4096 },
	{ "3.5-42 5000 instructions", of_5000 },
	{ "3.5-42 65535 instructions", of_65535 },
	{ "3.5-42 66000 instructions", of_66000 },
	{ "3.5-42 short after long", short_after_long },
	{ "3.5-42 long after short", long_after_short },
	{ "3.5-42 no option memory", no_kernel_memory },
	{ "3.5-42 words of the warnings", warning_texts },
	{ "3.5-42 words of the warning, no option memory", memory_warning_text },
	{ "3.5-42 a long filter that truncates", long_that_truncates },
	{ "3.5-43 queued packets", queued_refiltered },
	{ "3.5-43 queued packets, mid-block", queued_mid_block },
	{ "3.5-43 queued packets of another filter", queued_other_filter },
	{ "3.5-43 queued packets on any", queued_on_any },
	{ "3.5-43 a filter set in the callback", filter_set_in_callback },
	{ "3.5-43 queued packets, all rejected", queued_all_rejected },
	{ "3.5-46 a filter that looks beyond the snapshot length", beyond_the_snapshot },
	{ "3.5-45 ancillary loads in the library", ancillary_in_userland },
	{ "3.5-45 kernel-only filters, ring gone by", kernel_only_expressions },
	{ "3.5-45 kernel-only filters at once", kernel_only_at_once },
	{ "3.5-46 the return value truncates", return_truncates },
	{ "3.5-46 without a filter", no_filter_truncates },
	{ "3.5-47 a filter on the descriptor", raw_attach },
	{ NULL, NULL },
};
