/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page of counters and who may write on it, and the reading of pages that others have made: the tool's code looks at this very process through
 * /proc, where the tests put sound pages and hostile ones. No privilege needed.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/sandbox.h"
#include "stats-page.h"
#include "stats-pages.h"
#include "test-random.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* What the tool finds of this process and its children; other captures of the machine do not count. */
struct found {
	unsigned captures, refusals;
	struct stats_view first; /* without its rings */
	struct stats_ring ring;	 /* the first one's first */
	char reason[128];
};

static struct found find(pid_t pid)
{
	struct stats_views views;
	struct netring_error error = { "" };
	struct found found = { 0 };

	ck_assert_msg(stats_views_find(&views, "/proc", &error) == 0, "%s", error.text);
	for (size_t i = 0; i < views.views; i++)
		if (views.view[i].process.pid == pid && found.captures++ == 0) {
			found.first = views.view[i];
			found.ring = views.view[i].ring[0];
		}
	for (size_t i = 0; i < views.refusals; i++)
		if (views.refusal[i].process.pid == pid && found.refusals++ == 0)
			memcpy(found.reason, views.refusal[i].reason, sizeof(found.reason));
	stats_views_free(&views);
	return found;
}

static struct stats_writer open_place(unsigned rings)
{
	struct stats_writer writer;
	struct netring_error error = { "" };

	ck_assert_msg(stats_page_open(&writer, rings, &error) == 0, "%s", error.text);
	return writer;
}

static void deliver(struct stats_writer *writer, uint64_t packets)
{
	ck_assert(stats_page_begin(writer));
	stats_page_ring(writer, 0)->delivered = packets;
	stats_page_end(writer);
}

/* The descriptor of a page of ours, by its name. */
static int page_fd(void)
{
	char path[64], target[64];

	for (int fd = 0; fd < 200; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length > 0 && memmem(target, (size_t)length, STATS_NAME, strlen(STATS_NAME)))
			return fd;
	}
	return -1;
}

START_TEST(test_life)
{
	struct stats_writer one = open_place(3), other = open_place(1);
	struct found found;
	int fd = page_fd();

	ck_assert_int_ge(fd, 0);
	ck_assert(find(getpid()).first.torn); /* its interfaces are not there yet */
	deliver(&one, 42);
	deliver(&other, 7);
	found = find(getpid());
	ck_assert_uint_eq(found.captures, 2);
	ck_assert_uint_eq(found.refusals, 0);
	ck_assert_uint_eq(found.first.capture.rings, 3);
	ck_assert_uint_eq(found.ring.delivered, 42);
	ck_assert(!found.first.torn);
	ck_assert_str_eq(found.first.head.program, program_invocation_short_name);
	ck_assert_uint_eq(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1); /* as a program's standard output it takes nothing */

	/* A place that is free is given out again, and nothing of what was there is left. */
	stats_page_close(&one);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	one = open_place(2);
	ck_assert_uint_eq(one.first, 1);
	ck_assert_uint_eq(stats_page_ring(&one, 0)->delivered, 0);
	stats_page_close(&other);
	stats_page_close(&one);
	stats_page_close(&one);
	ck_assert_int_lt(page_fd(), 0);
	ck_assert_uint_eq(find(getpid()).captures, 0);
}
END_TEST

START_TEST(test_many)
{
	static struct stats_writer writers[STATS_RECORDS_MAX];
	struct netring_error error = { "" };
	unsigned count = 0;

	while (stats_page_open(&writers[count], 4, &error) == 0)
		deliver(&writers[count], count), count++;
	ck_assert_ptr_nonnull(strstr(error.text, "no room for 4 rings"));
	ck_assert_ptr_null(writers[count].capture);
	ck_assert_uint_eq(count, (STATS_RECORDS_MAX - 1) / 5);
	ck_assert_uint_eq(find(getpid()).captures, count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_uint_eq(stats_page_ring(&writers[i], 0)->delivered, i);
	for (unsigned i = 0; i < count; i += 2)
		stats_page_close(&writers[i]);
	ck_assert_uint_eq(find(getpid()).captures, count / 2);
	for (unsigned i = 1; i < count; i += 2)
		stats_page_close(&writers[i]);
	ck_assert_int_lt(page_fd(), 0);
}
END_TEST

/* Runs body in a child; what it says by its exit status is the test's. A pipe lets it go on when the parent has looked. */
struct child {
	pid_t pid;
	int go[2], there[2];
};

static void child_pause(const struct child *child)
{
	char byte;

	if (write(child->there[1], "", 1) != 1 || read(child->go[0], &byte, 1) != 1)
		_exit(2);
}

static struct child child_start(struct stats_writer *writer, void (*body)(const struct child *child, struct stats_writer *writer))
{
	struct child child;

	ck_assert(pipe2(child.go, O_CLOEXEC) == 0 && pipe2(child.there, O_CLOEXEC) == 0);
	child.pid = fork();
	ck_assert_int_ge(child.pid, 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(&child, writer);
		_exit(0);
	}
	return child;
}

static void child_wait(const struct child *child)
{
	struct pollfd there = { .fd = child->there[0], .events = POLLIN };
	char byte;

	ck_assert_msg(poll(&there, 1, 20000) == 1, "the child does not get there");
	ck_assert_int_eq(read(child->there[0], &byte, 1), 1);
}

static void child_end(const struct child *child)
{
	int status;

	ck_assert_int_eq(write(child->go[1], "", 1), 1);
	ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < 2; i++) {
		close(child->go[i]);
		close(child->there[i]);
	}
}

static void idle_child(const struct child *child, struct stats_writer *writer)
{
	if (stats_page_is_ours(writer))
		_exit(3);
	child_pause(child);
	stats_page_close(writer); /* pcap_close in a child that never read */
}

START_TEST(test_child_that_does_not_read)
{
	struct stats_writer writer = open_place(1);
	struct child child = child_start(&writer, idle_child);

	child_wait(&child);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	ck_assert_uint_eq(find(child.pid).captures, 0);
	deliver(&writer, 5);
	child_end(&child);
	ck_assert_uint_eq(find(getpid()).ring.delivered, 5);
	stats_page_close(&writer);
}
END_TEST

static void reading_child(const struct child *child, struct stats_writer *writer)
{
	if (!stats_page_begin(writer))
		_exit(3);
	stats_page_ring(writer, 0)->delivered = 99;
	stats_page_end(writer);
	child_pause(child);
	if (!stats_page_is_ours(writer))
		_exit(4);
	stats_page_close(writer);
}

START_TEST(test_child_that_reads)
{
	struct stats_writer writer = open_place(1), next;
	struct child child;
	struct found found;

	deliver(&writer, 5);
	child = child_start(&writer, reading_child);
	child_wait(&child);
	ck_assert(!stats_page_begin(&writer));
	ck_assert(!stats_page_is_ours(&writer));
	found = find(child.pid);
	ck_assert_uint_eq(found.captures, 1);
	ck_assert_uint_eq(found.ring.delivered, 99);
	ck_assert_uint_eq(find(getpid()).captures, 0);
	/* What the parent opens now is the parent's, beside it. */
	next = open_place(1);
	ck_assert_ptr_ne(next.capture, writer.capture);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	child_end(&child);
	/* It was closed by the child: nobody has it. */
	ck_assert_uint_eq(find(getpid()).captures, 1);
	stats_page_close(&writer);
	stats_page_close(&next);
	ck_assert_int_lt(page_fd(), 0);
}
END_TEST

static void opening_child(const struct child *child, struct stats_writer *writer)
{
	struct netring_error error;
	struct stats_writer own;

	(void)writer;
	if (stats_page_open(&own, 1, &error) < 0 || own.first != 1)
		_exit(3);
	child_pause(child);
	stats_page_close(&own);
}

START_TEST(test_child_that_opens)
{
	struct stats_writer writer = open_place(1);
	struct child child = child_start(&writer, opening_child);

	child_wait(&child);
	ck_assert_uint_eq(find(child.pid).captures, 1);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	child_end(&child);
	stats_page_close(&writer);
}
END_TEST

static void reading_and_opening_child(const struct child *child, struct stats_writer *writer)
{
	struct netring_error error;
	struct stats_writer own;

	if (!stats_page_begin(writer) || stats_page_open(&own, 1, &error) < 0 || own.first != writer->first)
		_exit(3);
	stats_page_end(writer);
	child_pause(child);
}

/* Places of the same number on two pages, and one process has both: each capture has a number of its own. */
START_TEST(test_two_pages)
{
	struct stats_writer writer = open_place(1);
	struct child child = child_start(&writer, reading_and_opening_child);
	struct stats_views views;
	uint32_t number[3] = { 0 };
	unsigned captures = 0;

	child_wait(&child);
	ck_assert_int_eq(stats_views_find(&views, "/proc", NULL), 0);
	for (size_t i = 0; i < views.views; i++)
		if (views.view[i].process.pid == child.pid && captures < 3)
			number[captures++] = views.view[i].number;
	stats_views_free(&views);
	ck_assert_uint_eq(captures, 2);
	ck_assert_uint_eq(number[0], 1);
	ck_assert_uint_eq(number[1], STATS_RECORDS_MAX + 1);
	child_end(&child);
	stats_page_close(&writer);
}
END_TEST

static void *hold_a_capture(void *child)
{
	struct stats_writer writer = open_place(1);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* each thread's own */
	child_pause(child);
	stats_page_close(&writer);
	_exit(0);
}

static void child_of_threads(const struct child *child, struct stats_writer *writer)
{
	static struct child kept;
	pthread_t thread;

	(void)writer;
	kept = *child;
	if (pthread_create(&thread, NULL, hold_a_capture, &kept) == 0)
		pthread_exit(NULL);
}

static bool has_zombie_leader(pid_t pid)
{
	char path[64], text[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
	fclose(file);
	return strstr(text, ") Z ") != NULL;
}

/* A process whose first thread has ended: what it has is to be found at the others. */
START_TEST(test_first_thread_ended)
{
	struct child child = child_start(NULL, child_of_threads);

	child_wait(&child);
	for (unsigned i = 0; i < 1000 && !has_zombie_leader(child.pid); i++)
		usleep(10000);
	ck_assert_uint_eq(find(child.pid).captures, 1);
	child_end(&child);
}
END_TEST

/* A program that closes what is not its own, and reuses the number. */
START_TEST(test_descriptor_closed)
{
	struct stats_writer one = open_place(1), other;
	int fd = page_fd(), stranger = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(dup3(stranger, fd, O_CLOEXEC), fd);
	deliver(&one, 1);
	ck_assert_uint_eq(find(getpid()).captures, 0);
	other = open_place(1);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	deliver(&one, 2);
	stats_page_close(&one);
	stats_page_close(&other);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC); /* the stranger's is still open */
	close(fd);
	close(stranger);
}
END_TEST

/* Runs once, in the place of another thread, when the next lock is about to be taken. */
static void (*before_lock)(void);

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	void (*now)(void) = before_lock;

	before_lock = NULL;
	if (now)
		now();
	return __real_pthread_mutex_lock(lock);
}

static struct stats_writer next_capture;

static void open_on_another_page(void)
{
	close(page_fd());
	next_capture = open_place(1);
}

/* Another thread opens a capture, and finds the descriptor closed, while this one closes the last capture of the page before. */
START_TEST(test_page_changes_at_close)
{
	struct stats_writer writer = open_place(1);

	before_lock = open_on_another_page;
	stats_page_close(&writer);
	deliver(&next_capture, 9);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	ck_assert_uint_eq(find(getpid()).ring.delivered, 9);
	stats_page_close(&next_capture);
	ck_assert_int_lt(page_fd(), 0);
}
END_TEST

static void *close_cancelled(void *writer)
{
	pthread_cancel(pthread_self());
	stats_page_close(writer);
	pthread_testcancel();
	return NULL;
}

static void *open_cancelled(void *writer)
{
	pthread_cancel(pthread_self());
	stats_page_open(writer, 1, NULL);
	pthread_testcancel();
	return NULL;
}

/* A thread that is cancelled takes no lock along. */
START_TEST(test_cancelled)
{
	struct stats_writer writer = { 0 };
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, open_cancelled, &writer), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(find(getpid()).captures, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, close_cancelled, &writer), 0);
	pthread_join(thread, NULL);
	writer = open_place(1);
	stats_page_close(&writer);
	ck_assert_int_lt(page_fd(), 0);
}
END_TEST

/* The same without another capture in between: what the last one closes must be its own. */
START_TEST(test_number_reused)
{
	struct stats_writer writer = open_place(1);
	int fd = page_fd(), stranger = _i ? memfd_create("stranger", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(ftruncate(stranger, STATS_SIZE), _i ? 0 : -1);
	ck_assert_int_eq(dup3(stranger, fd, O_CLOEXEC), fd);
	stats_page_close(&writer);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	close(stranger);
}
END_TEST

/* The calls that libpcap makes in pcap_activate, and those of the test; the process ends at any other. */
static void forbid(void)
{
	static const int allowed[] = {
		__NR_openat, __NR_read,	      __NR_write,      __NR_close, __NR_mmap,  __NR_munmap,	     __NR_brk,
		__NR_futex,  __NR_exit_group, __NR_getsockopt, __NR_clone, __NR_prctl, __NR_set_robust_list, __NR_rseq,
	};
	enum { COUNT = sizeof(allowed) / sizeof(*allowed) };
	struct sock_filter code[COUNT + 3] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	struct sock_fprog program = { COUNT + 3, code };

	for (unsigned i = 0; i < COUNT; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], (uint8_t)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SANDBOX_OTHERS);
	code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(3);
}

/* What no other capture of the machine has delivered. */
static uint64_t own_figure(unsigned pid)
{
	return UINT64_C(77) << 32 | pid;
}

/* A fork in there as well: the child's place must not become another capture. */
static void sandboxed_child(const struct child *child, struct stats_writer *unused)
{
	uint64_t figure = own_figure((unsigned)getpid());
	struct netring_error error;
	struct stats_writer writer;
	pid_t pid;

	(void)unused;
	forbid();
	if (stats_page_open(&writer, 2, &error) < 0 || !stats_page_begin(&writer))
		_exit(4);
	stats_page_ring(&writer, 0)->delivered = figure;
	stats_page_end(&writer);
	pid = fork();
	if (pid == 0) {
		if (stats_page_is_ours(&writer))
			_exit(5);
		child_pause(child);
		_exit(0);
	}
	child_pause(child);
	if (!stats_page_is_ours(&writer))
		_exit(6);
	stats_page_close(&writer);
}

START_TEST(test_sandbox)
{
	struct child child = child_start(NULL, sandboxed_child);
	struct stats_views views;
	unsigned captures = 0;
	struct found found;

	child_wait(&child);
	child_wait(&child);
	found = find(child.pid);
	ck_assert_uint_eq(found.captures, 1);
	ck_assert_uint_eq(found.ring.delivered, own_figure((unsigned)child.pid));
	ck_assert_uint_eq(found.first.head.pid, (unsigned)child.pid);
	ck_assert_int_eq(stats_views_find(&views, "/proc", NULL), 0);
	for (size_t i = 0; i < views.views; i++)
		captures += views.view[i].ring[0].delivered == own_figure((unsigned)child.pid);
	stats_views_free(&views);
	ck_assert_uint_eq(captures, 1);
	ck_assert_int_eq(write(child.go[1], "", 1), 1);
	child_end(&child);
}
END_TEST

/* A sandbox that comes behind the opening. */
static void sandboxed_later(const struct child *child, struct stats_writer *unused)
{
	struct stats_writer writer = open_place(1);

	(void)child;
	(void)unused;
	forbid();
	deliver(&writer, 1);
	stats_page_close(&writer);
}

START_TEST(test_sandbox_later)
{
	struct child child = child_start(NULL, sandboxed_later);

	child_end(&child);
}
END_TEST

/* Hostile pages */

static int fake(off_t size, bool sealed, const void *content, size_t length)
{
	int fd = memfd_create(STATS_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	if (length)
		ck_assert_int_eq(pwrite(fd, content, length, 0), (ssize_t)length);
	if (sealed)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	return fd;
}

static const struct stats_head sound = {
	.magic = STATS_MAGIC,
	.version = STATS_VERSION,
	.size = STATS_SIZE,
	.record = STATS_RECORD,
	.records = 3,
	.program = "fake",
};

struct page {
	char bytes[4][STATS_RECORD];
};

static void put(struct page *page, unsigned record, const void *content, size_t size)
{
	memcpy(page->bytes[record], content, size);
}

static struct page sound_page(uint32_t rings)
{
	struct page page = { { { 0 } } };

	put(&page, 0, &sound, sizeof(sound));
	put(&page, 1, &(struct stats_capture){ .kind = STATS_CAPTURE, .rings = rings }, sizeof(struct stats_capture));
	return page;
}

static void refused(int fd, const char *reason)
{
	struct found found = find(getpid());

	ck_assert_uint_eq(found.captures, 0);
	ck_assert_uint_eq(found.refusals, 1);
	ck_assert_msg(strstr(found.reason, reason) != NULL, "\"%s\", and not \"%s\"", found.reason, reason);
	close(fd);
}

START_TEST(test_refused)
{
	struct page page = sound_page(1);
	struct stats_head head = sound;

	refused(fake(0, true, NULL, 0), "size");
	refused(fake(1, true, NULL, 0), "size");
	refused(fake(STATS_SIZE - 1, true, &page, sizeof(page)), "size");
	refused(fake((off_t)1 << 50, true, &page, sizeof(page)), "size");
	refused(fake(STATS_SIZE, false, &page, sizeof(page)), "sealed");
	refused(fake(STATS_SIZE, true, NULL, 0), "no page");
	head.version = STATS_VERSION + 1;
	refused(fake(STATS_SIZE, true, &head, sizeof(head)), "version 3");
	head = sound, head.records = UINT32_MAX;
	refused(fake(STATS_SIZE, true, &head, sizeof(head)), "contradict");
	head = sound, head.record = 0;
	refused(fake(STATS_SIZE, true, &head, sizeof(head)), "contradict");
	head = sound, head.size = 4096;
	refused(fake(STATS_SIZE, true, &head, sizeof(head)), "contradict");
	page = sound_page(0);
	refused(fake(STATS_SIZE, true, &page, sizeof(page)), "contradict");
	page = sound_page(2);
	refused(fake(STATS_SIZE, true, &page, sizeof(page)), "contradict");
	page = sound_page(UINT32_MAX);
	refused(fake(STATS_SIZE, true, &page, sizeof(page)), "contradict");
}
END_TEST

/* Texts without an end, of control characters; odd for ever; times in the future; figures that are larger than their sums. */
START_TEST(test_odd_content)
{
	struct page page = sound_page(1);
	struct stats_capture *capture = (struct stats_capture *)page.bytes[1];
	struct stats_ring *ring = (struct stats_ring *)page.bytes[2];
	struct found found;
	int fd;

	memset(((struct stats_head *)page.bytes[0])->program, 0x1b, STATS_TEXT);
	memset(capture->why, '\n', sizeof(capture->why));
	memset(ring->interface, 0xff, sizeof(ring->interface));
	capture->seq = 1;
	capture->updated_ns = UINT64_MAX;
	capture->engine = capture->state = UINT32_MAX;
	ring->drops = ring->xdp_other = UINT64_MAX;
	fd = fake(STATS_SIZE, true, &page, sizeof(page));
	found = find(getpid());
	ck_assert_uint_eq(found.captures, 1);
	ck_assert(found.first.torn);
	ck_assert(found.first.age_s < 0);
	ck_assert(stats_view_is_stale(&found.first));
	ck_assert_uint_eq(strspn(found.ring.interface, "?"), sizeof(ring->interface) - 1);
	ck_assert_uint_eq(strlen(found.first.head.program), STATS_TEXT - 1);
	ck_assert_uint_eq(strspn(found.first.capture.why, "?"), sizeof(capture->why) - 1);
	close(fd);
}
END_TEST

START_TEST(test_random_content)
{
	struct random random = { (uint64_t)_i + 1 };
	static char content[STATS_SIZE];
	int fd;

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(random_below(&random, 5) ? 0 : random_below(&random, _i % 3 ? 4 : 256));
	memcpy(content, &sound, sizeof(sound));
	((struct stats_head *)content)->records = STATS_RECORDS_MAX;
	fd = fake(STATS_SIZE, true, content, sizeof(content));
	find(getpid());
	close(fd);
}
END_TEST

/* So many that the tool may not have as many descriptors; and nobody's list of processes that cannot be shown is filled by one of them. */
START_TEST(test_many_pages)
{
	struct page page = sound_page(1);
	struct rlimit limit, few;
	int fd[100];

	for (unsigned i = 0; i < 64; i++)
		fd[i] = fake(STATS_SIZE, true, &page, sizeof(page));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ (rlim_t)fd[63] + 12, limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_uint_eq(find(getpid()).captures, 64);
	ck_assert_uint_eq(find(getpid()).refusals, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned i = 64; i < 100; i++)
		fd[i] = fake(STATS_SIZE, i % 2, &page, sizeof(page));
	ck_assert_uint_eq(find(getpid()).captures, 64);
	ck_assert_uint_eq(find(getpid()).refusals, 1);
	for (unsigned i = 0; i < 100; i++)
		close(fd[i]);
}
END_TEST

static void *resize(void *stop)
{
	int fd = memfd_create(STATS_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct page page = sound_page(1);

	for (unsigned n = 0; !atomic_load((atomic_bool *)stop); n++)
		if (ftruncate(fd, n % 2 ? 0 : (off_t)STATS_SIZE) < 0 || pwrite(fd, &page, n % 2 ? 0 : sizeof(page), 0) < 0)
			abort();
	close(fd);
	return NULL;
}

START_TEST(test_resized_meanwhile)
{
	atomic_bool stop = false;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, resize, &stop), 0);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_uint_eq(find(getpid()).captures, 0);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

struct writing {
	struct stats_writer writer;
	atomic_bool stop;
};

static void *keep_writing(void *argument)
{
	struct writing *writing = argument;

	for (uint64_t n = 1; !atomic_load(&writing->stop); n++) {
		struct stats_ring *ring = stats_page_ring(&writing->writer, 0);

		if (!stats_page_begin(&writing->writer))
			abort();
		__atomic_store_n(&ring->packets, 2 * n, __ATOMIC_RELAXED);
		__atomic_store_n(&ring->delivered, n, __ATOMIC_RELAXED);
		__atomic_store_n(&ring->drops, n, __ATOMIC_RELAXED);
		stats_page_end(&writing->writer);
		for (unsigned i = 0; i < 200; i++)
			__asm__ volatile("");
	}
	return NULL;
}

/* What is not said to be torn adds up. */
START_TEST(test_figures_belong_together)
{
	struct writing writing = { .writer = open_place(1) };
	unsigned whole = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, keep_writing, &writing), 0);
	/* However the two take turns; alarm ends what does not come to its end. */
	while (whole < 20) {
		struct found found = find(getpid());

		ck_assert_uint_eq(found.captures, 1);
		if (found.first.torn)
			continue;
		whole++;
		ck_assert_uint_eq(found.ring.packets, found.ring.delivered + found.ring.drops);
	}
	atomic_store(&writing.stop, true);
	pthread_join(thread, NULL);
	stats_page_close(&writing.writer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stats-page");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	alarm(300); /* in case it hangs; the timeout is of no effect where the tests do not fork */
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_sandbox); /* first: what a process made before its sandbox it keeps */
	tcase_add_test(tests, test_sandbox_later);
	tcase_add_test(tests, test_life);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_child_that_does_not_read);
	tcase_add_test(tests, test_child_that_reads);
	tcase_add_test(tests, test_child_that_opens);
	tcase_add_test(tests, test_two_pages);
	tcase_add_test(tests, test_first_thread_ended);
	tcase_add_test(tests, test_descriptor_closed);
	tcase_add_test(tests, test_page_changes_at_close);
	tcase_add_test(tests, test_cancelled);
	tcase_add_loop_test(tests, test_number_reused, 0, 2);
	tcase_add_test(tests, test_refused);
	tcase_add_test(tests, test_odd_content);
	tcase_add_test(tests, test_many_pages);
	tcase_add_loop_test(tests, test_random_content, 0, 30);
	tcase_add_test(tests, test_resized_meanwhile);
	tcase_add_test(tests, test_figures_belong_together);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
