/* SPDX-License-Identifier: BSD-3-Clause */
/* The interface that an undo file is about, as it is now; and its old values. */
#define _GNU_SOURCE 1
#include "tune-restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts-collect.h"
#include "tune-setting.h"

struct restorer {
	struct tune_undo *undo;
	struct tune_plan *plan;
	struct ethtool target;
	char name[IFNAMSIZ]; /* what it is called now; "": it has gone */
	struct facts facts;  /* of the interface as it is now */
};

static bool is_of_host(const char *setting)
{
	return strncmp(setting, "host.", 5) == 0;
}

/* Failures leave the facts empty: then nothing is taken for what it was. */
static void look(struct restorer *restorer)
{
	struct netring_error error;

	facts_free(&restorer->facts);
	if (!restorer->name[0])
		return;
	if (facts_collect_interface(&restorer->facts, restorer->name, &error) < 0 ||
	    facts_number(&restorer->facts, "if.index", 0) != restorer->undo->index)
		facts_free(&restorer->facts);
}

/* "eth0-TxRx-3" of eth0, which is called lan0 now, may have become "lan0-TxRx-3". */
static bool is_same_interrupt(const struct restorer *restorer, const char *old, const char *now)
{
	size_t old_front = strlen(restorer->undo->interface), now_front = strlen(restorer->name);

	if (strcmp(old, now) == 0)
		return true;
	return strncmp(old, restorer->undo->interface, old_front) == 0 && strncmp(now, restorer->name, now_front) == 0 &&
	       strcmp(old + old_front, now + now_front) == 0;
}

/* Numbers are given again, perhaps to a disk's. */
static int check_interrupt(const struct restorer *restorer, const char *setting, struct netring_error *error)
{
	const char *digits = setting + strlen("nic.irq."), *old, *now;
	char number[16], fact[64];

	snprintf(number, sizeof(number), "%.*s", (int)strspn(digits, "0123456789"), digits);
	snprintf(fact, sizeof(fact), "nic.irq.%s.name", number);
	old = tune_undo_interrupt(restorer->undo, number);
	now = facts_get(&restorer->facts, fact);
	if (!old)
		return error_set(error, EINVAL, "there is no name of interrupt %s in %s", number, restorer->undo->path);
	if (!now)
		return error_set(error, ENOENT, "interrupt %s was %s, and is none of this interface now", number, old);
	if (!is_same_interrupt(restorer, old, now))
		return error_set(error, ESTALE, "interrupt %s was %s, and is %s now", number, old, now);
	return 0;
}

/* Behind nsenter, /sys shows another namespace's interface of that name. */
static int get_old(struct restorer *restorer, const char *setting, char value[TUNE_VALUE], struct netring_error *error)
{
	int ret = 0;

	if (strncmp(setting, "nic.rps.", 8) == 0 && !facts_is(&restorer->facts, "if.sysfs", "yes"))
		return error_set(error, ESTALE, "/sys is not there, or shows another network namespace");
	if (strncmp(setting, "nic.irq.", 8) == 0)
		ret = check_interrupt(restorer, setting, error);
	return ret < 0 ? ret : tune_setting_get(&restorer->target, setting, value, error);
}

/* For the rows, whose sentence is the reason then. */
static void take_outcome(struct tune_row *row, int ret, const struct netring_error *error)
{
	row->outcome = ret < 0 ? TUNE_FAILED : TUNE_DONE;
	row->why[0] = '\0';
	if (ret < 0)
		snprintf(row->why, sizeof(row->why), "%.*s", (int)sizeof(row->why) - 1, error->text);
}

static struct tune_row *add_row(struct restorer *restorer, enum tune_state state, const struct fact *old, const char *now, const char *why)
{
	struct tune_row *row = tune_plan_add(restorer->plan, state, old->name, now, old->value);

	if (row)
		snprintf(row->why, sizeof(row->why), "%s", why);
	return row;
}

/* Into a row of the plan; whether it has the old value now. */
static bool restore_one(struct restorer *restorer, const struct fact *old)
{
	char now[TUNE_VALUE] = "";
	struct netring_error error = { 0 };
	struct tune_row *row;
	int ret;

	if (!is_of_host(old->name) && !restorer->name[0]) {
		add_row(restorer, TUNE_LEFT, old, NULL, "the interface has gone");
		return false;
	}
	ret = get_old(restorer, old->name, now, &error);
	if (ret == 0 && strcmp(now, old->value) == 0) {
		add_row(restorer, TUNE_FINE, old, now, "already so");
		return true;
	}
	row = add_row(restorer, TUNE_CHANGE, old, ret == 0 ? now : NULL, "");
	if (ret == 0)
		ret = tune_setting_set(&restorer->target, old->name, old->value, &error);
	if (row)
		take_outcome(row, ret, &error);
	return ret == 0;
}

/*
 * A number of queues that was set back takes others along: their rings, interrupts, RPS. Those that are not, or not any more, as they were. One that was
 * restored, and has gone with its queue, is.
 */
static bool restore_again(struct restorer *restorer, struct tune_row *row, const struct fact *old, bool restored)
{
	char now[TUNE_VALUE] = "";
	struct netring_error error = { 0 };
	int ret;

	if (row->state == TUNE_LEFT)
		return false;
	ret = get_old(restorer, old->name, now, &error);
	if ((ret == 0 && strcmp(now, old->value) == 0) || (restored && (ret == -ENOENT || ret == -ESTALE)))
		return true;
	if (ret == 0)
		ret = tune_setting_set(&restorer->target, old->name, old->value, &error);
	row->state = TUNE_CHANGE;
	take_outcome(row, ret, &error);
	return ret == 0;
}

static int keep_rest(struct restorer *restorer, const bool *restored, struct netring_error *error)
{
	struct tune_undo *undo = restorer->undo;
	struct facts kept = { 0 };
	bool failed = false;
	int ret;

	for (size_t i = 0; i < undo->values.count; i++) {
		if (restored[i])
			continue;
		facts_set(&kept, undo->values.fact[i].name, undo->values.fact[i].value);
		failed |= restorer->name[0] || is_of_host(undo->values.fact[i].name);
	}
	facts_free(&undo->values);
	undo->values = kept;
	ret = tune_undo_save(undo, error);
	return ret < 0 || !failed ? ret : 1;
}

/* What could not be restored stays, in its order. */
static int restore_all(struct restorer *restorer, struct netring_error *error)
{
	const struct facts *values = &restorer->undo->values;
	bool *restored = calloc(values->count + 1, sizeof(*restored));
	int ret;

	if (!restored)
		return error_set(error, ENOMEM, "no memory for an undo");
	look(restorer);
	for (size_t i = values->count; i-- > 0;)
		restored[i] = restore_one(restorer, &values->fact[i]);
	look(restorer);
	for (size_t i = values->count; i-- > 0 && !restorer->plan->failed;)
		restored[i] = restore_again(restorer, &restorer->plan->row[values->count - 1 - i], &values->fact[i], restored[i]);
	ret = keep_rest(restorer, restored, error);
	free(restored);
	return ret;
}

/* Somebody says eth0, and it is called lan0 now: if there is another eth0, that may be the one that he means. */
static int check_name(const struct restorer *restorer, const char *interface, struct netring_error *error)
{
	const struct tune_undo *undo = restorer->undo;
	size_t at = 0;

	if (restorer->name[0] && strcmp(restorer->name, interface) != 0 && if_nametoindex(interface))
		return error_set(error, ESTALE, "what was tuned as %s is called %s now: netring tune %s --undo", interface, restorer->name,
				 restorer->name);
	if (!restorer->name[0] && !facts_next(&undo->values, "host.", &at))
		return error_set(error, ENOENT,
				 "there is nothing to undo: the %s that was tuned, interface number %d, has gone, or is in another network namespace",
				 interface, undo->index);
	return 0;
}

static void add_notes(const struct restorer *restorer, const char *interface)
{
	struct tune_plan *plan = restorer->plan;

	if (!restorer->name[0])
		snprintf(plan->note[0], sizeof(plan->note[0]),
			 "the %s that was tuned, interface number %d, has gone, or is in another network namespace: only the host's settings are "
			 "restored",
			 interface, restorer->undo->index);
	else if (strcmp(restorer->name, interface) != 0)
		snprintf(plan->note[0], sizeof(plan->note[0]), "%s is called %s now", interface, restorer->name);
}

int tune_restore(struct tune_undo *undo, struct tune_plan *plan, const char *interface, struct netring_error *error)
{
	struct restorer restorer = { .undo = undo, .plan = plan, .target = { .socket = -1 } };
	int ret;

	if (!if_indextoname((unsigned)undo->index, restorer.name))
		restorer.name[0] = '\0';
	ret = check_name(&restorer, interface, error);
	if (ret == 0)
		ret = tune_target_open(&restorer.target, restorer.name, undo->index, error);
	if (ret == 0) {
		add_notes(&restorer, interface);
		ret = restore_all(&restorer, error);
	}
	facts_free(&restorer.facts);
	ethtool_close(&restorer.target);
	return ret;
}
