/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to use at the rate seen now: the path by packets for each CPU, the size of the ring by bytes and the time for which a program may be late.
 *
 * A million packets a second for each CPU is what the kernel's receive path does, roughly; three million is what one ring was measured to take of two
 * CPUs (README.md, bench/rings.sh). What AF_XDP and DPDK do on the adapter at hand nobody knows beforehand: no figures for these.
 */
#include <string.h>

#include "doctor-rules.h"

#define STACK_PER_CPU 1e6
#define RING_MOST 3e6

/* Too few to judge by. */
#define QUIET 1000

/* Header, padding and address of a packet in a TPACKET_V3 block. */
#define RING_OVERHEAD 92

/* The kernel's and netring's record in a BPF ring buffer, and what brings it to 8 bytes. */
#define TAP_OVERHEAD 36

/* A name look-up, a slow disk, a burst of printing. */
#define STALL_SECONDS 1.0
/* Shorter pauses than this happen to every program: the scheduler alone makes some. */
#define STALL_LEAST 0.1

static double packets_per_second(const struct doctor *doctor)
{
	double packets = doctor_rate(doctor, "rate.packets"), missed = doctor_rate(doctor, "rate.missed");

	return packets < 0 ? -1 : packets + (missed > 0 ? missed : 0);
}

/* One queue more helps only if the traffic is of several flows, which cannot be seen from here. */
static void advise_beyond_the_stack(struct doctor *doctor, int64_t receiving)
{
	int64_t most = doctor_most_queues(doctor);

	if (doctor_queues(doctor) > receiving) {
		doctor_cost(doctor,
			    "That is more than the kernel's receive path does on one CPU: spread the %lld queues' interrupts over as many CPUs "
			    "first, then one "
			    "ring for each.",
			    (long long)doctor_queues(doctor));
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
		doctor_mend(doctor, "export NETRING_RINGS=auto");
		return;
	}
	if (most > receiving) {
		doctor_cost(doctor,
			    "That is more than the kernel's receive path does on one CPU, but the adapter has more queues: first spread it over %lld "
			    "CPUs, "
			    "then one ring for each.",
			    (long long)most);
		doctor_mend_queues(doctor);
		doctor_mend(doctor, "export NETRING_RINGS=auto");
		return;
	}
	if (doctor_is(doctor, "nic.xdp.redirect", "yes")) {
		bool guarded = doctor_fact(doctor, "try.guard") && !doctor_is(doctor, "try.guard", "none");

		doctor_cost(
			doctor,
			"That is more than the kernel's receive path does on one CPU. %s, AF_XDP takes packets before the kernel makes anything of "
			"them, %s; for counting or filtering alone an XDP program is enough. Beyond that there is DPDK, which takes the adapter away "
			"from the kernel altogether.",
			guarded ? "On a port that the host does not need, which this one is not" : "If the port is for capture only",
			doctor_is(doctor, "nic.xdp.zero_copy", "yes") ? "here without copying" : "here with one copy");
		if (guarded)
			return;
		doctor_mend(doctor, "export NETRING_BACKEND=xdp");
		return;
	}
	doctor_cost(doctor, "That is more than the kernel's receive path does on one CPU, the adapter has no more queues for this machine, and its "
			    "driver no AF_XDP: "
			    "another adapter, or less traffic (a mirror port that filters).");
}

static void advise_rings(struct doctor *doctor, double packets, int64_t receiving)
{
	const char *rings = doctor_fact(doctor, "want.rings");
	long long wanted = (long long)(packets / STACK_PER_CPU) + 1;

	if (wanted > receiving)
		wanted = receiving;
	if (wanted <= 1 || (rings && strcmp(rings, "1") != 0)) {
		doctor_cost(doctor, "The packet ring is the right path%s; nothing faster is needed.",
			    rings && strcmp(rings, "1") != 0 ? " with several rings" : ", and one ring is enough");
		return;
	}
	doctor_cost(doctor,
		    "The packet ring is the right path. The CPUs that fill a single ring wait for each other: %lld rings, read as one stream in the "
		    "order of "
		    "time, took half as much again when measured.",
		    wanted);
	doctor_mend(doctor, "export NETRING_RINGS=%lld", wanted);
}

/* With XDP. What AF_XDP does on an adapter nobody knows beforehand; copies leave the kernel all of its work. */
static void advise_xdp(struct doctor *doctor, double packets, int64_t receiving)
{
	bool tap = doctor_path(doctor) == DOCTOR_PATH_TAP, beyond = tap && packets / (double)receiving >= STACK_PER_CPU;

	doctor_add(doctor, beyond ? DOCTOR_COSTS : DOCTOR_FINE, "rate", "What this rate needs");
	doctor_seen(doctor, "%s packets/s, received by %lld %s", doctor_count(packets), (long long)receiving, receiving == 1 ? "CPU" : "CPUs");
	if (beyond) {
		doctor_cost(doctor,
			    "The filter in XDP comes first, but the host gets every packet as well, and that is more than the kernel's receive "
			    "path does on one CPU: the adapter's ring runs over. More CPUs have to receive.");
		doctor_mend(doctor, "netring tune %s", doctor->quoted);
	} else if (tap) {
		doctor_cost(doctor,
			    "The filter runs on the CPUs that receive, before the kernel makes anything of a packet; the host's part of the work "
			    "stays what it is.");
	} else {
		doctor_cost(doctor,
			    "What AF_XDP takes costs the kernel little. Whether the program keeps up show xdp_ring_full and xdp_fill_empty of:");
		doctor_mend(doctor, "netring stats");
	}
}

/* Where /sys is another network namespace's, or absent. */
static bool queues_are_known(const struct doctor *doctor)
{
	return doctor_fact(doctor, "nic.queues.rx") || doctor_fact(doctor, "nic.channels.combined") || doctor_fact(doctor, "nic.channels.rx");
}

void doctor_rule_rate(struct doctor *doctor)
{
	double packets = packets_per_second(doctor);
	int64_t receiving = doctor_receiving_cpus(doctor);
	double each = packets / (double)receiving;
	bool single = doctor_is(doctor, "want.rings", "1");

	if (packets < 0)
		return;
	if (packets < QUIET) {
		doctor_add(doctor, DOCTOR_FINE, "rate", "The interface is quiet");
		doctor_seen(doctor, "%s packets/s", doctor_count(packets));
		doctor_cost(doctor, "Nothing can be said about the rate that you expect: run doctor again under load, or for longer (--seconds 10).");
		return;
	}
	if (!queues_are_known(doctor)) {
		doctor_add(doctor, DOCTOR_FINE, "rate", "The rate of this moment");
		doctor_seen(doctor, "%s packets/s", doctor_count(packets));
		doctor_cost(doctor, "By how many queues they come cannot be seen from here; a CPU does about a million a second.");
		return;
	}
	if (doctor_path(doctor) == DOCTOR_PATH_XDP || doctor_path(doctor) == DOCTOR_PATH_TAP) {
		advise_xdp(doctor, packets, receiving);
		return;
	}
	doctor_add(doctor, each >= STACK_PER_CPU || (packets >= RING_MOST && single && receiving > 1) ? DOCTOR_COSTS : DOCTOR_FINE, "rate",
		   "What this rate needs");
	doctor_seen(doctor, "%s packets/s, received by %lld %s", doctor_count(packets), (long long)receiving, receiving == 1 ? "CPU" : "CPUs");
	if (each >= STACK_PER_CPU)
		advise_beyond_the_stack(doctor, receiving);
	else
		advise_rings(doctor, packets, receiving);
}

/* Round up to a power of two of MiB. */
static double ring_for(double bytes)
{
	double size = 1 << 20;

	while (size < bytes)
		size *= 2;
	return size;
}

/*
 * Bytes of the ring that a second's packets take, if the filter wants them all. A packet of AF_XDP takes a frame, whatever its length. Of copies each CPU
 * has its share of the ring, and those that do not receive leave theirs empty.
 */
static double bytes_of_a_second(const struct doctor *doctor, double packets)
{
	double bytes = doctor_rate(doctor, "rate.bytes"), frame = (double)doctor_number(doctor, "want.xdp_frame_bytes");
	double cpus = (double)doctor_number(doctor, "host.cpus"), receiving = (double)doctor_receiving_cpus(doctor);

	switch (doctor_path(doctor)) {
	case DOCTOR_PATH_XDP:
		return packets * (frame > 0 ? frame : 2048);
	case DOCTOR_PATH_TAP:
		return (bytes + TAP_OVERHEAD * packets) * (cpus > receiving ? cpus / receiving : 1);
	default:
		return bytes + RING_OVERHEAD * packets;
	}
}

static void see_stall(struct doctor *doctor, double held, double need)
{
	switch (doctor_path(doctor)) {
	case DOCTOR_PATH_XDP:
		doctor_seen(doctor, "%s: the frames of %s fill at %s/s, one for each packet", doctor_time(held / need), doctor_bytes(held),
			    doctor_bytes(need));
		break;
	case DOCTOR_PATH_TAP:
		doctor_seen(doctor,
			    "%s, if the filter wants everything: the ring buffers of %s, those of the receiving CPUs of them, fill as if at %s/s",
			    doctor_time(held / need), doctor_bytes(held), doctor_bytes(need));
		break;
	default:
		doctor_seen(doctor, "%s: the ring of %s fills at %s/s", doctor_time(held / need), doctor_bytes(held), doctor_bytes(need));
	}
}

void doctor_rule_stall(struct doctor *doctor)
{
	double packets = packets_per_second(doctor), need = bytes_of_a_second(doctor, packets), wanted;
	int64_t ring = doctor_number(doctor, "want.ring_bytes"), got = doctor_number(doctor, "want.ring_bytes_got");
	double available = (double)doctor_number(doctor, "host.memory.available");
	double held = (double)(got > 0 ? got : ring);

	if (ring <= 0 || packets < QUIET || doctor_rate(doctor, "rate.bytes") < 0 || doctor_path(doctor) == DOCTOR_PATH_LIBPCAP)
		return;
	doctor_add(doctor, held / need < STALL_LEAST ? DOCTOR_COSTS : DOCTOR_FINE, "stall", "How long the program may pause at this rate");
	see_stall(doctor, held, need);
	if (held / need >= STALL_SECONDS) {
		doctor_cost(doctor,
			    "A name look-up or a slow disk does not cost packets. A program that is too slow all the time loses whatever the ring.");
		return;
	}
	wanted = ring_for(need * STALL_SECONDS);
	if (available > 0 && wanted > available / 2) {
		doctor_cost(doctor,
			    "After that packets are lost. A second would take %s, and %s of memory are available: %sa filter, or more memory.",
			    doctor_bytes(wanted), doctor_bytes(available),
			    doctor_path(doctor) == DOCTOR_PATH_XDP ? "" : "a smaller snapshot length (tcpdump -s), ");
		return;
	}
	doctor_cost(doctor, "After that packets are lost. For a second:");
	doctor_mend(doctor, "export NETRING_RING_SIZE=%.0fM", wanted / (1 << 20));
}
