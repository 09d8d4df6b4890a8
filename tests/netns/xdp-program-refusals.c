/* SPDX-License-Identifier: BSD-3-Clause */
/* What is in the way of the XDP program: each with its own sentence, and nothing is left. */
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../fault/resources.h"
#include "xdp-attach.h"
#include "xdp-program-fixture.h"

static void expect_refusal(const struct xdp_program_options *options, int code, const char *sentence)
{
	struct resources before = resources_now(), after;
	int ret = open_for(options, 0, 0);

	after = resources_now();
	ck_assert_msg(ret == code, "%d: %s", ret, error.text);
	ck_assert_str_eq(error.text, sentence);
	ck_assert_uint_eq(after.descriptors, before.descriptors);
	ck_assert_int_eq(program.link_fd, -1);
	ck_assert_ptr_null(program.control);
}

START_TEST(test_interfaces_that_cannot_be)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_OFFLOAD);

	expect_refusal(&options, -EOPNOTSUPP,
		       "nr1: a program that runs on the card has no way to AF_XDP sockets; NETRING_XDP_MODE=native is the fastest there is");
	options = options_of("lo", NETRING_XDP_MODE_AUTO);
	expect_refusal(&options, -EOPNOTSUPP, "lo: a loopback interface is the host's own, and AF_XDP would take packets from it");
	options.steal = true;
	expect_refusal(&options, -EOPNOTSUPP, "lo: a loopback interface is the host's own, and AF_XDP would take packets from it");
	options = options_of("nosuch", NETRING_XDP_MODE_AUTO);
	options.ifindex = 4711;
	expect_refusal(&options, -ENODEV, "nosuch: there is no such interface");
	options.interface = "any";
	options.ifindex = 0;
	expect_refusal(&options, -EOPNOTSUPP, "XDP is at one interface: all of them at once (\"any\") cannot be captured by AF_XDP");
}
END_TEST

static void refuse_without(uint64_t capabilities, const char *names)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	char sentence[160];

	snprintf(sentence, sizeof(sentence), "nr1: an XDP program needs %s, which the process does not have", names);
	drop(capabilities);
	expect_refusal(&options, -EPERM, sentence);
	raise_all();
}

START_TEST(test_capabilities_are_missing)
{
	refuse_without(UINT64_MAX, "CAP_BPF and CAP_NET_ADMIN");
	refuse_without(BIT(CAP_SYS_ADMIN) | BIT(CAP_BPF), "CAP_BPF");
	refuse_without(BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_ADMIN), "CAP_NET_ADMIN");
}
END_TEST

/* Nothing else is needed, of the most that a filter does. */
START_TEST(test_capabilities_suffice)
{
	drop(~(BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW)));
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	raise_all();
	expect_redirected(TYPE_B, 1, KEEP);
}
END_TEST

START_TEST(test_host_needs_it)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	shell("ip addr add 192.0.2.1/24 dev nr1");
	expect_refusal(
		&options, -EBUSY,
		"nr1 has the address 192.0.2.1/24: the host would not get the packets that are captured there; NETRING_XDP_STEAL=1 captures all "
		"the same");
	options.steal = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert(is_logged("netring: warn: nr1 has the address 192.0.2.1/24: as NETRING_XDP_STEAL says, the host does not get the packets that are "
			    "captured there"));
	shell("ip addr flush dev nr1");
}
END_TEST

static int map_is_refused(enum bpf_map_type type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t entries,
			  const struct bpf_map_create_opts *options)
{
	(void)name, (void)key_size, (void)value_size, (void)entries, (void)options;
	return type == BPF_MAP_TYPE_XSKMAP ? -EINVAL : -EPERM;
}

static int second_map_is_refused(enum bpf_map_type type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t entries,
				 const struct bpf_map_create_opts *options)
{
	return type == BPF_MAP_TYPE_XSKMAP ? bpf_map_create(type, name, key_size, value_size, entries, options) : -EPERM;
}

START_TEST(test_kernel_refuses)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct rlimit limit, small;

	table.bpf_map_create = map_is_refused;
	expect_refusal(&options, -EOPNOTSUPP, "nr1: the kernel has no map of AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	table.bpf_map_create = second_map_is_refused;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	small = (struct rlimit){ 65536, limit.rlim_max };
	setrlimit(RLIMIT_MEMLOCK, &small);
	expect_refusal(
		&options, -EPERM,
		"nr1: map that is shared with the program (Linux 5.5) refused: RLIMIT_MEMLOCK, 64 KiB, is too small (before Linux 5.11 maps count), "
		"or the process is in a user namespace");
	setrlimit(RLIMIT_MEMLOCK, &limit);
	table.bpf_map_create = bpf_map_create;
	table.bpf_prog_load = refuse_to_load;
	expect_refusal(&options, -EOPNOTSUPP, "nr1: the kernel's verifier refused the XDP program: R0 is not to my taste");
}
END_TEST

/* Somebody else's program */

static int load_foreign(const char *name)
{
	const struct bpf_insn insns[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS }, { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", insns, 2, NULL);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void refuse_beside(const char *name)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	uint32_t id = query("nr1").prog_id;
	char sentence[200];

	ck_assert_uint_ne(id, 0);
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: %s, id %u", name, id);
	expect_refusal(&options, -EBUSY, sentence);
	ck_assert_uint_eq(query("nr1").prog_id, id);
}

START_TEST(test_foreign_program)
{
	const struct bpf_link_create_opts generic = { .sz = sizeof(generic), .flags = XDP_FLAGS_SKB_MODE };
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	char sentence[200];
	int foreign = load_foreign("xdp_dispatcher"), link;

	/* As libxdp does it, and ip link: by netlink, in either mode. */
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_DRV_MODE, NULL), 0);
	refuse_beside("xdp_dispatcher");
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: id %u, whose name only CAP_SYS_ADMIN may see", query("nr1").prog_id);
	drop(BIT(CAP_SYS_ADMIN));
	expect_refusal(&options, -EBUSY, sentence);
	raise_all();
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_SKB_MODE, NULL), 0);
	refuse_beside("xdp_dispatcher");
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	link = bpf_link_create(foreign, options.ifindex, BPF_XDP, &generic);
	ck_assert_int_ge(link, 0);
	refuse_beside("xdp_dispatcher");
	close(link);
	close(foreign);
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
}
END_TEST

/* Attached between open and attach, by whom it may be. */
START_TEST(test_somebody_was_faster)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	int foreign = load_foreign("faster");
	uint32_t id;

	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_SKB_MODE, NULL), 0);
	id = query("nr1").prog_id;
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "nr1 has an XDP program already: faster, id "));
	ck_assert_int_eq(program.link_fd, -1);
	ck_assert_uint_eq(query("nr1").prog_id, id);
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	close(foreign);
}
END_TEST

/* A second netring is refused, though a while later: the first could be dying. */
START_TEST(test_two_at_a_time)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct xdp_program second;
	char sentence[200];
	uint64_t begin;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: netring_xdp, id %u", query("nr1").prog_id);
	begin = now_ms();
	ck_assert_int_eq(xdp_program_open(&second, &options, NULL, 0, &error), -EBUSY);
	ck_assert_str_eq(error.text, sentence);
	ck_assert_uint_ge(now_ms() - begin, XDP_ATTACH_PATIENCE_MS);
	ck_assert_uint_lt(now_ms() - begin, XDP_ATTACH_PATIENCE_MS + DEADLINE_MS);
	expect_redirected(TYPE_A, 1, KEEP);
}
END_TEST

static void *close_later(void *argument)
{
	usleep(50000);
	xdp_program_close(argument);
	return NULL;
}

START_TEST(test_the_first_is_dying)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct xdp_program second;
	pthread_t closer;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&closer, NULL, close_later, &program), 0);
	ck_assert_msg(xdp_program_open(&second, &options, NULL, 0, &error) == 0, "%s", error.text);
	pthread_join(closer, NULL);

	/* The same between open and attach. */
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	ck_assert_int_eq(pthread_create(&closer, NULL, close_later, &program), 0);
	ck_assert_msg(xdp_program_attach(&second, &error) == 0, "%s", error.text);
	pthread_join(closer, NULL);
	xdp_program_close(&second);
	ck_assert(is_free("nr1"));
}
END_TEST

START_TEST(test_open_in_sandbox)
{
	pid_t child = fork_child();

	if (child == 0) {
		struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

		enter_sandbox();
		_exit(open_for(&options, 0, 0) == -EPERM && strcmp(error.text, "nr1: a seccomp filter is in force, which may forbid bpf()") == 0 ? 0
																		 : 1);
	}
	wait_for(child);
}
END_TEST

void add_tests_of_refusals(TCase *tests)
{
	tcase_add_test(tests, test_open_in_sandbox);
	tcase_add_test(tests, test_interfaces_that_cannot_be);
	tcase_add_test(tests, test_capabilities_are_missing);
	tcase_add_test(tests, test_capabilities_suffice);
	tcase_add_test(tests, test_host_needs_it);
	tcase_add_test(tests, test_kernel_refuses);
	tcase_add_test(tests, test_foreign_program);
	tcase_add_test(tests, test_somebody_was_faster);
	tcase_add_test(tests, test_two_at_a_time);
	tcase_add_test(tests, test_the_first_is_dying);
}
