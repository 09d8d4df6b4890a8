#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The highest rate at which tcpdump -w to a disk loses nothing in ten seconds, 1400 bytes, found by halving the interval (in the logarithm, for
# the two are far apart). 850 000 a second is the most that is tried: 12 GB.
#
# Environment: BENCH_DIR (dump-lib.sh), BENCH_LIBRARIES (default "stock netring": in two halves there is no ratio).
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh disable=SC1091
. "$BENCH_SOURCE/capture.sh"
# shellcheck source-path=SCRIPTDIR source=dump-lib.sh disable=SC1091
. "$BENCH_SOURCE/dump-lib.sh"
bench_setup

SIZE=1400
SECONDS_A_RUN=10
LOWEST=10000
HIGHEST=850000
STEPS=5
dump_folder 13
FILE=$DUMP_FOLDER/x.pcap

lossless() {
	local library=$1 rate=$2
	on "$library"
	capture -s "$SIZE" -r "$rate" -c $((rate * SECONDS_A_RUN)) -- tcpdump -n -i nr1 -Z root -w "$FILE"
	bench_check_library "$library" "$CAPTURE_LIBRARY"
	dump_forget "$FILE"
	note "$library: $rate pps, $CAPTURED of $PASSED"
	[ "$CAPTURED" = "$PASSED" ]
}

# Other work on the machine makes losses, never the opposite. Far from lossless needs no second attempt.
lossless_at_times() { lossless "$@" || { [ "$(calc "$CAPTURED > 0.97 * $PASSED")" = 1 ] && lossless "$@"; }; }

# Leaves in BEST the highest lossless rate.
search() {
	local library=$1 low=$LOWEST high=$HIGHEST middle step
	BEST=$HIGHEST
	lossless_at_times "$library" "$HIGHEST" && return
	BEST=0
	for ((step = 0; step < STEPS; step++)); do
		middle=$(calc "sqrt($low * $high)" %d)
		if lossless_at_times "$library" "$middle"; then
			low=$middle
			BEST=$middle
		else
			high=$middle
		fi
	done
}

best_stock=0
best_netring=0
for library in ${BENCH_LIBRARIES:-stock netring}; do
	search "$library"
	declare "best_$library=$BEST"
done
row "lossless rate, tcpdump -w to $DUMP_DISK, $SIZE B, kpps" "$(calc "$best_stock / 1e3" %.0f)" "$(calc "$best_netring / 1e3" %.0f)" \
	"$SECONDS_A_RUN s; $((HIGHEST / 1000)) is the most that is tried"
