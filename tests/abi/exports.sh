#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What the shared objects export, compared with the system's libpcap: every name of it, of the same type, data of the same size, no symbol
# version, the same SONAME; beyond that only netring_* as in netring.h and libpcap's ten names for remote capture.
# Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

shim=${SHIM_DIR:?}/libnetring-pcap.so
engine=${abs_top_builddir:?}/libnetring.so.0
header=$abs_top_srcdir/src/netring.h
remote="pcap_createsrcstr pcap_findalldevs_ex pcap_open pcap_parsesrcstr pcap_remoteact_accept pcap_remoteact_accept_ex
pcap_remoteact_cleanup pcap_remoteact_close pcap_remoteact_list pcap_setsampling"

command -v readelf >/dev/null || skip_all "no readelf (package binutils)"

soname() { readelf -dW "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'; }

# NAME TYPE SIZE of what a library defines for others; the size of data only. A version is left at the name.
exports() {
	readelf --dyn-syms -W "$1" | awk '$7 != "UND" && ($5 == "GLOBAL" || $5 == "WEAK") && $7 != "ABS" { print $8, $4, $4 == "OBJECT" ? $3 : "-" }' | sort
}

# Names that netring.h declares as functions.
declared() { grep -o '\<netring_[a-z_]*(' "$header" | tr -d '(' | grep -v -e '^netring_packet_time_ns$' | sort -u; }

name=$(soname "$shim")
system=$(ldconfig -p | awk -v name="$name" '$1 == name { print $NF; exit }')
[ -n "$system" ] || skip_all "no $name on this system"

top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
exports "$system" >"$top/system"
exports "$shim" >"$top/shim"
exports "$engine" >"$top/engine"
cut -d' ' -f1 <"$top/system" >"$top/system.names"
cut -d' ' -f1 <"$top/shim" >"$top/shim.names"
declared >"$top/declared"
# shellcheck disable=SC2086 # a list of words
printf '%s\n' $remote | sort >"$top/remote"

[ "$(wc -l <"$top/system")" -ge 90 ] && [ "$(wc -l <"$top/declared")" -ge 11 ]
ok $? "the lists to compare with are there" "$(wc -l "$top"/*)"

[ "$(soname "$system")" = "$name" ]
ok $? "the SONAME is the system's, $name" "$(soname "$system")"

missing=$(comm -23 "$top/system" "$top/shim")
[ -z "$missing" ]
ok $? "every name of $system is there, with its type, data with its size" "$missing"

extra=$(comm -13 "$top/system.names" "$top/shim.names" | comm -23 - "$top/declared" | comm -23 - "$top/remote")
[ -z "$extra" ]
ok $? "nothing else is there but netring.h and remote capture" "$extra"

missing=$(sort -m "$top/declared" "$top/remote" | comm -23 - "$top/shim.names")
[ -z "$missing" ]
ok $? "netring.h and remote capture are there" "$missing"

[ "$(grep -c ' OBJECT ' "$top/shim")" = "$(grep -c ' OBJECT ' "$top/system")" ]
ok $? "the data objects are libpcap's" "$(grep ' OBJECT ' "$top/shim")"

! grep -q '@' "$top/shim" && ! readelf -VW "$shim" | grep -q "Version definition"
ok $? "no symbol has a version"

difference=$(sed 's/@.*//; s/ .*//' "$top/engine" | sort -u | comm -3 - "$top/declared")
[ -z "$difference" ] && ! grep -qv ' FUNC ' "$top/engine"
ok $? "libnetring.so exports netring.h" "$difference"
[ "$(soname "$engine")" = libnetring.so.0 ]
ok $? "its SONAME is libnetring.so.0"

for library in "$shim" "$engine"; do
	base=${library##*/}
	! readelf -dW "$library" | grep -q TEXTREL
	ok $? "$base has no text relocations"
	readelf -lW "$library" | awk '$1 == "GNU_STACK" { found = 1; bad = $0 ~ /RWE/ } END { exit !found || bad }'
	ok $? "$base does not ask for an executable stack"
	needed=$(readelf -dW "$library" | grep NEEDED | grep -e 'libpcap' -e 'libnetring')
	[ -z "$needed" ]
	ok $? "$base needs no libpcap beside it" "$needed"
	# It is loaded when it is needed: it costs every program a fifth of the loader's work, and must not meet a libbpf.so.0.
	needed=$(readelf -dW "$library" | grep 'NEEDED.*lib\(bpf\|uring\)')
	[ -z "$needed" ]
	ok $? "$base needs neither libbpf nor liburing" "$needed"
	undefined=$(readelf --dyn-syms -W "$library" | awk '$7 == "UND" && $8 ~ /^(pcap_|bpf_|inner_|netring_)/ { print $8 }')
	[ -z "$undefined" ]
	ok $? "$base takes no pcap function from elsewhere" "$undefined"
done

for alias in libpcap.so libpcap.so.1 libpcap.so.0.8 "$name"; do
	[ "$(realpath "$SHIM_DIR/$alias")" = "$(realpath "$shim")" ]
	ok $? "$alias is the drop-in"
done
finish
