/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The embedded libpcap: the distribution's own object code, with inner_ in front of every global name (see embedded/rename.sh).
 *
 * Its handles are struct inner here, so that the compiler tells them from ours. Everything else is as pcap(3PCAP) has it.
 */
#ifndef NETRING_INNER_H
#define NETRING_INNER_H

/* What these two declare is what the drop-in exports; all else is hidden. */
#pragma GCC visibility push(default)
#include <pcap/pcap.h>
#include <pcap/namedb.h>
#pragma GCC visibility pop

struct inner;

/* Opening and closing. */
struct inner *inner_pcap_create(const char *device, char *errbuf);
int inner_pcap_activate(struct inner *inner);
void inner_pcap_close(struct inner *inner);
struct inner *inner_pcap_open_dead(int linktype, int snaplen);
struct inner *inner_pcap_open_dead_with_tstamp_precision(int linktype, int snaplen, u_int precision);
struct inner *inner_pcap_open_offline(const char *path, char *errbuf);
struct inner *inner_pcap_open_offline_with_tstamp_precision(const char *path, u_int precision, char *errbuf);
struct inner *inner_pcap_fopen_offline(FILE *file, char *errbuf);
struct inner *inner_pcap_fopen_offline_with_tstamp_precision(FILE *file, u_int precision, char *errbuf);

/* Options of a handle that is not activated. */
int inner_pcap_set_snaplen(struct inner *inner, int snaplen);
int inner_pcap_set_promisc(struct inner *inner, int promisc);
int inner_pcap_can_set_rfmon(struct inner *inner);
int inner_pcap_set_rfmon(struct inner *inner, int rfmon);
int inner_pcap_set_timeout(struct inner *inner, int timeout_ms);
int inner_pcap_set_tstamp_type(struct inner *inner, int type);
int inner_pcap_set_immediate_mode(struct inner *inner, int immediate);
int inner_pcap_set_buffer_size(struct inner *inner, int size);
int inner_pcap_set_tstamp_precision(struct inner *inner, int precision);
int inner_pcap_set_protocol_linux(struct inner *inner, int protocol);
int inner_pcap_list_tstamp_types(struct inner *inner, int **types);
int inner_pcap_get_tstamp_precision(struct inner *inner);

/* Capturing. */
int inner_pcap_loop(struct inner *inner, int count, pcap_handler callback, u_char *user);
int inner_pcap_dispatch(struct inner *inner, int count, pcap_handler callback, u_char *user);
const u_char *inner_pcap_next(struct inner *inner, struct pcap_pkthdr *header);
int inner_pcap_next_ex(struct inner *inner, struct pcap_pkthdr **header, const u_char **data);
void inner_pcap_breakloop(struct inner *inner);
int inner_pcap_stats(struct inner *inner, struct pcap_stat *stats);
int inner_pcap_setfilter(struct inner *inner, struct bpf_program *program);
int inner_pcap_setdirection(struct inner *inner, pcap_direction_t direction);
int inner_pcap_getnonblock(struct inner *inner, char *errbuf);
int inner_pcap_setnonblock(struct inner *inner, int nonblock, char *errbuf);
int inner_pcap_inject(struct inner *inner, const void *frame, size_t size);
int inner_pcap_sendpacket(struct inner *inner, const u_char *frame, int size);
int inner_pcap_compile(struct inner *inner, struct bpf_program *program, const char *expression, int optimize, bpf_u_int32 netmask);

/* Asking. */
char *inner_pcap_geterr(struct inner *inner);
void inner_pcap_perror(struct inner *inner, const char *prefix);
int inner_pcap_datalink(struct inner *inner);
int inner_pcap_datalink_ext(struct inner *inner);
int inner_pcap_list_datalinks(struct inner *inner, int **links);
int inner_pcap_set_datalink(struct inner *inner, int link);
int inner_pcap_snapshot(struct inner *inner);
int inner_pcap_is_swapped(struct inner *inner);
int inner_pcap_major_version(struct inner *inner);
int inner_pcap_minor_version(struct inner *inner);
int inner_pcap_bufsize(struct inner *inner);
FILE *inner_pcap_file(struct inner *inner);
int inner_pcap_fileno(struct inner *inner);
int inner_pcap_get_selectable_fd(struct inner *inner);
const struct timeval *inner_pcap_get_required_select_timeout(struct inner *inner);

/* Savefiles. */
pcap_dumper_t *inner_pcap_dump_open(struct inner *inner, const char *path);
pcap_dumper_t *inner_pcap_dump_open_append(struct inner *inner, const char *path);
pcap_dumper_t *inner_pcap_dump_fopen(struct inner *inner, FILE *file);

/* Functions without a handle. */
#define INNER(name) extern __typeof__(name) inner_##name
INNER(bpf_dump);
INNER(bpf_filter);
INNER(bpf_image);
INNER(bpf_validate);
INNER(pcap_datalink_name_to_val);
INNER(pcap_datalink_val_to_description);
INNER(pcap_datalink_val_to_description_or_dlt);
INNER(pcap_datalink_val_to_name);
INNER(pcap_findalldevs);
INNER(pcap_free_datalinks);
INNER(pcap_free_tstamp_types);
INNER(pcap_freealldevs);
INNER(pcap_freecode);
INNER(pcap_init);
INNER(pcap_lib_version);
INNER(pcap_lookupnet);
INNER(pcap_offline_filter);
INNER(pcap_statustostr);
INNER(pcap_strerror);
INNER(pcap_tstamp_type_name_to_val);
INNER(pcap_tstamp_type_val_to_description);
INNER(pcap_tstamp_type_val_to_name);
#undef INNER
/* Deprecated, and so not to be mentioned by name. */
char *inner_pcap_lookupdev(char *errbuf);
int inner_pcap_compile_nopcap(int snaplen, int linktype, struct bpf_program *program, const char *expression, int optimize, bpf_u_int32 netmask);

/* The archive is not position-independent, so it gets copies of these three; call before anything of it that may use them. */
void inner_stdio_refresh(void);

#endif
