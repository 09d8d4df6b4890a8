# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# For the benchmarks with whole programs: start one, blast at it, let it work off what its ring holds, end it, read what it says.
# Needs lib.sh.

# CPU time, user and system, that the threads of a process have used so far, in ns. The ticks of /proc/PID/stat are too coarse for
# a burst.
cpu_ns() {
	awk '{ sum += $1 } END { if (NR) printf "%d\n", sum; else exit 1 }' "/proc/$1/task/"*/schedstat 2>/dev/null
}

# True if the process has used next to nothing in 1.2 s, longer than tcpdump's time-out of a second: it has read everything.
capture_is_quiet() {
	local before after
	before=$(cpu_ns "$1") || return 0
	sleep 1.2
	after=$(cpu_ns "$1") || return 0
	[ $((after - before)) -lt 2000000 ]
}

# True once a packet socket is open and bound in the receiving namespace and the program has said on standard error that it
# listens. Programs that say nothing: the socket alone.
capture_is_listening() {
	[ "$(in_rx cat /proc/net/packet | awk 'NR > 1 && $5 != 0' | wc -l)" -gt 0 ] || return 1
	[ -z "$CAPTURE_SAYS" ] || grep -q "$CAPTURE_SAYS" "$NR_TMP/stderr"
}

# captured_by PROGRAM: how many packets it says it captured.
captured_by() {
	case $1 in
	*tcpdump) sed -n 's/^\([0-9]*\) packets\{0,1\} captured.*/\1/p' "$NR_TMP/stderr" ;;
	*dumpcap) tr '\r' '\n' <"$NR_TMP/stderr" | sed -n 's/^Packets captured: \([0-9]*\).*/\1/p' | tail -n 1 ;;
	*netsniff-ng) grep -h -o '[0-9]* *packets incoming' "$NR_TMP/stdout" "$NR_TMP/stderr" |
		awk '{ n = $1 } END { print n }' ;;
	esac
}

# capture SENDER_OPTIONS -- PROGRAM…: what to put in front of the program is in the array ON. Sets CAPTURED, CPU_S (from the first
# packet on: starting is what open-close.sh measures), PASSED and SHARE.
capture() {
	local pid before used sent options=() stdout=/dev/null
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	case $1 in
	*tcpdump) CAPTURE_SAYS='listening on' ;;
	*dumpcap) CAPTURE_SAYS='^File:' ;;
	*)
		CAPTURE_SAYS=
		stdout=$NR_TMP/stdout
		;;
	esac
	nr_start pid "$NR_RX" "${ON[@]}" "$@" >"$stdout" 2>"$NR_TMP/stderr"
	nr_wait 60 capture_is_listening || bench_fail "$1 does not capture: $(cat "$NR_TMP/stderr")"
	CAPTURE_LIBRARY=$(bench_mapped_library "$pid")
	before=$(cpu_ns "$pid")
	sent=$(blast "${options[@]}") || bench_fail "blast failed"
	nr_wait 60 capture_is_quiet "$pid" || note "$1 was still busy a minute after the last packet"
	used=$(cpu_ns "$pid") || bench_fail "$1 ended by itself: $(cat "$NR_TMP/stderr")"
	nr_stop "$pid" INT 60
	CAPTURED=$(captured_by "$1")
	[ -n "$CAPTURED" ] || bench_fail "$1 does not say what it captured: $(cat "$NR_TMP/stderr")"
	CPU_S=$(calc "($used - ${before:-0}) / 1e9" %.3f)
	PASSED=$(value passed "$sent")
	SHARE=$(calc "100 * $CAPTURED / $PASSED" %.1f)
}

# capture_with LIBRARY NAME SENDER_OPTIONS -- PROGRAM…: as capture, on that library; adds to the results called NAME.
capture_with() {
	local library=$1 name=$2
	shift 2
	on "$library"
	capture "$@"
	bench_check_library "$library" "$CAPTURE_LIBRARY"
	capture_note "$name.$library"
}

# The same for a program that brings its own way to capture.
capture_peer() {
	local name=$1
	shift
	ON=("${READER[@]}")
	capture "$@"
	capture_note "$name.peer"
}

capture_note() {
	echo "$SHARE" >>"$NR_TMP/share.$1"
	calc "$CPU_S * 1e9 / ($CAPTURED + 1)" "%.0f\n" >>"$NR_TMP/cpu.$1"
}

share_of() { median_of "$NR_TMP/share.$1"; }

# capture_rows NAME TITLE [REMARKS]
capture_rows() {
	row "$2, captured %" "$(share_of "$1.stock")" "$(share_of "$1.netring")" "${3:-}"
	row "$2, CPU a captured packet, ns" "$(median_of "$NR_TMP/cpu.$1.stock")" "$(median_of "$NR_TMP/cpu.$1.netring")"
}
