#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Handles on several interfaces: interfaces.c, and tcpdump with a list; the reader's CPU; aliases that lead into a fanout group; the system calls of the read
# path. Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
# shellcheck source=tests/support/netns.sh
. "$abs_top_srcdir/tests/support/netns.sh"
export LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH
for name in $(env | sed -n 's/^\(\(NETRING\|PCAP\|SNF\)_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

interfaces=${abs_top_builddir:?}/tests/netns/interfaces
shim=${SHIM_DIR:?}/libpcap.so.0.8
obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || skip_all "$obstacle"
trap nr_cleanup EXIT
nr_pair_up || skip_all "no veth pair"

on_netring() { env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$shim" NETRING_RING_SIZE=8M "$@"; }

# passes NAME TEST [VARIABLE=VALUE...]
passes() {
	local name=$1 test=$2 output status
	shift 2
	output=$(on_netring "$@" "$interfaces" "$test" 2>&1 </dev/null)
	status=$?
	ok $status "$name" "exit status $status; $output"
}

passes "packets of two interfaces come in the order of time" order
passes "a filter holds on both" filter
passes "so does a direction" direction
passes "both are promiscuous while the handle is open" promiscuous
passes "injected packets leave by the first and are not seen" inject
passes "network numbers, devices, link types, time-stamp types" questions
passes "a device whose name has a comma is no list" comma
passes "non-blocking mode" nonblock
passes "bad lists: code, sentence, nothing left" bad
passes "a handle that failed works when what was wrong is not" again
passes "one goes down, up, away: blocking" blocking
passes "one goes down, up, away: immediate mode" blocking-immediate
passes "one goes down, up, away: select, non-blocking" select
for test in order filter direction blocking select; do
	passes "$test, while packets are stamped early" $test NR_EARLY=1
done
passes "one goes down, up, away: blocking, with 4 rings on each, while packets are stamped early" blocking NR_EARLY=1 NETRING_RINGS=4 NETRING_FANOUT=lb
for rings in 2 4; do
	fanout=("NETRING_RINGS=$rings" NETRING_FANOUT=lb)
	for test in order filter direction promiscuous inject nonblock bad again blocking select; do
		passes "$test, with $rings rings on each" $test "${fanout[@]}"
	done
done
passes "libpcap alone cannot have several" libpcap NETRING_BACKEND=libpcap
passes "the reader goes to its CPU at the first read" cpu NETRING_CPU=0
passes "the same with two rings" cpu NETRING_CPU=0 NETRING_RINGS=2

# refused PATTERN VARIABLE=VALUE...: pcap_activate of a handle on one interface gives PCAP_ERROR with this text
refused() {
	local pattern=$1 output status
	shift
	output=$(on_netring "$@" "$interfaces" refused 2>&1 </dev/null)
	status=$?
	[ $status -eq 0 ] && [[ $output =~ $pattern ]]
	ok $? "$*: $pattern" "exit status $status; $output"
}

refused 'NETRING_CPU=1000: .*may not run there' NETRING_CPU=1000
refused 'NETRING_CPU=banana' NETRING_CPU=banana
refused 'NETRING_NUMA=x' NETRING_NUMA=x
refused 'node 63' NETRING_NUMA=63
refused 'NETRING_RINGS=0' NETRING_RINGS=0
passes "NETRING_NUMA=0" order NETRING_NUMA=0
passes "NETRING_NUMA=off" order NETRING_NUMA=off
passes "NETRING_STRICT" order NETRING_STRICT=1 NETRING_RINGS=2 NETRING_FANOUT=lb

# Programs that know no lists

in_tx ip link add nr2 type veth peer name nr3 netns "$NR_RX" && in_tx ip link set nr2 up && in_rx ip link set nr3 up &&
	nr_wait 5 nr_sends in_tx nr2 && nr_wait 5 nr_sends in_rx nr3
ok $? "a second pair"

# start_program VARIABLE=VALUE... PROGRAM ARGUMENT...: its process id is $pid
start_program() {
	: >"$NR_TMP/err"
	nr_start pid "$NR_RX" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$shim" NETRING_RING_SIZE=8M "$@" >"$NR_TMP/out" 2>"$NR_TMP/err"
}

# is_ready PATTERN: the program has said so, or is no more
is_ready() { grep -q "$1" "$NR_TMP/err" || nr_ended "$pid"; }

send_some() {
	in_tx "$interfaces" send nr0 3
	in_tx "$interfaces" send nr2 3
}

# captures_six READY PROGRAM ARGUMENT...: the program captures from both and ends by itself
captures_six() {
	local ready=$1 name=$2
	shift
	start_program "$@"
	nr_wait 20 is_ready "$ready"
	send_some
	nr_wait 20 nr_ended "$pid"
	nr_stop "$pid"
	ok $? "$name ends after six packets" "$(cat "$NR_TMP/err")"
	[ "$(grep -ci 'warning\|error\|No such device' "$NR_TMP/err")" -eq 0 ]
	ok $? "$name has nothing to complain of" "$(cat "$NR_TMP/err")"
}

captures_six 'listening on nr1,nr3, link-type EN10MB' tcpdump -n -e -tt -Z root -c 6 -i nr1,nr3
[ "$(grep -c 'ethertype Unknown (0x88b[56]), length 100' "$NR_TMP/out")" -eq 6 ] && grep -qx '6 packets captured' "$NR_TMP/err" &&
	grep -qx '6 packets received by filter' "$NR_TMP/err" && grep -q '^listening on nr1,nr3' "$NR_TMP/err"
ok $? "tcpdump prints six packets, and counts them" "$(cat "$NR_TMP/out" "$NR_TMP/err")"

if command -v dumpcap >/dev/null; then
	captures_six '^File:' dumpcap -q -c 6 -i nr1,nr3 -w "$NR_TMP/dumpcap.pcapng"
	[ "$(tcpdump -n -r "$NR_TMP/dumpcap.pcapng" 2>/dev/null | grep -c 'length 100')" -eq 6 ]
	ok $? "dumpcap writes six packets" "$(cat "$NR_TMP/err")"
else
	skip "dumpcap" "no dumpcap"
fi

# The peers' variables lead into real groups.
start_program NETRING_LOG=info PCAP_PF_RING_CLUSTER_ID=7 tcpdump -n -Z root -w "$NR_TMP/alias.pcap" -i nr1
nr_wait 20 is_ready 'listening on nr1'
grep -qx 'netring: info: PCAP_PF_RING_CLUSTER_ID=7 is taken as NETRING_FANOUT=hash:7' "$NR_TMP/err"
ok $? "an alias is a line in the log" "$(cat "$NR_TMP/err")"
[[ $(in_rx ss -0 -e -n) == *'fanout(id:7,type:hash)'* ]]
ok $? "and the capture is in that group" "$(in_rx ss -0 -e -n)"
nr_stop "$pid" INT

# System calls of the read path. send, write and close are the test's own; restart_syscall is a poll that goes on after the process was stopped.

# read_path VARIABLE=VALUE...
read_path() {
	strace -o "$NR_TMP/strace" -E LD_LIBRARY_PATH="$SHIM_DIR" -E LD_PRELOAD="$shim" -E NETRING_RING_SIZE=8M "${@/#/-E}" "$interfaces" read \
		>"$NR_TMP/out" 2>&1 || return 1
	sed -n '/write(-1, "mark"/,/write(-1, "end"/p' "$NR_TMP/strace" | sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' | grep -v '^\(sendto\|write\|restart_syscall\)$' | sort -u | tr '\n' ' '
}

if command -v strace >/dev/null; then
	calls=$(read_path NR_DEVICE=nr1)
	[ "$calls" = "poll " ]
	ok $? "the read path of one ring is poll" "$calls $(cat "$NR_TMP/out")"
	calls=$(read_path A=1)
	[ "$calls" = "poll " ]
	ok $? "so is that of several, for a program that never asks for the descriptor" "$calls $(cat "$NR_TMP/out")"
	calls=$(read_path NR_ASK=1)
	[ "$calls" = "close epoll_ctl openat poll read timerfd_settime " ]
	ok $? "with the descriptor it has epoll_ctl and timerfd_settime besides, for packets that have to wait, and looks for a sandbox before" "$calls $(cat "$NR_TMP/out")"
	[ "$(sed -n '/write(-1, "mark"/,/write(-1, "end"/p' "$NR_TMP/strace" | grep -c '^poll')" -le 300 ]
	ok $? "and sleeps while they wait" "$(grep -c '^poll' "$NR_TMP/strace") calls of poll for 100 packets"
else
	skip "system calls of the read path" "no strace"
fi
finish
