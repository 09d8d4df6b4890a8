#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Pulls the plug: SIGKILL at random points of a burst, NETRING_TESTS_KILLS times (60). Before the burst some packets come, and the file has
# them all before it goes on: that was an idle moment. What is left must be a savefile with all of those, then some of the burst, without gaps,
# ending in a partial packet at most.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
dump_set_up tcpdump

KILLS=${NETRING_TESTS_KILLS:-60}
BURST=15000
SLOW_BURST=40000
SLOW_RATE=4000 # a second
SEED=${NETRING_TESTS_SEED:-$RANDOM}
RANDOM=$SEED
FILE=$FOLDER/killed.pcap
in_burst=0
partial=0
failed=

# start_number N: most are our own program, with a short time-out; some are tcpdump, which needs a second for its idle moment.
start_number() {
	local ways=(loop dispatch next_ex epoll select_one)
	rm -f "$FILE"
	if [ $(($1 % 25)) = 24 ]; then
		start_capture tcpdump -Z root -i nr1 -w "$FILE"
	else
		start_capture "$RECORD" "${ways[$1 % 5]}" nr1 "$FILE"
	fi
}

# pull_the_plug N: leaves in REASON what is wrong.
pull_the_plug() {
	local before=$((1 + RANDOM % 3000)) size=$((60 + RANDOM % 1341)) burst=$BURST rate=0 line sender packets
	REASON=
	start_number "$1" || { REASON="did not start" && return; }
	send "$before" "$size" 0
	if ! nr_wait 10 has_bytes "$FILE" $((24 + before * (16 + size))); then
		pull_plug "$PID"
		REASON="$before packets of $size bytes before the idle moment: $(contents "$FILE")"
		return
	fi
	# A third of the bursts take ten seconds, so that the plug is certainly pulled in the middle. All packets of any fit into the ring.
	(($1 % 3)) || { burst=$SLOW_BURST && rate=$SLOW_RATE; }
	nr_start sender "$NR_TX" "$NUMBERED" send nr0 "$burst" "$size" "$before" "$rate"
	# Where in the burst: not a wait for anything.
	sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
	[ "$rate" = 0 ] || nr_wait 10 has_bytes "$FILE" $((24 + (before + 1) * (16 + size))) || REASON="nothing of the burst comes"
	pull_plug "$PID"
	pull_plug "$sender"
	line=$(contents "$FILE")
	packets=$(field packets "$line")
	[ "$(field broken "$line")" = 0 ] && [ "$(field gaps "$line")" = 0 ] && [ "$(field first "$line")" = 0 ] && [ "$packets" -ge "$before" ] ||
		REASON="$before packets of $size bytes before the burst: $line"
	in_burst=$((in_burst + (packets > before && packets < before + burst)))
	partial=$((partial + $(field partial "$line")))
}

on netring
for ((n = 0; n < KILLS; n++)); do
	pull_the_plug "$n"
	[ -z "$REASON" ] || failed+="kill $n: $REASON"$'\n'
	# The first few failures say it all.
	[ "$(printf %s "$failed" | wc -l)" -lt 5 ] || break
done
ok $((${#failed} > 0)) "after each of $KILLS kills the file has all from before the idle moment, and whole packets" "seed $SEED"$'\n'"$failed"
echo "# $in_burst kills in the middle of a burst, $partial files end in a packet"
ok $((in_burst < 1 + n / 20)) "some kills came in the middle of a burst" "$in_burst of $n"
finish
