#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2317 # compare and holds call the scenarios
#
# tcpdump writing, on both libraries, over the same numbered frames: pipes, rotation by size and time with commands, users, signals under load.
# What tests/clients/tcpdump-files.sh has is not here again.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
dump_set_up tcpdump gzip

COUNT=12000
RATE=12000 # and a buffer for more than all: nothing is lost, whatever else the machine does

# compare NAME SCENARIO…: run on both libraries in a fresh folder; what it prints must be the same, and hold the text WANTED.
compare() {
	local name=$1 library status=0
	shift
	for library in stock netring; do
		rm -rf "${FOLDER:?}/run"
		mkdir -m 1777 "$FOLDER/run"
		on "$library"
		(cd "$FOLDER/run" && "$@") >"$FOLDER/$library" 2>&1
	done
	cmp -s "$FOLDER/stock" "$FOLDER/netring" && grep -q -e "$WANTED" "$FOLDER/netring" || status=1
	ok "$status" "$name" "$(diff "$FOLDER/stock" "$FOLDER/netring" | head -n 20; head -n 20 "$FOLDER/netring"; tail -n 3 "$NR_TMP/err")"
}

# holds NAME SCENARIO…: run on netring alone; its status says whether all is well.
holds() {
	local name=$1 output
	shift
	rm -rf "${FOLDER:?}/run"
	mkdir -m 1777 "$FOLDER/run"
	on netring
	output=$(cd "$FOLDER/run" && "$@" 2>&1)
	ok $? "$name" "$output; $(tail -n 3 "$NR_TMP/err")"
}

# By time of change, then by name: the order of writing is in the contents.
sizes() { stat -c '%n %s %U %a' "$@"; }

# write_files SIZE TCPDUMP_OPTION…: COUNT frames of that size, to its end.
write_files() {
	local size=$1
	shift
	start_capture tcpdump -B 65536 -i nr1 -c "$COUNT" "$@" || return 1
	send "$COUNT" "$size" 0 "$RATE"
	nr_wait 20 nr_ended "$PID"
	nr_stop "$PID"
	echo "exit $?"
	grep -E 'packets captured|dropped' "$NR_TMP/err"
}

rotated() {
	write_files "$@"
	sizes out*
	# shellcheck disable=SC2046 # names without blanks
	contents $(printf '%s\n' out* | sort -V)
}

through_pipe() {
	start_capture sh -c "tcpdump $* -B 65536 -Z root -i nr1 -c $COUNT -w - | tcpdump -Z root -r - -w copy.pcap" || return 1
	send "$COUNT" 1000 0 "$RATE"
	nr_wait 20 nr_ended "$PID"
	nr_stop "$PID"
	echo "exit $?"
	contents copy.pcap
}

through_fifo() {
	local reader
	mkfifo fifo
	cat fifo >copy.pcap &
	reader=$!
	write_files 1000 -Z root -w fifo
	wait "$reader"
	contents copy.pcap
}

printed_too() {
	write_files 100 -Z root -n --print -w out.pcap
	contents out.pcap
	wc -l <"$NR_TMP/out"
}

over_a_larger_file() {
	head -c 50000000 /dev/zero >out.pcap
	write_files 100 -Z root -w out.pcap
	contents out.pcap
}

# Which packet falls into which second is up to the clock: all of them, once, in order. Each quarter comes in another second than that of the latest
# file, which ends that file.
compressed_by_time() {
	local quarter=$((COUNT / 4)) n latest
	start_capture tcpdump -B 65536 -i nr1 -Z root -c "$COUNT" -G 1 -z gzip -w 'out-%s.pcap' || return 1
	for ((n = 0; n < 4; n++)); do
		nr_wait 20 has_seconds "$n" || echo "no file number $n"
		latest=$(seconds | tail -n 1)
		nr_wait 20 is_later_than "${latest:-0}"
		send "$quarter" 1000 $((n * quarter)) "$RATE"
	done
	nr_wait 20 nr_ended "$PID"
	nr_stop "$PID"
	echo "exit $?"
	# The last file is not compressed: there is no rotation after it. The commands may outlive tcpdump.
	nr_wait 20 one_uncompressed
	gzip -d -f ./*.gz
	has_seconds 4 && echo "at least four files"
	contents out-* | sed 's/ bytes=.*//'
}

# The seconds in the files' names, each once: gzip has both files for a moment.
seconds() { find . -name 'out-*' | sed 's/[^0-9]//g' | sort -u; }

has_seconds() { [ "$(seconds | wc -l)" -ge "$1" ]; }

is_later_than() { [ "$(date +%s)" -gt "$1" ]; }

one_uncompressed() { [ "$(printf '%s\n' out-*.pcap | wc -l)" = 1 ]; }

commands_by_size() {
	write_files 1000 -Z root -C 1 -z gzip -w out.pcap
	nr_wait 20 only_last_left
	gzip -d -f ./*.gz
	sizes out*
	# shellcheck disable=SC2046 # names without blanks
	contents $(printf '%s\n' out* | sort -V)
}

only_last_left() { [ "$(find . -name 'out.pcap*' ! -name '*.gz' | wc -l)" = 1 ]; }

# A reader that goes away ends tcpdump as it does on libpcap.
reader_leaves() {
	start_capture bash -c "tcpdump -Z root -i nr1 -w - | head -c 1000 >/dev/null; echo \"exit \${PIPESTATUS[0]}\"" || return 1
	nr_wait 20 sent_to_the_end
	nr_stop "$PID"
	cat "$NR_TMP/out"
}

sent_to_the_end() { nr_ended "$PID" || ! send 100 1000 0 "$RATE"; }

# ended_by SIGNAL OPTION…: in the middle of traffic. What tcpdump says it has captured is what is in the file.
ended_by() {
	local signal=$1 sender line said
	shift
	start_capture tcpdump -i nr1 -Z root "$@" -w out.pcap || return 1
	nr_start sender "$NR_TX" "$NUMBERED" send nr0 100000000 1000
	nr_wait 10 has_bytes out.pcap 20000000 || echo "nothing comes"
	nr_stop "$PID" "$signal" 20
	nr_stop "$sender"
	line=$(contents out.pcap)
	said=$(grep -o '[0-9]* packets captured' "$NR_TMP/err" | tail -n 1 | cut -d ' ' -f 1)
	echo "said: $said, file: $line"
	[ "$(field packets "$line")" = "$said" ] && [ "$(field partial "$line")" = 0 ] && [ "$(field broken "$line")" = 0 ]
}

# SIGUSR2 flushes. (Under load it breaks the file on libpcap, too: tcpdump flushes in the handler.)
flushed_by_signal() {
	start_capture tcpdump -i nr1 -Z root -w out.pcap || return 1
	send 10 1000 0
	nr_wait 10 counted 10 || return 1
	kill -USR2 "$PID"
	nr_wait 10 has_packets out.pcap 10
	contents out.pcap
	pull_plug "$PID"
	contents out.pcap
}

counted() {
	kill -USR1 "$PID"
	grep -q "\b$1 packets captured" "$NR_TMP/err"
}

stopped_and_continued() {
	local line
	start_capture tcpdump -B 65536 -i nr1 -Z root -c "$COUNT" -w out.pcap || return 1
	for ((i = 0; i < COUNT; i += 1000)); do
		send 1000 1000 "$i"
		kill -STOP "$PID"
		kill -CONT "$PID"
	done
	nr_wait 20 nr_ended "$PID"
	nr_stop "$PID"
	line=$(contents out.pcap)
	echo "$line"
	[ "$(field packets "$line")" = "$COUNT" ] && [ "$(field gaps "$line")" = 0 ] && [ "$(field partial "$line")" = 0 ]
}

WANTED="^packets=$COUNT first=0 last=$((COUNT - 1)) gaps=0 partial=0 broken=0"
compare "-w - | tcpdump -r -" through_pipe
compare "-U -w - | tcpdump -r -" through_pipe -U
compare "-w FIFO" through_fifo
compare "--print -w" printed_too
compare "-w over a larger file" over_a_larger_file
compare "-C 1, packets of 200 bytes" rotated 200 -Z root -C 1 -w out.pcap
compare "-C 1, packets of 1414 bytes" rotated 1414 -Z root -C 1 -w out.pcap
compare "-C 5 -U" rotated 1414 -Z root -C 5 -U -w out.pcap
compare "-C 1 -Z tcpdump" rotated 1000 -Z tcpdump -C 1 -w out.pcap
compare "-C 1 -z gzip" commands_by_size
compare "-G 1 -z gzip" compressed_by_time
WANTED="^packets="
compare "-C 1 -W 3 goes round" rotated 1414 -Z root -C 1 -W 3 -w out.pcap
WANTED="^packets=10 first=0 last=9 gaps=0 partial=0"
compare "SIGUSR2 flushes" flushed_by_signal
WANTED="exit 0"
compare "-w /dev/null" write_files 100 -Z root -w /dev/null
# tcpdump catches SIGPIPE.
WANTED="exit 0"
compare "-w - whose reader leaves" reader_leaves
for signal in INT TERM HUP; do
	holds "SIG$signal under load" ended_by "$signal"
done
holds "SIGINT under load, -U" ended_by INT -U
holds "SIGINT under load, --immediate-mode" ended_by INT --immediate-mode
holds "SIGSTOP and SIGCONT" stopped_and_continued
finish
