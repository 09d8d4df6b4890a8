/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program stamps a packet in the memory in front of it. That it did is seen by a mark there; but an earlier packet in the same frame may have left
 * one as well, and some drivers let nothing through that a program writes there. So a mark counts only if its stamp is no older than what has been given
 * back to the kernel; where that cannot be told, marks are wiped out as they are read, and packets without one are stamped by the reader.
 */
#ifndef NETRING_XDP_STAMP_H
#define NETRING_XDP_STAMP_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include "packet-ring.h"
#include "xdp-frame.h"
#include "xdp-program.h"

struct xdp_queue;
struct xdp_packet;

/*
 * For a packet, with data and wire_len, in front of which the program could leave nothing, or may have left nothing: its tai_ns, of the present time if need
 * be, and captured_len, by the filter that is in force; and once a line in the log.
 */
void xdp_stamp_make_up(struct packet_ring *ring, struct xdp_packet *packet);

/* The same for xdp_ring_next. before: the descriptor in front of it, or NULL. Returns what the cursor's newest_ns is from now on. */
uint64_t xdp_stamp_look_again(struct packet_ring *ring, const struct xdp_desc *before, struct xdp_packet *packet);

/* The packet's mark is left in its frame, and may be found there when another packet has come there. */
void xdp_stamp_leave(struct xdp_queue *queue, const struct xdp_desc *desc);

/* From now on, and for good, marks are wiped out, and so any that there is is the packet's own. */
void xdp_stamp_wipe_for_good(struct xdp_queue *queue);

/* Whether what is in front of a packet is its own; wiped out then. A mark of an earlier one is older than the packet before, but for a clock set back. */
bool xdp_stamp_take(struct xdp_queue *queue, struct xdp_frame *frame);

/* What the clock of the program's time stamps is ahead of UTC now. */
uint64_t xdp_stamp_clock_ahead_ns(const struct xdp_program *program);

#endif
