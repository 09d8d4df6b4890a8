/* SPDX-License-Identifier: BSD-3-Clause */
/* NETRING_FANOUT and NETRING_FANOUT_FLAGS, as text; see fanout.h. Pure functions. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "fanout-name.h"
#include "fanout.h"
#include "nearest.h"
#include "user-text.h"

#define GROUP_MAX 65535

/* The index of each word, and 1, is its enum netring_fanout_mode. */
static const char *const modes[] = { "hash", "lb", "cpu", "rollover", "random", "qm", "cbpf", "ebpf", "symmetric", "inner", NULL };
#define MODES "hash, lb, cpu, rollover, random, qm, cbpf, ebpf, symmetric, inner"

/* The index of each word is the bit of its enum netring_fanout_flag. */
static const char *const flag_words[] = { "rollover", "defrag", "ignore_outgoing", "unique_id", NULL };
#define FLAGS "rollover, defrag, ignore_outgoing, unique_id"

/* The sentence for a word that is in no list: the whole text, what is allowed, and what was probably meant. */
static int refuse(struct netring_error *error, const char *text, const char *what, const char *allowed, const char *word, const char *const *words)
{
	struct nearest nearest = NEAREST_INIT(word);
	char shown[USER_TEXT_SHOWN + 4];

	for (size_t i = 0; words[i]; i++)
		nearest_offer(&nearest, words[i]);
	return error_set(error, EINVAL, "%s: %s %s%s%s%s", user_text_shown(text, shown), what, allowed, nearest.best ? "; did you mean " : "",
			 nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

/* A name is part of a socket's name, and of sentences; so no slash, no blank, no leading dot. */
static bool is_name(const char *name)
{
	size_t length;

	for (length = 0; name[length]; length++)
		if (!isalnum((unsigned char)name[length]) && !strchr("._-", name[length]))
			return false;
	return length >= 1 && length <= FANOUT_NAME_MAX && name[0] != '.';
}

/* What is behind the colon. */
static int parse_group(struct netring_fanout *fanout, const char *group, const char *text, struct netring_error *error)
{
	char shown[USER_TEXT_SHOWN + 4];
	uint64_t number;

	if (group[0] == '@') {
		if (!is_name(group + 1))
			return error_set(error, EINVAL, "%s: a group's name must be 1..%d letters, digits, '.', '_', '-', not beginning with '.'",
					 user_text_shown(text, shown), FANOUT_NAME_MAX);
		fanout->name = group + 1;
	} else if (strcasecmp(group, "auto") != 0) {
		if (user_text_number(group, false, &number) || number > GROUP_MAX)
			return error_set(error, EINVAL, "%s: the group must be 0..%d, auto or @NAME", user_text_shown(text, shown), GROUP_MAX);
		fanout->group = (int)number;
	}
	return 0;
}

int fanout_parse(struct netring_fanout *fanout, const char *text, struct netring_error *error)
{
	const char *colon = strchrnul(text, ':');
	struct user_word mode = user_text_first(text, (size_t)(colon - text));
	struct netring_fanout parsed = *fanout;
	uint64_t index;
	int result;

	if (user_text_word(mode.text, modes, &index))
		return refuse(error, text, "the mode must be one of", MODES, mode.text, modes);
	parsed.mode = (enum netring_fanout_mode)(index + 1);
	parsed.group = NETRING_FANOUT_AUTO;
	parsed.name = NULL;
	result = *colon ? parse_group(&parsed, colon + 1, text, error) : 0;
	if (result == 0)
		*fanout = parsed;
	return result;
}

int fanout_parse_flags(unsigned *flags, const char *text, struct netring_error *error)
{
	unsigned parsed = 0;
	const char *at = text;

	for (;;) {
		size_t length = strcspn(at, ",");
		struct user_word word = user_text_first(at, length);
		uint64_t index;

		if (user_text_word(word.text, flag_words, &index))
			return refuse(error, text, "flags must be one or more of", FLAGS ", with commas between them", word.text, flag_words);
		parsed |= 1u << index;
		if (at[length] == '\0')
			break;
		at += length + 1;
	}
	*flags = parsed;
	return 0;
}
