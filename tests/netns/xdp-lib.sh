# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # variables for those who source it
#
# For the tests of AF_XDP; to be sourced after flows.sh. NETRING_STRICT makes a fallback an error, so that nothing here is a test of the packet ring.

: "${abs_top_builddir:?}"
CLIENT=$abs_top_builddir/tests/netns/xdp-client
TRANSFER=$abs_top_builddir/tests/netns/transfer
LOOP=$abs_top_builddir/bench/xdp-loop
XDP=("${NETRING[@]}" NETRING_BACKEND=xdp NETRING_STRICT=1)

# The number of the XDP program on an interface of the receiving namespace; nothing if there is none.
xdp_id() { in_rx ip -d link show "$1" | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
xdp_is_on() { [ -n "$(xdp_id "$1")" ]; }
xdp_is_off() { [ -z "$(xdp_id "$1")" ]; }

# Addresses for nr2 and nr3: from then on the host needs the interface.
TX_ADDRESS=10.98.0.1
RX_ADDRESS=10.98.0.2
addresses_up() { in_tx ip address add $TX_ADDRESS/24 dev nr2 && in_rx ip address add $RX_ADDRESS/24 dev nr3; }

host_answers() { in_tx ping -q -c 1 -W 1 $RX_ADDRESS >"$NR_TMP/ping" 2>&1; }

# program_start VARIABLE READY NAMESPACE PROGRAM…: until READY is in what it says. Its output is in $NR_TMP/VARIABLE.out and .err.
program_start() {
	local variable=$1 ready=$2
	shift 2
	rm -f "$NR_TMP/$variable.out" "$NR_TMP/$variable.err"
	nr_start "$variable" "$@" >"$NR_TMP/$variable.out" 2>"$NR_TMP/$variable.err"
	nr_wait 30 program_is_ready "$variable" "$ready" && ! nr_ended "${!variable}"
}
program_is_ready() { grep -q -e "$2" "$NR_TMP/$1.out" "$NR_TMP/$1.err" || nr_ended "${!1}"; }

# program_output VARIABLE…
program_output() {
	local variable
	for variable in "$@"; do
		cat "$NR_TMP/$variable.out" "$NR_TMP/$variable.err"
	done
}
