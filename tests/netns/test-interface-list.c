/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces with unusual names, in lists and alone, and how many receive queues interfaces have. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fixture.h"
#include "interface-list.h"
#include "interface.h"

static struct interface_list list;
static struct netring_error error;

START_TEST(test_comma_in_a_name)
{
	ck_assert(interface_list_is_list("a,b"));
	shell("ip link add a,b type veth peer name c,d");
	ck_assert(!interface_list_is_list("a,b"));
	ck_assert(interface_list_is_list("a,c"));
	ck_assert(interface_list_is_list("a,b,c"));
	ck_assert_int_eq(interface_list_parse(&list, "a,b", &error), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.name[0], "a,b");
	shell("ip link del a,b");
	ck_assert_int_eq(interface_list_parse(&list, "a,b", &error), 0);
	ck_assert_uint_eq(list.count, 2);
}
END_TEST

/* Not only the name: packets come. */
START_TEST(test_comma_captures)
{
	struct netring_config config = small_config();
	struct netring *capture;
	int sender;

	shell("ip link add a,b type veth peer name c,d && ip link set a,b up && ip link set c,d up");
	config.interface = "a,b";
	capture = open_or_fail(&config);
	sender = sender_open("c,d");
	sender_send_many(sender, TYPE_A, 0, 5);
	expect_frames(capture, TYPE_A, 0, 5, NETRING_BURST_MAX);
	close(sender);
	netring_close(capture);
	shell("ip link del a,b");
}
END_TEST

START_TEST(test_same_interface_by_another_name)
{
	shell("ip link property add dev nr1 altname uplink");
	ck_assert_int_eq(interface_list_parse(&list, "nr1,nr3,uplink", &error), -EINVAL);
	ck_assert_msg(strstr(error.text, "nr1,nr3,uplink: nr1 and uplink ") == error.text, "%s", error.text);
	ck_assert_int_eq(interface_list_parse(&list, "uplink,nr3", &error), 0);
	ck_assert_uint_eq(list.count, 2);
	shell("ip link property del dev nr1 altname uplink");
}
END_TEST

START_TEST(test_receive_queues)
{
	int fd = sender_open("nr0");

	shell("ip link add many0 numrxqueues 3 numtxqueues 5 type veth peer name many1 numrxqueues 7 numtxqueues 2");
	ck_assert_int_eq(interface_receive_queues(fd, "many0"), 3);
	ck_assert_int_eq(interface_receive_queues(fd, "many1"), 7);
	shell("ip link del many0");
	ck_assert_int_eq(interface_receive_queues(fd, "nr0"), 1);
	ck_assert_int_eq(interface_receive_queues(fd, "lo"), 1);
	ck_assert_int_eq(interface_receive_queues(fd, "nosuch0"), 1);
	ck_assert_int_eq(interface_receive_queues(fd, "any"), 1);
	close(fd);
}
END_TEST

/* A driver that answers no ethtool question: its queues are counted in /sys, which for that has to be the namespace's own. */
START_TEST(test_receive_queues_of_silent_driver)
{
	int fd = sender_open("nr0");

	shell("ip link add many2 numrxqueues 3 type ifb");
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	ck_assert_int_eq(interface_receive_queues(fd, "many2"), 3);
	ck_assert_int_eq(umount("/sys"), 0);
	shell("ip link del many2");
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interface list");
	TCase *cases = tcase_create("interface list");

	fixture_enter();
	tcase_add_test(cases, test_comma_in_a_name);
	tcase_add_test(cases, test_comma_captures);
	tcase_add_test(cases, test_same_interface_by_another_name);
	tcase_add_test(cases, test_receive_queues);
	tcase_add_test(cases, test_receive_queues_of_silent_driver);
	suite_add_tcase(suite, cases);
	return fixture_run(suite);
}
