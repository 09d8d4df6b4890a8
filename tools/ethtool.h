/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An adapter's settings, as facts: nic.ring.rx = 512. Asked and set by the kernel's "ethtool" netlink family; by the older ioctl where the kernel, or
 * this part of it, has no such command.
 *
 * Owns two sockets, of the network namespace in which it was opened. One thread at a time.
 */
#ifndef NETRING_ETHTOOL_H
#define NETRING_ETHTOOL_H

#include <net/if.h>

#include "facts.h"
#include "netlink.h"

struct ethtool {
	char interface[IFNAMSIZ];
	int ifindex;
	int socket;			/* for ioctl; -1: closed */
	struct netlink netlink;
	uint16_t family;		/* of generic netlink; 0: the kernel has none */
};

/* Fails only if there is no socket at all. -errno; ethtool_close is then allowed. */
int ethtool_open(struct ethtool *ethtool, const char *interface, int ifindex);
void ethtool_close(struct ethtool *ethtool);

/* SIOCETHTOOL with a request that begins with its command. 0 or -errno. */
int ethtool_ioctl(const struct ethtool *ethtool, void *request);

/*
 * The names of a set of strings (ETH_SS_…), each in ETH_GSTRING_LEN bytes, which may lack an end; *count of them. To be freed. The kernel writes as many
 * as there are then, whatever it is told: there is room for some that are added between two questions. NULL: there is no such set, or no memory.
 */
struct ethtool_gstrings;
struct ethtool_gstrings *ethtool_strings(const struct ethtool *ethtool, unsigned set, unsigned *count);

/* So many more than there are may come. */
#define ETHTOOL_ROOM(count) (2 * (size_t)(count) + 4096)

/* A netlink request for this interface, in a buffer of NETLINK_REQUEST bytes; the number of the header's attribute is 1 in every command. */
struct nlmsghdr *ethtool_request(const struct ethtool *ethtool, void *buffer, uint8_t command);

/*
 * Numbers and switches: nic.ring.*, nic.channels.*, nic.coalesce.*, nic.pause.*. Of a group that the driver does not have, why.nic.ring (say) tells.
 * ethtool_numbers_set takes the fact's name and the value as it stands there: a number, or on and off. -EINVAL for what is no such fact or value, and
 * a sentence for each failure.
 */
void ethtool_numbers_collect(struct ethtool *ethtool, struct facts *facts);
int ethtool_numbers_set(struct ethtool *ethtool, const char *fact, const char *value, struct netring_error *error);

/* nic.feature.*: values "on", "off", "on fixed", "off fixed"; the first two can be set, and the driver may still not comply: read it again. */
void ethtool_features_collect(struct ethtool *ethtool, struct facts *facts);
int ethtool_features_set(struct ethtool *ethtool, const char *fact, const char *value, struct netring_error *error);

/* Driver, RSS, time stamps, the driver's own counters: what is only read. */
void ethtool_driver_collect(struct ethtool *ethtool, struct facts *facts);

/* Of these the counters alone: nic.driver_count.NAME of those that speak of losses and are not 0. */
void ethtool_losses_collect(struct ethtool *ethtool, struct facts *facts);

/* What an answer says: for tests. The group is that of "nic.ring" and its like. MNL_CB_OK, or MNL_CB_ERROR with errno. */
struct ethtool_answer {
	const char *group;
	struct facts *facts;
};
int ethtool_numbers_take(const struct nlmsghdr *answer, void *ethtool_answer);
int ethtool_features_take(const struct nlmsghdr *answer, void *facts);

#endif
