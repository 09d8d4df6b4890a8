/* SPDX-License-Identifier: BSD-3-Clause */
/* The interpreter's start and end, in the XDP program itself, and the process's side of the slots. See xdp-interpreter.h. No state. */
#include "xdp-interpreter.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "xdp-interpreter-state.h"

static void store_state(struct ebpf_code *code, int member, unsigned from)
{
	ebpf_emit(code, ebpf_store(BPF_DW, BPF_REG_10, STATE_PLACE + member, from));
}

static void store_number(struct ebpf_code *code, int member, unsigned from)
{
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_10, STATE_PLACE + member, from));
}

/* BPF_REG_9 = the slot that the word in R1 means. */
static void emit_slot(struct ebpf_code *code)
{
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_10, WORD_PLACE, BPF_REG_1));
	ebpf_emit(code, ebpf_mov(BPF_REG_9, BPF_REG_1));
	ebpf_emit(code, ebpf_alu_imm(BPF_SUB, BPF_REG_9, 1));
	ebpf_emit(code, ebpf_alu_imm(BPF_AND, BPF_REG_9, XDP_SLOTS - 1));
	ebpf_emit(code, ebpf_alu_imm(BPF_MUL, BPF_REG_9, sizeof(struct xdp_slot)));
	ebpf_emit(code, ebpf_alu(BPF_ADD, BPF_REG_9, BPF_REG_2));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_9, offsetof(struct xdp_switch, slot)));
	store_state(code, MEMBER(slot), BPF_REG_9);
}

/* R5 = length of the frame's tag. R0 = 0. Frames that are too short are the kernel's to drop. */
static void emit_tag_length(struct ebpf_code *code, unsigned pass)
{
	unsigned tagged = ebpf_label(code), known = ebpf_label(code);

	ebpf_emit(code, ebpf_mov(BPF_REG_3, BPF_REG_7));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_3, ETH_HLEN));
	ebpf_jump(code, ebpf_if(BPF_REG_3, BPF_JGT, BPF_REG_8), pass);
	ebpf_emit(code, ebpf_load(BPF_H, BPF_REG_4, BPF_REG_7, TYPE_OFFSET));
	ebpf_emit(code, ebpf_mov(BPF_REG_5, BPF_REG_0));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_4, BPF_JEQ, htons(ETH_P_8021Q)), tagged);
	ebpf_jump(code, ebpf_if_imm(BPF_REG_4, BPF_JNE, htons(ETH_P_8021AD)), known);
	ebpf_place(code, tagged);
	ebpf_emit(code, ebpf_mov(BPF_REG_3, BPF_REG_7));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_3, XDP_FILTER_TAGGED_MIN));
	ebpf_jump(code, ebpf_if(BPF_REG_3, BPF_JGT, BPF_REG_8), pass);
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_5, XDP_FILTER_TAG_LEN));
	ebpf_place(code, known);
	ebpf_emit(code, ebpf_alu_imm(BPF_AND, BPF_REG_5, XDP_FILTER_TAG_LEN));
}

static void emit_state(struct ebpf_code *code, unsigned pass)
{
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_0, BPF_REG_2, offsetof(struct xdp_switch, zero)));
	emit_tag_length(code, pass);
	store_state(code, MEMBER(context), BPF_REG_6);
	store_state(code, MEMBER(bytes), BPF_REG_0);
	for (int place = MEMBER(memory); place < (int)sizeof(struct state); place += 8)
		store_state(code, place, BPF_REG_0);
	store_number(code, NUMBER(tag), BPF_REG_5);
	store_number(code, NUMBER(zero), BPF_REG_0);
	store_number(code, NUMBER(next), BPF_REG_0);
	store_number(code, NUMBER(a), BPF_REG_0);
	store_number(code, NUMBER(x), BPF_REG_0);
	store_number(code, NUMBER(judged), BPF_REG_0);
	store_number(code, NUMBER(verdict), BPF_REG_0);
}

/*
 * Not judged, if the slot has another number than the word: its steps may have been changed while they were executed. Whoever changes them has changed
 * the number first; an atomic operation that returns something orders the loads before it and behind it, which no load of eBPF does by itself. That
 * the number was the word's before them follows from the word, which was released behind it.
 */
static void emit_check(struct ebpf_code *code, unsigned unjudged)
{
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_1, 0));
	ebpf_emit(code, EBPF_MAKE(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_10, BPF_REG_1, STATE_PLACE + MEMBER(bytes), BPF_ADD | BPF_FETCH));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_9, offsetof(struct xdp_slot, number)));
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_2, BPF_REG_10, WORD_PLACE));
	ebpf_emit(code, ebpf_alu_imm(BPF_RSH, BPF_REG_2, XDP_IN_FORCE_SHIFT));
	ebpf_jump(code, ebpf_if(BPF_REG_1, BPF_JNE, BPF_REG_2), unjudged);
}

/* The verdict counts the tag, if K bytes of the frame without it reach it. */
static void emit_verdict(struct ebpf_code *code, const struct xdp_interpreter_labels *labels)
{
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_0, BPF_REG_10, STATE_PLACE + NUMBER(judged)));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JEQ, 0), labels->unjudged);
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_0, BPF_REG_10, STATE_PLACE + NUMBER(verdict)));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JLT, TYPE_OFFSET), labels->verdict);
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_10, STATE_PLACE + NUMBER(tag)));
	ebpf_emit(code, ebpf_alu(BPF_ADD, BPF_REG_0, BPF_REG_1));
	ebpf_emit(code, ebpf_mov32_imm(BPF_REG_1, UINT32_MAX));
	ebpf_jump(code, ebpf_if(BPF_REG_0, BPF_JLE, BPF_REG_1), labels->verdict);
	ebpf_emit(code, ebpf_mov(BPF_REG_0, BPF_REG_1));
	ebpf_jump(code, ebpf_always(), labels->verdict);
}

void xdp_interpreter_emit(struct ebpf_code *code, const struct xdp_interpreter_labels *labels)
{
	ebpf_emit(code, ebpf_mov(BPF_REG_3, BPF_REG_1));
	ebpf_emit(code, ebpf_alu_imm(BPF_AND, BPF_REG_3, XDP_IN_FORCE_MASK));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_3, BPF_JEQ, XDP_IN_FORCE_ALL), labels->unjudged);
	emit_slot(code);
	emit_state(code, labels->pass);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_7, 0));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_8, 0));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_1, BPF_MAXINSNS));
	ebpf_emit_function(code, BPF_REG_2, labels->function);
	ebpf_emit(code, ebpf_mov(BPF_REG_3, BPF_REG_10));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_3, STATE_PLACE));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_4, 0));
	ebpf_emit(code, ebpf_call(BPF_FUNC_loop));
	emit_check(code, labels->unjudged);
	emit_verdict(code, labels);
}

/* Writing */

struct xdp_step *xdp_interpreter_begin(struct xdp_switch *control, unsigned slot, uint32_t *filters)
{
	struct xdp_slot *to = &control->slot[slot];

	__atomic_store_n(&to->number, ++*filters & UINT32_MAX >> XDP_IN_FORCE_SHIFT, __ATOMIC_RELAXED);
	/* Release: who reads one of the steps finds the number changed. Pairs with the atomic operation of emit_check. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return to->step;
}

void xdp_interpreter_put_in_force(struct xdp_switch *control, unsigned slot)
{
	uint32_t number = control->slot[slot].number;

	/* Release: who sees a slot in force sees what is in it. The program's loads from the slot depend on this one. */
	__atomic_store_n(&control->in_force, number << XDP_IN_FORCE_SHIFT | (slot + 1), __ATOMIC_RELEASE);
}
