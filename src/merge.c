/* SPDX-License-Identifier: BSD-3-Clause */
/* Several rings read as one. See merge.h for what has to wait for what. */
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "packet-filter.h"
#include "pages.h"

/* Frames of immediate mode that are looked at together. */
#define FRAMES_MAX 256

/* An insertion sort may move this many entries for each in the list; beyond that the list is no nearly sorted one. */
#define MOVES_PER_ENTRY 16

/* Packets that are as much younger than now were stamped before the clock was set back. Less than that is no long wait. */
#define CLOCK_STEP_NS UINT64_C(100000000)

void merge_init(struct merge *merge)
{
	memset(merge, 0, sizeof(*merge));
}

static int open_source(struct merge_source *source, struct packet_ring *ring, struct netring_error *error)
{
	source->ring = ring;
	/* Two blocks: one that waits for another, and that one. */
	source->capacity = ring->kind->version == TPACKET_V3 ? 2 * (ring->block_size / BLOCK_FRAME_MIN) : 2 * FRAMES_MAX;
	source->entry = pages_allocate(source->capacity * sizeof(*source->entry));
	if (!source->entry)
		return error_errno(error, ENOMEM, "list of %u packets", source->capacity);
	source->next = source->ahead = source->end = source->entry;
	return 0;
}

int merge_open(struct merge *merge, struct packet_ring *rings, unsigned count, uint64_t delay_max_ns, struct netring_error *error)
{
	int ret = 0;

	merge_init(merge);
	merge->delay_max_ns = delay_max_ns;
	merge->source = calloc(count, sizeof(*merge->source));
	merge->heap = calloc(count, sizeof(*merge->heap));
	if (!merge->source || !merge->heap)
		ret = error_errno(error, ENOMEM, "merge of %u rings", count);
	for (; ret == 0 && merge->sources < count; merge->sources++)
		ret = open_source(&merge->source[merge->sources], &rings[merge->sources], error);
	if (ret < 0)
		merge_close(merge);
	return ret;
}

void merge_close(struct merge *merge)
{
	for (unsigned i = 0; i < merge->sources; i++)
		pages_free(merge->source[i].entry, merge->source[i].capacity * sizeof(struct packet_entry));
	free(merge->source);
	free(merge->heap);
	merge_init(merge);
}

/* The heap */

/* The place of the older child of a head, or one without a head. */
static inline unsigned oldest_child(const struct merge *merge, unsigned at)
{
	unsigned child = 2 * at + 1;

	return child + 1 < merge->heads && merge->heap[child + 1].time_ns < merge->heap[child].time_ns ? child + 1 : child;
}

static inline void sift_down(struct merge *merge, unsigned at)
{
	struct merge_head head = merge->heap[at];
	unsigned child;

	while ((child = oldest_child(merge, at)) < merge->heads && merge->heap[child].time_ns < head.time_ns) {
		merge->heap[at] = merge->heap[child];
		at = child;
	}
	merge->heap[at] = head;
}

static void make_heap(struct merge *merge)
{
	merge->heads = 0;
	for (unsigned i = 0; i < merge->sources; i++) {
		struct merge_source *source = &merge->source[i];

		if (source->ahead != source->end)
			merge->heap[merge->heads++] = (struct merge_head){ source->ahead->time_ns, source };
	}
	for (unsigned i = merge->heads / 2; i-- > 0;)
		sift_down(merge, i);
}

static void drop_oldest_head(struct merge *merge)
{
	merge->heap[0] = merge->heap[--merge->heads];
	if (merge->heads)
		sift_down(merge, 0);
}

/* The list of a source */

static int compare(const void *one, const void *other)
{
	const struct packet_entry *a = one, *b = other;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->frame < b->frame ? -1 : 1;
}

/*
 * Puts a list in order. CPUs that fill one ring take their places there in one order, and the time, later, in another, so that neighbours may be
 * swapped; where one of them was held up for long, many of them.
 */
static void sort(struct packet_entry *entry, unsigned count)
{
	uint64_t moves = 0;

	for (unsigned i = 1; i < count; i++) {
		struct packet_entry late = entry[i];
		unsigned at = i;

		if (likely(late.time_ns >= entry[i - 1].time_ns))
			continue;
		for (; at != 0 && entry[at - 1].time_ns > late.time_ns; at--)
			entry[at] = entry[at - 1];
		entry[at] = late;
		moves += i - at;
		if (unlikely(moves > (uint64_t)count * MOVES_PER_ENTRY)) {
			qsort(entry, count, sizeof(*entry), compare);
			return;
		}
	}
}

/* Filters have changed, or the ring does not have its filter in the kernel: judges the packets in hand from `first` on. */
static void judge(struct merge_source *source, const struct packet_entry *first)
{
	struct packet_entry *entry = source->entry + (first - source->entry);

	source->filter_number = source->ring->filter_number;
	if (packet_filter_is_due(source->ring))
		source->end = entry + packet_filter_sift_list(source->ring, entry, (unsigned)(source->end - entry));
}

/* The cells whose packets are all consumed are the kernel's again: all, or those in front of the first that has some in hand. */
static void release(struct merge_source *source)
{
	struct packet_ring *ring = source->ring;
	uint32_t cells = source->list.cells;

	if (cells == 1 && !merge_source_is_empty(source))
		return;
	for (const struct packet_entry *entry = source->next; entry != source->end; entry++) {
		uint32_t cell = ring->kind->cell_of(ring, entry->frame);
		uint32_t ahead = cell >= ring->position ? cell - ring->position : cell + ring->cells - ring->position;

		if (ahead < cells)
			cells = ahead;
	}
	ring->kind->release(ring, cells);
	source->list.cells -= cells;
}

/* What waits for more goes to the front of the list. */
static void make_room(struct merge_source *source)
{
	ptrdiff_t left = source->end - source->next;

	release(source);
	memmove(source->entry, source->next, (size_t)left * sizeof(*source->entry));
	source->next = source->ahead = source->entry;
	source->end = source->entry + left;
}

/* A list that is full of packets that wait, or a ring that is, has to do without the next block: it is sure as it is. */
static bool has_room(const struct merge_source *source)
{
	return source->end - source->next <= source->capacity / 2 && source->list.cells <= source->ring->cells / 2;
}

/* There is something behind what is in hand. */
static bool next_is_ours(const struct merge_source *source)
{
	const struct packet_ring *ring = source->ring;

	return has_room(source) && source->list.rest.left == 0 && ring->kind->is_ours(ring, packet_ring_cell_ahead(ring, source->list.cells));
}

static void count_disordered(struct merge *merge)
{
	__atomic_store_n(&merge->disordered, merge->disordered + 1, __ATOMIC_RELAXED);
}

/* Until another block is in the list, which of it is in order for good. */
static void find_sure(struct merge *merge, struct merge_source *source)
{
	if (unlikely(source->list.early_stamps))
		merge->delay_ns = merge->delay_max_ns;
	source->sure_ns = UINT64_MAX;
	if (merge->delay_ns && source->ring->kind->version == TPACKET_V3)
		source->sure_ns = source->end[-1].time_ns - merge->delay_ns;
}

/*
 * Lists the packets of the next block, behind those that wait for it. 1; 0: there is none; -EAGAIN: there was one, of packets that filters took out.
 */
static int load(struct merge *merge, struct merge_source *source, struct netring_error *error)
{
	struct packet_list *list = &source->list;
	const struct packet_entry *first;
	int listed;

	if (merge_source_is_empty(source))
		release(source);
	if (unlikely(list->rest.left))
		return merge_source_is_empty(source) ? block_corrupted(&list->rest, error) : 0;
	if (!next_is_ours(source))
		return 0;
	make_room(source);
	first = source->end;
	list->entry = source->entry + (first - source->entry);
	listed = source->ring->kind->list(source->ring, list->cells, list, source->capacity / 2, error);
	if (listed < 0)
		return listed;
	source->end = first + listed;
	judge(source, first);
	if (source->end == first) {
		release(source);
		return listed == 0 ? 0 : -EAGAIN;
	}
	if (list->disorder || (first != source->entry && first[0].time_ns < first[-1].time_ns))
		sort(source->entry, (unsigned)(source->end - source->entry));
	if (unlikely(source->entry[0].time_ns < merge->last_ns))
		count_disordered(merge);
	find_sure(merge, source);
	return 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What comes out of this ring behind what is in hand is no older. */
static uint64_t oldest_to_come(const struct merge *merge, const struct merge_source *source)
{
	const struct packet_ring *ring = source->ring;
	uint64_t now = merge->delay_ns && !ring->foreign_clock ? now_ns() : 0, not_before_ns;

	if (ring->kind->is_filling(ring, source->list.cells, &not_before_ns))
		return ring->foreign_clock ? 0 : not_before_ns - merge->delay_ns;
	return now ? now - merge->delay_ns : UINT64_MAX;
}

/* True if the source's ring has handed something over while we looked. */
static bool look(struct merge *merge, struct merge_source *source)
{
	uint64_t oldest_ns = has_room(source) ? oldest_to_come(merge, source) : UINT64_MAX;

	if (oldest_ns > source->sure_ns || merge_source_is_empty(source))
		source->sure_ns = oldest_ns;
	return next_is_ours(source);
}

static int load_wanting(struct merge *merge, struct netring_error *error)
{
	bool taken_out = false;

	for (unsigned i = 0; i < merge->sources; i++) {
		int ret = merge_source_is_wanting(&merge->source[i]) ? load(merge, &merge->source[i], error) : 0;

		if (ret == -EAGAIN)
			taken_out = true;
		else if (ret < 0)
			return ret;
	}
	return taken_out ? -EAGAIN : 0;
}

static bool look_at_wanting(struct merge *merge)
{
	bool news = false;

	for (unsigned i = 0; i < merge->sources; i++)
		if (merge_source_is_wanting(&merge->source[i]))
			news |= look(merge, &merge->source[i]);
	return news;
}

static uint64_t least_sure(const struct merge *merge)
{
	uint64_t sure_ns = UINT64_MAX;

	for (unsigned i = 0; i < merge->sources; i++)
		if (merge->source[i].sure_ns < sure_ns)
			sure_ns = merge->source[i].sure_ns;
	return sure_ns;
}

/*
 * Fills every source that can be filled, then sees what may be going on in the others. The looks come last: what is in hand was there before them,
 * and what comes into a ring that was found without anything came after them.
 */
static int refill(struct merge *merge, struct netring_error *error)
{
	bool news;
	int ret;

	do {
		ret = load_wanting(merge, error);
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		news = look_at_wanting(merge);
	} while (news && ret == 0);
	merge->limit_ns = least_sure(merge);
	make_heap(merge);
	return ret;
}

/* The clock was set back since the packet was stamped: what it would wait for is younger, but seems older for as long as the clock was set back by. */
static bool is_of_another_time(const struct merge_head *head)
{
	return !head->source->ring->foreign_clock && head->time_ns > now_ns() + CLOCK_STEP_NS;
}

/* A ring of packets in hand would overflow if they waited on, or they would wait for what never comes. */
static bool may_not_wait(const struct merge *merge)
{
	if (is_of_another_time(&merge->heap[0]))
		return true;
	for (unsigned i = 0; i < merge->heads; i++)
		if (packet_ring_is_half_full(merge->heap[i].source->ring))
			return true;
	return false;
}

/*
 * The hot loop: packets in order, until max, or one has to wait, or a source runs out. What comes from one source in a row costs a comparison each;
 * each change of the source a step down the heap.
 */
static unsigned pick(struct merge *merge, unsigned max)
{
	struct merge_packet *packet = merge->packet, *full = packet + max;
	struct merge_head *oldest = merge->heap;
	uint64_t limit_ns = merge->limit_ns;

	while (merge->heads != 0 && oldest->time_ns <= limit_ns && packet != full) {
		struct merge_source *source = oldest->source;
		const struct packet_entry *entry = source->ahead, *end = source->end;
		unsigned second = oldest_child(merge, 0);
		bool is_alone = second >= merge->heads;
		uint64_t stop_ns = is_alone || limit_ns < merge->heap[second].time_ns ? limit_ns : merge->heap[second].time_ns;

		do {
			*packet++ = (struct merge_packet){ entry->frame, source };
			entry++;
		} while (entry != end && packet != full && entry->time_ns <= stop_ns);
		source->ahead = entry;
		if (unlikely(entry == end)) {
			drop_oldest_head(merge);
			break;
		}
		if (is_alone || entry->time_ns <= merge->heap[second].time_ns) {
			oldest->time_ns = entry->time_ns;
			continue;
		}
		*oldest = merge->heap[second];
		merge->heap[second] = (struct merge_head){ entry->time_ns, source };
		sift_down(merge, second);
	}
	return (unsigned)(packet - merge->packet);
}

/* A filter was set while packets were in hand. */
static void judge_again(struct merge *merge)
{
	for (unsigned i = 0; i < merge->sources; i++) {
		struct merge_source *source = &merge->source[i];

		if (likely(source->filter_number == source->ring->filter_number))
			continue;
		judge(source, source->next);
		merge->heads = 0;
	}
}

static bool any_is_wanting(const struct merge *merge)
{
	for (unsigned i = 0; i < merge->sources; i++)
		if (merge_source_is_wanting(&merge->source[i]))
			return true;
	return false;
}

int merge_take(struct merge *merge, unsigned max, struct netring_error *error)
{
	int ret = 0;

	if (unlikely(merge->count))
		merge_give_back(merge, merge->count);
	if (unlikely(max == 0))
		return 0;
	judge_again(merge);
	if (any_is_wanting(merge))
		ret = refill(merge, error);
	else if (merge->heads == 0)
		make_heap(merge);
	/* A ring that was left empty by filters is no reason to keep the others' packets back: limit_ns says which of them may come. */
	if (ret < 0 && ret != -EAGAIN)
		return ret;
	if (merge_is_waiting(merge) && may_not_wait(merge))
		merge->limit_ns = UINT64_MAX;
	merge->count = pick(merge, max < MERGE_BATCH_MAX ? max : MERGE_BATCH_MAX);
	return merge->count ? (int)merge->count : ret;
}

void merge_give_back(struct merge *merge, unsigned used)
{
	unsigned count = merge->count;

	merge->count = 0;
	if (count == 0)
		return;
	if (unlikely(used < count)) {
		/* Each packet is in its source's list, in the order of the batch. */
		for (unsigned i = used; i < count; i++)
			merge->packet[i].source->ahead--;
		make_heap(merge);
	}
	for (unsigned i = 0; i < merge->sources; i++) {
		struct merge_source *source = &merge->source[i];

		if (source->next == source->ahead)
			continue;
		packet_ring_count_delivered(source->ring, (unsigned)(source->ahead - source->next));
		source->next = source->ahead;
		if (source->next[-1].time_ns > merge->last_ns)
			merge->last_ns = source->next[-1].time_ns;
		/* At once, not at the next take: the descriptor must not say readable when there is nothing left to read. */
		if (merge_source_is_empty(source))
			release(source);
	}
}

bool merge_is_ready(const struct merge *merge)
{
	if (merge->heads != 0 && (!merge_is_waiting(merge) || may_not_wait(merge)))
		return true;
	for (unsigned i = 0; i < merge->sources; i++) {
		const struct merge_source *source = &merge->source[i];

		if (merge_source_is_wanting(source) && next_is_ours(source))
			return true;
	}
	return false;
}
