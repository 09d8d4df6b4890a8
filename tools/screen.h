/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A screenful of text, in memory: rows of letters of printable ASCII, each with a style. Who draws need not look where it ends: what does not fit is cut.
 */
#ifndef NETRING_SCREEN_H
#define NETRING_SCREEN_H

#include <stdint.h>
#include <stdio.h>

enum screen_style { STYLE_PLAIN, STYLE_BOLD, STYLE_HEADLINE, STYLE_BAD, STYLE_DOUBT };

struct screen_cell {
	char letter;			/* ' ' to '~' */
	uint8_t style;			/* enum screen_style */
};

struct screen {
	unsigned width, height;
	struct screen_cell *cell;	/* height rows of width */
};

/* Blank. -ENOMEM; then it is of no size. Free by screen_free, which accepts zeros. */
int screen_make(struct screen *screen, unsigned width, unsigned height);
void screen_free(struct screen *screen);

/* Writes the text, at most width cells of it; what is not printable ASCII becomes '?'. Returns the column behind it. */
unsigned screen_put(struct screen *screen, unsigned row, unsigned column, unsigned width, enum screen_style style, const char *text);

/* The same for all that is left of the row. */
unsigned screen_print(struct screen *screen, unsigned row, unsigned column, enum screen_style style, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The text, wrapped at blanks; a longer word is cut in pieces. Returns the row behind it, at most end. */
unsigned screen_wrap(struct screen *screen, unsigned row, unsigned end, unsigned indent, enum screen_style style, const char *text);

/* Rows that it takes so, at least one. */
unsigned screen_wrapped_rows(const char *text, unsigned width, unsigned indent);

/* Rows without the blanks at their ends, from the first to the last that is not empty. */
void screen_write(const struct screen *screen, FILE *file);

#endif
