/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is to know about an interface, from the kernel's lists of interfaces, addresses and routes; the other parts of it are called from here. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <net/if_arp.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ethtool.h"
#include "facts-collect.h"
#include "link-list.h"

static void collect_counters(struct facts *facts, const struct rtnl_link_stats64 *stats)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "received", stats->rx_packets }, { "bytes", stats->rx_bytes },	 { "missed", stats->rx_missed_errors },
		{ "fifo", stats->rx_fifo_errors }, { "errors", stats->rx_errors },	 { "dropped", stats->rx_dropped },
		{ "over", stats->rx_over_errors }, { "nohandler", stats->rx_nohandler },
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		char fact[64];

		snprintf(fact, sizeof(fact), "nic.count.%s", counters[i].name);
		facts_format(facts, fact, "%" PRIu64, counters[i].value);
	}
}

/* Whether there is hardware behind it is known later: until then it is virtual. */
static void collect_link(struct facts *facts, const struct link *link)
{
	facts_set(facts, "if.name", link->name);
	facts_set_number(facts, "if.index", link->index);
	facts_set(facts, "if.kind", link->type == ARPHRD_LOOPBACK ? "loopback" : link->kind[0] ? link->kind : "virtual");
	facts_set(facts, "if.state", link->flags & IFF_UP ? "up" : "down");
	facts_set(facts, "if.carrier", link->carrier ? "yes" : "no");
	facts_set_number(facts, "if.mtu", link->mtu);
	if (link->mtu_max)
		facts_set_number(facts, "if.mtu_max", link->mtu_max);
	facts_set(facts, "if.mac", link->mac);
	facts_set_number(facts, "if.promiscuity", link->promiscuity);
}

/* Members of a bridge or a bond, or what a VLAN or a macvlan sits on. */
static void collect_neighbours(struct facts *facts, const struct link_list *list, const struct link *link)
{
	const struct link *master = link->master ? link_list_at(list, link->master) : NULL;
	unsigned members = 0;
	char lower[1024] = "";

	if (master) {
		facts_set(facts, "if.master", master->name);
		facts_set(facts, "if.master_kind", master->kind);
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct link *other = &list->link[i];
		size_t length = strlen(lower);

		members += other->master == link->index;
		if (other->master == link->index || (link->lower && other->index == link->lower))
			snprintf(lower + length, sizeof(lower) - length, "%s%s", length ? " " : "", other->name);
	}
	facts_set_number(facts, "if.group_members", members);
	if (lower[0])
		facts_set(facts, "if.lower", lower);
}

/* The interface, and those above it: the master of a port, the VLAN on an adapter, the bridge of that. */
#define ABOVE_MAX 16

struct search {
	int index[ABOVE_MAX];
	unsigned count, addresses;
	unsigned defaults; /* a bit for each */
};

static bool has_index(const struct search *search, int index)
{
	for (unsigned i = 0; i < search->count; i++)
		if (search->index[i] == index)
			return true;
	return false;
}

static struct search climb(const struct link_list *list, const struct link *link)
{
	struct search search = { .index = { link->index }, .count = 1 };

	for (unsigned done = 0; done < search.count; done++)
		for (size_t i = 0; i < list->count && search.count < ABOVE_MAX; i++) {
			const struct link *other = &list->link[i];
			int above = other->index == search.index[done] ? other->master : other->lower == search.index[done] ? other->index : 0;

			if (above && !has_index(&search, above))
				search.index[search.count++] = above;
		}
	return search;
}

static int count_address(const struct nlmsghdr *message, void *context)
{
	struct search *search = context;
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_NEWADDR && mnl_nlmsg_get_payload_len(message) >= sizeof(*address) &&
	    (int)address->ifa_index == search->index[0] && !(address->ifa_family == AF_INET6 && address->ifa_scope == RT_SCOPE_LINK))
		search->addresses++;
	return MNL_CB_OK;
}

static bool names_interface(const struct nlattr *hops, int index)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops);

	while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		if (hop->rtnh_ifindex == index)
			return true;
		if ((size_t)RTNH_ALIGN(hop->rtnh_len) >= left)
			break;
		left -= RTNH_ALIGN(hop->rtnh_len);
		hop = (const struct rtnexthop *)((const char *)hop + RTNH_ALIGN(hop->rtnh_len));
	}
	return false;
}

/* A default route may be in two halves, 0/1 and 128/1, as VPNs set it to override another. */
static int count_default(const struct nlmsghdr *message, void *context)
{
	struct search *search = context;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *table[RTA_MULTIPATH + 1] = { 0 };
	struct netlink_attributes attributes = { table, RTA_MULTIPATH };

	if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*route) || route->rtm_dst_len > 1 ||
	    route->rtm_type != RTN_UNICAST || mnl_attr_parse(message, sizeof(*route), netlink_keep_attribute, &attributes) < 0)
		return MNL_CB_OK;
	for (unsigned i = 0; i < search->count; i++)
		if ((int)netlink_u32(table[RTA_OIF], 0) == search->index[i] ||
		    (table[RTA_MULTIPATH] && names_interface(table[RTA_MULTIPATH], search->index[i])))
			search->defaults |= 1u << i;
	return MNL_CB_OK;
}

/* 0 or -errno. */
static int search_list(struct netlink *route, uint16_t type, size_t header, mnl_cb_t handler, struct search *search)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	int ret;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(request, header);
	ret = netlink_call(route, request, handler, search);
	/* A list that has changed meanwhile is good enough here. */
	return ret == -EINTR ? 0 : ret;
}

/* The lowest one above it that the default route goes through. */
static void collect_default_above(struct facts *facts, const struct link_list *list, const struct search *search)
{
	for (unsigned i = 1; i < search->count; i++) {
		const struct link *above = link_list_at(list, search->index[i]);

		if (above && (search->defaults & (1u << i))) {
			facts_set(facts, "if.above_route_default", above->name);
			return;
		}
	}
}

static void collect_use(struct facts *facts, struct netlink *route, const struct link_list *list, const struct link *link)
{
	struct search search = climb(list, link);
	int ret = search_list(route, RTM_GETADDR, sizeof(struct ifaddrmsg), count_address, &search);

	if (ret == 0)
		facts_set_number(facts, "if.addresses", search.addresses);
	else
		facts_why(facts, "if.addresses", "the kernel's list of addresses: %s", strerror(-ret));
	ret = search_list(route, RTM_GETROUTE, sizeof(struct rtmsg), count_default, &search);
	if (ret == 0) {
		facts_set(facts, "if.route_default", search.defaults & 1 ? "yes" : "no");
		collect_default_above(facts, list, &search);
	} else {
		facts_why(facts, "if.route_default", "the kernel's list of routes: %s", strerror(-ret));
	}
}

/* Those bound to it, and those bound to none, which see its packets as well; "sk RefCnt Type Proto Iface …". */
static void collect_packet_sockets(struct facts *facts, int index)
{
	FILE *file = fopen("/proc/net/packet", "re");
	char line[512];
	unsigned count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned protocol;
		int bound;

		if (sscanf(line, "%*s %*s %*s %x %d", &protocol, &bound) == 2 && protocol != 0 && (bound == index || bound == 0))
			count++;
	}
	if (!file) {
		facts_why(facts, "host.packet_sockets", "/proc/net/packet: %s", strerror(errno));
		return;
	}
	fclose(file);
	facts_set_number(facts, "host.packet_sockets", count);
}

static void collect_xdp_attached(struct facts *facts, const struct link *link)
{
	static const char *const modes[] = {
		[XDP_ATTACHED_NONE] = "none",  [XDP_ATTACHED_DRV] = "native",	[XDP_ATTACHED_SKB] = "generic",
		[XDP_ATTACHED_HW] = "offload", [XDP_ATTACHED_MULTI] = "native",
	};

	if (link->xdp < sizeof(modes) / sizeof(modes[0]))
		facts_set(facts, "nic.xdp.attached", modes[link->xdp]);
	if (link->xdp_program)
		facts_set_number(facts, "nic.xdp.program_id", link->xdp_program);
}

static void collect_parts(struct facts *facts, const struct link_list *list, const struct link *link, struct netlink *route)
{
	struct ethtool ethtool;

	collect_link(facts, link);
	collect_neighbours(facts, list, link);
	collect_use(facts, route, list, link);
	collect_counters(facts, &link->stats);
	collect_xdp_attached(facts, link);
	collect_packet_sockets(facts, link->index);
	facts_set_number(facts, "nic.queues.rx", link->receive_queues);
	facts_collect_sysfs(facts, link->name, link->index, link->mac, (unsigned)list->count);
	if (ethtool_open(&ethtool, link->name, link->index) == 0)
		facts_collect_adapter(facts, &ethtool);
	ethtool_close(&ethtool);
	facts_collect_xdp(facts, link->index);
}

int facts_collect_interface(struct facts *facts, const char *interface, struct netring_error *error)
{
	struct netlink route;
	struct link_list list = { 0 };
	const struct link *link = NULL;
	int ret = netlink_open(&route, NETLINK_ROUTE);

	if (ret == 0)
		ret = link_list_read(&list, &route);
	if (ret < 0) {
		error_errno(error, -ret, "cannot read the kernel's list of interfaces");
	} else {
		link = link_list_find(&list, interface);
		if (link)
			collect_parts(facts, &list, link, &route);
		else
			ret = error_set(error, ENODEV, "there is no interface %s", interface);
	}
	link_list_free(&list);
	netlink_close(&route);
	if (ret == 0 && facts->failed)
		ret = error_set(error, ENOMEM, "no memory for what is known of %s", interface);
	return ret;
}
