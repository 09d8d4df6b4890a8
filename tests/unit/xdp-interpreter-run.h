/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters in the interpreter of XDP programs, with the least program around it. For tests; needs privilege. */
#ifndef NETRING_TEST_XDP_INTERPRETER_RUN_H
#define NETRING_TEST_XDP_INTERPRETER_RUN_H

#include <sys/mman.h>

#include "xdp-filter-run.h"
#include "xdp-interpreter-types.h"
#include "xdp-interpreter.h"

#define UNJUDGED 0xbad0

/* One for the process; it stays. */
struct test_interpreter {
	int fd;
	struct xdp_switch *control;
	uint32_t filters;
};

static inline void interpreter_code(struct ebpf_code *code, int map_fd, const struct xdp_filter_context *in)
{
	struct xdp_interpreter_labels labels;

	ebpf_code_init(code);
	labels = (struct xdp_interpreter_labels){ ebpf_label(code), ebpf_label(code), ebpf_label(code), ebpf_label(code) };
	ebpf_emit(code, ebpf_mov(BPF_REG_6, BPF_REG_1));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct xdp_md, data)));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct xdp_md, data_end)));
	ebpf_emit(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_MAP_VALUE, 0, map_fd));
	ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_2, offsetof(struct xdp_switch, in_force)));
	xdp_interpreter_emit(code, &labels);
	ebpf_place(code, labels.unjudged);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_0, UNJUDGED));
	ebpf_emit(code, ebpf_exit());
	ebpf_place(code, labels.pass);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_0, 0));
	ebpf_place(code, labels.verdict);
	ebpf_emit(code, ebpf_exit());
	xdp_interpreter_emit_function(code, &labels, in);
	ck_assert_int_eq(ebpf_finish(code, NULL), 0);
}

static inline int interpreter_load(const struct ebpf_code *code, bool fragments)
{
	const struct bpf_func_info functions[] = { { 0, XDP_TYPE_PROGRAM }, { ebpf_function(code), XDP_TYPE_FUNCTION } };
	LIBBPF_OPTS(bpf_prog_load_opts, options, .func_info = functions, .func_info_cnt = 2, .func_info_rec_size = sizeof(functions[0]),
		    .log_level = 1, .log_buf = verifier_log, .log_size = sizeof(verifier_log), .prog_flags = fragments ? BPF_F_XDP_HAS_FRAGS : 0);
	const struct libbpf *bpf;
	int types, fd;

	ck_assert_int_eq(libbpf_load(&bpf, NULL), 0);
	types = xdp_interpreter_load_types(bpf);
	ck_assert_int_ge(types, 0);
	options.prog_btf_fd = (uint32_t)types;
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "Dual BSD/GPL", code->insn, code->count, &options);
	ck_assert_msg(fd >= 0, "the kernel refuses the interpreter: %s\n%s", strerror(errno), verifier_log);
	close(types);
	return fd;
}

static inline struct test_interpreter interpreter_open(const struct xdp_filter_context *in)
{
	const struct bpf_map_create_opts mappable = { .sz = sizeof(mappable), .map_flags = BPF_F_MMAPABLE };
	int map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "switch", sizeof(uint32_t), sizeof(struct xdp_switch), 1, &mappable);
	struct test_interpreter opened = { 0 };
	struct ebpf_code code;

	ck_assert_int_ge(map_fd, 0);
	opened.control = mmap(NULL, sizeof(struct xdp_switch), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	ck_assert_ptr_ne(opened.control, MAP_FAILED);
	interpreter_code(&code, map_fd, in);
	opened.fd = interpreter_load(&code, in->fragments);
	ebpf_code_free(&code);
	close(map_fd);
	return opened;
}

/* In a slot and in force. */
static inline void interpreter_set(struct test_interpreter *interpreter, const struct sock_filter *program, unsigned length,
				   const struct xdp_filter_context *in)
{
	unsigned slot = interpreter->filters % XDP_SLOTS;
	struct netring_error error = { "" };
	int ret = xdp_interpreter_steps(xdp_interpreter_begin(interpreter->control, slot, &interpreter->filters), program, length, in, &error);

	ck_assert_msg(ret == 0, "%s", error.text);
	xdp_interpreter_put_in_force(interpreter->control, slot);
}

/* The process's, for frames on own_context; the filter is in force in it. Returns the program's descriptor, which stays open. */
static inline int interpret(const struct sock_filter *program, unsigned length)
{
	static struct test_interpreter one;
	static pid_t owner;

	if (owner != getpid())
		one = interpreter_open(&own_context);
	owner = getpid();
	interpreter_set(&one, program, length, &own_context);
	return one.fd;
}

#endif
