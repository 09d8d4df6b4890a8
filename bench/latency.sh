#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# From the moment a packet is made to its callback: 60 bytes every 200 us, in immediate mode and with the time-outs programs use.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
bench_setup

RATE=5000
PACKETS=10000

latency() {
	local library=$1 mode=$2
	shift 2
	count_start "$library" -l -p "$READER_CPU" "$@"
	blast -r "$RATE" -c "$PACKETS" >/dev/null || bench_fail "blast failed"
	count_end
	[ "$(value delivered "$COUNTED")" = "$PACKETS" ] || note "$library $mode: $COUNTED"
	value p50_us "$COUNTED" >>"$NR_TMP/p50.$mode.$library"
	value p99_us "$COUNTED" >>"$NR_TMP/p99.$mode.$library"
}

compare() {
	local mode=$1 title=$2 quantile
	shift 2
	for ((i = 0; i < BENCH_RUNS; i++)); do
		latency stock "$mode" "$@"
		latency netring "$mode" "$@"
	done
	for quantile in p50 p99; do
		row "latency $quantile, $title, us" "$(median_of "$NR_TMP/$quantile.$mode.stock")" \
			"$(median_of "$NR_TMP/$quantile.$mode.netring")"
	done
}

compare immediate "immediate mode" -I -t 1000
compare 1ms "timeout 1 ms" -t 1
compare 100ms "timeout 100 ms" -t 100
