/* SPDX-License-Identifier: BSD-3-Clause */
/* What classic programs load that is not in the packet, as XDP can know it. Its states are xdp-filter.c's. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <string.h>

#include "xdp-filter-translator.h"

/* As eth_type_trans and skb_vlan_untag find it: below 0x600 it is a length, and one of two made-up types stands for what follows it. */
static void load_protocol(struct translator *t, const struct flow_known *known)
{
	unsigned done = ebpf_label(t->code);

	xdp_filter_load_number(t, A, DATA, place_of(t, TYPE_OFFSET), 2);
	jump(t, ebpf_if_imm(A, BPF_JGE, ETH_P_802_3_MIN), done);
	emit(t, ebpf_mov_imm(A, ETH_P_802_2));
	if (known->proved < ETH_HLEN + 2) {
		emit(t, ebpf_mov(TEMP, DATA));
		emit(t, ebpf_alu_imm(BPF_ADD, TEMP, ETH_HLEN + 2));
		jump(t, ebpf_if(TEMP, BPF_JGT, DATA_END), done);
	}
	xdp_filter_load_number(t, TEMP, DATA, place_of(t, ETH_HLEN), 2);
	jump(t, ebpf_if_imm(TEMP, BPF_JNE, 0xffff), done);
	emit(t, ebpf_mov_imm(A, ETH_P_802_3));
	ebpf_place(t->code, done);
}

/* By the destination address, as eth_type_trans: the interface's, everybody's, a group's, or another host's. */
static void load_packet_type(struct translator *t)
{
	unsigned done = ebpf_label(t->code), other = ebpf_label(t->code), group = ebpf_label(t->code);
	uint32_t front;
	uint16_t back;

	memcpy(&front, t->context->address, sizeof(front));
	memcpy(&back, t->context->address + sizeof(front), sizeof(back));
	emit(t, ebpf_mov_imm(A, PACKET_HOST));
	emit(t, ebpf_load(BPF_W, TEMP, DATA, 0));
	emit(t, ebpf_load(BPF_H, TEMP_2, DATA, 4));
	jump(t, ebpf_if32_imm(TEMP, BPF_JNE, front), other);
	jump(t, ebpf_if32_imm(TEMP_2, BPF_JEQ, back), done);
	ebpf_place(t->code, other);
	emit(t, ebpf_mov_imm(A, PACKET_OTHERHOST));
	emit(t, ebpf_load(BPF_B, TEMP_3, DATA, 0));
	jump(t, ebpf_if_imm(TEMP_3, BPF_JSET, 1), group);
	jump(t, ebpf_always(), done);
	ebpf_place(t->code, group);
	emit(t, ebpf_mov_imm(A, PACKET_MULTICAST));
	jump(t, ebpf_if32_imm(TEMP, BPF_JNE, UINT32_MAX), done);
	jump(t, ebpf_if32_imm(TEMP_2, BPF_JNE, UINT16_MAX), done);
	emit(t, ebpf_mov_imm(A, PACKET_BROADCAST));
	ebpf_place(t->code, done);
}

/* Of the tag that the kernel will have taken out; 0 where there is none. */
static void load_tag(struct translator *t, int place)
{
	if (t->tagged)
		xdp_filter_load_number(t, A, DATA, place, 2);
	else
		emit(t, ebpf_mov_imm(A, 0));
}

static void load_by_helper(struct translator *t, struct flow_known *known, int helper)
{
	emit(t, ebpf_call(helper));
	emit(t, ebpf_mov32(A, BPF_REG_0));
	known->has_base = false;
}

static const char *ancillary_name(uint32_t what)
{
	switch (what) {
	case SKF_AD_PKTTYPE:
		return "packet type (the interface has no address)";
	case SKF_AD_NLATTR:
	case SKF_AD_NLATTR_NEST:
		return "netlink attributes";
	case SKF_AD_MARK:
		return "mark";
	case SKF_AD_RXHASH:
		return "receive hash";
	case SKF_AD_PAY_OFFSET:
		return "payload offset";
	default:
		return NULL;
	}
}

static int refuse_ancillary(const struct translator *t, unsigned i)
{
	uint32_t what = t->program[i].k - (uint32_t)SKF_AD_OFF;
	const char *name = ancillary_name(what);

	if (!name)
		return error_set(t->error, EOPNOTSUPP, "instruction %u of the filter loads ancillary value %u, which does not exist", i, what);
	return error_set(t->error, EOPNOTSUPP, "instruction %u of the filter loads the packet's %s, which XDP does not know", i, name);
}

int xdp_filter_load_ancillary(struct translator *t, struct flow_known *known, unsigned i)
{
	switch (t->program[i].k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
		load_protocol(t, known);
		return 0;
	case SKF_AD_PKTTYPE:
		if (!t->context->has_address)
			return refuse_ancillary(t, i);
		load_packet_type(t);
		return 0;
	case SKF_AD_IFINDEX:
		emit(t, ebpf_mov32_imm(A, t->context->ifindex));
		return 0;
	case SKF_AD_HATYPE:
		emit(t, ebpf_mov32_imm(A, t->context->hardware_type));
		return 0;
	case SKF_AD_VLAN_TAG:
		load_tag(t, TYPE_OFFSET + 2);
		return 0;
	case SKF_AD_VLAN_TPID:
		load_tag(t, TYPE_OFFSET);
		return 0;
	case SKF_AD_VLAN_TAG_PRESENT:
		emit(t, ebpf_mov_imm(A, t->tagged));
		return 0;
	case SKF_AD_QUEUE:
		emit(t, ebpf_load(BPF_W, A, CONTEXT, offsetof(struct xdp_md, rx_queue_index)));
		emit(t, ebpf_alu32_imm(BPF_ADD, A, 1));
		return 0;
	case SKF_AD_CPU:
		load_by_helper(t, known, BPF_FUNC_get_smp_processor_id);
		return 0;
	case SKF_AD_RANDOM:
		load_by_helper(t, known, BPF_FUNC_get_prandom_u32);
		return 0;
	case SKF_AD_ALU_XOR_X:
		emit(t, ebpf_alu32(BPF_XOR, A, X));
		return 0;
	default:
		return refuse_ancillary(t, i);
	}
}
