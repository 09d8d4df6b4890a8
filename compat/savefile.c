/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading savefiles, and dead handles: libpcap's, in a handle of ours. */
#include "handle.h"

pcap_t *pcap_open_dead(int linktype, int snaplen)
{
	char ignored[PCAP_ERRBUF_SIZE];

	return handle_wrap(inner_pcap_open_dead(linktype, snaplen), ignored);
}

pcap_t *pcap_open_dead_with_tstamp_precision(int linktype, int snaplen, u_int precision)
{
	char ignored[PCAP_ERRBUF_SIZE];

	return handle_wrap(inner_pcap_open_dead_with_tstamp_precision(linktype, snaplen, precision), ignored);
}

pcap_t *pcap_open_offline(const char *path, char *errbuf)
{
	inner_stdio_refresh();
	return handle_wrap(inner_pcap_open_offline(path, errbuf), errbuf);
}

pcap_t *pcap_open_offline_with_tstamp_precision(const char *path, u_int precision, char *errbuf)
{
	inner_stdio_refresh();
	return handle_wrap(inner_pcap_open_offline_with_tstamp_precision(path, precision, errbuf), errbuf);
}

pcap_t *pcap_fopen_offline(FILE *file, char *errbuf)
{
	inner_stdio_refresh();
	return handle_wrap(inner_pcap_fopen_offline(file, errbuf), errbuf);
}

pcap_t *pcap_fopen_offline_with_tstamp_precision(FILE *file, u_int precision, char *errbuf)
{
	inner_stdio_refresh();
	return handle_wrap(inner_pcap_fopen_offline_with_tstamp_precision(file, precision, errbuf), errbuf);
}
