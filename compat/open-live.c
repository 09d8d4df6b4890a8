/* SPDX-License-Identifier: BSD-3-Clause */
/* pcap_open_live: the old way to open, still the commonest. On success errbuf stays as it was: callers clear it and print what they find. */
#include "handle.h"

static void explain(pcap_t *p, const char *device, int status, char *errbuf)
{
	const char *text = handle_errbuf(p), *meaning = pcap_statustostr(status);

	switch (status) {
	case PCAP_ERROR:
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s: %s", device, text);
		return;
	case PCAP_ERROR_NO_SUCH_DEVICE:
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		if (*text) {
			snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s: %s (%s)", device, meaning, text);
			return;
		}
		break;
	}
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s: %s", device, meaning);
}

pcap_t *pcap_open_live(const char *device, int snaplen, int promisc, int to_ms, char *errbuf)
{
	pcap_t *p = pcap_create(device, errbuf);
	int status;

	if (!p)
		return NULL;
	pcap_set_snaplen(p, snaplen);
	pcap_set_promisc(p, promisc);
	pcap_set_timeout(p, to_ms);
	status = pcap_activate(p);
	if (status >= 0)
		return p;
	explain(p, p->device, status, errbuf);
	pcap_close(p);
	return NULL;
}
