#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP on the driver of a network card: run.sh --nic MODEL tests/vm/xdp-nic.sh WAY…, where a way is zerocopy, copy (both in the driver) or generic, as
# the driver has them. Every packet arrives once, in its flow's order, and is counted; what is sent arrives; SIGKILL leaves nothing.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}"
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=../netns/flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"
# shellcheck source-path=SCRIPTDIR source=../netns/xdp-lib.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/xdp-lib.sh"
# shellcheck source-path=SCRIPTDIR source=nics.sh disable=SC1091
. "$abs_top_srcdir/tests/vm/nics.sh"

PACKETS=10000
RATE=2000
SENT_PACKETS=200
nics_up
# blast sends to an address that nobody has, and order does not ask for what is another's.
in_rx ip link set eth0 promisc on
# A queue that drops nothing and keeps the order: the emulated card may be slow to send.
in_tx tc qdisc replace dev eth1 root pfifo limit 100000

# Sends packets that nobody else sends, once the link is there again. Prints how many the library took.
cat >"$NR_TMP/inject.py" <<'END'
import ctypes, sys, time
pcap = ctypes.CDLL("libpcap.so.0.8")
pcap.pcap_open_live.restype = ctypes.c_void_p
pcap.pcap_geterr.restype = ctypes.c_char_p
error = ctypes.create_string_buffer(256)
handle = ctypes.c_void_p(pcap.pcap_open_live(b"eth0", 65535, 0, 100, error))
if not handle.value:
    sys.exit(error.value.decode())
deadline = time.monotonic() + 20
frame = bytes.fromhex("525400000001525400000000" "88b5") + bytes(46)
taken = 0
while taken < int(sys.argv[1]) and time.monotonic() < deadline:
    if pcap.pcap_inject(handle, frame, len(frame)) == len(frame):
        taken += 1
    elif taken == 0:
        time.sleep(0.1)
    else:
        break
print(taken, pcap.pcap_geterr(handle).decode())
time.sleep(1)
pcap.pcap_close(handle)
END

# Frames of the type above, counted by the kernel at the other end.
counted() { in_tx tc -s filter show dev eth1 ingress | sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p' | head -n 1; }
in_tx tc qdisc add dev eth1 clsact
in_tx tc filter add dev eth1 ingress protocol 0x88b5 matchall action ok

capture_with() {
	order_start "${XDP[@]}" NETRING_LOG=info NETRING_XDP_FRAMES=8192 "$@" -- -i eth0 && nr_wait 20 nics_are_up eth0 eth1
}

# What the card says that it has received. QEMU's wire may lose a packet that the emulated machine is too slow for; then it is no fault of ours.
received() { in_rx ip -s -j link show eth0 | sed 's/.*"rx":{[^}]*"packets":\([0-9]*\).*/\1/'; }
all_received() { [ $(($(received) - BEFORE)) = $PACKETS ]; }

# said PATTERN
said() { grep -qE "$1" "$NR_TMP/order.err"; }

whole() {
	[ "$(field packets "$ORDERED")" = "$RECEIVED" ] && [ "$RECEIVED" -gt $((PACKETS * 9 / 10)) ] && [ "$(field twice "$ORDERED")" = 0 ] &&
		[ "$(field flow_disorder "$ORDERED")" = 0 ]
}
counts() { [ "$(field ps_recv "$ORDERED")" = "$RECEIVED" ] && [ "$(field ps_drop "$ORDERED")" = 0 ]; }
in_time() { [ "$(field times_back "$ORDERED")" = 0 ]; }

# way NAME WORDS SETTING…: WORDS are what the log says of it.
way() {
	local name=$1 words=$2 before sent
	shift 2
	capture_with "$@"
	ok $? "$name: begins" "$(cat "$NR_TMP/order.err")"
	said "AF_XDP, $words"
	ok $? "$name: is said to be that" "$(cat "$NR_TMP/order.err")"
	BEFORE=$(received)
	send_start 0 1 eth1 -m packet -c $PACKETS -r $RATE -f 16
	send_end
	nr_wait 5 all_received
	RECEIVED=$(($(received) - BEFORE))
	order_end
	ok $? "$name: ends" "$(cat "$NR_TMP/order.err")"
	whole
	ok $? "$name: each of the $RECEIVED packets that the card has received is captured, once and in order" "$ORDERED; $(in_rx ethtool -S eth0)"
	counts
	ok $? "$name: the statistics are right to the packet" "$ORDERED"
	in_time
	ok $? "$name: the time stamps ascend" "$ORDERED"
	echo "# $name: $ORDERED"
	echo "# $name: $(grep -o 'AF_XDP,.*' "$NR_TMP/order.err")"
	capture_with "$@" && xdp_is_on eth0
	ok $? "$name: begins again" "$(cat "$NR_TMP/order.err")"
	nr_stop "$ORDER_PID" KILL
	nr_wait 5 xdp_is_off eth0
	ok $? "$name: SIGKILL leaves no program"
	before=$(counted)
	sent=$(in_rx "${XDP[@]}" NETRING_XDP_FRAMES=8192 "$@" python3 "$NR_TMP/inject.py" $SENT_PACKETS 2>&1 | tail -n 1)
	[ "${sent%% *}" = $SENT_PACKETS ] && nr_wait 5 arrived $((before + SENT_PACKETS))
	ok $? "$name: what is sent arrives" "$sent; arrived: $(($(counted) - before))"
}
arrived() { [ "$(counted)" = "$1" ]; }

for name in "$@"; do
	case $name in
		zerocopy) way zerocopy 'native, zero-copy' NETRING_XDP_COPY=zerocopy ;;
		copy) way copy 'native, copied' NETRING_XDP_MODE=native NETRING_XDP_COPY=copy ;;
		generic) way generic 'generic, copied' NETRING_XDP_MODE=generic ;;
		*) ok 1 "unknown way $name" ;;
	esac
done
if [[ " $* " == *" zerocopy "* ]]; then
	expect "zero copy in generic mode is refused" 1 'behind the driver packets are always copied' \
		nsenter --net="/run/netns/$NR_RX" "${XDP[@]}" NETRING_XDP_MODE=generic NETRING_XDP_COPY=zerocopy tcpdump -i eth0 -c 1
fi
finish
