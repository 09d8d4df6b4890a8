/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the translator (xdp-filter.c) share: its state, its registers, and how it emits. Nobody else includes this. */
#ifndef NETRING_XDP_FILTER_TRANSLATOR_H
#define NETRING_XDP_FILTER_TRANSLATOR_H

#include "xdp-filter.h"
#include "xdp-filter-flow.h"

/* Registers. A and X are 32 bits wide, with the upper half 0. */
#define A BPF_REG_0
#define X BPF_REG_9
#define CONTEXT BPF_REG_6
#define DATA BPF_REG_7
#define DATA_END BPF_REG_8
#define BASE BPF_REG_5 /* DATA + X, while known.has_base */
#define TEMP BPF_REG_1
#define TEMP_2 BPF_REG_2
#define TEMP_3 BPF_REG_3

/* The stack: M[0] at -8, and so on, 8 bytes each, which the verifier follows best. */
#define MEMORY_PLACE(k) (-8 * ((int)(k) + 1))
#define SAVED_A_PLACE MEMORY_PLACE(BPF_MEMWORDS)

#define TYPE_OFFSET 12 /* the tag is in front of it */

struct translator {
	struct ebpf_code *code;
	const struct sock_filter *program;
	unsigned length;
	const struct xdp_filter_context *context;
	struct flow_ahead *ahead; /* of each instruction */
	struct flow_known *known;
	unsigned *label;
	unsigned verdict, reject, beyond;
	bool tagged;
	struct netring_error *error;
};

/* The place of a byte in the frame. */
static inline int place_of(const struct translator *t, uint32_t offset)
{
	return (int)offset + (t->tagged && offset >= TYPE_OFFSET ? XDP_FILTER_TAG_LEN : 0);
}

static inline void emit(struct translator *t, struct bpf_insn insn)
{
	ebpf_emit(t->code, insn);
}

static inline void jump(struct translator *t, struct bpf_insn insn, unsigned label)
{
	ebpf_jump(t->code, insn, label);
}

/* to = the `size` bytes at place behind the register `from`, as a number in the host's order. They are known to be there. */
void xdp_filter_load_number(struct translator *t, unsigned to, unsigned from, int place, uint32_t size);

/* A = what instruction i loads, which is not in the packet; known is as it is in front of it. -EOPNOTSUPP: XDP does not know that. */
int xdp_filter_load_ancillary(struct translator *t, struct flow_known *known, unsigned i);

#endif
