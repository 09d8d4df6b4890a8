/* SPDX-License-Identifier: BSD-3-Clause */
/* What a driver tells of itself and its adapter: name, RSS, clock, counters. By ioctl, for most of it the only way; nothing of it is set here. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"

#define RSS_MAX 65536

/* The key that makes Toeplitz's hash the same in both directions is these two bytes again and again. */
#define SYMMETRIC_KEY_0 0x6d
#define SYMMETRIC_KEY_1 0x5a

static void collect_driver(struct ethtool *ethtool, struct facts *facts)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	if (ethtool_ioctl(ethtool, &info) < 0)
		return;
	if (info.driver[0])
		facts_format(facts, "nic.driver", "%.*s", (int)sizeof(info.driver), info.driver);
	if (info.fw_version[0])
		facts_format(facts, "nic.firmware", "%.*s", (int)sizeof(info.fw_version), info.fw_version);
	if (info.bus_info[0])
		facts_format(facts, "nic.bus", "%.*s", (int)sizeof(info.bus_info), info.bus_info);
}

static void collect_clock(struct ethtool *ethtool, struct facts *facts)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };

	if (ethtool_ioctl(ethtool, &info) < 0)
		return;
	facts_set(facts, "nic.timestamp.hardware",
		  (info.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE) && (info.rx_filters & (1U << HWTSTAMP_FILTER_ALL)) ? "yes" : "no");
	if (info.phc_index >= 0)
		facts_set_number(facts, "nic.timestamp.phc", info.phc_index);
}

/* RSS */

static bool is_symmetric_key(const unsigned char *key, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (key[i] != (i % 2 ? SYMMETRIC_KEY_1 : SYMMETRIC_KEY_0))
			return false;
	return size > 0;
}

/* Even: no queue that is named at all is named twice more often than another. */
static void collect_table(struct facts *facts, const uint32_t *table, unsigned size)
{
	unsigned *named = calloc(RSS_MAX, sizeof(*named)), queues = 0, most = 0, least = UINT32_MAX;

	for (unsigned i = 0; named && i < size; i++)
		if (table[i] < RSS_MAX)
			named[table[i]]++;
	for (unsigned i = 0; named && i < RSS_MAX; i++) {
		queues += named[i] > 0;
		most = named[i] > most ? named[i] : most;
		least = named[i] > 0 && named[i] < least ? named[i] : least;
	}
	free(named);
	facts_set_number(facts, "nic.rss.table_size", size);
	facts_set_number(facts, "nic.rss.queues", queues);
	facts_set(facts, "nic.rss.even", queues == 0 || most - least <= 1 ? "yes" : "no");
}

static void collect_function(struct ethtool *ethtool, struct facts *facts, unsigned function)
{
	unsigned count;
	struct ethtool_gstrings *names = ethtool_strings(ethtool, ETH_SS_RSS_HASH_FUNCS, &count);

	for (unsigned i = 0; names && i < count && i < 32; i++) {
		const char *name = (const char *)names->data + (size_t)i * ETH_GSTRING_LEN;

		if ((function >> i & 1) && name[0])
			facts_format(facts, "nic.rss.function", "%.*s", ETH_GSTRING_LEN, name);
	}
	free(names);
}

/* The byte behind the function is input_xfrm since Linux 6.8, and 0 before. */
static void take_rss(struct ethtool *ethtool, struct facts *facts, const struct ethtool_rxfh *rss)
{
	const unsigned char *key = (const unsigned char *)(rss->rss_config + rss->indir_size);
	bool transformed = ((const unsigned char *)&rss->hfunc)[1] != 0 && ((const unsigned char *)&rss->hfunc)[1] != 0xff;

	if (rss->indir_size)
		collect_table(facts, rss->rss_config, rss->indir_size);
	if (rss->key_size)
		facts_set(facts, "nic.rss.symmetric", transformed || is_symmetric_key(key, rss->key_size) ? "yes" : "no");
	if (rss->hfunc)
		collect_function(ethtool, facts, rss->hfunc);
}

static void collect_rss(struct ethtool *ethtool, struct facts *facts)
{
	struct ethtool_rxfh sizes = { .cmd = ETHTOOL_GRSSH }, *rss;
	int ret = ethtool_ioctl(ethtool, &sizes);

	if (ret < 0 || sizes.indir_size > RSS_MAX || sizes.key_size > RSS_MAX) {
		facts_set(facts, "why.nic.rss", ret == -EOPNOTSUPP ? "the driver has no such command" : strerror(ret < 0 ? -ret : EBADMSG));
		return;
	}
	rss = calloc(1, sizeof(*rss) + sizes.indir_size * sizeof(uint32_t) + sizes.key_size);
	if (!rss)
		return;
	*rss = (struct ethtool_rxfh){ .cmd = ETHTOOL_GRSSH, .indir_size = sizes.indir_size, .key_size = sizes.key_size };
	if (ethtool_ioctl(ethtool, rss) == 0)
		take_rss(ethtool, facts, rss);
	free(rss);
}

/* The driver's counters */

/* fdir_miss counts packets that no rule of the adapter's flow director was for: nothing is lost. */
static bool speaks_of_loss(const char *name)
{
	static const char *const words[] = { "drop",	"miss",	    "no_buf", "nobuf",	    "no_mbuf", "discard",  "out_of_buffer", "fifo",
					     "overrun", "over_err", "no_dma", "alloc_fail", "no_desc", "buff_err", "exceeded" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(name, words[i]) && !strcasestr(name, "tx_") && !strcasestr(name, "fdir"))
			return true;
	return false;
}

static void collect_counter(struct facts *facts, const char *padded, uint64_t value)
{
	char name[ETH_GSTRING_LEN + 1], fact[ETH_GSTRING_LEN + 32];

	memcpy(name, padded, ETH_GSTRING_LEN);
	name[ETH_GSTRING_LEN] = '\0';
	if (value == 0 || !speaks_of_loss(name))
		return;
	/* Some have blanks and colons; a fact's name is one word. */
	for (char *c = name; *c; c++)
		if (*c <= ' ' || *c == '=' || *c == '#' || (unsigned char)*c >= 0x7f)
			*c = '_';
	snprintf(fact, sizeof(fact), "nic.driver_count.%s", name);
	facts_format(facts, fact, "%" PRIu64, value);
}

void ethtool_losses_collect(struct ethtool *ethtool, struct facts *facts)
{
	unsigned count;
	struct ethtool_gstrings *names = ethtool_strings(ethtool, ETH_SS_STATS, &count);
	struct ethtool_stats *stats = names ? calloc(1, sizeof(*stats) + ETHTOOL_ROOM(count) * sizeof(uint64_t)) : NULL;

	if (stats) {
		stats->cmd = ETHTOOL_GSTATS;
		stats->n_stats = count;
		if (ethtool_ioctl(ethtool, stats) == 0)
			for (unsigned i = 0; i < count && i < stats->n_stats; i++)
				collect_counter(facts, (const char *)names->data + (size_t)i * ETH_GSTRING_LEN, stats->data[i]);
	}
	free(names);
	free(stats);
}

void ethtool_driver_collect(struct ethtool *ethtool, struct facts *facts)
{
	collect_driver(ethtool, facts);
	collect_clock(ethtool, facts);
	collect_rss(ethtool, facts);
	ethtool_losses_collect(ethtool, facts);
}
