/* SPDX-License-Identifier: BSD-3-Clause */
#include "irq-name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Words in the names of those that serve no queue. */
static bool serves_no_queue(const char *name)
{
	static const char *const words[] = { "async", "config", "ctrl", "cmd", "event", "misc", "mgmnt", "fdir", "link", "mbox", "mailbox", "pages" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(name, words[i]))
			return true;
	return false;
}

/* The interface's own name may have such a word in it: "uplink0-TxRx-3", "iavf-uplink0-TxRx-3". */
static const char *behind_interface(const char *name, const char *interface)
{
	const char *found = interface && *interface ? strstr(name, interface) : NULL;

	return found ? found + strlen(interface) : name;
}

int irq_name_queue(const char *name, const char *interface)
{
	size_t end, first;

	name = behind_interface(name, interface);
	first = end = strcspn(name, "@");
	if (serves_no_queue(name))
		return -1;
	while (first > 0 && isdigit((unsigned char)name[first - 1]))
		first--;
	return first == end || end - first > 5 ? -1 : atoi(name + first);
}

bool irq_name_only_sends(const char *name)
{
	return strstr(name, "output") || strstr(name, "-tx-");
}
