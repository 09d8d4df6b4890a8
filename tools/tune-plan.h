/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to change on an interface and its host, so that captures on it lose less: decided from facts alone, so that it can be asked about a host that was
 * recorded elsewhere. Which value is right is in advice.h; here is what becomes of it, and why. Nothing is read or set here.
 */
#ifndef NETRING_TUNE_PLAN_H
#define NETRING_TUNE_PLAN_H

#include "advice.h"

enum tune_state {
	TUNE_CHANGE,	/* proposed has the new value */
	TUNE_FINE,	/* as it should be */
	TUNE_LEFT,	/* cannot be changed, or is better not: why says the reason */
};

enum tune_outcome { TUNE_NOT_TRIED, TUNE_DONE, TUNE_FAILED };

struct tune_row {
	char setting[128];	/* the fact's name: nic.ring.rx */
	const char *now, *proposed;	/* as facts write them; NULL: unknown, or none */
	char why[200];
	enum tune_state state;
	enum tune_outcome outcome;	/* of setting it; if it failed, why has the reason */
};

/* The rows are in the order in which they have to be set; undone in the opposite one. */
struct tune_plan {
	struct tune_row *row;
	size_t count;
	struct facts values;	/* what the rows point to */
	bool failed;		/* there was no memory for one of them */
	char note[5][240];	/* what to know besides; "" behind the last */
};

/* tune_plan_free in any case. */
void tune_plan_make(struct tune_plan *plan, const struct facts *facts, enum advice_profile profile);

/* Another row behind the others, with copies of the values, which may be NULL. NULL: the plan has failed. */
struct tune_row *tune_plan_add(struct tune_plan *plan, enum tune_state state, const char *setting, const char *now, const char *proposed);
void tune_plan_free(struct tune_plan *plan);

/* The interface that the host's default route goes through, if that is this one, or sits on it (a bond, a bridge, a VLAN). NULL: none. */
const char *tune_plan_carries_default(const struct facts *facts);

/* Whether setting it may take the link down for some seconds, by what drivers are known to do. */
bool tune_plan_resets_link(const struct tune_row *row);

/* How many rows are TUNE_CHANGE. */
size_t tune_plan_changes(const struct tune_plan *plan);

#endif
