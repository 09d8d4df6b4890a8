/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the adapter reports as lost before the kernel had it, counted from a moment on: the counters rx_missed_errors and rx_fifo_errors of
 * /sys/class/net/NAME/statistics, which the kernel's documents keep for that (Documentation/ABI/testing/sysfs-class-net-statistics, if_link.h), and
 * rx_dropped where the driver is known to put its adapter's losses there and nowhere else.
 *
 * rx_dropped of any driver would be too much: the kernel adds packets of its own to it, which a capture has seen, because no protocol took them. With
 * the drivers that need it such packets are counted too. What is in none of the three, but in the driver's own statistics alone, is not counted.
 *
 * Read by open, read and close: libpcap does the same in pcap_stats. A counter that cannot be read, or that goes back, adds nothing.
 */
#ifndef NETRING_INTERFACE_DROPS_H
#define NETRING_INTERFACE_DROPS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define INTERFACE_DROPS_COUNTERS 3

struct interface_drops {
	char name[IFNAMSIZ];
	unsigned counters;		/* how many of them are read; 0: closed, or no interface */
	uint64_t last[INTERFACE_DROPS_COUNTERS];
	uint64_t lost;			/* packets since interface_drops_open */
	bool busy;			/* somebody is about it */
};

/*
 * Begins to count. Also by an alternative name; an interface that there is not loses nothing. A process keeps one descriptor for all, of a folder, so
 * that the counters are found in a chroot as well.
 */
void interface_drops_open(struct interface_drops *drops, const char *name);
void interface_drops_close(struct interface_drops *drops);

/* Packets lost since interface_drops_open. Any thread, and in signal handlers; never waits: who comes second gets the first one's figure before. */
uint64_t interface_drops_now(struct interface_drops *drops);

/* Whether a driver of this name counts in rx_dropped what its adapter loses. */
bool interface_drops_has_rx_dropped(const char *driver);

#endif
