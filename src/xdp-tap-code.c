/* SPDX-License-Identifier: BSD-3-Clause */
/* The instructions that copy a packet to a ring buffer. See xdp-tap-code.h. R7 = bytes to copy, R8 = the ring buffer's line, R9 = it, then the record. */
#include "xdp-tap-code.h"

#include <stddef.h>

/* On the stack, behind what is the filter's. */
#define STACK_WAKE (-264)
#define STACK_VERDICT (-268)
#define STACK_FILTER (-272)
#define STACK_WIRE_LEN (-276)
#define STACK_RING (-280)

#define HEADER ((uint32_t)sizeof(struct xdp_tap_record))
#define RINGBUF_HEADER 8
#define RECORD(member) ((int)offsetof(struct xdp_tap_record, member))
#define LINE(member) ((int)offsetof(struct xdp_tap_line, member))

struct labels {
	unsigned pass;
	unsigned reserve; /* R2 = bytes */
	unsigned full;
	unsigned discard;
};

/*
 * Bytes that may be reserved for a packet: the size has to be known when the program is loaded. Close to each other where most packets are, so that
 * little of the buffer is lost.
 */
static const uint32_t sizes[] = { 64,	96,   128,  192,  256,	 384,	512,   768,   1024,  1280,   1536,
				  2048, 3072, 4096, 6144, 10240, 16384, 32768, 65536, 98304, 131072, XDP_TAP_CAPTURE_MAX };

static void store(struct ebpf_code *code, int place, unsigned from)
{
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_10, place, from));
}

static void load(struct ebpf_code *code, unsigned to, int place)
{
	ebpf_emit(code, ebpf_load(BPF_W, to, BPF_REG_10, place));
}

void xdp_tap_emit_filter(struct ebpf_code *code, const struct xdp_tap_options *options)
{
	ebpf_emit(code, ebpf_store_imm(BPF_W, BPF_REG_10, STACK_FILTER, (int32_t)options->filter));
}

void xdp_tap_emit_other_filter(struct ebpf_code *code)
{
	store(code, STACK_FILTER, BPF_REG_1);
}

/* R7 = the least of it and a number. */
static void emit_at_most(struct ebpf_code *code, uint32_t limit)
{
	unsigned fits = ebpf_label(code);

	ebpf_jump(code, ebpf_if_imm(BPF_REG_7, BPF_JLE, (int32_t)limit), fits);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_7, (int32_t)limit));
	ebpf_place(code, fits);
}

/* R7 = bytes to copy: what the filter accepts, up to the snaplen; all of it for user space to judge. */
static void emit_length(struct ebpf_code *code, const struct xdp_tap_options *options, const struct labels *labels)
{
	unsigned whole = ebpf_label(code), uncut = ebpf_label(code);

	store(code, STACK_VERDICT, BPF_REG_0);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_6));
	ebpf_emit(code, ebpf_call(BPF_FUNC_xdp_get_buff_len));
	store(code, STACK_WIRE_LEN, BPF_REG_0);
	ebpf_emit(code, ebpf_mov(BPF_REG_7, BPF_REG_0));
	load(code, BPF_REG_1, STACK_VERDICT);
	ebpf_jump(code, ebpf_if_imm(BPF_REG_1, BPF_JEQ, 0), whole);
	ebpf_jump(code, ebpf_if(BPF_REG_7, BPF_JLE, BPF_REG_1), uncut);
	ebpf_emit(code, ebpf_mov(BPF_REG_7, BPF_REG_1));
	ebpf_place(code, uncut);
	emit_at_most(code, options->snaplen);
	ebpf_place(code, whole);
	emit_at_most(code, XDP_TAP_CAPTURE_MAX);
	ebpf_jump(code, ebpf_if_imm(BPF_REG_7, BPF_JLT, 1), labels->pass);
}

/* R8 = the line, R9 = the ring buffer of this CPU. */
static void emit_ring(struct ebpf_code *code, const struct xdp_tap_options *options, const struct labels *labels)
{
	unsigned known = ebpf_label(code);

	ebpf_emit(code, ebpf_call(BPF_FUNC_get_smp_processor_id));
	ebpf_emit(code, ebpf_mov32(BPF_REG_8, BPF_REG_0));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_8, BPF_JLT, (int32_t)options->rings), known);
	ebpf_emit(code, ebpf_alu32_imm(BPF_MOD, BPF_REG_8, options->rings));
	/* Never; but the verifier does not know what a remainder is. */
	ebpf_jump(code, ebpf_if_imm(BPF_REG_8, BPF_JGE, (int32_t)options->rings), labels->pass);
	ebpf_place(code, known);
	store(code, STACK_RING, BPF_REG_8);
	ebpf_emit_map(code, BPF_REG_1, options->rings_fd);
	ebpf_emit(code, ebpf_mov(BPF_REG_2, BPF_REG_10));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_2, STACK_RING));
	ebpf_emit(code, ebpf_call(BPF_FUNC_map_lookup_elem));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JEQ, 0), labels->pass);
	ebpf_emit(code, ebpf_mov(BPF_REG_9, BPF_REG_0));
	ebpf_emit(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, options->lines_fd));
	ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
	ebpf_emit(code, ebpf_alu_imm(BPF_MUL, BPF_REG_8, sizeof(struct xdp_tap_line)));
	ebpf_emit(code, ebpf_alu(BPF_ADD, BPF_REG_1, BPF_REG_8));
	ebpf_emit(code, ebpf_mov(BPF_REG_8, BPF_REG_1));
}

/* How much may come before the reader is woken, so that one that naps is back before the buffer is full. */
static uint32_t wake_limit(const struct xdp_tap_options *options)
{
	return (uint32_t)(options->ring_bytes / 4);
}

/* What a record adds up to: its bytes, or the part that it is of the records after which the reader is woken, if that is more. */
static uint32_t wake_weight(const struct xdp_tap_options *options, uint32_t size)
{
	uint32_t bytes = RINGBUF_HEADER + HEADER + size, part = wake_limit(options) / XDP_TAP_WAKE_RECORDS;

	return bytes > part ? bytes : part;
}

/* R9 = a record with room for R7 bytes. */
static void emit_reserve(struct ebpf_code *code, const struct xdp_tap_options *options, const struct labels *labels)
{
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned next = ebpf_label(code);

		ebpf_jump(code, ebpf_if_imm(BPF_REG_7, BPF_JGT, (int32_t)sizes[i]), next);
		ebpf_emit(code, ebpf_store_imm(BPF_W, BPF_REG_10, STACK_WAKE, (int32_t)wake_weight(options, sizes[i])));
		ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, (int32_t)(HEADER + sizes[i])));
		ebpf_jump(code, ebpf_always(), labels->reserve);
		ebpf_place(code, next);
	}
	ebpf_jump(code, ebpf_always(), labels->pass); /* more than the last size, which is not */
	ebpf_place(code, labels->reserve);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_9));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_3, 0));
	ebpf_emit(code, ebpf_call(BPF_FUNC_ringbuf_reserve));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JEQ, 0), labels->full);
	ebpf_emit(code, ebpf_mov(BPF_REG_9, BPF_REG_0));
}

static void store_number(struct ebpf_code *code, int member, int place)
{
	load(code, BPF_REG_1, place);
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_9, member, BPF_REG_1));
}

static void emit_copy(struct ebpf_code *code, const struct xdp_tap_options *options, const struct labels *labels)
{
	ebpf_emit(code, ebpf_call(options->tai ? BPF_FUNC_ktime_get_tai_ns : BPF_FUNC_ktime_get_ns));
	ebpf_emit(code, ebpf_store(BPF_DW, BPF_REG_9, RECORD(tai_ns), BPF_REG_0));
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_9, RECORD(captured_len), BPF_REG_7));
	store_number(code, RECORD(wire_len), STACK_WIRE_LEN);
	store_number(code, RECORD(verdict), STACK_VERDICT);
	store_number(code, RECORD(filter), STACK_FILTER);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_6));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, 0));
	ebpf_emit(code, ebpf_mov(BPF_REG_3, BPF_REG_9));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_3, (int32_t)HEADER));
	ebpf_emit(code, ebpf_mov(BPF_REG_4, BPF_REG_7));
	ebpf_emit(code, ebpf_call(BPF_FUNC_xdp_load_bytes));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JNE, 0), labels->discard);
}

/* Adds 1 to a number of the line; R2 is lost. An operation that returns something is a full barrier. */
static void emit_count(struct ebpf_code *code, int member)
{
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, 1));
	ebpf_emit(code, EBPF_MAKE(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_8, BPF_REG_2, member, BPF_ADD | BPF_FETCH));
}

static void emit_submit(struct ebpf_code *code, const struct xdp_tap_options *options, const struct labels *labels)
{
	unsigned wake = ebpf_label(code), submit = ebpf_label(code);

	emit_count(code, LINE(packets));
	/* No operation of its own for it: where CPUs share a buffer the sum may miss some, and the reader is woken later. */
	load(code, BPF_REG_3, STACK_WAKE);
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_4, BPF_REG_8, LINE(unwoken)));
	ebpf_emit(code, ebpf_alu(BPF_ADD, BPF_REG_3, BPF_REG_4));
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_8, LINE(unwoken), BPF_REG_3));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_3, BPF_JGE, (int32_t)wake_limit(options)), wake);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, BPF_RB_NO_WAKEUP));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_4, BPF_REG_8, LINE(wanted)));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_4, BPF_JEQ, 0), submit);
	ebpf_place(code, wake);
	/* Before the record is handed over: who has read it may set it again. */
	ebpf_emit(code, ebpf_store_imm(BPF_W, BPF_REG_8, LINE(wanted), 0));
	ebpf_emit(code, ebpf_store_imm(BPF_W, BPF_REG_8, LINE(unwoken), 0));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, BPF_RB_FORCE_WAKEUP));
	ebpf_place(code, submit);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_9));
	ebpf_emit(code, ebpf_call(BPF_FUNC_ringbuf_submit));
	ebpf_jump(code, ebpf_always(), labels->pass);
}

static void emit_losses(struct ebpf_code *code, const struct labels *labels)
{
	/* Its bytes could not be had: it is counted as lost, too. */
	ebpf_place(code, labels->discard);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_9));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, BPF_RB_NO_WAKEUP));
	ebpf_emit(code, ebpf_call(BPF_FUNC_ringbuf_discard));
	ebpf_place(code, labels->full);
	emit_count(code, LINE(drops));
	ebpf_jump(code, ebpf_always(), labels->pass);
}

void xdp_tap_emit(struct ebpf_code *code, const struct xdp_tap_options *options, unsigned pass)
{
	const struct labels labels = { pass, ebpf_label(code), ebpf_label(code), ebpf_label(code) };

	emit_length(code, options, &labels);
	emit_ring(code, options, &labels);
	emit_reserve(code, options, &labels);
	emit_copy(code, options, &labels);
	emit_submit(code, options, &labels);
	emit_losses(code, &labels);
}
