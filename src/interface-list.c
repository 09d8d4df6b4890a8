/* SPDX-License-Identifier: BSD-3-Clause */
/* A device name with commas taken apart. Pure but for the question whether an interface of a name exists; any thread. */
#include "interface-list.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define NAME_MAX_LENGTH (sizeof(((struct interface_list *)0)->name[0]) - 1)

bool interface_list_is_list(const char *text)
{
	/* No interface's name has one of these; what libpcap calls devices may ("dbus://…,guid=…"). */
	return strchr(text, ',') && !strpbrk(text, "/: ") && if_nametoindex(text) == 0;
}

/* The position in the list of the same interface, by another of its names too; list->count if it is new. */
static unsigned find(const struct interface_list *list, const char *name)
{
	unsigned index = if_nametoindex(name), at;

	for (at = 0; at < list->count; at++)
		if (strcmp(list->name[at], name) == 0 || (index && if_nametoindex(list->name[at]) == index))
			break;
	return at;
}

/* Adds the name of that length at the end. text is the whole list, for the sentence. */
static int add(struct interface_list *list, const char *text, const char *at, size_t length, struct netring_error *error)
{
	char name[sizeof(list->name[0])] = "";
	unsigned same;

	if (length == 0)
		return error_set(error, EINVAL, "%s: one of the interface names in this list is empty", text);
	if (length > NAME_MAX_LENGTH)
		return error_set(error, EINVAL, "%s: %.*s in this list: no interface has so long a name", text, (int)length, at);
	if (list->count == INTERFACE_LIST_MAX)
		return error_set(error, EINVAL, "%.64s...: more than %d interfaces in this list", text, INTERFACE_LIST_MAX);
	memcpy(name, at, length);
	if (strcmp(name, "any") == 0)
		return error_set(error, EINVAL, "%s: any in this list: it is all interfaces already, and must stand alone", text);
	same = find(list, name);
	if (same < list->count && strcmp(list->name[same], name) != 0)
		return error_set(error, EINVAL, "%s: %s and %s in this list are the same interface", text, list->name[same], name);
	if (same < list->count)
		return error_set(error, EINVAL, "%s: %s is in this list twice", text, name);
	memcpy(list->name[list->count++], name, sizeof(name));
	return 0;
}

int interface_list_parse(struct interface_list *list, const char *text, struct netring_error *error)
{
	struct interface_list parsed = { .count = 0 };
	const char *at = text;
	int ret;

	if (!interface_list_is_list(text)) {
		if (strlen(text) > NAME_MAX_LENGTH)
			return error_set(error, ENODEV, "%s: no interface has so long a name", text);
		strcpy(parsed.name[parsed.count++], text);
		*list = parsed;
		return 0;
	}
	for (;;) {
		size_t length = strcspn(at, ",");

		ret = add(&parsed, text, at, length, error);
		if (ret < 0)
			return ret;
		if (!at[length])
			break;
		at += length + 1;
	}
	*list = parsed;
	return 0;
}
