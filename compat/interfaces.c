/* SPDX-License-Identifier: BSD-3-Clause */
/* A handle on several interfaces: the idle handles of all but the first. */
#include "interfaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inner-calls.h"

int interfaces_read(const char *device, struct interface_list **list)
{
	struct interface_list parsed;

	*list = NULL;
	if (!interface_list_is_list(device) || interface_list_parse(&parsed, device, NULL) < 0)
		return 0;
	*list = malloc(sizeof(**list));
	if (!*list)
		return -ENOMEM;
	**list = parsed;
	return 0;
}

int interfaces_check(pcap_t *p)
{
	struct netring_error error = { "" };
	struct interface_list list;
	int ret;

	if (p->list || !interface_list_is_list(p->device))
		return 0;
	ret = interface_list_parse(&list, p->device, &error);
	/* Good, but no list when the handle was made: that was an interface of this name, and libpcap will say that it is gone. */
	return ret < 0 ? handle_engine_error(p, ret, &error) : 0;
}

const char *interfaces_first(const pcap_t *p)
{
	return p->list ? p->list->name[0] : p->device;
}

/* Makes room in front of what libpcap said, whose text may be in the handle's own buffer. */
static int name_interface(pcap_t *p, const char *name, int status, const char *text)
{
	char said[PCAP_ERRBUF_SIZE];

	snprintf(said, sizeof(said), "%s", *text ? text : inner_pcap_statustostr(status));
	handle_fail(p, "%s: %.*s", name, (int)(PCAP_ERRBUF_SIZE - strlen(name) - 3), said);
	/* Programs have words of their own for this code, which do not say which interface it is. */
	return status == PCAP_ERROR_IFACE_NOT_UP ? PCAP_ERROR : status;
}

int interfaces_name_first(pcap_t *p, int status)
{
	return p->list ? name_interface(p, p->list->name[0], status, handle_errbuf(p)) : status;
}

static int differ(pcap_t *p, const char *name, int link)
{
	int first = inner_pcap_datalink(p->inner);

	return handle_fail(p, "%s: interfaces in one handle need one link type: %s has %s, %s has %s", p->device, p->list->name[0],
			   inner_pcap_datalink_val_to_name(first), name, inner_pcap_datalink_val_to_name(link));
}

/* *made is set as soon as there is something to close. */
static int open_one(pcap_t *p, const char *name, struct inner **made, int (*prepare)(pcap_t *p, struct inner *inner, const struct config *config),
		    const struct config *config)
{
	char text[PCAP_ERRBUF_SIZE];
	int eventfd, status;
	struct inner *inner = inner_create(name, &eventfd, text);

	if (!inner)
		return name_interface(p, name, PCAP_ERROR, text);
	status = prepare(p, inner, config);
	if (status < 0) {
		inner_close_handle(inner, eventfd);
		return status;
	}
	*made = inner;
	status = inner_activate_idle(inner);
	if (status < 0)
		return name_interface(p, name, status, inner_pcap_geterr(inner));
	inner_pcap_setnonblock(inner, 1, text);
	if (inner_pcap_datalink(inner) != inner_pcap_datalink(p->inner))
		return differ(p, name, inner_pcap_datalink(inner));
	return 0;
}

int interfaces_open(pcap_t *p, int (*prepare)(pcap_t *p, struct inner *inner, const struct config *config), const struct config *config)
{
	int ret = 0;

	if (!p->list)
		return 0;
	p->others = calloc(p->list->count, sizeof(*p->others));
	if (!p->others)
		return handle_fail(p, "malloc: %s", strerror(errno));
	for (unsigned i = 1; ret == 0 && i < p->list->count; i++)
		ret = open_one(p, p->list->name[i], &p->others[i], prepare, config);
	if (ret < 0)
		interfaces_close(p);
	return ret;
}

void interfaces_close(pcap_t *p)
{
	for (unsigned i = 1; p->others && i < p->list->count; i++)
		if (p->others[i])
			inner_close_handle(p->others[i], -1);
	free(p->others);
	p->others = NULL;
}

/* All or none: the first `changed` have the new one already. */
static void restore_datalink(pcap_t *p, unsigned changed)
{
	inner_pcap_set_datalink(p->inner, p->linktype);
	for (unsigned i = 1; i < changed; i++)
		inner_pcap_set_datalink(p->others[i], p->linktype);
}

int interfaces_set_datalink(pcap_t *p, int link)
{
	for (unsigned i = 1; p->others && i < p->list->count; i++)
		if (inner_pcap_set_datalink(p->others[i], link) != 0) {
			restore_datalink(p, i);
			return name_interface(p, p->list->name[i], PCAP_ERROR, inner_pcap_geterr(p->others[i]));
		}
	return 0;
}

/* Those of *links that the other has as well, in place. */
static int keep_common(int *links, int count, struct inner *other)
{
	int *others, kept = 0, other_count = inner_pcap_list_datalinks(other, &others);

	if (other_count < 0)
		return other_count;
	for (int i = 0; i < count; i++)
		for (int n = 0; n < other_count; n++)
			if (links[i] == others[n]) {
				links[kept++] = links[i];
				break;
			}
	inner_pcap_free_datalinks(others);
	return kept;
}

int interfaces_list_datalinks(pcap_t *p, int **links)
{
	int *list, count = inner_pcap_list_datalinks(p->inner, &list);

	for (unsigned i = 1; count >= 0 && p->others && i < p->list->count; i++) {
		int kept = keep_common(list, count, p->others[i]);

		if (kept < 0) {
			inner_pcap_free_datalinks(list);
			return name_interface(p, p->list->name[i], kept, inner_pcap_geterr(p->others[i]));
		}
		count = kept;
	}
	if (count >= 0)
		*links = list;
	return count;
}

int interfaces_count_drops(pcap_t *p)
{
	unsigned count = p->list ? p->list->count : 1;

	if (strcmp(p->device, "any") == 0)
		return 0;
	p->drops = calloc(count, sizeof(*p->drops));
	if (!p->drops)
		return handle_fail(p, "malloc: %s", strerror(errno));
	for (unsigned i = 0; i < count; i++)
		interface_drops_open(&p->drops[i], p->list ? p->list->name[i] : p->device);
	p->drops_count = count;
	return 0;
}

void interfaces_leave_drops(pcap_t *p)
{
	for (unsigned i = 0; p->drops && i < p->drops_count; i++)
		interface_drops_close(&p->drops[i]);
	free(p->drops);
	p->drops = NULL;
}

/* The idle handles', which have no packets of their own. */
static int libpcap_stats(pcap_t *p, struct pcap_stat *stats)
{
	int ret = inner_pcap_stats(p->inner, stats);

	for (unsigned i = 1; ret == 0 && p->others && i < p->list->count; i++) {
		struct pcap_stat other;

		ret = inner_pcap_stats(p->others[i], &other);
		if (ret < 0)
			return name_interface(p, p->list->name[i], ret, inner_pcap_geterr(p->others[i]));
		stats->ps_ifdrop += other.ps_ifdrop;
	}
	return ret;
}

int interfaces_stats(pcap_t *p, struct pcap_stat *stats)
{
	uint64_t drops = 0;

	if (!p->drops)
		return libpcap_stats(p, stats);
	for (unsigned i = 0; i < p->drops_count; i++)
		drops += interface_drops_now(&p->drops[i]);
	stats->ps_ifdrop = (u_int)drops;
	return 0;
}

bool interfaces_have_loopback(const pcap_t *p)
{
	if (!p->list)
		return strcmp(p->device, "lo") == 0;
	for (unsigned i = 0; i < p->list->count; i++)
		if (strcmp(p->list->name[i], "lo") == 0)
			return true;
	return false;
}
