#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# masscan: dlopen("libpcap.so") first; one handle for a sending and a receiving
# thread; setdirection after activate; immediate mode.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up masscan

scanned() {
	start_peer "$python" -m http.server -b 10.77.0.1 80
	wait_for 20 is_listening "$gen_ns" 80
	start masscan -p79-81 10.77.0.1 --rate 100 --wait 1 -e cap0 --seed 7 \
		--router-mac 02:00:00:00:77:01 --source-ip 10.77.0.55 -oL list
	wait_capturing cap0
	# Its receiving thread notices the end when a packet comes.
	wait_for 30 ended_by_packets
	finish
	sed -E 's/ [0-9]{10}$/ TIME/' list
	cat out
	tr '\r' '\n' <err | grep -v '^rate:' | sed -E 's/at [0-9-]+ [0-9:]+ GMT/at TIME/'
}

ended_by_packets() {
	has_ended "$pid" && return
	send --gap 20 small:5
	return 1
}

# An interface that is not there: libpcap's text through dlsym.
refused() {
	run masscan -p80 10.77.0.1 -e nosuch0 --router-mac 02:00:00:00:77:01 --source-ip 10.77.0.55
	echo "exit $?"
	sed -E 's/at [0-9-]+ [0-9:]+ GMT/at TIME/' out err
}

compare "masscan finds the open port" -e '^open tcp 80 10.77.0.1' -e '^exit 0' scanned
compare "masscan on an interface that does not exist" -e '^exit [1-9]' refused
check_library masscan
done_testing
