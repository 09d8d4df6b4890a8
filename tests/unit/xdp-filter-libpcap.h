/* SPDX-License-Identifier: BSD-3-Clause */
/* libpcap's compiler and interpreter, in a file of their own: its struct bpf_insn has the name of the kernel's. For tests. */
#ifndef NETRING_TEST_XDP_FILTER_LIBPCAP_H
#define NETRING_TEST_XDP_FILTER_LIBPCAP_H

#include "netring.h"

/* A handle that captures on lo compiles `vlan`, `inbound` and `ifindex` to loads of ancillary values, which a dead one does not. */
enum libpcap_handle { LIBPCAP_DEAD, LIBPCAP_LIVE, LIBPCAP_HANDLES };

void libpcap_open(void);
void libpcap_close(void);

/* Returns the program's length, 0 if the expression is none for Ethernet. Freed by free(). */
unsigned libpcap_compile(struct sock_filter **program, enum libpcap_handle handle, const char *expression, bool optimize);

/*
 * False: libpcap's interpreter and the kernel's differ by intent (see test-bpf.c), only the kernel knows what the program loads, or it loads memory that
 * it has not written. The program only jumps forward.
 */
bool libpcap_is_judge(const struct sock_filter *program, unsigned length);

/* Bytes to keep, with the packet's tag as auxiliary data. */
uint32_t libpcap_run(const struct sock_filter *program, const struct netring_packet *packet);

#endif
