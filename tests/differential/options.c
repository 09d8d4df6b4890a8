/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences 1-6, 10, 16-18: pcap_create, the options, and every function on a handle that is not active yet. */
#include "probe.h"

#include <limits.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static char errbuf[PCAP_ERRBUF_SIZE];

static pcap_t *created(const char *device)
{
	pcap_t *p = pcap_create(device, errbuf);

	if (p == NULL)
		give_up("create: %s", errbuf);
	return p;
}

/* ---- 1: create ---- */

static void create_null(void)
{
	pcap_t *p = created(NULL);

	say_code(p, "activate", pcap_activate(p));
	say("datalink=%d", pcap_datalink(p));
	pcap_close(p);
}

static void create_unchecked(void)
{
	static const char *const names[] = { "nosuch0", "", "averyveryverylonginterfacename", "a/b", "cap0 " };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pcap_t *p;

		strcpy(errbuf, "untouched");
		p = pcap_create(names[i], errbuf);
		say("\"%s\": %s errbuf=\"%s\"", names[i], p != NULL ? "handle" : "NULL", errbuf);
		if (p != NULL)
			pcap_close(p);
	}
}

/* ---- 2: defaults ---- */

static int packet_version(pcap_t *p)
{
	int version = -1;
	socklen_t size = sizeof(version);

	if (getsockopt(pcap_fileno(p), SOL_PACKET, PACKET_VERSION, &version, &size) < 0)
		return -1;
	return version;
}

static void defaults(void)
{
	pcap_t *p = created(CAP);

	say_code(p, "activate", pcap_activate(p));
	say("snapshot=%d", pcap_snapshot(p));
	say("nonblock=%d", pcap_getnonblock(p, errbuf));
	say("precision=%d", pcap_get_tstamp_precision(p));
	say("promiscuity=%u", promiscuity(CAP));
	say("packet version=%d", packet_version(p));
	say("datalink=%d", pcap_datalink(p));
	pcap_close(p);
}

/* ---- 3: options on an active handle ---- */

static void set_when_active(void)
{
	pcap_t *p = open_live(CAP, 100);

	say_code(p, "snaplen", pcap_set_snaplen(p, 100));
	say_code(p, "promisc", pcap_set_promisc(p, 1));
	say_code(p, "rfmon", pcap_set_rfmon(p, 1));
	say_code(p, "timeout", pcap_set_timeout(p, 1));
	say_code(p, "buffer_size", pcap_set_buffer_size(p, 1));
	say_code(p, "tstamp_type", pcap_set_tstamp_type(p, PCAP_TSTAMP_HOST));
	say_code(p, "immediate", pcap_set_immediate_mode(p, 1));
	say_code(p, "precision", pcap_set_tstamp_precision(p, 1));
	say_code(p, "protocol", pcap_set_protocol_linux(p, 3));
	say_code(p, "can_set_rfmon", pcap_can_set_rfmon(p));
	say("promiscuity=%u", promiscuity(CAP));
	say("snapshot=%d", pcap_snapshot(p));
	pcap_close(p);
}

/* The essence of libpcap's reactivatetest. */
static void activate_twice(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_live(CAP, 10);

	say_code(p, "again", pcap_activate(p));
	send_in(2, 60);
	drain(p, &packets, 2);
	say_packets("after", &packets);
	pcap_close(p);
}

/* ---- 4: values ---- */

static void set_values(void)
{
	pcap_t *p = created(CAP);
	static const int types[] = { -1, 0, 1, 2, 3, 4, 5, 6, 99 };

	say_code(p, "buffer 0", pcap_set_buffer_size(p, 0));
	say_code(p, "buffer -1", pcap_set_buffer_size(p, -1));
	say_code(p, "buffer INT_MIN", pcap_set_buffer_size(p, INT_MIN));
	say_code(p, "precision -1", pcap_set_tstamp_precision(p, -1));
	say_code(p, "precision 2", pcap_set_tstamp_precision(p, 2));
	say_code(p, "precision 1", pcap_set_tstamp_precision(p, 1));
	say("get=%d", pcap_get_tstamp_precision(p));
	say_code(p, "precision 0", pcap_set_tstamp_precision(p, 0));
	say("get=%d", pcap_get_tstamp_precision(p));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char label[32];

		snprintf(label, sizeof(label), "type %d", types[i]);
		say_code(p, label, pcap_set_tstamp_type(p, types[i]));
	}
	say_code(p, "snaplen INT_MIN", pcap_set_snaplen(p, INT_MIN));
	say_code(p, "timeout INT_MAX", pcap_set_timeout(p, INT_MAX));
	say_code(p, "timeout INT_MIN", pcap_set_timeout(p, INT_MIN));
	say_code(p, "promisc 7", pcap_set_promisc(p, 7));
	say_code(p, "protocol -1", pcap_set_protocol_linux(p, -1));
	say_code(p, "activate", pcap_activate(p));
	pcap_close(p);
}

/* ---- 5: functions on a handle that is not active ---- */

static void inactive_dispatch(void)
{
	struct packets packets = { 0 };
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_dispatch(p, 1, collect, (u_char *)&packets));
}

static void inactive_loop(void)
{
	struct packets packets = { 0 };
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_loop(p, 1, collect, (u_char *)&packets));
}

static void inactive_next_ex(void)
{
	struct pcap_pkthdr *header = NULL;
	const u_char *data = NULL;
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_next_ex(p, &header, &data));
}

static void inactive_next(void)
{
	struct pcap_pkthdr header;
	pcap_t *p = created(CAP);

	say("%s \"%s\"", pcap_next(p, &header) == NULL ? "NULL" : "data", pcap_geterr(p));
}

static void inactive_setfilter(void)
{
	struct bpf_insn accept = { BPF_RET | BPF_K, 0, 0, 65535 };
	struct bpf_program program = { .bf_len = 1, .bf_insns = &accept };
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_setfilter(p, &program));
	say_code(p, "NULL", pcap_setfilter(p, NULL));
}

static void inactive_setdirection(void)
{
	pcap_t *p = created(CAP);

	say_code(p, "in", pcap_setdirection(p, PCAP_D_IN));
	say_code(p, "9", pcap_setdirection(p, (pcap_direction_t)9));
}

static void inactive_stats(void)
{
	struct pcap_stat stats;
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_stats(p, &stats));
}

static void inactive_inject(void)
{
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_inject(p, "0123456789012345678901234567890123456789", 40));
}

static void inactive_sendpacket(void)
{
	pcap_t *p = created(CAP);

	say_code(p, "rc", pcap_sendpacket(p, (const u_char *)"01234567890123456789", 20));
}

static void inactive_datalink(void)
{
	int *list = NULL;
	pcap_t *p = created(CAP);

	say_code(p, "datalink", pcap_datalink(p));
	say_code(p, "datalink_ext", pcap_datalink_ext(p));
	say_code(p, "list", pcap_list_datalinks(p, &list));
	say("list %s", list == NULL ? "untouched" : "set");
	say_code(p, "set 0", pcap_set_datalink(p, 0));
	say_code(p, "set 1", pcap_set_datalink(p, 1));
	say_code(p, "set 276", pcap_set_datalink(p, 276));
}

static void inactive_properties(void)
{
	pcap_t *p = created(CAP);

	say_code(p, "snapshot", pcap_snapshot(p));
	say_code(p, "is_swapped", pcap_is_swapped(p));
	say_code(p, "major", pcap_major_version(p));
	say_code(p, "minor", pcap_minor_version(p));
	say_code(p, "bufsize", pcap_bufsize(p));
	say("file=%s", pcap_file(p) == NULL ? "NULL" : "set");
	say("precision=%d", pcap_get_tstamp_precision(p));
}

static void inactive_nonblock(void)
{
	pcap_t *p = created(CAP);

	errbuf[0] = '\0';
	say("get=%d errbuf=\"%s\"", pcap_getnonblock(p, errbuf), errbuf);
	errbuf[0] = '\0';
	say("set=%d errbuf=\"%s\"", pcap_setnonblock(p, 1, errbuf), errbuf);
	say("get=%d", pcap_getnonblock(p, errbuf));
	say("set=%d", pcap_setnonblock(p, 0, errbuf));
}

static void inactive_descriptors(void)
{
	pcap_t *p = created(CAP);

	say("fileno=%d", pcap_fileno(p));
	say("selectable=%d", pcap_get_selectable_fd(p));
	say("required timeout=%s", pcap_get_required_select_timeout(p) == NULL ? "NULL" : "set");
}

static void inactive_compile(void)
{
	struct bpf_program program = { 0 };
	pcap_t *p = created(CAP);

	say_code(p, "compile", pcap_compile(p, &program, "tcp", 1, 0));
}

static void inactive_dump_open(void)
{
	pcap_t *p = created(CAP);
	pcap_dumper_t *dumper = pcap_dump_open(p, "/dev/null");

	say("%s \"%s\"", dumper == NULL ? "NULL" : "dumper", pcap_geterr(p));
}

/* breakloop before activate is kept or not, but must not crash. */
static void inactive_breakloop(void)
{
	struct packets packets = { 0 };
	pcap_t *p = created(CAP);

	pcap_set_immediate_mode(p, 1);
	pcap_breakloop(p);
	say_code(p, "activate", pcap_activate(p));
	send_in(2, 60);
	guarded_dispatch(p, "first", 1, &packets, 2000);
	guarded_dispatch(p, "second", 1, &packets, 2000);
	say("n=%u", packets.count);
}

static void inactive_can_set_rfmon(void)
{
	static const char *const names[] = { CAP, "lo", "any", "nosuch0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pcap_t *p = created(names[i]);

		say_code(p, names[i], pcap_can_set_rfmon(p));
		pcap_close(p);
	}
}

/* ---- 6: snapshot lengths ---- */

static void snaplen_clamps(void)
{
	static const int lengths[] = { 0, -1, INT_MIN, INT_MAX, 1, 20, 21, 22, 65535, 262143, 262144, 262145 };
	static const char *const devices[] = { CAP, "lo", "any" };

	for (size_t d = 0; d < 3; d++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			pcap_t *p = created(devices[d]);

			pcap_set_snaplen(p, lengths[i]);
			if (pcap_activate(p) < 0)
				say("%s %d failed", devices[d], lengths[i]);
			else
				say("%s %d: %d", devices[d], lengths[i], pcap_snapshot(p));
			pcap_close(p);
		}
	}
}

static void snaplen_cuts(void)
{
	static const int lengths[] = { 1, 13, 14, 59, 60, 61 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .snaplen = lengths[i] });

		send_in(1, 60);
		drain(p, &packets, 1);
		say_packets("cut", &packets);
		pcap_close(p);
	}
}

static void snaplen_cuts_cooked(void)
{
	static const int lengths[] = { 1, 21, 40 };

	for (size_t i = 0; i < 6; i++) {
		struct packets packets = { .header_length = 16 };
		pcap_t *p = open_how(&(struct how){ .device = "any", .timeout_ms = 10, .snaplen = lengths[i % 3] });

		if (i >= 3)
			pcap_set_datalink(p, DLT_LINUX_SLL2);
		send_in(1, 60);
		drain(p, &packets, 1);
		say_packets(i < 3 ? "SLL" : "SLL2", &packets);
		pcap_close(p);
	}
}

/* ---- 16, 17: buffers ---- */

static void buffer_sizes(void)
{
	static const int sizes[] = { 0, 1, 4096, 262144, 262145, 8 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct packets packets = { 0 };
		pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .buffer = sizes[i] });

		send_in(3, 1514);
		drain(p, &packets, 3);
		say("%d: n=%u hash=%llx", sizes[i], packets.count, (unsigned long long)packets.hash);
		pcap_close(p);
	}
}

static void bufsize_v3(void)
{
	pcap_t *p = open_live(CAP, 100);

	say("bufsize=%d", pcap_bufsize(p));
}

static void bufsize_v2(void)
{
	static const int lengths[] = { 65535, 96, 262144 };

	for (size_t i = 0; i < 3; i++) {
		pcap_t *p;

		begin_result("3.1-17 bufsize in immediate mode, snaplen %d", lengths[i]);
		p = open_how(&(struct how){ .device = CAP, .snaplen = lengths[i], .immediate = 1 });
		say("bufsize=%d", pcap_bufsize(p));
		pcap_close(p);
	}
}

/* One block or not: 400 large frames are 600 KB. */
static void buffer_size_one(void)
{
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 100, .buffer = 1 });

	send_in(400, 1514);
	drain_all(p, &packets);
	say("all delivered=%s", packets.count == 400 ? "yes" : "no");
}

static void buffer_size_huge(void)
{
	struct packets packets = { 0 };
	pcap_t *p = created(CAP);

	pcap_set_snaplen(p, 65535);
	pcap_set_timeout(p, 10);
	say_code(p, "set", pcap_set_buffer_size(p, 64 << 20));
	say_code(p, "activate", pcap_activate(p));
	send_in(2000, 1514);
	drain_all(p, &packets);
	say("n=%u hash=%llx", packets.count, (unsigned long long)packets.hash);
	say_stats(p, "stats");
}

static void packet_versions(void)
{
	pcap_t *p = open_live(CAP, 100);

	say("default=%d", packet_version(p));
	pcap_close(p);
	p = open_immediate(CAP);
	say("immediate=%d", packet_version(p));
	pcap_close(p);
	p = open_immediate("any");
	say("any immediate=%d", packet_version(p));
	pcap_close(p);
}

/* ---- 18: time stamps ---- */

static void tstamp_lists(void)
{
	static const char *const names[] = { CAP, "lo", "any", "nosuch0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int *types = NULL;
		pcap_t *p = created(names[i]);
		int n = pcap_list_tstamp_types(p, &types);

		say_code(p, names[i], n);
		for (int j = 0; j < n; j++)
			say("%d", types[j]);
		pcap_free_tstamp_types(types);
		pcap_close(p);
	}
}

static void tstamp_list_active(void)
{
	int *types = NULL;
	pcap_t *p = open_live(CAP, 100);
	int n = pcap_list_tstamp_types(p, &types);

	say_code(p, "active", n);
	for (int j = 0; j < n; j++)
		say("%d", types[j]);
}

static void tstamp_types(void)
{
	static const char *const names[] = { CAP, "lo", "any" };

	for (int type = -1; type <= 6; type++) {
		for (size_t i = 0; i < 3; i++) {
			pcap_t *p = created(names[i]);
			char label[64];

			snprintf(label, sizeof(label), "%s %d set", names[i], type);
			say_code(p, label, pcap_set_tstamp_type(p, type));
			say_code(p, "activate", pcap_activate(p));
			pcap_close(p);
		}
	}
}

static void precision(int wanted, int64_t limit)
{
	bool within = true, above_micro = false;
	struct packets packets = { 0 };
	pcap_t *p = open_how(&(struct how){ .device = CAP, .immediate = 1, .precision = wanted });

	say("get=%d", pcap_get_tstamp_precision(p));
	for (unsigned i = 0; i < 30; i++) {
		send_in(1, 60);
		drain(p, &packets, 1);
		within = within && packets.last_fraction >= 0 && packets.last_fraction < limit;
		above_micro = above_micro || packets.last_fraction >= 1000000;
	}
	say("n=%u within=%d above a million=%d", packets.count, within, above_micro);
}

static void precision_micro(void)
{
	precision(PCAP_TSTAMP_PRECISION_MICRO, 1000000);
}

static void precision_nano(void)
{
	precision(PCAP_TSTAMP_PRECISION_NANO, 1000000000);
}

/* The stamp is the wall clock's, between the sending and the reading of the packet. */
static void stamp_is_now(int wanted, int immediate)
{
	struct timespec before, after;
	struct pcap_pkthdr *header;
	const u_char *data;
	int64_t scale = wanted == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	int64_t stamp, rc;
	pcap_t *p = open_how(&(struct how){ .device = CAP, .timeout_ms = 10, .immediate = immediate,
					    .precision = wanted });

	clock_gettime(CLOCK_REALTIME, &before);
	send_in(1, 60);
	guard_start(p, 3000);
	rc = pcap_next_ex(p, &header, &data);
	guard_stop();
	clock_gettime(CLOCK_REALTIME, &after);
	if (rc != 1)
		give_up("next_ex=%d", (int)rc);
	stamp = header->ts.tv_sec * 1000000000LL + header->ts.tv_usec * scale;
	say("precision %d immediate %d: not before=%d not after=%d", wanted, immediate,
	    stamp >= (before.tv_sec * 1000000000LL + before.tv_nsec) / scale * scale,
	    stamp <= after.tv_sec * 1000000000LL + after.tv_nsec);
	pcap_close(p);
}

static void stamps_are_now(void)
{
	for (int wanted = 0; wanted <= 1; wanted++) {
		stamp_is_now(wanted, 0);
		stamp_is_now(wanted, 1);
	}
}

const struct test_case options_cases[] = {
	{ "3.1-1 create(NULL) is any", create_null },
	{ "3.1-1 create does not look at the name", create_unchecked },
	{ "3.1-2 defaults", defaults },
	{ "3.1-3 options on an active handle", set_when_active },
	{ "3.1-3 activate twice (reactivatetest)", activate_twice },
	{ "3.1-4 option values", set_values },
	{ "3.1-5 dispatch before activate", inactive_dispatch },
	{ "3.1-5 loop before activate", inactive_loop },
	{ "3.1-5 next_ex before activate", inactive_next_ex },
	{ "3.1-5 next before activate", inactive_next },
	{ "3.1-5 setfilter before activate", inactive_setfilter },
	{ "3.1-5 setdirection before activate", inactive_setdirection },
	{ "3.1-5 stats before activate", inactive_stats },
	{ "3.1-5 inject before activate", inactive_inject },
	{ "3.1-5 sendpacket before activate", inactive_sendpacket },
	{ "3.1-5 datalink functions before activate", inactive_datalink },
	{ "3.1-5 properties before activate", inactive_properties },
	{ "3.1-5 nonblock before activate", inactive_nonblock },
	{ "3.1-5 descriptors before activate", inactive_descriptors },
	{ "3.1-5 compile before activate", inactive_compile },
	{ "3.1-5 dump_open before activate", inactive_dump_open },
	{ "3.1-5 breakloop before activate", inactive_breakloop },
	{ "3.1-5 can_set_rfmon before activate", inactive_can_set_rfmon },
	{ "3.1-6 snaplen is clamped", snaplen_clamps },
	{ "3.1-6 snaplen cuts packets", snaplen_cuts },
	{ "3.1-6 snaplen on any", snaplen_cuts_cooked },
	{ "3.1-16 buffer sizes all work", buffer_sizes },
	{ "3.1-16 bufsize", bufsize_v3 },
	{ "3.1-16 set_buffer_size(1), 400 packets unread", buffer_size_one },
	{ "3.1-16 set_buffer_size(64 MiB), 2000 packets unread", buffer_size_huge },
	{ "3.1-17 bufsize in immediate mode", bufsize_v2 },
	{ "3.1-17 immediate mode is TPACKET_V2", packet_versions },
	{ "3.1-18 time-stamp types listed", tstamp_lists },
	{ "3.1-18 time-stamp types listed when active", tstamp_list_active },
	{ "3.1-18 time-stamp types set and activated", tstamp_types },
	{ "3.1-18 microseconds", precision_micro },
	{ "3.1-18 nanoseconds", precision_nano },
	{ "3.1-18 the stamp is the time of the packet", stamps_are_now },
	{ NULL, NULL },
};
