/* SPDX-License-Identifier: BSD-3-Clause */
/* An AF_XDP socket as small as can be, for tests of what comes before it: one queue, copied, 2048 frames of 2048 bytes, no wakeups, no transmission. */
#ifndef NETRING_TESTS_RAW_XDP_H
#define NETRING_TESTS_RAW_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "xdp-frame.h"

#define RAW_XDP_FRAMES 2048
#define RAW_XDP_FRAME_SIZE 2048

struct raw_xdp_ring {
	void *map;
	uint32_t *producer, *consumer;
	uint8_t *entries;
	uint32_t size;		/* of the mapping */
};

struct raw_xdp {
	int fd;
	uint8_t *memory;
	struct raw_xdp_ring fill, received;
};

/* What came: pointers into the socket's memory, valid until raw_xdp_give_back. */
struct raw_xdp_packet {
	const uint8_t *data;
	uint32_t length;
	uint64_t address;
	bool marked;		/* the three below are there */
	uint64_t tai_ns;
	uint32_t verdict;
};

/* Bound to a queue, with all its frames in the fill ring. Fails the test if it cannot be had. */
void raw_xdp_open(struct raw_xdp *socket, const char *interface, uint32_t queue);
void raw_xdp_close(struct raw_xdp *socket);

/* The next packet, if there is one; waits for it up to timeout_ms. The mark is cleared. */
bool raw_xdp_take(struct raw_xdp *socket, struct raw_xdp_packet *packet, int timeout_ms);
void raw_xdp_give_back(struct raw_xdp *socket, const struct raw_xdp_packet *packet);

#endif
