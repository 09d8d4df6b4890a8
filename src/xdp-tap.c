/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a ring buffer that an XDP program fills. See xdp-tap.h for who owns what; xdp-tap-open.c opens and closes it. */
#include "xdp-tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "compiler.h"
#include "xdp-judge.h"
#include "xdp-ring.h"

/* The record that the kernel is writing to is there after so many looks, unless its CPU does something else meanwhile. */
#define LOOKS 1000

/* In front of each record: a number of 32 bits, and 4 bytes of the kernel's own. */
#define HEADER 8

/* A packet of ours, in tap->copy. Its data begin 2 bytes behind a multiple of 4, as a frame's do (struct xdp_notes). */
struct copy {
	uint32_t filter; /* 0: nobody has judged it */
	struct xdp_notes notes;
} __attribute__((packed));

#define COPY_ALIGN 16
_Static_assert(sizeof(struct copy) % 4 == 2, "an IP header behind it is aligned");

/* Pairs with the kernel's release of the producer in __bpf_ringbuf_reserve: the record's header says that it is busy after this. */
static inline uint64_t producer_of(const struct xdp_tap *tap)
{
	return __atomic_load_n(tap->producer, __ATOMIC_ACQUIRE);
}

/* Pairs with the kernel's exchange in bpf_ringbuf_commit: what is in the record is visible after this. */
static inline uint32_t header_at(const struct packet_ring *ring, uint64_t place)
{
	uint64_t mask = (uint64_t)ring->cells * XDP_TAP_CELL - 1;

	return load_acquire((const uint32_t *)(ring->tap->data + (place & mask)));
}

static bool is_busy(const struct packet_ring *ring, uint64_t place)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		if (likely(!(header_at(ring, place) & BPF_RINGBUF_BUSY_BIT)))
			return false;
	}
	return true;
}

/* Whether there is a record can be told of where the next one begins only; elsewhere, whether there are bytes. */
static bool is_ours(const struct packet_ring *ring, uint32_t cell)
{
	const struct xdp_tap *tap = ring->tap;
	uint64_t place = tap->taken + (uint64_t)((cell - ring->position) & (ring->cells - 1)) * XDP_TAP_CELL;

	if ((int64_t)(producer_of(tap) - place) <= 0)
		return false;
	return place != tap->listed || !is_busy(ring, place);
}

/* A record that has been reserved: its time was taken after that, and so behind the last one's. */
static bool is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	const struct xdp_tap *tap = ring->tap;

	(void)ahead;
	if (producer_of(tap) == tap->listed)
		return false;
	*not_before_ns = tap->last_ns;
	return true;
}

/* Full barrier: who reserves a record after our next look sees it. Pairs with xdp-tap-code.c's emit_count. */
static void arm(struct packet_ring *ring)
{
	__atomic_store_n(&ring->tap->line->wanted, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void xdp_tap_watch(struct packet_ring *ring)
{
	ring->tap->watched = true;
	arm(ring);
}

/*
 * Who sleeps on the descriptor by himself, through epoll, is told of wake-ups and of nothing else. So at all times there is something in the ring, and a
 * wake-up has said so; or there is nothing, and the next record wakes. That is why the ring is armed before the last byte is given back.
 */
static void release(struct packet_ring *ring, uint32_t cells)
{
	struct xdp_tap *tap = ring->tap;
	uint32_t waiting = (uint32_t)((producer_of(tap) - tap->taken) / XDP_TAP_CELL);

	if (waiting > ring->waiting_most)
		ring->waiting_most = waiting;
	tap->taken += (uint64_t)cells * XDP_TAP_CELL;
	ring->position = (ring->position + cells) & (ring->cells - 1);
	if (unlikely(ring->filter_cells))
		ring->filter_cells -= cells < ring->filter_cells ? cells : ring->filter_cells;
	if (tap->watched && tap->taken == producer_of(tap))
		arm(ring);
	/* Pairs with the kernel's acquire: our last look at the records comes before this. */
	__atomic_store_n(tap->consumer, tap->taken, __ATOMIC_RELEASE);
}

/* Listing */

static struct copy *copy_of(uint8_t *data)
{
	return (struct copy *)(data - sizeof(struct copy));
}

/* Takes a record to our memory, where there is room for it. cell is its first. */
static struct copy *take_record(struct packet_ring *ring, const struct xdp_tap_record *record, uint32_t cell)
{
	struct xdp_tap *tap = ring->tap;
	struct copy *copy = (struct copy *)(tap->copy + tap->copied);
	struct xdp_frame *frame = &copy->notes.frame;
	uint32_t captured = record->captured_len;

	memcpy(copy + 1, record + 1, captured);
	/* What user space is to judge is there as a whole. */
	copy->filter = record->verdict ? record->filter : 0;
	copy->notes.cell = cell;
	frame->captured_len = captured;
	frame->wire_len = record->wire_len;
	frame->time_ns = record->tai_ns - tap->tai_ahead_ns;
	tap->copied += (sizeof(*copy) + captured + COPY_ALIGN - 1) & ~(size_t)(COPY_ALIGN - 1);
	tap->last_ns = frame->time_ns;
	ring->bytes += captured;
	return copy;
}

static int corrupted(const struct packet_ring *ring, uint32_t header, struct netring_error *error)
{
	return error_set(error, EBADMSG, "%s: corrupted record of %#x bytes in the BPF ring buffer", ring->interface, header);
}

/* Room for one more of the longest. */
static bool has_room(const struct xdp_tap *tap)
{
	return tap->copied + sizeof(struct copy) + XDP_TAP_CAPTURE_MAX + COPY_ALIGN <= XDP_TAP_COPIES_LENGTH;
}

/* in_force: the filter that is. */
static void add(struct packet_ring *ring, struct packet_list *list, unsigned n, struct copy *copy, uint32_t in_force)
{
	const struct packet_entry *before = n ? &list->entry[n - 1] : NULL;

	list->entry[n] = (struct packet_entry){ copy->notes.frame.time_ns, (uint8_t *)&copy->notes.frame };
	list->disorder |= before && before->time_ns > list->entry[n].time_ns;
	/* The cells up to its own hold what the filter in force has not judged. */
	if (unlikely(copy->filter != in_force))
		ring->filter_cells = ((copy->notes.cell - ring->position) & (ring->cells - 1)) + 1;
}

static void compare_clocks(struct xdp_tap *tap)
{
	tap->tai_ahead_ns = xdp_stamp_clock_ahead_ns(tap->program);
	tap->batches = 0;
}

static int list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *error)
{
	struct xdp_tap *tap = ring->tap;
	uint64_t place = tap->listed, producer = producer_of(tap), mask = (uint64_t)ring->cells * XDP_TAP_CELL - 1;
	uint32_t in_force = xdp_program_filter_mark(tap->program);
	unsigned n = 0;

	list->losing = list->disorder = list->early_stamps = false;
	list->rest.left = 0;
	if (ahead == 0)
		tap->copied = 0;
	if (unlikely(tap->batches++ >= XDP_CLOCK_BATCHES))
		compare_clocks(tap);
	while (n < max && place != producer && has_room(tap) && !is_busy(ring, place)) {
		uint32_t header = header_at(ring, place), length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const struct xdp_tap_record *record = (const void *)(tap->data + (place & mask) + HEADER);
		uint64_t step = (HEADER + (uint64_t)length + XDP_TAP_CELL - 1) & ~(uint64_t)(XDP_TAP_CELL - 1);

		if (unlikely(step > producer - place))
			return corrupted(ring, header, error);
		if (likely(!(header & BPF_RINGBUF_DISCARD_BIT))) {
			if (unlikely(length < sizeof(*record) || record->captured_len > length - sizeof(*record) ||
				     record->captured_len > XDP_TAP_CAPTURE_MAX))
				return corrupted(ring, header, error);
			add(ring, list, n, take_record(ring, record, (uint32_t)(place / XDP_TAP_CELL) & (ring->cells - 1)), in_force);
			n++;
		}
		place += step;
	}
	/* There may be a silence now, behind which the clocks are compared: a merge does not come here for nothing. */
	if (place == producer)
		tap->batches = XDP_CLOCK_BATCHES;
	list->cells += (uint32_t)((place - tap->listed) / XDP_TAP_CELL);
	tap->listed = place;
	return (int)n;
}

static uint32_t cell_of(const struct packet_ring *ring, const uint8_t *place)
{
	(void)ring;
	return xdp_notes_of((struct xdp_frame *)place)->cell;
}

static void view(const struct packet_ring *ring, struct netring_packet *packet, uint8_t *place)
{
	xdp_frame_view((struct xdp_frame *)place, &ring->tap->link, packet);
}

static void cut(uint8_t *place, uint32_t captured_len)
{
	((struct xdp_frame *)place)->captured_len = captured_len;
}

uint32_t xdp_tap_judge(const struct packet_ring *ring, struct netring_packet *packet)
{
	if (copy_of(packet->data)->filter == xdp_program_filter_mark(ring->tap->program))
		return UINT32_MAX;
	return xdp_judge_captured(ring->filter, packet);
}

/* Statistics */

uint64_t xdp_tap_packets(const struct packet_ring *ring)
{
	const struct xdp_tap_line *line = ring->tap->line;

	return __atomic_load_n(&line->packets, __ATOMIC_RELAXED) + __atomic_load_n(&line->drops, __ATOMIC_RELAXED);
}

void xdp_tap_ask_losses(struct packet_ring *ring)
{
	uint64_t drops = __atomic_load_n(&ring->tap->line->drops, __ATOMIC_RELAXED);

	ring->losing = false;
	__atomic_store_n(&ring->drops, drops, __ATOMIC_RELAXED);
}

static int stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error)
{
	(void)error;
	stats->drops = __atomic_load_n(&ring->tap->line->drops, __ATOMIC_RELAXED);
	stats->packets = __atomic_load_n(&ring->tap->line->packets, __ATOMIC_RELAXED) + stats->drops;
	stats->freezes = 0;
	stats->ring_bytes = (uint64_t)ring->cells * XDP_TAP_CELL;
	return 0;
}

/* The socket is bound to a type that no packet has; the kernel takes the type from the frame. */
int xdp_tap_send(int fd, int ifindex, const void *frame, size_t length, struct netring_error *error)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex };
	ssize_t sent = sendto(fd, frame, length, 0, (const struct sockaddr *)&to, sizeof(to));

	return sent < 0 ? error_errno(error, errno, "send") : (int)sent;
}

const struct packet_ring_kind xdp_tap = {
	.version = 0,
	.is_ours = is_ours,
	.stats = stats,
	.close = xdp_tap_close,
	.arm = arm,
	.list = list,
	.release = release,
	.cell_of = cell_of,
	.view = view,
	.cut = cut,
	.is_filling = is_filling,
};
