/* SPDX-License-Identifier: BSD-3-Clause */
/* The FILE behind a dumper: a program may do with it what it does with any. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT "out.pcap"

static void fflush_shows(int everything)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file = pcap_dump_file(dumper);

	say("fflush=%d", fflush(everything ? NULL : file));
	say_file("header", OUT);
	dump_packets(dumper, 0, 3, 100);
	say("fflush=%d", fflush(everything ? NULL : file));
	say_file("3", OUT);
	dump_packets(dumper, 3, 3000, 1400);
	say("fflush=%d", fflush(everything ? NULL : file));
	say_file("3003", OUT);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void flush_shows(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	(void)unused;
	for (unsigned i = 0; i < 600; i++) {
		dump_packet(dumper, i, 60 + i * 7 % 1400);
		if (pcap_dump_flush(dumper) != 0)
			say("flush failed");
		if (i % 50 == 0)
			say_file("flushed", OUT);
	}
	pcap_dump_close(dumper);
	say_packets("closed", OUT);
}

static void descriptor(int append)
{
	pcap_t *p = dead_handle();
	unsigned before = open_descriptors();
	pcap_dumper_t *dumper = append ? pcap_dump_open_append(p, OUT) : pcap_dump_open(p, OUT);
	int fd = fileno(pcap_dump_file(dumper));
	struct stat by_fd = { 0 }, by_path = { 0 };

	say("fileno=%s", fd >= 0 ? "set" : "none");
	say("same file=%d", fstat(fd, &by_fd) == 0 && stat(OUT, &by_path) == 0 && by_fd.st_ino == by_path.st_ino);
	say("mode=%o", by_path.st_mode & 07777);
	say("flags=%x", (unsigned)fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT));
	say("cloexec=%d", fcntl(fd, F_GETFD) & FD_CLOEXEC);
	dump_packets(dumper, 0, 2000, 1000);
	pcap_dump_flush(dumper);
	say("position=%lld", (long long)lseek(fd, 0, SEEK_CUR));
	fstat(fd, &by_fd);
	say("size=%lld", (long long)by_fd.st_size);
	pcap_dump_close(dumper);
	say("left open=%d", (int)(open_descriptors() - before));
	say("fd closed=%d", fcntl(fd, F_GETFD) < 0);
}

/* Legal with any FILE: flush, then write to the descriptor itself. */
static void write_to_descriptor(int append)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = append ? pcap_dump_open_append(p, OUT) : pcap_dump_open(p, OUT);
	int fd = fileno(pcap_dump_file(dumper));

	for (unsigned round = 0; round < 3; round++) {
		dump_packets(dumper, 10 * round, 10, 777);
		say("flush=%d", pcap_dump_flush(dumper));
		say("write=%zd", write(fd, "comment by hand", 15));
		say("tell=%ld", pcap_dump_ftell(dumper));
	}
	dump_packet(dumper, 40, 100);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void tell(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	long long at[8];

	(void)unused;
	for (unsigned i = 0; i < 5000; i++) {
		dump_packet(dumper, i, i % 1500);
		if (i % 500 == 0)
			say("%ld/%lld/%ld/%lld", pcap_dump_ftell(dumper), (long long)pcap_dump_ftell64(dumper), ftell(pcap_dump_file(dumper)),
			    (long long)ftello(pcap_dump_file(dumper)));
	}
	/* As tcpdump -C asks: for each packet. */
	at[0] = 0;
	for (unsigned i = 0; i < 100000; i++) {
		dump_packet(dumper, i, 60);
		at[0] += pcap_dump_ftell64(dumper);
	}
	say("sum=%lld", at[0]);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

enum { BEFORE = 0, MIDDLE = 1, UNBUFFERED = 2, BY_LINE = 4, OWN = 8 };

static void set_buffer(FILE *file, int how)
{
	static char own[1 << 20];
	int rc;

	if (how & UNBUFFERED)
		rc = setvbuf(file, NULL, _IONBF, 0);
	else if (how & BY_LINE)
		rc = setvbuf(file, NULL, _IOLBF, 0);
	else
		rc = setvbuf(file, own, _IOFBF, sizeof(own));
	say("setvbuf=%d", rc);
}

static void buffering(int how)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	if (how & MIDDLE)
		dump_packets(dumper, 0, 2500, 1001);
	set_buffer(pcap_dump_file(dumper), how);
	for (unsigned i = 2500; i < 2510; i++) {
		dump_packet(dumper, i, 333);
		if (how & UNBUFFERED)
			say_size("seen", OUT);
	}
	dump_packets(dumper, 2510, 2000, 1400);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	dump_packets(dumper, 5000, 10, 50);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void own_writes(int length)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file = pcap_dump_file(dumper);
	static char block[300000];

	memset(block, 'b', sizeof(block));
	for (unsigned i = 0; i < 200; i++) {
		dump_packet(dumper, i, (unsigned)length);
		fputs("text ", file);
		dump_packet(dumper, 1000 + i, (unsigned)length);
		fprintf(file, "%u", i);
		putc('x', file);
		if (i % 20 == 0)
			fwrite(block, 1, sizeof(block) / (i + 1), file);
		if (i % 25 == 0)
			say("%ld", pcap_dump_ftell(dumper));
		if (i % 50 == 0) {
			say("%ld", ftell(file));
			fputs_unlocked("unlocked", file);
		}
	}
	say("ferror=%d feof=%d", ferror(file), feof(file));
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

/* Own bytes are the last ones before the file is looked at. */
static void own_writes_last(int close_by)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file = pcap_dump_file(dumper);

	dump_packets(dumper, 0, 100, 900);
	fputs("first", file);
	say("flush=%d", close_by == 0 ? pcap_dump_flush(dumper) : fflush(file));
	say_file("flushed", OUT);
	dump_packets(dumper, 100, 100, 900);
	fputs("last", file);
	if (close_by == 0)
		pcap_dump_close(dumper);
	else
		fclose(file);
	say_file("closed", OUT);
}

static void seek(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file = pcap_dump_file(dumper);
	uint32_t snaplen = 1500;
	fpos_t position;

	(void)unused;
	dump_packets(dumper, 0, 1500, 1499);
	say("to the snapshot length=%d", fseek(file, 16, SEEK_SET));
	say("tell=%ld", pcap_dump_ftell(dumper));
	fwrite(&snaplen, sizeof(snaplen), 1, file);
	say("back=%d tell=%ld", fseek(file, 0, SEEK_END), pcap_dump_ftell(dumper));
	fgetpos(file, &position);
	dump_packets(dumper, 1500, 500, 100);
	say("over the last=%d", fsetpos(file, &position));
	dump_packets(dumper, 3000, 3, 200);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	say("behind the end=%d", fseeko(file, 100000, SEEK_END));
	dump_packet(dumper, 4000, 1000);
	say("relative=%d", fseek(file, -500, SEEK_CUR));
	dump_packet(dumper, 4001, 1);
	rewind(file);
	say("tell=%ld", pcap_dump_ftell(dumper));
	dump_packet(dumper, 4002, 5000);
	say("before the start=%d", fseek(file, -100000000, SEEK_CUR));
	say("errno=%d", errno);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

/* A ring of one file, as some daemons have it: cut and begin again. */
static void cut(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file = pcap_dump_file(dumper);

	(void)unused;
	dump_packets(dumper, 0, 3000, 1400);
	pcap_dump_flush(dumper);
	say("ftruncate=%d", ftruncate(fileno(file), 24));
	say("fseek=%d", fseek(file, 24, SEEK_SET));
	dump_packets(dumper, 5000, 10, 100);
	pcap_dump_flush(dumper);
	say_file("flushed", OUT);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

/* Another program cuts the file (logrotate's copytruncate): the writer goes on at its own position. */
static void cut_by_another(int append)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = append ? pcap_dump_open_append(p, OUT) : pcap_dump_open(p, OUT);

	dump_packets(dumper, 0, 2000, 1400);
	pcap_dump_flush(dumper);
	say("truncate=%d", truncate(OUT, 0));
	dump_packets(dumper, 5000, 1500, 1300);
	pcap_dump_flush(dumper);
	say_file("flushed", OUT);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void reopen(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	FILE *file;

	(void)unused;
	dump_packets(dumper, 0, 2000, 1400);
	file = freopen("second", "wb", pcap_dump_file(dumper));
	say("freopen=%d", file == pcap_dump_file(dumper));
	dump_packets(dumper, 2000, 100, 100);
	pcap_dump_close(dumper);
	say_file("first", OUT);
	say_file("second", "second");
}

/* And closed, without a word to the library; then comes another dumper, which may be in the same place. */
static void reopen_and_close(int unused)
{
	char path[] = "0";
	FILE *file;

	(void)unused;
	for (; path[0] < '6'; path[0]++) {
		pcap_dumper_t *dumper = open_dump(dead_handle(), path);

		dump_packets(dumper, 0, 2000, 1400);
		file = freopen("second", "wb", pcap_dump_file(dumper));
		fputs("text", file);
		fclose(file);
		dumper = open_dump(dead_handle(), OUT);
		dump_packets(dumper, 0, 2000, 1400);
		say("system=%d", system("true"));
		pcap_dump_close(dumper);
		say_file(path, path);
		say_file("second", "second");
		say_file("other", OUT);
	}
}

/* The dumper was the FILE in every libpcap so far, and old programs cast. */
static void cast(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	(void)unused;
	say("same=%d", (FILE *)dumper == pcap_dump_file(dumper));
	dump_packets(dumper, 0, 100, 100);
	say("tell=%ld", ftell((FILE *)dumper));
	fflush((FILE *)dumper);
	say_file("flushed", OUT);
	pcap_dump_close(dumper);
}

static void duplicate(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	int copy = dup(fileno(pcap_dump_file(dumper)));

	(void)unused;
	dump_packets(dumper, 0, 3001, 1000);
	pcap_dump_close(dumper);
	say("write=%zd", write(copy, "after the end", 13));
	close(copy);
	say_file("closed", OUT);
}

/* Renamed and removed while it is open, as rotation does. */
static void renamed(int removed)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	int reader = open(OUT, O_RDONLY);
	struct stat status;

	dump_packets(dumper, 0, 1000, 1000);
	say("%d", removed ? unlink(OUT) : rename(OUT, "renamed"));
	dump_packets(dumper, 1000, 3000, 1000);
	pcap_dump_flush(dumper);
	fstat(reader, &status);
	say("size=%lld", (long long)status.st_size);
	pcap_dump_close(dumper);
	say_file("old name", OUT);
	say_file("new name", "renamed");
}

static void to_stdout(int append)
{
	pcap_t *p = dead_handle();
	int out = open(OUT, O_RDWR | O_CREAT | O_TRUNC, 0644);
	pcap_dumper_t *dumper;

	dup2(out, STDOUT_FILENO);
	printf("before ");
	dumper = append ? pcap_dump_open_append(p, "-") : pcap_dump_open(p, "-");
	say("stdout=%d", pcap_dump_file(dumper) == stdout);
	dump_packets(dumper, 0, 2000, 1400);
	printf("between");
	dump_packets(dumper, 2000, 10, 100);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	dump_packets(dumper, 2010, 10, 100);
	printf("after");
	pcap_dump_close(dumper);
	say_file("closed", OUT);
	say("fd 1 closed=%d", fcntl(STDOUT_FILENO, F_GETFD) < 0);
}

/* Another file under the dumper's descriptor: what is dumped later goes there. Large enough for O_DIRECT. */
static void replaced(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);
	int fd;

	(void)unused;
	dump_packets(dumper, 0, 20000, 1000);
	say("flush=%d", pcap_dump_flush(dumper));
	fd = open("second", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	say("dup2=%d", dup2(fd, fileno(pcap_dump_file(dumper))) >= 0);
	close(fd);
	dump_packets(dumper, 20000, 20000, 1000);
	pcap_dump_close(dumper);
	say_file("first", OUT);
	say_file("second", "second");
}

const struct test_case stream_cases[] = {
	{ "file: fflush shows everything", fflush_shows, 0, EVERYWHERE, NULL },
	{ "file: fflush(NULL) shows everything", fflush_shows, 1, EVERYWHERE, NULL },
	{ "file: pcap_dump_flush shows everything", flush_shows, 0, EVERYWHERE, NULL },
	{ "file: the descriptor", descriptor, 0, EVERYWHERE, NULL },
	{ "file: the descriptor of an append", descriptor, 1, EVERYWHERE, NULL },
	{ "file: write(2) after a flush", write_to_descriptor, 0, EVERYWHERE, NULL },
	{ "file: write(2) after a flush, append", write_to_descriptor, 1, EVERYWHERE, NULL },
	{ "file: ftell", tell, 0, EVERYWHERE, NULL },
	{ "file: setvbuf before, unbuffered", buffering, BEFORE | UNBUFFERED, EVERYWHERE, NULL },
	{ "file: setvbuf before, by line", buffering, BEFORE | BY_LINE, 0, NULL },
	{ "file: setvbuf before, own buffer", buffering, BEFORE | OWN, 0, NULL },
	{ "file: setvbuf later, unbuffered", buffering, MIDDLE | UNBUFFERED, EVERYWHERE, NULL },
	{ "file: setvbuf later, by line", buffering, MIDDLE | BY_LINE, 0, NULL },
	{ "file: setvbuf later, own buffer", buffering, MIDDLE | OWN, 0, NULL },
	{ "file: own bytes between small packets", own_writes, 60, 0, NULL },
	{ "file: own bytes between large packets", own_writes, 65535, EVERYWHERE, NULL },
	{ "file: own bytes last", own_writes_last, 0, 0, NULL },
	{ "file: own bytes last, fflush and fclose", own_writes_last, 1, 0, NULL },
	{ "file: fseek", seek, 0, EVERYWHERE, NULL },
	{ "file: ftruncate and fseek", cut, 0, EVERYWHERE, NULL },
	{ "file: truncated by another", cut_by_another, 0, EVERYWHERE, NULL },
	{ "file: truncated by another, append", cut_by_another, 1, 0, NULL },
	{ "file: freopen", reopen, 0, 0, NULL },
	{ "file: freopen, fclose, and another", reopen_and_close, 0, 0, NULL },
	{ "file: the dumper cast to FILE", cast, 0, 0, NULL },
	{ "file: a duplicate of the descriptor", duplicate, 0, EVERYWHERE, NULL },
	{ "file: renamed while open", renamed, 0, 0, NULL },
	{ "file: removed while open", renamed, 1, 0, NULL },
	{ "file: stdout", to_stdout, 0, 0, NULL },
	{ "file: stdout, append", to_stdout, 1, 0, NULL },
	{ "dup2: another file", replaced, 0, EVERYWHERE, NULL },
	{ "dup2: another file", replaced, 0, 0, "NETRING_DUMP=direct" },
	{ NULL, NULL, 0, 0, NULL },
};
