# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2120,SC2119
#
# What every client test stands on. A test runs a real program twice in a pair
# of network namespaces, first on the system's libpcap ("stock"), then on
# netring, over the same traffic, and compares what came out of it.
#
#   capture namespace  cap0  10.77.0.2  02:00:00:00:77:02   (the program)
#   generator          gen0  10.77.0.1  02:00:00:00:77:01   (the traffic)
#
# A scenario is a shell function: it runs in a fresh directory of its own,
# prints its normalised outcome on stdout, and calls fail() when something does
# not happen in time. compare() runs it in both flavours and is one test point.
# Everything a test makes (namespaces, processes, files) goes in the EXIT trap.

set -u
export LC_ALL=C TZ=UTC0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${abs_top_builddir:=$(cd "$here/../.." && pwd)}"
: "${SHIM_DIR:=$abs_top_builddir/shim}"

# Not the first python3 of PATH: scapy is installed for the system's.
python=/usr/bin/python3

cap_ns=nr-$$-c
gen_ns=nr-$$-g
work=
tap_count=0
tap_failed=0
flavour=stock
launcher=()

# --- TAP ---------------------------------------------------------------------

ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
}

# The beginning of FILE as TAP comments.
diag_file() {
	[ -s "$1" ] && head -n 25 "$1" | sed 's/^/# /'
	return 0
}

done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}

# A thing the test cannot do without is missing.
cannot_run() {
	if [ "${NETRING_TESTS_REQUIRED:-0}" = 1 ]; then
		echo "Bail out! $1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || cannot_run "no $program on this machine"
	done
}

# --- fixture -----------------------------------------------------------------

set_up() {
	[ "$(id -u)" = 0 ] || cannot_run "needs root"
	need ip ss env timeout "$python" "$@"
	# No skip: without these the build has failed, not the machine.
	[ -x "$abs_top_builddir/netring" ] || { echo "Bail out! no netring program"; exit 1; }
	[ -e "$SHIM_DIR/libpcap.so.0.8" ] || { echo "Bail out! no library in $SHIM_DIR"; exit 1; }
	trap clean_up EXIT
	trap 'exit 1' INT TERM HUP
	work=$(mktemp -d "${TMPDIR:-/tmp}/netring-clients.XXXXXX")
	# Programs that give up root write and read here too.
	chmod 755 "$work"
	export TMPDIR=$work
	ip netns add "$cap_ns" || cannot_run "cannot make network namespaces"
	ip netns add "$gen_ns"
	quiet_ipv6 "$cap_ns"
	quiet_ipv6 "$gen_ns"
	no_icmp_limit "$cap_ns"
	no_icmp_limit "$gen_ns"
	add_link 0 10.77.0
	ip -n "$cap_ns" link set lo up
}

# Router solicitations and duplicate address detection would be stray packets.
quiet_ipv6() {
	[ -e /proc/sys/net/ipv6 ] || return 0
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
}

# Every probe gets its answer, also the second within a second.
no_icmp_limit() {
	ip netns exec "$1" sysctl -qw net.ipv4.icmp_ratelimit=0
}

# A veth pair capN - genN with fixed addresses, neighbours known beforehand.
add_link() {
	local n=$1 net=$2
	ip link add "cap$n" netns "$cap_ns" address "02:00:00:0$n:77:02" type veth \
		peer name "gen$n" netns "$gen_ns" address "02:00:00:0$n:77:01"
	set_end "$cap_ns" "cap$n" "$net.2" "$net.1" "02:00:00:0$n:77:01"
	set_end "$gen_ns" "gen$n" "$net.1" "$net.2" "02:00:00:0$n:77:02"
	wait_for 20 has_queue "$cap_ns" "cap$n"
	wait_for 20 has_queue "$gen_ns" "gen$n"
}

# The end that was up first gets its queue from the kernel's link watch, some time after the other is up. Until then what it sends is lost, without an error.
has_queue() { # NAMESPACE INTERFACE
	ip -n "$1" link show "$2" | grep -q 'qdisc noqueue'
}

set_end() { # NAMESPACE INTERFACE ADDRESS NEIGHBOUR NEIGHBOUR_MAC
	# Offloads off: what the kernel sends is what is on the wire.
	if command -v ethtool >/dev/null; then
		ip netns exec "$1" ethtool -K "$2" gso off tso off gro off tx off >/dev/null 2>&1
	fi
	ip -n "$1" address add "$3/24" dev "$2"
	ip -n "$1" link set "$2" up
	ip -n "$1" neigh add "$4" lladdr "$5" dev "$2" nud permanent
}

# Everything in the namespaces was started by this test. Their sockets are gone
# when they are, so that the next run does not see them.
end_processes_in() {
	local tries p
	for tries in {1..500}; do
		for p in $(ip netns pids "$1" 2>/dev/null); do
			kill -KILL "$p" 2>/dev/null
			tries=again
		done
		[ "$tries" = again ] || return 0
		sleep 0.01
	done
	echo "# processes of $1 do not end"
	return 1
}

clean_up() {
	local status=$?
	trap '' INT TERM HUP
	end_processes_in "$cap_ns"
	end_processes_in "$gen_ns"
	ip netns del "$cap_ns" 2>/dev/null
	ip netns del "$gen_ns" 2>/dev/null
	if [ -n "$work" ] && [ -z "${KEEP_WORK:-}" ]; then rm -rf "$work"; fi
	exit "$status"
}

# --- the two flavours --------------------------------------------------------

on_stock() {
	flavour=stock
	launcher=()
	"$@"
}

on_netring() {
	flavour=netring
	# shellcheck disable=SC2206 # several settings
	launcher=(env ${CLIENT_TESTS_SETTINGS:-} "$abs_top_builddir/netring" run -L "$SHIM_DIR" --)
	"$@"
}

# Run SCENARIO in both flavours: the same outcome is the test point. Extended
# regular expressions after -e must each match a line of it, so that two equal
# failures do not pass.
compare() { # DESCRIPTION [-e REGEXP]... SCENARIO [ARG]...
	local what=$1 expected=() dir=$work/$((tap_count + 1))
	[[ $what =~ ${CLIENT_TESTS_ONLY:-} ]] || return 0
	shift
	while [ "$1" = -e ]; do
		expected+=("$2")
		shift 2
	done
	mkdir "$dir"
	on_stock run_scenario "$dir" "$@" && on_netring run_scenario "$dir" "$@"
	if [ ! -e "$dir/netring.done" ]; then
		not_ok "$what ($flavour)"
		diag_file "$dir/$flavour.trouble"
		diag_file "$dir/$flavour.outcome"
	elif ! diff -u "$dir/stock.outcome" "$dir/netring.outcome" >"$dir/diff"; then
		not_ok "$what: stock and netring differ"
		diag_file "$dir/diff"
	elif ! has_all "$dir/stock.outcome" ${expected[@]+"${expected[@]}"}; then
		not_ok "$what: equal, but not what should be"
		diag_file "$dir/stock.outcome"
	else
		ok "$what"
	fi
}

run_scenario() {
	local dir=$1
	shift
	mkdir "$dir/$flavour"
	# Programs that have given up root write here.
	chmod 1777 "$dir/$flavour"
	(cd "$dir/$flavour" && "$@") >"$dir/$flavour.outcome" 2>"$dir/$flavour.trouble" &&
		touch "$dir/$flavour.done"
	end_processes_in "$cap_ns"
	end_processes_in "$gen_ns"
	[ -e "$dir/$flavour.done" ]
}

has_all() { # FILE [REGEXP]...
	local file=$1 regexp
	shift
	[ -s "$file" ] || return 1
	for regexp in "$@"; do
		grep -qE -- "$regexp" "$file" || {
			echo "# no line matches: $regexp"
			return 1
		}
	done
}

# One test point: the runs so far really had the library they were meant to
# have, and no other (note_library saw their processes).
check_library() { # PROGRAM
	local stock netring
	[ -z "${CLIENT_TESTS_ONLY:-}" ] || [ -s "$work/libraries.stock" ] || return 0
	touch "$work/libraries.stock" "$work/libraries.netring"
	stock=$(readlink -f "$(ldconfig -p | awk '$1 == "libpcap.so.0.8" || $1 == "libpcap.so.1" { print $NF; exit }')")
	netring=$(readlink -f "$SHIM_DIR/libpcap.so.0.8")
	if [ "$(sort -u "$work/libraries.stock")" = "$stock" ] &&
		[ "$(sort -u "$work/libraries.netring")" = "$netring" ]; then
		ok "$1 had exactly one libpcap in its process each time: stock's, then netring's"
	else
		not_ok "$1 had exactly one libpcap in its process each time: stock's, then netring's"
		echo "# stock runs: $(sort -u "$work/libraries.stock" | tr '\n' ' ')"
		echo "# netring runs: $(sort -u "$work/libraries.netring" | tr '\n' ' ')"
	fi
}

# --- inside scenarios --------------------------------------------------------

fail() {
	echo "$*" >&2
	diag_file err >&2
	[ ! -s peer.err ] || tail -n 3 peer.err >&2
	exit 1
}

# CLIENT_TESTS_PATIENCE overrides all SECONDS: shorter where failures are wanted. There are ten looks for each second at least: a time in which the
# machine stood still does not count.
wait_for() { # SECONDS CONDITION [ARG]...
	local patience=${CLIENT_TESTS_PATIENCE:-$1}
	local deadline=$((SECONDS + patience)) looks=$((patience * 10))
	shift
	until "$@"; do
		[ "$((looks -= 1))" -gt 0 ] || [ "$SECONDS" -lt "$deadline" ] || fail "gave up waiting for: $*"
		sleep 0.02
	done
}

# A program in the capture namespace, to its end: output in out and err.
run() {
	timeout -k 2 40 ip netns exec "$cap_ns" ${launcher[@]+"${launcher[@]}"} "$@" \
		</dev/null >out 2>err
}

# The same in the background; $pid is the program's own (every step execs).
# A shell has SIGINT ignored in its background processes: undone by env.
start() {
	env --default-signal=INT,QUIT ip netns exec "$cap_ns" \
		${launcher[@]+"${launcher[@]}"} "$@" </dev/null >out 2>err &
	pid=$!
}

has_ended() {
	[ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

is_alive() {
	! has_ended "$1"
}

# Wait for the end of the started program, and print its exit code.
finish() {
	wait_for 20 has_ended "$pid"
	wait "$pid"
	echo "exit $?"
}

stop() { # SIGNAL
	kill -"$1" "$pid" || fail "$pid has ended too early"
	finish
}

# A program in the generator's namespace, in the background; always on stock.
start_peer() {
	ip netns exec "$gen_ns" "$@" </dev/null >peer.out 2>peer.err &
	peer_pid=$!
}

is_listening() { # NAMESPACE PORT
	ip netns exec "$1" ss -H -lnt "sport = :$2" | grep -q .
}

# Everything that arrives at the generator's end, for tests that send.
start_peer_capture() { # FILTER
	start_peer tcpdump --immediate-mode -U -Z root -i gen0 -Q in -w peer.pcap "$@"
	wait_for 20 has_line peer.err '^tcpdump: listening on'
}

peer_has() { # COUNT
	kill -USR1 "$peer_pid"
	grep -qE "^tcpdump: $1 packets? captured" peer.err
}

# The frames that arrived, once there are COUNT of them.
peer_packets() { # COUNT
	wait_for 20 peer_has "$1"
	packets --live peer.pcap
}

# Is a packet socket bound on INTERFACE ("*" for any) with a real protocol, and
# with a filter that lets something through if one is wanted? "expression" wants a
# program of more than one instruction: the snapshot length alone is one instruction
# on netring, before the program has set a filter. netring's idle handles carry
# another protocol, so they do not match "*:".
capturing() { # INTERFACE [filtered|expression]
	! has_xdp "$1" || { [ -z "${2:-}" ] || waits_for_packets; return; }
	ip netns exec "$cap_ns" ss -H -0 -b 2>/dev/null | awk -v name="*:$1" -v filtered="${2:-}" '
		/^p_/ { mine = ($4 == name || $5 == name); if (mine && filtered == "") found = 1 }
		/bpf filter/ && mine && !(filtered == "expression" ? /bpf filter \(1\)/ : /bpf filter \(1\): *0x06 0 0 0,/) { found = 1 }
		END { exit !found }'
}

has_xdp() { # INTERFACE
	ip -n "$cap_ns" -d link show "$1" 2>/dev/null | grep -q 'prog/xdp'
}

# AF_XDP shows nobody its filter. But a program that sleeps until there are packets has set it: poll, select, epoll_wait, pselect6, ppoll, epoll_pwait.
waits_for_packets() {
	local p
	for p in $(ip netns pids "$cap_ns"); do
		grep -qsE '^(7|23|232|270|271|281) ' "/proc/$p/syscall" && return
	done
	return 1
}

# The packet socket is there (and the filter): note which library it came from.
wait_capturing() { # INTERFACE [filtered|expression]
	local seen=
	wait_for 20 captures_or_ended "$@"
	[ -n "$seen" ] || fail "the program has ended instead of capturing"
	note_library
}

# Seen once is enough: who sleeps in poll on AF_XDP wakes up now and then. A daemon's first process may have ended since its socket was asked for.
captures_or_ended() {
	if capturing "$@"; then
		seen=yes
	elif has_ended "$pid"; then
		! capturing "$@" || seen=yes
	else
		return 1
	fi
}

# Note the path of every libpcap mapped by a process of the capture namespace. A
# short program may be over before it is seen: check_library wants at least one
# run of each flavour, not every one.
note_library() {
	wait_for 20 library_seen_or_ended >>"$work/libraries.$flavour"
}

library_seen_or_ended() {
	libraries_in_use | grep . || has_ended "$pid"
}

# Mapped to be run: "netring run" has the files of libraries mapped for a moment while it looks into them.
libraries_in_use() {
	local p
	for p in $(ip netns pids "$cap_ns"); do
		awk '$2 ~ /x/ { print $6 }' "/proc/$p/maps" 2>/dev/null
	done | grep -e '/libpcap[^/]*$' -e '/libnetring[^/]*$' | sort -u
}

has_line() { # FILE REGEXP
	grep -qaE -- "$2" "$1" 2>/dev/null
}

has_lines() { # FILE COUNT
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# Frames made by hand, from the generator or (send_back) the capture side.
send() {
	ip netns exec "$gen_ns" "$python" "$here/traffic.py" gen0 "$@" || fail "could not send"
}

send_back() {
	ip netns exec "$cap_ns" "$python" "$here/traffic.py" cap0 --reverse "$@" || fail "could not send"
}

# --- normalisers -------------------------------------------------------------

# The packets of capture files, one line each, without their times.
packets() {
	"$python" "$here/packets.py" "$@"
}

# netring adds its own version to libpcap's.
no_netring_version() {
	sed -E 's/(libpcap version [0-9.]+ \([^)]*\)), netring [^ ,]+/\1/'
}

# What is left of numbers that a clock makes: "0.123 seconds", "rtt=0.3 ms".
no_seconds() {
	sed -E 's/[0-9]+\.[0-9]+ ?(s|ms|seconds)\b/N \1/g'
}

no_clock() {
	sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6,9}/TIME/g'
}
