/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The adapter's counters. The descriptor of /sys/class/net is the process's, kept while an interface is open; it is used only where the path leads
 * nowhere.
 */
#include "interface-drops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cancellation.h"

#define FOLDER "/sys/class/net"

static const char *const counters[INTERFACE_DROPS_COUNTERS] = { "rx_missed_errors", "rx_fifo_errors", "rx_dropped" };

/*
 * Drivers that count in rx_dropped what did not fit into the adapter's buffers; as of Linux 6.18. Some have moved it to rx_missed_errors in between,
 * none counts a packet in both.
 */
static const char *const drivers_of_rx_dropped[] = {
	"cxgb4",     /* overflows and truncations of all four buffers */
	"ena",	     /* what the device says that it dropped */
	"enic",	     /* no buffers */
	"i40e",	     /* discards, until 6.8 */
	"mlx5_core", /* discards of the port; no buffers, until 6.8 */
	"vmxnet3",   /* no memory; what the device had no buffers for is in ethtool -S alone */
};

/* Changed as one, and without a lock: a signal handler or a forked child would find it taken. */
static struct folder {
	int fd; /* -1: none */
	unsigned users;
} __attribute__((aligned(sizeof(uint64_t)))) folder = { -1, 0 };

static struct folder load_folder(void)
{
	struct folder now;

	__atomic_load(&folder, &now, __ATOMIC_ACQUIRE);
	return now;
}

static bool change_folder(struct folder from, struct folder to)
{
	return __atomic_compare_exchange(&folder, &from, &to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void take_folder(void)
{
	for (;;) {
		struct folder now = load_folder(), taken = { now.fd, now.users + 1 };

		if (now.users == 0)
			taken.fd = open(FOLDER, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (change_folder(now, taken))
			return;
		if (now.users == 0 && taken.fd >= 0)
			close(taken.fd);
	}
}

/*
 * Programs close descriptors that they do not know, and the number may be somebody else's by now. A sandbox may forbid fstat, so it is asked by mmap, a
 * call of libpcap's. It maps nothing: of a path alone (O_PATH) it says EBADF, of anything that can be read or written something else.
 */
static bool is_path(int fd)
{
	return mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF;
}

static void leave_folder(void)
{
	for (;;) {
		struct folder now = load_folder(), left = { now.fd, now.users - 1 };

		if (now.users == 1)
			left.fd = -1;
		if (!change_folder(now, left))
			continue;
		if (now.users == 1 && now.fd >= 0 && is_path(now.fd))
			close(now.fd);
		return;
	}
}

/* A file of the interface's folder: NUL-terminated, cut to size. False if there is none. */
static bool read_file(const char *name, const char *file, char *text, size_t size)
{
	char path[sizeof(FOLDER) + IFNAMSIZ + 64];
	int fd, kept = load_folder().fd;
	ssize_t length;

	snprintf(path, sizeof(path), FOLDER "/%s/%s", name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && kept >= 0)
		fd = openat(kept, path + sizeof(FOLDER), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static bool read_counter(const char *name, const char *counter, uint64_t *value)
{
	char file[32], text[32], *end;

	snprintf(file, sizeof(file), "statistics/%s", counter);
	if (!read_file(name, file, text, sizeof(text)))
		return false;
	*value = strtoull(text, &end, 10);
	return end != text && (*end == '\n' || *end == '\0');
}

/* Only an adapter has a device with a driver. */
static bool needs_rx_dropped(const char *name)
{
	char text[256], line[64];

	if (!read_file(name, "device/uevent", text, sizeof(text)))
		return false;
	for (size_t i = 0; i < sizeof(drivers_of_rx_dropped) / sizeof(*drivers_of_rx_dropped); i++) {
		int length = snprintf(line, sizeof(line), "DRIVER=%s\n", drivers_of_rx_dropped[i]);
		const char *found = strstr(text, line);

		if (length > 0 && found && (found == text || found[-1] == '\n'))
			return true;
	}
	return false;
}

bool interface_drops_has_rx_dropped(const char *driver)
{
	for (size_t i = 0; i < sizeof(drivers_of_rx_dropped) / sizeof(*drivers_of_rx_dropped); i++)
		if (strcmp(drivers_of_rx_dropped[i], driver) == 0)
			return true;
	return false;
}

void interface_drops_open(struct interface_drops *drops, const char *name)
{
	unsigned index = if_nametoindex(name);
	int errnum = errno;

	memset(drops, 0, sizeof(*drops));
	if (index == 0 || !if_indextoname(index, drops->name))
		return;
	take_folder();
	drops->counters = needs_rx_dropped(drops->name) ? INTERFACE_DROPS_COUNTERS : INTERFACE_DROPS_COUNTERS - 1;
	for (unsigned i = 0; i < drops->counters; i++)
		if (!read_counter(drops->name, counters[i], &drops->last[i]))
			drops->last[i] = UINT64_MAX; /* what it was nobody knows: it counts from the first time that it can be read */
	errno = errnum;
}

void interface_drops_close(struct interface_drops *drops)
{
	int errnum = errno;

	if (drops->counters > 0)
		leave_folder();
	drops->counters = 0;
	errno = errnum;
}

static void look_at_counters(struct interface_drops *drops)
{
	uint64_t value;

	for (unsigned i = 0; i < drops->counters; i++) {
		if (!read_counter(drops->name, counters[i], &value))
			continue;
		if (value > drops->last[i])
			__atomic_store_n(&drops->lost, drops->lost + value - drops->last[i], __ATOMIC_RELAXED);
		drops->last[i] = value;
	}
}

uint64_t interface_drops_now(struct interface_drops *drops)
{
	int errnum = errno, state = cancellation_put_off();

	if (!__atomic_exchange_n(&drops->busy, true, __ATOMIC_ACQUIRE)) {
		look_at_counters(drops);
		__atomic_store_n(&drops->busy, false, __ATOMIC_RELEASE);
	}
	cancellation_allow(state);
	errno = errnum;
	return __atomic_load_n(&drops->lost, __ATOMIC_RELAXED);
}
