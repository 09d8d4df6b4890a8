/* SPDX-License-Identifier: BSD-3-Clause */
/* A screenful of text, in memory. */
#include "screen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int screen_make(struct screen *screen, unsigned width, unsigned height)
{
	size_t cells = (size_t)width * height;

	memset(screen, 0, sizeof(*screen));
	screen->cell = calloc(cells ? cells : 1, sizeof(*screen->cell));
	if (!screen->cell)
		return -ENOMEM;
	screen->width = width;
	screen->height = height;
	for (size_t i = 0; i < cells; i++)
		screen->cell[i].letter = ' ';
	return 0;
}

void screen_free(struct screen *screen)
{
	free(screen->cell);
	memset(screen, 0, sizeof(*screen));
}

static unsigned put(struct screen *screen, unsigned row, unsigned column, unsigned width, enum screen_style style, const char *text, size_t length)
{
	if (row >= screen->height)
		return column;
	for (size_t i = 0; i < length && i < width && column < screen->width; i++, column++) {
		unsigned char byte = (unsigned char)text[i];

		screen->cell[(size_t)row * screen->width + column] =
			(struct screen_cell){ byte >= ' ' && byte <= '~' ? (char)byte : '?', (uint8_t)style };
	}
	return column;
}

unsigned screen_put(struct screen *screen, unsigned row, unsigned column, unsigned width, enum screen_style style, const char *text)
{
	return put(screen, row, column, width, style, text, strlen(text));
}

unsigned screen_print(struct screen *screen, unsigned row, unsigned column, enum screen_style style, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return screen_put(screen, row, column, screen->width, style, text);
}

/* Letters of the text that go on a line of so many: up to a blank, if there is one. */
static size_t line_length(const char *text, size_t width)
{
	size_t length = strlen(text);

	if (length <= width)
		return length;
	for (size_t i = width + 1; i-- > 1;)
		if (text[i] == ' ')
			return i;
	return width;
}

unsigned screen_wrap(struct screen *screen, unsigned row, unsigned end, unsigned indent, enum screen_style style, const char *text)
{
	if (end > screen->height)
		end = screen->height;
	if (indent >= screen->width)
		indent = 0;
	while (*text && row < end && screen->width) {
		size_t length = line_length(text, screen->width - indent);

		put(screen, row++, indent, screen->width, style, text, length);
		text += length;
		text += strspn(text, " ");
	}
	return row;
}

unsigned screen_wrapped_rows(const char *text, unsigned width, unsigned indent)
{
	unsigned rows = 0;

	if (width == 0)
		return 1;
	if (indent >= width)
		indent = 0;
	for (; *text; rows++) {
		text += line_length(text, width - indent);
		text += strspn(text, " ");
	}
	return rows ? rows : 1;
}

static unsigned row_length(const struct screen *screen, unsigned row)
{
	const struct screen_cell *cell = screen->cell + (size_t)row * screen->width;
	unsigned length = screen->width;

	while (length && cell[length - 1].letter == ' ')
		length--;
	return length;
}

void screen_write(const struct screen *screen, FILE *file)
{
	unsigned rows = screen->height;

	while (rows && row_length(screen, rows - 1) == 0)
		rows--;
	for (unsigned row = 0; row < rows; row++) {
		unsigned length = row_length(screen, row);

		for (unsigned column = 0; column < length; column++)
			putc(screen->cell[(size_t)row * screen->width + column].letter, file);
		putc('\n', file);
	}
}
