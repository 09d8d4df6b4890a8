#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# nmap: immediate mode, not promiscuous, select on the selectable descriptor and
# next_ex; several handles in one run; raw sending by its own sockets.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up nmap

# Three open ports at the generator; the rest answers with RST.
listen() {
	start_peer "$python" -c '
import socket, time
held = [socket.create_server(("10.77.0.1", port)) for port in (22, 80, 443)]
time.sleep(60)'
	wait_for 20 is_listening "$gen_ns" 443
}

scanned() { # NMAP_ARG...
	listen
	start nmap -n -r "$@" -oG list
	note_library
	finish
	no_seconds <out | sed -E 's/^Starting Nmap .*/Starting/; s/\(N slatency\)/(latency)/; s/N ?s latency/latency/'
	cat err
	sed -E 's/(initiated|done at) .* as:/\1/; s/^# Nmap done at [^-]*/# Nmap done/' list | no_seconds | grep -v '^# Nmap'
}

compare "nmap -sS" -e '^80/tcp +open' -e '^81/tcp +closed' -e '^exit 0' scanned -sS -p 20-25,79-81,440-445 10.77.0.1
compare "nmap -sn, neighbours by ARP" -e 'MAC Address: 02:00:00:00:77:01' scanned -sn 10.77.0.0/30
compare "nmap -sU" -e '^53/udp +closed' scanned -sU -p 53,69 10.77.0.1
compare "nmap -sO" -e '^1 +open' scanned -sO -p 1,6,17 10.77.0.1
compare "nmap -sn --send-ip -PE" -e 'Host is up' scanned -sn --send-ip -PE 10.77.0.1
check_library nmap
done_testing
