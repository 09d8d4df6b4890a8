#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where AF_XDP must not or cannot be had: what pcap_activate says of it, and that nothing is left behind. Some of it is an error in any case; where the
# machine cannot, the packet ring captures instead, with one warning, unless NETRING_STRICT forbids it.
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
command -v setpriv >/dev/null || skip_all "no setpriv"
unset SSH_CONNECTION
LENIENT=("${NETRING[@]}" NETRING_BACKEND=xdp)

# says NAME PATTERN INTERFACE PREFIX…: pcap_activate fails, each time, with a text that matches, and leaves nothing.
says() {
	local name=$1 pattern=$2 interface=$3 device=$3 output status before
	shift 3
	[ "$interface" != any ] || device=nr1
	before=$(xdp_id "$device")
	output=$(in_rx "$@" "$CLIENT" refused "$interface" 2>&1)
	status=$?
	[ $status = 0 ] && [[ $output =~ $pattern ]]
	ok $? "$name: $pattern" "$output"
	[ "$(xdp_id "$device")" = "$before" ]
	ok $? "$name: nothing is attached" "before: $before, after: $(xdp_id "$device")"
}

# refused NAME PATTERN INTERFACE SETTING…: with and without NETRING_STRICT.
refused() {
	local name=$1 pattern=$2 interface=$3
	shift 3
	says "$name" "$pattern" "$interface" "${LENIENT[@]}" "$@"
	says "$name, strict" "$pattern" "$interface" "${XDP[@]}" "$@"
}

# falls_back NAME PATTERN INTERFACE BEFORE -- SETTING…: an error with NETRING_STRICT; without, the packet ring and one warning. BEFORE is what to start
# the program with, nothing or for instance setpriv and its options.
falls_back() {
	local name=$1 pattern=$2 interface=$3 before=()
	shift 3
	while [ "$1" != -- ]; do
		before+=("$1")
		shift
	done
	shift
	says "$name, strict" "$pattern" "$interface" "${before[@]}" "${XDP[@]}" "$@"
	if order_start "${before[@]}" "${LENIENT[@]}" "$@" -- -i "$interface"; then
		xdp_is_off nr1
		ok $? "$name: it is not XDP" "$(xdp_id nr1)"
		send_start 0 0 nr0 -m packet -c 1000 -r 5000
		send_end
		order_end
	fi
	[ $(($(field packets "$ORDERED") + $(field others "$ORDERED"))) = 1000 ] && is_one_warning "$pattern"
	ok $? "$name: the packet ring captures, with one warning" "$ORDERED; $(cat "$NR_TMP/order.err")"
	ORDERED=
}
is_one_warning() { [ "$(wc -l <"$NR_TMP/order.err")" = 1 ] && [[ $(cat "$NR_TMP/order.err") =~ ^netring:\ warn:.*$1 ]]; }

# works NAME INTERFACE SETTING…: the counterproof.
works() {
	local name=$1 interface=$2
	shift 2
	order_start "${XDP[@]}" "$@" -- -i "$interface" && xdp_is_on "$interface"
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	nr_stop "$ORDER_PID"
	nr_wait 2 xdp_is_off "$interface"
}

# ---- the host needs it ----

works "an interface of nobody's" nr1
addresses_up
refused "an address" "nr3 has the address $RX_ADDRESS/24.*NETRING_XDP_STEAL=1" nr3
refused "the user's connection" "nr3 has the address $RX_ADDRESS, which your SSH connection uses" nr3 "SSH_CONNECTION=192.0.2.1 50000 $RX_ADDRESS 22"
works "an address, NETRING_XDP_STEAL" nr3 NETRING_XDP_STEAL=1
refused "an address, NETRING_XDP_STEAL=0" "nr3 has the address" nr3 NETRING_XDP_STEAL=0

in_rx ip route add default dev nr1
refused "a default route" "nr1 .*default route" nr1
works "a default route, NETRING_XDP_STEAL" nr1 NETRING_XDP_STEAL=1
in_rx ip route del default dev nr1

if in_rx ip link add br0 type bridge 2>/dev/null; then
	in_rx ip link set nr1 master br0
	refused "a member of a bridge" "nr1 is a member of br0" nr1
	works "a member of a bridge, NETRING_XDP_STEAL" nr1 NETRING_XDP_STEAL=1
	in_rx ip link set nr1 nomaster
	in_rx ip link del br0
else
	skip "a member of a bridge" "no bridges in this kernel"
fi
works "after all of that" nr1

# ---- somebody else has it ----

program_start OTHER ready "$NR_RX" "$LOOP" -i nr1
refused "another XDP program" "nr1 has an XDP program already: xdp_loop, id $(xdp_id nr1)" nr1
refused "another XDP program, NETRING_XDP_STEAL" "nr1 has an XDP program already: xdp_loop, id $(xdp_id nr1)" nr1 NETRING_XDP_STEAL=1
nr_stop "$OTHER" KILL
nr_wait 2 xdp_is_off nr1
program_start OTHER ready "$NR_RX" "$LOOP" -i nr1 -g
refused "another generic XDP program" "nr1 has an XDP program already: xdp_loop, id $(xdp_id nr1)" nr1
nr_stop "$OTHER" KILL
nr_wait 2 xdp_is_off nr1
program_start OTHER ready "$NR_RX" "$LOOP" -i nr1 -s
refused "another AF_XDP socket on the queue" "queue 0 has an AF_XDP socket" nr1
works "the other queue" nr1 NETRING_XDP_QUEUES=1
nr_stop "$OTHER" KILL
works "after they have gone" nr1

# Several queues wait for each other, as long as a block's timeout at the most.
timeout_is_unused() { grep -q 'NETRING_BLOCK_TIMEOUT_MS has no effect' "$NR_TMP/order.err"; }
works "one queue, a block timeout" nr1 NETRING_BLOCK_TIMEOUT_MS=1 NETRING_XDP_QUEUES=0
timeout_is_unused
ok $? "one queue: a block timeout has no effect, and that is said" "$(cat "$NR_TMP/order.err")"
works "two queues, a block timeout" nr1 NETRING_BLOCK_TIMEOUT_MS=1
! timeout_is_unused
ok $? "two queues: a block timeout has an effect" "$(cat "$NR_TMP/order.err")"

order_start "${XDP[@]}" -- -i nr1
refused "a second capture" "nr1 has an XDP program already: [a-z_]+, id $(xdp_id nr1)" nr1
xdp_is_on nr1
ok $? "the first is still there"
nr_stop "$ORDER_PID"
nr_wait 2 xdp_is_off nr1

# ---- settings ----

refused "a queue that is not there" "NETRING_XDP_QUEUES|queue 2" nr1 NETRING_XDP_QUEUES=2
refused "a queue that is not there, among others" "queue 7" nr1 NETRING_XDP_QUEUES=0,7
for list in x 1- -1 0,,1 1-0 "0 1" 99999999999; do
	refused "a list of queues, '$list'" "NETRING_XDP_QUEUES=$list" nr1 "NETRING_XDP_QUEUES=$list"
done
for setting in NETRING_BACKEND=banana NETRING_XDP_MODE=banana NETRING_XDP_COPY=banana NETRING_XDP_FRAMES=banana NETRING_XDP_FRAMES=0 NETRING_XDP_FRAME_SIZE=1000 \
	NETRING_XDP_FRAME_SIZE=3000 NETRING_XDP_STEAL=banana NETRING_BUSY_POLL_US=-1; do
	refused "a bad value" "${setting/=/=\"?}" nr1 "$setting"
done
refused "more memory than there is" "[0-9]+ [KMG]iB" nr1 NETRING_XDP_FRAMES=16777216 NETRING_XDP_FRAME_SIZE=4096
refused "zero-copy, of a driver that cannot" "zero-copy" nr1 NETRING_XDP_COPY=zerocopy
refused "zero-copy behind the driver" "zero-copy.*generic mode" nr1 NETRING_XDP_COPY=zerocopy NETRING_XDP_MODE=generic
refused "offload, of a driver that cannot" "NETRING_XDP_MODE|offload|runs on the card" nr1 NETRING_XDP_MODE=offload
for setting in NETRING_XDP_MODE=native NETRING_XDP_MODE=generic NETRING_XDP_COPY=copy NETRING_XDP_QUEUES=all NETRING_XDP_QUEUES=0 NETRING_XDP_QUEUES=0-1 \
	NETRING_XDP_FRAMES=512 NETRING_XDP_FRAME_SIZE=2048 NETRING_XDP_FRAME_SIZE=4096; do
	works "$setting" nr1 "$setting"
done

# ---- the machine cannot ----

falls_back "no CAP_BPF" "CAP_BPF" nr1 setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin --
falls_back "no CAP_NET_ADMIN" "CAP_NET_ADMIN" nr1 setpriv --bounding-set=-net_admin,-sys_admin --inh-caps=-net_admin,-sys_admin --
says "too little memory to lock, strict" "ulimit -l" nr1 prlimit --memlock=65536:65536 setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "${XDP[@]}"

# A tun device with a bridge's kind of driver: XDP for everybody only.
if in_rx ip link add br1 type bridge 2>/dev/null && in_rx ip link set br1 up; then
	refused "native, of a driver that cannot" "br1: .*native|br1: .*driver" br1 NETRING_XDP_MODE=native
	in_rx ip link del br1
else
	skip "native, of a driver that cannot" "no bridges in this kernel"
fi

in_tx ip link set nr0 mtu 9000
in_rx ip link set nr1 mtu 9000
order_start "${LENIENT[@]}" NETRING_XDP_FRAME_SIZE=2048 -- -i nr1
ok $? "an MTU of 9000: captures" "$(cat "$NR_TMP/order.err")"
send_start 0 0 nr0 -m packet -c 100 -r 1000 -s 2900
send_end
order_end
LOST=0
[ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ] || LOST=100
[ "$(field packets "$ORDERED")" = $((100 - LOST)) ] && [ "$(field ps_drop "$ORDERED")" = $LOST ] && [ "$(field ps_recv "$ORDERED")" = 100 ] &&
	[ "$(grep -c 'packets of more than [0-9]* bytes are lost, and its MTU allows 90' "$NR_TMP/order.err")" = $((LOST / 100)) ]
ok $? "an MTU of 9000: long packets come, or are counted as lost and the log says which (before Linux 6.6)" "$ORDERED; $(cat "$NR_TMP/order.err")"
in_tx ip link set nr0 mtu 1500
in_rx ip link set nr1 mtu 1500

falls_back "all interfaces" "any" any --
nr_wait 2 xdp_is_off nr1
works "after all of that" nr1
finish
