/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libbpf, loaded when the first program of eBPF is. As a library that netring is linked with it would cost every program that is started on netring
 * a fifth of the loader's work, and none would start where it is missing.
 *
 * No lock, as a process may fork while another thread holds it: threads that come first at the same time all load it, and one table of functions is
 * taken. The library is never unloaded; it may hold state of its own for threads of the caller's.
 */
#include "libbpf.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#define LIBRARY "libbpf.so.1"
#define LIBRARY_BEFORE "libbpf.so.0"

_Static_assert(LIBBPF_MAJOR_VERSION == 1, "the types of the functions are those of " LIBRARY);

static const struct libbpf *loaded;

static int find_functions(struct libbpf *found, void *library, struct netring_error *error)
{
#define FIND(name) \
	found->name = (__typeof__(found->name))dlsym(library, #name); \
	if (!found->name) \
		return error_set(error, ENOSYS, "%s is needed for eBPF programs, and this one has no %s", LIBRARY, #name);

	LIBBPF_FUNCTIONS(FIND)
#undef FIND
	return 0;
}

/* libbpf calls its own functions by names that are looked up in the whole process; those of the older library have the same names and versions. */
static int refuse_to_mix(struct netring_error *error)
{
	void *other = dlopen(LIBRARY_BEFORE, RTLD_LAZY | RTLD_NOLOAD);

	if (!other)
		return 0;
	dlclose(other);
	return error_set(error, ENOSYS, "%s is needed for eBPF programs, and cannot be in one process with %s, which this program uses", LIBRARY,
			 LIBRARY_BEFORE);
}

static int open_library(void **library, struct libbpf *found, struct netring_error *error)
{
	const char *reason;
	int ret = refuse_to_mix(error);

	if (ret < 0)
		return ret;
	*library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!*library) {
		reason = dlerror();
		return error_set(error, ENOSYS, "%s is needed for eBPF programs: %s (package libbpf1)", LIBRARY,
				 reason ? reason : "it cannot be loaded");
	}
	ret = find_functions(found, *library, error);
	if (ret < 0)
		dlclose(*library);
	return ret;
}

static int load(const struct libbpf **functions, struct netring_error *error)
{
	struct libbpf *found = malloc(sizeof(*found));
	const struct libbpf *first = NULL;
	void *library = NULL;
	int ret;

	if (!found)
		return error_errno(error, ENOMEM, LIBRARY);
	ret = open_library(&library, found, error);
	if (ret < 0) {
		free(found);
		return ret;
	}
	/* Release: whoever sees the pointer sees the table. Pairs with the acquires here and in libbpf_load. */
	if (!__atomic_compare_exchange_n(&loaded, &first, found, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)) {
		free(found);
		dlclose(library);
		*functions = first;
		return 0;
	}
	*functions = found;
	return 0;
}

int libbpf_load(const struct libbpf **functions, struct netring_error *error)
{
	const struct libbpf *known = __atomic_load_n(&loaded, __ATOMIC_ACQUIRE);

	if (!known)
		return load(functions, error);
	*functions = known;
	return 0;
}
