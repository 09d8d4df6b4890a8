/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp-filter-flow.h. */
#include "xdp-filter-flow.h"

uint32_t flow_load_size(const struct sock_filter *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	default:
		return 4;
	}
}

uint32_t flow_fixed_extent(const struct sock_filter *insn)
{
	return insn->k > FLOW_REACH ? FLOW_REACH + 1 : insn->k + flow_load_size(insn);
}

/* What lies ahead, from the end to the start. */

static bool returns_zero(const struct sock_filter *insn)
{
	return BPF_CLASS(insn->code) == BPF_RET && BPF_RVAL(insn->code) == BPF_K && insn->k == 0;
}

static uint32_t registers_read(const struct sock_filter *insn)
{
	bool by_x = BPF_SRC(insn->code) == BPF_X;

	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		if (BPF_MODE(insn->code) == BPF_MEM)
			return 1u << insn->k;
		if (flow_is_ancillary(insn))
			return insn->k == (uint32_t)SKF_AD_OFF + SKF_AD_ALU_XOR_X ? FLOW_A | FLOW_X : 0;
		return BPF_MODE(insn->code) == BPF_IND ? FLOW_X : 0;
	case BPF_LDX:
		return BPF_MODE(insn->code) == BPF_MEM ? 1u << insn->k : 0;
	case BPF_ST:
		return FLOW_A;
	case BPF_STX:
		return FLOW_X;
	case BPF_ALU:
		return FLOW_A | (by_x && BPF_OP(insn->code) != BPF_NEG ? FLOW_X : 0);
	case BPF_JMP:
		return flow_is_conditional(insn) ? FLOW_A | (by_x ? FLOW_X : 0) : 0;
	case BPF_RET:
		return BPF_RVAL(insn->code) == BPF_A ? FLOW_A : 0;
	default:
		return BPF_MISCOP(insn->code) == BPF_TAX ? FLOW_A : FLOW_X;
	}
}

static uint32_t registers_written(const struct sock_filter *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_ALU:
		return FLOW_A;
	case BPF_LDX:
		return FLOW_X;
	case BPF_ST:
	case BPF_STX:
		return 1u << insn->k;
	case BPF_MISC:
		return BPF_MISCOP(insn->code) == BPF_TAX ? FLOW_X : FLOW_A;
	default:
		return 0;
	}
}

/* The bytes without which an instruction rejects. */
static uint32_t needed_by(const struct sock_filter *insn, bool far_rejects)
{
	if (!flow_is_fixed_load(insn))
		return 0;
	if (flow_fixed_extent(insn) <= FLOW_REACH)
		return flow_fixed_extent(insn);
	return far_rejects ? FLOW_REJECTS : FLOW_REACH;
}

/* ahead is that of the instruction; what is behind it is done. */
static struct flow_ahead look_ahead(const struct flow_ahead *ahead, const struct sock_filter *insn, bool far_rejects)
{
	struct flow_ahead next = { 0, 0 };

	if (flow_is_conditional(insn)) {
		const struct flow_ahead *yes = &ahead[1 + insn->jt], *no = &ahead[1 + insn->jf];

		next = (struct flow_ahead){ flow_minimum(yes->need, no->need), yes->live | no->live };
	} else if (BPF_CLASS(insn->code) == BPF_JMP) {
		next = ahead[1 + insn->k];
	} else if (BPF_CLASS(insn->code) != BPF_RET) {
		next = ahead[1];
	}
	next.need = returns_zero(insn) ? FLOW_REJECTS : flow_maximum(next.need, needed_by(insn, far_rejects));
	next.live = (next.live & ~registers_written(insn)) | registers_read(insn);
	return next.need == FLOW_REJECTS ? (struct flow_ahead){ FLOW_REJECTS, 0 } : next;
}

void flow_look_ahead(struct flow_ahead *ahead, const struct sock_filter *program, unsigned length, bool far_rejects)
{
	for (unsigned i = length; i-- > 0;)
		ahead[i] = look_ahead(&ahead[i], &program[i], far_rejects);
}

/* What is known, from the start to the end. */

static uint32_t saturated(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static uint32_t result_max(const struct sock_filter *insn, const struct flow_known *known)
{
	bool by_x = BPF_SRC(insn->code) == BPF_X;
	uint32_t operand = by_x ? known->x_max : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		return saturated((uint64_t)known->a_max + operand);
	case BPF_AND:
		return flow_minimum(known->a_max, operand);
	case BPF_LSH:
		return by_x ? UINT32_MAX : saturated((uint64_t)known->a_max << insn->k);
	case BPF_RSH:
		return by_x ? UINT32_MAX : known->a_max >> insn->k;
	default:
		return UINT32_MAX;
	}
}

static uint32_t loaded_max(const struct sock_filter *insn, const struct flow_known *known)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		return insn->k;
	case BPF_MEM: /* one more, as older verifiers forget limits on the stack */
		return flow_maximum(known->memory_max[insn->k], FLOW_HEADER_LENGTH_MAX + 1);
	case BPF_ABS:
	case BPF_IND:
		if (flow_is_ancillary(insn) || flow_load_size(insn) == 4)
			return UINT32_MAX;
		return flow_load_size(insn) == 2 ? UINT16_MAX : UINT8_MAX;
	case BPF_MSH:
		return FLOW_HEADER_LENGTH_MAX;
	default:
		return UINT32_MAX;
	}
}

void flow_learn(struct flow_known *known, const struct sock_filter *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		known->a_max = loaded_max(insn, known);
		break;
	case BPF_LDX:
		known->x_max = loaded_max(insn, known);
		known->has_base = false;
		break;
	case BPF_ST:
		known->memory_max[insn->k] = known->a_max;
		break;
	case BPF_STX:
		known->memory_max[insn->k] = known->x_max;
		break;
	case BPF_ALU:
		known->a_max = result_max(insn, known);
		break;
	case BPF_MISC:
		if (BPF_MISCOP(insn->code) == BPF_TXA) {
			known->a_max = known->x_max;
			break;
		}
		known->x_max = known->a_max;
		known->has_base = false;
		break;
	}
}

void flow_merge(struct flow_known *there, const struct flow_known *known)
{
	if (!there->reached) {
		*there = *known;
		return;
	}
	there->has_base &= known->has_base;
	there->proved = flow_minimum(there->proved, known->proved);
	there->base_proved = flow_minimum(there->base_proved, known->base_proved);
	there->a_max = flow_maximum(there->a_max, known->a_max);
	there->x_max = flow_maximum(there->x_max, known->x_max);
	for (unsigned k = 0; k < BPF_MEMWORDS; k++)
		there->memory_max[k] = flow_maximum(there->memory_max[k], known->memory_max[k]);
}
