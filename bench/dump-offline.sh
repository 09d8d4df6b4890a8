#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# From savefile to savefile: tcpdump -r FILE -w COPY, and the same with the filter "tcp" and with -U, of 4 GB in memory, so that no disk is
# measured. The copies must be the same to the byte.
#
# Environment: BENCH_OFFLINE_GB (default 4; three times that must be free memory), BENCH_DUMP_RUNS (default 4).
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
bench_setup

GB=${BENCH_OFFLINE_GB:-4}
available_mb=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$available_mb" -ge $((GB * 3072 + 2000)) ] || bench_fail "needs $((GB * 3 + 2)) GB of free memory, there are $available_mb MB"
mkdir "$NR_TMP/files"
mount -t tmpfs -o "size=$((GB * 3 + 1))g" tmpfs "$NR_TMP/files" || bench_fail "cannot mount a tmpfs"
trap 'umount "$NR_TMP/files"; nr_cleanup' EXIT
BIG=$NR_TMP/files/big.pcap

# Packets of 60, 576 and 1514 bytes, every second one TCP; the times start again with each 64 MB.
make_input() {
	python3 - "$NR_TMP/files/header" "$NR_TMP/files/part" <<'END' || bench_fail "no python3"
import struct, sys
open(sys.argv[1], "wb").write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
out, total, i = open(sys.argv[2], "wb"), 0, 0
sizes = (60, 1514, 60, 576, 1514)
while total < 64 << 20:
    size = sizes[i % 5]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, i & 0xffff, 0, 64, 6 if i % 2 else 17, 0, b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
    frame = (b"\x02" * 12 + b"\x08\x00" + ip + bytes([i % 251]) * size)[:size]
    out.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, size, size) + frame)
    total += 16 + size
    i += 1
END
	cat "$NR_TMP/files/header" >"$BIG"
	for ((i = 0; i < GB * 16; i++)); do
		cat "$NR_TMP/files/part" >>"$BIG"
	done
	rm "$NR_TMP/files/header" "$NR_TMP/files/part"
}

# timed NAME LIBRARY OPTION…: leaves the copy, and adds the seconds to the results, those by the clock and those of CPU.
timed() {
	local name=$1 library=$2 TIMEFORMAT='%R %U %S' wall user system
	shift 2
	on "$library"
	# A virtual machine that gives free memory back to its host pays for each page it touches again: not the first run alone.
	head -c "${GB}G" /dev/zero >"$NR_TMP/files/$library"
	rm "$NR_TMP/files/$library"
	{ time "${ON[@]}" tcpdump -r "$BIG" -w "$NR_TMP/files/$library" -Z root "$@" 2>"$NR_TMP/stderr"; } 2>"$NR_TMP/time" ||
		bench_fail "$(cat "$NR_TMP/stderr")"
	read -r wall user system <"$NR_TMP/time"
	echo "$wall" >>"$NR_TMP/time.$name.$library"
	calc "$user + $system" "%.3f\n" >>"$NR_TMP/cpu.$name.$library"
	note "$library, $name: $wall s, CPU $user + $system s"
}

compare() {
	local name=$1 title=$2
	shift 2
	for ((i = 0; i < ${BENCH_DUMP_RUNS:-4}; i++)); do
		# In turn: whoever comes second finds the first one's copy in memory.
		if ((i % 2)); then
			timed "$name" netring "$@"
			timed "$name" stock "$@"
		else
			timed "$name" stock "$@"
			timed "$name" netring "$@"
		fi
		cmp "$NR_TMP/files/stock" "$NR_TMP/files/netring" || bench_fail "$title: the copies differ"
		rm "$NR_TMP/files/stock" "$NR_TMP/files/netring"
	done
	row "$title, s" "$(median_of "$NR_TMP/time.$name.stock")" "$(median_of "$NR_TMP/time.$name.netring")" "identical"
	row "$title, CPU s" "$(median_of "$NR_TMP/cpu.$name.stock")" "$(median_of "$NR_TMP/cpu.$name.netring")"
}

make_input
compare copy "tcpdump -r -w, $GB GB in memory"
compare tcp "tcpdump -r -w tcp, $GB GB in memory" tcp
compare flush "tcpdump -r -w -U, $GB GB in memory" -U
