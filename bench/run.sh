#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All benchmarks, one table. "make bench" calls this; see lib.sh for the environment.
here=$(cd "$(dirname "$0")" && pwd)
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
status=0

for benchmark in instructions rings xdp xdp-tap stall open-close lossless-rate latency tcpdump-null tcpdump-write \
	dump-instructions dump-cpu dump-burst dump-rate dump-offline; do
	echo "== $benchmark" >&2
	"$here/$benchmark.sh" >>"$rows" || {
		echo "$benchmark | failed | | |" >>"$rows"
		status=1
	}
done

echo "Both libraries in the same run, medians; ratio = netring / stock. $(uname -r), $(nproc) CPUs."
{
	echo "measure | stock | netring | ratio | remarks"
	cat "$rows"
} | awk -F ' [|] ?' '
	{ for (i = 1; i <= 5; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
	END {
		for (r = 1; r <= NR; r++)
			printf "%-*s  %*s  %*s  %*s  %s\n", width[1], cell[r, 1], width[2], cell[r, 2], width[3], cell[r, 3], width[4], cell[r, 4], cell[r, 5]
	}'
exit "$status"
