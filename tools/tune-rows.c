/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of a plan: made one by one, freed together; and what can be said of them. */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune-plan.h"

/* NULL for none. */
static const char *keep_value(struct tune_plan *plan, const char *front, const char *setting, const char *value)
{
	char name[160];

	snprintf(name, sizeof(name), "%s.%s", front, setting);
	if (value)
		facts_set(&plan->values, name, value);
	return value ? facts_get(&plan->values, name) : NULL;
}

struct tune_row *tune_plan_add(struct tune_plan *plan, enum tune_state state, const char *setting, const char *now, const char *proposed)
{
	struct tune_row row = { .state = state }, *larger;

	snprintf(row.setting, sizeof(row.setting), "%s", setting);
	row.now = keep_value(plan, "now", setting, now);
	row.proposed = keep_value(plan, "proposed", setting, proposed);
	larger = reallocarray(plan->row, plan->count + 1, sizeof(*larger));
	plan->failed |= plan->values.failed || !larger;
	if (!larger)
		return NULL;
	plan->row = larger;
	larger = &plan->row[plan->count++];
	*larger = row;
	return larger;
}

void tune_plan_free(struct tune_plan *plan)
{
	facts_free(&plan->values);
	free(plan->row);
	*plan = (struct tune_plan){ 0 };
}

const char *tune_plan_carries_default(const struct facts *facts)
{
	if (facts_is(facts, "if.route_default", "yes"))
		return facts_get(facts, "if.name");
	return facts_get(facts, "if.above_route_default");
}

bool tune_plan_resets_link(const struct tune_row *row)
{
	static const char *const fronts[] = { "if.mtu", "nic.channels.", "nic.ring.", "nic.coalesce.", "nic.feature." };

	for (size_t i = 0; row->state == TUNE_CHANGE && i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (strncmp(row->setting, fronts[i], strlen(fronts[i])) == 0)
			return true;
	return false;
}

size_t tune_plan_changes(const struct tune_plan *plan)
{
	size_t changes = 0;

	for (size_t i = 0; i < plan->count; i++)
		changes += plan->row[i].state == TUNE_CHANGE;
	return changes;
}
