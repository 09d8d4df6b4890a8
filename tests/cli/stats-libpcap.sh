#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring stats and netring top on captures that libpcap makes itself: what the program gets is known, what is lost from its own pcap_stats on, and
# everything else is said to be unknown, and never 0.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=stats-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/stats-lib.sh"

stats_set_up
LIBPCAP=(NETRING_BACKEND=libpcap)

# prometheus PID EXPRESSION
prometheus() { "$NETRING" stats --prometheus "$1" | python3 "$LOOK" prometheus "$2" 2>&1; }

# What is known, and what is not

start pid "${LIBPCAP[@]}" "$CAPTURES" plain nr1
shows "what it is" "$pid" 'len(c) == 1 and c[0]["engine"] == "libpcap" and c[0]["why"] == "NETRING_BACKEND=libpcap" and r[0]["interface"] == "nr1"'
shows "it waits, and has got nothing" "$pid" 'c[0]["reader"] == "waiting" and not c[0]["stale"] and t["delivered"] == 0 == t["bytes"]'
first=$(sent -c 1000 -r 50000)
shows "what the program has got" "$pid" "t['delivered'] == $first and t['bytes'] == 60 * $first and r[0]['nic']['received'] == $first"
shows "losses are not known" "$pid" 't["passed_filter"] is None and set(t["lost"].values()) == { None } and c[0]["losses_age"] is None'
shows "nor is the ring" "$pid" 'r[0]["fill"] is None and { t[x] for x in ("freezes", "losing", "left", "rejected", "ring_bytes", "ring_bytes_asked") } == { None }'
expect "in words" 0 'LOST: ring full +unknown  until the program calls pcap_stats' "$NETRING" stats "$pid"
[ "$(prometheus "$pid" "(m['netring_delivered_packets_total'][0][1], [x for x in m if 'lost_packets' in x or 'passed' in x or 'ring' in x[8:] and 'netring_ring' in x],
	m['netring_capture_info'][0][0]['engine'], 'netring_capture_losses_timestamp_seconds' in m)")" = \
	"($first.0, ['netring_savefile_lost_packets_total', 'netring_interface_lost_packets_total'], 'libpcap', False)" ]
ok $? "metrics leave it out" "$(prometheus "$pid" m)"
expect "top, in words" 0 'libpcap captures by itself: what its ring loses is not known until the program asks' "$NETRING" top --once -i 0.1 "$pid"
row=$("$NETRING" top --once -i 0.1 "$pid" | awk -v pid="$pid" '$1 == pid { print $4, $7, $8, $NF }')
[ "$row" = "libpcap - - ?" ]
ok $? "top, in its row" "$row"

# Losses

kill -USR1 "$pid"
shows "the program asks: nothing is lost" "$pid" "t['passed_filter'] == $first and set(t['lost'].values()) == { 0 } and 0 <= c[0]['losses_age'] < 20 and t['left'] is None"
kill -STOP "$pid"
nr_wait 5 is_true "$pid" 'c[0]["reader"] == "stopped"'
lost=$(sent -c 40000)
kill -CONT "$pid"
shows "until it asks again, that stands" "$pid" "c[0]['reader'] == 'waiting' and t['delivered'] > $first and set(t['lost'].values()) == { 0 }"
kill -USR1 "$pid"
shows "then all adds up" "$pid" "t['passed_filter'] == $((first + lost)) == t['delivered'] + t['lost']['ring_full'] and t['lost']['ring_full'] > 5000"
expect "in words" 0 "LOST: ring full +[0-9]+  as the program's pcap_stats said [0-9.]+ s ago" "$NETRING" stats "$pid"
[ "$(prometheus "$pid" "(m['netring_passed_filter_packets_total'][0][1] == $((first + lost)) == m['netring_delivered_packets_total'][0][1] +
	sum(v for l, v in m['netring_lost_packets_total']) and len(m['netring_capture_losses_timestamp_seconds']) == 1 and 'netring_ring_size_bytes' not in m)")" = True ]
ok $? "metrics add up" "$(prometheus "$pid" m)"
expect "top, in words" 0 'when the program asked \(pcap_stats\), [0-9.]+ s ago, its ring had lost [0-9,]+' "$NETRING" top --once -i 0.1 "$pid"
nr_stop "$pid"
expect "a capture that was closed is not shown" 1 'no capture' "$NETRING" stats "$pid"

# Ways to read

start pid "${LIBPCAP[@]}" "$CAPTURES" next nr1
first=$(sent -c 1000 -r 50000)
shows "pcap_next_ex" "$pid" "t['delivered'] == $first and t['bytes'] == 60 * $first and c[0]['reader'] == 'waiting'"
nr_stop "$pid" KILL

start pid "${LIBPCAP[@]}" "$COUNT" -i nr1 -t 0 -q -I
first=$(sent -c 50 -r 500) # libpcap's ring is small there
shows "pcap_loop in immediate mode" "$pid" "t['delivered'] == $first and c[0]['reader'] == 'waiting'"
is_due() { is_true "$pid" 'c[0]["age"] > 1.2'; }
nr_wait 5 is_due
ok $? "it sleeps inside libpcap" "$("$NETRING" stats "$pid")"
shows "and waits, however long" "$pid" 'c[0]["reader"] == "waiting" and not c[0]["stale"]'
nr_stop "$pid"

start pid "${LIBPCAP[@]}" "$CAPTURES" slow nr1
sent -c 12000 -r 50000 >/dev/null
shows "a read of many seconds is shown while it lasts" "$pid" '500 < t["delivered"] < 11900 and c[0]["reader"] == "reading" and c[0]["age"] < 1'
nr_stop "$pid" KILL

start pid "${LIBPCAP[@]}" "$CAPTURES" child-reads nr1
first=$(sent -c 1000 -r 50000)
nr_wait 10 is_true captures "len(c) == 1 and t['delivered'] == $first and c[0]['pid'] != $pid"
ok $? "a forked child that reads has it" "$("$NETRING" stats captures 2>&1)"
nr_stop "$pid" KILL

start pid "${LIBPCAP[@]}" "$CAPTURES" sandbox nr1
first=$(sent -c 1000 -r 50000)
kill -USR1 "$pid"
shows "under a seccomp filter" "$pid" "t['delivered'] == $first and t['lost']['ring_full'] == 0"
nr_stop "$pid"

# Devices

start pid "${LIBPCAP[@]}" "$CAPTURES" plain any
first=$(sent -c 1000 -r 50000)
shows "any" "$pid" "r[0]['interface'] == 'any' and r[0]['ifindex'] == 0 and r[0]['nic'] is None and t['delivered'] == $first"
nr_stop "$pid"

if in_rx timeout 10 tcpdump -i nflog:5 -c 1 -w /dev/null 2>"$NR_TMP/err" >/dev/null || [ $? = 124 ]; then
	start pid "$CAPTURES" next nflog:5
	shows "what is no network interface" "$pid" "c[0]['engine'] == 'libpcap' and 'not a network interface' in c[0]['why'] and r[0]['interface'] == 'nflog:5' and r[0]['ifindex'] == -1"
	expect "in words" 0 "NIC +none: a device of libpcap's" "$NETRING" stats "$pid"
	nr_stop "$pid" KILL
else
	skip "what is no network interface" "no nflog: $(head -n 1 "$NR_TMP/err")"
fi

# None

in_rx timeout 20 tcpdump -i nr1 -c 100 -w "$NR_TMP/file.pcap" 2>"$NR_TMP/err" &
nr_wait 10 grep -q listening "$NR_TMP/err"
sent -c 100 -r 10000 >/dev/null
wait $!
start pid "${LIBPCAP[@]}" "$CAPTURES" savefile "$NR_TMP/file.pcap"
kill -0 "$pid" && expect "a savefile is no capture" 1 'no capture' "$NETRING" stats "$pid"
nr_stop "$pid"
ok $? "and it was read" "$(cat "$NR_TMP/out" "$NR_TMP/err")"

start pid "${LIBPCAP[@]}" NETRING_STATS=no "$CAPTURES" plain nr1
expect "NETRING_STATS=no" 1 'no capture' "$NETRING" stats "$pid"
nr_stop "$pid"

finish
