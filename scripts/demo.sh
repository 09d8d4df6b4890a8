#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# sudo scripts/demo.sh: installs what is missing, builds, and sends the same traffic at the system's tcpdump twice, once on libpcap
# and once on netring, over a veth pair between two network namespaces. Prints what each captured, dropped and cost, and the
# command for an interface of this machine. BUILD_DIR (default: build) is where it builds.
#
# Leaves nothing behind but the packages and the build directory.
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD_DIR=$(realpath -m "${BUILD_DIR:-$TOP/build}")
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
# shellcheck source-path=SCRIPTDIR source=packages.sh disable=SC1091
. "$TOP/scripts/packages.sh"
# shellcheck source-path=SCRIPTDIR source=build.sh disable=SC1091
. "$TOP/scripts/build.sh"
# shellcheck source-path=SCRIPTDIR source=../bench/lib.sh disable=SC1091
. "$TOP/bench/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../bench/capture.sh disable=SC1091
. "$TOP/bench/capture.sh"

LOG=

demo_end() {
	packages_allow_services
	nr_cleanup
	build_give_back "$BUILD_DIR"
	[ -z "$LOG" ] || rm -f "$LOG"
}

# quietly TITLE COMMAND…: shows the output only if the command fails.
quietly() {
	echo "$1 ..."
	shift
	"$@" >"$LOG" 2>&1 && return
	cat "$LOG" >&2
	bench_fail "failed: $*"
}

build() {
	build_bootstrap && build_configure "$BUILD_DIR" && build_make "$BUILD_DIR" && build_make "$BUILD_DIR" bench/blast
}

# Debian's AppArmor profile for /usr/bin/tcpdump does not let it load a library from a build directory. It goes by the path, so a
# copy of the program is free of it.
apparmor_confines_tcpdump() {
	grep -qs '^tcpdump (enforce)' /sys/kernel/security/apparmor/profiles
}

choose_tcpdump() {
	TCPDUMP=$(command -v tcpdump) || bench_fail "no tcpdump"
	apparmor_confines_tcpdump || return 0
	cp "$TCPDUMP" "$NR_TMP/tcpdump"
	TCPDUMP=$NR_TMP/tcpdump
	echo "(AppArmor confines $(command -v tcpdump); both runs use a copy of it, which it does not.)"
}

# Files go to memory if there is room, so that the disk is not what is measured.
choose_directory() {
	local free_kb
	[ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] || return 0
	free_kb=$(df -k --output=avail /dev/shm | tail -n 1)
	[ "$free_kb" -lt 1000000 ] || export TMPDIR=/dev/shm
}

on_demo() {
	ON=("${READER[@]}")
	[ "$1" = stock ] || ON+=("$BUILD_DIR/netring" run -L "$SHIM_DIR" --)
}

dropped() { sed -n 's/^\([0-9]*\) packets\{0,1\} dropped by kernel.*/\1/p' "$NR_TMP/stderr"; }

line() { printf '  %-32s %14s %14s\n' "$@"; }

# scene TITLE SENDER_OPTIONS -- PROGRAM…
scene() {
	local title=$1 library
	local -A got lost cpu each
	shift
	for library in stock netring; do
		on_demo "$library"
		capture "$@"
		bench_check_library "$library" "$CAPTURE_LIBRARY"
		got[$library]=$CAPTURED
		lost[$library]=$(dropped)
		cpu[$library]=$CPU_S
		each[$library]=$(calc "$CPU_S * 1e9 / ($CAPTURED + 1)" %.0f)
		rm -f "$NR_TMP/x.pcap"
	done
	printf '\n%s\n' "$title"
	line "" libpcap netring
	line "captured" "${got[stock]}" "${got[netring]}"
	line "dropped" "${lost[stock]}" "${lost[netring]}"
	line "CPU seconds" "${cpu[stock]}" "${cpu[netring]}"
	line "CPU ns a captured packet" "${each[stock]}" "${each[netring]}"
}

default_interface() {
	local interface
	interface=$({
		ip -o route show default
		ip -o -6 route show default
	} 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
	echo "${interface:-eth0}"
}

show_own_command() {
	echo
	if apparmor_confines_tcpdump; then
		echo "AppArmor must allow tcpdump to load the library from here, once:"
		echo "  echo '$SHIM_DIR/** mr,' | sudo tee -a /etc/apparmor.d/local/usr.bin.tcpdump"
		echo "  sudo apparmor_parser -r /etc/apparmor.d/usr.bin.tcpdump"
	fi
	echo "On your own interface:"
	echo "  sudo $BUILD_DIR/netring run -L $SHIM_DIR -- tcpdump -ni $(default_interface) -w x.pcap"
}

[ "$(id -u)" = 0 ] || bench_fail "needs root to install packages and to make network namespaces: sudo $0"
trap demo_end EXIT
trap 'exit 130' INT TERM
LOG=$(mktemp)
quietly "Looking for packages" packages_install "${PACKAGES_BUILD[@]}" "${PACKAGES_DEMO[@]}"
quietly "Building in $BUILD_DIR" build
obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || bench_fail "$obstacle"
choose_directory
nr_pair_up || bench_fail "cannot make two network namespaces"
choose_tcpdump
echo "Sending. Each scene runs on libpcap, then on netring, on the same machine and the same veth pair."

scene "tcpdump -n, printing to /dev/null; a burst of 1 000 000 packets of 60 bytes:" \
	-c 1000000 -- "$TCPDUMP" -n -i nr1
scene "tcpdump -w to a file; a burst of 150 000 packets of 1400 bytes:" \
	-s 1400 -c 150000 -- "$TCPDUMP" -n -i nr1 -Z root -w "$NR_TMP/x.pcap"
scene "tcpdump -w /dev/null, 3 000 000 packets of 60 bytes, 1 000 000 a second:" \
	-r 1000000 -c 3000000 -- "$TCPDUMP" -n -i nr1 -Z root -w /dev/null
show_own_command
