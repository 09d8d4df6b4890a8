/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and setting one setting: by ethtool, in a file of /proc or /sys, or, the MTU, by ioctl. */
#define _GNU_SOURCE 1
#include "tune-setting.h"

#include <ctype.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpu-set.h"
#include "host-file.h"

/* A file's path is made of the setting's name, which may be anybody's: only these. */
static const char *const sysctls[] = {
	"net.core.netdev_budget",
	"net.core.netdev_budget_usecs",
	"net.core.netdev_max_backlog",
	"net.core.bpf_jit_enable",
};

int tune_target_open(struct ethtool *target, const char *interface, int ifindex, struct netring_error *error)
{
	int ret = ethtool_open(target, interface, ifindex);

	return ret < 0 ? error_errno(error, -ret, "cannot open a socket for the settings of %s", interface) : 0;
}

/* "nic.irq.38.cpus" with "nic.irq." and ".cpus": 38; -1 if it is not of that form. */
static long number_between(const char *text, const char *front, const char *back)
{
	const char *digits = text + strlen(front);
	size_t length;

	if (strncmp(text, front, strlen(front)) != 0)
		return -1;
	length = strspn(digits, "0123456789");
	return length > 0 && length < 7 && strcmp(digits + length, back) == 0 ? atol(digits) : -1;
}

/* The path of the file, if the setting has one. */
static int setting_path(char *path, size_t size, const struct ethtool *target, const char *setting)
{
	long irq = number_between(setting, "nic.irq.", ".cpus"), queue = number_between(setting, "nic.rps.", "");

	if (irq >= 0) {
		snprintf(path, size, "/proc/irq/%ld/smp_affinity_list", irq);
		return 0;
	}
	if (queue >= 0) {
		snprintf(path, size, "/sys/class/net/%s/queues/rx-%ld/rps_cpus", target->interface, queue);
		return 0;
	}
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++)
		if (strncmp(setting, "host.sysctl.", 12) == 0 && strcmp(setting + 12, sysctls[i]) == 0) {
			host_file_sysctl(path, size, sysctls[i]);
			return 0;
		}
	return -EINVAL;
}

static bool is_rps(const char *setting)
{
	return strncmp(setting, "nic.rps.", 8) == 0;
}

static int get_from_file(const char *setting, const char *path, char value[TUNE_VALUE])
{
	char line[HOST_FILE_LINE];
	int ret = host_file_line(line, sizeof(line), path);
	struct cpus cpus;

	if (ret < 0)
		return ret;
	if (!is_rps(setting)) {
		snprintf(value, TUNE_VALUE, "%s", line);
		return 0;
	}
	cpus = cpus_from_mask(line);
	cpus_to_list(&cpus, value, TUNE_VALUE);
	if (!value[0])
		snprintf(value, TUNE_VALUE, "off");
	return 0;
}

/* The interface's own. */

static int mtu_ioctl(const struct ethtool *target, unsigned long command, struct ifreq *request)
{
	memcpy(request->ifr_name, target->interface, sizeof(request->ifr_name));
	return ioctl(target->socket, command, request) < 0 ? -errno : 0;
}

static int get_mtu(const struct ethtool *target, char value[TUNE_VALUE], struct netring_error *error)
{
	struct ifreq request = { 0 };
	int ret = mtu_ioctl(target, SIOCGIFMTU, &request);

	if (ret < 0)
		return error_errno(error, -ret, "cannot ask for the MTU of %s", target->interface);
	snprintf(value, TUNE_VALUE, "%d", request.ifr_mtu);
	return 0;
}

static int set_mtu(const struct ethtool *target, const char *value, struct netring_error *error)
{
	struct ifreq request = { 0 };
	size_t digits = strspn(value, "0123456789");
	int ret;

	if (digits == 0 || digits > 6 || value[digits])
		return error_set(error, EINVAL, "if.mtu: %s is no MTU", value);
	request.ifr_mtu = atoi(value);
	ret = mtu_ioctl(target, SIOCSIFMTU, &request);
	return ret < 0 ? error_errno(error, -ret, "cannot set the MTU of %s to %s", target->interface, value) : 0;
}

static bool is_mtu(const char *setting)
{
	return strcmp(setting, "if.mtu") == 0;
}

static int get_by_ethtool(struct ethtool *target, const char *setting, char value[TUNE_VALUE])
{
	struct facts facts = { 0 };
	const char *found;
	int ret;

	if (strncmp(setting, "nic.feature.", 12) == 0)
		ethtool_features_collect(target, &facts);
	else
		ethtool_numbers_collect(target, &facts);
	found = facts_get(&facts, setting);
	ret = facts.failed ? -ENOMEM : found ? 0 : -ENOENT;
	if (ret == 0)
		snprintf(value, TUNE_VALUE, "%s", found);
	facts_free(&facts);
	return ret;
}

int tune_setting_get(struct ethtool *target, const char *setting, char value[TUNE_VALUE], struct netring_error *error)
{
	char path[256];
	int ret;

	if (setting_path(path, sizeof(path), target, setting) == 0) {
		ret = get_from_file(setting, path, value);
		return ret < 0 ? error_errno(error, -ret, "cannot read %s", path) : 0;
	}
	if (is_mtu(setting))
		return get_mtu(target, value, error);
	ret = get_by_ethtool(target, setting, value);
	return ret < 0 ? error_set(error, -ret, "%s is not there", setting) : 0;
}

static int set_in_file(const char *setting, const char *path, const char *value, struct netring_error *error)
{
	char mask[TUNE_VALUE];
	struct cpus cpus;
	int ret;

	if (is_rps(setting)) {
		cpus = cpus_from_list(strcmp(value, "off") == 0 ? "" : value);
		cpus_to_mask(&cpus, mask, sizeof(mask));
		ret = host_file_write(path, mask);
	} else {
		ret = host_file_write(path, value);
	}
	return ret < 0 ? error_errno(error, -ret, "cannot write %s to %s", value, path) : 0;
}

static int set_without_look(struct ethtool *target, const char *setting, const char *value, struct netring_error *error)
{
	char path[256];

	if (setting_path(path, sizeof(path), target, setting) == 0)
		return set_in_file(setting, path, value, error);
	if (is_mtu(setting))
		return set_mtu(target, value, error);
	if (strncmp(setting, "nic.feature.", 12) == 0)
		return ethtool_features_set(target, setting, value, error);
	return ethtool_numbers_set(target, setting, value, error);
}

int tune_setting_set(struct ethtool *target, const char *setting, const char *value, struct netring_error *error)
{
	char after[TUNE_VALUE];
	int ret = set_without_look(target, setting, value, error);

	if (ret == 0)
		ret = tune_setting_get(target, setting, after, error);
	if (ret < 0)
		return ret;
	if (strcmp(after, value) != 0)
		return error_set(error, EIO, "%s was to be %s, but is %s: the driver does not comply", setting, value, after);
	return 0;
}
