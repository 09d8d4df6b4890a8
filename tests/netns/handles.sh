#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# handles.c on netring: cycles, 64 handles, fork, cancel, longjmp, other threads, no privilege, seccomp. What libpcap does as well is first run on the
# system's libpcap, which shows that the test itself is right. Then, by strace, that the read path makes no system call that libpcap's does not make.
# NETRING_TESTS_CYCLES: open/activate/close cycles (1000). Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
export LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH
cycles=${NETRING_TESTS_CYCLES:-1000}
for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

handles=${abs_top_builddir:?}/tests/netns/handles
shim=${SHIM_DIR:?}/libpcap.so.0.8
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
[ "$(id -u)" = 0 ] || skip_all "not root"
unshare -n true 2>/dev/null || skip_all "cannot make a network namespace"

on_netring() { LD_LIBRARY_PATH=$SHIM_DIR LD_PRELOAD=$shim "$@"; }

# passes NAME COMMAND…
passes() {
	passes_name=$1
	shift
	output=$("$@" 2>&1 </dev/null)
	status=$?
	ok $status "$passes_name" "exit status $status; $output"
	[ "$passes_name" != "${passes_name#*cycles}" ] && printf '%s\n' "$output" | sed 's/^/# /'
}

[[ $(on_netring tcpdump --version 2>&1) == *netring* ]]
ok $? "netring is what the program gets"

small=(env NETRING_RING_SIZE=1M NETRING_BLOCK_SIZE=64K)
passes "$cycles cycles with a small ring" on_netring "${small[@]}" timeout 550 "$handles" cycles "$cycles"
passes "100 cycles with the default ring" on_netring timeout 300 "$handles" cycles 100
passes "64 handles at once" on_netring "${small[@]}" "$handles" many 64
passes "64 handles at once, on libpcap" "$handles" many 64

for test in "fork 0" "fork 1" child-reads cancel breakloop threads close refilter busy drop seccomp; do
	# shellcheck disable=SC2086 # a name and a number
	passes "$test, on libpcap" "$handles" $test
	# shellcheck disable=SC2086
	passes "$test" on_netring "$handles" $test
done
# As large as libpcap's own ring, which has blocks enough.
for size in 2M 4M; do
	passes "busy, with a ring of $size" on_netring env NETRING_RING_SIZE=$size "$handles" busy
done
# libpcap shows a packet twice here.
passes "longjmp out of a callback" on_netring "$handles" longjmp
passes "a read inside a callback" on_netring "$handles" nested
passes "a dispatch inside a callback, over several blocks" on_netring env NETRING_RING_SIZE=8M NETRING_BLOCK_SIZE=64K "$handles" nested-dispatch 700
for mode in native generic; do
	xdp=(env NETRING_BACKEND=xdp NETRING_STRICT=1 "NETRING_XDP_MODE=$mode" NETRING_XDP_FRAMES=4096 NETRING_LOG=error)
	passes "a dispatch inside a callback, over several batches of AF_XDP, $mode" on_netring "${xdp[@]}" "$handles" nested-dispatch 700
done
# Outside of a sandbox their readers wait by system calls that libpcap does not make.
many_xdp=(env NETRING_BACKEND=xdp NETRING_STRICT=1 NETRING_XDP_FRAMES=16384 NETRING_LOG=error)
for who in 0 1 2; do
	passes "seccomp-many $who, on libpcap" "$handles" seccomp-many $who
	passes "seccomp-many $who, AF_XDP" on_netring "${many_xdp[@]}" "$handles" seccomp-many $who
	passes "seccomp-many $who, two rings" on_netring env NETRING_RING_SIZE=8M NETRING_FANOUT=lb NETRING_RINGS=2 "$handles" seccomp-many $who
done
passes "the handle closed inside a callback" on_netring "$handles" close-inside

# The same with several rings; lb puts neighbours into different ones.
several=(env NETRING_RING_SIZE=8M NETRING_FANOUT=lb)
for test in "fork 0" child-reads cancel breakloop longjmp nested "nested-dispatch 50" threads close close-inside refilter busy drop seccomp; do
	# shellcheck disable=SC2086 # a name and a number
	passes "$test, with two rings" on_netring "${several[@]}" NETRING_RINGS=2 "$handles" $test
done
for test in cancel longjmp nested close-inside refilter busy; do
	passes "$test, with four rings" on_netring "${several[@]}" NETRING_RINGS=4 "$handles" $test
done

output=$( (on_netring "$handles" seccomp 1) 2>&1 )
status=$?
[ $status -eq 159 ]
ok $? "the seccomp test ends a process that makes another system call" "exit status $status; $output"

# System calls, by phase.

# phase FILE FROM TO: the names of the calls between two marks. restart_syscall is one of them that goes on after the process was stopped.
phase() { sed -n "/write(-1, \"$2\"/,/write(-1, \"$3\"/p" "$1" | sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' | grep -vx restart_syscall | sort -u; }

# compare_calls MODE FLAG
compare_calls() {
	strace -o "$top/stock" "$handles" read "$2" >"$top/out" 2>&1 && strace -o "$top/netring" -E LD_LIBRARY_PATH="$SHIM_DIR" -E LD_PRELOAD="$shim" \
		"$handles" read "$2" >>"$top/out" 2>&1
	ok $? "$1: both run under strace" "$(cat "$top/out")"
	[ "$(phase "$top/stock" mark stats | tr '\n' ' ')" = "poll write " ]
	ok $? "$1: libpcap's read path is poll" "$(phase "$top/stock" mark stats)"
	for phase in "mark stats read" "stats close pcap_stats" "close end pcap_close"; do
		read -r from to what <<<"$phase"
		extra=$(comm -13 <(phase "$top/stock" "$from" "$to") <(phase "$top/netring" "$from" "$to"))
		# Whether the number of the page of counters is still the page's takes an mmap to tell: malloc makes that call wherever it likes.
		[ "$what" != pcap_close ] || extra=$(grep -vx mmap <<<"$extra")
		[ -z "$extra" ] && [ -n "$(phase "$top/netring" "$from" "$to")" ]
		ok $? "$1: $what makes no system call that libpcap does not make" "$extra"
	done
	stock=$(sed -n '/write(-1, "mark"/,/write(-1, "stats"/p' "$top/stock" | wc -l)
	netring=$(sed -n '/write(-1, "mark"/,/write(-1, "stats"/p' "$top/netring" | wc -l)
	echo "# $1: $stock calls on libpcap, $netring on netring, for 350 packets"
}

if command -v strace >/dev/null; then
	compare_calls "block by block" 0
	compare_calls "immediate" 1
else
	skip "system calls of the read path" "no strace"
fi
finish
