/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of libbpf, which is no library of netring's until a program of eBPF is loaded. */
#ifndef NETRING_LIBBPF_H
#define NETRING_LIBBPF_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "error.h"

/* Those that are used. */
#define LIBBPF_FUNCTIONS(X) \
	X(bpf_btf_load) \
	X(bpf_link_create) \
	X(bpf_link_update) \
	X(bpf_map_create) \
	X(bpf_map_update_elem) \
	X(bpf_obj_get) \
	X(bpf_obj_get_info_by_fd) \
	X(bpf_object__close) \
	X(bpf_object__load) \
	X(bpf_object__next_program) \
	X(bpf_object__open_file) \
	X(bpf_prog_get_fd_by_id) \
	X(bpf_prog_load) \
	X(bpf_program__fd) \
	X(bpf_program__name) \
	X(bpf_program__section_name) \
	X(bpf_program__set_autoload) \
	X(bpf_program__set_type) \
	X(bpf_program__type) \
	X(bpf_xdp_query) \
	X(libbpf_bpf_prog_type_str) \
	X(libbpf_probe_bpf_helper) \
	X(libbpf_set_print) \
	X(libbpf_version_string)

/* Pointers of the same names, each with the type that libbpf's header declares. */
struct libbpf {
#define LIBBPF_POINTER(name) __typeof__(name) *name;
	LIBBPF_FUNCTIONS(LIBBPF_POINTER)
#undef LIBBPF_POINTER
};

/*
 * The functions, which stay valid for as long as the process runs. Loads libbpf.so.1 the first time; a failure is forgotten, so that the next call
 * tries again. Any thread may call. -ENOSYS: the library is missing, is too old, or the process has libbpf.so.0 already, with whose functions it
 * would mix its own. -ENOMEM.
 */
int libbpf_load(const struct libbpf **functions, struct netring_error *error);

#endif
