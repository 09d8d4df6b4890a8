/* SPDX-License-Identifier: BSD-3-Clause */
/* Attaching an XDP program to an interface. Links of XDP programs: Linux 5.9. No state. */
#include "xdp-attach.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MS 10

/* The largest MTU that drivers with one page for each packet take. */
#define COMMON_MTU_MAX 3000

struct occupant {
	uint32_t id; /* 0: none */
	char name[BPF_OBJ_NAME_LEN];
};

/* Who is there */

/* Without CAP_SYS_ADMIN the name stays empty. */
static void find_name(const struct libbpf *bpf, struct occupant *occupant)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = bpf->bpf_prog_get_fd_by_id(occupant->id);

	if (fd < 0)
		return;
	if (bpf->bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
		memcpy(occupant->name, info.name, sizeof(occupant->name) - 1);
	close(fd);
}

/* By whatever means it was attached. */
static int find_occupant(const struct libbpf *bpf, const struct xdp_program_options *options, struct occupant *occupant, struct netring_error *error)
{
	struct bpf_xdp_query_opts answer = { .sz = sizeof(answer) };
	int ret = bpf->bpf_xdp_query(options->ifindex, 0, &answer);

	if (ret < 0)
		return error_errno(error, -ret, "%s: whether it has an XDP program cannot be found out", options->interface);
	memset(occupant, 0, sizeof(*occupant));
	occupant->id = answer.prog_id ?: answer.drv_prog_id ?: answer.skb_prog_id ?: answer.hw_prog_id;
	if (occupant->id)
		find_name(bpf, occupant);
	return 0;
}

static int refuse(const struct xdp_program_options *options, const struct occupant *occupant, struct netring_error *error)
{
	if (!occupant->id)
		return error_set(error, EBUSY, "%s: another process was attaching an XDP program at the same time", options->interface);
	if (!occupant->name[0])
		return error_set(error, EBUSY, "%s has an XDP program already: id %u, whose name only CAP_SYS_ADMIN may see", options->interface,
				 occupant->id);
	return error_set(error, EBUSY, "%s has an XDP program already: %s, id %u", options->interface, occupant->name, occupant->id);
}

/* Whether to look again: nobody is there any more, or it may be what a dying process leaves behind. Counts looks: the machine may stand still meanwhile. */
static bool may_go_away(const struct occupant *occupant, unsigned *looks)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000 };

	if ((occupant->id && strcmp(occupant->name, XDP_ATTACH_NAME) != 0) || (*looks)++ == XDP_ATTACH_PATIENCE_MS / PAUSE_MS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

int xdp_attach_check(const struct libbpf *bpf, const struct xdp_program_options *options, struct netring_error *error)
{
	struct occupant occupant = { 0 };
	unsigned looks = 0;
	int ret;

	do {
		ret = find_occupant(bpf, options, &occupant, error);
		if (ret < 0 || !occupant.id)
			return ret;
	} while (may_go_away(&occupant, &looks));
	return refuse(options, &occupant, error);
}

/* The link */

/* What a driver says by its number only: the kernel's sentence about it is a trace event, xdp:bpf_xdp_link_attach_failed. */
static void explain(char *text, size_t size, const char *interface, int errnum)
{
	struct ethtool_drvinfo information = { .cmd = ETHTOOL_GDRVINFO, .driver = "unknown" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	struct ifreq request = { 0 };
	char reason[128];

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd >= 0) {
		if (ioctl(fd, SIOCGIFMTU, &request) == 0)
			mtu = request.ifr_mtu;
		request.ifr_data = (void *)&information;
		ioctl(fd, SIOCETHTOOL, &request);
		close(fd);
	}
	if (errnum == EOPNOTSUPP)
		snprintf(text, size, "the driver, %.31s, has no native XDP, or not beside the offloads that are on (LRO, GRO-HW)",
			 information.driver);
	else if (errnum == ERANGE || (mtu > COMMON_MTU_MAX && (errnum == EINVAL || errnum == E2BIG || errnum == EMSGSIZE)))
		snprintf(text, size, "the MTU is too large for native XDP in the driver, %.31s: %d here, or that of the other end of a veth pair",
			 information.driver, mtu);
	else if (errnum == ENOSPC || errnum == ENOMEM)
		snprintf(text, size, "the driver, %.31s, has too few queues or too little memory for native XDP (%s)", information.driver,
			 strerror_r(errnum, reason, sizeof(reason)));
	else
		snprintf(text, size, "the driver, %.31s, refused it with an MTU of %d (%s)", information.driver, mtu,
			 strerror_r(errnum, reason, sizeof(reason)));
}

/* -EBUSY with the sentence; other errors without. */
static int make_link(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, uint32_t mode, int *link_fd,
		     struct netring_error *error)
{
	const struct bpf_link_create_opts how = { .sz = sizeof(how), .flags = mode };
	struct occupant occupant = { 0 };
	unsigned looks = 0;
	int ret;

	do {
		ret = bpf->bpf_link_create(program_fd, options->ifindex, BPF_XDP, &how);
		if (ret >= 0) {
			*link_fd = ret;
			return 0;
		}
		if (ret != -EBUSY && ret != -EEXIST)
			return ret;
		ret = find_occupant(bpf, options, &occupant, error);
		if (ret < 0)
			return ret;
	} while (may_go_away(&occupant, &looks));
	return refuse(options, &occupant, error);
}

/* What no other mode would change: somebody else's program, an interface that is gone, a right that is missing. */
static bool is_final(int ret)
{
	return ret == 0 || ret == -EBUSY || ret == -ENODEV || ret == -EPERM;
}

static int attach_native(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, int *link_fd,
			 struct netring_error *error)
{
	char why[200];
	int ret = make_link(bpf, options, program_fd, XDP_FLAGS_DRV_MODE, link_fd, error);

	if (ret == 0 || ret == -EBUSY)
		return ret;
	if (is_final(ret))
		return error_errno(error, -ret, "%s: the XDP program cannot be attached", options->interface);
	explain(why, sizeof(why), options->interface, -ret);
	return error_set(error, EOPNOTSUPP, "%s: %s", options->interface, why);
}

static int attach_generic(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, int *link_fd,
			  struct netring_error *error)
{
	int ret = make_link(bpf, options, program_fd, XDP_FLAGS_SKB_MODE, link_fd, error);

	if (ret == 0 || ret == -EBUSY)
		return ret;
	if (is_final(ret))
		return error_errno(error, -ret, "%s: the XDP program cannot be attached", options->interface);
	error_errno(error, -ret, "%s: the XDP program cannot be attached in generic mode, by a link (Linux 5.9)", options->interface);
	return -EOPNOTSUPP;
}

static int attach_either(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, int *link_fd, bool *native,
			 struct netring_error *error)
{
	struct netring_error refusal = { "" };
	int ret = attach_native(bpf, options, program_fd, link_fd, &refusal);

	*native = ret == 0;
	if (is_final(ret) || options->strict) {
		if (ret < 0)
			error_set(error, -ret, "%s", refusal.text);
		return ret;
	}
	ret = attach_generic(bpf, options, program_fd, link_fd, error);
	if (ret == 0)
		log_write(options->log, LOG_WARN, "%s; XDP runs in generic mode, behind the driver, which is slower", refusal.text);
	return ret;
}

int xdp_attach(const struct libbpf *bpf, const struct xdp_program_options *options, int program_fd, int *link_fd, bool *native,
	       struct netring_error *error)
{
	bool in_driver = options->mode == NETRING_XDP_NATIVE;
	int fd = -1, ret;

	if (options->mode == NETRING_XDP_NATIVE)
		ret = attach_native(bpf, options, program_fd, &fd, error);
	else if (options->mode == NETRING_XDP_GENERIC)
		ret = attach_generic(bpf, options, program_fd, &fd, error);
	else
		ret = attach_either(bpf, options, program_fd, &fd, &in_driver, error);
	if (ret < 0)
		return ret;
	log_write(options->log, LOG_INFO, "%s: XDP in %s mode", options->interface, in_driver ? "native" : "generic");
	*link_fd = fd;
	*native = in_driver;
	return 0;
}
