/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of merge.h: rings that are built in memory between pages that may not be touched, each packet in them with a number of its own, and reading
 * them as one. A source is a ring's number; times are in ns.
 */
#ifndef NETRING_TESTS_MERGE_RINGS_H
#define NETRING_TESTS_MERGE_RINGS_H

#include <check.h>

#include "merge.h"
#include "test-random.h"

#define SOURCES_MAX 9
#define ETHERNET 14
#define LENGTH (ETHERNET + 4)
#define MAC_OFFSET 86
#define STEP ((MAC_OFFSET + LENGTH + 7) & ~7u)
#define V2_MAC_OFFSET 66
#define V2_FRAME 128u
#define IDS_MAX 200000

/* The clock begins here: large enough to subtract delays from. */
#define EPOCH UINT64_C(5000000000)
#define DELAY 40

extern struct packet_ring rings[SOURCES_MAX];
extern uint32_t next_cell[SOURCES_MAX];	/* the one that the kernel fills, or fills next */
extern unsigned opened;			/* of rings */
extern struct merge merge;
extern struct netring_error error;
extern uint64_t world_ns;		/* what CLOCK_REALTIME says */
extern char about[32];			/* what failed */
extern uint64_t last_time;		/* of the last packet that was consumed */

/* By the packet's number: what it was, and how often it came. */
extern uint32_t next_id;
extern uint64_t time_of[IDS_MAX];
extern unsigned source_of[IDS_MAX], seen[IDS_MAX];

void merge_setup(void);
void merge_teardown(void);

/* The tests, by file. */
void add_tests_of_filters(TCase *cases);
void add_tests_of_worlds(TCase *cases);

/* Rings on sockets that take filters, and need no privilege; and the merge of them. */
void open_rings(unsigned count, const struct packet_ring_kind *kind, uint32_t cells, uint32_t block_pages);

struct tpacket_block_desc *block_of(unsigned source, uint32_t cell);
struct tpacket3_hdr *packet_in(unsigned source, uint32_t cell, unsigned n);
unsigned packets_per_block(unsigned source);

/* Numbers a packet, and remembers what it was; and writes that into its bytes. */
uint32_t new_id(unsigned source, uint64_t time_ns);
void write_id(uint8_t *data, uint32_t id);

/* What the kernel does with a block of TPACKET_V3. */
void open_block(unsigned source, uint64_t at_ns);
uint32_t add_packet(unsigned source, uint64_t time_ns, uint32_t status);
void retire_block(unsigned source);

/* A block of packets at these times, opened at the first of them, and handed over. */
void put_block(unsigned source, const uint64_t *times, unsigned count);
void put_row(unsigned source, uint64_t first_ns, uint64_t step_ns, unsigned count);

/* Of the n-th packet that has been taken. */
unsigned source_of_packet(unsigned n);
uint32_t id_of(unsigned n);

int take(unsigned max);
void consume(unsigned used);

/* A take, which has to give exactly the packets with these numbers. */
void expect(unsigned max, const uint32_t *ids, unsigned count);
#define EXPECT(max, ...) expect(max, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Until nothing comes any more, in bursts and with partial returns of random sizes. */
void read_all(struct random *random);
void expect_all_seen(void);

/* For qsort, of uint64_t. */
int by_time(const void *one, const void *other);

/* Of all rings. */
uint64_t sum_delivered(void);
uint64_t sum_rejected(void);

/* Keeps packets whose number has this remainder modulo 4, or the other one. */
unsigned remainder_filter(struct sock_filter *program, uint32_t remainder, uint32_t other);
void set_filters(uint32_t remainder, uint32_t other);

/* As if the kernel had refused the program: each packet is judged here, for ever. */
void set_filters_here(uint32_t remainder, uint32_t other);

#endif
