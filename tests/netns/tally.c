/* SPDX-License-Identifier: BSD-3-Clause */
/* See tally.h. */
#include "tally.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Where blast puts what we need in a frame. */
#define TYPE_OFFSET 12
#define PROTOCOL_OFFSET 23
#define SOURCE_OFFSET 26
#define TARGET_OFFSET 30
#define NUMBER_OFFSET 42
#define TIME_OFFSET 50
#define FRAME_MIN 58

#define FIRST_ROOM (1u << 22)

static void give_up(const char *reason)
{
	fprintf(stderr, "order: %s\n", reason);
	exit(1);
}

static uint32_t read_32(const u_char *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return be32toh(value);
}

static uint64_t read_64(const u_char *data)
{
	uint64_t value;

	memcpy(&value, data, sizeof(value));
	return be64toh(value);
}

bool tally_init(struct tally *tally)
{
	memset(tally, 0, sizeof(*tally));
	tally->flow = calloc(FLOWS_MAX, sizeof(*tally->flow));
	return tally->flow != NULL;
}

void tally_begin_file(struct tally *tally)
{
	for (int i = 0; i < SENDERS_MAX; i++) {
		struct sender *sender = &tally->sender[i];

		for (uint64_t byte = 0; byte < sender->room / 8; byte++)
			sender->before[byte] |= sender->here[byte];
		if (sender->room)
			memset(sender->here, 0, sender->room / 8);
	}
	tally->last_time_ns = 0;
	tally->file++;
}

/* ---- numbers ---- */

static uint8_t *grow(uint8_t *bits, uint64_t from, uint64_t to)
{
	bits = realloc(bits, to / 8);
	if (!bits)
		give_up("no memory for so many packets");
	memset(bits + from / 8, 0, (to - from) / 8);
	return bits;
}

static void make_room(struct sender *sender, uint64_t number)
{
	uint64_t room = sender->room ? sender->room : FIRST_ROOM;

	while (room <= number)
		room *= 2;
	if (room == sender->room)
		return;
	sender->here = grow(sender->here, sender->room, room);
	sender->before = grow(sender->before, sender->room, room);
	sender->room = room;
}

static void note_number(struct tally *tally, uint64_t number)
{
	struct sender *sender;
	uint64_t byte;
	uint8_t bit;

	if (number >> 32 >= SENDERS_MAX)
		give_up("a sender's number is too high");
	sender = &tally->sender[number >> 32];
	number &= UINT32_MAX;
	if (number >= sender->room)
		make_room(sender, number);
	byte = number / 8;
	bit = (uint8_t)(1 << number % 8);
	if (sender->here[byte] & bit)
		tally->twice++;
	else if (sender->before[byte] & bit)
		tally->packets_in_two_files++;
	else
		sender->different++;
	sender->here[byte] |= bit;
	if (number >= sender->numbers)
		sender->numbers = number + 1;
}

uint64_t tally_lost(const struct tally *tally)
{
	uint64_t lost = 0;

	for (int i = 0; i < SENDERS_MAX; i++)
		lost += tally->sender[i].numbers - tally->sender[i].different;
	return lost;
}

/* ---- flows ---- */

static struct flow *find_flow(struct tally *tally, uint64_t ends)
{
	uint64_t at = ends * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (;; at++) {
		struct flow *flow = &tally->flow[at % FLOWS_MAX];

		if (flow->ends == ends)
			return flow;
		if (flow->ends)
			continue;
		if (++tally->flows > FLOWS_MAX / 2)
			give_up("too many flows");
		*flow = (struct flow){ .ends = ends, .file = tally->file };
		return flow;
	}
}

static void note_flow(struct tally *tally, const u_char *data, uint64_t number)
{
	uint64_t source = read_32(data + SOURCE_OFFSET), target = read_32(data + TARGET_OFFSET);
	struct flow *flow = find_flow(tally, source < target ? source << 32 | target : target << 32 | source);

	if (flow->file != tally->file && !flow->in_two_files) {
		flow->in_two_files = true;
		tally->flows_in_two_files++;
	}
	/* Files are read one behind the other, so there a flow goes back for no other reason. */
	if (number < flow->last_number && flow->file == tally->file)
		tally->flow_disorder++;
	flow->last_number = number;
}

/* ---- times ---- */

static void note_time(struct tally *tally, uint64_t time_ns)
{
	if (time_ns < tally->last_time_ns) {
		tally->times_back++;
		if (tally->last_time_ns - time_ns > tally->worst_back_ns)
			tally->worst_back_ns = tally->last_time_ns - time_ns;
	}
	tally->last_time_ns = time_ns;
}

static void note_delay(struct tally *tally, uint64_t sent_ns)
{
	struct timespec now;
	uint64_t delay_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	delay_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - sent_ns;
	if (delay_ns > tally->worst_delay_ns)
		tally->worst_delay_ns = delay_ns;
}

void tally_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	static const u_char ip_type[] = { 0x08, 0x00 };
	struct tally *tally = (struct tally *)user;
	uint64_t number;

	note_time(tally, (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec);
	if (header->caplen < FRAME_MIN || memcmp(data + TYPE_OFFSET, ip_type, sizeof(ip_type)) != 0 || data[PROTOCOL_OFFSET] != 17) {
		tally->others++;
		return;
	}
	number = read_64(data + NUMBER_OFFSET);
	note_number(tally, number);
	note_flow(tally, data, number);
	if (tally->measure_delay)
		note_delay(tally, read_64(data + TIME_OFFSET));
	__atomic_store_n(&tally->packets, tally->packets + 1, __ATOMIC_RELAXED); /* order.c's other thread looks */
}
