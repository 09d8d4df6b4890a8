#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What is left of 1 million packets of 60 bytes that arrive while the reader does not read for a second, with the buffer sizes the
# libraries choose themselves. BENCH_STALL_MS: another time to stall; what counts is that all arrives within it.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
bench_setup

STALL_MS=${BENCH_STALL_MS:-1000}
PACKETS=1000000

# False if the machine was too busy to send all of it within the second.
stall_once() {
	local library=$1 start took
	count_start "$library" -t 100 -w "$STALL_MS" -p "$READER_CPU"
	start=$(date +%s%N)
	passed=$(value passed "$(blast -c "$PACKETS")")
	took=$((($(date +%s%N) - start) / 1000000))
	count_end
	if [ "$took" -ge "$STALL_MS" ]; then
		note "sending took $took ms, longer than the reader was stalled; once more"
		return 1
	fi
	[ "$passed" = "$PACKETS" ] || bench_fail "only $passed of $PACKETS packets passed the veth pair"
	[ $(($(value delivered "$COUNTED") + $(value dropped "$COUNTED"))) = "$PACKETS" ] ||
		note "$library: delivered and dropped do not add up to $PACKETS: $COUNTED"
	value delivered "$COUNTED" >>"$NR_TMP/delivered.$library"
}

stall() { stall_once "$1" || stall_once "$1" || stall_once "$1" || bench_fail "this machine is too busy"; }

for ((i = 0; i < BENCH_RUNS; i++)); do
	stall stock
	stall netring
done
stock=$(median_of "$NR_TMP/delivered.stock")
netring=$(median_of "$NR_TMP/delivered.netring")
row "$STALL_MS ms stall, delivered of 1 000 000" "$stock" "$netring" "lowest netring run: $(sort -g "$NR_TMP/delivered.netring" | head -n 1)"
