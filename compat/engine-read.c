/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the ring to the callback: the read side of an engine handle, whole.
 *
 * engine_dispatch takes a burst, hands it over packet by packet, and gives it back. `used` is advanced before each callback, in the handle, so that a
 * callback which leaves by longjmp, or whose thread is cancelled, loses nothing and sees nothing twice: the next read begins by giving back what was used.
 *
 * Most packets need nothing but a header of pcap's making (hand_over). dress() is for the others: a VLAN tag to put back, a cooked header to build, a
 * direction to look at.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <pcap/sll.h>
#include <string.h>

#include "bpf-run.h"
#include "handle.h"

#define VLAN_TAG_LEN 4

struct reader {
	pcap_handler callback;
	u_char *user;
};

/* What the callback is shown. */
struct dressed_packet {
	uint8_t *data;
	uint32_t captured_len, wire_len;
};

/* The type field that the tag goes in front of; -1 where libpcap does not put tags back. */
static int vlan_offset(int linktype)
{
	switch (linktype) {
	case DLT_EN10MB:
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

/* Makes of a packet what the program is to see. False: it is not to see it. */
static bool dress(const pcap_t *p, const struct netring_packet *packet, struct dressed_packet *dressed)
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

static inline void hand_over(const pcap_t *p, const struct reader *reader, const struct netring_packet *packet, uint8_t *data, uint32_t captured_len,
			     uint32_t wire_len)
{
	struct pcap_pkthdr header;

	header.ts.tv_sec = packet->time_sec;
	header.ts.tv_usec = p->nanoseconds ? packet->time_nsec : packet->time_nsec / 1000;
	header.caplen = captured_len > (uint32_t)p->snaplen ? (uint32_t)p->snaplen : captured_len;
	header.len = wire_len;
	reader->callback(reader->user, &header, data);
}

/* Hands over what is left of the burst, until the program breaks off. Returns the packets that it saw. */
static int deliver(pcap_t *p, const struct reader *reader)
{
	uint32_t always = p->dressed ? NETRING_VLAN : 0;
	int seen = 0;

	while (p->used < p->burst.count) {
		const struct netring_packet *packet = &p->burst.packet[p->used++];

		if (unlikely((packet->flags | always) & NETRING_VLAN)) {
			struct dressed_packet dressed = { packet->data, packet->captured_len, packet->wire_len };

			if (!dress(p, packet, &dressed))
				continue;
			hand_over(p, reader, packet, dressed.data, dressed.captured_len, dressed.wire_len);
		} else {
			hand_over(p, reader, packet, packet->data, packet->captured_len, packet->wire_len);
		}
		seen++;
		if (unlikely(p->break_loop))
			break;
	}
	return seen;
}

/* Clears the flag: one pcap_breakloop, one PCAP_ERROR_BREAK. */
static int broken_off(pcap_t *p)
{
	p->break_loop = 0;
	return PCAP_ERROR_BREAK;
}

/* Sleeps until there may be packets (0), or looks once if the handle does not block. */
static int wait_for_packets(pcap_t *p)
{
	struct error error = { "" };

	for (;;) {
		int ret = capture_wait(p->capture, p->nonblock ? 0 : -1, p->wake_fd, &p->break_loop, &error);

		if (ret < 0) {
			handle_engine_error(p, ret, &error);
			return PCAP_ERROR;
		}
		if (ret == WAIT_READY)
			return 0;
		if (p->nonblock)
			return 0;	/* the flag stays, for the call that finds packets */
		if (p->break_loop)
			return broken_off(p);
	}
}

/* Takes a burst of at most max packets. 0: there is none. */
static int take(pcap_t *p, int max)
{
	struct error error = { "" };
	int ret;

	netring_give_back(p->capture, &p->burst, p->used);
	ret = netring_take(p->capture, &p->burst, max < NETRING_BURST_MAX ? (unsigned)max : NETRING_BURST_MAX, &error);
	p->used = 0;
	if (ret < 0) {
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	return ret;
}

/*
 * Everything that is there, up to count packets; waits only if there is nothing at first. 0 means that the wait brought nothing that the program wants,
 * which with a timeout of 0 is no reason to return, unless every packet is a wake-up of its own (immediate mode).
 */
int engine_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	struct reader reader = { callback, user };
	bool patient = p->request.timeout_ms == 0 && !p->request.immediate && !p->nonblock;
	int max = count > 0 ? count : INT32_MAX;
	int seen = 0, ret;
	bool waited = false;

	for (;;) {
		ret = take(p, max - seen);
		if (ret < 0)
			return ret;
		if (ret == 0) {
			if (seen > 0 || (waited && !patient))
				return seen;
			ret = wait_for_packets(p);
			if (ret < 0)
				return ret;
			waited = true;
			continue;
		}
		if (p->break_loop && !p->request.immediate)
			return broken_off(p);
		seen += deliver(p, &reader);
		netring_give_back(p->capture, &p->burst, p->used);
		if (p->break_loop)
			return broken_off(p);
		if (seen == max)
			return seen;
	}
}

int engine_loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	for (;;) {
		int seen = engine_dispatch(p, count, callback, user);

		if (seen < 0)
			return seen;
		if (count > 0) {
			count -= seen;
			if (count == 0)
				return 0;
		}
	}
}

/* pcap_next's packet outlives its place in the ring: the block has to go back at once, or the descriptor would stay readable. */
static void keep(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_t *p = (pcap_t *)user;

	p->next_header = *header;
	memcpy(p->next_data, data, header->caplen);
}

const u_char *engine_next(pcap_t *p, struct pcap_pkthdr *header)
{
	if (engine_dispatch(p, 1, keep, (u_char *)p) <= 0)
		return NULL;
	*header = p->next_header;
	return p->next_data;
}

int engine_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data)
{
	int ret;

	*header = &p->next_header;
	ret = engine_dispatch(p, 1, keep, (u_char *)p);
	if (ret == 1)
		*data = p->next_data;
	return ret;
}
