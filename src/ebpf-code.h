/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An assembler for eBPF: a growing array of instructions, with labels to jump to. What each instruction means: RFC 9669, and linux/bpf.h for helpers.
 *
 * Nothing that is emitted can fail on the spot. A failure sticks, whatever comes after it changes nothing, and ebpf_finish reports it. One thread at
 * a time for each struct.
 *
 * Not together with <pcap/pcap.h> in one file: both have a struct bpf_insn.
 */
#ifndef NETRING_EBPF_CODE_H
#define NETRING_EBPF_CODE_H

#include <linux/bpf.h>

#include "error.h"

/* The kernel takes no program that is longer. */
#define EBPF_COUNT_MAX 1000000

struct ebpf_jump {
	unsigned from;		/* the instruction */
	unsigned label;
};

struct ebpf_code {
	struct bpf_insn *insn;	/* count of them; complete only after ebpf_finish */
	unsigned count;
	int failure;		/* 0, -ENOMEM or -E2BIG */
	unsigned insn_room;
	unsigned *place;	/* of each label: an index into insn, or EBPF_NOWHERE */
	unsigned labels, label_room;
	struct ebpf_jump *jump;
	unsigned jumps, jump_room;
};

#define EBPF_NOWHERE (~0u)

/* An empty program. Cannot fail. */
void ebpf_code_init(struct ebpf_code *code);

/* Frees what it holds, and leaves it as after ebpf_code_init. */
void ebpf_code_free(struct ebpf_code *code);

void ebpf_emit(struct ebpf_code *code, struct bpf_insn insn);

/* to = the map behind a descriptor; two instructions. */
void ebpf_emit_map(struct ebpf_code *code, unsigned to, int map_fd);

/* A new label, which is nowhere yet. After a failure: a number that may be passed to the functions here and is of no other use. */
unsigned ebpf_label(struct ebpf_code *code);

/* Puts a label in front of the next instruction. Once for each label; it may be jumped to from in front of it and from behind. */
void ebpf_place(struct ebpf_code *code, unsigned label);

/* Emits a jump, conditional or not (ebpf_always and the makers below it), to a label. */
void ebpf_jump(struct ebpf_code *code, struct bpf_insn insn, unsigned label);

/* to = the address of the function at a label, for helpers that call it back; two instructions. It begins there and ends with the program. */
void ebpf_emit_function(struct ebpf_code *code, unsigned to, unsigned label);

/* After ebpf_finish: the first instruction of the function whose address was taken; 0: there is none. */
unsigned ebpf_function(const struct ebpf_code *code);

/*
 * Whether a jump to the label was emitted. The verifier refuses what nothing leads to: code that is only there for a label is left out if this is
 * false.
 */
bool ebpf_is_target(const struct ebpf_code *code, unsigned label);

/*
 * Resolves all jumps. A jump reaches 32767 instructions; in a longer program what is farther goes by islands of jumps, which are put in between. Call
 * it once, when everything is emitted. -ENOMEM; -E2BIG: more than EBPF_COUNT_MAX instructions, or more far jumps than islands can hold; -EINVAL: a
 * label that is jumped to is nowhere.
 */
int ebpf_finish(struct ebpf_code *code, struct netring_error *error);

/* Makers of single instructions. Registers are BPF_REG_0 to BPF_REG_10. */

#define EBPF_MAKE(operation, to, from, distance, value) \
	((struct bpf_insn){ .code = (__u8)(operation), .dst_reg = (__u8)((to) & 0xf), .src_reg = (__u8)((from) & 0xf), .off = (__s16)(distance), \
			    .imm = (__s32)(value) })

/* to = from */
static inline struct bpf_insn ebpf_mov(unsigned to, unsigned from)
{
	return EBPF_MAKE(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

/* to = value, its sign extended to 64 bits */
static inline struct bpf_insn ebpf_mov_imm(unsigned to, int32_t value)
{
	return EBPF_MAKE(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

/* The low half; every 32-bit operation clears the upper half of `to`. */
static inline struct bpf_insn ebpf_mov32(unsigned to, unsigned from)
{
	return EBPF_MAKE(BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0);
}

static inline struct bpf_insn ebpf_mov32_imm(unsigned to, uint32_t value)
{
	return EBPF_MAKE(BPF_ALU | BPF_MOV | BPF_K, to, 0, 0, value);
}

/* to = to operation from; operation is BPF_ADD, BPF_SUB, BPF_AND, ... */
static inline struct bpf_insn ebpf_alu(unsigned operation, unsigned to, unsigned from)
{
	return EBPF_MAKE(BPF_ALU64 | operation | BPF_X, to, from, 0, 0);
}

static inline struct bpf_insn ebpf_alu_imm(unsigned operation, unsigned to, int32_t value)
{
	return EBPF_MAKE(BPF_ALU64 | operation | BPF_K, to, 0, 0, value);
}

static inline struct bpf_insn ebpf_alu32(unsigned operation, unsigned to, unsigned from)
{
	return EBPF_MAKE(BPF_ALU | operation | BPF_X, to, from, 0, 0);
}

static inline struct bpf_insn ebpf_alu32_imm(unsigned operation, unsigned to, uint32_t value)
{
	return EBPF_MAKE(BPF_ALU | operation | BPF_K, to, 0, 0, value);
}

/* From network order to host order, or back: the low 16, 32 or 64 bits; the bits above are cleared. */
static inline struct bpf_insn ebpf_swap(unsigned reg, unsigned bits)
{
	return EBPF_MAKE(BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, bits);
}

/* to = *(from + offset); size is BPF_B, BPF_H, BPF_W or BPF_DW, and the rest of `to` is cleared */
static inline struct bpf_insn ebpf_load(unsigned size, unsigned to, unsigned from, int offset)
{
	return EBPF_MAKE(BPF_LDX | BPF_MEM | size, to, from, offset, 0);
}

/* *(to + offset) = from */
static inline struct bpf_insn ebpf_store(unsigned size, unsigned to, int offset, unsigned from)
{
	return EBPF_MAKE(BPF_STX | BPF_MEM | size, to, from, offset, 0);
}

static inline struct bpf_insn ebpf_store_imm(unsigned size, unsigned to, int offset, int32_t value)
{
	return EBPF_MAKE(BPF_ST | BPF_MEM | size, to, 0, offset, value);
}

/* R0 = helper(R1, ..., R5), which are lost; helper is BPF_FUNC_... */
static inline struct bpf_insn ebpf_call(int helper)
{
	return EBPF_MAKE(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static inline struct bpf_insn ebpf_exit(void)
{
	return EBPF_MAKE(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* For ebpf_jump. condition is BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JSGT, BPF_JSET, ...: left condition right. */
static inline struct bpf_insn ebpf_always(void)
{
	return EBPF_MAKE(BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

static inline struct bpf_insn ebpf_if(unsigned left, unsigned condition, unsigned right)
{
	return EBPF_MAKE(BPF_JMP | condition | BPF_X, left, right, 0, 0);
}

/* value's sign is extended to 64 bits, also for the unsigned comparisons. */
static inline struct bpf_insn ebpf_if_imm(unsigned left, unsigned condition, int32_t value)
{
	return EBPF_MAKE(BPF_JMP | condition | BPF_K, left, 0, 0, value);
}

static inline struct bpf_insn ebpf_if32(unsigned left, unsigned condition, unsigned right)
{
	return EBPF_MAKE(BPF_JMP32 | condition | BPF_X, left, right, 0, 0);
}

static inline struct bpf_insn ebpf_if32_imm(unsigned left, unsigned condition, uint32_t value)
{
	return EBPF_MAKE(BPF_JMP32 | condition | BPF_K, left, 0, 0, value);
}

#endif
