#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The highest rate at which a counting program loses nothing, 60 bytes, found by halving the interval; and what the reader pays for
# a packet at a rate both keep up with. If nothing is lost flat out, the sender is the limit, and the row says so.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
bench_setup

SECONDS_A_RUN=1
STEPS=6

# lossless LIBRARY RATE COUNT: true if all arrived. RATE_REACHED and CPU_NS are of this run.
lossless() {
	local library=$1 rate=$2 count=$3 sent
	count_start "$library" -t 100 -p "$READER_CPU"
	sent=$(blast -r "$rate" -c "$count") || bench_fail "blast failed"
	count_end
	RATE_REACHED=$(value pps "$sent")
	CPU_NS=$(calc "$(value cpu_s "$COUNTED") * 1e9 / $(value delivered "$COUNTED")" %.1f)
	[ "$(value delivered "$COUNTED")" = "$(value passed "$sent")" ]
}

# Other work on the machine makes losses, never the opposite: a rate has three attempts.
lossless_at_times() { lossless "$@" || lossless "$@" || lossless "$@"; }

# Leaves in BEST the highest lossless rate, and in LIMITED whether the sender was what limited it.
search() {
	local library=$1 low=50000 high middle
	LIMITED=
	if lossless_at_times "$library" 0 4000000; then
		BEST=$RATE_REACHED
		LIMITED=yes
		return
	fi
	high=$RATE_REACHED
	BEST=0
	for ((step = 0; step < STEPS; step++)); do
		middle=$(((low + high) / 2))
		if lossless_at_times "$library" "$middle" $((middle * SECONDS_A_RUN)); then
			low=$middle
			BEST=$(calc "$RATE_REACHED > $BEST ? $RATE_REACHED : $BEST" %d)
		else
			high=$middle
		fi
		note "$library: $middle pps, best $BEST"
	done
}

search stock
best_stock=$BEST
limited_stock=${LIMITED:+ stock}
search netring
best_netring=$BEST
limited_netring=${LIMITED:+ netring}
remark=$limited_stock$limited_netring
row "lossless rate, 60 B, Mpps" "$(calc "$best_stock / 1e6" %.2f)" "$(calc "$best_netring / 1e6" %.2f)" \
	"${remark:+lossless flat out, the sender is the limit:$remark}"

if [ "$best_stock" = 0 ] || [ "$best_netring" = 0 ]; then
	note "no rate without loss: this machine is too busy"
	exit 1
fi

# At a third of the lower one both are far from their limits.
rate=$(calc "($best_stock < $best_netring ? $best_stock : $best_netring) / 3" %d)
for ((i = 0; i < BENCH_RUNS; i++)); do
	for library in stock netring; do
		lossless "$library" "$rate" "$rate" || note "$library: loss at $rate pps"
		echo "$CPU_NS" >>"$NR_TMP/cpu.$library"
	done
done
row "CPU of the reader a packet, ns" "$(median_of "$NR_TMP/cpu.stock")" "$(median_of "$NR_TMP/cpu.netring")" \
	"at $(calc "$rate / 1e6" %.2f) Mpps"
