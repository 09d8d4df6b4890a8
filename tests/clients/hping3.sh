#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# hping3: pcap_open_live to_ms 1, pcap_next; SIGALRM arrives while it waits.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up hping3

pinged() { # HPING3_ARG...
	start hping3 -n -I cap0 -c 5 -i u100000 "$@" 10.77.0.1
	note_library
	finish
	# The id of an answer to a ping is any number, also 0; a RST has always 0.
	sed -E 's/rtt=[0-9.]+ ms/rtt/; / icmp_seq=/s/ id=[0-9]+/ id/; s/= [0-9.\/]+ ms/=/' out err
}

compare "hping3 -S, closed port" -e 'flags=RA seq=4' -e '5 packets received' pinged -S -p 81 -s 1000
compare "hping3 -2" -e 'ICMP Port Unreachable' pinged -2 -p 81 -s 1000
compare "hping3 -1" -e 'icmp_seq=4' pinged -1
check_library hping3
done_testing
