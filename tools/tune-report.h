/* SPDX-License-Identifier: BSD-3-Clause */
/* What `netring tune` prints: a table for people, JSON for programs (netring-tune.schema.json). */
#ifndef NETRING_TUNE_REPORT_H
#define NETRING_TUNE_REPORT_H

#include "tune-plan.h"

enum tune_mode { TUNE_DRY_RUN, TUNE_APPLY, TUNE_UNDO };

struct tune_report {
	const char *interface;
	const char *profile;	/* NULL: none, for an undo */
	const char *undo_file;	/* NULL: there is none behind this */
	enum tune_mode mode;
	const struct tune_plan *plan;
};

void tune_print_table(const struct tune_report *report);
void tune_print_json(const struct tune_report *report);

#endif
