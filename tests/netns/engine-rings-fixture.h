/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of several rings: opening them, and reading each frame once, in the order of time. Frames are sent on nr0 and nr2. */
#ifndef NETRING_TESTS_ENGINE_RINGS_FIXTURE_H
#define NETRING_TESTS_ENGINE_RINGS_FIXTURE_H

#include <sched.h>

#include "capture.h"
#include "fixture.h"

#define RINGS_MAX 8
#define NUMBERS_MAX 200000

/* Frames that fill a block of 64 KiB and begin another. */
#define BLOCKFUL 500

/* What loop tests go through. */
#define RING_COUNTS 3
extern const unsigned ring_counts[RING_COUNTS];

extern struct netring_error error;
extern cpu_set_t all_cpus;		/* that the process may run on, before a test */

void rings_setup(void);
void rings_teardown(void);

/* The tests, by file. */
void add_tests_of_filters(TCase *tests);
void add_tests_of_waiting(TCase *tests);
void add_tests_of_life(TCase *tests);

struct netring_config rings_config(const char *interface, unsigned rings, enum netring_fanout_mode mode);

/* On the n-th of the CPUs that we have, and begins again behind the last. */
void run_on(unsigned n);

/* What has been read since begin_reading. */
struct reading {
	unsigned count;
	uint64_t last_ns;
	unsigned of_ring[RINGS_MAX];
	uint8_t seen[NUMBERS_MAX];	/* by the frame's number */
};

extern struct reading reading;
void begin_reading(void);

/* Checks that it comes once and in order. */
void read_packet(const struct netring_packet *packet, uint16_t type);

/* Until that many more frames have come; in bursts, some of them given back in part. */
void read_more(struct netring *capture, uint16_t type, unsigned count);

/* Each ring's figures fit, and together they are the handle's; and they are what was read. Once it has been read empty. */
void check_stats(struct netring *capture);
void check_rings_delivered(struct netring *capture);

bool is_readable(struct netring *capture, int timeout_ms);

#endif
