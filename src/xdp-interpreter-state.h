/* SPDX-License-Identifier: BSD-3-Clause */
/* What the interpreter in XDP programs keeps for a packet, on the program's stack: xdp-interpreter.c makes it, xdp-interpreter-function.c works on it. */
#ifndef NETRING_XDP_INTERPRETER_STATE_H
#define NETRING_XDP_INTERPRETER_STATE_H

#include <linux/filter.h>
#include <stdint.h>

/* On the stack the verifier remembers what it knows about numbers of 8 bytes, and of 4 at the begin of 8. */
struct number {
	uint32_t unused, value;
};

struct state {
	uint64_t context;   /* struct xdp_md * */
	uint64_t slot;	    /* struct xdp_slot * */
	struct number zero; /* always */
	struct number next, a, x;
	struct number tag;    /* length of the tag that is to be left out */
	struct number judged; /* 1: there is a verdict */
	struct number verdict;
	uint64_t bytes; /* of the packet, by a helper */
	uint32_t memory[BPF_MEMWORDS];
};

#define STATE_PLACE (-(int)sizeof(struct state))
#define MEMBER(name) ((int)offsetof(struct state, name))
#define NUMBER(name) MEMBER(name.value)
#define WORD_PLACE (STATE_PLACE - 4) /* the switch's */

#define TYPE_OFFSET 12 /* of an Ethernet frame; the tag is in front of it */

#endif
