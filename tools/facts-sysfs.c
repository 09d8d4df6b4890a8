/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /sys and /proc/irq know of an interface. /sys shows the network namespace of whoever mounted it: in a container, or behind nsenter, an interface
 * of the same name there may be another one. So it is compared with what the kernel said by netlink, before anything in it is believed.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu-set.h"
#include "facts-collect.h"
#include "host-file.h"

#define CLASS "/sys/class/net"

/* Room for a path in there. */
struct path {
	char text[384];
};

static struct path path_of(const char *interface, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct path path_of(const char *interface, const char *format, ...)
{
	struct path path;
	va_list arguments;
	int length = snprintf(path.text, sizeof(path.text), CLASS "/%s/", interface);

	va_start(arguments, format);
	vsnprintf(path.text + length, sizeof(path.text) - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

/* The interfaces in it; a file like bonding_masters is none. */
static unsigned count_links(void)
{
	DIR *folder = opendir(CLASS);
	unsigned count = 0;

	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		count += entry->d_type == DT_LNK;
	if (folder)
		closedir(folder);
	return count;
}

/* The address tells one from another of the same name and number; those without one are told by their company. */
static bool is_of_this_namespace(const char *interface, int ifindex, const char *mac, unsigned links)
{
	char line[HOST_FILE_LINE];

	if (host_file_line(line, sizeof(line), path_of(interface, "ifindex").text) < 0 || atoi(line) != ifindex)
		return false;
	if (host_file_line(line, sizeof(line), path_of(interface, "address").text) < 0 || strcmp(line, mac) != 0)
		return false;
	return strspn(mac, "0:") != strlen(mac) || count_links() == links;
}

static void collect_file(struct facts *facts, const char *fact, const char *path)
{
	char line[HOST_FILE_LINE];

	if (host_file_line(line, sizeof(line), path) == 0)
		facts_set(facts, fact, line);
}

/* A virtio adapter is a device on a PCI device, and that has the interrupts and the node. */
static const char *bus_device(const char *interface)
{
	char target[256];
	ssize_t length = readlink(path_of(interface, "device/subsystem").text, target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	return length > 7 && strcmp(target + length - 7, "/virtio") == 0 ? "device/.." : "device";
}

static void collect_node(struct facts *facts, const char *interface, const char *device)
{
	char line[HOST_FILE_LINE];

	/* -1: the machine does not say, or has only one. */
	if (host_file_line(line, sizeof(line), path_of(interface, "%s/numa_node", device).text) == 0 && atoi(line) >= 0)
		facts_set(facts, "nic.numa_node", line);
	collect_file(facts, "nic.local_cpus", path_of(interface, "%s/local_cpulist", device).text);
}

/* The name under which the driver asked for it: a folder. False if nobody has. */
static bool irq_name(char *name, size_t size, unsigned irq)
{
	char path[64];
	DIR *folder;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/irq/%u", irq);
	folder = opendir(path);
	for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		found = entry->d_type == DT_DIR && entry->d_name[0] != '.';
		if (found)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (folder)
		closedir(folder);
	return found;
}

static bool collect_irq(struct facts *facts, unsigned irq)
{
	static const char *const files[][2] = { { "smp_affinity_list", "cpus" }, { "effective_affinity_list", "effective" } };
	char name[256], fact[64], path[64];

	if (!irq_name(name, sizeof(name), irq))
		return false;
	snprintf(fact, sizeof(fact), "nic.irq.%u.name", irq);
	facts_set(facts, fact, name);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(fact, sizeof(fact), "nic.irq.%u.%s", irq, files[i][1]);
		snprintf(path, sizeof(path), "/proc/irq/%u/%s", irq, files[i][0]);
		collect_file(facts, fact, path);
	}
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	const unsigned *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* In ascending order, as the driver has asked for them: the order of the queues. */
static size_t list_irqs(unsigned *irqs, size_t max, const char *interface, const char *device)
{
	DIR *folder = opendir(path_of(interface, "%s/msi_irqs", device).text);
	char line[64];
	size_t count = 0;

	for (const struct dirent *entry; folder && count < max && (entry = readdir(folder));)
		if (isdigit((unsigned char)entry->d_name[0]))
			irqs[count++] = (unsigned)strtoul(entry->d_name, NULL, 10);
	if (folder)
		closedir(folder);
	else if (host_file_line(line, sizeof(line), path_of(interface, "%s/irq", device).text) == 0 && atoi(line) > 0)
		irqs[count++] = (unsigned)strtoul(line, NULL, 10);
	qsort(irqs, count, sizeof(*irqs), compare_numbers);
	return count;
}

static void collect_irqs(struct facts *facts, const char *interface, const char *device)
{
	unsigned irqs[2048], used = 0;
	size_t count = list_irqs(irqs, sizeof(irqs) / sizeof(irqs[0]), interface, device);

	for (size_t i = 0; i < count; i++)
		used += collect_irq(facts, irqs[i]);
	facts_set_number(facts, "nic.irqs", used);
	if (count && !used)
		facts_why(facts, "nic.irqs", "/proc/irq does not show them");
}

/* A virtio device's features are a line of 0 and 1; number 53 is that it takes orders on when to interrupt (VIRTIO_NET_F_NOTF_COAL). */
static void collect_virtio(struct facts *facts, const char *interface)
{
	char line[HOST_FILE_LINE];

	if (host_file_line(line, sizeof(line), path_of(interface, "device/features").text) == 0 && strlen(line) > 53)
		facts_set(facts, "nic.virtio.coalescing", line[53] == '1' ? "yes" : "no");
}

static void collect_device(struct facts *facts, const char *interface)
{
	const char *device = bus_device(interface);

	if (access(path_of(interface, "device").text, F_OK) != 0)
		return;
	if (facts_is(facts, "if.kind", "virtual"))
		facts_set(facts, "if.kind", "physical");
	collect_node(facts, interface, device);
	if (strcmp(device, "device") != 0)
		collect_virtio(facts, interface);
	collect_irqs(facts, interface, device);
}

/* Absent if it is off; whether it could be seen at all says if.sysfs. */
static void collect_rps(struct facts *facts, const char *interface, unsigned queue)
{
	char line[HOST_FILE_LINE], list[HOST_FILE_LINE], fact[64];
	struct cpus cpus;

	if (host_file_line(line, sizeof(line), path_of(interface, "queues/rx-%u/rps_cpus", queue).text) < 0)
		return;
	cpus = cpus_from_mask(line);
	cpus_to_list(&cpus, list, sizeof(list));
	snprintf(fact, sizeof(fact), "nic.rps.%u", queue);
	if (list[0])
		facts_set(facts, fact, list);
}

static void collect_queues(struct facts *facts, const char *interface)
{
	unsigned receive = 0, transmit = 0;

	while (access(path_of(interface, "queues/rx-%u", receive).text, F_OK) == 0)
		collect_rps(facts, interface, receive++);
	while (access(path_of(interface, "queues/tx-%u", transmit).text, F_OK) == 0)
		transmit++;
	facts_set_number(facts, "nic.queues.rx", receive);
	facts_set_number(facts, "nic.queues.tx", transmit);
}

static void collect_files(struct facts *facts, const char *interface)
{
	static const char *const files[][2] = {
		{ "napi_defer_hard_irqs", "nic.napi.defer_hard_irqs" },
		{ "gro_flush_timeout", "nic.napi.gro_flush_timeout" },
		{ "threaded", "nic.napi.threaded" },
	};
	char line[HOST_FILE_LINE];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		collect_file(facts, files[i][1], path_of(interface, "%s", files[i][0]).text);
	/* -1, or an error, while there is no link. */
	if (host_file_line(line, sizeof(line), path_of(interface, "speed").text) == 0 && atoi(line) > 0)
		facts_set(facts, "if.speed_mbps", line);
}

void facts_collect_sysfs(struct facts *facts, const char *interface, int ifindex, const char *mac, unsigned links)
{
	bool there = access(CLASS, F_OK) == 0, ours = there && is_of_this_namespace(interface, ifindex, mac, links);

	facts_set(facts, "if.sysfs", ours ? "yes" : "no");
	if (!ours) {
		const char *reason = there ? "/sys shows another network namespace" : "/sys is not there";

		facts_why(facts, "if.sysfs", "%s", reason);
		facts_why(facts, "nic.queues.rx", "%s", reason);
		facts_why(facts, "nic.irqs", "%s", reason);
		facts_why(facts, "nic.numa_node", "%s", reason);
		facts_why(facts, "nic.rps.0", "%s", reason);
		return;
	}
	collect_queues(facts, interface);
	collect_device(facts, interface);
	collect_files(facts, interface);
}
