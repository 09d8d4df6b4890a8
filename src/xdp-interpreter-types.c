/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp-interpreter-types.h. No state. */
#include "xdp-interpreter-types.h"

#include <linux/btf.h>
#include <stddef.h>
#include <string.h>

#define INFO(kind, linkage) ((uint32_t)(kind) << 24 | (linkage))

/* Numbered from 1, in this order. */
struct types {
	struct btf_header header;
	struct btf_type integer;
	uint32_t encoding;
	struct btf_type prototype;
	struct btf_type program, function;
	char names[24];
};

#define NAMES "\0int\0netring\0step"
#define NAME_INT 1
#define NAME_PROGRAM 5
#define NAME_FUNCTION 13

int xdp_interpreter_load_types(const struct libbpf *bpf)
{
	struct types types = {
		.header = { .magic = BTF_MAGIC,
			    .version = BTF_VERSION,
			    .hdr_len = sizeof(struct btf_header),
			    .type_len = offsetof(struct types, names) - sizeof(struct btf_header),
			    .str_off = offsetof(struct types, names) - sizeof(struct btf_header),
			    .str_len = sizeof(NAMES) },
		.integer = { .name_off = NAME_INT, .info = INFO(BTF_KIND_INT, 0), .size = sizeof(int32_t) },
		.encoding = BTF_INT_SIGNED << 24 | 32,
		.prototype = { .info = INFO(BTF_KIND_FUNC_PROTO, 0), .type = 1 },
		.program = { .name_off = NAME_PROGRAM, .info = INFO(BTF_KIND_FUNC, BTF_FUNC_STATIC), .type = 2 },
		.function = { .name_off = NAME_FUNCTION, .info = INFO(BTF_KIND_FUNC, BTF_FUNC_STATIC), .type = 2 },
		.names = NAMES,
	};

	return bpf->bpf_btf_load(&types, offsetof(struct types, names) + sizeof(NAMES), NULL);
}
