/* SPDX-License-Identifier: BSD-3-Clause */
/* What attaching the XDP program may bring with it: generic mode on a driver that was bound for zero copy, and a link that goes away for a while. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "faulty-libbpf.h"
#include "fixture.h"
#include "interface.h"

/* A driver that has zero copy: veth has not. */
static bool has_zero_copy;
static uint16_t bound_with;

int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	struct sockaddr_xdp xdp;

	if (address->sa_family != AF_XDP)
		return __real_bind(fd, address, size);
	xdp = *(const struct sockaddr_xdp *)address;
	bound_with = xdp.sxdp_flags;
	if (has_zero_copy)
		xdp.sxdp_flags &= (uint16_t)~XDP_ZEROCOPY;
	return __real_bind(fd, (const struct sockaddr *)&xdp, sizeof(xdp));
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	int ret = __real_getsockopt(fd, level, name, value, size);

	if (ret == 0 && has_zero_copy && level == SOL_XDP && name == XDP_OPTIONS && !(bound_with & XDP_COPY))
		((struct xdp_options *)value)->flags |= XDP_OPTIONS_ZEROCOPY;
	return ret;
}

/* How often somebody has waited a moment, with nothing to wait for. */
static unsigned pauses;

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	pauses += count == 0;
	return __real_poll(fds, count, timeout_ms);
}

static void setup(void)
{
	table = *sound_libbpf();
}

static struct netring_config xdp_config(void)
{
	struct netring_config config = small_config();

	config.backend = NETRING_BACKEND_XDP;
	config.xdp.frames = 1024;
	return config;
}

static int refuse_native(int program_fd, int ifindex, enum bpf_attach_type type, const struct bpf_link_create_opts *how)
{
	return how->flags & XDP_FLAGS_DRV_MODE ? -EOPNOTSUPP : sound_libbpf()->bpf_link_create(program_fd, ifindex, type, how);
}

START_TEST(generic_copies)
{
	struct netring_config config = xdp_config();
	struct netring_error error = { "" };
	struct netring_burst burst;
	int sender = sender_open("nr0");
	unsigned before = open_descriptors();
	struct netring *capture;

	table.bpf_link_create = refuse_native;
	has_zero_copy = true;
	capture = open_or_fail(&config);
	ck_assert(capture_is_xdp(capture));
	ck_assert(!capture->port[0].program.native);
	ck_assert(!capture->ring[0].xdp->zero_copy);
	ck_assert(bound_with & XDP_COPY);
	stats_of(capture);
	sender_send(sender, TYPE_A, 7, FRAME_LEN);
	ck_assert(take_some(capture, &burst, 1));
	check_frame(&burst.packet[0], TYPE_A, 7, FRAME_LEN);
	netring_give_back(capture, &burst, 1);
	netring_close(capture);
	ck_assert_uint_eq(open_descriptors(), before);

	config.xdp.copy = NETRING_XDP_ZEROCOPY;
	ck_assert_int_eq(netring_open(&capture, &config, &error), -EINVAL);
	ck_assert_str_eq(error.text, "nr1: zero-copy was asked for, and in generic mode, behind the driver, packets are always copied");
	ck_assert_uint_eq(open_descriptors(), before);
	close(sender);
}
END_TEST

static void *return_later(void *unused)
{
	(void)unused;
	poll(NULL, 0, 200);
	return system("ip link set nr0 up") == 0 ? &table : NULL;
}

static pthread_t returning;

/* Its other end is down for a while: so there is no link. */
static int lose_link(int program_fd, int ifindex, enum bpf_attach_type type, const struct bpf_link_create_opts *how)
{
	int ret = sound_libbpf()->bpf_link_create(program_fd, ifindex, type, how);

	shell("ip link set nr0 down");
	ck_assert_int_eq(pthread_create(&returning, NULL, return_later, NULL), 0);
	return ret;
}

START_TEST(link_returns)
{
	struct netring_config config = xdp_config();
	static const uint8_t frame[60];
	struct netring *capture;
	void *done;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	config.strict = true;
	table.bpf_link_create = lose_link;
	capture = open_or_fail(&config);
	ck_assert(interface_has_link(fd, "nr1"));
	ck_assert_int_eq(netring_send(capture, frame, sizeof(frame), NULL), sizeof(frame));
	ck_assert_int_eq(pthread_join(returning, &done), 0);
	ck_assert_ptr_nonnull(done);
	netring_close(capture);
	close(fd);
}
END_TEST

/* Where there was none nobody waits for it. */
START_TEST(no_link)
{
	struct netring_config config = xdp_config();
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	uint64_t begin_ms;

	ck_assert(interface_wait_for_link(fd, "nr1", DEADLINE_MS));
	shell("ip link set nr0 down");
	begin_ms = now_ms();
	ck_assert(!interface_wait_for_link(fd, "nr1", 50));
	ck_assert_uint_ge(now_ms() - begin_ms, 50);
	ck_assert_uint_gt(pauses, 0);
	pauses = 0;
	netring_close(open_or_fail(&config));
	ck_assert_uint_lt(pauses, 100); /* for as long as it has patience it would be 500 */
	shell("ip link set nr0 up");
	ck_assert(interface_wait_for_link(fd, "nr1", DEADLINE_MS));
	ck_assert(!interface_has_link(fd, "nr9"));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp attach");
	TCase *tcase = tcase_create("xdp attach");

	fixture_enter();
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, generic_copies);
	tcase_add_test(tcase, link_returns);
	tcase_add_test(tcase, no_link);
	suite_add_tcase(suite, tcase);
	return fixture_run(suite);
}
