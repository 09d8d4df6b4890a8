/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A handle on several interfaces, "eth0,eth1". The first one's idle handle is p->inner, as for any handle; each of the others has an idle handle of
 * its own, for the same things: it checks the device, holds the promiscuous membership and the time-stamp set-up.
 */
#ifndef NETRING_INTERFACES_H
#define NETRING_INTERFACES_H

#include "handle.h"

/*
 * *list is the list that device is, to be freed by the caller; NULL if it is none, or cannot be one: interfaces_check will say so. 0, or -ENOMEM
 * with NULL.
 */
int interfaces_read(const char *device, struct interface_list **list);

/* 0, or PCAP_ERROR with what is wrong with the list. */
int interfaces_check(pcap_t *p);

/* The interface that inner is on. */
const char *interfaces_first(const pcap_t *p);

/*
 * Makes and activates the idle handles of the others, and sees that all have one link type. prepare sets the options of each. 0 or PCAP_ERROR_*,
 * with the interface's name in the text, and with none of them left.
 */
int interfaces_open(pcap_t *p, int (*prepare)(pcap_t *p, struct inner *inner, const struct config *config), const struct config *config);
void interfaces_close(pcap_t *p);

/* Puts the first interface's name in front of what inner said, if there are others. Returns status. */
int interfaces_name_first(pcap_t *p, int status);

/* pcap_set_datalink for the others. If one of them does not have the link type, all have the old one again, the first too. */
int interfaces_set_datalink(pcap_t *p, int link);

/* pcap_list_datalinks: what all of them have. */
int interfaces_list_datalinks(pcap_t *p, int **links);

/*
 * From now on interfaces_stats counts what the adapters lost, in any mode; else it is libpcap's count: in promiscuous mode only, and without what some
 * drivers count elsewhere. Nothing happens for "any". 0, or PCAP_ERROR if memory is short.
 */
int interfaces_count_drops(pcap_t *p);
void interfaces_leave_drops(pcap_t *p);

/* stats->ps_ifdrop, the sum of all interfaces; the other fields are of no meaning. 0 or PCAP_ERROR_*. */
int interfaces_stats(pcap_t *p, struct pcap_stat *stats);

/* True if one of them is the loopback interface. */
bool interfaces_have_loopback(const pcap_t *p);

#endif
