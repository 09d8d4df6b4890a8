#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Instructions of a pcap_dump, with all that it calls in user space (memcpy, stdio), counted by callgrind while tcpdump copies savefiles. The
# number is the difference between a long file and a short one, so that the first and last writes count for what they are.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
command -v valgrind >/dev/null || bench_fail "no valgrind"
bench_setup

FEW=20000
MANY=120000

# make_file PACKETS SIZE
make_file() {
	python3 - "$1" "$2" >"$NR_TMP/$2.$1" <<'END' || bench_fail "no python3"
import struct, sys
count, size = int(sys.argv[1]), int(sys.argv[2])
out = sys.stdout.buffer
out.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
out.write((struct.pack("<IIII", 1700000000, 0, size, size) + b"x" * size) * count)
END
}

# instructions LIBRARY PACKETS SIZE
instructions() {
	local out=$NR_TMP/callgrind.out
	on "$1"
	# valgrind knows no io_uring, so that the writes are plain ones; they are not counted.
	"${ON[@]}" valgrind --tool=callgrind --toggle-collect=pcap_dump --callgrind-out-file="$out" \
		tcpdump -r "$NR_TMP/$3.$2" -w "$NR_TMP/copy" -Z root >"$NR_TMP/valgrind" 2>&1 || bench_fail "$(cat "$NR_TMP/valgrind")"
	cmp "$NR_TMP/$3.$2" "$NR_TMP/copy" || bench_fail "$1's copy differs"
	awk '/^(summary|totals):/ { n = $2 } END { print n }' "$out"
}

per_packet() {
	local few many
	few=$(instructions "$1" "$FEW" "$2") && many=$(instructions "$1" "$MANY" "$2") || exit 1
	calc "($many - $few) / ($MANY - $FEW)" %.1f
}

for size in 60 1400; do
	make_file "$FEW" "$size"
	make_file "$MANY" "$size"
	stock=$(per_packet stock "$size") || exit 1
	netring=$(per_packet netring "$size") || exit 1
	row "instructions a pcap_dump, $size B" "$stock" "$netring"
done
