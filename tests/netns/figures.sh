#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The figures that must hold and that are counts: instructions a packet, and nothing lost while the reader is stalled. They are the
# benchmarks', with limits. Times are for the benchmarks alone.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
export BUILD_DIR=$abs_top_builddir

# measured COLUMN ROW_PATTERN ROWS: 2 stock, 3 netring, 4 the ratio.
measured() { awk -F ' *[|] *' -v column="$1" -v row="$2" '$1 ~ row { print $column }' <<<"$3"; }

# limit NAME VALUE OPERATOR LIMIT DETAIL
limit() {
	[ -n "$2" ] && awk -v value="$2" -v limit="$4" "BEGIN { exit !(value + 0 $3 limit) }"
	ok $? "$1 (it is ${2:-unknown})" "$5"
}

obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || skip_all "$obstacle"
[ "$(nproc)" -ge 2 ] || skip_all "one CPU: the sender would be in the reader's way"
trap 'exit 1' INT TERM HUP

if command -v valgrind >/dev/null; then
	rows=$("$abs_top_srcdir/bench/instructions.sh" 2>&1)
	limit "at most 45 instructions a packet" "$(measured 3 '^instructions' "$rows")" "<=" 45 "$rows"
	# Updates are per wait, and under callgrind a reader of copies waits after fewer packets than the others.
	for way in ring rings xdp tap; do
		more=1
		[ $way != tap ] || more=2
		rows=$("$abs_top_srcdir/bench/stats-instructions.sh" "$way" 2>&1)
		most=$(measured 2 'with the counters' "$rows" | awk -v more=$more '{ print $1 + more }')
		limit "$way: at most ${most:-$more} with the counters of netring stats, $more more than without" "$(measured 3 'with the counters' "$rows")" "<=" "${most:-0}" "$rows"
	done
else
	skip "at most 45 instructions a packet" "no valgrind"
fi

# What counts is that the reader does not read while all of it arrives: in a second where the machine is idle, in more where it is busy.
rows=$(BENCH_RUNS=1 BENCH_STALL_MS=8000 "$abs_top_srcdir/bench/stall.sh" 2>&1)
limit "a reader that does not read while 1 000 000 packets arrive gets all of them" "$(measured 3 '^8000 ms stall' "$rows")" == 1000000 "$rows"
limit "libpcap does not: the reader was stalled" "$(measured 2 '^8000 ms stall' "$rows")" "<" 500000 "$rows"

finish
