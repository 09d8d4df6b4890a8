/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk of a TPACKET_V3 block and the look at a TPACKET_V2 frame, on blocks built in memory: sound ones, ones with one field that cannot be true,
 * and 200 000 mutated ones.
 *
 * A block fills its memory exactly, between two pages that may not be touched, so that a read outside ends the program. What the walk ought to find
 * is worked out by model(), slowly and in 64 bits.
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "guarded.h"
#include "packet-block.h"
#include "packet-frame.h"
#include "test-random.h"

#define PAGES 1
#define MUTATIONS 200000
#define SENTENCE "corrupted frame on kernel ring"

/* As the kernel lays out an Ethernet packet with 4 bytes of reserve: the link header ends 16-aligned, the reserve comes on top. */
#define MAC_OFFSET 86

static uint8_t *memory;
static uint32_t size;
static struct netring_error error;

static void setup(void)
{
	memory = guarded_map(PAGES);
	size = PAGES * (uint32_t)sysconf(_SC_PAGESIZE);
	error.text[0] = '\0';
}

static void teardown(void)
{
	guarded_unmap(memory, PAGES);
}

/* Building */

static struct tpacket_block_desc *block(void)
{
	return (struct tpacket_block_desc *)memory;
}

static struct tpacket3_hdr *header_at(uint32_t offset)
{
	return (struct tpacket3_hdr *)(memory + offset);
}

/* The n-th packet, counted from 0, of a sound block. */
static struct tpacket3_hdr *header_of(unsigned n)
{
	uint32_t offset = block()->hdr.bh1.offset_to_first_pkt;

	while (n-- > 0)
		offset += header_at(offset)->tp_next_offset;
	return header_at(offset);
}

static uint32_t packet_length(unsigned n, uint32_t length)
{
	return length + n % 7;
}

static uint32_t aligned(uint32_t offset)
{
	return (offset + 7) & ~7u;
}

static void build_packet(uint32_t offset, unsigned n, uint32_t length)
{
	struct tpacket3_hdr *header = header_at(offset);
	struct sockaddr_ll *link = (struct sockaddr_ll *)(memory + offset + BLOCK_LINK_OFFSET);

	memset(header, 0, MAC_OFFSET + length);
	header->tp_sec = 1000 + n;
	header->tp_nsec = 2000 + n;
	header->tp_snaplen = length;
	header->tp_len = length + 100;
	header->tp_status = TP_STATUS_USER | TP_STATUS_VLAN_VALID;
	header->tp_mac = MAC_OFFSET;
	header->tp_net = MAC_OFFSET + 14;
	header->hv1.tp_rxhash = 3000 + n;
	header->hv1.tp_vlan_tci = 40 + n;
	header->hv1.tp_vlan_tpid = 0x8100;
	link->sll_ifindex = (int)(500 + n);
	memset(memory + offset + MAC_OFFSET, (int)n, length);
	header->tp_next_offset = aligned(MAC_OFFSET + length);
}

/* A block as the kernel closes it: the last packet has no next one, and the bytes in use end behind it. */
static void build_block(unsigned packets, uint32_t length)
{
	struct tpacket_hdr_v1 *header = &block()->hdr.bh1;
	uint32_t offset = aligned(sizeof(*block())), last = offset;

	memset(memory, 0xa5, size);
	memset(block(), 0, sizeof(*block()));
	block()->version = 2;
	header->block_status = TP_STATUS_USER;
	header->num_pkts = packets;
	header->offset_to_first_pkt = offset;
	header->seq_num = 1;
	for (unsigned n = 0; n < packets; n++) {
		build_packet(offset, n, packet_length(n, length));
		last = offset;
		offset += header_at(offset)->tp_next_offset;
	}
	if (packets)
		header_at(last)->tp_next_offset = 0;
	header->blk_len = offset;
	ck_assert_uint_le(offset, size);
}

/* One packet that ends with the last byte of the block. */
static void build_full_block(void)
{
	uint32_t offset = aligned(sizeof(*block()));

	build_block(1, 1);
	build_packet(offset, 0, size - offset - MAC_OFFSET);
	header_at(offset)->tp_next_offset = 0;
	block()->hdr.bh1.blk_len = size;
}

/* What ought to be found */

struct finding {
	unsigned packets;	/* sound ones in front of the first that is not */
	bool opens;		/* the block's own header may be true */
	bool ends;		/* all of them are sound */
};

static struct finding model(void)
{
	const struct tpacket_hdr_v1 *header = &block()->hdr.bh1;
	uint64_t used = header->blk_len, offset = header->offset_to_first_pkt;
	struct finding finding = { .opens = true, .ends = true };

	if (header->num_pkts == 0)
		return finding;
	if (used > size || offset % 8 || offset < sizeof(*block()) || offset + TPACKET3_HDRLEN > used)
		return (struct finding){ .packets = 0 };
	for (uint32_t left = header->num_pkts; left > 0; left--) {
		const struct tpacket3_hdr *packet = header_at((uint32_t)offset);
		uint64_t end = (uint64_t)packet->tp_mac + packet->tp_snaplen, next = packet->tp_next_offset;

		finding.ends = false;
		if (packet->tp_mac < TPACKET3_HDRLEN || offset + end > used)
			return finding;
		finding.packets++;
		if (left > 1 && (next % 8 || next < end || offset + next + TPACKET3_HDRLEN > used))
			return finding;
		offset += next;
	}
	finding.ends = true;
	return finding;
}

/* Walking */

static unsigned long touched;

/* Every byte that the view shows is the block's. Reads them all: the guard pages judge as well. */
static void touch(const struct netring_packet *packet)
{
	const uint8_t *end = memory + block()->hdr.bh1.blk_len, *link = (const uint8_t *)packet->link;

	ck_assert(packet->data >= memory && packet->data <= end);
	ck_assert_uint_le(packet->captured_len, (size_t)(end - packet->data));
	ck_assert(link >= memory && link + sizeof(*packet->link) <= packet->data);
	for (uint32_t i = 0; i < packet->captured_len; i++)
		touched += packet->data[i];
	touched += packet->link->sll_pkttype;
}

/* A burst, as the engine takes it: sound packets first; what stopped the walk is reported when it is the first. */
static int walk(const struct block_cursor *cursor, struct netring_packet *packet, unsigned max, struct block_cursor *after, struct netring_error *text)
{
	struct tpacket3_hdr *header;
	unsigned n = 0;

	*after = *cursor;
	while (n < max && (header = block_next(after)) != NULL)
		block_view(&packet[n++], header);
	return n == 0 && after->left != 0 && max != 0 ? block_corrupted(after, text) : (int)n;
}

/* Walks the block in bursts of at most max, and holds what comes out against the model. */
static void walk_and_compare(unsigned max)
{
	struct netring_packet packet[NETRING_BURST_MAX];
	struct block_cursor cursor = { .left = 77 }, after;
	struct finding expected = model();
	unsigned seen = 0;
	int ret = block_open(&cursor, block(), size, &error);

	ck_assert_int_eq(ret, expected.opens ? 0 : -EBADMSG);
	if (ret < 0)
		ck_assert_uint_eq(cursor.left, 77);
	while (ret == 0 && cursor.left > 0) {
		int n = walk(&cursor, packet, max, &after, &error);

		if (n < 0) {
			ret = n;
			break;
		}
		ck_assert(n > 0 && (unsigned)n <= max);
		ck_assert_uint_eq(after.left, cursor.left - (unsigned)n);
		for (int i = 0; i < n; i++)
			touch(&packet[i]);
		seen += (unsigned)n;
		cursor = after;
	}
	ck_assert_uint_eq(seen, expected.packets);
	ck_assert_int_eq(ret, expected.ends ? 0 : -EBADMSG);
	if (ret < 0)
		ck_assert_msg(strncmp(error.text, SENTENCE, strlen(SENTENCE)) == 0, "%s", error.text);
}

static void walk_in_bursts(void)
{
	static const unsigned bursts[] = { 1, 2, 3, 7, NETRING_BURST_MAX };

	for (size_t i = 0; i < sizeof(bursts) / sizeof(*bursts); i++)
		walk_and_compare(bursts[i]);
}

/* Sound blocks */

START_TEST(test_layout_is_the_kernels)
{
	ck_assert_uint_eq(BLOCK_FRAME_MIN, 68);
	ck_assert_uint_eq(BLOCK_LINK_OFFSET, 48);
	ck_assert_uint_eq(FRAME_LINK_OFFSET, 32);
}
END_TEST

START_TEST(test_empty_block)
{
	struct netring_packet packet;
	struct block_cursor cursor, after;

	build_block(0, 0);
	/* The other figures of a block without packets are nobody's business. */
	block()->hdr.bh1.blk_len = UINT32_MAX;
	block()->hdr.bh1.offset_to_first_pkt = 3;
	ck_assert_int_eq(block_open(&cursor, block(), size, &error), 0);
	ck_assert_uint_eq(cursor.left, 0);
	ck_assert_ptr_nonnull(cursor.frame);
	cursor.frame = memory + size;
	cursor.room = 0;
	ck_assert_int_eq(walk(&cursor, &packet, 1, &after, &error), 0);
	ck_assert_uint_eq(after.left, 0);
}
END_TEST

START_TEST(test_every_field_of_a_packet)
{
	struct netring_packet packet[3];
	struct block_cursor cursor, after;

	build_block(3, 20);
	ck_assert_int_eq(block_open(&cursor, block(), size, &error), 0);
	ck_assert_int_eq(walk(&cursor, packet, 3, &after, &error), 3);
	for (unsigned n = 0; n < 3; n++) {
		ck_assert_ptr_eq(packet[n].data, (uint8_t *)header_of(n) + MAC_OFFSET);
		ck_assert_uint_eq(packet[n].time_sec, 1000 + n);
		ck_assert_uint_eq(packet[n].time_nsec, 2000 + n);
		ck_assert_uint_eq(packet[n].captured_len, packet_length(n, 20));
		ck_assert_uint_eq(packet[n].wire_len, packet_length(n, 20) + 100);
		ck_assert(packet[n].flags & NETRING_VLAN);
		ck_assert_uint_eq(packet[n].rxhash, 3000 + n);
		ck_assert_uint_eq(packet[n].vlan_tci, 40 + n);
		ck_assert_uint_eq(packet[n].vlan_tpid, 0x8100);
		ck_assert_int_eq(packet[n].link->sll_ifindex, (int)(500 + n));
		ck_assert_uint_eq(packet[n].data[0], n);
	}
	ck_assert_uint_eq(after.left, 0);
}
END_TEST

/* As many packets as there is room for, and fewer, in bursts of every size. */
START_TEST(test_sound_blocks_in_every_burst)
{
	static const unsigned counts[] = { 1, 2, 3, 5, 17, 38 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		build_block(counts[i], 8);
		ck_assert_uint_eq(model().packets, counts[i]);
		for (unsigned max = 1; max <= NETRING_BURST_MAX; max++)
			walk_and_compare(max);
	}
	build_block(1, 0);
	walk_in_bursts();
	build_full_block();
	ck_assert_uint_eq(model().packets, 1);
	walk_in_bursts();
}
END_TEST

START_TEST(test_no_room_asked_for)
{
	struct netring_packet packet;
	struct block_cursor cursor, after;

	build_block(3, 8);
	ck_assert_int_eq(block_open(&cursor, block(), size, &error), 0);
	ck_assert_int_eq(walk(&cursor, &packet, 0, &after, &error), 0);
	ck_assert_ptr_eq(after.frame, cursor.frame);
	ck_assert_int_eq(after.room, cursor.room);
	ck_assert_uint_eq(after.left, 3);
}
END_TEST

START_TEST(test_seek_to_every_packet_of_every_burst)
{
	struct netring_packet packet[NETRING_BURST_MAX], again;
	struct block_cursor start, after, behind;

	build_block(9, 8);
	ck_assert_int_eq(block_open(&start, block(), size, &error), 0);
	for (;;) {
		int n = walk(&start, packet, 4, &after, &error);

		for (int i = 0; i < n; i++) {
			struct block_cursor cursor = start;

			block_seek(&cursor, (const uint8_t *)packet[i].link - BLOCK_LINK_OFFSET);
			ck_assert_uint_eq(cursor.left, start.left - (unsigned)i);
			ck_assert_int_eq(cursor.room, memory + block()->hdr.bh1.blk_len - cursor.frame);
			ck_assert_int_eq(walk(&cursor, &again, 1, &behind, &error), 1);
			ck_assert_ptr_eq(again.data, packet[i].data);
			ck_assert_ptr_eq(again.link, packet[i].link);
		}
		if (after.left == 0)
			break;
		start = after;
	}
}
END_TEST

/* A place that the walk does not come by: it ends, and inside the block. */
START_TEST(test_seek_to_nowhere)
{
	struct block_cursor cursor;

	build_block(9, 8);
	header_of(5)->tp_next_offset = 4;
	ck_assert_int_eq(block_open(&cursor, block(), size, &error), 0);
	block_seek(&cursor, memory + 1);
	ck_assert_uint_eq(cursor.left, 3);
}
END_TEST

/* A ring of such a block, as far as the reader can tell: where it stands, and who owns the block. */

static struct packet_ring ring_of_the_block(void)
{
	struct packet_ring ring;

	packet_ring_init(&ring);
	ring.map = memory;
	ring.kind = &packet_ring_v3;
	ring.block_size = ring.cell_size = size;
	ring.cells = 1;
	ring.cells_per_block = 1;
	return ring;
}

START_TEST(test_ring_takes_and_gives_back)
{
	static struct netring_burst burst;
	struct packet_ring ring = ring_of_the_block();

	build_block(10, 8);
	ck_assert_int_eq(packet_ring_take(&ring, &burst, 4, &error), 4);
	ck_assert_uint_eq(burst.block_sequence, 1);
	packet_ring_give_back(&ring, &burst, 3);
	ck_assert_int_eq(packet_ring_take(&ring, &burst, 4, &error), 4);
	ck_assert_uint_eq(burst.packet[0].time_sec, 1003);
	packet_ring_give_back(&ring, &burst, 0);
	ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), 7);
	ck_assert_uint_eq(burst.packet[0].time_sec, 1003);
	packet_ring_give_back(&ring, &burst, 6);
	ck_assert(block_is_ours(block()));
	ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), 1);
	ck_assert_uint_eq(burst.packet[0].time_sec, 1009);
	packet_ring_give_back(&ring, &burst, 1);
	ck_assert(!block_is_ours(block()));
	ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), 0);
	ck_assert_uint_eq(ring.delivered, 10);
}
END_TEST

START_TEST(test_ring_takes_none)
{
	static struct netring_burst burst;
	struct netring *capture = calloc(1, sizeof(*capture) + sizeof(capture->ring[0]));

	ck_assert_ptr_nonnull(capture);
	capture->rings = 1;
	capture->ring[0] = ring_of_the_block();
	build_block(3, 8);
	ck_assert_int_eq(netring_take(capture, &burst, 0, &error), 0);
	ck_assert_int_eq(netring_take(capture, &burst, 2, &error), 2);
	free(capture);
}
END_TEST

/* The block stays where it is: nothing behind it can be trusted, and every try says so. */
START_TEST(test_ring_stops_at_a_corrupted_block)
{
	static struct netring_burst burst;
	struct packet_ring ring = ring_of_the_block();

	build_block(4, 8);
	header_of(2)->tp_mac = 0;
	ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), 2);
	packet_ring_give_back(&ring, &burst, 2);
	for (unsigned i = 0; i < 3; i++) {
		error.text[0] = '\0';
		ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), -EBADMSG);
		ck_assert_uint_eq(burst.count, 0);
		ck_assert_ptr_eq(strstr(error.text, SENTENCE), error.text);
	}
	ck_assert(block_is_ours(block()));
	ring = ring_of_the_block();
	block()->hdr.bh1.blk_len = size + 1;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(packet_ring_take(&ring, &burst, NETRING_BURST_MAX, &error), -EBADMSG);
	ck_assert_uint_eq(ring.delivered, 0);
}
END_TEST

/* What is between two packets is the kernel's: larger steps than the packet needs are sound. */
START_TEST(test_larger_steps)
{
	struct tpacket3_hdr *first;

	build_block(3, 8);
	first = header_of(0);
	first->tp_next_offset += header_of(1)->tp_next_offset;
	block()->hdr.bh1.num_pkts = 2;
	ck_assert_uint_eq(model().packets, 2);
	walk_in_bursts();
}
END_TEST

/* Hostile blocks */

static const uint32_t bad_values[] = {
	0, 1, 4, 7, 8, 12, 16, 20, 40, 47, 48, 49, 52, 56, 63, 64, 67, 68, 69, 72, 84, 85, 86, 87, 88, 94, 96, 104, 200, 0x7fff, 0x8000, 0xffff,
	0x10000, 0x7ffffff8, 0x7fffffff, 0x80000000, 0x80000001, 0xfffff000, 0xffffffa8, 0xffffffaa, 0xffffffb8, 0xffffffbc, 0xfffffff0, 0xfffffff8, 0xffffffff,
};
#define BAD_VALUES (sizeof(bad_values) / sizeof(*bad_values))

/* A value from the table, or one at the end of the block. */
static uint32_t value_number(size_t i)
{
	return i < BAD_VALUES ? bad_values[i] : size - 100 + (uint32_t)(i - BAD_VALUES);
}
#define VALUES (BAD_VALUES + 110)

/* Every value in one field; _i: which. */
static void try_all_values(void *field, size_t width)
{
	uint8_t sound[4];

	memcpy(sound, field, width);
	for (size_t i = 0; i < VALUES; i++) {
		uint32_t value = value_number(i);

		memcpy(field, &value, width);	/* little end first where it matters: the low bytes */
		walk_in_bursts();
	}
	memcpy(field, sound, width);
}

START_TEST(test_block_header_fields)
{
	struct tpacket_hdr_v1 *header = &block()->hdr.bh1;

	for (unsigned packets = 0; packets < 4; packets++) {
		build_block(packets, 8);
		try_all_values(&header->num_pkts, sizeof(header->num_pkts));
		try_all_values(&header->offset_to_first_pkt, sizeof(header->offset_to_first_pkt));
		try_all_values(&header->blk_len, sizeof(header->blk_len));
	}
}
END_TEST

START_TEST(test_packet_header_fields)
{
	for (unsigned n = 0; n < 4; n++) {
		struct tpacket3_hdr *header;

		build_block(4, 8);
		header = header_of(n);
		try_all_values(&header->tp_next_offset, sizeof(header->tp_next_offset));
		try_all_values(&header->tp_snaplen, sizeof(header->tp_snaplen));
		try_all_values(&header->tp_len, sizeof(header->tp_len));
		try_all_values(&header->tp_mac, sizeof(header->tp_mac));
		try_all_values(&header->tp_net, sizeof(header->tp_net));
		try_all_values(&header->tp_status, sizeof(header->tp_status));
	}
}
END_TEST

/* Two fields at a time, whose sum overflows. */
START_TEST(test_mac_and_snaplen_overflow)
{
	for (size_t i = 0; i < VALUES; i++) {
		struct tpacket3_hdr *header;

		build_block(2, 8);
		header = header_of(1);
		header->tp_snaplen = value_number(i);
		header->tp_mac = (uint16_t)(0u - value_number(i));
		walk_in_bursts();
		header->tp_snaplen = 0u - MAC_OFFSET;
		header->tp_mac = MAC_OFFSET + (uint16_t)i;
		walk_in_bursts();
	}
}
END_TEST

/* A block that is in use to its last byte, and a packet whose header would begin in the last ones. */
START_TEST(test_header_across_the_end)
{
	for (uint32_t from_end = 0; from_end <= 200; from_end++) {
		build_block(2, 8);
		block()->hdr.bh1.blk_len = size;
		memset(memory + size - 200, 0, 200);
		header_of(0)->tp_next_offset = size - from_end - block()->hdr.bh1.offset_to_first_pkt;
		walk_in_bursts();
		build_block(1, 8);
		block()->hdr.bh1.blk_len = size;
		block()->hdr.bh1.offset_to_first_pkt = size - from_end;
		walk_in_bursts();
	}
}
END_TEST

/* The cases that the issue names, with what must come out said plainly, without the model. */
struct hostile {
	const char *name;
	void (*spoil)(void);
	int opens;		/* what block_open returns */
	unsigned sound;		/* packets delivered first */
};

static void next_is_zero(void) { header_of(1)->tp_next_offset = 0; }
static void next_is_backwards(void) { header_of(1)->tp_next_offset = 0u - header_of(0)->tp_next_offset; }
static void next_is_unaligned(void) { header_of(1)->tp_next_offset += 1; }
static void next_is_inside_the_packet(void) { header_of(1)->tp_next_offset = MAC_OFFSET + 2; }
static void next_is_the_last_byte(void) { header_of(1)->tp_next_offset = size - 1 - (uint32_t)((uint8_t *)header_of(1) - memory); }
static void next_is_beyond(void) { header_of(1)->tp_next_offset = size; }
static void count_is_too_large(void) { block()->hdr.bh1.num_pkts = 5; }
static void count_is_huge(void) { block()->hdr.bh1.num_pkts = UINT32_MAX; }
static void length_is_beyond_the_block(void) { block()->hdr.bh1.blk_len = size + 8; }
static void length_is_zero(void) { block()->hdr.bh1.blk_len = 0; }
static void length_cuts_the_last_packet(void) { block()->hdr.bh1.blk_len -= 16; }
static void first_is_zero(void) { block()->hdr.bh1.offset_to_first_pkt = 0; }
static void first_is_unaligned(void) { block()->hdr.bh1.offset_to_first_pkt += 4; }
static void first_is_the_last_byte(void) { block()->hdr.bh1.offset_to_first_pkt = size - 1; }
static void first_is_huge(void) { block()->hdr.bh1.offset_to_first_pkt = 0xfffffff8; }
static void mac_is_in_the_header(void) { header_of(2)->tp_mac = 67; }
static void mac_is_zero(void) { header_of(0)->tp_mac = 0; }
static void mac_is_beyond(void) { header_of(2)->tp_mac = 0xffff; }
static void snaplen_is_beyond(void) { header_of(2)->tp_snaplen = size; }
static void snaplen_overflows(void) { header_of(2)->tp_snaplen = 0u - MAC_OFFSET; }
static void snaplen_reaches_the_next_packet(void) { header_of(1)->tp_snaplen = 100; }

/* Each spoils a block of 4 packets. */
static const struct hostile hostile[] = {
	{ "next offset 0 in the middle", next_is_zero, 0, 2 },
	{ "next offset backwards", next_is_backwards, 0, 2 },
	{ "next offset unaligned", next_is_unaligned, 0, 2 },
	{ "next offset inside the packet", next_is_inside_the_packet, 0, 2 },
	{ "next offset to the last byte", next_is_the_last_byte, 0, 2 },
	{ "next offset beyond the block", next_is_beyond, 0, 2 },
	{ "count one too large", count_is_too_large, 0, 4 },
	{ "count huge", count_is_huge, 0, 4 },
	{ "length beyond the block", length_is_beyond_the_block, -EBADMSG, 0 },
	{ "length 0", length_is_zero, -EBADMSG, 0 },
	{ "length cuts the last packet", length_cuts_the_last_packet, 0, 3 },
	{ "first packet at 0", first_is_zero, -EBADMSG, 0 },
	{ "first packet unaligned", first_is_unaligned, -EBADMSG, 0 },
	{ "first packet at the last byte", first_is_the_last_byte, -EBADMSG, 0 },
	{ "first packet huge", first_is_huge, -EBADMSG, 0 },
	{ "mac in the header", mac_is_in_the_header, 0, 2 },
	{ "mac 0 in the first packet", mac_is_zero, 0, 0 },
	{ "mac beyond the block", mac_is_beyond, 0, 2 },
	{ "snaplen beyond the block", snaplen_is_beyond, 0, 2 },
	{ "snaplen overflows", snaplen_overflows, 0, 2 },
	{ "snaplen reaches into the next packet", snaplen_reaches_the_next_packet, 0, 2 },
};

START_TEST(test_hostile_blocks)
{
	const struct hostile *bad = &hostile[_i];
	struct netring_packet packet[NETRING_BURST_MAX];
	struct block_cursor cursor, after;
	int ret;

	build_block(4, 8);
	bad->spoil();
	ret = block_open(&cursor, block(), size, &error);
	ck_assert_msg(ret == bad->opens, "%s: block_open gives %d", bad->name, ret);
	if (ret == 0) {
		ret = walk(&cursor, packet, NETRING_BURST_MAX, &after, &error);
		if (bad->sound) {
			ck_assert_msg(ret == (int)bad->sound, "%s: %d packets", bad->name, ret);
			ret = walk(&after, packet, NETRING_BURST_MAX, &cursor, &error);
		}
		ck_assert_msg(ret == -EBADMSG, "%s: then %d", bad->name, ret);
	}
	ck_assert_msg(strncmp(error.text, SENTENCE, strlen(SENTENCE)) == 0, "%s: %s", bad->name, error.text);
	walk_in_bursts();
}
END_TEST

/* The sentence is libpcap's, with the figures of the packet. */
START_TEST(test_corrupted_sentence)
{
	struct netring_packet packet;
	struct block_cursor cursor, after;

	build_block(1, 8);
	header_of(0)->tp_snaplen = 5000;
	ck_assert_int_eq(block_open(&cursor, block(), size, &error), 0);
	ck_assert_int_eq(walk(&cursor, &packet, 1, &after, &error), -EBADMSG);
	ck_assert_ptr_eq(strstr(error.text, SENTENCE " mac offset 86 + caplen 5000 > frame len 96 (kernel "), error.text);
	ck_assert_ptr_nonnull(strstr(error.text, " version #"));
	ck_assert_ptr_nonnull(strstr(error.text, ", machine "));
}
END_TEST

START_TEST(test_no_error_asked_for)
{
	struct netring_packet packet;
	struct block_cursor cursor, after;

	build_block(1, 8);
	header_of(0)->tp_mac = 0;
	ck_assert_int_eq(block_open(&cursor, block(), size, NULL), 0);
	ck_assert_int_eq(walk(&cursor, &packet, 1, &after, NULL), -EBADMSG);
	block()->hdr.bh1.blk_len = 0;
	ck_assert_int_eq(block_open(&cursor, block(), size, NULL), -EBADMSG);
}
END_TEST

/* A field at a time as a rule: what spoils too much never gets far. Half the time near a value that is sound. */
static void mutate_header(struct random *random)
{
	struct tpacket_hdr_v1 *header = &block()->hdr.bh1;
	uint32_t *const block_fields[] = { &header->num_pkts, &header->offset_to_first_pkt, &header->blk_len };
	struct tpacket3_hdr *packet = header_of(random_below(random, header->num_pkts));
	uint32_t *const packet_fields[] = { &packet->tp_next_offset, &packet->tp_snaplen };
	uint32_t kind = random_below(random, 8), value = value_number(random_below(random, VALUES));
	uint32_t near = random_below(random, 65) - 32;
	bool nearby = random_below(random, 2);
	uint32_t *field;

	if (kind == 0) {
		packet->tp_mac = (uint16_t)(nearby ? packet->tp_mac + near : value);
		return;
	}
	field = kind < 3 ? block_fields[random_below(random, 3)] : packet_fields[random_below(random, 2)];
	*field = nearby ? *field + near : value;
}

static void mutate_bytes(struct random *random)
{
	for (uint32_t n = random_below(random, 4); n > 0; n--)
		memory[random_below(random, size)] = (uint8_t)random_next(random);
}

START_TEST(test_mutated_blocks)
{
	struct random random = { UINT64_C(0x6e657472696e67) };
	unsigned corrupted = 0;

	for (unsigned i = 0; i < MUTATIONS; i++) {
		build_block(1 + random_below(&random, 12), random_below(&random, 200));
		mutate_header(&random);
		/* header_of needs sound steps: only bytes may be spoilt on top. */
		mutate_bytes(&random);
		corrupted += !model().ends;
		walk_and_compare(1 + random_below(&random, NETRING_BURST_MAX));
	}
	/* Both kinds were there, or nothing has been tested. */
	ck_assert_uint_gt(corrupted, MUTATIONS / 10);
	ck_assert_uint_lt(corrupted, MUTATIONS - MUTATIONS / 10);
}
END_TEST

/* TPACKET_V2 frames: the last one of the memory, so that its end is the guard's beginning. */

#define FRAME_SIZE 512

static struct tpacket2_hdr *build_frame(uint32_t length)
{
	uint8_t *frame = memory + size - FRAME_SIZE;
	struct tpacket2_hdr *header = (struct tpacket2_hdr *)frame;

	memset(frame, 0, FRAME_SIZE);
	header->tp_status = TP_STATUS_USER | TP_STATUS_VLAN_VALID;
	header->tp_len = length + 1;
	header->tp_snaplen = length;
	header->tp_mac = 70;
	header->tp_net = 84;
	header->tp_sec = 11;
	header->tp_nsec = 22;
	header->tp_vlan_tci = 33;
	header->tp_vlan_tpid = 44;
	((struct sockaddr_ll *)(frame + FRAME_LINK_OFFSET))->sll_ifindex = 55;
	frame[70] = 66;
	return header;
}

START_TEST(test_frame_fields)
{
	struct tpacket2_hdr *header = build_frame(100);
	struct netring_packet packet;

	ck_assert(frame_is_ours(header));
	memset(&packet, 0xff, sizeof(packet));
	ck_assert_int_eq(frame_view(&packet, (uint8_t *)header, FRAME_SIZE, &error), 0);
	ck_assert_ptr_eq(packet.data, (uint8_t *)header + 70);
	ck_assert_uint_eq(packet.data[0], 66);
	ck_assert_uint_eq(packet.time_sec, 11);
	ck_assert_uint_eq(packet.time_nsec, 22);
	ck_assert_uint_eq(packet.captured_len, 100);
	ck_assert_uint_eq(packet.wire_len, 101);
	ck_assert(packet.flags & NETRING_VLAN);
	ck_assert_uint_eq(packet.rxhash, 0);
	ck_assert_uint_eq(packet.vlan_tci, 33);
	ck_assert_uint_eq(packet.vlan_tpid, 44);
	ck_assert_int_eq(packet.link->sll_ifindex, 55);
	frame_release(header);
	ck_assert(!frame_is_ours(header));
	ck_assert_uint_eq(header->tp_status, TP_STATUS_KERNEL);
}
END_TEST

static void view_and_compare(struct tpacket2_hdr *header)
{
	struct netring_packet packet;
	bool sound = header->tp_mac >= TPACKET2_HDRLEN && (uint64_t)header->tp_mac + header->tp_snaplen <= FRAME_SIZE;
	int ret = frame_view(&packet, (uint8_t *)header, FRAME_SIZE, &error);

	ck_assert_int_eq(ret, sound ? 0 : -EBADMSG);
	if (ret < 0) {
		ck_assert_ptr_eq(strstr(error.text, SENTENCE " mac offset "), error.text);
		return;
	}
	for (uint32_t i = 0; i < packet.captured_len; i++)
		touched += packet.data[i];
	touched += packet.link->sll_pkttype;
}

START_TEST(test_hostile_frames)
{
	struct tpacket2_hdr *header;

	for (size_t mac = 0; mac < VALUES; mac++)
		for (size_t length = 0; length < VALUES; length++) {
			header = build_frame(0);
			header->tp_mac = (uint16_t)value_number(mac);
			header->tp_snaplen = value_number(length);
			view_and_compare(header);
		}
	for (uint32_t mac = 0; mac <= UINT16_MAX; mac++) {
		header = build_frame(FRAME_SIZE - 70);
		header->tp_mac = (uint16_t)mac;
		view_and_compare(header);
	}
}
END_TEST

START_TEST(test_mutated_frames)
{
	struct random random = { UINT64_C(0x6672616d65) };

	for (unsigned i = 0; i < MUTATIONS; i++) {
		struct tpacket2_hdr *header = build_frame(random_below(&random, FRAME_SIZE));

		for (uint32_t n = random_below(&random, 4); n > 0; n--)
			((uint8_t *)header)[random_below(&random, sizeof(*header))] = (uint8_t)random_next(&random);
		view_and_compare(header);
	}
}
END_TEST

START_TEST(test_block_changes_owner)
{
	build_block(1, 8);
	ck_assert(block_is_ours(block()));
	block_release(block());
	ck_assert(!block_is_ours(block()));
	ck_assert_uint_eq(block()->hdr.bh1.block_status, TP_STATUS_KERNEL);
	block()->hdr.bh1.block_status = TP_STATUS_USER | TP_STATUS_BLK_TMO | TP_STATUS_LOSING;
	ck_assert(block_is_ours(block()));
	block()->hdr.bh1.block_status = TP_STATUS_LOSING;
	ck_assert(!block_is_ours(block()));
}
END_TEST

static Suite *block_suite(void)
{
	Suite *suite = suite_create("block");
	TCase *cases = tcase_create("block");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, test_layout_is_the_kernels);
	tcase_add_test(cases, test_empty_block);
	tcase_add_test(cases, test_every_field_of_a_packet);
	tcase_add_test(cases, test_sound_blocks_in_every_burst);
	tcase_add_test(cases, test_no_room_asked_for);
	tcase_add_test(cases, test_seek_to_every_packet_of_every_burst);
	tcase_add_test(cases, test_seek_to_nowhere);
	tcase_add_test(cases, test_larger_steps);
	tcase_add_test(cases, test_ring_takes_and_gives_back);
	tcase_add_test(cases, test_ring_takes_none);
	tcase_add_test(cases, test_ring_stops_at_a_corrupted_block);
	tcase_add_test(cases, test_block_changes_owner);
	tcase_add_test(cases, test_block_header_fields);
	tcase_add_test(cases, test_packet_header_fields);
	tcase_add_test(cases, test_mac_and_snaplen_overflow);
	tcase_add_test(cases, test_header_across_the_end);
	tcase_add_loop_test(cases, test_hostile_blocks, 0, sizeof(hostile) / sizeof(*hostile));
	tcase_add_test(cases, test_corrupted_sentence);
	tcase_add_test(cases, test_no_error_asked_for);
	tcase_add_test(cases, test_mutated_blocks);
	tcase_add_test(cases, test_frame_fields);
	tcase_add_test(cases, test_hostile_frames);
	tcase_add_test(cases, test_mutated_frames);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(block_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
