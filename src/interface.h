/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of a network interface, asked by ioctl over any socket fd. */
#ifndef NETRING_INTERFACE_H
#define NETRING_INTERFACE_H

#include "error.h"

/* No packet is longer: what libpcap calls its maximum snapshot length. */
#define INTERFACE_PACKET_MAX 262144

/* -ENODEV if there is no interface of that name. */
int interface_index(int fd, const char *name, int *index, struct netring_error *error);

/* Bytes of the longest packet that can come out of it, link header and checksum included; offloads may glue packets together. */
int interface_longest_packet(int fd, const char *name, uint32_t *length, struct netring_error *error);

/* The same without those: as XDP sees them, with a VLAN tag and no checksum. 0 or -errno. */
int interface_longest_frame(int fd, const char *name, uint32_t *length);

/* Whether the adapter takes VLAN tags out of received packets; false if the driver does not say. */
bool interface_strips_vlan(int fd, const char *name);

/* 1 if it is up, 0 if it is down, -ENODEV if it is gone. */
int interface_is_up(int fd, const char *name, struct netring_error *error);

/* Whether packets could go out of it now: it is up, and has a link, as far as its driver says. False if it is gone. */
bool interface_has_link(int fd, const char *name);

/* Waits for that: false if it is not so after timeout_ms. */
bool interface_wait_for_link(int fd, const char *name, unsigned timeout_ms);

/* How many queues it spreads received packets over, at least 1: what ethtool -l shows, or the queues in /sys/class/net where the driver does not say. */
int interface_receive_queues(int fd, const char *name);

#endif
