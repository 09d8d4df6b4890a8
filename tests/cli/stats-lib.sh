# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# For the tests of netring stats, behind tap.sh and netns.sh: captures are started on netring, and looked at from outside until what is to be true is.
# shellcheck disable=SC2034,SC2154 # its users use the variables, and make check sets abs_*

NETRING=$abs_top_builddir/netring
BLAST=$abs_top_builddir/bench/blast
COUNT=$abs_top_builddir/bench/count
CAPTURES=$abs_top_builddir/tests/cli/captures
LOOK=$abs_top_srcdir/tests/cli/stats.py
SHIM=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8")
SMALL=(NETRING_RING_SIZE=1M NETRING_BLOCK_SIZE=64K)

for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

# look PID EXPRESSION: the value; the reason why there is none goes to $NR_TMP/look.
look() { "$NETRING" stats --json "$1" 2>"$NR_TMP/stats.err" | python3 "$LOOK" json "$2" 2>"$NR_TMP/look"; }

is_true() { [ "$(look "$1" "$2")" = True ]; }

# shows NAME PID EXPRESSION: becomes true within ten seconds.
shows() {
	nr_wait 10 is_true "$2" "$3"
	ok $? "$1" "$3 is not true of $("$NETRING" stats "$2" 2>&1 | head -n 40; cat "$NR_TMP/look")"
}

# start VARIABLE COMMAND…: in the receiving namespace, until it says that it is ready.
start() {
	local variable=$1
	shift
	: >"$NR_TMP/out"
	nr_start "$variable" "$NR_RX" "${SHIM[@]}" "$@" >"$NR_TMP/out"
	nr_wait 20 grep -q ready "$NR_TMP/out" || ok 1 "$* gets ready" "$(cat "$NR_TMP/out")"
}

sent() { in_tx "$BLAST" -i nr0 "$@" | sed -n 's/^sent=\([0-9]*\) .*/\1/p'; }

# The two namespaces, or the whole script is skipped.
stats_set_up() {
	local obstacle
	obstacle=$(nr_obstacle)
	[ -z "$obstacle" ] || skip_all "$obstacle"
	python3 -c 'import jsonschema' 2>/dev/null || skip_all "no python3-jsonschema"
	trap nr_cleanup EXIT
	trap 'exit 1' INT TERM HUP
	nr_pair_up || {
		echo "Bail out! cannot set up the namespaces"
		exit 1
	}
}
