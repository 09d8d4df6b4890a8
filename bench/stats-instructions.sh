#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the page of counters costs: instructions a packet in pcap_loop, 60 bytes, without and with the updates of the page (src/capture-stats.c); see
# callgrind.sh. Both are of the same run, because how many packets come at once is chance, and the cost of everything else depends on that.
#
# Of captures that libpcap makes itself the counting is at each packet's callback: there it is a run without the page (NETRING_STATS=no) and one with it.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=callgrind.sh disable=SC1091
. "$(dirname "$0")/callgrind.sh"
command -v valgrind >/dev/null || bench_fail "no valgrind"
bench_setup

# update_cost FILE: the calls of the updates in a callgrind file, with all that they call.
update_cost() {
	awk "$CALLGRIND_NAME"'
	/^fn=/  { caller = name(substr($0, 4)) }
	/^cfn=/ { callee = name(substr($0, 5)) }
	/^calls=/ { getline; if (callee ~ /^capture_stats_/ && caller !~ /^capture_stats_/) sum += $2 }
	END { printf "%d\n", sum }
	' "$1"
}

# updates NAME SETTING…
updates() {
	local name=$1 few many with
	shift
	per_packet netring "$@" NETRING_STATS=yes
	few=$(update_cost "$NR_TMP/callgrind.netring.$FEW")
	many=$(update_cost "$NR_TMP/callgrind.netring.$MANY")
	[ "$few" -gt 0 ] || bench_fail "callgrind saw no updates"
	with=$(calc "$OWN + $OTHERS" %.1f)
	row "$name, without and with the counters" "$(calc "$with - ($many - $few) / ($MANY - $FEW)" %.1f)" "$with"
}

# compare NAME SETTING…
compare() {
	local name=$1 without
	shift
	per_packet netring "$@" NETRING_STATS=no
	without=$(calc "$OWN + $OTHERS" %.1f)
	per_packet netring "$@" NETRING_STATS=yes
	row "$name, without and with the counters" "$without" "$(calc "$OWN + $OTHERS" %.1f)"
}

case ${1:-all} in
all | ring) updates "packet ring" ;;&
all | rings) updates "two rings" NETRING_RINGS=2 NETRING_FANOUT=lb ;;&
all | xdp) updates "AF_XDP" NETRING_BACKEND=xdp NETRING_LOG=error ;;&
all | tap) updates "XDP, copies" NETRING_BACKEND=xdp-tap NETRING_LOG=error ;;&
all | libpcap) compare "libpcap's own capture" NETRING_BACKEND=libpcap ;;
esac
