/* SPDX-License-Identifier: BSD-3-Clause */
/* Delegated handles, and those that are not activated: libpcap's own handle does everything. */
#include "dump.h"
#include "handle.h"

/*
 * What is left of a savefile the next read finds at once, and savefile-input.c sees when a read of one has to sleep. Of a live handle, or of a stream
 * that the program has opened, nobody knows; so nothing is held when a read begins that may sleep, nor when it is over.
 */
static bool may_hold(const pcap_t *p)
{
	return inner_pcap_file(p->inner) && !p->input_may_sleep;
}

static void begin_read(const pcap_t *p)
{
	if (!may_hold(p) && dump_thread.hold != DUMP_LIKE_LIBPCAP)
		dump_read_ends(DUMP_LIKE_LIBPCAP);
}

static void end_read(const pcap_t *p, bool is_over)
{
	dump_read_ends(is_over || !may_hold(p) ? DUMP_LIKE_LIBPCAP : DUMP_HOLD_BETWEEN);
}

/* A live handle sleeps before its first callback alone, a stream of the program before each. */
static void begin_callbacks(const pcap_t *p)
{
	begin_read(p);
	if (!p->input_may_sleep)
		dump_read_begins();
}

static int dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	int seen;

	begin_callbacks(p);
	if (delegated_stats_are_shown(&p->delegated))
		seen = delegated_stats_dispatch(p, count, callback, user);
	else
		seen = inner_pcap_dispatch(p->inner, count, callback, user);
	end_read(p, count <= 0 || seen != count);
	return seen;
}

static int loop_over_savefile(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	int ret;

	begin_callbacks(p);
	ret = inner_pcap_loop(p->inner, count, callback, user);
	dump_read_ends(DUMP_LIKE_LIBPCAP);
	return ret;
}

/* pcap_loop on a live handle is one read after the other, with a sleep in each. */
static int loop(pcap_t *p, int count, pcap_handler callback, u_char *user)
{
	if (inner_pcap_file(p->inner))
		return loop_over_savefile(p, count, callback, user);
	for (;;) {
		int seen = dispatch(p, count, callback, user);

		if (seen < 0)
			return seen;
		if (count > 0) {
			count -= seen;
			if (count <= 0)
				return 0;
		}
	}
}

static const u_char *next(pcap_t *p, struct pcap_pkthdr *header)
{
	bool is_shown = delegated_stats_are_shown(&p->delegated);
	const u_char *data;

	begin_read(p);
	if (is_shown)
		delegated_stats_read_begins(p);
	data = inner_pcap_next(p->inner, header);
	if (is_shown)
		delegated_stats_read_ends(p, data ? (int64_t)header->caplen : -1);
	if (inner_pcap_file(p->inner))
		end_read(p, !data);
	return data;
}

static int next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data)
{
	bool is_shown = delegated_stats_are_shown(&p->delegated);
	int ret;

	begin_read(p);
	if (is_shown)
		delegated_stats_read_begins(p);
	ret = inner_pcap_next_ex(p->inner, header, data);
	if (is_shown)
		delegated_stats_read_ends(p, ret == 1 ? (int64_t)(*header)->caplen : -1);
	if (inner_pcap_file(p->inner))
		end_read(p, ret != 1);
	return ret;
}

static void breakloop(pcap_t *p)
{
	/* Before activate nobody knows yet whose the flag will be. */
	attention_set(&p->attention, ATTENTION_BREAK);
	inner_pcap_breakloop(p->inner);
}

static int setfilter(pcap_t *p, struct bpf_program *program)
{
	return inner_pcap_setfilter(p->inner, program);
}

static int setdirection(pcap_t *p, pcap_direction_t direction)
{
	return inner_pcap_setdirection(p->inner, direction);
}

static int set_datalink(pcap_t *p, int link)
{
	return inner_pcap_set_datalink(p->inner, link);
}

static int getnonblock(pcap_t *p, char *errbuf)
{
	return inner_pcap_getnonblock(p->inner, errbuf);
}

static int setnonblock(pcap_t *p, int nonblock, char *errbuf)
{
	return inner_pcap_setnonblock(p->inner, nonblock, errbuf);
}

static int stats(pcap_t *p, struct pcap_stat *result)
{
	return delegated_stats_are_shown(&p->delegated) ? delegated_stats_ask(p, result) : inner_pcap_stats(p->inner, result);
}

static int inject(pcap_t *p, const void *frame, size_t size)
{
	return inner_pcap_inject(p->inner, frame, size);
}

static int sendpacket(pcap_t *p, const u_char *frame, int size)
{
	return inner_pcap_sendpacket(p->inner, frame, size);
}

static int descriptor(pcap_t *p)
{
	return inner_pcap_fileno(p->inner);
}

static int selectable_fd(pcap_t *p)
{
	return inner_pcap_get_selectable_fd(p->inner);
}

static const struct timeval *required_select_timeout(pcap_t *p)
{
	return inner_pcap_get_required_select_timeout(p->inner);
}

const struct handle_ops delegated_ops = {
	.dispatch = dispatch,
	.loop = loop,
	.next = next,
	.next_ex = next_ex,
	.breakloop = breakloop,
	.setfilter = setfilter,
	.setdirection = setdirection,
	.set_datalink = set_datalink,
	.getnonblock = getnonblock,
	.setnonblock = setnonblock,
	.stats = stats,
	.inject = inject,
	.sendpacket = sendpacket,
	.fileno = descriptor,
	.selectable_fd = selectable_fd,
	.required_select_timeout = required_select_timeout,
};
