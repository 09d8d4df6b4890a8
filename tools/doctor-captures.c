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

static void see(struct doctor *doctor, unsigned number, int64_t drops, int64_t now)
{
	int64_t packets = number_of(doctor, "", number, "packets"), ring = number_of(doctor, "", number, "ring_bytes");
	const char *engine = fact_of(doctor, number, "engine");
	char sample[96] = "", size[64] = "";

	if (now >= 0)
		snprintf(sample, sizeof(sample), "%s lost %s, ", doctor_count((double)now), doctor_sample(doctor));
	if (ring > 0)
		snprintf(size, sizeof(size), ", ring of %s", doctor_bytes((double)ring));
	if (drops < 0)
		doctor_seen(doctor, "engine %s%s; what it loses only its program knows", engine ? engine : "?", size);
	else
		doctor_seen(doctor, "%s%s of %s since it began; engine %s%s", sample, doctor_count((double)drops),
			    doctor_count(packets > 0 ? (double)packets : 0), engine ? engine : "?", size);
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
	see(doctor, number, drops, now);
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
