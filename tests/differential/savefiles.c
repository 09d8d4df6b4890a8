/* SPDX-License-Identifier: BSD-3-Clause */
/* Savefiles: what a live handle writes, what offline handles read, and what these answer to live calls. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char errbuf[PCAP_ERRBUF_SIZE];

/* A file that is gone when the case ends, under a name that does not depend on what else is open. */
static const char *scratch_file(void)
{
	static char path[64];
	int fd = fcntl(fileno(tmpfile()), F_DUPFD, 500);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static size_t file_bytes(const char *path, uint8_t *bytes, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? pread(fd, bytes, size, 0) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The bytes of a savefile with the seconds and fractions of its packets left out. */
static void say_file(const char *label, const char *path)
{
	static uint8_t bytes[65536];
	size_t length = file_bytes(path, bytes, sizeof(bytes));

	for (size_t at = 24; at + 16 <= length;) {
		uint32_t caplen;

		memset(bytes + at, 0, 8);
		memcpy(&caplen, bytes + at + 8, 4);
		at += 16 + caplen;
	}
	say("%s: %zu bytes", label, length);
	say_bytes("header", bytes, length < 24 ? length : 24);
	say("hash=%016llx", (unsigned long long)fingerprint(bytes, length));
}

static void say_opened(pcap_t *p)
{
	int *list = NULL;

	if (p == NULL) {
		say("not opened \"%s\"", errbuf);
		return;
	}
	say("datalink=%d ext=%x snapshot=%d precision=%d", pcap_datalink(p), (unsigned)pcap_datalink_ext(p),
	    pcap_snapshot(p), pcap_get_tstamp_precision(p));
	say("version %d.%d swapped=%d file=%s", pcap_major_version(p), pcap_minor_version(p), pcap_is_swapped(p),
	    pcap_file(p) != NULL ? "set" : "NULL");
	say("list=%d", pcap_list_datalinks(p, &list));
	pcap_free_datalinks(list);
	say("bufsize=%d selectable=%d", pcap_bufsize(p), pcap_get_selectable_fd(p) >= 0);
	say("required=%s", pcap_get_required_select_timeout(p) == NULL ? "NULL" : "set");
}

/* ---- written by live handles ---- */

static void record(const char *device, int dlt, int precision, bool append)
{
	const char *path = scratch_file();
	pcap_t *p = open_how(&(struct how){ .device = device, .timeout_ms = 10, .precision = precision, .snaplen = 80 });
	pcap_dumper_t *dumper;
	struct packets packets = { 0 };
	pcap_t *q;

	pcap_set_datalink(p, dlt);
	for (int round = 0; round <= append; round++) {
		dumper = round == 0 ? pcap_dump_open(p, path) : pcap_dump_open_append(p, path);
		if (dumper == NULL)
			give_up("dump_open: %s", pcap_geterr(p));
		say("at %ld", pcap_dump_ftell(dumper));
		send_in(2, 60);
		send_in(1, 100);
		for (int n = 0, rc; n < 3; n += rc) {
			guard_start(p, 3000);
			rc = pcap_dispatch(p, 3 - n, pcap_dump, (u_char *)dumper);
			if (guard_stop() || rc < 0)
				give_up("dispatch=%d", rc);
		}
		say("flush=%d", pcap_dump_flush(dumper));
		say("at %ld, 64 bits %lld, file %s", pcap_dump_ftell(dumper), (long long)pcap_dump_ftell64(dumper),
		    pcap_dump_file(dumper) != NULL ? "set" : "NULL");
		pcap_dump_close(dumper);
	}
	say_file("written", path);
	q = pcap_open_offline_with_tstamp_precision(path, (u_int)precision, errbuf);
	say_opened(q);
	if (q != NULL) {
		say("loop=%d", pcap_loop(q, -1, collect, (u_char *)&packets));
		say_packets("read back", &packets);
		pcap_close(q);
	}
	pcap_close(p);
}

static void record_ethernet(void)
{
	record(CAP, DLT_EN10MB, 0, false);
}

static void record_nano(void)
{
	record(CAP, DLT_EN10MB, 1, false);
}

static void record_any(void)
{
	record("any", DLT_LINUX_SLL, 0, false);
	record("any", DLT_LINUX_SLL2, 0, false);
}

static void record_docsis(void)
{
	record(CAP, DLT_DOCSIS, 0, false);
}

static void record_append(void)
{
	record(CAP, DLT_EN10MB, 0, true);
	record(CAP, DLT_EN10MB, 1, true);
}

static void append_mismatch(void)
{
	const char *path = scratch_file();
	pcap_t *p = open_live(CAP, 10), *q = open_live("any", 10);
	pcap_t *r = open_how(&(struct how){ .device = CAP, .precision = 1 });

	pcap_dump_close(pcap_dump_open(p, path));
	say("other link type: %s \"%s\"", pcap_dump_open_append(q, path) != NULL ? "opened" : "NULL", pcap_geterr(q));
	say("other precision: %s \"%s\"", pcap_dump_open_append(r, path) != NULL ? "opened" : "NULL", pcap_geterr(r));
	say("no such folder: %s \"%s\"", pcap_dump_open(p, "/nonexistent/x") != NULL ? "opened" : "NULL", pcap_geterr(p));
	say("append there: %s \"%s\"", pcap_dump_open_append(p, "/nonexistent/x") != NULL ? "opened" : "NULL",
	    pcap_geterr(p));
}

static void dump_fopen(void)
{
	FILE *file = tmpfile();
	pcap_t *p = open_live(CAP, 10);
	pcap_dumper_t *dumper = pcap_dump_fopen(p, file);
	uint8_t bytes[64] = { 0 };

	say("%s same file=%d", dumper != NULL ? "opened" : "NULL", pcap_dump_file(dumper) == file);
	pcap_dump_flush(dumper);
	say("length=%zd", pread(fileno(file), bytes, sizeof(bytes), 0));
	say_bytes("header", bytes, 24);
}

/* ---- offline handles ---- */

/* A savefile made by hand: `count` Ethernet frames of 60 bytes. */
static FILE *savefile(uint32_t magic, uint32_t snaplen, uint32_t linktype, unsigned count)
{
	struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, linktype;
	} header = { magic, 2, 4, 0, 0, snaplen, linktype };
	FILE *file = tmpfile();
	uint8_t frame[60];

	fwrite(&header, sizeof(header), 1, file);
	for (unsigned i = 0; i < count; i++) {
		uint32_t packet[4] = { 1000 + i, 999999 - i, 60, 60 };

		make_frame(frame, sizeof(frame), i % 2 ? ETHERTYPE_B : ETHERTYPE_A, i);
		fwrite(packet, sizeof(packet), 1, file);
		fwrite(frame, sizeof(frame), 1, file);
	}
	rewind(file);
	return file;
}

static pcap_t *offline(unsigned count)
{
	pcap_t *p = pcap_fopen_offline(savefile(0xa1b2c3d4, 65535, 1, count), errbuf);

	if (p == NULL)
		give_up("fopen_offline: %s", errbuf);
	return p;
}

static void read_offline(void)
{
	struct packets packets = { 0 };
	struct pcap_pkthdr *header, plain_header;
	const u_char *data;
	pcap_t *p = offline(6);

	say_opened(p);
	say("dispatch(2)=%d", pcap_dispatch(p, 2, collect, (u_char *)&packets));
	say("next_ex=%d", pcap_next_ex(p, &header, &data));
	say("%ld.%06ld", (long)header->ts.tv_sec, (long)header->ts.tv_usec);
	data = pcap_next(p, &plain_header);
	say("next=%s %u", data != NULL ? "data" : "NULL", plain_header.caplen);
	say("loop(1)=%d", pcap_loop(p, 1, collect, (u_char *)&packets));
	say("dispatch(-1)=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("end: dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("loop=%d", pcap_loop(p, -1, collect, (u_char *)&packets));
	say("next_ex=%d", pcap_next_ex(p, &header, &data));
	say("next=%s", pcap_next(p, &plain_header) != NULL ? "data" : "NULL");
	say_packets("read", &packets);
	pcap_close(p);
}

static void break_offline(void)
{
	struct packets packets = { .break_at = 2 };
	pcap_t *p = offline(6);

	packets.handle = p;
	say("loop=%d", pcap_loop(p, -1, collect, (u_char *)&packets));
	pcap_breakloop(p);
	say("dispatch=%d", pcap_dispatch(p, -1, collect, (u_char *)&packets));
	say("loop=%d", pcap_loop(p, -1, collect, (u_char *)&packets));
	say("n=%u", packets.count);
}

static void filter_offline(void)
{
	struct packets packets = { 0 };
	pcap_t *p = offline(6);

	set_filter(p, "ether proto 0x88b6");
	say("loop=%d", pcap_loop(p, -1, collect, (u_char *)&packets));
	say_packets("read", &packets);
}

static void live_calls_offline(void)
{
	struct pcap_stat stats;
	pcap_t *p = offline(2);
	int *types = NULL;

	say_code(p, "stats", pcap_stats(p, &stats));
	say_code(p, "inject", pcap_inject(p, "0123456789012345", 16));
	say_code(p, "sendpacket", pcap_sendpacket(p, (const u_char *)"0123456789012345", 16));
	say_code(p, "setdirection", pcap_setdirection(p, PCAP_D_IN));
	say_code(p, "activate", pcap_activate(p));
	say_code(p, "snaplen", pcap_set_snaplen(p, 10));
	say_code(p, "datalink", pcap_set_datalink(p, 12));
	say_code(p, "same datalink", pcap_set_datalink(p, 1));
	say_code(p, "rfmon", pcap_can_set_rfmon(p));
	say("list=%d", pcap_list_tstamp_types(p, &types));
	errbuf[0] = '\0';
	say("getnonblock=%d \"%s\"", pcap_getnonblock(p, errbuf), errbuf);
	errbuf[0] = '\0';
	say("setnonblock=%d \"%s\"", pcap_setnonblock(p, 1, errbuf), errbuf);
	say("fileno=%d", pcap_fileno(p) >= 0);
}

static void precisions_offline(void)
{
	static const uint32_t magics[] = { 0xa1b2c3d4, 0xa1b23c4d, 0xd4c3b2a1 };

	for (size_t i = 0; i < 3; i++) {
		for (u_int precision = 0; precision < 3; precision++) {
			struct pcap_pkthdr *header;
			const u_char *data;
			pcap_t *p = pcap_fopen_offline_with_tstamp_precision(savefile(magics[i], 65535, 1, 1), precision,
									     errbuf);

			say("magic %x precision %u", magics[i], precision);
			say_opened(p);
			if (p != NULL && pcap_next_ex(p, &header, &data) == 1)
				say("%ld.%ld", (long)header->ts.tv_sec, (long)header->ts.tv_usec);
			if (p != NULL)
				pcap_close(p);
		}
	}
}

static void broken_files(void)
{
	struct packets packets = { 0 };
	FILE *file;
	pcap_t *p;

	errbuf[0] = '\0';
	say("missing: %s \"%s\"", pcap_open_offline("/nonexistent.pcap", errbuf) == NULL ? "NULL" : "opened", errbuf);
	say("NULL: %s \"%s\"", pcap_open_offline(NULL, errbuf) == NULL ? "NULL" : "opened", errbuf);
	say("empty: %s \"%s\"", pcap_fopen_offline(tmpfile(), errbuf) == NULL ? "NULL" : "opened", errbuf);
	say("magic: %s \"%s\"", pcap_fopen_offline(savefile(0x12345678, 65535, 1, 1), errbuf) == NULL ? "NULL" : "opened",
	    errbuf);
	file = savefile(0xa1b2c3d4, 65535, 1, 2);
	if (ftruncate(fileno(file), 24 + 76 + 30) < 0)
		give_up("ftruncate");
	p = pcap_fopen_offline(file, errbuf);
	say_code(p, "truncated", pcap_loop(p, -1, collect, (u_char *)&packets));
	say("n=%u", packets.count);
	pcap_close(p);
	file = savefile(0xa1b2c3d4, 65535, 1, 1);
	fseek(file, 24 + 8, SEEK_SET);
	fwrite("\xff\xff\xff\x7f", 4, 1, file);
	rewind(file);
	p = pcap_fopen_offline(file, errbuf);
	say_code(p, "huge packet", pcap_loop(p, -1, collect, (u_char *)&packets));
	pcap_close(p);
}

static void rewrite(void)
{
	const char *path = scratch_file();
	pcap_t *p = offline(4);
	pcap_dumper_t *dumper = pcap_dump_open(p, path);

	say("loop=%d", pcap_loop(p, -1, pcap_dump, (u_char *)dumper));
	pcap_dump_close(dumper);
	say_file("rewritten", path);
	pcap_close(p);
}

static void standard_streams(void)
{
	FILE *file = savefile(0xa1b2c3d4, 65535, 1, 3);
	pcap_dumper_t *dumper;
	int out = fileno(tmpfile());
	char path[64];
	pcap_t *p;

	dup2(fileno(file), 0);
	p = pcap_open_offline("-", errbuf);
	say_opened(p);
	dup2(out, 1);
	dumper = pcap_dump_open(p, "-");
	say("dumper=%d stdout=%d", dumper != NULL, dumper != NULL && pcap_dump_file(dumper) == stdout);
	say("loop=%d", pcap_loop(p, -1, pcap_dump, (u_char *)dumper));
	pcap_dump_flush(dumper);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", out);
	say_file("written", path);
}

const struct test_case savefile_cases[] = {
	{ "savefile: dump on Ethernet", record_ethernet },
	{ "savefile: dump with nanoseconds", record_nano },
	{ "savefile: dump on any", record_any },
	{ "savefile: dump as DOCSIS", record_docsis },
	{ "savefile: dump and append", record_append },
	{ "savefile: dump that cannot be", append_mismatch },
	{ "savefile: dump_fopen", dump_fopen },
	{ "offline: read", read_offline },
	{ "offline: breakloop", break_offline },
	{ "offline: filter", filter_offline },
	{ "offline: calls for live handles", live_calls_offline },
	{ "offline: precisions", precisions_offline },
	{ "offline: broken files", broken_files },
	{ "offline: rewrite", rewrite },
	{ "offline: standard streams", standard_streams },
	{ NULL, NULL },
};
