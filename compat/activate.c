/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_activate: deciding who captures, and making it so.
 *
 * libpcap's own handle is activated in either case. For an engine handle it is made idle first; it then checks the device, and its codes and texts are
 * those of the program's libpcap because they are libpcap's. Only when it is content is the ring opened.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config-alias.h"
#include "handle.h"
#include "inner-calls.h"
#include "interfaces.h"

/* Below 0x0600 a type field is a length, so no packet has this EtherType; and no kernel pseudo protocol does. */
#define IDLE_PROTOCOL 0x05ff

static const char monitor_mode[] = "monitor mode";

static bool is_any(const pcap_t *p)
{
	return strcmp(p->device, "any") == 0;
}

/* An inner handle takes every option that an earlier one took. */
static void set_options(struct inner *inner, const struct request *request)
{
	inner_pcap_set_snaplen(inner, request->snaplen);
	inner_pcap_set_promisc(inner, request->promisc);
	inner_pcap_set_rfmon(inner, request->rfmon);
	inner_pcap_set_timeout(inner, request->timeout_ms);
	inner_pcap_set_immediate_mode(inner, request->immediate);
	inner_pcap_set_buffer_size(inner, request->buffer_size);
	if (request->tstamp_type >= 0)
		inner_pcap_set_tstamp_type(inner, request->tstamp_type);
	inner_pcap_set_tstamp_precision(inner, request->tstamp_precision);
	inner_pcap_set_protocol_linux(inner, request->protocol);
	inner_pcap_setnonblock(inner, request->nonblock, inner_pcap_geterr(inner));
}

/* Replaces inner, active, spent or fresh, by a fresh one with the same options. The error text stays. */
static int renew_inner(pcap_t *p)
{
	char text[PCAP_ERRBUF_SIZE];
	int eventfd;
	struct inner *fresh = inner_create(interfaces_first(p), &eventfd, text);

	if (!fresh)
		return handle_fail(p, "%s", text);
	set_options(fresh, &p->request);
	memcpy(inner_pcap_geterr(fresh), handle_errbuf(p), PCAP_ERRBUF_SIZE);
	inner_close_handle(p->inner, p->inner_eventfd);
	p->inner = fresh;
	p->inner_eventfd = eventfd;
	p->spent = false;
	return 0;
}

/* NETRING_* over what the program asked for, for libpcap's handle too: it is idle or does it all. */
static int apply_overrides(pcap_t *p, struct inner *inner, const struct config *config)
{
	const char *name = config_variables[CONFIG_TIMESTAMP].words[config->value[CONFIG_TIMESTAMP]];

	if (config_is_set(config, CONFIG_SNAPLEN))
		inner_pcap_set_snaplen(inner, (int)config->value[CONFIG_SNAPLEN]);
	if (config_is_set(config, CONFIG_PROMISC))
		inner_pcap_set_promisc(inner, (int)config->value[CONFIG_PROMISC]);
	if (!config_is_set(config, CONFIG_TIMESTAMP))
		return 0;
	if (inner_pcap_set_tstamp_type(inner, inner_pcap_tstamp_type_name_to_val(name)) != 0)
		return handle_fail(p, "%s: %s has no time stamps of that type (pcap_list_tstamp_types lists what it has)",
				   config_assignment(config, CONFIG_TIMESTAMP).text, p->device);
	return 0;
}

static int load_config(pcap_t *p, struct config *config)
{
	struct netring_error error = { "" };
	int ret;

	config_init(config);
	config->interface = p->device;
	ret = config_load(config, &error);
	if (ret == 0) {
		log_close(&p->log);
		ret = log_open(&p->log, (enum log_level)config->value[CONFIG_LOG], config->text[CONFIG_LOG_FILE], &error);
		if (ret < 0)
			return handle_fail(p, "NETRING_LOG_FILE: %s", error.text);
		config_log_file(config, &p->log);
		config_alias_log(config, &p->log);
	}
	if (ret == 0)
		ret = config_check_names(&p->log, config->value[CONFIG_STRICT], &error);
	return ret < 0 ? handle_fail(p, "%s", error.text) : 0;
}

static void warn_of_unused(pcap_t *p, const struct config *config, enum config_id first, enum config_id last, const char *why)
{
	for (enum config_id id = first; id <= last; id++)
		if (config->source[id] > CONFIG_FROM_PROFILE)
			log_write(&p->log, LOG_WARN, "%s: %s; %s has no effect", p->device, why, config_variables[id].name);
}

/*
 * The whole capture is libpcap's. Where the engine could be expected to do it, that is a fallback, which level and NETRING_STRICT treat as such; the
 * settings of the ring then mean nothing, and whoever made one is told.
 */
static int activate_delegated(pcap_t *p, const struct config *config, enum log_level level, const char *why)
{
	int status;

	if (p->list)
		return handle_fail(p, "%s: several interfaces in one handle need netring's ring, but: %s", p->device, why);
	if (config->value[CONFIG_STRICT] && level == LOG_WARN)
		return handle_fail(p, "%s: not captured through netring's ring: %s (NETRING_STRICT)", p->device, why);
	p->inner_eventfd = -1;
	status = inner_pcap_activate(p->inner);
	if (status >= 0) {
		log_write(&p->log, level, "%s: captured by libpcap itself: %s", p->device, why);
		warn_of_unused(p, config, CONFIG_BLOCK_SIZE, CONFIG_XDP_STEAL, "captured by libpcap itself");
		if (config->value[CONFIG_STATS])
			delegated_stats_open(p, why);
	}
	return status;
}

static void make_idle(struct inner *inner)
{
	inner_pcap_set_protocol_linux(inner, IDLE_PROTOCOL);
	/* One page: with less, libpcap 1.10.3 asks for a ring of no blocks when its frames are small. */
	inner_pcap_set_buffer_size(inner, (int)sysconf(_SC_PAGESIZE));
	inner_pcap_set_timeout(inner, 0);
}

/* Another interface of a list: its handle is like the first one's. */
static int prepare_other(pcap_t *p, struct inner *inner, const struct config *config)
{
	int type = p->request.tstamp_type, ret;

	set_options(inner, &p->request);
	if (type >= 0 && inner_pcap_set_tstamp_type(inner, type) != 0)
		return handle_fail(p, "%s: not all of these have time stamps of type %s", p->device, inner_pcap_tstamp_type_val_to_name(type));
	ret = apply_overrides(p, inner, config);
	if (ret == 0)
		make_idle(inner);
	return ret;
}

/* Not a device that the engine could capture from, whatever libpcap makes of it; NULL if it may be. */
static const char *reason_to_delegate(const pcap_t *p, const struct config *config)
{
	if (config->value[CONFIG_BACKEND] == BACKEND_LIBPCAP)
		return "NETRING_BACKEND=libpcap";
	if (p->request.rfmon)
		return monitor_mode;
	/* Of a list each is to be one; which is not, its own handle will say. */
	if (!is_any(p) && !p->list && if_nametoindex(p->device) == 0)
		return "not a network interface";
	return NULL;
}

/* What was set in vain. */
static void warn_of_others(pcap_t *p, const struct config *config)
{
	if (capture_is_tap(p->capture)) {
		warn_of_unused(p, config, CONFIG_FRAME_SIZE, CONFIG_FRAME_SIZE, "captured by copies in XDP");
		if (p->request.immediate)
			warn_of_unused(p, config, CONFIG_BLOCK_TIMEOUT_MS, CONFIG_BLOCK_TIMEOUT_MS, "immediate mode");
		warn_of_unused(p, config, CONFIG_FILL_RXHASH, CONFIG_FILL_RXHASH, "captured by copies in XDP");
		warn_of_unused(p, config, CONFIG_RINGS, CONFIG_FANOUT_PROG, "captured by copies in XDP");
		warn_of_unused(p, config, CONFIG_TIMESTAMP, CONFIG_TIMESTAMP, "captured by copies in XDP");
		warn_of_unused(p, config, CONFIG_XDP_COPY, CONFIG_XDP_STEAL, "captured by copies in XDP");
		return;
	}
	if (capture_is_xdp(p->capture)) {
		warn_of_unused(p, config, CONFIG_FRAME_SIZE, CONFIG_FRAME_SIZE, "captured through AF_XDP");
		/* Packets of several queues wait for each other, as long as that at the most. */
		if (!capture_is_merged(p->capture) || p->request.immediate)
			warn_of_unused(p, config, CONFIG_BLOCK_TIMEOUT_MS, CONFIG_BLOCK_TIMEOUT_MS, "captured through AF_XDP");
		warn_of_unused(p, config, CONFIG_FILL_RXHASH, CONFIG_FILL_RXHASH, "captured through AF_XDP");
		warn_of_unused(p, config, CONFIG_RINGS, CONFIG_FANOUT_PROG, "captured through AF_XDP");
		warn_of_unused(p, config, CONFIG_TIMESTAMP, CONFIG_TIMESTAMP, "captured through AF_XDP");
		return;
	}
	if (p->request.immediate)
		warn_of_unused(p, config, CONFIG_BLOCK_TIMEOUT_MS, CONFIG_FILL_RXHASH, "immediate mode");
	if (config->value[CONFIG_BACKEND] != BACKEND_XDP && config->value[CONFIG_BACKEND] != BACKEND_XDP_TAP)
		warn_of_unused(p, config, CONFIG_XDP_MODE, CONFIG_XDP_STEAL, "captured through the packet ring");
}

static int activate_engine(pcap_t *p, const struct config *config)
{
	int status, ret;

	make_idle(p->inner);
	p->inner_eventfd = -1;
	status = inner_activate_idle(p->inner);
	if (status < 0)
		return interfaces_name_first(p, status);
	if (!engine_supports(inner_pcap_datalink(p->inner), is_any(p))) {
		if (renew_inner(p) < 0)
			return PCAP_ERROR;
		if (apply_overrides(p, p->inner, config) < 0)
			return PCAP_ERROR;
		return activate_delegated(p, config, LOG_WARN, "its link type needs libpcap's own code");
	}
	ret = interfaces_open(p, prepare_other, config);
	if (ret == 0)
		ret = engine_open(p, config);
	if (ret < 0) {
		interfaces_close(p);
		/* Its sockets are of no use any more. If there is not even memory for another, it stays until the next try, or close. */
		renew_inner(p);
		return ret;
	}
	warn_of_others(p, config);
	return status;
}

int pcap_activate(pcap_t *p)
{
	struct config config;
	const char *reason;
	int status;

	/* Savefiles, dead handles, and handles that are active: libpcap knows what to say. (A spent one may be active if it could not be renewed.) */
	if (!p->device || p->capture || (!p->spent && inner_pcap_datalink(p->inner) != PCAP_ERROR_NOT_ACTIVATED))
		return inner_pcap_activate(p->inner);
	if (p->spent && renew_inner(p) < 0)
		return PCAP_ERROR;
	if (interfaces_check(p) < 0 || load_config(p, &config) < 0 || apply_overrides(p, p->inner, &config) < 0)
		return PCAP_ERROR;
	reason = reason_to_delegate(p, &config);
	if (reason)
		status = activate_delegated(p, &config, reason == monitor_mode ? LOG_WARN : LOG_INFO, reason);
	else
		status = activate_engine(p, &config);
	p->spent = status < 0;
	return status;
}

/* libpcap 1.10.3 reads freed memory when these are called after a failed activation; the question is a fair one. */
int pcap_can_set_rfmon(pcap_t *p)
{
	if (p->spent && renew_inner(p) < 0)
		return PCAP_ERROR;
	return inner_pcap_can_set_rfmon(p->inner);
}
