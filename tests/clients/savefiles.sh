#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare() calls the scenarios
# Reading and writing capture files: every file that stock reads, netring reads
# in the same way, and what is written is the same to the byte.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
set_up tcpdump tshark capinfos editcap tcpreplay
samples=$work/samples

# Files made once, with stock: classic, nanosecond, pcapng, cooked, broken.
make_samples() {
	mkdir "$samples"
	cd "$samples" || exit 1
	start tcpdump -i cap0 -Z root -c 68 -w plain.pcap
	wait_for 20 capturing cap0 filtered
	send mix vlan:3
	finish >/dev/null
	start tcpdump -i any -Z root -c 20 -w cooked.pcap
	wait_for 20 capturing '*' filtered
	send mix
	finish >/dev/null
	editcap -F nsecpcap plain.pcap nano.pcap || fail editcap
	editcap -F pcapng plain.pcap next.pcapng || fail editcap
	head -c 3001 plain.pcap >cut-in-packet.pcap
	head -c 11 plain.pcap >cut-in-header.pcap
	: >empty.pcap
	printf 'this is not a capture file, but long enough' >not.pcap
	{ head -c 24 plain.pcap; printf '\377\377\377\377%.0s' 1 2 3 4; } >absurd.pcap
	swap_bytes <plain.pcap >swapped.pcap || fail "could not swap"
	rm -f out err
}

# The same file as a machine of the other byte order would have written it.
swap_bytes() {
	"$python" -c '
import struct, sys
data = sys.stdin.buffer.read()
out = struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", data))
at = 24
while at < len(data):
    head = struct.unpack_from("<IIII", data, at)
    out += struct.pack(">IIII", *head) + data[at + 16:at + 16 + head[2]]
    at += 16 + head[2]
sys.stdout.buffer.write(out)'
}

# A program that opens no socket, over one of the samples.
over() { # FILE PROGRAM [ARG]...
	cp "$samples/$1" in
	shift
	run "$@"
	echo "exit $?"
	cat out err
}

rewritten() { # FILE TCPDUMP_ARG...
	local file=$1
	shift
	cp "$samples/$file" in
	run tcpdump -Z root -r in -w rewritten.pcap "$@"
	echo "exit $?"
	cat err
	sha256sum rewritten.pcap
	if cmp -s in rewritten.pcap; then echo "the same bytes"; else echo "other bytes"; fi
}

through_stdin() {
	ip netns exec "$cap_ns" ${launcher[@]+"${launcher[@]}"} tcpdump -n -t -r - \
		<"$samples/plain.pcap" >out 2>err
	echo "exit $?"
	cat out err
}

through_tshark() { # FILE
	cp "$samples/$1" in
	run tshark -r in -w again.pcapng
	echo "exit $?"
	cat out err
	packets again.pcapng
	run tshark -r in -T fields -e frame.number -e frame.len -e frame.time_epoch -e ip.src \
		-e vlan.id -e udp.dstport -e http.request.uri
	cat out err
}

(make_samples) || { echo "Bail out! no samples"; exit 1; }

for file in plain nano cooked swapped cut-in-packet; do
	compare "tcpdump -r $file.pcap" -e '10.77.0.10[12].*length' over "$file.pcap" tcpdump -n -e -r in
done
compare "tcpdump -r of pcapng" -e 'vlan 42' over next.pcapng tcpdump -n -e -r in
for file in cut-in-header empty not absurd; do
	compare "tcpdump -r $file.pcap fails" -e '^exit 1' over "$file.pcap" tcpdump -n -r in
done
compare "tcpdump -r nofile fails" -e 'No such file' over plain.pcap tcpdump -n -r nofile
compare "tcpdump -r with a filter" -e 'GET /page0' over plain.pcap tcpdump -n -r in tcp port 80
compare "tcpdump -r with a vlan filter" -e 'vlan 42' over plain.pcap tcpdump -e -n -r in vlan 42
compare "tcpdump -r -c" over plain.pcap tcpdump -n -c 5 -r in
compare "tcpdump -r - " -e 'GET /page0' through_stdin
compare "tcpdump -r -w gives the same bytes" -e '^the same bytes' rewritten plain.pcap
compare "tcpdump -r -w, nanoseconds kept" rewritten nano.pcap --nano
compare "tcpdump -r -w, cooked" -e '^the same bytes' rewritten cooked.pcap
compare "tcpdump -r -w with a filter" -e '^other bytes' rewritten plain.pcap udp
compare "tcpdump -r -w of the other byte order" rewritten swapped.pcap
compare "tcpdump -r -w from pcapng" rewritten next.pcapng
for file in plain.pcap nano.pcap cooked.pcap next.pcapng swapped.pcap; do
	compare "tshark -r $file, -w" -e '10.77.0.101' through_tshark "$file"
done
compare "capinfos" -e 'Number of packets: *68' over plain.pcap capinfos in
compare "tcpprep and tcprewrite" -e '^exit 0' over plain.pcap \
	sh -c 'tcpprep --auto=bridge -i in -o cache && tcprewrite -c cache -i in -o again --endpoints=10.1.1.1:10.1.1.2 &&
		sha256sum again cache'
done_testing
