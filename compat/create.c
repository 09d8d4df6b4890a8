/* SPDX-License-Identifier: BSD-3-Clause */
/* pcap_create and the options of a handle that is not activated. libpcap's own handle judges each value; what it took is remembered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "inner-calls.h"
#include "interfaces.h"

/* libpcap's own handle cannot be on a list; it is on the first interface of it. */
static struct inner *create_first(const char *device, struct interface_list **list, int *eventfd, char *errbuf)
{
	*list = NULL;
	if (device && interfaces_read(device, list) < 0) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "malloc: %s", strerror(ENOMEM));
		return NULL;
	}
	return inner_create(*list ? (*list)->name[0] : device, eventfd, errbuf);
}

pcap_t *pcap_create(const char *device, char *errbuf)
{
	int eventfd;
	struct interface_list *list;
	pcap_t *p = handle_wrap(create_first(device, &list, &eventfd, errbuf), errbuf);

	if (!p) {
		free(list);
		return NULL;
	}
	p->list = list;
	p->inner_eventfd = eventfd;
	p->device = strdup(device ? device : "any");
	if (!p->device) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "malloc: Cannot allocate memory");
		handle_free(p);
		return NULL;
	}
	p->request.tstamp_type = -1;
	p->request.tstamp_precision = PCAP_TSTAMP_PRECISION_MICRO;
	return p;
}

#define OPTION(option) \
	int pcap_set_##option(pcap_t *p, int value) \
	{ \
		int status = inner_pcap_set_##option(p->inner, value); \
\
		if (status == 0) \
			p->request.option = value; \
		return status; \
	}

OPTION(snaplen)
OPTION(promisc)
OPTION(rfmon)
OPTION(tstamp_type)
OPTION(tstamp_precision)

int pcap_set_timeout(pcap_t *p, int value)
{
	int status = inner_pcap_set_timeout(p->inner, value);

	if (status == 0)
		p->request.timeout_ms = value;
	return status;
}

int pcap_set_immediate_mode(pcap_t *p, int value)
{
	int status = inner_pcap_set_immediate_mode(p->inner, value);

	if (status == 0)
		p->request.immediate = value;
	return status;
}

int pcap_set_buffer_size(pcap_t *p, int value)
{
	int status = inner_pcap_set_buffer_size(p->inner, value);

	if (status == 0 && value > 0)
		p->request.buffer_size = value;
	return status;
}

int pcap_set_protocol_linux(pcap_t *p, int value)
{
	int status = inner_pcap_set_protocol_linux(p->inner, value);

	if (status == 0)
		p->request.protocol = value;
	return status;
}

int pcap_setnonblock(pcap_t *p, int nonblock, char *errbuf)
{
	int status = p->ops->setnonblock(p, nonblock, errbuf);

	if (status == 0)
		p->request.nonblock = nonblock;
	return status;
}
