/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8 by its definition, RFC 3629, whatever the locale is. */
#include "utf8.h"

#include <stdint.h>

/* Bytes that the first one announces, 2 to 4, and its bits of the number; 0 if it announces none. */
static unsigned announced(unsigned char first, uint32_t *number)
{
	if (first >= 0xc2 && first < 0xe0) {
		*number = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*number = first & 0x0f;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf5) {
		*number = first & 0x07;
		return 4;
	}
	return 0;
}

unsigned utf8_printable(const char *text)
{
	static const uint32_t smallest[] = { [2] = 0xa0, [3] = 0x800, [4] = 0x10000 }; /* below 0xa0: control characters */
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t number = 0;
	unsigned length;

	if (bytes[0] < 0x80)
		return bytes[0] >= 0x20 && bytes[0] != 0x7f;
	length = announced(bytes[0], &number);
	for (unsigned i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		number = number << 6 | (bytes[i] & 0x3f);
	}
	if (length == 0 || number < smallest[length] || number > 0x10ffff || (number >= 0xd800 && number < 0xe000))
		return 0;
	return length;
}
