/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a packet that the filter of an XDP program accepts, where the host is to have it all the same: a copy of it goes to the ring buffer
 * (BPF_MAP_TYPE_RINGBUF) of the CPU, and the packet goes on. Here is what program and reader share, and the instructions.
 *
 * A ring buffer wakes its reader for each record or not at all: the program decides. It wakes the reader when that has asked for it (xdp_tap_line.wanted),
 * and after XDP_TAP_WAKE_RECORDS records, or a quarter of the buffer, so that a reader that naps is back before the buffer is full.
 *
 * That no wake-up is lost: the program reserves the record, then looks at `wanted`; the reader sets `wanted`, then looks whether there is a record. Each
 * has a full barrier in between, so that one of them sees what the other did.
 *
 * The time is taken when the record has been reserved: a ring buffer that was seen without a record gets none that is older than that look (merge.h).
 *
 * Linux 5.18 (bpf_xdp_load_bytes).
 */
#ifndef NETRING_XDP_TAP_CODE_H
#define NETRING_XDP_TAP_CODE_H

#include "ebpf-code.h"

#define XDP_TAP_WAKE_RECORDS 512

/* No packet is longer in XDP; of one that is, so much is copied. */
#define XDP_TAP_CAPTURE_MAX (UINT32_C(1) << 18)

/* Words of a ring buffer, in memory that program and reader share. A cache line of its own for each. */
struct xdp_tap_line {
	uint64_t packets;	/* copied; by the program */
	uint64_t drops;		/* for which there was no room; by the program */
	uint32_t wanted;	/* 1: the next record wakes the reader. Set by the reader, cleared by the program */
	uint32_t unwoken;	/* what has come since a wake-up, in bytes or more (xdp-tap-code.c); by the program */
	uint32_t pad[10];
};

_Static_assert(sizeof(struct xdp_tap_line) == 64, "the program multiplies by it");

/* A record's begin. Behind it are captured_len bytes, and what is left of the size that was reserved. */
struct xdp_tap_record {
	uint64_t tai_ns;	/* or the monotonic clock's (xdp_program.tai) */
	uint32_t wire_len;
	uint32_t captured_len;
	uint32_t verdict;	/* 0: not judged, user space is to; all of the packet is there */
	uint32_t filter;	/* that has judged: xdp_program_filter_mark */
};

struct xdp_tap_options {
	int rings_fd;		/* array of maps: the ring buffers; 0: there is none, the program takes packets off the interface */
	int lines_fd;		/* array of one value: a struct xdp_tap_line for each ring buffer */
	unsigned rings;		/* CPUs beyond them share */
	uint64_t ring_bytes;	/* of each */
	uint32_t snaplen;	/* bytes to copy at most, 1..XDP_TAP_CAPTURE_MAX */
	uint32_t filter;	/* as in the record, while the translated filter is in force */
	bool tai;		/* the kernel has bpf_ktime_get_tai_ns */
};

/* To be emitted at the program's begin, and where another filter, number R1, is in force: which one judges. R1 and R10 are left as they are. */
void xdp_tap_emit_filter(struct ebpf_code *code, const struct xdp_tap_options *options);
void xdp_tap_emit_other_filter(struct ebpf_code *code);

/* Emits the copy. In: R0 = the verdict, R6 = struct xdp_md *. All else may be lost, and it leaves by a jump to the label pass. */
void xdp_tap_emit(struct ebpf_code *code, const struct xdp_tap_options *options, unsigned pass);

#endif
