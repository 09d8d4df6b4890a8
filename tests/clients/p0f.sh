#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# p0f: pcap_open_live, to_ms 5, not promiscuous, poll(pcap_fileno) and dispatch;
# it closes every descriptor above 2 at start and prints how many there were.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up p0f

fingerprinted() { # P0F_ARG...
	start p0f -i cap0 -o p0f.log "$@"
	wait_capturing cap0 expression
	send http:2
	wait_for 20 log_complete
	stop INT
	cat out err
	sed -E 's/^\[[^]]*\]/[TIME]/' p0f.log
}

log_complete() {
	[ "$(grep -c 'mod=http response' p0f.log)" -ge 2 ]
}

compare "p0f names the systems it sees" -e 'os=Linux 3.11 and newer' \
	-e 'Closed [0-9]+ file descriptors' fingerprinted -p
compare "p0f with a filter" -e 'mod=http request' fingerprinted "tcp port 80"
compare "p0f -u: chroot and setuid" -e 'mod=http request' fingerprinted -u daemon
check_library p0f
done_testing
