/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of a network interface: netdevice(7), and the ethtool ioctl. */
#include "interface.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

/* A packet of glued-together segments is an IP packet at the most; Ethernet header and checksum come on top. */
#define GLUED_MAX 65535
#define ETHERNET_OVERHEAD 18

#define LINK_LOOK_MS 10

static void request_init(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof(*request));
	strncpy(request->ifr_name, name, sizeof(request->ifr_name) - 1);
}

int interface_index(int fd, const char *name, int *index, struct netring_error *error)
{
	struct ifreq request;

	request_init(&request, name);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return error_errno(error, errno, "%s: SIOCGIFINDEX", name);
	*index = request.ifr_ifindex;
	return 0;
}

static bool has_offload(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request;

	request_init(&request, name);
	request.ifr_data = (void *)&value;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return false; /* a driver without the question is one without the offload */
	return command == ETHTOOL_GFLAGS ? value.data & ETH_FLAG_LRO : value.data != 0;
}

int interface_longest_packet(int fd, const char *name, uint32_t *length, struct netring_error *error)
{
	static const uint32_t offloads[] = { ETHTOOL_GTSO, ETHTOOL_GUFO, ETHTOOL_GGSO, ETHTOOL_GGRO, ETHTOOL_GFLAGS };
	struct ifreq request;
	uint32_t mtu;

	request_init(&request, name);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return error_errno(error, errno, "%s: SIOCGIFMTU", name);
	mtu = (uint32_t)request.ifr_mtu;
	for (size_t i = 0; i < sizeof(offloads) / sizeof(*offloads) && mtu < GLUED_MAX; i++)
		if (has_offload(fd, name, offloads[i]))
			mtu = GLUED_MAX;
	*length = mtu + ETHERNET_OVERHEAD;
	return 0;
}

int interface_longest_frame(int fd, const char *name, uint32_t *length)
{
	struct ifreq request;

	request_init(&request, name);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	*length = (uint32_t)request.ifr_mtu + ETHERNET_OVERHEAD;
	return 0;
}

bool interface_strips_vlan(int fd, const char *name)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq request;

	request_init(&request, name);
	request.ifr_data = (void *)&value;
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data & ETH_FLAG_RXVLAN;
}

int interface_is_up(int fd, const char *name, struct netring_error *error)
{
	struct ifreq request;

	request_init(&request, name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
		return (request.ifr_flags & IFF_UP) != 0;
	if (errno == ENXIO || errno == ENODEV)
		return error_set(error, ENODEV, "The interface disappeared");
	return error_errno(error, errno, "%s: Can't get flags", name);
}

/* The kernel is behind with IFF_RUNNING: the question for the link brings it up to date. */
bool interface_has_link(int fd, const char *name)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq request;

	request_init(&request, name);
	request.ifr_data = (void *)&link;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0 && !link.data)
		return false;
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool interface_wait_for_link(int fd, const char *name, unsigned timeout_ms)
{
	uint64_t end_ms = now_ms() + timeout_ms;
	bool has_link;

	while (!(has_link = interface_has_link(fd, name)) && now_ms() < end_ms)
		poll(NULL, 0, LINK_LOOK_MS);
	return has_link;
}

static unsigned counted_queues(const char *name)
{
	char path[32 + IFNAMSIZ];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *directory;

	if ((size_t)snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name) >= sizeof(path))
		return 0;
	directory = opendir(path);
	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		count += strncmp(entry->d_name, "rx-", 3) == 0;
	closedir(directory);
	return count;
}

int interface_receive_queues(int fd, const char *name)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request;
	unsigned count = 0;

	request_init(&request, name);
	request.ifr_data = (void *)&channels;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		count = channels.rx_count + channels.combined_count;
	if (count == 0)
		count = counted_queues(name);
	return count ? (int)count : 1;
}
