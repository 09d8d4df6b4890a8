/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 29-31: how many packets a call returns, and what the callback and next() get to see. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static char errbuf[PCAP_ERRBUF_SIZE];

/* Non-blocking handle with `count` packets ready to be read. */
static pcap_t *open_queued(int immediate, unsigned count)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate, .nonblock = 1 });

	send_in(count, 60);
	if (!readable(pcap_get_selectable_fd(p), 2000))
		give_up("nothing to read");
	/* Every block that holds packets is closed by now: the timer runs every 10 ms. */
	sleep_ms(100);
	return p;
}

static void dispatch_counts(int immediate)
{
	static const int counts[] = { 3, 1, 2, -1, -1, 1, 0 };
	struct packets packets = { 0 };
	pcap_t *p = open_queued(immediate, 10);

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		say("dispatch(%d)=%d", counts[i], pcap_dispatch(p, counts[i], collect, (u_char *)&packets));
	say_packets("read", &packets);
	pcap_close(p);
}

static void dispatch_counts_v3(void)
{
	dispatch_counts(0);
}

static void dispatch_counts_v2(void)
{
	dispatch_counts(1);
}

static void dispatch_all(int immediate, int count)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(immediate, 10);

	say("dispatch(%d)=%d", count, pcap_dispatch(p, count, collect, (u_char *)&packets));
	say("n=%u", packets.count);
	pcap_close(p);
}

static void dispatch_everything(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		dispatch_all(immediate, 0);
		dispatch_all(immediate, -1);
		dispatch_all(immediate, -7);
		dispatch_all(immediate, 100);
	}
}

/* Blocking, with a rest at hand: no wait. */
static void rest_comes_at_once(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(immediate, 5);
	int64_t start;

	pcap_setnonblock(p, 0, errbuf);
	guarded_dispatch(p, "first", 2, &packets, 3000);
	start = now_ms();
	guarded_dispatch(p, "rest", -1, &packets, 3000);
	say("at once=%d n=%u", now_ms() - start < 500, packets.count);
	pcap_close(p);
}

static void rest_of_a_block(void)
{
	rest_comes_at_once(0);
	rest_comes_at_once(1);
}

static void several_blocks(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(0, 4);

	for (int i = 0; i < 3; i++) {
		send_in(4, 60);
		sleep_ms(100);
	}
	say("dispatch(10)=%d", pcap_dispatch(p, 10, collect, (u_char *)&packets));
	say("dispatch(-1)=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say_packets("read", &packets);
}

/* A dispatch that finds one full block and one still filling takes what is ready, and the rest comes later. */
static void many_packets(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	send_in(1500, 200);
	drain(p, &packets, 1500);
	say("n=%u hash=%llx", packets.count, (unsigned long long)packets.hash);
	say_stats(p, "stats");
}

/* ---- 30 ---- */

static void loop_counts(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	packets.handle = p;
	send_in(12, 60);
	guarded_loop(p, "loop(5)", 5, &packets, 3000);
	say("n=%u", packets.count);
	packets.break_at = 7;
	guarded_loop(p, "loop(-1)", -1, &packets, 3000);
	say("n=%u", packets.count);
	packets.break_at = 9;
	guarded_loop(p, "loop(0)", 0, &packets, 3000);
	say("n=%u", packets.count);
	packets.break_at = 0;
	guarded_loop(p, "loop(3)", 3, &packets, 3000);
	say_packets("read", &packets);
	pcap_close(p);
}

static void loop_counts_both(void)
{
	loop_counts(0);
	loop_counts(1);
}

/* Fewer packets at hand than asked for: loop waits for the others. */
static void loop_over_silence(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	send_in(2, 60);
	guarded_loop(p, "loop(3)", 3, &packets, 500);
	say("n=%u", packets.count);
}

static void next_ex_codes(int immediate)
{
	struct pcap_pkthdr *header = NULL;
	const u_char *data = NULL;
	pcap_t *p = open_queued(immediate, 2);
	int rc;

	for (int i = 0; i < 3; i++) {
		header = NULL;
		rc = pcap_next_ex(p, &header, &data);
		say("next_ex=%d header %s", rc, header != NULL ? "set" : "untouched");
		if (rc == 1)
			say("%u/%u %016llx", header->caplen, header->len,
			    (unsigned long long)fingerprint(data, header->caplen));
	}
	pcap_breakloop(p);
	send_in(1, 60);
	readable(pcap_get_selectable_fd(p), 1000);
	header = NULL;
	rc = pcap_next_ex(p, &header, &data);
	say("broken=%d header %s", rc, header != NULL ? "set" : "untouched");
	pcap_close(p);
}

static void next_ex_codes_both(void)
{
	next_ex_codes(0);
	next_ex_codes(1);
}

static void next_codes(int immediate)
{
	struct pcap_pkthdr header = { 0 };
	pcap_t *p = open_queued(immediate, 1);
	const u_char *data = pcap_next(p, &header);

	say("next=%s %u/%u", data != NULL ? "data" : "NULL", header.caplen, header.len);
	say("empty=%s", pcap_next(p, &header) != NULL ? "data" : "NULL");
	pcap_setnonblock(p, 0, errbuf);
	pcap_breakloop(p);
	say("broken=%s", pcap_next(p, &header) != NULL ? "data" : "NULL");
	pcap_close(p);
}

static void next_codes_both(void)
{
	next_codes(0);
	next_codes(1);
}

/* What next() returns lies in one buffer of the handle; the packet before is overwritten. */
static void next_buffer(int immediate)
{
	struct pcap_pkthdr *header, *second_header, plain_header;
	const u_char *first, *second, *third;
	uint64_t before;
	pcap_t *p = open_queued(immediate, 3);

	if (pcap_next_ex(p, &header, &first) != 1)
		give_up("no packet");
	before = fingerprint(first, header->caplen);
	if (pcap_next_ex(p, &second_header, &second) != 1)
		give_up("no second packet");
	third = pcap_next(p, &plain_header);
	say("header same=%d data same=%d %d first overwritten=%d", header == second_header, first == second,
	    second == third, fingerprint(first, 60) != before);
	say("number=%d", third != NULL ? third[15] : -1);
	pcap_close(p);
}

static void next_buffers(void)
{
	next_buffer(0);
	next_buffer(1);
}

/* dispatch, loop, next and next_ex mixed lose nothing and keep the order. */
static void mixed_reads(void)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;
	pcap_t *p = open_queued(0, 8);

	pcap_dispatch(p, 1, collect, (u_char *)&packets);
	if (pcap_next_ex(p, &header, &data) == 1)
		collect((u_char *)&packets, header, data);
	data = pcap_next(p, &plain_header);
	if (data != NULL)
		collect((u_char *)&packets, &plain_header, data);
	pcap_loop(p, 2, collect, (u_char *)&packets);
	pcap_dispatch(p, -1, collect, (u_char *)&packets);
	say_packets("read", &packets);
}

/* ---- 31 ---- */

struct placed {
	unsigned count;
	bool aligned, aligned_16n4, scribbled;
	unsigned header_length;
};

static void look_and_scribble(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct placed *placed = (struct placed *)user;
	u_char *writable = (u_char *)(uintptr_t)data;

	placed->aligned = placed->aligned && ((uintptr_t)data + placed->header_length) % 4 == 0;
	placed->aligned_16n4 = placed->aligned_16n4 && ((uintptr_t)data + placed->header_length) % 8 == 4;
	memset(writable, 0xee, header->caplen);
	placed->scribbled = placed->scribbled && data[0] == 0xee && data[header->caplen - 1] == 0xee;
	placed->count++;
}

static void in_the_callback(const char *device, int immediate, unsigned header_length)
{
	static const struct vlan_tag tag = { 0x8100, 42 };
	struct placed placed = { .aligned = true, .aligned_16n4 = true, .scribbled = true,
				 .header_length = header_length };
	struct packets packets = { .header_length = header_length };
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .immediate = immediate, .nonblock = 1 });
	int64_t deadline = now_ms() + 20000;

	send_in(1, 60);
	send_in(1, 61);
	send_in(1, 100);
	send_in(1, 1514);
	while (placed.count < 4 && now_ms() < deadline)
		pcap_dispatch(p, -1, look_and_scribble, (u_char *)&placed);
	/* Frames of a V3 block lie 8 bytes apart at best, so 16n + 4 shows as 4 modulo 8. */
	say("%s immediate %d: n=%u network header 4-aligned=%d at 16n+4=%d writable=%d", device, immediate,
	    placed.count, placed.aligned, placed.aligned_16n4, placed.scribbled);
	placed = (struct placed){ .aligned = true, .scribbled = true, .header_length = header_length + 4 };
	send_tagged(60, &tag, 1);
	deadline = now_ms() + 20000;
	while (placed.count < 1 && now_ms() < deadline)
		pcap_dispatch(p, -1, look_and_scribble, (u_char *)&placed);
	say("tagged: n=%u aligned=%d", placed.count, placed.aligned);
	send_in(2, 60);
	drain(p, &packets, 2);
	say_packets("later", &packets);
	pcap_close(p);
}

static void callback_data(void)
{
	in_the_callback(CAP, 0, 14);
	in_the_callback(CAP, 1, 14);
	in_the_callback("any", 0, 16);
	in_the_callback("any", 1, 16);
}

/* The user pointer arrives as it was given, and may be NULL. */
static unsigned null_user_count;

static void count_null_user(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)data;
	if (user == NULL && header->len == 60)
		null_user_count++;
}

static void null_user(void)
{
	pcap_t *p = open_queued(0, 3);

	say("dispatch=%d", pcap_dispatch(p, -1, count_null_user, NULL));
	say("n=%u", null_user_count);
}

/* pcap calls on the handle from inside the callback. */
static void calls_inside(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_t *p = (pcap_t *)user;
	struct pcap_stat stats = { 0 };

	(void)header;
	say("stats=%d", pcap_stats(p, &stats));
	say("recv=%u", stats.ps_recv);
	say("inject=%d", pcap_inject(p, data, 60));
	set_filter(p, "ether proto 0x88b6");
}

static void calls_in_the_callback(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_queued(0, 3);

	say("dispatch=%d", pcap_dispatch(p, 1, calls_inside, (u_char *)p));
	say("rest=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("n=%u", packets.count);
}

const struct test_case delivery_cases[] = {
	{ "3.3-29 dispatch counts", dispatch_counts_v3 },
	{ "3.3-29 dispatch counts, immediate", dispatch_counts_v2 },
	{ "3.3-29 dispatch of everything", dispatch_everything },
	{ "3.3-29 the rest comes without a wait", rest_of_a_block },
	{ "3.3-29 dispatch spans blocks", several_blocks },
	{ "3.3-29 1500 packets", many_packets },
	{ "3.3-30 loop counts", loop_counts_both },
	{ "3.3-30 loop waits for its count", loop_over_silence },
	{ "3.3-30 next_ex codes", next_ex_codes_both },
	{ "3.3-30 next codes", next_codes_both },
	{ "3.3-30 one buffer for next", next_buffers },
	{ "3.3-30 reads of all kinds mixed", mixed_reads },
	{ "3.3-31 data in the callback", callback_data },
	{ "3.3-31 NULL as user data", null_user },
	{ "3.3-31 calls inside the callback", calls_in_the_callback },
	{ NULL, NULL },
};
