#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Make a directory that looks like a netring build but holds the system's own
# libpcap, so that the client tests can be tried without netring: they must
# pass with it. With a MUTANT (see mutant.c) the library in it is wrong in one
# way, and they must fail.
#
# usage: make.sh DIRECTORY [MUTANT]
# then:  abs_top_builddir=DIRECTORY SHIM_DIR=DIRECTORY/shim tests/clients/tcpdump.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$1
mutant=${2:-}
stock=$(ldconfig -p | awk '$1 == "libpcap.so.0.8" || $1 == "libpcap.so.1" { print $NF; exit }')

mkdir -p "$dir/shim"
dir=$(cd "$dir" && pwd)
chmod 755 "$dir" "$dir/shim"
cp "$(readlink -f "$stock")" "$dir/shim/libpcap.so.0.8"
ln -sf libpcap.so.0.8 "$dir/shim/libpcap.so"
ln -sf libpcap.so.0.8 "$dir/shim/libpcap.so.1"
preload=$dir/shim/libpcap.so.0.8
if [ -n "$mutant" ]; then
	cc -shared -fPIC -O2 -Wall -Wextra -DMUTANT_"$mutant" \
		-o "$dir/mutant-$mutant.so" "$here/mutant.c" -ldl
	preload=$dir/mutant-$mutant.so:$preload
fi

# netring run -L DIR -- PROGRAM ARG...
cat >"$dir/netring" <<END
#!/bin/sh
shift 4
LD_LIBRARY_PATH=$dir/shim LD_PRELOAD=$preload exec "\$@"
END
chmod 755 "$dir/netring"
