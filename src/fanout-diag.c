/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has a fanout group: the kernel's packet_diag tells each socket's group, mode, interface and inode, /proc which process has that inode open.
 * Its one request and one attribute are not worth a netlink library that every capture would have to load.
 */
#include "fanout-diag.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More processes than this are not searched: the sentence can do without. */
#define DESCRIPTORS_MAX 200000

struct flag_name {
	int flag;
	const char *name;
};

static const struct flag_name flag_names[] = {
	{ PACKET_FANOUT_FLAG_ROLLOVER, "rollover" },
	{ PACKET_FANOUT_FLAG_DEFRAG, "defrag" },
	{ PACKET_FANOUT_FLAG_IGNORE_OUTGOING, "ignore_outgoing" },
};

const char *fanout_diag_mode_name(int kernel_mode)
{
	static const char *const names[] = { "hash", "lb", "cpu", "rollover", "random", "qm", "cbpf", "ebpf" };

	return kernel_mode >= 0 && (size_t)kernel_mode < sizeof(names) / sizeof(*names) ? names[kernel_mode] : "unknown";
}

const char *fanout_diag_describe(char text[FANOUT_DIAG_TEXT], const char *mode, int kernel_flags)
{
	const char *between = ", flags ";
	int used = snprintf(text, FANOUT_DIAG_TEXT, "mode %s", mode);

	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++)
		if (kernel_flags & flag_names[i].flag) {
			used += snprintf(text + used, (size_t)(FANOUT_DIAG_TEXT - used), "%s%s", between, flag_names[i].name);
			between = ",";
		}
	return text;
}

static int request_sockets(int fd)
{
	struct {
		struct nlmsghdr header;
		struct packet_diag_req request;
	} message = {
		.header = { sizeof(message), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.request = { .sdiag_family = AF_PACKET, .pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_FANOUT },
	};

	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static void take_socket(struct fanout_group *group, int id, const struct nlmsghdr *header)
{
	const struct packet_diag_msg *socket = NLMSG_DATA(header);
	const struct packet_diag_info *info = NULL;
	const uint32_t *fanout = NULL;
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*socket)));

	for (const struct rtattr *attribute = (const struct rtattr *)((const char *)socket + NLMSG_ALIGN(sizeof(*socket))); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == PACKET_DIAG_INFO && RTA_PAYLOAD(attribute) >= sizeof(*info))
			info = RTA_DATA(attribute);
		else if (attribute->rta_type == PACKET_DIAG_FANOUT && RTA_PAYLOAD(attribute) >= sizeof(*fanout))
			fanout = RTA_DATA(attribute);
	}
	if (!fanout || (*fanout & 0xffff) != (uint32_t)id)
		return;
	group->members++;
	group->kernel_mode = *fanout >> 16 & 0xff;
	group->ifindex = info ? (int)info->pdi_index : 0;
	group->protocol = socket->pdiag_num; /* in host order, unlike most of sock_diag */
	group->inode = socket->pdiag_ino;
}

/* 1: there is more to come. */
static int take_answer(struct fanout_group *group, int id, const struct nlmsghdr *header, int length)
{
	for (; NLMSG_OK(header, (unsigned)length); header = NLMSG_NEXT(header, length)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 0;
		if (header->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(header))->error ?: -EPROTO;
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY && header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct packet_diag_msg)))
			take_socket(group, id, header);
	}
	return 1;
}

static int list_sockets(struct fanout_group *group, int id, int fd)
{
	char answer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t length;
	int ret = request_sockets(fd);

	if (ret < 0)
		return ret;
	do {
		length = recv(fd, answer, sizeof(answer), 0);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -errno : -EPROTO;
		ret = take_answer(group, id, (const struct nlmsghdr *)answer, (int)length);
	} while (ret > 0 || length < 0);
	return ret;
}

int fanout_diag_find(struct fanout_group *group, int id)
{
	struct fanout_group found = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), ret;

	if (fd < 0)
		return -errno;
	ret = list_sockets(&found, id, fd);
	close(fd);
	if (ret < 0)
		return ret == -ENOENT ? -EOPNOTSUPP : ret; /* ENOENT: the kernel has no packet_diag */
	if (found.members == 0)
		return -ENOENT;
	*group = found;
	return 0;
}

/* True if the process has the socket open. *budget: descriptors that may still be looked at. */
static bool has_socket(int proc, const char *pid, const char *wanted, int *budget)
{
	char path[64], target[64];
	int fd;
	DIR *directory;
	bool found = false;

	snprintf(path, sizeof(path), "%.16s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (const struct dirent *entry; !found && *budget > 0 && (entry = readdir(directory)); --*budget) {
		ssize_t length = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

		if (length > 0) {
			target[length] = '\0';
			found = strcmp(target, wanted) == 0;
		}
	}
	closedir(directory);
	return found;
}

static int find_owner(uint32_t inode)
{
	char wanted[32];
	DIR *proc = opendir("/proc");
	int budget = DESCRIPTORS_MAX, pid = 0;

	if (!proc)
		return 0;
	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	for (const struct dirent *entry; !pid && (entry = readdir(proc));)
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(dirfd(proc), entry->d_name, wanted, &budget))
			pid = atoi(entry->d_name);
	closedir(proc);
	return pid;
}

const char *fanout_diag_process(char text[FANOUT_DIAG_TEXT], int pid)
{
	char path[32], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
		name[strcspn(name, "\n")] = '\0';
	}
	snprintf(text, FANOUT_DIAG_TEXT, name[0] ? "process %d (%s)" : "process %d", pid, name);
	return text;
}

const char *fanout_diag_owner(char text[FANOUT_DIAG_TEXT], uint32_t inode)
{
	int pid = find_owner(inode);

	if (pid)
		return fanout_diag_process(text, pid);
	strcpy(text, "another process");
	return text;
}
