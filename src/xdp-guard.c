/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the host needs an interface. No state; the kernel is asked each time. */
#include "xdp-guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtnetlink.h"

struct search {
	int ifindex;
	char *text; /* XDP_GUARD_TEXT bytes */
};

#define FOUND 1

static int __attribute__((format(printf, 2, 3))) found(const struct search *search, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(search->text, XDP_GUARD_TEXT, format, arguments);
	va_end(arguments);
	return FOUND;
}

/* Addresses */

/* The interface's own: of a point-to-point link IFA_ADDRESS is the other end's. NULL: it is another interface's, or of no IP. */
static const void *own_address(const struct search *search, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = NLMSG_DATA(message);
	size_t size = header->ifa_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	const void *local;

	if (message->nlmsg_type != RTM_NEWADDR || (int)header->ifa_index != search->ifindex ||
	    (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return NULL;
	local = rtnetlink_find(message, sizeof(*header), IFA_LOCAL, size);
	return local ? local : rtnetlink_find(message, sizeof(*header), IFA_ADDRESS, size);
}

/* The third word of SSH_CONNECTION: the address that the user's connection came to. */
struct connection {
	struct search search;
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	unsigned char address[sizeof(struct in6_addr)];
	int family; /* AF_UNSPEC: there is none */
};

static void find_connection(struct connection *connection)
{
	const char *variable = getenv("SSH_CONNECTION");

	connection->family = AF_UNSPEC;
	if (!variable || sscanf(variable, "%*s %*s %62s", connection->text) != 1)
		return;
	connection->text[strcspn(connection->text, "%")] = '\0'; /* fe80::1%eth0 */
	if (inet_pton(AF_INET, connection->text, connection->address) == 1)
		connection->family = AF_INET;
	else if (inet_pton(AF_INET6, connection->text, connection->address) == 1)
		connection->family = AF_INET6;
}

static int look_for_connection(void *context, const struct nlmsghdr *message)
{
	const struct connection *connection = context;
	const struct ifaddrmsg *header = NLMSG_DATA(message);
	const void *address = own_address(&connection->search, message);

	if (!address || header->ifa_family != connection->family ||
	    memcmp(address, connection->address, connection->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)) != 0)
		return 0;
	return found(&connection->search, "has the address %s, which your SSH connection uses", connection->text);
}

static int look_for_address(void *context, const struct nlmsghdr *message)
{
	const struct search *search = context;
	const struct ifaddrmsg *header = NLMSG_DATA(message);
	const void *address = own_address(search, message);
	char text[INET6_ADDRSTRLEN];

	if (!address || (header->ifa_family == AF_INET6 && header->ifa_scope >= RT_SCOPE_LINK))
		return 0;
	inet_ntop(header->ifa_family, address, text, sizeof(text));
	return found(search, "has the address %s/%u", text, header->ifa_prefixlen);
}

/* Routes */

static bool goes_out_over(const struct nlmsghdr *message, int ifindex)
{
	const int *out = rtnetlink_find(message, sizeof(struct rtmsg), RTA_OIF, sizeof(*out));
	const struct rtnexthop *hop = rtnetlink_find(message, sizeof(struct rtmsg), RTA_MULTIPATH, sizeof(*hop));
	int left;

	if (out && *out == ifindex)
		return true;
	left = hop ? (int)RTA_PAYLOAD(rtnetlink_attribute(hop)) : 0;
	for (; left >= (int)sizeof(*hop) && RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		if (hop->rtnh_ifindex == ifindex)
			return true;
	return false;
}

/* To neighbours without an address of their own: each interface may have such a route, and nobody is behind it. */
static bool is_link_local(int family, const unsigned char *destination)
{
	if (family == AF_INET)
		return destination[0] == 169 && destination[1] == 254;
	return destination[0] == 0xfe && (destination[1] & 0xc0) == 0x80;
}

/* "default route for IPv4", "route to 192.0.2.0/24". False: it is none that the host needs. */
static bool describe_route(const struct nlmsghdr *message, char *text, size_t size)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	size_t length = route->rtm_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	const void *destination;
	char name[INET6_ADDRSTRLEN];

	if (route->rtm_dst_len == 0) {
		snprintf(text, size, "default route for %s", route->rtm_family == AF_INET ? "IPv4" : "IPv6");
		return true;
	}
	destination = rtnetlink_find(message, sizeof(*route), RTA_DST, length);
	if (!destination || is_link_local(route->rtm_family, destination))
		return false;
	inet_ntop(route->rtm_family, destination, name, sizeof(name));
	snprintf(text, size, "route to %s/%u", name, route->rtm_dst_len);
	return true;
}

static int look_for_route(void *context, const struct nlmsghdr *message)
{
	const struct search *search = context;
	const struct rtmsg *route = NLMSG_DATA(message);
	char text[INET6_ADDRSTRLEN + 16];
	const uint32_t *table;
	uint32_t number;

	if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_type != RTN_UNICAST || !goes_out_over(message, search->ifindex) ||
	    !describe_route(message, text, sizeof(text)))
		return 0;
	table = rtnetlink_find(message, sizeof(*route), RTA_TABLE, sizeof(*table));
	number = table ? *table : route->rtm_table;
	if (number == RT_TABLE_MAIN)
		return found(search, "is where the %s goes", text);
	return found(search, "is where the %s in table %u goes", text, number);
}

/* Interfaces above it */

static const char *find_kind(const struct nlmsghdr *message, unsigned short which)
{
	const void *information = rtnetlink_find(message, sizeof(struct ifinfomsg), IFLA_LINKINFO, 0);

	return information ? rtnetlink_find_in(information, RTA_PAYLOAD(rtnetlink_attribute(information)), which, 1) : NULL;
}

static int look_for_master(void *context, const struct nlmsghdr *message)
{
	const struct search *search = context;
	const struct ifinfomsg *link = NLMSG_DATA(message);
	const uint32_t *master = rtnetlink_find(message, sizeof(*link), IFLA_MASTER, sizeof(*master));
	char name[IF_NAMESIZE];
	const char *kind;

	if (message->nlmsg_type != RTM_NEWLINK || link->ifi_index != search->ifindex || !master)
		return 0;
	kind = find_kind(message, IFLA_INFO_SLAVE_KIND);
	if (!if_indextoname(*master, name))
		snprintf(name, sizeof(name), "interface %u", *master);
	return found(search, "is a member of %s (%s)", name, kind ? kind : "of an unknown kind");
}

static int look_for_upper(void *context, const struct nlmsghdr *message)
{
	const struct search *search = context;
	const struct ifinfomsg *link = NLMSG_DATA(message);
	const uint32_t *lower = rtnetlink_find(message, sizeof(*link), IFLA_LINK, sizeof(*lower));
	const char *name = rtnetlink_find(message, sizeof(*link), IFLA_IFNAME, 1);
	const char *kind = find_kind(message, IFLA_INFO_KIND);

	if (message->nlmsg_type != RTM_NEWLINK || !lower || *lower != (uint32_t)search->ifindex || link->ifi_index == search->ifindex)
		return 0;
	/* The number is one of another namespace's; or it is the other end of a pair, which is beside it. */
	if (rtnetlink_find(message, sizeof(*link), IFLA_LINK_NETNSID, 0) || (kind && strcmp(kind, "veth") == 0))
		return 0;
	return found(search, "has %s (%s) on top of it", name ? name : "another interface", kind ? kind : "of an unknown kind");
}

/* 0, FOUND or -errno. */
static int search_all(const struct search *search)
{
	struct connection connection = { .search = *search };
	int ret = 0;

	find_connection(&connection);
	if (connection.family != AF_UNSPEC)
		ret = rtnetlink_list(RTM_GETADDR, AF_UNSPEC, look_for_connection, &connection);
	if (ret == 0)
		ret = rtnetlink_list(RTM_GETADDR, AF_UNSPEC, look_for_address, (void *)search);
	if (ret == 0)
		ret = rtnetlink_list(RTM_GETROUTE, AF_INET, look_for_route, (void *)search);
	if (ret == 0)
		ret = rtnetlink_list(RTM_GETROUTE, AF_INET6, look_for_route, (void *)search);
	if (ret == 0)
		ret = rtnetlink_list(RTM_GETLINK, AF_UNSPEC, look_for_master, (void *)search);
	if (ret == 0)
		ret = rtnetlink_list(RTM_GETLINK, AF_UNSPEC, look_for_upper, (void *)search);
	return ret;
}

int xdp_guard_find(int ifindex, char text[XDP_GUARD_TEXT], struct netring_error *error)
{
	char what[XDP_GUARD_TEXT] = "";
	const struct search search = { ifindex, what };
	int ret = search_all(&search);

	if (ret < 0)
		return error_errno(error, -ret, "rtnetlink: whether the host needs interface %d cannot be found out", ifindex);
	if (ret == FOUND)
		memcpy(text, what, sizeof(what));
	return ret;
}

int xdp_guard_check(const char *interface, int ifindex, struct netring_error *error)
{
	char text[XDP_GUARD_TEXT];
	int ret = xdp_guard_find(ifindex, text, error);

	if (ret != FOUND)
		return ret;
	return error_set(error, EBUSY, "%s %s: the host would not get the packets that are captured there; NETRING_XDP_STEAL=1 captures all the same",
			 interface, text);
}
