#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Several rings in one handle must show a program what one ring shows it: the live cases of the differential probe, on netring with one ring, with two that
# take packets in turn (lb), so that every other packet is in another ring, and with four that are filled by flow (hash). What has to differ is in
# rings-differences.txt, with the reason; what that says of a case is what it must be on several rings. One TAP point for each case and number of rings.
#
#   rings.sh            the cases below
#   rings.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${RINGS_DIFFERENCES:-$here/rings-differences.txt}
work=
pids=

# Each of these is a text that ids contain.
cases() {
	cat <<-'END'
		3.1-6 snaplen
		3.1-14
		3.1-15
		3.1-17 immediate mode
		3.1-18 nanoseconds
		3.1-18 the stamp
		3.2-21
		3.2-22
		3.2-23
		3.3-25 rejected packets at hand
		3.3-25 silence, immediate
		3.3-25 silence, timeout 100
		3.3-26
		3.3-27
		3.3-28
		3.3-29
		3.3-30
		3.3-31
		3.3-32 nonblock before
		3.3-33
		3.3-34
		3.3-35
		3.4-
		3.5-42 5000
		3.5-42 short after long
		3.5-43
		3.5-44 SLL "link[4:4]
		3.5-45 in the library: VLAN 42
		3.5-45 kernel-only
		3.5-47
		3.6-48 on any
		3.6-48 on Ethernet
		3.6-48 snapshot length 68
		3.6-48 tagged among plain
		3.6-49 "vlan 42"
		3.7-
		3.8-54 before and after
		3.8-54 counted after
		3.8-54 loss
		3.8-54 setfilter
		3.8-55
		3.8-56
		3.9-57
		3.9-58
		3.9-59 handles
		3.9-59 no hidden
		3.9-59 pthread_cancel
		3.9-60
		3.11
	END
}

cannot_run() {
	if [ "${NETRING_TESTS_REQUIRED:-0}" = 1 ]; then
		echo "1..1"
		echo "not ok 1 - $1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

clean_up() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	[ -n "$work" ] && rm -rf "$work"
}

# on_rings NAME SETTINGS TEXT...: in the background. Small rings, because several probes run at once.
on_rings() {
	name=$1 settings=$2
	shift 2
	# shellcheck disable=SC2086 # several settings
	env LD_LIBRARY_PATH="$shim" LD_PRELOAD="$shim/libpcap.so.0.8" NETRING_RING_SIZE=32M $settings "$probe" "$@" >"$work/$name" &
	pids="$pids $!"
}

compare() {
	awk -F '\t' '
	function trimmed(text) { sub(/; *$/, "", text); return text }
	function point(good, text) {
		print (good ? "ok " : "not ok ") ++points " - " text
		if (!good) failed++
	}
	function judge(id, rings,   result, good) {
		result = several[rings, id]
		if (!((rings, id) in several)) good = 0
		else if (id in want) good = result ~ ("^(" want[id] ")$")
		else good = result == one[id]
		point(good, rings ": " id (good && id in want ? " (" why[id] ")" : ""))
		if (good) return
		print "# one ring: " one[id]
		print "# " rings ": " result
		if (id in want) print "# expected: " want[id]
	}
	FILENAME ~ /expected$/ {
		if ($0 ~ /^#/ || $0 ~ /^ *$/) next
		if (NF != 3) point(0, "line " FNR " of the list has an id, a result and a reason")
		want[$1] = $2; why[$1] = $3; next
	}
	FILENAME ~ /one$/ { order[++count] = $1; one[$1] = trimmed($2); next }
	{
		rings = FILENAME ~ /two$/ ? "two rings, lb" : "four rings, hash"
		several[rings, $1] = trimmed($2)
	}
	END {
		for (i = 1; i <= count; i++) {
			judge(order[i], "two rings, lb")
			judge(order[i], "four rings, hash")
		}
		if (count == 0) point(0, "the probe ran some case")
		print "1.." points
		exit failed > 0
	}' "$work/expected" "$work/one" "$work/two" "$work/four"
}

trap clean_up EXIT
trap 'exit 1' HUP INT TERM

[ -x "$probe" ] || cannot_run "no probe at $probe"
[ -e "$shim/libpcap.so.0.8" ] || cannot_run "no drop-in at $shim"
unshare -n true 2>/dev/null || cannot_run "may not make network namespaces"
work=$(mktemp -d) || exit 1
cp "$expected" "$work/expected"

if [ $# -eq 0 ]; then
	cases >"$work/cases"
	while IFS= read -r text; do
		set -- "$@" "$text"
	done <"$work/cases"
fi

on_rings one NETRING_RINGS=1 "$@"
on_rings two "NETRING_RINGS=2 NETRING_FANOUT=lb" "$@"
on_rings four "NETRING_RINGS=4 NETRING_FANOUT=hash" "$@"
failed=0
for pid in $pids; do
	wait "$pid" || failed=1
done
pids=
compare || failed=1
[ "$failed" -eq 0 ]
