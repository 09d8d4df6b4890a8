/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's lists of interfaces, addresses and routes: rtnetlink(7). Read by the macros of the kernel's own header: the files in /proc have no policy
 * routes, those in /sys are of another network namespace often enough, and a netlink library would be one more that every capture loads.
 */
#ifndef NETRING_RTNETLINK_H
#define NETRING_RTNETLINK_H

#include <linux/rtnetlink.h>
#include <stddef.h>

/* Gets each message of the list: 0 to go on, anything else ends it and is what rtnetlink_list returns. */
typedef int rtnetlink_handler(void *context, const struct nlmsghdr *message);

/*
 * type: RTM_GETLINK, RTM_GETADDR or RTM_GETROUTE; family: AF_INET, AF_INET6 or AF_UNSPEC. Messages that are too short for their type's own header are
 * left out. 0, what the handler returned, or -errno.
 */
int rtnetlink_list(unsigned short type, unsigned char family, rtnetlink_handler *handler, void *context);

/*
 * The payload of the first attribute of that type, at least size bytes, or NULL. In a message, header being the size of the header of its type; or in
 * an attribute that has attributes in it.
 */
const void *rtnetlink_find(const struct nlmsghdr *message, size_t header, unsigned short type, size_t size);
const void *rtnetlink_find_in(const struct rtattr *attributes, size_t length, unsigned short type, size_t size);

/* From a payload to its attribute: for its length. */
static inline const struct rtattr *rtnetlink_attribute(const void *payload)
{
	return (const struct rtattr *)((const char *)payload - RTA_LENGTH(0));
}

#endif
