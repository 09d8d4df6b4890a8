/* SPDX-License-Identifier: BSD-3-Clause */
/* "eth0,eth1": the interfaces of one handle. An interface whose own name has a comma in it is itself, and no list. */
#ifndef NETRING_INTERFACE_LIST_H
#define NETRING_INTERFACE_LIST_H

#include "error.h"

#define INTERFACE_LIST_MAX 64

struct interface_list {
	unsigned count;
	char name[INTERFACE_LIST_MAX][16];	/* IFNAMSIZ */
};

/* True if text has to be taken apart: a comma, and no interface of that name. */
bool interface_list_is_list(const char *text);

/*
 * Takes text apart, in the order in which it stands there. A text that is no list gives one name, unchecked and whole; of a list, empty names,
 * names that are too long, "any" and names of one interface twice (also by its index) are -EINVAL, and a sentence with the list and the name.
 * Whether each exists is for whoever opens it.
 */
int interface_list_parse(struct interface_list *list, const char *text, struct netring_error *error);

#endif
