/* SPDX-License-Identifier: BSD-3-Clause */
/* Classic BPF in user space. What each instruction means: Documentation/networking/filter.rst, and bpf(4) of the BSDs. */
#include "bpf-run.h"

#include <arpa/inet.h>
#include <string.h>

#include "interface.h"

/* A loop goes over the packet's bytes; one that goes round more often than the longest packet has bytes gets nowhere. */
#define ROUNDS_MAX INTERFACE_PACKET_MAX

/* An accumulator machine: A, X, and 16 words of memory that start out as 0. */
struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
	const struct netring_packet *packet;
	const uint8_t *data;
	uint32_t captured_len, wire_len;
};

/* clang-format off: a table, several codes to a line. */
/* left: the instructions behind this one, of length. */
static bool is_valid_instruction(const struct sock_filter *insn, unsigned left, unsigned length)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_MOD | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return true;
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return insn->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return insn->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return length - left + insn->k < length; /* k is negative for a jump back: the sum wraps around */
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return insn->jt < left && insn->jf < left;
	}
	return false;
}
/* clang-format on */

bool bpf_is_valid(const struct sock_filter *program, unsigned length)
{
	if (length == 0 || BPF_CLASS(program[length - 1].code) != BPF_RET)
		return false;
	for (unsigned i = 0; i < length; i++)
		if (!is_valid_instruction(&program[i], length - 1 - i, length))
			return false;
	return true;
}

/* What the kernel knows about a packet beside its bytes. False: not known here. */
static bool load_ancillary(const struct machine *machine, uint32_t what, uint32_t *value)
{
	const struct netring_packet *packet = machine->packet;
	const struct sockaddr_ll *link = packet->link;

	switch (what) {
	case SKF_AD_PROTOCOL:
		*value = ntohs(link->sll_protocol);
		return true;
	case SKF_AD_PKTTYPE:
		*value = link->sll_pkttype;
		return true;
	case SKF_AD_IFINDEX:
		*value = (uint32_t)link->sll_ifindex;
		return true;
	case SKF_AD_HATYPE:
		*value = link->sll_hatype;
		return true;
	case SKF_AD_RXHASH:
		*value = packet->rxhash;
		return true;
	case SKF_AD_VLAN_TAG:
		*value = packet->flags & NETRING_VLAN ? packet->vlan_tci : 0;
		return true;
	case SKF_AD_VLAN_TAG_PRESENT:
		*value = packet->flags & NETRING_VLAN ? 1 : 0;
		return true;
	case SKF_AD_VLAN_TPID:
		*value = packet->vlan_tpid;
		return true;
	}
	return false;
}

/* size bytes at offset, in network order. The offset of an indexed load may wrap around, as the kernel lets it. */
static bool load_packet(const struct machine *machine, uint32_t offset, uint32_t size, uint32_t *value)
{
	const uint8_t *data;

	if (offset > machine->captured_len || size > machine->captured_len - offset)
		return false;
	data = machine->data + offset;
	switch (size) {
	case 1:
		*value = data[0];
		return true;
	case 2:
		*value = (uint32_t)data[0] << 8 | data[1];
		return true;
	default:
		*value = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
		return true;
	}
}

static uint32_t load_size(uint16_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	default:
		return 4;
	}
}

static bool load(const struct machine *machine, const struct sock_filter *insn, uint32_t *value)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		*value = insn->k;
		return true;
	case BPF_MEM:
		*value = machine->memory[insn->k];
		return true;
	case BPF_LEN:
		*value = machine->wire_len;
		return true;
	case BPF_IND:
		return load_packet(machine, machine->x + insn->k, load_size(insn->code), value);
	case BPF_MSH:
		if (insn->k >= machine->captured_len)
			return false;
		*value = (machine->data[insn->k] & 0xfu) << 2;
		return true;
	default:
		if (insn->k >= (uint32_t)SKF_AD_OFF)
			return load_ancillary(machine, insn->k - (uint32_t)SKF_AD_OFF, value);
		return load_packet(machine, insn->k, load_size(insn->code), value);
	}
}

static bool compute(struct machine *machine, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		machine->a += operand;
		return true;
	case BPF_SUB:
		machine->a -= operand;
		return true;
	case BPF_MUL:
		machine->a *= operand;
		return true;
	case BPF_DIV:
		if (operand == 0)
			return false;
		machine->a /= operand;
		return true;
	case BPF_MOD:
		if (operand == 0)
			return false;
		machine->a %= operand;
		return true;
	case BPF_AND:
		machine->a &= operand;
		return true;
	case BPF_OR:
		machine->a |= operand;
		return true;
	case BPF_XOR:
		machine->a ^= operand;
		return true;
	case BPF_LSH:
		machine->a <<= operand % 32; /* as the kernel's interpreter and compilers have it */
		return true;
	case BPF_RSH:
		machine->a >>= operand % 32;
		return true;
	default:
		machine->a = -machine->a;
		return true;
	}
}

/* How far, from the next instruction. */
static int32_t jump(const struct machine *machine, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;
	bool taken;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return (int32_t)insn->k;
	case BPF_JEQ:
		taken = machine->a == operand;
		break;
	case BPF_JGT:
		taken = machine->a > operand;
		break;
	case BPF_JGE:
		taken = machine->a >= operand;
		break;
	default:
		taken = machine->a & operand;
		break;
	}
	return taken ? insn->jt : insn->jf;
}

uint32_t bpf_run_on(const struct sock_filter *program, const struct netring_packet *packet, const uint8_t *data, uint32_t captured_len,
		    uint32_t wire_len)
{
	struct machine machine = { .packet = packet, .data = data, .captured_len = captured_len, .wire_len = wire_len };
	uint32_t rounds = 0;
	int32_t distance;

	for (const struct sock_filter *insn = program;; insn++) {
		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
			if (!load(&machine, insn, &machine.a))
				return 0;
			break;
		case BPF_LDX:
			if (!load(&machine, insn, &machine.x))
				return 0;
			break;
		case BPF_ST:
			machine.memory[insn->k] = machine.a;
			break;
		case BPF_STX:
			machine.memory[insn->k] = machine.x;
			break;
		case BPF_ALU:
			if (!compute(&machine, insn))
				return 0;
			break;
		case BPF_JMP:
			distance = jump(&machine, insn);
			if (distance < 0 && ++rounds > ROUNDS_MAX)
				return 0;
			insn += distance;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(insn->code) == BPF_TAX)
				machine.x = machine.a;
			else
				machine.a = machine.x;
			break;
		default:
			return BPF_RVAL(insn->code) == BPF_A ? machine.a : insn->k;
		}
	}
}

uint32_t bpf_run(const struct sock_filter *program, const struct netring_packet *packet)
{
	return bpf_run_on(program, packet, packet->data, packet->captured_len, packet->wire_len);
}
