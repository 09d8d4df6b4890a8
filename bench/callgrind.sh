# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # OWN and OTHERS are for those who source it
#
# Instructions a packet in pcap_loop, counted by callgrind: everything in the pcap library, and everything in other libraries that it calls (memcpy,
# poll), without the callback and the kernel. The number is the difference between a run of 600 000 packets and one of 200 000, divided by 400 000, so that
# opening and closing do not count. Losses do not matter here: the runs end after the packets delivered. Needs lib.sh.

FEW=200000
MANY=600000
RATE=200000 # what callgrind keeps up with, about
INSTRUCTIONS_TRAFFIC=() # more options of the sender

# For awk. Names are written out once in callgrind's files, "(7) /lib/x.so", and then given by number.
CALLGRIND_NAME='
	function name(text,    id) {
		id = text
		sub(/ .*/, "", id)
		if (text ~ / /) names[id] = substr(text, length(id) + 2)
		return names[id]
	}
'

# Sums up the own cost of the functions in a callgrind file: in the pcap library, and in the other libraries. callgrind collects only
# inside pcap_loop, so what is left is the program, that is the callback.
library_cost() {
	awk "$CALLGRIND_NAME"'
	function is_pcap(path) { sub(/.*\//, "", path); return path ~ /^lib(netring-)?pcap/ }
	/^ob=/  { object = name(substr($0, 4)) }
	/^cob=/ { name(substr($0, 5)) }
	/^calls=/ { getline; next } # the inclusive cost of a call
	/^[0-9+*-]/ {
		if (is_pcap(object)) own += $2
		else if (object !~ /\/count$/) others += $2
	}
	END { printf "%d %d\n", own, others }
	' "$1"
}

# instructions LIBRARY PACKETS SETTING…: leaves the two sums in COST. A setting is NAME=VALUE in the program's environment.
instructions() {
	local library=$1 packets=$2 blast_pid out=$NR_TMP/callgrind.$1.$2
	shift 2
	on "$library"
	: >"$NR_TMP/count"
	nr_start COUNT_PID "$NR_RX" "${ON[@]}" "$@" valgrind --tool=callgrind --toggle-collect=pcap_loop \
		--callgrind-out-file="$out" "$COUNT" -i nr1 -t 100 -c "$packets" >"$NR_TMP/count" 2>"$NR_TMP/valgrind"
	nr_wait 120 grep -q ready "$NR_TMP/count" || bench_fail "count did not start: $(cat "$NR_TMP/valgrind")"
	nr_start blast_pid "$NR_TX" "$BLAST" -i nr0 -p "$SENDER_CPU" -r "$RATE" -c $((RATE * 300)) \
		"${INSTRUCTIONS_TRAFFIC[@]}" >/dev/null
	nr_wait 300 nr_ended "$COUNT_PID" || bench_fail "count did not get $packets packets: $(cat "$NR_TMP/valgrind")"
	nr_stop "$blast_pid"
	bench_check_library "$library" "$(value library "$(tail -n 1 "$NR_TMP/count")")"
	[ "$(value delivered "$(tail -n 1 "$NR_TMP/count")")" = "$packets" ] || bench_fail "$(cat "$NR_TMP/count")"
	read -ra COST < <(library_cost "$out")
	[ "${COST[0]}" -gt 0 ] || bench_fail "callgrind saw nothing of $library's pcap_loop"
}

# per_packet LIBRARY SETTING…: leaves in OWN what the pcap library does for a packet, in OTHERS what others do for it.
per_packet() {
	local library=$1 few
	shift
	instructions "$library" "$FEW" "$@"
	few=("${COST[@]}")
	instructions "$library" "$MANY" "$@"
	OWN=$(calc "(${COST[0]} - ${few[0]}) / ($MANY - $FEW)" %.1f)
	OTHERS=$(calc "(${COST[1]} - ${few[1]}) / ($MANY - $FEW)" %.1f)
}
