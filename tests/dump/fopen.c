/* SPDX-License-Identifier: BSD-3-Clause */
/* pcap_dump_fopen on FILEs of all kinds: the program's own, with whatever it has done to them. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT "out.pcap"

static pcap_dumper_t *on_file(FILE *file)
{
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper = file != NULL ? pcap_dump_fopen(p, file) : NULL;

	if (dumper == NULL)
		give_up("dump_fopen: %s", file == NULL ? strerror(errno) : pcap_geterr(p));
	say("same file=%d tell=%ld", pcap_dump_file(dumper) == file, pcap_dump_ftell(dumper));
	return dumper;
}

/* Some of everything, then the FILE used by its own name. */
static void use(FILE *file)
{
	pcap_dumper_t *dumper = on_file(file);

	dump_packets(dumper, 0, 5, 100);
	fputs("between", file);
	dump_packets(dumper, 5, 3000, 1400);
	say("tell=%ld ftell=%ld flush=%d", pcap_dump_ftell(dumper), ftell(file), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	dump_packets(dumper, 4000, 3, 60);
	fputs("end", file);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void by_mode(int which)
{
	static const char *const modes[] = { "w", "w+", "a", "a+", "r+", "wx", "we" };
	FILE *file;

	if (which >= 2 && which <= 4)
		write_bytes(OUT, "was there before", 16);
	file = fopen(OUT, modes[which]);
	if (file == NULL)
		give_up("fopen: %s", strerror(errno));
	use(file);
}

static void buffered_content(int unused)
{
	FILE *file = fopen(OUT, "w");

	(void)unused;
	fputs("content that is still in the buffer", file);
	use(file);
}

static void in_the_middle(int unused)
{
	FILE *file;
	char text[8] = "";

	(void)unused;
	write_bytes(OUT, "0123456789abcdefghij", 20);
	file = fopen(OUT, "r+");
	say("read %zu", fread(text, 1, 5, file));
	fseek(file, 7, SEEK_SET);
	use(file);
}

static void own_buffer(int unbuffered)
{
	static char buffer[70000];
	FILE *file = fopen(OUT, "w");

	setvbuf(file, unbuffered ? NULL : buffer, unbuffered ? _IONBF : _IOFBF, unbuffered ? 0 : sizeof(buffer));
	use(file);
}

static void read_back(int unused)
{
	FILE *file = fopen(OUT, "w+");
	pcap_dumper_t *dumper = on_file(file);
	static uint8_t bytes[100000];

	(void)unused;
	dump_packets(dumper, 0, 3000, 1000);
	say("fseek=%d", fseek(file, -50000, SEEK_END));
	say("read=%zu", fread(bytes, 1, sizeof(bytes), file));
	say("%016llx", (unsigned long long)fingerprint(bytes, sizeof(bytes)));
	say("feof=%d fseek=%d", feof(file), fseek(file, 0, SEEK_END));
	dump_packets(dumper, 3000, 10, 1000);
	rewind(file);
	say("read=%zu", fread(bytes, 1, 24, file));
	say("%016llx", (unsigned long long)fingerprint(bytes, 24));
	pcap_dump_close(dumper);
	say_file("closed", OUT);
}

static void descriptor_flags(int append)
{
	int fd = open(OUT, O_RDWR | O_CREAT | O_TRUNC | (append ? O_APPEND : 0), 0644);

	if (write(fd, "before", 6) != 6)
		give_up("write");
	use(fdopen(fd, "w"));
}

static void temporary(int unlinked)
{
	FILE *file = unlinked ? fopen(OUT, "w+") : tmpfile();
	pcap_dumper_t *dumper = on_file(file);
	static uint8_t bytes[5000000];
	int reader = dup(fileno(file));
	ssize_t n;

	if (unlinked)
		unlink(OUT);
	dump_packets(dumper, 0, 3000, 1400);
	say("flush=%d", pcap_dump_flush(dumper));
	n = pread(reader, bytes, sizeof(bytes), 0);
	say("%zd bytes, %016llx", n, (unsigned long long)fingerprint(bytes, n > 0 ? (size_t)n : 0));
	dump_packets(dumper, 3000, 3, 1400);
	pcap_dump_close(dumper);
	n = pread(reader, bytes, sizeof(bytes), 0);
	say("%zd bytes, %016llx", n, (unsigned long long)fingerprint(bytes, n > 0 ? (size_t)n : 0));
}

/* ---- streams: a thread takes what comes ---- */

static uint8_t received[16000000];
static size_t received_length;

static void *receive(void *fd)
{
	ssize_t n;

	while (received_length < sizeof(received) && (n = read(*(int *)fd, received + received_length, sizeof(received) - received_length)) > 0)
		__atomic_add_fetch(&received_length, (size_t)n, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool received_within_seconds(size_t length)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&received_length, __ATOMIC_SEQ_CST) < length; i++)
		usleep(10000);
	return __atomic_load_n(&received_length, __ATOMIC_SEQ_CST) >= length;
}

static void stream(int how)
{
	int fds[2];
	pthread_t thread;
	pcap_dumper_t *dumper;

	if ((how == 0 ? pipe(fds) : socketpair(AF_UNIX, how, 0, fds)) < 0)
		give_up("no stream");
	pthread_create(&thread, NULL, receive, &fds[0]);
	dumper = on_file(fdopen(fds[1], "w"));
	dump_packets(dumper, 0, 3, 100);
	say("flush=%d", pcap_dump_flush(dumper));
	say("there=%d", received_within_seconds(24 + 3 * 116));
	say("tell=%ld", pcap_dump_ftell(dumper));
	fputs("between", pcap_dump_file(dumper));
	dump_packets(dumper, 3, 3000, 1400);
	dump_packets(dumper, 3003, 20, 200000);
	pcap_dump_close(dumper);
	pthread_join(thread, NULL);
	say("%zu bytes, %016llx", received_length, (unsigned long long)fingerprint(received, received_length));
}

static void fifo(int append)
{
	pcap_t *p = dead_handle();
	int fd;
	pthread_t thread;
	pcap_dumper_t *dumper;

	if (system("mkfifo fifo") != 0)
		give_up("mkfifo");
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	fcntl(fd, F_SETFL, 0);
	dumper = append ? pcap_dump_open_append(p, "fifo") : pcap_dump_open(p, "fifo");
	say("%s", dumper != NULL ? "opened" : pcap_geterr(p));
	if (dumper == NULL)
		return;
	pthread_create(&thread, NULL, receive, &fd);
	dump_packets(dumper, 0, 3000, 1400);
	say("flush=%d", pcap_dump_flush(dumper));
	say("there=%d", received_within_seconds(24 + 3000 * 1416));
	pcap_dump_close(dumper);
	pthread_join(thread, NULL);
	say("%zu bytes, %016llx", received_length, (unsigned long long)fingerprint(received, received_length));
}

/* A pipe that would block: stdio gives up with EAGAIN, and what is in the FILE then is undefined; but it does not hang, and it says so. */
static void nonblocking_pipe(int unused)
{
	int fds[2];
	pcap_dumper_t *dumper;

	(void)unused;
	if (pipe2(fds, O_NONBLOCK) < 0)
		give_up("no pipe");
	dumper = on_file(fdopen(fds[1], "w"));
	dump_packets(dumper, 0, 3000, 1400);
	say("flush=%d ferror=%d", pcap_dump_flush(dumper), ferror(pcap_dump_file(dumper)) != 0);
	pcap_dump_close(dumper);
	say_logged("stream");
}

static void to_program(int unused)
{
	FILE *file = popen("gzip -1 | gzip -d >" OUT, "w");
	pcap_dumper_t *dumper = on_file(file);

	(void)unused;
	dump_packets(dumper, 0, 3000, 1400);
	fputs("end", file);
	say("pclose=%d", pclose(pcap_dump_file(dumper)));
	say_file("closed", OUT);
}

static void memory(int unused)
{
	char *bytes = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&bytes, &length);
	pcap_dumper_t *dumper = on_file(file);

	(void)unused;
	dump_packets(dumper, 0, 3000, 1400);
	fputs("end", file);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say("%zu bytes, %016llx", length, (unsigned long long)fingerprint(bytes, length));
	dump_packets(dumper, 3000, 3, 1400);
	pcap_dump_close(dumper);
	say("%zu bytes, %016llx", length, (unsigned long long)fingerprint(bytes, length));
}

static ssize_t cookie_write(void *sum, const char *bytes, size_t length)
{
	*(uint64_t *)sum = *(uint64_t *)sum * 31 + fingerprint(bytes, 1) + length;
	received_length += length;
	return (ssize_t)length;
}

static void cookie(int unused)
{
	uint64_t sum = 0;
	pcap_dumper_t *dumper = on_file(fopencookie(&sum, "w", (cookie_io_functions_t){ .write = cookie_write }));

	(void)unused;
	dump_packets(dumper, 0, 3000, 1400);
	pcap_dump_close(dumper);
	say("%zu bytes", received_length);
}

static void read_only(int unused)
{
	FILE *file;
	pcap_t *p = dead_handle();

	(void)unused;
	write_bytes(OUT, "x", 1);
	file = fopen(OUT, "r");
	say("%s \"%s\"", pcap_dump_fopen(p, file) != NULL ? "opened" : "NULL", pcap_geterr(p));
	say_file("file", OUT);
}

const struct test_case fopen_cases[] = {
	{ "fopen: \"w\"", by_mode, 0, EVERYWHERE, NULL },
	{ "fopen: \"w+\"", by_mode, 1, 0, NULL },
	{ "fopen: \"a\"", by_mode, 2, EVERYWHERE, NULL },
	{ "fopen: \"a+\"", by_mode, 3, 0, NULL },
	{ "fopen: \"r+\"", by_mode, 4, 0, NULL },
	{ "fopen: \"wx\"", by_mode, 5, 0, NULL },
	{ "fopen: \"we\"", by_mode, 6, 0, NULL },
	{ "fopen: content already in the buffer", buffered_content, 0, EVERYWHERE, NULL },
	{ "fopen: in the middle of a file", in_the_middle, 0, EVERYWHERE, NULL },
	{ "fopen: own buffer", own_buffer, 0, 0, NULL },
	{ "fopen: unbuffered", own_buffer, 1, 0, NULL },
	{ "fopen: read back", read_back, 0, EVERYWHERE, NULL },
	{ "fopen: a descriptor in the middle", descriptor_flags, 0, EVERYWHERE, NULL },
	{ "fopen: an O_APPEND descriptor", descriptor_flags, 1, EVERYWHERE, NULL },
	{ "fopen: tmpfile", temporary, 0, 0, NULL },
	{ "fopen: removed file", temporary, 1, EVERYWHERE, NULL },
	{ "fopen: pipe", stream, 0, 0, NULL },
	{ "fopen: stream socket", stream, SOCK_STREAM, 0, NULL },
	{ "fopen: FIFO", fifo, 0, 0, NULL },
	{ "fopen: FIFO, append", fifo, 1, 0, NULL },
	{ "fopen: a pipe that does not block", nonblocking_pipe, 0, 0, NULL },
	{ "fopen: popen", to_program, 0, 0, NULL },
	{ "fopen: memory", memory, 0, 0, NULL },
	{ "fopen: cookie", cookie, 0, 0, NULL },
	{ "fopen: read-only", read_only, 0, 0, NULL },
	{ NULL, NULL, 0, 0, NULL },
};
