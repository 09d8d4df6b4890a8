#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netring stats, the rung between adapter and capture: packets that a CPU's backlog has no room for. The receiving interface hands what comes on one
# CPU to another (RPS), whose backlog takes one packet.
#
# The kernel counts such a packet twice: in the CPU's row of softnet, together with those of all other interfaces and namespaces, and among those that
# its interface dropped, where no stranger's are. So the sum is exact with the interface's figure, and softnet's is no less; it is the same if nobody
# else has lost a packet meanwhile, which takes a few tries on a busy machine.
#
# The length of the backlog is a setting of the whole machine. It is changed for the tenth of a second that the packets take, by one test at a time, and
# put back also if this script is killed.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=stats-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/stats-lib.sh"

BACKLOG=/proc/sys/net/core/netdev_max_backlog
LOCK=/run/netring-tests-backlog
PACKETS=20000
TRIES=10

# shellcheck disable=SC2016 # expanded inside
steer() { in_rx unshare -m sh -c 'mount -t sysfs none /sys && echo "$1" >/sys/class/net/nr1/queues/rx-0/rps_cpus' sh "$1"; }

# guard VALUE: until its standard input ends, which it does however this script ends.
guard() {
	trap '' INT TERM HUP PIPE
	cat >/dev/null
	echo "$1" >"$BACKLOG"
}

# send_through LENGTH: $PACKETS packets from CPU 0 with so long a backlog; the standard output is what blast says.
send_through() {
	local guard_fd guard_pid lock_fd old
	exec {lock_fd}>"$LOCK"
	flock -w 60 "$lock_fd" || return 1
	old=$(cat "$BACKLOG")
	exec {guard_fd}> >(guard "$old")
	guard_pid=$!
	echo "$1" >"$BACKLOG"
	in_tx timeout 20 taskset -c 0 "$BLAST" -i nr0 -c "$PACKETS"
	exec {guard_fd}>&-
	wait "$guard_pid"
	exec {lock_fd}>&-
	[ "$(cat "$BACKLOG")" = "$old" ]
}

# counters: received and dropped by the interface; dropped by CPU 1, and by all; passed, delivered and lost in the ring.
counters() {
	look "$pid" '" ".join(str(x) for x in (r[0]["nic"]["received"], r[0]["nic"]["dropped"], sum(x["dropped"] for x in report["softnet"] if x["cpu"] == 1),
		sum(x["dropped"] for x in report["softnet"]), t["passed_filter"], t["delivered"], sum(t["lost"].values())))'
}

# settled: all that has come has been read, and the counters are those of that moment.
settled() {
	now=$(counters) && [ "$now" = "$last" ] && is_true "$pid" 'c[0]["reader"] == "waiting"' && return
	last=$now
	return 1
}

take_counters() {
	local last=
	nr_wait 20 settled || return 1
	read -r received dropped cpu1 all passed delivered lost <<<"$now"
}

# round LENGTH: what the counters grew by while the packets were sent.
round() {
	local before
	take_counters || return 1
	before=("$received" "$dropped" "$cpu1" "$all" "$passed" "$delivered" "$lost")
	sent=$(send_through "$1" | sed -n 's/^sent=\([0-9]*\) .*/\1/p') && take_counters || return 1
	received=$((received - before[0])) dropped=$((dropped - before[1])) cpu1=$((cpu1 - before[2])) all=$((all - before[3]))
	passed=$((passed - before[4])) delivered=$((delivered - before[5])) lost=$((lost - before[6]))
	figures="sent $sent: received $received, dropped $dropped, softnet $cpu1 of CPU 1 and $all of all, passed $passed, delivered $delivered, lost $lost"
}

# exactly: nobody else has lost a packet in softnet.
exactly() { [ "$cpu1" = "$dropped" ] && [ "$all" = "$dropped" ]; }

[ "$(nproc)" -gt 1 ] || skip_all "one CPU: nothing can be handed to another"
[ -w "$BACKLOG" ] || skip_all "$BACKLOG cannot be written"
stats_set_up
steer 2 || skip_all "no RPS: the kernel is without, or sysfs cannot be mounted"
start pid taskset -c 0 "$COUNT" -i nr1 -t 10 -q

round 1000000
[ "$sent" = "$PACKETS" ] && [ "$received" = "$sent" ] && [ "$dropped" = 0 ] && [ "$delivered" = "$sent" ]
ok $? "through a backlog that is long enough all come" "$figures"

for ((try = 1; try <= TRIES; try++)); do
	round 1
	[ "$sent" = "$PACKETS" ] && [ "$received" = "$sent" ] && [ $((delivered + lost + dropped)) = "$sent" ] && [ "$passed" = $((delivered + lost)) ]
	ok $? "try $try: sent = delivered + lost in the ring + dropped before it" "$figures"
	[ "$dropped" -gt 0 ] && [ "$delivered" -gt 0 ] && [ "$lost" = 0 ]
	ok $? "try $try: what was lost was lost before the ring" "$figures"
	[ "$cpu1" -ge "$dropped" ] && [ "$all" -ge "$cpu1" ]
	ok $? "try $try: softnet has counted no less, on the CPU that the packets were for" "$figures"
	exactly && break
done
exactly
ok $? "softnet has counted just these" "$TRIES tries, the last: $figures"
echo "# $figures"

dropped=$(look "$pid" 'r[0]["nic"]["dropped"]')
expect "in words, at the interface" 0 "LOST: dropped \\(driver, softnet\\) +$dropped\$" "$NETRING" stats "$pid"
expect "and at the CPU" 0 '^  CPU 1 +[0-9]+ dropped' "$NETRING" stats "$pid"
"$NETRING" stats --prometheus "$pid" | python3 "$LOOK" prometheus "([v for l, v in m['netring_interface_lost_packets_total'] if l['reason'] == 'dropped'],
	[v >= $dropped for l, v in m['netring_softnet_dropped_packets_total'] if l['cpu'] == '1'])" >"$NR_TMP/look" 2>&1
[ "$(cat "$NR_TMP/look")" = "([$dropped.0], [True])" ]
ok $? "metrics say the same" "$(cat "$NR_TMP/look")"
nr_stop "$pid"

# The setting is put back when the script is killed in between.
put_back() { [ "$(cat "$BACKLOG")" = "$old" ]; }
exec {lock_fd}>"$LOCK"
flock -w 60 "$lock_fd"
old=$(cat "$BACKLOG")
{
	(
		exec > >(guard "$old")
		echo $((old + 1)) >"$BACKLOG"
		kill -KILL "$BASHPID"
	)
} 2>/dev/null # the shell says that it was killed
nr_wait 10 put_back
ok $? "a test that is killed leaves the backlog as it was" "$(cat "$BACKLOG"), and not $old"

finish
