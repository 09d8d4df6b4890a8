#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several rings and several processes: what they capture together while both CPUs send flat out, 60 bytes, 64 flows each, and what that costs the
# readers; and instructions a packet for 1, 2, 4 and 8 rings that all get packets. The stock column is libpcap with its one ring and one process.
#
# The readers run on the CPUs that send, too, so more of them do not mean more CPU time for reading.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=callgrind.sh disable=SC1091
. "$(dirname "$0")/callgrind.sh"
bench_setup
in_tx ip link del nr0
nr_wide_pair nr0 nr1 || bench_fail "cannot set up the wide pair"

PACKETS=${BENCH_PACKETS:-4000000} # from each CPU
SENDER_STEP=4294967296            # the other sender's flows are others

# on_any_cpu LIBRARY: as on, but not pinned.
on_any_cpu() {
	on "$1"
	ON=("${FIRST[@]}" "${ON[@]:${#READER[@]}}")
}

# readers_start LIBRARY COUNT SETTING…
readers_start() {
	local library=$1 count=$2 i pid
	shift 2
	READERS=()
	on_any_cpu "$library"
	for ((i = 0; i < count; i++)); do
		: >"$NR_TMP/reader.$i"
		nr_start pid "$NR_RX" "${ON[@]}" "$@" "$COUNT" -i nr1 -t 100 >"$NR_TMP/reader.$i"
		READERS+=("$pid")
		nr_wait 60 grep -q ready "$NR_TMP/reader.$i" || bench_fail "count did not start on $library with $*"
	done
}

# Leaves in PASSED what both sent, in SECONDS_SENDING how long the slower one took.
senders_run() {
	local cpu pid pids=() sent seconds
	for cpu in 0 1; do
		nr_start pid "$NR_TX" "${FIRST[@]}" "$BLAST" -i nr0 -p "$cpu" -n $((cpu * SENDER_STEP)) -f 64 -c "$PACKETS" >"$NR_TMP/sent.$cpu"
		pids+=("$pid")
	done
	for pid in "${pids[@]}"; do
		nr_wait 120 nr_ended "$pid"
		nr_stop "$pid" || bench_fail "blast failed"
	done
	PASSED=0
	SECONDS_SENDING=0
	for cpu in 0 1; do
		sent=$(cat "$NR_TMP/sent.$cpu")
		PASSED=$((PASSED + $(value sent "$sent")))
		seconds=$(value seconds "$sent")
		SECONDS_SENDING=$(calc "$seconds > $SECONDS_SENDING ? $seconds : $SECONDS_SENDING" %.3f)
	done
}

# measure NAME LIBRARY READERS SETTING…: adds a run to the results called NAME.
measure() {
	local name=$1 library=$2 count=$3 i line delivered=0 cpu=0
	shift 2
	readers_start "$library" "$@"
	senders_run
	for ((i = 0; i < count; i++)); do
		nr_stop "${READERS[i]}" TERM 60 || bench_fail "count failed on $library with $*"
		line=$(tail -n 1 "$NR_TMP/reader.$i")
		bench_check_library "$library" "$(value library "$line")"
		delivered=$((delivered + $(value delivered "$line")))
		cpu=$(calc "$cpu + $(value cpu_s "$line")" %.4f)
	done
	calc "$delivered / $SECONDS_SENDING / 1e6" "%.3f\n" >>"$NR_TMP/rate.$name"
	calc "100 * $delivered / $PASSED" "%.1f\n" >>"$NR_TMP/share.$name"
	calc "$cpu * 1e9 / ($delivered + 1)" "%.0f\n" >>"$NR_TMP/cpu.$name"
	note "$name: $(tail -n 1 "$NR_TMP/share.$name") % of $PASSED in $SECONDS_SENDING s"
}

rate_rows() { # NAME TITLE
	row "captured flat out, Mpps, $2" "$(median_of "$NR_TMP/rate.stock")" "$(median_of "$NR_TMP/rate.$1")" \
		"$(median_of "$NR_TMP/share.stock") % and $(median_of "$NR_TMP/share.$1") % of what was sent"
	row "CPU a captured packet, ns, $2" "$(median_of "$NR_TMP/cpu.stock")" "$(median_of "$NR_TMP/cpu.$1")"
}

for ((run = 0; run < BENCH_RUNS; run++)); do
	measure stock stock 1
	measure one netring 1
	measure two-rings netring 1 NETRING_RINGS=2
	measure two-processes netring 2 "NETRING_FANOUT=hash:42"
done
rate_rows one "1 ring"
rate_rows two-rings "2 rings"
rate_rows two-processes "2 processes in a group"

command -v valgrind >/dev/null || exit 0
INSTRUCTIONS_TRAFFIC=(-f 64)
per_packet stock
stock=$(calc "$OWN + $OTHERS" %.1f)
for rings in 1 2 4 8; do
	per_packet netring "NETRING_RINGS=$rings" NETRING_FANOUT=hash
	row "instructions a packet, $rings rings, 64 flows" "$stock" "$(calc "$OWN + $OTHERS" %.1f)" "in other libraries: $OTHERS"
done
