/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Variables of the peers (PF_RING, PFQ, Myricom's SNF, mmpcap), taken as ours, so that whoever comes from there changes nothing.
 *
 * An alias is more than the configuration file and a profile, and less than the NETRING_* variable that says the same; one that is overruled, or means nothing without another,
 * is not looked at. Like config.h: pure functions, but for the environment, which set-uid programs ignore.
 */
#ifndef NETRING_CONFIG_ALIAS_H
#define NETRING_CONFIG_ALIAS_H

#include "config.h"

/* The name of the alias with this index, from 0 on, and the variable that it stands for; NULL behind the last. */
const char *config_alias_name(size_t index, enum config_id *target);

/*
 * What the aliases in the environment say, into a config that has profile and environment already. -EINVAL: the alias, its value and what is allowed,
 * or the other alias that it does not go with; config may then be half done.
 */
int config_alias_load(struct config *config, struct netring_error *error);

/* The alias that decided the variable ("PCAP_FANOUT"), or NULL if none did. */
const char *config_alias_of(const struct config *config, enum config_id id);

/* The sentence names variables that the user never wrote: adds which alias each comes from. error may be NULL. */
void config_alias_explain(const struct config *config, struct netring_error *error);

/* One line at info for each alias in the environment: what it was taken as, what overruled it, or why it has no effect. */
void config_alias_log(const struct config *config, const struct log *log);

#endif
