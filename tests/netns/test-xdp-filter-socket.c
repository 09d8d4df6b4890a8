/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Translated programs against the kernel's own filter: the same frames go over a veth pair to a packet socket with the classic program, and what it keeps
 * of each has to be what the translated program's verdict says. So it is the kernel that says what becomes of a tag.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "../unit/xdp-filter-run.h"
#include "fixture.h"

#define FRAMES 200
#define NUMBER_PLACE 50	/* in a marker */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ANCILLARY(what) ((uint32_t)SKF_AD_OFF + (what))
#define LD(mode, k) BPF_STMT(BPF_LD | (mode), k)
#define SET_X(k) BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(op, k) BPF_STMT(BPF_ALU | (op), k)
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, k)
/* Six bits of A, so that a short packet shows them. */
#define RETURN_BITS(from) OP(BPF_RSH | BPF_K, from), OP(BPF_AND | BPF_K, 63), OP(BPF_ADD | BPF_K, 1), BPF_STMT(BPF_RET | BPF_A, 0)

struct ends {
	int out;	/* sends on nr0 */
	int filtered;	/* hears all on nr1, through a filter */
	int markers;	/* hears the marker there: all that was sent before it is through */
};

static struct test_frame *frames, marker;
static struct ends ends;

static int listen_on(const char *interface, uint16_t protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = interface_number(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	address.sll_protocol = htons(protocol);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_marker(void)
{
	uint32_t number;

	memcpy(&number, marker.bytes + NUMBER_PLACE, sizeof(number));
	number++;
	memcpy(marker.bytes + NUMBER_PLACE, &number, sizeof(number));
	ck_assert_int_eq(send(ends.out, marker.bytes, marker.length, 0), marker.length);
}

/* The one that was sent last. False when timeout_ms are over. */
static bool hear_marker(int timeout_ms)
{
	uint64_t now = now_ms(), deadline = now + (uint64_t)timeout_ms;
	uint8_t bytes[FRAME_ROOM];

	for (; now <= deadline; now = now_ms()) {
		struct pollfd wait = { .fd = ends.markers, .events = POLLIN };

		if (poll(&wait, 1, (int)(deadline - now)) == 0)
			return false;
		ck_assert_int_eq(recv(ends.markers, bytes, sizeof(bytes), 0), marker.length);
		if (memcmp(bytes, marker.bytes, marker.length) == 0)
			return true;
	}
	return false;
}

/* An interface that has just come up drops what it is to send, until the kernel's work queue has got round to it. */
static void wait_for_link(void)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;

	do {
		ck_assert_msg(now_ms() < deadline, "nothing comes through");
		send_marker();
	} while (!hear_marker(50));
}

static void setup(void)
{
	struct random random = { 1 };

	shell("ip link set nr1 address 02:00:00:00:00:01");
	frames = frames_build(FRAMES, UINT64_C(0x6b65726e656c));
	for (unsigned i = 0; i < FRAMES; i++) /* more tags, of both types */
		if (i % 8 == 0) {
			memcpy(frames[i].bytes + 12, i % 16 ? "\x88\xa8" : "\x81\x00", 2);
			frame_describe(&frames[i]);
		}
	marker.length = 60;
	memset(marker.bytes, 0xff, 12);
	memcpy(marker.bytes + 12, "\x88\xb6", 2);
	for (unsigned i = 14; i < marker.length; i++)
		marker.bytes[i] = (uint8_t)random_next(&random);
	frame_describe(&marker);
	ends = (struct ends){ sender_open("nr0"), listen_on("nr1", ETH_P_ALL), listen_on("nr1", TYPE_B) };
	wait_for_link();
}

static void teardown(void)
{
	close(ends.out);
	close(ends.filtered);
	close(ends.markers);
	free(frames);
}

/* Bytes that the kernel kept of the next packet; 0: there is none. */
static uint32_t next_kept(void)
{
	uint8_t bytes[FRAME_ROOM];
	ssize_t got = recv(ends.filtered, bytes, sizeof(bytes), 0);

	ck_assert(got > 0 || (got < 0 && errno == EAGAIN));
	return got < 0 ? 0 : (uint32_t)got;
}

/* The verdict counts the tag from 16 on; the kernel has taken it out. */
static uint32_t kept_by(uint32_t verdict, const struct test_frame *frame)
{
	uint32_t kept = verdict < frame->length ? verdict : frame->length;

	return xdp_filter_is_tagged(frame->bytes) && kept >= 16 ? kept - XDP_FILTER_TAG_LEN : kept;
}

/* Returns whether it was kept. */
static bool compare_frame(int fd, const struct test_frame *frame, const char *text)
{
	uint32_t wanted = kept_by(xdp_test_run(fd, frame->bytes, frame->length), frame), wanted_of_marker, got;

	ck_assert_int_eq(send(ends.out, frame->bytes, frame->length, 0), frame->length);
	send_marker();
	ck_assert(hear_marker(DEADLINE_MS));
	wanted_of_marker = kept_by(xdp_test_run(fd, marker.bytes, marker.length), &marker);
	if (wanted) {
		got = next_kept();
		ck_assert_msg(got == wanted, "XDP keeps %u, the kernel %u, of %u bytes\n%s\n%s", wanted, got, frame->length, frame_hex(frame), text);
	}
	got = next_kept();
	ck_assert_msg(got == wanted_of_marker, "of the marker XDP keeps %u, the kernel %u, behind\n%s\n%s", wanted_of_marker, got, frame_hex(frame), text);
	if (wanted_of_marker)
		ck_assert_uint_eq(next_kept(), 0);
	return wanted;
}

static unsigned compare(const struct sock_filter *program, unsigned length)
{
	struct sock_fprog request = { .len = (unsigned short)length, .filter = (struct sock_filter *)program };
	struct xdp_filter_context in = own_context;
	struct netring_error error = { "" };
	struct ebpf_code code;
	unsigned kept = 0;
	int fd;

	in.ifindex = (uint32_t)interface_number("nr1");
	ck_assert_msg(translate(&code, program, length, in, false, &error) == 0, "%s", error.text);
	fd = xdp_test_load(&code, false, NULL, 0, 0);
	if (fd < 0)
		fail_verifier(&code, fd, listing(program, length));
	ck_assert_int_eq(setsockopt(ends.filtered, SOL_SOCKET, SO_ATTACH_FILTER, &request, sizeof(request)), 0);
	while (next_kept())	/* of the filter before */
		;
	for (unsigned i = 0; i < FRAMES; i++)
		kept += compare_frame(fd, &frames[i], listing(program, length));
	close(fd);
	ebpf_code_free(&code);
	return kept;
}

START_TEST(test_kept_bytes)
{
	static const uint32_t values[] = { 1, 10, 11, 12, 13, 14, 16, 40, 262144, 0xffffffff };

	for (size_t i = 0; i < LENGTH(values); i++) {
		const struct sock_filter program[] = { RETURN(values[i]) };

		ck_assert_uint_gt(compare(program, 1), FRAMES * 8 / 10);
	}
}
END_TEST

START_TEST(test_ancillary_values)
{
	static const uint32_t known[] = {
		SKF_AD_PROTOCOL, SKF_AD_PKTTYPE, SKF_AD_IFINDEX, SKF_AD_HATYPE, SKF_AD_VLAN_TAG, SKF_AD_VLAN_TAG_PRESENT, SKF_AD_VLAN_TPID,
	};

	for (size_t i = 0; i < LENGTH(known); i++)
		for (uint32_t from = 0; from < 18; from += 6) {
			const struct sock_filter program[] = { LD(BPF_W | BPF_ABS, ANCILLARY(known[i])), RETURN_BITS(from) };

			ck_assert_uint_gt(compare(program, LENGTH(program)), FRAMES * 8 / 10);
		}
}
END_TEST

START_TEST(test_bytes_and_lengths)
{
	static const uint16_t sizes[] = { BPF_B, BPF_H, BPF_W };
	const struct sock_filter length[] = { LD(BPF_W | BPF_LEN, 0), RETURN_BITS(0) };

	compare(length, LENGTH(length));
	for (uint32_t offset = 8; offset < 18; offset++)
		for (size_t size = 0; size < LENGTH(sizes); size++) {
			const struct sock_filter fixed[] = { LD(BPF_ABS | sizes[size], offset), RETURN_BITS(0) };
			const struct sock_filter indexed[] = { LD(BPF_W | BPF_LEN, 0), OP(BPF_SUB | BPF_K, 60), BPF_STMT(BPF_MISC | BPF_TAX, 0),
							       LD(BPF_IND | sizes[size], offset), RETURN_BITS(2) };

			ck_assert_uint_gt(compare(fixed, LENGTH(fixed)), FRAMES / 2);
			compare(indexed, LENGTH(indexed));
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp-filter-socket");
	TCase *cases = tcase_create("socket");

	fixture_enter();
	require_xdp();
	tcase_set_timeout(cases, 200);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_kept_bytes);
	tcase_add_test(cases, test_ancillary_values);
	tcase_add_test(cases, test_bytes_and_lengths);
	suite_add_tcase(suite, cases);
	return fixture_run(suite);
}
