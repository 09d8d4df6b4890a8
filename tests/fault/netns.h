/* SPDX-License-Identifier: BSD-3-Clause */
/* A network namespace of the test program's own, with its loopback interface up, or the reason why there is none. For tests in C that need privilege. */
#ifndef NETRING_TEST_NETNS_H
#define NETRING_TEST_NETNS_H

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int netns_lo_up(void)
{
	struct ifreq request;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
	ret = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return ret;
}

/* Ends the program where it cannot be: a skip, or a failure where tests are required. */
static inline void netns_enter(void)
{
	const char *required = getenv("NETRING_TESTS_REQUIRED");

	if (unshare(CLONE_NEWNET) == 0 && netns_lo_up() == 0)
		return;
	if (required && strcmp(required, "1") == 0) {
		printf("Bail out! no network namespace: %s, and NETRING_TESTS_REQUIRED=1\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
	exit(EXIT_SUCCESS);	/* the plan is what says it; TAP takes any other status for a failure */
}

#endif
