/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic BPF as the XDP program's interpreter has it: instruction for instruction, each decoded as far as it can be without a packet.
 *
 * A step's operand is k, and X added to it if from_x is 1; so k is 0 where classic BPF takes X alone. What is the same for all packets of a capture
 * (the interface's number) is a constant.
 */
#ifndef NETRING_XDP_INTERPRETER_STEPS_H
#define NETRING_XDP_INTERPRETER_STEPS_H

#include <linux/filter.h>

#include "xdp-filter.h"

/* The interpreter finds an operation by halving: the first eight are what most filters consist of, and found sooner. */
enum xdp_operation {
	XDP_LOAD_WORD,			/* A = packet[operand:4] */
	XDP_LOAD_HALF,
	XDP_LOAD_BYTE,
	XDP_JUMP_EQUAL,			/* if_true or if_false steps on: A == operand */
	XDP_JUMP_GREATER,
	XDP_JUMP_GREATER_EQUAL,
	XDP_JUMP_SET,
	XDP_RETURN,			/* operand */
	XDP_COLD,			/* from here on the others */
	XDP_RETURN_A = XDP_COLD,
	XDP_JUMP,			/* operand steps on */
	XDP_LOAD_HEADER_LENGTH,		/* X = 4 * (packet[operand] & 15) */
	XDP_SET_A,			/* A = operand */
	XDP_SET_X,			/* X = operand */
	XDP_MOVE_TO_X,			/* X = A */
	XDP_LENGTH_TO_A,
	XDP_LENGTH_TO_X,
	XDP_MEMORY_TO_A,		/* A = M[k] */
	XDP_MEMORY_TO_X,
	XDP_A_TO_MEMORY,
	XDP_X_TO_MEMORY,
	XDP_ADD,			/* A = A + operand */
	XDP_SUBTRACT,
	XDP_MULTIPLY,
	XDP_DIVIDE,
	XDP_MODULO,
	XDP_AND,
	XDP_OR,
	XDP_EXCLUSIVE_OR,
	XDP_SHIFT_LEFT,
	XDP_SHIFT_RIGHT,
	XDP_NEGATE,
	XDP_PROTOCOL,			/* A = what the kernel knows about the packet */
	XDP_PACKET_TYPE,
	XDP_TAG,
	XDP_TAG_TYPE,
	XDP_TAG_PRESENT,
	XDP_QUEUE,
	XDP_CPU,
	XDP_RANDOM,
	XDP_OPERATIONS
};

struct xdp_step {
	uint8_t operation;		/* enum xdp_operation */
	uint8_t from_x;			/* 0 or 1 */
	uint8_t if_true, if_false;	/* steps to leave out */
	uint32_t k;
};

/*
 * Makes a step of each of length instructions. -EOPNOTSUPP, with the sentence: what xdp_filter_translate refuses, and for the same reasons, or more
 * than BPF_MAXINSNS instructions; -EINVAL: not a valid program. The steps are then of no use.
 */
int xdp_interpreter_steps(struct xdp_step *steps, const struct sock_filter *program, unsigned length, const struct xdp_filter_context *context,
			  struct netring_error *error);

#endif
