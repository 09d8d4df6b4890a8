/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NUMA node that memory comes from, by the calling thread's memory policy.
 *
 * Ring pages are allocated inside setsockopt(PACKET_RX_RING), by the thread that calls it, so its policy decides. Called while a capture is opened only.
 */
#include "numa.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES_WITH_MEMORY "/sys/devices/system/node/has_memory"
#define POLICY_BITS (8 * sizeof(((struct numa_policy *)0)->nodes))
/* The kernel takes one bit less than it is told. */
#define POLICY_MAXNODE (POLICY_BITS + 1)
#define LONG_BITS (8 * sizeof(unsigned long))

/* Reads the first line of a small file. False if there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, line, size - 1);
	close(fd);
	if (length <= 0)
		return false;
	line[length] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line[0] != '\0';
}

/* "0-1,4". A kernel without NUMA has no such file; its memory is what others call node 0. */
static void nodes_with_memory(char *list, size_t size)
{
	if (!read_line(NODES_WITH_MEMORY, list, size))
		snprintf(list, size, "0");
}

static bool list_has(const char *list, int node)
{
	const char *at = list;

	while (*at) {
		char *end;
		long first = strtol(at, &end, 10), last = first;

		if (end == at)
			return false;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (node >= first && node <= last)
			return true;
		at = *end ? end + 1 : end;
	}
	return false;
}

static bool has_one_node(void)
{
	char list[1024];

	nodes_with_memory(list, sizeof(list));
	return strpbrk(list, "-,") == NULL;
}

int numa_node_of(const char *interface)
{
	/* A virtio adapter is a device on a PCI device, and only that knows its node. */
	static const char *const formats[] = { "/sys/class/net/%s/device/numa_node", "/sys/class/net/%s/device/../numa_node" };
	char path[64 + IFNAMSIZ], line[16];

	if (strlen(interface) >= IFNAMSIZ || strchr(interface, '/') || has_one_node())
		return -1;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		snprintf(path, sizeof(path), formats[i], interface);
		if (read_line(path, line, sizeof(line)))
			return atoi(line); /* -1: the firmware does not say */
	}
	return -1;
}

int numa_check(int node, struct netring_error *error)
{
	char list[1024];

	nodes_with_memory(list, sizeof(list));
	if (node >= 0 && (size_t)node < POLICY_BITS && list_has(list, node))
		return 0;
	return error_set(error, EINVAL, "NUMA node %d: there is no such node with memory, only %s", node, list);
}

int numa_enter(struct numa_policy *policy, int node, struct netring_error *error)
{
	unsigned long wanted[POLICY_BITS / LONG_BITS] = { 0 };
	struct numa_policy before = { 0 };

	policy->mode = -1;
	if (node == -1)
		return 0;
	if (node < 0 || (size_t)node >= POLICY_BITS)
		return error_set(error, EINVAL, "NUMA node %d: must be from 0 to %zu", node, POLICY_BITS - 1);
	if (syscall(SYS_get_mempolicy, &before.mode, before.nodes, POLICY_MAXNODE, NULL, 0) < 0)
		return error_errno(error, errno, "NUMA node %d: get_mempolicy", node);
	/* Preferred, not bound: a ring on the wrong node is better than none. */
	wanted[(size_t)node / LONG_BITS] = 1ul << ((size_t)node % LONG_BITS);
	if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, wanted, POLICY_MAXNODE) < 0)
		return error_errno(error, errno, "NUMA node %d: set_mempolicy", node);
	*policy = before;
	return 0;
}

void numa_leave(const struct numa_policy *policy)
{
	if (policy->mode == -1)
		return;
	/* The nodes of the old policy may have been taken away from the process meanwhile; ours must not stay. */
	if (syscall(SYS_set_mempolicy, policy->mode, policy->nodes, POLICY_MAXNODE) < 0)
		syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
}
