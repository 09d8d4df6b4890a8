/* SPDX-License-Identifier: BSD-3-Clause */
/* What is made of the kernel's answers by netlink: recorded ones, and ones that no kernel sends. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"
#include "guarded.h"
#include "link-list.h"
#include "test-random.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Of virtio_net on Linux 6.18, behind the netlink header. */
static const unsigned char rings[] = "\x10\x01\x00\x00\x18\x00\x01\x80\x08\x00\x01\x00\x04\x00\x00\x00\x09\x00\x02\x00\x65\x74\x68\x30\x00\x00\x00\x00"
				     "\x08\x00\x02\x00\x00\x01\x00\x00\x08\x00\x06\x00\x80\x00\x00\x00\x08\x00\x05\x00\x00\x01\x00\x00\x08\x00\x09\x00"
				     "\x40\x00\x00\x00\x05\x00\x0d\x00\x00\x00\x00\x00\x05\x00\x0e\x00\x00\x00\x00";
static const unsigned char channels[] = "\x12\x01\x00\x00\x18\x00\x01\x80\x08\x00\x01\x00\x04\x00\x00\x00\x09\x00\x02\x00\x65\x74\x68\x30\x00\x00\x00\x00"
					"\x08\x00\x05\x00\x04\x00\x00\x00\x08\x00\x09\x00\x02\x00\x00";
static const unsigned char coalesce[] = "\x14\x01\x00\x00\x18\x00\x01\x80\x08\x00\x01\x00\x04\x00\x00\x00\x09\x00\x02\x00\x65\x74\x68\x30\x00\x00\x00\x00"
					"\x08\x00\x02\x00\x32\x00\x00\x00\x08\x00\x03\x00\x01\x00\x00\x00\x05\x00\x0b\x00\x01\x00\x00";

static struct facts facts;
static unsigned char *page;

static void setup(void)
{
	page = guarded_map(1);
}

static void teardown(void)
{
	facts_free(&facts);
	guarded_unmap(page, 1);
}

/* At the end of the page, so that a byte behind it cannot be read. The string's own 0 is the last byte. */
static struct nlmsghdr *message_of(const unsigned char *payload, size_t size)
{
	size_t length = NLMSG_HDRLEN + size, page_size = (size_t)sysconf(_SC_PAGESIZE);
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)(page + page_size - NLMSG_ALIGN(length));

	*message = (struct nlmsghdr){ .nlmsg_len = (uint32_t)length, .nlmsg_type = 20 };
	memcpy((char *)message + NLMSG_HDRLEN, payload, size);
	return message;
}

static void ck_fact(const char *name, const char *value)
{
	if (value)
		ck_assert_msg(facts_is(&facts, name, value), "%s is %s", name, facts_get(&facts, name));
	else
		ck_assert_ptr_null(facts_get(&facts, name));
}

static const struct {
	const char *group;
	const unsigned char *payload;
	size_t size;
	const char *fact, *value;
} recorded[] = {
	{ "nic.ring", rings, sizeof(rings), "nic.ring.rx_max", "256" },
	{ "nic.ring", rings, sizeof(rings), "nic.ring.rx", "128" },
	{ "nic.ring", rings, sizeof(rings), "nic.ring.tx", "64" },
	{ "nic.ring", channels, sizeof(channels), "nic.ring.rx", NULL },
	{ "nic.channels", channels, sizeof(channels), "nic.channels.combined_max", "4" },
	{ "nic.channels", channels, sizeof(channels), "nic.channels.combined", "2" },
	{ "nic.channels", channels, sizeof(channels), "nic.channels.rx", NULL },
	{ "nic.coalesce", coalesce, sizeof(coalesce), "nic.coalesce.rx_usecs", "50" },
	{ "nic.coalesce", coalesce, sizeof(coalesce), "nic.coalesce.adaptive_rx", "on" },
	{ "nic.coalesce", coalesce, sizeof(coalesce), "nic.coalesce.adaptive_tx", NULL },
	{ "nic.none", coalesce, sizeof(coalesce), "nic.coalesce.rx_usecs", NULL },
};

START_TEST(test_recorded)
{
	struct ethtool_answer answer = { recorded[_i].group, &facts };

	ck_assert_int_eq(ethtool_numbers_take(message_of(recorded[_i].payload, recorded[_i].size), &answer), MNL_CB_OK);
	ck_fact(recorded[_i].fact, recorded[_i].value);
}
END_TEST

/* A number of a wrong size, or that its attribute does not hold, is none. */
START_TEST(test_wrong_size)
{
	unsigned char payload[sizeof(rings)];
	struct ethtool_answer answer = { "nic.ring", &facts };

	memcpy(payload, rings, sizeof(rings));
	payload[36] = 6; /* RX: two bytes */
	ck_assert_int_eq(ethtool_numbers_take(message_of(payload, sizeof(payload)), &answer), MNL_CB_OK);
	ck_fact("nic.ring.rx_max", "256");
	ck_fact("nic.ring.rx", NULL);
}
END_TEST

/* Features */

static void put_bitset(struct nlmsghdr *message, uint16_t type, const char *const *names, unsigned values)
{
	struct nlattr *set = mnl_attr_nest_start(message, type), *bits = mnl_attr_nest_start(message, ETHTOOL_A_BITSET_BITS);

	for (unsigned i = 0; names[i]; i++) {
		struct nlattr *bit = mnl_attr_nest_start(message, ETHTOOL_A_BITSET_BITS_BIT);

		mnl_attr_put_u32(message, ETHTOOL_A_BITSET_BIT_INDEX, i);
		mnl_attr_put_strz(message, ETHTOOL_A_BITSET_BIT_NAME, names[i]);
		if (values >> i & 1)
			mnl_attr_put(message, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
		mnl_attr_nest_end(message, bit);
	}
	mnl_attr_nest_end(message, bits);
	mnl_attr_nest_end(message, set);
}

static struct nlmsghdr *features_message(void *buffer)
{
	static const char *const all[] = { "rx-gro", "rx-lro", "rx-gro-hw", "highdma", "", NULL }, *const active[] = { "rx-gro", "highdma", "rx-gro-hw", NULL },
				 *const never[] = { "rx-gro-hw", NULL };
	struct nlmsghdr *message = netlink_generic(buffer, 20, ETHTOOL_MSG_FEATURES_GET_REPLY);

	put_bitset(message, ETHTOOL_A_FEATURES_HW, all, 1 | 2 | 4);
	put_bitset(message, ETHTOOL_A_FEATURES_ACTIVE, active, 0);
	put_bitset(message, ETHTOOL_A_FEATURES_NOCHANGE, never, 0);
	return message;
}

START_TEST(test_features)
{
	char buffer[2048] __attribute__((aligned(NLMSG_ALIGNTO)));

	ck_assert_int_eq(ethtool_features_take(features_message(buffer), &facts), MNL_CB_OK);
	ck_fact("nic.feature.rx-gro", "on");
	ck_fact("nic.feature.rx-lro", "off");
	ck_fact("nic.feature.rx-gro-hw", "on fixed");
	ck_fact("nic.feature.highdma", "on fixed");
	ck_fact("nic.feature.", NULL);
}
END_TEST

START_TEST(test_features_missing)
{
	char buffer[2048] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *message = netlink_generic(buffer, 20, ETHTOOL_MSG_FEATURES_GET_REPLY);

	ck_assert_int_eq(ethtool_features_take(message, &facts), MNL_CB_ERROR);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_uint_eq(facts.count, 0);
}
END_TEST

/* All of them, cut anywhere, and with bytes of anything: nothing is read behind the end, and nothing loops. */

static void take_all(const struct nlmsghdr *message)
{
	struct link_list list = { 0 };

	for (int group = 0; group < 3; group++) {
		static const char *const groups[] = { "nic.ring", "nic.channels", "nic.coalesce" };
		struct ethtool_answer answer = { groups[group], &facts };

		ethtool_numbers_take(message, &answer);
	}
	ethtool_features_take(message, &facts);
	link_list_take(message, &list);
	link_list_free(&list);
}

static struct nlmsghdr *link_message(void *buffer)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct rtnl_link_stats64 stats = { .rx_packets = 77 };
	struct nlattr *nest;

	message->nlmsg_type = RTM_NEWLINK;
	*header = (struct ifinfomsg){ .ifi_index = 3, .ifi_flags = 1 };
	mnl_attr_put_strz(message, IFLA_IFNAME, "nr0");
	mnl_attr_put(message, IFLA_ADDRESS, 6, "\x02\x00\x00\x00\x00\x01");
	mnl_attr_put_u32(message, IFLA_MTU, 1500);
	mnl_attr_put_u32(message, IFLA_MASTER, 9);
	mnl_attr_put(message, IFLA_STATS64, sizeof(stats), &stats);
	nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, IFLA_XDP);
	mnl_attr_put_u8(message, IFLA_XDP_ATTACHED, XDP_ATTACHED_SKB);
	mnl_attr_put_u32(message, IFLA_XDP_PROG_ID, 42);
	mnl_attr_nest_end(message, nest);
	return message;
}

START_TEST(test_link)
{
	char buffer[2048] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct link_list list = { 0 };

	ck_assert_int_eq(link_list_take(link_message(buffer), &list), MNL_CB_OK);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.link[0].name, "nr0");
	ck_assert_str_eq(list.link[0].kind, "veth");
	ck_assert_str_eq(list.link[0].mac, "02:00:00:00:00:01");
	ck_assert_int_eq(list.link[0].master, 9);
	ck_assert_uint_eq(list.link[0].stats.rx_packets, 77);
	ck_assert_uint_eq(list.link[0].xdp, XDP_ATTACHED_SKB);
	ck_assert_uint_eq(list.link[0].xdp_program, 42);
	ck_assert_ptr_eq(link_list_find(&list, "nr0"), link_list_at(&list, 3));
	ck_assert_ptr_null(link_list_find(&list, "nr"));
	link_list_free(&list);
}
END_TEST

static struct nlmsghdr *any_message(char *buffer, int which)
{
	if (which == 0)
		return features_message(buffer);
	if (which == 1)
		return link_message(buffer);
	const unsigned char *payload = which == 2 ? rings : coalesce;
	size_t size = which == 2 ? sizeof(rings) : sizeof(coalesce);

	return memcpy(buffer, message_of(payload, size), NLMSG_HDRLEN + size);
}

/* So much of a message at the end of the page, with the right length or that which it had. */
static void take_cut(const struct nlmsghdr *whole, size_t length)
{
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)(page + (size_t)sysconf(_SC_PAGESIZE) - NLMSG_ALIGN(length));

	memcpy(message, whole, length);
	message->nlmsg_len = (uint32_t)length;
	take_all(message);
}

START_TEST(test_cut)
{
	char buffer[2048] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	const struct nlmsghdr *whole = any_message(buffer, _i);

	for (size_t length = NLMSG_HDRLEN; length <= whole->nlmsg_len; length++)
		take_cut(whole, length);
}
END_TEST

START_TEST(test_bytes_of_anything)
{
	struct random random = { 20 + (uint64_t)_i };

	for (int i = 0; i < 20000; i++) {
		char buffer[2048] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
		struct nlmsghdr *whole = any_message(buffer, _i);
		size_t length = whole->nlmsg_len;

		for (unsigned n = 1 + random_below(&random, 4); n > 0; n--)
			buffer[NLMSG_HDRLEN + random_below(&random, (uint32_t)length - NLMSG_HDRLEN)] = (char)random_next(&random);
		take_cut(whole, length);
		facts_free(&facts);
	}
}
END_TEST

/* A driver that refuses: the kernel's words come with the error, and a hostile length in them is no harm. That needs a kernel: lo refuses all. */
START_TEST(test_refused)
{
	struct ethtool target;
	struct netring_error error = { 0 };

	ck_assert_int_eq(ethtool_open(&target, "lo", 1), 0);
	ethtool_numbers_collect(&target, &facts);
	ck_fact("why.nic.ring", "the driver has no such command");
	ck_assert_int_lt(ethtool_numbers_set(&target, "nic.ring.rx", "64", &error), 0);
	ck_assert_str_ne(error.text, "");
	ethtool_close(&target);
	/* Without the family of generic netlink the ioctl says the same. */
	ck_assert_int_eq(ethtool_open(&target, "lo", 1), 0);
	target.family = 0;
	facts_free(&facts);
	ethtool_numbers_collect(&target, &facts);
	ck_fact("why.nic.ring", "the driver has no such command");
	ethtool_close(&target);
}
END_TEST

/* Both ways tell the same of the interface that every machine has. */
START_TEST(test_features_both_ways)
{
	struct facts by_ioctl = { 0 };
	struct ethtool target;

	ck_assert_int_eq(ethtool_open(&target, "lo", 1), 0);
	ethtool_features_collect(&target, &facts);
	target.family = 0;
	ethtool_features_collect(&target, &by_ioctl);
	ck_assert_uint_gt(facts.count, 20);
	ck_assert_uint_eq(facts.count, by_ioctl.count);
	for (size_t i = 0; i < facts.count; i++)
		ck_assert_str_eq(facts.fact[i].value, facts_get(&by_ioctl, facts.fact[i].name));
	facts_free(&by_ioctl);
	ethtool_close(&target);
}
END_TEST

static Suite *ethtool_suite(void)
{
	Suite *suite = suite_create("ethtool");
	TCase *cases = tcase_create("answers");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, test_recorded, 0, LENGTH(recorded));
	tcase_add_test(cases, test_wrong_size);
	tcase_add_test(cases, test_features);
	tcase_add_test(cases, test_features_missing);
	tcase_add_test(cases, test_link);
	tcase_add_loop_test(cases, test_cut, 0, 4);
	tcase_add_loop_test(cases, test_bytes_of_anything, 0, 4);
	tcase_add_test(cases, test_refused);
	tcase_add_test(cases, test_features_both_ways);
	suite_add_tcase(suite, cases);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(ethtool_suite());
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
