/* SPDX-License-Identifier: BSD-3-Clause */
/* "0,2-3": some of an interface's receive queues. Pure functions. */
#ifndef NETRING_QUEUE_LIST_H
#define NETRING_QUEUE_LIST_H

#include "error.h"

/* Queues that a list can have, and one more than the highest number of one. */
#define QUEUE_LIST_MAX 256

struct queue_list {
	unsigned count;
	uint16_t number[QUEUE_LIST_MAX];	/* in ascending order */
};

/*
 * text: numbers and ranges with commas between them, or "all" or NULL for all of `queues`. -EINVAL, and a sentence that begins with the text: it is no
 * such list, or a number is not below queues.
 */
int queue_list_parse(struct queue_list *list, const char *text, unsigned queues, struct netring_error *error);

#endif
