/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The differential probe: one program, linked against libpcap like any other, that runs small numbered
 * cases and prints one line for each, "ID<TAB>result". differential.sh runs it with the system's libpcap
 * and with netring, and compares the lines.
 *
 * A case is named after the sentence of the libpcap contract (section 3) that it tests. It runs in a process
 * of its own, in fresh network namespaces, so that a crash, a hang or a lost interface stays its own affair.
 * What it says must be the same in every run: counts, codes, texts, bytes; never a raw time or an address.
 */
#ifndef NETRING_TESTS_DIFFERENTIAL_PROBE_H
#define NETRING_TESTS_DIFFERENTIAL_PROBE_H

/* Here, because every file includes this one first; the build may have defined it already. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAP "cap0"		/* the captured end of the veth pair, ifindex 2 */
#define GEN "gen0"		/* its peer, in a namespace of its own */
#define ETHERTYPE_A 0x88b5	/* IEEE 802 local experimental 1 and 2: nothing answers them */
#define ETHERTYPE_B 0x88b6

struct test_case {
	const char *id;
	void (*run)(void);
};

/* One table per theme, each ended by an entry without id. */
extern const struct test_case options_cases[];
extern const struct test_case activate_cases[];
extern const struct test_case old_style_cases[];
extern const struct test_case link_type_cases[];
extern const struct test_case waiting_cases[];
extern const struct test_case delivery_cases[];
extern const struct test_case breakloop_cases[];
extern const struct test_case filter_cases[];
extern const struct test_case cooked_filter_cases[];
extern const struct test_case vlan_cases[];
extern const struct test_case direction_cases[];
extern const struct test_case statistics_cases[];
extern const struct test_case life_cycle_cases[];
extern const struct test_case savefile_cases[];
extern const struct test_case dead_handle_cases[];
extern const struct test_case compile_cases[];

/* --- saying what happened (probe.c) --- */

/* Adds to the result of the running case. Line breaks and tabs are written as escapes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the present result; what follows belongs to `id`. For cases that print many lines. */
void begin_result(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "label=rc", with the handle's error text when rc is negative. */
void say_code(pcap_t *p, const char *label, int rc);
void say_bytes(const char *label, const void *data, size_t length);
uint64_t fingerprint(const void *data, size_t length);
/* What the library wrote to standard error since the last call; the rest is added at the end of the case. */
void say_stderr(const char *label);
/* The same without the words: whether the library warned. */
void say_warned(void);
/* The case cannot go on: says why and ends its process. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- the network (network.c) --- */

void network_open(void);	/* new namespaces, lo and the veth pair up; before every case */
void enter_gen(void);
void enter_cap(void);
void link_up(const char *name);
void link_down(const char *name);
void link_delete(const char *name);
bool write_file(const char *path, const char *text);
unsigned promiscuity(const char *name);
void drop_capabilities(void);

/* --- traffic (traffic.c) --- */

struct vlan_tag {
	uint16_t tpid, tci;
};

/* Ethernet frame to cap0 with a number after the header and a pattern behind it; returns its length. */
size_t make_frame(uint8_t *frame, size_t length, uint16_t ethertype, unsigned number);
/* The same with up to two tags put in front of the EtherType: `length` is without them. */
size_t make_tagged(uint8_t *frame, size_t length, unsigned number, const struct vlan_tag *tags, unsigned tag_count);

/* Frames from gen0, so that cap0 receives them. All return when cap0's taps have seen every frame. */
void send_in(unsigned count, size_t length);
void send_in_type(unsigned count, size_t length, uint16_t ethertype);
void send_in_raw(const void *frame, size_t length);
void send_tagged(size_t length, const struct vlan_tag *tags, unsigned tag_count);
/* Frames that the host sends out by cap0. */
void send_out(unsigned count, size_t length);
void send_out_raw(const void *frame, size_t length);
/* UDP datagrams over lo to a socket that takes them; `length` of payload. */
void send_lo(unsigned count, size_t length);
/* From gen0 without waiting for cap0, for when it is down or the receiver is another. */
void send_in_unchecked(unsigned count, size_t length);
/* Frames that gen0 received since the last call, up to `count`; waits for them with a deadline. */
unsigned gen_received(unsigned count, uint8_t *last, size_t size, size_t *last_length);

/* --- handles and what they deliver (handles.c) --- */

struct how {
	const char *device;
	int snaplen, timeout_ms, promisc, immediate, buffer, precision, nonblock, protocol;
	int idle;		/* nothing is called on it after activation */
};

pcap_t *open_how(const struct how *how);	/* gives the case up if activation fails */
pcap_t *open_live(const char *device, int timeout_ms);
pcap_t *open_immediate(const char *device);

#define PACKETS_KEPT 64
struct packets {
	unsigned count;
	unsigned break_at;	/* break the loop in the callback of this packet (1 is the first), 0: never */
	pcap_t *handle;
	struct {
		unsigned caplen, len, number;
	} kept[PACKETS_KEPT];
	uint64_t hash;		/* over the bytes of all packets */
	int64_t last_fraction;
	unsigned header_length;	/* link-layer header before the frame number; 14 unless set */
};

void collect(u_char *packets, const struct pcap_pkthdr *header, const u_char *data);
/* "n=2 [60/60#0 60/60#1] hash=..." */
void say_packets(const char *label, const struct packets *packets);
void say_stats(pcap_t *p, const char *label);

/* Breaks the loop of `p` after `ms` unless stopped before; stop returns true if it had to. */
void guard_start(pcap_t *p, unsigned ms);
bool guard_stop(void);
/* dispatch/loop/next_ex under a guard; say "label=blocked" or the code. */
int guarded_dispatch(pcap_t *p, const char *label, int count, struct packets *packets, unsigned ms);
int guarded_loop(pcap_t *p, const char *label, int count, struct packets *packets, unsigned ms);

/* Reads until `count` packets came, or until a second passes without any; returns how many came. Quiet. */
unsigned drain(pcap_t *p, struct packets *packets, unsigned count);
/* Everything that comes until 150 ms pass in silence. */
unsigned drain_all(pcap_t *p, struct packets *packets);

bool readable(int fd, int ms);
int64_t now_ms(void);
void sleep_ms(unsigned ms);
struct bpf_program compiled(pcap_t *p, const char *expression);
void set_filter(pcap_t *p, const char *expression);

#endif
