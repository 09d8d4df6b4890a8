/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the cases one after the other, each in a child process and a folder of its own, and prints what they said, one line each.
 *
 *   probe              all cases
 *   probe TEXT...      those whose id contains one of the texts
 *   probe --library    the file that pcap_* comes from
 *
 * A case runs in a callback of pcap_loop, where netring holds back what is dumped.
 *
 * Environment: DUMP_FOLDER: where the cases' folders are made; DUMP_DISK_ALONE: if set, no cases on tmpfs and ramfs; DUMP_OUTSIDE: if set, cases do
 * not run in a callback.
 */
#include "probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CASE_DEADLINE_MS 120000 /* only what hangs comes so far; a loaded machine takes half a minute for what is done in one second elsewhere */

static const struct {
	const struct test_case *cases;
	bool outside; /* never in a callback */
} themes[] = {
	{ stream_cases, false }, { packet_cases, false }, { append_cases, false }, { fopen_cases, false }, { process_cases, false },
	{ thread_cases, false }, { error_cases, false },  { walk_cases, false },   { moment_cases, true }, { stuck_cases, true },
};
static bool outside;

static int result_fd = -1;
static int stderr_fd = -1; /* a memory file that stands in for standard error */

/* ---- what a case says ---- */

static void put_escaped(const char *text)
{
	char out[16384];
	size_t n = 0;

	for (; *text != '\0' && n < sizeof(out) - 8; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			n += (size_t)sprintf(out + n, "\\n");
		else if (c < 0x20 || c >= 0x7f)
			n += (size_t)sprintf(out + n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	if (write(result_fd, out, n) != (ssize_t)n)
		_exit(3);
}

void say(const char *format, ...)
{
	char text[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put_escaped(text);
	put_escaped("; ");
}

static size_t take_stderr(char *text, size_t size)
{
	ssize_t n;

	fflush(stderr);
	n = pread(stderr_fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	if (ftruncate(stderr_fd, 0) < 0 || lseek(stderr_fd, 0, SEEK_SET) < 0)
		_exit(3);
	return n > 0 ? (size_t)n : 0;
}

static void say_stderr(void)
{
	char text[2048];

	if (take_stderr(text, sizeof(text)) > 0)
		say("stderr=\"%s\"", text);
}

void say_logged(const char *file)
{
	char text[8192], *rest = NULL;
	unsigned lines = 0;

	take_stderr(text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (strstr(line, file) != NULL)
			lines += strstr(line, "error:") != NULL;
		else
			say("stderr=\"%s\"", line);
	}
	say("logged=%u", lines);
}

void forget_warnings(const char *about)
{
	char text[8192], *rest = NULL;

	take_stderr(text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (strstr(line, about) == NULL || strstr(line, "warn:") == NULL)
			say("stderr=\"%s\"", line);
}

void give_up(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say("gave up: %s", text);
	say_stderr();
	_exit(0);
}

static const char *library(void)
{
	void *function = dlsym(RTLD_DEFAULT, "pcap_create");
	Dl_info info;

	return function == NULL || dladdr(function, &info) == 0 ? "" : info.dli_fname;
}

bool on_netring(void)
{
	void *object = dlopen(library(), RTLD_NOW | RTLD_NOLOAD);
	const char *(*version)(void) = (const char *(*)(void))dlsym(object, "pcap_lib_version");

	return strstr(version(), "netring") != NULL;
}

/* ---- the process and folder of a case ---- */

void mount_here(const char *type, const char *name, const char *options)
{
	if ((mkdir(name, 0777) < 0 && errno != EEXIST) || mount(type, name, type, 0, options) < 0)
		give_up("cannot mount a %s: %s", type, strerror(errno));
}

static void redirect_stderr(void)
{
	stderr_fd = memfd_create("probe-stderr", MFD_CLOEXEC);
	if (stderr_fd < 0 || fcntl(stderr_fd, F_SETFL, O_RDWR | O_APPEND) < 0 || dup2(stderr_fd, STDERR_FILENO) < 0)
		_exit(3);
}

static void run_test(u_char *test, const struct pcap_pkthdr *header, const u_char *data)
{
	const struct test_case *the_case = (const struct test_case *)test;

	(void)header, (void)data;
	the_case->run(the_case->argument);
}

/* The savefile that is read has one packet. It is a file, because a stream without one might sleep in the middle of the read. */
static void run_in_callback(const struct test_case *test)
{
	static const uint32_t savefile[] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, DLT_EN10MB, 0, 0, 4, 4, 0 };
	int fd = memfd_create("probe-savefile", MFD_CLOEXEC);
	FILE *file = pwrite(fd, savefile, sizeof(savefile), 0) == sizeof(savefile) ? fdopen(fd, "r") : NULL;
	pcap_t *p = file != NULL ? pcap_fopen_offline(file, errbuf) : NULL;

	if (p == NULL || pcap_loop(p, -1, run_test, (u_char *)(uintptr_t)test) < 0)
		give_up("no callback: %s", errbuf);
}

static void run_child(const struct test_case *test, enum folders folder, const char *path, int fd)
{
	result_fd = fd;
	setpgid(0, 0);
	redirect_stderr();
	if (test->environment != NULL)
		putenv(strdup(test->environment));
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		give_up("no mount namespace: %s", strerror(errno));
	if (folder != DISK)
		mount_here(folder == TMPFS ? "tmpfs" : "ramfs", path, NULL);
	umask(022);
	if (chdir(path) < 0 || chmod(".", 0755) < 0)
		give_up("no folder");
	if (outside)
		test->run(test->argument);
	else
		run_in_callback(test);
	say_stderr();
	_exit(0);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False if the case was still running at the deadline. */
static bool copy_result(int fd, int64_t deadline)
{
	char text[4096];

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n = left <= 0 || poll(&poll_fd, 1, (int)left) == 0 ? -2 : read(fd, text, sizeof(text));

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n != -2;
		fwrite(text, 1, (size_t)n, stdout);
	}
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static void say_end(bool in_time, int status)
{
	if (!in_time)
		printf("blocked until killed; ");
	else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		printf("died of signal %d; ", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		printf("exit status %d; ", WEXITSTATUS(status));
	printf("\n");
	fflush(stdout);
}

static void run_case(const struct test_case *test, enum folders folder)
{
	const char *parent = getenv("DUMP_FOLDER");
	int pipe_fds[2], status = 0;
	char path[512];
	pid_t child;
	bool in_time;

	snprintf(path, sizeof(path), "%s/dump-probe-XXXXXX", parent != NULL ? parent : ".");
	fflush(stdout);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0 || mkdtemp(path) == NULL)
		exit(3);
	child = fork();
	if (child < 0)
		exit(3);
	if (child == 0) {
		close(pipe_fds[0]);
		run_child(test, folder, path, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	in_time = copy_result(pipe_fds[0], now_ms() + CASE_DEADLINE_MS);
	/* The whole group: a case that forked may have left a process behind. */
	if (kill(-child, SIGKILL) < 0)
		kill(child, SIGKILL);
	close(pipe_fds[0]);
	waitpid(child, &status, 0);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	say_end(in_time, status);
}

static bool wanted(const char *id, char **texts)
{
	if (*texts == NULL)
		return true;
	for (; *texts != NULL; texts++)
		if (strstr(id, *texts) != NULL)
			return true;
	return false;
}

static void run_everywhere(const struct test_case *test, char **texts)
{
	static const struct {
		enum folders folder;
		const char *name;
	} places[] = { { DISK, "" }, { TMPFS, ", tmpfs" }, { RAMFS, ", ramfs" } };
	char id[256];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!((test->folders != 0 ? test->folders : DISK) & places[i].folder))
			continue;
		if (places[i].folder != DISK && getenv("DUMP_DISK_ALONE") != NULL)
			continue;
		snprintf(id, sizeof(id), "%s%s%s%s", test->id, test->environment != NULL ? ", " : "",
			 test->environment != NULL ? test->environment : "", places[i].name);
		if (!wanted(id, texts))
			continue;
		printf("%s\t", id);
		run_case(test, places[i].folder);
	}
}

int main(int argc, char **argv)
{
	/* The library is loaded by now; nothing this program starts shall load it too. */
	unsetenv("LD_PRELOAD");
	if (argc > 1 && strcmp(argv[1], "--library") == 0)
		return puts(library()) == EOF;
	for (size_t i = 0; i < sizeof(themes) / sizeof(themes[0]); i++) {
		outside = themes[i].outside || getenv("DUMP_OUTSIDE") != NULL;
		for (const struct test_case *test = themes[i].cases; test->id != NULL; test++)
			run_everywhere(test, argv + 1);
	}
	return 0;
}
