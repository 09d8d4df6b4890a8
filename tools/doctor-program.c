/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether netring gets into a program, and what the program does that matters. */
#include <string.h>

#include "doctor-rules.h"

void doctor_rule_program(struct doctor *doctor)
{
	const char *check = doctor_fact(doctor, "program.check"), *path = doctor_fact(doctor, "program.path"),
		   *secure = doctor_fact(doctor, "program.secure");
	const char *privilege = doctor_fact(doctor, "program.privilege");

	if (!check || !path)
		return;
	if (strcmp(check, "ok") != 0) {
		doctor_add(doctor, DOCTOR_BROKEN, "program", "netring does not get into this program");
		doctor_seen(doctor, "%s", check);
		doctor_cost(doctor, doctor_is(doctor, "program.captures", "no") ? "It would run as if netring were not there."
										: "It would capture with its own libpcap, and nothing would say so.");
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "program",
		   doctor_is(doctor, "program.kind", "script") ? "netring gets into what this script starts" : "netring gets into this program");
	doctor_seen(doctor, "%s%s", path, secure && strcmp(secure, "no") != 0 ? ", though it is started in secure mode" : "");
	if (doctor_is(doctor, "program.kind", "script"))
		doctor_cost(doctor, "LD_PRELOAD goes down to its children; whether they are static or set-uid cannot be seen from here.");
	else if (privilege && strcmp(privilege, "none") != 0)
		doctor_cost(doctor,
			    "It %s: started by root that is no hindrance, but for other users the loader ignores LD_PRELOAD, and they capture "
			    "without netring.",
			    privilege);
}

void doctor_rule_program_library(struct doctor *doctor)
{
	const char *library = doctor_fact(doctor, "program.libpcap");

	if (!library)
		return;
	doctor_add(doctor, DOCTOR_FINE, "libpcap", "The libpcap that netring stands in for");
	doctor_seen(doctor, "%s", library);
}

void doctor_rule_apparmor(struct doctor *doctor)
{
	const char *profile = doctor_fact(doctor, "program.apparmor.profile"), *mode = doctor_fact(doctor, "program.apparmor.mode");
	const char *file = doctor_fact(doctor, "program.apparmor.file"), *folder = doctor_fact(doctor, "program.library_folder");
	bool allowed = doctor_is(doctor, "program.apparmor.allows", "yes");

	if (!profile || !mode || !folder)
		return;
	if (strcmp(mode, "enforce") != 0 || allowed) {
		doctor_add(doctor, DOCTOR_FINE, "apparmor", "AppArmor profile %s", profile);
		doctor_seen(doctor, "%s; netring's folder %s is %s", mode, folder, allowed ? "allowed" : "not in it");
		return;
	}
	doctor_add(doctor, DOCTOR_BROKEN, "apparmor", "AppArmor keeps netring's library from this program");
	doctor_seen(doctor, "profile %s is enforced, and does not name %s", profile, folder);
	doctor_cost(doctor, "The loader complains that the object cannot be preloaded, and the program captures with its own libpcap.");
	if (file && !strpbrk(file, "'\"\\$` ;&|<>()*?\n") && !strpbrk(folder, "'\"\\$` ;&|<>()*?\n")) {
		doctor_mend(doctor, "echo '%s/** mr,' >> /etc/apparmor.d/local/%s", folder, file);
		doctor_mend(doctor, "apparmor_parser -r /etc/apparmor.d/%s", file);
	}
}

/* What they hold when they call pcap_activate was looked at by strace on Debian 12. */
void doctor_rule_program_xdp(struct doctor *doctor)
{
	static const struct {
		const char *program, *kept;
	} droppers[] = {
		{ "dumpcap", "CAP_NET_ADMIN and CAP_NET_RAW" },
		{ "tshark", "CAP_NET_ADMIN and CAP_NET_RAW (it captures by dumpcap)" },
		{ "wireshark", "CAP_NET_ADMIN and CAP_NET_RAW (it captures by dumpcap)" },
		{ "arp-scan", "CAP_NET_RAW" },
	};

	const char *backend = doctor_fact(doctor, "want.backend");
	bool strict = doctor_is(doctor, "want.strict", "yes");

	if (!backend || strncmp(backend, "xdp", 3) != 0)
		return;
	for (size_t i = 0; i < sizeof(droppers) / sizeof(droppers[0]); i++) {
		if (!doctor_is(doctor, "program.name", droppers[i].program))
			continue;
		doctor_add(doctor, strict ? DOCTOR_BROKEN : DOCTOR_COSTS, "program-xdp", "This program gives up what XDP needs before it captures");
		doctor_seen(doctor, "even started by root it keeps only %s", droppers[i].kept);
		doctor_cost(doctor, "To load an XDP program takes CAP_BPF as well: %s",
			    strict ? "pcap_activate fails, because of NETRING_STRICT." : "the packet ring takes its place, with a line in the log.");
		doctor_mend(doctor, "unset NETRING_BACKEND");
	}
}
