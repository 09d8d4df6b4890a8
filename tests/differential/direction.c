/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 50-53: direction, copies on lo, injection. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static char errbuf[PCAP_ERRBUF_SIZE];

/* ---- 50 ---- */

static void one_direction(const char *device, int immediate, int direction)
{
	struct packets packets = { .header_length = strcmp(device, "any") == 0 ? 16 : 14 };
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .immediate = immediate });

	say("direction %d", direction);
	say_code(p, "set", pcap_setdirection(p, (pcap_direction_t)direction));
	send_in(3, 60);
	send_out(2, 61);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
	pcap_close(p);
}

static void all_directions(const char *device, int immediate)
{
	for (int direction = -1; direction <= 3; direction++)
		one_direction(device, immediate, direction);
}

static void directions(void)
{
	all_directions(CAP, 0);
}

static void directions_immediate(void)
{
	all_directions(CAP, 1);
}

static void directions_any(void)
{
	all_directions("any", 0);
}

static void turn_outward(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct packets *packets = (struct packets *)user;

	collect(user, header, data);
	if (packets->count == 1)
		pcap_setdirection(packets->handle, PCAP_D_OUT);
}

static void direction_set_in_callback(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	packets.handle = p;
	send_in(5, 60);
	send_out(2, 61);
	sleep_ms(100);
	say_code(p, "dispatch", pcap_dispatch(p, -1, turn_outward, (u_char *)&packets));
	drain_all(p, &packets);
	say_packets("read", &packets);
}

static void direction_changes(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	send_in(2, 60);
	send_out(2, 61);
	sleep_ms(100);
	say_code(p, "set", pcap_setdirection(p, PCAP_D_OUT));
	drain_all(p, &packets);
	say_packets("queued before", &packets);
	say_code(p, "set", pcap_setdirection(p, PCAP_D_INOUT));
	send_in(1, 62);
	drain_all(p, &packets);
	say_packets("both again", &packets);
}

static void direction_and_filter(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	set_filter(p, "ether proto 0x88b5");
	pcap_setdirection(p, PCAP_D_IN);
	send_in(2, 60);
	send_in_type(2, 60, ETHERTYPE_B);
	send_out(2, 61);
	drain_all(p, &packets);
	say_packets("read", &packets);
	say_stats(p, "stats");
}

/* dispatch(count) counts what it delivers, not what it rejects. */
static void direction_and_count(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

		pcap_setdirection(p, PCAP_D_OUT);
		for (int i = 0; i < 4; i++) {
			send_in(1, 60);
			send_out(1, 61);
		}
		sleep_ms(100);
		pcap_setnonblock(p, 1, errbuf);
		say("dispatch(3)=%d", pcap_dispatch(p, 3, collect, (u_char *)&packets));
		say("dispatch(-1)=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
		say_packets("read", &packets);
		pcap_close(p);
	}
}

/* ---- 51 ---- */

static void loopback(const char *device, int immediate, int direction)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .immediate = immediate });

	if (direction >= 0)
		pcap_setdirection(p, (pcap_direction_t)direction);
	send_lo(3, 30);
	drain_all(p, &packets);
	say("%s immediate %d direction %d: n=%u", device, immediate, direction, packets.count);
	if (packets.count > 0)
		say("%u/%u", packets.kept[0].caplen, packets.kept[0].len);
	say_stats(p, "stats");
	pcap_close(p);
}

static void loopback_copies(void)
{
	for (int immediate = 0; immediate <= 1; immediate++)
		for (int direction = -1; direction <= 2; direction++)
			loopback("lo", immediate, direction);
}

static void loopback_copies_any(void)
{
	for (int immediate = 0; immediate <= 1; immediate++)
		for (int direction = -1; direction <= 2; direction++)
			loopback("any", immediate, direction);
}

static void loopback_filtered(void)
{
	static const char *const texts[] = { "udp port 9999", "inbound", "outbound", "src host 127.0.0.1" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_live("lo", 10);

		begin_result("3.7-51 copies on lo with the filter \"%s\"", texts[i]);
		set_filter(p, texts[i]);
		send_lo(3, 30);
		drain_all(p, &packets);
		say("n=%u", packets.count);
		say_stats(p, "stats");
		pcap_close(p);
	}
}

/* ---- 52 ---- */

static void own_packets(void)
{
	for (int immediate = 0; immediate <= 1; immediate++) {
		struct packets own = { 0 }, other = { 0 }, any = { .header_length = 16 };
		uint8_t frame[60];
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		pcap_t *q = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });
		pcap_t *r = open_live("any", 10);

		for (unsigned i = 0; i < 3; i++) {
			make_frame(frame, sizeof(frame), ETHERTYPE_A, i);
			say_code(p, "inject", pcap_inject(p, frame, sizeof(frame)));
		}
		drain(q, &other, 3);
		drain(r, &any, 3);
		drain_all(p, &own);
		say("own=%u", own.count);
		say_packets("other", &other);
		say_packets("any", &any);
		say_stats(p, "own stats");
		say_stats(q, "other stats");
		pcap_close(p);
		pcap_close(q);
		pcap_close(r);
	}
}

/* arp-scan's way: inject and receive the answers on one handle. */
static void inject_and_receive(void)
{
	struct packets packets = { 0 };
	uint8_t frame[60];
	pcap_t *p = open_immediate(CAP);

	make_frame(frame, sizeof(frame), ETHERTYPE_A, 1);
	for (int i = 0; i < 3; i++) {
		say_code(p, "sendpacket", pcap_sendpacket(p, frame, sizeof(frame)));
		send_in(1, 60 + (size_t)i);
		guarded_dispatch(p, "dispatch", -1, &packets, 2000);
	}
	say_packets("read", &packets);
}

/* ---- 53 ---- */

static void arrives(void)
{
	static const size_t lengths[] = { 14, 15, 60, 100, 1514 };
	uint8_t frame[1514], received[2048];
	size_t length = 0;
	pcap_t *p = open_live(CAP, 100);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		make_frame(frame, lengths[i], ETHERTYPE_A, (unsigned)i);
		say_code(p, "inject", pcap_inject(p, frame, lengths[i]));
		say("arrived=%u", gen_received(1, received, sizeof(received), &length));
		say("length=%zu same=%d", length, length == lengths[i] && memcmp(frame, received, length) == 0);
		say_code(p, "sendpacket", pcap_sendpacket(p, frame, (int)lengths[i]));
		say("arrived=%u", gen_received(1, received, sizeof(received), &length));
	}
	pcap_setnonblock(p, 1, errbuf);
	say_code(p, "non-blocking", pcap_inject(p, frame, 60));
	say("arrived=%u", gen_received(1, received, sizeof(received), &length));
}

static void not_sent(void)
{
	static uint8_t frame[70000];
	pcap_t *p = open_live(CAP, 100);

	make_frame(frame, 60, ETHERTYPE_A, 0);
	say_code(p, "one byte", pcap_inject(p, frame, 1));
	say_code(p, "13 bytes", pcap_inject(p, frame, 13));
	say_code(p, "1515 bytes", pcap_inject(p, frame, 1515));
	say_code(p, "3000 bytes", pcap_inject(p, frame, 3000));
	say_code(p, "70000 bytes", pcap_inject(p, frame, 70000));
	say_code(p, "3000 by sendpacket", pcap_sendpacket(p, frame, 3000));
	link_down(CAP);
	say_code(p, "down", pcap_inject(p, frame, 60));
	say_code(p, "down, sendpacket", pcap_sendpacket(p, frame, 60));
	pcap_close(p);
	p = open_live("any", 100);
	say_code(p, "any", pcap_inject(p, frame, 60));
	say_code(p, "any, sendpacket", pcap_sendpacket(p, frame, 60));
	pcap_set_datalink(p, DLT_LINUX_SLL2);
	say_code(p, "any SLL2", pcap_inject(p, frame, 60));
	pcap_close(p);
	p = open_live("lo", 100);
	say_code(p, "lo", pcap_inject(p, frame, 60));
}

static void sent_on_lo(void)
{
	struct packets own = { 0 }, other = { 0 };
	uint8_t frame[60];
	pcap_t *p = open_live("lo", 10), *q = open_live("lo", 10);

	make_frame(frame, sizeof(frame), ETHERTYPE_A, 5);
	say_code(p, "inject", pcap_inject(p, frame, sizeof(frame)));
	drain(q, &other, 1);
	drain_all(p, &own);
	say_packets("own", &own);
	say_packets("other", &other);
}

/* A privilege dropped after activate does not stop injection. */
static void unprivileged_inject(void)
{
	uint8_t frame[60];
	pcap_t *p = open_live(CAP, 100);

	make_frame(frame, sizeof(frame), ETHERTYPE_A, 5);
	drop_capabilities();
	say_code(p, "inject", pcap_inject(p, frame, sizeof(frame)));
}

const struct test_case direction_cases[] = {
	{ "3.7-50 directions", directions },
	{ "3.7-50 directions, immediate", directions_immediate },
	{ "3.7-50 directions on any", directions_any },
	{ "3.7-50 direction set in the callback", direction_set_in_callback },
	{ "3.7-50 direction changed while packets are queued", direction_changes },
	{ "3.7-50 direction and filter", direction_and_filter },
	{ "3.7-50 direction and dispatch(count)", direction_and_count },
	{ "3.7-51 copies on lo", loopback_copies },
	{ "3.7-51 copies of lo on any", loopback_copies_any },
	{ "3.7-51 copies on lo with a filter", loopback_filtered },
	{ "3.7-52 own packets are not seen", own_packets },
	{ "3.7-52 inject and receive on one handle", inject_and_receive },
	{ "3.7-53 injected packets arrive", arrives },
	{ "3.7-53 packets that cannot be sent", not_sent },
	{ "3.7-53 injected on lo", sent_on_lo },
	{ "3.7-53 injected without privilege", unprivileged_inject },
	{ NULL, NULL },
};
