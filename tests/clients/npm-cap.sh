#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# npm cap: libuv's level-triggered epoll on the descriptor, non-blocking, one
# packet a dispatch; linked calls and dlopen("libpcap.so") on the same handle.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up node npm tcpdump

# Built from source against libpcap-dev, in a directory of this run. The registry may be slow to answer, or not to be reached for a while.
npm install --prefix "$work/npm" --no-audit --no-fund --prefer-offline --fetch-retries=6 cap@0.2.1 >"$work/npm.log" 2>&1
[ -e "$work/npm/node_modules/cap/build/Release/cap.node" ] || {
	diag_file "$work/npm.log"
	cannot_run "could not install the npm package cap"
}
export NODE_PATH=$work/npm/node_modules

captured() { # FILTER COUNT
	start node "$here/npm-cap.js" capture "$@"
	wait_capturing cap0 expression
	send mix
	finish
	cat out err
}

sent() {
	start_peer_capture "udp port 5000"
	start node "$here/npm-cap.js" send
	note_library
	finish
	cat out err
	peer_packets 20
}

asked() {
	run node "$here/npm-cap.js" facts
	echo "exit $?"
	cat out err
}

compare "cap captures" -e '^exit 0' -e '^53: ' captured "ip or arp" 53
compare "cap captures with a filter" -e '^13: ' captured "tcp port 80" 13
compare "cap sends" -e 'packet 20 on' sent
compare "cap lists devices, reports errors" -e 'cap0' asked
check_library "npm cap"
done_testing
