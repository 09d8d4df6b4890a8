/* SPDX-License-Identifier: BSD-3-Clause */
/* From a packet as the ring has it to one as libpcap shows it. */
#ifndef NETRING_DRESS_H
#define NETRING_DRESS_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "netring.h"

/* What the callback is shown. */
struct dressed_packet {
	uint8_t *data;
	uint32_t captured_len, wire_len;
};

/*
 * Makes of a packet what the program is to see: *dressed is the packet as it is, and grows at its front, into the room that every ring keeps free there.
 * False: the program is not to see it. By the thread that reads.
 */
bool dress_packet(const pcap_t *p, const struct netring_packet *packet, struct dressed_packet *dressed);

#endif
