/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 54-56: what pcap_stats counts. */
#include "probe.h"

#include <linux/if_packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void before_and_after(int immediate)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate });

	say_stats(p, "fresh");
	send_in(10, 60);
	say_stats(p, "unread");
	say_stats(p, "again");
	drain(p, &packets, 10);
	say_stats(p, "read");
	send_in(5, 60);
	send_out(2, 60);
	say_stats(p, "more");
	pcap_close(p);
}

static void unread_counts(void)
{
	before_and_after(0);
	before_and_after(1);
}

/* What comes between activation and the first call that wants packets. */
static void before_first_look(void)
{
	struct packets early = { 0 }, late = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .idle = 1 });

	send_in(2, 60);
	drain_all(p, &early);
	send_in(3, 60);
	drain_all(p, &late);
	say("early n=%u; late n=%u", early.count, late.count);
	say_stats(p, "stats");
	pcap_close(p);
}

/* 2000 frames of full size while nobody reads: 3 MB, more than libpcap's ring of 2 MiB. */
static void stalled_reader(const char *device)
{
	struct packets packets = { 0 };
	struct pcap_stat before = { 0 }, after = { 0 };
	pcap_t *p = open_live(device, 10);

	send_in(2000, 1514);
	pcap_stats(p, &before);
	drain_all(p, &packets);
	pcap_stats(p, &after);
	say("recv=%u same after reading=%d", before.ps_recv, before.ps_recv == after.ps_recv && before.ps_drop == after.ps_drop);
	say("delivered+drop=recv %d", packets.count + after.ps_drop == after.ps_recv);
	say("lost=%s", after.ps_drop > 0 ? "yes" : "no");
	pcap_close(p);
}

static void stalled(void)
{
	stalled_reader(CAP);
}

static void stalled_any(void)
{
	stalled_reader("any");
}

static void stalled_immediate(void)
{
	struct packets packets = { 0 };
	struct pcap_stat stats = { 0 };
	pcap_t *p = open_immediate(CAP);

	send_in(2000, 1514);
	drain_all(p, &packets);
	pcap_stats(p, &stats);
	say("recv=%u delivered+drop=recv %d", stats.ps_recv, packets.count + stats.ps_drop == stats.ps_recv);
	say("lost=%s", stats.ps_drop > 0 ? "yes" : "no");
}

/* Loss can still be had with the smallest ring and enough packets, and then it is counted. */
static void loss_is_counted(void)
{
	struct packets packets = { 0 };
	struct pcap_stat stats = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .buffer = 262144 });

	send_in(20000, 60);
	send_in(3000, 1514);
	drain_all(p, &packets);
	pcap_stats(p, &stats);
	say("recv=%u delivered+drop=recv %d", stats.ps_recv, packets.count + stats.ps_drop == stats.ps_recv);
	send_in(5, 60);
	drain_all(p, &packets);
	pcap_stats(p, &stats);
	say("recv=%u delivered+drop=recv %d", stats.ps_recv, packets.count + stats.ps_drop == stats.ps_recv);
}

static void after_the_filter(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	set_filter(p, "ether proto 0x88b5");
	send_in(4, 60);
	send_in_type(6, 60, ETHERTYPE_B);
	say_stats(p, "unread");
	drain_all(p, &packets);
	say_stats(p, "read");
	set_filter(p, "ether proto 0x88b6");
	send_in(4, 60);
	send_in_type(6, 60, ETHERTYPE_B);
	drain_all(p, &packets);
	say_stats(p, "other filter");
	say("n=%u", packets.count);
}

/* Does setting a filter forget what was counted before it? */
static void filter_keeps_counts(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	send_in(7, 60);
	set_filter(p, "ether proto 0x88b5");
	say_stats(p, "queued");
	drain_all(p, &packets);
	send_in(2, 60);
	drain_all(p, &packets);
	say_stats(p, "read");
	say("n=%u", packets.count);
}

static void foreign_read(void)
{
	struct tpacket_stats_v3 stolen = { 0 };
	socklen_t size = sizeof(stolen);
	pcap_t *p = open_live(CAP, 10);

	send_in(6, 60);
	say("getsockopt=%d", getsockopt(pcap_fileno(p), SOL_PACKET, PACKET_STATISTICS, &stolen, &size));
	say("packets=%u drops=%u", stolen.tp_packets, stolen.tp_drops);
	send_in(2, 60);
	say_stats(p, "stats");
}

static void of_two_handles(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10), *q = open_immediate(CAP);

	send_in(5, 60);
	drain(p, &packets, 5);
	say_stats(p, "first");
	say_stats(q, "second");
	pcap_close(p);
	say_stats(q, "first closed");
}

static void null_pointer_fields(void)
{
	pcap_t *p = open_live(CAP, 10);
	struct {
		struct pcap_stat stats;
		uint8_t guard[32];
	} area;

	memset(&area, 0xa5, sizeof(area));
	say("stats=%d", pcap_stats(p, &area.stats));
	for (size_t i = 0; i < sizeof(area.guard); i++)
		if (area.guard[i] != 0xa5)
			say("written beyond the structure");
}

/* ---- 56: the interface's own drops, out of files that stand in for sysfs ---- */

static void set_counter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/" CAP "/statistics/%s", name);
	if (!write_file(path, value))
		give_up("cannot write %s", path);
}

static void fake_sysfs(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/sys/class/net", "tmpfs", 0, NULL) < 0)
		give_up("no mount namespace");
	mkdir("/sys/class/net/" CAP, 0755);
	mkdir("/sys/class/net/" CAP "/statistics", 0755);
	set_counter("rx_missed_errors", "100\n");
	set_counter("rx_fifo_errors", "50\n");
	set_counter("rx_dropped", "1000\n");
}

static void interface_drops(int promisc)
{
	pcap_t *p;

	fake_sysfs();
	p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = promisc });
	say_stats(p, "fresh");
	set_counter("rx_missed_errors", "103\n");
	say_stats(p, "missed 3");
	set_counter("rx_fifo_errors", "57\n");
	set_counter("rx_dropped", "2000\n");
	say_stats(p, "and fifo 7");
	pcap_close(p);
}

/* As when its driver is loaded anew. */
static void interface_drops_go_back(void)
{
	pcap_t *p;

	fake_sysfs();
	p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });
	set_counter("rx_missed_errors", "103\n");
	say_stats(p, "missed 3");
	set_counter("rx_missed_errors", "0\n");
	set_counter("rx_fifo_errors", "0\n");
	say_stats(p, "counters reset");
}

static void interface_drops_in_rx_dropped(void)
{
	pcap_t *p;

	fake_sysfs();
	mkdir("/sys/class/net/" CAP "/device", 0755);
	if (!write_file("/sys/class/net/" CAP "/device/uevent", "DRIVER=ena\nMODALIAS=\n"))
		give_up("no driver");
	p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });
	set_counter("rx_dropped", "1007\n");
	say_stats(p, "dropped 7");
}

static void interface_drops_promisc(void)
{
	interface_drops(1);
}

static void interface_drops_plain(void)
{
	interface_drops(0);
}

static void no_interface_drops(void)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });

	send_in(3, 60);
	say_stats(p, "promisc");
	pcap_close(p);
	p = open_how(&(struct how){ .device = "any", .timeout_ms = 10, .promisc = 1 });
	send_in(3, 60);
	say_stats(p, "any");
}

static void unprivileged_stats(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .promisc = 1 });

	set_filter(p, "ether proto 0x88b5");
	send_in(3, 60);
	drop_capabilities();
	say_stats(p, "stats");
	set_filter(p, "");
	drain_all(p, &packets);
	say("n=%u", packets.count);
	pcap_close(p);
	say("promiscuity=%u", promiscuity(CAP));
}

const struct test_case statistics_cases[] = {
	{ "3.8-54 before and after reading", unread_counts },
	{ "3.8-54 before the first look", before_first_look },
	{ "3.8-54 2000 packets unread", stalled },
	{ "3.8-54 2000 packets unread on any", stalled_any },
	{ "3.8-54 2000 packets unread, immediate", stalled_immediate },
	{ "3.8-54 loss is counted", loss_is_counted },
	{ "3.8-54 counted after the filter", after_the_filter },
	{ "3.8-54 setfilter keeps the counts", filter_keeps_counts },
	{ "3.8-54 nothing beyond the structure", null_pointer_fields },
	{ "3.8-54 without privilege", unprivileged_stats },
	{ "3.8-55 a foreign read", foreign_read },
	{ "3.8-55 two handles", of_two_handles },
	{ "3.8-56 drops of the interface", interface_drops_promisc },
	{ "3.8-56 drops of the interface without promisc", interface_drops_plain },
	{ "3.8-56 drops of the interface, counters that go back", interface_drops_go_back },
	{ "3.8-56 drops of the interface, in rx_dropped", interface_drops_in_rx_dropped },
	{ "3.8-56 no drops", no_interface_drops },
	{ NULL, NULL },
};
