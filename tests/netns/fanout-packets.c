/* SPDX-License-Identifier: BSD-3-Clause */
/* Which member of a fanout group gets what: T12 (both directions together), programs. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fanout-builtin.h"
#include "fanout-fixture.h"
#include "../support/bpf-object.h"
#include "../support/tunnels.h"
#include "../unit/test-random.h"

/* Who gets what */

/* T12. The kernel's hash takes ports, so all but the fragments of a flow are together. */
START_TEST(test_hash_keeps_directions_together)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_HASH, 0, NETRING_FANOUT_AUTO);
	struct random random = { 7 };
	struct group group;
	struct frame frame;
	unsigned seen = 0;

	group_open(&group, &config, "nr1", 4);
	for (unsigned i = 0; i < 300; i++) {
		uint32_t a = random_next(&random), b = random_next(&random), ports = random_next(&random), member[2];

		for (int reversed = 0; reversed < 2; reversed++) {
			frame.length = 0;
			put_ethernet(&frame, 1 + (uint32_t)reversed, 2 - (uint32_t)reversed, 0, 0x0800);
			put_ipv4(&frame, reversed ? b : a, reversed ? a : b, 0, 17, 0);
			put(&frame, reversed ? ports << 16 | ports >> 16 : ports, 4);
			put_zeros(&frame, 60);
			member[reversed] = member_of(&group, i % 2 ? in : out, frame.bytes, frame.length);
		}
		ck_assert_uint_eq(member[0], member[1]);
		seen |= 1u << member[0];
	}
	ck_assert_uint_eq(seen, 0xf);
	group_close(&group);
}
END_TEST

#define PROGRAM_MEMBERS 61

/* Each tunnel, each length from the outer header's end on, in and out, both ways: the kernel's member is the one worked out in user space. */
START_TEST(test_programs_in_the_kernel)
{
	enum netring_fanout_mode mode = _i ? NETRING_FANOUT_INNER : NETRING_FANOUT_SYMMETRIC;
	struct netring_fanout config = config_of(mode, 0, NETRING_FANOUT_AUTO);
	struct ends ends = { 0x0a000001, 0x0a000102, 0xc0a80105, 0xc0a80299 };
	struct sock_filter program[FANOUT_BUILTIN_MAX];
	struct group group;
	struct frame frame;

	fanout_builtin_make(program, mode);
	group_open(&group, &config, "nr1", PROGRAM_MEMBERS);
	for (unsigned i = 0; i < TUNNEL_FORMS; i++) {
		const struct form *form = &tunnel_forms[i];
		unsigned outer_end = ETHERNET + 4 * form->vlan_tags + (form->outer == 4 ? 20 : 40);

		ends = ends_reversed(&ends);
		make_form(&frame, form, &ends, 0);
		for (; frame.length >= outer_end; frame.length -= frame.length > 200 ? 8 : 1) {
			unsigned wanted = run_incoming(program, &frame) % PROGRAM_MEMBERS;

			ck_assert_msg(member_of(&group, in, frame.bytes, frame.length) == wanted, "%s of %u incoming", form->name, frame.length);
			ck_assert_msg(member_of(&group, out, frame.bytes, frame.length) == wanted, "%s of %u outgoing", form->name, frame.length);
		}
	}
	group_close(&group);
}
END_TEST

/* Of a long packet that a packet socket sends, all but the link header is outside the linear part of the skb, as with drivers that copy little. */
START_TEST(test_programs_beyond_the_linear_part)
{
	struct netring_fanout config = config_of(_i ? NETRING_FANOUT_INNER : NETRING_FANOUT_SYMMETRIC, 0, NETRING_FANOUT_AUTO);
	const struct ends ends = { 0x0a000001, 0x0a000102, 0xc0a80105, 0xc0a80299 };
	struct sock_filter program[FANOUT_BUILTIN_MAX];
	static uint8_t long_frame[6000];
	struct group group;
	struct frame frame;

	shell("ip link set nr0 mtu 9000 && ip link set nr1 mtu 9000");
	fanout_builtin_make(program, config.mode);
	group_open(&group, &config, "nr1", PROGRAM_MEMBERS);
	for (unsigned i = 0; i < TUNNEL_FORMS; i++) {
		unsigned wanted;

		make_form(&frame, &tunnel_forms[i], &ends, 0);
		memcpy(long_frame, frame.bytes, frame.length);
		wanted = run_incoming(program, &frame) % PROGRAM_MEMBERS;
		ck_assert_msg(member_of(&group, in, long_frame, sizeof(long_frame)) == wanted, "%s incoming", tunnel_forms[i].name);
		ck_assert_msg(member_of(&group, out, long_frame, sizeof(long_frame)) == wanted, "%s outgoing", tunnel_forms[i].name);
	}
	group_close(&group);
	shell("ip link set nr0 mtu 1500 && ip link set nr1 mtu 1500");
}
END_TEST

/* Too short for addresses, or not IP: by MAC address, the same both ways and in and out, and not all at one member. */
START_TEST(test_programs_by_mac_address)
{
	static const uint16_t types[] = { 0x88cc, 0x0800, 0x86dd, 0x0806, 0x8100, 0x0026, 0x002a };
	struct netring_fanout config = config_of(_i ? NETRING_FANOUT_INNER : NETRING_FANOUT_SYMMETRIC, 0, NETRING_FANOUT_AUTO);
	unsigned load[8] = { 0 }, from_802 = 0;
	struct group group;
	struct frame frame;

	group_open(&group, &config, "nr1", 8);
	for (unsigned i = 0; i < 700; i++) {
		unsigned member[4], ways = i % 7 == 4 ? 2 : 4; /* the kernel drops an incoming packet whose tag is cut in two */

		for (unsigned way = 0; way < ways; way++) {
			frame.length = 0;
			put_ethernet(&frame, way & 1 ? i : 5000, way & 1 ? 5000 : i, 0, types[i % 7]);
			put(&frame, 0x42420300, 4); /* as 802.2 has it; no IP header */
			put_zeros(&frame, i % 7 == 4 ? 0 : i % 15);
			if (i % 7 == 4)
				frame.length -= 2;
			member[way] = member_of(&group, way & 2 ? in : out, frame.bytes, frame.length);
			ck_assert_msg(member[way] == member[0], "type %04x, %u bytes, way %u", types[i % 7], frame.length, way);
		}
		load[member[0]]++;
		from_802 |= types[i % 7] < 0x600 ? 1u << member[0] : 0;
	}
	for (unsigned i = 0; i < 8; i++)
		ck_assert_msg(load[i] > 50, "member %u has %u of 700", i, load[i]);
	ck_assert_uint_eq(from_802, 0xff);
	group_close(&group);
}
END_TEST

/* The user's programs */

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void expect_member(enum netring_fanout_mode mode, const char *path, unsigned member)
{
	struct netring_fanout config = config_of(mode, 0, NETRING_FANOUT_AUTO);
	unsigned descriptors = open_descriptors();
	struct group group;
	char frame[64] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\1\x88\xb5";

	config.program = path;
	group_open(&group, &config, "nr1", 4);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(member_of(&group, i % 2 ? in : out, frame, sizeof(frame)), member);
	group_close(&group);
	ck_assert_uint_eq(open_descriptors(), descriptors);
}

START_TEST(test_users_programs)
{
	static const struct bpf_insn one[] = { BPF_RETURN(1) }, three[] = { BPF_RETURN(3) };
	int fd;

	write_text(PROGRAM_PATH, "2\n0 0 0 6\n22 0 0 0\n"); /* 6 modulo 4 */
	expect_member(NETRING_FANOUT_CBPF, PROGRAM_PATH, 2);
	write_bpf_object(PROGRAM_PATH, "socket", "choose", one, 2);
	expect_member(NETRING_FANOUT_EBPF, PROGRAM_PATH, 1);
	write_bpf_object(PROGRAM_PATH, "unheard-of", "fanout", three, 2);
	expect_member(NETRING_FANOUT_EBPF, PROGRAM_PATH, 3);
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "three", "GPL", three, 2, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bpf_obj_pin(fd, BPF_DIRECTORY "/three"), 0);
	close(fd);
	expect_member(NETRING_FANOUT_EBPF, BPF_DIRECTORY "/three", 3);
}
END_TEST

static void expect_refused(const char *path, int code, const char *wanted)
{
	struct netring_fanout config = config_of(NETRING_FANOUT_EBPF, 0, NETRING_FANOUT_AUTO);
	unsigned descriptors = open_descriptors();
	struct netring_error error = { "" };
	struct group group;

	config.program = path;
	expect_text(try_open(&group, &config, "nr1", &error), code, &error, wanted);
	ck_assert_ptr_nonnull(strstr(error.text, path));
	ck_assert_uint_eq(open_descriptors(), descriptors);
}

START_TEST(test_refused_programs)
{
	static const struct bpf_insn no_result[] = { { .code = BPF_JMP | BPF_EXIT } }, pass[] = { BPF_RETURN(2) };
	int fd;

	write_bpf_object(PROGRAM_PATH, "socket", "choose", no_result, 1);
	expect_refused(PROGRAM_PATH, EINVAL, "the verifier refused choose: R0 !read_ok");
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bpf_obj_pin(fd, BPF_DIRECTORY "/pass"), 0);
	close(fd);
	expect_refused(BPF_DIRECTORY "/pass", EINVAL, "the pinned program is of type xdp");
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "map", 4, 4, 1, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bpf_obj_pin(fd, BPF_DIRECTORY "/map"), 0);
	close(fd);
	expect_refused(BPF_DIRECTORY "/map", EINVAL, "what is pinned there is no program");
	expect_refused(BPF_DIRECTORY "/nothing", ENOENT, "No such file");
}
END_TEST

void add_tests_of_packets(TCase *tests)
{
	tcase_add_test(tests, test_hash_keeps_directions_together);
	tcase_add_loop_test(tests, test_programs_in_the_kernel, 0, 2);
	tcase_add_loop_test(tests, test_programs_beyond_the_linear_part, 0, 2);
	tcase_add_loop_test(tests, test_programs_by_mac_address, 0, 2);
	tcase_add_test(tests, test_users_programs);
	tcase_add_test(tests, test_refused_programs);
}
