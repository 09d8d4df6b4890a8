/* SPDX-License-Identifier: BSD-3-Clause */
/* What config-table.c has besides config_variables, for config.c alone. */
#ifndef NETRING_CONFIG_TABLE_H
#define NETRING_CONFIG_TABLE_H

#include "config.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* Whole pages of any architecture, and whole blocks of any disk. */
#define DUMP_ALIGNMENT (64 * KIB)

/* What value[CONFIG_PROFILE] is for a profile of the file: behind all words. Its name is the text. */
#define CONFIG_PROFILE_OF_FILE 5

/* One value that a built-in profile sets; profile is the index of its word. */
struct config_profile_value {
	uint64_t profile;
	enum config_id id;
	uint64_t value;
};

/* .unset of the variables that stand above what the program asks for. */
extern const char config_as_the_program_asks[];

extern const struct config_profile_value config_profile_values[], *const config_profile_values_end;

#endif
