/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding out the facts about this host and one of its interfaces: reads only, works without privilege as far as the kernel lets it, and takes some ten
 * milliseconds. What could not be found out is absent, and why.NAME says why where that matters. Of the calling thread's network namespace.
 *
 * What returns an int returns 0 or -errno with a sentence; -ENOMEM if the facts have failed.
 */
#ifndef NETRING_FACTS_COLLECT_H
#define NETRING_FACTS_COLLECT_H

#include "facts.h"

/* host.* and self.* */
int facts_collect_host(struct facts *facts, struct netring_error *error);

/* if.* and nic.*, and host.packet_sockets, which are the interface's. -ENODEV if there is no such interface. */
int facts_collect_interface(struct facts *facts, const char *interface, struct netring_error *error);

/* Two looks at the counters of the host and all interfaces; takes as long as that. Free the watch, which is set only on success. */
struct facts_watch;
int facts_watch_traffic(struct facts_watch **watch, unsigned milliseconds, struct netring_error *error);
void facts_watch_free(struct facts_watch *watch);

/*
 * rate.*: what happened between the two looks, on the host and on the interface that the facts are of, if they are of one, and it was there in both.
 * nic.* are to be collected before the first look. Cannot fail, but facts can.
 */
void facts_collect_rate(struct facts *facts, const struct facts_watch *watch);

/* The parts, each in a file of its own. They cannot fail: what they do not find is absent. */
void facts_collect_self(struct facts *facts);

struct stats_views;
void facts_collect_captures(struct facts *facts, int ifindex, const struct stats_views *first, const struct stats_views *second);

struct ethtool;
void facts_collect_adapter(struct facts *facts, struct ethtool *ethtool);
void facts_collect_xdp(struct facts *facts, int ifindex);

/*
 * What /sys knows of the interface: driver, queues, interrupts, RPS, NAPI. Only if /sys is this network namespace's: it shows the interface with this
 * number and address, and as many as links, the interfaces there are.
 */
void facts_collect_sysfs(struct facts *facts, const char *interface, int ifindex, const char *mac, unsigned links);

/* why.NAME = the text. */
void facts_why(struct facts *facts, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
