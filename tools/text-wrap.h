/* SPDX-License-Identifier: BSD-3-Clause */
/* Words on standard output, in lines that fit. */
#ifndef NETRING_TEXT_WRAP_H
#define NETRING_TEXT_WRAP_H

/* How wide standard output is, if it is a terminal; 0: it is none, and lines may be as long as they like. */
unsigned text_columns(void);

/*
 * Prints the words of a text from *column on, one blank between them; what would reach beyond `columns` (0: no limit) goes on in the next line behind
 * `indent` blanks. *column is then behind the last word. A word that is longer than a line stands alone in one.
 */
void text_wrap(const char *text, unsigned *column, unsigned indent, unsigned columns);

#endif
