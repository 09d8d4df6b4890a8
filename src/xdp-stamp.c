/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The time stamps that the XDP program leaves in front of packets, told from those that earlier packets have left there. See xdp-stamp.h.
 */
#include "xdp-stamp.h"

#include <time.h>

#include "xdp-judge.h"
#include "xdp-ring.h"

/* At clocks. */
#define LOOKS_MAX 8

#define NSEC_PER_SEC UINT64_C(1000000000)

/* Wiping ends when so many packets in a row have had their own stamps. */
#define ORDERLY_STAMPS 4096

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* A look at both clocks that took longer was interrupted, and says nothing. */
#define LOOK_MAX_NS (NSEC_PER_SEC / 1000)

/*
 * Of TAI it is whole seconds: what is beyond them passed between the two looks, unless the reader was stopped or the clock was set between them. Before Linux
 * 6.1 the program has only the monotonic clock.
 */
uint64_t xdp_stamp_clock_ahead_ns(const struct xdp_program *program)
{
	bool is_tai = program->tai;
	uint64_t utc, other, took;
	unsigned looks = 0;

	do {
		utc = clock_ns(CLOCK_REALTIME);
		other = clock_ns(is_tai ? CLOCK_TAI : CLOCK_MONOTONIC);
		took = clock_ns(CLOCK_REALTIME) - utc;
	} while (unlikely(took > LOOK_MAX_NS) && ++looks < LOOKS_MAX);
	return is_tai ? (other - utc) / NSEC_PER_SEC * NSEC_PER_SEC : other - utc;
}

static bool is_set_back(const struct xdp_queue *queue, uint64_t newest_ns)
{
	return clock_ns(CLOCK_REALTIME) + queue->tai_ahead_ns < newest_ns;
}

static void wipe(struct xdp_queue *queue)
{
	if (queue->wiping)
		return;
	queue->wiping = true;
	queue->wiping_from_ns = queue->newest_ns;
	queue->newest_ns = UINT64_MAX;
}

void xdp_stamp_wipe_for_good(struct xdp_queue *queue)
{
	wipe(queue);
	queue->wiping_for_good = true;
}

/* The stamp that was missing may have been older than the clock was, which had been set back. */
static void stop_wiping(struct xdp_queue *queue, uint64_t newest_ns)
{
	queue->wiping = false;
	queue->newest_ns = newest_ns;
	queue->orderly = 0;
}

static uint64_t *oldest_own(struct xdp_queue *queue)
{
	return queue->wiping ? &queue->wiping_from_ns : &queue->newest_ns;
}

void xdp_stamp_leave(struct xdp_queue *queue, const struct xdp_desc *desc)
{
	const struct xdp_frame *frame = (const struct xdp_frame *)(queue->umem + desc->addr) - 1;
	uint64_t *oldest_ns = oldest_own(queue);

	if (likely(frame->mark == XDP_FRAME_MARK && frame->tai_ns > *oldest_ns))
		*oldest_ns = frame->tai_ns;
}

bool xdp_stamp_take(struct xdp_queue *queue, struct xdp_frame *frame)
{
	uint64_t *oldest_ns = oldest_own(queue);

	if (frame->mark != XDP_FRAME_MARK || (frame->tai_ns < *oldest_ns && !is_set_back(queue, *oldest_ns)))
		return false;
	if (!queue->wiping || frame->tai_ns < *oldest_ns)
		*oldest_ns = frame->tai_ns;
	frame->mark = 0;
	if (queue->wiping && !queue->wiping_for_good && ++queue->orderly == ORDERLY_STAMPS)
		stop_wiping(queue, frame->tai_ns);
	return true;
}

static uint64_t stamp(struct packet_ring *ring)
{
	struct xdp_queue *queue = ring->xdp;

	wipe(queue);
	queue->orderly = 0;
	if (!queue->unstamped)
		log_write(&ring->log, LOG_WARN,
			  "%s: the driver does not let the time stamps of the XDP program through; packets are stamped when they are read",
			  ring->interface);
	queue->unstamped = true;
	return clock_ns(CLOCK_REALTIME) + queue->tai_ahead_ns;
}

void xdp_stamp_make_up(struct packet_ring *ring, struct xdp_packet *packet)
{
	struct xdp_frame *frame = (struct xdp_frame *)packet->data - 1;
	struct netring_packet whole;
	uint32_t keep;

	packet->captured_len = packet->wire_len;
	if (xdp_stamp_take(ring->xdp, frame)) {
		packet->tai_ns = frame->tai_ns;
		if (frame->verdict != 0 && frame->verdict < packet->captured_len)
			packet->captured_len = frame->verdict;
		return;
	}
	packet->tai_ns = stamp(ring);
	if (!ring->filter)
		return;
	frame->captured_len = frame->wire_len = packet->wire_len;
	frame->time_ns = packet->tai_ns - ring->xdp->tai_ahead_ns;
	xdp_frame_view(frame, &ring->xdp->link, &whole);
	keep = xdp_judge(ring->filter, &whole);
	/* 0: another filter has let it in, and whoever knows of that takes it out. */
	if (keep != 0 && keep < packet->captured_len)
		packet->captured_len = keep;
}

uint64_t xdp_stamp_look_again(struct packet_ring *ring, const struct xdp_desc *before, struct xdp_packet *packet)
{
	if (before)
		xdp_stamp_leave(ring->xdp, before);
	xdp_stamp_make_up(ring, packet);
	return ring->xdp->newest_ns;
}
