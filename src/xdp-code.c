/* SPDX-License-Identifier: BSD-3-Clause */
/* The instructions of an interface's XDP program. R6 is its context, R7 and R8 are the packet's begin and end, as the filter wants them. */
#include "xdp-code.h"

#include <stddef.h>

#include "xdp-filter.h"
#include "xdp-frame.h"

/* On the stack, behind what is the filter's. */
#define STACK_QUEUE (-260)

/* In front of the packet: where its metadata begins. */
#define METADATA(member) ((int)offsetof(struct xdp_frame, member) - (int)offsetof(struct xdp_frame, tai_ns))

_Static_assert(sizeof(struct xdp_frame) - offsetof(struct xdp_frame, tai_ns) == XDP_FRAME_METADATA, "the program's part is the last one");

/*
 * A packet that long begins with as much as a buffer has room for, a page mostly, and in virtio_net, where the buffer was made before the program was there,
 * 1518 bytes: of what begins shorter the whole length need not be asked for.
 */
#define LONG_PACKET_BEGIN 1024

/* More than any packet has, and what the verifier accepts as a distance. */
#define LENGTH_MASK 0xfffff

struct labels {
	unsigned pass;	   /* to the host */
	unsigned stray;	   /* to the host, and there is no socket for its queue */
	unsigned verdict;  /* R0: what the filter says */
	unsigned unjudged; /* to user space, which judges */
	unsigned beyond;   /* the filter wants what XDP cannot show it */
	unsigned other;	   /* not the translated filter is in force: R1 is what the switch, at R2, says */
};

static struct bpf_insn load_context(unsigned to, size_t offset)
{
	return ebpf_load(BPF_W, to, BPF_REG_6, (int)offset);
}

/* Address of the switch's value; two instructions. */
static void emit_switch(struct ebpf_code *code, unsigned to, int fd)
{
	ebpf_emit(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_VALUE, 0, fd));
	ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
}

static bool copies(const struct xdp_code_options *options)
{
	return options->tap.rings_fd != 0;
}

/* A queue without a socket is none of ours: its packets are not filtered. */
static void emit_queue(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	ebpf_emit(code, load_context(BPF_REG_2, offsetof(struct xdp_md, rx_queue_index)));
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_10, STACK_QUEUE, BPF_REG_2));
	ebpf_emit(code, ebpf_mov(BPF_REG_2, BPF_REG_10));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_2, STACK_QUEUE));
	ebpf_emit_map(code, BPF_REG_1, options->sockets_fd);
	ebpf_emit(code, ebpf_call(BPF_FUNC_map_lookup_elem));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JEQ, 0), labels->stray);
}

static void emit_begin(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	ebpf_emit(code, ebpf_mov(BPF_REG_6, BPF_REG_1));
	if (copies(options))
		xdp_tap_emit_filter(code, &options->tap);
	else
		emit_queue(code, options, labels);
	ebpf_emit(code, load_context(BPF_REG_7, offsetof(struct xdp_md, data)));
	ebpf_emit(code, load_context(BPF_REG_8, offsetof(struct xdp_md, data_end)));
}

struct xdp_filter_context xdp_code_context(const struct xdp_code_options *options)
{
	struct xdp_filter_context context = { .ifindex = (uint32_t)options->ifindex,
					      .hardware_type = options->hardware_type,
					      .has_address = options->has_address,
					      .fragments = options->fragments,
					      .beyond_label = XDP_FILTER_REJECT };

	for (size_t i = 0; i < sizeof(context.address); i++)
		context.address[i] = options->address[i];
	return context;
}

static int emit_filter(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels, struct netring_error *error)
{
	struct xdp_filter_context context = xdp_code_context(options);

	if (options->fragments)
		context.beyond_label = labels->beyond;
	emit_switch(code, BPF_REG_2, options->switch_fd);
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_2, offsetof(struct xdp_switch, in_force)));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_1, BPF_JNE, XDP_IN_FORCE_COMPILED), labels->other);
	if (!options->judges) {
		ebpf_jump(code, ebpf_always(), labels->unjudged);
		return 0;
	}
	if (options->length)
		return xdp_filter_translate(code, options->filter, options->length, &context, labels->verdict, error);
	ebpf_emit(code, ebpf_mov32_imm(BPF_REG_0, UINT32_MAX));
	ebpf_jump(code, ebpf_always(), labels->verdict);
	return 0;
}

/* What is not in a packet of one piece rejects it, as it would in user space. */
static void emit_beyond(struct ebpf_code *code, const struct labels *labels)
{
	ebpf_place(code, labels->beyond);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_6));
	ebpf_emit(code, ebpf_call(BPF_FUNC_xdp_get_buff_len));
	ebpf_emit(code, ebpf_alu_imm(BPF_AND, BPF_REG_0, LENGTH_MASK));
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_7));
	ebpf_emit(code, ebpf_alu(BPF_ADD, BPF_REG_1, BPF_REG_0));
	ebpf_jump(code, ebpf_if(BPF_REG_1, BPF_JGT, BPF_REG_8), labels->unjudged);
	ebpf_jump(code, ebpf_always(), labels->pass);
}

/*
 * R0 is the verdict; the filter needs its registers no more. A look at the clock costs as much as all else that the program does: what is rejected does
 * without.
 */
static void emit_metadata(struct ebpf_code *code, const struct xdp_code_options *options, unsigned without)
{
	ebpf_emit(code, ebpf_mov(BPF_REG_7, BPF_REG_0));
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_6));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_2, -XDP_FRAME_METADATA));
	ebpf_emit(code, ebpf_call(BPF_FUNC_xdp_adjust_meta));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JNE, 0), without);
	ebpf_emit(code, load_context(BPF_REG_8, offsetof(struct xdp_md, data_meta)));
	ebpf_emit(code, load_context(BPF_REG_1, offsetof(struct xdp_md, data)));
	ebpf_emit(code, ebpf_mov(BPF_REG_2, BPF_REG_8));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_2, XDP_FRAME_METADATA));
	ebpf_jump(code, ebpf_if(BPF_REG_2, BPF_JGT, BPF_REG_1), without);
	ebpf_emit(code, ebpf_call(options->tai ? BPF_FUNC_ktime_get_tai_ns : BPF_FUNC_ktime_get_ns));
	ebpf_emit(code, ebpf_store(BPF_DW, BPF_REG_8, METADATA(tai_ns), BPF_REG_0));
	ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_8, METADATA(verdict), BPF_REG_7));
	ebpf_emit(code, ebpf_store_imm(BPF_W, BPF_REG_8, METADATA(mark), XDP_FRAME_MARK));
}

/*
 * An operation that returns something is a full barrier: who gives frames back and does not see it yet has written to the fill ring before the kernel
 * looks there for this packet (xdp-fill.c).
 */
static void emit_long_packet(struct ebpf_code *code, const struct xdp_code_options *options)
{
	const int word = offsetof(struct xdp_switch, long_packets);
	unsigned end = ebpf_label(code);

	ebpf_emit(code, load_context(BPF_REG_1, offsetof(struct xdp_md, data)));
	ebpf_emit(code, load_context(BPF_REG_2, offsetof(struct xdp_md, data_end)));
	ebpf_emit(code, ebpf_alu_imm(BPF_ADD, BPF_REG_1, LONG_PACKET_BEGIN));
	ebpf_jump(code, ebpf_if(BPF_REG_1, BPF_JGT, BPF_REG_2), end);
	ebpf_emit(code, ebpf_mov(BPF_REG_1, BPF_REG_6));
	ebpf_emit(code, ebpf_call(BPF_FUNC_xdp_get_buff_len));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_0, BPF_JLE, XDP_LONG_PACKET), end);
	emit_switch(code, BPF_REG_2, options->switch_fd);
	ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_2, word));
	ebpf_jump(code, ebpf_if_imm(BPF_REG_1, BPF_JNE, 0), end);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_1, 1));
	ebpf_emit(code, EBPF_MAKE(BPF_STX | BPF_ATOMIC | BPF_W, BPF_REG_2, BPF_REG_1, word, BPF_ADD | BPF_FETCH));
	ebpf_place(code, end);
}

static void emit_redirect(struct ebpf_code *code, const struct xdp_code_options *options)
{
	unsigned without = ebpf_label(code);

	emit_metadata(code, options, without);
	ebpf_place(code, without);
	if (options->fragments)
		emit_long_packet(code, options);
	ebpf_emit_map(code, BPF_REG_1, options->sockets_fd);
	ebpf_emit(code, load_context(BPF_REG_2, offsetof(struct xdp_md, rx_queue_index)));
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_3, XDP_PASS));
	ebpf_emit(code, ebpf_call(BPF_FUNC_redirect_map));
	ebpf_emit(code, ebpf_exit());
}

static void emit_end(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	unsigned accepted = ebpf_label(code);

	if (options->interprets || ebpf_is_target(code, labels->verdict)) {
		ebpf_place(code, labels->verdict);
		ebpf_jump(code, ebpf_if32_imm(BPF_REG_0, BPF_JNE, 0), accepted);
	}
	ebpf_place(code, labels->pass);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_0, XDP_PASS));
	ebpf_emit(code, ebpf_exit());

	ebpf_place(code, labels->unjudged);
	ebpf_emit(code, ebpf_mov_imm(BPF_REG_0, 0));
	ebpf_place(code, accepted);
	if (copies(options))
		xdp_tap_emit(code, &options->tap, labels->pass);
	else
		emit_redirect(code, options);
}

/* Queues may be added while the program runs: who captures is to know that their packets pass by. */
static void emit_stray(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	ebpf_place(code, labels->stray);
	if (options->receive_queues) {
		ebpf_emit(code, ebpf_load(BPF_W, BPF_REG_1, BPF_REG_10, STACK_QUEUE));
		ebpf_jump(code, ebpf_if_imm(BPF_REG_1, BPF_JLT, (int)options->receive_queues), labels->pass);
		emit_switch(code, BPF_REG_2, options->switch_fd);
		ebpf_emit(code, ebpf_store(BPF_W, BPF_REG_2, offsetof(struct xdp_switch, stray_queue), BPF_REG_1));
		ebpf_emit(code, ebpf_mov_imm(BPF_REG_1, 1));
		ebpf_emit(code, EBPF_MAKE(BPF_STX | BPF_ATOMIC | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_switch, strays), BPF_ADD));
	}
	ebpf_jump(code, ebpf_always(), labels->pass);
}

static void emit_interpreter(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	const struct xdp_interpreter_labels where = {
		.verdict = labels->verdict, .unjudged = labels->unjudged, .pass = labels->pass, .function = ebpf_label(code)
	};
	const struct xdp_filter_context context = xdp_code_context(options);

	if (copies(options))
		xdp_tap_emit_other_filter(code);
	xdp_interpreter_emit(code, &where);
	xdp_interpreter_emit_function(code, &where, &context);
}

/* The translated filter is not in force. */
static void emit_other(struct ebpf_code *code, const struct xdp_code_options *options, const struct labels *labels)
{
	ebpf_place(code, labels->other);
	ebpf_jump(code, ebpf_if_imm(BPF_REG_1, BPF_JEQ, XDP_IN_FORCE_HOST), labels->pass);
	if (options->interprets)
		emit_interpreter(code, options, labels);
	else
		ebpf_jump(code, ebpf_always(), labels->unjudged);
}

int xdp_code_make(struct ebpf_code *code, const struct xdp_code_options *options, struct netring_error *error)
{
	const struct labels labels = { ebpf_label(code), ebpf_label(code), ebpf_label(code), ebpf_label(code), ebpf_label(code), ebpf_label(code) };
	int ret;

	emit_begin(code, options, &labels);
	ret = emit_filter(code, options, &labels, error);
	if (ret < 0)
		return ret;
	if (ebpf_is_target(code, labels.beyond))
		emit_beyond(code, &labels);
	emit_end(code, options, &labels);
	if (!copies(options))
		emit_stray(code, options, &labels);
	emit_other(code, options, &labels);
	return ebpf_finish(code, error);
}
