/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions that have no handle: libpcap's, under their own names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "interfaces.h"

/* stdout is refreshed for what prints. */
void bpf_dump(const struct bpf_program *program, int option)
{
	inner_stdio_refresh();
	inner_bpf_dump(program, option);
}

u_int bpf_filter(const struct bpf_insn *program, const u_char *data, u_int wire_len, u_int captured_len)
{
	return inner_bpf_filter(program, data, wire_len, captured_len);
}

char *bpf_image(const struct bpf_insn *insn, int number)
{
	return inner_bpf_image(insn, number);
}

int bpf_validate(const struct bpf_insn *program, int length)
{
	return inner_bpf_validate(program, length);
}

int pcap_init(unsigned int options, char *errbuf)
{
	return inner_pcap_init(options, errbuf);
}

const char *pcap_strerror(int errnum)
{
	return inner_pcap_strerror(errnum);
}

const char *pcap_statustostr(int status)
{
	return inner_pcap_statustostr(status);
}

/* Filters. */

int pcap_compile_nopcap(int snaplen, int linktype, struct bpf_program *program, const char *expression, int optimize, bpf_u_int32 netmask)
{
	return inner_pcap_compile_nopcap(snaplen, linktype, program, expression, optimize, netmask);
}

void pcap_freecode(struct bpf_program *program)
{
	inner_pcap_freecode(program);
}

int pcap_offline_filter(const struct bpf_program *program, const struct pcap_pkthdr *header, const u_char *data)
{
	return inner_pcap_offline_filter(program, header, data);
}

/* Devices. */

int pcap_findalldevs(pcap_if_t **devices, char *errbuf)
{
	return inner_pcap_findalldevs(devices, errbuf);
}

void pcap_freealldevs(pcap_if_t *devices)
{
	inner_pcap_freealldevs(devices);
}

char *pcap_lookupdev(char *errbuf)
{
	return inner_pcap_lookupdev(errbuf);
}

/* Of a list of interfaces, the first one's. */
int pcap_lookupnet(const char *device, bpf_u_int32 *net, bpf_u_int32 *mask, char *errbuf)
{
	struct interface_list *list = NULL;
	int ret;

	if (device && interfaces_read(device, &list) < 0) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "malloc: %s", strerror(ENOMEM));
		return PCAP_ERROR;
	}
	ret = inner_pcap_lookupnet(list ? list->name[0] : device, net, mask, errbuf);
	free(list);
	return ret;
}

/* Link types and time stamps. */

int pcap_datalink_name_to_val(const char *name)
{
	return inner_pcap_datalink_name_to_val(name);
}

const char *pcap_datalink_val_to_name(int link)
{
	return inner_pcap_datalink_val_to_name(link);
}

const char *pcap_datalink_val_to_description(int link)
{
	return inner_pcap_datalink_val_to_description(link);
}

const char *pcap_datalink_val_to_description_or_dlt(int link)
{
	return inner_pcap_datalink_val_to_description_or_dlt(link);
}

void pcap_free_datalinks(int *links)
{
	inner_pcap_free_datalinks(links);
}

int pcap_tstamp_type_name_to_val(const char *name)
{
	return inner_pcap_tstamp_type_name_to_val(name);
}

const char *pcap_tstamp_type_val_to_name(int type)
{
	return inner_pcap_tstamp_type_val_to_name(type);
}

const char *pcap_tstamp_type_val_to_description(int type)
{
	return inner_pcap_tstamp_type_val_to_description(type);
}

void pcap_free_tstamp_types(int *types)
{
	inner_pcap_free_tstamp_types(types);
}

/* Names. */

#define INNER(name) extern __typeof__(name) inner_##name
INNER(pcap_next_etherent);
INNER(pcap_ether_hostton);
INNER(pcap_ether_aton);
INNER(pcap_nametoaddrinfo);
INNER(pcap_nametonetaddr);
INNER(pcap_nametoport);
INNER(pcap_nametoportrange);
INNER(pcap_nametoproto);
INNER(pcap_nametoeproto);
INNER(pcap_nametollc);
bpf_u_int32 **inner_pcap_nametoaddr(const char *name); /* deprecated */

struct pcap_etherent *pcap_next_etherent(FILE *file)
{
	return inner_pcap_next_etherent(file);
}

u_char *pcap_ether_hostton(const char *name)
{
	return inner_pcap_ether_hostton(name);
}

u_char *pcap_ether_aton(const char *text)
{
	return inner_pcap_ether_aton(text);
}

bpf_u_int32 **pcap_nametoaddr(const char *name)
{
	return inner_pcap_nametoaddr(name);
}

struct addrinfo *pcap_nametoaddrinfo(const char *name)
{
	return inner_pcap_nametoaddrinfo(name);
}

bpf_u_int32 pcap_nametonetaddr(const char *name)
{
	return inner_pcap_nametonetaddr(name);
}

int pcap_nametoport(const char *name, int *port, int *proto)
{
	return inner_pcap_nametoport(name, port, proto);
}

int pcap_nametoportrange(const char *name, int *port1, int *port2, int *proto)
{
	return inner_pcap_nametoportrange(name, port1, port2, proto);
}

int pcap_nametoproto(const char *name)
{
	return inner_pcap_nametoproto(name);
}

int pcap_nametoeproto(const char *name)
{
	return inner_pcap_nametoeproto(name);
}

int pcap_nametollc(const char *name)
{
	return inner_pcap_nametollc(name);
}
