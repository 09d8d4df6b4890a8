/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and asking, for the files that know the commands. */
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int ethtool_open(struct ethtool *ethtool, const char *interface, int ifindex)
{
	*ethtool = (struct ethtool){ .ifindex = ifindex, .socket = -1 };
	snprintf(ethtool->interface, sizeof(ethtool->interface), "%s", interface);
	ethtool->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ethtool->socket < 0)
		return -errno;
	/* Without it the ioctl does it all. */
	if (netlink_open(&ethtool->netlink, NETLINK_GENERIC) == 0)
		netlink_family(&ethtool->netlink, ETHTOOL_GENL_NAME, &ethtool->family);
	return 0;
}

void ethtool_close(struct ethtool *ethtool)
{
	if (ethtool->socket >= 0)
		close(ethtool->socket);
	ethtool->socket = -1;
	netlink_close(&ethtool->netlink);
}

int ethtool_ioctl(const struct ethtool *ethtool, void *request)
{
	struct ifreq ifreq = { .ifr_data = request };

	memcpy(ifreq.ifr_name, ethtool->interface, sizeof(ifreq.ifr_name));
	return ioctl(ethtool->socket, SIOCETHTOOL, &ifreq) < 0 ? -errno : 0;
}

/* More than any driver has; so that a wrong count is no allocation. */
#define STRINGS_MAX 65536

static int count_strings(const struct ethtool *ethtool, unsigned set, unsigned *count)
{
	/* The count is behind the struct. */
	uint32_t words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 2] __attribute__((aligned(8))) = { 0 };
	struct ethtool_sset_info *info = (struct ethtool_sset_info *)words;
	int ret;

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = (uint64_t)1 << set;
	ret = ethtool_ioctl(ethtool, info);
	if (ret < 0)
		return ret;
	if (!info->sset_mask || info->data[0] > STRINGS_MAX)
		return -EOPNOTSUPP;
	*count = info->data[0];
	return 0;
}

struct ethtool_gstrings *ethtool_strings(const struct ethtool *ethtool, unsigned set, unsigned *count)
{
	struct ethtool_gstrings *strings;

	if (count_strings(ethtool, set, count) < 0 || *count == 0)
		return NULL;
	strings = calloc(1, sizeof(*strings) + ETHTOOL_ROOM(*count) * ETH_GSTRING_LEN);
	if (!strings)
		return NULL;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = set;
	strings->len = *count;
	if (ethtool_ioctl(ethtool, strings) == 0)
		return strings;
	free(strings);
	return NULL;
}

struct nlmsghdr *ethtool_request(const struct ethtool *ethtool, void *buffer, uint8_t command)
{
	struct nlmsghdr *request = netlink_generic(buffer, ethtool->family, command);
	struct nlattr *header = mnl_attr_nest_start(request, ETHTOOL_A_RINGS_HEADER);

	mnl_attr_put_u32(request, ETHTOOL_A_HEADER_DEV_INDEX, (uint32_t)ethtool->ifindex);
	mnl_attr_nest_end(request, header);
	return request;
}
