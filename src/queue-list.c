/* SPDX-License-Identifier: BSD-3-Clause */
/* See queue-list.h. */
#include "queue-list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user-text.h"

static int refuse(const char *text, struct netring_error *error)
{
	char shown[USER_TEXT_SHOWN + 4];

	return error_set(error, EINVAL, "%s: must be all, or numbers and ranges with commas between them (0,2-3), 0..%d",
			 user_text_shown(text, shown), QUEUE_LIST_MAX - 1);
}

/* A number of up to three digits, and a step behind it; -1 if there is none. */
static int read_number(const char **text)
{
	size_t digits = strspn(*text, "0123456789");
	int number;

	if (digits == 0 || digits > 3)
		return -1;
	number = atoi(*text);
	*text += digits;
	return number < QUEUE_LIST_MAX ? number : -1;
}

/* Marks what text names. */
static int read_list(bool *named, const char *text, struct netring_error *error)
{
	const char *rest = text;

	for (;;) {
		int first = read_number(&rest), last = first;

		if (*rest == '-') {
			rest++;
			last = read_number(&rest);
		}
		if (first < 0 || last < first)
			return refuse(text, error);
		for (int i = first; i <= last; i++)
			named[i] = true;
		if (*rest == '\0')
			return 0;
		if (*rest++ != ',')
			return refuse(text, error);
	}
}

int queue_list_parse(struct queue_list *list, const char *text, unsigned queues, struct netring_error *error)
{
	bool named[QUEUE_LIST_MAX] = { false }, all = !text || strcasecmp(text, "all") == 0;
	char shown[USER_TEXT_SHOWN + 4];
	struct queue_list made = { 0 };
	int ret = all ? 0 : read_list(named, text, error);

	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < QUEUE_LIST_MAX; i++) {
		if (!named[i] && (!all || i >= queues))
			continue;
		if (i >= queues)
			return error_set(error, EINVAL, "%s: there is no receive queue %u; the interface has %u, counted from 0",
					 user_text_shown(text, shown), i, queues);
		made.number[made.count++] = (uint16_t)i;
	}
	*list = made;
	return 0;
}
