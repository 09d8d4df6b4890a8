#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tcpdump -n printing to /dev/null, 60 bytes: 4 million packets at 0.9 million a second, and a burst of 1 million, flat out.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh disable=SC1091
. "$BENCH_SOURCE/capture.sh"
bench_setup

RATE=900000
PACKETS=4000000
BURST=1000000

for ((i = 0; i < BENCH_RUNS; i++)); do
	for library in stock netring; do
		capture_with "$library" null -r "$RATE" -c "$PACKETS" -- tcpdump -n -i nr1
		capture_with "$library" burst -c "$BURST" -- tcpdump -n -i nr1
	done
done
capture_rows null "tcpdump -n >/dev/null, 60 B at $(calc "$RATE / 1e6") Mpps"
capture_rows burst "tcpdump -n >/dev/null, burst of $BURST"
