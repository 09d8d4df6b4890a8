/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program of one interface. Owns the program in force and its link, and the maps (xdp-maps.h); no lock, one thread at a time.
 *
 * A new filter is compiled into a new program, which takes the old one's place at the link. Where that cannot be, the filter is written to a slot of
 * the switch, and the interpreter of the program that runs takes it from there; where it cannot be interpreted either, the switch makes the program give
 * every packet to user space. A packet in the kernel runs one program from begin to end, and looks at the switch once.
 */
#include "xdp-program.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf-run.h"
#include "libbpf.h"
#include "self-status.h"
#include "verifier-log.h"
#include "xdp-attach.h"
#include "xdp-code.h"
#include "xdp-guard.h"
#include "xdp-interpreter-types.h"
#include "xdp-maps.h"

#define LICENSE "Dual BSD/GPL"

/* No packet is on its way through a program for so long. */
#define SETTLE_MS 20

void xdp_program_init(struct xdp_program *program)
{
	memset(program, 0, sizeof(*program));
	program->sockets_fd = program->switch_fd = program->program_fd = program->link_fd = program->status_fd = program->types_fd = -1;
	program->lines_fd = -1;
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void xdp_program_detach(struct xdp_program *program)
{
	close_descriptor(&program->link_fd);
}

void xdp_program_look_for_strays(const struct xdp_program *program)
{
	struct xdp_switch *control = program->control;

	if (__atomic_load_n(&control->strays, __ATOMIC_ACQUIRE) == 0 || __atomic_exchange_n(&control->told_of_strays, 1, __ATOMIC_RELAXED))
		return;
	log_write(program->options.log, LOG_WARN,
		  "%s: packets come on receive queue %u (counted from 0), and it had %u when the capture began: what comes on queues that are added "
		  "later goes to the host, and is not captured; start the capture again",
		  program->interface, control->stray_queue, program->options.receive_queues);
}

/* Of several processes that have the program, the first that closes it. */
static void sum_up_strays(const struct xdp_program *program)
{
	uint32_t strays;

	xdp_program_look_for_strays(program);
	strays = __atomic_exchange_n(&program->control->strays, 0, __ATOMIC_RELAXED);
	if (strays == 0)
		return;
	log_write(program->options.log, LOG_WARN, "%s: %u packets came on receive queues that were added later, and were not captured",
		  program->interface, strays);
}

/* The link first: no packet is in the program when its maps go. */
void xdp_program_close(struct xdp_program *program)
{
	xdp_program_detach(program);
	if (program->control)
		sum_up_strays(program);
	close_descriptor(&program->program_fd);
	xdp_maps_close(program);
	close_descriptor(&program->types_fd);
	close_descriptor(&program->status_fd);
	xdp_program_init(program);
}

/* Seccomp */

/* Whether a seccomp filter may kill the process for bpf(). (sandbox.h takes every other thread for sandboxed: a program in Go sets its filter in any.) */
static bool is_sandboxed(struct xdp_program *program)
{
	return self_status_look(&program->status_fd);
}

/* What is in the way */

static bool has_capability(const struct __user_cap_data_struct *data, unsigned capability)
{
	return data[capability / 32].effective & UINT32_C(1) << capability % 32;
}

static int check_capabilities(const char *interface, struct netring_error *error)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	bool bpf, network;

	if (syscall(SYS_capget, &header, data) < 0)
		return error_errno(error, errno, "capget");
	bpf = has_capability(data, CAP_SYS_ADMIN) || has_capability(data, CAP_BPF);
	network = has_capability(data, CAP_SYS_ADMIN) || has_capability(data, CAP_NET_ADMIN);
	if (bpf && network)
		return 0;
	return error_set(error, EPERM, "%s: an XDP program needs %s, which the process does not have", interface,
			 bpf	   ? "CAP_NET_ADMIN"
			 : network ? "CAP_BPF"
				   : "CAP_BPF and CAP_NET_ADMIN");
}

/* Takes its link-layer address, too. */
static int check_interface(struct xdp_program *program, struct netring_error *error)
{
	const struct xdp_program_options *options = &program->options;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), flags = -1;
	struct ifreq request = { 0 };

	if (fd < 0)
		return error_errno(error, errno, "socket");
	memcpy(request.ifr_name, options->interface, strnlen(options->interface, sizeof(request.ifr_name) - 1));
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
		flags = (unsigned short)request.ifr_flags;
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0) {
		program->hardware_type = request.ifr_hwaddr.sa_family;
		program->has_address = program->hardware_type == ARPHRD_ETHER || program->hardware_type == ARPHRD_LOOPBACK;
		memcpy(program->address, request.ifr_hwaddr.sa_data, sizeof(program->address));
	}
	close(fd);
	if (flags < 0)
		return error_set(error, ENODEV, "%s: there is no such interface", options->interface);
	if (flags & IFF_LOOPBACK && !xdp_program_copies(options))
		return error_set(error, EOPNOTSUPP, "%s: a loopback interface is the host's own, and AF_XDP would take packets from it",
				 options->interface);
	return 0;
}

static int check_guard(const struct xdp_program_options *options, struct netring_error *error)
{
	char text[XDP_GUARD_TEXT];
	int ret;

	if (xdp_program_copies(options))
		return 0;
	if (!options->steal)
		return xdp_guard_check(options->interface, options->ifindex, error);
	ret = xdp_guard_find(options->ifindex, text, NULL);
	if (ret > 0)
		log_write(options->log, LOG_WARN, "%s %s: as NETRING_XDP_STEAL says, the host does not get the packets that are captured there",
			  options->interface, text);
	return 0;
}

static int check_options(const struct xdp_program_options *options, struct netring_error *error)
{
	if (options->ifindex <= 0 || !options->interface || strcmp(options->interface, "any") == 0)
		return error_set(error, EOPNOTSUPP, "XDP is at one interface: all of them at once (\"any\") cannot be captured by AF_XDP");
	if (options->mode == NETRING_XDP_OFFLOAD)
		return error_set(error, EOPNOTSUPP,
				 "%s: a program that runs on the card has no way to %s; NETRING_XDP_MODE=native is the fastest there is",
				 options->interface, xdp_program_copies(options) ? "the host's memory" : "AF_XDP sockets");
	return 0;
}

/* Programs */

static int explain_load(const struct xdp_program *program, int ret, char *log, struct netring_error *error)
{
	const char *words = verifier_log_last_words(log);

	if (ret == -EPERM || !words)
		return error_errno(error, -ret, "%s: loading the XDP program", program->interface);
	/* It says EACCES of a bad program: that is not what a program takes for a missing privilege. */
	return error_set(error, EOPNOTSUPP, "%s: the kernel's verifier refused the XDP program: %.300s", program->interface, words);
}

static int load_code(const struct xdp_program *program, const struct ebpf_code *code, int *fd, struct netring_error *error)
{
	struct bpf_prog_load_opts options = { .sz = sizeof(options), .expected_attach_type = BPF_XDP, .log_size = VERIFIER_LOG_SIZE };
	const struct bpf_func_info functions[] = { { 0, XDP_TYPE_PROGRAM }, { ebpf_function(code), XDP_TYPE_FUNCTION } };
	int ret;

	if (program->interprets) {
		options.prog_btf_fd = (uint32_t)program->types_fd;
		options.func_info = functions;
		options.func_info_cnt = sizeof(functions) / sizeof(functions[0]);
		options.func_info_rec_size = sizeof(functions[0]);
	}
	options.log_buf = malloc(options.log_size);
	if (!options.log_buf)
		return error_errno(error, ENOMEM, "%s: the verifier's log", program->interface);
	options.log_buf[0] = '\0';
	options.prog_flags = program->fragments ? BPF_F_XDP_HAS_FRAGS : 0;
	ret = program->bpf->bpf_prog_load(BPF_PROG_TYPE_XDP, XDP_ATTACH_NAME, LICENSE, code->insn, code->count, &options);
	if (ret < 0)
		ret = explain_load(program, ret, options.log_buf, error);
	else
		*fd = ret;
	free(options.log_buf);
	return ret < 0 ? ret : 0;
}

/* As the switch's word, which of a slot has other low bits. */
static uint32_t compiled_mark(uint32_t number)
{
	return number << XDP_IN_FORCE_SHIFT | XDP_IN_FORCE_COMPILED;
}

uint32_t xdp_program_filter_mark(const struct xdp_program *program)
{
	uint32_t in_force = program->control->in_force;

	return in_force == XDP_IN_FORCE_COMPILED ? compiled_mark(program->compiled) : in_force;
}

static struct xdp_code_options code_options(const struct xdp_program *program)
{
	struct xdp_code_options options = { .ifindex = program->options.ifindex,
					    .sockets_fd = program->sockets_fd,
					    .receive_queues = program->options.receive_queues,
					    .switch_fd = program->switch_fd,
					    .hardware_type = program->hardware_type,
					    .has_address = program->has_address,
					    .tai = program->tai,
					    .fragments = program->fragments,
					    .interprets = program->interprets };

	memcpy(options.address, program->address, sizeof(options.address));
	if (xdp_program_copies(&program->options))
		options.tap = (struct xdp_tap_options){ .rings_fd = program->sockets_fd,
							.lines_fd = program->lines_fd,
							.rings = program->options.queues,
							.ring_bytes = program->options.ring_bytes,
							.snaplen = program->options.snaplen,
							.filter = compiled_mark(program->compiled + 1),
							.tai = program->tai };
	return options;
}

/* A program with that filter; judges false: one that gives all to user space. *fd is the caller's. */
static int load(const struct xdp_program *program, bool judges, const struct sock_filter *filter, unsigned length, int *fd,
		struct netring_error *error)
{
	struct xdp_code_options options = code_options(program);
	struct ebpf_code code;
	int ret;

	options.judges = judges;
	options.filter = filter;
	options.length = length;
	ebpf_code_init(&code);
	ret = xdp_code_make(&code, &options, error);
	if (ret == 0)
		ret = load_code(program, &code, fd, error);
	ebpf_code_free(&code);
	return ret;
}

/* Filters */

static void put_in_force(struct xdp_program *program, uint32_t what)
{
	/* Release: packets are not judged by the filter before, from here on. The program loads it once for each packet. */
	__atomic_store_n(&program->control->in_force, what, __ATOMIC_RELEASE);
}

/* Until no packet is in a program that began before. A kernel with tickless CPUs has no such barrier for processes. */
static void settle(void)
{
	const struct timespec pause = { 0, SETTLE_MS * 1000000 };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		nanosleep(&pause, NULL);
}

/* From another state than compiled, the programs before this one must be through, as the switch would bring their filters back. */
static int compile(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	int fd = -1, ret = load(program, true, filter, length, &fd, error);

	if (ret < 0)
		return ret;
	if (program->link_fd >= 0) {
		ret = program->bpf->bpf_link_update(program->link_fd, fd, NULL);
		if (ret < 0 && ret != -ENOLINK) { /* the interface is gone: no packet will be judged any more */
			close(fd);
			return error_errno(error, -ret, "%s: replacing the XDP program", program->interface);
		}
	}
	close(program->program_fd);
	program->program_fd = fd;
	program->compiled++;
	if (program->control->in_force != XDP_IN_FORCE_COMPILED) {
		settle();
		put_in_force(program, XDP_IN_FORCE_COMPILED);
	}
	return 0;
}

/* Of a capture's many filters only the first is worth a line. */
static void log_once(const struct xdp_program *program, bool *logged, enum log_level level, const char *what, const struct netring_error *why)
{
	if (!*logged)
		log_write(program->options.log, level, "%s: the filter %s (%s)", program->interface, what, why->text);
	*logged = true;
}

/* What there is to say when user space is to judge; -EOPNOTSUPP if that is an error. */
static int give_up(struct xdp_program *program, const struct netring_error *why, struct netring_error *error)
{
	if (program->options.strict)
		return error_set(error, EOPNOTSUPP, "%s: the filter cannot run in XDP, and the settings allow no fallback: %.400s",
				 program->interface, why->text);
	log_once(program, &program->told_user_space, LOG_WARN,
		 xdp_program_copies(&program->options)
			 ? "runs in user space, and every packet is copied there"
			 : "runs in user space: the host gets no packet from this interface meanwhile, whatever the filter says",
		 why);
	return 0;
}

/* Writes to the slot that is not in force: a packet may still be in the other one. Memory only, no system call. */
static int write_slot(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *why)
{
	static const struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, UINT32_MAX) };
	const struct xdp_code_options options = code_options(program);
	const struct xdp_filter_context context = xdp_code_context(&options);
	unsigned slot = !program->slot;
	int ret;

	if (length == 0) {
		filter = all;
		length = 1;
	}
	ret = xdp_interpreter_steps(xdp_interpreter_begin(program->control, slot, &program->filters), filter, length, &context, why);
	if (ret < 0)
		return ret;
	xdp_interpreter_put_in_force(program->control, slot);
	program->slot = slot;
	return 0;
}

/* For want of a program that has the filter translated; why is the reason. 0, or what it is that cannot be interpreted in why. */
static int interpret(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *why)
{
	struct netring_error reason = *why;
	int ret;

	if (!program->interprets)
		return -EOPNOTSUPP;
	ret = write_slot(program, filter, length, why);
	if (ret == 0)
		log_once(program, &program->told_interpreted, LOG_INFO, "is interpreted in XDP, which is slower than a translated one", &reason);
	return ret;
}

int xdp_program_set_filter(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	struct netring_error why = { "" };
	int ret;

	if (length && !bpf_is_valid(filter, length))
		return error_set(error, EINVAL, "BPF program is not valid");
	if (is_sandboxed(program))
		ret = error_set(&why, EPERM, "a seccomp filter may forbid bpf()");
	else
		ret = compile(program, filter, length, &why);
	if (ret < 0)
		ret = interpret(program, filter, length, &why);
	if (ret == 0) {
		program->judges = true;
		return 0;
	}
	ret = give_up(program, &why, error);
	if (ret < 0)
		return ret;
	put_in_force(program, XDP_IN_FORCE_ALL);
	program->judges = false;
	return 1;
}

/* Opening */

/* The kernel's verifier may be older than what the interpreter needs of it: then without. */
static int load_unjudging(struct xdp_program *program, struct netring_error *error)
{
	struct netring_error why = { "" };
	int ret = load(program, false, NULL, 0, &program->program_fd, &why);

	if (ret == -EOPNOTSUPP && program->interprets) {
		program->interprets = false;
		log_write(program->options.log, LOG_INFO, "%s: no interpreter for filters that are set without privilege: %s", program->interface,
			  why.text);
		ret = load(program, false, NULL, 0, &program->program_fd, &why);
	}
	return ret < 0 ? error_set(error, -ret, "%s", why.text) : 0;
}

/* -EOPNOTSUPP, with a program that gives all to user space, and the reason in why: the filter cannot be part of one. */
static int load_compiled(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *why)
{
	bool interpreted = program->interprets;
	int ret = load(program, true, filter, length, &program->program_fd, why), fd;

	if (ret != -EOPNOTSUPP)
		return ret;
	ret = load_unjudging(program, why);
	if (ret < 0 || program->interprets == interpreted)
		return ret < 0 ? ret : -EOPNOTSUPP;
	ret = load(program, true, filter, length, &fd, why);
	if (ret < 0)
		return ret;
	close(program->program_fd);
	program->program_fd = fd;
	return 0;
}

static int load_first(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	struct netring_error why = { "" };
	int ret;

	if (length && !bpf_is_valid(filter, length))
		return error_set(error, EINVAL, "BPF program is not valid");
	program->judges = true;
	ret = load_compiled(program, filter, length, &why);
	if (ret < 0 && program->program_fd < 0)
		return error_set(error, -ret, "%s", why.text);
	if (ret == 0)
		program->compiled++;
	else
		ret = interpret(program, filter, length, &why);
	if (ret == 0)
		return 0;
	program->judges = false;
	return give_up(program, &why, error);
}

static bool has_helper(const struct xdp_program *program, enum bpf_func_id helper)
{
	return program->bpf->libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, helper, NULL) == 1;
}

/* What calls back needs types; for want of anything of it the program is loaded without the interpreter. */
static void prepare_interpreter(struct xdp_program *program)
{
	bool fits = has_helper(program, BPF_FUNC_loop) && (!program->fragments || has_helper(program, BPF_FUNC_xdp_load_bytes));

	program->types_fd = fits ? xdp_interpreter_load_types(program->bpf) : -1;
	program->interprets = program->types_fd >= 0;
	if (!program->interprets)
		log_write(program->options.log, LOG_INFO, "%s: no interpreter for filters that are set without privilege: it needs Linux 5.17",
			  program->interface);
}

static int check(struct xdp_program *program, struct netring_error *error)
{
	const struct xdp_program_options *options = &program->options;
	int ret = check_options(options, error);

	if (ret == 0)
		ret = check_interface(program, error);
	if (ret < 0)
		return ret;
	program->status_fd = self_status_open();
	if (is_sandboxed(program))
		return error_set(error, EPERM, "%s: a seccomp filter is in force, which may forbid bpf()", options->interface);
	ret = check_capabilities(options->interface, error);
	return ret < 0 ? ret : check_guard(options, error);
}

static int check_helpers(const struct xdp_program *program, struct netring_error *error)
{
	if (!xdp_program_copies(&program->options) || (has_helper(program, BPF_FUNC_xdp_load_bytes) && has_helper(program, BPF_FUNC_ringbuf_reserve)))
		return 0;
	return error_set(error, EOPNOTSUPP, "%s: the kernel cannot copy packets in XDP, which Linux 5.18 can", program->interface);
}

static int make(struct xdp_program *program, const struct sock_filter *filter, unsigned length, struct netring_error *error)
{
	int ret = libbpf_load(&program->bpf, error);

	if (ret == 0)
		ret = check_helpers(program, error);
	if (ret == 0)
		ret = xdp_attach_check(program->bpf, &program->options, error);
	if (ret == 0)
		ret = xdp_maps_open(program, error);
	if (ret < 0)
		return ret;
	program->tai = has_helper(program, BPF_FUNC_ktime_get_tai_ns);
	program->fragments = program->options.fragments && has_helper(program, BPF_FUNC_xdp_get_buff_len);
	prepare_interpreter(program);
	return load_first(program, filter, length, error);
}

int xdp_program_open(struct xdp_program *program, const struct xdp_program_options *options, const struct sock_filter *filter, unsigned length,
		     struct netring_error *error)
{
	int ret;

	xdp_program_init(program);
	program->options = *options;
	if (options->interface) {
		memcpy(program->interface, options->interface, strnlen(options->interface, sizeof(program->interface) - 1));
		program->options.interface = program->interface;
	}
	ret = check(program, error);
	if (ret == 0)
		ret = make(program, filter, length, error);
	if (ret < 0)
		xdp_program_close(program);
	return ret;
}

int xdp_program_add(struct xdp_program *program, unsigned queue, int fd, struct netring_error *error)
{
	const uint32_t key = queue, socket = (uint32_t)fd;
	int ret;

	if (queue >= program->options.queues)
		return error_set(error, EINVAL, "%s: there is no receive queue %u: it has %u", program->interface, queue, program->options.queues);
	ret = program->bpf->bpf_map_update_elem(program->sockets_fd, &key, &socket, BPF_ANY);
	if (ret < 0)
		return error_errno(error, -ret, "%s: the AF_XDP socket of queue %u", program->interface, queue);
	return 0;
}

int xdp_program_attach(struct xdp_program *program, struct netring_error *error)
{
	if (program->options.waits) {
		program->waiting = true;
		program->waiting_for = program->control->in_force;
		put_in_force(program, XDP_IN_FORCE_HOST);
	}
	return xdp_attach(program->bpf, &program->options, program->program_fd, &program->link_fd, &program->native, error);
}

void xdp_program_start(struct xdp_program *program)
{
	uint32_t waits = XDP_IN_FORCE_HOST;

	/* Threads may come at once: one that reads, and one that asks for statistics. */
	if (!__atomic_exchange_n(&program->waiting, false, __ATOMIC_RELAXED))
		return;
	/* Not if a filter has been set meanwhile: by this process, by one that it has forked, or by that which has forked it. */
	__atomic_compare_exchange_n(&program->control->in_force, &waits, program->waiting_for, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
