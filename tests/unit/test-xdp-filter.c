/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Translated programs, run by the kernel (BPF_PROG_TEST_RUN), against two interpreters of the classic ones: bpf_run, and libpcap's where it can
 * judge. And the interpreter that is part of XDP programs, on all the same pairs.
 *
 * The classic program runs on the frame as the kernel shows it to a socket, without its outer tag; see xdp-test-frames.h. Every pair of a program and a
 * frame has to agree. There are at least a million pairs, or as many as NETRING_TESTS_PAIRS says. Needs privilege to load programs.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>

#include "expressions.h"
#include "xdp-filter-libpcap.h"
#include "xdp-interpreter-run.h"

#define FRAMES 2048
#define PAIRS 1000000
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Comparing */

struct tally {
	uint64_t pairs, accepted, libpcaps;
	unsigned programs, both_verdicts;
};

static void report_mismatch(const char *text, const struct sock_filter *program, unsigned length, const struct test_frame *frame, const char *judge,
			    uint32_t wanted, uint32_t got)
{
	ck_abort_msg("\"%s\": %s says %u, XDP %u, of a frame of %u bytes\n%s\n%s", text, judge, wanted, got, frame->length, frame_hex(frame),
		     listing(program, length));
}

static void compare(const struct sock_filter *program, unsigned length, const char *text, const struct test_frame *frames, unsigned count,
		    struct tally *tally)
{
	bool libpcap_judges = libpcap_is_judge(program, length);
	int fd = load(program, length, text), interpreter_fd = interpret(program, length);
	unsigned accepted = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct test_frame *frame = &frames[i];
		uint32_t kept = bpf_run(program, &frame->packet), wanted = frame_verdict(frame, kept);
		uint32_t got = xdp_test_run(fd, frame->bytes, frame->length);

		if (got != wanted)
			report_mismatch(text, program, length, frame, "bpf_run", wanted, got);
		got = xdp_test_run(interpreter_fd, frame->bytes, frame->length);
		if (got != wanted)
			report_mismatch(text, program, length, frame, "bpf_run (of what is interpreted)", wanted, got);
		if (libpcap_judges && libpcap_run(program, &frame->packet) != kept)
			report_mismatch(text, program, length, frame, "libpcap", frame_verdict(frame, libpcap_run(program, &frame->packet)), got);
		accepted += got != 0;
	}
	close(fd);
	tally->pairs += count;
	tally->accepted += accepted;
	tally->libpcaps += libpcap_judges ? count : 0;
	tally->programs++;
	tally->both_verdicts += accepted != 0 && accepted != count;
}

/* Expressions */

static const char *const more_expressions[] = {
	"decnet src 1.2", "decnet dst 10.123", "decnet host 1.2", "ether host 01:00:5e:00:00:01", "arp net 10.0.0.0/24", "rarp host 10.0.0.2",
	"ip proto \\icmp", "ip6 proto 0", "ip6 proto 44", "proto \\ah", "iso proto \\clnp", "iso proto \\esis", "iso proto \\isis", "src port 443",
	"sctp src portrange 20-80", "tcp dst port 22 or 53", "icmp6 and ip6[40] = 128", "dst net 10.0.0.0/30", "ip6 src host 2001:db8::1",
	"pppoes 0x27 && ip", "geneve 0xb && ip", "geneve and tcp", "geneve and host 10.0.0.1", "geneve and vlan", "geneve && ip6", "geneve 7 and udp port 53",
	"vlan 100 && vlan 200", "vlan && vlan 42 && ip", "vlan and mpls", "mpls and mpls and ip", "vlan and pppoes and ip", "vlan and geneve",
	"vlan 42 and icmp6", "vlan and ip[2:2] > 100", "vlan and ether broadcast", "vlan or ip", "ip or (vlan and tcp)", "not vlan and ip",
	"vlan and not vlan", "vlan 42 and tcp port 80 or 443", "vlan and ip6 proto 17", "vlan and host 2001:db8::1", "vlan and arp host 10.0.0.1",
	"vlan and vlan and vlan", "vlan and llc", "vlan and stp", "vlan and len > 100", "vlan and icmp[icmptype] = icmp-echo", "vlan 42 or vlan 43",
	"ether[0] & 1 = 0 and ip[16] >= 224", "ip[6:2] & 0x3fff != 0", "tcp[tcpflags] & (tcp-rst|tcp-ack) == (tcp-rst|tcp-ack)",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "icmp6[icmp6type] = icmp6-neighborsolicit", "icmp6[icmp6code] = 0",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/24", "igmp[0] > 100", "sctp[0:2] = 80", "pim[0] > 1", "vrrp[1] < 9",
	"icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply", "carp", "rarp[6:2] = 3", "ifindex 2 and tcp", "inbound and udp port 53",
	/* around the place of the tag */
	"ether[8:4] & 1 = 1", "ether[9:4] & 0xff = 8", "ether[9:4] > 0x01000000", "ether[10:2] = 2", "ether[10:4] & 0xffff = 0x0800", "ether[11] = 1",
	"ether[11:2] & 0xff = 8", "ether[11:2] > 0x0180", "ether[11:4] & 0xffff00 = 0x080000", "ether[12:4] >= 0x81000000", "ether[12] > 0x80", "ether[13] = 0",
	"ether[14:2] & 0xfff = 42", "ether[14:4] > 0x45000000", "ether[ip[8] & 15:4] > 0x1000", "ether[len & 15:2] >= 0x0800", "ether[len & 15] & 1 = 1",
	"ether[(len & 7) + 8:4] > 0x08000000", "ether[(len & 3) + 9:4] & 0xff > 5", "ether[(len & 1) + 11:2] & 0xff > 5", "ether[ether[5] + 8:2] > 0x0800",
	"ether[len - 2:2] > 1000", "ether[len - 14:4] & 0xff00 != 0", "ether[ether[len - 1] & 31:4] > 0x02000000", "len - ether[14] < 100",
};

static const char *pick_expression(struct random *random)
{
	uint32_t i = random_below(random, LENGTH(expressions) + LENGTH(more_expressions));

	return i < LENGTH(expressions) ? expressions[i] : more_expressions[i - LENGTH(expressions)];
}

/* A byte, or a few, compared with something. */
static void write_arithmetic(char *text, size_t size, struct random *random)
{
	static const char *const protocols[] = { "ether", "ether", "ip", "ip", "ip6", "tcp", "udp", "icmp", "arp", "icmp6" };
	static const char *const relations[] = { "=", "!=", "<", ">", "<=", ">=" };
	static const char *const operators[] = { "&", "|", "^", "+", "-", "*", "/", "%", "<<", ">>" };
	const char *protocol = protocols[random_below(random, LENGTH(protocols))], *relation = relations[random_below(random, LENGTH(relations))];
	uint32_t bytes = 1u << random_below(random, 3), offset = random_below(random, 24);

	if (random_below(random, 2))
		snprintf(text, size, "%s[%u:%u] & %u %s %u", protocol, offset, bytes, random_next(random) >> random_below(random, 32), relation,
			 random_next(random) >> random_below(random, 32));
	else
		snprintf(text, size, "(%s[%u] %s %s[%u:%u]) %s %u", protocol, offset, operators[random_below(random, LENGTH(operators))], protocol,
			 random_below(random, 24), bytes, relation, random_next(random) >> random_below(random, 32));
}

/* Two to four primitives. */
static void write_combination(char *text, size_t size, struct random *random)
{
	size_t used = 0;

	for (uint32_t n = 2 + random_below(random, 3); n > 0; n--) {
		char arithmetic[200];
		const char *part = pick_expression(random);

		write_arithmetic(arithmetic, sizeof(arithmetic), random);
		if (!*part || random_below(random, 3) == 0)
			part = arithmetic;
		used += (size_t)snprintf(text + used, size - used, "%s%s(%s)", used == 0 ? "" : random_below(random, 2) ? " and " : " or ",
					 random_below(random, 4) == 0 ? "not " : "", part);
	}
}

static bool jumps_back(const struct sock_filter *program, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= length)
			return true;
	return false;
}

/* False: not one for Ethernet. Programs for "protochain" jump back, and only those are refused. */
static bool compare_expression(const char *text, enum libpcap_handle handle, bool optimize, const struct test_frame *frames, struct tally *tally)
{
	struct sock_filter *program;
	unsigned length = libpcap_compile(&program, handle, text, optimize);

	if (length == 0)
		return false;
	if (jumps_back(program, length)) {
		ck_assert_ptr_nonnull(strstr(text, "protochain"));
		expect_refusal(program, length, own_context, EOPNOTSUPP, "jumps back");
	} else {
		compare(program, length, text, frames, FRAMES, tally);
	}
	free(program);
	return true;
}

static uint64_t pairs_wanted(void)
{
	const char *text = getenv("NETRING_TESTS_PAIRS");

	return text ? strtoull(text, NULL, 10) : PAIRS;
}

START_TEST(test_primitives)
{
	struct test_frame *frames = frames_build(FRAMES, UINT64_C(0x7072696d6974));
	struct tally tally = { 0 };
	unsigned compiled = 0;

	for (size_t i = 0; i < LENGTH(expressions) + LENGTH(more_expressions); i++) {
		const char *text = i < LENGTH(expressions) ? expressions[i] : more_expressions[i - LENGTH(expressions)];
		bool known = false;

		for (int handle = 0; handle < LIBPCAP_HANDLES; handle++)
			for (int optimize = 0; optimize <= 1; optimize++)
				known |= compare_expression(text, (enum libpcap_handle)handle, optimize, frames, &tally);
		compiled += known;
	}
	free(frames);
	printf("# %u primitives, %u programs, %u told frames apart, %lu pairs, %lu of them judged by libpcap too, %lu accepted\n", compiled,
	       tally.programs, tally.both_verdicts, tally.pairs, tally.libpcaps, tally.accepted);
	ck_assert_uint_gt(compiled, 270);
	ck_assert_uint_gt(tally.both_verdicts, tally.programs * 8 / 10);
	ck_assert_uint_gt(tally.libpcaps, tally.pairs * 8 / 10);
}
END_TEST

START_TEST(test_combinations)
{
	struct random random = { UINT64_C(0x636f6d62696e65) };
	struct test_frame *frames = frames_build(FRAMES, UINT64_C(0x6672616d6573));
	struct tally tally = { 0 };
	unsigned compiled = 0;
	char text[1200];

	for (uint64_t round = 1; compiled < 300 || tally.pairs < pairs_wanted(); round++) {
		write_combination(text, sizeof(text), &random);
		for (int handle = 0; handle < LIBPCAP_HANDLES; handle++)
			compiled += compare_expression(text, (enum libpcap_handle)handle, true, frames, &tally) && handle == LIBPCAP_LIVE;
		if (round % 1000 == 0) {
			free(frames);
			frames = frames_build(FRAMES, round);
		}
	}
	free(frames);
	printf("# %u combinations, %u programs, %u told frames apart, %lu pairs, %lu of them judged by libpcap too, %lu accepted\n", compiled,
	       tally.programs, tally.both_verdicts, tally.pairs, tally.libpcaps, tally.accepted);
	ck_assert_uint_gt(tally.both_verdicts, tally.programs / 2);
}
END_TEST


static Suite *xdp_filter_suite(void)
{
	Suite *suite = suite_create("xdp-filter");
	TCase *cases = tcase_create("xdp-filter");

	tcase_add_checked_fixture(cases, libpcap_open, libpcap_close);
	tcase_set_timeout(cases, 3600);
	tcase_add_test(cases, test_primitives);
	tcase_add_test(cases, test_combinations);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	return xdp_test_main(xdp_filter_suite());
}
