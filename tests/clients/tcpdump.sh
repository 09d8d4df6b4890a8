#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# tcpdump, printing: create/activate, to_ms 1000, pcap_loop; filters set after
# root is given up; statistics at the end and in the SIGUSR1 handler.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpdump ping

# The last frame. The number alone is in one time stamp out of 3000, too.
end='\.4999 > '

# What a capture that ends by SIGINT printed, counted and returned.
report() {
	no_clock <out
	echo "--- stderr"
	cat err
}

# What to wait for: packets that come before a filter is set are counted as received.
kind_of() { # LAST_ARGUMENT, a filter if there is a blank in it
	case $1 in
	*' '*) echo expression ;;
	*) echo filtered ;;
	esac
}

printed_until_the_end() { # INTERFACE TCPDUMP_ARG... -- TRAFFIC...
	local args=("$1") interface=$1
	shift
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	start tcpdump -l -n -i "${args[@]}"
	wait_capturing "$interface" "$(kind_of "${args[-1]}")"
	send "$@" end
	wait_for 20 has_line out "$end"
	stop INT
	report
}

counted() { # N: -c N, then tcpdump ends by itself
	start tcpdump -l -n -i cap0 -c "$1" udp port 5000
	wait_capturing cap0 expression
	send small:20
	finish
	no_clock <out
	# How many more were in the block when the Nth came is up to the timer.
	sed 's/^[0-9]* packets received/SOME packets received/' err
}

on_any() { # LINKTYPE
	start tcpdump -l -n -y "$1" -i any "icmp or port 4999"
	wait_capturing '*' expression
	ip netns exec "$gen_ns" ping -q -c 5 -i 0.01 -e 77 -s 8 10.77.0.2 >ping.out || fail "no ping"
	send icmp:3 end
	wait_for 20 has_line out "$end"
	stop INT
	report
}

# Both ways at once: pings the kernel answers, and frames from each side.
direction() { # in | out | inout
	start tcpdump -l -n -t -i cap0 -Q "$1" "icmp or port 4999"
	wait_capturing cap0 expression
	ip netns exec "$gen_ns" ping -q -c 5 -i 0.01 -e 77 -s 8 10.77.0.2 >ping.out || fail "no ping"
	send icmp:3
	send_back icmp:3 end
	send end:2
	wait_for 20 end_seen "$1"
	stop INT
	report
}

end_seen() {
	local inward=2 outward=1
	case $1 in
	in) outward=0 ;;
	out) inward=0 ;;
	esac
	[ "$(grep -c "$end" out)" -ge $((inward + outward)) ]
}

# Every byte printed: the payload as the program sees it.
hex() {
	printed_until_the_end cap0 -e -XX -s "$1" -- mix
}

signal_usr1() {
	start tcpdump -l -n -i cap0 udp port 5000
	wait_capturing cap0 expression
	send small:30
	wait_for 20 has_lines out 30
	kill -USR1 "$pid"
	wait_for 20 has_line err '30 packets captured'
	send small:12
	wait_for 20 has_lines out 42
	stop INT
	report
}

ended_by() { # SIGNAL
	start tcpdump -l -n -i cap0 udp port 5000
	wait_capturing cap0 expression
	send small:3
	wait_for 20 has_lines out 3
	stop "$1"
	report
}

# Idle: the signal has to wake the reader, no packet does.
interrupted_idle() {
	start tcpdump -l -n -i cap0 udp port 5000
	wait_capturing cap0 expression
	wait_for 20 has_line err '^listening on'
	wait_for 20 sleeping
	stop INT
	report
}

sleeping() {
	grep -q '^State:[[:space:]]*S' "/proc/$pid/status"
}

has_user() { # NAME
	[ "$(awk '/^Uid:/ { print $3 }' "/proc/$pid/status")" = "$(id -u "$1")" ]
}

# -Z: root is given up between activate and setfilter.
gives_up_root() { # USER
	start tcpdump -l -n -i cap0 -Z "$1" udp port 5000 or port 4999
	wait_capturing cap0 expression
	wait_for 20 has_user "$1"
	send small:20 end
	wait_for 20 has_line out "$end"
	awk '/^(Uid|Gid|CapEff)/' "/proc/$pid/status"
	stop INT
	report
}

refused() { # TCPDUMP_ARG...
	run tcpdump -n "$@"
	echo "exit $?"
	cat out err
}

version() {
	run tcpdump --version
	echo "exit $?"
	no_netring_version <out
	cat err
}

listed() { # TCPDUMP_ARG...
	run tcpdump "$@"
	echo "exit $?"
	cat out err
}

device_deleted() {
	ip -n "$cap_ns" link add gone0 address 02:00:00:00:77:09 type veth peer name gone1
	ip -n "$cap_ns" link set gone0 up
	start tcpdump -l -n -i gone0 udp port 5000
	wait_capturing gone0 expression
	ip -n "$cap_ns" link del gone0
	finish
	report
}

nanoseconds() {
	start tcpdump -l -n --nano -i cap0 udp port 5000
	wait_capturing cap0 expression
	send small:5
	wait_for 20 has_lines out 5
	stop INT
	grep -cE '^[0-9:]+\.[0-9]{9} IP' out
	report
}

immediate() {
	start tcpdump -l -n --immediate-mode -i cap0 udp port 5000 or port 4999
	wait_capturing cap0 expression
	send small:50 end
	wait_for 20 has_line out "$end"
	stop INT
	report
}

compare "prints what it captures, and its statistics" \
	-e 'HTTP/1.1 200 OK' -e '^exit 0' -e '^[1-9][0-9]* packets captured' -e '^0 packets dropped' \
	printed_until_the_end cap0 -- mix
compare "prints every byte (-XX)" -e '0x0000' hex 262144
compare "cuts packets at the snapshot length (-s 60)" -e '0x0030' hex 60
compare "filters: tcp port 80" -e 'GET /page0' \
	printed_until_the_end cap0 "tcp port 80 or port 4999" -- mix
compare "filters: arp" -e 'Request who-has' \
	printed_until_the_end cap0 "arp or port 4999" -- mix
compare "filters: payload bytes and lengths" -e 'length 10' \
	printed_until_the_end cap0 "udp[8:4] = 0x736d616c or greater 1200 or port 4999" -- mix sizes:110
compare "filters: not" printed_until_the_end cap0 "not tcp" -- mix
compare "vlan: tags are put back and printed (-e)" -e 'vlan 42' -e 'vlan 43' -e '802.1Q-QinQ' \
	printed_until_the_end cap0 -e -- vlan:3
compare "filters: vlan" -e 'vlan 43' \
	printed_until_the_end cap0 -e "port 4999 or vlan" -- vlan:3
compare "filters: vlan 42" -e 'vlan 42' \
	printed_until_the_end cap0 -e "port 4999 or vlan 42" -- vlan:3
compare "filters: vlan 42 and udp port 5000" -e 'vlan 42' \
	printed_until_the_end cap0 -e "port 4999 or (vlan 42 and udp port 5000)" -- vlan:3
compare "filters: vlan and vlan (QinQ)" -e '802.1Q-QinQ' \
	printed_until_the_end cap0 -e "port 4999 or (vlan 100 and vlan 42)" -- vlan:3
compare "filters: not vlan" printed_until_the_end cap0 -e "not vlan" -- vlan:3
compare "-c N ends after N packets" -e '^exit 0' -e '^7 packets captured' counted 7
compare "-i any, Linux cooked version 2" -e ' In  IP 10.77.0.1' -e ' Out IP 10.77.0.2' on_any LINUX_SLL2
compare "-i any, Linux cooked version 1" -e 'IP 10.77.0.1' -e 'IP 10.77.0.2' on_any LINUX_SLL
compare "-Q in" -e 'echo request' -e '^exit 0' direction in
compare "-Q out" -e 'echo reply' -e '^exit 0' direction out
compare "-Q inout" -e 'echo request' -e 'echo reply' direction inout
compare "SIGUSR1 prints statistics and goes on" -e 'tcpdump: 30 packets captured' -e '^42 packets captured' signal_usr1
compare "SIGINT ends an idle capture" -e '^exit 0' -e '^0 packets captured' interrupted_idle
compare "SIGTERM ends it" -e '^3 packets captured' ended_by TERM
compare "-Z tcpdump" -e '^CapEff:.0000000000000000' -e '^21 packets captured' gives_up_root tcpdump
compare "-Z root" -e '^Uid:.0.0.0.0' -e '^21 packets captured' gives_up_root root
compare "--nano" -e '^5$' nanoseconds
compare "--immediate-mode" -e '^51 packets captured' immediate
compare "a filter that does not compile" -e '^exit 1' -e 'syntax error' refused -i cap0 "udp port"
compare "an interface that does not exist" -e '^exit 1' -e 'No such device' refused -i nosuch0
compare "a deleted interface ends the capture" -e '^exit 1' -e 'The interface disappeared' device_deleted
compare "--version, but for netring's suffix" -e '^libpcap version' version
compare "-D lists the interfaces" -e 'cap0' listed -D
compare "-L lists the link types" -e 'EN10MB' listed -L -i cap0
compare "-J lists the time stamp types" -e 'host' listed -J -i cap0
compare "-d prints the compiled filter" -e 'ldh' listed -d -i cap0 "vlan 42 and tcp port 80"
check_library tcpdump
done_testing
