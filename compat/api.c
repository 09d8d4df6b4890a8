/* SPDX-License-Identifier: BSD-3-Clause */
/* The pcap_* functions of a handle: by its kind where engine and libpcap differ, else to the inner handle. */
#include "handle.h"
#include "interfaces.h"

/* By kind. */

int pcap_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	return p->ops->dispatch(p, count, callback, user);
}

int pcap_loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	return p->ops->loop(p, count, callback, user);
}

const u_char *pcap_next(pcap_t *p, struct pcap_pkthdr *header)
{
	return p->ops->next(p, header);
}

int pcap_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data)
{
	return p->ops->next_ex(p, header, data);
}

void pcap_breakloop(pcap_t *p)
{
	p->ops->breakloop(p);
}

int pcap_setfilter(pcap_t *p, struct bpf_program *program)
{
	return p->ops->setfilter(p, program);
}

int pcap_setdirection(pcap_t *p, pcap_direction_t direction)
{
	return p->ops->setdirection(p, direction);
}

int pcap_set_datalink(pcap_t *p, int link)
{
	return p->ops->set_datalink(p, link);
}

int pcap_getnonblock(pcap_t *p, char *errbuf)
{
	return p->ops->getnonblock(p, errbuf);
}

int pcap_stats(pcap_t *p, struct pcap_stat *stats)
{
	return p->ops->stats(p, stats);
}

int pcap_inject(pcap_t *p, const void *frame, size_t size)
{
	return p->ops->inject(p, frame, size);
}

int pcap_sendpacket(pcap_t *p, const u_char *frame, int size)
{
	return p->ops->sendpacket(p, frame, size);
}

int pcap_fileno(pcap_t *p)
{
	p->fd_is_known = true;
	return p->ops->fileno(p);
}

int pcap_get_selectable_fd(pcap_t *p)
{
	p->fd_is_known = true;
	return p->ops->selectable_fd(p);
}

const struct timeval *pcap_get_required_select_timeout(pcap_t *p)
{
	return p->ops->required_select_timeout(p);
}

void pcap_close(pcap_t *p)
{
	handle_free(p);
}

/* To the inner handle, whatever the kind. */

char *pcap_geterr(pcap_t *p)
{
	return handle_errbuf(p);
}

void pcap_perror(pcap_t *p, const char *prefix)
{
	inner_stdio_refresh();
	inner_pcap_perror(p->inner, prefix);
}

int pcap_compile(pcap_t *p, struct bpf_program *program, const char *expression, int optimize, bpf_u_int32 netmask)
{
	return inner_pcap_compile(p->inner, program, expression, optimize, netmask);
}

int pcap_list_tstamp_types(pcap_t *p, int **types)
{
	return inner_pcap_list_tstamp_types(p->inner, types);
}

int pcap_get_tstamp_precision(pcap_t *p)
{
	return inner_pcap_get_tstamp_precision(p->inner);
}

int pcap_datalink(pcap_t *p)
{
	return inner_pcap_datalink(p->inner);
}

int pcap_datalink_ext(pcap_t *p)
{
	return inner_pcap_datalink_ext(p->inner);
}

int pcap_list_datalinks(pcap_t *p, int **links)
{
	return interfaces_list_datalinks(p, links);
}

int pcap_snapshot(pcap_t *p)
{
	return inner_pcap_snapshot(p->inner);
}

int pcap_is_swapped(pcap_t *p)
{
	return inner_pcap_is_swapped(p->inner);
}

int pcap_major_version(pcap_t *p)
{
	return inner_pcap_major_version(p->inner);
}

int pcap_minor_version(pcap_t *p)
{
	return inner_pcap_minor_version(p->inner);
}

int pcap_bufsize(pcap_t *p)
{
	return inner_pcap_bufsize(p->inner);
}

FILE *pcap_file(pcap_t *p)
{
	return inner_pcap_file(p->inner);
}
