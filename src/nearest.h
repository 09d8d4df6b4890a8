/* SPDX-License-Identifier: BSD-3-Clause */
/* "Did you mean": the word of a list that is nearest to what somebody typed. Pure functions. */
#ifndef NETRING_NEAREST_H
#define NETRING_NEAREST_H

/* A running search: offer candidates one by one; best is NULL while none is near. Start with NEAREST_INIT(text). */
struct nearest {
	const char *text;
	const char *best;
	unsigned int distance;
};

#define NEAREST_INIT(text) { (text), 0, ~0u }

/* Keeps the candidate (the pointer) if it is near and nearer than those before. Case does not count; a swap of two neighbours is one step. */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
