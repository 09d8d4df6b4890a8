/* SPDX-License-Identifier: BSD-3-Clause */
/* From packet to packet through the bytes of a savefile. */
#include "savefile-records.h"

#include <errno.h>
#include <string.h>

/* The largest packet that libpcap reads back, whatever the link type. */
#define CAPTURED_MAX (128 * 1024 * 1024)

int savefile_walk(const uint8_t *data, size_t size, size_t limit, struct savefile_walk *walk)
{
	struct savefile_walk seen = { 0, 0, 0 };
	size_t at = 0;

	while (at < size) {
		struct savefile_record record;
		size_t next = size;

		if (size - at >= sizeof(record)) {
			memcpy(&record, data + at, sizeof(record));
			if (record.captured_len > CAPTURED_MAX)
				return -EBADMSG;
			next = at + sizeof(record) + record.captured_len;
		}
		if (next <= limit && next <= size && size - at >= sizeof(record)) {
			seen.end = next;
			seen.whole++;
		} else {
			seen.begun++;
		}
		at = next;
	}
	*walk = seen;
	return 0;
}
