/* SPDX-License-Identifier: BSD-3-Clause */
/* pcap_lib_version: libpcap's words, then ours. Programs print it, and some parse its beginning. */
#include "inner.h"
#include "netring.h"

static char version[128];

/* The inner handle's, and netring's. Made once, before main, so that no two threads make it. */
__attribute__((constructor)) static void compose(void)
{
	snprintf(version, sizeof(version), "%s, netring %s", inner_pcap_lib_version(), netring_version());
}

const char *pcap_lib_version(void)
{
	return version;
}
