/* SPDX-License-Identifier: BSD-3-Clause */
#include "fanout-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int in, out;

void fanout_setup(void)
{
	in = sender_open("nr0");
	out = sender_open("nr1");
}

void fanout_teardown(void)
{
	close(in);
	close(out);
}

int bound_socket(const char *interface, int protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons((uint16_t)protocol),
				       .sll_ifindex = interface_number(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

struct netring_fanout config_of(enum netring_fanout_mode mode, unsigned flags, int group)
{
	return (struct netring_fanout){ .mode = mode, .flags = flags, .group = group };
}

int try_open(struct group *group, const struct netring_fanout *config, const char *interface, struct netring_error *error)
{
	group->members = 0;
	return fanout_open(&group->fanout, config, false, interface, interface_number(interface), error);
}

int try_join(struct group *group, const char *interface, struct netring_error *error)
{
	int fd = bound_socket(interface, ETH_P_ALL);

	group->fd[group->members++] = fd;
	return fanout_join(&group->fanout, fd, error);
}

void group_add(struct group *group, const char *interface, unsigned members)
{
	struct netring_error error = { "" };

	for (unsigned i = 0; i < members; i++)
		ck_assert_msg(try_join(group, interface, &error) == 0, "%s", error.text);
}

void group_open(struct group *group, const struct netring_fanout *config, const char *interface, unsigned members)
{
	struct netring_error error = { "" };

	ck_assert_msg(try_open(group, config, interface, &error) == 0, "%s", error.text);
	group_add(group, interface, members);
	fanout_settle(&group->fanout);
}

void group_close(struct group *group)
{
	fanout_close(&group->fanout);
	for (unsigned i = 0; i < group->members; i++)
		close(group->fd[i]);
	group->members = 0;
}

unsigned count_packets(int fd)
{
	char packet[2048];
	unsigned count = 0;

	while (recv(fd, packet, sizeof(packet), 0) >= 0)
		count++;
	ck_assert_int_eq(errno, EAGAIN);
	return count;
}

unsigned await_on(const int *fd, unsigned fds, unsigned wanted)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct pollfd waiting[MEMBERS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < fds; i++)
		waiting[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	for (;;) {
		for (unsigned i = 0; i < fds; i++)
			count += count_packets(fd[i]);
		if (count >= wanted || now_ms() >= deadline)
			return count;
		poll(waiting, fds, 100);
	}
}

unsigned await_one(struct group *group, unsigned member, unsigned wanted)
{
	return await_on(&group->fd[member], 1, wanted);
}

unsigned await_all(struct group *group, unsigned wanted)
{
	return await_on(group->fd, group->members, wanted);
}

unsigned member_of(struct group *group, int sender, const void *frame, size_t length)
{
	struct pollfd members[MEMBERS_MAX];
	unsigned chosen = MEMBERS_MAX;

	for (unsigned i = 0; i < group->members; i++)
		members[i] = (struct pollfd){ .fd = group->fd[i], .events = POLLIN };
	ck_assert_int_eq(send(sender, frame, length, 0), (ssize_t)length);
	ck_assert_int_eq(poll(members, group->members, DEADLINE_MS), 1);
	for (unsigned i = 0; i < group->members; i++)
		if (members[i].revents)
			chosen = i;
	ck_assert_uint_eq(count_packets(group->fd[chosen]), 1);
	return chosen;
}

void expect_text(int ret, int code, const struct netring_error *error, const char *wanted)
{
	ck_assert_msg(ret == -code, "%d instead of %d: %s", ret, -code, error->text);
	ck_assert_msg(strstr(error->text, wanted), "'%s' instead of '%s'", error->text, wanted);
}
