/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames the kernel fills next.
 *
 * The kernel takes frames in the order of the fill ring. If frames that have been read went to its end, every packet would go to memory that has long left
 * the caches; with few frames in the ring a short stop of the reader would lose packets. So all frames are in the ring, and those that have been read
 * change places with others that are further to the front: `lead` entries from where the kernel is. What was there goes to the end.
 *
 *	taken by the kernel | lead: read before, in the caches | never needed while the reader keeps up | end
 *
 * So the frames of the lead go round: filled, read, put in front again.
 *
 * The entries between its two indices are the kernel's to take, but it reads each of them once, when a packet needs it (xskq_cons_peek_addr_unchecked;
 * drivers that do without a copy read ahead, so there this is not done). An entry is eight bytes, written at once: the kernel sees one frame or the other.
 * It must not have come that far before the new one was there to see. Where it is the receive ring tells: a packet there is a frame taken. No more than
 * `margin` frames have been taken and are not shown there yet; how many depends on how long packets may be, and the program tells in time of the first
 * one that is longer than the MTU was.
 *
 * A reader that is stopped in the middle of an exchange may find afterwards that it could have been too late. Then it does not know which frame of a
 * pair has been taken, the old one or the new one. It keeps both (doubt) until one of them comes with a packet: the other one is free.
 *
 * A reader that was behind has put more frames in front than it needs later. How far the front was from the lead when it was nearest tells how many those
 * are (surplus): so many of what is read next go to the end instead.
 */
#include "xdp-fill.h"

#include <string.h>

/* A reader that has slept gives back what came meanwhile, and faster than the kernel takes it: the front moves away from it, but no farther than that. */
#define LEADS_MAX 8

/*
 * Frames given back, one by one or in batches, from when surplus is found until it is looked for again: several times what comes while a reader sleeps for a
 * moment. Right behind that moment the front is nearest.
 */
#define SURPLUS_FRAMES 16384

void xdp_fill_begin(struct xdp_queue *queue, uint32_t frames, uint32_t frame_size)
{
	uint64_t *fill = queue->fill.entries;

	for (uint32_t n = 0; n < frames; n++)
		fill[n] = (uint64_t)n * frame_size;
	queue->given = frames;
	store_release(queue->fill.producer, queue->given);
}

void xdp_fill_reuse(struct xdp_queue *queue, uint32_t lead, uint32_t margin)
{
	queue->lead = lead;
	queue->margin = margin;
}

void xdp_fill_reuse_for(struct xdp_queue *queue, uint64_t cells)
{
	if (cells <= XDP_FILL_CELLS)
		xdp_fill_reuse(queue, XDP_FILL_LEAD, XDP_FILL_MARGIN);
	else
		xdp_fill_reuse(queue, XDP_FILL_LEAD_LONG, XDP_FILL_MARGIN_LONG);
}

/* How many of count entries from that one on are in front of the end of the ring's memory. */
static inline uint32_t straight(const struct xdp_area *area, uint32_t entry, uint32_t count)
{
	uint32_t room = area->mask + 1 - (entry & area->mask);

	return count < room ? count : room;
}

static inline uint64_t *entry_at(const struct xdp_area *area, uint32_t entry)
{
	return (uint64_t *)area->entries + (entry & area->mask);
}

static uint64_t put_at_end(struct xdp_queue *queue, const struct xdp_desc *desc, uint32_t count)
{
	uint64_t bytes = 0;

	while (count != 0) {
		uint64_t *end = entry_at(&queue->fill, queue->given);
		uint32_t run = straight(&queue->fill, queue->given, count);

#pragma GCC unroll 4 /* 4 instructions a packet less */
		for (uint32_t i = 0; i < run; i++) {
			end[i] = desc[i].addr;
			bytes += desc[i].len;
		}
		queue->given += run;
		desc += run;
		count -= run;
	}
	return bytes;
}

static void put_one_at_end(struct xdp_queue *queue, uint64_t address)
{
	*entry_at(&queue->fill, queue->given++) = address;
}

/* A frame that has come with a packet: if it is one of a pair in doubt, the other is free. */
static void settle(struct xdp_queue *queue, uint64_t address)
{
	for (unsigned i = 0; i < queue->doubts; i++) {
		struct xdp_doubt doubt = queue->doubt[i];

		if (doubt.given != address && doubt.was_there != address)
			continue;
		queue->doubt[i] = queue->doubt[--queue->doubts];
		put_one_at_end(queue, doubt.given == address ? doubt.was_there : doubt.given);
		return;
	}
}

static uint64_t put_in_doubt(struct xdp_queue *queue, const struct xdp_desc *desc, uint32_t count)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++) {
		put_one_at_end(queue, desc[i].addr);
		settle(queue, desc[i].addr & queue->chunk_mask);
		bytes += desc[i].len;
	}
	return bytes;
}

/* Puts frames at the front. What was there is behind the end now, where the kernel does not see it before queue->given goes on. */
static uint64_t exchange(struct xdp_queue *queue, const struct xdp_desc *desc, uint32_t front, uint32_t count)
{
	uint32_t behind = queue->given;
	uint32_t bytes = 0; /* of XDP_FILL_BATCH packets at the most: one instruction less for each than in 64 bits */

	while (count != 0) {
		uint64_t *to = entry_at(&queue->fill, front), *end = entry_at(&queue->fill, behind);
		uint32_t run = straight(&queue->fill, front, straight(&queue->fill, behind, count));

		memcpy(end, to, run * sizeof(*end));
#pragma GCC unroll 8
		for (uint32_t i = 0; i < run; i++) {
			/* Pairs with the kernel's dependency of what it writes on the address: our last look at the frame comes before this. */
			__atomic_store_n(&to[i], desc[i].addr, __ATOMIC_RELEASE);
			bytes += desc[i].len;
		}
		front += run;
		behind += run;
		desc += run;
		count -= run;
	}
	return bytes;
}

/* Which of each pair of the last exchange the kernel has, or gets, is not known. */
static void doubt(struct xdp_queue *queue, const struct xdp_desc *desc, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		queue->doubt[i] =
			(struct xdp_doubt){ desc[i].addr & queue->chunk_mask, *entry_at(&queue->fill, queue->given + i) & queue->chunk_mask };
	queue->doubts = count;
}

/* True if the next count frames are to leave the round. excess: entries that the front is farther from the kernel than it has to be. */
static bool is_surplus(struct xdp_surplus *surplus, uint32_t excess, uint32_t count)
{
	if (excess < surplus->least)
		surplus->least = excess;
	surplus->given += count;
	if (unlikely(surplus->given >= SURPLUS_FRAMES))
		*surplus = (struct xdp_surplus){ .frames = surplus->least, .least = UINT32_MAX };
	if (likely(surplus->frames < count))
		return false;
	surplus->frames -= count;
	return true;
}

/*
 * queue->front is where the next frames go: behind what was exchanged last, but at least the lead from where the kernel is. It goes on with the kernel also
 * while nothing goes there: left behind by 2^31 packets, it would seem to be ahead. False if there is no place, because the reader is far behind, or has
 * just been, or if fewer frames are to go round.
 */
static bool find_front(struct xdp_queue *queue, uint32_t count)
{
	uint32_t kernel = __atomic_load_n(queue->receive.producer, __ATOMIC_RELAXED), nearest = kernel + queue->lead;

	if ((int32_t)(queue->front - nearest) < 0)
		queue->front = nearest;
	if (is_surplus(&queue->surplus, queue->front - nearest, count))
		return false;
	return queue->front - kernel <= LEADS_MAX * queue->lead && (int32_t)(queue->given - queue->front - count) >= 0;
}

static uint64_t put_in_front(struct xdp_queue *queue, const struct xdp_desc *desc, uint32_t count)
{
	uint32_t front = queue->front;
	uint64_t bytes = exchange(queue, desc, front, count);

	queue->front = front + count;
	/* The entries are there to see before we look where the kernel is, and what packets it may have in hand. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(queue->long_packets, __ATOMIC_RELAXED)))
		xdp_fill_reuse(queue, XDP_FILL_LEAD_LONG, XDP_FILL_MARGIN_LONG);
	if (likely((int32_t)(front - load_acquire(queue->receive.producer)) >= (int32_t)queue->margin))
		queue->given += count;
	else
		doubt(queue, desc, count);
	return bytes;
}

uint64_t xdp_fill_put(struct xdp_queue *queue, uint32_t cell, uint32_t count)
{
	const struct xdp_desc *desc = (const struct xdp_desc *)queue->receive.entries + cell;

	if (unlikely(queue->doubts))
		return put_in_doubt(queue, desc, count);
	if (queue->lead && count <= XDP_FILL_BATCH && find_front(queue, count))
		return put_in_front(queue, desc, count);
	return put_at_end(queue, desc, count);
}
