#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Make a directory that looks like a netring build but holds the system's own
# libpcap, so that the client tests can be tried without netring: they must
# pass with it. With a MUTANT the library in it is wrong in one way (those of
# mutant.c; "notloaded": netring run does nothing), and they must fail.
#
# usage: make.sh DIRECTORY [MUTANT]
# then:  abs_top_builddir=DIRECTORY SHIM_DIR=DIRECTORY/shim tests/clients/tcpdump.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mutant=${2:-none}
stock=$(ldconfig -p | awk '$1 == "libpcap.so.0.8" || $1 == "libpcap.so.1" { print $NF; exit }')
archive=${stock%/*}/libpcap.a

mkdir -p "$1/shim"
dir=$(cd "$1" && pwd)
chmod 755 "$dir" "$dir/shim"
ln -sf libpcap.so.0.8 "$dir/shim/libpcap.so"
ln -sf libpcap.so.0.8 "$dir/shim/libpcap.so.1"
preload="LD_LIBRARY_PATH=$dir/shim LD_PRELOAD=$dir/shim/libpcap.so.0.8"

case $mutant in
none | notloaded)
	cp "$(readlink -f "$stock")" "$dir/shim/libpcap.so.0.8"
	[ "$mutant" = none ] || preload=
	;;
*)
	# Only pcap_* is exported, as from the real one; what D-Bus there is in
	# it stays unresolved until it is called, which it is not here.
	sed -nE 's/^[a-z].*\breal_(pcap_[a-z_]+)\(.*\);$/\1 real_\1/p' "$here/mutant.c" >"$dir/renamed"
	printf '%s real_%s\n' stdin stdin stdout stdout stderr stderr >>"$dir/renamed"
	objcopy --redefine-syms="$dir/renamed" "$archive" "$dir/renamed.a"
	cc -shared -fPIC -O2 -Wall -Wextra -DMUTANT_"$mutant" -Wl,-soname,libpcap.so.0.8 -Wl,-Bsymbolic \
		-o "$dir/shim/libpcap.so.0.8" "$here/mutant.c" \
		-Wl,--whole-archive "$dir/renamed.a" -Wl,--no-whole-archive
	;;
esac

# netring run -L DIR -- PROGRAM ARG...
cat >"$dir/netring" <<END
#!/bin/sh
shift 4
$preload exec "\$@"
END
chmod 755 "$dir/netring"
