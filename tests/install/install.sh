#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A VPATH build with a prefix of its own, installed: the files of the design, programs relinked through pkg-config that run on netring without any
# environment variable, LD_PRELOAD of the installed object, the same under DESTDIR, and an uninstall that leaves nothing.
# Needs abs_top_srcdir and abs_top_builddir.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
export LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH PKG_CONFIG_PATH MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES DESTDIR
for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

CC=${CC:-gcc}
for program in "$CC" make pkg-config readelf; do
	command -v "$program" >/dev/null || skip_all "no $program"
done

top=$(mktemp -d "${TMPDIR:-/tmp}/nr-install-XXXXXX") || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$top"

# A tree that has been configured in place refuses to be built from elsewhere: build from a clean copy of it.
source=$abs_top_srcdir
if [ -e "$source/config.status" ]; then
	cp -a "$abs_top_srcdir" "$top/source"
	source=$top/source
	(cd "$source" && make distclean) >/dev/null 2>&1
fi
soname=$(sed -n "s/^PCAP_SONAME = //p" "${abs_top_builddir:?}/Makefile")
archive=$(sed -n "s/^LIBPCAP_A = //p" "$abs_top_builddir/Makefile")
prefix=$top/prefix

build() {
	mkdir "$top/build" && cd "$top/build" &&
		"$source/configure" --prefix="$prefix" --with-libpcap-a="$archive" --with-pcap-soname="$soname" CC="$CC" && make -j2 && make install
}
(build) >"$top/log" 2>&1 </dev/null
status=$?
ok $status "configure, make and make install outside the source tree" "$(tail -n 20 "$top/log")"
if [ $status -ne 0 ]; then
	finish
	exit 1
fi

pages=$(cd "$abs_top_srcdir/man" && ls -- *.[1-9])
expected() {
	printf '%s\n' bin/netring include/netring.h lib/libnetring.so lib/libnetring.so.0 "lib/netring/$soname" \
		lib/netring/libnetring-pcap.so lib/netring/libpcap.so lib/netring/libpcap.so.0.8 lib/netring/libpcap.so.1 \
		lib/pkgconfig/netring.pc lib/pkgconfig/netring-pcap.pc share/netring/netring-doctor.schema.json \
		share/netring/netring-stats.schema.json share/netring/netring-tune.schema.json share/bash-completion/completions/netring
	for page in $pages; do
		echo "share/man/man${page##*.}/$page"
	done
}
difference=$(cd "$prefix" && find . ! -type d | sed 's,^\./,,' | sort | diff <(expected | sort -u) -)
ok $? "what is installed is what the design says" "$difference"
[ "$prefix/lib/netring/libnetring-pcap.so" -ef "$prefix/lib/netring/$soname" ] && [ "$prefix/lib/netring/libpcap.so" -ef "$prefix/lib/netring/$soname" ] &&
	[ "$prefix/lib/libnetring.so" -ef "$prefix/lib/libnetring.so.0" ]
ok $? "the links lead to the libraries"
# ldconfig would make it every program's libpcap.
strangers=$(find "$prefix/lib" -maxdepth 1 -name '*.so*' -exec sh -c 'readelf -dW "$1" | grep -q "SONAME.*libpcap" && echo "$1"' - {} \;)
[ -z "$strangers" ]
ok $? "nothing in libdir itself has libpcap's SONAME" "$strangers"
dangling=$(find "$prefix" -xtype l)
[ -z "$dangling" ]
ok $? "no link leads to nothing" "$dangling"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
root_only() { [ "$(id -u)" = 0 ]; }

# Relinked

# shellcheck disable=SC2046 # flags
output=$("$CC" -o "$top/relinked" "$abs_top_srcdir/tests/install/relinked.c" $(pkg-config --cflags --libs netring-pcap) 2>&1)
ok $? "a pcap program links with pkg-config --libs netring-pcap" "$output"
if root_only; then
	output=$("$top/relinked" 2>&1)
	ok $? "it captures without any environment variable" "$output"
else
	output=$("$top/relinked" 2>&1)
	skip "it captures without any environment variable" "not root"
fi
grep -q '^version .*netring' <<<"$output"
ok $? "pcap_lib_version is netring's" "$output"
[ "$(grep -c '^mapped ' <<<"$output")" = 1 ] && grep -q "^mapped $prefix/lib/netring/$soname\$" <<<"$output"
ok $? "the only libpcap in the process is the installed drop-in" "$output"

cat >"$top/engine.c" <<'C'
#include <netring.h>
#include <stdio.h>
int main(void)
{
	struct netring_config config;
	struct netring_error error = { "" };
	struct netring *capture;

	netring_config_init(&config, NETRING_PROFILE_LOW_LATENCY);
	config.interface = "no-such-if";
	printf("%s %d %s\n", netring_version(), netring_open(&capture, &config, &error), error.text);
	return 0;
}
C
# shellcheck disable=SC2046 # flags
output=$("$CC" -Wall -Werror -o "$top/engine" "$top/engine.c" $(pkg-config --cflags --libs netring) -Wl,-rpath,"$prefix/lib" 2>&1)
ok $? "a program links with pkg-config --libs netring" "$output"
output=$("$top/engine")
version=$(pkg-config --modversion netring)
[[ $output == "$version -"*[a-z]* ]]
ok $? "it runs, and its version is that of netring.pc" "$output; $version"
readelf -dW "$top/engine" | grep -q 'NEEDED.*libnetring\.so\.0'
ok $? "it needs libnetring.so.0"
output=$(pkg-config --print-requires --print-requires-private netring netring-pcap)
[ -z "$output" ]
ok $? "neither pkg-config file needs another package" "$output"

# Preloaded, and by the command

preloaded() { LD_LIBRARY_PATH=$prefix/lib/netring LD_PRELOAD=libnetring-pcap.so tcpdump "$@"; }
if command -v tcpdump >/dev/null; then
	expect "LD_PRELOAD=libnetring-pcap.so tcpdump --version" 0 'netring' preloaded --version
	expect "netring run -- tcpdump --version, from the installed place" 0 'netring' "$prefix/bin/netring" run -- tcpdump --version
	if root_only; then
		timeout 20 "$prefix/bin/netring" run -- tcpdump -i lo -c 1 -nn udp port 9 >"$top/dump" 2>&1 </dev/null &
		dumper=$!
		deadline=$((SECONDS + 15))
		while kill -0 $dumper 2>/dev/null && [ $SECONDS -lt $deadline ]; do
			echo x >/dev/udp/127.0.0.1/9
			sleep 0.1
		done
		wait $dumper
		ok $? "and captures" "$(cat "$top/dump")"
	else
		skip "and captures" "not root"
	fi
else
	skip "tcpdump preloaded" "no tcpdump"
fi

# Uninstalled, and under DESTDIR

(cd "$top/build" && make uninstall) >"$top/log" 2>&1
ok $? "make uninstall" "$(tail -n 5 "$top/log")"
left=$(find "$prefix" ! -type d)
[ -z "$left" ] && [ ! -e "$prefix/lib/netring" ]
ok $? "it leaves nothing" "$left"

(cd "$top/build" && make install DESTDIR="$top/dest") >"$top/log" 2>&1
ok $? "make install DESTDIR=…" "$(tail -n 5 "$top/log")"
difference=$(cd "$top/dest/$prefix" && find . ! -type d | sed 's,^\./,,' | sort | diff <(expected | sort -u) -)
ok $? "the same files, below DESTDIR" "$difference"
[ -z "$(find "$prefix" ! -type d)" ]
ok $? "and nothing in the prefix"
targets=$(find "$top/dest" -type l -lname '/*')
[ -z "$targets" ]
ok $? "no link leads out of it" "$targets"
! readelf -dW "$top/dest/$prefix/lib/netring/$soname" "$top/dest/$prefix/lib/libnetring.so.0" | grep -q -e RPATH -e RUNPATH
ok $? "no library carries a path of the build"
(cd "$top/build" && make uninstall DESTDIR="$top/dest") >"$top/log" 2>&1
left=$(find "$top/dest" ! -type d)
[ -z "$left" ]
ok $? "make uninstall DESTDIR=… leaves nothing" "$left"
finish
