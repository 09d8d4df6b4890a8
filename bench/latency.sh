#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# From the moment a packet is made to its callback: 60 bytes every 200 us, in immediate mode and with the time-outs programs use.
# A lost packet has no latency: a library that loses what waits looks fast. So the rows say how many were delivered.
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
	calc "100 * $(value delivered "$COUNTED") / $PACKETS" "%.1f\n" >>"$NR_TMP/share.$mode.$library"
	value p50_us "$COUNTED" >>"$NR_TMP/p50.$mode.$library"
	value p99_us "$COUNTED" >>"$NR_TMP/p99.$mode.$library"
}

compare() {
	local mode=$1 title=$2 quantile shares
	shift 2
	for ((i = 0; i < BENCH_RUNS; i++)); do
		latency stock "$mode" "$@"
		latency netring "$mode" "$@"
	done
	shares="delivered %: stock $(median_of "$NR_TMP/share.$mode.stock"), netring $(median_of "$NR_TMP/share.$mode.netring")"
	for quantile in p50 p99; do
		row "latency $quantile, $title, us" "$(median_of "$NR_TMP/$quantile.$mode.stock")" \
			"$(median_of "$NR_TMP/$quantile.$mode.netring")" "$shares"
	done
}

compare immediate "immediate mode" -I -t 1000
compare 1ms "timeout 1 ms" -t 1
compare 100ms "timeout 100 ms" -t 100
