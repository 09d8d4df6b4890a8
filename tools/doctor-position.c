/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an interface stands among others, what that hides or doubles, and who else listens. */
#include <string.h>

#include "doctor-rules.h"

static bool is_kind(const struct doctor *doctor, const char *kind)
{
	return doctor_is(doctor, "if.kind", kind);
}

void doctor_rule_master(struct doctor *doctor)
{
	const char *master = doctor_fact(doctor, "if.master"), *kind = doctor_fact(doctor, "if.master_kind");

	if (!master || !*master)
		return;
	if (kind && (strcmp(kind, "bond") == 0 || strcmp(kind, "team") == 0)) {
		doctor_add(doctor, DOCTOR_FINE, "master", "The interface is one leg of the %s %s", kind, master);
		doctor_seen(doctor, "packets come here and go on to %s", master);
		doctor_cost(doctor,
			    "A capture here sees this leg's share only, and of a connection perhaps one direction. One on \"any\", or here and on %s "
			    "at once, "
			    "sees each packet twice. To see all, once: capture on %s.",
			    master, master);
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "master", "The interface is a port of the %s %s", kind ? kind : "interface", master);
	doctor_seen(doctor, "packets come here and go on to %s", master);
	doctor_cost(doctor,
		    "Here each packet that passes this port is seen; on %s only what concerns the host itself, and on \"any\", or on both, many of "
		    "them twice.",
		    master);
}

/* Queues, rings and interrupts are those of what is below. */
void doctor_rule_lower(struct doctor *doctor)
{
	const char *lower = doctor_fact(doctor, "if.lower"), *kind = doctor_fact(doctor, "if.kind");

	if (!lower || !*lower || !kind || strcmp(kind, "veth") == 0)
		return;
	doctor_add(doctor, DOCTOR_FINE, "lower", "The packets of this %s come through other interfaces", kind);
	doctor_seen(doctor, "%s", lower);
	doctor_cost(doctor, "What is lost in an adapter is lost there: look at each of them, too.%s",
		    strcmp(kind, "bridge") == 0
			    ? " Here a capture sees what the host itself sends and gets, and with promiscuous mode what is flooded; for all "
			      "that passes the bridge capture on its ports."
			    : "");
	doctor_mend(doctor, "netring doctor %s", "NAME");
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Adapters that somebody else's adapter or switch decides for. */
void doctor_rule_virtual(struct doctor *doctor)
{
	const char *driver = doctor_fact(doctor, "nic.driver");

	if (is_kind(doctor, "loopback")) {
		doctor_add(doctor, DOCTOR_FINE, "position", "Loopback");
		doctor_seen(doctor, "every packet passes twice, as sent and as received");
		doctor_cost(doctor, "Captures show it once, as libpcap does; segments are up to 64 KiB long, and checksums are not made.");
		return;
	}
	if (!driver)
		return;
	if (strcmp(driver, "ena") == 0 || strcmp(driver, "gve") == 0 || strcmp(driver, "hv_netvsc") == 0 || strcmp(driver, "mana") == 0) {
		doctor_add(doctor, DOCTOR_FINE, "position", "A cloud's adapter");
		doctor_seen(doctor, "%s", driver);
		doctor_cost(
			doctor,
			"Promiscuous mode shows nothing more: the cloud delivers only what is sent to this machine. For others' traffic it takes the "
			"cloud's own mirroring.");
	} else if (ends_with(driver, "vf") && strcmp(driver, "cavf") != 0) {
		doctor_add(doctor, DOCTOR_FINE, "position", "A virtual function");
		doctor_seen(doctor, "%s", driver);
		doctor_cost(doctor, "Promiscuous mode works only if the host trusts it (ip link set PF vf N trust on); else a capture sees this "
				    "machine's own packets.");
	} else if (strcmp(driver, "virtio_net") == 0) {
		doctor_add(doctor, DOCTOR_FINE, "position", "A virtual machine's adapter");
		doctor_seen(doctor, "virtio_net");
		doctor_cost(doctor, "Only what the host's bridge or switch passes on comes here, promiscuous mode or not, and its losses are counted "
				    "in the host.");
	}
}

void doctor_rule_sockets(struct doctor *doctor)
{
	int64_t others = doctor_number(doctor, "host.packet_sockets");

	if (others <= 0)
		return;
	doctor_add(doctor, DOCTOR_FINE, "sockets", "Others capture here, too");
	doctor_seen(doctor, "%lld packet %s on this interface, or on all", (long long)others, others == 1 ? "socket" : "sockets");
	doctor_cost(doctor, "Each runs its filter on every packet and copies what passes, in the time of the CPU that receives. Programs that share "
			    "the work instead: "
			    "NETRING_FANOUT.");
	doctor_mend(doctor, "ss -0 -p");
}
