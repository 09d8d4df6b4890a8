/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the engine in a network namespace of their own: two veth pairs, nr0 - nr1 and nr2 - nr3, all up, IPv6 off, so that no packet is on the
 * wire that the test has not sent; frames with a number in them; floods from another thread; and reading with a deadline.
 *
 * A frame is broadcast, of a given EtherType, with its number behind the Ethernet header and bytes that follow from it up to its end.
 */
#ifndef NETRING_TESTS_FIXTURE_H
#define NETRING_TESTS_FIXTURE_H

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "netring.h"

/* EtherTypes for local experiments, and one of nobody's. */
#define TYPE_A 0x88b5
#define TYPE_B 0x88b6
#define TYPE_BOTH 0x8888

#define ETHERNET 14
#define FRAME_LEN 100
#define DEADLINE_MS 10000

/* The namespace and its interfaces; where that cannot be had the program ends, skipped or failed. */
void fixture_enter(void);

/* Runs the suite with TAP on standard output, and an alarm in case it hangs. The program's exit status. */
int fixture_run(Suite *suite);

/* A shell command that has to succeed. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ms(void);
uint64_t cpu_ms(void);			/* used by this process */
unsigned open_descriptors(void);
int interface_number(const char *name);

/* A socket that sends on an interface and hears nothing. */
int sender_open(const char *interface);
void sender_send(int fd, uint16_t type, uint32_t number, size_t length);
void sender_send_many(int fd, uint16_t type, uint32_t first, unsigned count);

/* 16 blocks of 64 KiB, handed over after 10 ms, on nr1. */
struct netring_config small_config(void);
struct netring *open_or_fail(const struct netring_config *config);
struct netring_stats stats_of(struct netring *capture);

/* The kernel has counted more than was taken, lost or rejected. Its timer, which hands over blocks that are not full, may be late. */
bool has_unread(struct netring *capture);

/* Fails the test unless packet is the frame of this length and type, whole or cut, as it comes out at the other end. */
void check_frame(const struct netring_packet *packet, uint16_t type, uint32_t number, size_t length);
uint16_t packet_type(const struct netring_packet *packet);
uint32_t packet_number(const struct netring_packet *packet);

/* Waits and takes until a burst of at least one packet is there. False when DEADLINE_MS are over. */
bool take_some(struct netring *capture, struct netring_burst *burst, unsigned max);

/* Takes `count` frames of a type, numbered from first and whole, in bursts of at most max. */
void expect_frames(struct netring *capture, uint16_t type, uint32_t first, unsigned count, unsigned max);

/* Fails the test if anything comes within that time. */
void expect_silence(struct netring *capture, int ms);

/*
 * Sends frames of the types in turn, numbered from 0, until it is stopped; pause_us after each 32. If ahead is not 0 it waits for `seen`, the last number
 * that the reader has had, when it is so many ahead: nothing is lost by a reader that has no CPU for a while.
 */
struct flood {
	pthread_t thread;
	int fd;
	unsigned pause_us;
	uint16_t type[3];
	unsigned types, ahead;
	atomic_uint seen;
	atomic_bool stop;
	atomic_uint sent;
	bool running;
};

void flood_start(struct flood *flood, const char *interface, unsigned pause_us);
unsigned flood_stop(struct flood *flood);	/* frames sent; may be called twice */

/* Accepts packets of one or two EtherTypes: instructions into program (5 of them); their number. keep: bytes. */
unsigned type_filter(struct sock_filter *program, uint16_t type, uint16_t other, uint32_t keep);

#endif
