/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the kernel by netlink: one request, its answers, the acknowledgement. The messages are made and read with libmnl. The command alone is
 * linked with that; the library in the captures has src/rtnetlink.h.
 *
 * Owns its socket. One thread at a time.
 */
#ifndef NETRING_NETLINK_H
#define NETRING_NETLINK_H

#include <libmnl/libmnl.h>

#include "error.h"

/* A request fits: none has more than a handful of attributes. */
#define NETLINK_REQUEST 1024

struct netlink {
	struct mnl_socket *socket;	/* NULL: closed */
	unsigned sequence;
	char refusal[160];		/* what the kernel said with the last error, or "" */
};

/* protocol: NETLINK_ROUTE or NETLINK_GENERIC. -errno; netlink_close is then allowed. */
int netlink_open(struct netlink *netlink, int protocol);
void netlink_close(struct netlink *netlink);

/*
 * Sends the request and gives each answer to the handler (NULL: none is expected), which returns MNL_CB_OK, or MNL_CB_ERROR with errno. 0 or -errno:
 * the kernel's, the handler's, -EINTR if a list changed while it was sent.
 */
int netlink_call(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t handler, void *context);

/* The number of a family of generic netlink, from a socket of NETLINK_GENERIC. -ENOENT if the kernel has none of this name. */
int netlink_family(struct netlink *netlink, const char *name, uint16_t *number);

/* A request for a family's command, in a buffer of NETLINK_REQUEST bytes. */
struct nlmsghdr *netlink_generic(void *buffer, uint16_t family, uint8_t command);

/* A mnl_attr_parse handler's way to keep the first attribute of each type: table has room for max + 1. */
struct netlink_attributes {
	const struct nlattr **table;
	uint16_t max;
};
int netlink_keep_attribute(const struct nlattr *attribute, void *attributes);

/* Whether the attribute is there and has so many bytes; its value, else `absent`. */
uint32_t netlink_u32(const struct nlattr *attribute, uint32_t absent);
uint8_t netlink_u8(const struct nlattr *attribute, uint8_t absent);

/* The text, or NULL if it is not there or has no end. */
const char *netlink_text(const struct nlattr *attribute);

#endif
