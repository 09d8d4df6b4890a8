#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# bettercap (gopacket): nanoseconds, next_ex, each call from another OS thread.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up bettercap

# Its prompt reads stdin: one that never ends.
start_bettercap() {
	mkfifo input
	env --default-signal=INT,QUIT ip netns exec "$cap_ns" ${launcher[@]+"${launcher[@]}"} \
		bettercap -no-colors -no-history -iface cap0 -eval "$1" <>input >out 2>err &
	pid=$!
}

sniffed() {
	start_bettercap "set net.sniff.verbose true; set net.sniff.filter udp or tcp; set net.sniff.output $PWD/out.pcap; net.sniff on"
	wait_capturing cap0 expression
	send http:3 dns:5 small:20 end
	wait_for 30 has_line out.pcap the-end-0
	# Events are printed by other threads: in any order, and before or after the packet is in the file. One for each packet but DNS questions.
	wait_for 30 has_events 65
	packets --live out.pcap
	events | sort
	stop KILL
}

events() {
	grep -aoE '\[net\.sniff\.[a-z.]+\] .*' out
}

has_events() { # COUNT
	[ "$(events | wc -l)" -ge "$1" ]
}

compare "bettercap net.sniff prints and writes" -e 'GET www.example.com/page2' -e 'packet 70 on' sniffed
check_library bettercap
done_testing
