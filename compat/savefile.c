/* SPDX-License-Identifier: BSD-3-Clause */
/* Savefiles and dead handles: libpcap's, in a handle of ours. */
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

pcap_dumper_t *pcap_dump_open(pcap_t *p, const char *path)
{
	inner_stdio_refresh();
	return inner_pcap_dump_open(p->inner, path);
}

pcap_dumper_t *pcap_dump_open_append(pcap_t *p, const char *path)
{
	inner_stdio_refresh();
	return inner_pcap_dump_open_append(p->inner, path);
}

pcap_dumper_t *pcap_dump_fopen(pcap_t *p, FILE *file)
{
	return inner_pcap_dump_fopen(p->inner, file);
}

void pcap_dump(u_char *dumper, const struct pcap_pkthdr *header, const u_char *data)
{
	inner_pcap_dump(dumper, header, data);
}

void pcap_dump_close(pcap_dumper_t *dumper)
{
	inner_pcap_dump_close(dumper);
}

FILE *pcap_dump_file(pcap_dumper_t *dumper)
{
	return inner_pcap_dump_file(dumper);
}

int pcap_dump_flush(pcap_dumper_t *dumper)
{
	return inner_pcap_dump_flush(dumper);
}

long pcap_dump_ftell(pcap_dumper_t *dumper)
{
	return inner_pcap_dump_ftell(dumper);
}

int64_t pcap_dump_ftell64(pcap_dumper_t *dumper)
{
	return inner_pcap_dump_ftell64(dumper);
}
