#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A program that never sets a buffer size, in a memory cgroup of 256 MiB (version 1 or 2): the ring shrinks to an eighth of what the group has left, the
# log says to what, capture works. NETRING_STRICT=1 makes it an error; a size that was asked for is not cut.
# Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
export LC_ALL=C
unset LD_PRELOAD LD_LIBRARY_PATH
for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

program=${abs_top_builddir:?}/tests/netns/memory-cgroup
shim=${SHIM_DIR:?}/libpcap.so.0.8
limit=$((256 << 20))
group=
log=$(mktemp) || exit 1

# Only empty groups can be removed; what ran in this one has ended.
clean_up() {
	rm -f "$log"
	[ -z "$group" ] || rmdir "$group/inner" "$group" 2>/dev/null
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

[ "$(id -u)" = 0 ] || skip_all "not root"

if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
	version=1 file=memory.limit_in_bytes root=/sys/fs/cgroup/memory
elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
	version=2 file=memory.max root=/sys/fs/cgroup
else
	skip_all "no memory cgroup controller"
fi
mkdir "$root/nr-$$" 2>/dev/null || skip_all "cannot make a memory cgroup"
group=$root/nr-$$
echo "$limit" >"$group/$file" || skip_all "cannot limit a memory cgroup"
echo "# cgroup version $version"

# in_group GROUP COMMAND…: a process of its own, in the group from before its first instruction of the program.
in_group() {
	bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' in_group "$@"
}
run() {
	local in=$1
	shift
	output=$(in_group "$in" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$shim" "$@" "$program" 2>&1 </dev/null)
	status=$?
	if [ $status -eq 77 ]; then
		skip_all "cannot make a network namespace"
	fi
}
says() { grep -Eq -- "$1" <<<"$output"; }
# The first number of "the ring is N KiB instead of M KiB", or "would be N"; 0 if nothing is said.
ring_kib() { sed -n 's/.*the ring \(is\|would be\) \([0-9]*\) KiB instead of.*/\2/p' <<<"$output" | grep . || echo 0; }

run "$group" NETRING_LOG=warn
[ $status -eq 0 ] && says '^captured 100$'
ok $? "it captures" "$output"
says '^netring: warn: lo: the ring is [0-9]+ KiB instead of 262144 KiB: '
ok $? "the log says to what the ring shrank" "$output"
kib=$(ring_kib)
[ "$kib" -gt 8192 ] && [ "$kib" -le $((limit / 8 / 1024)) ]
ok $? "that is an eighth of what is left, $kib KiB" "$output"
[ "$(grep -c '^netring: ' <<<"$output")" = 1 ]
ok $? "in one line" "$output"

run "$group" NETRING_STRICT=1
[ $status -eq 1 ] && says '^error .*lo: the ring would be [0-9]+ KiB instead of 262144 KiB'
ok $? "NETRING_STRICT=1 makes it an error" "exit status $status; $output"

for size in NETRING_RING_SIZE=64M "NETRING_BLOCK_COUNT=16" "NETRING_BLOCK_SIZE=1M NETRING_BLOCK_COUNT=64"; do
	# shellcheck disable=SC2086 # one or two assignments
	run "$group" NETRING_STRICT=1 $size
	[ $status -eq 0 ] && says '^captured 100$' && ! says '^netring: '
	ok $? "$size is not cut" "exit status $status; $output"
done

# The limit of a parent counts.
mkdir "$group/inner"
run "$group/inner"
[ $status -eq 0 ] && says '^captured 100$' && [ "$(ring_kib)" -gt 0 ] && [ "$(ring_kib)" -le $((limit / 8 / 1024)) ]
ok $? "in a group inside the limited one, too" "$output"
rmdir "$group/inner"

# A tight one: still a ring, still no more than its share.
echo $((32 << 20)) >"$group/$file"
run "$group"
[ $status -eq 0 ] && says '^captured 100$'
ok $? "with 32 MiB it captures" "exit status $status; $output"
kib=$(ring_kib)
[ "$kib" -gt 0 ] && [ "$kib" -le 4096 ]
ok $? "with a ring of at most 4 MiB, $kib KiB" "$output"
in_group "$group" env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$shim" "${program%/*}/handles" busy >/dev/null 2>"$log"
ok $? "in blocks enough that the kernel has one to fill while the program reads" "$(cat "$log")"

# No limit: nothing is cut, as far as the machine has the memory.
available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
if [ "$available" -gt $((3 << 20)) ]; then
	output=$(env LD_LIBRARY_PATH="$SHIM_DIR" LD_PRELOAD="$shim" NETRING_STRICT=1 "$program" 2>&1)
	ok $? "outside the group the ring has its full size" "$output"
fi
finish
