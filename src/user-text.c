/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "user-text.h"

const char *user_text_shown(const char *text, char *buffer)
{
	size_t i;

	for (i = 0; i < USER_TEXT_SHOWN && text[i]; i++)
		buffer[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	strcpy(buffer + i, text[i] ? "..." : "");
	return buffer;
}

struct user_word user_text_first(const char *text, size_t length)
{
	struct user_word word;

	snprintf(word.text, sizeof(word.text), "%.*s", (int)(length < sizeof(word.text) ? length : sizeof(word.text)), text);
	return word;
}

int user_text_number(const char *text, bool suffix_allowed, uint64_t *value)
{
	uint64_t number = 0;
	unsigned int shift = 0;
	const char *at;

	for (at = text; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return -ERANGE;
	if (at == text)
		return -EINVAL;
	if (suffix_allowed && *at) {
		static const char suffixes[] = "kmg";
		const char *suffix = strchr(suffixes, tolower((unsigned char)*at++));

		if (!suffix)
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (*at)
		return -EINVAL;
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*value = number << shift;
	return 0;
}

int user_text_word(const char *text, const char *const *words, uint64_t *value)
{
	for (size_t i = 0; words[i]; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*value = i;
			return 0;
		}
	return -EINVAL;
}

int user_text_bool(const char *text, uint64_t *value)
{
	/* Odd is yes. */
	static const char *const words[] = { "0", "1", "no", "yes", "false", "true", "off", "on", NULL };
	int result = user_text_word(text, words, value);

	if (result == 0)
		*value &= 1;
	return result;
}
