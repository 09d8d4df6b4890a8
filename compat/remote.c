/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Remote capture: not supported, as in every libpcap that was built without it. The names exist so that a program which mentions them starts, and they
 * fail in the words of libpcap 1.11, which exports them as well.
 */
#include <stdio.h>

#include "inner.h"

struct pcap_rmtauth;

/* pcap.h does not declare them for a build without remote capture, so nothing else says that they are exported. */
#pragma GCC visibility push(default)

static void refuse(const char *name, char *errbuf)
{
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s() is not supported", name);
}

pcap_t *pcap_open(const char *source, int snaplen, int flags, int timeout_ms, struct pcap_rmtauth *auth, char *errbuf)
{
	(void)source, (void)snaplen, (void)flags, (void)timeout_ms, (void)auth;
	refuse(__func__, errbuf);
	return NULL;
}

int pcap_createsrcstr(char *source, int type, const char *host, const char *port, const char *name, char *errbuf)
{
	(void)source, (void)type, (void)host, (void)port, (void)name;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

int pcap_parsesrcstr(const char *source, int *type, char *host, char *port, char *name, char *errbuf)
{
	(void)source, (void)type, (void)host, (void)port, (void)name;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

int pcap_findalldevs_ex(const char *source, struct pcap_rmtauth *auth, pcap_if_t **devices, char *errbuf)
{
	(void)source, (void)auth, (void)devices;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

struct pcap_samp *pcap_setsampling(pcap_t *p)
{
	refuse(__func__, pcap_geterr(p));
	return NULL;
}

int pcap_remoteact_accept(const char *address, const char *port, const char *hosts, char *connecting_host, struct pcap_rmtauth *auth, char *errbuf)
{
	(void)address, (void)port, (void)hosts, (void)connecting_host, (void)auth;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

int pcap_remoteact_accept_ex(const char *address, const char *port, const char *hosts, char *connecting_host, struct pcap_rmtauth *auth, int uses_ssl,
			     char *errbuf)
{
	(void)address, (void)port, (void)hosts, (void)connecting_host, (void)auth, (void)uses_ssl;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

int pcap_remoteact_list(char *hosts, char separator, int size, char *errbuf)
{
	(void)hosts, (void)separator, (void)size;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

int pcap_remoteact_close(const char *host, char *errbuf)
{
	(void)host;
	refuse(__func__, errbuf);
	return PCAP_ERROR;
}

void pcap_remoteact_cleanup(void)
{
}
