/* SPDX-License-Identifier: BSD-3-Clause */
/* Which bytes of a text are characters that may be shown. */
#ifndef NETRING_UTF8_H
#define NETRING_UTF8_H

/*
 * Bytes of the character at the beginning of a NUL-terminated text: 1 to 4. 0: the end, a control character (those above ASCII too, which some terminals
 * obey), or no UTF-8: too long for what it says, a surrogate, cut off.
 */
unsigned utf8_printable(const char *text);

#endif
