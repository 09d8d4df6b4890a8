#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# iftop -t: pcap_open_live, pcap_loop in a thread that ends by pthread_cancel.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up iftop ping

# iftop looks at the clock when a packet arrives: frames between others, which
# it does not count, keep it going until it has printed once and ended. The pings
# have to be over by then, also on a machine that stands still for some seconds.
counted() { # IFTOP_ARG...
	start iftop -t -s 9 -n -N -P "$@" -i cap0
	wait_capturing cap0
	ip netns exec "$gen_ns" ping -q -c 20 -i 0.01 -e 77 -s 100 10.77.0.2 >ping.out || fail "no ping"
	wait_for 30 ended_by_ticks
	finish
	# The rates are the clock's, the sums are not.
	sed -nE 's/^( *[0-9]* )? *(10.77.0.[12]) +(=>|<=).* ([^ ]+)$/\2 \3 \4/p' out
	cat err
}

ended_by_ticks() {
	has_ended "$pid" && return
	send small:20
	return 1
}

compare "iftop -t counts traffic and ends" -e '^10.77.0.2 => 2.5' -e '^exit 0' counted
compare "iftop -t with a filter" -e '^10.77.0.2' counted -f "icmp or udp port 5000"
check_library iftop
done_testing
