/* SPDX-License-Identifier: BSD-3-Clause */
/* Classic programs that read memory which they may not have written: refused by the kernel, undefined in libpcap, 0 in netring. For tests. */
#ifndef NETRING_TEST_UNWRITTEN_MEMORY_H
#define NETRING_TEST_UNWRITTEN_MEMORY_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* As the kernel follows it, by any way through the program, which has up to BPF_MAXINSNS instructions. */
static inline bool reads_unwritten_memory(const struct sock_filter *program, unsigned length)
{
	uint16_t written[BPF_MAXINSNS + 256], now = 0;

	memset(written, 0xff, sizeof(written));
	for (unsigned i = 0; i < length; i++) {
		const struct sock_filter *insn = &program[i];

		now &= written[i];
		switch (insn->code) {
		case BPF_ST: case BPF_STX:
			now |= (uint16_t)(1 << insn->k);
			break;
		case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM:
			if (!(now & 1 << insn->k))
				return true;
			break;
		case BPF_JMP | BPF_JA:
			written[i + 1 + insn->k] &= now;
			now = UINT16_MAX;
			break;
		default:
			if (BPF_CLASS(insn->code) == BPF_JMP) {
				written[i + 1 + insn->jt] &= now;
				written[i + 1 + insn->jf] &= now;
				now = UINT16_MAX;
			}
		}
	}
	return false;
}

#endif
