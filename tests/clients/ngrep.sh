#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# ngrep: pcap_open_live, to_ms 100, pcap_loop; drops to nobody after the filter.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up ngrep

matched() { # COUNT NGREP_ARG... -- TRAFFIC...
	local count=$1 args=()
	shift
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	start ngrep -l -d cap0 -n "$count" "${args[@]}"
	wait_capturing cap0 expression
	send "$@"
	finish
	cat out err
}

wrote() {
	start ngrep -q -d cap0 -n 12 -O out.pcap small udp port 5000
	wait_capturing cap0 expression
	send small:12
	finish
	cat out err
	packets --live out.pcap
}

interrupted() { # REGEXP TRAFFIC...
	start ngrep -l -d cap0 "$1"
	wait_capturing cap0 expression
	shift
	send "$@" end
	wait_for 20 has_line out the-end-0
	awk '/^Uid/' "/proc/$pid/status"
	stop INT
	cat out err
}

read_file() {
	start_peer tcpdump -Z root -i gen0 -c 53 -w in.pcap
	wait_for 20 has_line peer.err listening
	send mix
	wait "$peer_pid"
	run ngrep -q -I in.pcap -W byline GET
	echo "exit $?"
	cat out err
}

compare "ngrep prints matches and ends after -n" -e 'GET /page0' -e '^exit 0' matched 1 -W byline GET -- mix
compare "ngrep with a filter" -e 'small 0009' matched 10 -x 'small|example' udp port 5000 -- dns:3 small:10
compare "ngrep, tagged frames" -e 'vlan case 2' interrupted 'vlan case|the-end' vlan:3
compare "ngrep -O writes what matched" -e 'packet 12 on' wrote
compare "ngrep until SIGINT, as nobody" -e '^Uid:.65534' -e 'the-end-0' interrupted the-end mix
compare "ngrep -I" -e 'GET /page0' read_file
check_library ngrep
done_testing
