/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that fit the terminal. */
#include "text-wrap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

unsigned text_columns(void)
{
	unsigned width, height;

	if (!isatty(STDOUT_FILENO))
		return 0;
	terminal_size(&width, &height);
	return width;
}

/* Columns of so many bytes of UTF-8, where every character has one. */
static unsigned width_of(const char *text, unsigned bytes)
{
	unsigned width = 0;

	for (unsigned i = 0; i < bytes; i++)
		width += (text[i] & 0xc0) != 0x80;
	return width;
}

void text_wrap(const char *text, unsigned *column, unsigned indent, unsigned columns)
{
	while (*(text += strspn(text, " \n"))) {
		unsigned length = (unsigned)strcspn(text, " \n"), width = width_of(text, length);

		if (columns && *column > indent && *column + 1 + width > columns) {
			printf("\n%*s", (int)indent, "");
			*column = indent;
		} else if (*column > indent) {
			putchar(' ');
			++*column;
		}
		printf("%.*s", (int)length, text);
		*column += width;
		text += length;
	}
}
