/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fanout programs of "symmetric" and "inner", run in user space on what the kernel would show them: an incoming packet from its network header on, an
 * outgoing one from its link header on. tests/netns/test-fanout holds the kernel's choice of member against these. A load outside the packet ends
 * bpf_run with 0, so 0 means here what it means there: member 0 for all; as does a load of an incoming packet's MAC addresses, which only the kernel has.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <check.h>
#include <linux/if_arp.h>
#include <math.h>
#include <stdlib.h>

#include "bpf-run.h"
#include "fanout-builtin.h"
#include "kernel-filter.h"
#include "test-random.h"
#include "../support/tunnels.h"

#define ETHERNET 14
#define FLOWS 10000
#define MEMBERS_MAX 64

static struct sock_filter symmetric[FANOUT_BUILTIN_MAX], inner[FANOUT_BUILTIN_MAX];
static unsigned symmetric_length, inner_length;

static const struct ends some_ends = { 0x0a000001, 0x0a000102, 0xc0a80105, 0xc0a80299 };

static void setup(void)
{
	symmetric_length = fanout_builtin_make(symmetric, NETRING_FANOUT_SYMMETRIC);
	inner_length = fanout_builtin_make(inner, NETRING_FANOUT_INNER);
}

static uint32_t run_from(const struct sock_filter *program, struct frame *frame, unsigned from, const struct sockaddr_ll *link)
{
	struct netring_packet packet = { .data = frame->bytes + from, .link = link };

	packet.captured_len = packet.wire_len = frame->length - from;
	return bpf_run(program, &packet);
}

/* Both must agree. */
static uint32_t run(const struct sock_filter *program, struct frame *frame)
{
	uint32_t hash = run_incoming(program, frame);

	ck_assert_uint_eq(run_outgoing(program, frame), hash);
	return hash;
}

static uint32_t plain_hash(enum inner what, uint32_t source, uint32_t destination)
{
	struct frame frame;

	make_plain(&frame, what, source, destination);
	return run(symmetric, &frame);
}

START_TEST(test_the_kernel_takes_them)
{
	struct kernel_filter kernel;

	ck_assert_uint_le(symmetric_length, FANOUT_BUILTIN_MAX);
	ck_assert_uint_le(inner_length, FANOUT_BUILTIN_MAX);
	ck_assert(bpf_is_valid(symmetric, symmetric_length));
	ck_assert(bpf_is_valid(inner, inner_length));
	kernel_filter_open(&kernel);
	ck_assert_int_eq(kernel_filter_set(&kernel, symmetric, symmetric_length), 0);
	ck_assert_int_eq(kernel_filter_set(&kernel, inner, inner_length), 0);
	kernel_filter_close(&kernel);
}
END_TEST

/* IPv4, IPv6 and ARP between the same hosts; neither ports, lengths nor tags count. */
START_TEST(test_both_directions_and_all_fragments)
{
	uint32_t ipv4 = plain_hash(INNER_IPV4, 0x0a000001, 0x0a000102), hash;
	struct frame frame;

	ck_assert_uint_ne(ipv4, 0);
	ck_assert_uint_eq(plain_hash(INNER_IPV4, 0x0a000102, 0x0a000001), ipv4);
	ck_assert_uint_eq(plain_hash(INNER_ARP, 0x0a000001, 0x0a000102), ipv4);
	ck_assert_uint_eq(plain_hash(INNER_ARP, 0x0a000102, 0x0a000001), ipv4);
	ck_assert_uint_ne(plain_hash(INNER_IPV4, 0x0a000001, 0x0a000103), ipv4);
	hash = plain_hash(INNER_IPV6, 0x0a000001, 0x0a000102);
	ck_assert_uint_ne(hash, 0);
	ck_assert_uint_eq(plain_hash(INNER_IPV6, 0x0a000102, 0x0a000001), hash);
	ck_assert_uint_ne(plain_hash(INNER_IPV6, 0x0a000001, 0x0b000102), hash);

	for (unsigned i = 0; i < 12; i++) {
		static const uint16_t fragments[] = { 0x2000, 0x2010, 0x0020, 0x4000 };

		frame.length = 0;
		put_ethernet(&frame, 1, 2, i / 4, 0x0800);
		put_ipv4(&frame, 0x0a000102, 0x0a000001, i % 3, (uint8_t)(6 + i), fragments[i % 4]);
		put_zeros(&frame, i * 7);
		ck_assert_uint_eq(run(symmetric, &frame), ipv4);
		ck_assert_uint_eq(run(inner, &frame), ipv4);
	}
}
END_TEST

START_TEST(test_tunnel)
{
	const struct form *form = &tunnel_forms[_i];
	uint32_t wanted = plain_hash(form->inner, some_ends.inner_source, some_ends.inner_destination);
	uint32_t outer = plain_hash(form->outer == 4 ? INNER_IPV4 : INNER_IPV6, some_ends.outer_source, some_ends.outer_destination);
	struct ends ends = some_ends;
	struct frame frame;

	make_form(&frame, form, &ends, 0);
	ck_assert_msg(run(inner, &frame) == wanted, "%s", form->name);
	ck_assert_msg(run(symmetric, &frame) == outer, "%s", form->name);
	ends = ends_reversed(&ends);
	make_form(&frame, form, &ends, 0);
	ck_assert_msg(run(inner, &frame) == wanted, "%s reversed", form->name);
	ck_assert_msg(run(symmetric, &frame) == outer, "%s reversed", form->name);
	if (form->outer == 4) {
		make_form(&frame, form, &ends, 0x2000); /* the first fragment has it all, the others do not */
		ck_assert_msg(run(inner, &frame) == outer, "%s fragment", form->name);
		make_form(&frame, form, &ends, 0x0001);
		ck_assert_msg(run(inner, &frame) == outer, "%s fragment", form->name);
	}
}
END_TEST

/* Cut short at each length: by the outer addresses while the inner ones are not whole. Shorter still, it is for the MAC addresses. */
START_TEST(test_cut_short)
{
	const struct form *form = &tunnel_forms[_i];
	static const unsigned sizes[] = { 20, 40, 28 };
	unsigned outer_end = ETHERNET + 4 * form->vlan_tags + (form->outer == 4 ? 20 : 40), inner_end;
	uint32_t outer, wanted;
	struct frame frame;

	make_form(&frame, form, &some_ends, 0);
	inner_end = frame.length - 8; /* the payload's */
	wanted = plain_hash(form->inner, some_ends.inner_source, some_ends.inner_destination);
	outer = plain_hash(form->outer == 4 ? INNER_IPV4 : INNER_IPV6, some_ends.outer_source, some_ends.outer_destination);
	ck_assert_uint_gt(inner_end, outer_end + sizes[form->inner] - 1);
	for (; frame.length >= inner_end; frame.length--)
		ck_assert_msg(run(inner, &frame) == wanted, "%s cut to %u", form->name, frame.length);
	for (; frame.length >= outer_end; frame.length--) {
		ck_assert_msg(run(inner, &frame) == outer, "%s cut to %u", form->name, frame.length);
		ck_assert_msg(run(symmetric, &frame) == outer, "%s cut to %u", form->name, frame.length);
	}
}
END_TEST

static void expect_outer(struct frame *frame, const char *what)
{
	ck_assert_msg(run(inner, frame) == plain_hash(INNER_IPV4, some_ends.outer_source, some_ends.outer_destination), "%s", what);
}

/* Where the outer headers of these forms end. */
#define BEHIND_IPV4 (ETHERNET + 20)
#define BEHIND_UDP (BEHIND_IPV4 + 8)

START_TEST(test_what_is_no_tunnel)
{
	const struct form gre = { "GRE", 4, .tunnel = GRE, .inner = INNER_IPV4 };
	const struct form vxlan = { "VXLAN", 4, .tunnel = VXLAN, .ethernet = true, .inner = INNER_IPV4 };
	const struct form geneve = { "GENEVE", 4, .tunnel = GENEVE, .inner = INNER_IPV4 };
	const struct form ip = { "IP", 4, .tunnel = IP_IN_IP, .inner = INNER_IPV4 };
	struct frame frame;

	make_form(&frame, &gre, &some_ends, 0);
	frame.bytes[BEHIND_IPV4 + 1] = 1;
	expect_outer(&frame, "GRE version 1");
	frame.bytes[BEHIND_IPV4 + 1] = 0;
	frame.bytes[BEHIND_IPV4] = 0x40;
	expect_outer(&frame, "GRE with routes");
	frame.bytes[BEHIND_IPV4] = 0;
	frame.bytes[BEHIND_IPV4 + 2] = 0x88;
	expect_outer(&frame, "GRE with something else in it");
	make_form(&frame, &vxlan, &some_ends, 0);
	frame.bytes[BEHIND_UDP] = 0;
	expect_outer(&frame, "VXLAN without a network identifier");
	make_form(&frame, &vxlan, &some_ends, 0);
	frame.bytes[BEHIND_IPV4 + 2] = 0;
	expect_outer(&frame, "another port");
	make_form(&frame, &geneve, &some_ends, 0);
	frame.bytes[BEHIND_UDP] |= 0x40;
	expect_outer(&frame, "GENEVE version 1");
	make_form(&frame, &ip, &some_ends, 0);
	frame.bytes[BEHIND_IPV4] = 0x65;
	expect_outer(&frame, "IPv6 that says it is IPv4");
	frame.bytes[ETHERNET] = 0x44;
	expect_outer(&frame, "an outer header of 16 bytes");
}
END_TEST

/* Behind whole outer headers whatever comes: no load may fail. */
START_TEST(test_garbage)
{
	static const uint8_t protocols[] = { 4, 41, 47, 17 };
	struct random random = { 20260101 };
	struct frame frame;

	for (unsigned i = 0; i < 200000; i++) {
		unsigned ipv6 = random_below(&random, 2), start;

		frame.length = 0;
		put_ethernet(&frame, 1, 2, 0, ipv6 ? 0x86dd : 0x0800);
		if (ipv6)
			put_ipv6(&frame, 1, 2, random_below(&random, 3), protocols[random_below(&random, 4)]);
		else
			put_ipv4(&frame, 1, 2, random_below(&random, 3), protocols[random_below(&random, 4)], 0);
		start = frame.length;
		while (frame.length < start + random_below(&random, 120))
			put(&frame, random_next(&random), 1);
		if (random_below(&random, 2) && frame.length > start + 16)
			memcpy(frame.bytes + start, "\x11\x11\x12\xb5\0\0\0\0\x08", 9);
		else if (random_below(&random, 2) && frame.length > start + 16)
			memcpy(frame.bytes + start, "\x11\x11\x17\xc1\0\0\0\0\x02\0\x08", 12);
		ck_assert_uint_ne(run(inner, &frame), 0);
		ck_assert_uint_ne(run(symmetric, &frame), 0);
	}
}
END_TEST

/* tun and the like: no link header. */
START_TEST(test_other_links)
{
	struct sockaddr_ll link = { .sll_pkttype = PACKET_HOST, .sll_hatype = ARPHRD_NONE, .sll_protocol = htons(0x0800) };
	struct frame frame;

	make_plain(&frame, INNER_IPV4, 1, 2);
	ck_assert_uint_eq(run_from(symmetric, &frame, ETHERNET, &link), plain_hash(INNER_IPV4, 1, 2));
	ck_assert_uint_eq(run_from(inner, &frame, ETHERNET, &link), plain_hash(INNER_IPV4, 1, 2));
	link.sll_hatype = ARPHRD_LOOPBACK;
	ck_assert_uint_eq(run_from(symmetric, &frame, ETHERNET, &link), plain_hash(INNER_IPV4, 1, 2));
	link.sll_pkttype = PACKET_OUTGOING;
	ck_assert_uint_eq(run_from(symmetric, &frame, 0, &link), plain_hash(INNER_IPV4, 1, 2));
	link.sll_hatype = ARPHRD_NONE;
	link.sll_pkttype = PACKET_HOST;
	link.sll_protocol = htons(0x88cc); /* nothing to go by but the type */
	ck_assert_uint_ne(run_from(symmetric, &frame, ETHERNET, &link), 0);
}
END_TEST

/* Even shares */

static uint32_t hashes[FLOWS];

/* The worst excess, over 2 to 64 members, of chi-square over what it should be, in standard deviations. */
static double worst_share(unsigned count)
{
	double worst = -100;

	for (unsigned members = 2; members <= MEMBERS_MAX; members++) {
		unsigned load[MEMBERS_MAX] = { 0 };
		double expected = (double)count / members, square = 0, excess;

		for (unsigned i = 0; i < count; i++)
			load[hashes[i] % members]++;
		for (unsigned i = 0; i < members; i++)
			square += (load[i] - expected) * (load[i] - expected) / expected;
		excess = (square - (members - 1)) / sqrt(2.0 * (members - 1));
		worst = excess > worst ? excess : worst;
	}
	return worst;
}

/* Seven standard deviations: chi-square of one degree leans to the right, and this is the worst of 63. */
static void expect_even(const char *what, unsigned count)
{
	double worst = worst_share(count);

	ck_assert_msg(worst < 7, "%s: %.1f standard deviations", what, worst);
}

START_TEST(test_even_shares)
{
	enum inner what = _i ? INNER_IPV6 : INNER_IPV4;
	struct random random = { 42 };
	unsigned n;

	for (n = 0; n < FLOWS; n++)
		hashes[n] = plain_hash(what, random_next(&random), random_next(&random));
	expect_even("random addresses", n);
	for (n = 0; n < FLOWS; n++)
		hashes[n] = plain_hash(what, 0x0a000000 + n, 0xc0a80001);
	expect_even("neighbours with one server", n);
	for (n = 0; n < FLOWS; n++)
		hashes[n] = plain_hash(what, 0x0a000000 + (n << 8), 0xc0a80001);
	expect_even("a host each of neighbouring networks", n);
	for (n = 0; n < FLOWS; n++)
		hashes[n] = plain_hash(what, 0x0a000000 + 2 * n, 0x0a000000 + 2 * n + 1);
	expect_even("neighbours in pairs", n);
	n = 0;
	for (uint32_t a = 0; a < 140; a++)
		for (uint32_t b = 0; b < a; b++)
			hashes[n++] = plain_hash(what, 0x0a000000 + a, 0x0a000000 + b);
	expect_even("each with each", n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fanout-builtin");
	TCase *tests = tcase_create("programs");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_the_kernel_takes_them);
	tcase_add_test(tests, test_both_directions_and_all_fragments);
	tcase_add_loop_test(tests, test_tunnel, 0, (int)TUNNEL_FORMS);
	tcase_add_loop_test(tests, test_cut_short, 0, (int)TUNNEL_FORMS);
	tcase_add_test(tests, test_what_is_no_tunnel);
	tcase_add_test(tests, test_garbage);
	tcase_add_test(tests, test_other_links);
	tcase_add_loop_test(tests, test_even_shares, 0, 2);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
