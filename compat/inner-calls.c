/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls of the embedded libpcap: see inner-calls.h for which, and why. What is remembered is the thread's, and only during one of the calls
 * below.
 */
#include "inner-calls.h"

#include <linux/if_packet.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static __thread bool making_idle;
static __thread int watched_eventfd = -1;

void *inner_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int inner_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int inner_eventfd(unsigned value, int flags);
int inner_close(int fd);

int inner_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	if (making_idle && level == SOL_PACKET && option == PACKET_RX_RING)
		return 0;
	return setsockopt(fd, level, option, value, size);
}

/* libpcap writes nothing into its ring before it reads, so these pages are never touched. */
void *inner_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (making_idle)
		return mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mmap(address, length, protection, flags, fd, offset);
}

int inner_eventfd(unsigned value, int flags)
{
	watched_eventfd = eventfd(value, flags);
	return watched_eventfd;
}

int inner_close(int fd)
{
	if (fd == watched_eventfd)
		watched_eventfd = -1;
	return close(fd);
}

struct inner *inner_create(const char *device, int *eventfd, char *errbuf)
{
	struct inner *inner;

	watched_eventfd = -1;
	inner = inner_pcap_create(device, errbuf);
	*eventfd = watched_eventfd;
	return inner;
}

int inner_activate_idle(struct inner *inner)
{
	int status;

	making_idle = true;
	status = inner_pcap_activate(inner);
	making_idle = false;
	return status;
}

void inner_close_handle(struct inner *inner, int eventfd)
{
	watched_eventfd = eventfd;
	inner_pcap_close(inner);
	if (watched_eventfd >= 0)
		close(watched_eventfd);
	watched_eventfd = -1;
}
