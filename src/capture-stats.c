/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture's side of the page of counters: what goes there, and when. */
#include "capture-stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "xdp-tap.h"

#define set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static void describe_ring(struct stats_ring *page, const struct packet_ring *ring)
{
	page->ifindex = ring->ifindex;
	snprintf(page->interface, sizeof(page->interface), "%s", ring->interface);
	page->bytes_asked = ring->asked_length;
	page->bytes_got = ring->map_length;
	page->cells = ring->cells;
	page->cell_bytes = ring->cell_size;
	if (ring->tap)
		page->bytes_got = (uint64_t)page->cells * page->cell_bytes;
	if (!ring->xdp)
		return;
	page->cell_bytes = (uint32_t)(~ring->xdp->chunk_mask + 1);
	page->bytes_got = (uint64_t)page->cells * page->cell_bytes; /* without those that packets are sent from */
	page->queue = ring->xdp->number;
}

static void describe_engine(struct stats_capture *page, const struct netring *capture)
{
	const struct packet_ring *first = &capture->ring[0];
	const char *why = "the default: packets are handed over in blocks";

	page->engine = STATS_PACKET_V3;
	if (capture_is_xdp(capture)) {
		page->engine = capture_is_tap(capture) ? STATS_XDP_TAP : STATS_XDP;
		why = capture->port[0].program.native ? "asked for; the program runs in the driver" : "asked for; the program runs behind the driver";
	} else if (first->kind == &packet_ring_v2) {
		page->engine = STATS_PACKET_V2;
		why = "immediate mode: a packet is handed over at once";
	}
	snprintf(page->why, sizeof(page->why), "%s", why);
}

void capture_stats_open(struct netring *capture, const struct log *log)
{
	const struct packet_ring *first = &capture->ring[0];
	struct netring_error error = { "" };

	if (stats_page_open(&capture->stats.page, capture->rings, &error) < 0) {
		log_write(log, LOG_INFO, "%s: netring stats cannot show this capture: %s", first->interface, error.text);
		return;
	}
	describe_engine(capture->stats.page.capture, capture);
	for (unsigned i = 0; i < capture->rings; i++)
		describe_ring(stats_page_ring(&capture->stats.page, i), &capture->ring[i]);
	capture_stats_update(capture, STATS_READING);
}

void capture_stats_close(struct netring *capture)
{
	stats_page_close(&capture->stats.page);
}

/* What the kernel has not been asked for must have come, if it was delivered. */
static uint64_t packets_of(uint64_t asked, const struct packet_ring *ring, uint64_t drops)
{
	uint64_t seen = ring->delivered + ring->rejected + drops;

	return asked > seen ? asked : seen;
}

/* Those that have come, where memory says how many; else those that the kernel said it had when it was asked. */
static uint64_t packets_known(const struct packet_ring *ring, uint64_t drops)
{
	if (ring->tap)
		return xdp_tap_packets(ring);
	return ring->xdp ? xdp_ring_received(ring) + drops : __atomic_load_n(&ring->packets, __ATOMIC_RELAXED);
}

static void write_losses(struct stats_ring *page, const struct xdp_losses *losses)
{
	set(page->xdp_ring_full, losses->ring_full);
	set(page->xdp_fill_empty, losses->fill_empty);
	set(page->xdp_other, losses->other);
}

static void write_ring(struct stats_ring *page, struct packet_ring *ring)
{
	uint64_t packets, drops;

	if (ring->losing || ring->tap)
		packet_ring_ask_losses(ring);
	drops = __atomic_load_n(&ring->drops, __ATOMIC_RELAXED);
	packets = packets_known(ring, drops);
	if (ring->xdp)
		write_losses(page, &ring->xdp->losses);
	set(page->packets, packets_of(packets, ring, drops));
	set(page->drops, drops);
	set(page->freezes, __atomic_load_n(&ring->freezes, __ATOMIC_RELAXED));
	set(page->delivered, ring->delivered);
	set(page->rejected, ring->rejected);
	set(page->bytes, ring->bytes);
	set(page->waiting, packet_ring_waiting(ring));
	if (page->waiting > ring->waiting_most)
		ring->waiting_most = page->waiting;
	set(page->waiting_most, ring->waiting_most);
	set(page->losing, (uint32_t)ring->losing);
}

void capture_stats_update(struct netring *capture, enum stats_state state)
{
	struct stats_writer *writer = &capture->stats.page;
	int errnum = errno;

	capture->stats.moved = 0;
	capture->stats.shown = state;
	if (!stats_page_begin(writer))
		return;
	for (unsigned i = 0; i < capture->rings; i++)
		write_ring(stats_page_ring(writer, i), &capture->ring[i]);
	set(writer->capture->disordered, __atomic_load_n(&capture->merge.disordered, __ATOMIC_RELAXED));
	set(writer->capture->updated_ns, stats_page_now_ns());
	set(writer->capture->state, (uint32_t)state);
	capture->stats.due_ns = writer->capture->updated_ns + STATS_UPDATE_MS * UINT64_C(1000000);
	stats_page_end(writer);
	errno = errnum;
}

void capture_stats_look(struct netring *capture)
{
	if (capture->stats.page.capture && stats_page_now_ns() >= capture->stats.due_ns)
		capture_stats_update(capture, STATS_READING);
	else if (capture->stats.moved)
		capture->stats.moved = 1;
}

void capture_stats_resume(struct netring *capture)
{
	capture->stats.shown = STATS_READING;
	if (stats_page_is_ours(&capture->stats.page))
		set(capture->stats.page.capture->state, (uint32_t)STATS_READING);
}
