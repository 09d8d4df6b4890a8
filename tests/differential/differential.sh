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
# Where each sentence of the libpcap contract (section 3) is tested. An id begins with "3.SUBSECTION-SENTENCE".
#
#  1 create(NULL), no check      options.c; pcap_init: old_style.c
#  2 defaults                    options.c
#  3 options when active         options.c (with reactivatetest)
#  4 option values               options.c
#  5 functions when inactive     options.c, one case for each function
#  6 snapshot lengths            options.c
#  7 unknown, down, rfmon        activate.c. Monitor mode itself: no Wi-Fi here
#  8 no CAP_NET_RAW              activate.c; open_live: old_style.c. EAFNOSUPPORT: 1.10.5 and later
#  9 empty text                  activate.c
# 10 warnings                    activate.c. 1 and 2 are returned by 1.10.5 and later only; 3 by the setter: options.c
# 11 a failed handle             activate.c
# 12 open_live                   old_style.c. -11: only of devices that are not sockets
# 13 errno in texts              old_style.c
# 14 promiscuous membership      activate.c, life_cycle.c
# 15 one protocol                activate.c
# 16 buffer sizes                options.c, statistics.c. ENOMEM: not here, it needs a system call that fails
# 17 immediate is V2             options.c
# 18 time stamps                 options.c. Adapter stamps: no device here has them
# 19 findalldevs                 activate.c; lookupdev, lookupnet: old_style.c
# 20 link types                  link_types.c, by tun devices that claim the hardware types. Packets on Wi-Fi, CAN, DSA,
#                                netlink, IrDA devices: none here
# 21 any switches                link_types.c, expressions.c
# 22 set_datalink                link_types.c
# 23 cooked headers              link_types.c
# 24 file identity               link_types.c; dumps: savefiles.c
# 25 silence                     waiting.c
# 26 timeout                     waiting.c
# 27 timeout 0                   waiting.c
# 28 negative timeout            waiting.c; open_live: old_style.c
# 29 dispatch counts             delivery.c
# 30 loop, next_ex, next         delivery.c
# 31 data in the callback        delivery.c
# 32 non-blocking                waiting.c (with nonblocktest)
# 33 the descriptor              waiting.c
# 34 required_select_timeout     waiting.c; down: life_cycle.c
# 35 EINTR                       waiting.c. Other errors of the socket: not here, nothing raises one
# 36-40 breakloop                breakloop.c; the eventfd of 39: waiting.c (with nonblocktest)
# 41-43 filters                  filters.c
# 44 filters on cooked sockets   cooked_filters.c; 1.11's CAN patches: no CAN here
# 45 interpreter                 filters.c
# 46 truncation                  filters.c
# 47 foreign filter              filters.c
# 48, 49 VLAN                    vlan.c
# 50 direction                   direction.c
# 51 copies on lo                direction.c; CAN: none here
# 52, 53 injection               direction.c
# 54-56 statistics               statistics.c. A wrap of 32 bits: not here, it takes 4 billion packets
# 57 down, up, deleted           life_cycle.c
# 58 fork                        life_cycle.c
# 59 threads                     life_cycle.c
# 60 close                       life_cycle.c, activate.c
# 61 corrupt blocks              not here: the kernel makes none, and no MTU exceeds a block
# 62 versions                    life_cycle.c
# 63 texts                       life_cycle.c
# 3.10 versions                  1.10.3 alone is compared with
# 3.11 real programs             privileges gone: life_cycle.c; the programs themselves: the system tests
# Beyond section 3: savefiles.c, dead_handles.c, expressions.c (pcap_compile on every kind of handle).

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
	exit 0
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

# The log says of two fallbacks what libpcap does in silence: a device that libpcap itself captures from, and a filter on "any" that the kernel
# cannot run. Their lines on stderr are the one thing that is taken out before the comparison.
run_netring() {
	LD_LIBRARY_PATH=$shim LD_PRELOAD=$shim/libpcap.so.0.8 "$probe" "$@"
}

compare() {
	awk -F '\t' -v whole="$1" -v stock_status="$2" -v netring_status="$3" '
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
		if (stock_status != 0) point(0, "the probe on libpcap ended with status " stock_status)
		if (netring_status != 0) point(0, "the probe on netring ended with status " netring_status)
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
run_netring "$@" >"$work/netring.raw" &
netring_pid=$!
wait "$stock_pid"
stock_status=$?
stock_pid=
wait "$netring_pid"
netring_status=$?
netring_pid=
sed -E 's/; stderr="(netring: warn: [^"\\]*(captured by libpcap itself: its link type|it is filtered in user space)[^"\\]*\\n)+"//' \
	"$work/netring.raw" >"$work/netring"

cp "$expected" "$work/expected"
compare "$([ $# -eq 0 ] && echo 1 || echo 0)" "$stock_status" "$netring_status"
