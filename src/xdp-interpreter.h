/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interpreter of classic BPF inside an XDP program: a filter that is set when the process may not load a program any more is written to memory
 * that both share, and judges there. Verdicts are those of the translated program (xdp-filter.h), but that bytes of a packet's fragments are within
 * reach.
 *
 * The program to interpret is in one of two slots; a word says which. The process writes to the one that is not in force, then changes the word. Who
 * does so twice while a packet is being judged writes to the slot that this packet reads from. Whatever is read then is a sequence of steps, which
 * ends, and touches nothing but the interpreter's own memory and the packet's bytes; and it is found out afterwards by the slot's number, which is
 * changed before anything else: such a packet is not judged, but goes to user space, which judges it.
 *
 * Linux 5.17 (bpf_loop), 5.18 for packets with fragments. What calls back needs a name and a type (xdp-interpreter-types.h).
 */
#ifndef NETRING_XDP_INTERPRETER_H
#define NETRING_XDP_INTERPRETER_H

#include "xdp-interpreter-steps.h"

#define XDP_SLOTS 2

/* What is in force: a word of the process's, which the program loads once for each packet. */
#define XDP_IN_FORCE_COMPILED 0 /* the filter that is translated into the program */
#define XDP_IN_FORCE_ALL 3	/* none: every packet goes to user space, not judged */
#define XDP_IN_FORCE_HOST 4	/* none: every packet goes on to the host, because nobody reads yet */
#define XDP_IN_FORCE_MASK 3	/* 1 and 2: a slot; its number is above these bits */
#define XDP_IN_FORCE_SHIFT 2

/* A filter that is interpreted. */
struct xdp_slot {
	uint32_t number;	/* of the filter, 30 bits; others before and after it */
	uint32_t reserved;
	struct xdp_step step[BPF_MAXINSNS];
};

/* The value of the map that process and program share, in memory: filters change without a system call. */
struct xdp_switch {
	uint32_t in_force;	/* released by the process behind what it wrote to a slot */
	uint32_t strays;	/* counted by the program: packets that came on a queue which was not there when it was made; the last such queue's number */
	uint32_t stray_queue;
	uint32_t told_of_strays;	/* the process's */
	uint32_t long_packets;	/* not 0 from before the program redirects the first packet of more than XDP_LONG_PACKET bytes on */
	uint32_t zero;		/* always: of a number from memory the verifier knows nothing, and so it does not try what follows from 0 */
	struct xdp_slot slot[XDP_SLOTS];
};

/* Where to go when there is a verdict, none, or the host is to have the packet. In verdict's case R0 is it. */
struct xdp_interpreter_labels {
	unsigned verdict, unjudged, pass;
	unsigned function;
};

/*
 * Emits what starts the interpreter. In: R1 = the switch's word, which is not 0 and was loaded from the switch at R2; R6 = struct xdp_md *, which is left
 * as it is, R7 = its data, R8 = its data_end. Uses R0 to R5, R7 to R9 and the stack from -256 to -1.
 */
void xdp_interpreter_emit(struct ebpf_code *code, const struct xdp_interpreter_labels *labels);

/* Emits the function that executes steps, which has to be the last thing in the program. */
void xdp_interpreter_emit_function(struct ebpf_code *code, const struct xdp_interpreter_labels *labels, const struct xdp_filter_context *context);

/*
 * Begins to write a filter to a slot that is not in force: returns where its steps go, BPF_MAXINSNS at the most. filters: how many were begun before,
 * which is counted.
 */
struct xdp_step *xdp_interpreter_begin(struct xdp_switch *control, unsigned slot, uint32_t *filters);

/* Puts a slot in force, with all that was written to it. */
void xdp_interpreter_put_in_force(struct xdp_switch *control, unsigned slot);

#endif
