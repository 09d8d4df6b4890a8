#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the page of counters costs: instructions a packet in pcap_loop, 60 bytes, without it (NETRING_STATS=no) and with it; see callgrind.sh.
#
# Each wait is an update. So a packet costs more where a reader waits for a few packets at a time, as one of two rings and one of AF_XDP does at this rate;
# how many come at once is chance, and two runs of the same differ by as much as a third.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=callgrind.sh disable=SC1091
. "$(dirname "$0")/callgrind.sh"
command -v valgrind >/dev/null || bench_fail "no valgrind"
bench_setup

# compare NAME SETTING…
compare() {
	local name=$1 without
	shift
	per_packet netring "$@" NETRING_STATS=no
	without=$(calc "$OWN + $OTHERS" %.1f)
	per_packet netring "$@" NETRING_STATS=yes
	row "$name, counters off and on" "$without" "$(calc "$OWN + $OTHERS" %.1f)"
}

case ${1:-all} in
all | ring) compare "packet ring" ;;&
all | rings) compare "two rings" NETRING_RINGS=2 NETRING_FANOUT=lb ;;&
all | xdp) compare "AF_XDP" NETRING_BACKEND=xdp NETRING_LOG=error ;;&
all | libpcap) compare "libpcap's own capture" NETRING_BACKEND=libpcap ;;
esac
