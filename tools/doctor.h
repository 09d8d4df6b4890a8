/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netring doctor: facts in, findings out. A rule looks at facts (facts.h) and, if it has something to say, adds a finding; it says nothing where the fact
 * it needs is absent. Rules are grouped by idea, one file each, and listed in doctor-rules.c, which is the order in which they are shown.
 *
 * One thread. All texts belong to the struct doctor.
 */
#ifndef NETRING_DOCTOR_H
#define NETRING_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "facts.h"

enum doctor_group {
	DOCTOR_BROKEN,		/* a capture is impossible, or would not be on netring */
	DOCTOR_COSTS,		/* packets are lost or distorted: a counter says so, or the setting cannot but do it */
	DOCTOR_FINE,		/* also what is good to know */
};

struct doctor_finding {
	enum doctor_group group;
	const char *rule;	/* a name for programs; it stays from version to version */
	char *about;		/* "host", the interface's name, or the program's */
	char *what;		/* a few words */
	char *seen;		/* the figure; or NULL */
	char *cost;		/* the consequence, a sentence; or NULL */
	char *mend;		/* commands for a shell, one in each line; or NULL */
};

/* A patient. */
struct doctor {
	const struct facts *facts;
	const char *about;	/* of the findings to come */
	struct doctor_finding *finding;
	size_t count;
	bool failed;		/* there was no memory for one of them */
	char quoted[160];	/* the interface's name, as a shell takes it */
};

#define DOCTOR_FORMAT(text, arguments) __attribute__((format(printf, text, arguments)))

/* The finding that the texts below belong to is the last one added. */
void doctor_add(struct doctor *doctor, enum doctor_group group, const char *rule, const char *what, ...) DOCTOR_FORMAT(4, 5);
void doctor_seen(struct doctor *doctor, const char *format, ...) DOCTOR_FORMAT(2, 3);
void doctor_cost(struct doctor *doctor, const char *format, ...) DOCTOR_FORMAT(2, 3);
/* Only what was checked or quoted may go into a command: facts may come from strangers. Several calls: several lines. */
void doctor_mend(struct doctor *doctor, const char *format, ...) DOCTOR_FORMAT(2, 3);

/* Of these facts, which are to stay, and no findings yet. */
void doctor_start(struct doctor *doctor, const struct facts *facts);
void doctor_free(struct doctor *doctor);

/* The worst group that there is among findings about `about`, NULL for all; and the first finding in it in *first, if that is not NULL. */
enum doctor_group doctor_verdict(const struct doctor *doctor, const char *about, const struct doctor_finding **first);

/* "broken", "costs_packets", "fine" */
const char *doctor_group_name(enum doctor_group group);

/* The rules, in doctor-rules.c: those about the host, those about the interface that the facts are of, and those about the program. */
void doctor_judge_host(struct doctor *doctor);
void doctor_judge_interface(struct doctor *doctor);
void doctor_judge_program(struct doctor *doctor);

/* Facts as rules want them. */

static inline const char *doctor_fact(const struct doctor *doctor, const char *name)
{
	return facts_get(doctor->facts, name);
}

static inline bool doctor_is(const struct doctor *doctor, const char *name, const char *text)
{
	return facts_is(doctor->facts, name, text);
}

/* No count, size or time of a host is larger: what is, is no fact. Sums and doubles of such numbers fit. */
#define DOCTOR_NUMBER_MAX ((int64_t)1 << 52)

/* -1: there is none. */
static inline int64_t doctor_number(const struct doctor *doctor, const char *name)
{
	int64_t number = facts_number(doctor->facts, name, -1);

	return number < 0 || number > DOCTOR_NUMBER_MAX ? -1 : number;
}

/* Per second, over the sample; -1: there is none. */
double doctor_rate(const struct doctor *doctor, const char *name);

/* on or "on fixed" */
bool doctor_feature_is_on(const struct doctor *doctor, const char *feature);

/* A CPU list that may go into a command: digits, commas, minus signs. */
bool doctor_is_cpu_list(const char *text);

/* How many queues packets come in by: what RSS uses, else channels, else what sysfs has; at least 1. */
int64_t doctor_queues(const struct doctor *doctor);

/* How many CPUs receive: no more than there are queues, CPUs, or CPUs that the queues' interrupts go to. */
int64_t doctor_receiving_cpus(const struct doctor *doctor);

/*
 * What advice.h makes of a setting, if that is not what it is: -1 if nothing is to be changed, or nothing can be said. So what doctor proposes is what
 * `netring tune` would set.
 */
int64_t doctor_advised(const struct doctor *doctor, const char *setting);

/* The same of the number of queues: whether there can be more, how many there should be (-1: unknown), and the command, if they are not. */
bool doctor_can_have_more_queues(const struct doctor *doctor);
int64_t doctor_most_queues(const struct doctor *doctor);
void doctor_mend_queues(struct doctor *doctor);

/* The command that gives a sysctl the advised value, if it has another. */
void doctor_mend_sysctl(struct doctor *doctor, const char *name);

/* "in the last 1 s", "in the last 2.5 s" */
const char *doctor_sample(const struct doctor *doctor);

/* " (on average 3 an hour)" of a total since boot; "" if it is 0, or nobody knows when that was. Good as long as the texts below. */
const char *doctor_average(const struct doctor *doctor, int64_t total);

/* Texts for figures, in a few buffers in turn: good for the arguments of one call. */
const char *doctor_count(double number);	/* 12 345, 1.2 million */
const char *doctor_bytes(double bytes);		/* 256 MiB */
const char *doctor_bits(double per_second);	/* 6.1 Gbit/s */
const char *doctor_time(double seconds);	/* 34 us, 1.2 s */

/* Each interface, where none was asked for. All zero: empty. */

struct doctor_interface_verdict {
	char name[64];
	struct facts facts; /* the host's among them */
	enum doctor_group group;
	char *why; /* NULL if it is fine */
	size_t more; /* findings of that group beside the one in why */
};

struct doctor_overview {
	struct doctor_interface_verdict *interface;
	size_t count;
};

/* Fills an empty one with what is known of each interface; 0 or -errno with a sentence, and doctor_overview_free in either case. */
int doctor_overview_collect(struct doctor_overview *overview, const struct facts *host, struct netring_error *error);

/* Their traffic, from one watch (facts-collect.h). */
struct facts_watch;
void doctor_overview_collect_rates(struct doctor_overview *overview, const struct facts_watch *watch);

/* Sets group, why and more. 0, or -ENOMEM with a sentence. */
int doctor_overview_judge(struct doctor_overview *overview, struct netring_error *error);
void doctor_overview_free(struct doctor_overview *overview);

/* Of all. An interface that is broken, because it is down, say, concerns who captures there, not the host. */
enum doctor_group doctor_worst(const struct doctor *doctor, const struct doctor_overview *overview);

/* Reports, on standard output. */

void doctor_print_text(const struct doctor *doctor, const struct doctor_overview *overview);
void doctor_print_json(const struct doctor *doctor, const struct doctor_overview *overview);

/* Facts. */

/* As facts_collect_interface, but of one that is not there if.missing tells, and that is no failure. */
int doctor_collect_interface(struct facts *facts, const char *interface, struct netring_error *error);

/* What a capture on interface (NULL: any) by program (NULL: any) would ask for, as try.* and want.*; opens sockets and closes them. */
void doctor_collect_own(struct facts *facts, const char *interface, const char *program);

/* program.*, for the program that `netring run` would start. -ENOENT, -EACCES as program_find. */
int doctor_collect_program(struct facts *facts, char *const argv[], const char *folder, struct netring_error *error);

#endif
