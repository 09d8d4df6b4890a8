/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_create, pcap_activate and pcap_setfilter while one system call or allocation after the other fails, in netring's own code and in
 * the embedded libpcap: the code, a text, nothing left behind, and a second try on the same handle that succeeds.
 *
 * The drop-in is linked into this program, so that its calls can be made to fail. Not so in pcap_compile, where libpcap ends the program when memory is
 * short (its scanner is flex's).
 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>

#include "fault.h"
#include "handle.h"
#include "netns.h"
#include "resources.h"

#define OPTION(level, name) ((unsigned long)(level) << 16 | (name))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CALLS_MAX 200

struct opening {
	const char *name, *device;
	int timeout_ms, promisc, immediate, nonblock, precision;
	bool locks_and_logs;
	const char *rings;	/* NETRING_RINGS, with a fanout group; NULL: one */
};

static const struct opening openings[] = {
	{ "lo", "lo", 100, 1, 0, 0, PCAP_TSTAMP_PRECISION_MICRO, false, NULL },
	{ "immediate and non-blocking", "lo", 0, 0, 1, 1, PCAP_TSTAMP_PRECISION_NANO, true, NULL },
	{ "any", "any", 0, 0, 0, 0, PCAP_TSTAMP_PRECISION_MICRO, false, NULL },
	{ "two rings", "lo", 100, 1, 0, 0, PCAP_TSTAMP_PRECISION_MICRO, false, "2" },
	{ "two interfaces", "lo,fault0", 100, 1, 0, 0, PCAP_TSTAMP_PRECISION_MICRO, false, NULL },
};

static void set_environment(const struct opening *opening)
{
	setenv("NETRING_LOG", "off", 1);
	setenv("NETRING_BLOCK_SIZE", "64K", 1);
	setenv("NETRING_BLOCK_COUNT", "8", 1);
	if (opening->rings) {
		setenv("NETRING_RINGS", opening->rings, 1);
		setenv("NETRING_FANOUT", "lb", 1);
	} else {
		unsetenv("NETRING_RINGS");
		unsetenv("NETRING_FANOUT");
	}
	if (opening->locks_and_logs) {
		setenv("NETRING_LOCK_MEMORY", "yes", 1);
		setenv("NETRING_LOG_FILE", "/dev/null", 1);
	} else {
		unsetenv("NETRING_LOCK_MEMORY");
		unsetenv("NETRING_LOG_FILE");
	}
}

/* What happened in one run. */
enum stage {
	CREATE, ACTIVATE, SETFILTER, DONE
};

static const char *const stage_names[] = { "pcap_create", "pcap_activate", "pcap_setfilter", "nothing" };

struct outcome {
	enum stage failed;
	int status;
	char text[PCAP_ERRBUF_SIZE];
};

static void choose(pcap_t *p, const struct opening *opening, char *errbuf)
{
	pcap_set_snaplen(p, 2000);
	pcap_set_timeout(p, opening->timeout_ms);
	pcap_set_promisc(p, opening->promisc);
	pcap_set_immediate_mode(p, opening->immediate);
	pcap_set_tstamp_precision(p, opening->precision);
	if (opening->nonblock)
		pcap_setnonblock(p, 1, errbuf);
}

/* From stage `from` on, until something fails. Nothing of the test's own may allocate in here. */
static pcap_t *go_through(pcap_t *p, enum stage from, const struct opening *opening, struct outcome *outcome)
{
	struct bpf_program program = { 0, NULL };

	outcome->failed = from;
	outcome->status = PCAP_ERROR;
	outcome->text[0] = '\0';
	if (from == CREATE) {
		p = pcap_create(opening->device, outcome->text);
		if (!p)
			return NULL;
		choose(p, opening, outcome->text);
	}
	outcome->failed = ACTIVATE;
	if (from <= ACTIVATE && (outcome->status = pcap_activate(p)) < 0)
		goto fail;
	outcome->failed = SETFILTER;
	fault_suspend(true);
	if (pcap_compile(p, &program, "tcp port 80", 1, PCAP_NETMASK_UNKNOWN) < 0)
		goto fail;
	fault_suspend(false);
	outcome->status = pcap_setfilter(p, &program);
	pcap_freecode(&program);
	if (outcome->status < 0)
		goto fail;
	outcome->failed = DONE;
	return p;
fail:
	memcpy(outcome->text, pcap_geterr(p), sizeof(outcome->text));
	return p;
}

static bool has_several_rings(const struct opening *opening)
{
	return opening->rings || strchr(opening->device, ',');
}

/* Faults after which the handle captures all the same. */
static bool tolerated(const struct opening *opening, enum fault_call call, unsigned nth, unsigned long detail, int errnum)
{
	switch (call) {
	case FAULT_SOCKET:
		return detail == AF_NETLINK;	/* libpcap asks its questions of an AF_UNIX socket then */
	case FAULT_SETSOCKOPT:
		return detail == OPTION(SOL_SOCKET, SO_ATTACH_FILTER) ||			/* runs in user space */
		       (detail == OPTION(SOL_PACKET, PACKET_RX_RING) && errnum == ENOMEM);	/* a smaller ring */
	case FAULT_GETSOCKOPT:
		return detail == OPTION(SOL_SOCKET, SO_BPF_EXTENSIONS) ||		/* libpcap then compiles "vlan" without tags */
		       (detail == OPTION(SOL_PACKET, PACKET_HDRLEN) && errnum == EINVAL);	/* an old kernel: the idle handle takes version 2 */
	case FAULT_IOCTL:
		return detail == SIOCGIFNAME || detail == SIOCETHTOOL || detail == SIOCGIFINDEX;
	case FAULT_EVENTFD:
		return nth <= (strchr(opening->device, ',') ? 2 : 1);	/* the idle handles': nobody ever waits for them */
	case FAULT_FCNTL:
		/* netring stats does not show the capture; and the idle handle's, to spare that eventfd. */
		return detail == F_ADD_SEALS || nth > (opening->nonblock ? 5 : 0);
	case FAULT_MMAP:
		return detail == STATS_SIZE;	/* the same */
	case FAULT_MALLOC:
		/* libpcap's list of link types stays empty. lo has none. */
		return (nth == 2 && strcmp(opening->device, "any") == 0) || (nth == 6 && strchr(opening->device, ','));
	case FAULT_OPEN: case FAULT_READ:
		return true;	/* nobody tells how much memory there is */
	default:
		return false;
	}
}

/* libpcap 1.10.3 forgets an eventfd when a handle is closed that never got as far as being activated. */
static bool is_never_activated(const struct outcome *outcome)
{
	return outcome->failed == CREATE;
}

static void check_nothing_left(const struct resources *before, const struct outcome *outcome, const char *what)
{
	struct resources after = resources_now();
	unsigned forgotten = is_never_activated(outcome) ? after.eventfds - before->eventfds : 0;

	ck_assert_msg(forgotten <= 1, "%s: %u eventfds left", what, forgotten);
	ck_assert_msg(after.descriptors - forgotten == before->descriptors, "%s: %u descriptors, then %u", what, before->descriptors, after.descriptors);
	ck_assert_msg(after.rings == before->rings, "%s: %u rings mapped, then %u", what, before->rings, after.rings);
}

/* A socket that is not permitted is what PCAP_ERROR_PERM_DENIED is for; netring also says so of its other calls, libpcap does not. */
static bool is_right_status(const struct outcome *outcome, enum fault_call call, int errnum)
{
	if (outcome->failed != ACTIVATE || errnum != EPERM)
		return outcome->status == PCAP_ERROR;
	return outcome->status == PCAP_ERROR_PERM_DENIED || (outcome->status == PCAP_ERROR && call != FAULT_SOCKET);
}

/* libpcap's sentences without a reason. */
static bool is_libpcaps_text(const char *text)
{
	return strcmp(text, "setsockopt: unable to set SO_TIMESTAMPNS") == 0 || strncmp(text, "Kernel doesn't support TPACKET_V2", 33) == 0;
}

static void check_failure(const struct outcome *outcome, enum fault_call call, int errnum, const char *what)
{
	ck_assert_msg(is_right_status(outcome, call, errnum), "%s: %s gives %d (%s)", what, stage_names[outcome->failed], outcome->status, outcome->text);
	ck_assert_msg(outcome->text[0] != '\0', "%s: %s without a text", what, stage_names[outcome->failed]);
	ck_assert_msg(strstr(outcome->text, strerror(errnum)) != NULL || is_libpcaps_text(outcome->text), "%s: %s says \"%s\"", what, stage_names[outcome->failed], outcome->text);
}

/* One run with one fault. False when the fault did not come up any more. */
static bool run_with_fault(const struct opening *opening, enum fault_call call, unsigned nth, int errnum, enum fault_mode mode)
{
	struct resources before = resources_now();
	struct outcome outcome = { .text = "" }, again = { .text = "" };
	unsigned long detail;
	char what[160];
	pcap_t *p;
	bool hit;

	fault_arm(call, nth, errnum, mode);
	p = go_through(NULL, CREATE, opening, &outcome);
	hit = fault_disarm();
	detail = fault_detail();
	snprintf(what, sizeof(what), "%s: %s number %u (%lu:%lu = %#lx) %s with %s", opening->name, fault_name(call), nth, detail >> 16, detail & 0xffff,
		 detail, mode == FAULT_ONCE ? "fails" : "begins to fail", strerror(errnum));
	if (getenv("FAULT_LIST"))
		fprintf(stderr, "%s: hit %d, %s %d \"%s\"\n", what, hit, stage_names[outcome.failed], outcome.status, outcome.text);
	if (outcome.failed == DONE) {
		ck_assert_msg(!hit || tolerated(opening, call, nth, detail, errnum), "%s, and all is well", what);
	} else {
		ck_assert_msg(hit, "%s: %s failed: %s", what, stage_names[outcome.failed], outcome.text);
		check_failure(&outcome, call, errnum, what);
		if (p) {
			go_through(p, outcome.failed, opening, &again);
			ck_assert_msg(again.failed == DONE, "%s; then %s fails: %d %s", what, stage_names[again.failed], again.status, again.text);
		}
	}
	if (p) {
		ck_assert_int_eq(pcap_getnonblock(p, outcome.text), opening->nonblock);
		ck_assert_int_eq(pcap_snapshot(p), 2000);
		pcap_close(p);
	}
	check_nothing_left(&before, &outcome, what);
	return hit;
}

/* Two are enough to tell a code of its own from PCAP_ERROR: each run waits for the kernel's grace periods. */
static const int errors_of_calls[] = { ENOMEM, EPERM };

/* The kinds of call that open, and how often at least, whatever the opening: if it were less, the wrappers would have missed some. */
static const struct {
	enum fault_call call;
	unsigned at_least;
} kinds[] = {
	{ FAULT_SOCKET, 2 }, { FAULT_BIND, 2 }, { FAULT_SETSOCKOPT, 8 }, { FAULT_GETSOCKOPT, 4 }, { FAULT_IOCTL, 1 }, { FAULT_MMAP, 1 }, { FAULT_EVENTFD, 1 },
	{ FAULT_FCNTL, 2 }, { FAULT_MLOCK, 0 }, { FAULT_MALLOC, 3 }, { FAULT_CALLOC, 1 }, { FAULT_PAGES, 2 }, { FAULT_STRDUP, 2 }, { FAULT_OPEN, 0 }, { FAULT_REALLOC, 0 },
	{ FAULT_EPOLL_CREATE, 0 }, { FAULT_EPOLL_CTL, 0 }, { FAULT_TIMERFD_CREATE, 0 },
};

static void each_call_fails(const struct opening *opening, enum fault_call call, unsigned at_least)
{
	bool memory = call >= FAULT_MALLOC && call <= FAULT_STRDUP;
	unsigned nth;

	for (size_t i = 0; i < (memory ? 1 : LENGTH(errors_of_calls)); i++)
		for (int mode = FAULT_ONCE; mode <= (errors_of_calls[i] == ENOMEM ? FAULT_FROM_THEN_ON : FAULT_ONCE); mode++) {
			for (nth = 1; run_with_fault(opening, call, nth, errors_of_calls[i], (enum fault_mode)mode); nth++)
				ck_assert_uint_lt(nth, CALLS_MAX);
			ck_assert_msg(nth > at_least, "%s: %s is called %u times, which is too few to believe", opening->name, fault_name(call), nth - 1);
		}
}

/* _i: opening and kind of call. */
START_TEST(test_each_call_fails)
{
	const struct opening *opening = &openings[_i / LENGTH(kinds)];
	enum fault_call call = kinds[_i % LENGTH(kinds)].call;
	unsigned at_least = kinds[_i % LENGTH(kinds)].at_least;

	set_environment(opening);
	if (call >= FAULT_EPOLL_CREATE && call <= FAULT_TIMERFD_CREATE)
		at_least = has_several_rings(opening) ? 1 : 0;
	if (call == FAULT_MLOCK)
		at_least = opening->locks_and_logs ? 2 : 0;
	each_call_fails(opening, call, at_least);
}
END_TEST

/* The codes that programs look at, from whichever bind or socket they come: libpcap's or netring's. */
struct code {
	enum fault_call call;
	int errnum, status;
};

static const struct code codes[] = {
	{ FAULT_BIND, ENODEV, PCAP_ERROR_NO_SUCH_DEVICE }, { FAULT_BIND, ENETDOWN, PCAP_ERROR_IFACE_NOT_UP }, { FAULT_SOCKET, EACCES, PCAP_ERROR_PERM_DENIED },
	{ FAULT_SOCKET, EPERM, PCAP_ERROR_PERM_DENIED }, { FAULT_SOCKET, EMFILE, PCAP_ERROR }, { FAULT_SOCKET, ENFILE, PCAP_ERROR },
};

START_TEST(test_codes)
{
	const struct code *code = &codes[_i];
	unsigned hits = 0, nth;

	set_environment(&openings[0]);
	for (nth = 1; nth < CALLS_MAX; nth++) {
		struct resources before = resources_now();
		struct outcome outcome = { .text = "" }, again = { .text = "" };
		pcap_t *p;

		fault_arm(code->call, nth, code->errnum, FAULT_ONCE);
		p = go_through(NULL, CREATE, &openings[0], &outcome);
		if (!fault_disarm()) {
			pcap_close(p);
			break;
		}
		if (outcome.failed == ACTIVATE) {
			hits++;
			ck_assert_msg(outcome.status == code->status, "%s number %u fails with %s: %d %s", fault_name(code->call), nth,
				      strerror(code->errnum), outcome.status, outcome.text);
			ck_assert_str_ne(outcome.text, "");
			go_through(p, ACTIVATE, &openings[0], &again);
			ck_assert_msg(again.failed == DONE, "%s", again.text);
		}
		if (p)
			pcap_close(p);
		check_nothing_left(&before, &outcome, fault_name(code->call));
	}
	ck_assert_uint_ge(hits, 2);
}
END_TEST

/* A configuration that is refused, and put right: the same handle goes on. */
START_TEST(test_bad_configuration)
{
	struct resources before = resources_now();
	struct outcome outcome = { .text = "" };
	pcap_t *p;

	set_environment(&openings[0]);
	setenv("NETRING_BLOCK_SIZE", "banana", 1);
	p = go_through(NULL, CREATE, &openings[0], &outcome);
	ck_assert_int_eq(outcome.status, PCAP_ERROR);
	ck_assert_ptr_eq(strstr(outcome.text, "NETRING_BLOCK_SIZE=banana: "), outcome.text);
	set_environment(&openings[0]);
	go_through(p, ACTIVATE, &openings[0], &outcome);
	ck_assert_msg(outcome.failed == DONE, "%s", outcome.text);
	pcap_close(p);
	check_nothing_left(&before, &outcome, "bad configuration");
}
END_TEST

static void never_called(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)user;
	(void)header;
	(void)data;
	ck_abort_msg("there is no traffic here");
}

/* Reading, counting and sending: -1, the reason, and the next call works. */
START_TEST(test_active_handle)
{
	struct resources before = resources_now();
	struct outcome outcome = { .text = "" };
	struct pcap_stat stats;
	pcap_t *p;

	set_environment(&openings[0]);
	p = go_through(NULL, CREATE, &openings[0], &outcome);
	ck_assert_msg(outcome.failed == DONE, "%s", outcome.text);

	fault_arm(FAULT_POLL, 1, ENOMEM, FAULT_ONCE);
	ck_assert_int_eq(pcap_dispatch(p, -1, never_called, NULL), PCAP_ERROR);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(pcap_geterr(p), strerror(ENOMEM)));

	fault_arm(FAULT_GETSOCKOPT, 1, ENOBUFS, FAULT_ONCE);
	ck_assert_int_eq(pcap_stats(p, &stats), PCAP_ERROR);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(pcap_geterr(p), strerror(ENOBUFS)));
	ck_assert_int_eq(pcap_stats(p, &stats), 0);

	fault_arm(FAULT_SEND, 1, ENOBUFS, FAULT_ONCE);
	ck_assert_int_eq(pcap_inject(p, "0123456789012345", 16), PCAP_ERROR);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(pcap_geterr(p), strerror(ENOBUFS)));

	for (int call = 0; call < 2; call++) {
		fault_arm(FAULT_FCNTL, 1 + (unsigned)call, EBADF, FAULT_ONCE);
		ck_assert_int_eq(pcap_setnonblock(p, 1, outcome.text), PCAP_ERROR);
		ck_assert(fault_disarm());
		ck_assert_ptr_nonnull(strstr(outcome.text, strerror(EBADF)));
		ck_assert_int_eq(pcap_getnonblock(p, outcome.text), 0);
	}
	ck_assert_int_eq(pcap_setnonblock(p, 1, outcome.text), 0);
	ck_assert_int_eq(pcap_dispatch(p, -1, never_called, NULL), 0);
	fault_arm(FAULT_EVENTFD, 1, EMFILE, FAULT_ONCE);
	ck_assert_int_eq(pcap_setnonblock(p, 0, outcome.text), PCAP_ERROR);
	ck_assert(fault_disarm());
	ck_assert_ptr_nonnull(strstr(outcome.text, strerror(EMFILE)));
	ck_assert_int_eq(pcap_getnonblock(p, outcome.text), 1);
	ck_assert_int_eq(fcntl(pcap_fileno(p), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(pcap_setnonblock(p, 0, outcome.text), 0);
	pcap_close(p);
	check_nothing_left(&before, &outcome, "active handle");
}
END_TEST

/* The kernel's memory is ours to spoil: the first packet of the block that the reader is at. */
static struct tpacket3_hdr *first_packet(pcap_t *p)
{
	const struct packet_ring *ring = &p->capture->ring[0];
	uint8_t *block = packet_ring_cell(ring, ring->position);

	return (struct tpacket3_hdr *)(block + ((struct tpacket_block_desc *)block)->hdr.bh1.offset_to_first_pkt);
}

static void count_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	(void)header;
	(void)data;
	++*(unsigned *)user;
}

static void send_three(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sendto(fd, "abcd", 4, 0, (struct sockaddr *)&address, sizeof(address)), 4);
	close(fd);
}

static void spoil_length(pcap_t *p)
{
	first_packet(p)->tp_snaplen = 0x7fffffff;
}

static void spoil_mac(pcap_t *p)
{
	first_packet(p)->tp_mac = 1;
}

static void spoil_block(pcap_t *p)
{
	const struct packet_ring *ring = &p->capture->ring[0];

	((struct tpacket_block_desc *)packet_ring_cell(ring, ring->position))->hdr.bh1.blk_len = UINT32_MAX;
}

/* What a program sees of a corrupted ring: -1 and libpcap's words, from every way to read, as often as it asks; then the handle closes in peace. */
START_TEST(test_corrupted_ring)
{
	static void (*const spoil[])(pcap_t *p) = { spoil_length, spoil_mac, spoil_block };
	struct resources before = resources_now();
	struct outcome outcome = { .text = "" };
	struct pcap_pkthdr *header;
	unsigned seen = 0;
	const u_char *data;
	pcap_t *p;

	set_environment(&openings[0]);
	p = pcap_create("lo", outcome.text);
	choose(p, &openings[0], outcome.text);
	ck_assert_msg(pcap_activate(p) == 0, "%s", pcap_geterr(p));
	send_three();
	for (unsigned tries = 0; capture_wait(p->capture, 100, -1, NULL, NULL) != WAIT_READY; tries++)
		ck_assert_uint_lt(tries, 50);
	spoil[_i](p);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(pcap_dispatch(p, -1, count_packet, (u_char *)&seen), PCAP_ERROR);
		ck_assert_ptr_eq(strstr(pcap_geterr(p), "corrupted frame on kernel ring"), pcap_geterr(p));
		ck_assert_int_eq(pcap_loop(p, 1, count_packet, (u_char *)&seen), PCAP_ERROR);
		ck_assert_int_eq(pcap_next_ex(p, &header, &data), PCAP_ERROR);
		ck_assert_ptr_eq(strstr(pcap_geterr(p), "corrupted frame on kernel ring"), pcap_geterr(p));
	}
	ck_assert_uint_eq(seen, 0);
	pcap_close(p);
	check_nothing_left(&before, &outcome, "corrupted ring");
}
END_TEST

static Suite *faults_suite(void)
{
	Suite *suite = suite_create("pcap-faults");
	TCase *cases = tcase_create("pcap-faults");

	tcase_set_timeout(cases, 300);
	tcase_add_loop_test(cases, test_each_call_fails, 0, LENGTH(openings) * LENGTH(kinds));
	tcase_add_loop_test(cases, test_codes, 0, LENGTH(codes));
	tcase_add_test(cases, test_bad_configuration);
	tcase_add_test(cases, test_active_handle);
	tcase_add_loop_test(cases, test_corrupted_ring, 0, 3);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner;
	int failed;

	netns_enter();
	/* A second interface of lo's link type. No traffic on it: no carrier. */
	if (system("ip link add fault0 type veth peer name fault1 && ip link set fault0 up") != 0) {
		printf("Bail out! no veth pair\n");
		return EXIT_FAILURE;
	}
	runner = srunner_create(faults_suite());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
