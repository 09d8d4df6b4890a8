/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting what libpcap hands over, and writing down what it says was lost: at the end of each read, behind each pcap_stats, and, because libpcap's reads
 * do not end as long as packets come, every STATS_UPDATE_MS in a read.
 *
 * From the begin of a read to its first packet the reader is said to wait: libpcap sleeps there, if it does, and nowhere else. Behind a read that took all
 * it was allowed to there may be more.
 */
#include "delegated-stats.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cancellation.h"
#include "capture-stats.h"
#include "compiler.h"
#include "handle.h"

#define get(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static int find_interface(const pcap_t *p)
{
	int ifindex = (int)if_nametoindex(p->device);

	if (strcmp(p->device, "any") == 0)
		return 0;
	return ifindex > 0 ? ifindex : STATS_NO_INTERFACE;
}

void delegated_stats_open(pcap_t *p, const char *why)
{
	struct delegated_stats *own = &p->delegated;
	struct netring_error error = { "" };
	struct stats_ring *ring;

	memset(own, 0, sizeof(*own));
	if (stats_page_open(&own->page, 1, &error) < 0) {
		log_write(&p->log, LOG_INFO, "%s: netring stats cannot show this capture: %s", p->device, error.text);
		return;
	}
	ring = stats_page_ring(&own->page, 0);
	ring->ifindex = find_interface(p);
	ring->unknown = STATS_UNKNOWN_LOSSES | STATS_UNKNOWN_RING;
	own->is_ring = ring->ifindex != STATS_NO_INTERFACE;
	snprintf(ring->interface, sizeof(ring->interface), "%s", p->device);
	own->page.capture->engine = STATS_LIBPCAP;
	own->page.capture->updated_ns = stats_page_now_ns();
	snprintf(own->page.capture->why, sizeof(own->page.capture->why), "%s", why);
	stats_page_end(&own->page);
}

void delegated_stats_close(pcap_t *p)
{
	stats_page_close(&p->delegated.page);
}

/* What libpcap was not asked for must have come, if it was delivered. */
static void set_packets(struct stats_ring *ring, const struct delegated_stats *own)
{
	uint64_t asked = get(own->packets), seen = get(own->delivered) + get(own->drops);

	set(ring->packets, asked > seen ? asked : seen);
}

#define PACKETS_PER_LOOK 64 /* at the clock */

static void update(struct delegated_stats *own, enum stats_state state)
{
	struct stats_capture *capture = own->page.capture;
	struct stats_ring *ring;

	if (!stats_page_begin(&own->page))
		return;
	ring = stats_page_ring(&own->page, 0);
	set(ring->delivered, own->delivered);
	set(ring->bytes, own->bytes);
	if (!(get(ring->unknown) & STATS_UNKNOWN_LOSSES))
		set_packets(ring, own);
	set(capture->updated_ns, stats_page_now_ns());
	set(capture->state, (uint32_t)state);
	stats_page_end(&own->page);
}

/* The figures are those of the end of the last read, and true as long as this one waits. */
static void show_waiting(struct delegated_stats *own)
{
	own->waiting = true;
	own->until_look = 1;
	if (stats_page_is_ours(&own->page))
		set(own->page.capture->state, (uint32_t)STATS_EMPTY);
	else
		update(own, STATS_EMPTY); /* a forked child reads for the first time */
}

static void show_reading(struct delegated_stats *own)
{
	own->waiting = false;
	if (stats_page_is_ours(&own->page))
		set(own->page.capture->state, (uint32_t)STATS_READING);
}

static void look(struct delegated_stats *own)
{
	own->until_look = PACKETS_PER_LOOK;
	if (own->waiting)
		show_reading(own);
	if (stats_page_now_ns() >= own->page.capture->updated_ns + STATS_UPDATE_MS * UINT64_C(1000000))
		update(own, STATS_READING);
}

static inline void count(struct delegated_stats *own, uint32_t captured_len)
{
	set(own->delivered, own->delivered + 1);
	own->bytes += captured_len;
}

struct call {
	struct delegated_stats *own;
	pcap_handler callback;
	u_char *user;
};

/* Apart, so that the others need no place on the stack: five instructions of each packet. */
static __attribute__((noinline)) void look_and_show(const struct call *call, const struct pcap_pkthdr *header, const u_char *data)
{
	look(call->own);
	call->callback(call->user, header, data);
}

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	const struct call *call = (const struct call *)user;
	struct delegated_stats *own = call->own;

	count(own, header->caplen);
	if (unlikely(--own->until_look == 0))
		look_and_show(call, header, data);
	else
		call->callback(call->user, header, data);
}

int delegated_stats_dispatch(pcap_t *p, int max, pcap_handler callback, u_char *user)
{
	struct delegated_stats *own = &p->delegated;
	struct call call = { own, callback, user };
	int seen;

	show_waiting(own);
	seen = inner_pcap_dispatch(p->inner, max, count_packet, (u_char *)&call);
	update(own, seen >= 0 && (max <= 0 || seen < max) ? STATS_EMPTY : STATS_READING);
	return seen;
}

void delegated_stats_read_begins(pcap_t *p)
{
	show_waiting(&p->delegated);
}

void delegated_stats_read_ends(pcap_t *p, int64_t captured_len)
{
	if (captured_len >= 0)
		count(&p->delegated, (uint32_t)captured_len);
	update(&p->delegated, captured_len >= 0 ? STATS_READING : STATS_EMPTY);
}

/* The next value of a counter of which the lower 32 bits are known. */
static uint64_t extend(uint64_t last, uint32_t now)
{
	return last + (uint32_t)(now - (uint32_t)last);
}

/* Each field is whole by itself: the reader may be in the middle of an update. */
static void write_down(struct delegated_stats *own, const struct pcap_stat *result)
{
	struct stats_ring *ring = stats_page_ring(&own->page, 0);

	set(own->packets, own->is_ring ? extend(own->packets, result->ps_recv) : result->ps_recv);
	set(own->drops, own->is_ring ? extend(own->drops, result->ps_drop) : result->ps_drop);
	if (!stats_page_is_ours(&own->page))
		return;
	set(ring->drops, own->drops);
	set_packets(ring, own);
	set(ring->asked_ns, stats_page_now_ns());
	set(ring->unknown, (uint32_t)STATS_UNKNOWN_RING);
}

/* Two at once are one: their answers might come out of order. A thread that is cancelled in it would be the first for ever. */
int delegated_stats_ask(pcap_t *p, struct pcap_stat *result)
{
	struct delegated_stats *own = &p->delegated;
	int state = cancellation_put_off();
	bool is_first = !__atomic_exchange_n(&own->asking, true, __ATOMIC_ACQUIRE);
	int ret = inner_pcap_stats(p->inner, result);

	if (is_first && ret == 0)
		write_down(own, result);
	if (is_first)
		store_release(&own->asking, false);
	cancellation_allow(state);
	return ret;
}
