/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four system calls of the embedded libpcap that go through here: its archive is renamed so that it calls inner_mmap, inner_setsockopt,
 * inner_eventfd and inner_close (see embedded/rename.sh). Two things need it, both when handles are opened and closed, never while they are read:
 *
 * An idle handle is never read, so it needs no ring. Making one and taking it down costs two of the kernel's grace periods, some 15 ms.
 *
 * libpcap 1.10.3 opens an eventfd in pcap_create, and forgets it when a handle is closed that was never activated.
 */
#ifndef NETRING_INNER_CALLS_H
#define NETRING_INNER_CALLS_H

#include "inner.h"

/* inner_pcap_create; *eventfd is the descriptor that it opened, or -1. */
struct inner *inner_create(const char *device, int *eventfd, char *errbuf);

/* inner_pcap_activate, without a ring. The handle answers every question; it must not be read. */
int inner_activate_idle(struct inner *inner);

/* inner_pcap_close; eventfd as inner_create gave it if the handle was never activated, else -1. */
void inner_close_handle(struct inner *inner, int eventfd);

#endif
