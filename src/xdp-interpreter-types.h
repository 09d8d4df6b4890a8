/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names and types (BTF) of a program's functions. The kernel calls a function back only if it has been told that it is local to the program
 * (Documentation/bpf/btf.rst). Little more than that is said here, in memory, without a compiler's output.
 */
#ifndef NETRING_XDP_INTERPRETER_TYPES_H
#define NETRING_XDP_INTERPRETER_TYPES_H

#include "libbpf.h"

/* Numbers of types. */
#define XDP_TYPE_PROGRAM 3
#define XDP_TYPE_FUNCTION 4

/* Returns a descriptor, the caller's, or -errno. */
int xdp_interpreter_load_types(const struct libbpf *bpf);

#endif
