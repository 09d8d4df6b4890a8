#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# How often tcpdump -w goes to the kernel: every system call of the process, counted by strace in two captures of different length; the
# difference is what the packets cost. And the writer where the kernel gives it no io_uring, or fails in the middle.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
dump_set_up tcpdump strace

strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace"
FILE=$FOLDER/traced.pcap
FEW=20000
MANY=220000
RATE=60000
INSIDE=() # what strace starts tcpdump with

# traced STRACE_OPTION… -- COUNT: tcpdump -c COUNT under strace, with traffic as long as it runs. False if it does not come to its end.
traced() {
	local options=() sender
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	rm -f "$FILE"
	start_capture strace -f -o "$NR_TMP/strace" "${options[@]}" "${INSIDE[@]}" tcpdump -Z root -i nr1 -c "$2" -w "$FILE" || return 1
	nr_start sender "$NR_TX" "$NUMBERED" send nr0 $(($2 * 10)) 1400 0 "$RATE"
	nr_wait 60 either_ended "$PID" "$sender"
	nr_stop "$sender"
	nr_stop "$PID" TERM
}

either_ended() { nr_ended "$1" || nr_ended "$2"; }

# calls COUNT: the number of calls of a capture of so many packets.
calls() {
	traced -c -- "$1" || return 1
	awk '$NF == "total" { print $4 }' "$NR_TMP/strace"
}

# Packets for each system call.
packets_per_call() {
	local few many
	few=$(calls "$FEW") && many=$(calls "$MANY") || return 1
	echo "# $few calls for $FEW packets, $many for $MANY" >&2
	echo $(((MANY - FEW) / (many > few ? many - few : 1)))
}

at_least() { # NAME MINIMUM
	local n
	n=$(packets_per_call 2>"$NR_TMP/note")
	cat "$NR_TMP/note"
	[ -n "$n" ] && [ "$n" -ge "$2" ]
	ok $? "$1" "packets for each call: ${n:-none}; $(cat "$NR_TMP/err"); $(tail -n 25 "$NR_TMP/strace")"
}

at_most() {
	local n
	n=$(packets_per_call 2>"$NR_TMP/note")
	cat "$NR_TMP/note"
	[ -n "$n" ] && [ "$n" -le "$2" ]
	ok $? "$1" "packets for each call: ${n:-none}"
}

# injected NAME STRACE_OPTION…: all packets are there though a call fails.
injected() {
	local name=$1 line=
	shift
	traced "$@" -- "$FEW" && line=$(contents "$FILE")
	[ "$(field packets "$line")" = "$FEW" ] && [ "$(field broken "$line")" = 0 ] && [ "$(field partial "$line")" = 0 ]
	ok $? "$name" "$line; $(cat "$NR_TMP/err")"
}

# failing NAME STRACE_OPTION…: the error is logged with the file's name, and what is left are whole packets.
failing() {
	local name=$1 line
	shift
	traced "$@" -- "$MANY"
	line=$(contents "$FILE")
	[ "$(grep -c "netring: error: .*$FILE" "$NR_TMP/err")" = 1 ] && [ "$(field broken "$line")" = 0 ] && [ "$(field partial "$line")" = 0 ] &&
		[ "$(field gaps "$line")" = 0 ] && [ "$(field packets "$line")" -lt "$MANY" ]
	ok $? "$name" "$line; $(cat "$NR_TMP/err")"
}

on stock
at_most "libpcap: a system call for every few packets (or this test could not fail)" 10
on netring
at_least "at most one system call for 500 packets of 1400 bytes" 500
ON+=(NETRING_DUMP=cached)
at_least "the same with NETRING_DUMP=cached" 500
on netring
ON+=(NETRING_DUMP=direct)
at_least "the same with NETRING_DUMP=direct" 500
on netring
ON+=(NETRING_DUMP=stdio)
at_most "NETRING_DUMP=stdio is libpcap's own" 10

on netring
injected "no io_uring in the kernel" -e inject=io_uring_setup:error=ENOSYS
injected "io_uring forbidden" -e inject=io_uring_setup:error=EPERM
injected "no memory for io_uring" -e inject=io_uring_setup:error=ENOMEM
injected "no registered buffers" -e inject=io_uring_register:error=ENOMEM
injected "io_uring busy at times" -e inject=io_uring_enter:error=EAGAIN:when=3+5
injected "io_uring interrupted at times" -e inject=io_uring_enter:error=EINTR:when=2+3

# From here on only calls on the savefile fail, which strace cannot tell of those of an io_uring.
INSIDE=("$NUMBERED" sandbox)
WRITES=write,writev,pwrite64,pwritev,pwritev2
injected "sandboxed" -e trace=none
injected "sandboxed, writes interrupted at times" -P "$FILE" -e inject=$WRITES:error=EINTR:when=3+4
injected "sandboxed, the first write refused" -P "$FILE" -e inject=pwrite64,pwritev,pwritev2:error=EINVAL:when=1
INSIDE=() # where the file may be cut behind its last whole packet

failing "EIO in the middle" -P "$FILE" -e inject=$WRITES:error=EIO:when=9+
failing "ENOSPC in the middle" -P "$FILE" -e inject=$WRITES:error=ENOSPC:when=9+
failing "EDQUOT at the first write" -P "$FILE" -e inject=$WRITES:error=EDQUOT:when=2+
finish
