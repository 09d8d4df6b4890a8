#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tcpdump -w to a disk, 4 million packets of 1400 bytes and of 60, as fast as they can be made; beside it dumpcap and netsniff-ng, when there.
#
# Environment: BENCH_DIR (dump-lib.sh), BENCH_SIZES (default "1400 60"), BENCH_DUMP_RUNS (default 3), BENCH_RATE (packets a second, instead of flat
# out: a machine that makes three million a second of 1400 bytes makes more than any disk takes).
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh disable=SC1091
. "$BENCH_SOURCE/capture.sh"
# shellcheck source-path=SCRIPTDIR source=dump-lib.sh disable=SC1091
. "$BENCH_SOURCE/dump-lib.sh"
bench_setup

PACKETS=4000000
dump_folder 6
FILE=$DUMP_FOLDER/x.pcap
PACE=()
[ -z "$BENCH_RATE" ] || PACE=(-r "$BENCH_RATE")
pace=${BENCH_RATE:+at $BENCH_RATE a second}

peer() {
	local size=$1 name=$2
	shift 2
	command -v "$1" >/dev/null || return 0
	capture_peer "$name.$size" -s "$size" -c "$PACKETS" "${PACE[@]}" -- "$@"
	dump_forget "$FILE"
}

one_round() {
	local size=$1 library
	for library in stock netring; do
		capture_with "$library" "burst.$size" -s "$size" -c "$PACKETS" "${PACE[@]}" -- tcpdump -n -i nr1 -Z root -w "$FILE"
		note "$library, $size B: $SHARE %, $(calc "$CPU_S * 1e9 / ($CAPTURED + 1)" %.0f) ns of CPU a packet"
		dump_forget "$FILE"
	done
	peer "$size" dumpcap dumpcap -q -i nr1 -w "$FILE"
	peer "$size" netsniff-ng netsniff-ng -s --in nr1 --out "$FILE" --ring-size 256MiB
}

for size in ${BENCH_SIZES:-1400 60}; do
	for ((i = 0; i < ${BENCH_DUMP_RUNS:-3}; i++)); do
		one_round "$size"
	done
	peers=
	for peer in dumpcap netsniff-ng; do
		[ ! -e "$NR_TMP/share.$peer.$size.peer" ] || peers+="${peers:+, }$peer: $(share_of "$peer.$size.peer")"
	done
	capture_rows "burst.$size" "tcpdump -w to $DUMP_DISK, $size B ${pace:-flat out}" "$peers"
done
