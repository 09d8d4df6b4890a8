#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The highest rate at which a counting program loses nothing, 60 bytes, found by halving the interval; and what the reader pays for
# a packet at a rate both keep up with. If nothing is lost flat out, the sender is the limit, and the row says so.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lossless.sh disable=SC1091
. "$(dirname "$0")/lossless.sh"
bench_setup

reader_start() { count_start "$1" -t 100 -p "$READER_CPU"; }
reader_end() { count_end; }

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
