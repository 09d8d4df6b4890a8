# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # variables for those who source it
#
# For the tests of fanout and merging, which source tests/cli/tap.sh and tests/support/netns.sh before: two wide veth pairs, nr0 - nr1 and nr2 - nr3,
# senders on both CPUs at once, and programs on either library.

: "${abs_top_builddir:?}" "${SHIM_DIR:?}"
BLAST=$abs_top_builddir/bench/blast
ORDER=$abs_top_builddir/tests/netns/order
STOCK=(env -u LD_PRELOAD -u LD_LIBRARY_PATH)
NETRING=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8")

# Sender n numbers its packets from n * 2^32, and has flows of its own.
SENDER_STEP=4294967296

flows_up() {
	nr_pair_up && in_tx ip link del nr0 && nr_wide_pair nr0 nr1 && nr_wide_pair nr2 nr3
}

flows_setup() {
	local obstacle file
	obstacle=$(nr_obstacle)
	[ -z "$obstacle" ] || skip_all "$obstacle"
	for file in "$BLAST" "$ORDER"; do
		[ -x "$file" ] || skip_all "no ${file##*/}: libbpf was missing"
	done
	trap nr_cleanup EXIT
	trap 'exit 1' INT TERM HUP
	flows_up || {
		echo "Bail out! cannot set up the namespaces"
		exit 1
	}
}

# A library compared with itself looks fine.
is_on_netring() { grep -q " $(realpath "$SHIM_DIR")/libpcap" "/proc/$1/maps"; }

# The number in NAME=number of a line, or the text; nothing if it is not there.
field() {
	local rest=" $2"
	[[ $rest == *" $1="* ]] || return 0
	rest=${rest#*" $1="}
	echo "${rest%% *}"
}

# send_start SENDER CPU INTERFACE BLAST_OPTION…; send_end waits for all, and leaves in SENT how many frames went out. It fails if one of them did.
SENDER_PIDS=()
send_start() {
	local pid sender=$1 cpu=$2 interface=$3
	shift 3
	nr_start pid "$NR_TX" "$BLAST" -i "$interface" -n $((sender * SENDER_STEP)) -p "$cpu" "$@" >"$NR_TMP/sent.$sender"
	SENDER_PIDS+=("$pid")
}

send_end() {
	local pid status=0
	for pid in "${SENDER_PIDS[@]}"; do
		nr_wait 120 nr_ended "$pid"
		nr_stop "$pid" || status=1
	done
	SENDER_PIDS=()
	SENT=$(cat "$NR_TMP"/sent.* | sed 's/^sent=\([0-9]*\) .*/\1/' | awk '{ n += $1 } END { print n + 0 }')
	rm -f "$NR_TMP"/sent.*
	return "$status"
}

# order_start PROGRAM_PREFIX… -- ORDER_OPTION…: returns when it captures. order_end: lets it read the rest; ORDERED is what it says.
order_start() {
	local prefix=()
	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	shift
	: >"$NR_TMP/order"
	nr_start ORDER_PID "$NR_RX" "${prefix[@]}" "$ORDER" "$@" >"$NR_TMP/order" 2>"$NR_TMP/order.err"
	nr_wait 30 order_is_ready && ! nr_ended "$ORDER_PID"
}

order_is_ready() { grep -q ready "$NR_TMP/order" || nr_ended "$ORDER_PID"; }

order_end() {
	local status
	nr_stop "$ORDER_PID" TERM 60
	status=$?
	ORDERED=$(tail -n 1 "$NR_TMP/order")
	return "$status"
}
