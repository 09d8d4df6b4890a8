#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP and packets that are longer than its frames: with an MTU of 9000 they come in several frames, and programs see them whole, byte by byte as a packet
# ring sees them, cut by the snaplen, judged by the filter, counted as one. Needs Linux 6.6.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"
# shellcheck source-path=SCRIPTDIR source=xdp-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/xdp-lib.sh"

flows_setup
command -v tcpdump >/dev/null || skip_all "no tcpdump"
[ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ] || skip_all "Linux 6.6 is needed"
addresses_up || skip_all "no addresses"
for interface in nr0 nr2; do
	in_tx ip link set "$interface" mtu 9000 || skip_all "no MTU of 9000"
done
for interface in nr1 nr3; do
	in_rx ip link set "$interface" mtu 9000 || skip_all "no MTU of 9000"
done
nr_wait 5 host_answers

is_written() { [ "$(tcpdump -n -r "$NR_TMP/$1.pcap" 2>/dev/null | wc -l)" -ge "$2" ]; }

# both_start SNAPLEN FILTER SETTING…: one capture where packets leave, one where they arrive.
both_start() {
	local snaplen=$1 filter=$2
	shift 2
	rm -f "$NR_TMP"/leaving.pcap "$NR_TMP"/arriving.pcap
	program_start LEAVING 'listening on' "$NR_TX" "${NETRING[@]}" NETRING_RING_SIZE=64M tcpdump -n -i nr2 -U -Z root -s "$snaplen" \
		-w "$NR_TMP/leaving.pcap" "$filter" &&
		program_start ARRIVING 'listening on' "$NR_RX" "${XDP[@]}" NETRING_XDP_STEAL=1 "$@" tcpdump -n -i nr3 -U -Z root -s "$snaplen" \
			-w "$NR_TMP/arriving.pcap" "$filter"
}

both_end() {
	nr_wait 10 is_written leaving "$1"
	nr_wait 10 is_written arriving "$1"
	nr_stop "$LEAVING" INT
	nr_stop "$ARRIVING" INT
	[ "$(tcpdump -n -r "$NR_TMP/arriving.pcap" 2>/dev/null | wc -l)" = "$1" ]
}

bytes_of() { tcpdump -n -t -e -xx -r "$NR_TMP/$1.pcap" 2>/dev/null; }
are_the_same() { [ "$(bytes_of leaving | cksum)" = "$(bytes_of arriving | cksum)" ]; }
what_came() { program_output ARRIVING; bytes_of arriving | grep -v '^	' | tail -n 5; }

SIZES=(1 1470 1471 1742 1743 1744 1745 1748 3000 3790 3791 3792 4000 5000 5322 5323 5324 7000 8900 8958)

# datagrams NAME SNAPLEN FILTER NUMBER SETTING…: of all sizes, NUMBER of which the filter wants.
datagrams() {
	local name=$1 snaplen=$2 filter=$3 number=$4
	shift 4
	both_start "$snaplen" "$filter" "$@"
	ok $? "$name: both capture" "$(program_output LEAVING ARRIVING)"
	in_tx "$TRANSFER" sizes $RX_ADDRESS 7777 "${SIZES[@]}"
	both_end "$number"
	ok $? "$name: $number packets are captured" "$(what_came)"
	are_the_same
	ok $? "$name: byte by byte as a packet ring has them" "$(what_came)"
	! grep -q "are lost" "$NR_TMP/ARRIVING.err"
	ok $? "$name: nothing is said to be lost" "$(program_output ARRIVING)"
}

for size in 2048 4096; do
	for mode in native generic; do
		datagrams "frames of $size, $mode" 262144 "udp port 7777" 20 NETRING_XDP_FRAME_SIZE=$size NETRING_XDP_MODE=$mode
	done
done
datagrams "a snaplen of 100" 100 "udp port 7777" 20
datagrams "a snaplen of 5000" 5000 "udp port 7777" 20
datagrams "a filter by length" 262144 "udp port 7777 and greater 5000" 7
# Beyond the first page, which is as far as the driver shows it: a byte that is there in the longer ones only.
datagrams "a filter by a byte far behind" 262144 "udp port 7777 and (ether[6000] >= 0)" 3

# ---- TCP, whole ----

LONG=20000000
both_start 262144 "tcp port 5001"
ok $? "TCP: both capture" "$(program_output LEAVING ARRIVING)"
nr_stop "$LEAVING" INT
nr_stop "$ARRIVING" INT
program_start RECEIVING ready "$NR_RX" "$TRANSFER" receive 5001
program_start ARRIVING 'listening on' "$NR_RX" "${XDP[@]}" NETRING_XDP_STEAL=1 tcpdump -n -i nr3 -Z root -w "$NR_TMP/arriving.pcap" "udp port 7777"
in_tx timeout 60 "$TRANSFER" send $RX_ADDRESS 5001 $LONG >"$NR_TMP/SENDING.out" 2>&1
nr_wait 10 nr_ended "$RECEIVING"
nr_stop "$RECEIVING"
nr_stop "$ARRIVING" INT
grep -q "bytes=$LONG sum=$(field sum "$(cat "$NR_TMP/SENDING.out")")" "$NR_TMP/RECEIVING.out"
ok $? "TCP in long packets beside a capture: whole" "$(cat "$NR_TMP/SENDING.out") $(program_output RECEIVING ARRIVING)"

# ---- counts ----

order_is_stopped() { grep -q '^State:[[:space:]]*T' "/proc/$ORDER_PID/status"; }
said() { echo "sent $SENT; $ORDERED; $(cat "$NR_TMP/order.err")"; }

# counts NAME STOPPED SENDER…: packets of 7000 bytes.
counts() {
	local name=$1 stopped=$2 sender
	shift 2
	order_start "${XDP[@]}" NETRING_XDP_FRAMES="$([ "$stopped" = yes ] && echo 1024 || echo 32768)" -- -i nr1 -T 100 -t 1000
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	if [ "$stopped" = yes ]; then
		kill -s STOP "$ORDER_PID"
		nr_wait 5 order_is_stopped
	fi
	for sender in "$@"; do
		send_start "$sender" "$sender" nr0 -m packet -f 64 -c 3000 -r 2000 -s 7000
	done
	send_end
	[ "$stopped" = no ] || kill -s CONT "$ORDER_PID"
	nr_wait 20 nr_ended "$ORDER_PID"
	order_end
	[ "$SENT" -gt 0 ] && [ "$(field ps_recv "$ORDERED")" = "$SENT" ] &&
		[ $(($(field packets "$ORDERED") + $(field ps_drop "$ORDERED"))) = "$SENT" ] && [ "$(field packets "$ORDERED")" -gt 0 ]
	ok $? "$name: what was sent is what came and what was lost" "$(said)"
	if [ "$stopped" = yes ]; then
		[ "$(field ps_drop "$ORDERED")" -gt $((SENT / 2)) ]
		ok $? "$name: the ring was full" "$(said)"
	else
		[ "$(field ps_drop "$ORDERED")" = 0 ] && [ "$(field flow_disorder "$ORDERED")" = 0 ]
		ok $? "$name: nothing was lost, and all is in order" "$(said)"
	fi
}
counts "a reader" no 0
counts "a reader of two queues" no 0 1
counts "a reader that stalls" yes 0
counts "a reader of two queues that stalls" yes 0 1

# ---- queues that are added ----

# The kernel lets go of the readers' program and sockets a moment after they have ended, and refuses until then.
one_queue() { in_tx ethtool -L nr0 rx 1 tx 1 && in_rx ethtool -L nr1 rx 1 tx 1; } >/dev/null 2>&1
if command -v ethtool >/dev/null && nr_wait 10 one_queue; then
	order_start "${XDP[@]}" -- -i nr1 -T 100
	ok $? "one queue: captures" "$(cat "$NR_TMP/order.err")"
	in_rx ethtool -L nr1 rx 2 tx 1 && in_tx ethtool -L nr0 rx 1 tx 2
	ok $? "a queue is added"
	send_start 0 0 nr0 -c 1000 -r 5000
	send_start 1 1 nr0 -c 1000 -r 5000
	send_end
	order_end
	[ "$(grep -c 'it has 2 receive queues, and had 1 ' "$NR_TMP/order.err")" = 1 ]
	ok $? "a queue is added: said, once, with the numbers" "$(said)"
else
	skip "queues that are added" "no ethtool, or it changes no queues here"
fi

finish
