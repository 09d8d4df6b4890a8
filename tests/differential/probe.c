/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the cases one after the other, each in a child process, and prints what they said.
 *
 *   probe              all cases
 *   probe TEXT...      those whose id contains one of the texts
 *   probe --list       the ids of the tables
 *   probe --library    the file that pcap_* comes from
 *
 * Build by hand: cc -std=gnu11 -Wall -Wextra -pthread -o probe *.c -lpcap -ldl
 */
#include "probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Some cases take ten seconds on an idle machine. */
#define CASE_DEADLINE_MS 120000

static const struct test_case *const themes[] = {
	options_cases, activate_cases, old_style_cases, link_type_cases, waiting_cases, delivery_cases,
	breakloop_cases, filter_cases, cooked_filter_cases, vlan_cases, direction_cases, statistics_cases,
	life_cycle_cases, savefile_cases, dead_handle_cases, compile_cases,
};

static int result_fd = -1;	/* the pipe to the parent, in a case's process */
static int stderr_fd = -1;	/* a memory file that stands in for standard error */

static void put_escaped(const char *text)
{
	char out[16384];
	size_t n = 0;

	for (; *text != '\0' && n < sizeof(out) - 8; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			n += (size_t)sprintf(out + n, "\\n");
		else if (c == '\t')
			n += (size_t)sprintf(out + n, "\\t");
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
	char text[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put_escaped(text);
	put_escaped("; ");
}

void begin_result(const char *format, ...)
{
	char id[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(id, sizeof(id), format, arguments);
	va_end(arguments);
	if (write(result_fd, "\n", 1) != 1)
		_exit(3);
	put_escaped(id);
	if (write(result_fd, "\t", 1) != 1)
		_exit(3);
}

void say_code(pcap_t *p, const char *label, int rc)
{
	if (rc < 0)
		say("%s=%d \"%s\"", label, rc, pcap_geterr(p));
	else
		say("%s=%d", label, rc);
}

void say_bytes(const char *label, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	char text[512];
	size_t i;

	for (i = 0; i < length && i < 200; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * i] = '\0';
	say("%s=%s", label, text);
}

/* FNV-1a */
uint64_t fingerprint(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

void say_stderr(const char *label)
{
	char text[2048];
	ssize_t n;

	fflush(stderr);
	n = pread(stderr_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return;
	text[n] = '\0';
	say("%s=\"%s\"", label, text);
	if (ftruncate(stderr_fd, 0) < 0 || lseek(stderr_fd, 0, SEEK_SET) < 0)
		_exit(3);
}

void say_warned(void)
{
	off_t length = lseek(stderr_fd, 0, SEEK_END);

	say("warned=%s", length > 0 ? "yes" : "no");
	if (ftruncate(stderr_fd, 0) < 0 || lseek(stderr_fd, 0, SEEK_SET) < 0)
		_exit(3);
}

void give_up(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say("gave up: %s", text);
	say_stderr("stderr");
	_exit(0);
}

/* Standard error becomes a memory file: an unexpected message of the library is part of the result. */
static void redirect_stderr(void)
{
	int flags;

	stderr_fd = memfd_create("probe-stderr", MFD_CLOEXEC);
	if (stderr_fd < 0)
		_exit(3);
	flags = fcntl(stderr_fd, F_GETFL);
	fcntl(stderr_fd, F_SETFL, flags | O_APPEND);
	dup2(stderr_fd, STDERR_FILENO);
}

static void run_child(const struct test_case *test, int fd)
{
	result_fd = fd;
	setpgid(0, 0);
	redirect_stderr();
	network_open();
	test->run();
	say_stderr("stderr");
	_exit(0);
}

/*
 * Copies what the case says to standard output. A case that begins with an id of its own has no line under its
 * own name. False if it was still running at the deadline.
 */
static bool copy_result(const char *id, int fd, int64_t deadline)
{
	bool begun = false;
	char text[4096];

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n;

		n = left <= 0 || poll(&poll_fd, 1, (int)left) == 0 ? -2 : read(fd, text, sizeof(text));
		if (n == -1 && errno == EINTR)
			continue;
		if (!begun && (n <= 0 || text[0] != '\n'))
			printf("%s\t", id);
		if (n <= 0)
			return n != -2;
		fwrite(text + (!begun && text[0] == '\n'), 1, (size_t)n - (!begun && text[0] == '\n'), stdout);
		begun = true;
	}
}

/* NR_CASE_SECONDS is the time for a case, for who looks for one that blocks. */
static int64_t case_deadline(void)
{
	const char *seconds = getenv("NR_CASE_SECONDS");

	return now_ms() + (seconds != NULL ? atoi(seconds) * 1000 : CASE_DEADLINE_MS);
}

static void run_case(const struct test_case *test)
{
	int pipe_fds[2], status = 0;
	pid_t child;
	bool in_time;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		exit(3);
	child = fork();
	if (child < 0)
		exit(3);
	if (child == 0) {
		close(pipe_fds[0]);
		run_child(test, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	in_time = copy_result(test->id, pipe_fds[0], case_deadline());
	/* The whole group: a case that forked may have left a process behind. */
	if (kill(-child, SIGKILL) < 0)
		kill(child, SIGKILL);
	close(pipe_fds[0]);
	waitpid(child, &status, 0);
	if (!in_time)
		printf("blocked until killed; ");
	else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		printf("died of signal %d; ", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		printf("exit status %d; ", WEXITSTATUS(status));
	printf("\n");
	fflush(stdout);
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

static int print_library(void)
{
	void *function = dlsym(RTLD_DEFAULT, "pcap_create");
	Dl_info info;

	if (function == NULL || dladdr(function, &info) == 0)
		return 1;
	puts(info.dli_fname);
	return 0;
}

int main(int argc, char **argv)
{
	bool list = argc > 1 && strcmp(argv[1], "--list") == 0;

	/* The library is loaded by now; nothing this program starts shall load it too. */
	unsetenv("LD_PRELOAD");
	if (argc > 1 && strcmp(argv[1], "--library") == 0)
		return print_library();
	for (size_t i = 0; i < sizeof(themes) / sizeof(themes[0]); i++) {
		for (const struct test_case *test = themes[i]; test->id != NULL; test++) {
			if (list)
				puts(test->id);
			else if (wanted(test->id, argv + 1))
				run_case(test);
		}
	}
	return 0;
}
