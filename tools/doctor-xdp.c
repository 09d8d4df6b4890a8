/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two paths that begin in XDP: AF_XDP, which takes packets (NETRING_BACKEND=xdp), and copies (xdp-tap). Where XDP cannot be had at all the packet ring
 * takes their place with a warning, or nothing does, with NETRING_STRICT; what the interface or its user refuses makes a capture fail.
 */
#include <string.h>

#include "advice.h"
#include "doctor-rules.h"

/* As src/xdp-ring-open.c: the kernel's headroom in a frame, and netring's, with the program's time. */
#define XDP_HEADROOM 274
/* Ethernet header and one VLAN tag. */
#define XDP_LINK_HEADER 18

static bool asks_for_tap(const struct doctor *doctor)
{
	return doctor_is(doctor, "want.backend", "xdp-tap");
}

static bool asks_for_xdp(const struct doctor *doctor)
{
	return doctor_is(doctor, "want.backend", "xdp") || asks_for_tap(doctor);
}

static bool kernel_is_at_least(const struct doctor *doctor, unsigned major, unsigned minor)
{
	const char *kernel = doctor_fact(doctor, "host.kernel");
	unsigned its_major, its_minor;

	return !kernel || sscanf(kernel, "%u.%u", &its_major, &its_minor) != 2 || its_major > major || (its_major == major && its_minor >= minor);
}

static bool may_load_programs(const struct doctor *doctor)
{
	return !doctor_is(doctor, "self.cap.net_admin", "no") &&
	       !(doctor_is(doctor, "self.cap.bpf", "no") && doctor_is(doctor, "self.cap.sys_admin", "no"));
}

static bool kernel_has(const struct doctor *doctor, bool tap)
{
	const char *socket = doctor_fact(doctor, "try.xdp_socket");

	if (tap)
		return kernel_is_at_least(doctor, 5, 18);
	return !socket || strcmp(socket, "ok") == 0 || strstr(socket, "permitted");
}

/* Bytes of umem that count against RLIMIT_MEMLOCK are more than that. */
static bool locks_too_much(const struct doctor *doctor)
{
	int64_t limit = doctor_number(doctor, "self.limit.memlock"), bytes = doctor_number(doctor, "want.ring_bytes");

	return limit >= 0 && bytes > limit && doctor_is(doctor, "self.cap.ipc_lock", "no");
}

/* What is in the way. For the first four the packet ring is taken instead. */
struct obstacle {
	const char *rule, *what, *seen, *mend;
	const char *brief; /* for who has not asked */
	bool falls_back;
};

#define OBSTACLES 8

static unsigned find_fallbacks(const struct doctor *doctor, bool tap, struct obstacle *obstacles)
{
	unsigned count = 0;

	if (!tap && doctor_is(doctor, "if.kind", "loopback"))
		obstacles[count++] = (struct obstacle){ "xdp-loopback",
							"AF_XDP is not for loopback",
							"the interface is the host's own",
							"export NETRING_BACKEND=xdp-tap",
							"not on loopback",
							true };
	if (doctor_is(doctor, "self.seccomp", "filter"))
		obstacles[count++] = (struct obstacle){ "xdp-seccomp",
							"A seccomp filter may forbid to load an XDP program",
							"self.seccomp = filter",
							"unset NETRING_BACKEND",
							"a seccomp filter is in force",
							true };
	if (!may_load_programs(doctor))
		obstacles[count++] = (struct obstacle){ "xdp-capabilities",
							"This process may not load an XDP program",
							"CAP_NET_RAW is not enough: CAP_NET_ADMIN and CAP_BPF are needed",
							"sudo netring run -- PROGRAM",
							"CAP_NET_ADMIN or CAP_BPF is missing",
							true };
	if (!kernel_has(doctor, tap))
		obstacles[count++] =
			(struct obstacle){ "xdp-kernel",
					   tap ? "The kernel cannot copy packets in XDP, which Linux 5.18 can" : "The kernel has no AF_XDP",
					   doctor_fact(doctor, tap ? "host.kernel" : "try.xdp_socket"),
					   "unset NETRING_BACKEND",
					   tap ? "the kernel is older than Linux 5.18" : "the kernel has no AF_XDP",
					   true };
	return count;
}

static unsigned find_refusals(const struct doctor *doctor, bool tap, struct obstacle *obstacles)
{
	const char *guard = doctor_fact(doctor, "try.guard"), *attached = doctor_fact(doctor, "nic.xdp.attached");
	const char *program = doctor_fact(doctor, "nic.xdp.program");
	unsigned count = 0;

	if (!tap && guard && strcmp(guard, "none") != 0 && !doctor_is(doctor, "want.xdp_steal", "yes"))
		obstacles[count++] = (struct obstacle){ "xdp-guard", "The host needs this interface, and AF_XDP would take its packets away",
							guard,	     "export NETRING_BACKEND=xdp-tap",
							guard,	     false };
	if (attached && strcmp(attached, "none") != 0)
		obstacles[count++] =
			(struct obstacle){ "xdp-attached",     "The interface has an XDP program already", program ? program : "without a name",
					   "bpftool net show", "another XDP program is attached",	   false };
	if (!tap && locks_too_much(doctor))
		obstacles[count++] = (struct obstacle){ "xdp-memlock",
							"AF_XDP's frames are more memory than this process may lock",
							doctor_fact(doctor, "self.limit.memlock"),
							"ulimit -l unlimited",
							"ulimit -l is too small for its frames",
							false };
	return count;
}

enum doctor_path doctor_path(const struct doctor *doctor)
{
	struct obstacle obstacles[OBSTACLES];

	if (doctor_is(doctor, "want.backend", "libpcap"))
		return DOCTOR_PATH_LIBPCAP;
	if (!asks_for_xdp(doctor) || find_fallbacks(doctor, asks_for_tap(doctor), obstacles) > 0)
		return DOCTOR_PATH_PACKET;
	return asks_for_tap(doctor) ? DOCTOR_PATH_TAP : DOCTOR_PATH_XDP;
}

static bool is_native(const struct doctor *doctor)
{
	if (doctor_is(doctor, "want.xdp_mode", "generic"))
		return false;
	return doctor_is(doctor, "nic.xdp.redirect", "yes") ||
	       (!doctor_fact(doctor, "nic.xdp.redirect") && doctor_is(doctor, "nic.xdp.basic", "yes"));
}

/* Of copies, which redirect nothing. */
static bool is_native_tap(const struct doctor *doctor)
{
	return doctor_is(doctor, "nic.xdp.basic", "yes") && !doctor_is(doctor, "want.xdp_mode", "generic");
}

bool doctor_sees_first(const struct doctor *doctor)
{
	enum doctor_path path = doctor_path(doctor);

	return (path == DOCTOR_PATH_XDP && is_native(doctor)) || (path == DOCTOR_PATH_TAP && is_native_tap(doctor));
}

static void add_obstacle(struct doctor *doctor, const struct obstacle *obstacle)
{
	const char *backend = doctor_fact(doctor, "want.backend");
	bool fails = !obstacle->falls_back || doctor_is(doctor, "want.strict", "yes");

	doctor_add(doctor, fails ? DOCTOR_BROKEN : DOCTOR_COSTS, obstacle->rule, "%s", obstacle->what);
	doctor_seen(doctor, "%s", obstacle->seen ? obstacle->seen : "unknown");
	if (fails)
		doctor_cost(doctor, "NETRING_BACKEND=%s asks for it%s, and a capture fails.", backend,
			    obstacle->falls_back ? ", NETRING_STRICT allows nothing else" : "");
	else
		doctor_cost(doctor, "The packet ring takes the place of what NETRING_BACKEND=%s asks for, with a line in the log.", backend);
	doctor_mend(doctor, "%s", obstacle->mend);
}

/* Which kind it would be, or NULL if nobody knows. */
static const char *describe_xdp(const struct doctor *doctor)
{
	if (is_native(doctor))
		return doctor_is(doctor, "nic.xdp.zero_copy", "yes") ? "in the driver (native), without copying (zero copy)"
								     : "in the driver (native), copying each packet";
	if (doctor_fact(doctor, "nic.xdp.basic") || doctor_fact(doctor, "nic.xdp.redirect") || doctor_is(doctor, "want.xdp_mode", "generic"))
		return "generic only, behind the allocation of an skb: no faster than the packet ring";
	return NULL;
}

static const char *describe_tap(const struct doctor *doctor)
{
	if (is_native_tap(doctor))
		return "in the driver (native)";
	if (doctor_fact(doctor, "nic.xdp.basic") || doctor_is(doctor, "want.xdp_mode", "generic"))
		return "generic only, behind the allocation of an skb: slower than the packet ring";
	return NULL;
}

static void judge_asked(struct doctor *doctor, const struct obstacle *obstacles, unsigned count)
{
	const char *kind = asks_for_tap(doctor) ? describe_tap(doctor) : describe_xdp(doctor);

	for (unsigned i = 0; i < count; i++)
		add_obstacle(doctor, &obstacles[i]);
	if (doctor_path(doctor) == DOCTOR_PATH_PACKET || !kind || strncmp(kind, "generic", 7) != 0)
		return;
	doctor_add(doctor, DOCTOR_COSTS, "xdp-generic",
		   doctor_is(doctor, "want.xdp_mode", "generic") ? "XDP runs behind the driver, as asked for" : "The driver cannot run XDP programs");
	doctor_seen(doctor, "%s would be %s", asks_for_tap(doctor) ? "a copy in XDP" : "AF_XDP", kind);
	doctor_cost(doctor, asks_for_tap(doctor) ? "Each packet has become one of the kernel's by then: the filter in XDP spares nothing any more."
						 : "It takes the packets from the host and gains nothing for that.");
	doctor_mend(doctor, "%s", doctor_is(doctor, "want.xdp_mode", "generic") ? "unset NETRING_XDP_MODE" : "unset NETRING_BACKEND");
}

static void mention(struct doctor *doctor, const char *rule, const char *what, const char *kind, const struct obstacle *obstacles, unsigned count)
{
	char text[400] = "";

	if (!kind)
		return;
	for (unsigned i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "; " : "; not possible now: ", obstacles[i].brief);
	doctor_add(doctor, DOCTOR_FINE, rule, "%s", what);
	doctor_seen(doctor, "%s%s", kind, text);
}

static unsigned find_obstacles(const struct doctor *doctor, bool tap, struct obstacle *obstacles)
{
	unsigned count = find_fallbacks(doctor, tap, obstacles);

	return count ? count : find_refusals(doctor, tap, obstacles);
}

void doctor_rule_xdp(struct doctor *doctor)
{
	struct obstacle obstacles[OBSTACLES];
	bool is_generic = !is_native(doctor);

	if (asks_for_xdp(doctor)) {
		judge_asked(doctor, obstacles, find_obstacles(doctor, asks_for_tap(doctor), obstacles));
		return;
	}
	/* Nobody hopes for more on loopback. */
	if (doctor_is(doctor, "if.kind", "loopback"))
		return;
	mention(doctor, "xdp", "AF_XDP (NETRING_BACKEND=xdp)", describe_xdp(doctor), obstacles, find_obstacles(doctor, false, obstacles));
	if (describe_xdp(doctor))
		doctor_cost(doctor, "It is never taken unasked: it takes what it captures away from the host, and does not see what the host sends.");
	/* Where it gains nothing it is not worth a word. */
	if (is_generic || !is_native_tap(doctor))
		return;
	mention(doctor, "xdp-tap", "Copies in XDP (NETRING_BACKEND=xdp-tap)", describe_tap(doctor), obstacles,
		find_obstacles(doctor, true, obstacles));
	doctor_cost(doctor,
		    "Takes nothing from the host, and is faster than the packet ring where a filter wants little of what comes, or the snapshot "
		    "length is short. It does not see what the host sends, so it is not taken unasked.");
}

/* Half of each connection. */
void doctor_rule_xdp_outgoing(struct doctor *doctor)
{
	enum doctor_path path = doctor_path(doctor);

	if ((path != DOCTOR_PATH_XDP && path != DOCTOR_PATH_TAP) || advice_only_listens(doctor->facts) || !doctor_fact(doctor, "if.addresses"))
		return;
	doctor_add(doctor, DOCTOR_COSTS, "xdp-outgoing", "XDP does not see what this host sends");
	doctor_seen(doctor, "NETRING_BACKEND=%s, and the host uses this interface itself", doctor_fact(doctor, "want.backend"));
	doctor_cost(doctor, "Of the host's own connections a capture shows one direction, that which comes in.");
	doctor_mend(doctor, "unset NETRING_BACKEND");
}

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
		bool tap = doctor_is(doctor, "nic.xdp.netring", "copies");

		doctor_add(doctor, tap ? DOCTOR_FINE : DOCTOR_COSTS, "attached", "A capture on netring with %s runs on this interface",
			   tap ? "copies in XDP" : "AF_XDP");
		doctor_seen(doctor, "XDP program %s, %s", which, mode);
		doctor_cost(doctor,
			    tap ? "It takes nothing from the host or other captures; but an interface has room for one XDP program, so that a "
				  "second capture with XDP fails here."
				: "What its filter takes, no other capture on this interface sees, and the host neither.");
		doctor_mend(doctor, "netring stats");
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "attached", "An XDP program sees each packet before any capture does");
	doctor_seen(doctor, "%s, %s", which, mode);
	doctor_cost(doctor,
		    "What it drops or redirects never gets to a packet ring, and no counter of the interface need show it. It also keeps AF_XDP "
		    "and copies in XDP off: an interface has room for one. Look first whose it is: a firewall or load balancer may be made of it.");
	doctor_mend(doctor, "bpftool net show dev %s", doctor->quoted);
	if (id > 0)
		doctor_mend(doctor, "bpftool prog show id %lld", (long long)id);
}

/* By drivers that have it, since Linux 6.6; that of generic mode is not known to netlink. */
static bool gathers_frames(const struct doctor *doctor)
{
	return doctor_is(doctor, "nic.xdp.multi_buffer", "yes") && doctor_fact(doctor, "host.kernel") && kernel_is_at_least(doctor, 6, 6);
}

static void judge_frames(struct doctor *doctor, int64_t mtu, int64_t frame)
{
	int64_t longest = frame - XDP_HEADROOM;

	if (mtu + XDP_LINK_HEADER <= longest)
		return;
	if (gathers_frames(doctor)) {
		doctor_add(doctor, DOCTOR_FINE, "xdp-frames", "The longest packets lie in several of AF_XDP's frames");
		doctor_seen(doctor, "frames of %lld bytes, MTU %lld", (long long)frame, (long long)mtu);
		doctor_cost(doctor, "The reader puts them together.");
		return;
	}
	doctor_add(doctor, DOCTOR_COSTS, "xdp-frames", "AF_XDP's frames are shorter than the longest packets");
	doctor_seen(doctor, "frames of %lld bytes hold packets of %lld, and the MTU of %lld allows %lld", (long long)frame, (long long)longest,
		    (long long)mtu, (long long)mtu + XDP_LINK_HEADER);
	doctor_cost(doctor, "Longer packets are lost, and counted as xdp_other by netring stats.");
	if (mtu + XDP_LINK_HEADER <= 4096 - XDP_HEADROOM)
		doctor_mend(doctor, "export NETRING_XDP_FRAME_SIZE=4096");
	else
		doctor_mend(doctor, "ip link set %s mtu %d", doctor->quoted, 4096 - XDP_HEADROOM - XDP_LINK_HEADER);
}

/* Copies may be of any length. */
void doctor_rule_xdp_frames(struct doctor *doctor)
{
	int64_t mtu = doctor_number(doctor, "if.mtu"), frame = doctor_number(doctor, "want.xdp_frame_bytes");
	enum doctor_path path = doctor_path(doctor);

	if (path == DOCTOR_PATH_XDP && mtu > 0 && frame > 0)
		judge_frames(doctor, mtu, frame);
	if ((path != DOCTOR_PATH_XDP && path != DOCTOR_PATH_TAP) || !doctor_feature_is_on(doctor, "rx-vlan-hw-parse"))
		return;
	doctor_add(doctor, DOCTOR_COSTS, "xdp-vlan", "The adapter takes VLAN tags out before XDP sees the packet");
	doctor_seen(doctor, "rx-vlan-hw-parse is on");
	doctor_cost(doctor, "The tags are gone: the filter \"vlan\" matches nothing, and savefiles have none.");
	doctor_mend(doctor, "ethtool -K %s rxvlan off", doctor->quoted);
}
