# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # variables for those who source it
#
# For the tests of AF_XDP; to be sourced after flows.sh. NETRING_STRICT makes a fallback an error, so that nothing here is a test of the packet ring.

: "${abs_top_builddir:?}"
CLIENT=$abs_top_builddir/tests/netns/xdp-client
TRANSFER=$abs_top_builddir/tests/netns/transfer
LOOP=$abs_top_builddir/bench/xdp-loop
XDP=("${NETRING[@]}" NETRING_BACKEND=xdp NETRING_STRICT=1)
COPY=("${NETRING[@]}" NETRING_BACKEND=xdp-tap NETRING_STRICT=1)

# amount USUAL SLOW: how many, how fast, how often; the second with NETRING_TESTS_SLOW=1, for an emulated machine (tests/vm).
amount() { if [ "${NETRING_TESTS_SLOW:-0}" = 1 ]; then echo "$2"; else echo "$1"; fi; }

# The number of the XDP program on an interface of the receiving namespace; nothing if there is none.
xdp_id() { in_rx ip -d link show "$1" | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
xdp_is_on() { [ -n "$(xdp_id "$1")" ]; }
xdp_is_off() { [ -z "$(xdp_id "$1")" ]; }

# Addresses for nr2 and nr3: from then on the host needs the interface.
TX_ADDRESS=10.98.0.1
RX_ADDRESS=10.98.0.2
addresses_up() { in_tx ip address add $TX_ADDRESS/24 dev nr2 && in_rx ip address add $RX_ADDRESS/24 dev nr3; }

# Without asking for each other's addresses, which takes seconds when nobody answers, and is a packet that the test has not sent.
neighbours_up() {
	in_tx ip neigh replace $RX_ADDRESS lladdr "$(address_of in_rx nr3)" dev nr2 nud permanent &&
		in_rx ip neigh replace $TX_ADDRESS lladdr "$(address_of in_tx nr2)" dev nr3 nud permanent
}
address_of() { "$1" ip -o link show "$2" | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p'; }

# One packet and one answer, late on a machine that stands still.
host_answers() { in_tx ping -q -c 1 -W 20 $RX_ADDRESS >"$NR_TMP/ping" 2>&1; }
host_is_silent() { ! in_tx ping -q -c 1 -W 1 $RX_ADDRESS >"$NR_TMP/ping" 2>&1; }

# program_start VARIABLE READY NAMESPACE PROGRAM…: until READY is in what it says. Its output is in $NR_TMP/VARIABLE.out and .err.
program_start() {
	local variable=$1 ready=$2
	shift 2
	rm -f "$NR_TMP/$variable.out" "$NR_TMP/$variable.err"
	nr_start "$variable" "$@" >"$NR_TMP/$variable.out" 2>"$NR_TMP/$variable.err"
	nr_wait 30 program_is_ready "$variable" "$ready" && ! nr_ended "${!variable}"
}
program_is_ready() { grep -q -e "$2" "$NR_TMP/$1.out" "$NR_TMP/$1.err" || nr_ended "${!1}"; }

# program_output VARIABLE…
program_output() {
	local variable
	for variable in "$@"; do
		cat "$NR_TMP/$variable.out" "$NR_TMP/$variable.err"
	done
}

# How many packets a program has captured, or one that prints them; at least that many.
captured() { [ "$(tcpdump -n -r "$NR_TMP/captured.pcap" 2>/dev/null | wc -l)" -ge "$1" ]; }
printed() { [ "$(grep -c ' IP ' "$NR_TMP/CAPTURING.out")" -ge "$1" ]; }
# is_written NAME COUNT
is_written() { [ "$(tcpdump -n -r "$NR_TMP/$1.pcap" 2>/dev/null | wc -l)" -ge "$2" ]; }

order_is_stopped() { grep -q '^State:[[:space:]]*T' "/proc/$ORDER_PID/status"; }

# lengths_into VARIABLE SIZE PREFIX…: what the client prints of twenty packets.
lengths_into() {
	local variable=$1 size=$2
	shift 2
	program_start "$variable" ready "$NR_RX" "$@" "$CLIENT" lengths nr1 20
	in_tx "$BLAST" -i nr0 -m packet -c 20 -r 1000 -s "$size" -I >/dev/null
	nr_wait 10 nr_ended "${!variable}"
	nr_stop "${!variable}"
}

# Ends a sender that would go on, in the middle.
send_stop() {
	nr_stop "${SENDER_PIDS[0]}"
	SENDER_PIDS=()
	rm -f "$NR_TMP"/sent.*
}

# reader_stalls SENDERS…: a reader that order_start has started, with -t 1000, stops while they send, and goes on when they are through. It ends by itself when
# it has read what there is: a signal would find it idle for seconds.
reader_stalls() {
	local sender
	kill -s STOP "$ORDER_PID"
	nr_wait 5 order_is_stopped
	for sender in "$@"; do
		send_start "$sender" "$sender" nr0 -c "$(amount 100000 60000)" -r "$(amount 50000 30000)"
	done
	send_end
	kill -s CONT "$ORDER_PID"
	nr_wait 20 nr_ended "$ORDER_PID"
	order_end
}

# all_are_there LEAST: each packet that was sent has come or is counted as lost, most of them as lost, and more than LEAST have come.
all_are_there() {
	[ "$(field ps_recv "$ORDERED")" = "$SENT" ] && [ "$(field ps_drop "$ORDERED")" -gt $((SENT / 2)) ] &&
		[ $(($(field packets "$ORDERED") + $(field ps_drop "$ORDERED"))) = "$SENT" ] && [ "$(field packets "$ORDERED")" -gt "$1" ]
}

# all_once: each packet that was sent has come, once.
all_once() {
	[ "$(field packets "$ORDERED")" = "$SENT" ] && [ "$(field lost "$ORDERED")" = 0 ] && [ "$(field twice "$ORDERED")" = 0 ] &&
		[ "$(field ps_recv "$ORDERED")" = "$SENT" ] && [ "$(field ps_drop "$ORDERED")" = 0 ]
}

# two_senders: each on a CPU of its own. Leaves SENT and ORDERED.
two_senders() {
	local packets rate
	packets=$(amount 100000 10000) rate=$(amount 50000 3000)
	send_start 0 0 nr0 -f 64 -2 -c "$packets" -r "$rate"
	send_start 1 1 nr0 -f 64 -2 -c "$packets" -r "$rate"
	send_end
	order_end
}

# switching NAME PROGRAM…: the client exchanges filters under traffic.
switching() {
	local name=$1 status
	shift
	program_start SWITCHING ready "$NR_RX" "$@"
	ok $? "$name: runs" "$(program_output SWITCHING)"
	send_start 0 0 nr0 -m packet -f 2 -c 100000000 -r 20000
	nr_wait 60 nr_ended "$SWITCHING"
	nr_stop "$SWITCHING"
	status=$?
	send_stop
	ok $status "$name: no packet of the old filter, none of the new one missing" "$(program_output SWITCHING)"
	echo "# $name: $(tail -n 1 "$NR_TMP/SWITCHING.out")"
}

# stamps_begin NAME PREFIX…: captures packets as they leave, stamped by a packet ring, and as the program behind PREFIX gets them.
stamps_begin() {
	local name=$1 dump=(tcpdump -n -U -Z root --time-stamp-precision=nano)
	shift
	rm -f "$NR_TMP"/leaving.pcap "$NR_TMP"/arriving.pcap
	program_start LEAVING 'listening on' "$NR_TX" "${NETRING[@]}" NETRING_RING_SIZE=8M "${dump[@]}" -i nr0 -w "$NR_TMP/leaving.pcap" &&
		program_start ARRIVING 'listening on' "$NR_RX" "$@" "${dump[@]}" -i nr1 -w "$NR_TMP/arriving.pcap" && xdp_is_on nr1
	ok $? "$name: both capture" "$(program_output LEAVING ARRIVING)"
}

# stamps_end NAME COUNT: so many packets are on their way, and their stamps are the same on both sides.
stamps_end() {
	local name=$1 packets=$2 result
	nr_wait 10 is_written arriving "$packets"
	nr_wait 10 is_written leaving "$packets"
	nr_stop "$LEAVING" INT
	nr_stop "$ARRIVING" INT
	result=$("$CLIENT" stamps "$NR_TMP/leaving.pcap" "$NR_TMP/arriving.pcap" 2>&1)
	[ "$(field packets "$result")" = "$packets" ] && [ "$(field median_us "$result")" -lt 1000 ]
	ok $? "$name: within a millisecond of a packet ring's" "$result"
	[ "$(field times_back "$result")" = 0 ]
	ok $? "$name: never go back" "$result"
	echo "# $name: $result"
}

stamps() {
	stamps_begin "$@"
	send_start 0 0 nr0 -m packet -c 3000 -r 2000
	send_end
	stamps_end "$1" 3000
}

# stamps_beside_tai NAME PREFIX…: the clock that XDP stamps with is set forth by 37 seconds, as NTP does some time after the start, and the program notices it
# behind the next silence.
stamps_beside_tai() {
	local name=$1 tai
	tai=$("$TRANSFER" tai)
	"$TRANSFER" tai 0 >"$NR_TMP/tai" 2>&1 || {
		skip "$name" "may not set the clock's offset"
		return
	}
	stamps_begin "$@"
	# With numbers of their own, from the CPU that the others come from: each ring compares the clocks by itself.
	in_tx "$BLAST" -i nr0 -m packet -c 20 -r 500 -n 1000 -p 0 >/dev/null
	nr_wait 10 is_written arriving 20
	"$TRANSFER" tai 37 >"$NR_TMP/tai"
	send_start 0 0 nr0 -m packet -c 200 -r 500
	send_end
	stamps_end "$name" 220
	"$TRANSFER" tai "$tai" >"$NR_TMP/tai"
}
