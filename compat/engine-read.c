/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the ring to the callback: the read side of an engine handle, whole.
 *
 * engine_dispatch reads as much as it may, one block at a time, and sleeps when there is nothing. A block is read in place (read_block): packet-block.h
 * steps through it, hand_over_block makes pcap's header out of the kernel's, and the callback runs on the bytes in the ring. In immediate mode, and
 * while a filter has to be run here, packets come in bursts instead (read_burst). Descriptors of an AF_XDP ring are walked in place in the same way
 * (read_xdp).
 *
 * Most packets need nothing but that header. dress_packet() is for the others: a VLAN tag to put back, a cooked header to build, a direction to look at.
 *
 * Before each callback the place to go on from is stored (resume, used). So a callback that leaves by longjmp, whose thread is cancelled, or that
 * reads from the handle itself, loses nothing and sees nothing twice. (Both at once, a longjmp out of a read in a callback into that callback, is
 * the exception: what the outer read has ahead of it may come again.)
 */
#include <errno.h>
#include <string.h>

#include "dress.h"
#include "dump.h"
#include "handle.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

/* Packets of an AF_XDP ring after which frames go back to the kernel: as many as it brings in one go. */
#define XDP_BATCH 256

struct reader {
	pcap_handler callback;
	u_char *user;
};

static inline void show(pcap_t *p, const struct reader *reader, uint32_t sec, uint32_t fraction, uint32_t captured_len, uint32_t wire_len,
			uint8_t *data)
{
	uint32_t snaplen = (uint32_t)p->snaplen;
	struct pcap_pkthdr header = {
		.ts = { .tv_sec = sec, .tv_usec = fraction },
		.caplen = captured_len < snaplen ? captured_len : snaplen,
		.len = wire_len,
	};

	reader->callback(reader->user, &header, data);
}

/* Returns 1 if the program saw the packet, 0 if it is not for it. */
static int hand_over(pcap_t *p, const struct reader *reader, const struct netring_packet *packet)
{
	struct dressed_packet dressed = { packet->data, packet->captured_len, packet->wire_len };

	if (!dress_packet(p, packet, &dressed))
		return 0;
	show(p, reader, packet->time_sec, p->nanoseconds ? packet->time_nsec : packet->time_nsec / 1000, dressed.captured_len, dressed.wire_len,
	     dressed.data);
	return 1;
}

static int hand_over_header(pcap_t *p, const struct reader *reader, struct tpacket3_hdr *header)
{
	struct netring_packet packet;

	block_view(&packet, header);
	return hand_over(p, reader, &packet);
}

/* The hot loop. Returns the packets that the program saw. `fraction` divides nanoseconds; a constant, so that this is compiled once for each. */
static inline __attribute__((always_inline)) int hand_over_block(pcap_t *p, struct block_cursor *where, const struct reader *reader,
								 uint32_t fraction)
{
	struct block_cursor cursor = *where;
	struct tpacket3_hdr *header;
	int seen, unseen = 0;

	while ((header = block_next(&cursor)) != NULL) {
		p->resume = cursor.frame;
		if (likely(!(header->tp_status & NETRING_VLAN)))
			show(p, reader, header->tp_sec, header->tp_nsec / fraction, header->tp_snaplen, header->tp_len, block_data(header));
		else
			unseen += !hand_over_header(p, reader, header);
		if (unlikely(p->attention))
			break;
	}
	seen = (int)(where->left - cursor.left) - unseen;
	*where = cursor;
	return seen;
}

/* The same where every packet is looked at. */
static int hand_over_dressed(pcap_t *p, struct block_cursor *cursor, const struct reader *reader)
{
	struct tpacket3_hdr *header;
	int seen = 0;

	while ((header = block_next(cursor)) != NULL) {
		p->resume = cursor->frame;
		seen += hand_over_header(p, reader, header);
		if (p->attention)
			break;
	}
	return seen;
}

static int hand_over_all(pcap_t *p, struct block_cursor *cursor, const struct reader *reader)
{
	if (p->dressed)
		return hand_over_dressed(p, cursor, reader);
	if (p->nanoseconds)
		return hand_over_block(p, cursor, reader, 1);
	return hand_over_block(p, cursor, reader, 1000);
}

/* The second that the last packet came in, which is mostly that of the next: two divisions less. */
struct second {
	uint64_t ahead_ns; /* of UTC, the clock of the stamps */
	uint64_t begin_ns; /* by that clock */
	int64_t number;	   /* since 1970 */
};

static void find_second(struct second *second, uint64_t stamp_ns)
{
	second->number = (int64_t)((stamp_ns - second->ahead_ns) / NSEC_PER_SEC);
	second->begin_ns = (uint64_t)second->number * NSEC_PER_SEC + second->ahead_ns;
}

/* As show, of a packet that is no longer than the snaplen. */
static inline __attribute__((always_inline)) void show_at(const struct reader *reader, struct second *second, const struct xdp_packet *packet,
							  uint32_t fraction)
{
	uint64_t into_ns = packet->tai_ns - second->begin_ns;
	struct pcap_pkthdr header;

	if (unlikely(into_ns >= NSEC_PER_SEC)) {
		find_second(second, packet->tai_ns);
		into_ns = packet->tai_ns - second->begin_ns;
	}
	header.ts.tv_sec = second->number;
	header.ts.tv_usec = (uint32_t)into_ns / fraction;
	header.caplen = packet->captured_len;
	header.len = packet->wire_len;
	reader->callback(reader->user, &header, packet->data);
}

/* The hot loop, for the descriptors of an AF_XDP ring. There is no packet that is not for the program. */
static inline __attribute__((always_inline)) int hand_over_frames(pcap_t *p, struct xdp_cursor *where, const struct reader *reader, uint32_t fraction)
{
	struct second second = { .ahead_ns = where->tai_ahead_ns };
	struct xdp_cursor cursor = *where;
	struct xdp_packet packet;
	int seen;

	xdp_ring_cut(&cursor, (uint32_t)p->snaplen);
	while (xdp_ring_next(&cursor, &packet)) {
		p->resume_xdp = cursor.desc;
		show_at(reader, &second, &packet, fraction);
		if (unlikely(p->attention))
			break;
	}
	seen = (int)(cursor.desc - where->desc);
	where->desc = cursor.desc;
	return seen;
}

/* A packet in several frames. 1; 0: it is not for the program; -EBADMSG: it is none. Inlined, it would cost the hot loop an instruction. */
static __attribute__((noinline)) int hand_over_gathered(pcap_t *p, struct xdp_cursor *cursor, const struct reader *reader)
{
	struct second second = { .ahead_ns = cursor->tai_ahead_ns };
	struct xdp_packet packet;
	int ret = xdp_ring_gather(cursor, &packet);

	if (ret < 0)
		return ret;
	p->resume_xdp = cursor->desc;
	if (ret == 0)
		return 0;
	if (packet.captured_len > (uint32_t)p->snaplen)
		packet.captured_len = (uint32_t)p->snaplen;
	show_at(reader, &second, &packet, p->nanoseconds ? 1 : 1000);
	return 1;
}

/* The hot loop stops at what is not in one frame. */
static int hand_over_descriptors(pcap_t *p, struct xdp_cursor *cursor, const struct reader *reader)
{
	int seen = 0, gathered;

	for (;;) {
		seen += p->nanoseconds ? hand_over_frames(p, cursor, reader, 1) : hand_over_frames(p, cursor, reader, 1000);
		if (likely(cursor->desc == cursor->end) || p->attention)
			return seen;
		gathered = hand_over_gathered(p, cursor, reader);
		if (gathered < 0)
			return seen;
		seen += gathered;
		if (p->attention)
			return seen;
	}
}

/* The hot loop again, for a batch whose packets lie in several blocks. */
static inline __attribute__((always_inline)) int hand_over_batch(pcap_t *p, unsigned count, const struct reader *reader, uint32_t fraction)
{
	const struct merge_packet *packet = p->capture->merge.packet;
	bool plain = !p->dressed;
	int seen = 0;

	for (unsigned i = 0; i < count; i++) {
		struct tpacket3_hdr *header = (struct tpacket3_hdr *)packet[i].frame;

		p->used = i + 1;
		if (likely(plain && !(header->tp_status & NETRING_VLAN))) {
			show(p, reader, header->tp_sec, header->tp_nsec / fraction, header->tp_snaplen, header->tp_len, block_data(header));
			seen++;
		} else {
			seen += hand_over_header(p, reader, header);
		}
		if (unlikely(p->attention))
			break;
	}
	return seen;
}

/* The same of several queues. */
static inline __attribute__((always_inline)) int hand_over_batch_of_frames(pcap_t *p, unsigned count, const struct reader *reader, uint32_t fraction)
{
	const struct merge_packet *packet = p->capture->merge.packet;
	uint32_t snaplen = (uint32_t)p->snaplen;
	struct second second = { 0 };

	for (unsigned i = 0; i < count; i++) {
		struct xdp_frame *frame = (struct xdp_frame *)packet[i].frame;
		struct xdp_packet view = {
			.data = xdp_frame_data(frame),
			.captured_len = frame->captured_len < snaplen ? frame->captured_len : snaplen,
			.wire_len = frame->wire_len,
			.tai_ns = frame->time_ns, /* is UTC already: a second that is ahead by nothing */
		};

		p->used = i + 1;
		show_at(reader, &second, &view, fraction);
		if (unlikely(p->attention))
			return (int)i + 1;
	}
	return (int)count;
}

static int hand_over_merged(pcap_t *p, unsigned count, const struct reader *reader)
{
	/* As read_burst has it: of those that are merged in immediate mode, XDP's alone come here. */
	if (handle_is_broken_off(p) && !p->request.immediate)
		return 0;
	if (capture_is_xdp(p->capture))
		return p->nanoseconds ? hand_over_batch_of_frames(p, count, reader, 1) : hand_over_batch_of_frames(p, count, reader, 1000);
	return p->nanoseconds ? hand_over_batch(p, count, reader, 1) : hand_over_batch(p, count, reader, 1000);
}

/* What a read found. */
enum found { FOUND_NOTHING, FOUND_PACKETS };

/*
 * Hands over the packets of one block, at most max; *seen is how many of them the program saw. Returns enum found, -EAGAIN if bursts have to be taken
 * instead, or another -errno.
 */
static int read_block(pcap_t *p, int max, const struct reader *reader, int *seen, struct netring_error *error)
{
	struct block_cursor cursor;
	uint32_t beyond;
	int ret = capture_borrow(p->capture, &cursor, error);

	if (ret <= 0)
		return ret;
	p->resume = cursor.frame;
	beyond = cursor.left > (uint32_t)max ? cursor.left - (uint32_t)max : 0;
	cursor.left -= beyond;
	*seen = handle_is_broken_off(p) ? 0 : hand_over_all(p, &cursor, reader);
	if (p->resume != cursor.frame)
		return FOUND_PACKETS; /* a callback has read on by itself */
	p->resume = NULL;
	if (*seen == 0 && cursor.left != 0 && !p->attention)
		ret = block_corrupted(&cursor, error);
	cursor.left += beyond;
	capture_return(p->capture, &cursor);
	return ret < 0 ? ret : FOUND_PACKETS;
}

/* The same with packets of an AF_XDP ring, which are handed back every XDP_BATCH of them. */
static int read_xdp(pcap_t *p, int max, const struct reader *reader, int *seen, struct netring_error *error)
{
	struct xdp_cursor cursor;
	int ret = capture_borrow_xdp(p->capture, &cursor, max < XDP_BATCH ? (unsigned)max : XDP_BATCH);

	if (ret <= 0)
		return ret;
	p->resume_xdp = cursor.desc;
	/* As read_burst has it. */
	if (handle_is_broken_off(p) && p->request.immediate)
		cursor.end = cursor.desc + 1;
	if (!handle_is_broken_off(p) || p->request.immediate)
		*seen = hand_over_descriptors(p, &cursor, reader);
	if (p->resume_xdp != cursor.desc)
		return FOUND_PACKETS; /* a callback has read on by itself */
	p->resume_xdp = NULL;
	if (*seen == 0 && cursor.desc != cursor.end && !p->attention)
		return xdp_ring_corrupted(&p->capture->ring[0], cursor.desc, error);
	capture_return_xdp(p->capture, cursor.desc);
	return FOUND_PACKETS;
}

/* The same with packets of several rings, in the order of time. What filters take out has been taken out. */
static int read_merged(pcap_t *p, int max, const struct reader *reader, int *seen, struct netring_error *error)
{
	int ret;

	netring_give_back(p->capture, NULL, p->used);
	p->used = 0;
	ret = capture_borrow_merged(p->capture, (unsigned)max, error);
	if (ret == -EAGAIN)
		return FOUND_PACKETS;
	if (ret <= 0)
		return ret;
	*seen = hand_over_merged(p, (unsigned)ret, reader);
	if (!p->closed)
		netring_give_back(p->capture, NULL, p->used);
	return FOUND_PACKETS;
}

/* The same with a burst, which may come from anywhere. */
static int read_burst(pcap_t *p, int max, const struct reader *reader, int *seen, struct netring_error *error)
{
	int ret;

	netring_give_back(p->capture, &p->burst, p->used);
	ret = capture_take(p->capture, &p->burst, max < NETRING_BURST_MAX ? (unsigned)max : NETRING_BURST_MAX, error);
	p->used = 0;
	*seen = 0;
	if (ret == -EAGAIN)
		return FOUND_PACKETS;
	if (ret <= 0)
		return ret;
	/* libpcap looks at the flag before each packet with TPACKET_V3, and behind it with V2. */
	if (handle_is_broken_off(p) && p->request.immediate)
		max = 1;
	else if (p->attention)
		max = 0;
	while (p->used < p->burst.count && *seen < max) {
		*seen += hand_over(p, reader, &p->burst.packet[p->used++]);
		if (p->attention)
			break;
	}
	if (!p->closed)
		netring_give_back(p->capture, &p->burst, p->used);
	return FOUND_PACKETS;
}

/* The callback of a read further up is what called, or a callback has left by longjmp. */
static bool is_inside_read(const pcap_t *p)
{
	return p->resume != NULL || p->resume_xdp != NULL || p->capture->merge.count != 0;
}

static int read_some(pcap_t *p, int max, const struct reader *reader, int *seen)
{
	struct netring_error error;
	int ret;

	error.text[0] = '\0';
	if (p->resume)
		capture_return_at(p->capture, p->resume);
	p->resume = NULL;
	if (p->resume_xdp)
		capture_return_xdp(p->capture, p->resume_xdp);
	p->resume_xdp = NULL;
	attention_clear(&p->attention, ATTENTION_CHANGED);
	if (capture_is_merged(p->capture) && (!p->request.immediate || capture_is_xdp(p->capture)))
		ret = read_merged(p, max, reader, seen, &error);
	else if (capture_is_xdp(p->capture))
		ret = read_xdp(p, max, reader, seen, &error);
	else
		ret = read_block(p, max, reader, seen, &error);
	if (ret == -EAGAIN)
		ret = read_burst(p, max, reader, seen, &error);
	if (ret < 0) {
		handle_engine_error(p, ret, &error);
		return PCAP_ERROR;
	}
	return ret;
}

/* Clears the flag: one pcap_breakloop, one PCAP_ERROR_BREAK. */
static int broken_off(pcap_t *p)
{
	if (!p->closed)
		attention_clear(&p->attention, ATTENTION_BREAK);
	return PCAP_ERROR_BREAK;
}

/* Sleeps until there may be packets (0), or looks once if the handle does not block. */
static int wait_for_packets(pcap_t *p)
{
	struct netring_error error;

	error.text[0] = '\0';
	dump_before_sleep();
	dump_losses_publish();
	for (;;) {
		int ret = capture_wait(p->capture, p->nonblock ? 0 : -1, p->wake_fd, &p->attention, &error);

		if (ret < 0) {
			handle_engine_error(p, ret, &error);
			return PCAP_ERROR;
		}
		if (ret == WAIT_READY)
			return 0;
		if (p->nonblock)
			return 0; /* the flag stays, for the call that finds packets */
		if (handle_is_broken_off(p))
			return broken_off(p);
	}
}

/*
 * A wait ended with packets that still have to wait for another ring: that is no answer to a program that waits for packets. It takes a block's
 * timeout at most.
 */
static bool has_to_wait_on(const pcap_t *p)
{
	return !p->nonblock && capture_is_merged(p->capture) && merge_is_waiting(&p->capture->merge);
}

/*
 * Everything that is there, up to count packets; waits only if there is nothing at first. 0 means that what was there, or what the wait brought, is
 * nothing that the program wants; with a timeout of 0 that is no reason to return, unless every packet is a wake-up of its own (immediate mode).
 */
static int dispatch(pcap_t *p, int count, const struct reader *reader)
{
	bool patient = p->request.timeout_ms == 0 && !p->request.immediate && !p->nonblock;
	int max = count > 0 ? count : INT32_MAX;
	int total = 0;
	bool woken = false, inside = is_inside_read(p);

	for (;;) {
		int seen = 0, ret = read_some(p, max - total, reader, &seen);

		/* The read further up must stop: its place is gone, and it is not this one's last that says so. */
		if (inside && !p->closed)
			attention_set(&p->attention, ATTENTION_CHANGED);
		if (ret < 0)
			return ret;
		total += seen;
		if (ret == FOUND_PACKETS) {
			woken = true;
			if (handle_is_broken_off(p))
				return broken_off(p);
			if (total == max)
				return total;
			continue;
		}
		if (total > 0 || (woken && !patient && !has_to_wait_on(p)))
			return total;
		ret = wait_for_packets(p);
		if (ret < 0)
			return ret;
		woken = true;
	}
}

/* What the program dumps until its next read may wait if that finds packets for certain. A program that may sleep by itself before it gets no wait. */
static enum dump_hold hold_until_next(const pcap_t *p, int ret)
{
	if (ret < 0 || p->closed)
		return DUMP_LIKE_LIBPCAP;
	if (capture_is_ready(p->capture))
		return DUMP_HOLD_BETWEEN;
	return p->nonblock || p->fd_is_known ? DUMP_AT_ONCE : DUMP_LIKE_LIBPCAP;
}

int engine_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	struct reader reader = { callback, user };
	int ret;

	if (unlikely(p->cpu >= 0) && engine_pin(p) < 0)
		return PCAP_ERROR;
	p->reads++;
	dump_read_begins();
	ret = dispatch(p, count, &reader);
	dump_read_ends(unlikely(dump_is_used()) ? hold_until_next(p, ret) : DUMP_LIKE_LIBPCAP);
	if (--p->reads == 0 && unlikely(p->closed))
		handle_give_up_memory(p);
	return ret;
}

static int loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	for (;;) {
		int seen = engine_dispatch(p, count, callback, user);

		if (seen < 0)
			return seen;
		if (count > 0) {
			count -= seen;
			if (count == 0)
				return 0;
		}
	}
}

int engine_loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	int ret = loop(p, count, callback, user);

	dump_read_ends(DUMP_LIKE_LIBPCAP);
	return ret;
}

/* pcap_next's packet outlives its place in the ring: the block has to go back at once, or the descriptor would stay readable. */
static void keep(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	pcap_t *p = (pcap_t *)user;

	p->next_header = *header;
	memcpy(p->next_data, data, header->caplen);
}

const u_char *engine_next(pcap_t *p, struct pcap_pkthdr *header)
{
	if (engine_dispatch(p, 1, keep, (u_char *)p) <= 0)
		return NULL;
	*header = p->next_header;
	return p->next_data;
}

int engine_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data)
{
	int ret;

	*header = &p->next_header;
	ret = engine_dispatch(p, 1, keep, (u_char *)p);
	if (ret == 1)
		*data = p->next_data;
	return ret;
}
