/* SPDX-License-Identifier: BSD-3-Clause */
#include "faulty-libbpf.h"

#include <check.h>
#include <stdbool.h>

struct libbpf table;
static struct libbpf sound;

int __real_libbpf_load(const struct libbpf **functions, struct netring_error *error);
int __wrap_libbpf_load(const struct libbpf **functions, struct netring_error *error);
int __wrap_libbpf_load(const struct libbpf **functions, struct netring_error *error)
{
	static bool copied;
	int ret = copied ? 0 : __real_libbpf_load(functions, error);

	if (ret < 0)
		return ret;
	if (!copied)
		table = sound = **functions;
	copied = true;
	*functions = &table;
	return 0;
}

const struct libbpf *sound_libbpf(void)
{
	const struct libbpf *functions = NULL;
	struct netring_error error = { "" };

	ck_assert_msg(__wrap_libbpf_load(&functions, &error) == 0, "%s", error.text);
	return &sound;
}
