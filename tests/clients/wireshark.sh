#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# dumpcap and tshark: nanosecond precision, select on the descriptor and one
# packet a dispatch, no capability left when the filter is set; two interfaces.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up dumpcap tshark
add_link 1 10.78.0

send_on_second() {
	ip netns exec "$gen_ns" "$python" "$here/traffic.py" gen1 "$@" || fail "could not send"
}

# dumpcap's counter of packets is on stderr, too: its updates are not an
# outcome, its last value is. Nor are times, process ids and temporary names.
no_progress() {
	tr '\r' '\n' <err | grep -av '^Packets: [0-9]* *$' |
		no_clock | sed -E 's/\(tshark:[0-9]+\)/(tshark:PID)/; s#"/.*/(wireshark_[a-z0-9_]+)[A-Z0-9]{6}\.#"\1RANDOM.#i'
}

# What to wait for: packets that come before a filter is set are counted as received.
kind_of() { # ARG...
	case " $* " in
	*' -f '*) echo expression ;;
	*) echo filtered ;;
	esac
}

dumpcap_counts() { # DUMPCAP_ARG... -- TRAFFIC...
	local args=()
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	start dumpcap -i cap0 -w out.pcapng "${args[@]}"
	wait_capturing cap0 "$(kind_of "${args[@]}")"
	send "$@"
	finish
	no_progress
	packets --live out.pcapng
}

has_packets() { # COUNT: what dumpcap's counter shows
	tr '\r' '\n' <err | grep -qa "^Packets: $1"
}

dumpcap_interrupted() { # DUMPCAP_ARG...
	start dumpcap -i cap0 -w out.pcapng -f "udp port 5000" "$@"
	wait_capturing cap0 expression
	grep CapEff "/proc/$pid/status"
	send arp:5 http:1 small:100
	wait_for 20 has_packets 100
	stop INT
	no_progress
	packets --live out.pcapng
}

# Two interfaces in one process: each keeps its own order.
dumpcap_two() { # DUMPCAP_ARG...
	start dumpcap -i cap0 -f "udp port 5000" -i cap1 -f "udp port 5000" -w out.pcapng "$@"
	wait_capturing cap0 expression
	wait_capturing cap1 expression
	send arp:5 small:30 &
	send_on_second http:1 udp:30
	wait $!
	wait_for 20 has_packets 60
	stop INT
	no_progress
	packets --live out.pcapng | sed 's/^packet [0-9]* on/packet on/' | sort
}

dumpcap_ring_of_files() {
	start dumpcap -q -i cap0 -w out.pcapng -b filesize:20 -b files:3 -c 150 -f "udp port 5000"
	wait_capturing cap0 expression
	send udp:150
	finish
	sed 's/_[0-9]*\.pcapng/_TIME.pcapng/' err
	local f
	for f in out_*.pcapng; do
		echo "${f%_*}"
		packets --live "$f"
	done
}

listed() { # PROGRAM ARG...
	run "$@"
	echo "exit $?"
	no_netring_version <out
	cat err
}

# tshark executes dumpcap, which has the socket.
tshark_prints() { # INTERFACE COUNT TSHARK_ARG... -- TRAFFIC...
	local interface=$1 count=$2 args=()
	shift 2
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	start tshark -l -n -i "$interface" -c "$count" "${args[@]}"
	wait_capturing "${interface/any/*}" "$(kind_of "${args[@]}")"
	send "$@"
	finish
	cat out
	no_progress
}

tshark_two() {
	start tshark -l -n -i cap0 -i cap1 -f "udp port 5000" -c 40 -T fields \
		-e frame.interface_name -e frame.len -e ip.id -e data.data
	# The filter is the last interface's alone.
	wait_capturing cap0 filtered
	wait_capturing cap1 expression
	send small:20
	send_on_second small:20
	finish
	sort out
	no_progress
}

tshark_interrupted() {
	start tshark -l -n -i cap0 -w out.pcapng -P -T fields -e ip.id -f "udp port 5000"
	wait_capturing cap0 expression
	send small:25
	wait_for 20 has_lines out 25
	stop INT
	cat out
	no_progress
	packets --live out.pcapng
}

fields=(-T fields -e frame.number -e frame.len -e frame.cap_len -e eth.src -e vlan.id -e ip.src
	-e ip.id -e tcp.seq -e udp.dstport -e http.request.uri -e data.data)

compare "dumpcap -c" -e '^exit 0' -e 'packet 53 on' dumpcap_counts -c 53 -- mix
compare "dumpcap -P writes pcap" -e 'pcap a1b2c3d4' dumpcap_counts -P -c 53 -- mix
compare "dumpcap -s 80 cuts packets" -e ' 80 of ' dumpcap_counts -s 80 -c 53 -- mix
compare "dumpcap, tagged frames" -e 'packet 15 on' dumpcap_counts -c 15 -- vlan:3
# All that the filter lets through: how many more the kernel had received when the last one came is up to the timer.
compare "dumpcap -f" -e 'packet 26 on' dumpcap_counts -f "tcp port 80" -c 26 -- mix:2
compare "dumpcap -B 16" -e 'packet 53 on' dumpcap_counts -B 16 -c 53 -- mix
compare "dumpcap until SIGINT, without capabilities" -e '^exit 0' -e 'CapEff:.0000000000000000' \
	-e 'received=100' -e 'dropped=0' dumpcap_interrupted
compare "dumpcap -t (a thread for each interface)" -e 'packet 100 on' dumpcap_interrupted -t
compare "dumpcap on two interfaces" -e 'packet on 0' -e 'packet on 1' dumpcap_two
compare "dumpcap -t on two interfaces" -e 'packet on 0' -e 'packet on 1' dumpcap_two -t
compare "dumpcap, a ring of files" -e '^out_00003$' dumpcap_ring_of_files
compare "dumpcap -D" -e 'cap1' listed dumpcap -D
compare "dumpcap -L" -e 'EN10MB' listed dumpcap -L -i cap0
compare "dumpcap on an interface that does not exist" -e '^exit [1-9]' listed dumpcap -i nosuch0
compare "dumpcap with a filter that does not compile" -e '^exit [1-9]' \
	listed dumpcap -i cap0 -f "udp port" -w x.pcapng
check_library dumpcap
: >"$work/libraries.stock"
: >"$work/libraries.netring"
compare "tshark prints" -e '^exit 0' -e 'page0' tshark_prints cap0 53 "${fields[@]}" -- mix
compare "tshark -i any" -e 'page0' tshark_prints any 53 "${fields[@]}" -- mix
compare "tshark, tagged frames" -e '42' tshark_prints cap0 15 "${fields[@]}" -- vlan:3
compare "tshark -f" tshark_prints cap0 10 -f arp -T fields -e arp.opcode -e frame.len -- mix
compare "tshark until SIGINT, -w -P" -e '^exit 0' -e 'packet 25 on' tshark_interrupted
# dumpcap's stderr is a protocol then: one line of netring's log would end the capture.
chatty() {
	NETRING_LOG=debug NETRING_NO_SUCH_VARIABLE=1 "$@"
}
compare "tshark, with a log that has something to say" -e 'page0' chatty tshark_prints cap0 53 "${fields[@]}" -- mix
compare "tshark on two interfaces" -e '^cap0' -e '^cap1' tshark_two
compare "tshark -D" -e 'cap1' listed tshark -D
check_library "tshark's dumpcap"
done_testing
