/* SPDX-License-Identifier: BSD-3-Clause */
#include "merge-rings.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guarded.h"
#include "packet-filter.h"

struct packet_ring rings[SOURCES_MAX];
static size_t pages[SOURCES_MAX];
uint32_t next_cell[SOURCES_MAX];
unsigned opened;
struct merge merge;
struct netring_error error;
uint64_t world_ns;
uint32_t next_id;
uint64_t time_of[IDS_MAX];
unsigned source_of[IDS_MAX];
unsigned seen[IDS_MAX];
char about[32];
uint64_t last_time;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(world_ns / 1000000000);
	now->tv_nsec = (long)(world_ns % 1000000000);
	return 0;
}

void merge_setup(void)
{
	opened = 0;
	memset(seen, 0, next_id * sizeof(*seen));
	next_id = 0;
	world_ns = EPOCH;
	error.text[0] = '\0';
	last_time = 0;
	merge_init(&merge);
}

void merge_teardown(void)
{
	merge_close(&merge);
	for (unsigned i = 0; i < opened; i++) {
		uint8_t *map = rings[i].map;

		rings[i].map = NULL;
		packet_ring_close(&rings[i]);
		guarded_unmap(map, pages[i]);
	}
	opened = 0;
}

/* Rings */

static int any_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void open_ring(unsigned i, const struct packet_ring_kind *kind, uint32_t cells, uint32_t block_pages)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct packet_ring *ring = &rings[i];

	packet_ring_init(ring);
	ring->fd = any_socket();
	ring->kind = kind;
	ring->block_size = block_pages * page;
	ring->cells_per_block = kind->version == TPACKET_V2 ? ring->block_size / V2_FRAME : 1;
	ring->cell_size = kind->version == TPACKET_V2 ? V2_FRAME : ring->block_size;
	ring->cells = cells;
	pages[i] = (size_t)(cells + ring->cells_per_block - 1) / ring->cells_per_block * block_pages;
	ring->map = guarded_map(pages[i]);
	next_cell[i] = 0;
}

void open_rings(unsigned count, const struct packet_ring_kind *kind, uint32_t cells, uint32_t block_pages)
{
	for (opened = 0; opened < count; opened++)
		open_ring(opened, kind, cells, block_pages);
	ck_assert_int_eq(merge_open(&merge, rings, count, DELAY, &error), 0);
}

/* Blocks */

struct tpacket_block_desc *block_of(unsigned source, uint32_t cell)
{
	return (struct tpacket_block_desc *)packet_ring_cell(&rings[source], cell);
}

static uint32_t first_offset(void)
{
	return (sizeof(struct tpacket_block_desc) + 7) & ~7u;
}

struct tpacket3_hdr *packet_in(unsigned source, uint32_t cell, unsigned n)
{
	return (struct tpacket3_hdr *)((uint8_t *)block_of(source, cell) + first_offset() + n * STEP);
}

unsigned packets_per_block(unsigned source)
{
	return (rings[source].block_size - first_offset()) / STEP;
}

void write_id(uint8_t *data, uint32_t id)
{
	memset(data, 0xff, ETHERNET);
	memcpy(data + ETHERNET, &id, sizeof(id));
}

uint32_t new_id(unsigned source, uint64_t time_ns)
{
	ck_assert_uint_lt(next_id, IDS_MAX);
	time_of[next_id] = time_ns;
	source_of[next_id] = source;
	return next_id++;
}

void open_block(unsigned source, uint64_t at_ns)
{
	struct tpacket_block_desc *block = block_of(source, next_cell[source]);

	ck_assert(!block_is_ours(block));
	block->version = 2;
	block->hdr.bh1.num_pkts = 0;
	block->hdr.bh1.offset_to_first_pkt = first_offset();
	block->hdr.bh1.blk_len = first_offset();
	block->hdr.bh1.ts_first_pkt.ts_sec = (unsigned)(at_ns / 1000000000);
	block->hdr.bh1.ts_first_pkt.ts_nsec = (unsigned)(at_ns % 1000000000);
}

uint32_t add_packet(unsigned source, uint64_t time_ns, uint32_t status)
{
	uint32_t cell = next_cell[source], n = block_of(source, cell)->hdr.bh1.num_pkts++, id = new_id(source, time_ns);
	struct tpacket3_hdr *header = packet_in(source, cell, n);

	ck_assert_uint_lt(n, packets_per_block(source));
	memset(header, 0, STEP);
	header->tp_sec = (uint32_t)(time_ns / 1000000000);
	header->tp_nsec = (uint32_t)(time_ns % 1000000000);
	header->tp_snaplen = header->tp_len = LENGTH;
	header->tp_mac = MAC_OFFSET;
	header->tp_status = TP_STATUS_USER | status;
	write_id((uint8_t *)header + MAC_OFFSET, id);
	if (n)
		packet_in(source, cell, n - 1)->tp_next_offset = STEP;
	block_of(source, cell)->hdr.bh1.blk_len += STEP;
	return id;
}

void retire_block(unsigned source)
{
	struct tpacket_block_desc *block = block_of(source, next_cell[source]);

	ck_assert(!block_is_ours(block));
	block->hdr.bh1.block_status = TP_STATUS_USER;
	next_cell[source] = (next_cell[source] + 1) % rings[source].cells;
}

void put_block(unsigned source, const uint64_t *times, unsigned count)
{
	open_block(source, count ? times[0] : 0);
	for (unsigned i = 0; i < count; i++)
		add_packet(source, times[i], 0);
	retire_block(source);
}

void put_row(unsigned source, uint64_t first_ns, uint64_t step_ns, unsigned count)
{
	open_block(source, first_ns);
	for (unsigned i = 0; i < count; i++)
		add_packet(source, first_ns + i * step_ns, 0);
	retire_block(source);
}

/* Reading */

unsigned source_of_packet(unsigned n)
{
	return (unsigned)(merge.packet[n].source - merge.source);
}

uint32_t id_of(unsigned n)
{
	struct netring_packet packet;
	uint32_t id;

	rings[source_of_packet(n)].kind->view(&rings[source_of_packet(n)], &packet, merge.packet[n].frame);
	ck_assert_uint_ge(packet.captured_len, LENGTH);
	memcpy(&id, packet.data + ETHERNET, sizeof(id));
	ck_assert_uint_lt(id, next_id);
	ck_assert_uint_eq(source_of[id], source_of_packet(n));
	return id;
}

int take(unsigned max)
{
	int taken = merge_take(&merge, max, &error);

	ck_assert_int_le(taken, (int)max);
	ck_assert_uint_eq(merge.count, taken > 0 ? (unsigned)taken : 0);
	return taken;
}

void consume(unsigned used)
{
	for (unsigned i = 0; i < used; i++) {
		uint32_t id = id_of(i);

		ck_assert_msg(seen[id]++ == 0, "packet %u twice", id);
		ck_assert_msg(time_of[id] >= last_time, "%spacket %u of source %u: %lld ns too late", about, id, source_of[id],
			      (long long)(last_time - time_of[id]));
		last_time = time_of[id];
	}
	merge_give_back(&merge, used);
}

void expect(unsigned max, const uint32_t *ids, unsigned count)
{
	ck_assert_int_eq(take(max), (int)count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_uint_eq(id_of(i), ids[i]);
}

uint64_t sum_delivered(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < opened; i++)
		sum += rings[i].delivered;
	return sum;
}

uint64_t sum_rejected(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < opened; i++)
		sum += rings[i].rejected;
	return sum;
}

void read_all(struct random *random)
{
	int taken;

	while ((taken = take(1 + random_below(random, MERGE_BATCH_MAX))) > 0)
		consume(random_below(random, 4) ? (unsigned)taken : random_below(random, (unsigned)taken + 1));
	ck_assert_int_eq(taken, 0);
}

void expect_all_seen(void)
{
	for (uint32_t id = 0; id < next_id; id++)
		ck_assert_msg(seen[id] == 1, "packet %u (source %u) came %u times", id, source_of[id], seen[id]);
}

int by_time(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return a < b ? -1 : a > b;
}

/* Filters */

unsigned remainder_filter(struct sock_filter *program, uint32_t remainder, uint32_t other)
{
	const struct sock_filter made[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHERNET),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, remainder, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 65535),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	memcpy(program, made, sizeof(made));
	return sizeof(made) / sizeof(*made);
}

void set_filters(uint32_t remainder, uint32_t other)
{
	struct sock_filter program[6];
	unsigned length = remainder_filter(program, remainder, other);

	for (unsigned i = 0; i < opened; i++)
		ck_assert_msg(packet_filter_set(&rings[i], program, length, &error) == 0, "%s", error.text);
}

void set_filters_here(uint32_t remainder, uint32_t other)
{
	set_filters(remainder, other);
	for (unsigned i = 0; i < opened; i++)
		rings[i].filter_here = true;
}
