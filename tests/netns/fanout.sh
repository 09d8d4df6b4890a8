#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Fanout groups with real programs: several tcpdump processes share what comes in on one interface. Every assertion is also made of captures that do not
# share, or share in another way, where it must not hold.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=flows.sh disable=SC1091
. "$abs_top_srcdir/tests/netns/flows.sh"

FLOWS=256
PACKETS=$((FLOWS * 120)) # from each of two senders; a multiple of FLOWS, and of the three frames of fragmented traffic
RING=(NETRING_RING_SIZE=32M)

# ---- tcpdumps ----

# members_start COUNT SETTING…: as many tcpdump processes. MEMBERS are their process ids, FILES what they write.
members_start() {
	local count=$1 i pid
	shift
	MEMBERS=()
	FILES=()
	rm -f "$NR_TMP"/[0-9].pcap "$NR_TMP"/[0-9].err
	for ((i = 0; i < count; i++)); do
		FILES+=("$NR_TMP/$i.pcap")
		nr_start pid "$NR_RX" "${NETRING[@]}" "${RING[@]}" "$@" tcpdump -n -i nr1 -s 128 -Z root -U -w "${FILES[i]}" 2>"$NR_TMP/$i.err"
		MEMBERS+=("$pid")
		nr_wait 20 member_listens "$i" && ! nr_ended "$pid" || return 1
		is_on_netring "$pid" || return 1
	done
}

member_listens() { grep -q 'listening on' "$NR_TMP/$1.err" || nr_ended "${MEMBERS[$1]}"; }

bytes_written() { cat "${FILES[@]}" | wc -c; }

# written_are PACKETS LENGTH: of so many bytes each, in all files together.
written_are() { [ "$(bytes_written)" -ge $(($1 * (16 + $2) + ${#FILES[@]} * 24)) ]; }

# Nothing more is written for four seconds; tcpdump's time-out is one. Where nobody has looked for a while, the machine stood still: that is no silence.
BYTES_BEFORE=-1
BYTES_SINCE=0
BYTES_LOOKED=0
writing_is_over() {
	local bytes now
	bytes=$(bytes_written)
	now=${EPOCHREALTIME/./}
	if [ "$bytes" != "$BYTES_BEFORE" ] || [ $((now - BYTES_LOOKED)) -ge 500000 ]; then
		BYTES_BEFORE=$bytes
		BYTES_SINCE=$now
	fi
	BYTES_LOOKED=$now
	[ $((now - BYTES_SINCE)) -ge 4000000 ]
}

# As many packets as were sent, COPIES times, if their LENGTH is known; or no more for a while.
LENGTH=60
writing_is_done() { { [ -n "$LENGTH" ] && written_are $((SENT * COPIES)) "$LENGTH"; } || writing_is_over; }

# Ends them when they have written all they will; TALLY is what is in their files. COPIES: how many of them have each packet.
COPIES=1
members_end() {
	local pid
	nr_wait 60 writing_is_done
	for pid in "${MEMBERS[@]}"; do
		nr_stop "$pid" INT 20
	done
	tally "${FILES[@]}"
}

tally() { TALLY=$("$ORDER" -r "$@" 2>"$NR_TMP/tally.err"); }

dropped_by() { sed -n 's/^\([0-9]*\) packets\{0,1\} dropped by kernel.*/\1/p' "$NR_TMP/$1.err"; }

said() {
	grep -v -e 'listening on' -e 'packets captured' -e '0 packets dropped' "$NR_TMP"/[0-9].err
	echo "sent $SENT: $TALLY"
}

# ---- traffic ----

# Both directions of $FLOWS flows from each of both CPUs, by live frames, or fragments among whole datagrams.
send_flows() {
	local cpu
	for cpu in 0 1; do
		send_start "$cpu" "$cpu" nr0 -f "$FLOWS" -2 -c "$PACKETS" -r 20000 "$@"
	done
	send_end
}

FRAGMENTS=(-m packet -F -s 66)

# ---- what is to be true ----

# Every packet in exactly one file, none missing, and no file without packets.
packets_are_shared() {
	[ "$(field packets "$TALLY")" = "$SENT" ] && [ "$(field lost "$TALLY")" = 0 ] && [ "$(field twice "$TALLY")" = 0 ] &&
		[ "$(field packets_in_two_files "$TALLY")" = 0 ] && [[ ,$(field file_packets "$TALLY"), != *,0,* ]]
}

# And every flow, both directions of it, in exactly one.
flows_are_shared() {
	packets_are_shared && [ "$(field flows "$TALLY")" = $((2 * FLOWS)) ] && [ "$(field flows_in_two_files "$TALLY")" = 0 ]
}

each_has_all() {
	local count
	for count in $(field file_packets "$TALLY" | tr , ' '); do
		[ "$count" = "$SENT" ] || return 1
	done
}

# run NAME MEMBERS SETTING… [-- BLAST_OPTION…]: starts them, sends, ends them. Fails the test point NAME if that does not work.
run() {
	local name=$1 count=$2 settings=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	[ $# = 0 ] || LENGTH= # fragments
	if members_start "$count" "${settings[@]}" && send_flows "$@"; then
		members_end
		LENGTH=60
	else
		LENGTH=60
		ok 1 "$name: runs" "$(said)"
		return 1
	fi
}

# check NAME CONDITION; check_not NAME CONDITION: that the condition can fail.
check() {
	"$2"
	ok $? "$1" "$(said)"
}

check_not() {
	! "$2"
	ok $? "$1" "$(said)"
}

flows_setup
command -v tcpdump >/dev/null || skip_all "no tcpdump"
[ "$(nproc)" -ge 2 ] || skip_all "one CPU: two senders would take turns"

# ---- who gets what ----

run "hash" 4 NETRING_FANOUT=hash:42 && check "hash: every packet and every flow in one of four files" flows_are_shared
COPIES=4
run "no fanout" 4 && {
	check_not "four captures that do not share: not so" flows_are_shared
	check "they have everything each" each_has_all
}
COPIES=1

run "symmetric" 4 NETRING_FANOUT=symmetric:42 && check "symmetric: every packet and every flow in one of four files" flows_are_shared
run "symmetric, fragments" 4 NETRING_FANOUT=symmetric:42 -- "${FRAGMENTS[@]}" && check "symmetric: fragments too" flows_are_shared
run "hash, fragments" 4 NETRING_FANOUT=hash:42 -- "${FRAGMENTS[@]}" && {
	check "hash: fragments are in one file each" packets_are_shared
	check_not "but not with their flow" flows_are_shared
}

for mode in lb cpu random rollover qm inner; do
	[ $mode = cpu ] || [ $mode = qm ] && members=2 || members=4
	run "$mode" "$members" NETRING_FANOUT=$mode:42 || continue
	[ "$(field packets "$TALLY")" = "$SENT" ] && [ "$(field packets_in_two_files "$TALLY")" = 0 ] && [ "$(field lost "$TALLY")" = 0 ]
	ok $? "$mode: every packet in one file" "$(said)"
done

run "a group by name" 2 NETRING_FANOUT=hash:@sensor1 && check "a group by name is shared" flows_are_shared
COPIES=2
run "auto" 2 NETRING_FANOUT=hash:auto && check "two captures with auto have everything each" each_has_all
run "auto by default" 2 NETRING_FANOUT=hash && check "auto is the default" each_has_all
COPIES=1
run "the same number" 2 NETRING_FANOUT=hash:7 && {
	check_not "two captures with one number have not" each_has_all
	check "they share" flows_are_shared
}

# ---- a member that dies ----

# The first half of the traffic with all members, then one is killed, then the second half: the flows of the dead one go to others.
survive() {
	members_start 4 "$@" || return 1
	send_start 0 0 nr0 -f "$FLOWS" -2 -c "$PACKETS" -r 20000
	send_end || return 1
	SENT_FIRST=$SENT
	# What the dead one had in its ring would be lost with it.
	nr_wait 30 written_are "$SENT_FIRST" 60
	nr_wait 30 writing_is_over
	nr_stop "${MEMBERS[3]}" KILL
	send_start 1 1 nr0 -f "$FLOWS" -2 -c "$PACKETS" -r 20000
	send_end || return 1
	SENT=$((SENT + SENT_FIRST))
	members_end
}

if survive NETRING_FANOUT=hash:42; then
	check "a member is killed: the others get its share" flows_are_shared
	tally "${FILES[@]:0:3}"
	[ "$(field packets "$TALLY")" -gt "$SENT_FIRST" ] && [ "$(field packets "$TALLY")" -lt "$SENT" ]
	ok $? "the three had all of the second half and most of the first" "$(said)"
else
	ok 1 "a member is killed: runs" "$(said)"
fi
COPIES=4
if survive; then
	check_not "without a group: not so" flows_are_shared
else
	ok 1 "without a group: runs" "$(said)"
fi
COPIES=1

# ---- a member that stalls ----

# Small rings; the fourth does not read while more arrives than its ring holds.
STALL_PACKETS=$((FLOWS * 400))
stall() {
	local cpu ret
	members_start 4 NETRING_RING_SIZE=4M NETRING_BLOCK_SIZE=64K "$@" || return 1
	kill -s STOP "${MEMBERS[3]}"
	nr_wait 5 member_is_stopped || return 1
	for cpu in 0 1; do
		send_start "$cpu" "$cpu" nr0 -f "$FLOWS" -2 -c "$STALL_PACKETS" -r 20000
	done
	send_end
	ret=$?
	kill -s CONT "${MEMBERS[3]}"
	members_end
	return "$ret"
}

member_is_stopped() { grep -q '^State:[[:space:]]*T' "/proc/${MEMBERS[3]}/status"; }

# The flows of the three that read are whole; the fourth lost of its own, and counted it.
only_its_share_is_lost() {
	local all=$TALLY reading stopped i per_flow=$((2 * STALL_PACKETS / (2 * FLOWS)))
	[ "$(field flows "$all")" = $((2 * FLOWS)) ] && [ "$(field flows_in_two_files "$all")" = 0 ] || return 1
	tally "${FILES[@]:0:3}"
	reading=$TALLY
	tally "${FILES[3]}"
	stopped=$TALLY
	TALLY="all: $all; reading: $reading; stopped: $stopped"
	for i in 0 1 2; do
		[ "$(dropped_by "$i")" = 0 ] || return 1
	done
	[ "$(field packets "$reading")" = $(($(field flows "$reading") * per_flow)) ] &&
		[ "$(field packets "$stopped")" -lt $(($(field flows "$stopped") * per_flow)) ] &&
		[ $(($(field packets "$reading") + $(field packets "$stopped") + $(dropped_by 3))) = "$SENT" ]
}

# The others took what the fourth had no room for: all but one packet for each CPU. The kernel asks for room before it takes the ring's lock, and
# counts a block as room that is too full for the packet; that packet finds it out too late to go elsewhere.
next_to_nothing_is_lost() {
	local i
	for i in 0 1 2; do
		[ "$(dropped_by "$i")" = 0 ] || return 1
	done
	[ "$(dropped_by 3)" -le "$(nproc)" ] && [ $(($(field packets "$TALLY") + $(dropped_by 3))) = "$SENT" ] &&
		[ "$(field packets_in_two_files "$TALLY")" = 0 ] && [[ ,$(field file_packets "$TALLY"), != *,0,* ]]
}

if stall NETRING_FANOUT=hash:42; then
	check_not "a member is stopped: something is lost" next_to_nothing_is_lost
	check "but of its own share only" only_its_share_is_lost
else
	ok 1 "a member is stopped: runs" "$(said)"
fi
if stall NETRING_FANOUT=hash:42 NETRING_FANOUT_FLAGS=rollover; then
	check "with the flag rollover nothing is lost, but for what was on its way" next_to_nothing_is_lost
else
	ok 1 "with the flag rollover: runs" "$(said)"
fi
COPIES=4
if stall; then
	check_not "without a group: not so" next_to_nothing_is_lost
	check_not "nor is it the share of one" only_its_share_is_lost
else
	ok 1 "without a group: runs" "$(said)"
fi

finish
