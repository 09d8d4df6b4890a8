/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets of many kinds with small pools of addresses, ports and types, so that expressions match now and then. For tests. */
#ifndef NETRING_TEST_PACKETS_H
#define NETRING_TEST_PACKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "test-random.h"

#define PACKET_ROOM 512

struct packet_builder {
	struct random *random;
	uint32_t length;
	uint8_t *bytes;		/* PACKET_ROOM of them */
};

#define PICK(builder, pool) ((pool)[random_below((builder)->random, sizeof(pool) / sizeof(*(pool)))])

static inline void put_bytes(struct packet_builder *builder, const void *bytes, uint32_t length)
{
	memcpy(builder->bytes + builder->length, bytes, length);
	builder->length += length;
}

static inline void put_number(struct packet_builder *builder, uint32_t value, unsigned size)
{
	while (size-- > 0)
		builder->bytes[builder->length++] = (uint8_t)(value >> 8 * size);
}

static inline void put_random(struct packet_builder *builder, uint32_t length)
{
	while (length-- > 0)
		put_number(builder, random_next(builder->random), 1);
}

static inline void put_payload(struct packet_builder *builder)
{
	put_random(builder, random_below(builder->random, 60));
}

static inline void put_mac(struct packet_builder *builder)
{
	static const uint8_t pool[][6] = {
		{ 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 1, 0, 0x5e, 0, 0, 1 }, { 0x33, 0x33, 0, 0, 0, 1 },
	};

	put_bytes(builder, PICK(builder, pool), 6);
}

static inline void put_ip4_address(struct packet_builder *builder)
{
	static const uint32_t pool[] = { 0x0a000001, 0x0a000002, 0xc0a80105, 0xe0000001, 0xffffffff, 0x08080808, 0x0a0000ff };

	put_number(builder, PICK(builder, pool), 4);
}

static inline void put_ip6_address(struct packet_builder *builder)
{
	static const uint8_t pool[][16] = {
		{ 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 }, { 0xff, 0x02, [15] = 1 }, { 0xfe, 0x80, [15] = 9 },
	};

	put_bytes(builder, PICK(builder, pool), 16);
}

static inline void put_port(struct packet_builder *builder)
{
	static const uint16_t pool[] = { 22, 53, 80, 443, 67, 1024, 6081, 4789, 49999, 65535 };

	put_number(builder, PICK(builder, pool), 2);
}

static inline void put_transport(struct packet_builder *builder, uint32_t protocol)
{
	switch (protocol) {
	case 6: case 17: case 132:
		put_port(builder);
		put_port(builder);
		put_random(builder, 8);
		put_number(builder, 0x50 + random_below(builder->random, 0x30), 1);	/* a TCP header's length */
		put_number(builder, random_below(builder->random, 64), 1);		/* its flags */
		put_random(builder, 6);
		break;
	case 1: case 58:
		put_number(builder, random_below(builder->random, 20) + (protocol == 58) * 120, 1);
		put_number(builder, random_below(builder->random, 4), 1);
		put_random(builder, 6);
		break;
	}
	put_payload(builder);
}

static inline void put_ip4(struct packet_builder *builder)
{
	static const uint8_t protocols[] = { 6, 6, 17, 17, 1, 2, 132, 50, 51, 89, 103, 112, 47, 9 };
	static const uint16_t fragments[] = { 0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0040 };
	uint32_t protocol = PICK(builder, protocols), options = random_below(builder->random, 4) ? 0 : random_below(builder->random, 11);

	put_number(builder, 0x45 + options, 1);
	put_random(builder, 1);
	put_number(builder, 20 + 4 * options + random_below(builder->random, 600), 2);
	put_random(builder, 2);
	put_number(builder, PICK(builder, fragments), 2);
	put_number(builder, random_below(builder->random, 4), 1);
	put_number(builder, protocol, 1);
	put_random(builder, 2);
	put_ip4_address(builder);
	put_ip4_address(builder);
	put_random(builder, 4 * options);
	put_transport(builder, protocol);
}

static inline void put_ip6(struct packet_builder *builder)
{
	static const uint8_t protocols[] = { 6, 17, 58, 132, 0, 44, 43, 60, 51, 59 };
	uint32_t protocol = PICK(builder, protocols);

	put_number(builder, 0x60000000 | (random_next(builder->random) & 0xfffffff), 4);
	put_number(builder, random_below(builder->random, 600), 2);
	put_number(builder, protocol, 1);
	put_random(builder, 1);
	put_ip6_address(builder);
	put_ip6_address(builder);
	for (unsigned n = 0; n < 3 && (protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60 || protocol == 51); n++) {
		uint32_t next = PICK(builder, protocols);

		put_number(builder, next, 1);
		put_number(builder, 0, 1);
		put_random(builder, 6);
		protocol = next;
	}
	put_transport(builder, protocol);
}

static inline void put_arp(struct packet_builder *builder)
{
	put_number(builder, 0x00010800, 4);
	put_number(builder, 0x0604, 2);
	put_number(builder, 1 + random_below(builder->random, 2), 2);
	put_mac(builder);
	put_ip4_address(builder);
	put_mac(builder);
	put_ip4_address(builder);
}

static inline void put_network(struct packet_builder *builder, uint32_t type);

static inline void put_mpls(struct packet_builder *builder)
{
	bool bottom;

	do {
		uint32_t label = random_below(builder->random, 2) ? 100000 : 1024 + random_below(builder->random, 3);

		bottom = random_below(builder->random, 2) || builder->length > 200;
		put_number(builder, label << 12 | (uint32_t)bottom << 8 | 64, 4);
	} while (!bottom);
	put_network(builder, random_below(builder->random, 2) ? 0x0800 : 0x86dd);
}

static inline void put_pppoe(struct packet_builder *builder)
{
	bool six = random_below(builder->random, 2);

	put_number(builder, 0x1100, 2);
	put_number(builder, random_below(builder->random, 2) ? 7 : random_below(builder->random, 65536), 2);
	put_random(builder, 2);
	put_number(builder, six ? 0x57 : 0x21, 2);
	put_network(builder, six ? 0x86dd : 0x0800);
}

static inline uint32_t pick_type(struct packet_builder *builder)
{
	static const uint16_t types[] = {
		0x0800, 0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x86dd, 0x0806, 0x8035, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864,
		0x6003, 0x6004, 0x6001, 0x6002, 0x6007, 0x809b, 0x80f3, 0x8137, 0x88cc, 0x0600, 0x05ff, 0x002e, 0x0100,
	};

	return PICK(builder, types);
}

static inline void put_tag(struct packet_builder *builder)
{
	uint32_t type = pick_type(builder);

	put_number(builder, random_below(builder->random, 2) ? 42 : random_below(builder->random, 65536), 2);
	put_number(builder, type, 2);
	put_network(builder, builder->length > 120 ? 0 : type);
}

/* What a length field, not a type, comes in front of. */
static inline void put_llc(struct packet_builder *builder)
{
	static const uint16_t saps[] = { 0x4242, 0xe0e0, 0xf0f0, 0xfefe, 0xaaaa, 0xffff, 0x0606 };
	static const uint8_t osi[] = { 0x81, 0x82, 0x83 };
	uint32_t sap = PICK(builder, saps);

	put_number(builder, sap, 2);
	put_number(builder, random_below(builder->random, 2) ? 3 : random_below(builder->random, 256), 1);
	if (sap == 0xaaaa) {
		put_number(builder, random_below(builder->random, 2) ? 0x080007 : 0, 3);
		put_number(builder, pick_type(builder), 2);
	} else if (sap == 0xfefe) {
		put_number(builder, PICK(builder, osi), 1);
	}
	put_random(builder, 40);
}

static inline void put_network(struct packet_builder *builder, uint32_t type)
{
	switch (type) {
	case 0x0800:
		put_ip4(builder);
		break;
	case 0x86dd:
		put_ip6(builder);
		break;
	case 0x0806: case 0x8035:
		put_arp(builder);
		break;
	case 0x8100: case 0x88a8: case 0x9100:
		put_tag(builder);
		break;
	case 0x8847: case 0x8848:
		put_mpls(builder);
		break;
	case 0x8863: case 0x8864:
		put_pppoe(builder);
		break;
	default:
		if (type < 0x0600 && type)
			put_llc(builder);
		else
			put_payload(builder);
	}
}

static inline void put_ethernet(struct packet_builder *builder)
{
	uint32_t type = pick_type(builder);

	put_mac(builder);
	put_mac(builder);
	put_number(builder, type, 2);
	put_network(builder, type);
}

static inline void put_sll(struct packet_builder *builder)
{
	uint32_t type = pick_type(builder);

	put_number(builder, random_below(builder->random, 5), 2);
	put_number(builder, 1, 2);
	put_number(builder, 6, 2);
	put_mac(builder);
	put_number(builder, 0, 2);
	put_number(builder, type, 2);
	put_network(builder, type);
}

static inline void put_sll2(struct packet_builder *builder)
{
	uint32_t type = pick_type(builder);

	put_number(builder, type, 2);
	put_number(builder, 0, 2);
	put_number(builder, 1 + random_below(builder->random, 3), 4);
	put_number(builder, 1, 2);
	put_number(builder, random_below(builder->random, 5), 1);
	put_number(builder, 6, 1);
	put_mac(builder);
	put_number(builder, 0, 2);
	put_network(builder, type);
}

static inline void put_raw(struct packet_builder *builder)
{
	put_network(builder, random_below(builder->random, 2) ? 0x0800 : 0x86dd);
}

static inline void put_wlan(struct packet_builder *builder)
{
	put_random(builder, 4);
	builder->bytes[builder->length - 4] &= 0xfc;
	put_mac(builder);
	put_mac(builder);
	put_mac(builder);
	put_random(builder, 2);
	put_number(builder, 0xaaaa03, 3);
	put_number(builder, 0, 3);
	put_number(builder, 0x0800, 2);
	put_ip4(builder);
}

#endif
