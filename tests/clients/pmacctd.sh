#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# pmacctd: create/activate, setdirection, filter, then forks its plugins; the
# parent reads, the children hold the same descriptors and the mapped ring.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up pmacctd

accounted() { # PACKETS FILTER...
	local wanted=$1
	shift
	start pmacctd -i cap0 -P print -c src_host,dst_host,src_port,dst_port,proto -r 1 "$@"
	wait_capturing cap0
	send mix
	wait_for 30 has_accounted "$wanted"
	# The child holds the capturing socket, too; and for a moment every second who prints the table.
	wait_for 20 held_by 2
	echo "the socket is the parent's and the child's"
	kill -USR1 "$pid"
	wait_for 20 has_line err 'received_packets='
	# Its exit status is 0 or 1: whether the parent waits already when the child ends is a race of its own.
	stop INT >/dev/null
	sums
	grep -m 1 -o 'received_packets=.*' err
}

held_by() { # PROCESSES
	[ "$(ip netns exec "$cap_ns" ss -H -0 -p | grep -F '*:cap0' | grep -o pmacctd | wc -l)" = "$1" ]
}

# Counters by flow, over all the tables printed so far.
sums() {
	awk '$1 ~ /^10\./ { key = $1 " " $2 " " $3 " " $4 " " $5; packets[key] += $6; bytes[key] += $7 }
		END { for (key in packets) print key, packets[key], bytes[key] }' out | sort
}

has_accounted() {
	[ "$(sums | awk '{ n += $6 } END { print n + 0 }')" -ge "$1" ]
}

compare "pmacctd accounts flows while its plugins are forked" -e 'tcp 7 ' \
	-e 'received_packets=53 dropped_packets=0' accounted 43
compare "pmacctd with a filter" -e 'udp 1 ' accounted 20 udp
check_library pmacctd
done_testing
