/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads that make of a packet on the wire another one in a capture. */
#include <string.h>

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
	if (!doctor_feature_is_on(doctor, "rx-lro"))
		return;
	doctor_add(doctor, DOCTOR_COSTS, "lro", "The adapter merges packets before anybody sees them (LRO)");
	doctor_seen(doctor, "rx-lro is on%s", is_fixed(doctor, "rx-lro") ? ", and the driver cannot turn it off" : "");
	doctor_cost(
		doctor,
		"Up to some forty TCP segments become one packet of up to 64 KiB, their own headers, times and number are lost, and nothing can tell "
		"them apart again. It also keeps AF_XDP off in most drivers.");
	if (!is_fixed(doctor, "rx-lro"))
		doctor_mend(doctor, "ethtool -K %s lro off", doctor->quoted);
}

void doctor_rule_gro(struct doctor *doctor)
{
	bool hardware = doctor_feature_is_on(doctor, "rx-gro-hw"), software = doctor_feature_is_on(doctor, "rx-gro");

	if (!hardware && !software)
		return;
	doctor_add(doctor, DOCTOR_FINE, "gro", "Packets of a connection are merged before a capture sees them (GRO)");
	doctor_seen(doctor, "%s", hardware && software ? "rx-gro and rx-gro-hw are on" : hardware ? "rx-gro-hw is on" : "rx-gro is on");
	doctor_cost(doctor, "Fewer and longer packets, up to 64 KiB, longer than any on the wire; cheaper to capture. For sizes, counts and times as "
			    "on the wire, "
			    "at more CPU time for each byte:");
	doctor_mend(doctor, "ethtool -K %s gro off%s", doctor->quoted, hardware && !is_fixed(doctor, "rx-gro-hw") ? " rx-gro-hw off" : "");
}

void doctor_rule_vlan(struct doctor *doctor)
{
	if (!doctor_feature_is_on(doctor, "rx-vlan-hw-parse"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "vlan", "The adapter takes VLAN tags out");
	doctor_seen(doctor, "rx-vlan-hw-parse is on");
	doctor_cost(
		doctor,
		"netring puts them back, which moves 12 bytes for each tagged packet, so that programs and savefiles have them; leave it on. (Only "
		"AF_XDP cannot put them back.)");
}

void doctor_rule_segmentation(struct doctor *doctor)
{
	if (!doctor_feature_is_on(doctor, "tx-tcp-segmentation") && !doctor_feature_is_on(doctor, "tx-generic-segmentation"))
		return;
	doctor_add(doctor, DOCTOR_FINE, "segmentation", "What this host sends is cut into packets behind the capture (TSO, GSO)");
	doctor_seen(doctor, "%s is on", doctor_feature_is_on(doctor, "tx-tcp-segmentation") ? "tx-tcp-segmentation" : "tx-generic-segmentation");
	doctor_cost(
		doctor,
		"Own packets are shown up to 64 KiB long and with checksums not made yet; nothing is wrong with them. NETRING_IGNORE_OUTGOING=yes "
		"leaves them out.");
}
