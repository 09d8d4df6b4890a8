/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads that make of a packet on the wire another one in a capture. */
#include <string.h>

#include "advice.h"
#include "doctor-rules.h"

static bool is_fixed(const struct doctor *doctor, const char *feature)
{
	char name[128];
	const char *value;

	snprintf(name, sizeof(name), "nic.feature.%s", feature);
	value = doctor_fact(doctor, name);
	return value && strstr(value, "fixed");
}

void doctor_rule_lro(struct doctor *doctor)
{
	if (!doctor_feature_is_on(doctor, "rx-lro") || !advice_may_have_adapter(doctor->facts))
		return;
	doctor_add(doctor, DOCTOR_COSTS, "lro", "The adapter merges packets before anybody sees them (LRO)");
	doctor_seen(doctor, "rx-lro is on%s", is_fixed(doctor, "rx-lro") ? ", and the driver cannot turn it off" : "");
	doctor_cost(
		doctor,
		"Up to some forty TCP segments become one packet of up to 64 KiB, their own headers, times and number are lost, and nothing can tell "
		"them apart again. It also keeps AF_XDP off in most drivers.%s",
		doctor_link_warning(doctor));
	if (!is_fixed(doctor, "rx-lro"))
		doctor_mend(doctor, "ethtool -K %s lro off", doctor->quoted);
}

/* The kernel's names and ethtool's, in the order in which they can be switched off. */
static const struct {
	const char *feature, *word;
} merging[] = {
	{ "rx-gro-list", "rx-gro-list" },
	{ "rx-udp-gro-forwarding", "rx-udp-gro-forwarding" },
	{ "rx-gro-hw", "rx-gro-hw" },
	{ "rx-gro", "gro" },
};

/* XDP in the driver comes before it. What comes by other interfaces was merged there; nothing on loopback needs to be. */
void doctor_rule_gro(struct doctor *doctor)
{
	char on[120] = "", command[160] = "";
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(merging) / sizeof(merging[0]); i++) {
		if (!doctor_feature_is_on(doctor, merging[i].feature))
			continue;
		snprintf(on + strlen(on), sizeof(on) - strlen(on), "%s%s", count++ ? ", " : "", merging[i].feature);
		if (!is_fixed(doctor, merging[i].feature))
			snprintf(command + strlen(command), sizeof(command) - strlen(command), " %s off", merging[i].word);
	}
	if (!count || doctor_sees_first(doctor) || doctor_fact(doctor, "if.lower") || doctor_is(doctor, "if.kind", "loopback"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "gro", "Packets of a connection are merged before a capture sees them (GRO)");
	doctor_seen(doctor, "%s", on);
	if (advice_feature_off(doctor->facts, ADVICE_HIGH_THROUGHPUT, "rx-gro")) {
		doctor_cost(doctor,
			    "Fewer and longer packets, up to 64 KiB, longer than any on the wire. The host itself does not use this interface, "
			    "so that nothing is gained by it but cheaper captures. For sizes, counts and times as on the wire:");
		if (command[0])
			doctor_mend(doctor, "ethtool -K %s%s", doctor->quoted, command);
		return;
	}
	doctor_cost(doctor, "Fewer and longer packets, up to 64 KiB, longer than any on the wire. It makes receiving cheaper, for the host's own "
			    "connections too, and fewer packets are lost with it. Where sizes, counts and times have to be those of the wire:");
	doctor_mend(doctor, "netring tune -p low_latency %s", doctor->quoted);
}

void doctor_rule_vlan(struct doctor *doctor)
{
	enum doctor_path path = doctor_path(doctor);

	/* With XDP that is another finding. */
	if (!doctor_feature_is_on(doctor, "rx-vlan-hw-parse") || path == DOCTOR_PATH_XDP || path == DOCTOR_PATH_TAP)
		return;
	doctor_add(doctor, DOCTOR_FINE, "vlan", "The adapter takes VLAN tags out");
	doctor_seen(doctor, "rx-vlan-hw-parse is on");
	doctor_cost(
		doctor,
		"netring puts them back, which moves 12 bytes for each tagged packet, so that programs and savefiles have them; leave it on. (Only "
		"XDP cannot put them back: NETRING_BACKEND=xdp and xdp-tap.)");
}

void doctor_rule_segmentation(struct doctor *doctor)
{
	enum doctor_path path = doctor_path(doctor);

	/* XDP does not see it at all. */
	if (path == DOCTOR_PATH_XDP || path == DOCTOR_PATH_TAP)
		return;
	if (!doctor_feature_is_on(doctor, "tx-tcp-segmentation") && !doctor_feature_is_on(doctor, "tx-generic-segmentation"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "segmentation", "What this host sends is cut into packets behind the capture (TSO, GSO)");
	doctor_seen(doctor, "%s is on", doctor_feature_is_on(doctor, "tx-tcp-segmentation") ? "tx-tcp-segmentation" : "tx-generic-segmentation");
	doctor_cost(
		doctor,
		"Own packets are shown up to 64 KiB long and with checksums not made yet; nothing is wrong with them. NETRING_IGNORE_OUTGOING=yes "
		"leaves them out.");
}
