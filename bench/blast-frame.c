/* SPDX-License-Identifier: BSD-3-Clause */
/* The frame that blast sends: blast.c says what is in it. */
#include "blast.h"
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

static uint16_t ip_checksum(const struct iphdr *ip)
{
	const uint16_t *word = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / sizeof(*word); i++)
		sum += word[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool has_conversations(const struct options *o)
{
	return o->flows > 1 || o->both || o->fragments;
}

void frame_fill(unsigned char *frame, const struct options *o)
{
	static const unsigned char nobody[ETH_ALEN] = { 0x02, 0xbe, 0xef, 0, 0, 0x02 };
	static const unsigned char sender[ETH_ALEN] = { 0x02, 0xbe, 0xef, 0, 0, 0x01 };
	struct ether_header eth = { .ether_type = htons(ETHERTYPE_IP) };
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct udphdr udp = { .source = htons(FIRST_PORT), .dest = htons(SERVER_PORT) };
	uint32_t network = 10u << 24 | (uint32_t)(100 + o->base / ((uint64_t)1 << 32)) << 16;

	memcpy(eth.ether_dhost, nobody, ETH_ALEN);
	memcpy(eth.ether_shost, sender, ETH_ALEN);
	ip.tot_len = htons((uint16_t)(o->size - ETH_HLEN));
	ip.saddr = inet_addr("10.99.0.1");
	ip.daddr = inet_addr("10.99.0.2");
	if (has_conversations(o)) {
		/* The id is the complement of the client's half of its address, so that the checksum is right for every client. */
		ip.id = 0xffff;
		ip.saddr = htonl(network);
		ip.daddr = htonl(network | SERVER_HOST);
	}
	ip.check = ip_checksum(&ip);
	udp.len = htons((uint16_t)(o->size - UDP_OFFSET)); /* checksum 0: not computed */

	memset(frame, 0, o->size);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + UDP_OFFSET, &udp, sizeof(udp));
}

/* What the program of emit_conversation does to live frames. index: of the frame, from 0; of the group of frames if there are fragments. */
static void frame_conversation(unsigned char *frame, const struct options *o, uint64_t index)
{
	bool reverse = o->both && index / o->flows % 2;
	uint16_t flow = (uint16_t)(index % o->flows), client = htons(flow), server = htons(SERVER_HOST), id = (uint16_t)~client;
	uint16_t client_port = htons((uint16_t)(FIRST_PORT + flow)), server_port = htons(SERVER_PORT);

	memcpy(frame + IP_ID_OFFSET, &id, sizeof(id));
	memcpy(frame + SOURCE_HOST_OFFSET, reverse ? &server : &client, sizeof(client));
	memcpy(frame + TARGET_HOST_OFFSET, reverse ? &client : &server, sizeof(client));
	memcpy(frame + SOURCE_PORT_OFFSET, reverse ? &server_port : &client_port, sizeof(client_port));
	memcpy(frame + TARGET_PORT_OFFSET, reverse ? &client_port : &server_port, sizeof(client_port));
}

/* Makes a frame the given one of its group: 0 stays whole, 1 and 2 are the halves of one datagram. */
static void frame_fragment(unsigned char *frame, const struct options *o, uint64_t group, unsigned int position)
{
	uint16_t payload = (uint16_t)(o->size - UDP_OFFSET);
	struct udphdr udp;
	struct iphdr ip;

	memcpy(&ip, frame + ETH_HLEN, sizeof(ip));
	memcpy(&udp, frame + UDP_OFFSET, sizeof(udp));
	ip.id = htons((uint16_t)(2 * group + (position > 0)));
	ip.frag_off = htons((uint16_t)(position == 1 ? IP_MF : position == 2 ? payload / 8 : 0));
	ip.check = 0;
	ip.check = ip_checksum(&ip);
	udp.len = htons((uint16_t)(position ? 2 * payload : payload));
	if (position == 2)
		memset(&udp, 0xff, sizeof(udp)); /* no header there: whoever takes it for one is wrong */
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + UDP_OFFSET, &udp, sizeof(udp));
}

void frame_number(unsigned char *frame, const struct options *o, uint64_t index, uint64_t time_ns)
{
	uint64_t seq_be = htobe64(o->base + index);
	uint64_t time_be = htobe64(time_ns);

	if (has_conversations(o))
		frame_conversation(frame, o, o->fragments ? index / FRAGMENT_GROUP : index);
	if (o->fragments)
		frame_fragment(frame, o, index / FRAGMENT_GROUP, (unsigned int)(index % FRAGMENT_GROUP));
	memcpy(frame + SEQ_OFFSET, &seq_be, sizeof(seq_be));
	memcpy(frame + TIME_OFFSET, &time_be, sizeof(time_be));
}
