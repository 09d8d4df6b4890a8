/* SPDX-License-Identifier: BSD-3-Clause */
/* The screen of netring top, drawn into memory. */
#ifndef NETRING_TOP_SCREEN_H
#define NETRING_TOP_SCREEN_H

#include "screen.h"
#include "top-rates.h"

struct top_picture {
	const struct top_sample *sample;
	enum top_sort sort;
	size_t first;			/* in the sample's order: the topmost that is shown */
	bool paused, help;
	bool plain;			/* for --once: without the line of keys */
	const char *word;		/* the PID or NAME that was asked for, or NULL */
	const char *time;		/* "18:25:48" */
};

/* Draws; moves first so that no room is wasted at the end. Returns the number of captures that were drawn. */
size_t top_draw(struct screen *screen, struct top_picture *picture);

/* Rows that a screen of this width needs to show everything. */
unsigned top_rows(const struct top_picture *picture, unsigned width);

#endif
