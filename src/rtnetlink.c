/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's lists of interfaces, addresses and routes. A socket for each list; no state. */
#include "rtnetlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel fills no more of a longer one; what is about one interface fits. */
#define ANSWER_SIZE 32768

/* All three headers begin with the family, and are no longer than this one. */
static int send_request(int fd, unsigned short type, unsigned char family)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg request;
	} message = {
		.header = { sizeof(message), type, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.request = { .ifi_family = family },
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static size_t header_size(unsigned short type)
{
	switch (type) {
	case RTM_NEWLINK:
		return sizeof(struct ifinfomsg);
	case RTM_NEWADDR:
		return sizeof(struct ifaddrmsg);
	case RTM_NEWROUTE:
		return sizeof(struct rtmsg);
	default:
		return SIZE_MAX / 2;
	}
}

/* 0 at the end of the list; *more: it has not come yet. */
static int take_messages(const struct nlmsghdr *message, size_t length, rtnetlink_handler *handler, void *context, bool *more)
{
	int left = (int)length, ret;

	*more = false;
	for (; NLMSG_OK(message, (unsigned)left); message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error ?: -EPROTO;
		if (message->nlmsg_len < NLMSG_LENGTH(0) + header_size(message->nlmsg_type))
			continue;
		ret = handler(context, message);
		if (ret != 0)
			return ret;
	}
	*more = true;
	return 0;
}

static int take_list(int fd, rtnetlink_handler *handler, void *context)
{
	char answer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t length;
	bool more = true;
	int ret = 0;

	while (ret == 0 && more) {
		length = recv(fd, answer, sizeof(answer), 0);
		if (length > 0)
			ret = take_messages((const struct nlmsghdr *)answer, (size_t)length, handler, context, &more);
		else if (length == 0)
			ret = -EPROTO;
		else if (errno != EINTR)
			ret = -errno;
	}
	return ret;
}

int rtnetlink_list(unsigned short type, unsigned char family, rtnetlink_handler *handler, void *context)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ret;

	if (fd < 0)
		return -errno;
	ret = send_request(fd, type, family);
	if (ret == 0)
		ret = take_list(fd, handler, context);
	close(fd);
	return ret;
}

const void *rtnetlink_find_in(const struct rtattr *attributes, size_t length, unsigned short type, size_t size)
{
	int left = (int)length;

	for (; RTA_OK(attributes, left); attributes = RTA_NEXT(attributes, left))
		if ((attributes->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(attributes) >= size)
			return RTA_DATA(attributes);
	return NULL;
}

const void *rtnetlink_find(const struct nlmsghdr *message, size_t header, unsigned short type, size_t size)
{
	size_t begin = NLMSG_LENGTH(NLMSG_ALIGN(header));

	if (message->nlmsg_len < begin)
		return NULL;
	return rtnetlink_find_in((const struct rtattr *)((const char *)message + begin), message->nlmsg_len - begin, type, size);
}
