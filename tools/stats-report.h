/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that `netring stats` knows, and `netring top` at one moment; and the ways to print it on standard output. */
#ifndef NETRING_STATS_REPORT_H
#define NETRING_STATS_REPORT_H

#include "host-losses.h"
#include "stats-pages.h"

#define SOFTNET_CPUS_MAX 4096

struct stats_report {
	struct stats_views views;
	struct namespace_losses *namespace;	/* those of the captures that we may look into */
	size_t namespaces;
	struct stats_refusal *blind;		/* captures whose interfaces' counters cannot be read: one for each such namespace */
	size_t blinds;
	struct softnet_losses *softnet;
	unsigned cpus;
};

/* What there is now; word: the captures of that process id or program only, or NULL. -errno with a sentence. Free in either case. */
int stats_report_read(struct stats_report *report, const char *word, struct netring_error *error);
void stats_report_free(struct stats_report *report);

/* The interface of a ring; NULL: it is "any", or gone, or its namespace cannot be entered. */
const struct interface_losses *stats_report_interface(const struct stats_report *report, const struct stats_view *view, const struct stats_ring *ring);

/* "packet-v3" and so on; "unknown". */
const char *stats_engine_name(uint32_t engine);

/* One word for what the reader does: waiting, reading, busy, stopped. */
const char *stats_reader_name(const struct stats_view *view);

/* Packets that passed the filter and have not been taken into account otherwise: as far as is known, they wait in the ring. */
uint64_t stats_ring_left(const struct stats_ring *ring);

/* Of drops, those of no XDP cause of their own. */
uint64_t stats_ring_full(const struct stats_ring *ring);

/* False if the figures of that kind mean nothing: enum stats_unknown. */
static inline bool stats_ring_knows(const struct stats_ring *ring, enum stats_unknown kind)
{
	return !(ring->unknown & (uint32_t)kind);
}

void stats_print_table(const struct stats_report *report);
void stats_print_json(const struct stats_report *report);
void stats_print_prometheus(const struct stats_report *report);

#endif
