/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The savefile probe: a plain libpcap program that writes savefiles in every way a program may, and says what came of it. probe.sh runs it
 * with the system's libpcap and with netring, and compares the lines.
 *
 * A case runs in a process and an empty folder of its own, which is its working directory, so that texts with file names are the same in
 * every run. Packets are made by hand, so that files are the same to the byte. What a case says must not depend on how much a library
 * holds back: a file is looked at when it was flushed, closed, or its writer has ended.
 */
#ifndef NETRING_TESTS_DUMP_PROBE_H
#define NETRING_TESTS_DUMP_PROBE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Where a case's folder is. ramfs refuses O_DIRECT; the disk is where the build is, DUMP_FOLDER elsewhere. */
enum folders { DISK = 1, TMPFS = 2, RAMFS = 4, EVERYWHERE = 7 };

struct test_case {
	const char *id;
	void (*run)(int argument);
	int argument;
	enum folders folders; /* 0: the disk alone */
	const char *environment; /* NAME=VALUE, set before the library is first called */
};

/* One table for each file, ended by an entry without id. */
extern const struct test_case stream_cases[];	/* what a program does with pcap_dump_file */
extern const struct test_case packet_cases[];	/* what is dumped, and from where */
extern const struct test_case append_cases[];
extern const struct test_case fopen_cases[];
extern const struct test_case process_cases[];	/* fork, exit */
extern const struct test_case thread_cases[];
extern const struct test_case error_cases[];
extern const struct test_case moment_cases[];	/* what a SIGKILL leaves; not in a callback */
extern const struct test_case stuck_cases[];	/* pipes that nobody reads, standard input and output; not in a callback */
extern const struct test_case walk_cases[];	/* random sequences of calls */

/* --- saying what happened --- */

/* Adds to the result of the running case; line breaks and tabs become escapes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * How many errors on standard error name `file` since the last call; forgets them, and warnings that name it: how many packets are lost. Other
 * lines stay part of the result.
 */
void say_logged(const char *file);
/* Forgets warnings with that text: where a fallback is forced. */
void forget_warnings(const char *about);
/* The case cannot go on: says why and ends its process. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t fingerprint(const void *data, size_t length);
/* Whether the process is on the drop-in. For the few things that stock promises nobody. */
bool on_netring(void);

/* --- packets --- */

extern char errbuf[PCAP_ERRBUF_SIZE];

pcap_t *dead_handle(void); /* Ethernet, 262144 bytes, microseconds */
/* Dumps packet `number`: its bytes and its time depend on nothing else. The largest is MAX_PACKET. */
#define MAX_PACKET 262144
void dump_packet(pcap_dumper_t *dumper, unsigned number, unsigned length);
/* Packets first ... first + count - 1. */
void dump_packets(pcap_dumper_t *dumper, unsigned first, unsigned count, unsigned length);
pcap_dumper_t *open_dump(pcap_t *p, const char *path); /* gives the case up if it fails */

/* --- files --- */

/* "label: 1024 bytes, hash" */
void say_file(const char *label, const char *path);
void say_size(const char *label, const char *path);
/* What a reader of packets finds: how many, whether one is there twice, whether the numbers from 0 on are all there, and how the file ends. */
void say_packets(const char *label, const char *path);
void write_bytes(const char *path, const void *bytes, size_t length); /* a new file */
/* The status of a child process, waited for. */
void say_child(const char *label, pid_t child);
void mount_here(const char *type, const char *name, const char *options); /* a file system on a new folder */
unsigned open_descriptors(void);

#endif
