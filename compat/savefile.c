/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading savefiles, and dead handles: libpcap's, in a handle of ours. */
#include <string.h>
#include <sys/stat.h>

#include "handle.h"
#include "savefile-input.h"

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

/* A pipe under that name, opened; NULL: it is something else, or libpcap is to say what is wrong with it. */
static FILE *open_pipe(const char *path)
{
	struct stat status;
	FILE *file, *wrapped;

	if (!path)
		return NULL;
	if (strcmp(path, "-") == 0)
		return stdin ? savefile_input_wrap(stdin) : NULL;
	if (stat(path, &status) < 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return NULL;
	file = fopen(path, "rb");
	if (!file)
		return NULL;
	wrapped = savefile_input_wrap(file);
	return wrapped ? wrapped : file;
}

pcap_t *pcap_open_offline_with_tstamp_precision(const char *path, u_int precision, char *errbuf)
{
	FILE *file = open_pipe(path);
	struct inner *inner;
	pcap_t *p;

	inner_stdio_refresh();
	if (file) {
		inner = inner_pcap_fopen_offline_with_tstamp_precision(file, precision, errbuf);
		if (!inner)
			fclose(file);
		return handle_wrap(inner, errbuf);
	}
	p = handle_wrap(inner_pcap_open_offline_with_tstamp_precision(path, precision, errbuf), errbuf);
	if (p && inner_pcap_file(p->inner) != stdin)
		p->read_buffer = savefile_input_enlarge(inner_pcap_file(p->inner));
	return p;
}

pcap_t *pcap_open_offline(const char *path, char *errbuf)
{
	return pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_MICRO, errbuf);
}

/* The stream is the program's, so nothing of ours is in it that would know when it sleeps. */
static pcap_t *wrap_stream(struct inner *inner, FILE *file, char *errbuf)
{
	pcap_t *p = handle_wrap(inner, errbuf);
	struct stat status;

	if (p)
		p->input_may_sleep = fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode);
	return p;
}

pcap_t *pcap_fopen_offline(FILE *file, char *errbuf)
{
	inner_stdio_refresh();
	return wrap_stream(inner_pcap_fopen_offline(file, errbuf), file, errbuf);
}

pcap_t *pcap_fopen_offline_with_tstamp_precision(FILE *file, u_int precision, char *errbuf)
{
	inner_stdio_refresh();
	return wrap_stream(inner_pcap_fopen_offline_with_tstamp_precision(file, precision, errbuf), file, errbuf);
}
