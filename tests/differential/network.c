/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network of a case: two unnamed namespaces that vanish with its process, joined by a veth pair with
 * fixed names, numbers and MAC addresses. Nothing but the case itself sends: IPv6 is off before any link is
 * up, and there is no IPv4 address but lo's.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void traffic_open(void);

static int cap_ns = -1, gen_ns = -1;

struct link_request {
	struct nlmsghdr header;
	struct ifinfomsg info;
	char attributes[512];
};

static struct rtattr *put_attribute(struct link_request *request, unsigned short type, const void *data, size_t length)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)((char *)request + at);

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(length);
	if (length > 0)
		memcpy(RTA_DATA(attribute), data, length);
	request->header.nlmsg_len = (unsigned)(at + RTA_ALIGN(attribute->rta_len));
	return attribute;
}

static void end_nest(struct link_request *request, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)request + request->header.nlmsg_len - (char *)nest);
}

static struct link_request new_request(uint16_t type, uint16_t flags)
{
	struct link_request request = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			.nlmsg_type = type,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		},
		.info = { .ifi_family = AF_UNSPEC },
	};
	return request;
}

/* Sends one rtnetlink request; the answer is left in `answer`. Returns 0 or -errno. */
static int talk(struct link_request *request, void *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr *header = answer;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = send(fd, request, request->header.nlmsg_len, 0);
	if (n >= 0)
		n = recv(fd, answer, size, 0);
	close(fd);
	if (n < (ssize_t)sizeof(*header))
		return -EIO;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(header))->error;
	return 0;
}

static void make_veth(void)
{
	static const uint8_t cap_mac[6] = { 2, 0, 0, 0, 0, 2 }, gen_mac[6] = { 2, 0, 0, 0, 0, 1 };
	struct link_request request = new_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	struct ifinfomsg peer_info = { .ifi_family = AF_UNSPEC };
	struct rtattr *link_info, *data, *peer;
	char answer[1024];
	int rc;

	put_attribute(&request, IFLA_IFNAME, CAP, sizeof(CAP));
	put_attribute(&request, IFLA_ADDRESS, cap_mac, sizeof(cap_mac));
	link_info = put_attribute(&request, IFLA_LINKINFO, NULL, 0);
	put_attribute(&request, IFLA_INFO_KIND, "veth", 4);
	data = put_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	peer = put_attribute(&request, VETH_INFO_PEER, &peer_info, sizeof(peer_info));
	put_attribute(&request, IFLA_IFNAME, GEN, sizeof(GEN));
	put_attribute(&request, IFLA_ADDRESS, gen_mac, sizeof(gen_mac));
	put_attribute(&request, IFLA_NET_NS_FD, &gen_ns, sizeof(gen_ns));
	end_nest(&request, peer);
	end_nest(&request, data);
	end_nest(&request, link_info);
	rc = talk(&request, answer, sizeof(answer));
	if (rc < 0)
		give_up("no veth pair: %s", strerror(-rc));
}

static void change_flags(const char *name, short set, short clear)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		give_up("no flags of %s: %s", name, strerror(errno));
	request.ifr_flags = (short)((request.ifr_flags | set) & ~clear);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		give_up("cannot set flags of %s: %s", name, strerror(errno));
	close(fd);
}

void link_up(const char *name)
{
	change_flags(name, IFF_UP, 0);
}

void link_down(const char *name)
{
	change_flags(name, 0, IFF_UP);
}

void link_delete(const char *name)
{
	struct link_request request = new_request(RTM_DELLINK, NLM_F_ACK);
	char answer[1024];
	int rc;

	put_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	rc = talk(&request, answer, sizeof(answer));
	if (rc < 0)
		give_up("cannot delete %s: %s", name, strerror(-rc));
}

/* How many promiscuous members the interface has; the kernel's own counter. */
unsigned promiscuity(const char *name)
{
	struct link_request request = new_request(RTM_GETLINK, 0);
	char answer[16384];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	struct rtattr *attribute;
	unsigned left, value = 0;
	int rc;

	put_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	rc = talk(&request, answer, sizeof(answer));
	if (rc < 0)
		give_up("cannot query %s: %s", name, strerror(-rc));
	attribute = IFLA_RTA(NLMSG_DATA(header));
	left = (unsigned)(header->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_PROMISCUITY)
			memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static int new_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		give_up("no network namespace: %s", strerror(errno));
	/* Fails where the kernel has no IPv6, which is as good. */
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		give_up("no handle on the namespace: %s", strerror(errno));
	return fd;
}

void enter_gen(void)
{
	if (setns(gen_ns, CLONE_NEWNET) < 0)
		give_up("setns: %s", strerror(errno));
}

void enter_cap(void)
{
	if (setns(cap_ns, CLONE_NEWNET) < 0)
		give_up("setns: %s", strerror(errno));
}

void network_open(void)
{
	gen_ns = new_namespace();
	cap_ns = new_namespace();
	make_veth();
	enter_gen();
	link_up(GEN);
	enter_cap();
	link_up("lo");
	/* Last, so that the carrier is there when its queue is set up. */
	link_up(CAP);
	traffic_open();
}

/* All capabilities of this thread, for good. */
void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (syscall(SYS_capset, &header, none) < 0)
		give_up("capset: %s", strerror(errno));
}
