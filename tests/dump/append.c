/* SPDX-License-Identifier: BSD-3-Clause */
/* pcap_dump_open_append: what it goes on with, and what it refuses. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT "out.pcap"

static void try(const char *label, pcap_t *p, const char *path)
{
	pcap_dumper_t *dumper = pcap_dump_open_append(p, path);

	if (dumper == NULL) {
		say("%s: \"%s\"", label, pcap_geterr(p));
		return;
	}
	say("%s: at %ld", label, pcap_dump_ftell(dumper));
	dump_packets(dumper, 0, 3, 100);
	say("at %ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", path);
	pcap_dump_close(dumper);
	say_file("closed", path);
}

static void good(int unused)
{
	pcap_t *p = dead_handle();

	(void)unused;
	try("fresh", p, OUT);
	try("again", p, OUT);
	try("again", p, OUT);
	write_bytes("empty", "", 0);
	try("empty", p, "empty");
	say("link=%d", symlink(OUT, "link"));
	try("link", p, "link");
	say("dangling=%d", symlink("nothing", "dangling"));
	try("dangling", p, "dangling");
}

/* Odd lengths and large files: the end of the file is not where a block ends. */
static void grow(int length)
{
	pcap_t *p = dead_handle();

	for (unsigned round = 0; round < 12; round++) {
		pcap_dumper_t *dumper = pcap_dump_open_append(p, OUT);

		if (dumper == NULL)
			give_up("append: %s", pcap_geterr(p));
		dump_packets(dumper, round * 1000, 900 + round, (unsigned)length + round);
		say("at %lld", (long long)pcap_dump_ftell64(dumper));
		pcap_dump_close(dumper);
	}
	say_file("closed", OUT);
}

/* Rotation by size with append: ftell counts from the start of the file. */
static void after_partial(int unused)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = open_dump(p, OUT);

	(void)unused;
	dump_packets(dumper, 0, 10, 1000);
	pcap_dump_close(dumper);
	say("cut=%d", truncate(OUT, 24 + 9 * 1016 + 500));
	try("after a partial packet", p, OUT);
}

struct header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, linktype;
};

static void try_header(const char *label, struct header header)
{
	write_bytes(OUT, &header, sizeof(header));
	try(label, dead_handle(), OUT);
	try("the same, nanoseconds", pcap_open_dead_with_tstamp_precision(DLT_EN10MB, MAX_PACKET, 1), OUT);
}

static void headers(int unused)
{
	(void)unused;
	try_header("microseconds", (struct header){ 0xa1b2c3d4, 2, 4, 0, 0, MAX_PACKET, 1 });
	try_header("nanoseconds", (struct header){ 0xa1b23c4d, 2, 4, 0, 0, MAX_PACKET, 1 });
	try_header("other byte order", (struct header){ 0xd4c3b2a1, 0x200, 0x400, 0, 0, 0x400, 0x1000000 });
	try_header("other byte order, nanoseconds", (struct header){ 0x4d3cb2a1, 0x200, 0x400, 0, 0, 0x400, 0x1000000 });
	try_header("Kuznetzov", (struct header){ 0xa1b2cd34, 2, 4, 0, 0, MAX_PACKET, 1 });
	try_header("Navtel", (struct header){ 0xa12b3c4d, 2, 4, 0, 0, MAX_PACKET, 1 });
	try_header("pcapng", (struct header){ 0x0a0d0d0a, 28, 0, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff });
	try_header("version 2.3", (struct header){ 0xa1b2c3d4, 2, 3, 0, 0, MAX_PACKET, 1 });
	try_header("version 3.4", (struct header){ 0xa1b2c3d4, 3, 4, 0, 0, MAX_PACKET, 1 });
	try_header("link type", (struct header){ 0xa1b2c3d4, 2, 4, 0, 0, MAX_PACKET, 113 });
	try_header("snapshot length", (struct header){ 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1 });
	try_header("time zone", (struct header){ 0xa1b2c3d4, 2, 4, 3600, 6, MAX_PACKET, 1 });
	try_header("none", (struct header){ 0x12345678, 2, 4, 0, 0, MAX_PACKET, 1 });
}

static void refused(int unused)
{
	pcap_t *p = dead_handle();
	unsigned before = open_descriptors();

	(void)unused;
	write_bytes("short", "\xd4\xc3\xb2\xa1\x02\0\x04", 7);
	try("short", p, "short");
	write_bytes("text", "This is no savefile at all, but a text.\n", 40);
	try("text", p, "text");
	say("mkdir=%d", mkdir("folder", 0755));
	try("folder", p, "folder");
	try("in no folder", p, "nowhere/x");
	try("device", p, "/dev/full");
	try("null", p, "/dev/null");
	say("left open=%d", (int)(open_descriptors() - before));
	say_file("short", "short");
	say_file("text", "text");
}

static void unprivileged(int unused)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper;

	(void)unused;
	write_bytes("protected", "", 0);
	chmod("protected", 0600);
	write_bytes("readable", "", 0);
	chmod(".", 0777);
	dumper = open_dump(p, OUT);
	if (setgid(65534) < 0 || setuid(65534) < 0)
		give_up("setuid");
	try("protected", p, "protected");
	try("readable", p, "readable");
	say("open: %d \"%s\"", pcap_dump_open(p, "protected") == NULL, pcap_geterr(p));
	/* Opened before, used after. */
	dump_packets(dumper, 0, 3000, 1400);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
	try("own", p, "own");
}

/* Bytes that another appends stay, and ours go behind them. */
static void beside_another(int unused)
{
	pcap_dumper_t *dumper = pcap_dump_open_append(dead_handle(), OUT);
	int other = open(OUT, O_WRONLY | O_APPEND);

	(void)unused;
	for (unsigned i = 0; i < 20; i++) {
		dump_packets(dumper, i, i % 5, 1000 + i);
		pcap_dump_flush(dumper);
		if (write(other, "another's line\n", 15) != 15)
			give_up("write");
	}
	say("tell=%ld", pcap_dump_ftell(dumper));
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

/* Writes go to the end wherever the position is; ftell says where it is. */
static void seek(int unused)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = open_dump(p, OUT);
	FILE *file;

	(void)unused;
	dump_packets(dumper, 0, 500, 1000);
	pcap_dump_close(dumper);
	dumper = pcap_dump_open_append(p, OUT);
	file = pcap_dump_file(dumper);
	dump_packets(dumper, 500, 500, 1000);
	for (long at = 0; at < 3000; at += 1000) {
		say("fseek=%d", fseek(file, at, SEEK_SET));
		say("tell=%ld", pcap_dump_ftell(dumper));
		fputs("text", file);
		say("tell=%ld", ftell(file));
		dump_packet(dumper, 1000, 100);
		say("flush=%d", pcap_dump_flush(dumper));
		say("tell=%ld", ftell(file));
	}
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

const struct test_case append_cases[] = {
	{ "append: fresh, empty, again", good, 0, EVERYWHERE, NULL },
	{ "append: twelve times, small packets", grow, 21, EVERYWHERE, NULL },
	{ "append: twelve times, large packets", grow, 3333, EVERYWHERE, NULL },
	{ "append: fseek", seek, 0, EVERYWHERE, NULL },
	{ "append: behind a partial packet", after_partial, 0, EVERYWHERE, NULL },
	{ "append: headers", headers, 0, 0, NULL },
	{ "append: refused", refused, 0, 0, NULL },
	{ "append: without privilege", unprivileged, 0, EVERYWHERE, NULL },
	{ "append: beside another writer", beside_another, 0, EVERYWHERE, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
