#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# NETRING_BACKEND=xdp-tap as programs on the pcap API see it: all packets, and the host gets all of them, too; nothing is left of a capture that is killed;
# filters change without an error; stamps are right, CPUs are merged, counts add up.
#
# NETRING_TESTS_KILLS: how often a capture is killed (5). NETRING_TESTS_SLOW=1: less of everything, for an emulated machine.
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
for program in tcpdump ping; do
	command -v $program >/dev/null || skip_all "no $program"
done
addresses_up || skip_all "no addresses"
# A packet between pcap_activate and pcap_setfilter counts, as on libpcap: here the two have no reason to ask for each other's addresses.
neighbours_up
ok $? "the neighbours know each other"
chmod 1777 "$NR_TMP"

# ---- killed, again and again, under traffic ----

KILLS=${NETRING_TESTS_KILLS:-$(amount 5 3)}

kill_once() {
	TROUBLE="does not start: "
	order_start "${COPY[@]}" NETRING_RING_SIZE=8M -- -i nr3 || return 1
	TROUBLE="has no XDP program on the interface"
	xdp_is_on nr3 || return 1
	TROUBLE="takes packets off the interface: $(host_answers && echo once)"
	host_answers || return 1
	nr_stop "$ORDER_PID" KILL
	TROUBLE="leaves an XDP program"
	nr_wait 2 xdp_is_off nr3 || return 1
}

kills() {
	local i
	for ((i = 1; i <= KILLS; i++)); do
		kill_once || {
			TROUBLE="round $i: the capture $TROUBLE$(cat "$NR_TMP/order.err")"
			nr_stop "$ORDER_PID" KILL
			return 1
		}
	done
}

send_start 0 0 nr2 -c 1000000000 -r "$(amount 100000 3000)"
kills
ok $? "killed $KILLS times under traffic: the host always answers, no program is left, the next one starts" "$TROUBLE"
send_stop

# ---- on an interface with an address, and the host hears the same ----

DATAGRAMS=$(amount 2000 300)

# tapped NAME CAPTURED PROGRAM…: datagrams to two ports of the host, one of which the filter wants. CAPTURED is how it is seen how many were captured.
tapped() {
	local name=$1 seen=$2 heard=0
	shift 2
	rm -f "$NR_TMP/captured.pcap"
	program_start HEARING ready "$NR_RX" "$TRANSFER" hear 7777 && program_start CAPTURING 'listening on' "$NR_RX" "$@"
	ok $? "$name: starts" "$(program_output HEARING CAPTURING)"
	xdp_is_on nr3
	ok $? "$name: has an XDP program on the interface" "$(in_rx ip -d link show nr3)"
	in_tx "$TRANSFER" say $RX_ADDRESS 7777 "$DATAGRAMS" 1000
	in_tx "$TRANSFER" say $RX_ADDRESS 7778 "$DATAGRAMS" 1000
	nr_wait 10 "$seen" "$DATAGRAMS" && ! "$seen" $((DATAGRAMS + 1))
	ok $? "$name: all datagrams to the port are captured, and nothing else" "$(tail -n 4 "$NR_TMP/CAPTURING.out" "$NR_TMP/CAPTURING.err")"
	nr_stop "$CAPTURING" INT
	nr_stop "$HEARING" || heard=1
	grep -qx "datagrams=$DATAGRAMS" "$NR_TMP/HEARING.out" && [ $heard = 0 ]
	ok $? "$name: the host hears all of them" "$(program_output HEARING)"
	grep -q "^$DATAGRAMS packets received by filter" "$NR_TMP/CAPTURING.err" && grep -q '^0 packets dropped' "$NR_TMP/CAPTURING.err"
	ok $? "$name: they are counted" "$(cat "$NR_TMP/CAPTURING.err")"
}
WRITE=(tcpdump -n -i nr3 -U -w "$NR_TMP/captured.pcap")
tapped "a filter" captured "${COPY[@]}" "${WRITE[@]}" -Z root udp port 7777
tapped "a filter, root is given up then" captured "${COPY[@]}" "${WRITE[@]}" -Z nobody udp port 7777
tapped "a filter, in generic mode" captured "${COPY[@]}" NETRING_XDP_MODE=generic "${WRITE[@]}" -Z root udp port 7777
tapped "a filter, immediate mode" captured "${COPY[@]}" "${WRITE[@]}" --immediate-mode -Z root udp port 7777
# tcpdump that prints gives up root before it sets the filter.
tapped "a filter that comes without privileges" printed "${COPY[@]}" tcpdump -l -n -i nr3 -Z nobody udp port 7777

# ---- filters that follow each other under traffic ----

switching "many filters" "${COPY[@]}" "$CLIENT" switch nr1 "$(amount 100 20)" "$NR_TX" nr0
# These take no time, so there have to be more of them for something to happen meanwhile.
switching "filters without privileges" "${COPY[@]}" "$CLIENT" switch nr1 "$(amount 5000 500)" "$NR_TX" nr0 nobody

# ---- stamps ----

stamps "time stamps" "${COPY[@]}"

# ---- two CPUs ----

said() { echo "sent $SENT; $ORDERED; $(cat "$NR_TMP/order.err")"; }

# two_cpus NAME SETTINGS ORDER_OPTIONS. Two CPUs that share a ring buffer take a place in it and then look at the clock: another may be first in between.
two_cpus() {
	local name=$1 settings options
	read -ra settings <<<"$2"
	read -ra options <<<"$3"
	order_start "${COPY[@]}" "${settings[@]}" -- -i nr1 -T 100 "${options[@]}"
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	two_senders
	all_once
	ok $? "$name: all there, once" "$(said)"
	[ "$(field flow_disorder "$ORDERED")" = 0 ] && { [[ $name == *share* ]] || [ "$(field times_back "$ORDERED")" = 0 ]; }
	ok $? "$name: in order" "$(said)"
}
for mode in loop dispatch "dispatch -k 7" next_ex epoll; do
	two_cpus "two CPUs, $mode" "" "-m $mode"
done
two_cpus "two CPUs, polled busily" NETRING_BUSY_POLL_US=50 "-m loop"
# What is too small to be shared out is one ring buffer for both.
two_cpus "two CPUs that share a ring buffer" NETRING_RING_SIZE=1M "-m loop"

# ---- counts ----


# stopped_reader NAME SENDERS…
stopped_reader() {
	local name=$1
	shift
	order_start "${COPY[@]}" NETRING_RING_SIZE=2M -- -i nr1 -T 100 -t 1000
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	reader_stalls "$@"
	all_are_there 1000
	ok $? "$name: what was sent is what came and what was lost" "$(said)"
}
stopped_reader "a reader that stalls" 0
stopped_reader "a reader of two CPUs that stalls" 0 1

# What others see of it.
order_start "${COPY[@]}" NETRING_RING_SIZE=2M -- -i nr1 -T 100
send_start 0 0 nr0 -c 1000 -r 10000
send_end
stats_say() {
	STATS=$("$abs_top_builddir/netring" stats --json "$ORDER_PID")
	[[ $STATS == *'"engine": "xdp-tap"'* ]] && [[ $STATS == *'"delivered": 1000,'* ]] && [[ $STATS == *'"passed_filter": 1000,'* ]]
}
nr_wait 5 stats_say
ok $? "netring stats: the engine and its counts" "$STATS"
order_end

# ---- packets as they are ----


# same_lengths NAME SIZE SETTING…: the same bytes as the packet ring has, at aligned addresses.
same_lengths() {
	local name=$1 size=$2
	shift 2
	lengths_into WITH_RING "$size" "${NETRING[@]}" "$@"
	lengths_into WITH_COPY "$size" "${COPY[@]}" "$@"
	[ "$(grep -c caplen "$NR_TMP/WITH_COPY.out")" = 20 ] &&
		[ "$(sed 's/ misaligned.*//' "$NR_TMP/WITH_COPY.out")" = "$(sed 's/ misaligned.*//' "$NR_TMP/WITH_RING.out")" ]
	ok $? "$name: as the packet ring has them" "$(program_output WITH_RING WITH_COPY | sort | uniq -c)"
	! grep -q 'misaligned=[1-3]' "$NR_TMP/WITH_COPY.out"
	ok $? "$name: IP headers are aligned" "$(program_output WITH_COPY)"
}
for size in 60 63 64 65 200 1514; do
	same_lengths "packets of $size bytes" $size
done
for snaplen in 1 16 64 100; do
	same_lengths "packets of 1000 bytes, snaplen $snaplen" 1000 NETRING_SNAPLEN=$snaplen
done

# Packets in several pieces, which a packet ring beside it has, too.
in_tx ip link set nr2 mtu 9000 && in_rx ip link set nr3 mtu 9000
for snaplen in 262144 5000; do
	rm -f "$NR_TMP"/ring.pcap "$NR_TMP"/copies.pcap
	program_start RING 'listening on' "$NR_RX" "${NETRING[@]}" tcpdump -n -i nr3 -s $snaplen -U -Z root -w "$NR_TMP/ring.pcap" 'icmp[icmptype] == icmp-echo' &&
		program_start COPIES 'listening on' "$NR_RX" "${COPY[@]}" tcpdump -n -i nr3 -s $snaplen -U -Z root -w "$NR_TMP/copies.pcap" 'icmp[icmptype] == icmp-echo'
	in_tx ping -q -c 5 -i 0.2 -s 8900 -M "do" $RX_ADDRESS >"$NR_TMP/ping" 2>&1
	nr_wait 10 is_written ring 5 && nr_wait 10 is_written copies 5 &&
		[ "$(tcpdump -t -n -xx -r "$NR_TMP/ring.pcap" 2>/dev/null)" = "$(tcpdump -t -n -xx -r "$NR_TMP/copies.pcap" 2>/dev/null)" ]
	ok $? "packets of 8942 bytes, snaplen $snaplen: as the packet ring has them" "$(cat "$NR_TMP/ping"; program_output RING COPIES; tcpdump -n -r "$NR_TMP/copies.pcap" 2>&1)"
	nr_stop "$RING" INT
	nr_stop "$COPIES" INT
done

# ---- what it is not for, and what it needs not ----

order_start "${COPY[@]}" -- -i nr1
REFUSAL=$(in_rx "${COPY[@]}" "$CLIENT" refused nr1 2>&1)
ok $? "a second handle on the interface is refused, and nothing is left of it" "$REFUSAL"
[[ $REFUSAL == *netring_xdp* ]]
ok $? "it says whose program is there" "$REFUSAL"
order_end

REFUSAL=$(in_rx timeout 20 "${COPY[@]}" tcpdump -n -i nr1 -Q out -c 1 2>&1)
[[ $REFUSAL == *"XDP has no outgoing packets (NETRING_BACKEND=xdp-tap)"* ]]
ok $? "outgoing packets alone: an error" "$REFUSAL"

in_rx ip link set lo up
program_start CAPTURING 'listening on' "$NR_RX" "${COPY[@]}" NETRING_XDP_MODE=generic tcpdump -l -n -i lo -c 4 --immediate-mode icmp &&
	in_rx ping -q -c 2 -i 0.2 127.0.0.1 >/dev/null && nr_wait 5 nr_ended "$CAPTURING"
ok $? "loopback: both ways, once each" "$(program_output CAPTURING)"
nr_stop "$CAPTURING" INT

program_start CAPTURING 'listening on' "$NR_RX" "${COPY[@]}" NETRING_LOG=warn NETRING_XDP_FRAMES=1024 NETRING_XDP_STEAL=1 NETRING_RINGS=2 tcpdump -n -i nr1
nr_stop "$CAPTURING" INT
for setting in NETRING_XDP_FRAMES NETRING_XDP_STEAL NETRING_RINGS; do
	grep -q "captured by copies in XDP; $setting has no effect" "$NR_TMP/CAPTURING.err"
	ok $? "$setting: the log says that it has no effect" "$(program_output CAPTURING)"
done

program_start CAPTURING 'listening on' "$NR_RX" "${COPY[@]}" NETRING_STRICT=0 tcpdump -n -i any
nr_stop "$CAPTURING" INT
grep -q 'captured through the packet ring instead of XDP' "$NR_TMP/CAPTURING.err"
ok $? "any: the packet ring, and a warning" "$(program_output CAPTURING)"
nr_wait 2 xdp_is_off nr1
ok $? "no program is left"

finish
