/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pcap_t is here: always a handle of the embedded libpcap, and for live capture a netring beside it.
 *
 *	fresh		made by pcap_create. inner is a fresh libpcap handle on the same device, which takes the options and judges them.
 *	delegated	inner does everything: savefiles, dead handles, devices that libpcap has code of its own for, NETRING_BACKEND=libpcap.
 *	engine		capture is the ring that packets come from. inner is an idle live handle on the same device: bound to an EtherType that is never
 *			on the wire, with the smallest ring, it knows the device, the link types, the filter compiler's live settings, and holds the
 *			promiscuous membership, the time-stamp set-up and the error text.
 *
 * fresh becomes one of the others at activate, and can try again after a failure. A handle belongs to one thread at a time, but for pcap_breakloop and
 * pcap_stats, which any thread or signal handler may call.
 */
#ifndef NETRING_HANDLE_H
#define NETRING_HANDLE_H

#include <signal.h>

#include "capture.h"
#include "config.h"
#include "delegated-stats.h"
#include "inner.h"
#include "interface-drops.h"
#include "interface-list.h"

/* What the program asked for, kept because the inner handle may have to be made anew. Only values that libpcap accepted. */
struct request {
	int snaplen, promisc, rfmon, timeout_ms, immediate, buffer_size, tstamp_type, tstamp_precision, protocol, nonblock;
};

/* What differs between a handle that libpcap reads and one that the engine reads. All else asks inner. */
struct handle_ops {
	int (*dispatch)(pcap_t *p, int count, pcap_handler callback, u_char *user);
	int (*loop)(pcap_t *p, int count, pcap_handler callback, u_char *user);
	const u_char *(*next)(pcap_t *p, struct pcap_pkthdr *header);
	int (*next_ex)(pcap_t *p, struct pcap_pkthdr **header, const u_char **data);
	void (*breakloop)(pcap_t *p);
	int (*setfilter)(pcap_t *p, struct bpf_program *program);
	int (*setdirection)(pcap_t *p, pcap_direction_t direction);
	int (*set_datalink)(pcap_t *p, int link);
	int (*getnonblock)(pcap_t *p, char *errbuf);
	int (*setnonblock)(pcap_t *p, int nonblock, char *errbuf);
	int (*stats)(pcap_t *p, struct pcap_stat *stats);
	int (*inject)(pcap_t *p, const void *frame, size_t size);
	int (*sendpacket)(pcap_t *p, const u_char *frame, int size);
	int (*fileno)(pcap_t *p);
	int (*selectable_fd)(pcap_t *p);
	const struct timeval *(*required_select_timeout)(pcap_t *p);
};

extern const struct handle_ops delegated_ops, engine_ops;

/* Set and cleared atomically: a signal handler or another thread may do so between any two instructions of the reader. */
enum attention {
	ATTENTION_BREAK = 1,		/* pcap_breakloop was called */
	ATTENTION_CHANGED = 2,		/* a callback has read on by itself, or set a filter: what the loop knows is out of date */
};

static inline void attention_set(int *attention, enum attention why)
{
	__atomic_fetch_or(attention, why, __ATOMIC_RELAXED);
}

static inline void attention_clear(int *attention, enum attention why)
{
	__atomic_fetch_and(attention, ~(int)why, __ATOMIC_RELAXED);
}

struct pcap {
	const struct handle_ops *ops;
	struct inner *inner;
	int inner_eventfd;		/* of an inner handle that has not been activated yet; see inner-calls.h */
	char *device;			/* as given to pcap_create; NULL for savefiles and dead handles */
	struct interface_list *list;	/* device is a list of interfaces, and inner is on the first; NULL: it is one */
	struct inner **others;		/* on the others of the list, from 1 on; NULL while not active */
	struct interface_drops *drops;	/* of the interface, or of each of the list; NULL: libpcap counts them */
	unsigned drops_count;
	struct request request;
	bool spent;			/* activate failed: inner cannot be used for another try */

	void *read_buffer;		/* stdio's, for a savefile; NULL: it has its own */
	bool input_may_sleep;		/* a savefile's stream is the program's, and not a file: it may be silent in the middle of a read */

	struct delegated_stats delegated;	/* of a capture that libpcap makes */

	/* Engine handles only. */
	struct netring *capture;
	struct log log;
	int wake_fd;			/* pcap_breakloop writes, a blocked read wakes; -1 when non-blocking */
	int attention;			/* enum attention: why the hot loop should stop, in the one word that it looks at */
	bool nonblock;
	bool fd_is_known;		/* the program has asked for the descriptor, and may sleep on it by itself */
	bool nanoseconds;		/* tv_usec holds nanoseconds */
	int snaplen;
	int linktype;
	pcap_direction_t direction;
	bool is_loopback;		/* the device, or one of its list, is */
	int cpu;			/* that the reading thread still has to be pinned to; -1: none */
	bool strict;			/* NETRING_STRICT */
	int loopback_ifindex;		/* outgoing packets of it are second copies */
	bool dressed;			/* packets need more than a header: a cooked link header, a look at their direction, a filter here */
	struct sock_filter *cooked_filter;	/* looks at the cooked header where the kernel cannot; NULL: none */
	struct netring_burst burst;
	unsigned reads;			/* engine_dispatch calls that have not returned; one left by longjmp never does */
	bool closed;			/* in one of them: a callback has called pcap_close, and all that is left is this struct */
	unsigned used;			/* packets of burst, or of the batch of several rings, that the callback has seen */
	uint8_t *resume;		/* a block is being read: the place of the first packet that no callback has seen; NULL: none is */
	const struct xdp_desc *resume_xdp;	/* the same of an AF_XDP ring */
	struct pcap_pkthdr next_header;
	u_char *next_data;		/* pcap_next's copy of a packet, snaplen bytes */
};

static inline bool handle_is_broken_off(const pcap_t *p)
{
	return __atomic_load_n(&p->attention, __ATOMIC_RELAXED) & ATTENTION_BREAK;
}

/* Where a sentence goes: the inner handle's error buffer is the handle's. PCAP_ERRBUF_SIZE bytes. */
static inline char *handle_errbuf(pcap_t *p)
{
	return inner_pcap_geterr(p->inner);
}

/* Puts text into the handle's error buffer and returns PCAP_ERROR. */
int handle_fail(pcap_t *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes PCAP_ERROR_* and errbuf out of the engine's -errno and sentence. */
int handle_engine_error(pcap_t *p, int err, const struct netring_error *error);

/* A handle around inner; closes inner and fills errbuf if memory is short. inner NULL gives NULL. */
pcap_t *handle_wrap(struct inner *inner, char *errbuf);

/*
 * Closes everything at once. The struct itself stays for a read that is under way, because programs do call pcap_close in a callback; that read
 * then returns PCAP_ERROR_BREAK and gives the memory up.
 */
void handle_free(pcap_t *p);
void handle_give_up_memory(pcap_t *p);

/* Makes an engine handle of p, whose inner is active and idle. Returns 0 or PCAP_ERROR_*, with the handle as it was. */
int engine_open(pcap_t *p, const struct config *config);
void engine_close(pcap_t *p);

/* Pins the calling thread, the reader, to the CPU that NETRING_CPU names, for once. */
int engine_pin(pcap_t *p);

/* Whether engine_open can capture what inner makes of the device. */
bool engine_supports(int linktype, bool is_any);

/* Chooses the way packets are handed over, after anything that it depends on has changed. */
void engine_choose_dress(pcap_t *p);

int engine_dispatch(pcap_t *p, int count, pcap_handler callback, u_char *user);
int engine_loop(pcap_t *p, int count, pcap_handler callback, u_char *user);
const u_char *engine_next(pcap_t *p, struct pcap_pkthdr *header);
int engine_next_ex(pcap_t *p, struct pcap_pkthdr **header, const u_char **data);
int engine_setfilter(pcap_t *p, struct bpf_program *program);

#endif
