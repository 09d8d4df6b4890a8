#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every packet is delivered or counted as dropped, in order and once: for a reader that keeps up, and for one that stands still while more
# arrives than a small ring holds.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}" # make check sets them
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$abs_top_srcdir/tests/cli/tap.sh"
# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$abs_top_srcdir/tests/support/netns.sh"

BLAST=$abs_top_builddir/bench/blast
COUNT=$abs_top_builddir/bench/count
NETRING=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8")

field() {
	local rest=" $2"
	rest=${rest#*" $1="}
	echo "${rest%% *}"
}

# account NAME BLAST_OPTIONS -- COUNT_COMMAND…: leaves SENT and COUNTED, the two lines. Fails the test point if either program
# fails, or if the packets do not add up. With -w among the options of blast the reader stands still until all is sent.
account() {
	local name=$1 options=() pid status stands=no
	shift
	while [ "$1" != -- ]; do
		if [ "$1" = -w ]; then stands=yes; else options+=("$1"); fi
		shift
	done
	shift
	: >"$NR_TMP/count"
	nr_start pid "$NR_RX" "$@" -i nr1 -t 100 -q >"$NR_TMP/count"
	if ! nr_wait 60 grep -q ready "$NR_TMP/count"; then
		ok 1 "$name" "count is not ready"
		return
	fi
	if [ $stands = yes ] && { ! kill -s STOP "$pid" || ! nr_wait 20 is_stopped "$pid"; }; then
		ok 1 "$name" "count does not stand still"
		return
	fi
	SENT=$(in_tx "$BLAST" -i nr0 "${options[@]}")
	status=$?
	[ $stands = no ] || kill -s CONT "$pid"
	nr_stop "$pid" TERM 60 || status=$?
	COUNTED=$(tail -n 1 "$NR_TMP/count")
	if [ "$status" = 0 ] && [ "$(field sent "$SENT")" = "$(field passed "$SENT")" ] &&
		[ $(($(field delivered "$COUNTED") + $(field dropped "$COUNTED"))) = "$(field sent "$SENT")" ] &&
		[ "$(field received "$COUNTED")" = "$(field sent "$SENT")" ] && [ "$(field disordered "$COUNTED")" = 0 ]; then
		ok 0 "$name: they add up, in order"
	else
		ok 1 "$name: they add up, in order" "status $status; $SENT; $COUNTED"
	fi
}

is_stopped() { grep -q '^State:[[:space:]]*T' "/proc/$1/status"; }

# is NAME FIELD LOW HIGH: of what account counted.
is() {
	local value
	value=$(field "$2" "$COUNTED")
	[ "$value" -ge "$3" ] && [ "$value" -le "$4" ]
	ok $? "$1" "$COUNTED"
}

library_is() {
	case $(field library "$COUNTED") in
	"$SHIM_DIR"/*) ok 0 "$1" ;;
	*) ok 1 "$1" "$COUNTED" ;;
	esac
}

obstacle=$(nr_obstacle)
[ -z "$obstacle" ] || skip_all "$obstacle"
trap nr_cleanup EXIT
trap 'exit 1' INT TERM HUP
nr_pair_up || {
	echo "Bail out! cannot set up the namespaces"
	exit 1
}

account "packet socket, 20 000 packets, one ring" -m packet -c 20000 -r 100000 -- "${NETRING[@]}" "$COUNT"
library_is "they were netring's"
is "nothing missing" missing 0 0

account "live frames, 200 000 packets of 16 flows" -c 200000 -f 16 -r 400000 -- "${NETRING[@]}" "$COUNT"
is "nothing missing" missing 0 0

account "1400 bytes" -c 50000 -s 1400 -r 100000 -- "${NETRING[@]}" "$COUNT"
is "nothing missing" missing 0 0
is "all bytes" bytes 70000000 70000000

account "a reader that stands still, a small ring" -w -c 300000 -- "${NETRING[@]}" NETRING_RING_SIZE=4M NETRING_BLOCK_SIZE=1M "$COUNT"
is "most are lost" dropped 150000 299000
is "what the ring held is delivered" delivered 1000 150000

account "a reader that stands still, immediate mode" -w -c 300000 -- "${NETRING[@]}" "$COUNT" -I -s 96
is "some are delivered" delivered 1 300000

account "the same on libpcap" -w -c 300000 -- env -u LD_PRELOAD -u LD_LIBRARY_PATH "$COUNT"
is "most are lost" dropped 150000 299999

finish
