/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring_open on AF_XDP, and on copies in XDP, and what follows it, while one call after the other fails: -errno, a sentence, and nothing left behind: no descriptor, no
 * mapping, and no program on the interface. Where AF_XDP can do without, it is in tolerated() with its reason.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#include "capture.h"
#include "fault.h"
#include "netns.h"
#include "resources.h"
#include "stats-page.h"
#include "xdp-code.h"

#define OPTION(level, name) ((unsigned long)(level) << 16 | (name))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CALLS_MAX 400

/* Any tcp packet. */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 65535),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static enum netring_backend backend = NETRING_BACKEND_XDP;

/* The machine stands still for 3 seconds between any two looks at the clock, of which the last is when what was failing works again. */
static unsigned looks_left;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	static time_t lost_s;
	int ret = __real_clock_gettime(clock, now);

	if (looks_left > 0) {
		now->tv_sec += lost_s += 3;
		if (--looks_left == 0)
			fault_disarm();
	}
	return ret;
}

/* Two queues of one interface, or ring buffers, so that there is something to take back when the second fails. */
static int open_capture(struct netring **capture, struct netring_error *error)
{
	struct netring_config config;

	netring_config_init(&config, NETRING_PROFILE_DEFAULT);
	config.interface = "fault1";
	config.backend = backend;
	config.strict = config.promiscuous = true;
	config.numa_node = 0;
	config.xdp.frames = 1024;
	config.busy_poll_us = 10;
	config.filter = filter;
	config.filter_length = LENGTH(filter);
	return netring_open(capture, &config, error);
}

static bool tolerated(enum fault_call call, unsigned long detail)
{
	switch (call) {
	case FAULT_SETSOCKOPT:
		/* Preferred busy polling: then only the ring is polled. */
		return detail == OPTION(SOL_SOCKET, 69) || detail == OPTION(SOL_SOCKET, SO_BUSY_POLL) || detail == OPTION(SOL_SOCKET, 70);
	case FAULT_GETSOCKOPT:
		return detail == OPTION(SOL_XDP, XDP_OPTIONS); /* for the log only */
	case FAULT_IOCTL:
		/* A driver that says nothing of its queues and offloads; an address that is not known, so that some filters run in user space. */
		if (detail == SIOCETHTOOL || detail == SIOCGIFHWADDR || detail == SIOCGIFMTU)
			return true;
		return detail == SIOCGIFFLAGS; /* when it is looked whether the link is there: again, or not at all */
	case FAULT_SYSCALL:
		return detail != SYS_capget; /* the memory's node is a wish */
	case FAULT_MMAP:
		return detail == STATS_SIZE; /* netring stats does not show this capture */
	case FAULT_OPEN:
	case FAULT_READ:
		return true; /* nobody tells how much memory there is */
	case FAULT_PAGES:
		return true; /* huge pages are a wish, too; all pages that are none are in no_memory_for_frames */
	default:
		return false;
	}
}

/* Memory that is shared with children: of the umem. */
static unsigned shared_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned count = 0;
	char line[4352];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "/dev/zero") != NULL;
	fclose(maps);
	return count;
}

static void check_nothing_left(const struct resources *before, const char *what)
{
	struct resources after = resources_now();

	ck_assert_msg(after.descriptors == before->descriptors, "%s: %u descriptors, then %u", what, before->descriptors, after.descriptors);
	ck_assert_msg(after.rings == before->rings, "%s: %u rings mapped, then %u", what, before->rings, after.rings);
	ck_assert_msg(shared_mappings() == 0, "%s: memory for frames is still mapped", what);
	ck_assert_msg(system("ip link show fault1 | grep -q xdp") != 0, "%s: the program is still there", what);
}

static bool run_with_fault(enum fault_call call, unsigned nth, int errnum)
{
	struct resources before = resources_now();
	struct netring *untouched = (struct netring *)&before, *capture = untouched;
	struct netring_error error = { "" };
	char what[128];
	bool hit;
	int ret;

	fault_arm(call, nth, errnum, FAULT_ONCE);
	ret = open_capture(&capture, &error);
	hit = fault_disarm();
	snprintf(what, sizeof(what), "%s number %u (%#lx) fails with %s", fault_name(call), nth, fault_detail(), strerror(errnum));
	if (ret == 0) {
		ck_assert_msg(!hit || tolerated(call, fault_detail()), "%s, and all is well", what);
		netring_close(capture);
	} else {
		ck_assert_msg(hit, "%s: %s", what, error.text);
		ck_assert_msg(ret < 0 && strlen(error.text) > 20, "%s: %d \"%s\"", what, ret, error.text);
		ck_assert_msg(capture == untouched, "%s: the handle was set", what);
	}
	check_nothing_left(&before, what);
	return hit;
}

static const struct {
	enum fault_call call;
	unsigned at_least; /* of these there are */
} calls[] = {
	{ FAULT_SOCKET, 4 },	{ FAULT_SETSOCKOPT, 10 }, { FAULT_GETSOCKOPT, 4 },     { FAULT_IOCTL, 6 },  { FAULT_MMAP, 7 },
	{ FAULT_BIND, 3 },	{ FAULT_PAGES, 5 },	  { FAULT_MALLOC, 2 },	       { FAULT_CALLOC, 4 }, { FAULT_EPOLL_CREATE, 1 },
	{ FAULT_EPOLL_CTL, 3 }, { FAULT_SYSCALL, 3 },	  { FAULT_TIMERFD_CREATE, 1 },
};

static void fail_each(enum fault_call call, unsigned at_least)
{
	static const int errnums[] = { ENOMEM, EPERM };

	for (size_t i = 0; i < LENGTH(errnums); i++) {
		unsigned nth = 1;

		while (run_with_fault(call, nth, errnums[i]))
			ck_assert_uint_lt(++nth, CALLS_MAX);
		ck_assert_msg(nth > at_least, "%s is called %u times, which is too few to believe", fault_name(call), nth - 1);
	}
}

START_TEST(opening)
{
	fail_each(calls[_i].call, calls[_i].at_least);
}
END_TEST

static const struct {
	enum fault_call call;
	unsigned at_least;
} tap_calls[] = {
	{ FAULT_SOCKET, 2 },	   { FAULT_SETSOCKOPT, 1 }, { FAULT_IOCTL, 4 },	  { FAULT_MMAP, 5 },
	{ FAULT_BIND, 1 },	   { FAULT_PAGES, 3 },	    { FAULT_MALLOC, 2 },  { FAULT_CALLOC, 4 },
	{ FAULT_EPOLL_CREATE, 1 }, { FAULT_EPOLL_CTL, 3 },  { FAULT_SYSCALL, 1 }, { FAULT_TIMERFD_CREATE, 1 },
};

static void setup(void)
{
	backend = NETRING_BACKEND_XDP;
}

/* Copies in XDP. */
START_TEST(opening_tap)
{
	backend = NETRING_BACKEND_XDP_TAP;
	fail_each(tap_calls[_i].call, tap_calls[_i].at_least);
}
END_TEST

/* Neither huge pages nor others. */
START_TEST(no_memory_for_frames)
{
	struct resources before = resources_now();
	struct netring_error error = { "" };
	struct netring *capture;

	for (unsigned nth = 1; nth < 20; nth++) {
		int ret;

		fault_arm(FAULT_PAGES, nth, ENOMEM, FAULT_FROM_THEN_ON);
		ret = open_capture(&capture, &error);
		if (!fault_disarm()) {
			ck_assert_int_eq(ret, 0);
			netring_close(capture);
			break;
		}
		ck_assert_msg(ret == -ENOMEM, "%u: %d %s", nth, ret, error.text);
		check_nothing_left(&before, "no memory");
	}
}
END_TEST

START_TEST(no_permission)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_SOCKET, 1, EPERM, FAULT_ONCE);
	fault_only(AF_XDP);
	ck_assert_int_eq(open_capture(&capture, &error), -EPERM);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "CAP_NET_RAW"));
	fault_arm(FAULT_SOCKET, 1, EAFNOSUPPORT, FAULT_ONCE);
	fault_only(AF_XDP);
	ck_assert_int_eq(open_capture(&capture, &error), -EOPNOTSUPP);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "CONFIG_XDP_SOCKETS"));
	fault_arm(FAULT_SETSOCKOPT, 1, ENOBUFS, FAULT_ONCE);
	fault_only(OPTION(SOL_XDP, XDP_UMEM_REG));
	ck_assert_int_eq(open_capture(&capture, &error), -ENOMEM);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "CAP_IPC_LOCK"));
}
END_TEST

/* A queue that its last user still has: the kernel gives it free late. */
START_TEST(busy_for_a_while)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_BIND, 2, EBUSY, FAULT_ONCE);
	ck_assert_msg(open_capture(&capture, &error) == 0, "%s", error.text);
	ck_assert(fault_disarm());
	netring_close(capture);
	fault_arm(FAULT_BIND, 2, EBUSY, FAULT_FROM_THEN_ON);
	ck_assert_int_eq(open_capture(&capture, &error), -EBUSY);
	ck_assert(fault_disarm());
	ck_assert_str_eq(error.text, "fault1: receive queue 0 has an AF_XDP socket already, another program's");
}
END_TEST

/* Then nobody has had time to give it free. */
START_TEST(busy_while_the_machine_stands_still)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_BIND, 2, EBUSY, FAULT_FROM_THEN_ON);
	looks_left = 20;
	ck_assert_msg(open_capture(&capture, &error) == 0, "%s", error.text);
	ck_assert_uint_eq(looks_left, 0);
	ck_assert(fault_disarm());
	netring_close(capture);
}
END_TEST

START_TEST(stats_and_wait)
{
	struct netring_error error = { "" };
	struct netring_stats stats;
	struct netring *capture;

	ck_assert_msg(open_capture(&capture, &error) == 0, "%s", error.text);
	fault_arm(FAULT_GETSOCKOPT, 2, EINVAL, FAULT_ONCE);
	ck_assert_int_eq(netring_stats(capture, &stats, &error), -EINVAL);
	ck_assert(fault_disarm());
	ck_assert_str_eq(error.text, "failed to get statistics from socket: Invalid argument");
	fault_arm(FAULT_POLL, 1, EINVAL, FAULT_ONCE);
	ck_assert_int_eq(netring_wait(capture, 100, &error), -EINVAL);
	ck_assert(fault_disarm());
	fault_arm(FAULT_IOCTL, 1, EINVAL, FAULT_ONCE);
	ck_assert_int_eq(netring_send(capture, filter, 32, &error), -EINVAL);
	ck_assert(fault_disarm());
	netring_close(capture);
}
END_TEST

/* One ring after the other gets the filter; where one cannot have it, all have the old one, and so does the interface. */
START_TEST(filters)
{
	static const struct sock_filter nothing[] = { BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_IMM, 77), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct netring_error error = { "" };
	struct netring *capture;
	unsigned nth, interpreted = 0;
	bool hit;

	ck_assert_msg(open_capture(&capture, &error) == 0, "%s", error.text);
	for (nth = 1; nth < CALLS_MAX; nth++) {
		int ret;

		error.text[0] = '\0';
		fault_arm(FAULT_MALLOC, nth, ENOMEM, FAULT_ONCE);
		ret = netring_set_filter(capture, nothing, LENGTH(nothing), &error);
		hit = fault_disarm();
		if (!hit)
			break;
		if (ret == 0) { /* for want of memory to translate it */
			ck_assert_uint_ne(capture->port[0].program.control->in_force, XDP_IN_FORCE_COMPILED);
			interpreted++;
			ck_assert_int_eq(netring_set_filter(capture, filter, LENGTH(filter), &error), 0);
			continue;
		}
		ck_assert_msg(ret < 0 && error.text[0], "%u: %d %s", nth, ret, error.text);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_uint_eq(capture->ring[i].filter[1].k, 6);
	}
	ck_assert_uint_gt(nth, 3);
	ck_assert_uint_gt(interpreted, 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(capture->ring[i].filter[1].k, 77);
	netring_close(capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp faults");
	TCase *tcase = tcase_create("xdp faults");
	SRunner *runner;
	int failed;

	netns_enter();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (system("ip link add fault0 numtxqueues 2 numrxqueues 2 type veth peer name fault1 numtxqueues 2 numrxqueues 2 && "
		   "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -w $f ] || echo 1 >$f; done; "
		   "ip link set fault0 up && ip link set fault1 up") != 0) {
		printf("Bail out! cannot make veth interfaces\n");
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, opening, 0, LENGTH(calls));
	tcase_add_loop_test(tcase, opening_tap, 0, LENGTH(tap_calls));
	tcase_add_test(tcase, no_memory_for_frames);
	tcase_add_test(tcase, no_permission);
	tcase_add_test(tcase, busy_for_a_while);
	tcase_add_test(tcase, busy_while_the_machine_stands_still);
	tcase_add_test(tcase, stats_and_wait);
	tcase_add_test(tcase, filters);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
