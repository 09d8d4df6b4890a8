/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's counters in front of the capture, by netlink and from /proc. */
#include "host-losses.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link-list.h"

static void take_link(struct interface_losses *losses, const struct link *link)
{
	losses->ifindex = link->index;
	snprintf(losses->name, sizeof(losses->name), "%s", link->name);
	losses->received = link->stats.rx_packets;
	losses->missed = link->stats.rx_missed_errors;
	losses->fifo = link->stats.rx_fifo_errors;
	losses->errors = link->stats.rx_errors;
	losses->dropped = link->stats.rx_dropped;
}

static int read_links(struct namespace_losses *losses)
{
	struct netlink route = { 0 };
	struct link_list links = { 0 };
	int ret = netlink_open(&route, NETLINK_ROUTE);

	if (ret == 0)
		ret = link_list_read(&links, &route);
	netlink_close(&route);
	if (ret == 0)
		losses->interface = calloc(links.count + 1, sizeof(*losses->interface));
	if (ret == 0 && !losses->interface)
		ret = -ENOMEM;
	for (size_t i = 0; ret == 0 && i < links.count; i++)
		take_link(&losses->interface[losses->interfaces++], &links.link[i]);
	link_list_free(&links);
	return ret;
}

/* In the namespace at `there`, and back again: one thread, so that nobody else is led astray. */
static int read_links_in(struct namespace_losses *losses, int here, int there, struct netring_error *error)
{
	int ret;

	if (setns(there, CLONE_NEWNET) < 0)
		return error_errno(error, errno, "cannot enter the process's network namespace");
	ret = read_links(losses);
	if (setns(here, CLONE_NEWNET) < 0)
		return error_errno(error, errno, "cannot come back to our own network namespace");
	return ret < 0 ? error_errno(error, -ret, "the kernel's list of interfaces") : 0;
}

static int read_namespace(struct namespace_losses *losses, int here, int there, struct netring_error *error)
{
	struct stat ours, theirs;
	int ret;

	if (fstat(here, &ours) < 0 || fstat(there, &theirs) < 0)
		return error_errno(error, errno, "fstat of a network namespace");
	losses->number = theirs.st_ino;
	if (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev)
		return read_links_in(losses, here, there, error);
	ret = read_links(losses);
	return ret < 0 ? error_errno(error, -ret, "the kernel's list of interfaces") : 0;
}

int interface_losses_read(struct namespace_losses *losses, pid_t pid, struct netring_error *error)
{
	char path[64];
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, ret;

	memset(losses, 0, sizeof(*losses));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here < 0 || there < 0)
		ret = error_errno(error, errno, "cannot open %s", path);
	else
		ret = read_namespace(losses, here, there, error);
	if (here >= 0)
		close(here);
	if (there >= 0)
		close(there);
	if (ret < 0) {
		free(losses->interface);
		losses->interface = NULL;
		losses->interfaces = 0;
	}
	return ret;
}

/* Hexadecimal columns; the eleventh is of flow limits, 0 if the kernel has none; the thirteenth is the CPU's number, since Linux 5.10. */
static bool parse_row(struct softnet_losses *losses, const char *line, unsigned row)
{
	unsigned column[13] = { 0 }, n = 0;
	char *end;

	for (; n < 13; n++, line = end) {
		column[n] = (unsigned)strtoul(line, &end, 16);
		if (end == line)
			break;
	}
	if (n < 3)
		return false;
	*losses = (struct softnet_losses){ n == 13 ? column[12] : row, column[0], column[1], column[2], column[10] };
	return true;
}

int softnet_losses_sum(struct softnet_losses *sum)
{
	FILE *file = fopen("/proc/net/softnet_stat", "re");
	struct softnet_losses row;
	char line[512];

	if (!file)
		return -errno;
	*sum = (struct softnet_losses){ 0 };
	while (fgets(line, sizeof(line), file)) {
		if (!parse_row(&row, line, 0))
			continue;
		sum->processed += row.processed;
		sum->dropped += row.dropped;
		sum->squeezed += row.squeezed;
		sum->flow_limited += row.flow_limited;
	}
	fclose(file);
	return 0;
}

int softnet_losses_read(struct softnet_losses *losses, unsigned max)
{
	FILE *file = fopen("/proc/net/softnet_stat", "re");
	char line[512];
	unsigned rows = 0;

	if (!file)
		return -errno;
	while (rows < max && fgets(line, sizeof(line), file))
		if (parse_row(&losses[rows], line, rows))
			rows++;
	fclose(file);
	return (int)rows;
}
