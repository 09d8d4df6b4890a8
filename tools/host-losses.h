/* SPDX-License-Identifier: BSD-3-Clause */
/* What is lost before a packet gets to a capture: at the adapter, as its driver counts it, and on the way to the protocols (softnet). */
#ifndef NETRING_HOST_LOSSES_H
#define NETRING_HOST_LOSSES_H

#include <net/if.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* Since the interface was made. The driver says which of the losses it counts where; missed may be part of dropped. */
struct interface_losses {
	int ifindex;
	char name[IFNAMSIZ];
	uint64_t received;		/* packets, losses not included */
	uint64_t missed;		/* no buffer in the adapter's ring */
	uint64_t fifo;
	uint64_t errors;
	uint64_t dropped;		/* by the driver or the kernel */
};

/* All interfaces of one network namespace. */
struct namespace_losses {
	uint64_t number;		/* of the namespace */
	struct interface_losses *interface;
	size_t interfaces;
};

/*
 * Asks the kernel by netlink, in the network namespace of a process: needs CAP_SYS_ADMIN unless that is ours. Not from /sys, which stays that of the
 * namespace in which it was mounted. -errno with a sentence. Free interface.
 */
int interface_losses_read(struct namespace_losses *losses, pid_t pid, struct netring_error *error);

/* The CPU's row of /proc/net/softnet_stat, since the machine was started: all interfaces and namespaces together. */
struct softnet_losses {
	unsigned cpu;
	uint64_t processed;
	uint64_t dropped;		/* the backlog was full */
	uint64_t squeezed;		/* times that the budget ended with work left: no loss yet */
	uint64_t flow_limited;		/* of dropped: because one flow filled the backlog (net.core.flow_limit_cpu_bitmap) */
};

/* Returns the number of rows, at most max. -errno. */
int softnet_losses_read(struct softnet_losses *losses, unsigned max);

/* All rows together, except cpu. 0 or -errno. */
int softnet_losses_sum(struct softnet_losses *sum);

#endif
