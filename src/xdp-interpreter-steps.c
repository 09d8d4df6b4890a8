/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp-interpreter-steps.h. Pure functions. */
#include "xdp-interpreter-steps.h"

#include <errno.h>
#include <string.h>

#include "bpf-run.h"
#include "xdp-filter-flow.h"

static uint8_t load_operation(const struct sock_filter *insn)
{
	switch (flow_load_size(insn)) {
	case 1:
		return XDP_LOAD_BYTE;
	case 2:
		return XDP_LOAD_HALF;
	default:
		return XDP_LOAD_WORD;
	}
}

static struct xdp_step step_of_load(const struct sock_filter *insn)
{
	bool into_x = BPF_CLASS(insn->code) == BPF_LDX;

	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		return (struct xdp_step){ .operation = into_x ? XDP_SET_X : XDP_SET_A, .k = insn->k };
	case BPF_MEM:
		return (struct xdp_step){ .operation = into_x ? XDP_MEMORY_TO_X : XDP_MEMORY_TO_A, .k = insn->k };
	case BPF_LEN:
		return (struct xdp_step){ .operation = into_x ? XDP_LENGTH_TO_X : XDP_LENGTH_TO_A };
	case BPF_MSH:
		return (struct xdp_step){ .operation = XDP_LOAD_HEADER_LENGTH, .k = insn->k };
	default:
		return (struct xdp_step){ .operation = load_operation(insn), .from_x = BPF_MODE(insn->code) == BPF_IND, .k = insn->k };
	}
}

/* False: XDP does not know it. */
static bool step_of_ancillary(struct xdp_step *step, uint32_t what, const struct xdp_filter_context *context)
{
	static const uint8_t operations[SKF_AD_MAX] = {
		[SKF_AD_PROTOCOL] = XDP_PROTOCOL,
		[SKF_AD_PKTTYPE] = XDP_PACKET_TYPE,
		[SKF_AD_IFINDEX] = XDP_SET_A,
		[SKF_AD_HATYPE] = XDP_SET_A,
		[SKF_AD_VLAN_TAG] = XDP_TAG,
		[SKF_AD_VLAN_TAG_PRESENT] = XDP_TAG_PRESENT,
		[SKF_AD_VLAN_TPID] = XDP_TAG_TYPE,
		[SKF_AD_QUEUE] = XDP_QUEUE,
		[SKF_AD_CPU] = XDP_CPU,
		[SKF_AD_RANDOM] = XDP_RANDOM,
		[SKF_AD_ALU_XOR_X] = XDP_EXCLUSIVE_OR,
	};

	if (what >= SKF_AD_MAX || !operations[what] || (what == SKF_AD_PKTTYPE && !context->has_address))
		return false;
	*step = (struct xdp_step){ .operation = operations[what], .from_x = what == SKF_AD_ALU_XOR_X };
	if (what == SKF_AD_IFINDEX)
		step->k = context->ifindex;
	else if (what == SKF_AD_HATYPE)
		step->k = context->hardware_type;
	return true;
}

static struct xdp_step step_of_computation(const struct sock_filter *insn)
{
	static const uint8_t operations[] = {
		[BPF_ADD >> 4] = XDP_ADD,	 [BPF_SUB >> 4] = XDP_SUBTRACT,	   [BPF_MUL >> 4] = XDP_MULTIPLY, [BPF_DIV >> 4] = XDP_DIVIDE,
		[BPF_MOD >> 4] = XDP_MODULO,	 [BPF_AND >> 4] = XDP_AND,	   [BPF_OR >> 4] = XDP_OR,	  [BPF_XOR >> 4] = XDP_EXCLUSIVE_OR,
		[BPF_LSH >> 4] = XDP_SHIFT_LEFT, [BPF_RSH >> 4] = XDP_SHIFT_RIGHT, [BPF_NEG >> 4] = XDP_NEGATE,
	};
	bool from_x = BPF_SRC(insn->code) == BPF_X;

	return (struct xdp_step){ .operation = operations[BPF_OP(insn->code) >> 4], .from_x = from_x, .k = from_x ? 0 : insn->k };
}

static struct xdp_step step_of_jump(const struct sock_filter *insn)
{
	static const uint8_t operations[] = {
		[BPF_JA >> 4] = XDP_JUMP,	   [BPF_JEQ >> 4] = XDP_JUMP_EQUAL,
		[BPF_JGT >> 4] = XDP_JUMP_GREATER, [BPF_JGE >> 4] = XDP_JUMP_GREATER_EQUAL,
		[BPF_JSET >> 4] = XDP_JUMP_SET,
	};
	bool from_x = BPF_OP(insn->code) != BPF_JA && BPF_SRC(insn->code) == BPF_X;

	return (struct xdp_step){ .operation = operations[BPF_OP(insn->code) >> 4],
				  .from_x = from_x,
				  .if_true = insn->jt,
				  .if_false = insn->jf,
				  .k = from_x ? 0 : insn->k };
}

static struct xdp_step step_of(const struct sock_filter *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_LDX:
		return step_of_load(insn);
	case BPF_ST:
		return (struct xdp_step){ .operation = XDP_A_TO_MEMORY, .k = insn->k };
	case BPF_STX:
		return (struct xdp_step){ .operation = XDP_X_TO_MEMORY, .k = insn->k };
	case BPF_ALU:
		return step_of_computation(insn);
	case BPF_JMP:
		return step_of_jump(insn);
	case BPF_RET:
		return (struct xdp_step){ .operation = BPF_RVAL(insn->code) == BPF_A ? XDP_RETURN_A : XDP_RETURN, .k = insn->k };
	default:
		return (struct xdp_step){ .operation = BPF_MISCOP(insn->code) == BPF_TAX ? XDP_MOVE_TO_X : XDP_SET_A,
					  .from_x = BPF_MISCOP(insn->code) != BPF_TAX };
	}
}

/* Which instructions something leads to, from those in front of it. */
static void mark_next(bool *reached, const struct sock_filter *program, unsigned i)
{
	const struct sock_filter *insn = &program[i];

	if (BPF_CLASS(insn->code) == BPF_RET)
		return;
	if (BPF_CLASS(insn->code) != BPF_JMP) {
		reached[i + 1] = true;
	} else if (!flow_is_conditional(insn)) {
		reached[i + 1 + insn->k] = true;
	} else {
		reached[i + 1 + insn->jt] = true;
		reached[i + 1 + insn->jf] = true;
	}
}

int xdp_interpreter_steps(struct xdp_step *steps, const struct sock_filter *program, unsigned length, const struct xdp_filter_context *context,
			  struct netring_error *error)
{
	bool reached[BPF_MAXINSNS] = { true };

	if (!bpf_is_valid(program, length))
		return error_set(error, EINVAL, "BPF program is not valid");
	if (length > BPF_MAXINSNS)
		return error_set(error, EOPNOTSUPP, "a filter of %u instructions: no kernel takes more than %u", length, BPF_MAXINSNS);
	for (unsigned i = 0; i < length; i++) {
		/* Nothing leads there: what it would do is of no interest. */
		steps[i] = (struct xdp_step){ .operation = XDP_RETURN };
		if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= length)
			return error_set(error, EOPNOTSUPP, "instruction %u of the filter jumps back, which no kernel takes", i);
		if (!reached[i])
			continue;
		mark_next(reached, program, i);
		if (!flow_is_ancillary(&program[i]))
			steps[i] = step_of(&program[i]);
		else if (!step_of_ancillary(&steps[i], program[i].k - (uint32_t)SKF_AD_OFF, context))
			return error_set(error, EOPNOTSUPP, "instruction %u of the filter loads ancillary value %u, which XDP does not know", i,
					 program[i].k - (uint32_t)SKF_AD_OFF);
	}
	return 0;
}
