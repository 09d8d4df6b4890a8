/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a capture is possible, which path it would take, and why not the faster one. */
#include <string.h>

#include "doctor-rules.h"

/* A PCI address may go into a command. */
static bool is_pci_address(const char *text, size_t length)
{
	return length == 12 && strspn(text, "0123456789abcdefABCDEF:.") >= length;
}

static void mend_bypass(struct doctor *doctor, const char *adapters)
{
	size_t length = strcspn(adapters, " ");

	if (!is_pci_address(adapters, length))
		return;
	doctor_mend(doctor, "echo > /sys/bus/pci/devices/%.*s/driver_override", (int)length, adapters);
	doctor_mend(doctor, "echo %.*s > /sys/bus/pci/devices/%.*s/driver/unbind", (int)length, adapters, (int)length, adapters);
	doctor_mend(doctor, "echo %.*s > /sys/bus/pci/drivers_probe", (int)length, adapters);
}

void doctor_rule_missing(struct doctor *doctor)
{
	const char *adapters = doctor_fact(doctor, "host.bypass"), *why = doctor_fact(doctor, "if.missing"), *near = doctor_fact(doctor, "if.near");

	if (!why)
		return;
	doctor_add(doctor, DOCTOR_BROKEN, "missing", "There is no such interface");
	if (adapters) {
		doctor_seen(doctor, "%s; the network adapters %s are bound to a driver of user-space networks (vfio-pci, uio)", why, adapters);
		doctor_cost(doctor,
			    "If it is one of these, the kernel does not see it: it belongs to DPDK or a virtual machine, and only that can capture "
			    "on it. The commands give the first of them back to the kernel, and take it from who uses it now.");
		mend_bypass(doctor, adapters);
		return;
	}
	doctor_seen(doctor, near ? "%s; did you mean %s?" : "%s", why, near);
	doctor_cost(doctor, "Interfaces of containers and other network namespaces are seen only from inside: ip netns exec, nsenter --net.");
	doctor_mend(doctor, "ip -br link");
}

void doctor_rule_permission(struct doctor *doctor)
{
	const char *result = doctor_fact(doctor, "try.packet_socket");
	bool refused = result ? strcmp(result, "ok") != 0 : doctor_is(doctor, "self.cap.net_raw", "no");

	if (!refused) {
		if (result)
			doctor_add(doctor, DOCTOR_FINE, "permission", "A packet socket can be opened here"), doctor_seen(doctor, "tried just now");
		return;
	}
	doctor_add(doctor, DOCTOR_BROKEN, "permission", "This process may not capture");
	doctor_seen(doctor, "socket(AF_PACKET): %s", result ? result : "CAP_NET_RAW is missing");
	doctor_cost(doctor, "A capture takes CAP_NET_RAW in the user namespace that owns the network namespace%s.",
		    doctor_is(doctor, "host.container", "yes") ? "; in a container: --cap-add NET_RAW" : "");
	doctor_mend(doctor, "sudo netring run -- PROGRAM");
	doctor_mend(doctor, "sudo setpriv --reuid \"$USER\" --init-groups --inh-caps +net_raw --ambient-caps +net_raw netring run -- PROGRAM");
}

void doctor_rule_down(struct doctor *doctor)
{
	if (doctor_is(doctor, "if.state", "down")) {
		doctor_add(doctor, DOCTOR_BROKEN, "down", "The interface is down");
		doctor_seen(doctor, "IFF_UP is not set");
		doctor_cost(doctor, "Capture programs end with \"That device is not up\".");
		doctor_mend(doctor, "ip link set %s up", doctor->quoted);
	} else if (doctor_is(doctor, "if.carrier", "no")) {
		doctor_add(doctor, DOCTOR_COSTS, "carrier", "The interface has no carrier");
		doctor_seen(doctor, "it is up, but nothing is at the other end: no cable, no light, or its peer is down");
		doctor_cost(doctor, "A capture starts, and sees no packet.");
		doctor_mend(doctor, "ethtool %s", doctor->quoted);
	}
}

static const char *rings_text(const struct doctor *doctor, char *text, size_t size)
{
	const char *rings = doctor_fact(doctor, "want.rings");
	int64_t bytes = doctor_number(doctor, "want.ring_bytes"), block = doctor_number(doctor, "want.block_bytes");

	if (bytes <= 0 || block <= 0)
		return NULL;
	if (!rings || strcmp(rings, "1") == 0)
		snprintf(text, size, "one ring of %s in blocks of %s", doctor_bytes((double)bytes), doctor_bytes((double)block));
	else if (strcmp(rings, "auto") == 0)
		snprintf(text, size, "a ring for each receive queue, %s together", doctor_bytes((double)bytes));
	else
		snprintf(text, size, "%.20s rings, %s together", rings, doctor_bytes((double)bytes));
	return text;
}

void doctor_rule_path(struct doctor *doctor)
{
	char text[160];
	const char *rings = rings_text(doctor, text, sizeof(text)), *error = doctor_fact(doctor, "want.error");
	int64_t ring = doctor_number(doctor, "want.ring_bytes");

	if (doctor_fact(doctor, "if.missing"))
		return;
	if (error) {
		doctor_add(doctor, DOCTOR_BROKEN, "settings", "netring's settings cannot be used");
		doctor_seen(doctor, "%s", error);
		doctor_cost(doctor, "Every capture fails at pcap_activate with this text.");
		doctor_mend(doctor, "netring env");
		return;
	}
	if (doctor_is(doctor, "want.backend", "libpcap")) {
		doctor_add(doctor, DOCTOR_COSTS, "backend", "NETRING_BACKEND=libpcap: captures run as if netring were not there");
		doctor_seen(doctor, "the program's own ring, 2 MiB unless it asks for more");
		doctor_cost(doctor, "13 792 packets of 60 bytes fill that; netring's 256 MiB hold more than a million.");
		doctor_mend(doctor, "unset NETRING_BACKEND");
	} else if (doctor_path(doctor) == DOCTOR_PATH_TAP) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "copies in XDP (xdp-tap), as asked for: %s of ring buffers, shared out over the CPUs",
			    ring > 0 ? doctor_bytes((double)ring) : "megabytes");
		doctor_cost(doctor,
			    "The host keeps getting its packets. What the filter accepts is copied, up to the snapshot length; what a capture "
			    "does not want costs nothing but the filter.");
	} else if (doctor_path(doctor) == DOCTOR_PATH_XDP) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "AF_XDP, as asked for");
		doctor_cost(doctor,
			    "What it takes, the host does not get; and each packet takes a whole frame of the ring, whatever its length and the "
			    "snapshot length.");
	} else if (rings) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "the packet ring (AF_PACKET, TPACKET_V3), %s", rings);
		doctor_cost(doctor,
			    "The host keeps getting its packets. A program in immediate mode gets TPACKET_V2 slots in a ring of that size instead.");
	}
}
