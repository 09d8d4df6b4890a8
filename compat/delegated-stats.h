/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page of counters (stats-page.h) of a capture that libpcap makes itself: a ring of which the reader knows what it has handed over, and the rest only
 * from the program's own calls of pcap_stats. Nobody else's call of it is harmless: libpcap opens files of /sys in it, which a program in a sandbox may be
 * killed for.
 */
#ifndef NETRING_DELEGATED_STATS_H
#define NETRING_DELEGATED_STATS_H

#include "inner.h"
#include "stats-page.h"

struct delegated_stats {
	struct stats_writer page;	/* all zeros: the capture is not shown, and nothing here is used */
	unsigned until_look;		/* packets, until something is to be done besides counting: 1 as long as libpcap waits */
	bool waiting;			/* libpcap was called, and has not handed over anything yet */
	bool asking;			/* a thread is in delegated_stats_ask; set atomically */
	bool is_ring;			/* a packet socket's counters: 32 bits that run over */
	uint64_t delivered, bytes;
	uint64_t packets, drops;	/* as pcap_stats had them last, in 64 bits; atomic */
};

/* Shows the capture, which has just been activated; why: why it is libpcap's. It does without if there can be no page; the log says so at info. */
void delegated_stats_open(pcap_t *p, const char *why);
void delegated_stats_close(pcap_t *p);

static inline bool delegated_stats_are_shown(const struct delegated_stats *stats)
{
	return stats->page.capture != NULL;
}

/* As inner_pcap_dispatch, of a capture that is shown. Packets are counted before their callback: what breaks the read off does not change the count. */
int delegated_stats_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user);

/* Around a read of one packet; captured_len: negative if there was none. */
void delegated_stats_read_begins(pcap_t *p);
void delegated_stats_read_ends(pcap_t *p, int64_t captured_len);

/* As inner_pcap_stats, of a capture that is shown. Any thread. */
int delegated_stats_ask(pcap_t *p, struct pcap_stat *result);

#endif
