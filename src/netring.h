/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libnetring: packet capture in bursts.
 *
 * One handle captures from one interface (or from all of them) through a ring that the kernel fills. The reader takes a burst of packets, which
 * stay where the kernel put them, looks at them, and gives the burst back:
 *
 *	struct netring_config config;
 *	struct netring_burst burst;
 *	struct netring_error error;
 *	struct netring *capture;
 *	int ret;
 *
 *	netring_config_init(&config, NETRING_PROFILE_DEFAULT);
 *	config.interface = "eth0";
 *	if (netring_open(&capture, &config, &error) < 0)
 *		errx(1, "%s", error.text);
 *	while ((ret = netring_wait(capture, -1, &error)) >= 0 || ret == -ENETDOWN)
 *		while (netring_take(capture, &burst, NETRING_BURST_MAX, &error) > 0) {
 *			for (unsigned i = 0; i < burst.count; i++)
 *				look_at(&burst.packet[i]);
 *			netring_give_back(capture, &burst, burst.count);
 *		}
 *
 * Return values: 0 or a count, or -errno. Where a function takes a struct netring_error (it may be NULL), a failure puts a whole sentence there.
 * Threads: a handle has one reader. netring_stats, netring_send and netring_fd may be called from any thread at any time before netring_close.
 * Needs CAP_NET_RAW to open, nothing afterwards. Linux 4.20 or newer; see packet(7) and Documentation/networking/packet_mmap.rst.
 */
#ifndef NETRING_H
#define NETRING_H

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct netring;

struct netring_error {
	char text[512];		/* a sentence without a full stop, NUL-terminated */
};

enum netring_profile {
	NETRING_PROFILE_DEFAULT,		/* 64 blocks of 4 MiB, 60 ms */
	NETRING_PROFILE_HIGH_THROUGHPUT,	/* 256 blocks of 4 MiB, 60 ms */
	NETRING_PROFILE_LOW_LATENCY,		/* 64 blocks of 256 KiB, 1 ms, 50 us of busy polling */
	NETRING_PROFILE_LOW_MEMORY,		/* 16 blocks of 1 MiB, 100 ms */
	NETRING_PROFILE_JUMBO,			/* 64 blocks of 4 MiB, 60 ms, frames of 64 KiB */
};

enum netring_timestamp {
	NETRING_TIMESTAMP_HOST,			/* taken by the kernel in software */
	NETRING_TIMESTAMP_ADAPTER,		/* by the adapter, synchronised with the system clock */
	NETRING_TIMESTAMP_ADAPTER_UNSYNCED,	/* by the adapter, on its own clock */
};

/* Which member of a fanout group gets a packet; see PACKET_FANOUT in packet(7). */
enum netring_fanout_mode {
	NETRING_FANOUT_NONE,		/* no group */
	NETRING_FANOUT_HASH,		/* by the kernel's flow hash, the same for both directions of a flow */
	NETRING_FANOUT_LB,		/* in turn */
	NETRING_FANOUT_CPU,		/* by the CPU that the packet came in on */
	NETRING_FANOUT_ROLLOVER,	/* one member until its ring is full, then the next */
	NETRING_FANOUT_RANDOM,
	NETRING_FANOUT_QM,		/* by the receive queue that the adapter chose */
	NETRING_FANOUT_CBPF,		/* by a classic BPF program, in the text form of tcpdump -ddd */
	NETRING_FANOUT_EBPF,		/* by an eBPF program: an object file, or one that is pinned */
	NETRING_FANOUT_SYMMETRIC,	/* by the pair of IP addresses: both directions and all fragments together */
	NETRING_FANOUT_INNER,		/* the same, of the packet inside VXLAN, GENEVE, GRE and IP in IP */
};

enum netring_fanout_flag {
	NETRING_FANOUT_FLAG_ROLLOVER = 1,	/* a member whose ring is full passes its share on */
	NETRING_FANOUT_FLAG_DEFRAG = 2,		/* the kernel puts IP fragments together before it chooses, and shows them so */
	NETRING_FANOUT_FLAG_IGNORE_OUTGOING = 4,/* implied by config.ignore_outgoing */
	NETRING_FANOUT_FLAG_UNIQUE_ID = 8,	/* implied by NETRING_FANOUT_AUTO */
};

#define NETRING_FANOUT_AUTO (-1)

/* A fanout group. All members must agree on mode, flags, interface and protocol, or the later one is refused. */
struct netring_fanout {
	enum netring_fanout_mode mode;
	unsigned flags;			/* enum netring_fanout_flag */
	int group;			/* 0..65535, or NETRING_FANOUT_AUTO: a new group, of this handle alone */
	const char *name;		/* instead of group: handles that say the same name on the same interface share a group; NULL: group counts */
	const char *program;		/* CBPF, EBPF: path of the program; else NULL */
};

/* What packets come through. */
enum netring_backend {
	NETRING_BACKEND_PACKET,			/* packet sockets with a ring; see packet(7) */
	NETRING_BACKEND_XDP,			/* AF_XDP: matching packets are taken off the interface, before the host sees them */
	NETRING_BACKEND_XDP_TAP,		/* XDP: matching packets are copied, and the host sees all; a ring for each CPU, no outgoing packets */
};

enum netring_xdp_mode { NETRING_XDP_MODE_AUTO, NETRING_XDP_NATIVE, NETRING_XDP_GENERIC, NETRING_XDP_OFFLOAD };
enum netring_xdp_copy { NETRING_XDP_COPY_AUTO, NETRING_XDP_COPY, NETRING_XDP_ZEROCOPY };

/* Of NETRING_BACKEND_XDP; of NETRING_BACKEND_XDP_TAP mode alone. */
struct netring_xdp {
	enum netring_xdp_mode mode;	/* where the program runs; AUTO: in the driver if it can, else in front of the host's stack */
	enum netring_xdp_copy copy;	/* AUTO: without a copy if the driver can */
	const char *queues;		/* "0,2-3"; NULL: all receive queues */
	uint32_t frames;		/* packets that each queue has room for, a power of two; 0: what block_size x block_count comes to for all */
	uint32_t frame_size;		/* bytes: 2048 or 4096 */
	bool steal;			/* also from an interface that the host needs: one with an address, a route, a bridge above it */
};

#define NETRING_NUMA_OFF (-1)
#define NETRING_NUMA_AUTO (-2)

/*
 * What to capture and through how large a ring. Fill it by netring_config_init, then change fields. The interface's adapter must have been told
 * to stamp packets (SIOCSHWTSTAMP) before a timestamp other than HOST has an effect.
 */
struct netring_config {
	size_t size;			/* sizeof(struct netring_config), so that fields can be added */
	const char *interface;		/* or several, "eth0,eth1"; NULL: all interfaces, packets then begin with the network header */
	enum netring_backend backend;
	struct netring_xdp xdp;
	uint32_t rings;			/* for each interface, of packet sockets; 0: one for each of its receive queues, but no more than the process has CPUs */
	struct netring_fanout fanout;	/* of packet sockets */
	int numa_node;			/* of the ring's memory: a node, NETRING_NUMA_OFF, or NETRING_NUMA_AUTO: the interface's */
	uint32_t block_size;		/* bytes, a multiple of the page */
	uint32_t block_count;		/* all rings share block_size x block_count */
	uint32_t frame_size;		/* bytes, a multiple of 16; immediate mode: one packet's slot, 0 = from MTU and snaplen */
	uint32_t block_timeout_ms;	/* a block with packets is handed over after that long; 0 = the kernel chooses */
	uint32_t snaplen;		/* bytes kept of each packet; 0 = all */
	uint32_t busy_poll_us;		/* netring_wait spins that long before it sleeps */
	uint16_t protocol;		/* EtherType in host order; 0 = all, and only then outgoing packets too */
	bool immediate;			/* hand over each packet at once (TPACKET_V2) instead of block by block (V3) */
	bool promiscuous;		/* for as long as the handle is open */
	bool ignore_outgoing;
	bool fill_rxhash;		/* not in immediate mode: its headers have no place for it */
	bool lock_memory;		/* mlock the handle; the ring itself is kernel memory and never swapped */
	bool strict;			/* a ring smaller than asked for is an error */
	bool show_stats;		/* to netring stats, by a page of counters that others may read; set by netring_config_init */
	bool limit_memory;		/* cut the ring to 1/8 of the memory that the process may still use */
	uint64_t minimum_bytes;		/* but not to less than this */
	uint8_t reserve;		/* bytes kept free in front of each packet; at least 4 (one VLAN tag) are always */
	enum netring_timestamp timestamp;
	const struct sock_filter *filter;	/* classic BPF, in force before the first packet; copied */
	unsigned filter_length;			/* instructions; 0 = none */
};

enum netring_packet_flag {
	NETRING_VLAN = TP_STATUS_VLAN_VALID,		/* vlan_tci is valid: the kernel took a tag out of the packet */
	NETRING_VLAN_TPID = TP_STATUS_VLAN_TPID_VALID,	/* so is vlan_tpid */
	NETRING_CHECKSUM_NOT_READY = TP_STATUS_CSUMNOTREADY,	/* outgoing, checksum still to be filled in by the adapter */
	NETRING_CHECKSUM_VALID = TP_STATUS_CSUM_VALID,
	NETRING_TIME_RAW_HARDWARE = (int)TP_STATUS_TS_RAW_HARDWARE,	/* the clock that the time came from; neither: software */
	NETRING_TIME_SYS_HARDWARE = TP_STATUS_TS_SYS_HARDWARE,
};

/*
 * One packet, in the ring. data may be written to, also up to `reserve` bytes in front of it. Valid until its burst is given back.
 * The order of the fields follows struct tpacket3_hdr.
 */
struct netring_packet {
	uint8_t *data;
	uint32_t time_sec;		/* seconds since 1970, UTC */
	uint32_t time_nsec;
	uint32_t captured_len;		/* bytes at data */
	uint32_t wire_len;		/* bytes that the packet had, without a VLAN tag that was taken out */
	uint32_t flags;			/* enum netring_packet_flag */
	uint32_t rxhash;		/* 0 unless config.fill_rxhash */
	uint16_t vlan_tci;
	uint16_t vlan_tpid;
	uint32_t ring;			/* the number of the ring that it came through, from 0 */
	const struct sockaddr_ll *link;	/* interface, EtherType, direction (sll_pkttype), source address */
};

/* The packet's time in nanoseconds since 1970. */
static inline uint64_t netring_packet_time_ns(const struct netring_packet *packet)
{
	return packet->time_sec * UINT64_C(1000000000) + packet->time_nsec;
}

#define NETRING_BURST_MAX 64

/* Packets, of one block if there is only one ring. Owned by the caller, who need not initialise it; what it points to is the ring's. */
struct netring_burst {
	unsigned count;
	bool losing;			/* the kernel dropped packets since the statistics were last read, when it closed this block */
	uint64_t block_sequence;	/* number of the block since open, from 1; 0 in immediate mode, and of several rings */
	struct netring_packet packet[NETRING_BURST_MAX];
};

/* Counts since netring_open. Nothing is ever reset. Once the ring has been read empty, packets = drops + delivered + rejected. */
struct netring_stats {
	uint64_t packets;		/* passed the filter in the kernel, drops included */
	uint64_t drops;			/* of these, lost because the ring was full */
	uint64_t freezes;		/* times the ring became full; not counted by the kernel in immediate mode, 0 there */
	uint64_t delivered;		/* handed out in bursts and given back as used */
	uint64_t rejected;		/* taken out here by a filter that the kernel refused, or that came after them */
	uint64_t disordered;		/* several rings: blocks with packets that came too late to be handed out in the order of time */
	uint64_t ring_bytes;		/* the ring's size as it is */
	uint64_t ring_bytes_asked;	/* and as it was asked for */
};

/* Fills config from a profile, an unknown one as NETRING_PROFILE_DEFAULT; interface is NULL, and there is one ring, in no fanout group. */
void netring_config_init(struct netring_config *config, enum netring_profile profile);

/*
 * Opens a capture. Several rings (several interfaces, or config.rings) are read as one, in the order of their time stamps; netring(7) says what
 * that order is worth. Without config.fanout the rings of one interface share its packets by CPU, a full one passing its share on. -ENODEV: no such
 * interface; -ENETDOWN: it is down; -EPERM: CAP_NET_RAW is missing; -EINVAL: the configuration, with the field and the value in the text; -ENOMEM.
 * *capture is set only on success; netring_close frees it.
 */
int netring_open(struct netring **capture, const struct netring_config *config, struct netring_error *error);

/* Accepts NULL. In a forked child it leaves the parent's capture undisturbed. */
void netring_close(struct netring *capture);

/*
 * Takes up to max packets (at most NETRING_BURST_MAX) that are in the ring now, without waiting. Returns their number, 0 if there are none,
 * -EBADMSG if the ring is corrupted. A burst that is still out is given back first, as if all of it had been used.
 */
int netring_take(struct netring *capture, struct netring_burst *burst, unsigned max, struct netring_error *error);

/* Gives a burst back. Only the first `used` packets are consumed; the others will be taken again. */
void netring_give_back(struct netring *capture, struct netring_burst *burst, unsigned used);

/*
 * Waits until there may be packets: 1; 0 after timeout_ms (-1: for ever) or when a signal handler ran. -ENETDOWN while the interface is down
 * (the capture goes on when it comes up again), -ENODEV when it is gone for good.
 */
int netring_wait(struct netring *capture, int timeout_ms, struct netring_error *error);

/*
 * For poll, select and epoll: readable, level-triggered, while there is something to take. The packet socket, or, of several rings, an epoll
 * descriptor. Owned by the handle.
 */
int netring_fd(struct netring *capture);

/*
 * Replaces the filter (length 0: no filter). After the return no packet comes out that the new one rejects, queued ones included; nothing that both
 * accept is lost. Returns 0 if the kernel runs it, 1 if the kernel refused it and it runs here instead. -EINVAL: not a valid program.
 */
int netring_set_filter(struct netring *capture, const struct sock_filter *filter, unsigned length, struct netring_error *error);

/* Of all rings together. */
int netring_stats(struct netring *capture, struct netring_stats *stats, struct netring_error *error);

/*
 * The number of rings; of one of them its counts (disordered is 0), -EINVAL if there is no such ring, and its interface ("any" for all of them;
 * owned by the handle).
 */
unsigned netring_rings(const struct netring *capture);
int netring_ring_stats(struct netring *capture, unsigned ring, struct netring_stats *stats, struct netring_error *error);
const char *netring_ring_interface(const struct netring *capture, unsigned ring);

/*
 * Sends one frame, link header included, on the interface, the first one of several. None of the handle's rings on that interface sees it. Returns the
 * bytes sent.
 */
int netring_send(struct netring *capture, const void *frame, size_t length, struct netring_error *error);

const char *netring_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
