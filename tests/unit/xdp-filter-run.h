/* SPDX-License-Identifier: BSD-3-Clause */
/* Translated filters in the least program around them: loaded, run, refused. For tests; needs privilege. */
#ifndef NETRING_TEST_XDP_FILTER_RUN_H
#define NETRING_TEST_XDP_FILTER_RUN_H

#include "../fault/netns.h"
#include "xdp-filter.h"
#include "xdp-test-frames.h"
#include "xdp-test-run.h"

#define BEYOND 0xbe0d

static const struct xdp_filter_context own_context = {
	.ifindex = OWN_IFINDEX,
	.hardware_type = ARPHRD_ETHER,
	.has_address = true,
	.address = { 2, 0, 0, 0, 0, 1 },
	.beyond_label = XDP_FILTER_REJECT,
};

static char verifier_log[1 << 20];

/* The least program around the filter: its verdict is what the program returns, BEYOND what lies behind beyond_label. */
static inline int translate(struct ebpf_code *code, const struct sock_filter *program, unsigned length, struct xdp_filter_context in, bool beyond,
		     struct netring_error *error)
{
	unsigned verdict;
	int ret;

	ebpf_code_init(code);
	verdict = ebpf_label(code);
	if (beyond)
		in.beyond_label = ebpf_label(code);
	ebpf_emit(code, ebpf_mov(BPF_REG_6, BPF_REG_1));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct xdp_md, data)));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct xdp_md, data_end)));
	ret = xdp_filter_translate(code, program, length, &in, verdict, error);
	if (ret < 0)
		return ret;
	if (beyond && ebpf_is_target(code, in.beyond_label)) {
		ebpf_place(code, in.beyond_label);
		ebpf_emit(code, ebpf_mov32_imm(BPF_REG_0, BEYOND));
	}
	ebpf_place(code, verdict);
	ebpf_emit(code, ebpf_exit());
	return ebpf_finish(code, error);
}

/* Why the verifier refuses a program: the end of what it says. */
static inline void fail_verifier(const struct ebpf_code *code, int ret, const char *text)
{
	size_t length;

	xdp_test_load(code, false, verifier_log, sizeof(verifier_log), 1);
	length = strlen(verifier_log);
	ck_abort_msg("\"%s\": the kernel refuses %u instructions: %s\n%s", text, code->count, strerror(-ret),
		     verifier_log + (length > 3000 ? length - 3000 : 0));
}

static inline int load(const struct sock_filter *program, unsigned length, const char *text)
{
	struct netring_error error = { "" };
	struct ebpf_code code;
	int ret = translate(&code, program, length, own_context, false, &error);

	ck_assert_msg(ret == 0, "\"%s\": %s", text, error.text);
	ret = xdp_test_load(&code, false, NULL, 0, 0);
	if (ret < 0)
		fail_verifier(&code, ret, text);
	ebpf_code_free(&code);
	return ret;
}

/* Ends the program, skipped, where no XDP program can be loaded; where tests are required they go on, and fail. */
static inline void require_xdp(void)
{
	const struct sock_filter program[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const char *required = getenv("NETRING_TESTS_REQUIRED");
	struct ebpf_code code;
	int fd = -ENOMEM;

	if (translate(&code, program, 1, own_context, false, NULL) == 0)
		fd = xdp_test_load(&code, false, NULL, 0, 0);
	ebpf_code_free(&code);
	if (fd >= 0)
		close(fd);
	if (fd != -EPERM || (required && strcmp(required, "1") == 0))
		return;
	printf("1..0 # SKIP no privilege to load XDP programs\n");
	exit(EXIT_SUCCESS);
}

/* A program in the message of a failure. */
static inline const char *listing(const struct sock_filter *program, unsigned length)
{
	static char text[4096];
	size_t used = 0;

	for (unsigned i = 0; i < length && used < sizeof(text) - 64; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "{ 0x%02x, %u, %u, 0x%08x } ", program[i].code, program[i].jt,
					 program[i].jf, program[i].k);
	return text;
}

static inline void expect_refusal(const struct sock_filter *program, unsigned length, struct xdp_filter_context in, int code, const char *wanted)
{
	struct netring_error error = { "" };
	struct ebpf_code made;
	int ret = translate(&made, program, length, in, false, &error);

	ebpf_code_free(&made);
	ck_assert_msg(ret == -code, "%d: %s", ret, listing(program, length));
	ck_assert_msg(strstr(error.text, wanted), "'%s' instead of '%s'", error.text, wanted);
}

/* Runs a suite in a network namespace of its own. */
static inline int xdp_test_main(Suite *suite)
{
	SRunner *runner;
	int failed;

	netns_enter();
	require_xdp();
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
