/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules: each looks at one thing, and is silent where its facts are absent. */
#ifndef NETRING_DOCTOR_RULES_H
#define NETRING_DOCTOR_RULES_H

#include "doctor.h"

/* Per cent of a CPU's time in softirqs from which on it has none left. */
#define DOCTOR_SOFTIRQ_LIMIT 85

typedef void doctor_rule(struct doctor *doctor);

/* doctor-path.c: whether a capture is possible, and by which path */
doctor_rule doctor_rule_missing, doctor_rule_permission, doctor_rule_down, doctor_rule_path;

/* doctor-xdp.c: the paths that begin in XDP, and what is in their way */
doctor_rule doctor_rule_attached, doctor_rule_xdp, doctor_rule_xdp_outgoing, doctor_rule_xdp_frames;

/* The path that a capture with these settings would take, if it is possible at all: with what falls back to the packet ring taken into account. */
enum doctor_path { DOCTOR_PATH_PACKET, DOCTOR_PATH_XDP, DOCTOR_PATH_TAP, DOCTOR_PATH_LIBPCAP };
enum doctor_path doctor_path(const struct doctor *doctor);

/* Whether it sees packets in the driver, before the kernel merges, queues or moves them. */
bool doctor_sees_first(const struct doctor *doctor);

/* doctor-nic.c: the adapter and what it says it has lost */
doctor_rule doctor_rule_driver, doctor_rule_nic_ring, doctor_rule_missed, doctor_rule_errors, doctor_rule_dropped, doctor_rule_driver_counters,
	doctor_rule_coalescing, doctor_rule_pause, doctor_rule_timestamps;

/* What it lost before the kernel saw it: in nic.count or in rate; -1: it does not say. */
int64_t doctor_lost(const struct doctor *doctor, const char *group);

/* A sentence for commands that change rings or queues, " " before it; "" if nobody's session is in danger. */
const char *doctor_link_warning(const struct doctor *doctor);

/* doctor-queues.c: how packets get from the adapter to CPUs */
doctor_rule doctor_rule_queues, doctor_rule_rss, doctor_rule_irq_node, doctor_rule_irq_spread, doctor_rule_numa, doctor_rule_rps, doctor_rule_softirq;

/* doctor-offloads.c: what makes a captured packet another one than was on the wire */
doctor_rule doctor_rule_lro, doctor_rule_gro, doctor_rule_vlan, doctor_rule_segmentation;

/* doctor-position.c: where the interface stands among others, and who else captures on it */
doctor_rule doctor_rule_master, doctor_rule_lower, doctor_rule_virtual, doctor_rule_sockets;

/* doctor-captures.c: the captures that run now */
doctor_rule doctor_rule_captures;

/* doctor-rate.c: what to use at the rate seen now */
doctor_rule doctor_rule_rate, doctor_rule_stall;

/* doctor-memory.c: room for the ring */
doctor_rule doctor_rule_ring_memory, doctor_rule_fragmentation, doctor_rule_memlock, doctor_rule_hugepages;

/* doctor-kernel.c: the kernel's stage between adapter and protocols, its settings, and what this process may do */
doctor_rule doctor_rule_squeezed, doctor_rule_backlog, doctor_rule_jit, doctor_rule_optmem, doctor_rule_rmem, doctor_rule_cpus, doctor_rule_container,
	doctor_rule_seccomp, doctor_rule_irqbalance, doctor_rule_flow_limit, doctor_rule_steal;

/* doctor-program.c: whether netring gets into the program */
doctor_rule doctor_rule_program, doctor_rule_program_library, doctor_rule_apparmor, doctor_rule_program_xdp;

#endif
