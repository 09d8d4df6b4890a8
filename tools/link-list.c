/* SPDX-License-Identifier: BSD-3-Clause */
/* RTM_GETLINK, and what of its answers is of use here. */
#include "link-list.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The list may change while it is read; it does not do so for ever. */
#define TRIES 5

static void take_kind(struct link *link, const struct nlattr *info)
{
	const struct nlattr *table[IFLA_INFO_KIND + 1] = { 0 };
	struct netlink_attributes attributes = { table, IFLA_INFO_KIND };
	const char *kind;

	if (!info || mnl_attr_parse_nested(info, netlink_keep_attribute, &attributes) < 0)
		return;
	kind = netlink_text(table[IFLA_INFO_KIND]);
	if (kind)
		snprintf(link->kind, sizeof(link->kind), "%s", kind);
}

static void take_xdp(struct link *link, const struct nlattr *xdp)
{
	const struct nlattr *table[IFLA_XDP_PROG_ID + 1] = { 0 };
	struct netlink_attributes attributes = { table, IFLA_XDP_PROG_ID };

	if (!xdp || mnl_attr_parse_nested(xdp, netlink_keep_attribute, &attributes) < 0)
		return;
	link->xdp = netlink_u8(table[IFLA_XDP_ATTACHED], XDP_ATTACHED_NONE);
	link->xdp_program = netlink_u32(table[IFLA_XDP_PROG_ID], 0);
}

static void take_mac(struct link *link, const struct nlattr *address)
{
	const unsigned char *bytes = address ? mnl_attr_get_payload(address) : NULL;
	size_t length = address ? mnl_attr_get_payload_len(address) : 0;

	for (size_t i = 0; i < length && i < sizeof(link->mac) / 3; i++)
		snprintf(link->mac + 3 * i, 4, "%02x:", bytes[i]);
	if (link->mac[0])
		link->mac[strlen(link->mac) - 1] = '\0';
}

/* Older kernels send a shorter one: the rest stays 0. Aligned to 4 bytes only. */
static void take_stats(struct link *link, const struct nlattr *stats)
{
	size_t length = stats ? mnl_attr_get_payload_len(stats) : 0;

	if (length > sizeof(link->stats))
		length = sizeof(link->stats);
	if (length)
		memcpy(&link->stats, mnl_attr_get_payload(stats), length);
}

static void take_attributes(struct link *link, const struct nlattr *const *table)
{
	const char *name = netlink_text(table[IFLA_IFNAME]);

	if (name)
		snprintf(link->name, sizeof(link->name), "%s", name);
	link->master = (int)netlink_u32(table[IFLA_MASTER], 0);
	/* The other end of a veth pair is no lower interface, and the number may be of another namespace. */
	if (!table[IFLA_LINK_NETNSID] && (int)netlink_u32(table[IFLA_LINK], 0) != link->index)
		link->lower = (int)netlink_u32(table[IFLA_LINK], 0);
	link->mtu = netlink_u32(table[IFLA_MTU], 0);
	link->mtu_max = netlink_u32(table[IFLA_MAX_MTU], 0);
	link->promiscuity = netlink_u32(table[IFLA_PROMISCUITY], 0);
	link->receive_queues = netlink_u32(table[IFLA_NUM_RX_QUEUES], 0);
	link->carrier = netlink_u8(table[IFLA_CARRIER], 0) != 0;
	take_kind(link, table[IFLA_LINKINFO]);
	take_xdp(link, table[IFLA_XDP]);
	take_mac(link, table[IFLA_ADDRESS]);
	take_stats(link, table[IFLA_STATS64]);
	if (strcmp(link->kind, "veth") == 0)
		link->lower = 0;
}

int link_list_take(const struct nlmsghdr *message, void *context)
{
	struct link_list *list = context;
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *table[IFLA_MAX_MTU + 1] = { 0 };
	struct netlink_attributes attributes = { table, IFLA_MAX_MTU };
	struct link *larger;

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return MNL_CB_OK;
	if (mnl_attr_parse(message, sizeof(*header), netlink_keep_attribute, &attributes) < 0)
		return MNL_CB_OK;
	larger = reallocarray(list->link, list->count + 1, sizeof(*larger));
	if (!larger) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->link = larger;
	larger = &list->link[list->count++];
	*larger = (struct link){ .index = header->ifi_index, .type = header->ifi_type, .flags = header->ifi_flags };
	take_attributes(larger, table);
	return MNL_CB_OK;
}

int link_list_read(struct link_list *list, struct netlink *route)
{
	int ret = -EINTR;

	*list = (struct link_list){ 0 };
	for (int i = 0; ret == -EINTR && i < TRIES; i++) {
		char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

		link_list_free(list);
		request->nlmsg_type = RTM_GETLINK;
		request->nlmsg_flags = NLM_F_DUMP;
		mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
		ret = netlink_call(route, request, link_list_take, list);
	}
	return ret;
}

void link_list_free(struct link_list *list)
{
	free(list->link);
	*list = (struct link_list){ 0 };
}

const struct link *link_list_find(const struct link_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->link[i].name, name) == 0)
			return &list->link[i];
	return NULL;
}

const struct link *link_list_at(const struct link_list *list, int index)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->link[i].index == index)
			return &list->link[i];
	return NULL;
}
