/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for the ring. */
#include <string.h>

#include "doctor-rules.h"

#define MIB ((int64_t)1 << 20)

static bool counts_the_ring(const struct doctor *doctor)
{
	return doctor_path(doctor) != DOCTOR_PATH_PACKET;
}

/* A ring of half of what is left is the most that is proposed: what takes it all brings the kernel to kill programs. */
static bool has_room(const struct doctor *doctor, int64_t bytes)
{
	int64_t available = doctor_number(doctor, "host.memory.available"), limit = doctor_number(doctor, "host.memory.limit");

	return bytes <= available / 2 && !(counts_the_ring(doctor) && limit >= 0 && bytes > limit / 2);
}

void doctor_rule_ring_memory(struct doctor *doctor)
{
	int64_t asked = doctor_number(doctor, "want.ring_bytes"), got = doctor_number(doctor, "want.ring_bytes_got");
	int64_t available = doctor_number(doctor, "host.memory.available"), limit = doctor_number(doctor, "host.memory.limit");

	if (asked <= 0 || got <= 0 || available < 0)
		return;
	if (got >= asked) {
		doctor_add(doctor, DOCTOR_FINE, "ring-memory", "There is memory for the ring");
		doctor_seen(doctor, "%s of %s available", doctor_bytes((double)asked), doctor_bytes((double)available));
		return;
	}
	doctor_add(doctor, got < 64 * MIB ? DOCTOR_COSTS : DOCTOR_FINE, "ring-memory", "The ring will be smaller than asked for");
	doctor_seen(doctor, "%s instead of %s: an eighth of what is left, %s%s%s", doctor_bytes((double)got), doctor_bytes((double)asked),
		    doctor_bytes((double)available), limit > 0 ? ", of which the cgroup allows " : "", limit > 0 ? doctor_bytes((double)limit) : "");
	if (!has_room(doctor, asked)) {
		doctor_cost(doctor, "It holds less of a burst. There is no room for the size asked for: %smore memory.",
			    counts_the_ring(doctor) ? "the cgroup counts what XDP's rings are made of, and has to allow " : "that takes ");
		return;
	}
	doctor_cost(doctor, "It holds less of a burst. A size that is set is taken as it stands, and the cgroup %s:",
		    counts_the_ring(doctor) ? "counts what XDP's rings are made of" : "does not count the ring");
	doctor_mend(doctor, "export NETRING_RING_SIZE=%lldM", (long long)(asked / MIB));
}

void doctor_rule_fragmentation(struct doctor *doctor)
{
	int64_t block = doctor_number(doctor, "want.block_bytes"), largest = doctor_number(doctor, "host.memory.largest_block");

	/* What XDP fills is made of single pages. */
	if (block <= 0 || largest < 0 || doctor_path(doctor) != DOCTOR_PATH_PACKET)
		return;
	if (largest >= block) {
		doctor_add(doctor, DOCTOR_FINE, "fragmentation", "Memory is in pieces that are large enough for the ring's blocks");
		doctor_seen(doctor, "largest free piece %s, blocks of %s", doctor_bytes((double)largest), doctor_bytes((double)block));
		return;
	}
	doctor_add(doctor, DOCTOR_FINE, "fragmentation", "Memory is fragmented");
	doctor_seen(doctor, "largest free piece %s, blocks of %s", doctor_bytes((double)largest), doctor_bytes((double)block));
	doctor_cost(doctor, "The kernel tidies up while the ring is made, or puts blocks together from single pages: no packet is lost by that, but "
			    "pcap_activate "
			    "may take seconds.");
	doctor_mend(doctor, "echo 1 > /proc/sys/vm/compact_memory");
}

/* What everybody raises, and what it is good for. */
void doctor_rule_memlock(struct doctor *doctor)
{
	const char *limit = doctor_fact(doctor, "self.limit.memlock");

	if (!limit || doctor_path(doctor) == DOCTOR_PATH_XDP)
		return;
	doctor_add(doctor, DOCTOR_FINE, "memlock", "Locked memory (ulimit -l)");
	if (doctor_number(doctor, "self.limit.memlock") >= 0)
		doctor_seen(doctor, "%s%s", doctor_bytes((double)doctor_number(doctor, "self.limit.memlock")),
			    doctor_is(doctor, "self.cap.ipc_lock", "yes") ? ", and CAP_IPC_LOCK lifts it" : "");
	else
		doctor_seen(doctor, "%s", limit);
	doctor_cost(doctor,
		    "It does not matter for the packet ring, nor since Linux 5.11 for copies in XDP: they are kernel memory, and never swapped. It "
		    "does for AF_XDP.");
}

void doctor_rule_hugepages(struct doctor *doctor)
{
	int64_t total = doctor_number(doctor, "host.hugepages.2048.total"), unused = doctor_number(doctor, "host.hugepages.2048.free");

	if (total <= 0 || unused <= 0 || unused < 32)
		return;
	doctor_add(doctor, DOCTOR_FINE, "hugepages", "Huge pages that nobody uses");
	doctor_seen(doctor, "%lld of %lld of 2 MiB are free: %s", (long long)unused, (long long)total,
		    doctor_bytes(2.0 * (double)unused * (double)MIB));
	doctor_cost(doctor,
		    "netring needs none. They are kept from everything else, the ring included; if no other program is to come (DPDK, databases):");
	/* The sysctl is about those of the default size, which may be 1 GiB. */
	doctor_mend(doctor, "echo %lld > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", (long long)(total > unused ? total - unused : 0));
}
