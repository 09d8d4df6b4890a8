/* SPDX-License-Identifier: BSD-3-Clause */
/* VLAN tags that the kernel took out, cooked headers, directions, and the filters that look at any of these. */
#include "dress.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <pcap/sll.h>
#include <string.h>

#include "bpf-run.h"
#include "handle.h"

#define VLAN_TAG_LEN 4

/* The type field that the tag goes in front of; -1 where libpcap does not put tags back. */
static int vlan_offset(int linktype)
{
	switch (linktype) {
	case DLT_EN10MB:
	case DLT_DOCSIS: /* Ethernet under another name */
		return 2 * ETHER_ADDR_LEN;
	case DLT_LINUX_SLL:
		return SLL_HDR_LEN - 2;
	default:
		return -1;
	}
}

static void put_tag_back(const pcap_t *p, const struct netring_packet *packet, struct dressed_packet *dressed)
{
	uint16_t tpid = packet->flags & NETRING_VLAN_TPID || packet->vlan_tpid ? packet->vlan_tpid : ETHERTYPE_VLAN;
	uint16_t tag[2] = { htons(tpid), htons(packet->vlan_tci) };
	int offset = vlan_offset(p->linktype);

	if (offset < 0 || packet->captured_len < (uint32_t)offset)
		return;
	dressed->data -= VLAN_TAG_LEN;
	memmove(dressed->data, dressed->data + VLAN_TAG_LEN, (size_t)offset);
	memcpy(dressed->data + offset, tag, sizeof(tag));
	dressed->captured_len += VLAN_TAG_LEN;
	dressed->wire_len += VLAN_TAG_LEN;
}

static void build_sll(const struct sockaddr_ll *link, struct dressed_packet *dressed)
{
	struct sll_header *header = (struct sll_header *)(dressed->data - SLL_HDR_LEN);
	struct sll_header made = {
		.sll_pkttype = htons(link->sll_pkttype),
		.sll_hatype = htons(link->sll_hatype),
		.sll_halen = htons(link->sll_halen),
		.sll_protocol = link->sll_protocol,
	};

	memcpy(made.sll_addr, link->sll_addr, SLL_ADDRLEN);
	memcpy(header, &made, SLL_HDR_LEN);
	dressed->data -= SLL_HDR_LEN;
	dressed->captured_len += SLL_HDR_LEN;
	dressed->wire_len += SLL_HDR_LEN;
}

static void build_sll2(const struct sockaddr_ll *link, struct dressed_packet *dressed)
{
	struct sll2_header made = {
		.sll2_protocol = link->sll_protocol,
		.sll2_if_index = htonl((uint32_t)link->sll_ifindex),
		.sll2_hatype = htons(link->sll_hatype),
		.sll2_pkttype = link->sll_pkttype,
		.sll2_halen = link->sll_halen,
	};

	memcpy(made.sll2_addr, link->sll_addr, SLL_ADDRLEN);
	memcpy(dressed->data - SLL2_HDR_LEN, &made, SLL2_HDR_LEN);
	dressed->data -= SLL2_HDR_LEN;
	dressed->captured_len += SLL2_HDR_LEN;
	dressed->wire_len += SLL2_HDR_LEN;
}

static bool direction_is_wanted(const pcap_t *p, const struct sockaddr_ll *link)
{
	if (link->sll_pkttype != PACKET_OUTGOING)
		return p->direction != PCAP_D_OUT;
	/* What leaves through the loopback interface comes in again at once: one copy is enough. */
	return p->direction != PCAP_D_IN && link->sll_ifindex != p->loopback_ifindex;
}

bool dress_packet(const pcap_t *p, const struct netring_packet *packet, struct dressed_packet *dressed)
{
	if (p->dressed && !direction_is_wanted(p, packet->link))
		return false;
	if (p->linktype == DLT_LINUX_SLL)
		build_sll(packet->link, dressed);
	else if (p->linktype == DLT_LINUX_SLL2)
		build_sll2(packet->link, dressed);
	/* Its length is the packet's without the cooked header, as for the kernel. */
	if (p->cooked_filter && !bpf_run_on(p->cooked_filter, packet, dressed->data, dressed->captured_len, packet->wire_len))
		return false;
	if (packet->flags & NETRING_VLAN)
		put_tag_back(p, packet, dressed);
	return true;
}
