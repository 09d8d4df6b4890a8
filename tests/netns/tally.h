/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What came of bench/blast's packets: how many, of which flows, whether any is missing or there twice, and whether time and order go back.
 *
 * blast numbers packets from N * 2^32; each such N is a sender here. A flow is a pair of IP addresses, so both directions and all fragments are in it.
 */
#ifndef NETRING_TESTS_TALLY_H
#define NETRING_TESTS_TALLY_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#define SENDERS_MAX 8
#define FLOWS_MAX 65536		/* a power of 2; half as many fit */

/* What of a sender's packets was seen: a bit for each number. */
struct sender {
	uint8_t *here, *before;	/* in this file, in earlier ones */
	uint64_t room;		/* bits */
	uint64_t numbers;	/* the highest that was seen, and 1 */
	uint64_t different;
};

struct flow {
	uint64_t ends;		/* both addresses, the smaller first; 0: a free place */
	uint64_t last_number;
	unsigned file;		/* the first that it was in, from 1 */
	bool in_two_files;
};

struct tally {
	struct sender sender[SENDERS_MAX];
	struct flow *flow;
	unsigned file;			/* the current one, from 1 */
	bool measure_delay;
	uint64_t last_time_ns;
	uint64_t packets, others;	/* blast's, and what was not */
	uint64_t times_back, worst_back_ns;	/* stamps below the one before, and by how much at worst */
	uint64_t twice;			/* in one file */
	uint64_t packets_in_two_files;
	uint64_t flows, flow_disorder;	/* numbers that go back inside a flow */
	uint64_t flows_in_two_files;
	uint64_t worst_delay_ns;	/* from sending to here, if measure_delay */
};

/* False if there is no memory. Never freed: the program's memory is. */
bool tally_init(struct tally *tally);

/* A savefile begins: times start anew. A live capture is one file. */
void tally_begin_file(struct tally *tally);

/* A pcap_handler whose user is the tally. Needs time stamps in nanoseconds, Ethernet, and the first 58 bytes. */
void tally_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data);

/* Numbers below the highest of their sender that were not seen in any file. */
uint64_t tally_lost(const struct tally *tally);

#endif
