#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP, 60 bytes, veth native copy mode, sender and kernel on one CPU, program on the other: the highest rate without loss, the share that arrives
# flat out, CPU time, and instructions a packet. The program is always the same, bench/count; the bare loops (xdp-loop.c) are what could be had at best.
# The "stock" column of the rows is what is compared with: libpcap, or the bare loop of the same kind of waiting.
#
# netring has the number of frames that it has without settings. The bare loops have 4096, which stay in the cache, and with "-large" netring's number.
# "-stamp": the loop's XDP program stamps the packets, and the loop looks at stamp and packet, as pcap's interface asks for; without, it only counts
# descriptors.
#
# The sender's frames are all the same one: numbering them takes a look at the clock for each, as long as a fourth of what AF_XDP does with a packet,
# and would be measured along.
#
# The variants take turns, BENCH_RUNS times; rows are of the medians.
#
# BENCH_VARIANTS: which of them to measure, of the list below. BENCH_INSTRUCTIONS=0: rates only.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=callgrind.sh disable=SC1091
. "$(dirname "$0")/callgrind.sh"
# shellcheck source-path=SCRIPTDIR source=lossless.sh disable=SC1091
. "$(dirname "$0")/lossless.sh"

VARIANTS=${BENCH_VARIANTS:-stock ring poll busy loop-poll loop-spin loop-poll-stamp loop-spin-stamp loop-spin-large}
BUSY_US=50
FRAMES_LARGE=131072 # netring's
LOOP=$BUILD_DIR/bench/xdp-loop
[ -e "$LOOP" ] || bench_fail "$LOOP is missing: build first (BUILD_DIR=$BUILD_DIR)"
LOSSLESS_BLAST=(-I)
bench_setup

# loop_start OPTION…: the bare loop.
loop_start() {
	COUNT_LIBRARY=none
	: >"$NR_TMP/count"
	nr_start COUNT_PID "$NR_RX" "${READER[@]}" "$LOOP" -i nr1 -p "$READER_CPU" "$@" >"$NR_TMP/count"
	nr_wait 60 grep -q ready "$NR_TMP/count" || bench_fail "the bare loop did not start"
}

reader_start() {
	COUNT_SETTINGS=()
	case $1 in
	stock) count_start stock -t 100 -p "$READER_CPU" ;;
	ring) count_start netring -t 100 -p "$READER_CPU" ;;
	poll | busy)
		COUNT_SETTINGS=(NETRING_BACKEND=xdp NETRING_STRICT=1 NETRING_LOG=error)
		[ "$1" = poll ] || COUNT_SETTINGS+=("NETRING_BUSY_POLL_US=$BUSY_US")
		count_start netring -t 100 -p "$READER_CPU"
		xdp_check
		;;
	loop-poll) loop_start -P ;;
	loop-spin) loop_start ;;
	loop-poll-stamp) loop_start -m -P ;;
	loop-spin-stamp) loop_start -m ;;
	loop-spin-large) loop_start -n "$FRAMES_LARGE" ;;
	*) bench_fail "no variant $1" ;;
	esac
}

reader_end() { count_end; }

# A packet ring compared with a packet ring looks fine.
xdp_check() {
	[[ $(in_rx ip -d link show nr1) == *"xdp"*"prog/xdp"* ]] || bench_fail "no XDP program on nr1: $(in_rx ip -d link show nr1)"
}

mpps() { calc "$1 / 1e6" %.2f; }

declare -A RATE FLAT REMARK CPU RATES FLATS LIMITS
for ((run = 0; run < BENCH_RUNS; run++)); do
	for variant in $VARIANTS; do
		search "$variant"
		RATES[$variant]+="$BEST " FLATS[$variant]+="$FLAT_OUT " LIMITS[$variant]+=${LIMITED:+x}
		note "$variant: lossless $(mpps "$BEST") Mpps, flat out $FLAT_OUT %${LIMITED:+, the sender is the limit}"
	done
done
for variant in $VARIANTS; do
	RATE[$variant]=$(tr ' ' '\n' <<<"${RATES[$variant]% }" | median)
	FLAT[$variant]=$(tr ' ' '\n' <<<"${FLATS[$variant]% }" | median)
	limits=${#LIMITS[$variant]}
	REMARK[$variant]=" (the sender was the limit in $limits of $BENCH_RUNS)"
done

# At half a million a second all are far from their limits; the spinning ones use all of the CPU by design.
for variant in $VARIANTS; do
	lossless "$variant" 500000 500000 || note "$variant: loss at 0.5 Mpps"
	CPU[$variant]=$CPU_NS
done

# compare VARIANT WITH
compare() {
	[ -n "${RATE[$1]:-}" ] && [ -n "${RATE[$2]:-}" ] || return 0
	row "lossless rate, 60 B, Mpps: $1 against $2" "$(mpps "${RATE[$2]}")" "$(mpps "${RATE[$1]}")" \
		"flat out ${FLAT[$2]} % and ${FLAT[$1]} %; CPU at 0.5 Mpps ${CPU[$2]} and ${CPU[$1]} ns a packet${REMARK[$1]}"
}

for variant in ring poll busy loop-poll loop-spin loop-poll-stamp loop-spin-stamp loop-spin-large; do
	compare "$variant" stock
done
compare poll loop-poll
compare busy loop-spin
compare poll loop-poll-stamp
compare busy loop-spin-stamp

[ "${BENCH_INSTRUCTIONS:-1}" = 1 ] || exit 0
command -v valgrind >/dev/null || bench_fail "no valgrind"
per_packet stock
stock=$(calc "$OWN + $OTHERS" %.1f)
instruction_row() {
	per_packet netring NETRING_BACKEND=xdp NETRING_STRICT=1 NETRING_LOG=error
	row "instructions a packet, AF_XDP, $1" "$stock" "$(calc "$OWN + $OTHERS" %.1f)" "in other libraries: $OTHERS"
}
instruction_row "1 queue"
in_tx ip link del nr0
nr_wide_pair nr0 nr1 || bench_fail "cannot set up the wide pair"
INSTRUCTIONS_TRAFFIC=(-f 64)
instruction_row "2 queues, one busy"
