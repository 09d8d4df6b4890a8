/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver says of the adapter and its settings. */
#include "ethtool.h"
#include "facts-collect.h"

void facts_collect_adapter(struct facts *facts, struct ethtool *ethtool)
{
	ethtool_driver_collect(ethtool, facts);
	ethtool_numbers_collect(ethtool, facts);
	ethtool_features_collect(ethtool, facts);
}
