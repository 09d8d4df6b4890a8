/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads and the like, by the kernel's names for them, over netlink and by ioctl. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"

#define PREFIX "nic.feature."

/* More than the kernel has; so that a wrong count is no allocation. */
#define FEATURES_MAX 1024

static void set_feature(struct facts *facts, const char *name, bool on, bool fixed)
{
	char fact[128];

	snprintf(fact, sizeof(fact), PREFIX "%s", name);
	facts_format(facts, fact, "%s%s", on ? "on" : "off", fixed ? " fixed" : "");
}

/* Over netlink: lists of bits with names. "hw" has all of them, and a value for those that can be changed; the others only the bits that are set. */

static int keep_bits(const struct nlattr *bitset, const struct nlattr **bits)
{
	const struct nlattr *table[ETHTOOL_A_BITSET_BITS + 1] = { 0 };
	struct netlink_attributes attributes = { table, ETHTOOL_A_BITSET_BITS };

	*bits = NULL;
	if (!bitset || mnl_attr_parse_nested(bitset, netlink_keep_attribute, &attributes) < 0)
		return -EBADMSG;
	*bits = table[ETHTOOL_A_BITSET_BITS];
	return 0;
}

/* NULL if the bit has no name. */
static const char *bit_name(const struct nlattr *bit, bool *value)
{
	const struct nlattr *table[ETHTOOL_A_BITSET_BIT_VALUE + 1] = { 0 };
	struct netlink_attributes attributes = { table, ETHTOOL_A_BITSET_BIT_VALUE };

	if (mnl_attr_get_type(bit) != ETHTOOL_A_BITSET_BITS_BIT || mnl_attr_parse_nested(bit, netlink_keep_attribute, &attributes) < 0)
		return NULL;
	*value = table[ETHTOOL_A_BITSET_BIT_VALUE] != NULL;
	return netlink_text(table[ETHTOOL_A_BITSET_BIT_NAME]);
}

static bool names_feature(const struct nlattr *bits, const char *name)
{
	const struct nlattr *bit;

	if (!bits)
		return false;
	mnl_attr_for_each_nested(bit, bits)
	{
		bool value;
		const char *other = bit_name(bit, &value);

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

static int take_bitsets(struct facts *facts, const struct nlattr *const *table)
{
	const struct nlattr *hardware, *active, *fixed, *bit;

	if (keep_bits(table[ETHTOOL_A_FEATURES_HW], &hardware) < 0 || keep_bits(table[ETHTOOL_A_FEATURES_ACTIVE], &active) < 0)
		return -EBADMSG;
	keep_bits(table[ETHTOOL_A_FEATURES_NOCHANGE], &fixed);
	if (!hardware)
		return -EBADMSG;
	mnl_attr_for_each_nested(bit, hardware)
	{
		bool changeable = false;
		const char *name = bit_name(bit, &changeable);

		/* A bit that is no feature any more has no name. */
		if (name && name[0])
			set_feature(facts, name, names_feature(active, name), !changeable || names_feature(fixed, name));
	}
	return 0;
}

int ethtool_features_take(const struct nlmsghdr *message, void *facts)
{
	const struct nlattr *table[ETHTOOL_A_FEATURES_NOCHANGE + 1] = { 0 };
	struct netlink_attributes attributes = { table, ETHTOOL_A_FEATURES_NOCHANGE };
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->cmd != ETHTOOL_MSG_FEATURES_GET_REPLY)
		return MNL_CB_OK;
	if (mnl_attr_parse(message, sizeof(*header), netlink_keep_attribute, &attributes) < 0 || take_bitsets(facts, table) < 0) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

/* By ioctl: the names, and blocks of 32 bits in their order. */

struct features {
	unsigned count;
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *state;
};

static void free_features(struct features *features)
{
	free(features->names);
	free(features->state);
}

static int read_features(const struct ethtool *ethtool, struct features *features)
{
	unsigned blocks;

	features->names = ethtool_strings(ethtool, ETH_SS_FEATURES, &features->count);
	if (!features->names || features->count > FEATURES_MAX)
		return -EOPNOTSUPP;
	blocks = (features->count + 31) / 32;
	features->state = calloc(1, sizeof(*features->state) + blocks * sizeof(features->state->features[0]));
	if (!features->state)
		return -ENOMEM;
	features->state->cmd = ETHTOOL_GFEATURES;
	features->state->size = blocks;
	return ethtool_ioctl(ethtool, features->state);
}

static void feature_name(char name[ETH_GSTRING_LEN + 1], const struct features *features, unsigned index)
{
	memcpy(name, features->names->data + (size_t)index * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
	name[ETH_GSTRING_LEN] = '\0';
}

static int collect_by_ioctl(struct ethtool *ethtool, struct facts *facts)
{
	struct features features = { 0 };
	int ret = read_features(ethtool, &features);

	for (unsigned i = 0; ret == 0 && i < features.count; i++) {
		const struct ethtool_get_features_block *block = &features.state->features[i / 32];
		uint32_t bit = (uint32_t)1 << i % 32;
		char name[ETH_GSTRING_LEN + 1];

		feature_name(name, &features, i);
		if (name[0])
			set_feature(facts, name, block->active & bit, !(block->available & bit) || (block->never_changed & bit));
	}
	free_features(&features);
	return ret;
}

void ethtool_features_collect(struct ethtool *ethtool, struct facts *facts)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	int ret = -EOPNOTSUPP;

	if (ethtool->family)
		ret = netlink_call(&ethtool->netlink, ethtool_request(ethtool, buffer, ETHTOOL_MSG_FEATURES_GET), ethtool_features_take, facts);
	if (ret == -EOPNOTSUPP)
		ret = collect_by_ioctl(ethtool, facts);
	if (ret < 0)
		facts_set(facts, "why.nic.feature", strerror(-ret));
}

/* Setting */

static int set_by_netlink(struct ethtool *ethtool, const char *name, bool on)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request;
	struct nlattr *wanted, *bits, *bit;

	if (!ethtool->family)
		return -EOPNOTSUPP;
	request = ethtool_request(ethtool, buffer, ETHTOOL_MSG_FEATURES_SET);
	wanted = mnl_attr_nest_start(request, ETHTOOL_A_FEATURES_WANTED);
	bits = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS);
	bit = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS_BIT);
	mnl_attr_put_strz(request, ETHTOOL_A_BITSET_BIT_NAME, name);
	if (on)
		mnl_attr_put(request, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
	mnl_attr_nest_end(request, bit);
	mnl_attr_nest_end(request, bits);
	mnl_attr_nest_end(request, wanted);
	return netlink_call(&ethtool->netlink, request, NULL, NULL);
}

/* What the ioctl returns beyond 0 says that something else has changed as well: whoever called reads it again. */
static int set_block(const struct ethtool *ethtool, unsigned blocks, unsigned index, bool on)
{
	struct ethtool_sfeatures *request = calloc(1, sizeof(*request) + blocks * sizeof(request->features[0]));
	uint32_t bit = (uint32_t)1 << index % 32;
	int ret;

	if (!request)
		return -ENOMEM;
	request->cmd = ETHTOOL_SFEATURES;
	request->size = blocks;
	request->features[index / 32] = (struct ethtool_set_features_block){ .valid = bit, .requested = on ? bit : 0 };
	ret = ethtool_ioctl(ethtool, request);
	free(request);
	return ret;
}

static int set_by_ioctl(struct ethtool *ethtool, const char *wanted, bool on)
{
	struct features features = { 0 };
	int ret = read_features(ethtool, &features);

	if (ret == 0)
		ret = -EOPNOTSUPP;
	for (unsigned i = 0; ret == -EOPNOTSUPP && features.state && i < features.count; i++) {
		char name[ETH_GSTRING_LEN + 1];

		feature_name(name, &features, i);
		if (strcmp(name, wanted) == 0) {
			ret = set_block(ethtool, (features.count + 31) / 32, i, on);
			break;
		}
	}
	free_features(&features);
	return ret;
}

int ethtool_features_set(struct ethtool *ethtool, const char *fact, const char *value, struct netring_error *error)
{
	const char *name = fact + strlen(PREFIX);
	bool on = strcmp(value, "on") == 0;
	int ret;

	/* A name that long is none, and would not fit into the request. */
	if (strncmp(fact, PREFIX, strlen(PREFIX)) != 0 || strlen(name) >= 128 || (!on && strcmp(value, "off") != 0))
		return error_set(error, EINVAL, "%s = %s is nothing that can be set", fact, value);
	ret = set_by_netlink(ethtool, name, on);
	if (ret == -EOPNOTSUPP) {
		ret = set_by_ioctl(ethtool, name, on);
		ethtool->netlink.refusal[0] = '\0';
	}
	if (ret < 0 && ethtool->netlink.refusal[0])
		return error_set(error, -ret, "cannot switch %s %s: %s (%s)", name, value, strerror(-ret), ethtool->netlink.refusal);
	return ret < 0 ? error_errno(error, -ret, "cannot switch %s %s", name, value) : 0;
}
