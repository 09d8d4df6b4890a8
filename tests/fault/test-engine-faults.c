/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring_open, and what follows it, while one system call after the other fails: the right -errno, a sentence, and nothing left behind.
 *
 * For each kind of call the n-th fails, n from 1 until a run goes through without a fault. A fault that does no harm is in tolerated() with its reason.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <linux/sockios.h>

#include "capture.h"
#include "fault.h"
#include "netns.h"
#include "netring.h"
#include "resources.h"

#define OPTION(level, name) ((unsigned long)(level) << 16 | (name))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CALLS_MAX 200

/* Any tcp packet. */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1), BPF_STMT(BPF_RET | BPF_K, 65535), BPF_STMT(BPF_RET | BPF_K, 0),
};

struct opening {
	const char *name;
	void (*choose)(struct netring_config *config);
};

static void choose_lo(struct netring_config *config)
{
	config->interface = "lo";
}

static void choose_everything(struct netring_config *config)
{
	config->interface = "lo";
	config->promiscuous = config->ignore_outgoing = config->fill_rxhash = config->lock_memory = true;
	config->timestamp = NETRING_TIMESTAMP_ADAPTER_UNSYNCED;
	config->filter = filter;
	config->filter_length = LENGTH(filter);
}

static void choose_immediate(struct netring_config *config)
{
	config->interface = "lo";
	config->immediate = true;
	config->snaplen = 1000;
	config->limit_memory = false;
}

static void choose_any(struct netring_config *config)
{
	config->snaplen = 500;
	config->filter = filter;
	config->filter_length = LENGTH(filter);
}

/* Two rings in a group of their own, that have no filter until all have joined. */
static void choose_rings(struct netring_config *config)
{
	config->interface = "lo";
	config->rings = 2;
	config->lock_memory = true;
	config->numa_node = 0;
	config->filter = filter;
	config->filter_length = LENGTH(filter);
}

/* The name lets others find the group. */
static void choose_named_group(struct netring_config *config)
{
	config->interface = "lo";
	config->rings = 2;
	config->fanout = (struct netring_fanout){ .mode = NETRING_FANOUT_SYMMETRIC, .group = NETRING_FANOUT_AUTO, .name = "faults" };
}

static void choose_two_interfaces(struct netring_config *config)
{
	config->interface = "lo,fault0";
	config->fanout = (struct netring_fanout){ .mode = NETRING_FANOUT_HASH, .group = NETRING_FANOUT_AUTO };
	config->rings = 0;
	config->numa_node = NETRING_NUMA_OFF;
}

static const struct opening openings[] = {
	{ "lo", choose_lo }, { "everything", choose_everything }, { "immediate", choose_immediate }, { "any", choose_any },
};

static const struct opening openings_of_several[] = {
	{ "rings", choose_rings }, { "named group", choose_named_group }, { "two interfaces", choose_two_interfaces },
};

static int open_capture(const struct opening *opening, struct netring **capture, struct netring_error *error)
{
	struct netring_config config;

	netring_config_init(&config, NETRING_PROFILE_DEFAULT);
	config.block_size = 64 << 10;
	config.block_count = 8;
	opening->choose(&config);
	return netring_open(capture, &config, error);
}

/* A failure that the capture can do without. */
static bool tolerated(enum fault_call call, unsigned long detail, int errnum)
{
	switch (call) {
	case FAULT_SETSOCKOPT:
		/* The filter runs in user space then. */
		if (detail == OPTION(SOL_SOCKET, SO_ATTACH_FILTER))
			return true;
		/* A smaller ring is tried, as the log says. */
		return detail == OPTION(SOL_PACKET, PACKET_RX_RING) && errnum == ENOMEM;
	case FAULT_IOCTL:
		return detail == SIOCETHTOOL;	/* a driver without offloads */
	case FAULT_SYSCALL:
		return true;			/* the memory's node is a wish */
	case FAULT_OPEN: case FAULT_READ:
		return true;			/* nobody tells how much memory there is */
	case FAULT_MMAP:
		return detail == STATS_SIZE;	/* netring stats does not show this capture */
	default:
		return false;
	}
}

/* Packet sockets of this namespace: nobody else is in it. */
static unsigned packet_sockets(void)
{
	FILE *file = fopen("/proc/net/packet", "re");
	unsigned lines = 0;
	char line[256];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	return lines - 1;
}

static void check_nothing_left(const struct resources *before, const char *what)
{
	struct resources after = resources_now();

	ck_assert_msg(after.descriptors == before->descriptors, "%s: %u descriptors, then %u", what, before->descriptors, after.descriptors);
	ck_assert_msg(after.rings == before->rings, "%s: %u rings mapped, then %u", what, before->rings, after.rings);
	ck_assert_msg(packet_sockets() == 0, "%s: %u packet sockets are left", what, packet_sockets());
}

/* What the sentence has to say. A group that refuses a socket is looked at for the reason. */
static const char *reason(enum fault_call call, unsigned long detail, int errnum)
{
	if (call == FAULT_SETSOCKOPT && detail == OPTION(SOL_PACKET, PACKET_FANOUT) && errnum == EINVAL)
		return "fanout group";
	return strerror(errnum);
}

/* One run with one fault. False when the fault did not come up any more. */
static bool run_with_fault(const struct opening *opening, enum fault_call call, unsigned nth, int errnum, enum fault_mode mode)
{
	struct resources before = resources_now();
	struct netring *untouched = (struct netring *)&before, *capture = untouched;
	struct netring_error error = { "" };
	char what[128];
	bool hit;
	int ret;

	fault_arm(call, nth, errnum, mode);
	ret = open_capture(opening, &capture, &error);
	hit = fault_disarm();
	snprintf(what, sizeof(what), "%s: %s number %u (%#lx) fails with %s", opening->name, fault_name(call), nth, fault_detail(), strerror(errnum));
	if (ret == 0) {
		ck_assert_msg(!hit || tolerated(call, fault_detail(), errnum), "%s, and all is well", what);
		netring_close(capture);
	} else {
		ck_assert_msg(hit, "%s: %s", what, error.text);
		ck_assert_msg(ret == (errnum == EACCES ? -EPERM : -errnum), "%s: %d", what, ret);
		ck_assert_msg(strstr(error.text, reason(call, fault_detail(), errnum)) != NULL, "%s: \"%s\"", what, error.text);
		ck_assert_msg(strlen(error.text) > strlen(strerror(errnum)) + 2, "%s: no sentence", what);
		ck_assert_msg(capture == untouched, "%s: the handle was set", what);
	}
	check_nothing_left(&before, what);
	return hit;
}

/* Few: each run that opens a ring waits for the kernel's grace period when it closes it. */
static const int errors_of_calls[] = { ENOMEM, EPERM, EINVAL };

static void each_call_fails(const struct opening *opening, enum fault_call call, unsigned at_least)
{
	bool memory = call >= FAULT_MALLOC && call <= FAULT_STRDUP;

	for (size_t i = 0; i < (memory ? 1 : LENGTH(errors_of_calls)); i++)
		for (int mode = FAULT_ONCE; mode <= (errors_of_calls[i] == ENOMEM ? FAULT_FROM_THEN_ON : FAULT_ONCE); mode++) {
			unsigned nth = 1;

			while (run_with_fault(opening, call, nth, errors_of_calls[i], (enum fault_mode)mode))
				ck_assert_uint_lt(++nth, CALLS_MAX);
			ck_assert_msg(nth > at_least, "%s: %s is called %u times, which is too few to believe", opening->name, fault_name(call), nth - 1);
		}
}

START_TEST(test_open)
{
	const struct opening *opening = &openings[_i];

	each_call_fails(opening, FAULT_SOCKET, 1);
	each_call_fails(opening, FAULT_SETSOCKOPT, 3);
	each_call_fails(opening, FAULT_IOCTL, opening->choose == choose_any ? 0 : 1);
	each_call_fails(opening, FAULT_MMAP, 1);
	each_call_fails(opening, FAULT_BIND, 1);
	each_call_fails(opening, FAULT_PAGES, 1);
	each_call_fails(opening, FAULT_MALLOC, opening->choose == choose_lo || opening->choose == choose_immediate ? 0 : 1);
	each_call_fails(opening, FAULT_MLOCK, opening->choose == choose_everything ? 1 : 0);
	each_call_fails(opening, FAULT_OPEN, opening->choose == choose_immediate ? 0 : 2);
	each_call_fails(opening, FAULT_READ, opening->choose == choose_immediate ? 0 : 2);
}
END_TEST

START_TEST(test_open_several)
{
	const struct opening *opening = &openings_of_several[_i];
	bool named = opening->choose == choose_named_group;

	each_call_fails(opening, FAULT_SOCKET, 2);
	each_call_fails(opening, FAULT_SETSOCKOPT, 8);
	each_call_fails(opening, FAULT_GETSOCKOPT, 2);
	each_call_fails(opening, FAULT_MMAP, 2);
	each_call_fails(opening, FAULT_BIND, named ? 4 : 2);
	each_call_fails(opening, FAULT_PAGES, 3);
	each_call_fails(opening, FAULT_CALLOC, 3);
	each_call_fails(opening, FAULT_MALLOC, opening->choose == choose_rings ? 2 : 0);
	each_call_fails(opening, FAULT_MLOCK, opening->choose == choose_rings ? 3 : 0);
	each_call_fails(opening, FAULT_EPOLL_CREATE, 1);
	each_call_fails(opening, FAULT_EPOLL_CTL, 3);
	each_call_fails(opening, FAULT_TIMERFD_CREATE, 1);
	each_call_fails(opening, FAULT_SYSCALL, opening->choose == choose_rings ? 4 : 0);
}
END_TEST

/* EACCES is what some security modules say. */
START_TEST(test_no_permission)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_SOCKET, 1, _i & 1 ? EACCES : EPERM, FAULT_ONCE);
	fault_only(AF_PACKET);
	ck_assert_int_eq(open_capture(_i & 2 ? &openings_of_several[2] : &openings[0], &capture, &error), -EPERM);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "CAP_NET_RAW"));
}
END_TEST

START_TEST(test_device_goes_away_while_opening)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_BIND, 1, _i ? ENETDOWN : ENODEV, FAULT_ONCE);
	ck_assert_int_eq(open_capture(&openings[0], &capture, &error), _i ? -ENETDOWN : -ENODEV);
	ck_assert(fault_disarm());
}
END_TEST

/* With every request refused, the ring shrinks to one block, and then there is none. */
START_TEST(test_no_memory_for_any_ring)
{
	struct netring_error error = { "" };
	struct netring *capture;

	fault_arm(FAULT_SETSOCKOPT, 1, ENOMEM, FAULT_FROM_THEN_ON);
	fault_only(OPTION(SOL_PACKET, PACKET_RX_RING));
	ck_assert_int_eq(open_capture(&openings[0], &capture, &error), -ENOMEM);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "(1 blocks of 65536 bytes)"));
}
END_TEST

/* One refusal costs a quarter of the ring, and the statistics say so; strict makes it an error. */
START_TEST(test_ring_shrinks)
{
	struct netring_error error = { "" };
	struct netring_stats stats;
	struct netring *capture;
	struct netring_config config;

	fault_arm(FAULT_SETSOCKOPT, 1, ENOMEM, FAULT_ONCE);
	fault_only(OPTION(SOL_PACKET, PACKET_RX_RING));
	ck_assert_int_eq(open_capture(&openings[0], &capture, &error), 0);
	ck_assert(fault_disarm());
	ck_assert_int_eq(netring_stats(capture, &stats, &error), 0);
	ck_assert_uint_eq(stats.ring_bytes, 6 * 65536);
	ck_assert_uint_eq(stats.ring_bytes_asked, 8 * 65536);
	netring_close(capture);

	netring_config_init(&config, NETRING_PROFILE_LOW_MEMORY);
	config.interface = "lo";
	config.strict = true;
	fault_arm(FAULT_SETSOCKOPT, 1, ENOMEM, FAULT_ONCE);
	fault_only(OPTION(SOL_PACKET, PACKET_RX_RING));
	ck_assert_int_eq(netring_open(&capture, &config, &error), -ENOMEM);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(error.text, "12288 KiB instead of 16384 KiB"));
}
END_TEST

/* The largest snaplen that can be said, where no interface limits it. */
START_TEST(test_huge_snaplen_on_any)
{
	static const uint32_t snaplens[] = { 262144, 262145, 0x7fffffff, 0x80000000, 0xffffffff };
	struct netring_error error = { "" };
	struct netring_config config;
	struct netring *capture;

	netring_config_init(&config, NETRING_PROFILE_LOW_LATENCY);
	config.immediate = true;
	config.snaplen = snaplens[_i];
	ck_assert_msg(netring_open(&capture, &config, &error) == 0, "%s", error.text);
	netring_close(capture);
}
END_TEST

/* After open. */

static struct netring *open_lo(void)
{
	struct netring_error error = { "" };
	struct netring *capture;

	ck_assert_msg(open_capture(&openings[0], &capture, &error) == 0, "%s", error.text);
	return capture;
}

START_TEST(test_set_filter)
{
	struct resources before = resources_now();
	struct netring *capture = open_lo();
	struct netring_error error = { "" };

	fault_arm(FAULT_MALLOC, 1, ENOMEM, FAULT_ONCE);
	ck_assert_int_eq(netring_set_filter(capture, filter, LENGTH(filter), &error), -ENOMEM);
	ck_assert(fault_disarm());
	ck_assert_str_ne(error.text, "");
	/* Refused by the kernel: it runs here. */
	fault_arm(FAULT_SETSOCKOPT, 1, ENOMEM, FAULT_ONCE);
	ck_assert_int_eq(netring_set_filter(capture, filter, LENGTH(filter), &error), 1);
	ck_assert(fault_disarm());
	/* Refused, and the old one cannot be taken out either. */
	fault_arm(FAULT_SETSOCKOPT, 1, ENOMEM, FAULT_FROM_THEN_ON);
	error.text[0] = '\0';
	ck_assert_int_eq(netring_set_filter(capture, filter, LENGTH(filter), &error), -ENOMEM);
	ck_assert(fault_disarm());
	ck_assert_str_ne(error.text, "");
	fault_arm(FAULT_SETSOCKOPT, 1, EPERM, FAULT_ONCE);
	ck_assert_int_eq(netring_set_filter(capture, NULL, 0, &error), -EPERM);
	ck_assert(fault_disarm());
	/* And then all is well. */
	ck_assert_int_eq(netring_set_filter(capture, filter, LENGTH(filter), &error), 0);
	netring_close(capture);
	check_nothing_left(&before, "set_filter");
}
END_TEST

static bool accepts_tcp(const struct netring *capture, unsigned ring)
{
	return capture->ring[ring].filter && capture->ring[ring].filter[1].k == 6;
}

/* One ring after the other gets the filter. Where one cannot have it, all have the old one; where that is strict, also if the kernel refuses. */
START_TEST(test_set_filter_on_rings)
{
	static const struct sock_filter nothing[] = { BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_IMM, 77), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct netring_error error = { "" };
	struct netring_config config;
	struct netring *capture;

	netring_config_init(&config, NETRING_PROFILE_LOW_MEMORY);
	config.strict = true;
	choose_rings(&config);
	config.lock_memory = false;
	config.rings = 3;
	ck_assert_msg(netring_open(&capture, &config, &error) == 0, "%s", error.text);
	for (unsigned nth = 1; nth <= 3; nth++) {
		fault_arm(FAULT_SETSOCKOPT, nth, ENOMEM, FAULT_ONCE);
		fault_only(OPTION(SOL_SOCKET, SO_ATTACH_FILTER));
		ck_assert_int_eq(netring_set_filter(capture, nothing, LENGTH(nothing), &error), -ENOMEM);
		ck_assert(fault_disarm());
		for (unsigned i = 0; i < 3; i++)
			ck_assert(accepts_tcp(capture, i));
		/* The first is that of the old program's copy. */
		fault_arm(FAULT_MALLOC, 1 + nth, ENOMEM, FAULT_ONCE);
		ck_assert_int_eq(netring_set_filter(capture, nothing, LENGTH(nothing), &error), -ENOMEM);
		ck_assert(fault_disarm());
		for (unsigned i = 0; i < 3; i++)
			ck_assert(accepts_tcp(capture, i));
	}
	ck_assert_int_eq(netring_set_filter(capture, nothing, LENGTH(nothing), &error), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(!accepts_tcp(capture, i));
	netring_close(capture);
}
END_TEST

START_TEST(test_wait_stats_send)
{
	static const int errnums[] = { ENOMEM, EFAULT, EINVAL };
	struct netring *capture = open_lo();
	struct netring_error error;
	struct netring_stats stats;

	for (size_t i = 0; i < LENGTH(errnums); i++) {
		error.text[0] = '\0';
		fault_arm(FAULT_POLL, 1, errnums[i], FAULT_ONCE);
		ck_assert_int_eq(netring_wait(capture, -1, &error), -errnums[i]);
		ck_assert(fault_disarm());
		ck_assert_ptr_nonnull(strstr(error.text, strerror(errnums[i])));
		error.text[0] = '\0';
		fault_arm(FAULT_GETSOCKOPT, 1, errnums[i], FAULT_ONCE);
		ck_assert_int_eq(netring_stats(capture, &stats, &error), -errnums[i]);
		ck_assert(fault_disarm());
		ck_assert_ptr_nonnull(strstr(error.text, strerror(errnums[i])));
		error.text[0] = '\0';
		fault_arm(FAULT_SEND, 1, errnums[i], FAULT_ONCE);
		ck_assert_int_eq(netring_send(capture, "x", 1, &error), -errnums[i]);
		ck_assert(fault_disarm());
		ck_assert_ptr_nonnull(strstr(error.text, strerror(errnums[i])));
	}
	/* A signal is no failure. */
	fault_arm(FAULT_POLL, 1, EINTR, FAULT_ONCE);
	ck_assert_int_eq(netring_wait(capture, -1, &error), 0);
	ck_assert(fault_disarm());
	ck_assert_int_eq(netring_wait(capture, 1, &error), 0);
	netring_close(capture);
}
END_TEST

static Suite *faults_suite(void)
{
	Suite *suite = suite_create("engine-faults");
	TCase *cases = tcase_create("engine-faults");

	tcase_set_timeout(cases, 120);
	tcase_add_loop_test(cases, test_open, 0, LENGTH(openings));
	tcase_add_loop_test(cases, test_open_several, 0, LENGTH(openings_of_several));
	tcase_add_loop_test(cases, test_no_permission, 0, 4);
	tcase_add_loop_test(cases, test_device_goes_away_while_opening, 0, 2);
	tcase_add_test(cases, test_no_memory_for_any_ring);
	tcase_add_test(cases, test_ring_shrinks);
	tcase_add_loop_test(cases, test_huge_snaplen_on_any, 0, 5);
	tcase_add_test(cases, test_set_filter);
	tcase_add_test(cases, test_set_filter_on_rings);
	tcase_add_test(cases, test_wait_stats_send);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner;
	int failed;

	netns_enter();
	if (system("ip link add fault0 type veth peer name fault1 && ip link set fault0 up && ip link set fault1 up") != 0) {
		printf("Bail out! no veth interfaces\n");
		return EXIT_FAILURE;
	}
	runner = srunner_create(faults_suite());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
