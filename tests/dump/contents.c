/* SPDX-License-Identifier: BSD-3-Clause */
/* What is dumped, from where, and into how many files. */
#include "probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT "out.pcap"

static void dump(pcap_dumper_t *dumper, long sec, long fraction, unsigned caplen, unsigned len, const void *bytes)
{
	struct pcap_pkthdr header = { .ts = { sec, fraction }, .caplen = caplen, .len = len };

	pcap_dump((u_char *)dumper, &header, bytes);
}

static void headers(int precision)
{
	static uint8_t bytes[MAX_PACKET];
	pcap_t *p = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, (u_int)precision);
	pcap_dumper_t *dumper = open_dump(p, OUT);

	memset(bytes, 0x5a, sizeof(bytes));
	dump(dumper, 0, 0, 0, 0, bytes);
	dump(dumper, 1, 1, 0, 60, NULL);
	dump(dumper, 2, 2, 1, 1, bytes);
	dump(dumper, 3, 3, 262144, 262144, bytes);
	dump(dumper, 4, 4, 60, 0xffffffffu, bytes);
	dump(dumper, 5, 999999999, 60, 10, bytes);
	dump(dumper, -1, -1, 60, 60, bytes);
	dump(dumper, 0x123456789L, 0x123456789L, 60, 60, bytes);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void packet_sizes(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	(void)unused;
	for (unsigned i = 0; i < 200; i++)
		dump_packet(dumper, i, MAX_PACKET - i % 3);
	for (unsigned i = 200; i < 3000; i++)
		dump_packet(dumper, i, 4000 + i);
	for (unsigned i = 3000; i < 100000; i++)
		dump_packet(dumper, i, i % 97);
	say("tell=%ld", pcap_dump_ftell(dumper));
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void exact_sizes(int unused)
{
	(void)unused;
	/* Around powers of two, where buffers and blocks end. */
	for (unsigned shift = 9; shift <= 22; shift++) {
		for (int by = -1; by <= 1; by++) {
			pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
			unsigned left = (1u << shift) + (unsigned)by - 24;

			for (unsigned i = 0; left > 0; i++) {
				unsigned size = left > 2000 ? 1000 : left;

				if (size < 1000 && size < 16)
					size = 16;
				dump_packet(dumper, i, size - 16);
				left -= size < left ? size : left;
			}
			pcap_dump_close(dumper);
			say_file("", OUT);
		}
	}
}

static void modified(int length)
{
	static uint8_t bytes[MAX_PACKET];
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	struct pcap_pkthdr header = { .caplen = (unsigned)length, .len = (unsigned)length };

	for (unsigned i = 0; i < 40; i++) {
		memset(bytes, (int)i, (size_t)length);
		header.ts.tv_sec = i;
		pcap_dump((u_char *)dumper, &header, bytes);
		memset(bytes, 0xee, (size_t)length);
		header.ts.tv_sec = header.caplen = 77;
		header.caplen = (unsigned)length;
	}
	pcap_dump_flush(dumper);
	say_file("flushed", OUT);
	pcap_dump_close(dumper);
}

static void freed(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	(void)unused;
	for (unsigned i = 0; i < 3000; i++) {
		struct pcap_pkthdr *header = calloc(1, sizeof(*header));
		uint8_t *bytes = calloc(1, 1400);

		memset(bytes, (int)i, 1400);
		header->caplen = header->len = 1400;
		pcap_dump((u_char *)dumper, header, bytes);
		free(bytes);
		free(header);
	}
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void several(int same_handle)
{
	static const char *const paths[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	pcap_dumper_t *dumpers[8];
	pcap_t *p = dead_handle();

	for (unsigned i = 0; i < 8; i++)
		dumpers[i] = open_dump(same_handle ? p : dead_handle(), paths[i]);
	for (unsigned i = 0; i < 16000; i++)
		dump_packet(dumpers[i % 8], i, 100 + i % 1300);
	say("flush=%d", pcap_dump_flush(dumpers[3]));
	say_file("d", "d");
	pcap_dump_close(dumpers[5]);
	say_file("f", "f");
	for (unsigned i = 0; i < 100; i++)
		dump_packet(dumpers[i % 5], i, 60);
	for (unsigned i = 0; i < 8; i++) {
		if (i != 5)
			pcap_dump_close(dumpers[i]);
		say_file(paths[i], paths[i]);
	}
}

/* Opened one after the other, as rotation does, also with a name used before. */
static void many(int unused)
{
	pcap_t *p = dead_handle();
	unsigned before = open_descriptors();
	char path[16];

	(void)unused;
	for (unsigned i = 0; i < 300; i++) {
		pcap_dumper_t *dumper;

		snprintf(path, sizeof(path), "f%u", i % 3);
		dumper = open_dump(p, path);
		dump_packets(dumper, i, i % 40, 1400);
		pcap_dump_close(dumper);
	}
	say("left open=%d", (int)(open_descriptors() - before));
	say_file("0", "f0");
	say_file("1", "f1");
	say_file("2", "f2");
}

/* A thousand at once: what a writer keeps for each must be within reason. */
static void many_at_once(int unused)
{
	enum { COUNT = 900 };
	static pcap_dumper_t *dumpers[COUNT];
	pcap_t *p = dead_handle();
	char path[16];
	unsigned opened = 0;

	(void)unused;
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "f%u", i);
		dumpers[i] = pcap_dump_open(p, path);
		opened += dumpers[i] != NULL;
	}
	say("opened=%u", opened);
	for (unsigned i = 0; i < 10 * COUNT; i++)
		if (dumpers[i % COUNT] != NULL)
			dump_packet(dumpers[i % COUNT], i, 1000);
	for (unsigned i = 0; i < COUNT; i++)
		if (dumpers[i] != NULL)
			pcap_dump_close(dumpers[i]);
	say_file("first", "f0");
	say_file("last", path);
}

static void same_file(int append)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *one = append ? pcap_dump_open_append(p, OUT) : open_dump(p, OUT), *other;

	dump_packets(one, 0, 10, 100);
	pcap_dump_flush(one);
	other = append ? pcap_dump_open_append(p, OUT) : open_dump(p, OUT);
	pcap_dump_flush(other);
	say_file("both open", OUT);
	for (unsigned i = 0; i < 5; i++) {
		dump_packets(one, 100 + i, 3, 1000);
		pcap_dump_flush(one);
		dump_packets(other, 200 + i, 3, 700);
		pcap_dump_flush(other);
		say_file("by turns", OUT);
	}
	pcap_dump_close(one);
	pcap_dump_close(other);
	say_file("closed", OUT);
}

static void copy(int filtered)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), "in.pcap");
	struct bpf_program program;
	pcap_t *p;

	for (unsigned i = 0; i < 20000; i++)
		dump_packet(dumper, i, 14 + i % 1400);
	pcap_dump_close(dumper);
	p = pcap_open_offline("in.pcap", errbuf);
	if (p == NULL)
		give_up("open_offline: %s", errbuf);
	if (filtered && (pcap_compile(p, &program, "ether[12] & 1 = 0", 1, 0) < 0 || pcap_setfilter(p, &program) < 0))
		give_up("filter: %s", pcap_geterr(p));
	dumper = open_dump(p, OUT);
	say("dispatch=%d", pcap_dispatch(p, 100, pcap_dump, (u_char *)dumper));
	say("tell=%ld", pcap_dump_ftell(dumper));
	say("loop=%d", pcap_loop(p, -1, pcap_dump, (u_char *)dumper));
	pcap_close(p);
	dump_packets(dumper, 0, 3, 100);
	pcap_dump_close(dumper);
	say_file("copy", OUT);
}

/* The file that is read grows while it is copied into itself: as far as flushes go. */
static void after_close(int unused)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = open_dump(p, OUT);

	(void)unused;
	dump_packets(dumper, 0, 1000, 1400);
	pcap_close(p);
	dump_packets(dumper, 1000, 1000, 1400);
	say("flush=%d", pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	dump_packets(dumper, 2000, 10, 1400);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void cannot_open(int unused)
{
	pcap_t *p = dead_handle(), *odd = pcap_open_dead(DLT_PPP_BSDOS, 100), *idle = pcap_create("lo", errbuf);

	(void)unused;
	say("NULL: %d \"%s\"", pcap_dump_open(p, NULL) == NULL, pcap_geterr(p));
	say("append NULL: %d \"%s\"", pcap_dump_open_append(p, NULL) == NULL, pcap_geterr(p));
	say("PPP_BSDOS: %d \"%s\"", pcap_dump_open(odd, "x") == NULL, pcap_geterr(odd));
	odd = pcap_open_dead(12345, 100);
	say("unknown: %d \"%s\"", pcap_dump_open(odd, "x") == NULL, pcap_geterr(odd));
	say("append unknown: %d \"%s\"", pcap_dump_open_append(odd, "x") == NULL, pcap_geterr(odd));
	say("fopen unknown: %d \"%s\"", pcap_dump_fopen(odd, stderr) == NULL, pcap_geterr(odd));
	say("not activated: %d \"%s\"", pcap_dump_open(idle, "x") == NULL, pcap_geterr(idle));
	say_file("x", "x");
	say("empty name: %d \"%s\"", pcap_dump_open(p, "") == NULL, pcap_geterr(p));
}

const struct test_case packet_cases[] = {
	{ "packets: odd headers", headers, 0, EVERYWHERE, NULL },
	{ "packets: odd headers, nanoseconds", headers, 1, 0, NULL },
	{ "packets: of all sizes", packet_sizes, 0, EVERYWHERE, NULL },
	{ "packets: file sizes around powers of two", exact_sizes, 0, EVERYWHERE, NULL },
	{ "packets: modified after the dump, small", modified, 60, 0, NULL },
	{ "packets: modified after the dump, large", modified, 262144, EVERYWHERE, NULL },
	{ "packets: freed after the dump", freed, 0, 0, NULL },
	{ "packets: eight files, a handle each", several, 0, EVERYWHERE, NULL },
	{ "packets: eight files of one handle", several, 1, 0, NULL },
	{ "packets: many files, one after the other", many, 0, EVERYWHERE, NULL },
	{ "packets: many files at once", many_at_once, 0, 0, NULL },
	{ "packets: the same file twice", same_file, 0, EVERYWHERE, NULL },
	{ "packets: the same file twice, append", same_file, 1, EVERYWHERE, NULL },
	{ "packets: from a savefile", copy, 0, EVERYWHERE, NULL },
	{ "packets: from a savefile, filtered", copy, 1, 0, NULL },
	{ "packets: the handle closed before the dumper", after_close, 0, 0, NULL },
	{ "packets: names and handles that cannot be", cannot_open, 0, 0, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
