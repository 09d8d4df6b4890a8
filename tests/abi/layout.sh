#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The program layout on the system's libpcap and on netring: the same structures, constants and data, and not a word from ld.so. Then netring.h on its
# own, in every compiler that is here. Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
export LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH

program=${abs_top_builddir:?}/tests/abi/layout
shim=${SHIM_DIR:?}/libpcap.so.0.8
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT

command -v readelf >/dev/null || skip_all "no readelf (package binutils)"

copies=$(readelf -rW "$program" | grep _COPY)
echo "$copies" | grep -q pcap_version && echo "$copies" | grep -q eproto_db
ok $? "the program holds copies of libpcap's data" "$copies"

"$program" "$top/stock.pcap" >"$top/stock.out" 2>"$top/stock.err"
ok $? "it runs on the system's libpcap" "$(cat "$top/stock.err")"
LD_LIBRARY_PATH=$SHIM_DIR LD_PRELOAD=$shim "$program" "$top/netring.pcap" >"$top/netring.out" 2>"$top/netring.err"
ok $? "it runs on netring" "$(cat "$top/netring.err")"

grep -q netring "$top/netring.err" && ! grep -q netring "$top/stock.err"
ok $? "each on its library" "$(cat "$top/stock.err" "$top/netring.err")"

[ "$(wc -l <"$top/stock.out")" -gt 100 ]
ok $? "it printed something"
difference=$(diff "$top/stock.out" "$top/netring.out")
[ -z "$difference" ]
ok $? "structures, constants, data and what is written into them are the same" "$difference"
awk '$1 == "pcap_version" { found = length($2) <= 6 + 2 } END { exit !found }' "$top/netring.out"
ok $? "pcap_version fits into the 7 bytes that old programs have for it" "$(grep pcap_version "$top/netring.out")"
! grep -q 'writes [1-9]' "$top/netring.out"
ok $? "no function writes behind its structure" "$(grep writes "$top/netring.out")"
cmp -s "$top/stock.pcap" "$top/netring.pcap"
ok $? "the savefiles are the same"

[ "$(wc -l <"$top/netring.err")" = 1 ]
ok $? "ld.so has nothing to say" "$(cat "$top/netring.err")"
LD_BIND_NOW=1 LD_LIBRARY_PATH=$SHIM_DIR LD_PRELOAD=$shim "$program" "$top/netring.pcap" 2>&1 >/dev/null | grep -v '^library ' >"$top/now"
[ ! -s "$top/now" ]
ok $? "nor with every symbol bound at the start" "$(cat "$top/now")"

# compiles NAME COMPILER FLAG…: a file that includes netring.h and nothing else, twice, and uses its inline function.
compiles() {
	compiles_name=$1 compiler=$2
	shift 2
	if ! command -v "$compiler" >/dev/null; then
		skip "netring.h as $compiles_name" "no $compiler"
		return
	fi
	output=$("$compiler" "$@" -Wall -Wextra -pedantic-errors -Werror -fsyntax-only -I"$abs_top_srcdir/src" "$top/use.c" 2>&1)
	ok $? "netring.h as $compiles_name" "$output"
}

cat >"$top/use.c" <<'C'
#include "netring.h"
#include "netring.h"
uint64_t use(const struct netring_packet *packet);
uint64_t use(const struct netring_packet *packet) { return netring_packet_time_ns(packet); }
C
compiles "C11, gcc" gcc -std=c11 -Wshadow -x c
compiles "C99, gcc" gcc -std=c99 -x c
compiles "C11, clang" clang -std=c11 -Wshadow -x c
compiles "C++11, g++" g++ -std=c++11 -x c++
compiles "C++20, g++" g++ -std=c++20 -x c++
compiles "C++17, clang" clang -std=c++17 -x c++
finish
