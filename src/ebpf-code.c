/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See ebpf-code.h. The one thing that is not straightforward is a program that is too long for its jumps.
 *
 * Such a program is cut into blocks of BLOCK instructions, with an island between each two: one jump for each label that somebody wants to get to
 * past the island. Who is in the target's block or in the one beside it jumps directly; who is farther away jumps to the label's place on the next
 * island in that direction, and from there it goes on in the same way. What comes in from the block before an island steps over it.
 */
#include "ebpf-code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_REACH INT16_MAX
#define BLOCK 8192
/* Of jumps on an island: the longest jump goes over two islands and two blocks, each of which may be longer by one instruction. */
#define ISLAND_MAX (JUMP_REACH / 2 - BLOCK - 4)

void ebpf_code_init(struct ebpf_code *code)
{
	*code = (struct ebpf_code){ 0 };
}

void ebpf_code_free(struct ebpf_code *code)
{
	free(code->insn);
	free(code->place);
	free(code->jump);
	ebpf_code_init(code);
}

/* Makes room for one more element. False: there is none, and the failure is noted. */
static bool grow(struct ebpf_code *code, void *array, unsigned count, unsigned *room, size_t size)
{
	void **memory = array, *more;
	unsigned wanted = *room ? *room * 2 : 64;

	if (code->failure < 0)
		return false;
	if (count < *room)
		return true;
	more = reallocarray(*memory, wanted, size);
	if (!more) {
		code->failure = -ENOMEM;
		return false;
	}
	*memory = more;
	*room = wanted;
	return true;
}

void ebpf_emit(struct ebpf_code *code, struct bpf_insn insn)
{
	if (!code->failure && code->count == EBPF_COUNT_MAX)
		code->failure = -E2BIG;
	if (grow(code, &code->insn, code->count, &code->insn_room, sizeof(*code->insn)))
		code->insn[code->count++] = insn;
}

void ebpf_emit_map(struct ebpf_code *code, unsigned to, int map_fd)
{
	ebpf_emit(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, map_fd));
	ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
}

unsigned ebpf_label(struct ebpf_code *code)
{
	if (!grow(code, &code->place, code->labels, &code->label_room, sizeof(*code->place)))
		return EBPF_NOWHERE;
	code->place[code->labels] = EBPF_NOWHERE;
	return code->labels++;
}

void ebpf_place(struct ebpf_code *code, unsigned label)
{
	if (!code->failure)
		code->place[label] = code->count;
}

void ebpf_jump(struct ebpf_code *code, struct bpf_insn insn, unsigned label)
{
	if (!grow(code, &code->jump, code->jumps, &code->jump_room, sizeof(*code->jump)))
		return;
	code->jump[code->jumps++] = (struct ebpf_jump){ .from = code->count, .label = label };
	ebpf_emit(code, insn);
}

void ebpf_emit_function(struct ebpf_code *code, unsigned to, unsigned label)
{
	ebpf_jump(code, EBPF_MAKE(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_FUNC, 0, 0), label);
	ebpf_emit(code, EBPF_MAKE(0, 0, 0, 0, 0));
}

bool ebpf_is_target(const struct ebpf_code *code, unsigned label)
{
	for (unsigned i = 0; i < code->jumps; i++)
		if (code->jump[i].label == label)
			return true;
	return false;
}

/* Islands */

struct islands {
	unsigned blocks;
	unsigned *first;  /* of each block: its first instruction, as the program was */
	unsigned *start;  /* and where that comes to lie */
	unsigned *ahead;  /* of each label: the first island that jumps forward to it; EBPF_NOWHERE: none */
	unsigned *behind; /* and the last island that jumps back to it; 0: none. Island n is in front of block n. */
	unsigned *entry;  /* [block][label]: where the jump lies */
};

static bool is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool falls_through(const struct bpf_insn *insn)
{
	return insn->code != (BPF_JMP | BPF_JA) && insn->code != (BPF_JMP | BPF_EXIT);
}

static void islands_free(struct islands *islands)
{
	free(islands->first);
	free(islands->start);
	free(islands->ahead);
	free(islands->behind);
	free(islands->entry);
}

static int islands_alloc(struct islands *islands, const struct ebpf_code *code)
{
	unsigned blocks = (code->count - 1) / BLOCK + 1;

	*islands = (struct islands){
		.blocks = blocks,
		.first = calloc(blocks, sizeof(unsigned)),
		.start = calloc(blocks, sizeof(unsigned)),
		.ahead = calloc(code->labels, sizeof(unsigned)),
		.behind = calloc(code->labels, sizeof(unsigned)),
		.entry = calloc((size_t)blocks * code->labels, sizeof(unsigned)),
	};
	return islands->first && islands->start && islands->ahead && islands->behind && islands->entry ? 0 : -ENOMEM;
}

static unsigned block_of(const struct islands *islands, unsigned index)
{
	unsigned block = index / BLOCK;

	if (block == islands->blocks) /* a label behind the last instruction */
		block--;
	return index < islands->first[block] ? block - 1 : block;
}

static unsigned moved(const struct islands *islands, unsigned index)
{
	unsigned block = block_of(islands, index);

	return islands->start[block] + index - islands->first[block];
}

/* Where the blocks begin: not between the two halves of an instruction. And which islands each label needs. */
static void survey(struct islands *islands, const struct ebpf_code *code)
{
	for (unsigned block = 1; block < islands->blocks; block++)
		islands->first[block] = block * BLOCK + is_wide(&code->insn[block * BLOCK - 1]);
	memset(islands->ahead, 0xff, code->labels * sizeof(*islands->ahead));
	for (unsigned i = 0; i < code->jumps; i++) {
		unsigned label = code->jump[i].label;
		unsigned from = block_of(islands, code->jump[i].from), to = block_of(islands, code->place[label]);

		if (is_wide(&code->insn[code->jump[i].from])) /* an address reaches everywhere */
			continue;
		if (to > from + 1 && from + 1 < islands->ahead[label])
			islands->ahead[label] = from + 1;
		if (from > to + 1 && from > islands->behind[label])
			islands->behind[label] = from;
	}
}

static bool holds(const struct islands *islands, const struct ebpf_code *code, unsigned island, unsigned label)
{
	unsigned to;

	if (code->place[label] == EBPF_NOWHERE)
		return false;
	to = block_of(islands, code->place[label]);
	return (island >= islands->ahead[label] && island < to) || (island > to + 1 && island <= islands->behind[label]);
}

/* Gives each block, and each jump on an island, its place. */
static int lay_out(struct islands *islands, const struct ebpf_code *code, unsigned *count)
{
	unsigned next = 0;

	for (unsigned block = 0; block < islands->blocks; block++) {
		unsigned end = block + 1 < islands->blocks ? islands->first[block + 1] : code->count, island;

		if (block > 0)
			next += falls_through(&code->insn[islands->first[block] - 1]);
		island = next;
		for (unsigned label = 0; block > 0 && label < code->labels; label++)
			if (holds(islands, code, block, label))
				islands->entry[block * code->labels + label] = next++;
		if (next - island > ISLAND_MAX)
			return -E2BIG;
		islands->start[block] = next;
		next += end - islands->first[block];
	}
	*count = next;
	return next > EBPF_COUNT_MAX ? -E2BIG : 0;
}

/*
 * Where a jump goes that begins in block `from`, or, for one on an island, in the block on the far side of its target: the target, or the next
 * island.
 */
static unsigned landing(const struct islands *islands, const struct ebpf_code *code, unsigned from, unsigned label)
{
	unsigned to = block_of(islands, code->place[label]);

	if (to > from + 1)
		return islands->entry[(from + 1) * code->labels + label];
	if (from > to + 1)
		return islands->entry[from * code->labels + label];
	return moved(islands, code->place[label]);
}

static void direct(struct bpf_insn *insn, unsigned from, unsigned to)
{
	if (is_wide(&insn[from]))
		insn[from].imm = (int)to - (int)from - 1;
	else
		insn[from].off = (__s16)((int)to - (int)from - 1);
}

static void build_island(const struct islands *islands, const struct ebpf_code *code, struct bpf_insn *insn, unsigned island)
{
	const struct bpf_insn *before = &code->insn[islands->first[island] - 1];

	if (falls_through(before)) {
		unsigned from = moved(islands, islands->first[island] - 1) + 1;

		insn[from] = ebpf_always();
		direct(insn, from, islands->start[island]);
	}
	for (unsigned label = 0; label < code->labels; label++) {
		unsigned from = islands->entry[island * code->labels + label];

		if (!from)
			continue;
		insn[from] = ebpf_always();
		direct(insn, from, landing(islands, code, block_of(islands, code->place[label]) < island ? island - 1 : island, label));
	}
}

static int spread(const struct islands *islands, struct ebpf_code *code, unsigned count)
{
	struct bpf_insn *insn = calloc(count, sizeof(*insn));

	if (!insn)
		return -ENOMEM;
	for (unsigned block = 0; block < islands->blocks; block++) {
		unsigned first = islands->first[block], end = block + 1 < islands->blocks ? islands->first[block + 1] : code->count;

		memcpy(insn + islands->start[block], code->insn + first, (end - first) * sizeof(*insn));
		if (block > 0)
			build_island(islands, code, insn, block);
	}
	for (unsigned i = 0; i < code->jumps; i++) {
		unsigned from = code->jump[i].from, label = code->jump[i].label;
		unsigned to =
			is_wide(&code->insn[from]) ? moved(islands, code->place[label]) : landing(islands, code, block_of(islands, from), label);

		direct(insn, moved(islands, from), to);
	}
	free(code->insn);
	code->insn = insn;
	code->count = code->insn_room = count;
	return 0;
}

static int resolve_by_islands(struct ebpf_code *code)
{
	struct islands islands;
	unsigned count;
	int ret = islands_alloc(&islands, code);

	if (ret == 0) {
		survey(&islands, code);
		ret = lay_out(&islands, code, &count);
	}
	if (ret == 0)
		ret = spread(&islands, code, count);
	islands_free(&islands);
	return ret;
}

static void resolve(struct ebpf_code *code)
{
	for (unsigned i = 0; i < code->jumps; i++)
		direct(code->insn, code->jump[i].from, code->place[code->jump[i].label]);
}

int ebpf_finish(struct ebpf_code *code, struct netring_error *error)
{
	if (!code->failure)
		for (unsigned i = 0; i < code->jumps; i++)
			if (code->place[code->jump[i].label] == EBPF_NOWHERE)
				return error_set(error, EINVAL, "instruction %u of an eBPF program jumps to label %u, which is nowhere",
						 code->jump[i].from, code->jump[i].label);
	if (!code->failure && code->count > JUMP_REACH && code->jumps > 0)
		code->failure = resolve_by_islands(code);
	else if (!code->failure)
		resolve(code);
	if (code->failure == -E2BIG)
		return error_set(error, E2BIG, "the eBPF program is too long: %u instructions or more", code->count);
	if (code->failure < 0)
		return error_errno(error, -code->failure, "eBPF program of %u instructions", code->count);
	return 0;
}

unsigned ebpf_function(const struct ebpf_code *code)
{
	for (unsigned i = 0; i < code->count; i++)
		if (is_wide(&code->insn[i]) && code->insn[i].src_reg == BPF_PSEUDO_FUNC)
			return i + 1 + (unsigned)code->insn[i].imm;
	return 0;
}
