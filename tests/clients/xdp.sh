#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Real programs on AF_XDP: of the other scripts those test points that look at packets that come in. cap0 has an address, hence NETRING_XDP_STEAL.
# Programs that give up their capabilities before they capture get the packet ring instead, and a warning.
set -u
here=$(cd "$(dirname "$0")" && pwd)
count=0
failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/netring-clients-xdp.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$work"
log=$work/log

point() { # STATUS NAME
	count=$((count + 1))
	[ "$1" = 0 ] || failed=$((failed + 1))
	[ "$1" = 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

# Runs the test points of a script whose names match. Each becomes one here; their log is in $log.
run_points() { # SCRIPT REGEXP
	local line
	: >"$log"
	chmod 666 "$log"
	CLIENT_TESTS_ONLY=$2 CLIENT_TESTS_SETTINGS="NETRING_BACKEND=xdp NETRING_XDP_STEAL=1 NETRING_LOG_FILE=$log" "$here/$1.sh" >"$work/tap"
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*)
			[ "${line%%ok *}" = "" ]
			point $? "$1: ${line#*ok * - }"
			;;
		'1..0 # SKIP '*)
			count=$((count + 1))
			echo "ok $count - $1 # SKIP ${line#*SKIP }"
			;;
		'Bail out!'*) point 1 "$1: $line" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$work/tap"
	# At least one, and the one about the library.
	grep -q '1\.\.0 # SKIP' "$work/tap" || {
		[ "$(grep -c '^ok ' "$work/tap")" -ge 2 ]
		point $? "$1: ran test points"
	}
}

show_log() { head -n 20 "$log" | sed 's/^/# log: /'; }

# What XDP says of each capture: that it does not see what leaves, and that the host does not get the packets. A fallback would be said, too.
on_xdp() { # SCRIPT REGEXP
	run_points "$@"
	grep -q 'NETRING_XDP_STEAL' "$log" && ! grep -q 'packet ring' "$log"
	point $? "$1: was on AF_XDP, each time"
	show_log
}

on_packet_ring() { # SCRIPT REGEXP
	run_points "$@"
	grep -q 'through the packet ring instead of AF_XDP' "$log" && ! grep -q 'NETRING_XDP_STEAL' "$log"
	point $? "$1: was on the packet ring, with a warning"
	show_log
}

on_xdp tcpdump '^(prints|cuts|filters|vlan|-c N|SIG|-Z|--nano|--imm|a filter that|an interface|a deleted|-L)'
on_xdp tcpdump-files '^-w( -s 96|, tagged| with nano| with -B| in immediate| -U| -Z|: the file| -$|$)'
on_xdp ngrep 'prints|filter|tagged|writes|SIGINT'
on_xdp p0f .
on_xdp nmap '^nmap -sS|^nmap -sU|^nmap -sn, |--send-ip|^nmap -sO'
on_xdp npm-cap captures
on_packet_ring wireshark '^dumpcap (-c|-P|-f|until)'
on_packet_ring arp-scan 'finds'
echo "1..$count"
[ "$failed" -eq 0 ]
