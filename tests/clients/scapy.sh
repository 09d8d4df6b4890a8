#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# scapy in libpcap mode (ctypes): dlopen, next_ex after select on the descriptor,
# which it asks for before every read; pcap_inject.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpdump
"$python" -c 'import scapy' 2>/dev/null || cannot_run "no scapy for $python"

sniffed() { # FILTER
	start "$python" "$here/scapy-client.py" sniff "$1"
	wait_capturing cap0 expression
	send mix end
	finish
	cat out err
}

sent() {
	start_peer_capture "udp port 5000"
	run "$python" "$here/scapy-client.py" send
	echo "exit $?"
	cat out err
	peer_packets 20
}

asked() {
	run "$python" "$here/scapy-client.py" ask
	echo "exit $?"
	cat out err
}

listed() {
	run "$python" "$here/scapy-client.py" list
	echo "exit $?"
	no_netring_version <out
	cat err
}

compare "scapy sniffs" -e '^exit 0' -e 'the-end-0' sniffed "ip or arp"
compare "scapy sniffs with a filter" -e 'User-Agent' sniffed "tcp port 80 or port 4999"
compare "scapy sends" -e 'packet 20 on' sent
compare "scapy asks and is answered (srp)" -e '02:00:00:00:77:01' asked
compare "scapy lists the interfaces" -e '^cap0 10.77.0.2' listed
check_library scapy
done_testing
