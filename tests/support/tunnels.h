/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests of the fanout programs: plain and tunnelled packets between two hosts, header by header. Lengths and checksums are left 0: nobody here
 * looks at them.
 */
#ifndef NETRING_TEST_TUNNELS_H
#define NETRING_TEST_TUNNELS_H

#include <linux/if_arp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf-run.h"

#define FRAME_ROOM 400

struct frame {
	uint8_t bytes[FRAME_ROOM];
	unsigned length;
};

enum tunnel { NO_TUNNEL, IP_IN_IP, GRE, VXLAN, VXLAN_LINUX, GENEVE };
enum inner { INNER_IPV4, INNER_IPV6, INNER_ARP, INNER_OTHER };

struct form {
	const char *name;
	int outer;		/* 4 or 6 */
	unsigned vlan_tags;	/* in the outer frame */
	unsigned options;	/* of IPv4: words; of IPv6: extension headers */
	enum tunnel tunnel;
	unsigned gre_flags;
	unsigned geneve_options;	/* words */
	bool ethernet;		/* an Ethernet header in the tunnel */
	unsigned inner_tags;
	enum inner inner;
};

/* Hosts are numbers; each has an IPv4, an IPv6 and a MAC address made of its number. */
struct ends {
	uint32_t outer_source, outer_destination, inner_source, inner_destination;
};

static inline struct ends ends_reversed(const struct ends *ends)
{
	return (struct ends){ ends->outer_destination, ends->outer_source, ends->inner_destination, ends->inner_source };
}

static inline void put(struct frame *frame, uint32_t value, unsigned size)
{
	while (size-- > 0)
		frame->bytes[frame->length++] = (uint8_t)(value >> 8 * size);
}

static inline void put_zeros(struct frame *frame, unsigned count)
{
	while (count-- > 0)
		put(frame, 0, 1);
}

static inline void put_ipv6_address(struct frame *frame, uint32_t host)
{
	put(frame, 0x20010db8, 4);
	put(frame, host >> 16, 4);
	put(frame, 0, 4);
	put(frame, host, 4);
}

static inline void put_ethernet(struct frame *frame, uint32_t source, uint32_t destination, unsigned tags, uint16_t type)
{
	put(frame, 0x0200, 2);
	put(frame, destination, 4);
	put(frame, 0x0200, 2);
	put(frame, source, 4);
	for (; tags; tags--) {
		put(frame, tags == 2 ? 0x88a8 : 0x8100, 2);
		put(frame, 42, 2);
	}
	put(frame, type, 2);
}

/* fragment: the field with the flags and the offset. */
static inline void put_ipv4(struct frame *frame, uint32_t source, uint32_t destination, unsigned options, uint8_t protocol, uint16_t fragment)
{
	put(frame, 0x40 | (5 + options), 1);
	put_zeros(frame, 5);
	put(frame, fragment, 2);
	put(frame, 64, 1);
	put(frame, protocol, 1);
	put(frame, 0, 2);
	put(frame, source, 4);
	put(frame, destination, 4);
	while (options-- > 0)
		put(frame, 0x01010101, 4);
}

static inline void put_ipv6(struct frame *frame, uint32_t source, uint32_t destination, unsigned extensions, uint8_t protocol)
{
	static const uint8_t types[] = { 60, 0, 43 };

	put(frame, 0x60000000, 4);
	put(frame, 0, 2);
	put(frame, extensions ? types[0] : protocol, 1);
	put(frame, 64, 1);
	put_ipv6_address(frame, source);
	put_ipv6_address(frame, destination);
	for (unsigned i = 0; i < extensions; i++) {
		put(frame, i + 1 < extensions ? types[i + 1] : protocol, 1);
		put(frame, i, 1); /* the second one is of 16 bytes, the third of 24 */
		put_zeros(frame, 6 + 8 * i);
	}
}

static inline void put_arp(struct frame *frame, uint32_t source, uint32_t destination)
{
	put(frame, 0x00010800, 4);
	put(frame, 0x06040001, 4);
	put(frame, 0x0200, 2);
	put(frame, source, 4);
	put(frame, source, 4);
	put_zeros(frame, 6);
	put(frame, destination, 4);
}

static inline uint16_t inner_type(enum inner inner)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x88cc };

	return types[inner];
}

static inline void put_inner(struct frame *frame, enum inner inner, uint32_t source, uint32_t destination)
{
	if (inner == INNER_IPV4)
		put_ipv4(frame, source, destination, 0, 17, 0);
	else if (inner == INNER_IPV6)
		put_ipv6(frame, source, destination, 0, 17);
	else if (inner == INNER_ARP)
		put_arp(frame, source, destination);
	put(frame, 0x12345678, 4);
	put(frame, 0x9abcdef0, 4);
}

static inline uint8_t tunnel_protocol(const struct form *form)
{
	if (form->tunnel == IP_IN_IP)
		return form->inner == INNER_IPV4 ? 4 : 41;
	return form->tunnel == GRE ? 47 : 17;
}

static inline void put_tunnel(struct frame *frame, const struct form *form, uint16_t type)
{
	unsigned words = (form->gre_flags >> 15 & 1) + (form->gre_flags >> 13 & 1) + (form->gre_flags >> 12 & 1);

	if (form->tunnel == GRE) {
		put(frame, form->gre_flags, 2);
		put(frame, type, 2);
		while (words-- > 0)
			put(frame, 0xdeadbeef, 4);
	}
	if (form->tunnel < VXLAN)
		return;
	put(frame, 50000, 2);
	put(frame, form->tunnel == GENEVE ? 6081 : form->tunnel == VXLAN ? 4789 : 8472, 2);
	put(frame, 0, 4);
	if (form->tunnel == GENEVE) {
		put(frame, form->geneve_options, 1);
		put(frame, 0, 1);
		put(frame, type, 2);
		put(frame, 0x123400, 4);
		put_zeros(frame, 4 * form->geneve_options);
	} else {
		put(frame, 0x08000000, 4);
		put(frame, 0x123400, 4);
	}
}

/* fragment: of the outer IPv4 header. */
static inline void make_form(struct frame *frame, const struct form *form, const struct ends *ends, uint16_t fragment)
{
	frame->length = 0;
	put_ethernet(frame, ends->outer_source, ends->outer_destination, form->vlan_tags, form->outer == 4 ? 0x0800 : 0x86dd);
	if (form->outer == 4)
		put_ipv4(frame, ends->outer_source, ends->outer_destination, form->options, tunnel_protocol(form), fragment);
	else
		put_ipv6(frame, ends->outer_source, ends->outer_destination, form->options, tunnel_protocol(form));
	put_tunnel(frame, form, form->ethernet ? 0x6558 : inner_type(form->inner));
	if (form->ethernet)
		put_ethernet(frame, ends->inner_source, ends->inner_destination, form->inner_tags, inner_type(form->inner));
	put_inner(frame, form->inner, ends->inner_source, ends->inner_destination);
}

/* What is in the tunnel, as a frame of its own. */
static inline void make_plain(struct frame *frame, enum inner inner, uint32_t source, uint32_t destination)
{
	frame->length = 0;
	put_ethernet(frame, source, destination, 0, inner_type(inner));
	put_inner(frame, inner, source, destination);
}

#define GRE_FORMS(flags)                                                                      \
	{ "GRE " #flags " IPv4", 4, .tunnel = GRE, .gre_flags = flags, .inner = INNER_IPV4 }, \
	{ "GRE " #flags " IPv6", 4, .tunnel = GRE, .gre_flags = flags, .inner = INNER_IPV6 }, \
	{ "GRE " #flags " Ethernet", 6, .tunnel = GRE, .gre_flags = flags, .ethernet = true, .inner = INNER_IPV4 }

static const struct form tunnel_forms[] = {
	{ "IP in IP", 4, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	{ "IP in IP with options", 4, .options = 10, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	{ "6in4", 4, .tunnel = IP_IN_IP, .inner = INNER_IPV6 },
	{ "4in6", 6, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	{ "4in6 with a limit", 6, .options = 1, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	{ "4in6 with three extensions", 6, .options = 3, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	{ "6in6", 6, .tunnel = IP_IN_IP, .inner = INNER_IPV6 },
	{ "6in4 behind a tag", 4, .vlan_tags = 1, .tunnel = IP_IN_IP, .inner = INNER_IPV6 },
	{ "4in6 behind two tags", 6, .vlan_tags = 2, .tunnel = IP_IN_IP, .inner = INNER_IPV4 },
	GRE_FORMS(0), GRE_FORMS(0x8000), GRE_FORMS(0x2000), GRE_FORMS(0x1000), GRE_FORMS(0xa000), GRE_FORMS(0x9000), GRE_FORMS(0x3000), GRE_FORMS(0xb000),
	{ "VXLAN", 4, .tunnel = VXLAN, .ethernet = true, .inner = INNER_IPV4 },
	{ "VXLAN IPv6", 4, .tunnel = VXLAN, .ethernet = true, .inner = INNER_IPV6 },
	{ "VXLAN over IPv6", 6, .tunnel = VXLAN, .ethernet = true, .inner = INNER_IPV4 },
	{ "VXLAN on 8472", 4, .tunnel = VXLAN_LINUX, .ethernet = true, .inner = INNER_IPV4 },
	{ "VXLAN with a tag", 4, .tunnel = VXLAN, .ethernet = true, .inner_tags = 1, .inner = INNER_IPV4 },
	{ "VXLAN with two tags", 4, .tunnel = VXLAN, .ethernet = true, .inner_tags = 2, .inner = INNER_IPV6 },
	{ "VXLAN ARP", 4, .tunnel = VXLAN, .ethernet = true, .inner = INNER_ARP },
	{ "VXLAN with options, behind a tag", 4, .vlan_tags = 1, .options = 2, .tunnel = VXLAN, .ethernet = true, .inner = INNER_IPV4 },
	{ "GENEVE", 4, .tunnel = GENEVE, .ethernet = true, .inner = INNER_IPV4 },
	{ "GENEVE with options", 4, .tunnel = GENEVE, .geneve_options = 3, .ethernet = true, .inner = INNER_IPV4 },
	{ "GENEVE with all options", 6, .tunnel = GENEVE, .geneve_options = 63, .inner = INNER_IPV4 },
	{ "GENEVE IPv6", 4, .tunnel = GENEVE, .geneve_options = 1, .inner = INNER_IPV6 },
	{ "GENEVE ARP", 4, .tunnel = GENEVE, .ethernet = true, .inner = INNER_ARP },
};

/* What a fanout program returns for a frame that comes in over Ethernet: it sees the packet from its network header on. */
static inline uint32_t run_incoming(const struct sock_filter *program, struct frame *frame)
{
	struct sockaddr_ll link = { .sll_pkttype = PACKET_OTHERHOST, .sll_hatype = ARPHRD_ETHER };
	struct netring_packet packet = { .data = frame->bytes + 14, .link = &link };

	memcpy(&link.sll_protocol, frame->bytes + 12, 2);
	packet.captured_len = packet.wire_len = frame->length - 14;
	return bpf_run(program, &packet);
}

/* The same for one that goes out: from its link header on. */
static inline uint32_t run_outgoing(const struct sock_filter *program, struct frame *frame)
{
	struct sockaddr_ll link = { .sll_pkttype = PACKET_OUTGOING, .sll_hatype = ARPHRD_ETHER };
	struct netring_packet packet = { .data = frame->bytes, .link = &link };

	packet.captured_len = packet.wire_len = frame->length;
	return bpf_run(program, &packet);
}

#define TUNNEL_FORMS (sizeof(tunnel_forms) / sizeof(*tunnel_forms))

#endif
