#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What tcpdump -w to a disk pays for a packet at 100 000 a second of 1400 bytes, a rate that every library keeps up with, or nearly: user and
# system time of the process and its threads; and the same with -U, a flush for each packet.
#
# Environment: BENCH_DIR (dump-lib.sh).
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh disable=SC1091
. "$BENCH_SOURCE/capture.sh"
# shellcheck source-path=SCRIPTDIR source=dump-lib.sh disable=SC1091
. "$BENCH_SOURCE/dump-lib.sh"
bench_setup

SIZE=1400
RATE=100000
PACKETS=400000
dump_folder 2
FILE=$DUMP_FOLDER/x.pcap

once() { # NAME RATE COUNT TCPDUMP_OPTION…
	local name=$1 rate=$2 count=$3 library
	shift 3
	for library in stock netring; do
		capture_with "$library" "$name" -s "$SIZE" -r "$rate" -c "$count" -- tcpdump -n -i nr1 -Z root "$@" -w "$FILE"
		note "$library, $name: $SHARE %, $(calc "$CPU_S * 1e9 / ($CAPTURED + 1)" %.0f) ns"
		dump_forget "$FILE"
	done
}

for ((i = 0; i < BENCH_RUNS; i++)); do
	once plain "$RATE" "$PACKETS"
	once flush $((RATE / 5)) $((PACKETS / 5)) -U
done
capture_rows plain "tcpdump -w, $SIZE B at $(calc "$RATE / 1e3" %d) kpps"
capture_rows flush "tcpdump -U -w, $SIZE B at $(calc "$RATE / 5e3" %d) kpps"
