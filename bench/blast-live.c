/* SPDX-License-Identifier: BSD-3-Clause */
/* blast -m live: an XDP program that redirects frames of the kernel's own making. blast.c says how it works. */
#include "blast.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* After a pause (another task had the CPU) the sender catches up with this much at most, instead of sending one long burst. */
#define CATCH_UP_NS 1000000

/* Shared with the XDP program, which finds it in a map with one element. */
struct pace {
	uint64_t sent;
	uint64_t limit;
	uint64_t due_ns;
	uint64_t interval_ns;
};

/* ---- the program ---- */

struct assembler {
	struct bpf_insn insn[96];
	int length;
	int to_drop[8]; /* jumps to the end, their distance still open */
	int jumps;
};

static void emit(struct assembler *a, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	a->insn[a->length++] = (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

static void emit_load(struct assembler *a, uint8_t size, uint8_t dst, uint8_t src, size_t offset)
{
	emit(a, BPF_LDX | size | BPF_MEM, dst, src, (int16_t)offset, 0);
}

static void emit_store(struct assembler *a, uint8_t size, uint8_t dst, size_t offset, uint8_t src)
{
	emit(a, BPF_STX | size | BPF_MEM, dst, src, (int16_t)offset, 0);
}

static void emit_move(struct assembler *a, uint8_t dst, uint8_t src)
{
	emit(a, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_network_order(struct assembler *a, uint8_t reg, int bits)
{
	emit(a, BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, bits);
}

/* Drops the frame if `left op right` holds. */
static void emit_drop_if(struct assembler *a, uint8_t op, uint8_t left, uint8_t right)
{
	a->to_drop[a->jumps++] = a->length;
	emit(a, BPF_JMP | op | BPF_X, left, right, 0, 0);
}

static void emit_call(struct assembler *a, int helper)
{
	emit(a, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static void emit_redirect(struct assembler *a, int ifindex)
{
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, ifindex);
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0);
	emit_call(a, BPF_FUNC_redirect);
	emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_drop_target(struct assembler *a)
{
	for (int i = 0; i < a->jumps; i++)
		a->insn[a->to_drop[i]].off = (int16_t)(a->length - a->to_drop[i] - 1);
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_DROP);
	emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Leaves the address of struct pace in r7, and what was sent so far in r8. */
static void emit_pace_load(struct assembler *a, int map)
{
	emit(a, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_7, BPF_PSEUDO_MAP_VALUE, 0, map);
	emit(a, 0, 0, 0, 0, 0); /* the second half of the 64-bit constant: offset 0 in the value */
	emit_load(a, BPF_DW, BPF_REG_8, BPF_REG_7, offsetof(struct pace, sent));
}

/* Drops the frame if the limit is reached or it is not due, and moves the due time on. Leaves the time in r9. */
static void emit_pace(struct assembler *a)
{
	emit_load(a, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct pace, limit));
	emit_drop_if(a, BPF_JGE, BPF_REG_8, BPF_REG_1);
	emit_call(a, BPF_FUNC_ktime_get_ns);
	emit_move(a, BPF_REG_9, BPF_REG_0);
	emit_load(a, BPF_DW, BPF_REG_1, BPF_REG_7, offsetof(struct pace, due_ns));
	emit_drop_if(a, BPF_JLT, BPF_REG_9, BPF_REG_1);

	/* due = max(due, now - CATCH_UP_NS) + interval */
	emit_move(a, BPF_REG_2, BPF_REG_9);
	emit(a, BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_2, 0, 0, CATCH_UP_NS);
	emit(a, BPF_JMP | BPF_JGE | BPF_X, BPF_REG_1, BPF_REG_2, 1, 0);
	emit_move(a, BPF_REG_1, BPF_REG_2);
	emit_load(a, BPF_DW, BPF_REG_2, BPF_REG_7, offsetof(struct pace, interval_ns));
	emit(a, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);
	emit_store(a, BPF_DW, BPF_REG_7, offsetof(struct pace, due_ns), BPF_REG_1);
}

static void emit_store_number(struct assembler *a, uint8_t dst, size_t offset, uint16_t number)
{
	emit(a, BPF_ST | BPF_H | BPF_MEM, dst, 0, (int16_t)offset, htons(number));
}

/* The client's host and port, in network order in r4 and r3, to these places, the server's to the others. */
static void emit_ends(struct assembler *a, bool reverse)
{
	emit_store(a, BPF_H, BPF_REG_2, reverse ? TARGET_HOST_OFFSET : SOURCE_HOST_OFFSET, BPF_REG_4);
	emit_store(a, BPF_H, BPF_REG_2, reverse ? TARGET_PORT_OFFSET : SOURCE_PORT_OFFSET, BPF_REG_3);
	emit_store_number(a, BPF_REG_2, reverse ? SOURCE_HOST_OFFSET : TARGET_HOST_OFFSET, SERVER_HOST);
	emit_store_number(a, BPF_REG_2, reverse ? SOURCE_PORT_OFFSET : TARGET_PORT_OFFSET, SERVER_PORT);
}

/* Both ends of the flow whose turn it is, into the frame at r2. Changes r0, r3, r4, r5. */
static void emit_conversation(struct assembler *a, const struct options *o)
{
	int to_reverse, to_end;

	emit_move(a, BPF_REG_4, BPF_REG_8);
	emit(a, BPF_ALU64 | BPF_MOD | BPF_K, BPF_REG_4, 0, 0, (int32_t)o->flows);
	emit_move(a, BPF_REG_3, BPF_REG_4);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, FIRST_PORT);
	emit_network_order(a, BPF_REG_3, 16);
	emit_network_order(a, BPF_REG_4, 16);
	emit_move(a, BPF_REG_0, BPF_REG_4);
	emit(a, BPF_ALU64 | BPF_XOR | BPF_K, BPF_REG_0, 0, 0, 0xffff);
	emit_store(a, BPF_H, BPF_REG_2, IP_ID_OFFSET, BPF_REG_0);
	if (!o->both) {
		emit_ends(a, false);
		return;
	}
	emit_move(a, BPF_REG_5, BPF_REG_8);
	emit(a, BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_5, 0, 0, (int32_t)o->flows);
	to_reverse = a->length;
	emit(a, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_5, 0, 0, 1);
	emit_ends(a, false);
	to_end = a->length;
	emit(a, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	a->insn[to_reverse].off = (int16_t)(a->length - to_reverse - 1);
	emit_ends(a, true);
	a->insn[to_end].off = (int16_t)(a->length - to_end - 1);
}

/* Writes sequence number, time and the flow's ends into the frame whose context is in r6, and counts it. */
static void emit_numbering(struct assembler *a, const struct options *o)
{
	emit_load(a, BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data));
	emit_load(a, BPF_W, BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data_end));
	emit_move(a, BPF_REG_4, BPF_REG_2);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, FRAME_MIN);
	emit_drop_if(a, BPF_JGT, BPF_REG_4, BPF_REG_3);

	emit(a, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_4, 0, 0, (int32_t)(uint32_t)o->base);
	emit(a, 0, 0, 0, 0, (int32_t)(uint32_t)(o->base >> 32));
	emit(a, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_4, BPF_REG_8, 0, 0);
	emit_network_order(a, BPF_REG_4, 64);
	emit_store(a, BPF_DW, BPF_REG_2, SEQ_OFFSET, BPF_REG_4);
	emit_network_order(a, BPF_REG_9, 64);
	emit_store(a, BPF_DW, BPF_REG_2, TIME_OFFSET, BPF_REG_9);
	if (has_conversations(o))
		emit_conversation(a, o);
	emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_8, 0, 0, 1);
	emit_store(a, BPF_DW, BPF_REG_7, offsetof(struct pace, sent), BPF_REG_8);
}

/* The program counts in the map unless the frames are identical and unpaced: then it only redirects, in four instructions. */
static bool live_counts(const struct options *o)
{
	return !o->identical || o->rate != 0;
}

static int live_load(const struct options *o, int map)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct assembler a = { .length = 0 };
	static char log[16384];
	int program;

	if (live_counts(o)) {
		emit_move(&a, BPF_REG_6, BPF_REG_1);
		emit_pace_load(&a, map);
		emit_pace(&a);
		emit_numbering(&a, o);
	}
	emit_redirect(&a, o->ifindex);
	if (a.jumps)
		emit_drop_target(&a);

	opts.log_buf = log;
	opts.log_size = sizeof(log);
	opts.log_level = 0;
	program = bpf_prog_load(BPF_PROG_TYPE_XDP, "blast", "BSD", a.insn, (size_t)a.length, &opts);
	if (program < 0)
		fprintf(stderr, "blast: cannot load the XDP program: %s\n%s", strerror(-program), log);
	return program;
}

/* ---- the run ---- */

/*
 * The kernel's loop knows only a number of runs, and a run that drops a frame counts. So a paced run asks for more runs than it
 * will need, and this thread interrupts it with a signal once the last frame is out.
 */
struct watch {
	pthread_t sender;
	const struct pace *pace;
	bool done; /* set by the sender when the kernel has come back */
};

static void *watch_pace(void *argument)
{
	struct watch *w = argument;
	const struct timespec nap = { .tv_nsec = 500000 };

	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		if (blast_stop || __atomic_load_n(&w->pace->sent, __ATOMIC_RELAXED) >= w->pace->limit)
			pthread_kill(w->sender, SIGUSR1);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static int live_call(const struct options *o, int program, unsigned char *frame, uint64_t repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int error;

	run.data_in = frame;
	run.data_size_in = (uint32_t)o->size;
	run.repeat = (int)repeat;
	run.batch_size = o->batch;
	run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
	error = bpf_prog_test_run_opts(program, &run);
	if (error && error != -EINTR)
		fprintf(stderr, "blast: BPF_PROG_TEST_RUN: %s (live frames need Linux 5.18; try -m packet)\n", strerror(-error));
	return error;
}

#define REPEAT_MAX 1000000000ULL

/* Unpaced: one run is one frame. Returns the frames sent. */
static uint64_t live_flat_out(const struct options *o, int program, unsigned char *frame)
{
	uint64_t left = o->count;

	while (left && !blast_stop) {
		uint64_t repeat = left < REPEAT_MAX ? left : REPEAT_MAX;

		if (live_call(o, program, frame, repeat))
			break;
		left -= repeat;
	}
	return o->count - left;
}

static void live_paced(const struct options *o, int program, unsigned char *frame, const struct pace *pace)
{
	struct watch w = { .sender = pthread_self(), .pace = pace };
	pthread_t watcher;
	int error = 0;

	if (pthread_create(&watcher, NULL, watch_pace, &w)) {
		fprintf(stderr, "blast: cannot start the watching thread\n");
		return;
	}
	while (!blast_stop && !error && __atomic_load_n(&pace->sent, __ATOMIC_RELAXED) < pace->limit) {
		error = live_call(o, program, frame, REPEAT_MAX);
		if (error == -EINTR)
			error = 0;
	}
	__atomic_store_n(&w.done, true, __ATOMIC_RELEASE);
	pthread_join(watcher, NULL);
}

static struct pace *pace_map(const struct options *o, int *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct pace *pace;

	*map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "blast_pace", sizeof(uint32_t), sizeof(struct pace), 1, &opts);
	if (*map < 0) {
		fprintf(stderr, "blast: cannot make a BPF map: %s\n", strerror(-*map));
		return NULL;
	}
	pace = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, *map, 0);
	if (pace == MAP_FAILED) {
		fprintf(stderr, "blast: cannot map the BPF map: %s\n", strerror(errno));
		close(*map);
		return NULL;
	}
	*pace = (struct pace){ .limit = o->count, .due_ns = blast_now_ns() };
	if (o->rate)
		pace->interval_ns = NSEC_PER_SEC / o->rate;
	return pace;
}

uint64_t live_send(const struct options *o, uint64_t *sending_ns)
{
	unsigned char frame[FRAME_MAX];
	uint64_t sent = 0, start;
	struct pace *pace;
	int map, program;

	pace = pace_map(o, &map);
	if (!pace)
		return 0;
	program = live_load(o, map);
	if (program < 0)
		return 0;
	frame_fill(frame, o);
	start = blast_now_ns();
	if (o->rate)
		live_paced(o, program, frame, pace);
	else
		sent = live_flat_out(o, program, frame);
	*sending_ns = blast_now_ns() - start;
	if (live_counts(o))
		sent = pace->sent;
	return sent; /* the kernel frees map and program with the process */
}
