/* SPDX-License-Identifier: BSD-3-Clause */
/* A program with libpcap in it, which says how it was started: what the tests of `netring run` start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

extern const char *pcap_lib_version(void);

static void print_variable(const char *name)
{
	const char *value = getenv(name);

	printf("%s=%s\n", name, value ? value : "(unset)");
}

/* Every libpcap that the process has mapped, once each. The whole name is not spelt out: netring run would take it for a name to dlopen. */
static void print_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096], last[4096] = "";
	const char *path;

	while (maps && fgets(line, sizeof(line), maps)) {
		path = strchr(line, '/');
		if (!path || !strstr(path, "/libpcap.") || strcmp(path, last) == 0)
			continue;
		printf("mapped=%s", path);
		strcpy(last, path);
	}
}

int main(int argc, char **argv)
{
	/* Exit status and arguments are the caller's, to see them come through. */
	if (argc > 2 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	printf("secure=%lu\n", getauxval(AT_SECURE));
	print_variable("LD_PRELOAD");
	print_variable("LD_LIBRARY_PATH");
	print_variable("NETRING_BLOCK_COUNT");
	print_variable("NETRING_PROFILE");
	for (int i = 0; i < argc; i++)
		printf("argument %d=%s\n", i, argv[i]);
	print_mapped();
	printf("%s\n", pcap_lib_version());
	return 0;
}
