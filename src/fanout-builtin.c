/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The classic BPF programs of the fanout modes "symmetric" and "inner", put together by a small assembler with labels.
 *
 * What a fanout program can read. A load that fails ends the program with 0, so that the packet goes to member 0: each load of a length that a
 * packet may not have is behind a check. Offsets count from skb->data, which is the network header of an incoming packet, but the link header of an
 * outgoing one. SKF_NET_OFF would be the same in both, but reads only the linear part of an skb before Linux 6.16, which with many drivers ends
 * before the inner headers; and in an outgoing packet with VLAN tags in it the network header is in front of or behind them, depending on who sent it
 * with which kernel. So the program works with addresses of its own, in memory words: where the header at hand begins (HEADER), where the packet
 * ends (END). Only the link header of incoming packets is read by SKF_LL_OFF; it is always in the linear part.
 *
 * Only addresses are hashed: fragments have no ports, and would leave their flow. Each address is hashed by itself, and the two are added, which is the
 * same for both directions. Their xor would be as well, but it is the same for many pairs of neighbours.
 */
#include "fanout-builtin.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#define LABELS_MAX 256

#define ETHERNET_LEN 14
#define IPV4_LEN 20
#define IPV6_LEN 40
#define ARP_LEN 28
#define ETHERTYPE_MIN 0x600 /* below it is the length of an IEEE 802.3 frame */

#define LINK ((uint32_t)SKF_LL_OFF)
#define NETWORK ((uint32_t)SKF_NET_OFF)
#define ANCILLARY(what) ((uint32_t)SKF_AD_OFF + (what))

/* Words of the program's memory. */
enum slot {
	HEADER,	      /* address of the header at hand */
	TYPE,	      /* its EtherType */
	MAC,	      /* address of the Ethernet header before it; 0: none */
	OUTER_HEADER, /* the same three of the outer packet, to come back to */
	OUTER_TYPE,
	OUTER_MAC,
	END, /* address behind the packet */
	HASH,
	PROTOCOL, /* of IP */
	LENGTH,	  /* of a header, while it is worked out */
	ADDRESS,  /* its hash, while it is worked out */
};

struct assembler {
	struct sock_filter *program;
	unsigned length;
	unsigned labels;
	unsigned place[LABELS_MAX]; /* of each label */
};

/* Labels that several parts jump to; others are made as needed. */
enum common_label { LABEL_PARSED, LABEL_HASH, LABEL_HASH_MAC, LABEL_FINISH, LABEL_OUTER, LABEL_INNER_ETHERNET, LABEL_INNER_IP, LABELS_COMMON };

static void put(struct assembler *to, unsigned code, uint32_t k)
{
	to->program[to->length++] = (struct sock_filter)BPF_STMT((uint16_t)code, k);
}

static unsigned new_label(struct assembler *to)
{
	return to->labels++;
}

static void place(struct assembler *to, unsigned label)
{
	to->place[label] = to->length;
}

/* The label stands in k until resolve(); every unconditional jump is made here. */
static void jump(struct assembler *to, unsigned label)
{
	put(to, BPF_JMP | BPF_JA, label);
}

/* Conditional jumps reach 255 instructions only, so each jumps over an unconditional one. */
static void jump_if(struct assembler *to, unsigned test, uint32_t k, unsigned label)
{
	to->program[to->length++] = (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test), k, 0, 1);
	jump(to, label);
}

static void jump_unless(struct assembler *to, unsigned test, uint32_t k, unsigned label)
{
	to->program[to->length++] = (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test), k, 1, 0);
	jump(to, label);
}

static void resolve(struct assembler *to)
{
	for (unsigned i = 0; i < to->length; i++)
		if (to->program[i].code == (BPF_JMP | BPF_JA))
			to->program[i].k = to->place[to->program[i].k] - i - 1;
}

static void set(struct assembler *to, enum slot slot, uint32_t value)
{
	put(to, BPF_LD | BPF_IMM, value);
	put(to, BPF_ST, slot);
}

static void copy(struct assembler *to, enum slot slot, enum slot from)
{
	put(to, BPF_LD | BPF_MEM, from);
	put(to, BPF_ST, slot);
}

/* A = what is at an offset from an address. */
static void load(struct assembler *to, unsigned size, enum slot address, uint32_t offset)
{
	put(to, BPF_LDX | BPF_MEM, address);
	put(to, BPF_LD | BPF_IND | size, offset);
}

/* Goes on if the packet has so many bytes from HEADER on. Addresses never wrap around: headers are short. */
static void need(struct assembler *to, uint32_t bytes, unsigned otherwise)
{
	put(to, BPF_LD | BPF_MEM, HEADER);
	put(to, BPF_ALU | BPF_ADD | BPF_K, bytes);
	put(to, BPF_MISC | BPF_TAX, 0);
	put(to, BPF_LD | BPF_MEM, END);
	jump_unless(to, BPF_JGE | BPF_X, 0, otherwise);
}

/* HEADER += A */
static void advance(struct assembler *to)
{
	put(to, BPF_LDX | BPF_MEM, HEADER);
	put(to, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(to, BPF_ST, HEADER);
}

static void advance_by(struct assembler *to, uint32_t bytes)
{
	put(to, BPF_LD | BPF_IMM, bytes);
	advance(to);
}

/* Tags that are in the packet; the adapter or the kernel has taken the first one out of most. */
static void skip_vlan_tags(struct assembler *to, unsigned cut_short)
{
	unsigned end = new_label(to);

	for (int i = 0; i < 2; i++) {
		unsigned tag = new_label(to);

		put(to, BPF_LD | BPF_MEM, TYPE);
		jump_if(to, BPF_JEQ, ETH_P_8021Q, tag);
		jump_unless(to, BPF_JEQ, ETH_P_8021AD, end);
		place(to, tag);
		need(to, 4, cut_short);
		load(to, BPF_H, HEADER, 2);
		put(to, BPF_ST, TYPE);
		advance_by(to, 4);
	}
	place(to, end);
}

static void begin_ethernet(struct assembler *to)
{
	unsigned outgoing = new_label(to);

	set(to, MAC, LINK);
	put(to, BPF_LD | BPF_B | BPF_ABS, ANCILLARY(SKF_AD_PKTTYPE));
	jump_if(to, BPF_JEQ, PACKET_OUTGOING, outgoing);
	set(to, HEADER, 0);
	put(to, BPF_LD | BPF_H | BPF_ABS, ANCILLARY(SKF_AD_PROTOCOL));
	put(to, BPF_ST, TYPE);
	jump(to, LABEL_PARSED);

	/* Here skb->protocol may be the type behind the tags, when they are still to come. */
	place(to, outgoing);
	set(to, HEADER, ETHERNET_LEN);
	put(to, BPF_LD | BPF_H | BPF_ABS, 12);
	put(to, BPF_ST, TYPE);
	jump(to, LABEL_PARSED);
}

/* A link header of unknown length (tun has none): there the network header is the only way, and END too far by that length. */
static void begin_other_link(struct assembler *to)
{
	set(to, MAC, 0);
	put(to, BPF_LD | BPF_H | BPF_ABS, ANCILLARY(SKF_AD_PROTOCOL));
	put(to, BPF_ST, TYPE);
	set(to, HEADER, 0);
	put(to, BPF_LD | BPF_B | BPF_ABS, ANCILLARY(SKF_AD_PKTTYPE));
	jump_unless(to, BPF_JEQ, PACKET_OUTGOING, LABEL_PARSED);
	set(to, HEADER, NETWORK);
	put(to, BPF_LD | BPF_MEM, END);
	put(to, BPF_ALU | BPF_ADD | BPF_K, NETWORK);
	put(to, BPF_ST, END);
	jump(to, LABEL_PARSED);
}

/* HEADER, TYPE, MAC, END of the packet. */
static void begin(struct assembler *to)
{
	unsigned ethernet = new_label(to);

	set(to, HASH, 0);
	put(to, BPF_LD | BPF_W | BPF_LEN, 0);
	put(to, BPF_ST, END);
	put(to, BPF_LD | BPF_H | BPF_ABS, ANCILLARY(SKF_AD_HATYPE));
	jump_if(to, BPF_JEQ, ARPHRD_ETHER, ethernet);
	jump_if(to, BPF_JEQ, ARPHRD_LOOPBACK, ethernet);
	begin_other_link(to);
	place(to, ethernet);
	begin_ethernet(to);
	place(to, LABEL_PARSED);
	skip_vlan_tags(to, LABEL_HASH_MAC);
}

/* To the header behind the outer IPv4 header, its type in PROTOCOL. Nothing has been changed yet when this gives up. */
static void skip_ipv4(struct assembler *to)
{
	need(to, IPV4_LEN, LABEL_HASH);
	load(to, BPF_B, HEADER, 0);
	put(to, BPF_ALU | BPF_AND | BPF_K, 0xf);
	put(to, BPF_ALU | BPF_LSH | BPF_K, 2);
	jump_unless(to, BPF_JGE, IPV4_LEN, LABEL_HASH);
	put(to, BPF_ST, LENGTH);
	load(to, BPF_H, HEADER, 6); /* more fragments, fragment offset */
	jump_if(to, BPF_JSET, 0x3fff, LABEL_HASH);
	load(to, BPF_B, HEADER, 9);
	put(to, BPF_ST, PROTOCOL);
	put(to, BPF_LD | BPF_MEM, LENGTH);
	advance(to);
}

/* Up to three extension headers: Linux puts the encapsulation limit into one of its tunnels' packets. A fragment header is no tunnel. */
static void skip_ipv6(struct assembler *to, unsigned behind)
{
	need(to, IPV6_LEN, LABEL_HASH);
	load(to, BPF_B, HEADER, 6);
	put(to, BPF_ST, PROTOCOL);
	advance_by(to, IPV6_LEN);
	for (int i = 0; i < 3; i++) {
		unsigned extension = new_label(to);

		put(to, BPF_LD | BPF_MEM, PROTOCOL);
		jump_if(to, BPF_JEQ, IPPROTO_HOPOPTS, extension);
		jump_if(to, BPF_JEQ, IPPROTO_ROUTING, extension);
		jump_unless(to, BPF_JEQ, IPPROTO_DSTOPTS, behind);
		place(to, extension);
		need(to, 8, LABEL_OUTER);
		load(to, BPF_B, HEADER, 0);
		put(to, BPF_ST, PROTOCOL);
		load(to, BPF_B, HEADER, 1);
		put(to, BPF_ALU | BPF_ADD | BPF_K, 1);
		put(to, BPF_ALU | BPF_LSH | BPF_K, 3);
		advance(to);
	}
}

/* A = 4 if a bit of LENGTH is set, else 0. */
static void four_if(struct assembler *to, unsigned bit)
{
	put(to, BPF_LD | BPF_MEM, LENGTH);
	put(to, BPF_ALU | BPF_RSH | BPF_K, bit - 2);
	put(to, BPF_ALU | BPF_AND | BPF_K, 4);
}

/*
 * RFC 2784 and 2890: checksum, key and sequence number, each with a bit of its own, take 4 bytes. RFC 1701's routes and version 1 (PPTP) are no
 * tunnel here.
 */
static void skip_gre(struct assembler *to)
{
	need(to, 4, LABEL_OUTER);
	load(to, BPF_H, HEADER, 0);
	jump_if(to, BPF_JSET, 0x4007, LABEL_OUTER);
	put(to, BPF_ST, LENGTH);
	load(to, BPF_H, HEADER, 2);
	put(to, BPF_ST, TYPE);
	four_if(to, 15);
	put(to, BPF_ALU | BPF_ADD | BPF_K, 4);
	advance(to);
	four_if(to, 13);
	advance(to);
	four_if(to, 12);
	advance(to);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_TEB, LABEL_INNER_ETHERNET);
	jump(to, LABEL_INNER_IP);
}

static void skip_vxlan(struct assembler *to)
{
	load(to, BPF_B, HEADER, 8);
	jump_unless(to, BPF_JSET, 0x08, LABEL_OUTER); /* there is a network identifier */
	advance_by(to, 16);
	jump(to, LABEL_INNER_ETHERNET);
}

static void skip_geneve(struct assembler *to)
{
	load(to, BPF_H, HEADER, 10);
	put(to, BPF_ST, TYPE);
	load(to, BPF_B, HEADER, 8);
	jump_if(to, BPF_JSET, 0xc0, LABEL_OUTER); /* a version other than 0 */
	put(to, BPF_ALU | BPF_LSH | BPF_K, 2);
	put(to, BPF_ALU | BPF_ADD | BPF_K, 16);
	advance(to);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_TEB, LABEL_INNER_ETHERNET);
	jump(to, LABEL_INNER_IP);
}

/* Both begin with a UDP header of 8 bytes and have 8 of their own. */
static void skip_udp_tunnel(struct assembler *to)
{
	unsigned vxlan = new_label(to);

	need(to, 16, LABEL_OUTER);
	load(to, BPF_H, HEADER, 2);
	jump_if(to, BPF_JEQ, 4789, vxlan);
	jump_if(to, BPF_JEQ, 8472, vxlan);
	jump_unless(to, BPF_JEQ, 6081, LABEL_OUTER);
	skip_geneve(to);
	place(to, vxlan);
	skip_vxlan(to);
}

/* What is behind the outer IP header. */
static void skip_tunnel(struct assembler *to)
{
	unsigned ipv6 = new_label(to), gre = new_label(to), udp = new_label(to);

	put(to, BPF_LD | BPF_MEM, PROTOCOL);
	jump_if(to, BPF_JEQ, IPPROTO_UDP, udp);
	jump_if(to, BPF_JEQ, IPPROTO_GRE, gre);
	jump_if(to, BPF_JEQ, IPPROTO_IPV6, ipv6);
	jump_unless(to, BPF_JEQ, IPPROTO_IPIP, LABEL_OUTER);
	set(to, TYPE, ETH_P_IP);
	jump(to, LABEL_INNER_IP);
	place(to, ipv6);
	set(to, TYPE, ETH_P_IPV6);
	jump(to, LABEL_INNER_IP);
	place(to, gre);
	skip_gre(to);
	place(to, udp);
	skip_udp_tunnel(to);
}

/* The inner packet counts only if its addresses are all there. */
static void check_ip(struct assembler *to, uint32_t length, uint32_t version)
{
	need(to, length, LABEL_OUTER);
	load(to, BPF_B, HEADER, 0);
	put(to, BPF_ALU | BPF_RSH | BPF_K, 4);
	jump_if(to, BPF_JEQ, version, LABEL_HASH);
	jump(to, LABEL_OUTER);
}

static void check_inner(struct assembler *to)
{
	unsigned ipv4 = new_label(to), ipv6 = new_label(to);

	place(to, LABEL_INNER_ETHERNET);
	need(to, ETHERNET_LEN, LABEL_OUTER);
	copy(to, MAC, HEADER);
	load(to, BPF_H, HEADER, 12);
	put(to, BPF_ST, TYPE);
	advance_by(to, ETHERNET_LEN);
	skip_vlan_tags(to, LABEL_OUTER);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_IP, ipv4);
	jump_if(to, BPF_JEQ, ETH_P_IPV6, ipv6);
	jump_unless(to, BPF_JEQ, ETH_P_ARP, LABEL_HASH);
	need(to, ARP_LEN, LABEL_OUTER);
	jump(to, LABEL_HASH);

	place(to, LABEL_INNER_IP);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_IP, ipv4);
	jump_unless(to, BPF_JEQ, ETH_P_IPV6, LABEL_OUTER);
	place(to, ipv6);
	check_ip(to, IPV6_LEN, 6);
	place(to, ipv4);
	check_ip(to, IPV4_LEN, 4);
}

/* From the outer packet to the inner one, if there is one. */
static void enter_tunnel(struct assembler *to)
{
	unsigned ipv4 = new_label(to), behind = new_label(to);

	copy(to, OUTER_HEADER, HEADER);
	copy(to, OUTER_TYPE, TYPE);
	copy(to, OUTER_MAC, MAC);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_IP, ipv4);
	jump_unless(to, BPF_JEQ, ETH_P_IPV6, LABEL_HASH);
	skip_ipv6(to, behind);
	jump(to, behind);
	place(to, ipv4);
	skip_ipv4(to);
	place(to, behind);
	skip_tunnel(to);
	check_inner(to);

	place(to, LABEL_OUTER);
	copy(to, HEADER, OUTER_HEADER);
	copy(to, TYPE, OUTER_TYPE);
	copy(to, MAC, OUTER_MAC);
}

/* A ^= A >> bits */
static void fold(struct assembler *to, uint32_t bits)
{
	put(to, BPF_MISC | BPF_TAX, 0);
	put(to, BPF_ALU | BPF_RSH | BPF_K, bits);
	put(to, BPF_ALU | BPF_XOR | BPF_X, 0);
}

/* ADDRESS, which what is at an offset from a header is mixed into. */
static void mix(struct assembler *to, unsigned size, enum slot header, uint32_t offset)
{
	load(to, size, header, offset);
	put(to, BPF_LDX | BPF_MEM, ADDRESS);
	put(to, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(to, BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1);
	fold(to, 15);
	put(to, BPF_ST, ADDRESS);
}

/* HASH += the hash of an address of so many words. */
static void hash_address(struct assembler *to, uint32_t offset, unsigned words)
{
	set(to, ADDRESS, 0);
	for (unsigned i = 0; i < words; i++)
		mix(to, BPF_W, HEADER, offset + 4 * i);
	put(to, BPF_LDX | BPF_MEM, HASH);
	put(to, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(to, BPF_ST, HASH);
}

static void hash_mac_address(struct assembler *to, uint32_t offset)
{
	set(to, ADDRESS, 0);
	mix(to, BPF_H, MAC, offset);
	mix(to, BPF_W, MAC, offset + 2);
	put(to, BPF_LDX | BPF_MEM, HASH);
	put(to, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(to, BPF_ST, HASH);
}

/* 32-bit IPv4 addresses on Ethernet, else it is not for us. */
static void hash_arp(struct assembler *to)
{
	need(to, ARP_LEN, LABEL_HASH_MAC);
	load(to, BPF_W, HEADER, 0);
	jump_unless(to, BPF_JEQ, ARPHRD_ETHER << 16 | ETH_P_IP, LABEL_HASH_MAC);
	load(to, BPF_H, HEADER, 4);
	jump_unless(to, BPF_JEQ, 0x0604, LABEL_HASH_MAC);
	hash_address(to, 14, 1);
	hash_address(to, 24, 1);
	jump(to, LABEL_FINISH);
}

/* MAC addresses and EtherType; without the former, the latter. A length in its place says nothing about the flow. */
static void hash_mac(struct assembler *to)
{
	unsigned no_mac = new_label(to);

	place(to, LABEL_HASH_MAC);
	put(to, BPF_LD | BPF_MEM, MAC);
	jump_if(to, BPF_JEQ, 0, no_mac);
	hash_mac_address(to, 0);
	hash_mac_address(to, 6);
	place(to, no_mac);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_unless(to, BPF_JGE, ETHERTYPE_MIN, LABEL_FINISH);
	put(to, BPF_LDX | BPF_MEM, HASH);
	put(to, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(to, BPF_ST, HASH);
}

static void hash(struct assembler *to)
{
	unsigned ipv4 = new_label(to), ipv6 = new_label(to);

	place(to, LABEL_HASH);
	put(to, BPF_LD | BPF_MEM, TYPE);
	jump_if(to, BPF_JEQ, ETH_P_IP, ipv4);
	jump_if(to, BPF_JEQ, ETH_P_IPV6, ipv6);
	jump_unless(to, BPF_JEQ, ETH_P_ARP, LABEL_HASH_MAC);
	hash_arp(to);
	place(to, ipv4);
	need(to, IPV4_LEN, LABEL_HASH_MAC);
	hash_address(to, 12, 1);
	hash_address(to, 16, 1);
	jump(to, LABEL_FINISH);
	place(to, ipv6);
	need(to, IPV6_LEN, LABEL_HASH_MAC);
	hash_address(to, 8, 4);
	hash_address(to, 24, 4);
	jump(to, LABEL_FINISH);
	hash_mac(to);
}

/* Every bit has its part in every other, the lowest included, so that any number of members gets even shares. */
static void finish(struct assembler *to)
{
	place(to, LABEL_FINISH);
	put(to, BPF_LD | BPF_MEM, HASH);
	fold(to, 16);
	put(to, BPF_ALU | BPF_MUL | BPF_K, 0x85ebca6b);
	fold(to, 13);
	put(to, BPF_ALU | BPF_MUL | BPF_K, 0xc2b2ae35);
	fold(to, 16);
	put(to, BPF_RET | BPF_A, 0);
}

unsigned fanout_builtin_make(struct sock_filter *program, enum netring_fanout_mode mode)
{
	struct assembler to = { .program = program, .labels = LABELS_COMMON };

	begin(&to);
	if (mode == NETRING_FANOUT_INNER)
		enter_tunnel(&to);
	hash(&to);
	finish(&to);
	resolve(&to);
	return to.length;
}
