/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet in a savefile: its header, and finding one's way from packet to packet. */
#ifndef NETRING_SAVEFILE_RECORDS_H
#define NETRING_SAVEFILE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

struct savefile_record {
	int32_t seconds;
	int32_t fraction;
	uint32_t captured_len;
	uint32_t wire_len;
};

/* What a walk over packets has seen. */
struct savefile_walk {
	size_t end;		/* behind the last packet that is whole within the limit */
	unsigned whole;		/* packets up to there */
	unsigned begun;		/* packets that begin behind it, whole or not */
};

/*
 * Walks over size bytes that begin with a packet; the packets up to `limit` are whole. Returns 0, or -EBADMSG if there is something else than packets
 * among them (the program has written to the file by itself).
 */
int savefile_walk(const uint8_t *data, size_t size, size_t limit, struct savefile_walk *walk);

#endif
