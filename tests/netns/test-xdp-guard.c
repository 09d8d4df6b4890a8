/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host needs of an interface: each kind that can be made anywhere, and that it is not found where it is not. VLAN and bonding need modules: a bridge
 * and a macvlan stand for them.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "xdp-guard.h"

static int index_of(const char *name)
{
	int ifindex = (int)if_nametoindex(name);

	ck_assert_int_gt(ifindex, 0);
	return ifindex;
}

static void expect_nothing(const char *name)
{
	struct netring_error error = { "" };
	char text[XDP_GUARD_TEXT] = "";
	unsigned before = open_descriptors();

	ck_assert_msg(xdp_guard_find(index_of(name), text, &error) == 0, "%s %s %s", name, text, error.text);
	ck_assert_int_eq(xdp_guard_check(name, index_of(name), &error), 0);
	ck_assert_uint_eq(open_descriptors(), before);
}

static void expect(const char *name, const char *wanted)
{
	struct netring_error error = { "" };
	char text[XDP_GUARD_TEXT] = "", sentence[512];
	unsigned before = open_descriptors();

	ck_assert_int_eq(xdp_guard_find(index_of(name), text, &error), 1);
	ck_assert_str_eq(text, wanted);
	ck_assert_int_eq(xdp_guard_check(name, index_of(name), &error), -EBUSY);
	snprintf(sentence, sizeof(sentence),
		 "%s %s: the host would not get the packets that are captured there; NETRING_XDP_STEAL=1 captures all the same", name, wanted);
	ck_assert_str_eq(error.text, sentence);
	ck_assert_uint_eq(open_descriptors(), before);
}

/* The fixture has no addresses, and IPv6 off. */
static void setup(void)
{
	unsetenv("SSH_CONNECTION");
}

static void teardown(void)
{
	unsetenv("SSH_CONNECTION");
	shell("ip addr flush dev nr1; ip -6 addr flush dev nr1; ip addr flush dev nr3; ip route flush table all 2>/dev/null; "
	      "for i in br9 mv9 ; do ip link del $i 2>/dev/null; done; ip link set nr1 up");
}

START_TEST(test_nothing)
{
	expect_nothing("nr1");
	expect_nothing("nr0");
}
END_TEST

START_TEST(test_address)
{
	shell("ip addr add 192.0.2.1/24 dev nr1");
	expect("nr1", "has the address 192.0.2.1/24");
	expect_nothing("nr0");
	expect_nothing("nr3");
	shell("ip addr del 192.0.2.1/24 dev nr1");
	expect_nothing("nr1");
	/* The other end's address is not the interface's. The label is not its name. */
	shell("ip addr add 192.0.2.1 peer 192.0.2.2/32 dev nr1 label nr1:alias");
	expect("nr1", "has the address 192.0.2.1/32");
}
END_TEST

START_TEST(test_ipv6_address)
{
	shell("echo 0 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6; ip addr add fe80::7/64 dev nr1 nodad");
	expect_nothing("nr1");
	shell("ip addr add fd00:1::7/64 dev nr1 nodad");
	expect("nr1", "has the address fd00:1::7/64");
	shell("echo 1 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6");
}
END_TEST

START_TEST(test_connection)
{
	shell("ip addr add 192.0.2.1/24 dev nr1; ip addr add 192.0.2.77/24 dev nr1");
	setenv("SSH_CONNECTION", "198.51.100.9 50022 192.0.2.77 22", 1);
	expect("nr1", "has the address 192.0.2.77, which your SSH connection uses");
	setenv("SSH_CONNECTION", "198.51.100.9 50022 192.0.2.78 22", 1);
	expect("nr1", "has the address 192.0.2.1/24");
	setenv("SSH_CONNECTION", "nonsense", 1);
	expect("nr1", "has the address 192.0.2.1/24");
	shell("ip addr flush dev nr1; echo 0 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6; ip addr add fe80::7/64 dev nr1 nodad");
	setenv("SSH_CONNECTION", "fe80::9%nr1 50022 fe80::7%nr1 22", 1);
	expect("nr1", "has the address fe80::7, which your SSH connection uses");
	shell("echo 1 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6");
}
END_TEST

START_TEST(test_default_route)
{
	shell("ip route add default dev nr1");
	expect("nr1", "is where the default route for IPv4 goes");
	expect_nothing("nr3");
	shell("ip route del default");
	expect_nothing("nr1");
	shell("ip route add default dev nr1 table 4711");
	expect("nr1", "is where the default route for IPv4 in table 4711 goes");
	shell("ip route flush table 4711; ip route add unreachable default");
	expect_nothing("nr1");
}
END_TEST

/* Of an interface without an address of its own, as routers have them; and the halves that stand for a default route. */
START_TEST(test_other_routes)
{
	shell("ip route add 198.51.100.0/24 dev nr1");
	expect("nr1", "is where the route to 198.51.100.0/24 goes");
	expect_nothing("nr3");
	shell("ip route del 198.51.100.0/24; ip route add 0.0.0.0/1 dev nr1 table 4711");
	expect("nr1", "is where the route to 0.0.0.0/1 in table 4711 goes");
	shell("ip route flush table 4711; ip route add 169.254.0.0/16 dev nr1");
	expect_nothing("nr1");
	shell("ip route del 169.254.0.0/16; echo 0 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6; ip addr add fe80::7/64 dev nr1 nodad");
	expect_nothing("nr1");
	shell("ip -6 route add fd00:2::/64 via fe80::9 dev nr1");
	expect("nr1", "is where the route to fd00:2::/64 goes");
	shell("echo 1 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6");
}
END_TEST

START_TEST(test_default_route_of_several_hops)
{
	shell("ip route add default nexthop dev nr3 weight 1 nexthop dev nr1 weight 1");
	expect("nr1", "is where the default route for IPv4 goes");
	expect("nr3", "is where the default route for IPv4 goes");
	expect_nothing("nr0");
	shell("ip route del default && ip nexthop add id 9 dev nr1 && ip route add default nhid 9");
	expect("nr1", "is where the default route for IPv4 goes");
	expect_nothing("nr3");
	shell("ip route del default; ip nexthop del id 9");
}
END_TEST

START_TEST(test_ipv6_default_route)
{
	shell("echo 0 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6; ip -6 route add default dev nr1");
	expect("nr1", "is where the default route for IPv6 goes");
	expect_nothing("nr3");
	shell("ip -6 route del default dev nr1; echo 1 >/proc/sys/net/ipv6/conf/nr1/disable_ipv6");
}
END_TEST

START_TEST(test_member)
{
	shell("ip link add br9 type bridge && ip link set nr1 master br9");
	expect("nr1", "is a member of br9 (bridge)");
	expect_nothing("br9");
	shell("ip link set nr1 nomaster");
	expect_nothing("nr1");
}
END_TEST

START_TEST(test_interface_above)
{
	shell("ip link add mv9 link nr1 type macvlan mode bridge");
	expect("nr1", "has mv9 (macvlan) on top of it");
	expect_nothing("mv9");
	expect_nothing("nr0");
	shell("ip link del mv9");
	expect_nothing("nr1");
}
END_TEST

/* More than one answer of the kernel's. */
START_TEST(test_many_addresses)
{
	shell("for i in $(seq 1 200); do echo addr add 10.1.$i.1/24 dev nr3; done | ip -batch - && ip addr add 192.0.2.1/24 dev nr1");
	expect("nr1", "has the address 192.0.2.1/24");
	shell("for i in $(seq 1 400); do echo route add 10.2.$((i/2)).$((i%%2*128))/25 dev nr3; done | ip -batch - && ip addr flush dev nr1 && "
	      "ip route add default dev nr1 table 4711");
	expect("nr1", "is where the default route for IPv4 in table 4711 goes");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xdp guard");
	TCase *tests = tcase_create("guard");

	fixture_enter();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_nothing);
	tcase_add_test(tests, test_address);
	tcase_add_test(tests, test_ipv6_address);
	tcase_add_test(tests, test_connection);
	tcase_add_test(tests, test_default_route);
	tcase_add_test(tests, test_other_routes);
	tcase_add_test(tests, test_default_route_of_several_hops);
	tcase_add_test(tests, test_ipv6_default_route);
	tcase_add_test(tests, test_member);
	tcase_add_test(tests, test_interface_above);
	tcase_add_test(tests, test_many_addresses);
	suite_add_tcase(suite, tests);
	return fixture_run(suite);
}
