# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the scripts of this folder share: TAP, two namespaces with a veth pair (tests/support/netns.sh), a program on either library, numbered
# frames. A failure prints what was there instead.
#
# Environment: abs_top_builddir, SHIM_DIR; DUMP_FOLDER: where savefiles go, default the build directory, which should be on a disk.

set -u
export LC_ALL=C
DUMP_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${abs_top_builddir:=$(cd "$DUMP_HERE/../.." && pwd)}"
: "${SHIM_DIR:=$abs_top_builddir/shim}"
NUMBERED=$abs_top_builddir/tests/dump/numbered
RECORD=$abs_top_builddir/tests/dump/record
FOLDER=

# shellcheck source-path=SCRIPTDIR source=../support/netns.sh disable=SC1091
. "$DUMP_HERE/../support/netns.sh"
# shellcheck source-path=SCRIPTDIR source=../cli/tap.sh disable=SC1091
. "$DUMP_HERE/../cli/tap.sh"

dump_set_up() {
	local obstacle program
	obstacle=$(nr_obstacle)
	[ -z "$obstacle" ] || skip_all "$obstacle"
	for program in "$@"; do
		command -v "$program" >/dev/null || skip_all "no $program on this machine"
	done
	# No skip: without these the build has failed, not the machine.
	for program in "$SHIM_DIR/libpcap.so.0.8" "$NUMBERED" "$RECORD"; do
		[ -e "$program" ] || { echo "Bail out! no $program" && exit 1; }
	done
	trap dump_clean_up EXIT
	trap 'exit 1' INT TERM HUP
	nr_pair_up || skip_all "cannot set up the namespaces"
	FOLDER=$(mktemp -d "${DUMP_FOLDER:-$abs_top_builddir}/dump-XXXXXX") || exit 1
	chmod 1777 "$FOLDER"
}

dump_clean_up() {
	nr_cleanup
	[ -z "$FOLDER" ] || rm -rf "$FOLDER"
}

# on LIBRARY: leaves in ON what to put in front of a program.
on() {
	case $1 in
	stock) ON=(env -u LD_PRELOAD -u LD_LIBRARY_PATH) ;;
	netring) ON=(env "LD_LIBRARY_PATH=$SHIM_DIR" "LD_PRELOAD=$SHIM_DIR/libpcap.so.0.8") ;;
	esac
}

# start_capture PROGRAM…: in the background, behind ON; returns when it listens. PID is its process, $NR_TMP/out and err what it says.
start_capture() {
	nr_start PID "$NR_RX" "${ON[@]}" "$@" >"$NR_TMP/out" 2>"$NR_TMP/err"
	nr_wait 30 listens || { echo "# no capture: $* $(cat "$NR_TMP/err")" && return 1; }
	! nr_ended "$PID"
}

# SIGKILL, without the shell's remark.
pull_plug() { nr_stop "$1" KILL; } 2>/dev/null

listens() {
	grep -q '^ready' "$NR_TMP/out" || grep -q 'listening on' "$NR_TMP/err" || nr_ended "$PID"
}

send() { in_tx "$NUMBERED" send nr0 "$@"; }

# What "numbered check" says of files; nothing if there is none. field NAME LINE: one value of it.
contents() { "$NUMBERED" check "$@" 2>/dev/null; }

field() {
	local rest=" $2"
	rest=${rest#*" $1="}
	echo "${rest%% *}"
}

has_packets() { # FILE COUNT
	local line
	line=$(contents "$1")
	[ "$(field packets "$line")" -ge "$2" ] 2>/dev/null
}

has_bytes() { # FILE COUNT
	[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}
