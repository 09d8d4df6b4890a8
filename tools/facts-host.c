/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is to know about the host as a place for captures: kernel, CPUs, memory, sysctls, softnet. From /proc and /sys. */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpu-set.h"
#include "facts-collect.h"
#include "host-file.h"
#include "host-losses.h"
#include "memory-limit.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

static const char *const sysctls[] = {
	"net.core.netdev_budget",
	"net.core.netdev_budget_usecs",
	"net.core.dev_weight",
	"net.core.dev_weight_rx_bias",
	"net.core.netdev_max_backlog",
	"net.core.rmem_default",
	"net.core.rmem_max",
	"net.core.optmem_max",
	"net.core.bpf_jit_enable",
	"net.core.bpf_jit_harden",
	"net.core.flow_limit_cpu_bitmap",
	"net.core.rps_sock_flow_entries",
	"net.core.busy_poll",
	"net.core.busy_read",
	"net.core.netdev_tstamp_prequeue",
	"net.core.gro_normal_batch",
	"kernel.unprivileged_bpf_disabled",
};

void facts_why(struct facts *facts, const char *name, const char *format, ...)
{
	char whole[128], text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(whole, sizeof(whole), "why.%s", name);
	facts_set(facts, whole, text);
}

static void collect_sysctl(struct facts *facts, const char *name)
{
	char path[128], fact[128], line[HOST_FILE_LINE];
	int ret;

	host_file_sysctl(path, sizeof(path), name);
	snprintf(fact, sizeof(fact), "host.sysctl.%s", name);
	ret = host_file_line(line, sizeof(line), path);
	if (ret == -ENOENT && strncmp(name, "net.core.", 9) == 0)
		facts_why(facts, fact, "this network namespace does not show it, or the kernel does not have it");
	else if (ret < 0)
		facts_why(facts, fact, "%s: %s", path, strerror(-ret));
	else
		facts_set(facts, fact, line);
}

static void collect_machine(struct facts *facts)
{
	struct utsname names;

	if (uname(&names) < 0)
		return;
	facts_set(facts, "host.kernel", names.release);
	facts_set(facts, "host.machine", names.machine);
}

/* Counters since boot are old or new by it. */
static void collect_uptime(struct facts *facts)
{
	char line[HOST_FILE_LINE];

	if (host_file_line(line, sizeof(line), "/proc/uptime") == 0 && isdigit((unsigned char)line[0]))
		facts_set_number(facts, "host.uptime", (int64_t)strtoull(line, NULL, 10));
}

static void collect_cpus(struct facts *facts)
{
	char line[HOST_FILE_LINE];
	cpu_set_t *allowed = CPU_ALLOC(CPU_SET_MAX);
	struct cpus nodes;

	facts_set_number(facts, "host.cpus", sysconf(_SC_NPROCESSORS_ONLN));
	if (host_file_line(line, sizeof(line), "/sys/devices/system/cpu/online") == 0)
		facts_set(facts, "host.cpus_online", line);
	if (allowed && sched_getaffinity(0, CPU_ALLOC_SIZE(CPU_SET_MAX), allowed) == 0)
		facts_set_number(facts, "host.cpus_allowed", CPU_COUNT_S(CPU_ALLOC_SIZE(CPU_SET_MAX), allowed));
	CPU_FREE(allowed);
	/* A kernel without NUMA has no such file, and one node. */
	if (host_file_line(line, sizeof(line), "/sys/devices/system/node/online") == 0) {
		nodes = cpus_from_list(line); /* written as CPUs are */
		facts_set_number(facts, "host.nodes", cpus_count(&nodes));
	} else if (access("/sys/devices/system", F_OK) == 0) {
		facts_set_number(facts, "host.nodes", 1);
	} else {
		facts_why(facts, "host.nodes", "/sys is not there");
	}
}

static bool is_container(void)
{
	static const char *const marks[] = { "/run/systemd/container", "/.dockerenv", "/run/.containerenv" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (access(marks[i], F_OK) == 0)
			return true;
	return getenv("container") != NULL;
}

static bool is_virtual(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = access("/sys/hypervisor/type", F_OK) == 0 || access("/proc/device-tree/hypervisor", F_OK) == 0;

	while (file && !found && getline(&line, &room, file) > 0 && line[0] != '\n')
		found = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Its name is all that there is to go by; a container does not see the host's processes. */
static bool process_runs(const char *name)
{
	DIR *folder = opendir("/proc");
	bool found = false;

	for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		char path[32 + sizeof(entry->d_name)], line[64];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		found = host_file_line(line, sizeof(line), path) == 0 && strcmp(line, name) == 0;
	}
	if (folder)
		closedir(folder);
	return found;
}

/* 0 if it is not known. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *name_end;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (host_file_line(line, sizeof(line), path) < 0)
		return 0;
	name_end = strrchr(line, ')');
	return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

#define ANCESTORS_MOST 64

/* Whether somebody between process 1 and this one has gone into another network namespace: ip netns exec, unshare, nsenter. */
static void collect_namespace(struct facts *facts)
{
	struct stat own, other;
	pid_t pid = getppid();

	if (stat("/proc/self/ns/net", &own) < 0)
		return;
	for (unsigned i = 0; i < ANCESTORS_MOST && pid > 0; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
		if (stat(path, &other) == 0 && other.st_ino != own.st_ino) {
			facts_set(facts, "host.netns", "other");
			return;
		}
		pid = parent_of(pid);
	}
	facts_set(facts, "host.netns", "inherited");
}

static void collect_surroundings(struct facts *facts)
{
	bool container = is_container(), irqbalance = process_runs("irqbalance");

	facts_set(facts, "host.container", container ? "yes" : "no");
	collect_namespace(facts);
	facts_set(facts, "host.virtual", is_virtual() ? "yes" : "no");
	if (irqbalance || !container)
		facts_set(facts, "host.irqbalance", irqbalance ? "running" : "absent");
	else
		facts_why(facts, "host.irqbalance", "a container does not see the host's processes");
}

/* "Node 0, zone Normal 5 3 0 …": how many free blocks there are of 1, 2, 4 … pages. */
static int64_t largest_block(void)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	char line[1024];
	int best = -1;

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, "zone"), *save;
		int order = 0;

		if (!at || !strtok_r(at, " \n", &save) || !strtok_r(NULL, " \n", &save))
			continue;
		for (const char *word; (word = strtok_r(NULL, " \n", &save)); order++)
			if (order > best && order < 32 && strtoull(word, NULL, 10) > 0)
				best = order;
	}
	if (file)
		fclose(file);
	return best < 0 ? -1 : (int64_t)sysconf(_SC_PAGESIZE) << best;
}

static void collect_memory(struct facts *facts)
{
	uint64_t machine = memory_available_on_machine(), process = memory_available();
	int64_t block = largest_block();

	if (machine != UINT64_MAX)
		facts_format(facts, "host.memory.available", "%" PRIu64, machine);
	/* The two are of different moments: a little less is no limit. */
	if (process != UINT64_MAX && (machine == UINT64_MAX || process < machine - machine / 64))
		facts_format(facts, "host.memory.limit", "%" PRIu64, process);
	if (block >= 0)
		facts_set_number(facts, "host.memory.largest_block", block);
	else
		facts_why(facts, "host.memory.largest_block", "/proc/buddyinfo does not say");
}

static void collect_hugepages(struct facts *facts)
{
	static const char folder[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
	static const char *const files[][2] = { { "nr_hugepages", "total" }, { "free_hugepages", "free" } };

	for (size_t i = 0; i < 2; i++) {
		char path[128], fact[64], line[64];

		snprintf(path, sizeof(path), "%s%s", folder, files[i][0]);
		snprintf(fact, sizeof(fact), "host.hugepages.2048.%s", files[i][1]);
		if (host_file_line(line, sizeof(line), path) == 0)
			facts_set(facts, fact, line);
	}
}

static void collect_softnet(struct facts *facts)
{
	struct softnet_losses all;
	int ret = softnet_losses_sum(&all);

	if (ret < 0) {
		facts_why(facts, "host.softnet.dropped", "/proc/net/softnet_stat: %s", strerror(-ret));
		return;
	}
	facts_format(facts, "host.softnet.dropped", "%" PRIu64, all.dropped);
	facts_format(facts, "host.softnet.squeezed", "%" PRIu64, all.squeezed);
	facts_format(facts, "host.softnet.flow_limit", "%" PRIu64, all.flow_limited);
}

/* Whoever lacks the capability is refused one, and so knows that the kernel has them. */
static void collect_xsk(struct facts *facts)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	facts_set(facts, "host.xsk", fd >= 0 || errno == EPERM || errno == EACCES ? "yes" : "no");
	if (fd >= 0)
		close(fd);
}

int facts_collect_host(struct facts *facts, struct netring_error *error)
{
	collect_machine(facts);
	collect_uptime(facts);
	collect_cpus(facts);
	collect_surroundings(facts);
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++)
		collect_sysctl(facts, sysctls[i]);
	collect_memory(facts);
	collect_hugepages(facts);
	collect_softnet(facts);
	collect_xsk(facts);
	facts_collect_self(facts);
	return facts->failed ? error_set(error, ENOMEM, "no memory for what is known of this host") : 0;
}
