#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The configuration file from outside: netring env, netring run, the example of netring(7), a set-uid program, and tcpdump, which takes its ring from it.
# What is /etc/netring.conf here is in a mount namespace of its own. Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.
# shellcheck disable=SC2317 # expect calls the functions

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
# shellcheck source=tests/support/netns.sh
. "$abs_top_srcdir/tests/support/netns.sh"

netring=${abs_top_builddir:?}/netring
folder=$(mktemp -d) && chmod 755 "$folder"
trap 'nr_cleanup; rm -rf "$folder"' EXIT
file=$folder/netring.conf

for name in $(env | sed -n 's/^\(\(NETRING\|PCAP\|SNF\)_[A-Z0-9_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

# env_of FILE ARGUMENT...: netring env with that file.
env_of() {
	NETRING_CONFIG=$1 "$netring" env "${@:2}"
}

cat >"$file" <<-END
	[default]
	block_count = 8
	profile = weak
	[interface eth*]
	promisc = no
	[program tcpdump]
	ring_size = 8M
	[program *]
	strict = yes
	[profile weak]
	block_size = 1M
	[profile site]
	busy_poll_us = 5
END

expect "the line of [default]" 0 "^NETRING_BLOCK_COUNT +8 +$file:2 \[default\] " env_of "$file"
expect "the line of a profile" 0 "^NETRING_BLOCK_SIZE +1M +$file:11 \[profile weak\] " env_of "$file"
expect "the profile" 0 "^NETRING_PROFILE +weak +$file:3 \[default\] " env_of "$file"
expect "the file itself" 0 "^NETRING_CONFIG +$file +environment " env_of "$file"
expect "without --program, what holds for all" 0 "^NETRING_STRICT +yes +$file:9 \[program \*\] " env_of "$file"
expect "without --program, no more" 0 '^NETRING_RING_SIZE +block size x block count +default ' env_of "$file"
expect "--program" 0 "^NETRING_RING_SIZE +8M +$file:7 \[program tcpdump\] " env_of "$file" --program tcpdump
expect "--program with a folder" 0 "^NETRING_RING_SIZE +8M +$file:7 " env_of "$file" -p /usr/bin/tcpdump
expect "a ring size takes the block count back" 0 '^NETRING_BLOCK_COUNT +64 +default ' env_of "$file" -p tcpdump
expect "without --interface" 0 '^NETRING_PROMISC +as the program asks +default ' env_of "$file"
expect "--interface" 0 "^NETRING_PROMISC +no +$file:5 \[interface eth\*\] " env_of "$file" --interface eth0
expect "several interfaces" 0 "^NETRING_PROMISC +no +$file:5 " env_of "$file" -i eth0,eth1
expect "the environment is stronger" 0 '^NETRING_RING_SIZE +4M +environment ' env NETRING_RING_SIZE=4M NETRING_CONFIG="$file" "$netring" env -p tcpdump
expect "a profile of the file" 0 "^NETRING_BUSY_POLL_US +5 +$file:13 \[profile site\] " env NETRING_PROFILE=site NETRING_CONFIG="$file" "$netring" env
expect "no file" 0 '^NETRING_BLOCK_COUNT +64 +default ' env_of /dev/null
expect "--program needs a name" 2 'netring env: --program needs a value' "$netring" env --program

# started ARGUMENT...: a program, here netring env itself, by netring run with the file. Its own name is netring.
started() {
	NETRING_CONFIG=$file "$netring" run -f -L "${SHIM_DIR:?}" "$@" "$netring" env
}

expect "netring run takes a profile of the file" 0 '^NETRING_PROFILE +site +environment ' started -p site
expect "but no other" 2 '^netring run: NETRING_PROFILE=sit: must be one of' started -p sit
expect "netring run -o is stronger than the file" 0 '^NETRING_BLOCK_COUNT +9 +environment ' started -o BLOCK_COUNT=9
expect "netring run -o CONFIG" 2 '^netring run: cannot open the configuration file /nowhere: No such file' \
	"$netring" run -f -L "$SHIM_DIR" -o CONFIG=/nowhere "$netring" env
printf '[program netring]\nblock_size = 64K\n[program other]\nblock_size = 4K\n' >"$folder/run.conf"
cp "$netring" "$folder/other"
expect "netring run checks what holds for the program" 2 "FRAME_SIZE=32K: must not be larger than a block, NETRING_BLOCK_SIZE=4K \($folder/run.conf:4\)" \
	env NETRING_CONFIG="$folder/run.conf" "$netring" run -f -L "$SHIM_DIR" -o FRAME_SIZE=32K "$folder/other" env

# Errors.
printf '[default]\nblock_count = 8\nblokc_size = 1M\n' >"$folder/bad"
expect "a bad line" 1 "^NETRING_CONFIG +error +environment +$folder/bad:3: blokc_size: unknown key, did you mean block_size\?" env_of "$folder/bad"
expect "the rest as without the file" 1 '^NETRING_BLOCK_COUNT +64 +default ' env_of "$folder/bad"
printf '[default]\nblock_count = 8\nring_size = 1M\n' >"$folder/bad"
expect "values that do not go together" 1 "^error: NETRING_RING_SIZE=1M \($folder/bad:3\): not allowed together with NETRING_BLOCK_COUNT=8 \($folder/bad:2\)" \
	env_of "$folder/bad"
expect "and they are shown" 1 "^NETRING_RING_SIZE +1M +$folder/bad:3 " env_of "$folder/bad"
expect "a directory" 1 "^NETRING_CONFIG +error +environment +$folder: is a directory, must be a regular file" env_of "$folder"
expect "no such file" 1 'cannot open the configuration file /nowhere: No such file or directory' env_of /nowhere
chmod o+w "$folder/bad"
expect "writable by everybody" 1 "$folder/bad: owner .*, mode 0646: must not be writable by everybody" env_of "$folder/bad"

# The example of the manual is a good file, and all of it is looked at.
awk '/^\.Sh / { here = $0 == ".Sh CONFIGURATION FILE" }
	here && /^\.Ed/ { exit }
	here && shown
	here && /^\.Bd -literal/ { shown = 1 }' "$abs_top_srcdir/man/netring.7" | sed 's/\\&//g' >"$folder/example"
[ "$(wc -l <"$folder/example")" -gt 10 ]
ok $? "netring.7 has an example"
expect "the example, tcpdump" 0 '^NETRING_RING_SIZE +64M +.*\[program tcpdump\]' env_of "$folder/example" -p tcpdump -i eth0
expect "the example, eth0" 0 '^NETRING_IGNORE_OUTGOING +yes +.*\[interface eth\*\]' env_of "$folder/example" -p tcpdump -i eth0
expect "the example, a profile" 0 '^NETRING_RINGS +auto +.*\[profile sensor\]' env_of "$folder/example" -p suricata -i eth0

# What follows changes /etc, in a mount namespace: a small one, with what a program needs to start.
# in_etc FILE MODE OWNER COMMAND...: with a copy of FILE as /etc/netring.conf.
in_etc() {
	# shellcheck disable=SC2016 # expanded inside
	unshare -m sh -c '
		set -e
		mount --make-rprivate /
		mkdir -p "$0/etc" && rm -f "$0/etc/netring.conf"
		for each in ld.so.cache ld.so.conf passwd group nsswitch.conf; do
			[ ! -e "/etc/$each" ] || cp "/etc/$each" "$0/etc/"
		done
		cp "$1" "$0/etc/netring.conf" && chmod "$2" "$0/etc/netring.conf" && chown "$3" "$0/etc/netring.conf"
		mount --bind "$0/etc" /etc
		shift 3
		exec "$@"' "$folder" "$@"
}

if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
	skip "/etc/netring.conf" "needs root and a mount namespace"
else
	expect "/etc/netring.conf" 0 '^NETRING_RING_SIZE +8M +/etc/netring.conf:7 \[program tcpdump\]' in_etc "$file" 644 0:0 "$netring" env -p tcpdump
	expect "owned by a user" 1 '^NETRING_CONFIG +error +default +/etc/netring.conf: owner 65533, group 0, mode 0644: must be owned by root' \
		in_etc "$file" 644 65533:0 "$netring" env
	cp "$netring" "$folder/suid" && chown 65533 "$folder/suid" && chmod 4755 "$folder/suid"
	if findmnt -no OPTIONS -T "$folder" | grep -q nosuid; then
		skip "set-uid" "$folder is mounted nosuid"
	else
		expect "set-uid: /etc/netring.conf" 0 '^NETRING_BLOCK_COUNT +8 +/etc/netring.conf:2 ' in_etc "$file" 644 0:0 "$folder/suid" env
		expect "set-uid: not NETRING_CONFIG" 0 '^NETRING_BLOCK_COUNT +8 +/etc/netring.conf:2 ' \
			in_etc "$file" 644 0:0 env NETRING_CONFIG=/dev/null "$folder/suid" env
		expect "set-uid: not another's" 1 'must be owned by root' in_etc "$file" 644 65533:0 "$folder/suid" env
		expect "set-uid: not a group's" 1 'must not be writable by a group' in_etc "$file" 664 0:65532 "$folder/suid" env
	fi
fi

# End to end: a program that knows nothing of it. capture PROGRAM ARGUMENT...: what it and netring say until it captures, or fails.
capture() {
	local pid
	NETRING_CONFIG=$file NETRING_LOG=info LD_LIBRARY_PATH=$SHIM_DIR LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8 nr_start pid "$NR_RX" \
		"$1" -i nr1 "${@:2}" -w "$NR_TMP/out.pcap" >"$NR_TMP/log" 2>&1
	nr_wait 10 said_enough "$pid"
	nr_stop "$pid" INT
	cat "$NR_TMP/log"
}

said_enough() {
	nr_ended "$1" || grep -q 'listening on' "$NR_TMP/log"
}

obstacle=$(nr_obstacle)
tcpdump=$(command -v tcpdump)
if [ -n "$obstacle" ]; then
	skip "tcpdump" "$obstacle"
elif [ -z "$tcpdump" ]; then
	skip "tcpdump" "tcpdump is not installed"
elif ! nr_pair_up; then
	ok 1 "two namespaces"
else
	printf '[program tcpdump]\nring_size = 8M\n[interface nr*]\nblock_size = 1M\n[program sniffer]\nring_size = 4M\n' >"$file"
	log=$(capture "$tcpdump")
	printf '%s\n' "$log" | grep -q "^netring: info: NETRING_RING_SIZE=8M is from .*/netring.conf:2 \[program tcpdump\]$"
	ok $? "tcpdump: the log names the line" "$log"
	printf '%s\n' "$log" | grep -q '^netring: info: nr1: the ring is 8192 KiB$'
	ok $? "tcpdump: the ring is that of the file" "$log"
	printf '%s\n' "$log" | grep -q "^netring: info: NETRING_BLOCK_SIZE=1M is from .*:4 \[interface nr\*\]$"
	ok $? "tcpdump: what is for the interface" "$log"
	cp "$tcpdump" "$folder/sniffer"
	log=$(capture "$folder/sniffer")
	printf '%s\n' "$log" | grep -q '^netring: info: nr1: the ring is 4096 KiB$'
	ok $? "the same program by another name" "$log"
	# The script is no filter expression, but that comes after the ring.
	printf '#!%s -n\n' "$tcpdump" >"$folder/script" && chmod 755 "$folder/script"
	printf '[program script]\nring_size = 2M\n[interface nr1]\ndump = stdio\ndump_buffer = 1M\n' >"$file"
	log=$(capture "$folder/script")
	printf '%s\n' "$log" | grep -q '^netring: info: nr1: the ring is 2048 KiB$'
	ok $? "a script has its own name" "$log"
	log=$(capture "$tcpdump")
	printf '%s\n' "$log" | grep -q '^netring: warn: .*NETRING_DUMP_BUFFER has no effect$'
	ok $? "a dumper has the settings of its handle's interface" "$log"
	printf '[default]\nring_size = 1M\n[program sniffer]\nring_size = 1M\n' >"$file"
	log=$(capture "$tcpdump" -B 4096)
	printf '%s\n' "$log" | grep -q '^netring: info: nr1: the ring is 4096 KiB$'
	ok $? "[default] is weaker than the program's buffer size" "$log"
	log=$(capture "$folder/sniffer" -B 4096)
	printf '%s\n' "$log" | grep -q '^netring: info: nr1: the ring is 1024 KiB$'
	ok $? "a section for the program is stronger" "$log"
	printf '[program tcpdump]\nring_size = 8X\n' >"$file"
	log=$(capture "$tcpdump")
	printf '%s\n' "$log" | grep -q "tcpdump: .*/netring.conf:2: ring_size=8X: must be a size (K, M, G allowed), 4K..64G"
	ok $? "tcpdump: a bad value ends it" "$log"
fi

finish
