/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 12, 13 and the older calls: pcap_open_live's conventions, lookupdev, lookupnet, pcap_init. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static void try_open_live(const char *name, int promisc)
{
	pcap_t *p;

	strcpy(errbuf, "untouched");
	p = pcap_open_live(name, 65535, promisc, 100, errbuf);
	say("%s: %s \"%s\"", name != NULL ? name : "(null)", p != NULL ? "handle" : "NULL", errbuf);
	if (p != NULL)
		pcap_close(p);
}

static void open_live_succeeds(void)
{
	try_open_live(CAP, 0);
	try_open_live(CAP, 1);
	try_open_live("lo", 1);
	try_open_live("any", 0);
	try_open_live("any", 1);
	try_open_live(NULL, 0);
}

static void open_live_fails(void)
{
	try_open_live("nosuch0", 0);
	try_open_live("fifteen_chars_x", 0);
	try_open_live("averyveryverylonginterfacename", 0);
	try_open_live("", 0);
	try_open_live("nflog9", 0);
	link_down(CAP);
	try_open_live(CAP, 0);
	try_open_live(CAP, 1);
}

static void open_live_unprivileged(void)
{
	drop_capabilities();
	try_open_live(CAP, 0);
	try_open_live(CAP, 1);
	try_open_live("any", 0);
	try_open_live("nosuch0", 0);
	begin_result("3.1-12 open_live(NULL) unprivileged");
	try_open_live(NULL, 0);
}

static void open_live_snaplens(void)
{
	static const int lengths[] = { 0, -1, 68, 262145 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		pcap_t *p = pcap_open_live(CAP, lengths[i], 0, 100, errbuf);

		say("%d: snapshot=%d", lengths[i], p != NULL ? pcap_snapshot(p) : -99);
		if (p != NULL)
			pcap_close(p);
	}
}

static void open_live_timeouts(void)
{
	static const int timeouts[] = { -1, 10, 1000 };

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = pcap_open_live(CAP, 65535, 0, timeouts[i], errbuf);

		if (p == NULL)
			give_up("open_live: %s", errbuf);
		say("%d: nonblock=%d", timeouts[i], pcap_getnonblock(p, errbuf));
		send_in(3, 60);
		for (int attempt = 0; attempt < 3 && packets.count < 3; attempt++)
			drain(p, &packets, 3 - packets.count);
		say("n=%u hash=%llx", packets.count, (unsigned long long)packets.hash);
		pcap_close(p);
	}
}

static void open_live_reads(void)
{
	struct packets packets = { 0 };
	pcap_t *p = pcap_open_live(CAP, 40, 1, 10, errbuf);

	if (p == NULL)
		give_up("open_live: %s", errbuf);
	say("promiscuity=%u snapshot=%d datalink=%d geterr=\"%s\"", promiscuity(CAP), pcap_snapshot(p),
	    pcap_datalink(p), pcap_geterr(p));
	set_filter(p, "ether proto 0x88b5");
	send_in(3, 60);
	guarded_loop(p, "loop", 3, &packets, 3000);
	say_packets("read", &packets);
	say_stats(p, "stats");
	say_code(p, "activate", pcap_activate(p));
	pcap_close(p);
	say("promiscuity=%u", promiscuity(CAP));
}

static void errno_in_text(void)
{
	pcap_t *p = open_live(CAP, 100);
	static uint8_t frame[3000];

	errno = ENOENT;
	say_code(p, "nothing", pcap_inject(p, frame, 0));
	errno = 0;
	say_code(p, "too long", pcap_inject(p, frame, sizeof(frame)));
}

static void lookupdev(void)
{
	char *name;

	errbuf[0] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	name = pcap_lookupdev(errbuf);
	say("up: %s \"%s\"", name != NULL ? name : "NULL", errbuf);
	link_down(CAP);
	name = pcap_lookupdev(errbuf);
	say("down: %s \"%s\"", name != NULL ? name : "NULL", errbuf);
#pragma GCC diagnostic pop
}

static void lookupnet(void)
{
	static const char *const names[] = { "lo", CAP, "any", "nosuch0", "averyveryverylonginterfacename", NULL };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bpf_u_int32 net = 7, mask = 7;
		int rc;

		errbuf[0] = '\0';
		rc = pcap_lookupnet(names[i], &net, &mask, errbuf);
		say("%s: %d %08x/%08x \"%s\"", names[i] != NULL ? names[i] : "(null)", rc, net, mask, errbuf);
	}
}

static void init_utf8(void)
{
	char *name;

	errbuf[0] = '\0';
	say("init=%d \"%s\"", pcap_init(PCAP_CHAR_ENC_UTF_8, errbuf), errbuf);
	say("again=%d \"%s\"", pcap_init(PCAP_CHAR_ENC_UTF_8, errbuf), errbuf);
	say("other=%d \"%s\"", pcap_init(PCAP_CHAR_ENC_LOCAL, errbuf), errbuf);
	say("unknown=%d \"%s\"", pcap_init(0x80, errbuf), errbuf);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	name = pcap_lookupdev(errbuf);
#pragma GCC diagnostic pop
	say("lookupdev: %s \"%s\"", name != NULL ? name : "NULL", errbuf);
	try_open_live(CAP, 0);
	try_open_live("nosuch0", 0);
}

static void init_local(void)
{
	errbuf[0] = '\0';
	say("init=%d \"%s\"", pcap_init(PCAP_CHAR_ENC_LOCAL, errbuf), errbuf);
	say("other=%d \"%s\"", pcap_init(PCAP_CHAR_ENC_UTF_8, errbuf), errbuf);
	try_open_live(CAP, 0);
}

const struct test_case old_style_cases[] = {
	{ "3.1-12 open_live success leaves errbuf", open_live_succeeds },
	{ "3.1-12 open_live failures", open_live_fails },
	{ "3.1-12 open_live unprivileged", open_live_unprivileged },
	{ "3.1-12 open_live snapshot lengths", open_live_snaplens },
	{ "3.1-12 open_live timeouts", open_live_timeouts },
	{ "3.1-12 open_live, filter, loop, stats", open_live_reads },
	{ "3.1-13 errno in the text", errno_in_text },
	{ "3.1-19 lookupdev", lookupdev },
	{ "3.1-19 lookupnet", lookupnet },
	{ "3.1-1 pcap_init UTF-8", init_utf8 },
	{ "3.1-1 pcap_init local", init_local },
	{ NULL, NULL },
};
