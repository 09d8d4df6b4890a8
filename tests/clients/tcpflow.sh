#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# tcpflow: pcap_open_live, pcap_loop, breakloop in the signal handler.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpflow

# What is in the flows, not when and by which process id.
flows() {
	local f
	for f in flows/*; do
		case $f in *.xml) continue ;; esac
		echo "$f $(sha256sum <"$f")"
	done
	sed -nE 's/.*<tcpflow startime=[^>]*(src_ipn=.*)\/>.*/\1/p' flows/report.xml
	cat err
}

flow_complete() { # CONNECTIONS
	[ "$(find flows -name '*.00080-*' -size +1900c 2>/dev/null | wc -l)" -ge "$1" ]
}

reassembled() {
	start tcpflow -i cap0 -o flows tcp port 80
	wait_capturing cap0 expression
	# The flow of the last segment is there when all that was sent before has been read, also the ends of the connections.
	send http:5 last_segment
	wait_for 20 has_line 'flows/010.077.000.101.04999-010.077.000.102.00080' the-end-0
	flow_complete 5 || fail "the connections are not complete"
	stop INT
	flows
}

# A real connection between the two kernels.
real_connection() {
	"$python" -c 'print("\n".join("line %d" % n for n in range(2000)))' >page
	start_peer "$python" -m http.server -b 10.77.0.1 80
	wait_for 20 is_listening "$gen_ns" 80
	start tcpflow -i cap0 -o flows tcp src port 80
	wait_capturing cap0 expression
	ip netns exec "$cap_ns" "$python" -c '
import urllib.request as r
open("got", "wb").write(r.urlopen("http://10.77.0.1/page").read())'
	wait_for 20 whole_page
	stop INT
	cmp got page && echo "page arrived"
}

# The flow file ends with the page as it was served.
whole_page() {
	cat flows/*.00080-* 2>/dev/null | tail -c "$(stat -c %s page)" | cmp -s - page &&
		echo "page in the flow"
}

printed() {
	start tcpflow -i cap0 -c -B tcp port 80
	wait_capturing cap0 expression
	send http:2
	wait_for 20 has_line out 'line 099 of page 1'
	stop INT
	cat out
}

compare "tcpflow reassembles connections" -e '^flows/010.077.000.102.00080-010.077.000.101.43214 ' \
	-e '^exit 0' reassembled
compare "tcpflow -c prints them" -e 'line 099 of page 1' printed
compare "tcpflow over a connection of two kernels" -e 'page in the flow' -e 'page arrived' real_connection
check_library tcpflow
done_testing
