/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads an eBPF program that was made in memory as an XDP program, and runs it on a frame under BPF_PROG_TEST_RUN. For tests; needs privilege. */
#ifndef NETRING_XDP_TEST_RUN_H
#define NETRING_XDP_TEST_RUN_H

#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ebpf-code.h"

/* Returns a descriptor, or -errno. log: what the verifier said, size bytes; level as for bpf(2). */
static inline int xdp_test_load(const struct ebpf_code *code, bool fragments, char *log, unsigned size, unsigned level)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_level = level, .log_buf = level ? log : NULL, .log_size = level ? size : 0,
		    .prog_flags = fragments ? 1u << 5 : 0 /* BPF_F_XDP_HAS_FRAGS */);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "Dual BSD/GPL", code->insn, code->count, &options);

	return fd < 0 ? -errno : fd;
}

/* What the program returns. */
static inline uint32_t xdp_test_run(int fd, const void *frame, uint32_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length);
	int ret = bpf_prog_test_run_opts(fd, &options);

	ck_assert_msg(ret == 0, "BPF_PROG_TEST_RUN on %u bytes: %s", length, strerror(errno));
	return options.retval;
}

#endif
