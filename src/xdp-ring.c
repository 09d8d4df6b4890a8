/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and sending through the AF_XDP socket of one queue. See xdp-ring.h for who owns a frame; xdp-ring-open.c opens and closes it.
 *
 * The reader's words are the consumer of the receive ring and the producer of the fill ring; the kernel's are the other two. Frames go back as
 * many at a time as the reader is through with (xdp-fill.h).
 */
#include "xdp-ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "xdp-drive.h"
#include "xdp-fill.h"
#include "xdp-gather.h"
#include "xdp-ring-open.h"

/* Packets between the verdict and the ring: what one round of NAPI takes, for each CPU that has been at the queue. */
#define IN_FLIGHT 1024

/* How often the packets are counted anew while another thread goes on reading them. */
#define LOOKS_MAX 8

#define NSEC_PER_SEC UINT64_C(1000000000)

/* What the kernel may have put into frames and not shown yet: one round of NAPI. With so many less than all cells there may already be losses. */
#define UNSHOWN 64

/* Below this a type field is a length. */
#define ETHERTYPE_MIN 0x600

/* Pairs with the kernel's release of the producer in __xskq_prod_submit: descriptors and what they point to are visible after this. */
static inline uint32_t waiting(const struct xdp_queue *queue)
{
	return load_acquire(queue->receive.producer) - queue->taken;
}

static inline const struct xdp_desc *desc_at(const struct xdp_queue *queue, uint32_t cell)
{
	return (const struct xdp_desc *)queue->receive.entries + cell;
}

/* There is something to read in that cell, the reader's next or one behind it. */
static bool is_ours(const struct packet_ring *ring, uint32_t cell)
{
	return waiting(ring->xdp) > ((cell - ring->position) & ring->xdp->receive.mask);
}

static void compare_clocks(struct xdp_queue *queue)
{
	queue->tai_ahead_ns = xdp_stamp_clock_ahead_ns(queue->program);
	queue->batches = 0;
	xdp_program_look_for_strays(queue->program);
}

int xdp_ring_corrupted(const struct packet_ring *ring, const struct xdp_desc *desc, struct netring_error *error)
{
	return error_set(error, EBADMSG, "corrupted descriptor on AF_XDP ring: %u bytes at %#llx, of %zu", desc->len, (unsigned long long)desc->addr,
			 ring->xdp->umem_length);
}

/* A cursor for up to max packets from that cell on, which do not go round the end of the ring. */
static void open_cursor(struct packet_ring *ring, struct xdp_cursor *cursor, uint32_t cell, uint32_t max)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t straight = ring->cells - cell;

	if (unlikely(queue->batches++ == XDP_CLOCK_BATCHES))
		compare_clocks(queue);
	cursor->first = cursor->desc = desc_at(queue, cell);
	cursor->end = cursor->desc + (max < straight ? max : straight);
	cursor->umem = queue->umem;
	cursor->room = queue->umem_length - queue->longest - sizeof(struct xdp_notes);
	cursor->longest = queue->longest;
	cursor->tai_ahead_ns = queue->tai_ahead_ns;
	cursor->snaplen = UINT32_MAX;
	xdp_ring_cut(cursor, queue->snaplen);
	cursor->ring = ring;
	cursor->newest_ns = queue->newest_ns;
	cursor->judges = false;
}

/* Before cells are given back: only then can a ring that was full be known. */
static void note(struct packet_ring *ring)
{
	uint32_t there = waiting(ring->xdp);

	if (there > ring->waiting_most)
		ring->waiting_most = there;
	if (unlikely(there + UNSHOWN > ring->cells))
		ring->losing = true;
}

/* Of so many cells from position on, which are given back, some are no packets of their own. Returns how many. */
static uint32_t forget_gathered(struct xdp_queue *queue, uint32_t position, uint32_t cells)
{
	uint32_t continued = cells - xdp_gather_packets(queue, position, cells);

	if (queue->seen - queue->taken <= cells) {
		queue->gather.used = 0;
		queue->gather.some = false;
	}
	__atomic_store_n(&queue->continued, queue->continued + continued, __ATOMIC_RELAXED);
	return continued;
}

/* The consumer of the receive ring goes on, and the frames go back. Returns how many packets they were. */
static uint32_t release_cells(struct packet_ring *ring, uint32_t cells)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t position = ring->position, straight = ring->cells - position, packets = cells;

	note(ring);
	if (likely(cells))
		xdp_stamp_leave(queue, desc_at(queue, (position + cells - 1) & queue->receive.mask));
	if (unlikely(queue->gather.some))
		packets -= forget_gathered(queue, position, cells);
	if (unlikely(cells > straight)) {
		ring->bytes += xdp_fill_put(queue, position, straight);
		ring->bytes += xdp_fill_put(queue, 0, cells - straight);
	} else {
		ring->bytes += xdp_fill_put(queue, position, cells);
	}
	ring->position = (position + cells) & queue->receive.mask;
	queue->taken += cells;
	if ((int32_t)(queue->seen - queue->taken) < 0)
		queue->seen = queue->taken;
	if (unlikely(ring->filter_cells))
		ring->filter_cells -= cells < ring->filter_cells ? cells : ring->filter_cells;
	/* Pair with the kernel's acquires: our last look at descriptors and frames comes before this. */
	store_release(queue->fill.producer, queue->given);
	store_release(queue->receive.consumer, queue->taken);
	/* Release: with what of it was no packet. */
	__atomic_store_n(&queue->consumed, queue->consumed + cells, __ATOMIC_RELEASE);
	if (unlikely(__atomic_load_n(queue->fill.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
		xdp_drive_call(ring);
	return packets;
}

static void release(struct packet_ring *ring, uint32_t cells)
{
	release_cells(ring, cells);
}

/* Reading in place: pcap_loop and pcap_dispatch of a handle with one queue */

int xdp_ring_gather(struct xdp_cursor *cursor, struct xdp_packet *packet)
{
	struct packet_ring *ring = cursor->ring;
	uint32_t ahead = (uint32_t)(cursor->desc - desc_at(ring->xdp, ring->position)), cells;
	int ret;

	if (cursor->desc != cursor->first)
		xdp_stamp_leave(ring->xdp, cursor->desc - 1);
	ret = xdp_gather(ring, ring->position + ahead, waiting(ring->xdp) - ahead, &cells, packet);
	if (ret < 0)
		return -EBADMSG;
	cursor->newest_ns = ring->xdp->newest_ns;
	cursor->desc += cells;
	if (cursor->end < cursor->desc)
		cursor->end = cursor->desc;
	return ret;
}

int xdp_ring_borrow(struct packet_ring *ring, struct xdp_cursor *cursor, unsigned max)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t there = waiting(queue);

	if (unlikely(queue->seen != queue->taken))
		return -EAGAIN;
	if (there == 0) {
		queue->batches = XDP_CLOCK_BATCHES; /* the clocks are compared when the next packet comes */
		return 0;
	}
	open_cursor(ring, cursor, ring->position, there < max ? there : max);
	cursor->judges = ring->filter && queue->gather.place;
	return 1;
}

static void count_gathered_rejected(struct packet_ring *ring)
{
	packet_ring_count_rejected(ring, ring->xdp->gather.rejected);
	ring->xdp->gather.rejected = 0;
}

void xdp_ring_return(struct packet_ring *ring, const struct xdp_desc *desc)
{
	uint32_t packets = release_cells(ring, (uint32_t)(desc - desc_at(ring->xdp, ring->position)));

	if (unlikely(ring->xdp->gather.rejected)) {
		packets -= ring->xdp->gather.rejected;
		count_gathered_rejected(ring);
	}
	packet_ring_count_delivered(ring, packets);
}

/* In bursts (netring_take), and in lists (several queues, see merge.h) */

static uint8_t packet_type(const uint8_t *address, const uint8_t *own)
{
	static const uint8_t broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (address[0] & 1)
		return memcmp(address, broadcast, ETH_ALEN) == 0 ? PACKET_BROADCAST : PACKET_MULTICAST;
	return memcmp(address, own, ETH_ALEN) == 0 ? PACKET_HOST : PACKET_OTHERHOST;
}

/* As eth_type_trans has it. */
static uint16_t protocol(const uint8_t *data)
{
	uint16_t type = (uint16_t)(data[12] << 8 | data[13]);

	if (type >= ETHERTYPE_MIN)
		return htons(type);
	return data[14] == 0xff && data[15] == 0xff ? htons(ETH_P_802_3) : htons(ETH_P_802_2);
}

void xdp_frame_view(struct xdp_frame *frame, const struct sockaddr_ll *interface, struct netring_packet *packet)
{
	struct xdp_notes *notes = xdp_notes_of(frame);
	struct sockaddr_ll link = *interface;

	packet->data = xdp_frame_data(frame);
	packet->time_sec = (uint32_t)(frame->time_ns / NSEC_PER_SEC);
	packet->time_nsec = (uint32_t)(frame->time_ns % NSEC_PER_SEC);
	packet->captured_len = frame->captured_len;
	packet->wire_len = frame->wire_len;
	packet->flags = 0;
	packet->rxhash = 0;
	packet->vlan_tci = packet->vlan_tpid = 0;
	packet->ring = 0;
	/* A frame has room for a whole header, whatever came. */
	link.sll_pkttype = packet_type(packet->data, interface->sll_addr);
	link.sll_protocol = protocol(packet->data);
	memcpy(link.sll_addr, packet->data + ETH_ALEN, ETH_ALEN);
	memcpy(&notes->link, &link, sizeof(link));
	packet->link = (const struct sockaddr_ll *)((const uint8_t *)notes + offsetof(struct xdp_notes, link));
}

static void view(const struct packet_ring *ring, struct netring_packet *packet, uint8_t *place)
{
	xdp_frame_view((struct xdp_frame *)place, &ring->xdp->link, packet);
}

static struct xdp_frame *frame_of(const struct packet_ring *ring, uint32_t cell)
{
	return (struct xdp_frame *)(ring->xdp->umem + desc_at(ring->xdp, cell)->addr) - 1;
}

/* A packet that has been made ready, or is to be: its frame and the cells it takes. */
struct ready {
	struct xdp_frame *frame; /* NULL: it is not for the reader */
	uint32_t cells;
};

/* Has not been made ready yet. */
static bool is_new(const struct xdp_queue *queue, uint32_t ahead)
{
	return (int32_t)(queue->taken + ahead - queue->seen) >= 0;
}

static struct ready find_ready(const struct packet_ring *ring, uint32_t cell)
{
	struct xdp_frame *first = frame_of(ring, cell);

	if (likely(!(desc_at(ring->xdp, cell)->options & XDP_PKT_CONTD)))
		return (struct ready){ first, 1 };
	return (struct ready){ xdp_gather_kept(ring, cell), xdp_notes_of(first)->cells };
}

/*
 * The filter looks at what XDP could not show it, of a packet that the driver had in several pieces and that fits into one frame all the same: it is judged
 * when it has been listed, as what an earlier filter has let in.
 */
static void leave_to_filter(struct packet_ring *ring, uint32_t ahead)
{
	if (ring->filter && ring->filter_cells <= ahead)
		ring->filter_cells = ahead + 1;
}

/* 0, -EBADMSG, or -ENOBUFS as xdp_gather. */
static int gather(struct packet_ring *ring, uint32_t cell, uint32_t there, struct xdp_packet *packet, struct ready *ready)
{
	int ret = xdp_gather(ring, cell, there, &ready->cells, packet);

	if (ret < 0)
		return ret;
	if (ret == 0)
		ready->frame = NULL;
	else
		ready->frame = xdp_gather_keep(ring, cell, packet);
	return 0;
}

/* What the reader is to find in front of a packet. */
static inline void note_down(struct xdp_frame *frame, uint32_t cell, const struct xdp_cursor *cursor, const struct xdp_packet *packet)
{
	frame->captured_len = packet->captured_len;
	frame->wire_len = packet->wire_len;
	frame->time_ns = packet->tai_ns - cursor->tai_ahead_ns;
	xdp_notes_of(frame)->cell = cell;
}

/*
 * The packet that many behind the reader's, of so many that the caller knows to be there, made ready if it is not yet. -EBADMSG: its descriptor is
 * corrupted; -ENOBUFS: others have to be given back first, but never for the reader's own.
 */
static int make_ready(struct packet_ring *ring, uint32_t ahead, uint32_t there, struct ready *ready, struct netring_error *error)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t cell = (ring->position + ahead) & queue->receive.mask;
	struct xdp_cursor cursor;
	struct xdp_packet packet;
	int ret;

	if (!is_new(queue, ahead)) {
		*ready = find_ready(ring, cell);
		return 0;
	}
	open_cursor(ring, &cursor, cell, 1);
	if (likely(xdp_ring_next(&cursor, &packet))) {
		*ready = (struct ready){ (struct xdp_frame *)packet.data - 1, 1 };
		xdp_stamp_leave(queue, cursor.desc - 1);
		if (unlikely(ready->frame->verdict == 0))
			leave_to_filter(ring, ahead);
	} else {
		ret = gather(ring, cell, there - ahead, &packet, ready);
		if (ret == -EBADMSG)
			return xdp_ring_corrupted(ring, cursor.desc, error);
		if (ret < 0)
			return ret;
	}
	queue->seen = queue->taken + ahead + ready->cells;
	if (unlikely(!ready->frame))
		return 0;
	note_down(ready->frame, cell, &cursor, &packet);
	return 0;
}

static unsigned give_back(struct packet_ring *ring, const struct sockaddr_ll *link)
{
	const struct xdp_notes *notes = link ? (const struct xdp_notes *)((const uint8_t *)link - offsetof(struct xdp_notes, link)) : NULL;
	unsigned cells = notes ? (notes->cell - ring->position) & ring->xdp->receive.mask : ring->taken;

	ring->taken = 0;
	return release_cells(ring, cells);
}

static int take(struct packet_ring *ring, struct netring_burst *burst, unsigned max, struct netring_error *error)
{
	uint32_t there = waiting(ring->xdp), ahead = 0;
	unsigned n = 0;

	if (there == 0)
		ring->xdp->batches = XDP_CLOCK_BATCHES;
	burst->block_sequence = 0;
	burst->losing = false;
	while (n < max && ahead < there) {
		struct ready ready;
		int ret = make_ready(ring, ahead, there, &ready, ahead ? NULL : error);

		if (ret < 0 && ahead == 0)
			return ret;
		if (ret < 0)
			break;
		if (likely(ready.frame != NULL))
			view(ring, &burst->packet[n++], (uint8_t *)ready.frame);
		ahead += ready.cells;
	}
	ring->taken = ahead;
	ring->xdp->gather.rejected = 0; /* give_back counts them, too */
	if (likely(n != 0 || ahead == 0))
		return (int)n;
	packet_ring_count_rejected(ring, give_back(ring, NULL));
	return -EAGAIN;
}

static uint32_t cell_of(const struct packet_ring *ring, const uint8_t *place)
{
	(void)ring;
	return xdp_notes_of((struct xdp_frame *)place)->cell;
}

static inline void append(struct packet_list *list, unsigned n, struct xdp_frame *frame, uint64_t *last_ns)
{
	list->entry[n] = (struct packet_entry){ frame->time_ns, (uint8_t *)frame };
	list->disorder |= frame->time_ns < *last_ns;
	*last_ns = frame->time_ns;
}

/*
 * The hot loop: packets in one frame each, which have not been looked at before, from there on to the end of the ring at most. Stops in front of what
 * is to be looked at more closely. Returns how many.
 */
static unsigned list_frames(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned listed, unsigned max, uint64_t *last_ns)
{
	struct xdp_queue *queue = ring->xdp;
	uint32_t cell = (ring->position + ahead) & queue->receive.mask;
	struct xdp_cursor cursor;
	struct xdp_packet packet;
	unsigned n = 0;

	open_cursor(ring, &cursor, cell, max);
	cursor.judges = true;
	while (xdp_ring_next(&cursor, &packet)) {
		struct xdp_frame *frame = (struct xdp_frame *)packet.data - 1;

		note_down(frame, cell + n, &cursor, &packet);
		if (unlikely(frame->verdict == 0))
			leave_to_filter(ring, ahead + n);
		append(list, listed + n++, frame, last_ns);
	}
	if (n == 0)
		return 0;
	queue->seen = queue->taken + ahead + n;
	xdp_stamp_leave(queue, cursor.desc - 1);
	return n;
}

/*
 * In a queue packets are in the order of their stamps, but they have been stamped before they came here: what another queue is going to get may be
 * older.
 */
static int list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *error)
{
	uint32_t there = waiting(ring->xdp), at = ahead;
	uint64_t last_ns = 0;
	struct ready ready;
	unsigned n = 0, run;

	list->losing = list->disorder = false;
	list->early_stamps = true;
	list->rest.left = 0;
	for (; n < max && at < there; at += ready.cells) {
		int ret;

		if (is_new(ring->xdp, at)) {
			run = list_frames(ring, at, list, n, max - n < there - at ? max - n : there - at, &last_ns);
			n += run;
			ready.cells = run;
			if (likely(run != 0))
				continue;
		}
		ret = make_ready(ring, at, there, &ready, at == ahead ? error : NULL);
		if (ret < 0 && at == ahead)
			return ret;
		if (ret < 0)
			break;
		if (likely(ready.frame != NULL))
			append(list, n++, ready.frame, &last_ns);
	}
	/* There may be a silence now, behind which the clocks are compared: a merge does not come here for nothing. */
	if (at >= there)
		ring->xdp->batches = XDP_CLOCK_BATCHES;
	if (unlikely(ring->xdp->gather.rejected))
		count_gathered_rejected(ring);
	list->cells += at - ahead;
	return (int)n;
}

static void cut(uint8_t *place, uint32_t captured_len)
{
	((struct xdp_frame *)place)->captured_len = captured_len;
}

/* A packet is handed over when it is whole; nothing tells of it before. */
static bool is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	(void)ring;
	(void)ahead;
	(void)not_before_ns;
	return false;
}

/* Looks at what waits for the reader, who may be another thread, and go on meanwhile. */
static uint64_t count_received(const struct xdp_queue *queue, unsigned tries)
{
	uint64_t consumed, continued;
	uint32_t pending, packets;

	do {
		consumed = __atomic_load_n(&queue->consumed, __ATOMIC_ACQUIRE);
		continued = __atomic_load_n(&queue->continued, __ATOMIC_ACQUIRE);
		pending = load_acquire(queue->receive.producer) - (uint32_t)consumed;
		packets = xdp_gather_packets(queue, (uint32_t)consumed, pending);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(__atomic_load_n(&queue->consumed, __ATOMIC_RELAXED) != consumed) && --tries);
	return consumed - continued + packets;
}

uint64_t xdp_ring_received(const struct packet_ring *ring)
{
	const struct xdp_queue *queue = ring->xdp;
	uint64_t consumed;

	if (queue->gather.place)
		return count_received(queue, LOOKS_MAX);
	consumed = __atomic_load_n(&queue->consumed, __ATOMIC_RELAXED);
	/* The producer in 64 bits, whatever the reader has taken meanwhile. */
	return consumed + (load_acquire(queue->receive.producer) - (uint32_t)consumed);
}

/*
 * A packet without a descriptor is counted as "ring full"; without a frame, or too long for one, as dropped. The count of an empty fill ring is part
 * of the drops where the kernel copies; without a copy it is that of the driver's attempts.
 */
static int ask(const struct packet_ring *ring, struct xdp_losses *losses)
{
	struct xdp_statistics counts = { 0 };
	socklen_t size = sizeof(counts);

	if (getsockopt(ring->fd, SOL_XDP, XDP_STATISTICS, &counts, &size) < 0)
		return -errno;
	losses->ring_full = counts.rx_ring_full;
	losses->fill_empty = counts.rx_fill_ring_empty_descs < counts.rx_dropped ? counts.rx_fill_ring_empty_descs : counts.rx_dropped;
	losses->other = counts.rx_dropped - losses->fill_empty + __atomic_load_n(&ring->xdp->gather.too_long, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t sum(const struct xdp_losses *losses)
{
	return losses->ring_full + losses->fill_empty + losses->other;
}

void xdp_ring_ask_losses(struct packet_ring *ring)
{
	struct xdp_losses *losses = &ring->xdp->losses;
	uint64_t drops;

	ring->losing = ask(ring, losses) < 0;
	drops = sum(losses);
	if (drops > ring->drops)
		__atomic_store_n(&ring->lost, true, __ATOMIC_RELAXED);
	ring->drops = drops;
}

static int stats(struct packet_ring *ring, struct netring_stats *stats, struct netring_error *error)
{
	struct xdp_losses losses;
	int ret = ask(ring, &losses);

	xdp_program_look_for_strays(ring->xdp->program);
	if (ret < 0)
		return error_errno(error, -ret, "failed to get statistics from socket");
	stats->drops = sum(&losses);
	stats->packets = xdp_ring_received(ring) + stats->drops;
	stats->freezes = 0;
	stats->ring_bytes = ring->xdp->umem_length;
	return 0;
}

const struct packet_ring_kind xdp_ring = {
	.version = 0,
	.in_flight = IN_FLIGHT,
	.take = take,
	.give_back = give_back,
	.is_ours = is_ours,
	.stats = stats,
	.close = xdp_ring_close,
	.drive = xdp_drive,
	.list = list,
	.release = release,
	.cell_of = cell_of,
	.view = view,
	.cut = cut,
	.is_filling = is_filling,
};
