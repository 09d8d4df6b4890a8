/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several rings read as one, in a simulated world: it has a clock of its own, and each source opens blocks, counts packets into them, stamps them and hands
 * the blocks over. Its time can go on at every look that the merge takes at a ring, so that whatever can happen between two looks does happen. What comes
 * out has to be everything, once, and in the order of time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge-rings.h"

/* The world */

struct planned_block {
	uint64_t open_ns, retire_ns;
	unsigned packets, added;
	uint64_t counted_ns[40]; /* when each is counted, in order */
	uint64_t stamp_ns[40];
	uint64_t newest_ns; /* of all stamps so far */
};

struct world {
	struct random random;
	unsigned early; /* packets are stamped up to that long before they are counted */
	bool moves;	/* time goes on while the merge looks */
	bool filtered;	/* packets are judged here */
	bool active;
	struct planned_block plan[SOURCES_MAX];
};

static struct world world;

/* Between the count and the handing over. */
static uint64_t late_stamp(uint64_t counted_ns, uint64_t retire_ns)
{
	return counted_ns + random_below(&world.random, (uint32_t)(retire_ns - counted_ns) + 1);
}

/* Before the count; but a ring's blocks do not overlap: one CPU fills it. Inside a block they may be in any order. */
static uint64_t early_stamp(uint64_t counted_ns, uint64_t oldest_ns)
{
	uint64_t stamp_ns = counted_ns - random_below(&world.random, world.early + 1);

	return stamp_ns < oldest_ns ? oldest_ns : stamp_ns;
}

static void plan_block(unsigned source, uint64_t open_ns)
{
	struct planned_block *plan = &world.plan[source];
	/* Idle for long, or busy. */
	uint32_t pause = random_below(&world.random, 8) == 0 ? 2000 : 30, length = 1 + random_below(&world.random, 200);
	uint64_t first_ns = open_ns + 1 + random_below(&world.random, pause);

	plan->open_ns = open_ns;
	plan->retire_ns = first_ns + length;
	plan->packets = 1 + random_below(&world.random, packets_per_block(source));
	plan->added = 0;
	for (unsigned i = 0; i < plan->packets; i++)
		plan->counted_ns[i] = first_ns + random_below(&world.random, length);
	qsort(plan->counted_ns, plan->packets, sizeof(plan->counted_ns[0]), by_time);
	/* Stamped after being counted, neighbours perhaps in another order; or before, if the kernel stamps early. */
	for (unsigned i = 0; i < plan->packets; i++)
		plan->stamp_ns[i] =
			world.early ? early_stamp(plan->counted_ns[i], plan->newest_ns) : late_stamp(plan->counted_ns[i], plan->retire_ns);
	for (unsigned i = 0; i < plan->packets; i++)
		if (plan->stamp_ns[i] > plan->newest_ns)
			plan->newest_ns = plan->stamp_ns[i];
}

/* Everything that has happened in one source until now. */
static void let_happen(unsigned source)
{
	struct planned_block *plan = &world.plan[source];

	for (;;) {
		while (plan->added < plan->packets && plan->counted_ns[plan->added] <= world_ns) {
			add_packet(source, plan->stamp_ns[plan->added], world.early ? TP_STATUS_TS_SOFTWARE : 0);
			plan->added++;
		}
		if (plan->retire_ns > world_ns)
			return;
		retire_block(source);
		plan_block(source, plan->retire_ns);
		open_block(source, plan->open_ns);
	}
}

static void go_on(uint32_t ns)
{
	world_ns += ns;
	for (unsigned i = 0; i < opened; i++)
		let_happen(i);
}

static void look(void)
{
	if (world.moves && world.active && random_below(&world.random, 6) == 0)
		go_on(random_below(&world.random, 30));
}

static int world_list(struct packet_ring *ring, uint32_t ahead, struct packet_list *list, unsigned max, struct netring_error *text)
{
	look();
	return packet_ring_v3.list(ring, ahead, list, max, text);
}

static bool world_is_ours(const struct packet_ring *ring, uint32_t cell)
{
	look();
	return packet_ring_v3.is_ours(ring, cell);
}

static bool world_is_filling(const struct packet_ring *ring, uint32_t ahead, uint64_t *not_before_ns)
{
	look();
	return packet_ring_v3.is_filling(ring, ahead, not_before_ns);
}

static void world_release(struct packet_ring *ring, uint32_t cells)
{
	look();
	packet_ring_v3.release(ring, cells);
}

static struct packet_ring_kind world_kind;

static void begin_world(unsigned sources)
{
	world_kind = packet_ring_v3;
	world_kind.list = world_list;
	world_kind.is_ours = world_is_ours;
	world_kind.is_filling = world_is_filling;
	world_kind.release = world_release;
	open_rings(sources, &world_kind, 256, 1);
	if (world.filtered)
		set_filters_here(1, 2);
	for (unsigned i = 0; i < sources; i++) {
		plan_block(i, world_ns);
		open_block(i, world_ns);
	}
	merge.delay_ns = world.early ? DELAY : 0;
}

/* No more packets: all blocks are handed over as they are, and time goes on for as long as anybody could wait. */
static void end_world(void)
{
	world.moves = false;
	for (unsigned i = 0; i < opened; i++)
		if (block_of(i, next_cell[i])->hdr.bh1.num_pkts)
			retire_block(i);
	world_ns += 10000;
}

static int take_in_the_world(void)
{
	int taken;

	world.active = true;
	taken = take(1 + random_below(&world.random, random_below(&world.random, 3) == 0 ? 10 : MERGE_BATCH_MAX));
	ck_assert(taken >= 0 || (taken == -EAGAIN && world.filtered));
	if (taken > 0)
		consume(random_below(&world.random, 3) ? (unsigned)taken : random_below(&world.random, (unsigned)taken + 1));
	world.active = false;
	return taken;
}

static void read_the_world(void)
{
	while (next_id < 15000) {
		go_on(random_below(&world.random, 100));
		while (take_in_the_world() != 0 && random_below(&world.random, 4) != 0)
			;
		/* A ring that is half full would not wait, and then order is not promised. */
		for (unsigned i = 0; i < opened; i++)
			ck_assert(!packet_ring_is_half_full(&rings[i]));
	}
}

static void expect_the_filtered(void)
{
	unsigned kept = 0;

	for (uint32_t id = 0; id < next_id; id++) {
		ck_assert_uint_eq(seen[id], id % 4 == 1 || id % 4 == 2);
		kept += seen[id];
	}
	ck_assert_uint_eq(sum_delivered(), kept);
	ck_assert_uint_eq(sum_rejected(), next_id - kept);
}

static void run_world(unsigned sources)
{
	begin_world(sources);
	read_the_world();
	end_world();
	while (take_in_the_world() != 0)
		;
	if (world.filtered) {
		expect_the_filtered();
	} else {
		expect_all_seen();
		ck_assert_uint_eq(sum_delivered(), next_id);
	}
	ck_assert_uint_eq(merge.disordered, 0);
	merge_teardown();
	merge_setup();
}

/* 1 to 9 sources; time that stands still while the merge looks, or goes on; stamps that are made in the ring, or before; filters in the kernel, or here. */
START_TEST(test_world)
{
	for (unsigned variant = 0; variant < 8; variant++) {
		memset(&world, 0, sizeof(world));
		snprintf(about, sizeof(about), "variant %u: ", variant);
		world.random.state = 1000 * (uint64_t)_i + variant + 1;
		world.moves = variant & 1;
		world.early = variant & 2 ? DELAY : 0;
		world.filtered = variant & 4;
		run_world((unsigned)_i);
	}
}
END_TEST

void add_tests_of_worlds(TCase *cases)
{
	tcase_add_loop_test(cases, test_world, 1, SOURCES_MAX + 1);
}
