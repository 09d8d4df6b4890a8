/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program on a veth pair, packets sent on nr0, the program on nr1: what is redirected comes out of a small AF_XDP socket, what is passed on out of
 * a packet socket. Its filters with and without privilege, its life with the process, what is in its way, and what is left of it.
 */
#define _GNU_SOURCE 1
#include "xdp-program.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fault/resources.h"
#include "fixture.h"
#include "libbpf.h"
#include "log.h"
#include "raw-xdp.h"
#include "xdp-attach.h"
#include "xdp-code.h"

#define LOG_PATH_SIZE 64
#define KEEP 65535
#define FLOOD_PACKETS 20000
#define RUN_MAX 9000
#define FAR 5000 /* in the second page of a packet */

static char log_path[LOG_PATH_SIZE];
static struct log log_file = LOG_INIT;
static struct netring_error error;
static struct xdp_program program;
static struct raw_xdp raw;
static int in, host; /* sends on nr0; a packet socket on nr1: what the host gets */

/* Faults: libbpf's functions as the engine has them, some of them replaced. */

static struct libbpf table;

int __real_libbpf_load(const struct libbpf **functions, struct netring_error *sentence);
int __wrap_libbpf_load(const struct libbpf **functions, struct netring_error *sentence);
int __wrap_libbpf_load(const struct libbpf **functions, struct netring_error *sentence)
{
	static bool copied;
	int ret = copied ? 0 : __real_libbpf_load(functions, sentence);

	if (ret < 0)
		return ret;
	if (!copied)
		table = **functions;
	copied = true;
	*functions = &table;
	return 0;
}

/* The table, as it is without a fault. */
static const struct libbpf *pristine(void)
{
	static struct libbpf kept;
	const struct libbpf *functions = NULL;

	if (!kept.bpf_map_create) {
		ck_assert_int_eq(__wrap_libbpf_load(&functions, &error), 0);
		kept = *functions;
	}
	return &kept;
}

/* Privilege */

static void drop(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	ck_assert_int_eq((int)syscall(SYS_capget, &header, data), 0);
	for (unsigned i = 0; i < 64; i++)
		if (capabilities & UINT64_C(1) << i)
			data[i / 32].effective &= ~(UINT32_C(1) << i % 32);
	ck_assert_int_eq((int)syscall(SYS_capset, &header, data), 0);
}

/* They are still permitted: takes all of them again. */
static void raise_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	ck_assert_int_eq((int)syscall(SYS_capget, &header, data), 0);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].permitted;
	ck_assert_int_eq((int)syscall(SYS_capset, &header, data), 0);
}

/* The fixture */

/* A child in which an assertion failed would go on with the tests that follow. With CK_FORK=yes, libcheck's own child is the tester. */
static pid_t tester;
static bool forks;

static void leave_child(void)
{
	if (getpid() != tester)
		_exit(3);
}

static void host_open(uint16_t type)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(type), .sll_ifindex = interface_number("nr1") };

	host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(host, 0);
	ck_assert_int_eq(bind(host, (struct sockaddr *)&address, sizeof(address)), 0);
}

static bool host_gets(int timeout_ms)
{
	struct pollfd waiting = { .fd = host, .events = POLLIN };
	uint8_t packet[2048];

	return poll(&waiting, 1, timeout_ms) == 1 && recv(host, packet, sizeof(packet), 0) > 0;
}

/* A link that has just come up drops packets without a word. */
static void await_link(void)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	bool arrived = false;

	host_open(TYPE_BOTH);
	while (!arrived && now_ms() < deadline) {
		sender_send(in, TYPE_BOTH, 0, FRAME_LEN);
		arrived = host_gets(10);
	}
	ck_assert(arrived);
	close(host);
	host = -1;
}

static void setup(void)
{
	if (forks)
		tester = getpid();
	leave_child();
	table = *pristine();
	error.text[0] = '\0';
	snprintf(log_path, sizeof(log_path), "/tmp/test-xdp-program-%d.log", (int)getpid());
	ck_assert_int_eq(log_open(&log_file, LOG_INFO, log_path, &error), 0);
	xdp_program_init(&program);
	in = sender_open("nr0");
	host = -1;
	raw.fd = -1;
	await_link();
}

static void close_raw(void)
{
	if (raw.fd >= 0)
		raw_xdp_close(&raw);
	raw.fd = -1;
}

static void teardown(void)
{
	leave_child();
	raise_all();
	xdp_program_close(&program);
	close_raw();
	close(in);
	if (host >= 0)
		close(host);
	log_close(&log_file);
	unlink(log_path);
}

static bool is_logged(const char *text)
{
	char logged[16384];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, logged, sizeof(logged) - 1);

	ck_assert_int_ge(size, 0);
	close(fd);
	logged[size] = '\0';
	return strstr(logged, text) != NULL;
}

static struct xdp_program_options options_of(const char *interface, enum netring_xdp_mode mode)
{
	return (struct xdp_program_options){
		.interface = interface, .ifindex = interface_number(interface), .mode = mode, .fragments = true, .queues = 1, .log = &log_file
	};
}

static int open_for(const struct xdp_program_options *options, uint16_t type, uint16_t other)
{
	struct sock_filter filter[5];
	unsigned length = type ? type_filter(filter, type, other, KEEP) : 0;

	return xdp_program_open(&program, options, filter, length, &error);
}

static int set_types(uint16_t type, uint16_t other)
{
	struct sock_filter filter[5];

	return xdp_program_set_filter(&program, filter, type_filter(filter, type, other, KEEP), &error);
}

/* With a socket on its only queue. */
static void attach(void)
{
	raw_xdp_open(&raw, "nr1", 0);
	ck_assert_msg(xdp_program_add(&program, 0, raw.fd, &error) == 0, "%s", error.text);
	ck_assert_msg(xdp_program_attach(&program, &error) == 0, "%s", error.text);
}

/* For packets of a type (0: all), attached to nr1 with a socket. */
static void start(enum netring_xdp_mode mode, uint16_t type)
{
	struct xdp_program_options options = options_of("nr1", mode);

	ck_assert_msg(open_for(&options, type, type) == 0, "%s", error.text);
	attach();
}

static struct bpf_xdp_query_opts query(const char *interface)
{
	struct bpf_xdp_query_opts answer = { .sz = sizeof(answer) };

	ck_assert_int_eq(bpf_xdp_query(interface_number(interface), 0, &answer), 0);
	return answer;
}

static bool is_free(const char *interface)
{
	return query(interface).prog_id == 0 && query(interface).attach_mode == XDP_ATTACHED_NONE;
}

static uint16_t type_of(const struct raw_xdp_packet *packet)
{
	return (uint16_t)(packet->data[12] << 8 | packet->data[13]);
}

static uint32_t number_of(const struct raw_xdp_packet *packet)
{
	uint32_t number;

	memcpy(&number, packet->data + ETHERNET, sizeof(number));
	return ntohl(number);
}

static struct raw_xdp_packet take(uint16_t type, uint32_t number)
{
	struct raw_xdp_packet packet = { 0 };

	ck_assert(raw_xdp_take(&raw, &packet, DEADLINE_MS));
	ck_assert_uint_eq(packet.length, FRAME_LEN);
	ck_assert_uint_eq(type_of(&packet), type);
	ck_assert_uint_eq(number_of(&packet), number);
	raw_xdp_give_back(&raw, &packet);
	return packet;
}

/* What was sent before `type` goes one way or the other: a packet behind it tells that it is through. */
static void expect_redirected(uint16_t type, uint32_t number, uint32_t verdict)
{
	struct raw_xdp_packet packet;

	sender_send(in, type, number, FRAME_LEN);
	packet = take(type, number);
	ck_assert(packet.marked);
	ck_assert_uint_eq(packet.verdict, verdict);
}

static void expect_passed(uint16_t type, uint32_t number)
{
	struct raw_xdp_packet packet;

	host_open(type);
	sender_send(in, type, number, FRAME_LEN);
	ck_assert(host_gets(DEADLINE_MS));
	ck_assert(!raw_xdp_take(&raw, &packet, 0));
	close(host);
	host = -1;
}

static uint64_t tai_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Packets */

static void check_packets(enum netring_xdp_mode mode, unsigned attach_mode)
{
	uint64_t before = tai_now();
	struct raw_xdp_packet packet;

	start(mode, TYPE_A);
	ck_assert_uint_eq(query("nr1").attach_mode, attach_mode);
	ck_assert(program.native == (attach_mode == XDP_ATTACHED_DRV));
	ck_assert(program.judges && program.tai && program.fragments);
	sender_send(in, TYPE_A, 1, FRAME_LEN);
	packet = take(TYPE_A, 1);
	ck_assert(packet.marked);
	ck_assert_uint_eq(packet.verdict, KEEP);
	ck_assert_uint_ge(packet.tai_ns, before);
	ck_assert_uint_le(packet.tai_ns, tai_now());
	host_open(TYPE_A);
	expect_redirected(TYPE_A, 2, KEEP);
	ck_assert(!host_gets(0));
	close(host);
	expect_passed(TYPE_B, 3);
	xdp_program_close(&program);
	ck_assert(is_free("nr1"));
	expect_passed(TYPE_A, 4);
}

START_TEST(test_native)
{
	check_packets(NETRING_XDP_NATIVE, XDP_ATTACHED_DRV);
	ck_assert(is_logged("nr1: XDP in native mode"));
}
END_TEST

START_TEST(test_generic)
{
	check_packets(NETRING_XDP_GENERIC, XDP_ATTACHED_SKB);
	ck_assert(is_logged("nr1: XDP in generic mode"));
	ck_assert(!is_logged("warn"));
}
END_TEST

START_TEST(test_auto_is_native)
{
	check_packets(NETRING_XDP_MODE_AUTO, XDP_ATTACHED_DRV);
}
END_TEST

START_TEST(test_no_filter_takes_all)
{
	start(NETRING_XDP_MODE_AUTO, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	expect_redirected(TYPE_B, 2, UINT32_MAX);
}
END_TEST

/* What the program does with so long a frame of zeros on queue 0. Redirected it has its metadata in front of it, passed on it has not. */
static void expect_run(size_t length, uint32_t action, uint32_t verdict)
{
	static uint8_t frame[RUN_MAX], out[RUN_MAX + XDP_FRAME_METADATA];
	struct bpf_test_run_opts run = {
		.sz = sizeof(run), .data_in = frame, .data_size_in = (uint32_t)length, .data_out = out, .data_size_out = sizeof(out)
	};
	uint32_t found[2]; /* verdict, mark */

	ck_assert_int_eq(bpf_prog_test_run_opts(program.program_fd, &run), 0);
	ck_assert_uint_eq(run.retval, action);
	ck_assert_uint_eq(run.data_size_out, length + (action == XDP_REDIRECT ? XDP_FRAME_METADATA : 0));
	if (action != XDP_REDIRECT)
		return;
	memcpy(found, out + sizeof(uint64_t), sizeof(found));
	ck_assert_uint_eq(found[0], verdict);
	ck_assert_uint_eq(found[1], XDP_FRAME_MARK);
}

/* Not even filtered: and without metadata, which would keep the host from gluing packets together. */
START_TEST(test_queue_without_socket)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_msg(open_for(&options, 0, 0) == 0, "%s", error.text);
	expect_run(FRAME_LEN, XDP_PASS, 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	raw_xdp_open(&raw, "nr1", 0);
	expect_passed(TYPE_A, 1);
	ck_assert_int_eq(xdp_program_add(&program, 1, raw.fd, &error), -EINVAL);
	ck_assert_str_eq(error.text, "nr1: there is no receive queue 1: it has 1");
	ck_assert_int_eq(xdp_program_add(&program, 0, raw.fd, &error), 0);
	expect_run(FRAME_LEN, XDP_REDIRECT, UINT32_MAX);
	expect_redirected(TYPE_A, 2, UINT32_MAX);
}
END_TEST

/* Where the filter looks at what XDP cannot show it, user space judges; but not where there is nothing. */
START_TEST(test_packet_in_fragments)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),	 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_A, 2, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAR), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, KEEP),	 BPF_STMT(BPF_RET | BPF_K, 0),
	};

	ck_assert_msg(xdp_program_open(&program, &options, filter, 6, &error) == 0, "%s", error.text);
	ck_assert(program.judges);
	attach();
	expect_run(FRAME_LEN, XDP_PASS, 0);
	expect_run(FAR + 1, XDP_REDIRECT, 0);
	expect_run(RUN_MAX, XDP_REDIRECT, 0);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

/* The host gets every packet again when the socket is gone. */
START_TEST(test_socket_goes)
{
	start(NETRING_XDP_MODE_AUTO, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	host_open(TYPE_A);
	close_raw();
	for (uint64_t deadline = now_ms() + DEADLINE_MS; now_ms() < deadline;) {
		sender_send(in, TYPE_A, 2, FRAME_LEN);
		if (host_gets(100))
			return;
	}
	ck_abort_msg("no packet came to the host");
}
END_TEST

static long helper_is_missing(enum bpf_prog_type type, enum bpf_func_id helper, const void *nothing)
{
	(void)type;
	(void)helper;
	(void)nothing;
	return 0;
}

/* Before 6.1 no TAI, before 5.18 no fragments. */
START_TEST(test_older_kernel)
{
	uint64_t before = now_ms();
	struct raw_xdp_packet packet;

	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(!program.tai && !program.fragments && program.judges);
	sender_send(in, TYPE_A, 1, FRAME_LEN);
	packet = take(TYPE_A, 1);
	ck_assert(packet.marked);
	ck_assert_uint_ge(packet.tai_ns / 1000000, before);
	ck_assert_uint_le(packet.tai_ns / 1000000, now_ms());
}
END_TEST

/* Filters */

START_TEST(test_filter_is_replaced)
{
	uint32_t id;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	id = query("nr1").prog_id;
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_msg(set_types(TYPE_B, TYPE_B) == 0, "%s", error.text);
		ck_assert_uint_ne(query("nr1").prog_id, id);
		ck_assert(program.judges);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		ck_assert_int_eq(set_types(TYPE_A, TYPE_A), 0);
		expect_redirected(TYPE_A, 3, KEEP);
	}
	ck_assert_int_eq(xdp_program_set_filter(&program, NULL, 0, &error), 0);
	expect_redirected(TYPE_BOTH, 4, UINT32_MAX);
	ck_assert(!is_logged("warn"));
}
END_TEST

START_TEST(test_filter_before_attach)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	attach();
	expect_redirected(TYPE_B, 1, KEEP);
	expect_passed(TYPE_A, 2);
}
END_TEST

START_TEST(test_filter_is_invalid)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	const struct sock_filter wrong = { 0xffff, 0, 0, 0 };

	ck_assert_int_eq(xdp_program_open(&program, &options, &wrong, 1, &error), -EINVAL);
	ck_assert_str_eq(error.text, "BPF program is not valid");
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(xdp_program_set_filter(&program, &wrong, 1, &error), -EINVAL);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

/* Takes packets of TYPE_A until `count` are there or the deadline is over. */
static unsigned take_numbers(unsigned count)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct raw_xdp_packet packet;
	uint32_t expected = 0;

	while (expected < count && now_ms() < deadline) {
		if (!raw_xdp_take(&raw, &packet, 10))
			continue;
		if (type_of(&packet) == TYPE_A)
			ck_assert_uint_eq(number_of(&packet), expected++);
		raw_xdp_give_back(&raw, &packet);
	}
	return expected;
}

static void *change_filters(void *stop)
{
	for (unsigned i = 0; !*(atomic_bool *)stop; i++)
		ck_assert_int_eq(set_types(TYPE_A, i % 2 ? TYPE_A : TYPE_B), 0);
	return NULL;
}

/* What both filters accept is missed by neither, and not delivered twice. */
START_TEST(test_no_packet_is_missed_by_a_change)
{
	atomic_bool stop = false;
	pthread_t changer;
	unsigned sent = 0, received = 0;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&changer, NULL, change_filters, &stop), 0);
	for (; sent < FLOOD_PACKETS; sent += 500) {
		for (unsigned i = 0; i < 500; i++)
			sender_send(in, TYPE_A, i, FRAME_LEN);
		received += take_numbers(500);
	}
	stop = true;
	pthread_join(changer, NULL);
	ck_assert_uint_eq(received, sent);
}
END_TEST

/* Without privilege */

#define BIT(capability) (UINT64_C(1) << (capability))

static unsigned count_logged(const char *text)
{
	char logged[16384];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, logged, sizeof(logged) - 1);
	unsigned count = 0;

	ck_assert_int_ge(size, 0);
	close(fd);
	logged[size] = '\0';
	for (const char *found = logged; (found = strstr(found, text)); found++)
		count++;
	return count;
}

static int set_types_without_privilege(uint16_t type, uint16_t other)
{
	int ret;

	drop(UINT64_MAX);
	ret = set_types(type, other);
	raise_all();
	return ret;
}

START_TEST(test_filter_without_privilege)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	options.strict = _i;
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	attach();
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 0);
		ck_assert(program.judges);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		ck_assert_int_eq(set_types_without_privilege(TYPE_A, TYPE_A), 0);
		expect_redirected(TYPE_A, 3, KEEP);
		expect_passed(TYPE_B, 4);
	}
	ck_assert_uint_eq(count_logged("nr1: the filter is interpreted in XDP, which is slower than a translated one (nr1: loading the XDP program: "
				       "Operation not permitted)"),
			  1);
	ck_assert_uint_eq(count_logged("interpreted"), 1);
	ck_assert(!is_logged("warn"));
	/* And back, when it may again. */
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert_uint_eq(program.control->in_force, XDP_IN_FORCE_COMPILED);
	expect_redirected(TYPE_B, 5, KEEP);
	expect_passed(TYPE_A, 6);
}
END_TEST

START_TEST(test_no_filter_without_privilege)
{
	int ret;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	drop(UINT64_MAX);
	ret = xdp_program_set_filter(&program, NULL, 0, &error);
	raise_all();
	ck_assert_int_eq(ret, 0);
	expect_redirected(TYPE_A, 1, UINT32_MAX);
	expect_redirected(TYPE_B, 2, UINT32_MAX);
}
END_TEST

/* Of the one that has just been set when the packet is sent, each of a thousand times. */
START_TEST(test_thousand_filters_without_privilege)
{
	uint16_t type[] = { TYPE_A, TYPE_B };
	struct raw_xdp_packet packet;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	drop(UINT64_MAX);
	for (uint32_t i = 1; i <= 1000; i++) {
		ck_assert_int_eq(set_types(type[i % 2], type[i % 2]), 0);
		sender_send(in, type[(i + 1) % 2], i, FRAME_LEN);
		sender_send(in, type[i % 2], i, FRAME_LEN);
		packet = take(type[i % 2], i);
		ck_assert_uint_eq(packet.verdict, KEEP);
	}
	ck_assert(!raw_xdp_take(&raw, &packet, 0));
	raise_all();
}
END_TEST

static void *change_filters_without_privilege(void *end)
{
	drop(UINT64_MAX); /* of this thread */
	return change_filters(end);
}

/* While the filters change as fast as they can, so that slots are written to while packets are judged: what each filter accepts is missed by none. */
START_TEST(test_no_packet_is_missed_by_an_unprivileged_change)
{
	atomic_bool end = false;
	pthread_t changer;
	unsigned sent = 0, received = 0;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&changer, NULL, change_filters_without_privilege, &end), 0);
	for (; sent < FLOOD_PACKETS; sent += 500) {
		for (unsigned i = 0; i < 500; i++)
			sender_send(in, TYPE_A, i, FRAME_LEN);
		received += take_numbers(500);
	}
	end = true;
	pthread_join(changer, NULL);
	ck_assert_uint_eq(received, sent);
	ck_assert_uint_gt(program.filters, 100);
}
END_TEST

/* A kernel without what the interpreter needs. */
START_TEST(test_filter_without_privilege_and_interpreter)
{
	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_uint_eq(count_logged("nr1: no interpreter for filters that are set without privilege: it needs Linux 5.17"), 1);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 1);
	ck_assert(!program.judges);
	ck_assert_uint_eq(count_logged("nr1: the filter runs in user space: the host gets no packet from this interface meanwhile"), 1);
	expect_redirected(TYPE_B, 1, 0);
	expect_redirected(TYPE_A, 2, 0);
	/* And back, when it may again. */
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert(program.judges);
	expect_redirected(TYPE_B, 3, KEEP);
	expect_passed(TYPE_A, 4);
}
END_TEST

START_TEST(test_filter_without_privilege_and_interpreter_is_strict)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	table.libbpf_probe_bpf_helper = (__typeof__(table.libbpf_probe_bpf_helper))(void *)helper_is_missing;
	options.strict = true;
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	attach();
	ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error.text,
				     "nr1: the filter cannot run in XDP, and the settings allow no fallback: nr1: loading the XDP program: "
				     "Operation not permitted"));
	ck_assert(program.judges);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

/* No longer than the test, however that ends. */
static pid_t fork_child(void)
{
	pid_t child = fork();

	if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != tester))
		_exit(4);
	return child;
}

static void wait_for(pid_t child)
{
	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", status);
}

/* Kills the process for bpf() and for looking twice at a file; opening and all else is allowed. */
static void enter_sandbox(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { sizeof(insns) / sizeof(*insns), insns };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(99);
}

START_TEST(test_filter_in_sandbox)
{
	pid_t child = fork_child();

	if (child == 0) {
		start(NETRING_XDP_MODE_AUTO, TYPE_A);
		if (set_types(TYPE_B, TYPE_B) != 0)
			_exit(1);
		enter_sandbox();
		if (set_types(TYPE_A, TYPE_A) != 0 || set_types(TYPE_B, TYPE_B) != 0)
			_exit(2);
		expect_redirected(TYPE_B, 1, KEEP);
		expect_passed(TYPE_A, 2);
		_exit(0);
	}
	wait_for(child);
	ck_assert(is_logged("a seccomp filter may forbid bpf()"));
	ck_assert(is_free("nr1"));
}
END_TEST

START_TEST(test_open_in_sandbox)
{
	pid_t child = fork_child();

	if (child == 0) {
		struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

		enter_sandbox();
		_exit(open_for(&options, 0, 0) == -EPERM && strcmp(error.text, "nr1: a seccomp filter is in force, which may forbid bpf()") == 0 ? 0
																		 : 1);
	}
	wait_for(child);
}
END_TEST

/* Filters that do not go into XDP */

/* A load that has no meaning there: the socket's netlink attributes. */
static const struct sock_filter untranslatable[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR),
	BPF_STMT(BPF_RET | BPF_A, 0),
};

START_TEST(test_filter_that_cannot_be_translated)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	ck_assert_int_eq(xdp_program_open(&program, &options, untranslatable, 2, &error), 0);
	ck_assert(!program.judges);
	ck_assert(is_logged("nr1: the filter runs in user space"));
	attach();
	expect_redirected(TYPE_A, 1, 0);
	ck_assert_int_eq(set_types(TYPE_A, TYPE_A), 0);
	ck_assert(program.judges);
	expect_redirected(TYPE_A, 2, KEEP);
	expect_passed(TYPE_B, 3);
	ck_assert_int_eq(xdp_program_set_filter(&program, untranslatable, 2, &error), 1);
	expect_redirected(TYPE_B, 4, 0);
	xdp_program_close(&program);
	options.strict = true;
	ck_assert_int_eq(xdp_program_open(&program, &options, untranslatable, 2, &error), -EOPNOTSUPP);
	ck_assert(is_free("nr1"));
}
END_TEST

static int refuse_to_load(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
			  const struct bpf_prog_load_opts *options)
{
	(void)type;
	(void)name;
	(void)license;
	(void)insns;
	(void)count;
	strcpy(options->log_buf, "0: (b7) r0 = 1\nR0 is not to my taste\nprocessed 1 insns (limit 1000000)\n");
	return -EACCES;
}

/* Then it is interpreted. */
START_TEST(test_verifier_refuses)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	table.bpf_prog_load = refuse_to_load;
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	ck_assert(is_logged("(nr1: the kernel's verifier refused the XDP program: R0 is not to my taste)"));
	expect_redirected(TYPE_B, 1, KEEP);
	expect_passed(TYPE_A, 2);
}
END_TEST

static unsigned loads;

/* The first program, with the first filter. */
static int refuse_once(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
		       const struct bpf_prog_load_opts *options)
{
	if (loads++ == 0)
		return refuse_to_load(type, name, license, insns, count, options);
	return pristine()->bpf_prog_load(type, name, license, insns, count, options);
}

START_TEST(test_verifier_refuses_the_first)
{
	loads = 0;
	table.bpf_prog_load = refuse_once;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges && program.interprets);
	ck_assert_uint_eq(count_logged("nr1: the filter is interpreted in XDP"), 1);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
}
END_TEST

static int refuse_functions(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
			    const struct bpf_prog_load_opts *options)
{
	if (options && options->func_info_cnt)
		return refuse_to_load(type, name, license, insns, count, options);
	return pristine()->bpf_prog_load(type, name, license, insns, count, options);
}

START_TEST(test_verifier_refuses_the_interpreter)
{
	table.bpf_prog_load = refuse_functions;
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges && !program.interprets);
	ck_assert_uint_eq(count_logged("nr1: no interpreter for filters that are set without privilege: nr1: the kernel's verifier refused"), 1);
	expect_redirected(TYPE_A, 1, KEEP);
	expect_passed(TYPE_B, 2);
	ck_assert_int_eq(set_types_without_privilege(TYPE_B, TYPE_B), 1);
	expect_redirected(TYPE_A, 3, 0);
}
END_TEST

/* Modes */

START_TEST(test_no_native_mode)
{
	struct xdp_program_options options;

	shell("ip link add br9 type bridge && ip link set br9 up");
	options = options_of("br9", NETRING_XDP_NATIVE);
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text, "br9: the driver, bridge, has no native XDP, or not beside the offloads that are on (LRO, GRO-HW)");
	ck_assert(is_free("br9"));
	xdp_program_close(&program);

	options.mode = NETRING_XDP_MODE_AUTO;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	ck_assert(!program.native);
	ck_assert(is_logged(
		"netring: warn: br9: the driver, bridge, has no native XDP, or not beside the offloads that are on (LRO, GRO-HW); XDP runs in "
		"generic mode, behind the driver, which is slower"));
	ck_assert_uint_eq(query("br9").attach_mode, XDP_ATTACHED_SKB);
	xdp_program_close(&program);

	options.strict = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error.text, "has no native XDP"));
	ck_assert(is_free("br9"));
	shell("ip link del br9");
}
END_TEST

START_TEST(test_mtu_is_too_large)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_NATIVE);

	options.fragments = false;
	shell("ip link set nr0 mtu 9000; ip link set nr1 mtu 9000");
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error.text,
			 "nr1: the MTU is too large for native XDP in the driver, veth: 9000 here, or that of the other end of a veth pair");
	xdp_program_close(&program);
	options.fragments = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_msg(xdp_program_attach(&program, &error) == 0, "%s", error.text);
	ck_assert(program.native);
	xdp_program_close(&program);
	shell("ip link set nr0 mtu 1500; ip link set nr1 mtu 1500");
}
END_TEST

/* What is in the way: each with its own sentence, and nothing is left. */

static void expect_refusal(const struct xdp_program_options *options, int code, const char *sentence)
{
	struct resources before = resources_now(), after;
	int ret = open_for(options, 0, 0);

	after = resources_now();
	ck_assert_msg(ret == code, "%d: %s", ret, error.text);
	ck_assert_str_eq(error.text, sentence);
	ck_assert_uint_eq(after.descriptors, before.descriptors);
	ck_assert_int_eq(program.link_fd, -1);
	ck_assert_ptr_null(program.control);
}

START_TEST(test_interfaces_that_cannot_be)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_OFFLOAD);

	expect_refusal(&options, -EOPNOTSUPP,
		       "nr1: a program that runs on the card has no way to AF_XDP sockets; NETRING_XDP_MODE=native is the fastest there is");
	options = options_of("lo", NETRING_XDP_MODE_AUTO);
	expect_refusal(&options, -EOPNOTSUPP, "lo: a loopback interface is the host's own, and AF_XDP would take packets from it");
	options.steal = true;
	expect_refusal(&options, -EOPNOTSUPP, "lo: a loopback interface is the host's own, and AF_XDP would take packets from it");
	options = options_of("nosuch", NETRING_XDP_MODE_AUTO);
	options.ifindex = 4711;
	expect_refusal(&options, -ENODEV, "nosuch: there is no such interface");
	options.interface = "any";
	options.ifindex = 0;
	expect_refusal(&options, -EOPNOTSUPP, "XDP is at one interface: all of them at once (\"any\") cannot be captured by AF_XDP");
}
END_TEST

static void refuse_without(uint64_t capabilities, const char *names)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	char sentence[160];

	snprintf(sentence, sizeof(sentence), "nr1: an XDP program needs %s, which the process does not have", names);
	drop(capabilities);
	expect_refusal(&options, -EPERM, sentence);
	raise_all();
}

START_TEST(test_capabilities_are_missing)
{
	refuse_without(UINT64_MAX, "CAP_BPF and CAP_NET_ADMIN");
	refuse_without(BIT(CAP_SYS_ADMIN) | BIT(CAP_BPF), "CAP_BPF");
	refuse_without(BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_ADMIN), "CAP_NET_ADMIN");
}
END_TEST

/* Nothing else is needed, of the most that a filter does. */
START_TEST(test_capabilities_suffice)
{
	drop(~(BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW)));
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert(program.judges);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	raise_all();
	expect_redirected(TYPE_B, 1, KEEP);
}
END_TEST

START_TEST(test_host_needs_it)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);

	shell("ip addr add 192.0.2.1/24 dev nr1");
	expect_refusal(
		&options, -EBUSY,
		"nr1 has the address 192.0.2.1/24: the host would not get the packets that are captured there; NETRING_XDP_STEAL=1 captures all "
		"the same");
	options.steal = true;
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert(is_logged("netring: warn: nr1 has the address 192.0.2.1/24: as NETRING_XDP_STEAL says, the host does not get the packets that are "
			    "captured there"));
	shell("ip addr flush dev nr1");
}
END_TEST

static int map_is_refused(enum bpf_map_type type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t entries,
			  const struct bpf_map_create_opts *options)
{
	(void)name, (void)key_size, (void)value_size, (void)entries, (void)options;
	return type == BPF_MAP_TYPE_XSKMAP ? -EINVAL : -EPERM;
}

static int second_map_is_refused(enum bpf_map_type type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t entries,
				 const struct bpf_map_create_opts *options)
{
	return type == BPF_MAP_TYPE_XSKMAP ? bpf_map_create(type, name, key_size, value_size, entries, options) : -EPERM;
}

START_TEST(test_kernel_refuses)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct rlimit limit, small;

	table.bpf_map_create = map_is_refused;
	expect_refusal(&options, -EOPNOTSUPP, "nr1: the kernel has no map of AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	table.bpf_map_create = second_map_is_refused;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	small = (struct rlimit){ 65536, limit.rlim_max };
	setrlimit(RLIMIT_MEMLOCK, &small);
	expect_refusal(
		&options, -EPERM,
		"nr1: map that is shared with the program (Linux 5.5) refused: RLIMIT_MEMLOCK, 64 KiB, is too small (before Linux 5.11 maps count), "
		"or the process is in a user namespace");
	setrlimit(RLIMIT_MEMLOCK, &limit);
	table.bpf_map_create = bpf_map_create;
	table.bpf_prog_load = refuse_to_load;
	expect_refusal(&options, -EOPNOTSUPP, "nr1: the kernel's verifier refused the XDP program: R0 is not to my taste");
}
END_TEST

/* Somebody else's program */

static int load_foreign(const char *name)
{
	const struct bpf_insn insns[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS }, { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", insns, 2, NULL);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void refuse_beside(const char *name)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	uint32_t id = query("nr1").prog_id;
	char sentence[200];

	ck_assert_uint_ne(id, 0);
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: %s, id %u", name, id);
	expect_refusal(&options, -EBUSY, sentence);
	ck_assert_uint_eq(query("nr1").prog_id, id);
}

START_TEST(test_foreign_program)
{
	const struct bpf_link_create_opts generic = { .sz = sizeof(generic), .flags = XDP_FLAGS_SKB_MODE };
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	char sentence[200];
	int foreign = load_foreign("xdp_dispatcher"), link;

	/* As libxdp does it, and ip link: by netlink, in either mode. */
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_DRV_MODE, NULL), 0);
	refuse_beside("xdp_dispatcher");
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: id %u, whose name only CAP_SYS_ADMIN may see", query("nr1").prog_id);
	drop(BIT(CAP_SYS_ADMIN));
	expect_refusal(&options, -EBUSY, sentence);
	raise_all();
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_SKB_MODE, NULL), 0);
	refuse_beside("xdp_dispatcher");
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	link = bpf_link_create(foreign, options.ifindex, BPF_XDP, &generic);
	ck_assert_int_ge(link, 0);
	refuse_beside("xdp_dispatcher");
	close(link);
	close(foreign);
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
}
END_TEST

/* Attached between open and attach, by whom it may be. */
START_TEST(test_somebody_was_faster)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	int foreign = load_foreign("faster");
	uint32_t id;

	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(bpf_xdp_attach(options.ifindex, foreign, XDP_FLAGS_SKB_MODE, NULL), 0);
	id = query("nr1").prog_id;
	ck_assert_int_eq(xdp_program_attach(&program, &error), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error.text, "nr1 has an XDP program already: faster, id "));
	ck_assert_int_eq(program.link_fd, -1);
	ck_assert_uint_eq(query("nr1").prog_id, id);
	ck_assert_int_eq(bpf_xdp_detach(options.ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	close(foreign);
}
END_TEST

/* A second netring is refused, though a while later: the first could be dying. */
START_TEST(test_two_at_a_time)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct xdp_program second;
	char sentence[200];
	uint64_t begin;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	snprintf(sentence, sizeof(sentence), "nr1 has an XDP program already: netring_xdp, id %u", query("nr1").prog_id);
	begin = now_ms();
	ck_assert_int_eq(xdp_program_open(&second, &options, NULL, 0, &error), -EBUSY);
	ck_assert_str_eq(error.text, sentence);
	ck_assert_uint_ge(now_ms() - begin, XDP_ATTACH_PATIENCE_MS);
	ck_assert_uint_lt(now_ms() - begin, XDP_ATTACH_PATIENCE_MS + DEADLINE_MS);
	expect_redirected(TYPE_A, 1, KEEP);
}
END_TEST

static void *close_later(void *argument)
{
	usleep(200000);
	xdp_program_close(argument);
	return NULL;
}

START_TEST(test_the_first_is_dying)
{
	struct xdp_program_options options = options_of("nr1", NETRING_XDP_MODE_AUTO);
	struct xdp_program second;
	pthread_t closer;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(pthread_create(&closer, NULL, close_later, &program), 0);
	ck_assert_msg(xdp_program_open(&second, &options, NULL, 0, &error) == 0, "%s", error.text);
	pthread_join(closer, NULL);

	/* The same between open and attach. */
	ck_assert_int_eq(open_for(&options, 0, 0), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	ck_assert_int_eq(pthread_create(&closer, NULL, close_later, &program), 0);
	ck_assert_msg(xdp_program_attach(&second, &error) == 0, "%s", error.text);
	pthread_join(closer, NULL);
	xdp_program_close(&second);
	ck_assert(is_free("nr1"));
}
END_TEST

/* Life and death */

/* Waits for a byte of the child's: it has got so far. */
static void await_child(int fd)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&waiting, 1, DEADLINE_MS), 1);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

/* A process: a thread could hold a lock of libcheck's while another child is forked. */
static pid_t flood_with_both_types(void)
{
	pid_t child = fork_child();

	if (child)
		return child;
	for (uint32_t i = 0;; i++) {
		sender_send(in, i % 2 ? TYPE_A : TYPE_B, i, FRAME_LEN);
		if (i % 32 == 0)
			usleep(1000);
	}
}

static void kill_child(pid_t child)
{
	int status = -1;

	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(test_killed)
{
	pid_t flood = flood_with_both_types();

	for (unsigned i = 0; i < 20; i++) {
		int ends[2];
		pid_t child;

		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		child = fork_child();
		if (child == 0) {
			start(i % 2 ? NETRING_XDP_NATIVE : NETRING_XDP_GENERIC, TYPE_A);
			if (write(ends[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		await_child(ends[0]);
		ck_assert(!is_free("nr1"));
		kill_child(child);
		ck_assert(is_free("nr1"));
		close(ends[0]);
		close(ends[1]);
	}
	kill_child(flood);
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	expect_passed(TYPE_B, 1);
}
END_TEST

/* The program stays for as long as one of them has it. */
START_TEST(test_forked)
{
	pid_t child;

	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	child = fork_child();
	if (child == 0) {
		xdp_program_close(&program);
		_exit(0);
	}
	wait_for(child);
	expect_redirected(TYPE_A, 1, KEEP);
	child = fork_child();
	if (child == 0) {
		int ret = set_types(TYPE_B, TYPE_B);

		_exit(ret == 0 ? 0 : 1);
	}
	wait_for(child);
	expect_redirected(TYPE_B, 2, KEEP);
	expect_passed(TYPE_A, 3);
}
END_TEST

START_TEST(test_executed)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
	const int fds[] = { program.sockets_fd, program.switch_fd, program.program_fd, program.link_fd, program.status_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		ck_assert_int_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

/* A filter may still be set. */
START_TEST(test_interface_goes)
{
	struct xdp_program_options options;

	shell("ip link add nr8 type veth peer name nr9 && ip link set nr8 up && ip link set nr9 up");
	options = options_of("nr9", NETRING_XDP_MODE_AUTO);
	ck_assert_int_eq(open_for(&options, TYPE_A, TYPE_A), 0);
	ck_assert_int_eq(xdp_program_attach(&program, &error), 0);
	shell("ip link del nr8");
	ck_assert_msg(set_types(TYPE_B, TYPE_B) == 0, "%s", error.text);
	ck_assert(program.judges);
}
END_TEST

START_TEST(test_interface_goes_down_and_up)
{
	start(NETRING_XDP_MODE_AUTO, TYPE_A);
	expect_redirected(TYPE_A, 1, KEEP);
	shell("ip link set nr1 down; ip link set nr1 up");
	for (uint64_t deadline = now_ms() + DEADLINE_MS; now_ms() < deadline;) {
		struct raw_xdp_packet packet;

		sender_send(in, TYPE_A, 2, FRAME_LEN);
		if (raw_xdp_take(&raw, &packet, 100))
			return;
	}
	ck_abort_msg("no packet came");
}
END_TEST

START_TEST(test_nothing_is_left)
{
	struct resources before = resources_now(), after;

	for (unsigned i = 0; i < 20; i++) {
		start(NETRING_XDP_MODE_AUTO, TYPE_A);
		ck_assert_int_eq(set_types(TYPE_B, TYPE_B), 0);
		xdp_program_close(&program);
		xdp_program_close(&program);
		close_raw();
	}
	after = resources_now();
	ck_assert_uint_eq(after.descriptors, before.descriptors);
}
END_TEST

static void add_tests_of_packets(TCase *tests)
{
	tcase_add_test(tests, test_native);
	tcase_add_test(tests, test_generic);
	tcase_add_test(tests, test_auto_is_native);
	tcase_add_test(tests, test_no_filter_takes_all);
	tcase_add_test(tests, test_queue_without_socket);
	tcase_add_test(tests, test_packet_in_fragments);
	tcase_add_test(tests, test_socket_goes);
	tcase_add_test(tests, test_older_kernel);
	tcase_add_test(tests, test_no_native_mode);
	tcase_add_test(tests, test_mtu_is_too_large);
}

static void add_tests_of_filters(TCase *tests)
{
	tcase_add_test(tests, test_filter_is_replaced);
	tcase_add_test(tests, test_filter_before_attach);
	tcase_add_test(tests, test_filter_is_invalid);
	tcase_add_test(tests, test_no_packet_is_missed_by_a_change);
	tcase_add_loop_test(tests, test_filter_without_privilege, 0, 2);
	tcase_add_test(tests, test_no_filter_without_privilege);
	tcase_add_test(tests, test_thousand_filters_without_privilege);
	tcase_add_test(tests, test_no_packet_is_missed_by_an_unprivileged_change);
	tcase_add_test(tests, test_filter_without_privilege_and_interpreter);
	tcase_add_test(tests, test_filter_without_privilege_and_interpreter_is_strict);
	tcase_add_test(tests, test_filter_in_sandbox);
	tcase_add_test(tests, test_filter_that_cannot_be_translated);
	tcase_add_test(tests, test_verifier_refuses);
	tcase_add_test(tests, test_verifier_refuses_the_first);
	tcase_add_test(tests, test_verifier_refuses_the_interpreter);
}

static void add_tests_of_refusals(TCase *tests)
{
	tcase_add_test(tests, test_open_in_sandbox);
	tcase_add_test(tests, test_interfaces_that_cannot_be);
	tcase_add_test(tests, test_capabilities_are_missing);
	tcase_add_test(tests, test_capabilities_suffice);
	tcase_add_test(tests, test_host_needs_it);
	tcase_add_test(tests, test_kernel_refuses);
	tcase_add_test(tests, test_foreign_program);
	tcase_add_test(tests, test_somebody_was_faster);
	tcase_add_test(tests, test_two_at_a_time);
	tcase_add_test(tests, test_the_first_is_dying);
}

static void add_tests_of_life(TCase *tests)
{
	tcase_add_test(tests, test_killed);
	tcase_add_test(tests, test_forked);
	tcase_add_test(tests, test_executed);
	tcase_add_test(tests, test_interface_goes);
	tcase_add_test(tests, test_interface_goes_down_and_up);
	tcase_add_test(tests, test_nothing_is_left);
}

int main(void)
{
	Suite *suite = suite_create("xdp program");
	TCase *tests = tcase_create("program");

	fixture_enter();
	tester = getpid();
	forks = !getenv("CK_FORK") || strcmp(getenv("CK_FORK"), "no") != 0;
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	add_tests_of_packets(tests);
	add_tests_of_filters(tests);
	add_tests_of_refusals(tests);
	add_tests_of_life(tests);
	suite_add_tcase(suite, tests);
	return fixture_run(suite);
}
