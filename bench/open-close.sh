#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pcap_activate() and pcap_close(), with the buffer sizes the libraries choose themselves, memory warm.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
bench_setup

ROUNDS=20

open_close() {
	local library=$1 line
	on "$library"
	line=$(in_rx "${ON[@]}" "$COUNT" -i nr1 -t 100 -o "$ROUNDS") || bench_fail "count failed on $library"
	bench_check_library "$library" "$(value library "$line")"
	value activate_ms "$line" >>"$NR_TMP/activate.$library"
	value close_ms "$line" >>"$NR_TMP/close.$library"
}

for ((i = 0; i < BENCH_RUNS; i++)); do
	open_close stock
	open_close netring
done
for what in activate close; do
	declare "${what}_stock=$(median_of "$NR_TMP/$what.stock")"
	declare "${what}_netring=$(median_of "$NR_TMP/$what.netring")"
done
# shellcheck disable=SC2154 # declared in the loop above
row "activate, ms" "$activate_stock" "$activate_netring"
# shellcheck disable=SC2154
row "close, ms" "$close_stock" "$close_netring"
row "activate + close, ms" "$(calc "$activate_stock + $close_stock")" "$(calc "$activate_netring + $close_netring")" \
	"median of $BENCH_RUNS x $ROUNDS"
