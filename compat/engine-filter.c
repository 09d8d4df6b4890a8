/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_setfilter on an engine handle.
 *
 * On "any" the program was compiled for packets with a cooked header, but the kernel's packets begin with the network header. Loads from the cooked
 * header become the kernel's ancillary loads, loads behind it move to the front. A program that looks at what has no such load (the address, say)
 * runs here, on the packet as the program will see it.
 */
#include <errno.h>
#include <pcap/sll.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"

struct cooked_field {
	uint32_t offset;
	uint16_t size; /* BPF_B, BPF_H, BPF_W: the load that reads all of it and nothing else */
	uint32_t ancillary;
};

struct cooked_layout {
	uint32_t length;
	struct cooked_field field[3];
	size_t fields;
};

static const struct cooked_layout sll_layout = {
	.length = SLL_HDR_LEN,
	.field = { { 0, BPF_H, SKF_AD_PKTTYPE }, { 14, BPF_H, SKF_AD_PROTOCOL } },
	.fields = 2,
};
static const struct cooked_layout sll2_layout = {
	.length = SLL2_HDR_LEN,
	.field = { { 0, BPF_H, SKF_AD_PROTOCOL }, { 4, BPF_W, SKF_AD_IFINDEX }, { 10, BPF_B, SKF_AD_PKTTYPE } },
	.fields = 3,
};

static const struct cooked_layout *cooked_layout(int linktype)
{
	switch (linktype) {
	case DLT_LINUX_SLL:
		return &sll_layout;
	case DLT_LINUX_SLL2:
		return &sll2_layout;
	default:
		return NULL;
	}
}

static bool loads_packet(const struct sock_filter *insn)
{
	if (BPF_CLASS(insn->code) != BPF_LD && BPF_CLASS(insn->code) != BPF_LDX)
		return false;
	return BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND || BPF_MODE(insn->code) == BPF_MSH;
}

/* False: the kernel has no way to say it. */
static bool translate(struct sock_filter *insn, const struct cooked_layout *layout)
{
	if (insn->k >= (uint32_t)SKF_AD_OFF)
		return true;
	if (insn->k >= layout->length) {
		insn->k -= layout->length;
		return true;
	}
	if (BPF_MODE(insn->code) != BPF_ABS)
		return false;
	for (size_t i = 0; i < layout->fields; i++)
		if (insn->k == layout->field[i].offset && BPF_SIZE(insn->code) == layout->field[i].size) {
			insn->k = (uint32_t)SKF_AD_OFF + layout->field[i].ancillary;
			return true;
		}
	return false;
}

static bool translate_all(struct sock_filter *program, unsigned length, const struct cooked_layout *layout)
{
	for (unsigned i = 0; i < length; i++)
		if (loads_packet(&program[i]) && !translate(&program[i], layout))
			return false;
	return true;
}

static struct sock_filter *copy(const struct bpf_program *program)
{
	struct sock_filter *made = malloc(program->bf_len * sizeof(*made));

	_Static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn), "libpcap's and the kernel's instructions are the same");
	if (made)
		memcpy(made, program->bf_insns, program->bf_len * sizeof(*made));
	return made;
}

/* For the kernel in front, or here behind: which of the two, and the program for it. */
static int split(pcap_t *p, const struct bpf_program *program, struct sock_filter **kernel, struct sock_filter **here)
{
	const struct cooked_layout *layout = cooked_layout(p->linktype);

	*here = NULL;
	*kernel = copy(program);
	if (*kernel && layout && !translate_all(*kernel, program->bf_len, layout)) {
		free(*kernel);
		*kernel = NULL;
		*here = copy(program);
	}
	if (!*kernel && !*here)
		return handle_fail(p, "malloc: %s", strerror(errno));
	return 0;
}

/* A fallback like any other: said once, or refused. */
static int report_here(pcap_t *p, struct sock_filter *here)
{
	const char *text = "any: the kernel cannot filter by what the program looks at in the cooked header";

	if (p->strict) {
		free(here);
		return handle_fail(p, "%s (NETRING_STRICT)", text);
	}
	log_write(&p->log, LOG_WARN, "%s; it is filtered in user space", text);
	return 0;
}

int engine_setfilter(pcap_t *p, struct bpf_program *program)
{
	struct sock_filter *kernel, *here;
	struct netring_error error = { "" };
	int ret;

	if (!program)
		return handle_fail(p, "setfilter: No filter specified");
	if (!inner_bpf_validate(program->bf_insns, (int)program->bf_len))
		return handle_fail(p, "BPF program is not valid");
	if (split(p, program, &kernel, &here) < 0 || (here && report_here(p, here) < 0))
		return PCAP_ERROR;
	ret = netring_set_filter(p->capture, kernel, kernel ? program->bf_len : 0, &error);
	free(kernel);
	if (ret < 0) {
		free(here);
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	free(p->cooked_filter);
	p->cooked_filter = here;
	attention_set(&p->attention, ATTENTION_CHANGED);
	return 0;
}
