/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be said about a classic program before it runs, for its translation: instruction by instruction, what lies ahead of it and what is known
 * when its turn comes. Programs are valid (bpf_is_valid) and only jump forward, so that one pass from the end finds the one, and one from the start
 * the other. Lengths and offsets are those of the packet that the program sees. Pure functions.
 */
#ifndef NETRING_XDP_FILTER_FLOW_H
#define NETRING_XDP_FILTER_FLOW_H

#include "netring.h"

/* No XDP program can read a byte from here on: the verifier ends at 65535, and some is left for what is added to a computed offset. */
#define FLOW_REACH 0xff00

/* X of `ldx 4*([k]&0xf)`, which the verifier needs no comparison to believe. */
#define FLOW_HEADER_LENGTH_MAX 60

#define FLOW_REJECTS UINT32_MAX

/* Bits for registers that may be read before they are written; M[k] is bit k. */
#define FLOW_A (1u << BPF_MEMWORDS)
#define FLOW_X (1u << (BPF_MEMWORDS + 1))

struct flow_ahead {
	uint32_t need;		/* a shorter packet will be rejected, whichever way it goes; FLOW_REJECTS: any packet */
	uint32_t live;
};

struct flow_known {
	bool reached;		/* something leads here */
	bool has_base;		/* DATA + X is in a register */
	uint32_t proved;	/* the packet has so many bytes */
	uint32_t base_proved;	/* and so many from X on */
	uint32_t a_max, x_max;	/* upper limits, no better than what the verifier finds */
	uint32_t memory_max[BPF_MEMWORDS];
};

/* Fills ahead, one for each instruction. far_rejects: a load that cannot be done rejects the packet. */
void flow_look_ahead(struct flow_ahead *ahead, const struct sock_filter *program, unsigned length, bool far_rejects);

/* What is known behind an instruction that neither jumps nor returns; known is what was known in front of it. */
void flow_learn(struct flow_known *known, const struct sock_filter *insn);

/* One more way leads there: only what is known on all of them is known there. */
void flow_merge(struct flow_known *there, const struct flow_known *known);

/* Bytes that a load reads. */
uint32_t flow_load_size(const struct sock_filter *insn);

/* The end of what a load from a constant offset reads; more than FLOW_REACH if it cannot be done. */
uint32_t flow_fixed_extent(const struct sock_filter *insn);

/* A load of what is not in the packet. */
static inline bool flow_is_ancillary(const struct sock_filter *insn)
{
	return BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) == BPF_ABS && insn->k >= (uint32_t)SKF_AD_OFF;
}

/* A load from the packet at a constant offset. */
static inline bool flow_is_fixed_load(const struct sock_filter *insn)
{
	if (BPF_CLASS(insn->code) == BPF_LDX)
		return BPF_MODE(insn->code) == BPF_MSH;
	return BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) == BPF_ABS && !flow_is_ancillary(insn);
}

static inline bool flow_is_conditional(const struct sock_filter *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
}

static inline uint32_t flow_minimum(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t flow_maximum(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

#endif
