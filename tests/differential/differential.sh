#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Differential test: the probe runs its cases with the system's libpcap and with netring's, and every line must
# be the same, save for the differences listed, with their reasons, in expected-differences.txt. A listed
# difference that does not show is a failure as well. One TAP point for each case.
#
#   differential.sh            all cases
#   differential.sh TEXT...    the cases whose id contains one of the texts
#
# COVERAGE

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${EXPECTED_DIFFERENCES:-$here/expected-differences.txt}
work=
stock_pid=
netring_pid=

# Nothing can be compared here: a failure where the tests are required, else a skip, never a pass.
cannot_run() {
	if [ "${NETRING_TESTS_REQUIRED:-0}" = 1 ]; then
		echo "1..1"
		echo "not ok 1 - $1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 77
}

clean_up() {
	for pid in $stock_pid $netring_pid; do
		kill "$pid" 2>/dev/null
	done
	[ -n "$work" ] && rm -rf "$work"
}

# The probe must run on the library that it is said to run on.
check_library() {
	case $2 in
	"$shim"/*) loaded=netring ;;
	/*) loaded=stock ;;
	*) loaded=none ;;
	esac
	if [ "$loaded" != "$1" ]; then
		echo "1..1"
		echo "not ok 1 - the probe runs on $1 (it loaded '$2')"
		exit 1
	fi
}

run_stock() {
	env -u LD_PRELOAD -u LD_LIBRARY_PATH "$probe" "$@"
}

run_netring() {
	LD_LIBRARY_PATH=$shim LD_PRELOAD=$shim/libpcap.so.0.8 "$probe" "$@"
}

compare() {
	awk -F '\t' -v whole="$1" '
	function trimmed(text) { sub(/; *$/, "", text); return text }
	function point(good, text) {
		print (good ? "ok " : "not ok ") ++points " - " text
		if (!good) failed++
	}
	function show(id) {
		print "# stock:   " (id in stock ? stock[id] : "(no such line)")
		print "# netring: " (id in netring ? netring[id] : "(no such line)")
	}
	function judge(id) {
		if (id in twice) {
			point(0, id " # the id is not unique")
		} else if (!(id in stock) || !(id in netring)) {
			point(0, id); show(id)
		} else if (stock[id] == netring[id]) {
			point(!(id in why), id)
			if (id in why) {
				print "# the difference that expected-differences.txt names does not show"; show(id)
			}
		} else if (!(id in why)) {
			point(0, id); show(id)
		} else if (stock[id] != want_stock[id] || netring[id] != want_netring[id]) {
			point(0, id)
			print "# differs, but not in the way that expected-differences.txt says"; show(id)
		} else {
			point(1, id " (differs: " why[id] ")")
		}
	}
	FILENAME ~ /expected/ {
		if ($0 ~ /^#/ || $0 ~ /^[ ]*$/) next
		if (NF != 4 || $4 == "") { point(0, "line " FNR " of the list has an id, two results and a reason"); next }
		want_stock[$1] = trimmed($2); want_netring[$1] = trimmed($3); why[$1] = $4; next
	}
	FILENAME ~ /stock$/ {
		if ($1 in stock) twice[$1] = 1
		else order[++count] = $1
		stock[$1] = trimmed($2); next
	}
	{
		if ($1 in netring) twice[$1] = 1
		if (!($1 in stock) && !($1 in netring)) order[++count] = $1
		netring[$1] = trimmed($2)
	}
	END {
		for (i = 1; i <= count; i++) judge(order[i])
		if (whole)
			for (id in why)
				if (!(id in stock) && !(id in netring)) point(0, id " is listed, but no case has that id")
		if (count == 0) point(0, "the probe ran some case")
		print "1.." points
		exit failed > 0
	}' "$work/expected" "$work/stock" "$work/netring"
}

trap clean_up EXIT
trap 'exit 1' HUP INT TERM

[ -x "$probe" ] || cannot_run "no probe at $probe"
[ -e "$shim/libpcap.so.0.8" ] || cannot_run "no drop-in at $shim"
unshare -n true 2>/dev/null || cannot_run "may not make network namespaces"
work=$(mktemp -d) || exit 1

check_library stock "$(run_stock --library)"
check_library netring "$(run_netring --library)"

# Side by side: the cases mostly wait, each in namespaces of its own.
run_stock "$@" >"$work/stock" &
stock_pid=$!
run_netring "$@" >"$work/netring" &
netring_pid=$!
wait "$stock_pid"
stock_pid=
wait "$netring_pid"
netring_pid=

cp "$expected" "$work/expected"
compare "$([ $# -eq 0 ] && echo 1 || echo 0)"
