/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings that are numbers or switches: a table of them, and how a group is asked for and set, over netlink and by ioctl. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"

/* A group is asked for, and set, by one command; the ioctl's struct is 32-bit words, of which the first is the command. */
static const struct group {
	const char *name;
	uint8_t get, set, answer; /* netlink */
	uint32_t ioctl_get, ioctl_set;
	size_t size; /* of the ioctl's struct */
} groups[] = {
	{ "nic.ring", ETHTOOL_MSG_RINGS_GET, ETHTOOL_MSG_RINGS_SET, ETHTOOL_MSG_RINGS_GET_REPLY, ETHTOOL_GRINGPARAM, ETHTOOL_SRINGPARAM,
	  sizeof(struct ethtool_ringparam) },
	{ "nic.channels", ETHTOOL_MSG_CHANNELS_GET, ETHTOOL_MSG_CHANNELS_SET, ETHTOOL_MSG_CHANNELS_GET_REPLY, ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS,
	  sizeof(struct ethtool_channels) },
	{ "nic.coalesce", ETHTOOL_MSG_COALESCE_GET, ETHTOOL_MSG_COALESCE_SET, ETHTOOL_MSG_COALESCE_GET_REPLY, ETHTOOL_GCOALESCE, ETHTOOL_SCOALESCE,
	  sizeof(struct ethtool_coalesce) },
	{ "nic.pause", ETHTOOL_MSG_PAUSE_GET, ETHTOOL_MSG_PAUSE_SET, ETHTOOL_MSG_PAUSE_GET_REPLY, ETHTOOL_GPAUSEPARAM, ETHTOOL_SPAUSEPARAM,
	  sizeof(struct ethtool_pauseparam) },
};

enum { RING, CHANNELS, COALESCE, PAUSE, GROUPS };

/* Room for any of the structs: ethtool_coalesce has 23 words. */
#define WORDS 32

#define WORD(type, member) (offsetof(struct type, member) / sizeof(uint32_t))

enum form { NUMBER, SWITCH };

static const struct item {
	const char *fact;
	enum form form;
	uint8_t group;
	uint16_t attribute; /* netlink; below 32 */
	uint16_t word;	    /* in the ioctl's struct */
	uint16_t max_word;  /* the word with its maximum: 0 there is "has none"; 0: no such word */
} items[] = {
#define RING_ITEM(name, attribute, member, max) \
	{ \
		"nic.ring." name, NUMBER, RING, ETHTOOL_A_RINGS_##attribute, WORD(ethtool_ringparam, member), WORD(ethtool_ringparam, max) \
	}
	RING_ITEM("rx", RX, rx_pending, rx_max_pending),
	RING_ITEM("rx_max", RX_MAX, rx_max_pending, rx_max_pending),
	RING_ITEM("tx", TX, tx_pending, tx_max_pending),
	RING_ITEM("tx_max", TX_MAX, tx_max_pending, tx_max_pending),
#define CHANNEL_ITEM(name, attribute, member, max) \
	{ \
		"nic.channels." name, NUMBER, CHANNELS, ETHTOOL_A_CHANNELS_##attribute, WORD(ethtool_channels, member), WORD(ethtool_channels, max) \
	}
	CHANNEL_ITEM("rx", RX_COUNT, rx_count, max_rx),
	CHANNEL_ITEM("rx_max", RX_MAX, max_rx, max_rx),
	CHANNEL_ITEM("tx", TX_COUNT, tx_count, max_tx),
	CHANNEL_ITEM("tx_max", TX_MAX, max_tx, max_tx),
	CHANNEL_ITEM("combined", COMBINED_COUNT, combined_count, max_combined),
	CHANNEL_ITEM("combined_max", COMBINED_MAX, max_combined, max_combined),
	CHANNEL_ITEM("other", OTHER_COUNT, other_count, max_other),
	CHANNEL_ITEM("other_max", OTHER_MAX, max_other, max_other),
#define COALESCE_ITEM(name, form, attribute, member) \
	{ \
		"nic.coalesce." name, form, COALESCE, ETHTOOL_A_COALESCE_##attribute, WORD(ethtool_coalesce, member), 0 \
	}
	COALESCE_ITEM("adaptive_rx", SWITCH, USE_ADAPTIVE_RX, use_adaptive_rx_coalesce),
	COALESCE_ITEM("adaptive_tx", SWITCH, USE_ADAPTIVE_TX, use_adaptive_tx_coalesce),
	COALESCE_ITEM("rx_usecs", NUMBER, RX_USECS, rx_coalesce_usecs),
	COALESCE_ITEM("rx_frames", NUMBER, RX_MAX_FRAMES, rx_max_coalesced_frames),
	COALESCE_ITEM("tx_usecs", NUMBER, TX_USECS, tx_coalesce_usecs),
	COALESCE_ITEM("tx_frames", NUMBER, TX_MAX_FRAMES, tx_max_coalesced_frames),
#define PAUSE_ITEM(name, attribute, member) \
	{ \
		"nic.pause." name, SWITCH, PAUSE, ETHTOOL_A_PAUSE_##attribute, WORD(ethtool_pauseparam, member), 0 \
	}
	PAUSE_ITEM("rx", RX, rx_pause),
	PAUSE_ITEM("tx", TX, tx_pause),
};

#define ITEMS (sizeof(items) / sizeof(items[0]))
#define ATTRIBUTE_MAX 31

static void set_fact(struct facts *facts, const struct item *item, uint32_t value)
{
	if (item->form == SWITCH)
		facts_set(facts, item->fact, value ? "on" : "off");
	else
		facts_set_number(facts, item->fact, value);
}

static void take_attribute(struct facts *facts, const struct item *item, const struct nlattr *attribute)
{
	if (item->form == SWITCH && attribute && mnl_attr_validate(attribute, MNL_TYPE_U8) == 0)
		set_fact(facts, item, mnl_attr_get_u8(attribute));
	else if (item->form == NUMBER && attribute && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
		set_fact(facts, item, mnl_attr_get_u32(attribute));
}

static const struct group *find_group(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (strcmp(groups[i].name, name) == 0)
			return &groups[i];
	return NULL;
}

/* Whether it is an answer of generic netlink with this command. */
static bool is_answer(const struct nlmsghdr *message, uint8_t command)
{
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(message);

	return mnl_nlmsg_get_payload_len(message) >= sizeof(*header) && header->cmd == command;
}

int ethtool_numbers_take(const struct nlmsghdr *message, void *context)
{
	const struct ethtool_answer *answer = context;
	const struct group *group = find_group(answer->group);
	const struct nlattr *table[ATTRIBUTE_MAX + 1] = { 0 };
	struct netlink_attributes attributes = { table, ATTRIBUTE_MAX };

	if (!group || !is_answer(message, group->answer))
		return MNL_CB_OK;
	if (mnl_attr_parse(message, sizeof(struct genlmsghdr), netlink_keep_attribute, &attributes) < 0)
		return MNL_CB_ERROR;
	for (size_t i = 0; i < ITEMS; i++)
		if (&groups[items[i].group] == group)
			take_attribute(answer->facts, &items[i], table[items[i].attribute]);
	return MNL_CB_OK;
}

static int collect_by_netlink(struct ethtool *ethtool, const struct group *group, struct facts *facts)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct ethtool_answer answer = { group->name, facts };

	if (!ethtool->family)
		return -EOPNOTSUPP;
	return netlink_call(&ethtool->netlink, ethtool_request(ethtool, buffer, group->get), ethtool_numbers_take, &answer);
}

static int collect_by_ioctl(struct ethtool *ethtool, const struct group *group, struct facts *facts)
{
	uint32_t words[WORDS] = { group->ioctl_get };
	int ret = ethtool_ioctl(ethtool, words);

	for (size_t i = 0; ret == 0 && i < ITEMS; i++)
		if (&groups[items[i].group] == group && (!items[i].max_word || words[items[i].max_word]))
			set_fact(facts, &items[i], words[items[i].word]);
	return ret;
}

static void collect_group(struct ethtool *ethtool, const struct group *group, struct facts *facts)
{
	int ret = collect_by_netlink(ethtool, group, facts);
	char why[64];

	if (ret == -EOPNOTSUPP)
		ret = collect_by_ioctl(ethtool, group, facts);
	if (ret == 0)
		return;
	snprintf(why, sizeof(why), "why.%s", group->name);
	facts_set(facts, why, ret == -EOPNOTSUPP ? "the driver has no such command" : strerror(-ret));
}

void ethtool_numbers_collect(struct ethtool *ethtool, struct facts *facts)
{
	for (size_t i = 0; i < GROUPS; i++)
		collect_group(ethtool, &groups[i], facts);
}

static int set_by_netlink(struct ethtool *ethtool, const struct item *item, uint32_t value)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request;

	if (!ethtool->family)
		return -EOPNOTSUPP;
	request = ethtool_request(ethtool, buffer, groups[item->group].set);
	if (item->form == SWITCH)
		mnl_attr_put_u8(request, item->attribute, (uint8_t)value);
	else
		mnl_attr_put_u32(request, item->attribute, value);
	return netlink_call(&ethtool->netlink, request, NULL, NULL);
}

static int set_by_ioctl(struct ethtool *ethtool, const struct item *item, uint32_t value)
{
	uint32_t words[WORDS] = { groups[item->group].ioctl_get };
	int ret = ethtool_ioctl(ethtool, words);

	if (ret < 0)
		return ret;
	words[0] = groups[item->group].ioctl_set;
	words[item->word] = value;
	return ethtool_ioctl(ethtool, words);
}

static int parse_value(const struct item *item, const char *text, uint32_t *value)
{
	unsigned long number;
	char *end;

	if (item->form == SWITCH) {
		*value = strcmp(text, "on") == 0;
		return *value || strcmp(text, "off") == 0 ? 0 : -EINVAL;
	}
	errno = 0;
	number = strtoul(text, &end, 10);
	*value = (uint32_t)number;
	return errno || end == text || *end || *text == '-' || number > UINT32_MAX ? -EINVAL : 0;
}

static const struct item *find_item(const char *fact)
{
	for (size_t i = 0; i < ITEMS; i++)
		if (strcmp(items[i].fact, fact) == 0)
			return &items[i];
	return NULL;
}

int ethtool_numbers_set(struct ethtool *ethtool, const char *fact, const char *value, struct netring_error *error)
{
	const struct item *item = find_item(fact);
	uint32_t number;
	int ret;

	if (!item || parse_value(item, value, &number) < 0)
		return error_set(error, EINVAL, "%s = %s is nothing that can be set", fact, value);
	ret = set_by_netlink(ethtool, item, number);
	if (ret == -EOPNOTSUPP) {
		ret = set_by_ioctl(ethtool, item, number);
		ethtool->netlink.refusal[0] = '\0';
	}
	if (ret == -EOPNOTSUPP)
		return error_set(error, EOPNOTSUPP, "the driver cannot set %s", fact);
	if (ret < 0 && ethtool->netlink.refusal[0])
		return error_set(error, -ret, "cannot set %s to %s: %s (%s)", fact, value, strerror(-ret), ethtool->netlink.refusal);
	return ret < 0 ? error_errno(error, -ret, "cannot set %s to %s", fact, value) : 0;
}
