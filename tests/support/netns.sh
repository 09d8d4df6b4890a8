# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Two network namespaces with a veth pair between them, and waiting with a deadline. For bash scripts:
#
#	. "$abs_top_srcdir/tests/support/netns.sh"
#	trap nr_cleanup EXIT
#	nr_pair_up                                # nr0 in $NR_TX, nr1 in $NR_RX, up, no addresses
#	nr_start PID "$NR_RX" tcpdump -i nr1 …    # PID gets the process id; nr_cleanup kills it
#	nr_wait 5 grep -q ready "$NR_TMP/out"     # false after 5 seconds
#
# The receiving end has GRO on, which gives it NAPI: without that it takes no XDP frames (bench/blast.c). IPv6 is off, so that no
# packet is on the wire that the test has not sent.
#
# Owns: the namespaces nr-PID-tx and nr-PID-rx, the directory $NR_TMP, and the processes started with nr_start.

NR_TX="nr-$$-tx"
NR_RX="nr-$$-rx"
NR_TMP=
NR_PIDS=()

# nsenter, not "ip netns exec" or "ip -n": those make "/" a slave mount and mount /sys anew, which fails in a chroot whose root is
# no mount point. So /sys is still that of the namespace outside.
in_tx() { nsenter --net="/run/netns/$NR_TX" "$@"; }
in_rx() { nsenter --net="/run/netns/$NR_RX" "$@"; }

# Why no namespace can be made here, or nothing if one can.
nr_obstacle() {
	local probe="nr-$$-probe"
	if [ "$(id -u)" != 0 ]; then
		echo "not root"
	elif ! command -v ip >/dev/null; then
		echo "no ip program (package iproute2)"
	elif ! command -v ethtool >/dev/null; then
		echo "no ethtool program (package ethtool)"
	elif ! ip netns add "$probe" 2>/dev/null; then
		echo "cannot make a network namespace"
	else
		ip netns del "$probe"
	fi
}

nr_namespace_up() {
	ip netns add "$1" || return 1
	nsenter --net="/run/netns/$1" ip link set lo up
	# shellcheck disable=SC2016 # expanded inside the namespace
	nsenter --net="/run/netns/$1" sh -c 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -w "$f" ] || echo 1 >"$f"; done'
}

nr_pair_up() {
	NR_TMP=$(mktemp -d "${TMPDIR:-/tmp}/nr-$$-XXXXXX") || return 1
	nr_namespace_up "$NR_TX" &&
		nr_namespace_up "$NR_RX" &&
		in_tx ip link add nr0 type veth peer name nr1 netns "$NR_RX" &&
		in_rx ethtool -K nr1 gro on &&
		in_tx ip link set nr0 up &&
		in_rx ip link set nr1 up &&
		nr_wait 5 nr_link_is_up
}

# The end that came up first gets its queue from the kernel's link watch, a while after LOWER_UP, and loses until then what it is to send.
nr_link_is_up() { nr_sends in_tx nr0 && nr_sends in_rx nr1; }
nr_sends() { [[ $("$1" ip link show "$2") == *" state UP "* ]]; }

# nr_wide_pair SENDING RECEIVING: another pair, with two queues, so that what two CPUs send is received on both at once.
nr_wide_pair() {
	in_tx ip link add "$1" numtxqueues 2 numrxqueues 2 type veth peer name "$2" numtxqueues 2 numrxqueues 2 netns "$NR_RX" &&
		in_rx ethtool -K "$2" gro on &&
		in_tx ip link set "$1" up &&
		in_rx ip link set "$2" up &&
		nr_wait 5 nr_sends in_tx "$1" && nr_wait 5 nr_sends in_rx "$2"
}

# nr_wait SECONDS COMMAND…: true as soon as the command is, false when the time is up. Where the machine stood still for a part of the time, or
# each look takes long, it does not count: there are ten looks for each second at least.
nr_wait() {
	local deadline=$((SECONDS + $1 + 1)) looks=$(($1 * 10))
	shift
	until "$@"; do
		[ "$((looks -= 1))" -gt 0 ] || [ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# nr_start VARIABLE NAMESPACE PROGRAM…: in the background; redirect around the call. Its process id goes to the variable:
# env and nsenter turn themselves into the program, so it is the program's own. SIGHUP is as at a terminal, also under nohup: tcpdump looks.
nr_start() {
	local -n nr_start_pid=$1
	local namespace=$2
	shift 2
	env --default-signal=HUP nsenter --net="/run/netns/$namespace" "$@" </dev/null &
	# shellcheck disable=SC2034 # a reference to the caller's variable
	nr_start_pid=$!
	NR_PIDS+=("$!")
}

# nr_stop PID [SIGNAL [SECONDS]]: ends a process and waits for it; the exit status is the process's. Too slow: SIGKILL.
nr_stop() {
	kill -s "${2:-TERM}" "$1" 2>/dev/null
	nr_wait "${3:-10}" nr_ended "$1" || kill -s KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

nr_ended() {
	local line
	line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	line=${line##*) }
	[ "${line:0:1}" = Z ]
}

nr_cleanup() {
	local pid
	for pid in "${NR_PIDS[@]}"; do
		kill -s KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	ip netns del "$NR_TX" 2>/dev/null
	ip netns del "$NR_RX" 2>/dev/null
	[ -z "$NR_TMP" ] || rm -rf "$NR_TMP"
}
