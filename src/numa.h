/* SPDX-License-Identifier: BSD-3-Clause */
/* Having the kernel take a ring's memory from a given NUMA node: set_mempolicy(2) around the call that allocates it. */
#ifndef NETRING_NUMA_H
#define NETRING_NUMA_H

#include "error.h"

/* The thread's policy as it was. */
struct numa_policy {
	int mode;			/* -1: nothing to go back to */
	unsigned long nodes[16];	/* 1024 nodes, the kernel's limit */
};

/* The node that an interface's adapter is at, or -1 if it has none or the machine has only one. From /sys/class/net. */
int numa_node_of(const char *interface);

/* -EINVAL, with the nodes that there are, if the machine has no such node with memory. */
int numa_check(int node, struct netring_error *error);

/*
 * Between the two, what the kernel allocates for this thread comes from node, or, if that is full, from a near one. node -1: nothing is done.
 * -errno if the kernel refuses (in containers it takes CAP_SYS_NICE); policy then says that there is nothing to go back to.
 */
int numa_enter(struct numa_policy *policy, int node, struct netring_error *error);
void numa_leave(const struct numa_policy *policy);

#endif
