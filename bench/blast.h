/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of blast: its options, its frame (blast-frame.c), and its two ways to send (blast-live.c, blast-packet.c). */
#ifndef BLAST_H
#define BLAST_H

#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC 1000000000ULL

/* The page the kernel gives to a frame also holds its head room and its descriptors. */
#define FRAME_MAX 9014
#define UDP_OFFSET (ETH_HLEN + sizeof(struct iphdr))
#define SEQ_OFFSET (UDP_OFFSET + sizeof(struct udphdr))
#define TIME_OFFSET (SEQ_OFFSET + sizeof(uint64_t))
#define FRAME_MIN (TIME_OFFSET + sizeof(uint64_t))
#define IP_ID_OFFSET (ETH_HLEN + offsetof(struct iphdr, id))
#define SOURCE_HOST_OFFSET (ETH_HLEN + offsetof(struct iphdr, saddr) + 2)
#define TARGET_HOST_OFFSET (ETH_HLEN + offsetof(struct iphdr, daddr) + 2)
#define SOURCE_PORT_OFFSET (UDP_OFFSET + offsetof(struct udphdr, source))
#define TARGET_PORT_OFFSET (UDP_OFFSET + offsetof(struct udphdr, dest))
#define FIRST_PORT 1024
#define SERVER_PORT 9
#define SERVER_HOST 0xff02 /* the lower half of its address; as a client it would be a flow beyond the last */
#define FRAGMENT_GROUP 3   /* frames: a whole datagram and two fragments */

/* What was asked for on the command line. */
struct options {
	const char *interface;
	int ifindex;
	uint64_t count;
	uint64_t rate;
	size_t size;
	unsigned int flows;
	unsigned int batch;
	int cpu;
	uint64_t base; /* the first sequence number */
	bool identical;
	bool packet;
	bool both; /* directions */
	bool fragments;
};

/* Set by a signal: send no more. */
extern volatile sig_atomic_t blast_stop;

/* CLOCK_MONOTONIC. */
uint64_t blast_now_ns(void);

/* More than the two addresses and ports that all frames have. */
bool has_conversations(const struct options *o);

/* The first frame of o->size bytes, with all that does not differ from packet to packet. */
void frame_fill(unsigned char *frame, const struct options *o);

/* Writes what packet INDEX (from 0) has of its own: addresses and ports, sequence number, time. */
void frame_number(unsigned char *frame, const struct options *o, uint64_t index, uint64_t time_ns);

/*
 * Each sends o->count frames on o->ifindex, or until blast_stop, from the calling thread. Returns how many were sent, after a message
 * on the standard error if an error made them fewer; *sending_ns is how long it took, and is left alone if sending did not begin.
 */
uint64_t live_send(const struct options *o, uint64_t *sending_ns);
uint64_t packet_send(const struct options *o, uint64_t *sending_ns);

#endif
