/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One setting of an interface or its host, by the name of the fact that tells it: read and set. The kinds of settings are a table here, and nothing else
 * can be set: a name comes from a file, perhaps.
 *
 * Owns what it has open. One thread at a time.
 */
#ifndef NETRING_TUNE_SETTING_H
#define NETRING_TUNE_SETTING_H

#include "ethtool.h"
#include "facts.h"

/* The longest value: a list of CPUs. */
#define TUNE_VALUE 4096

/* -errno with a sentence; tune_target_close, which is ethtool_close, is then allowed. */
int tune_target_open(struct ethtool *target, const char *interface, int ifindex, struct netring_error *error);

/* The value as facts have it, "off" for no RPS. -ENOENT without a sentence if there is no such setting any more. */
int tune_setting_get(struct ethtool *target, const char *setting, char value[TUNE_VALUE], struct netring_error *error);

/* Sets it, and reads it back: -EIO with a sentence if it has another value then. */
int tune_setting_set(struct ethtool *target, const char *setting, const char *value, struct netring_error *error);

#endif
