/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's counters in front of the capture, by netlink and from /proc. */
#include "host-losses.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int request_links(int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg request;
	} message = {
		.header = { sizeof(message), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.request = { .ifi_family = AF_UNSPEC },
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static void take_counters(struct interface_losses *losses, const void *data)
{
	struct rtnl_link_stats64 counters;

	memcpy(&counters, data, offsetof(struct rtnl_link_stats64, rx_nohandler)); /* aligned to 4 bytes only */
	losses->received = counters.rx_packets;
	losses->missed = counters.rx_missed_errors;
	losses->fifo = counters.rx_fifo_errors;
	losses->errors = counters.rx_errors;
	losses->dropped = counters.rx_dropped;
}

static int take_link(struct namespace_losses *losses, const struct nlmsghdr *header)
{
	const struct ifinfomsg *link = NLMSG_DATA(header);
	struct interface_losses *larger, *place;
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*link)));

	larger = reallocarray(losses->interface, losses->interfaces + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	losses->interface = larger;
	place = &larger[losses->interfaces++];
	memset(place, 0, sizeof(*place));
	place->ifindex = link->ifi_index;
	for (const struct rtattr *attribute = IFLA_RTA(link); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_IFNAME)
			snprintf(place->name, sizeof(place->name), "%.*s", (int)RTA_PAYLOAD(attribute), (const char *)RTA_DATA(attribute));
		else if (attribute->rta_type == IFLA_STATS64 && RTA_PAYLOAD(attribute) >= offsetof(struct rtnl_link_stats64, rx_nohandler))
			take_counters(place, RTA_DATA(attribute));
	}
	return 0;
}

/* 1: there is more to come. */
static int take_answer(struct namespace_losses *losses, const struct nlmsghdr *header, int length)
{
	int ret = 0;

	for (; ret == 0 && NLMSG_OK(header, (unsigned)length); header = NLMSG_NEXT(header, length)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 0;
		if (header->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(header))->error ?: -EPROTO;
		if (header->nlmsg_type == RTM_NEWLINK && header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
			ret = take_link(losses, header);
	}
	return ret < 0 ? ret : 1;
}

static int read_links(struct namespace_losses *losses)
{
	char answer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), ret;

	if (fd < 0)
		return -errno;
	ret = request_links(fd);
	while (ret >= 0) {
		ssize_t length = recv(fd, answer, sizeof(answer), 0);

		if (length < 0 && errno == EINTR)
			continue;
		ret = length > 0 ? take_answer(losses, (const struct nlmsghdr *)answer, (int)length) : length < 0 ? -errno : -EPROTO;
		if (ret == 0)
			break;
	}
	close(fd);
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
