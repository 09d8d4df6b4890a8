/* SPDX-License-Identifier: BSD-3-Clause */
/* A line for each interface, where none was asked for: each is judged as if it had been, with the traffic of the same moment. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "facts-collect.h"

#ifndef __clang__
/* The analyzer of gcc 12 loses sight of what the members of an array own. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* An interface that is not there is a finding, not a failure. */
int doctor_collect_interface(struct facts *facts, const char *interface, struct netring_error *error)
{
	int ret = facts_collect_interface(facts, interface, error);

	if (ret != -ENODEV)
		return ret;
	facts_set(facts, "if.name", interface);
	facts_set(facts, "if.missing", error->text);
	return 0;
}

/* With the host's facts among them: rules need both. */
static int collect(struct doctor_interface_verdict *verdict, const struct facts *host, const char *name, struct netring_error *error)
{
	struct facts *facts = &verdict->facts;
	int ret;

	snprintf(verdict->name, sizeof(verdict->name), "%s", name);
	for (size_t i = 0; i < host->count; i++)
		facts_set(facts, host->fact[i].name, host->fact[i].value);
	ret = doctor_collect_interface(facts, name, error);
	if (ret == 0)
		doctor_collect_own(facts, name, NULL);
	return ret;
}

int doctor_overview_collect(struct doctor_overview *overview, const struct facts *host, struct netring_error *error)
{
	struct if_nameindex *all = if_nameindex();
	size_t count = 0;
	int ret = 0;

	if (!all)
		return error_errno(error, errno, "cannot list the interfaces");
	while (all[count].if_index)
		count++;
	overview->interface = calloc(count + 1, sizeof(*overview->interface));
	if (!overview->interface)
		ret = error_errno(error, ENOMEM, "cannot list the interfaces");
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = collect(&overview->interface[overview->count++], host, all[i].if_name, error);
	if_freenameindex(all);
	return ret;
}

void doctor_overview_collect_rates(struct doctor_overview *overview, const struct facts_watch *watch)
{
	for (size_t i = 0; i < overview->count; i++)
		facts_collect_rate(&overview->interface[i].facts, watch);
}

static int judge(struct doctor_interface_verdict *verdict)
{
	const struct doctor_finding *first = NULL;
	struct doctor doctor;
	bool failed;

	doctor_start(&doctor, &verdict->facts);
	doctor_judge_interface(&doctor);
	verdict->group = doctor_verdict(&doctor, NULL, &first);
	if (first)
		verdict->why = strdup(first->what);
	for (size_t i = 0; i < doctor.count; i++)
		verdict->more += first && doctor.finding[i].group == verdict->group && &doctor.finding[i] != first;
	failed = doctor.failed || verdict->facts.failed || (first && !verdict->why);
	doctor_free(&doctor);
	return failed ? -ENOMEM : 0;
}

int doctor_overview_judge(struct doctor_overview *overview, struct netring_error *error)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < overview->count; i++)
		ret = judge(&overview->interface[i]);
	return ret < 0 ? error_errno(error, -ret, "cannot keep what is known of the interfaces") : 0;
}

void doctor_overview_free(struct doctor_overview *overview)
{
	for (size_t i = 0; i < overview->count; i++) {
		free(overview->interface[i].why);
		facts_free(&overview->interface[i].facts);
	}
	free(overview->interface);
}
