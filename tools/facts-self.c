/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process may do: capabilities, limits, sandbox. A capture that is started in the same way may do the same. */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "facts-collect.h"

static const struct {
	const char *name;
	int number;
} capabilities[] = {
	{ "net_raw", CAP_NET_RAW }, { "net_admin", CAP_NET_ADMIN }, { "bpf", CAP_BPF }, { "sys_admin", CAP_SYS_ADMIN }, { "ipc_lock", CAP_IPC_LOCK },
};

static void collect_capabilities(struct facts *facts, uint64_t effective)
{
	char fact[64];

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		snprintf(fact, sizeof(fact), "self.cap.%s", capabilities[i].name);
		facts_set(facts, fact, effective >> capabilities[i].number & 1 ? "yes" : "no");
	}
}

static void collect_seccomp(struct facts *facts, const char *value)
{
	static const char *const modes[] = { "off", "strict", "filter" };
	unsigned long mode = strtoul(value, NULL, 10);

	if (mode < sizeof(modes) / sizeof(modes[0]))
		facts_set(facts, "self.seccomp", modes[mode]);
}

static void collect_status(struct facts *facts)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[4096];

	if (!file) {
		facts_why(facts, "self.cap.net_raw", "/proc/self/status is not there");
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "CapEff:", 7) == 0)
			collect_capabilities(facts, strtoull(line + 7, NULL, 16));
		else if (strncmp(line, "Seccomp:", 8) == 0)
			collect_seccomp(facts, line + 8);
	}
	fclose(file);
}

void facts_collect_self(struct facts *facts)
{
	struct rlimit limit;

	collect_status(facts);
	facts_set(facts, "self.root", geteuid() == 0 ? "yes" : "no");
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		facts_set(facts, "self.limit.memlock", "unlimited");
	else
		facts_format(facts, "self.limit.memlock", "%" PRIu64, (uint64_t)limit.rlim_cur);
}
