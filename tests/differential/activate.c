/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 7-11, 14, 15, 19: how activation fails, what it joins, and the list of devices. */
#include "probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static void try_activate(const char *name, int promisc, int rfmon)
{
	pcap_t *p = pcap_create(name, errbuf);

	if (p == NULL) {
		say("\"%s\": create failed \"%s\"", name, errbuf);
		return;
	}
	pcap_set_promisc(p, promisc);
	if (rfmon)
		pcap_set_rfmon(p, 1);
	say("\"%s\": %d \"%s\"", name, pcap_activate(p), pcap_geterr(p));
	pcap_close(p);
}

/* ---- 7 ---- */

static void unknown_devices(void)
{
	static const char *const names[] = { "nosuch0", "fifteen_chars_x", "sixteen_chars_xx", "", "a/b", "cap0 ", "2",
		"averyveryveryveryverylonginterfacename", "any ", "Any", "lo0", "usbmon99", "bluetooth9", "nflog9",
		"dbus-nosuch", "netmap:cap0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		try_activate(names[i], 0, 0);
}

static void device_down(void)
{
	link_down(CAP);
	try_activate(CAP, 0, 0);
	try_activate(CAP, 1, 0);
	link_down("lo");
	try_activate("lo", 0, 0);
	try_activate("any", 0, 0);
}

static void rfmon(void)
{
	try_activate(CAP, 0, 1);
	try_activate("lo", 0, 1);
	try_activate("any", 0, 1);
	try_activate("nosuch0", 0, 1);
}

/* ---- 8 ---- */

static void no_privilege(void)
{
	drop_capabilities();
	try_activate(CAP, 0, 0);
	try_activate("any", 0, 0);
	try_activate("nosuch0", 0, 0);
	try_activate(CAP, 0, 1);
	try_activate(CAP, 1, 0);
}

/* ---- 9 ---- */

static void empty_text_is_filled(void)
{
	pcap_t *p = pcap_create(CAP, errbuf);
	int rc;

	pcap_set_rfmon(p, 1);
	rc = pcap_activate(p);
	say("activate=%d same as statustostr=%d", rc, strcmp(pcap_geterr(p), pcap_statustostr(rc)) == 0);
}

/* ---- 10 ---- */

static void any_promisc(void)
{
	pcap_t *p = pcap_create("any", errbuf);

	pcap_set_promisc(p, 1);
	say("activate=%d \"%s\"", pcap_activate(p), pcap_geterr(p));
	pcap_close(p);
	p = pcap_create("any", errbuf);
	pcap_set_promisc(p, 1);
	pcap_setnonblock(p, 1, errbuf);
	say("nonblock activate=%d \"%s\"", pcap_activate(p), pcap_geterr(p));
}

static void success_leaves_no_text(void)
{
	try_activate(CAP, 0, 0);
	try_activate(CAP, 1, 0);
	try_activate("any", 0, 0);
	try_activate("lo", 1, 0);
}

/* ---- 11 ---- */

static void failed_handle(void)
{
	static const char *const names[] = { "nosuch0", CAP };

	for (size_t i = 0; i < 2; i++) {
		struct pcap_stat stats;
		pcap_t *p = pcap_create(names[i], errbuf);

		pcap_set_rfmon(p, (int)i);
		say_code(p, "activate", pcap_activate(p));
		say("geterr=\"%s\"", pcap_geterr(p));
		say("fileno=%d", pcap_fileno(p));
		say_code(p, "stats", pcap_stats(p, &stats));
		say_code(p, "snaplen", pcap_set_snaplen(p, 100));
		pcap_close(p);
	}
}

static void retry_same(void)
{
	pcap_t *p = pcap_create("nosuch0", errbuf);

	say("first=%d", pcap_activate(p));
	say("second=%d", pcap_activate(p));
	pcap_close(p);
}

static void retry_when_up(void)
{
	struct packets packets = { 0 };
	pcap_t *p = pcap_create(CAP, errbuf);

	pcap_set_timeout(p, 10);
	link_down(CAP);
	say("down=%d", pcap_activate(p));
	link_up(CAP);
	say("up=%d", pcap_activate(p));
	send_in(2, 60);
	drain(p, &packets, 2);
	say("n=%u", packets.count);
	pcap_close(p);
}

static void retry_without_rfmon(void)
{
	pcap_t *p = pcap_create(CAP, errbuf);

	pcap_set_rfmon(p, 1);
	say("first=%d", pcap_activate(p));
	pcap_set_rfmon(p, 0);
	say("second=%d", pcap_activate(p));
	pcap_close(p);
}

static void rfmon_query_after_failure(void)
{
	pcap_t *p = pcap_create("nosuch0", errbuf);

	say("activate=%d", pcap_activate(p));
	say("can_set_rfmon=%d", pcap_can_set_rfmon(p));
	pcap_close(p);
}

static void no_descriptor_leaks(void)
{
	static const struct how plain = { .device = CAP }, quick = { .device = CAP, .immediate = 1 },
				any = { .device = "any" };
	int before, after;

	pcap_close(open_how(&plain));
	before = dup(0);
	close(before);
	for (int i = 0; i < 10; i++) {
		pcap_close(open_how(&plain));
		pcap_close(open_how(&quick));
		pcap_close(open_how(&any));
	}
	after = dup(0);
	say("leaked=%d", after - before);
}

/* ---- 14 ---- */

static void promisc_membership(void)
{
	pcap_t *p, *q;

	say("none=%u", promiscuity(CAP));
	p = open_how(&(struct how){ .device = CAP, .promisc = 1 });
	say("one=%u", promiscuity(CAP));
	q = open_how(&(struct how){ .device = CAP, .promisc = 1, .immediate = 1 });
	say("two=%u", promiscuity(CAP));
	pcap_close(p);
	say("one closed=%u", promiscuity(CAP));
	pcap_close(q);
	say("both closed=%u", promiscuity(CAP));
	p = open_how(&(struct how){ .device = CAP });
	say("without=%u", promiscuity(CAP));
	pcap_close(p);
	p = open_how(&(struct how){ .device = "any", .promisc = 1 });
	say("any=%u", promiscuity(CAP));
	pcap_close(p);
	p = open_how(&(struct how){ .device = "lo", .promisc = 1 });
	say("lo=%u", promiscuity("lo"));
	pcap_close(p);
	say("lo closed=%u", promiscuity("lo"));
}

static void no_allmulti(void)
{
	pcap_t *p = open_how(&(struct how){ .device = CAP, .promisc = 1 });
	char line[1024], *found = NULL;
	FILE *shown = popen("ip -d link show dev " CAP, "r");

	while (shown != NULL && found == NULL && fgets(line, sizeof(line), shown) != NULL)
		found = strstr(line, "allmulti ");
	say("%.*s", 10, found != NULL ? found : "not shown");
	pcap_close(p);
}

/* ---- 15 ---- */

static void protocol(const char *device, int header_length)
{
	struct packets packets = { .header_length = (unsigned)header_length };
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .protocol = ETHERTYPE_A });

	send_out(4, 60);
	send_in(2, 60);
	send_in_type(3, 60, ETHERTYPE_B);
	drain_all(p, &packets);
	say_packets(device, &packets);
	say_stats(p, "stats");
	pcap_close(p);
}

static void one_protocol(void)
{
	protocol(CAP, 14);
	protocol("any", 16);
}

/* ---- 19 ---- */

static void say_address(const char *label, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (address == NULL)
		return;
	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof(text));
	say("%s family %d %s", label, address->sa_family, text);
}

static void say_devices(void)
{
	pcap_if_t *devices = NULL;
	int rc;

	errbuf[0] = '\0';
	rc = pcap_findalldevs(&devices, errbuf);
	say("findalldevs=%d \"%s\"", rc, errbuf);
	for (pcap_if_t *device = devices; device != NULL; device = device->next) {
		say("%s \"%s\" flags=%x", device->name, device->description != NULL ? device->description : "",
		    device->flags);
		for (pcap_addr_t *address = device->addresses; address != NULL; address = address->next) {
			say_address("addr", address->addr);
			say_address("mask", address->netmask);
			say_address("broadcast", address->broadaddr);
			say_address("peer", address->dstaddr);
		}
	}
	pcap_freealldevs(devices);
}

static void devices(void)
{
	say_devices();
}

static void devices_unprivileged(void)
{
	drop_capabilities();
	say_devices();
}

static void devices_down(void)
{
	link_down(CAP);
	say_devices();
}

const struct test_case activate_cases[] = {
	{ "3.1-7 unknown devices", unknown_devices },
	{ "3.1-7 device down", device_down },
	{ "3.1-7 rfmon", rfmon },
	{ "3.1-8 no CAP_NET_RAW", no_privilege },
	{ "3.1-9 an empty text is filled", empty_text_is_filled },
	{ "3.1-10 any with promiscuous mode", any_promisc },
	{ "3.1-10 success leaves no text", success_leaves_no_text },
	{ "3.1-11 a failed handle can be asked and closed", failed_handle },
	{ "3.1-11 activate again after failure", retry_same },
	{ "3.1-11 activate again when the device is up", retry_when_up },
	{ "3.1-11 activate again without rfmon", retry_without_rfmon },
	{ "3.1-11 can_set_rfmon after failure", rfmon_query_after_failure },
	{ "3.1-14 promiscuous membership", promisc_membership },
	{ "3.1-14 never allmulti", no_allmulti },
	{ "3.1-15 one protocol", one_protocol },
	{ "3.1-19 findalldevs", devices },
	{ "3.1-19 findalldevs unprivileged", devices_unprivileged },
	{ "3.1-19 findalldevs with a device down", devices_down },
	{ "3.9-60 open and close leak no descriptor", no_descriptor_leaks },
	{ NULL, NULL },
};
