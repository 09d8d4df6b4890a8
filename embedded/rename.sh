#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes OUT from libpcap's static library: every global function and object that it defines is called inner_NAME, and so is each use of it inside.
#
# usage: rename.sh NM OBJCOPY LIBPCAP.A OUT
#
# The list comes from the archive, because the names of libpcap's helpers change between versions. Two data objects keep their names, since they are
# exported as they are: programs hold copies of them (pcap_version by a COPY relocation), so their sizes must be libpcap's. What it uses of libc and is
# renamed as well: stdin, stdout and stderr (compat/inner-stdio.c says why), and four system calls (compat/inner-calls.h).
set -eu
nm=$1 objcopy=$2 archive=$3 out=$4

"$nm" --defined-only --extern-only --format=posix "$archive" |
	awk 'NF >= 3 && $1 != "pcap_version" && $1 != "eproto_db" { print $1, "inner_" $1 }' | sort -u >"$out.names"
for name in stdin stdout stderr mmap setsockopt eventfd close; do
	echo "$name inner_$name"
done >>"$out.names"
grep -q '^pcap_activate ' "$out.names" || {
	echo "$archive: no pcap_activate in it; is this libpcap's static library?" >&2
	exit 1
}
"$objcopy" --redefine-syms="$out.names" "$archive" "$out.tmp"
mv "$out.tmp" "$out"
