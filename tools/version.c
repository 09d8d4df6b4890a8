/* SPDX-License-Identifier: BSD-3-Clause */
/* netring version: of netring, and of the libpcap embedded in the drop-in library, which is asked itself. */
#include <dlfcn.h>
#include <getopt.h>
#include <stdio.h>

#include "tools.h"

static const struct command_text text = {
	"netring version",
	"Usage: netring version [-L DIR]\n"
	"\n"
	"Print the version of netring, the version of the libpcap embedded in it, and the path of the library that `netring run` preloads.\n"
	"\n"
	"  -L, --library-dir DIR  look for " NETRING_PCAP_SONAME " in DIR instead of " NETRING_SHIM_DIR "\n",
};

static int print_library(const struct shim *shim)
{
	void *library = dlopen(shim->library, RTLD_NOW | RTLD_LOCAL);
	const char *(*lib_version)(void) = NULL;

	if (library)
		*(void **)&lib_version = dlsym(library, "pcap_lib_version");
	if (!lib_version) {
		fprintf(stderr, "netring version: cannot ask the library: %s\n", dlerror());
		return STATUS_FAILED;
	}
	printf("embedded: %s\n", lib_version());
	printf("library: %s\n", shim->library);
	return STATUS_OK;
}

int version_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "library-dir", required_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *folder = NETRING_SHIM_DIR;
	struct shim shim;
	struct netring_error error;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":L:h", options, NULL)) != -1) {
		if (option == 'h')
			return print_usage(&text);
		if (option != 'L')
			return complain_option(&text, option, argv);
		folder = optarg;
	}
	if (optind < argc)
		return complain_usage(&text, "unexpected argument %s", argv[optind]);
	printf("netring %s\n", NETRING_VERSION);
	if (shim_find(&shim, folder, &error) == 0)
		return print_library(&shim);
	fprintf(stderr, "netring version: %s\n", error.text);
	return STATUS_FAILED;
}
