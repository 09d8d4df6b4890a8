/* SPDX-License-Identifier: BSD-3-Clause */
/* Classic programs on packets with their VLAN tag in them. See xdp-judge.h. */
#include "xdp-judge.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <string.h>

#include "bpf-run.h"

#define TAG_OFFSET (2 * ETH_ALEN)
#define TAG_LEN 4

/* A shorter one is dropped by the kernel before anybody sees it. */
#define TAGGED_MIN 20

#ifndef ETH_P_8021AD
#define ETH_P_8021AD 0x88a8
#endif

static uint16_t load(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

/* The kernel takes out one tag, the outer one. */
static bool is_tagged(const struct netring_packet *packet, uint32_t length)
{
	uint16_t type;

	if (length < ETH_HLEN)
		return false;
	type = load(packet->data + TAG_OFFSET);
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static uint32_t judge_tagged(const struct sock_filter *program, struct netring_packet *packet, uint32_t length)
{
	uint8_t *data = packet->data, tag[TAG_LEN];
	struct sockaddr_ll link = *packet->link;
	struct netring_packet bare = *packet;
	uint32_t keep;

	memcpy(tag, data + TAG_OFFSET, TAG_LEN);
	memmove(data + TAG_LEN, data, TAG_OFFSET);
	bare.flags |= NETRING_VLAN | NETRING_VLAN_TPID;
	bare.vlan_tpid = load(tag);
	bare.vlan_tci = load(tag + 2);
	bare.link = &link;
	link.sll_protocol = htons(load(data + TAG_LEN + TAG_OFFSET));
	keep = bpf_run_on(program, &bare, data + TAG_LEN, packet->wire_len - TAG_LEN, length - TAG_LEN);
	memmove(data, data + TAG_LEN, TAG_OFFSET);
	memcpy(data + TAG_OFFSET, tag, TAG_LEN);
	/* The tag comes on top of what is kept, where that reaches its place, as in xdp-filter.h. */
	return keep >= TAG_OFFSET && keep <= UINT32_MAX - TAG_LEN ? keep + TAG_LEN : keep;
}

/* length: bytes that are there. */
static uint32_t judge(const struct sock_filter *program, struct netring_packet *packet, uint32_t length)
{
	if (is_tagged(packet, length))
		return length < TAGGED_MIN ? 0 : judge_tagged(program, packet, length);
	return bpf_run_on(program, packet, packet->data, packet->wire_len, length);
}

uint32_t xdp_judge(const struct sock_filter *program, struct netring_packet *packet)
{
	return judge(program, packet, packet->wire_len);
}

uint32_t xdp_judge_captured(const struct sock_filter *program, struct netring_packet *packet)
{
	return judge(program, packet, packet->captured_len);
}
