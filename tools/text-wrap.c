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

void text_wrap(const char *text, unsigned *column, unsigned indent, unsigned columns)
{
	while (*(text += strspn(text, " \n"))) {
		unsigned length = (unsigned)strcspn(text, " \n");

		if (columns && *column > indent && *column + 1 + length > columns) {
			printf("\n%*s", (int)indent, "");
			*column = indent;
		} else if (*column > indent) {
			putchar(' ');
			++*column;
		}
		printf("%.*s", (int)length, text);
		*column += length;
		text += length;
	}
}
