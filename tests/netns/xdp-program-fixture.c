/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "xdp-program-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_PATH_SIZE 64

static char log_path[LOG_PATH_SIZE];
struct log log_file = LOG_INIT;
struct netring_error error;
struct xdp_program program;
struct raw_xdp raw;
int in, host;

/* Faults */

long helper_is_missing(enum bpf_prog_type type, enum bpf_func_id helper, const void *nothing)
{
	(void)type;
	(void)helper;
	(void)nothing;
	return 0;
}

int refuse_to_load(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *insns, size_t count,
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

/* Privilege */

void drop(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	ck_assert_int_eq((int)syscall(SYS_capget, &header, data), 0);
	for (unsigned i = 0; i < 64; i++)
		if (capabilities & UINT64_C(1) << i)
			data[i / 32].effective &= ~(UINT32_C(1) << i % 32);
	ck_assert_int_eq((int)syscall(SYS_capset, &header, data), 0);
}

void raise_all(void)
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

void host_open(uint16_t type)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(type), .sll_ifindex = interface_number("nr1") };

	host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(host, 0);
	ck_assert_int_eq(bind(host, (struct sockaddr *)&address, sizeof(address)), 0);
}

bool host_gets(int timeout_ms)
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

void program_setup(void)
{
	if (forks)
		tester = getpid();
	leave_child();
	table = *sound_libbpf();
	error.text[0] = '\0';
	snprintf(log_path, sizeof(log_path), "/tmp/test-xdp-program-%d.log", (int)getpid());
	ck_assert_int_eq(log_open(&log_file, LOG_INFO, log_path, &error), 0);
	xdp_program_init(&program);
	in = sender_open("nr0");
	host = -1;
	raw.fd = -1;
	await_link();
}

void close_raw(void)
{
	if (raw.fd >= 0)
		raw_xdp_close(&raw);
	raw.fd = -1;
}

void program_teardown(void)
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

bool is_logged(const char *text)
{
	char logged[16384];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, logged, sizeof(logged) - 1);

	ck_assert_int_ge(size, 0);
	close(fd);
	logged[size] = '\0';
	return strstr(logged, text) != NULL;
}

unsigned count_logged(const char *text)
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

struct xdp_program_options options_of(const char *interface, enum netring_xdp_mode mode)
{
	return (struct xdp_program_options){
		.interface = interface, .ifindex = interface_number(interface), .mode = mode, .fragments = true, .queues = 1, .log = &log_file
	};
}

int open_for(const struct xdp_program_options *options, uint16_t type, uint16_t other)
{
	struct sock_filter filter[5];
	unsigned length = type ? type_filter(filter, type, other, KEEP) : 0;

	return xdp_program_open(&program, options, filter, length, &error);
}

int set_types(uint16_t type, uint16_t other)
{
	struct sock_filter filter[5];

	return xdp_program_set_filter(&program, filter, type_filter(filter, type, other, KEEP), &error);
}

void attach(void)
{
	raw_xdp_open(&raw, "nr1", 0);
	ck_assert_msg(xdp_program_add(&program, 0, raw.fd, &error) == 0, "%s", error.text);
	ck_assert_msg(xdp_program_attach(&program, &error) == 0, "%s", error.text);
}

void start(enum netring_xdp_mode mode, uint16_t type)
{
	struct xdp_program_options options = options_of("nr1", mode);

	ck_assert_msg(open_for(&options, type, type) == 0, "%s", error.text);
	attach();
}

struct bpf_xdp_query_opts query(const char *interface)
{
	struct bpf_xdp_query_opts answer = { .sz = sizeof(answer) };

	ck_assert_int_eq(bpf_xdp_query(interface_number(interface), 0, &answer), 0);
	return answer;
}

bool is_free(const char *interface)
{
	return query(interface).prog_id == 0 && query(interface).attach_mode == XDP_ATTACHED_NONE;
}

uint16_t type_of(const struct raw_xdp_packet *packet)
{
	return (uint16_t)(packet->data[12] << 8 | packet->data[13]);
}

uint32_t number_of(const struct raw_xdp_packet *packet)
{
	uint32_t number;

	memcpy(&number, packet->data + ETHERNET, sizeof(number));
	return ntohl(number);
}

struct raw_xdp_packet take(uint16_t type, uint32_t number)
{
	struct raw_xdp_packet packet = { 0 };

	ck_assert(raw_xdp_take(&raw, &packet, DEADLINE_MS));
	ck_assert_uint_eq(packet.length, FRAME_LEN);
	ck_assert_uint_eq(type_of(&packet), type);
	ck_assert_uint_eq(number_of(&packet), number);
	raw_xdp_give_back(&raw, &packet);
	return packet;
}

void expect_redirected(uint16_t type, uint32_t number, uint32_t verdict)
{
	struct raw_xdp_packet packet;

	sender_send(in, type, number, FRAME_LEN);
	packet = take(type, number);
	ck_assert(packet.marked);
	ck_assert_uint_eq(packet.verdict, verdict);
}

void expect_passed(uint16_t type, uint32_t number)
{
	struct raw_xdp_packet packet;

	host_open(type);
	sender_send(in, type, number, FRAME_LEN);
	ck_assert(host_gets(DEADLINE_MS));
	ck_assert(!raw_xdp_take(&raw, &packet, 0));
	close(host);
	host = -1;
}

/* Child processes */

pid_t fork_child(void)
{
	pid_t child = fork();

	if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != tester))
		_exit(4);
	return child;
}

void wait_for(pid_t child)
{
	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", status);
}

void enter_sandbox(void)
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

void program_suite_begins(void)
{
	tester = getpid();
	forks = !getenv("CK_FORK") || strcmp(getenv("CK_FORK"), "no") != 0;
}
