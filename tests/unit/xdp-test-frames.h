/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for XDP programs, each with the packet that the kernel would show a classic filter instead: its outer tag taken out, and its metadata, as
 * eth_type_trans and skb_vlan_untag make them. For tests.
 */
#ifndef NETRING_XDP_TEST_FRAMES_H
#define NETRING_XDP_TEST_FRAMES_H

#include <arpa/inet.h>
#include <check.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <stdio.h>

#include "bpf-run.h"
#include "packets.h"

#define FRAME_ROOM 1024
#define TAGGED_MIN 20

struct test_frame {
	uint32_t length;
	uint8_t bytes[FRAME_ROOM];	/* as XDP has it */
	uint8_t stripped[FRAME_ROOM];
	bool is_dropped;		/* a tag's type, and too short for a tag: no filter sees it */
	struct netring_packet packet;	/* of the stripped bytes */
	struct sockaddr_ll link;
};

static const uint8_t own_address[6] = { 2, 0, 0, 0, 0, 1 };
#define OWN_IFINDEX 2

static inline uint8_t packet_type_of(const uint8_t *address)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (memcmp(address, own_address, 6) == 0)
		return PACKET_HOST;
	if (memcmp(address, everybody, 6) == 0)
		return PACKET_BROADCAST;
	return address[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

static inline uint16_t type_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint16_t protocol_of(const uint8_t *bytes, uint32_t length)
{
	uint16_t type = type_at(bytes + 12);

	if (type >= 0x600)
		return type;
	return length >= 16 && bytes[14] == 0xff && bytes[15] == 0xff ? ETH_P_802_3 : ETH_P_802_2;
}

/* Fills in all else from length and bytes. */
static inline void frame_describe(struct test_frame *frame)
{
	uint16_t type = type_at(frame->bytes + 12);
	bool tagged = type == ETH_P_8021Q || type == ETH_P_8021AD;
	uint32_t length = frame->length - (tagged && frame->length >= TAGGED_MIN ? 4 : 0);

	frame->is_dropped = tagged && frame->length < TAGGED_MIN;
	memcpy(frame->stripped, frame->bytes, 12);
	memcpy(frame->stripped + 12, frame->bytes + frame->length - length + 12, length - 12);
	frame->packet = (struct netring_packet){ .data = frame->stripped, .captured_len = length, .wire_len = length, .link = &frame->link };
	if (tagged) {
		frame->packet.flags = NETRING_VLAN | NETRING_VLAN_TPID;
		frame->packet.vlan_tpid = type;
		frame->packet.vlan_tci = type_at(frame->bytes + 14);
	}
	frame->link = (struct sockaddr_ll){ .sll_ifindex = OWN_IFINDEX, .sll_hatype = ARPHRD_ETHER, .sll_pkttype = packet_type_of(frame->bytes) };
	frame->link.sll_protocol = htons(protocol_of(frame->stripped, length));
}

/* What a translated program should make of what the classic one returns for the stripped bytes. */
static inline uint32_t frame_verdict(const struct test_frame *frame, uint32_t kept)
{
	if (frame->is_dropped)
		return 0;
	if (!(frame->packet.flags & NETRING_VLAN) || kept < 12)
		return kept;
	return kept > UINT32_MAX - 4 ? UINT32_MAX : kept + 4;
}

static inline const char *frame_hex(const struct test_frame *frame)
{
	static char text[2 * FRAME_ROOM + 1];

	for (uint32_t i = 0; i < frame->length; i++)
		sprintf(text + 2 * i, "%02x", frame->bytes[i]);
	return text;
}

/* UDP to port 6081, options, and an Ethernet frame or an IP packet in it. */
static inline void put_geneve(struct packet_builder *builder)
{
	uint32_t options = random_below(builder->random, 3), ethernet = random_below(builder->random, 2);
	uint32_t six = random_below(builder->random, 4) == 0;

	put_mac(builder);
	put_mac(builder);
	if (random_below(builder->random, 4) == 0)
		put_number(builder, 0x8100002a, 4);
	put_number(builder, six ? 0x86dd : 0x0800, 2);
	if (six) {
		put_number(builder, 0x60000000, 4);
		put_number(builder, 0x00601140, 4);
		put_ip6_address(builder);
		put_ip6_address(builder);
	} else {
		put_number(builder, 0x45000080, 4);
		put_number(builder, 0, 4);
		put_number(builder, 0x40110000, 4);
		put_ip4_address(builder);
		put_ip4_address(builder);
	}
	put_port(builder);
	put_number(builder, 6081, 2);
	put_number(builder, 0x00500000, 4);
	put_number(builder, options, 1);
	put_number(builder, 0, 1);
	put_number(builder, ethernet ? 0x6558 : six ? 0x86dd : 0x0800, 2);
	put_number(builder, random_below(builder->random, 2) ? 0xb : 7, 3);
	put_number(builder, 0, 1);
	put_random(builder, 4 * options);
	if (ethernet)
		put_ethernet(builder);
	else
		put_network(builder, six ? 0x86dd : 0x0800);
}

static inline void frame_build(struct test_frame *frame, struct random *random)
{
	struct packet_builder builder = { random, 0, frame->bytes };

	if (random_below(random, 8) == 0) {
		put_geneve(&builder);
	} else if (random_below(random, 4) == 0) {	/* a tag, and another one now and then */
		put_mac(&builder);
		put_mac(&builder);
		put_number(&builder, random_below(random, 3) ? 0x8100 : 0x88a8, 2);
		put_tag(&builder);
	} else {
		put_ethernet(&builder);
	}
	ck_assert_uint_le(builder.length, FRAME_ROOM);
	frame->length = builder.length < ETH_HLEN ? ETH_HLEN : builder.length;
}

/* A third as built, a third with some bytes changed, one or two of them in the headers; the others cut short at any length. */
static inline void frame_change(struct test_frame *frame, struct random *random)
{
	uint32_t kind = random_below(random, 3);

	for (uint32_t n = kind == 1 ? 1 + random_below(random, 6) : 0; n > 0; n--)
		frame->bytes[random_below(random, n % 2 ? 24 : frame->length)] = (uint8_t)random_next(random);
	if (kind == 2)
		frame->length = ETH_HLEN + random_below(random, frame->length - ETH_HLEN + 1);
}

/*
 * count frames: three quarters as above; then whole frames, each at every length from 14 on. With the same seed the same frames. Freed by free().
 */
static inline struct test_frame *frames_build(unsigned count, uint64_t seed)
{
	struct test_frame *frames = calloc(count, sizeof(*frames));
	struct random random = { seed };
	unsigned i = 0;

	ck_assert_ptr_nonnull(frames);
	for (; i < count * 3 / 4; i++) {
		frame_build(&frames[i], &random);
		frame_change(&frames[i], &random);
	}
	while (i < count) {
		static struct test_frame whole;

		frame_build(&whole, &random);
		for (uint32_t length = ETH_HLEN; i < count && length <= whole.length && length < 120; length++, i++) {
			memcpy(frames[i].bytes, whole.bytes, length);
			frames[i].length = length;
		}
	}
	for (i = 0; i < count; i++)
		frame_describe(&frames[i]);
	return frames;
}

#endif
