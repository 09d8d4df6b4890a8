# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the benchmark scripts share: where things are, running a program on either library, medians and rows.
#
# A row goes to standard output: measure | stock | netring | ratio (netring / stock) | remarks. bench/run.sh lines the rows up.
# Absolute times on a shared machine are noise, so every time is a median over runs in which stock and netring take turns.
#
# Sender and reader run at a high priority, so that other work on the machine is not what is measured.
#
# Environment: BUILD_DIR (default: $abs_top_builddir, then ./build), SHIM_DIR (default: $BUILD_DIR/shim), BENCH_RUNS (default 5).

BENCH_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD_DIR=$(realpath -m "${BUILD_DIR:-${abs_top_builddir:-build}}")
SHIM_DIR=${SHIM_DIR:-$BUILD_DIR/shim}
SHIM=$SHIM_DIR/libpcap.so.0.8
BLAST=$BUILD_DIR/bench/blast
COUNT=$BUILD_DIR/bench/count
BENCH_RUNS=${BENCH_RUNS:-5}

# The sender and the kernel's receive path run on the first CPU, the program on the second if there is one.
SENDER_CPU=0
READER_CPU=$(($(nproc) > 1))

# In front of a program: high priority. Between sessions it is the session's priority that decides where the kernel groups by
# session (sched_autogroup), so the program gets its own.
# shellcheck disable=SC2016 # expanded by the inner shell
FIRST=(setsid nice -n -20 sh -c '[ ! -w /proc/self/autogroup ] || echo -20 >/proc/self/autogroup; exec "$@"' sh)
READER=("${FIRST[@]}" taskset -c "$READER_CPU")

# shellcheck source-path=SCRIPTDIR source=../tests/support/netns.sh disable=SC1091
. "$BENCH_SOURCE/../tests/support/netns.sh"

bench_fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

bench_setup() {
	local obstacle file
	obstacle=$(nr_obstacle)
	[ -z "$obstacle" ] || bench_fail "$obstacle"
	for file in "$SHIM" "$BLAST" "$COUNT"; do
		[ -e "$file" ] || bench_fail "$file is missing: build first (BUILD_DIR=$BUILD_DIR)"
	done
	[ "$READER_CPU" != 0 ] || bench_fail "needs two CPUs"
	trap nr_cleanup EXIT
	trap 'exit 130' INT TERM
	nr_pair_up || bench_fail "cannot set up the namespaces"
	bench_warm_memory
}

# A virtual machine gets its memory from the host at the first touch: the first large ring would pay for all later ones.
bench_warm_memory() {
	on netring
	in_rx "${ON[@]}" "$COUNT" -i nr1 -o 1 >/dev/null || bench_fail "netring does not open nr1"
}

# on LIBRARY: leaves in the array ON what to put in front of a program.
on() {
	ON=("${READER[@]}")
	case $1 in
	stock) ON+=(env -u LD_PRELOAD) ;;
	netring) ON+=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM") ;;
	*) bench_fail "no library $1" ;;
	esac
}

# Stops the benchmark if the process is not on the library it should be on: a library compared with itself looks fine.
bench_check_library() {
	local library=$1 loaded=$2 is=stock
	[ "$(realpath -m "$loaded")" != "$(realpath -m "$SHIM")" ] || is=netring
	[ "$is" = "$library" ] || bench_fail "the $library run was on $loaded"
}

# The libpcap that a process has mapped.
bench_mapped_library() {
	awk '$6 ~ /libpcap\.so|libnetring-pcap\.so/ { print $6; exit }' "/proc/$1/maps"
}

# value NAME LINE: the number in NAME=number.
value() {
	local rest=" $2"
	[[ $rest == *" $1="* ]] || bench_fail "no $1 in: $2"
	rest=${rest#*" $1="}
	echo "${rest%% *}"
}

blast() { in_tx "${FIRST[@]}" "$BLAST" -i nr0 -p "$SENDER_CPU" "$@"; }

# count_start LIBRARY OPTION…: starts count, and returns when it captures; COUNT_SETTINGS are NAME=VALUE for its environment. count_end: ends it when it
# has read all; COUNTED is its result.
COUNT_SETTINGS=()
count_start() {
	COUNT_LIBRARY=$1
	shift
	on "$COUNT_LIBRARY"
	: >"$NR_TMP/count"
	nr_start COUNT_PID "$NR_RX" "${ON[@]}" "${COUNT_SETTINGS[@]}" "$COUNT" -i nr1 "$@" >"$NR_TMP/count"
	nr_wait 60 grep -q ready "$NR_TMP/count" || bench_fail "count did not start on $COUNT_LIBRARY"
}

count_end() {
	nr_stop "$COUNT_PID" TERM 60 || bench_fail "count failed on $COUNT_LIBRARY"
	COUNTED=$(tail -n 1 "$NR_TMP/count")
	[ "$COUNT_LIBRARY" = none ] || bench_check_library "$COUNT_LIBRARY" "$(value library "$COUNTED")"
}

median() {
	sort -g | awk '{ v[NR] = $1 } END { if (NR % 2) print v[(NR + 1) / 2]; else print (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# The median of a file of numbers, one a line.
median_of() { median <"$1"; }

# calc EXPRESSION [FORMAT]
calc() { awk "BEGIN { printf \"${2:-%g}\", ($1) }"; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 == 0) print "-"; else printf "%.2f", a / b }'; }

# row MEASURE STOCK NETRING [REMARKS]
row() { printf '%s | %s | %s | %s | %s\n' "$1" "$2" "$3" "$(ratio "$3" "$2")" "${4:-}"; }

# note TEXT: progress, for people.
note() { echo "${0##*/}: $*" >&2; }
