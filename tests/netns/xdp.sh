#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP as programs on the pcap API see it: a capture that is killed leaves nothing behind, what does not match goes on to the host, filters change
# without an error, stamps are right, queues are merged, counts add up.
#
# NETRING_TESTS_KILLS: how often a capture is killed (20). NETRING_TESTS_SLOW=1: less of everything, for an emulated machine.
# NETRING_TESTS_TAI=1: the clock that XDP stamps with is set while captures run, too, which any other capture through XDP at the same time shows in its stamps.
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
neighbours_up || skip_all "no neighbours"
TAI=$("$TRANSFER" tai)
trap '"$TRANSFER" tai "$TAI" >/dev/null; nr_cleanup' EXIT

# ---- killed, again and again, under traffic ----

KILLS=${NETRING_TESTS_KILLS:-$(amount 20 3)}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# kill_once: 0 if all was as it should be; else TROUBLE says what was not. START_MS is how long all starts so far took.
kill_once() {
	local start
	start=$(now_ms)
	TROUBLE="does not start: "
	order_start "${XDP[@]}" NETRING_XDP_STEAL=1 -- -i nr3 || return 1
	START_MS+=("$(($(now_ms) - start))")
	TROUBLE="has no XDP program on the interface"
	xdp_is_on nr3 || return 1
	TROUBLE="does not take packets off the interface"
	host_is_silent || return 1
	nr_stop "$ORDER_PID" KILL
	TROUBLE="leaves an XDP program"
	nr_wait 2 xdp_is_off nr3 || return 1
	TROUBLE="leaves the host without packets: $(cat "$NR_TMP/ping")"
	host_answers || return 1
}

kills() {
	local i
	START_MS=()
	for ((i = 1; i <= KILLS; i++)); do
		kill_once || {
			TROUBLE="round $i: the capture $TROUBLE$(cat "$NR_TMP/order.err" "/proc/$ORDER_PID/wchan" 2>/dev/null)"
			nr_stop "$ORDER_PID" KILL
			return 1
		}
	done
}

host_answers
ok $? "without a capture the host answers" "$(cat "$NR_TMP/ping")"
send_start 0 0 nr2 -c 1000000000 -r "$(amount 100000 3000)"
kills
ok $? "killed $KILLS times under traffic: no program is left, the host gets its packets, the next one starts" "$TROUBLE"
send_stop
# A busy machine has starts of many seconds among a hundred.
median_ms=$(printf '%s\n' "${START_MS[@]}" | sort -n | sed -n "$(((${#START_MS[@]} + 1) / 2))p")
[ "${median_ms:-99999}" -lt "$(amount 5000 15000)" ]
ok $? "each starts at once" "${START_MS[*]} ms"
echo "# a start takes $median_ms ms"

# ---- a filter, and the host's own traffic ----

TRANSFER_BYTES=$(amount 100000000 3000000)
DATAGRAMS=$(amount 2000 300)

# transfer_with PROGRAM…: what a TCP transfer to the host and datagrams to its port 7777 come to while the program captures; "true" captures nothing.
# Leaves lines in $NR_TMP/SENDING.out, RECEIVING.out, HEARING.out.
transfer_with() {
	local status=0
	program_start RECEIVING ready "$NR_RX" "$TRANSFER" receive 5001 && program_start HEARING ready "$NR_RX" "$TRANSFER" hear 7777 || return 1
	CAPTURING=
	[ "$1" = true ] || program_start CAPTURING 'listening on' "$NR_RX" "$@" || return 1
	nr_start SENDING "$NR_TX" "$TRANSFER" send $RX_ADDRESS 5001 "$TRANSFER_BYTES" >"$NR_TMP/SENDING.out" 2>"$NR_TMP/SENDING.err"
	in_tx "$TRANSFER" say $RX_ADDRESS 7777 "$DATAGRAMS" 1000 || status=1
	nr_wait 30 nr_ended "$SENDING"
	nr_stop "$SENDING" || status=1
	nr_wait 10 nr_ended "$RECEIVING"
	nr_stop "$RECEIVING" || status=1
	nr_stop "$HEARING" || status=1
	[ -z "$CAPTURING" ] || {
		nr_wait 10 "$CAPTURED" "$DATAGRAMS"
		nr_stop "$CAPTURING" INT
	}
	SENDING_SAYS=$(cat "$NR_TMP/SENDING.out")
	return $status
}



transfer_said() {
	program_output SENDING RECEIVING HEARING
	[ -z "$CAPTURING" ] || tail -n 5 "$NR_TMP/CAPTURING.out" "$NR_TMP/CAPTURING.err"
}

# All bytes arrived as they were sent.
transfer_is_whole() {
	[ "$(field bytes "$SENDING_SAYS")" = "$TRANSFER_BYTES" ] && grep -q "bytes=$TRANSFER_BYTES sum=$(field sum "$SENDING_SAYS")" "$NR_TMP/RECEIVING.out"
}
heard() { grep -qx "datagrams=$1" "$NR_TMP/HEARING.out"; }

# Loosely: the machine has other things to do, and stands still for seconds. Some 70000 packets go over, and 69 of them went twice on a busy one (generic mode).
# A transfer that loses packets has thousands of retransmits, and hangs at worst.
is_undisturbed() {
	[ "$(field retransmits "$SENDING_SAYS")" -le $((3 * $(field retransmits "$UNDISTURBED") + 300)) ] &&
		awk -v with="$(field seconds "$SENDING_SAYS")" -v without="$(field seconds "$UNDISTURBED")" 'BEGIN { exit !(with < 4 * without + 10) }'
}

transfer_with true && transfer_is_whole && heard "$DATAGRAMS"
ok $? "without a capture a transfer is whole, and the datagrams are heard" "$(transfer_said)"
UNDISTURBED=$SENDING_SAYS
echo "# without a capture: $UNDISTURBED"

# what_is_true NAME: of a transfer beside a capture.
what_is_true() {
	transfer_is_whole && is_undisturbed
	ok $? "$1: the transfer is whole and undisturbed" "$(transfer_said)"
	"$CAPTURED" "$DATAGRAMS"
	ok $? "$1: all datagrams are captured" "$(transfer_said)"
	! "$CAPTURED" $((DATAGRAMS + 1))
	ok $? "$1: nothing else is captured" "$(transfer_said)"
	heard 0
	ok $? "$1: no datagram reaches the host" "$(transfer_said)"
	echo "# $1: $SENDING_SAYS"
}

# stolen NAME SETTING… -- TCPDUMP_OPTION…
stolen() {
	local name=$1 settings=()
	shift
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	# The program writes there without privileges.
	CAPTURED=captured
	rm -f "$NR_TMP/captured.pcap"
	chmod 1777 "$NR_TMP"
	transfer_with "${XDP[@]}" NETRING_XDP_STEAL=1 "${settings[@]}" tcpdump -n -i nr3 -U "$@" -w "$NR_TMP/captured.pcap" udp port 7777
	ok $? "$name: runs beside a transfer" "$(transfer_said)"
	what_is_true "$name"
}

stolen "a filter" -- -Z root
stolen "a filter, root is given up then" -- -Z nobody
stolen "a filter, in generic mode" NETRING_XDP_MODE=generic -- -Z root

# tcpdump that prints gives up root before it sets the filter.
CAPTURED=printed
transfer_with "${XDP[@]}" NETRING_XDP_STEAL=1 NETRING_STRICT=0 tcpdump -l -n -i nr3 -Z nobody udp port 7777
ok $? "a filter that comes without privileges: runs beside a transfer" "$(transfer_said)"
what_is_true "a filter that comes without privileges"
nr_wait 2 xdp_is_off nr3
ok $? "no program is left"

# ---- the host's packets while captures begin and end ----

STARTS=$(amount 5 2)

# pings_beside_starts: 0 if the captures began. What ping says is in $NR_TMP/PINGING.out.
pings_beside_starts() {
	local i
	nr_start PINGING "$NR_TX" ping -i 0.001 -c 65000 $RX_ADDRESS >"$NR_TMP/PINGING.out" 2>&1
	for ((i = 0; i < STARTS; i++)); do
		program_start BEGINNING 'listening on' "$NR_RX" "${XDP[@]}" NETRING_XDP_STEAL=1 "$@" tcpdump -n -i nr3 -Z root -w /dev/null udp port 7777 || break
		xdp_is_on nr3 || break
		nr_stop "$BEGINNING" INT
		nr_wait 2 xdp_is_off nr3
	done
	nr_stop "$PINGING" INT
	[ $i = "$STARTS" ]
}

# How many of more than 200 were not answered. The last one does not count: ping ends between a question and its answer. It numbers from 1.
missed_pings() {
	awk '/ bytes from / && match($0, /icmp_seq=[0-9]+/) { answered[substr($0, RSTART + 9, RLENGTH - 9) + 0] = 1 }
		/ packets transmitted/ { for (i = 1; i < $1; i++) missed += !(i in answered); if ($1 > 200) print missed + 0 }' "$NR_TMP/PINGING.out"
}

# no_ping_lost NAME SETTING…
no_ping_lost() {
	local name=$1 missed
	shift
	pings_beside_starts "$@"
	ok $? "$name: $STARTS captures begin" "$(program_output BEGINNING)"
	missed=$(missed_pings)
	[ "$missed" = 0 ]
	ok $? "$name: the host misses none of the packets that the filter does not want" "missed: $missed; $(tail -n 4 "$NR_TMP/PINGING.out")"
	echo "# $name: $(grep transmitted "$NR_TMP/PINGING.out")"
}
no_ping_lost "captures that begin"
no_ping_lost "captures that begin, in generic mode" NETRING_XDP_MODE=generic

# ---- filters that follow each other under traffic ----

SWITCH=("$CLIENT" switch nr1 "$(amount 100 20)" "$NR_TX" nr0)
switching "many filters" "${XDP[@]}" "${SWITCH[@]}"
# The program cannot be replaced: user space may have to filter, and the log says so.
switching "many filters without privileges" "${XDP[@]}" NETRING_STRICT=0 "${SWITCH[@]}" nobody

# ---- stamps ----

stamps "time stamps" "${XDP[@]}"
if [ "$("$TRANSFER" tai 37 2>&1)" = 37 ]; then
	stamps "time stamps while TAI is 37 s ahead" "${XDP[@]}"
	"$TRANSFER" tai "$TAI" >/dev/null
else
	skip "time stamps while TAI is 37 s ahead" "may not set the clock's offset"
fi

if [ "${NETRING_TESTS_TAI:-0}" = 1 ]; then
	stamps_beside_tai "time stamps of two queues while TAI is set" "${XDP[@]}"
	stamps_beside_tai "time stamps of copies while TAI is set" "${COPY[@]}"
fi

# ---- two queues ----

# two_queues NAME SETTINGS ORDER_OPTIONS: two senders, one queue for each. Leaves SENT and ORDERED.
two_queues() {
	local name=$1 settings options
	read -ra settings <<<"$2"
	read -ra options <<<"$3"
	order_start "${XDP[@]}" "${settings[@]}" -- -i nr1 -T 100 "${options[@]}"
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	XDP_ID=$(xdp_id nr1)
	two_senders
}
queues_said() { echo "sent $SENT; $ORDERED; $(cat "$NR_TMP/order.err")"; }

all_of_two_queues() {
	two_queues "$@"
	all_once
	ok $? "$1: all there, once" "$(queues_said)"
	[ "$(field flow_disorder "$ORDERED")" = 0 ] && [ "$(field times_back "$ORDERED")" = 0 ]
	ok $? "$1: in order of time" "$(queues_said)"
	[ "$(wc -w <<<"$XDP_ID")" = 1 ]
	ok $? "$1: one program" "$XDP_ID"
}

for mode in loop dispatch "dispatch -k 7" next_ex epoll; do
	all_of_two_queues "two queues, $mode" "" "-m $mode"
done
all_of_two_queues "two queues, polled busily" NETRING_BUSY_POLL_US=50 "-m loop"
all_of_two_queues "two queues by number" NETRING_XDP_QUEUES=0-1 "-m loop"
for queue in 0 1; do
	two_queues "queue $queue alone" NETRING_XDP_QUEUES=$queue "-m loop"
	[ "$(field packets "$ORDERED")" = $((SENT / 2)) ] && [ "$(field flow_disorder "$ORDERED")" = 0 ]
	ok $? "queue $queue alone: has one sender's packets" "$(queues_said)"
done

# ---- counts ----


# stopped_reader NAME DEVICE SENDERS…
stopped_reader() {
	local name=$1
	shift
	order_start "${XDP[@]}" NETRING_XDP_FRAMES=1024 -- -i nr1 -T 100 -t 1000
	ok $? "$name: captures" "$(cat "$NR_TMP/order.err")"
	reader_stalls "$@"
	all_are_there 0
	ok $? "$name: what was sent is what came and what was lost" "$(queues_said)"
}
stopped_reader "a reader that stalls" 0
stopped_reader "a reader of two queues that stalls" 0 1

# ---- packets as they are ----


# same_lengths NAME SIZE SETTING…: the same bytes as libpcap has, at aligned addresses.
same_lengths() {
	local name=$1 size=$2
	shift 2
	lengths_into WITH_STOCK "$size" "${STOCK[@]}"
	lengths_into WITH_XDP "$size" "${XDP[@]}" "$@"
	[ "$(grep -c caplen "$NR_TMP/WITH_XDP.out")" = 20 ] &&
		[ "$(sed 's/ misaligned.*//' "$NR_TMP/WITH_XDP.out")" = "$(sed 's/ misaligned.*//' "$NR_TMP/WITH_STOCK.out")" ]
	ok $? "$name: as libpcap has them" "$(program_output WITH_STOCK WITH_XDP | sort | uniq -c)"
	! grep -q 'misaligned=[1-3]' "$NR_TMP/WITH_XDP.out"
	ok $? "$name: IP headers are aligned" "$(program_output WITH_XDP)"
}
for size in 60 61 62 63 200 1514; do
	same_lengths "packets of $size bytes" $size
done
same_lengths "packets of 1514 bytes, frames of 4096" 1514 NETRING_XDP_FRAME_SIZE=4096

finish
