/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program on a veth pair, packets sent on nr0, the program on nr1: what is redirected comes out of a small AF_XDP socket, what is passed on out of
 * a packet socket. One test is one program.
 */
#ifndef NETRING_TESTS_XDP_PROGRAM_FIXTURE_H
#define NETRING_TESTS_XDP_PROGRAM_FIXTURE_H

#include <bpf/bpf.h>
#include <sys/types.h>

#include "faulty-libbpf.h"
#include "fixture.h"
#include "log.h"
#include "raw-xdp.h"
#include "xdp-program.h"

/* Bytes that the filters here accept. */
#define KEEP 65535

extern struct log log_file;
extern struct netring_error error;
extern struct xdp_program program;
extern struct raw_xdp raw;
extern int in, host;			/* sends on nr0; a packet socket on nr1, what the host gets: -1, or open */

/* For the table: a kernel without a helper function, and one that loads no program. */
long helper_is_missing(enum bpf_prog_type type, enum bpf_func_id helper, const void *nothing);
int refuse_to_load(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
			  const struct bpf_prog_load_opts *options);

/* Before the first test; around each. */
void program_suite_begins(void);
void program_setup(void);
void program_teardown(void);

/* The tests, by file. */
void add_tests_of_filters(TCase *tests);
void add_tests_of_refusals(TCase *tests);

/* Effective capabilities; and all that are still permitted. */
#define BIT(capability) (UINT64_C(1) << (capability))
void drop(uint64_t capabilities);
void raise_all(void);

/* Whether the log has that text in it, and how often. */
bool is_logged(const char *text);
unsigned count_logged(const char *text);

struct xdp_program_options options_of(const char *interface, enum netring_xdp_mode mode);

/* For packets of a type (0: all) and of another. As xdp_program_open and xdp_program_set_filter. */
int open_for(const struct xdp_program_options *options, uint16_t type, uint16_t other);
int set_types(uint16_t type, uint16_t other);

/* With a socket on its only queue; and all that from the start, on nr1. */
void attach(void);
void start(enum netring_xdp_mode mode, uint16_t type);
void close_raw(void);

/* What the kernel says of an interface's XDP program. */
struct bpf_xdp_query_opts query(const char *interface);
bool is_free(const char *interface);

void host_open(uint16_t type);
bool host_gets(int timeout_ms);

uint16_t type_of(const struct raw_xdp_packet *packet);
uint32_t number_of(const struct raw_xdp_packet *packet);

/* The next packet of the socket, which has to be that one. */
struct raw_xdp_packet take(uint16_t type, uint32_t number);

/* What was sent before `type` goes one way or the other: a packet behind it tells that it is through. */
void expect_redirected(uint16_t type, uint32_t number, uint32_t verdict);
void expect_passed(uint16_t type, uint32_t number);

/* A child that does not live longer than the test; it has to exit with 0. */
pid_t fork_child(void);
void wait_for(pid_t child);

/* Kills the process for bpf() and for looking twice at a file; opening and all else is allowed. */
void enter_sandbox(void);

#endif
