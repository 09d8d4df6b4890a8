/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and answers over one netlink socket. */
#include "netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

/* The kernel puts no more into one answer of a list, and what is about one interface fits. */
#define ANSWER_SIZE 65536

int netlink_open(struct netlink *netlink, int protocol)
{
	*netlink = (struct netlink){ 0 };
	netlink->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!netlink->socket)
		return -errno;
	/* Before Linux 4.12 there are no texts with errors: no loss. */
	mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, &(int){ 1 }, sizeof(int));
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;

	int errnum = errno;

	netlink_close(netlink);
	return -errnum;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

struct call {
	struct netlink *netlink;
	mnl_cb_t handler;
	void *context;
};

static int take_answer(const struct nlmsghdr *answer, void *context)
{
	const struct call *call = context;

	return call->handler ? call->handler(answer, call->context) : MNL_CB_OK;
}

int netlink_keep_attribute(const struct nlattr *attribute, void *context)
{
	const struct netlink_attributes *attributes = context;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= attributes->max && !attributes->table[type])
		attributes->table[type] = attribute;
	return MNL_CB_OK;
}

uint32_t netlink_u32(const struct nlattr *attribute, uint32_t absent)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0 ? mnl_attr_get_u32(attribute) : absent;
}

uint8_t netlink_u8(const struct nlattr *attribute, uint8_t absent)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_U8) == 0 ? mnl_attr_get_u8(attribute) : absent;
}

const char *netlink_text(const struct nlattr *attribute)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(attribute) : NULL;
}

/* The kernel repeats the request in front of the text, unless the socket or the error says that it did not. */
static void keep_refusal(struct netlink *netlink, const struct nlmsghdr *answer)
{
	const struct nlmsgerr *refusal = mnl_nlmsg_get_payload(answer);
	size_t offset = sizeof(*refusal);
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1] = { 0 };
	struct netlink_attributes attributes = { table, NLMSGERR_ATTR_MSG };
	const char *text;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(answer->nlmsg_flags & NLM_F_CAPPED) && refusal->msg.nlmsg_len > sizeof(refusal->msg))
		offset += refusal->msg.nlmsg_len - sizeof(refusal->msg);
	if (offset > mnl_nlmsg_get_payload_len(answer) || mnl_attr_parse(answer, (unsigned)offset, netlink_keep_attribute, &attributes) < 0)
		return;
	text = netlink_text(table[NLMSGERR_ATTR_MSG]);
	if (text)
		snprintf(netlink->refusal, sizeof(netlink->refusal), "%s", text);
}

static int take_error(const struct nlmsghdr *answer, void *context)
{
	const struct call *call = context;
	const struct nlmsgerr *refusal = mnl_nlmsg_get_payload(answer);

	if (mnl_nlmsg_get_payload_len(answer) < sizeof(*refusal)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (refusal->error == 0)
		return MNL_CB_STOP;
	keep_refusal(call->netlink, answer);
	errno = refusal->error < 0 ? -refusal->error : refusal->error;
	return MNL_CB_ERROR;
}

static int receive(struct call *call, unsigned sequence)
{
	static mnl_cb_t control[] = { [NLMSG_ERROR] = take_error };
	char answer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	unsigned port = mnl_socket_get_portid(call->netlink->socket);
	int ret;

	do {
		ssize_t length = mnl_socket_recvfrom(call->netlink->socket, answer, sizeof(answer));

		if (length < 0 && errno == EINTR)
			ret = MNL_CB_OK;
		else if (length < 0)
			ret = MNL_CB_ERROR;
		else
			ret = mnl_cb_run2(answer, (size_t)length, sequence, port, take_answer, call, control, NLMSG_ERROR + 1);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

int netlink_call(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t handler, void *context)
{
	struct call call = { netlink, handler, context };

	request->nlmsg_seq = ++netlink->sequence;
	request->nlmsg_flags |= NLM_F_REQUEST;
	/* A list ends with a message of its own. */
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	netlink->refusal[0] = '\0';
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return -errno;
	return receive(&call, request->nlmsg_seq);
}

struct nlmsghdr *netlink_generic(void *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	request->nlmsg_type = family;
	*header = (struct genlmsghdr){ .cmd = command, .version = 1 };
	return request;
}

static int take_family(const struct nlmsghdr *answer, void *context)
{
	const struct nlattr *table[CTRL_ATTR_FAMILY_ID + 1] = { 0 };
	struct netlink_attributes attributes = { table, CTRL_ATTR_FAMILY_ID };
	uint16_t *number = context;

	mnl_attr_parse(answer, sizeof(struct genlmsghdr), netlink_keep_attribute, &attributes);
	if (table[CTRL_ATTR_FAMILY_ID] && mnl_attr_validate(table[CTRL_ATTR_FAMILY_ID], MNL_TYPE_U16) == 0)
		*number = mnl_attr_get_u16(table[CTRL_ATTR_FAMILY_ID]);
	return MNL_CB_OK;
}

int netlink_family(struct netlink *netlink, const char *name, uint16_t *number)
{
	char buffer[NETLINK_REQUEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = netlink_generic(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	uint16_t found = 0;
	int ret;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, name);
	ret = netlink_call(netlink, request, take_family, &found);
	if (ret < 0)
		return ret;
	if (found == 0)
		return -ENOENT;
	*number = found;
	return 0;
}
