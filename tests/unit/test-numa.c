/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NUMA policies: of this machine, of made-up ones, and where the kernel refuses.
 *
 * Linked with --wrap=open, so that numa.c finds /sys below a temporary directory where the test wants that.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numa.h"

#define MAXNODE 1025
#define HAS_MEMORY "/sys/devices/system/node/has_memory"

static char root[PATH_MAX];
static bool real_machine;
static struct netring_error error;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	char moved[2 * PATH_MAX];

	if (real_machine)
		return __real_open(path, flags);
	snprintf(moved, sizeof(moved), "%s%s", root, path);
	return __real_open(moved, flags);
}

static void setup(void)
{
	strcpy(root, "/tmp/netring-numa-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	real_machine = false;
	memset(&error, 0, sizeof(error));
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
	char full[2 * PATH_MAX];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	ck_assert_msg(file != NULL, "%s", full);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* ---- which nodes there are ---- */

static void expect_no_node(int node, const char *which)
{
	ck_assert_int_eq(numa_check(node, &error), -EINVAL);
	ck_assert_msg(strstr(error.text, which) != NULL, "%s", error.text);
	ck_assert_int_eq(numa_check(node, NULL), -EINVAL);
}

START_TEST(test_nodes)
{
	static const int there[] = { 0, 1, 4, 10, 11, 12 }, not_there[] = { -1, 2, 3, 5, 9, 13, 1024, INT32_MAX };

	put(HAS_MEMORY, "0-1,4,10-12\n");
	for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++)
		ck_assert_msg(numa_check(there[i], &error) == 0, "%d: %s", there[i], error.text);
	for (size_t i = 0; i < sizeof(not_there) / sizeof(*not_there); i++)
		expect_no_node(not_there[i], "0-1,4,10-12");
}
END_TEST

/* Node 0 may have CPUs only. */
START_TEST(test_node_without_memory)
{
	put(HAS_MEMORY, "1\n");
	ck_assert_int_eq(numa_check(1, &error), 0);
	expect_no_node(0, "only 1");
}
END_TEST

START_TEST(test_kernel_without_numa)
{
	ck_assert_int_eq(numa_check(0, &error), 0);
	expect_no_node(1, "only 0");
	put("/sys/class/net/eth0/device/numa_node", "0\n");
	ck_assert_int_eq(numa_node_of("eth0"), -1);
}
END_TEST

START_TEST(test_node_of_interface)
{
	put(HAS_MEMORY, "0-1\n");
	put("/sys/class/net/eth0/device/numa_node", "1\n");
	put("/sys/class/net/eth1/device/numa_node", "-1\n");
	put("/sys/class/net/virtio0/numa_node", "1\n"); /* beside the device, as the kernel's link has it */
	put("/sys/class/net/virtio0/device/modalias", "virtio\n");
	put("/sys/class/net/veth0/mtu", "1500\n");
	ck_assert_int_eq(numa_node_of("eth0"), 1);
	ck_assert_int_eq(numa_node_of("eth1"), -1);
	ck_assert_int_eq(numa_node_of("virtio0"), 1);
	ck_assert_int_eq(numa_node_of("veth0"), -1);
	ck_assert_int_eq(numa_node_of("nosuch0"), -1);
	ck_assert_int_eq(numa_node_of("../net/eth0"), -1);
	ck_assert_int_eq(numa_node_of("much-too-long-a-name"), -1);
}
END_TEST

START_TEST(test_one_node_is_none)
{
	put(HAS_MEMORY, "0\n");
	put("/sys/class/net/eth0/device/numa_node", "0\n");
	ck_assert_int_eq(numa_node_of("eth0"), -1);
}
END_TEST

START_TEST(test_this_machine)
{
	real_machine = true;
	ck_assert_int_lt(numa_node_of("lo"), 0);
	expect_no_node(1023, "1023");
}
END_TEST

/* ---- the thread's policy ---- */

struct kernel_policy {
	int mode;
	unsigned long nodes[16];
};

static bool policy_get(struct kernel_policy *policy)
{
	memset(policy, 0, sizeof(*policy));
	return syscall(SYS_get_mempolicy, &policy->mode, policy->nodes, MAXNODE, NULL, 0) == 0;
}

/* False in a kernel without NUMA, and in many containers. */
static bool policies_work(void)
{
	const char *required = getenv("NETRING_TESTS_REQUIRED");
	struct kernel_policy policy;

	if (policy_get(&policy) || (required && strcmp(required, "1") == 0))
		return true;
	printf("# memory policies are not tested: get_mempolicy: %s\n", strerror(errno));
	return false;
}

static void policy_expect(int mode, unsigned long nodes)
{
	struct kernel_policy policy;

	ck_assert(policy_get(&policy));
	ck_assert_int_eq(policy.mode, mode);
	ck_assert_uint_eq(policy.nodes[0], nodes);
	for (int i = 1; i < 16; i++)
		ck_assert_uint_eq(policy.nodes[i], 0);
}

static int node_of_memory(void)
{
	const size_t length = 1 << 20;
	uint8_t *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int node = -1;

	ck_assert_ptr_ne(memory, MAP_FAILED);
	memset(memory, 1, length);
	ck_assert_int_eq(syscall(SYS_get_mempolicy, &node, NULL, 0, memory, MPOL_F_NODE | MPOL_F_ADDR), 0);
	munmap(memory, length);
	return node;
}

START_TEST(test_enter_and_leave)
{
	struct numa_policy policy;

	ck_assert_int_eq(numa_enter(&policy, 0, &error), 0);
	policy_expect(MPOL_PREFERRED, 1);
	ck_assert_int_eq(node_of_memory(), 0);
	numa_leave(&policy);
	policy_expect(MPOL_DEFAULT, 0);
}
END_TEST

START_TEST(test_policy_of_its_own)
{
	static const int modes[] = { MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, MPOL_BIND | MPOL_F_STATIC_NODES };
	unsigned long nodes = 1;
	struct numa_policy policy;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		ck_assert_int_eq(syscall(SYS_set_mempolicy, modes[i], &nodes, 64), 0);
		ck_assert_int_eq(numa_enter(&policy, 0, &error), 0);
		policy_expect(MPOL_PREFERRED, 1);
		numa_leave(&policy);
		policy_expect(modes[i], 1);
	}
	ck_assert_int_eq(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0), 0);
}
END_TEST

START_TEST(test_nothing_to_do)
{
	unsigned long nodes = 1;
	struct numa_policy policy;

	ck_assert_int_eq(numa_enter(&policy, -1, &error), 0);
	ck_assert_int_eq(policy.mode, -1);
	ck_assert_int_eq(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64), 0);
	ck_assert_int_eq(numa_enter(&policy, -1, &error), 0);
	policy_expect(MPOL_BIND, 1);
	numa_leave(&policy);
	policy_expect(MPOL_BIND, 1);
	ck_assert_int_eq(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0), 0);
}
END_TEST

START_TEST(test_enter_unknown_node)
{
	static const int nodes[] = { -2, 1023, 1024, INT32_MAX };
	struct numa_policy policy;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		ck_assert_int_eq(numa_enter(&policy, nodes[i], &error), -EINVAL);
		ck_assert_msg(strstr(error.text, "NUMA node ") == error.text, "%s", error.text);
		ck_assert_int_eq(policy.mode, -1);
		numa_leave(&policy);
		policy_expect(MPOL_DEFAULT, 0);
	}
}
END_TEST

/* ---- a kernel or a container that refuses ---- */

static void refuse(long call, int errnum)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

/* What is wrong there, as an exit status; 0: nothing. The filter stays for good, so it is a child's. */
static int refused_child(long call, int errnum)
{
	struct numa_policy policy;

	refuse(call, errnum);
	if (numa_enter(&policy, 0, &error) != -errnum)
		return 1;
	if (policy.mode != -1)
		return 2;
	if (!strstr(error.text, strerror(errnum)) || !strstr(error.text, "mempolicy"))
		return 3;
	numa_leave(&policy);
	if (numa_enter(&policy, 0, NULL) != -errnum || policy.mode != -1)
		return 4;
	return 0;
}

START_TEST(test_refused)
{
	static const long calls[] = { SYS_get_mempolicy, SYS_set_mempolicy };
	static const int errors[] = { ENOSYS, EPERM };
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(refused_child(calls[_i / 2], errors[_i % 2]));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	policy_expect(MPOL_DEFAULT, 0);
}
END_TEST

static Suite *numa_suite(void)
{
	Suite *suite = suite_create("numa");
	TCase *cases = tcase_create("numa");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_nodes);
	tcase_add_test(cases, test_node_without_memory);
	tcase_add_test(cases, test_kernel_without_numa);
	tcase_add_test(cases, test_node_of_interface);
	tcase_add_test(cases, test_one_node_is_none);
	tcase_add_test(cases, test_this_machine);
	suite_add_tcase(suite, cases);
	if (!policies_work())
		return suite;
	tcase_add_test(cases, test_enter_and_leave);
	tcase_add_test(cases, test_policy_of_its_own);
	tcase_add_test(cases, test_nothing_to_do);
	tcase_add_test(cases, test_enter_unknown_node);
	tcase_add_loop_test(cases, test_refused, 0, 4);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(numa_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
