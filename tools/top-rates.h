/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netring top knows at one moment, and what has changed since the moment before. Memory in, memory out: no system calls, so that tests can make the
 * moments. Nothing that comes from a page is trusted.
 */
#ifndef NETRING_TOP_RATES_H
#define NETRING_TOP_RATES_H

#include "stats-report.h"

#define TOP_HOLD_S 10.0			/* how long a loss stays on the screen when it is over */
#define TOP_INTERFACES 64		/* letters of a capture's list of interfaces, with the NUL */

/* Counts since the capture was opened, or, of the adapter, since that was made. */
enum top_count {
	TOP_DELIVERED,
	TOP_BYTES,
	TOP_RING_FULL,			/* packets lost because the ring was full */
	TOP_FILL_EMPTY,			/* XDP: because the fill ring was empty */
	TOP_XDP_OTHER,
	TOP_FREEZES,
	TOP_DISK,			/* packets that were dumped and are not in their savefile */
	TOP_SAVEFILES,			/* savefiles that failed */
	TOP_NIC_RECEIVED,		/* from here on: all of the capture's interfaces, whatever its filter */
	TOP_NIC_MISSED,
	TOP_NIC_FIFO,
	TOP_NIC_ERRORS,
	TOP_NIC_DROPPED,
	TOP_COUNTS
};

#define TOP_NIC_FIRST TOP_NIC_RECEIVED

enum top_reader { TOP_WAITING, TOP_READING, TOP_BUSY, TOP_STOPPED };

/* A capture's place and birth. A process id may be another's tomorrow, and changes when a forked child takes the capture over. */
struct top_key {
	dev_t device;
	ino_t inode;
	uint32_t number;
	uint64_t opened_ns;
};

/* Per second; negative: unknown. */
struct top_rates {
	double of[TOP_COUNTS];
};

struct top_capture {
	struct top_key key;
	pid_t pid;
	char program[STATS_TEXT];	/* printable, as all texts */
	char interfaces[TOP_INTERFACES]; /* "eth0,eth1"; cut with "+" at its end */
	char first_interface[STATS_TEXT]; /* "": any, or none */
	bool is_elsewhere;		/* in another network namespace than ours */
	uint32_t engine, rings;
	enum top_reader reader;
	double age_s;			/* of the figures; negative: unknown */
	bool torn, losing;
	bool has_savefiles;		/* it is the one of its process that these are counted with */
	bool knows_losses;		/* false: libpcap captures, and the program has not asked it yet */
	double asked_s;			/* libpcap captures: when the program asked for its losses, CLOCK_MONOTONIC; negative: never, or not libpcap */
	bool has_nic;			/* the counts of the adapter are known */
	double fill, fill_most;		/* of the fullest ring, 0 to 1; negative: unknown, or old */
	uint64_t bytes_got, bytes_asked; /* of all rings */
	uint64_t count[TOP_COUNTS];
	double as_of_s;			/* when the capture's own counts were true */
	/* Since the moment before: */
	struct top_rates rates;
	struct top_rates loss;		/* those of the last interval in which something was lost */
	double loss_at_s;		/* its end; negative: there was none */
};

enum top_sort { TOP_BY_LOSS, TOP_BY_PACKETS, TOP_BY_NAME, TOP_SORTS };

struct top_sample {
	double at_s;			/* CLOCK_MONOTONIC */
	struct top_capture *capture;	/* in the order of their keys */
	struct top_capture **order;	/* in the order of the screen */
	size_t captures;
	struct softnet_losses *softnet;
	unsigned cpus;
	double softnet_dropped;		/* of the whole host, per second; negative: unknown */
	unsigned softnet_cpu;		/* that dropped most */
	unsigned hidden;		/* processes that may not be looked into */
	size_t refusals, blinds;	/* captures that cannot be read, namespaces that cannot be entered */
};

/* Takes what is of interest out of a report, in the order of worst first; ours: the number of our network namespace. -ENOMEM. Free in either case. */
int top_sample_take(struct top_sample *sample, struct stats_report *report, double now_s, uint64_t ours);
void top_sample_free(struct top_sample *sample);

/* Finds the differences. A capture that is new, or whose counters went back, has no rates yet. */
void top_sample_compare(struct top_sample *sample, const struct top_sample *before);

void top_sample_sort(struct top_sample *sample, enum top_sort sort);

/* Packets lost in the capture per second: in its ring, in XDP, on the way to its savefile. Negative: unknown. */
double top_lost(const struct top_rates *rates);

/* Packets lost by the adapters and on the way from them, per second, whatever the filter. Negative: unknown. */
double top_lost_before(const struct top_rates *rates);

/* In the capture, since it was opened. Negative: unknown. */
double top_lost_in_all(const struct top_capture *capture);

/* True if the figures are old while packets come: what is lost meanwhile nobody knows. */
bool top_is_suspect(const struct top_capture *capture);

/* Something is lost now, as far as is known. */
bool top_is_losing(const struct top_capture *capture);

/* Who loses, why, and what to do, in words; empty: nobody. now_s: the sample's. */
void top_words(const struct top_capture *capture, double now_s, char *text, size_t size);

#endif
