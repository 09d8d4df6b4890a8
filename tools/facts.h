/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known of a host and one of its interfaces: names and values, as text. Whoever reads the host writes it here; whoever judges it reads only from
 * here, so that a host that was recorded elsewhere is judged as one that is present.
 *
 * A name is words with dots between them, from the general to the particular: "nic.ring.rx", "irq.42.cpus". A fact that could not be found out is
 * absent; if the reason matters, it is the value of "why.NAME".
 *
 * One thread at a time. Names and values are copied in; what comes out belongs to the facts, until it is set again or they are freed.
 */
#ifndef NETRING_FACTS_H
#define NETRING_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

struct fact {
	char *name, *value;
};

/* In the order in which they were found out. All zero: none. */
struct facts {
	struct fact *fact;
	size_t count;
	bool failed; /* there was no memory for one of them */
};

/* Replaces a value of that name. Control characters in the value become spaces. */
void facts_set(struct facts *facts, const char *name, const char *value);
void facts_set_number(struct facts *facts, const char *name, int64_t value);
void facts_format(struct facts *facts, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Control characters of a text become spaces, as in every value. */
void facts_blank_controls(char *text);

/* NULL if there is none. */
const char *facts_get(const struct facts *facts, const char *name);

/* A whole number, decimal; absent if there is none or it is none. */
int64_t facts_number(const struct facts *facts, const char *name, int64_t absent);

/* Whether there is such a fact and its value is text. */
bool facts_is(const struct facts *facts, const char *name, const char *text);

/* The first fact from *at on whose name begins with prefix; *at is then behind it. NULL: no more. */
const struct fact *facts_next(const struct facts *facts, const char *prefix, size_t *at);

/* One line for each, NAME = VALUE; what facts_load takes. */
void facts_print(const struct facts *facts, FILE *file);

/*
 * Adds the facts of a recording: lines as above, empty ones, and comments after #. -EINVAL with the number of the line and its text for one that is
 * neither; nothing has been added then.
 */
int facts_load(struct facts *facts, const char *path, struct netring_error *error);

void facts_free(struct facts *facts);

#endif
