#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# sniffglue: immediate mode, next_ex; two seccomp filters kill it for any system
# call that it did not expect of libpcap.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up sniffglue

seccomp_on() {
	grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status"
}

printed() { # LAST_LINE_REGEXP SNIFFGLUE_ARG...
	local last=$1
	shift
	start sniffglue -n 1 "$@" cap0
	wait_capturing cap0
	wait_for 20 seccomp_on
	send mix end
	wait_for 20 has_line out "$last"
	awk '/^(Uid|Seccomp):/' "/proc/$pid/status"
	stop INT
	cat out err
}

compare "sniffglue prints, in its sandbox" -e '^Seccomp:.2' -e 'GET' printed 'page 0.nline 098'
compare "sniffglue -vvvv prints everything" -e '10.77.0.102:9 ' printed '10.77.0.102:9 ' -vvvv
compare "sniffglue --json" -e 'www.example.com' printed '"dest_port":9,' -vvvv --json
compare "sniffglue, promiscuous" -e 'www.example.com' printed '"dest_port":9,' -vvvv --json -p
check_library sniffglue
done_testing
