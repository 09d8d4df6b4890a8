#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tcpdump -w to a file in memory, 1400 bytes: 2 million packets at a million a second, and 3 seconds of 300 000 a second; the first
# also with tcpdump -B, dumpcap and netsniff-ng, when there.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh disable=SC1091
. "$BENCH_SOURCE/capture.sh"
bench_setup

SIZE=1400
PACKETS=2000000

# A file system in memory that ends with this script's directory.
mkdir "$NR_TMP/files"
mount -t tmpfs -o size=5g tmpfs "$NR_TMP/files" || bench_fail "cannot mount a tmpfs"
trap 'umount "$NR_TMP/files"; nr_cleanup' EXIT
available_mb=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$available_mb" -ge 6000 ] || bench_fail "needs 6 GB of free memory, there are $available_mb MB"
FILE=$NR_TMP/files/x.pcap

fast=(-s "$SIZE" -r 1000000 -c "$PACKETS" --)
slow=(-s "$SIZE" -r 300000 -c 900000 --)
dump=(tcpdump -n -i nr1 -Z root -w "$FILE")

for ((i = 0; i < BENCH_RUNS; i++)); do
	for library in stock netring; do
		capture_with "$library" fast "${fast[@]}" "${dump[@]}"
		rm -f "$FILE"
		capture_with "$library" slow "${slow[@]}" "${dump[@]}"
		rm -f "$FILE"
	done
	capture_peer big "${fast[@]}" "${dump[@]}" -B 262144
	rm -f "$FILE"
	if command -v dumpcap >/dev/null; then
		capture_peer dumpcap "${fast[@]}" dumpcap -q -i nr1 -w "$FILE"
		rm -f "$FILE"
	fi
	if command -v netsniff-ng >/dev/null; then
		capture_peer netsniff-ng "${fast[@]}" netsniff-ng -s --in nr1 --out "$FILE" --ring-size 256MiB
		rm -f "$FILE"
	fi
done

peers="tcpdump -B 262144: $(share_of big.peer)"
for peer in dumpcap netsniff-ng; do
	[ ! -e "$NR_TMP/share.$peer.peer" ] || peers+=", $peer: $(share_of "$peer.peer")"
done
capture_rows fast "tcpdump -w, $SIZE B at 1 Mpps" "$peers"
capture_rows slow "tcpdump -w, $SIZE B at 0.3 Mpps"
