#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Devices that are not a card: VLAN, bond, dummy. run.sh --nic e1000e --nic e1000e tests/vm/devices.sh. libpcap's and netring's savefiles of the same
# packets, captured at the same time, are the same to the byte, time stamps and all.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}"
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=../netns/flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"
# shellcheck source-path=SCRIPTDIR source=nics.sh disable=SC1091
. "$abs_top_srcdir/tests/vm/nics.sh"

PINGS=300
nics_up
for device in bonding 8021q dummy; do modprobe $device || skip_all "no module $device"; done

# addressed SIDE DEVICE ADDRESS
addressed() { "$1" ip link set "$2" up && "$1" ip address add "$3/24" dev "$2"; }

in_rx ip link add vlan5 link eth0 type vlan id 5 && addressed in_rx vlan5 10.5.0.2
in_tx ip link add vlan5 link eth1 type vlan id 5 && addressed in_tx vlan5 10.5.0.1
addressed in_rx eth0 10.4.0.2
addressed in_tx eth1 10.4.0.1
in_rx ip link add dummy0 type dummy && addressed in_rx dummy0 10.7.0.2
in_rx ip neighbour add 10.7.0.1 lladdr 02:00:00:00:07:01 dev dummy0

captures_are_ready() {
	local name
	for name in stock netring; do grep -q 'listening on' "$NR_TMP/$name.err" || return 1; done
}

both_have() {
	local name
	for name in stock netring; do [ "$(tcpdump -nr "$NR_TMP/$name.pcap" 2>/dev/null | wc -l)" -ge "$1" ] || return 1; done
}

# compare NAME INTERFACE PACKETS SIDE ADDRESS FILTER…: pings to the address from the side, in and out, tagged or not.
compare() {
	local name=$1 interface=$2 packets=$3 side=$4 address=$5 stock netring
	shift 5
	rm -f "$NR_TMP"/*.pcap "$NR_TMP"/*.err
	nr_start stock "$NR_RX" "${STOCK[@]}" tcpdump -Z root -U -n -i "$interface" -w "$NR_TMP/stock.pcap" "$@" 2>"$NR_TMP/stock.err"
	nr_start netring "$NR_RX" "${NETRING[@]}" tcpdump -Z root -U -n -i "$interface" -w "$NR_TMP/netring.pcap" "$@" 2>"$NR_TMP/netring.err"
	nr_wait 30 captures_are_ready
	"$side" ping -q -c $PINGS -i 0.005 -W 1 "$address" >"$NR_TMP/ping" 2>&1
	nr_wait 20 both_have "$packets"
	ok $? "$name: $packets packets at least" "$(cat "$NR_TMP/ping" "$NR_TMP"/*.err; ls -l "$NR_TMP")"
	nr_stop "$stock" INT
	nr_stop "$netring" INT
	cmp "$NR_TMP/stock.pcap" "$NR_TMP/netring.pcap" >"$NR_TMP/cmp" 2>&1
	ok $? "$name: the same savefile" "$(cat "$NR_TMP/cmp"; diff <(tcpdump -ttenr "$NR_TMP/stock.pcap" 2>&1) <(tcpdump -ttenr "$NR_TMP/netring.pcap" 2>&1) | head -n 20)"
	echo "# $name: $(tail -n 3 "$NR_TMP/netring.err" | tr '\n' ' ')"
}

# doctor NAME INTERFACE: it judges it, and does not fail.
doctor() {
	local status
	in_rx "$abs_top_builddir/netring" doctor "$2" >"$NR_TMP/doctor" 2>&1
	status=$?
	[ $status -le 1 ] && grep -q "^$2: " "$NR_TMP/doctor"
	ok $? "$1: doctor judges it" "status $status: $(cat "$NR_TMP/doctor")"
	sed 's/^/# /' "$NR_TMP/doctor" | head -n 40
}

compare "a VLAN device" vlan5 $((2 * PINGS)) in_tx 10.5.0.2 icmp
compare "the card below it" eth0 $((2 * PINGS)) in_tx 10.5.0.2 vlan 5 and icmp
compare "the card below it, no filter" eth0 $((2 * PINGS)) in_tx 10.5.0.2
compare "a dummy device" dummy0 $PINGS in_rx 10.7.0.1 icmp
compare "any" any $((2 * PINGS)) in_tx 10.5.0.2 icmp
doctor "a VLAN device" vlan5

if in_rx ip link show eth2 >/dev/null 2>&1; then
	for side in in_rx in_tx; do
		$side ip link add bond0 type bond mode balance-rr miimon 50
		for card in eth0 eth1 eth2 eth3; do
			$side ip link show $card >/dev/null 2>&1 || continue
			$side ip address flush dev $card
			$side ip link set $card down
			$side ip link set $card master bond0
		done
	done
	addressed in_rx bond0 10.6.0.2
	addressed in_tx bond0 10.6.0.1
	nr_wait 20 nics_are_up bond0 bond0
	compare "a bond" bond0 $((2 * PINGS)) in_tx 10.6.0.2 icmp
	compare "a card of the bond" eth2 $((PINGS / 2)) in_tx 10.6.0.2 icmp
	doctor "a bond" bond0
fi
finish
