#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# softflowd: create/activate, to_ms 0, poll(pcap_fileno) and dispatch; closes all
# descriptors at start; as a daemon the child reads what the parent opened.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up softflowd softflowctl

# With to_ms 0 stock delivers nothing before a block of 256 KiB is full. So the
# traffic that is compared goes first, and other traffic pushes it through; how
# much of that is delivered at the end is up to the blocks.
exported() { # SOFTFLOWD_ARG...
	ip netns exec "$cap_ns" "$python" "$here/netflow.py" 9995 >flows 2>netflow.err &
	wait_for 20 collector_ready
	start softflowd -i cap0 -c "$PWD/control" -p "$PWD/pidfile" -n 127.0.0.1:9995 -v 5 "$@"
	wait_capturing cap0
	wait_for 20 test -S control
	send mix
	wait_for 30 pushed_through
	ip netns exec "$cap_ns" softflowctl -c "$PWD/control" shutdown >control.out
	wait_for 20 has_lines flows 15
	wait_for 20 no_softflowd
	sort flows
	cat out err
}

collector_ready() {
	ip netns exec "$cap_ns" ss -H -lnu 'sport = :9995' | grep -q .
}

pushed_through() {
	send --gap 0.2 filler:200
	ip netns exec "$cap_ns" softflowctl -c "$PWD/control" statistics >counters 2>&1
	[ "$(sed -n 's/^Packets processed: //p' counters)" -ge 43 ]
}

# Also the daemon, which is not our child, has ended and closed its socket.
no_softflowd() {
	has_ended "$pid" && ! capturing cap0
}

compare "softflowd -d exports what it saw" -e '10.77.0.102:80' exported -d
compare "softflowd as a daemon: the child reads" -e '10.77.0.102:80' exported
check_library softflowd
done_testing
