#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A quiet capture: three packets, then nothing. On netring they are in the file soon, though nobody flushes, whichever way the program reads;
# a SIGKILL then loses nothing. libpcap holds them back until there are 4 KiB.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
dump_set_up tcpdump

PATIENCE=15 # seconds; tcpdump's time-out is one of them
HELD=4      # seconds after which libpcap still holds them back

# quiet NAME PROGRAM…: what comes to FILE; killed in the end.
quiet() {
	local name=$1 status=0 first
	shift
	rm -f "$FILE"
	start_capture "$@" || status=1
	send 3 200 0
	nr_wait "$PATIENCE" has_packets "$FILE" 3 || status=1
	first=$(contents "$FILE")
	send 2 200 3
	nr_wait "$PATIENCE" has_packets "$FILE" 5 || status=1
	pull_plug "$PID"
	[ "$(contents "$FILE")" = "packets=5 first=0 last=4 gaps=0 partial=0 broken=0 bytes=1104" ] || status=1
	ok "$status" "$name" "after 3: $first; after 5 and SIGKILL: $(contents "$FILE"); $(cat "$NR_TMP/err")"
}

# nearly NAME PROGRAM…: what the library keeps is less than libpcap would.
nearly() {
	local name=$1 status=0
	shift
	rm -f "$FILE"
	start_capture "$@" || status=1
	send 200 200 0
	nr_wait "$PATIENCE" has_bytes "$FILE" $((24 + 200 * 216 - 4095)) || status=1
	pull_plug "$PID"
	ok "$status" "$name" "$(contents "$FILE"); $(cat "$NR_TMP/err")"
}

# The same where the library may keep what stock keeps: nothing is lost at an orderly end.
orderly() {
	local name=$1 signal=$2 status=0
	shift 2
	rm -f "$FILE"
	start_capture "$@" || status=1
	send 3 200 0
	if [ "$signal" = USR1 ]; then
		nr_wait 10 tcpdump_counted 3 || status=1
		signal=INT
	fi
	nr_wait 10 nr_ended "$PID" || nr_stop "$PID" "$signal"
	[ "$(contents "$FILE")" = "packets=3 first=0 last=2 gaps=0 partial=0 broken=0 bytes=672" ] || status=1
	ok "$status" "$name" "$(contents "$FILE"); $(cat "$NR_TMP/err")"
}

tcpdump_counted() {
	kill -USR1 "$PID"
	grep -q "^$1 packets captured\|: $1 packets captured" "$NR_TMP/err"
}

FILE=$FOLDER/quiet.pcap

# Without this the test could not fail: on libpcap the same three packets are not there.
on stock
start_capture "$RECORD" loop nr1 "$FILE" || echo "# did not start"
send 3 200 0
nr_wait "$HELD" has_packets "$FILE" 3
ok $(($? == 0)) "libpcap holds three packets back" "$(contents "$FILE")"
pull_plug "$PID"

on netring
for way in loop loop_few dispatch next_ex next epoll select_one poll_next batch; do
	quiet "$way" "$RECORD" "$way" nr1 "$FILE"
done
nearly "handoff: another thread than the reader dumps" "$RECORD" handoff nr1 "$FILE"
for way in loop next_ex select_one poll_next; do
	quiet "$way, immediate mode" "$RECORD" -I "$way" nr1 "$FILE"
	quiet "$way, the dumper of a dead handle" "$RECORD" -D "$way" nr1 "$FILE"
done
quiet "loop, timeout 0" "$RECORD" -t 0 loop nr1 "$FILE"
quiet "tcpdump -w" tcpdump -Z root -i nr1 -w "$FILE"
quiet "tcpdump -w --immediate-mode" tcpdump -Z root --immediate-mode -i nr1 -w "$FILE"
quiet "tcpdump -w -, to a file" sh -c "exec tcpdump -Z root -i nr1 -w - >'$FILE'"
quiet "tcpdump -w -, to a pipe" bash -c "exec tcpdump -Z root -i nr1 -w - > >(exec cat >'$FILE')"
ON+=(NETRING_DUMP=direct)
quiet "tcpdump -w, NETRING_DUMP=direct" tcpdump -Z root -i nr1 -w "$FILE"
on netring
ON+=(NETRING_DUMP=cached)
quiet "tcpdump -w, NETRING_DUMP=cached" tcpdump -Z root -i nr1 -w "$FILE"
on netring
ON+=(NETRING_BACKEND=libpcap)
for way in loop dispatch epoll select_one; do
	quiet "delegated: $way" "$RECORD" "$way" nr1 "$FILE"
done
nearly "delegated: next_ex" "$RECORD" next_ex nr1 "$FILE"
orderly "delegated: tcpdump -w, ended in good order" USR1 tcpdump -Z root -i nr1 -w "$FILE"
orderly "delegated: -c, closed" TERM "$RECORD" -c 3 loop nr1 "$FILE"
on netring
orderly "-c, closed" TERM "$RECORD" -c 3 loop nr1 "$FILE"
finish
