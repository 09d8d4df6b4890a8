/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The values that captures are best served with, and when: one place for `netring tune`, which sets them, and `netring doctor`, which names them. So that
 * the two never contradict each other:
 *
 *   - what doctor puts under "costs packets" and calls mended by one of these settings, tune changes, to the value that doctor names;
 *   - what tune changes, doctor names, with tune's value, as costing packets if it has seen that, else as fine but better otherwise;
 *   - where advice is the value that there is, neither proposes to change it: what is lost all the same has another reason.
 *
 * Evidence (rates, drops) is doctor's: what is proposed here rests on the settings, so that tune needs no sample of the traffic; but for drops since the
 * host was started. Pure functions of facts; any thread.
 */
#ifndef NETRING_ADVICE_H
#define NETRING_ADVICE_H

#include "cpu-set.h"
#include "facts.h"

/* doctor judges by the first. */
enum advice_profile { ADVICE_HIGH_THROUGHPUT, ADVICE_LOW_LATENCY, ADVICE_LOW_MEMORY, ADVICE_JUMBO, ADVICE_PROFILES };

extern const char *const advice_profile_names[ADVICE_PROFILES + 1]; /* a NULL behind them */

/*
 * What a setting, by its fact's name, should be; the value it has if that is fine. -1: nothing can be said, because it is unknown, or because the profile
 * leaves it alone, or because it does nothing for this interface. The settings are
 *   nic.channels.combined, nic.channels.rx, nic.ring.rx, nic.coalesce.rx_usecs, nic.coalesce.rx_frames, if.mtu and
 *   host.sysctl.net.core.{netdev_budget,netdev_budget_usecs,netdev_max_backlog,bpf_jit_enable}
 */
int64_t advice_number(const struct facts *facts, enum advice_profile profile, const char *setting);

/*
 * Whether an offload, by the kernel's name, is better off on this interface. LRO always is. GRO is where times are to be those of the wire (low_latency),
 * and on interfaces that only listen; elsewhere it makes receiving cheaper, for the host's own connections too, and fewer packets are lost with it.
 */
bool advice_feature_off(const struct facts *facts, enum advice_profile profile, const char *feature);

/*
 * Whether there is an adapter in it, which merges packets (LRO): a bond and its like say that it is on for members that could, whatever these do. Yes if
 * that is not known: without /sys, an adapter is a virtual interface like others.
 */
bool advice_may_have_adapter(const struct facts *facts);

/* Whether the interface only listens: it has no addresses, no default route, no master, and is no loopback. No if that is not known. */
bool advice_only_listens(const struct facts *facts);

/* Whether packets of this interface wait in a CPU's backlog (netdev_max_backlog) as it is set now: drivers with NAPI pass it by, unless RPS is on. */
bool advice_passes_backlog(const struct facts *facts);

/*
 * Whether this rx-usecs is no time, but a way for the driver to find one by the traffic, or refused: Intel's drivers up to 2.5 Gbit/s take 0, 1, 3 (4 in
 * some), and times from 10 on; in those for 10 Gbit/s 1 is such a way.
 */
bool advice_usecs_is_mode(const struct facts *facts, int64_t usecs);

/* Whether a ring of this size is as good as the one wanted: drivers round down, vmxnet3 with a large MTU from 4096 to 4032. */
bool advice_ring_will_do(int64_t now, int64_t wanted);

/* The CPUs that should receive: those online at the adapter's node, else all; at least one. */
struct cpus advice_cpus(const struct facts *facts);

#endif
