/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a capture is possible, which path it would take, and why not the faster one. */
#include <string.h>

#include "doctor-rules.h"

/* As src/xdp-ring-open.c: the kernel's headroom in a frame, and netring's, with the program's time. */
#define XDP_HEADROOM 274
/* Ethernet header and one VLAN tag. */
#define XDP_LINK_HEADER 18

static bool wants_xdp(const struct doctor *doctor)
{
	return doctor_is(doctor, "want.backend", "xdp");
}

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
	} else if (doctor_is(doctor, "want.backend", "xdp-tap")) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "copies in XDP (xdp-tap), as asked for; the host keeps getting its packets");
	} else if (wants_xdp(doctor)) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "AF_XDP, as asked for; what it takes, the host does not get");
	} else if (rings) {
		doctor_add(doctor, DOCTOR_FINE, "path", "Path of a capture");
		doctor_seen(doctor, "the packet ring (AF_PACKET, TPACKET_V3), %s", rings);
		doctor_cost(doctor,
			    "The host keeps getting its packets. A program in immediate mode gets TPACKET_V2 slots in a ring of that size instead.");
	}
}

/* AF_XDP */

void doctor_rule_attached(struct doctor *doctor)
{
	const char *mode = doctor_fact(doctor, "nic.xdp.attached"), *name = doctor_fact(doctor, "nic.xdp.program");
	int64_t id = doctor_number(doctor, "nic.xdp.program_id");
	char which[120];

	if (!mode || strcmp(mode, "none") == 0)
		return;
	if (id > 0)
		snprintf(which, sizeof(which), "%.60s, id %lld", name ? name : "a program", (long long)id);
	else
		snprintf(which, sizeof(which), "%.60s", name ? name : "a program");
	if (name && strcmp(name, "netring_xdp") == 0) {
		doctor_add(doctor, DOCTOR_COSTS, "attached", "A capture on netring with AF_XDP runs on this interface");
		doctor_seen(doctor, "XDP program %s, %s", which, mode);
		doctor_cost(doctor, "What its filter takes, no other capture on this interface sees, and the host neither.");
		doctor_mend(doctor, "netring stats");
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "attached", "An XDP program sees each packet before any capture does");
	doctor_seen(doctor, "%s, %s", which, mode);
	doctor_cost(
		doctor,
		"What it drops or redirects never gets to a packet ring, and no counter of the interface need show it. It also keeps AF_XDP off: an "
		"interface has room for one. Look first whose it is: a firewall or load balancer may be made of it.");
	doctor_mend(doctor, "bpftool net show dev %s", doctor->quoted);
	if (id > 0)
		doctor_mend(doctor, "bpftool prog show id %lld", (long long)id);
}

/* What keeps AF_XDP from this interface, each broken if it was asked for. */
static void add_obstacle(struct doctor *doctor, const char *rule, const char *what, const char *seen)
{
	doctor_add(doctor, DOCTOR_BROKEN, rule, "%s", what);
	doctor_seen(doctor, "%s", seen);
	doctor_cost(doctor, "NETRING_BACKEND=xdp asks for AF_XDP, and a capture fails.");
}

static bool may_load_programs(const struct doctor *doctor)
{
	return !doctor_is(doctor, "self.cap.net_admin", "no") &&
	       !(doctor_is(doctor, "self.cap.bpf", "no") && doctor_is(doctor, "self.cap.sys_admin", "no"));
}

/* Bytes of umem that count against RLIMIT_MEMLOCK, or -1 if they do not or nobody knows. */
static int64_t memory_above_limit(const struct doctor *doctor)
{
	int64_t limit = doctor_number(doctor, "self.limit.memlock"), bytes = doctor_number(doctor, "want.ring_bytes");

	if (limit < 0 || bytes <= limit || !doctor_is(doctor, "self.cap.ipc_lock", "no"))
		return -1;
	return bytes;
}

/* All of them in one text, for who has not asked; or each as a finding. Returns how many. */
static unsigned find_obstacles(struct doctor *doctor, bool add, char *text, size_t size)
{
	const char *guard = doctor_fact(doctor, "try.guard"), *socket = doctor_fact(doctor, "try.xdp_socket");
	const char *attached = doctor_fact(doctor, "nic.xdp.attached");
	unsigned found = 0;

	text[0] = '\0';
#define OBSTACLE(condition, rule, what, seen, mend, short_text) \
	do { \
		if (!(condition)) \
			break; \
		if (add) { \
			add_obstacle(doctor, rule, what, seen); \
			doctor_mend(doctor, "%s", mend); \
		} \
		snprintf(text + strlen(text), size - strlen(text), "%s%s", found++ ? "; " : "", short_text); \
	} while (0)
	OBSTACLE(guard && strcmp(guard, "none") != 0, "xdp-guard", "The host needs this interface, and AF_XDP would take its packets away", guard,
		 "unset NETRING_BACKEND", guard);
	OBSTACLE(attached && strcmp(attached, "none") != 0, "xdp-attached", "The interface has an XDP program already",
		 doctor_fact(doctor, "nic.xdp.program") ? doctor_fact(doctor, "nic.xdp.program") : "without a name", "bpftool net show",
		 "another XDP program is attached");
	OBSTACLE(socket && strcmp(socket, "ok") != 0 && strstr(socket, "permitted") == NULL, "xdp-kernel", "The kernel has no AF_XDP", socket,
		 "unset NETRING_BACKEND", "the kernel has no AF_XDP");
	OBSTACLE(!may_load_programs(doctor), "xdp-capabilities", "This process may not load an XDP program",
		 "CAP_NET_RAW is not enough: CAP_NET_ADMIN and CAP_BPF are needed", "unset NETRING_BACKEND", "CAP_NET_ADMIN or CAP_BPF is missing");
	OBSTACLE(memory_above_limit(doctor) > 0, "xdp-memlock", "AF_XDP's frames are more memory than this process may lock",
		 doctor_fact(doctor, "self.limit.memlock"), "ulimit -l unlimited", "ulimit -l is too small for its frames");
#undef OBSTACLE
	return found;
}

static const char *xdp_kind(const struct doctor *doctor)
{
	if (doctor_is(doctor, "nic.xdp.redirect", "yes") || (!doctor_fact(doctor, "nic.xdp.redirect") && doctor_is(doctor, "nic.xdp.basic", "yes")))
		return doctor_is(doctor, "nic.xdp.zero_copy", "yes") ? "in the driver (native), without copying (zero copy)"
								     : "in the driver (native), copying each packet";
	if (doctor_is(doctor, "nic.xdp.basic", "no") || doctor_is(doctor, "nic.xdp.redirect", "no"))
		return "generic only, behind the allocation of an skb: no faster than the packet ring";
	return NULL;
}

void doctor_rule_xdp(struct doctor *doctor)
{
	const char *kind = xdp_kind(doctor);
	char text[400];
	unsigned obstacles;

	if (wants_xdp(doctor)) {
		find_obstacles(doctor, true, text, sizeof(text));
		if (kind && strncmp(kind, "generic", 7) == 0) {
			doctor_add(doctor, DOCTOR_COSTS, "xdp-generic", "The driver cannot run XDP programs");
			doctor_seen(doctor, "AF_XDP would be %s", kind);
			doctor_cost(doctor, "It takes the packets from the host and gains nothing for that.");
			doctor_mend(doctor, "unset NETRING_BACKEND");
		}
		return;
	}
	if (!kind)
		return;
	obstacles = find_obstacles(doctor, false, text, sizeof(text));
	doctor_add(doctor, DOCTOR_FINE, "xdp", "AF_XDP (NETRING_BACKEND=xdp)");
	if (obstacles)
		doctor_seen(doctor, "%s; not possible now: %s", kind, text);
	else
		doctor_seen(doctor, "%s", kind);
	doctor_cost(doctor, "It is never taken unasked: it takes what it captures away from the host, and does not see what the host sends.");
}

/* By drivers that have it, since Linux 6.6; that of generic mode is not known to netlink. */
static bool gathers_frames(const struct doctor *doctor)
{
	const char *kernel = doctor_fact(doctor, "host.kernel");
	unsigned major, minor;

	return doctor_is(doctor, "nic.xdp.multi_buffer", "yes") && kernel && sscanf(kernel, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 6));
}

void doctor_rule_xdp_frames(struct doctor *doctor)
{
	int64_t mtu = doctor_number(doctor, "if.mtu"), frame = doctor_number(doctor, "want.xdp_frame_bytes"), longest = frame - XDP_HEADROOM;

	if (!wants_xdp(doctor) || mtu <= 0 || frame <= 0)
		return;
	if (mtu + XDP_LINK_HEADER > longest && gathers_frames(doctor)) {
		doctor_add(doctor, DOCTOR_FINE, "xdp-frames", "The longest packets lie in several of AF_XDP's frames");
		doctor_seen(doctor, "frames of %lld bytes, MTU %lld", (long long)frame, (long long)mtu);
		doctor_cost(doctor, "The reader puts them together.");
	} else if (mtu + XDP_LINK_HEADER > longest) {
		doctor_add(doctor, DOCTOR_COSTS, "xdp-frames", "AF_XDP's frames are shorter than the longest packets");
		doctor_seen(doctor, "frames of %lld bytes hold packets of %lld, and the MTU of %lld allows %lld", (long long)frame,
			    (long long)longest, (long long)mtu, (long long)mtu + XDP_LINK_HEADER);
		doctor_cost(doctor, "Longer packets are lost, and counted as xdp_other by netring stats.");
		if (mtu + XDP_LINK_HEADER <= 4096 - XDP_HEADROOM)
			doctor_mend(doctor, "export NETRING_XDP_FRAME_SIZE=4096");
		else
			doctor_mend(doctor, "ip link set %s mtu %d", doctor->quoted, 4096 - XDP_HEADROOM - XDP_LINK_HEADER);
	}
	if (doctor_feature_is_on(doctor, "rx-vlan-hw-parse")) {
		doctor_add(doctor, DOCTOR_COSTS, "xdp-vlan", "The adapter takes VLAN tags out before AF_XDP sees the packet");
		doctor_seen(doctor, "rx-vlan-hw-parse is on");
		doctor_cost(doctor, "The tags are gone: the filter \"vlan\" matches nothing, and savefiles have none.");
		doctor_mend(doctor, "ethtool -K %s rxvlan off", doctor->quoted);
	}
}
