/* SPDX-License-Identifier: BSD-3-Clause */
/* What a user wrote: how it is read, and how it is repeated in a sentence. Pure functions. */
#ifndef NETRING_USER_TEXT_H
#define NETRING_USER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much of a bad value is repeated; pcap's error buffer has 256 bytes for the whole sentence. */
#define USER_TEXT_SHOWN 40

/* The text as it may be shown in one line, into a buffer of USER_TEXT_SHOWN + 4: cut, and without anything that moves a terminal's cursor. */
const char *user_text_shown(const char *text, char *buffer);

/*
 * The first length bytes of the text, so that they can be compared with a word. More than the longest word of any list are cut, and then are like none
 * of them.
 */
struct user_word {
	char text[24];
};
struct user_word user_text_first(const char *text, size_t length);

/* Decimal digits, and with suffix_allowed one of K, M and G behind them. -EINVAL if there is anything else, -ERANGE if 64 bits do not hold it. */
int user_text_number(const char *text, bool suffix_allowed, uint64_t *value);

/* The index of the word in the NULL-terminated list, any case; beginnings of words do not count. -EINVAL. */
int user_text_word(const char *text, const char *const *words, uint64_t *value);

/* 0/1/yes/no/true/false/on/off, any case. -EINVAL. */
int user_text_bool(const char *text, uint64_t *value);

/* What user_text_bool takes, for people. */
#define USER_TEXT_BOOLS "0, 1, no, yes, false, true, off, on"

#endif
