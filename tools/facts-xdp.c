/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver can do of XDP: as the kernel says it (its "netdev" family, since Linux 6.3), else as is known of the driver. And which program is there. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facts-collect.h"
#include "netlink.h"

/* From linux/netdev.h, which older headers lack. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_COMMAND_DEV_GET 1
#define NETDEV_ATTRIBUTE_IFINDEX 1
#define NETDEV_ATTRIBUTE_XDP_FEATURES 3

#define XDP_BASIC 1
#define XDP_REDIRECT 2
#define XDP_ZERO_COPY 8
#define XDP_MULTI_BUFFER 32

/* In drivers since Linux 5.x: the kernels that cannot be asked. */
static const struct {
	const char *driver;
	unsigned features;
} drivers[] = {
	{ "bnxt_en", XDP_BASIC | XDP_REDIRECT },
	{ "ena", XDP_BASIC | XDP_REDIRECT },
	{ "gve", XDP_BASIC | XDP_REDIRECT },
	{ "hv_netvsc", XDP_BASIC | XDP_REDIRECT },
	{ "i40e", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "ice", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "igb", XDP_BASIC | XDP_REDIRECT },
	{ "igc", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "ixgbe", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "ixgbevf", XDP_BASIC },
	{ "mlx4_en", XDP_BASIC },
	{ "mlx5_core", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "mvneta", XDP_BASIC | XDP_REDIRECT },
	{ "nfp", XDP_BASIC },
	{ "qede", XDP_BASIC | XDP_REDIRECT },
	{ "sfc", XDP_BASIC | XDP_REDIRECT },
	{ "stmmac", XDP_BASIC | XDP_REDIRECT | XDP_ZERO_COPY },
	{ "tun", XDP_BASIC | XDP_REDIRECT },
	{ "veth", XDP_BASIC | XDP_REDIRECT },
	{ "virtio_net", XDP_BASIC | XDP_REDIRECT },
};

static void set_features(struct facts *facts, unsigned long long features)
{
	facts_set(facts, "nic.xdp.basic", features & XDP_BASIC ? "yes" : "no");
	facts_set(facts, "nic.xdp.redirect", features & XDP_REDIRECT ? "yes" : "no");
	facts_set(facts, "nic.xdp.zero_copy", features & XDP_ZERO_COPY ? "yes" : "no");
	facts_set(facts, "nic.xdp.multi_buffer", features & XDP_MULTI_BUFFER ? "yes" : "no");
}

static int take_device(const struct nlmsghdr *answer, void *facts)
{
	const struct nlattr *table[NETDEV_ATTRIBUTE_XDP_FEATURES + 1] = { 0 };
	struct netlink_attributes attributes = { table, NETDEV_ATTRIBUTE_XDP_FEATURES };
	const struct nlattr *features;

	mnl_attr_parse(answer, sizeof(struct genlmsghdr), netlink_keep_attribute, &attributes);
	features = table[NETDEV_ATTRIBUTE_XDP_FEATURES];
	if (features && mnl_attr_validate(features, MNL_TYPE_U64) == 0) {
		set_features(facts, mnl_attr_get_u64(features));
		facts_set(facts, "nic.xdp.source", "kernel");
	}
	return MNL_CB_OK;
}

static void ask_kernel(struct facts *facts, int ifindex)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct netlink netlink;
	struct nlmsghdr *request;
	uint16_t family;

	if (netlink_open(&netlink, NETLINK_GENERIC) == 0 && netlink_family(&netlink, NETDEV_FAMILY, &family) == 0) {
		request = netlink_generic(buffer, family, NETDEV_COMMAND_DEV_GET);
		mnl_attr_put_u32(request, NETDEV_ATTRIBUTE_IFINDEX, (uint32_t)ifindex);
		netlink_call(&netlink, request, take_device, facts);
	}
	netlink_close(&netlink);
}

static void look_up_driver(struct facts *facts)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (facts_is(facts, "nic.driver", drivers[i].driver)) {
			set_features(facts, drivers[i].features);
			facts_set(facts, "nic.xdp.source", "table");
			return;
		}
	facts_set(facts, "why.nic.xdp.basic", "this kernel does not say, and nothing is known of the driver");
}

static int ask_bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* 0, or -1 with errno. */
static int get_info(int fd, void *info, size_t size)
{
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = (uint32_t)size, .info = (uintptr_t)info } };

	return ask_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static bool is_map_called(uint32_t id, const char *name)
{
	union bpf_attr attr = { .map_id = id };
	struct bpf_map_info info = { 0 };
	int fd = ask_bpf(BPF_MAP_GET_FD_BY_ID, &attr), ret;

	if (fd < 0)
		return false;
	ret = get_info(fd, &info, sizeof(info));
	close(fd);
	return ret == 0 && strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

/* netring's own program has one name, but copies into the ring buffers of this map, or takes. */
static void collect_netring(struct facts *facts, int fd)
{
	uint32_t ids[16] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = sizeof(ids) / sizeof(ids[0]), .map_ids = (uintptr_t)ids };
	bool copies = false;

	if (get_info(fd, &info, sizeof(info)) < 0)
		return;
	for (uint32_t i = 0; i < info.nr_map_ids && i < sizeof(ids) / sizeof(ids[0]); i++)
		copies |= is_map_called(ids[i], "netring_rings");
	facts_set(facts, "nic.xdp.netring", copies ? "copies" : "takes");
}

/* Only whoever may administrate the system gets at it. */
static void collect_program(struct facts *facts, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .prog_id = id };
	int fd = ask_bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0) {
		facts_why(facts, "nic.xdp.program", "cannot look at program %u: %s", id, strerror(errno));
		return;
	}
	if (get_info(fd, &info, sizeof(info)) == 0)
		facts_format(facts, "nic.xdp.program", "%.*s", (int)sizeof(info.name), info.name);
	if (facts_is(facts, "nic.xdp.program", "netring_xdp"))
		collect_netring(facts, fd);
	close(fd);
}

void facts_collect_xdp(struct facts *facts, int ifindex)
{
	int64_t program = facts_number(facts, "nic.xdp.program_id", 0);

	if (program > 0)
		collect_program(facts, (uint32_t)program);
	ask_kernel(facts, ifindex);
	if (!facts_get(facts, "nic.xdp.source"))
		look_up_driver(facts);
}
