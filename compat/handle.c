/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and freeing a pcap_t, and what it says when something fails. */
#include "dump.h"
#include "handle.h"
#include "inner-calls.h"
#include "interfaces.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "savefile-input.h"

int handle_fail(pcap_t *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(handle_errbuf(p), PCAP_ERRBUF_SIZE, format, arguments);
	va_end(arguments);
	return PCAP_ERROR;
}

int handle_engine_error(pcap_t *p, int err, const struct netring_error *error)
{
	snprintf(handle_errbuf(p), PCAP_ERRBUF_SIZE, "%.*s", PCAP_ERRBUF_SIZE - 1, error->text);
	switch (-err) {
	case EPERM:
	case EACCES:
		return PCAP_ERROR_PERM_DENIED;
	case ENODEV:
	case ENXIO:
		return PCAP_ERROR_NO_SUCH_DEVICE;
	case ENETDOWN:
		return PCAP_ERROR_IFACE_NOT_UP;
	default:
		return PCAP_ERROR;
	}
}

pcap_t *handle_wrap(struct inner *inner, char *errbuf)
{
	pcap_t *p;

	if (!inner)
		return NULL;
	p = pages_allocate(sizeof(*p));
	if (!p) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "malloc: %s", strerror(errno));
		inner_pcap_close(inner);
		return NULL;
	}
	p->ops = &delegated_ops;
	p->inner = inner;
	p->inner_eventfd = -1;
	p->wake_fd = -1;
	p->cpu = -1;
	p->log = (struct log)LOG_INIT;
	return p;
}

void handle_free(pcap_t *p)
{
	if (dump_thread.hold != DUMP_LIKE_LIBPCAP)
		dump_read_ends(DUMP_LIKE_LIBPCAP); /* the next read may never come, nor the end of one whose callback was left by longjmp */
	engine_close(p);
	delegated_stats_close(p);
	interfaces_close(p);
	inner_close_handle(p->inner, p->inner_eventfd);
	free(p->list);
	savefile_input_free(p->read_buffer);
	free(p->device);
	if (p->reads == 0) {
		handle_give_up_memory(p);
		return;
	}
	p->closed = true;
	p->resume = NULL;
	p->resume_xdp = NULL;
	attention_set(&p->attention, ATTENTION_BREAK);
}

void handle_give_up_memory(pcap_t *p)
{
	pages_free(p, sizeof(*p));
}
