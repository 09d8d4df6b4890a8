/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies in front of a packet that came through AF_XDP.
 *
 * The XDP program writes the second half in front of the packet (bpf_xdp_adjust_meta), which the kernel carries along. Whoever takes the packet out
 * of the ring adds the first half: there is headroom in front of every packet, and a frame is the reader's until it goes back to the fill ring.
 */
#ifndef NETRING_XDP_FRAME_H
#define NETRING_XDP_FRAME_H

#include <stdint.h>

/* "nrXD": no packet that another program let through has it there. See xdp_ring_next for what it is worth where an earlier packet has left it. */
#define XDP_FRAME_MARK UINT32_C(0x4458726e)

/* Packed: in front of an IP header that is aligned, nothing else of a packet is. */
struct xdp_frame {
	uint32_t captured_len;	/* by the reader: bytes of data, after the verdict */
	uint32_t wire_len;
	uint64_t time_ns;	/* since 1970, UTC */
	uint16_t unused;	/* in the same cache line as what follows, where the reader is not to write */
	/* From here on by the program. */
	uint64_t tai_ns;	/* bpf_ktime_get_tai_ns when the filter had accepted it */
	uint32_t verdict;	/* bytes that the filter accepts of the packet as XDP has it; 0: not judged, user space is to */
	uint32_t mark;		/* XDP_FRAME_MARK */
} __attribute__((packed));

/* The program's part. */
#define XDP_FRAME_METADATA 16

_Static_assert(sizeof(struct xdp_frame) == 34, "the program writes at fixed offsets from the packet");

/* Where the packet is. */
static inline uint8_t *xdp_frame_data(struct xdp_frame *frame)
{
	return (uint8_t *)(frame + 1);
}

#endif
