#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# Perl Net::Pcap: loop, dispatch, next_ex, non-blocking, stats, files, sending.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up perl tcpdump
perl -MNet::Pcap -e 1 2>/dev/null || cannot_run "no Net::Pcap for perl"

captured() { # WAY
	start perl "$here/net-pcap.pl" "$1"
	wait_capturing cap0 expression
	send mix small:30
	finish
	cat out err
	if [ -e out.pcap ]; then packets --live out.pcap; fi
}

sent() {
	start_peer_capture "udp port 5000"
	run perl "$here/net-pcap.pl" sendpacket
	echo "exit $?"
	cat out err
	peer_packets 20
}

asked() { # WAY
	run perl "$here/net-pcap.pl" "$1"
	echo "exit $?"
	no_netring_version <out
	cat err
}

compare "Net::Pcap loop" -e '^exit 0' -e '^30: ' captured loop
compare "Net::Pcap dispatch, non-blocking, after select" -e '^30: ' captured dispatch
compare "Net::Pcap next_ex" -e '^30: ' captured next_ex
compare "Net::Pcap breakloop in the callback" -e '^10: ' -e 'returned -2' captured breakloop
compare "Net::Pcap dump" -e 'packet 30 on' captured dump
compare "Net::Pcap sendpacket" -e 'packet 20 on' sent
compare "Net::Pcap errors" -e 'nosuch0' asked errors
compare "Net::Pcap facts" -e 'libpcap version' asked facts
check_library Net::Pcap
done_testing
