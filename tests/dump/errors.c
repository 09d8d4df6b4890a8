/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that cannot be written. Stock goes silent and leaves the file in the middle of a packet; netring ends it behind the last whole packet
 * that fitted, and logs one line that names it: expected-differences.txt has those.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OUT "out.pcap"

/* The state after an error: reported, final, and harmless. */
static void say_failed(pcap_dumper_t *dumper, const char *path)
{
	say("flush=%d", pcap_dump_flush(dumper));
	say("ferror=%d", ferror(pcap_dump_file(dumper)) != 0);
	dump_packets(dumper, 900000, 2000, 1399);
	say("again=%d", pcap_dump_flush(dumper));
	if (path != NULL)
		say_packets("after the error", path);
	pcap_dump_close(dumper);
	if (path != NULL)
		say_packets("closed", path);
}

static void cannot_create(int unused)
{
	static const char *const paths[] = { "nowhere/x",	   "folder", "folder/", "read-only/x", "/proc/self/nothing",
					     "/dev/nosuchthing/x", "loop",   "text/x" };
	pcap_t *p = dead_handle();

	(void)unused;
	if (mkdir("folder", 0755) < 0 || symlink("loop", "loop") < 0)
		give_up("mkdir");
	mount_here("tmpfs", "read-only", "size=100k");
	if (mount(NULL, "read-only", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		give_up("remount: %s", strerror(errno));
	write_bytes("text", "x", 1);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		say("open: %d \"%s\"", pcap_dump_open(p, paths[i]) == NULL, pcap_geterr(p));
		say("append: %d \"%s\"", pcap_dump_open_append(p, paths[i]) == NULL, pcap_geterr(p));
	}
}

static void no_descriptors(int unused)
{
	struct rlimit limit = { 20, 20 };
	pcap_t *p = dead_handle();
	pcap_dumper_t *dumper;
	int fd, last = -1;

	(void)unused;
	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = dup(2)) >= 0)
		last = fd;
	say("open: %d \"%s\"", pcap_dump_open(p, OUT) == NULL, pcap_geterr(p));
	/* One is enough for stock. */
	close(last);
	dumper = pcap_dump_open(p, OUT);
	say("one left: %s", dumper != NULL ? "opened" : pcap_geterr(p));
	if (dumper == NULL)
		return;
	dump_packets(dumper, 0, 3000, 1399);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
	/* A fallback may be worth a line. */
	forget_warnings("Too many open files");
}

static void full_device(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), "/dev/full");

	(void)unused;
	dump_packets(dumper, 0, 3000, 1399);
	say_failed(dumper, NULL);
	say_logged("/dev/full");
}

/* A file system of so many KiB: all packets before the error, none after it. */
static void full_disk(int kib)
{
	pcap_dumper_t *dumper;
	char options[32];

	snprintf(options, sizeof(options), "size=%dk", kib);
	mount_here("tmpfs", "small", options);
	dumper = open_dump(dead_handle(), "small/" OUT);
	dump_packets(dumper, 0, 10000, 1399);
	say_failed(dumper, "small/" OUT);
	say_logged("small/" OUT);
}

/* An error that comes when there is little to write, and nobody flushes: at close. */
static void full_disk_at_close(int unused)
{
	pcap_dumper_t *dumper;
	struct stat status;

	(void)unused;
	mount_here("tmpfs", "small", "size=8k");
	dumper = open_dump(dead_handle(), "small/" OUT);
	dump_packets(dumper, 0, 10, 1399);
	pcap_dump_close(dumper);
	say_packets("closed", "small/" OUT);
	say("size=%s", stat("small/" OUT, &status) == 0 && status.st_size <= 8192 ? "within" : "beyond");
	say_logged("small/" OUT);
}

/* Room comes back: the error stays until clearerr, so that no gap appears in the middle of a packet. */
static void room_comes_back(int unused)
{
	static uint8_t zeros[500000];
	pcap_dumper_t *dumper;

	(void)unused;
	mount_here("tmpfs", "small", "size=1000k");
	write_bytes("small/filler", zeros, sizeof(zeros));
	dumper = open_dump(dead_handle(), "small/" OUT);
	dump_packets(dumper, 0, 1000, 1399);
	say("flush=%d", pcap_dump_flush(dumper));
	unlink("small/filler");
	dump_packets(dumper, 1000, 100, 1399);
	say("ferror=%d", ferror(pcap_dump_file(dumper)) != 0);
	pcap_dump_close(dumper);
	say_packets("closed", "small/" OUT);
	say_logged("small/" OUT);
}

/* RLIMIT_FSIZE: writes end at an odd length. */
static void too_large(int limit)
{
	struct rlimit size = { (rlim_t)limit, RLIM_INFINITY };
	pcap_dumper_t *dumper;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &size);
	dumper = open_dump(dead_handle(), OUT);
	dump_packets(dumper, 0, 10000, 1399);
	say_failed(dumper, OUT);
	say_logged(OUT);
}

static void too_large_append(int limit)
{
	struct rlimit size = { (rlim_t)limit, RLIM_INFINITY };
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	dump_packets(dumper, 0, 100, 1399);
	pcap_dump_close(dumper);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &size);
	dumper = pcap_dump_open_append(dead_handle(), OUT);
	dump_packets(dumper, 100, 10000, 1399);
	say_failed(dumper, OUT);
	say_logged(OUT);
}

static void too_large_dies(int unused)
{
	struct rlimit size = { 100000, RLIM_INFINITY };
	pid_t child = fork();

	(void)unused;
	if (child == 0) {
		setrlimit(RLIMIT_FSIZE, &size);
		dump_packets(open_dump(dead_handle(), OUT), 0, 10000, 1399);
		exit(0);
	}
	say_child("SIGXFSZ", child);
}

/* With a flush for each packet (tcpdump -U) the error is reported by the first flush that fails. */
static void flushed_each(int limit)
{
	struct rlimit size = { (rlim_t)limit, RLIM_INFINITY };
	pcap_dumper_t *dumper;
	unsigned i;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &size);
	dumper = open_dump(dead_handle(), OUT);
	for (i = 0; i < 5000; i++) {
		dump_packet(dumper, i, 1399);
		if (pcap_dump_flush(dumper) != 0)
			break;
	}
	say("failed at %u", i);
	say_failed(dumper, OUT);
	say_logged(OUT);
}

/* ---- streams ---- */

static void reader_gone(int after)
{
	int fds[2];
	static uint8_t bytes[100];
	pcap_dumper_t *dumper;

	signal(SIGPIPE, SIG_IGN);
	if (pipe(fds) < 0)
		give_up("pipe");
	dumper = pcap_dump_fopen(dead_handle(), fdopen(fds[1], "w"));
	if (after) {
		dump_packets(dumper, 0, 3, 60);
		say("flush=%d", pcap_dump_flush(dumper));
		say("read=%d", read(fds[0], bytes, sizeof(bytes)) > 0);
	}
	close(fds[0]);
	dump_packets(dumper, 3, 3000, 1399);
	say_failed(dumper, NULL);
	say_logged("stream");
}

static void reader_gone_dies(int unused)
{
	int fds[2];
	pid_t child;

	(void)unused;
	if (pipe(fds) < 0)
		give_up("pipe");
	close(fds[0]);
	child = fork();
	if (child == 0) {
		dump_packets(pcap_dump_fopen(dead_handle(), fdopen(fds[1], "w")), 0, 3000, 1399);
		exit(0);
	}
	say_child("SIGPIPE", child);
}

static void fifo_reader_gone(int unused)
{
	pcap_dumper_t *dumper;
	int reader;

	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	if (mkfifo("fifo", 0600) < 0)
		give_up("mkfifo");
	reader = open("fifo", O_RDONLY | O_NONBLOCK);
	dumper = open_dump(dead_handle(), "fifo");
	close(reader);
	dump_packets(dumper, 3, 3000, 1399);
	say_failed(dumper, NULL);
	say_logged("fifo");
}

/* As stock: opening waits for a reader. */
static void fifo_without_reader(int unused)
{
	(void)unused;
	if (mkfifo("fifo", 0600) < 0)
		give_up("mkfifo");
	signal(SIGALRM, SIG_DFL);
	alarm(1);
	open_dump(dead_handle(), "fifo");
	say("opened");
}

static void stdout_closed(int unused)
{
	pcap_dumper_t *dumper;
	pcap_t *p = dead_handle();

	(void)unused;
	close(STDOUT_FILENO);
	dumper = pcap_dump_open(p, "-");
	say("%s", dumper != NULL ? "opened" : pcap_geterr(p));
	if (dumper == NULL)
		return;
	dump_packets(dumper, 0, 3000, 1399);
	say_failed(dumper, NULL);
	say_logged("standard output");
}

/* The descriptor is closed under the dumper: an error, not somebody else's file. */
static void descriptor_closed(int unused)
{
	pcap_dumper_t *dumper = open_dump(dead_handle(), OUT);

	(void)unused;
	dump_packets(dumper, 0, 10, 1399);
	pcap_dump_flush(dumper);
	close(fileno(pcap_dump_file(dumper)));
	dump_packets(dumper, 10, 3000, 1399);
	say("flush=%d", pcap_dump_flush(dumper));
	say("ferror=%d", ferror(pcap_dump_file(dumper)) != 0);
	pcap_dump_close(dumper);
	say_logged(OUT);
	say_packets("file", OUT);
}

/* ---- O_DIRECT and io_uring refused ---- */

enum refusal { AT_OPEN = 1, AT_WRITE = 2, NO_URING = 4 };

static int refusals;

static bool refuse_write(int fd)
{
	if (!(refusals & AT_WRITE) || !(fcntl(fd, F_GETFL) & O_DIRECT))
		return false;
	errno = EINVAL;
	return true;
}

/* Exported by the probe, so they come before libc's for every library. */
ssize_t write(int fd, const void *bytes, size_t length)
{
	return refuse_write(fd) ? -1 : syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
	return refuse_write(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
	return refuse_write(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
	return refuse_write(fd) ? -1 : syscall(SYS_writev, fd, vector, count);
}

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define REFUSE(code) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void install(struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = { length, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		give_up("no seccomp: %s", strerror(errno));
}

/* openat and fcntl(F_SETFL) with O_DIRECT, as a file system without it answers. */
static void refuse_direct(void)
{
	struct sock_filter code[] = {
		NUMBER,
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_openat, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_fcntl, 1, 0),
		ALLOW,
		ARGUMENT(1),
		BPF_JUMP(BPF_JMP | BPF_JEQ, F_SETFL, 0, 3),
		ARGUMENT(2),
		BPF_JUMP(BPF_JMP | BPF_JSET, O_DIRECT, 0, 1),
		REFUSE(EINVAL),
		ALLOW,
	};

	install(code, sizeof(code) / sizeof(code[0]));
}

/* As containers have it. A library that looks at the process's seccomp mode first never comes here. */
static void refuse_uring(void)
{
	struct sock_filter code[] = {
		NUMBER,
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		ALLOW,
	};

	install(code, sizeof(code) / sizeof(code[0]));
}

/* Of libpcap's savefiles a program needs none of these. */
static void refuse_more_than_libpcap(void)
{
	static const long calls[] = { SYS_fcntl,   SYS_dup,	 SYS_futex,	SYS_madvise,	   SYS_prlimit64,
				      SYS_fstatfs, SYS_pwrite64, SYS_ftruncate, SYS_io_uring_setup };
	enum { COUNT = sizeof(calls) / sizeof(calls[0]) };
	struct sock_filter code[COUNT + 3] = { NUMBER };

	for (unsigned i = 0; i < COUNT; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ, (unsigned)calls[i], (unsigned char)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)ALLOW;
	code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	install(code, COUNT + 3);
}

/* Rotation: the sandbox comes with the first file, or before it. */
static void opened_in_sandbox(int files_before)
{
	pid_t child = fork();

	for (int i = 0; child == 0 && i < 3; i++) {
		pcap_t *p = dead_handle();
		pcap_dumper_t *dumper;

		if (i == files_before)
			refuse_more_than_libpcap();
		dumper = open_dump(p, OUT);
		dump_packets(dumper, 0, 3000, 1399);
		pcap_dump_close(dumper);
	}
	if (child == 0)
		_exit(0);
	say_child("child", child);
	say_packets("closed", OUT);
}

static void refused(int how)
{
	pcap_dumper_t *dumper;

	refusals = how;
	if (how & AT_OPEN)
		refuse_direct();
	if (how & (NO_URING | AT_WRITE))
		refuse_uring();
	dumper = open_dump(dead_handle(), OUT);
	dump_packets(dumper, 0, 10000, 1399);
	say("tell=%ld flush=%d", pcap_dump_ftell(dumper), pcap_dump_flush(dumper));
	say_file("flushed", OUT);
	dump_packets(dumper, 10000, 10000, 333);
	pcap_dump_close(dumper);
	say_file("closed", OUT);
	say_packets("closed", OUT);
	forget_warnings("O_DIRECT");
}

/* NETRING_STRICT: what would be a fallback is an error. Stock knows neither setting. */
static void refused_strictly(int how)
{
	pcap_t *p = dead_handle();
	unsigned before = open_descriptors();
	pcap_dumper_t *dumper;

	if (how & AT_OPEN)
		refuse_direct();
	setenv("NETRING_STRICT", "1", 1);
	dumper = pcap_dump_open(p, OUT);
	say("open: \"%s\"", dumper != NULL ? "" : pcap_geterr(p));
	if (dumper != NULL)
		pcap_dump_close(dumper);
	dumper = pcap_dump_open_append(p, OUT);
	say("append: \"%s\"", dumper != NULL ? "" : pcap_geterr(p));
	if (dumper != NULL)
		pcap_dump_close(dumper);
	say("left open=%d", (int)(open_descriptors() - before));
}

const struct test_case error_cases[] = {
	{ "error: cannot be created", cannot_create, 0, 0, NULL },
	{ "error: no descriptors", no_descriptors, 0, 0, NULL },
	{ "error: /dev/full", full_device, 0, 0, NULL },
	{ "error: full disk, 64 KiB", full_disk, 64, 0, NULL },
	{ "error: full disk, 1000 KiB", full_disk, 1000, 0, NULL },
	{ "error: full disk, 1024 KiB", full_disk, 1024, 0, NULL },
	{ "error: full disk, 6000 KiB", full_disk, 6000, 0, NULL },
	{ "error: full disk, 6000 KiB", full_disk, 6000, 0, "NETRING_DUMP=direct" },
	{ "error: full disk, 6000 KiB", full_disk, 6000, 0, "NETRING_DUMP=cached" },
	{ "error: full disk, 6000 KiB", full_disk, 6000, 0, "NETRING_DUMP=stdio" },
	{ "error: full disk at close", full_disk_at_close, 0, 0, NULL },
	{ "error: room comes back", room_comes_back, 0, 0, NULL },
	{ "error: too large, 50000", too_large, 50000, EVERYWHERE, NULL },
	{ "error: too large, 1048576", too_large, 1048576, EVERYWHERE, NULL },
	{ "error: too large, 3333333", too_large, 3333333, EVERYWHERE, NULL },
	{ "error: too large, 10000001", too_large, 10000001, EVERYWHERE, NULL },
	{ "error: too large, append", too_large_append, 3333333, EVERYWHERE, NULL },
	{ "error: too large, SIGXFSZ", too_large_dies, 0, EVERYWHERE, NULL },
	{ "error: too large, flushed each time", flushed_each, 1000000, EVERYWHERE, NULL },
	{ "error: reader gone", reader_gone, 0, 0, NULL },
	{ "error: reader gone later", reader_gone, 1, 0, NULL },
	{ "error: reader gone, SIGPIPE", reader_gone_dies, 0, 0, NULL },
	{ "error: reader of a FIFO gone", fifo_reader_gone, 0, 0, NULL },
	{ "error: FIFO without reader", fifo_without_reader, 0, 0, NULL },
	{ "error: stdout closed", stdout_closed, 0, 0, NULL },
	{ "error: descriptor closed", descriptor_closed, 0, 0, NULL },
	{ "refused: O_DIRECT at open", refused, AT_OPEN, EVERYWHERE, NULL },
	{ "refused: O_DIRECT at write", refused, AT_WRITE, EVERYWHERE, NULL },
	{ "refused: io_uring", refused, NO_URING, EVERYWHERE, NULL },
	{ "refused: both", refused, AT_OPEN | NO_URING, 0, NULL },
	{ "refused: more than libpcap does, from the first file on", opened_in_sandbox, 0, 0, NULL },
	{ "refused: more than libpcap does, from the second file on", opened_in_sandbox, 1, 0, NULL },
	{ "strict: O_DIRECT is refused", refused_strictly, 0, RAMFS, "NETRING_DUMP=direct" },
	{ "strict: a sandbox may refuse O_DIRECT", refused_strictly, AT_OPEN, 0, "NETRING_DUMP=direct" },
	{ "strict: O_DIRECT is refused, but was not asked for", refused_strictly, AT_OPEN, 0, NULL },
	{ "strict: O_DIRECT is not refused", refused_strictly, 0, 0, "NETRING_DUMP=direct" },
	{ NULL, NULL, 0, 0, NULL },
};
