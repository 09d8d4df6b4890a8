/* SPDX-License-Identifier: BSD-3-Clause */
/* Edit distance (insert, delete, replace, swap neighbours) between short words. */
#include <ctype.h>
#include <string.h>

#include "nearest.h"

/* Longer than any name that we have; a longer text is near to nothing. */
#define LONGEST 48

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Three rows of the table of prefixes are enough: this one, the one above, and the one above that for swaps. */
static unsigned int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned int rows[3][LONGEST + 1];
	size_t i, j;

	for (j = 0; j <= b_length; j++)
		rows[0][j] = (unsigned int)j;
	for (i = 1; i <= a_length; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (j = 1; j <= b_length; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t text_length = strlen(nearest->text), length = strlen(candidate);
	size_t longer = text_length > length ? text_length : length;
	unsigned int distance;

	if (longer > LONGEST || text_length == 0)
		return;
	distance = edit_distance(nearest->text, text_length, candidate, length);
	/* Near: more than half of it is right. */
	if (distance * 2 < longer && distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
