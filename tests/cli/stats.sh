#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring stats: losses made on purpose are found at the right rung, to the packet; one capture is shown once, whatever its program does with its
# processes and descriptors; JSON keeps its schema, the text format its rules. tests/unit/test-stats-page is about hostile pages.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=stats-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/stats-lib.sh"

stats_set_up

# Words

expect "wrong option" 2 'unknown option --yaml' "$NETRING" stats --yaml
expect "too many words" 2 'unexpected argument b' "$NETRING" stats a b
expect "two formats" 2 'one of them' "$NETRING" stats --json --prometheus
expect "help" 0 'netring stats \[--json' "$NETRING" stats --help
expect "no such program" 1 'no capture on netring by nobody-has-this-name' "$NETRING" stats nobody-has-this-name
"$NETRING" stats --json nobody-has-this-name 2>/dev/null | python3 "$LOOK" json 'c == []' | grep -q True
ok $? "JSON of nothing"
expect "which are no failure, and no mail from cron" 0 '' "$NETRING" stats --prometheus nobody-has-this-name
[ -z "$("$NETRING" stats --prometheus nobody-has-this-name 2>&1 >/dev/null)" ]
ok $? "metrics of nothing, in silence"
"$NETRING" stats --prometheus nobody-has-this-name 2>/dev/null | python3 "$LOOK" prometheus '"netring_softnet_squeezed_total" in m' | grep -q True
ok $? "metrics of nothing"
expect "a report that cannot be written" 1 'cannot write to standard output: No space left' sh -c "'$NETRING' stats --prometheus >/dev/full"

# Losses

start pid "${SMALL[@]}" "$COUNT" -i nr1 -t 10 -q
shows "an idle capture" "$pid" 'len(c) == 1 and t["passed_filter"] == 0 and not c[0]["stale"] and c[0]["reader"] == "waiting"'
shows "what it is" "$pid" 'c[0]["process"] == c[0]["program"] == "count" and c[0]["engine"] == "packet-v3" and r[0]["interface"] == "nr1"'
shows "how large its ring is" "$pid" 't["ring_bytes"] == t["ring_bytes_asked"] == 1 << 20 and r[0]["fill"]["cells"] == 16'
first=$(sent -c 5000 -r 50000)
shows "a reader that keeps up gets all" "$pid" "t['delivered'] == $first == t['passed_filter'] and sum(t['lost'].values()) == 0 == t['left']"
shows "bytes" "$pid" "60 * $first <= t['bytes'] <= 67 * $first"
before=$(look "$pid" 'r[0]["nic"]["received"]')
kill -STOP "$pid"
nr_wait 5 is_true "$pid" 'c[0]["reader"] == "stopped"'
lost=$(sent -c 40000)
shows "a stopped process is said to be" "$pid" 'c[0]["stale"] and c[0]["reader"] == "stopped"'
expect "also in words" 0 'the process is STOPPED; last update [0-9.]+ s ago, nobody knows what was lost since' "$NETRING" stats "$pid"
shows "the adapter's own counter goes on" "$pid" "r[0]['nic']['received'] == $before + $lost"
kill -CONT "$pid"
shows "then all adds up" "$pid" "t['passed_filter'] == $((first + lost)) == t['delivered'] + sum(t['lost'].values())"
shows "what was lost is at the ring" "$pid" 't["lost"]["ring_full"] > 10000 and t["freezes"] > 0 and not t["losing"] and t["rejected"] == 0'
shows "the ring was full" "$pid" 'r[0]["fill"]["waiting_most"] == 16 and r[0]["fill"]["waiting"] == 0'
expect "in words" 0 'LOST: ring full +[0-9]+' "$NETRING" stats count
delivered=$(look "$pid" 't["delivered"]')
"$NETRING" stats --prometheus "$pid" >"$NR_TMP/metrics"
python3 "$LOOK" prometheus "([v for l, v in m['netring_delivered_packets_total']], sum(v for l, v in m['netring_lost_packets_total']),
	m['netring_stale'][0][1], abs(m['netring_capture_updated_timestamp_seconds'][0][1] - $(date +%s)) < 60, m['netring_lost_packets_total'][0][0]['interface'])" <"$NR_TMP/metrics" >"$NR_TMP/look" 2>&1
[ "$(cat "$NR_TMP/look")" = "([$delivered.0], $((first + lost - delivered)).0, 0.0, True, 'nr1')" ]
ok $? "metrics say the same" "$(cat "$NR_TMP/look")"
if command -v promtool >/dev/null; then
	expect "promtool finds nothing" 0 '' sh -c "'$NETRING' stats --prometheus '$pid' | promtool check metrics"
fi
nr_stop "$pid"
[ "$(tail -n 1 "$NR_TMP/out" | sed 's/.* delivered=\([0-9]*\) .*/\1/')" = "$delivered" ]
ok $? "the program has counted as many" "$delivered; $(cat "$NR_TMP/out")"
expect "a capture that was closed is not shown" 1 'no capture' "$NETRING" stats "$pid"

start pid "${SMALL[@]}" "$COUNT" -i nr1 -t 10 -q -I
shows "immediate mode" "$pid" 'c[0]["engine"] == "packet-v2" and "immediate" in c[0]["why"]'
kill -STOP "$pid"
lost=$(sent -c 40000)
kill -CONT "$pid"
shows "adds up, too" "$pid" "t['passed_filter'] == $lost == t['delivered'] + sum(t['lost'].values()) and t['lost']['ring_full'] > 10000"
shows "bytes are exact there" "$pid" 't["bytes"] == 60 * t["delivered"]'
nr_stop "$pid"

start pid "${SMALL[@]}" NETRING_LOG=error "$CAPTURES" plain nr1 1 long
short=$(sent -c 300 -r 20000 -s 60)
long=$(sent -c 500 -r 20000 -s 600)
shows "what a filter takes out here" "$pid" "t['delivered'] == $short and t['rejected'] == $long and t['passed_filter'] == $((short + long)) and sum(t['lost'].values()) == 0"
nr_stop "$pid"

# A program whose sandbox allows no getsockopt turns the page of counters off.
state_is() { [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat")" = "$2" ]; }
losses_asked() { grep -c PACKET_STATISTICS "$NR_TMP/trace"; }
# traced YES|NO: a reader that has lost packets, and sleeps again. $asked: how often it had asked the kernel for losses before (count begins with that).
traced() {
	start pid "${SMALL[@]}" "NETRING_STATS=$1" strace -D -o "$NR_TMP/trace" -e trace=getsockopt "$COUNT" -i nr1 -t 10 -q
	kill -STOP "$pid"
	nr_wait 5 state_is "$pid" T || nr_wait 1 state_is "$pid" t
	asked=$(losses_asked)
	sent -c 40000 >/dev/null
	kill -CONT "$pid"
	nr_wait 10 state_is "$pid" S
}
has_asked() { [ "$(losses_asked)" -gt "$asked" ]; }
traced yes
nr_wait 10 has_asked
ok $? "after a loss the kernel is asked how much it was"
nr_stop "$pid"
traced no
[ "$(losses_asked)" = "$asked" ]
ok $? "NETRING_STATS=no: it is not asked" "$(cat "$NR_TMP/trace")"
expect "NETRING_STATS=no: and the capture is not shown" 1 'no capture' "$NETRING" stats "$pid"
nr_stop "$pid"

# AF_XDP

XDP=(NETRING_BACKEND=xdp NETRING_STRICT=1 NETRING_XDP_FRAMES=1024 NETRING_LOG=error)
in_tx ip link set nr0 mtu 3000 && in_rx ip link set nr1 mtu 3000
start pid "${XDP[@]}" "$COUNT" -i nr1 -t 10 -q
shows "AF_XDP: what it is" "$pid" 'c[0]["engine"] == "xdp" and "driver" in c[0]["why"] and r[0]["queue"] == 0 and c[0]["reader"] == "waiting"'
shows "AF_XDP: how large its ring is" "$pid" 't["ring_bytes"] == t["ring_bytes_asked"] == 1024 * 2048 and r[0]["fill"]["cells"] == 1024 and r[0]["fill"]["cell_bytes"] == 2048'
first=$(sent -c 1000 -r 50000) # no more than its frames, so that a busy machine does not matter
shows "AF_XDP: a reader that keeps up gets all" "$pid" "t['delivered'] == $first == t['passed_filter'] and sum(t['lost'].values()) == 0 == t['left'] and t['bytes'] == 60 * $first"
kill -STOP "$pid"
nr_wait 5 is_true "$pid" 'c[0]["reader"] == "stopped"'
lost=$(sent -c 5000)
long=$(sent -c 100 -s 2500 -r 50000)
kill -CONT "$pid"
shows "AF_XDP: then all adds up" "$pid" "t['passed_filter'] == $((first + lost + long)) == t['delivered'] + sum(t['lost'].values()) and c[0]['reader'] == 'waiting'"
shows "AF_XDP: each loss has its cause" "$pid" "t['lost'] == { 'ring_full': 0, 'xdp_fill_ring_empty': $((lost - 1024 + long)), 'xdp_other': 0 } and t['delivered'] == $((first + 1024))"
shows "AF_XDP: the ring was full" "$pid" 'r[0]["fill"]["waiting_most"] == 1024 and r[0]["fill"]["waiting"] == 0 and not t["losing"]'
expect "AF_XDP: in words" 0 'LOST: XDP fill ring empty +[0-9]+' "$NETRING" stats count
nr_stop "$pid"
[ "$(tail -n 1 "$NR_TMP/out" | sed 's/.* delivered=\([0-9]*\) .*/\1/')" = $((first + 1024)) ]
ok $? "AF_XDP: the program has counted as many" "$(cat "$NR_TMP/out")"
in_tx ip link set nr0 mtu 1500 && in_rx ip link set nr1 mtu 1500

if [ "$(nproc)" -gt 1 ]; then
	nr_wide_pair nr2 nr3
	start pid "${XDP[@]}" "$COUNT" -i nr3 -t 10 -q
	first=$(in_tx taskset 2 "$BLAST" -i nr2 -c 500 -r 20000 | sed -n 's/^sent=\([0-9]*\) .*/\1/p')
	shows "AF_XDP: two queues" "$pid" "[x['queue'] for x in r] == [0, 1] and [x['delivered'] for x in r] == [0, $first] and t['passed_filter'] == $first"
	nr_stop "$pid"
else
	skip "AF_XDP: two queues" "one CPU"
fi

# Many rings, handles, processes

start pid NETRING_RINGS=4 NETRING_RING_SIZE=4M NETRING_BLOCK_SIZE=64K NETRING_FANOUT=lb "$CAPTURES" plain nr1
first=$(sent -c 4000 -r 50000)
shows "four rings" "$pid" "len(c) == 1 and len(r) == 4 and [x['delivered'] for x in r] == [$((first / 4))] * 4 and t['delivered'] == $first"
kill -STOP "$pid"
lost=$(sent -c 100000)
kill -CONT "$pid"
shows "four rings that were full" "$pid" "t['passed_filter'] == $((first + lost)) == t['delivered'] + sum(t['lost'].values()) and all(x['lost']['ring_full'] > 1000 for x in r)"
nr_stop "$pid"

start pid "${SMALL[@]}" "$CAPTURES" plain nr1 2
first=$(sent -c 1000 -r 50000)
shows "two handles" "$pid" "[x['total']['delivered'] for x in c] == [$first] * 2 and len({x['number'] for x in c}) == 2"
nr_stop "$pid"

start pid NETRING_RING_SIZE=64K NETRING_BLOCK_SIZE=4K "$CAPTURES" plain nr1 200
first=$(sent -c 100 -r 1000)
shows "200 handles" "$pid" "len(c) == 200 and all(x['total']['passed_filter'] == $first for x in c)"
[ "$(find "/proc/$pid/fd" -lname '*netring-stats*' | wc -l)" = 1 ]
ok $? "for one descriptor"
nr_stop "$pid"

start pid "$CAPTURES" engine nr1
first=$(sent -c 3000 -r 50000)
shows "a program without pcap" "$pid" "len(c) == 1 and t['delivered'] == $first == t['passed_filter'] and c[0]['reader'] == 'waiting'"
is_due() { is_true "$pid" 'c[0]["age"] > 0.2'; }
nr_wait 5 is_due
first=$((first + $(sent -c 1)))
shows "which waits again when an update came with the last packet" "$pid" "t['delivered'] == $first and c[0]['reader'] == 'waiting'"
nr_stop "$pid"

# of NAME HOW: a program that forks; leaves the captures of that name, one line each: pid and what it delivered.
of() {
	start pid "${SMALL[@]}" "$CAPTURES" "$1" nr1
	first=$(sent -c 1000 -r 50000)
	nr_wait 10 is_true captures "len(c) == 1 and t['delivered'] == $first"
	ok $? "$1: shown once" "$("$NETRING" stats captures 2>&1)"
	shown=$(look captures 'c[0]["pid"]')
}

of child-idle
[ "$shown" = "$pid" ]
ok $? "it is the parent's" "$shown, and not $pid"
nr_stop "$pid"
of child-reads
[ -n "$shown" ] && [ "$shown" != "$pid" ] && [ "$(awk '$1 == "PPid:" { print $2 }' "/proc/$shown/status")" = "$pid" ]
ok $? "it is the child's" "$shown"
kill "$shown"
nr_stop "$pid"
of daemon
NR_PIDS+=("$shown")
[ -n "$shown" ] && [ "$shown" != "$pid" ]
ok $? "it is that of who is left" "$shown"
kill "$shown" && nr_wait 10 nr_ended "$shown"
of exec
[ "$shown" = "$pid" ]
ok $? "what it runs has nothing of it" "$shown, and not $pid"
nr_stop "$pid"
of closefrom
nr_stop "$pid"
ok $? "and it ends well" "status $?"

start pid "${SMALL[@]}" "$CAPTURES" plain nr1 # for its exit status, which is 0 above, too
nr_stop "$pid"
ok $? "as a plain one does"

start pid "${SMALL[@]}" "$CAPTURES" sandbox nr1 2
first=$(sent -c 1000 -r 50000)
shows "under a seccomp filter" "$pid" "[x['total']['delivered'] for x in c] == [$first] * 2 and c[0]['pid'] == $pid"
kill -STOP "$pid"
lost=$(sent -c 40000)
kill -CONT "$pid"
shows "its losses, too" "$pid" "all(x['total']['passed_filter'] == $((first + lost)) == x['total']['delivered'] + x['total']['lost']['ring_full'] for x in c)"
[ -z "$(find "/proc/$pid/fd" -lname '*netring-stats*')" ]
ok $? "without a descriptor"
nr_stop "$pid"

nr_start pid "$NR_RX" "${SHIM[@]}" "${SMALL[@]}" "$CAPTURES" stdout nr1
shows "standard output on the page: it is what it was" "$pid" 'len(c) == 1 and c[0]["program"] == "captures"'
kill -0 "$pid"
ok $? "and the program runs"
nr_stop "$pid"

# Names

# named NAME SHOWN [INTERFACE]: a program of that name.
named() {
	ln -s "$CAPTURES" "$NR_TMP/$1"
	start pid "${SMALL[@]}" "$NR_TMP/$1" plain "${3:-nr1}"
	shows "called $2" "$pid" "c[0]['process'] == c[0]['program'] == '$2' and r[0]['interface'] == '${3:-nr1}'"
	"$NETRING" stats "$pid" | grep -qF "$2, process $pid,"
	ok $? "called $2, in words"
	"$NETRING" stats --prometheus "$pid" | python3 "$LOOK" prometheus "m['netring_capture_info'][0][0]['program'] == '$2'" | grep -q True
	ok $? "called $2, in metrics"
	nr_stop "$pid"
}

in_rx ip link add nr-größe type veth peer name nr9 && in_rx ip link set nr-größe up && in_rx ip link set nr9 up
named prüfer-日本 prüfer-日本 nr-größe
named $'a\xffb\xc2\x9bc\xe0\x80\xafd' 'a?b??c???d'
named $'\xed\xa0\x80\xf4\x90\x80\x80\xe6\x97' '?????????'

# A full disk

mkdir "$NR_TMP/full"
if mount -t tmpfs -o size=4M none "$NR_TMP/full"; then
	# A ring that all packets have room in: what is lost is to be lost at the disk, on a busy machine as well.
	nr_start pid "$NR_RX" "${SHIM[@]}" NETRING_RING_SIZE=64M tcpdump -i nr1 -U -w "$NR_TMP/full/pcap" 2>"$NR_TMP/err"
	nr_wait 20 grep -q listening "$NR_TMP/err"
	first=$(sent -c 20000 -s 1400 -r 20000)
	shows "a full disk: all that was dumped has been delivered" "$pid" "t['delivered'] == $first and c[0]['savefiles']['failures'] == 1"
	kept=$(tcpdump -nr "$NR_TMP/full/pcap" 2>/dev/null | wc -l)
	[ "$kept" -gt 0 ] && [ "$(look "$pid" "c[0]['savefiles']['lost']")" = $((first - kept)) ]
	ok $? "and what is not in the file is counted" "$kept of $first; $("$NETRING" stats "$pid")"
	nr_stop "$pid"
	umount "$NR_TMP/full"
else
	skip "a full disk" "tmpfs cannot be mounted"
fi

# Other namespaces, other users

: >"$NR_TMP/out"
nr_start pid "$NR_RX" "${SHIM[@]}" "${SMALL[@]}" unshare --pid --fork --kill-child --mount-proc "$CAPTURES" plain nr1 >"$NR_TMP/out"
nr_wait 20 grep -q ready "$NR_TMP/out"
first=$(sent -c 1000 -r 50000)
shows "a container: found, with the host's process id" captures "len(c) == 1 and t['delivered'] == $first and c[0]['pid'] > 1 and r[0]['nic']['received'] >= $first"
inside=$(look captures 'c[0]["pid"]')
[ "$(awk '$1 == "NSpid:" { print NF, $NF }' "/proc/$inside/status")" = "3 1" ]
ok $? "it was one" "$(grep NSpid "/proc/$inside/status")"

if command -v setpriv >/dev/null; then
	expect "another user may not look, and is told so" 1 '[0-9]+ processes may not be looked into: root may' setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$NETRING" stats "$inside"
fi
nr_stop "$pid" KILL

# Pages of others. The descriptor is inherited.
: >"$NR_TMP/out"
python3 -c '
import os, time
fd = os.memfd_create("netring-stats", os.MFD_ALLOW_SEALING)
os.ftruncate(fd, 1 << 40)
print("ready", flush=True)
time.sleep(100)' >"$NR_TMP/out" &
NR_PIDS+=("$!")
nr_wait 10 grep -q ready "$NR_TMP/out"
expect "what cannot be read is named" 1 "process $! .* is not shown: its size is not that of" "$NETRING" stats "$!"
"$NETRING" stats --json "$!" 2>/dev/null | python3 "$LOOK" json "[x['pid'] for x in report['refused']] == [$!]" | grep -q True
ok $? "also in JSON"

finish
