#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# tcpreplay: COPY relocation on pcap_version, opens (to_ms 0) and reads the file
# by libpcap, sends by a packet socket of its own. tcpbridge: two handles, both
# polled, pcap_inject.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpreplay tcpbridge tcpdump
add_link 1 10.78.0

replayed() {
	start_peer tcpdump -Z root -i gen0 -c 53 -w in.pcap
	wait_for 20 has_line peer.err listening
	send mix
	wait "$peer_pid"
	start_peer_capture
	start tcpreplay -i cap0 -p 200 in.pcap
	note_library
	finish
	sed -E 's/^Rated: .*//; s/in [0-9.]+ seconds/in N seconds/; s/[0-9.]+ fps/N fps/' out err
	peer_packets 53
}

send_on_second() {
	ip netns exec "$gen_ns" "$python" "$here/traffic.py" gen1 "$@" || fail "could not send"
}

# What arrives at one interface leaves by the other, unchanged, once.
bridged() {
	start_peer_capture "udp port 5000"
	start tcpbridge -i cap0 -I cap1 -M 02:00:00:00:77:55
	wait_capturing cap0
	wait_capturing cap1
	send_on_second small:40
	peer_packets 40
	stop INT
	grep -a '^Actual: ' out | sed -E 's/in [0-9.]+ seconds/in N seconds/'
}

version() {
	run tcpreplay -V
	echo "exit $?"
	cat out
	no_netring_version <err
}

compare "tcpreplay sends what is in the file" -e 'packet 53 on' -e 'Successful packets: *53' replayed
compare "tcpbridge forwards between two handles" -e 'packet 40 on' bridged
compare "tcpreplay -V names libpcap, but for netring's suffix" -e 'libpcap' version
check_library "tcpreplay and tcpbridge"
done_testing
