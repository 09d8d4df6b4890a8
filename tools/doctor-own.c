/* SPDX-License-Identifier: BSD-3-Clause */
/* Facts of netring's own: what its settings ask for, and what comes of trying. Sockets that are opened receive nothing, and are closed again. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "doctor.h"
#include "geometry.h"
#include "memory-limit.h"
#include "nearest.h"
#include "xdp-guard.h"

/* Protocol 0: no packet comes in. */
static int try_packet_socket(int ifindex)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), failure = errno;

	if (fd < 0)
		return failure;
	failure = ifindex && bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ? errno : 0;
	close(fd);
	return failure;
}

static int try_xdp_socket(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), failure = errno;

	if (fd < 0)
		return failure;
	close(fd);
	return 0;
}

static void set_result(struct facts *facts, const char *name, int errnum)
{
	facts_set(facts, name, errnum ? strerror(errnum) : "ok");
}

/* An adapter that a driver of user-space networks has is none for the kernel. class 0x02: network. */
static void add_adapters_of(const char *driver, char *list, size_t size)
{
	char path[512], class[16];
	struct dirent *entry;
	DIR *folder;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (strchr(entry->d_name, ':') == NULL)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s/class", driver, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(class, sizeof(class), file) && strncmp(class, "0x02", 4) == 0)
			snprintf(list + strlen(list), size - strlen(list), "%s%s", *list ? " " : "", entry->d_name);
		fclose(file);
	}
	if (folder)
		closedir(folder);
}

static void find_bypassed(struct facts *facts)
{
	char list[512] = "";

	add_adapters_of("vfio-pci", list, sizeof(list));
	add_adapters_of("uio_pci_generic", list, sizeof(list));
	add_adapters_of("igb_uio", list, sizeof(list));
	if (*list)
		facts_set(facts, "host.bypass", list);
}

static void find_near(struct facts *facts, const char *interface)
{
	struct nearest nearest = NEAREST_INIT(interface);
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_index; i++)
		nearest_offer(&nearest, all[i].if_name);
	if (nearest.best)
		facts_set(facts, "if.near", nearest.best);
	if_freenameindex(all);
}

static void collect_tries(struct facts *facts, const char *interface)
{
	int ifindex = interface ? (int)if_nametoindex(interface) : 0;
	char guard[XDP_GUARD_TEXT];

	set_result(facts, "try.packet_socket", try_packet_socket(ifindex));
	set_result(facts, "try.xdp_socket", try_xdp_socket());
	find_bypassed(facts);
	if (interface && !ifindex) {
		find_near(facts, interface);
		return;
	}
	if (!ifindex)
		return;
	switch (xdp_guard_find(ifindex, guard, NULL)) {
	case 0:
		facts_set(facts, "try.guard", "none");
		break;
	case 1:
		facts_format(facts, "try.guard", "it %s", guard);
		break;
	}
}

/* As compat/engine.c for a program that asks for nothing: what was written for this capture is not cut to an eighth of the memory. */
static uint64_t memory_for_ring(const struct config *config)
{
	uint64_t machine = memory_available_on_machine(), most = machine - machine / 8, eighth = memory_available() / 8;
	bool deliberate = config_is_deliberate(config, CONFIG_BLOCK_SIZE) || config_is_deliberate(config, CONFIG_BLOCK_COUNT) ||
			  config_is_deliberate(config, CONFIG_RING_SIZE);

	return deliberate || eighth > most ? most : eighth;
}

static void collect_ring(struct facts *facts, const struct config *config)
{
	uint64_t block = config->value[CONFIG_BLOCK_SIZE], bytes = block * config->value[CONFIG_BLOCK_COUNT], limit = memory_for_ring(config);

	if (config_is_set(config, CONFIG_RING_SIZE)) {
		bytes = config->value[CONFIG_RING_SIZE];
		if (!config_is_deliberate(config, CONFIG_BLOCK_SIZE))
			block = geometry_divide(bytes, (uint32_t)block);
	}
	facts_set_number(facts, "want.ring_bytes", (int64_t)bytes);
	facts_set_number(facts, "want.ring_bytes_got", (int64_t)(bytes < limit ? bytes : limit));
	facts_set_number(facts, "want.block_bytes", (int64_t)block);
}

void doctor_collect_own(struct facts *facts, const char *interface, const char *program)
{
	struct netring_error error;
	struct config config;
	char text[64];

	collect_tries(facts, interface);
	config_init(&config);
	config.program = program ? program : "";
	config.interface = interface;
	if (config_load(&config, &error) < 0) {
		facts_set(facts, "want.error", error.text);
		return;
	}
	facts_set(facts, "want.backend", config_format(&config, CONFIG_BACKEND, text, sizeof(text)));
	facts_set(facts, "want.rings", config_format(&config, CONFIG_RINGS, text, sizeof(text)));
	facts_set(facts, "want.strict", config.value[CONFIG_STRICT] ? "yes" : "no");
	facts_set(facts, "want.xdp_steal", config.value[CONFIG_XDP_STEAL] ? "yes" : "no");
	facts_set(facts, "want.xdp_mode", config_format(&config, CONFIG_XDP_MODE, text, sizeof(text)));
	facts_set_number(facts, "want.xdp_frame_bytes", (int64_t)config.value[CONFIG_XDP_FRAME_SIZE]);
	collect_ring(facts, &config);
}
