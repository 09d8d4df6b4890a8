#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# tcpdump, writing: -w, -U, -C and -G rotation, post-rotate commands; the same
# traffic must give the same files.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpdump

# Files by name, with their packets.
files() { # PATTERN
	local f
	for f in $1; do
		echo "file $f"
		packets --live "$f"
	done
}

size_of() {
	stat -c %s "$1" 2>/dev/null || echo 0
}

has_size() { # FILE BYTES
	[ "$(size_of "$1")" -ge "$2" ]
}

# -c: the file is complete when tcpdump ends by itself.
written() { # COUNT TCPDUMP_ARG... -- TRAFFIC...
	local count=$1 args=()
	shift
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	start tcpdump -i cap0 -c "$count" "${args[@]}"
	# With a filter, until it is set: what comes before is counted as received.
	case ${args[-1]} in
	tcp | udp) wait_capturing cap0 expression ;;
	*) wait_capturing cap0 filtered ;;
	esac
	send "$@"
	finish
	cat err
	files 'out*.pcap*'
}

# Cooked headers: pings answered by the kernel, frames of strangers, tagged ones,
# broadcasts, from outside, from here, and over loopback, in the same capture.
cooked() { # LINKTYPE
	start tcpdump -U -Z root -y "$1" -i any -w out.pcap
	wait_capturing '*' filtered
	ping_both_ways
	send arp:2 vlan:3 small:5
	send_back vlan:2
	ip netns exec "$cap_ns" ping -q -c 3 -i 0.01 -e 78 -s 8 127.0.0.1 >ping.out || fail "no ping"
	send end
	wait_for 20 has_ends 1
	stop INT
	cat err
	packets --live --mask-ip-id out.pcap
}

ping_both_ways() {
	ip netns exec "$gen_ns" ping -q -c 3 -i 0.01 -e 77 -s 8 10.77.0.2 >ping.out || fail "no ping"
	ip netns exec "$cap_ns" ping -q -c 3 -i 0.01 -e 77 -s 8 10.77.0.1 >ping.out || fail "no ping"
}

# Each packet over loopback passes twice, and is captured once.
loopback() {
	start tcpdump -U -Z root -i lo -c 8 -w out.pcap icmp
	wait_capturing lo expression
	ip netns exec "$cap_ns" ping -q -c 4 -i 0.01 -e 78 -s 8 127.0.0.1 >ping.out || fail "no ping"
	finish
	cat err
	packets --live --mask-ip-id out.pcap
}

has_ends() { # COUNT
	[ "$(grep -ao the-end out.pcap | wc -l)" -ge "$1" ]
}

# What the capturing side itself sends, and what it is answered.
own_frames() { # ENDS_TO_WAIT_FOR TCPDUMP_ARG...
	local ends=$1
	shift
	start tcpdump -U -Z root -i cap0 "$@" -w out.pcap
	wait_capturing cap0 filtered
	ping_both_ways
	send vlan:2
	send_back vlan:3 big:3 end
	send end
	wait_for 20 has_ends "$ends"
	stop INT
	cat err
	packets --live --mask-ip-id out.pcap
}

# -U: every packet is in the file before the next one is waited for, and what
# the file holds is all there, without any end of the program.
unbuffered() {
	start tcpdump -U -i cap0 -w out.pcap udp port 5000
	wait_capturing cap0 expression
	send small:10
	wait_for 20 has_size out.pcap $((24 + 10 * 76))
	files out.pcap
	send small:10
	wait_for 20 has_size out.pcap $((24 + 20 * 76))
	stop INT
	cat err
	files out.pcap
}

# Without -U nothing but the header need be in the file until the end; then
# everything is.
flushed_at_the_end() { # SIGNAL
	start tcpdump -i cap0 -w out.pcap udp port 5000
	wait_capturing cap0 expression
	send small:10
	wait_for 20 counted 10
	stop "$1"
	grep -v 'packets captured,' err
	files out.pcap
}

# tcpdump itself says how far it is.
counted() {
	kill -USR1 "$pid"
	grep -q "^tcpdump: $1 packets captured" err
}

to_stdout() {
	start tcpdump -U -i cap0 -c 20 -w - udp port 5000
	wait_capturing cap0 expression
	send small:20
	finish
	cat err
	packets --live out
}

to_a_directory_not_there() {
	run tcpdump -i cap0 -Z root -w nowhere/out.pcap
	echo "exit $?"
	cat err
}

# -G 1 with a time in the name. Which packet falls into which second is up to
# the clock: all of them, in order, and more than one file, is what must be.
rotated_by_time() {
	start tcpdump -U -i cap0 -Z root -G 1 -w 'out-%s.pcap' udp port 5000
	wait_capturing cap0 expression
	# 150 frames, 20 ms apart: three seconds.
	send --gap 20 small:150
	wait_for 20 all_sizes $((150 * 76))
	stop INT
	cat err
	local names=(out-*.pcap)
	[ "${#names[@]}" -ge 3 ] && echo "at least three files"
	files 'out-*.pcap' | awk '/^pcap/ && !header++ { print } /^packet .* is / { print }
		/^packet/ && !/ is / { $2 = ++n; print }'
}

# The bytes of packets in all files together.
all_sizes() {
	local total
	total=$(cat out-*.pcap 2>/dev/null | wc -c)
	[ $((total - 24 * $(find . -name 'out-*.pcap' | wc -l))) -ge "$1" ]
}

# -W with -G: tcpdump ends after that many files.
ends_after_two_files() {
	start tcpdump -U -i cap0 -Z root -G 1 -W 2 -w 'out-%s.pcap' udp port 5000
	wait_capturing cap0 expression
	while is_alive "$pid"; do
		send --gap 10 small:10
	done
	finish
	sed 's/^[0-9]* packets \(captured\|received\)/SOME packets \1/' err
	find . -name 'out-*.pcap' | wc -l
}

# KiB of a ring that holds all 1500 big packets: the default one of stock does not, and a tcpdump that stands still for half a second would lose some.
all_of_it=8192

post_rotate() {
	# shellcheck disable=SC2016 # for the script, not for us
	printf '#!/bin/sh\necho "rotated $1" >>rotations\n' >note
	chmod 755 note
	start tcpdump -i cap0 -B "$all_of_it" -Z root -C 1 -c 1500 -z ./note -w out.pcap udp port 5000
	wait_capturing cap0 expression
	send --gap 0.2 big:1500
	finish
	cat err
	# The commands run beside each other, and may outlive tcpdump.
	wait_for 20 has_lines rotations 2
	sort rotations
	sum_up 'out.pcap*'
}

# Rotation by size needs more than a million bytes a file: digests only.
sum_up() {
	files "$1" | awk '/^file/ { print } /^pcap/ { print } /^packet/ { n++ } / is / { print }
		END { print n, "packets" }'
	files "$1" | cut -d ' ' -f 3- | sha256sum
}

rotated_by_size() { # TCPDUMP_ARG...
	start tcpdump -i cap0 -B "$all_of_it" -Z root -C 1 -c 1500 "$@" -w out.pcap udp port 5000
	wait_capturing cap0 expression
	send --gap 0.2 big:1500
	finish
	cat err
	sum_up 'out.pcap*'
}

# -w as user tcpdump: the file is opened after root is given up.
file_of_user() {
	start tcpdump -i cap0 -Z tcpdump -c 20 -w out.pcap udp port 5000
	wait_capturing cap0 expression
	send small:20
	finish
	cat err
	stat -c '%U %a' out.pcap
	files out.pcap
}

compare "-w" -e '^exit 0' -e 'packet 53 on' written 53 -w out.pcap -- mix
# All that the filter lets through is written: how many more the kernel had received when the last one came is up to the timer.
compare "-w with a filter" -e 'packet 26 on' written 26 -w out.pcap tcp -- mix:2
compare "-w -s 96 cuts packets" -e ' 96 of 1514' written 20 -s 96 -w out.pcap udp -- big:20
compare "-w, tagged frames are whole again" -e 'packet 15 on' written 15 -w out.pcap -- vlan:3
compare "-w, tagged frames cut at the snapshot length" -e ' 60 of 66' written 15 -s 60 -w out.pcap -- vlan:3
compare "-w, tagged frames cut inside the tag" -e ' 14 of 66' written 15 -s 14 -w out.pcap -- vlan:3
compare "-w -i any, Linux cooked version 2" -e 'link 276' -e 'packet 53 on' cooked LINUX_SLL2
compare "-w -i any, Linux cooked version 1" -e 'link 113' -e 'packet 53 on' cooked LINUX_SLL
compare "-w -i lo" -e 'packet 8 on' loopback
compare "-w -Q out, with own tagged frames" -e 'packet 25 on' own_frames 1 -Q out
compare "-w -Q in, with own tagged frames" -e 'packet 17 on' own_frames 1 -Q in
compare "-w, own frames and others" -e 'packet 42 on' own_frames 2
compare "-w with nanoseconds" -e 'pcap a1b23c4d' written 20 --nano -w out.pcap -- small:20
compare "-w with -B 4096" -e 'packet 53 on' written 53 -B 4096 -w out.pcap -- mix
compare "-w in immediate mode" -e 'packet 53 on' written 53 --immediate-mode -w out.pcap -- mix
compare "-w -" -e 'packet 20 on' to_stdout
compare "-w -U: packets are in the file at once" -e 'packet 20 on' unbuffered
compare "-w: the file is whole after SIGINT" -e '^exit 0' -e 'packet 10 on' flushed_at_the_end INT
compare "-w: the file is whole after SIGTERM" -e 'packet 10 on' flushed_at_the_end TERM
compare "-w -Z tcpdump" -e '^tcpdump 644' -e 'packet 20 on' file_of_user
compare "-w where there is no directory" -e '^exit 1' -e 'No such file' to_a_directory_not_there
compare "-C rotates by size" -e '^file out.pcap1' -e '^1500 packets' rotated_by_size
compare "-C -W 2 goes round" -e '^file out.pcap0' rotated_by_size -W 2
compare "-C -z runs the command on each file" -e '^rotated out.pcap$' -e '^1500 packets' post_rotate
compare "-G rotates by time" -e '^at least three' -e 'packet 150 on' rotated_by_time
compare "-G -W ends after the last file" -e '^exit 0' -e '^2$' ends_after_two_files
check_library "tcpdump -w"
done_testing
