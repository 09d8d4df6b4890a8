/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The function that bpf_loop calls until it says that there is a verdict. It executes a few steps; what outlives a call is in struct state. Bounds are
 * checked where they are needed, and places are those of the frame without its tag, as long as they are called an offset.
 *
 * The verifier goes through the function until nothing new comes of it, and whatever it knows about a number is something new. So what a step leaves
 * behind is made up of numbers that it knows nothing about: they come from where it does not follow them (struct number), or have been mixed with one.
 */
#include "xdp-interpreter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

#include "xdp-filter-flow.h"
#include "xdp-interpreter-state.h"

/* Steps for each call of the function. More save calls, and cost the verifier time. */
#define STEPS 4

/* In the function. */
#define STATE BPF_REG_6
#define A BPF_REG_7
#define X BPF_REG_8
#define NEXT BPF_REG_9
#define STEP BPF_REG_1
#define OPERATION BPF_REG_2
#define OPERAND BPF_REG_3
#define TEMP BPF_REG_4
#define TEMP_2 BPF_REG_5

struct interpreter {
	struct ebpf_code *code;
	const struct xdp_filter_context *context;
	unsigned next;	   /* the step behind this one */
	unsigned reject;   /* verdict 0 */
	unsigned beyond;   /* a load failed */
	unsigned returns;  /* the verdict is in OPERAND */
	unsigned unjudged; /* no verdict */
};

static void emit(struct interpreter *t, struct bpf_insn insn)
{
	ebpf_emit(t->code, insn);
}

static void jump(struct interpreter *t, struct bpf_insn insn, unsigned label)
{
	ebpf_jump(t->code, insn, label);
}

/* The packet */

/* to = the packet's data, end = its data_end */
static void emit_packet(struct interpreter *t, unsigned to, unsigned end)
{
	emit(t, ebpf_load(BPF_DW, end, STATE, MEMBER(context)));
	emit(t, ebpf_load(BPF_W, to, end, offsetof(struct xdp_md, data)));
	emit(t, ebpf_load(BPF_W, end, end, offsetof(struct xdp_md, data_end)));
}

/* BPF_REG_1 = data, of which `length` bytes are there. */
static void emit_front(struct interpreter *t, int length, unsigned otherwise)
{
	emit_packet(t, BPF_REG_1, BPF_REG_2);
	emit(t, ebpf_mov(TEMP_2, BPF_REG_1));
	emit(t, ebpf_alu_imm(BPF_ADD, TEMP_2, length));
	jump(t, ebpf_if(TEMP_2, BPF_JGT, BPF_REG_2), otherwise);
}

static void emit_number(struct interpreter *t, unsigned to, unsigned from, int place, unsigned size)
{
	emit(t, ebpf_load(size == 1 ? BPF_B : size == 2 ? BPF_H : BPF_W, to, from, place));
	if (size > 1)
		emit(t, ebpf_swap(to, size * 8));
}

/* Bytes 8 to 15, in the middle of which the tag is: `to` = those of them that are wanted. OPERAND is the offset, and the packet is long enough. */
static void emit_spanning(struct interpreter *t, unsigned to, unsigned size)
{
	emit_front(t, XDP_FILTER_TAGGED_MIN, t->reject);
	emit_number(t, TEMP, BPF_REG_1, 8, 4);
	emit_number(t, to, BPF_REG_1, TYPE_OFFSET + XDP_FILTER_TAG_LEN, 4);
	emit(t, ebpf_alu_imm(BPF_LSH, TEMP, 32));
	emit(t, ebpf_alu(BPF_OR, to, TEMP));
	emit(t, ebpf_mov_imm(TEMP, (int)(16 - size)));
	emit(t, ebpf_alu(BPF_SUB, TEMP, OPERAND));
	emit(t, ebpf_alu_imm(BPF_LSH, TEMP, 3));
	emit(t, ebpf_alu_imm(BPF_AND, TEMP, 63));
	emit(t, ebpf_alu(BPF_RSH, to, TEMP));
	if (size == 4)
		emit(t, ebpf_mov32(to, to));
	else
		emit(t, ebpf_alu_imm(BPF_AND, to, UINT16_MAX));
	jump(t, ebpf_always(), t->next);
}

/* OPERAND = the place of the offset that it is; loads what spans the tag, and is done. */
static void emit_place(struct interpreter *t, unsigned to, unsigned size)
{
	unsigned found = ebpf_label(t->code), behind = ebpf_label(t->code);

	emit(t, ebpf_load(BPF_W, TEMP, STATE, NUMBER(tag)));
	jump(t, ebpf_if_imm(TEMP, BPF_JEQ, 0), found);
	jump(t, ebpf_if_imm(OPERAND, BPF_JGE, TYPE_OFFSET), behind);
	if (size > 1) {
		jump(t, ebpf_if_imm(OPERAND, BPF_JLE, (int)(TYPE_OFFSET - size)), found);
		emit_spanning(t, to, size);
	} else {
		jump(t, ebpf_always(), found);
	}
	ebpf_place(t->code, behind);
	emit(t, ebpf_alu(BPF_ADD, OPERAND, TEMP));
	ebpf_place(t->code, found);
}

/* `to` = size bytes at the place OPERAND, which are not in the packet's first piece. */
static void emit_load_by_helper(struct interpreter *t, unsigned to, unsigned size)
{
	emit(t, ebpf_load(BPF_DW, BPF_REG_1, STATE, MEMBER(context)));
	emit(t, ebpf_mov(BPF_REG_2, OPERAND));
	emit(t, ebpf_mov(BPF_REG_3, STATE));
	emit(t, ebpf_alu_imm(BPF_ADD, BPF_REG_3, MEMBER(bytes)));
	emit(t, ebpf_mov_imm(BPF_REG_4, (int)size));
	emit(t, ebpf_call(BPF_FUNC_xdp_load_bytes));
	jump(t, ebpf_if_imm(BPF_REG_0, BPF_JNE, 0), t->beyond);
	emit_number(t, to, STATE, MEMBER(bytes), size);
}

static void emit_load(struct interpreter *t, unsigned to, unsigned size)
{
	unsigned far = t->context->fragments ? ebpf_label(t->code) : t->reject, done = ebpf_label(t->code);

	emit_place(t, to, size);
	jump(t, ebpf_if_imm(OPERAND, BPF_JGT, FLOW_REACH), far);
	emit_packet(t, BPF_REG_1, BPF_REG_2);
	emit(t, ebpf_alu(BPF_ADD, BPF_REG_1, OPERAND));
	emit(t, ebpf_mov(TEMP_2, BPF_REG_1));
	emit(t, ebpf_alu_imm(BPF_ADD, TEMP_2, (int)size));
	jump(t, ebpf_if(TEMP_2, BPF_JGT, BPF_REG_2), far);
	emit_number(t, to, BPF_REG_1, 0, size);
	if (!t->context->fragments)
		return;
	jump(t, ebpf_always(), done);
	ebpf_place(t->code, far);
	emit_load_by_helper(t, to, size);
	ebpf_place(t->code, done);
}

static void emit_load_header_length(struct interpreter *t)
{
	emit_load(t, X, 1);
	emit(t, ebpf_alu32_imm(BPF_AND, X, 0xf));
	emit(t, ebpf_alu32_imm(BPF_LSH, X, 2));
}

static void emit_length(struct interpreter *t, unsigned to)
{
	if (t->context->fragments) {
		emit(t, ebpf_load(BPF_DW, BPF_REG_1, STATE, MEMBER(context)));
		emit(t, ebpf_call(BPF_FUNC_xdp_get_buff_len));
	} else {
		emit_packet(t, BPF_REG_1, BPF_REG_0);
		emit(t, ebpf_alu(BPF_SUB, BPF_REG_0, BPF_REG_1));
	}
	emit(t, ebpf_load(BPF_W, TEMP, STATE, NUMBER(tag)));
	emit(t, ebpf_alu(BPF_SUB, BPF_REG_0, TEMP));
	emit(t, ebpf_mov32(to, BPF_REG_0));
}

/* What the kernel knows about a packet, as in xdp-filter.c */

static void emit_protocol_behind(struct interpreter *t, int tag_len)
{
	emit_front(t, ETH_HLEN + tag_len, t->reject);
	emit_number(t, A, BPF_REG_1, TYPE_OFFSET + tag_len, 2);
	jump(t, ebpf_if_imm(A, BPF_JGE, ETH_P_802_3_MIN), t->next);
	emit(t, ebpf_mov_imm(A, ETH_P_802_2));
	emit_front(t, ETH_HLEN + 2 + tag_len, t->next);
	emit_number(t, TEMP, BPF_REG_1, ETH_HLEN + tag_len, 2);
	jump(t, ebpf_if_imm(TEMP, BPF_JNE, 0xffff), t->next);
	emit(t, ebpf_mov_imm(A, ETH_P_802_3));
}

static void emit_protocol(struct interpreter *t)
{
	unsigned tagged = ebpf_label(t->code);

	emit(t, ebpf_load(BPF_W, TEMP, STATE, NUMBER(tag)));
	jump(t, ebpf_if_imm(TEMP, BPF_JNE, 0), tagged);
	emit_protocol_behind(t, 0);
	jump(t, ebpf_always(), t->next);
	ebpf_place(t->code, tagged);
	emit_protocol_behind(t, XDP_FILTER_TAG_LEN);
}

static void emit_packet_type(struct interpreter *t)
{
	unsigned other = ebpf_label(t->code);
	uint32_t front;
	uint16_t back;

	memcpy(&front, t->context->address, sizeof(front));
	memcpy(&back, t->context->address + sizeof(front), sizeof(back));
	emit_front(t, ETH_HLEN, t->reject);
	emit(t, ebpf_load(BPF_W, TEMP, BPF_REG_1, 0));
	emit(t, ebpf_load(BPF_H, TEMP_2, BPF_REG_1, 4));
	emit(t, ebpf_mov_imm(A, PACKET_HOST));
	jump(t, ebpf_if32_imm(TEMP, BPF_JNE, front), other);
	jump(t, ebpf_if32_imm(TEMP_2, BPF_JEQ, back), t->next);
	ebpf_place(t->code, other);
	emit(t, ebpf_mov_imm(A, PACKET_OTHERHOST));
	emit(t, ebpf_load(BPF_B, BPF_REG_2, BPF_REG_1, 0));
	emit(t, ebpf_alu_imm(BPF_AND, BPF_REG_2, 1));
	jump(t, ebpf_if_imm(BPF_REG_2, BPF_JEQ, 0), t->next);
	emit(t, ebpf_mov_imm(A, PACKET_MULTICAST));
	jump(t, ebpf_if32_imm(TEMP, BPF_JNE, UINT32_MAX), t->next);
	jump(t, ebpf_if32_imm(TEMP_2, BPF_JNE, UINT16_MAX), t->next);
	emit(t, ebpf_mov_imm(A, PACKET_BROADCAST));
}

/* A = two bytes of the tag, 0 without one. */
static void emit_tag(struct interpreter *t, int place)
{
	emit(t, ebpf_load(BPF_W, A, STATE, NUMBER(tag)));
	jump(t, ebpf_if_imm(A, BPF_JEQ, 0), t->next);
	emit_front(t, XDP_FILTER_TAGGED_MIN, t->reject);
	emit_number(t, A, BPF_REG_1, place, 2);
}

static void emit_tag_present(struct interpreter *t)
{
	emit(t, ebpf_load(BPF_W, A, STATE, NUMBER(tag)));
	emit(t, ebpf_alu_imm(BPF_RSH, A, 2));
	_Static_assert(XDP_FILTER_TAG_LEN >> 2 == 1, "a tag's length becomes 1");
}

static void emit_queue(struct interpreter *t)
{
	emit(t, ebpf_load(BPF_DW, BPF_REG_1, STATE, MEMBER(context)));
	emit(t, ebpf_load(BPF_W, A, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index)));
	emit(t, ebpf_alu32_imm(BPF_ADD, A, 1));
}

static void emit_helper(struct interpreter *t, int helper)
{
	emit(t, ebpf_call(helper));
	emit(t, ebpf_mov32(A, BPF_REG_0));
}

/* Operations */

static void emit_jump(struct interpreter *t, unsigned condition)
{
	unsigned yes = ebpf_label(t->code);

	jump(t, ebpf_if32(A, condition, OPERAND), yes);
	emit(t, ebpf_load(BPF_B, TEMP, STEP, offsetof(struct xdp_step, if_false)));
	emit(t, ebpf_alu(BPF_ADD, NEXT, TEMP));
	jump(t, ebpf_always(), t->next);
	ebpf_place(t->code, yes);
	emit(t, ebpf_load(BPF_B, TEMP, STEP, offsetof(struct xdp_step, if_true)));
	emit(t, ebpf_alu(BPF_ADD, NEXT, TEMP));
}

/* TEMP = where M[k] is, but for its distance in the state. */
static void emit_memory(struct interpreter *t)
{
	emit(t, ebpf_alu32_imm(BPF_AND, OPERAND, BPF_MEMWORDS - 1));
	emit(t, ebpf_alu_imm(BPF_LSH, OPERAND, 2));
	emit(t, ebpf_mov(TEMP, STATE));
	emit(t, ebpf_alu(BPF_ADD, TEMP, OPERAND));
}

static void emit_division(struct interpreter *t, unsigned operation)
{
	jump(t, ebpf_if_imm(OPERAND, BPF_JEQ, 0), t->reject);
	emit(t, ebpf_alu32(operation, A, OPERAND));
}

static void emit_shift(struct interpreter *t, unsigned operation)
{
	emit(t, ebpf_alu32_imm(BPF_AND, OPERAND, 31)); /* what the kernel makes of longer ones */
	emit(t, ebpf_alu32(operation, A, OPERAND));
}

static void emit_computation(struct interpreter *t, enum xdp_operation operation)
{
	static const uint8_t operations[XDP_OPERATIONS] = {
		[XDP_ADD] = BPF_ADD, [XDP_SUBTRACT] = BPF_SUB, [XDP_MULTIPLY] = BPF_MUL,     [XDP_DIVIDE] = BPF_DIV,	 [XDP_MODULO] = BPF_MOD,
		[XDP_AND] = BPF_AND, [XDP_OR] = BPF_OR,	       [XDP_EXCLUSIVE_OR] = BPF_XOR, [XDP_SHIFT_LEFT] = BPF_LSH, [XDP_SHIFT_RIGHT] = BPF_RSH,
	};

	switch (operation) {
	case XDP_DIVIDE:
	case XDP_MODULO:
		emit_division(t, operations[operation]);
		break;
	case XDP_SHIFT_LEFT:
	case XDP_SHIFT_RIGHT:
		emit_shift(t, operations[operation]);
		break;
	case XDP_NEGATE:
		emit(t, EBPF_MAKE(BPF_ALU | BPF_NEG, A, 0, 0, 0));
		break;
	default:
		emit(t, ebpf_alu32(operations[operation], A, OPERAND));
	}
}

static void emit_move(struct interpreter *t, enum xdp_operation operation)
{
	switch (operation) {
	case XDP_SET_A:
		emit(t, ebpf_mov(A, OPERAND));
		break;
	case XDP_SET_X:
		emit(t, ebpf_mov(X, OPERAND));
		break;
	case XDP_MOVE_TO_X:
		emit(t, ebpf_mov(X, A));
		break;
	case XDP_LENGTH_TO_A:
	case XDP_LENGTH_TO_X:
		emit_length(t, operation == XDP_LENGTH_TO_A ? A : X);
		break;
	case XDP_MEMORY_TO_A:
	case XDP_MEMORY_TO_X:
		emit_memory(t);
		emit(t, ebpf_load(BPF_W, operation == XDP_MEMORY_TO_A ? A : X, TEMP, MEMBER(memory)));
		break;
	default:
		emit_memory(t);
		emit(t, ebpf_store(BPF_W, TEMP, MEMBER(memory), operation == XDP_A_TO_MEMORY ? A : X));
	}
}

static void emit_ancillary(struct interpreter *t, enum xdp_operation operation)
{
	switch (operation) {
	case XDP_PROTOCOL:
		emit_protocol(t);
		break;
	case XDP_PACKET_TYPE:
		emit_packet_type(t);
		break;
	case XDP_TAG:
		emit_tag(t, TYPE_OFFSET + 2);
		break;
	case XDP_TAG_TYPE:
		emit_tag(t, TYPE_OFFSET);
		break;
	case XDP_TAG_PRESENT:
		emit_tag_present(t);
		break;
	case XDP_QUEUE:
		emit_queue(t);
		break;
	case XDP_CPU:
		emit_helper(t, BPF_FUNC_get_smp_processor_id);
		break;
	default:
		emit_helper(t, BPF_FUNC_get_prandom_u32);
	}
}

/* Ends with a jump to the next step. */
static void emit_operation(struct interpreter *t, enum xdp_operation operation)
{
	static const uint8_t conditions[] = {
		[XDP_JUMP_EQUAL] = BPF_JEQ,
		[XDP_JUMP_GREATER] = BPF_JGT,
		[XDP_JUMP_GREATER_EQUAL] = BPF_JGE,
		[XDP_JUMP_SET] = BPF_JSET,
	};

	if (operation <= XDP_LOAD_BYTE) {
		emit_load(t, A, operation == XDP_LOAD_WORD ? 4 : operation == XDP_LOAD_HALF ? 2 : 1);
	} else if (operation <= XDP_JUMP_SET) {
		emit_jump(t, conditions[operation]);
	} else if (operation <= XDP_RETURN_A) {
		if (operation == XDP_RETURN_A)
			emit(t, ebpf_mov(OPERAND, A));
		jump(t, ebpf_always(), t->returns);
		return;
	} else if (operation == XDP_JUMP) {
		emit(t, ebpf_alu(BPF_ADD, NEXT, OPERAND));
	} else if (operation == XDP_LOAD_HEADER_LENGTH) {
		emit_load_header_length(t);
	} else if (operation <= XDP_X_TO_MEMORY) {
		emit_move(t, operation);
	} else if (operation <= XDP_NEGATE) {
		emit_computation(t, operation);
	} else {
		emit_ancillary(t, operation);
	}
	jump(t, ebpf_always(), t->next);
}

/* OPERATION is one of first up to last: finds it by halving. */
static void emit_choice(struct interpreter *t, unsigned first, unsigned last)
{
	unsigned middle = first == 0 && last >= XDP_COLD ? XDP_COLD : (first + last + 1) / 2, upper;

	if (first == last) {
		emit_operation(t, (enum xdp_operation)first);
		return;
	}
	upper = ebpf_label(t->code);
	jump(t, ebpf_if_imm(OPERATION, BPF_JGE, (int)middle), upper);
	emit_choice(t, first, middle - 1);
	ebpf_place(t->code, upper);
	emit_choice(t, middle, last);
}

/* What one step leaves behind looks like what any other does. */
static void emit_forgetting(struct interpreter *t)
{
	emit(t, ebpf_load(BPF_W, TEMP, STATE, NUMBER(zero)));
	emit(t, ebpf_alu32(BPF_XOR, A, TEMP));
	emit(t, ebpf_alu32(BPF_XOR, X, TEMP));
	emit(t, ebpf_alu32(BPF_XOR, NEXT, TEMP));
	emit(t, ebpf_mov_imm(BPF_REG_0, 0));
	emit(t, ebpf_mov_imm(TEMP_2, 0));
}

/* Any number of a step is in the slot, whatever a torn program has it add up to. */
static void emit_step(struct interpreter *t)
{
	t->next = ebpf_label(t->code);
	emit(t, ebpf_alu32_imm(BPF_AND, NEXT, BPF_MAXINSNS - 1));
	emit(t, ebpf_mov(OPERATION, NEXT));
	emit(t, ebpf_alu_imm(BPF_LSH, OPERATION, 3));
	emit(t, ebpf_load(BPF_DW, STEP, STATE, MEMBER(slot)));
	emit(t, ebpf_alu_imm(BPF_ADD, STEP, offsetof(struct xdp_slot, step)));
	emit(t, ebpf_alu(BPF_ADD, STEP, OPERATION));
	emit(t, ebpf_load(BPF_B, OPERAND, STEP, offsetof(struct xdp_step, from_x)));
	emit(t, ebpf_alu32(BPF_MUL, OPERAND, X));
	emit(t, ebpf_load(BPF_W, TEMP, STEP, offsetof(struct xdp_step, k)));
	emit(t, ebpf_alu32(BPF_ADD, OPERAND, TEMP));
	emit(t, ebpf_load(BPF_B, OPERATION, STEP, offsetof(struct xdp_step, operation)));
	emit(t, ebpf_alu_imm(BPF_ADD, NEXT, 1));
	emit_choice(t, 0, XDP_OPERATIONS - 1);
	ebpf_place(t->code, t->next);
	emit_forgetting(t);
	_Static_assert(sizeof(struct xdp_step) == 1 << 3, "a step's number becomes its place");
}

/* A helper could not load a byte: from 65535 on it never does, whether there is one or not. */
static void emit_beyond(struct interpreter *t)
{
	if (!t->context->fragments)
		return;
	ebpf_place(t->code, t->beyond);
	emit(t, ebpf_load(BPF_DW, BPF_REG_1, STATE, MEMBER(context)));
	emit(t, ebpf_call(BPF_FUNC_xdp_get_buff_len));
	jump(t, ebpf_if_imm(BPF_REG_0, BPF_JGT, UINT16_MAX), t->unjudged);
}

void xdp_interpreter_emit_function(struct ebpf_code *code, const struct xdp_interpreter_labels *labels, const struct xdp_filter_context *context)
{
	struct interpreter interpreter = { .code = code, .context = context }, *t = &interpreter;

	t->reject = ebpf_label(code);
	t->beyond = ebpf_label(code);
	t->returns = ebpf_label(code);
	t->unjudged = ebpf_label(code);
	ebpf_place(code, labels->function);
	emit(t, ebpf_mov(STATE, BPF_REG_2));
	emit(t, ebpf_load(BPF_W, A, STATE, NUMBER(a)));
	emit(t, ebpf_load(BPF_W, X, STATE, NUMBER(x)));
	emit(t, ebpf_load(BPF_W, NEXT, STATE, NUMBER(next)));
	for (unsigned i = 0; i < STEPS; i++)
		emit_step(t);
	emit(t, ebpf_store(BPF_W, STATE, NUMBER(a), A));
	emit(t, ebpf_store(BPF_W, STATE, NUMBER(x), X));
	emit(t, ebpf_store(BPF_W, STATE, NUMBER(next), NEXT));
	emit(t, ebpf_mov_imm(BPF_REG_0, 0));
	emit(t, ebpf_exit());

	emit_beyond(t);
	ebpf_place(code, t->reject);
	emit(t, ebpf_mov_imm(OPERAND, 0));
	ebpf_place(code, t->returns);
	emit(t, ebpf_store(BPF_W, STATE, NUMBER(verdict), OPERAND));
	emit(t, ebpf_store_imm(BPF_W, STATE, NUMBER(judged), 1));
	ebpf_place(code, t->unjudged);
	emit(t, ebpf_mov_imm(BPF_REG_0, 1));
	emit(t, ebpf_exit());
}
