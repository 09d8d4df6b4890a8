/* SPDX-License-Identifier: BSD-3-Clause */
/* The interfaces of the calling thread's network namespace, as the kernel lists them (rtnetlink). */
#ifndef NETRING_LINK_LIST_H
#define NETRING_LINK_LIST_H

#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "netlink.h"

struct link {
	int index;
	int master;			/* 0: none */
	int lower;			/* what it sits on (VLAN, macvlan, …), in the same namespace; 0: nothing */
	char name[IFNAMSIZ];
	char kind[16];			/* "veth", "bridge", …; "" if it is not of a kind */
	char mac[3 * 32];		/* as "02:00:…"; "" if it has none */
	unsigned type;			/* ARPHRD_… */
	unsigned flags;			/* IFF_… */
	unsigned mtu, mtu_max;		/* mtu_max: 0 if the kernel does not say */
	unsigned promiscuity, receive_queues;
	bool carrier;
	unsigned xdp;			/* XDP_ATTACHED_… */
	uint32_t xdp_program;		/* 0: unknown, or several */
	struct rtnl_link_stats64 stats;
};

struct link_list {
	struct link *link;
	size_t count;
};

/* 0 or -errno; link_list_free is allowed in any case. */
int link_list_read(struct link_list *list, struct netlink *route);
void link_list_free(struct link_list *list);

/* NULL if there is none. */
const struct link *link_list_find(const struct link_list *list, const char *name);
const struct link *link_list_at(const struct link_list *list, int index);

/* One message of the list: MNL_CB_OK, also for one that is of no use, or MNL_CB_ERROR with errno. */
int link_list_take(const struct nlmsghdr *message, void *list);

#endif
