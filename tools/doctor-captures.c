/* SPDX-License-Identifier: BSD-3-Clause */
/* The captures on netring that run now: who loses packets that got as far as the ring. */
#include <string.h>

#include "doctor-rules.h"

static const char *fact_of(const struct doctor *doctor, unsigned number, const char *name)
{
	char fact[64];

	snprintf(fact, sizeof(fact), "capture.%u.%s", number, name);
	return doctor_fact(doctor, fact);
}

static int64_t number_of(const struct doctor *doctor, const char *prefix, unsigned number, const char *name)
{
	char fact[64];

	snprintf(fact, sizeof(fact), "%scapture.%u.%s", prefix, number, name);
	return doctor_number(doctor, fact);
}

/* "17 of 31 000", and of which time. */
static void see_losses(struct doctor *doctor, unsigned number, int64_t drops, const char *behind)
{
	int64_t packets = number_of(doctor, "", number, "packets"), age = number_of(doctor, "", number, "losses_age");
	int64_t now = number_of(doctor, "rate.", number, "drops");
	char sample[96] = "", of[40] = "", when[64] = "since it began";

	if (now >= 0)
		snprintf(sample, sizeof(sample), "%s lost %s, ", doctor_count((double)now), doctor_sample(doctor));
	if (packets >= 0)
		snprintf(of, sizeof(of), " of %s", doctor_count((double)packets));
	if (age >= 0)
		snprintf(when, sizeof(when), "lost when its program last asked, %lld s ago", (long long)age);
	doctor_seen(doctor, "%s%s%s %s; %s", sample, doctor_count((double)drops), of, when, behind);
}

static void see(struct doctor *doctor, unsigned number, int64_t drops)
{
	int64_t ring = number_of(doctor, "", number, "ring_bytes");
	const char *engine = fact_of(doctor, number, "engine");
	char behind[128], size[64] = "";

	if (ring > 0)
		snprintf(size, sizeof(size), ", ring of %s", doctor_bytes((double)ring));
	snprintf(behind, sizeof(behind), "engine %.32s%s", engine ? engine : "unknown", size);
	if (drops >= 0)
		see_losses(doctor, number, drops, behind);
	else if (engine && strcmp(engine, "libpcap") == 0)
		doctor_seen(doctor, "what it loses is unknown until its program calls pcap_stats; %s", behind);
	else
		doctor_seen(doctor, "what it loses is unknown; %s", behind);
}

static void judge(struct doctor *doctor, unsigned number, const char *program)
{
	int64_t pid = number_of(doctor, "", number, "pid"), drops = number_of(doctor, "", number, "drops");
	int64_t now = number_of(doctor, "rate.", number, "drops");
	bool stopped = strcmp(fact_of(doctor, number, "stopped") ? fact_of(doctor, number, "stopped") : "no", "yes") == 0;

	doctor_add(doctor, stopped || now > 0 ? DOCTOR_COSTS : DOCTOR_FINE, "capture", "%s (process %lld) captures here%s", program, (long long)pid,
		   stopped     ? ", and is stopped"
		   : now > 0   ? ", and is too slow: its ring is full"
		   : drops > 0 ? ", and has lost packets"
			       : "");
	see(doctor, number, drops);
	if (stopped)
		doctor_cost(doctor, "It reads nothing: what its ring cannot hold is lost.");
	else if (now > 0)
		doctor_cost(doctor,
			    "These packets came as far as the ring, and were lost there: the adapter, the queues and the kernel are not to blame. "
			    "A larger ring (NETRING_RING_SIZE) holds longer bursts; who is too slow all the time needs a filter, a shorter "
			    "snapshot length, or several readers (NETRING_FANOUT).");
	if (stopped)
		doctor_mend(doctor, "kill -CONT %lld", (long long)pid);
	else if (now > 0 || drops > 0)
		doctor_mend(doctor, "netring stats %lld", (long long)pid);
}

void doctor_rule_captures(struct doctor *doctor)
{
	const char *program;

	for (unsigned number = 0; (program = fact_of(doctor, number, "program")); number++)
		judge(doctor, number, program);
}
