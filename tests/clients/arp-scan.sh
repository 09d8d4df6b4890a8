#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# arp-scan: immediate mode, select on the descriptor, non-blocking dispatch,
# pcap_sendpacket, and no capability left when it sends and captures.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up arp-scan

scanned() { # ARP_SCAN_ARG...
	ip -n "$gen_ns" address add 10.77.0.5/24 dev gen0 2>/dev/null
	start_peer_capture arp
	start arp-scan -I cap0 "$@" 10.77.0.0/29
	note_library
	finish
	sed -E 's/in [0-9.]+ seconds \([0-9.]+ hosts\/sec\)/in N seconds/' out
	cat err
	# One request for each silent address and retry, as it left.
	peer_packets "$sent"
}

sent=14
compare "arp-scan finds the neighbours" -e '^10.77.0.1.02:00:00:00:77:01' -e '^10.77.0.5.' -e '^exit 0' scanned
sent=8
compare "arp-scan, once each" -e '^10.77.0.5.' scanned --retry=1
compare "arp-scan with a VLAN tag" -e '0 responded' scanned --retry=1 --vlan=42
check_library arp-scan
done_testing
