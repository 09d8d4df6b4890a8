#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# One handle on several rings, and on several interfaces: everything arrives, once, in order of time, however it is read. Two CPUs send at once, each
# flows of its own. One ring is run beside it: it must show the same, but for the order of time, which a ring that two CPUs write to does not keep (nor
# does libpcap's).
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"

FLOWS=64
MANY=1000000    # from each sender
SOME=100000
RATE=200000     # of each; far below what is lost
TIMEOUT_MS=100

# run NAME DEVICE SETTINGS ORDER_OPTIONS SENDER_OPTIONS: captures on DEVICE while two senders send, both to nr0, or one each to nr0 and nr2 if DEVICE is
# a list. SETTINGS and the options are words. Leaves SENT and ORDERED; a failed test point if it does not work.
run() {
	local name=$1 device=$2 settings options sending second=nr0
	read -ra settings <<<"$3"
	read -ra options <<<"$4"
	read -ra sending <<<"$5"
	[[ $device != *,* ]] || second=nr2
	ORDERED=
	SENT=
	if order_start "${NETRING[@]}" "${settings[@]}" -- -i "$device" -T "$TIMEOUT_MS" "${options[@]}" && is_on_netring "$ORDER_PID" &&
		send_start 0 0 nr0 "${sending[@]}" && send_start 1 1 "$second" "${sending[@]}" && send_end && order_end; then
		return 0
	fi
	nr_stop "$ORDER_PID" KILL
	ok 1 "$name: runs" "$(cat "$NR_TMP/order.err") $ORDERED"
	return 1
}

# Everything that was sent, once, flows in order, and counted so.
is_complete() {
	[ -n "$SENT" ] && [ "$(field packets "$ORDERED")" = "$SENT" ] && [ "$(field lost "$ORDERED")" = 0 ] && [ "$(field twice "$ORDERED")" = 0 ] &&
		[ "$(field flow_disorder "$ORDERED")" = 0 ] && [ "$(field ps_recv "$ORDERED")" = "$SENT" ] && [ "$(field ps_drop "$ORDERED")" = 0 ]
}

is_in_order() { [ "$(field times_back "$ORDERED")" = 0 ]; }

# In immediate mode nothing is held back, so what two CPUs receive at the same moment comes as it comes; but not more than that. One ring that both write
# to goes back at one packet in twenty.
is_nearly_in_order() { [ "$(field times_back "$ORDERED")" -le $((SENT / 500)) ]; }

said() { echo "sent $SENT; $ORDERED; $(cat "$NR_TMP/order.err")"; }

# complete_and_in_order NAME: two test points.
complete_and_in_order() {
	is_complete
	ok $? "$1: all there, once" "$(said)"
	is_in_order
	ok $? "$1: in order of time" "$(said)"
}

# Waking up for nothing, again and again, would be a reader that spins: thousands of times for each packet that is held back for a moment. Some is
# unavoidable: a packet that is held back, a block that is empty; and more of that on a busy machine, a quarter here, half there.
idles_seldom() {
	[ -n "$ORDERED" ] && [ "$(field idle_wakeups "$ORDERED")" -le $(($(field wakeups "$ORDERED") * 3 / 4 + 20)) ]
}

worst_delay_below() { # MS
	[ -n "$(field worst_delay_us "$ORDERED")" ] && [ "$(field worst_delay_us "$ORDERED")" -le $(($1 * 1000)) ]
}

flows_setup
[ "$(nproc)" -ge 2 ] || skip_all "one CPU: two senders would take turns"

# ---- however it is read ----

for rings in 1 2 4; do
	for immediate in "" " -I"; do
		for mode in loop dispatch "dispatch -k 7" next_ex epoll "epoll -k 7"; do
			name="$rings rings, $mode${immediate:+, immediate}"
			run "$name" nr1 "NETRING_RINGS=$rings" "-m $mode$immediate" "-f $FLOWS -2 -c $SOME -r $RATE" || continue
			is_complete
			ok $? "$name: all there, once" "$(said)"
			if [ $rings != 1 ] && [ -z "$immediate" ]; then
				is_in_order
				ok $? "$name: in order of time" "$(said)"
			elif [ $rings != 1 ]; then
				is_nearly_in_order
				ok $? "$name: nearly in order of time" "$(said)"
			fi
			echo "# $(field times_back "$ORDERED") stamps are smaller than the one before, by $(field worst_back_ns "$ORDERED") ns at most"
			[[ $mode != epoll* ]] || {
				idles_seldom
				ok $? "$name: does not spin" "$(said)"
			}
		done
	done
done

# ---- much ----

# Room for nearly all of it, should the reader have no CPU for seconds.
ROOM=NETRING_RING_SIZE=640M

for settings in NETRING_RINGS=4 "NETRING_RINGS=4 NETRING_FANOUT=hash"; do
	run "2 million packets, $settings" nr1 "$ROOM $settings" "" "-f $FLOWS -2 -c $MANY -r $RATE" && complete_and_in_order "2 million packets, $settings"
done
run "two interfaces" nr1,nr3 "$ROOM" "" "-f $FLOWS -2 -c $MANY -r $RATE" && complete_and_in_order "two interfaces"
run "two interfaces, two rings each" nr1,nr3 "$ROOM NETRING_RINGS=2" "" "-f $FLOWS -2 -c $MANY -r $RATE" &&
	complete_and_in_order "two interfaces, two rings each"

# ---- idle rings: few packets, and rings that have none ----

# lone_run DEVICE SETTINGS ORDER_OPTIONS RATE…: a packet now and then, from one sender for each RATE.
lone_run() {
	local device=$1 settings options interfaces=(nr0 nr2) sender=0 rate
	read -ra settings <<<"$2"
	read -ra options <<<"$3"
	shift 3
	ORDERED=
	order_start "${NETRING[@]}" "${settings[@]}" -- -i "$device" -T "$TIMEOUT_MS" -l "${options[@]}" || return 1
	for rate in "$@"; do
		send_start "$sender" "$sender" "${interfaces[sender]}" -m packet -f 2 -c $((rate * 2)) -r "$rate"
		sender=$((sender + 1))
	done
	send_end && order_end
}

# lone NAME LIMIT_MS DEVICE SETTINGS ORDER_OPTIONS RATE…: other work on the machine makes packets late, never the opposite, so there are ten attempts.
lone() {
	local name=$1 limit=$2 attempt
	shift 2
	for attempt in {1..10}; do
		lone_run "$@" || {
			ok 1 "$name: runs" "$(said)"
			return
		}
		! worst_delay_below "$limit" || break
		echo "# $name: $(field worst_delay_us "$ORDERED") us in attempt $attempt"
	done
	is_complete && is_in_order
	ok $? "$name: all there, in order" "$(said)"
	worst_delay_below "$limit"
	ok $? "$name: none later than $limit ms" "$(said)"
	[ -z "$(field wakeups "$ORDERED")" ] || {
		idles_seldom
		ok $? "$name: does not spin" "$(said)"
	}
}

for mode in loop epoll; do
	lone "one of two interfaces is idle, $mode" $((3 * TIMEOUT_MS)) nr1,nr3 "" "-m $mode" 20
	lone "lone packets on two interfaces, $mode" $((3 * TIMEOUT_MS)) nr1,nr3 "" "-m $mode" 11 7
	lone "three of four rings are idle, $mode" $((3 * TIMEOUT_MS)) nr1 NETRING_RINGS=4 "-m $mode" 20
	lone "lone packets on two interfaces, two rings each, $mode" $((3 * TIMEOUT_MS)) nr1,nr3 NETRING_RINGS=2 "-m $mode" 11 7
	# A busy machine may be late; a timer that is waited for would be later.
	lone "lone packets on two interfaces, immediate, $mode" $TIMEOUT_MS nr1,nr3 "" "-m $mode -I" 11 7
done

finish
