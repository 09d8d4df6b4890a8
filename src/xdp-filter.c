/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See xdp-filter.h. The classic program is translated twice, for frames without and with a tag, and the frame's type says which of the two runs. So
 * the place of a byte is known when the program is made, but for loads in front of the tag at an offset that is computed.
 *
 * Offsets and lengths are those of the frame without its tag, unless they are called a place.
 *
 * Programs only jump forward. So what an instruction can rely on (struct flow_known) is known when its turn comes, from those before it; and one pass
 * from the end has found what lies ahead of it (struct flow_ahead). Of the latter the best part is the shortest packet that has a chance: with `tcp
 * port 443` none of less than 24 bytes has, so that the first load's check is the only one that most packets see.
 *
 * The verifier follows numbers that offsets are made of along all paths. A program that computes offsets by many branches may be too much for it;
 * then it refuses, and the filter runs in user space.
 */
#include "xdp-filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "bpf-run.h"
#include "xdp-filter-translator.h"

/* As far from DATA + X, so that both together stay in what the verifier allows. */
#define ADDED_MAX 240

/* Places in the frame. */

/* A length as a place: of the byte behind the last one. */
static int end_of(const struct translator *t, uint32_t length)
{
	return (int)length + (t->tagged && length > TYPE_OFFSET ? XDP_FILTER_TAG_LEN : 0);
}

static bool spans_tag(const struct translator *t, uint32_t offset, uint32_t size)
{
	return t->tagged && offset < TYPE_OFFSET && offset + size > TYPE_OFFSET;
}

/* Emitting */

/* On only if the frame has bytes from `from` up to `end`. */
static void check_end(struct translator *t, unsigned from, int end)
{
	emit(t, ebpf_mov(TEMP, from));
	emit(t, ebpf_alu_imm(BPF_ADD, TEMP, end));
	jump(t, ebpf_if(TEMP, BPF_JGT, DATA_END), t->beyond);
}

static void prove(struct translator *t, struct flow_known *known, uint32_t length)
{
	if (length <= known->proved)
		return;
	check_end(t, DATA, end_of(t, length));
	known->proved = length;
}

static unsigned ebpf_size(uint32_t size)
{
	return size == 1 ? BPF_B : size == 2 ? BPF_H : BPF_W;
}

/* A place of 32768 and more does not fit into the instruction. */
void xdp_filter_load_number(struct translator *t, unsigned to, unsigned from, int place, uint32_t size)
{
	if (place > INT16_MAX) {
		emit(t, ebpf_mov(TEMP, from));
		emit(t, ebpf_alu_imm(BPF_ADD, TEMP, place));
		from = TEMP;
		place = 0;
	}
	emit(t, ebpf_load(ebpf_size(size), to, from, place));
	if (size > 1)
		emit(t, ebpf_swap(to, size * 8));
}

/* TEMP = bytes 8 to 15, in the middle of which the tag is. They are always there. */
static void load_around_tag(struct translator *t)
{
	xdp_filter_load_number(t, TEMP, DATA, place_of(t, 8), 4);
	xdp_filter_load_number(t, TEMP_3, DATA, place_of(t, 12), 4);
	emit(t, ebpf_alu_imm(BPF_LSH, TEMP, 32));
	emit(t, ebpf_alu(BPF_OR, TEMP, TEMP_3));
}

/* A = the low `size` bytes of TEMP */
static void cut_out(struct translator *t, uint32_t size)
{
	emit(t, ebpf_mov32(A, TEMP));
	if (size == 2)
		emit(t, ebpf_alu32_imm(BPF_AND, A, UINT16_MAX));
}

static void load_fixed(struct translator *t, struct flow_known *known, unsigned i)
{
	const struct sock_filter *insn = &t->program[i];
	uint32_t size = flow_load_size(insn);

	prove(t, known, flow_maximum(flow_fixed_extent(insn), t->ahead[i].need));
	if (BPF_CLASS(insn->code) == BPF_LDX) {
		xdp_filter_load_number(t, X, DATA, place_of(t, insn->k), 1);
		emit(t, ebpf_alu32_imm(BPF_AND, X, 0xf));
		emit(t, ebpf_alu32_imm(BPF_LSH, X, 2));
	} else if (spans_tag(t, insn->k, size)) {
		load_around_tag(t);
		emit(t, ebpf_alu_imm(BPF_RSH, TEMP, (int)(8 * (16 - insn->k - size))));
		cut_out(t, size);
	} else {
		xdp_filter_load_number(t, A, DATA, place_of(t, insn->k), size);
	}
}

/* The sum of X and k cannot wrap around, and points behind the tag if there is one: its place is at a fixed distance from DATA + X. */
static bool is_behind_x(const struct translator *t, const struct sock_filter *insn, const struct flow_known *known)
{
	return insn->k <= ADDED_MAX && (uint64_t)known->x_max + insn->k <= UINT32_MAX && (!t->tagged || insn->k >= TYPE_OFFSET);
}

static void load_behind_x(struct translator *t, struct flow_known *known, const struct sock_filter *insn)
{
	uint32_t size = flow_load_size(insn);

	if (!known->has_base) {
		if (known->x_max > FLOW_HEADER_LENGTH_MAX)
			jump(t, ebpf_if_imm(X, BPF_JGT, FLOW_REACH), t->beyond);
		known->x_max = flow_minimum(known->x_max, FLOW_REACH);
		emit(t, ebpf_mov(BASE, DATA));
		emit(t, ebpf_alu(BPF_ADD, BASE, X));
		known->has_base = true;
		known->base_proved = 0;
	}
	if (insn->k + size > known->base_proved) {
		check_end(t, BASE, place_of(t, insn->k) + (int)size);
		known->base_proved = insn->k + size;
	}
	xdp_filter_load_number(t, A, BASE, place_of(t, insn->k), size);
}

/* TEMP is an offset: add the tag's length if it is behind the tag, without a branch. */
static void step_over_tag(struct translator *t)
{
	emit(t, ebpf_mov(TEMP_2, TEMP));
	emit(t, ebpf_alu_imm(BPF_SUB, TEMP_2, TYPE_OFFSET));
	emit(t, ebpf_alu_imm(BPF_RSH, TEMP_2, 63)); /* 1: in front */
	emit(t, ebpf_alu_imm(BPF_XOR, TEMP_2, 1));
	emit(t, ebpf_alu_imm(BPF_LSH, TEMP_2, 2));
	emit(t, ebpf_alu(BPF_ADD, TEMP, TEMP_2));
}

/*
 * TEMP is an offset: load here if that spans the tag. From the first such offset, of either size, the load leaves the last 3 of the 8 bytes around the
 * tag, and from each further one a byte less.
 */
static void load_if_spanning(struct translator *t, uint32_t size, unsigned done)
{
	unsigned elsewhere = ebpf_label(t->code);

	emit(t, ebpf_mov(TEMP_2, TEMP));
	emit(t, ebpf_alu_imm(BPF_SUB, TEMP_2, (int)(TYPE_OFFSET + 1 - size)));
	jump(t, ebpf_if_imm(TEMP_2, BPF_JGE, (int)size - 1), elsewhere);
	load_around_tag(t);
	emit(t, ebpf_alu_imm(BPF_LSH, TEMP_2, 3));
	emit(t, ebpf_mov_imm(TEMP_3, 24));
	emit(t, ebpf_alu(BPF_SUB, TEMP_3, TEMP_2));
	emit(t, ebpf_alu(BPF_RSH, TEMP, TEMP_3));
	cut_out(t, size);
	jump(t, ebpf_always(), done);
	ebpf_place(t->code, elsewhere);
}

/* The general case: anywhere, and the sum wraps around at 32 bits. */
static void load_at_sum(struct translator *t, const struct sock_filter *insn)
{
	uint32_t size = flow_load_size(insn);
	unsigned done = ebpf_label(t->code);

	emit(t, ebpf_mov32(TEMP, X));
	emit(t, ebpf_alu32_imm(BPF_ADD, TEMP, insn->k));
	jump(t, ebpf_if_imm(TEMP, BPF_JGT, FLOW_REACH), t->beyond);
	if (t->tagged && size > 1)
		load_if_spanning(t, size, done);
	if (t->tagged)
		step_over_tag(t);
	emit(t, ebpf_mov(TEMP_2, DATA));
	emit(t, ebpf_alu(BPF_ADD, TEMP_2, TEMP));
	check_end(t, TEMP_2, (int)size);
	xdp_filter_load_number(t, A, TEMP_2, 0, size);
	ebpf_place(t->code, done);
}

/* to = the length. Nothing else that is live is lost, but BASE. */
static void load_length(struct translator *t, struct flow_known *known, unsigned to, bool keep_a)
{
	if (t->context->fragments) {
		if (keep_a)
			emit(t, ebpf_store(BPF_DW, BPF_REG_10, SAVED_A_PLACE, A));
		emit(t, ebpf_mov(BPF_REG_1, CONTEXT));
		emit(t, ebpf_call(BPF_FUNC_xdp_get_buff_len));
		emit(t, ebpf_mov32(to, BPF_REG_0));
		if (keep_a)
			emit(t, ebpf_load(BPF_DW, A, BPF_REG_10, SAVED_A_PLACE));
		known->has_base = false;
	} else {
		emit(t, ebpf_mov(TEMP, DATA_END));
		emit(t, ebpf_alu(BPF_SUB, TEMP, DATA));
		emit(t, ebpf_mov32(to, TEMP));
	}
	if (t->tagged)
		emit(t, ebpf_alu32_imm(BPF_SUB, to, XDP_FILTER_TAG_LEN));
}

/* Instructions of classic BPF, class by class. */

static int emit_load(struct translator *t, struct flow_known *known, unsigned i)
{
	const struct sock_filter *insn = &t->program[i];
	bool into_x = BPF_CLASS(insn->code) == BPF_LDX;
	unsigned to = into_x ? X : A;

	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		emit(t, ebpf_mov32_imm(to, insn->k));
		return 0;
	case BPF_MEM:
		emit(t, ebpf_load(BPF_DW, to, BPF_REG_10, MEMORY_PLACE(insn->k)));
		return 0;
	case BPF_LEN:
		load_length(t, known, to, into_x && t->ahead[i + 1].live & FLOW_A);
		return 0;
	case BPF_IND:
		if (is_behind_x(t, insn, known))
			load_behind_x(t, known, insn);
		else
			load_at_sum(t, insn);
		return 0;
	default:
		if (flow_is_ancillary(insn))
			return xdp_filter_load_ancillary(t, known, i);
		load_fixed(t, known, i);
		return 0;
	}
}

static void emit_computation(struct translator *t, const struct sock_filter *insn)
{
	unsigned operation = BPF_OP(insn->code);

	if (operation == BPF_NEG) {
		emit(t, EBPF_MAKE(BPF_ALU | BPF_NEG, A, 0, 0, 0));
		return;
	}
	if (BPF_SRC(insn->code) == BPF_K) {
		emit(t, ebpf_alu32_imm(operation, A, insn->k));
		return;
	}
	if (operation == BPF_DIV || operation == BPF_MOD)
		jump(t, ebpf_if_imm(X, BPF_JEQ, 0), t->reject);
	if (operation != BPF_LSH && operation != BPF_RSH) {
		emit(t, ebpf_alu32(operation, A, X));
		return;
	}
	emit(t, ebpf_mov32(TEMP, X));
	emit(t, ebpf_alu32_imm(BPF_AND, TEMP, 31)); /* what the kernel makes of longer shifts */
	emit(t, ebpf_alu32(operation, A, TEMP));
}

/* What leads to a rejection whatever follows goes there at once. */
static unsigned label_of(struct translator *t, const struct flow_known *known, unsigned to)
{
	if (t->ahead[to].need == FLOW_REJECTS)
		return t->reject;
	flow_merge(&t->known[to], known);
	return t->label[to];
}

static void jump_if(struct translator *t, const struct sock_filter *insn, unsigned condition, unsigned label)
{
	if (BPF_SRC(insn->code) == BPF_X)
		jump(t, ebpf_if32(A, condition, X), label);
	else
		jump(t, ebpf_if32_imm(A, condition, insn->k), label);
}

/* The condition that is true when this one is not; 0: there is none. */
static unsigned opposite(unsigned condition)
{
	switch (condition) {
	case BPF_JEQ:
		return BPF_JNE;
	case BPF_JGT:
		return BPF_JLE;
	case BPF_JGE:
		return BPF_JLT;
	default:
		return 0;
	}
}

static void emit_jump(struct translator *t, const struct flow_known *known, unsigned i)
{
	const struct sock_filter *insn = &t->program[i];
	unsigned condition = BPF_OP(insn->code), yes, no;

	if (!flow_is_conditional(insn) || insn->jt == insn->jf) {
		unsigned distance = flow_is_conditional(insn) ? insn->jt : insn->k;

		jump(t, ebpf_always(), label_of(t, known, i + 1 + distance));
		return;
	}
	yes = label_of(t, known, i + 1 + insn->jt);
	no = label_of(t, known, i + 1 + insn->jf);
	if (insn->jt == 0 && yes != t->reject && opposite(condition)) {
		jump_if(t, insn, opposite(condition), no);
		return;
	}
	jump_if(t, insn, condition, yes);
	if (insn->jf != 0 || no == t->reject)
		jump(t, ebpf_always(), no);
}

/* The verdict counts the tag, if K bytes of the frame without it reach it. */
static void emit_return(struct translator *t, const struct sock_filter *insn)
{
	unsigned whole = ebpf_label(t->code);

	if (BPF_RVAL(insn->code) == BPF_K) {
		uint64_t added = t->tagged && insn->k >= TYPE_OFFSET ? XDP_FILTER_TAG_LEN : 0;

		emit(t, ebpf_mov32_imm(A, insn->k + added > UINT32_MAX ? UINT32_MAX : (uint32_t)(insn->k + added)));
		jump(t, ebpf_always(), t->verdict);
		return;
	}
	if (!t->tagged) {
		jump(t, ebpf_always(), t->verdict);
		return;
	}
	jump(t, ebpf_if_imm(A, BPF_JLT, TYPE_OFFSET), t->verdict);
	jump(t, ebpf_if32_imm(A, BPF_JGT, UINT32_MAX - XDP_FILTER_TAG_LEN), whole);
	emit(t, ebpf_alu32_imm(BPF_ADD, A, XDP_FILTER_TAG_LEN));
	jump(t, ebpf_always(), t->verdict);
	ebpf_place(t->code, whole);
	emit(t, ebpf_mov32_imm(A, UINT32_MAX));
	jump(t, ebpf_always(), t->verdict);
}

/* A load that nobody can do, when user space is asked about such. */
static bool goes_beyond(const struct sock_filter *insn)
{
	return flow_is_fixed_load(insn) && flow_fixed_extent(insn) > FLOW_REACH;
}

static int emit_instruction(struct translator *t, unsigned i)
{
	const struct sock_filter *insn = &t->program[i];
	struct flow_known known = t->known[i];
	int ret = 0;

	if (t->ahead[i].need == FLOW_REJECTS || goes_beyond(insn)) {
		jump(t, ebpf_always(), t->ahead[i].need == FLOW_REJECTS ? t->reject : t->beyond);
		return 0;
	}
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_LDX:
		ret = emit_load(t, &known, i);
		break;
	case BPF_ST:
		emit(t, ebpf_store(BPF_DW, BPF_REG_10, MEMORY_PLACE(insn->k), A));
		break;
	case BPF_STX:
		emit(t, ebpf_store(BPF_DW, BPF_REG_10, MEMORY_PLACE(insn->k), X));
		break;
	case BPF_ALU:
		emit_computation(t, insn);
		break;
	case BPF_JMP:
		emit_jump(t, &known, i);
		return 0;
	case BPF_RET:
		emit_return(t, insn);
		return 0;
	default:
		emit(t, BPF_MISCOP(insn->code) == BPF_TAX ? ebpf_mov(X, A) : ebpf_mov(A, X));
	}
	flow_learn(&known, insn);
	flow_merge(&t->known[i + 1], &known);
	return ret;
}

/* Registers and memory are 0 at the start, as far as anybody will look. */
static void emit_zeros(struct translator *t)
{
	if (t->ahead[0].live & FLOW_A)
		emit(t, ebpf_mov_imm(A, 0));
	if (t->ahead[0].live & FLOW_X)
		emit(t, ebpf_mov_imm(X, 0));
	for (unsigned k = 0; k < BPF_MEMWORDS; k++)
		if (t->ahead[0].live & 1u << k)
			emit(t, ebpf_store_imm(BPF_DW, BPF_REG_10, MEMORY_PLACE(k), 0));
}

/* The program for frames with a tag, or without one. Their first bytes are known to be there. */
static int emit_program(struct translator *t, bool tagged)
{
	int ret = 0;

	t->tagged = tagged;
	memset(t->known, 0, t->length * sizeof(*t->known));
	t->known[0] = (struct flow_known){ .reached = true, .proved = tagged ? XDP_FILTER_TAGGED_MIN - XDP_FILTER_TAG_LEN : ETH_HLEN };
	for (unsigned i = 0; i < t->length; i++)
		t->label[i] = ebpf_label(t->code);
	emit_zeros(t);
	for (unsigned i = 0; i < t->length && ret == 0; i++)
		if (t->known[i].reached) {
			ebpf_place(t->code, t->label[i]);
			ret = emit_instruction(t, i);
		}
	return ret;
}

static int emit_both(struct translator *t)
{
	unsigned tagged = ebpf_label(t->code);
	int ret;

	emit(t, ebpf_mov(TEMP, DATA));
	emit(t, ebpf_alu_imm(BPF_ADD, TEMP, ETH_HLEN));
	jump(t, ebpf_if(TEMP, BPF_JGT, DATA_END), t->reject);
	emit(t, ebpf_load(BPF_H, TEMP, DATA, TYPE_OFFSET));
	jump(t, ebpf_if_imm(TEMP, BPF_JEQ, htons(ETH_P_8021Q)), tagged);
	jump(t, ebpf_if_imm(TEMP, BPF_JEQ, htons(ETH_P_8021AD)), tagged);
	ret = emit_program(t, false);
	if (ret < 0)
		return ret;
	ebpf_place(t->code, tagged);
	emit(t, ebpf_mov(TEMP, DATA));
	emit(t, ebpf_alu_imm(BPF_ADD, TEMP, XDP_FILTER_TAGGED_MIN));
	jump(t, ebpf_if(TEMP, BPF_JGT, DATA_END), t->reject);
	ret = emit_program(t, true);
	if (ret < 0)
		return ret;
	ebpf_place(t->code, t->reject);
	emit(t, ebpf_mov_imm(A, 0));
	jump(t, ebpf_always(), t->verdict);
	return 0;
}

static int refuse_jumps_back(const struct sock_filter *program, unsigned length, struct netring_error *error)
{
	for (unsigned i = 0; i < length; i++)
		if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= length)
			return error_set(error, EOPNOTSUPP, "instruction %u of the filter jumps back, which no kernel takes", i);
	return 0;
}

static int translate(struct translator *t)
{
	t->ahead = calloc(t->length, sizeof(*t->ahead));
	t->known = calloc(t->length, sizeof(*t->known));
	t->label = calloc(t->length, sizeof(*t->label));
	if (!t->ahead || !t->known || !t->label)
		return error_errno(t->error, ENOMEM, "translation of a filter of %u instructions", t->length);
	flow_look_ahead(t->ahead, t->program, t->length, t->context->beyond_label == XDP_FILTER_REJECT);
	return emit_both(t);
}

int xdp_filter_translate(struct ebpf_code *code, const struct sock_filter *program, unsigned length, const struct xdp_filter_context *context,
			 unsigned verdict_label, struct netring_error *error)
{
	struct translator translator = {
		.code = code,
		.program = program,
		.length = length,
		.context = context,
		.verdict = verdict_label,
		.error = error,
	};
	int ret;

	if (!bpf_is_valid(program, length))
		return error_set(error, EINVAL, "BPF program is not valid");
	ret = refuse_jumps_back(program, length, error);
	if (ret < 0)
		return ret;
	translator.reject = ebpf_label(code);
	translator.beyond = context->beyond_label == XDP_FILTER_REJECT ? translator.reject : context->beyond_label;
	ret = translate(&translator);
	free(translator.ahead);
	free(translator.known);
	free(translator.label);
	return ret;
}
