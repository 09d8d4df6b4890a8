#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Several rings in one handle must show a program what one ring shows it: the live cases of the differential probe, on netring with one ring, with two that
# take packets in turn (lb), so that every other packet is in another ring, and with four that are filled by flow (hash). What has to differ is in
# rings-differences.txt, with the reason; what that says of a case is what it must be on several rings. One TAP point for each case and number of rings.
#
#   rings.sh            the cases below
#   rings.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${RINGS_DIFFERENCES:-$here/rings-differences.txt}
# shellcheck source-path=SCRIPTDIR source=variants.sh disable=SC1091
. "$here/variants.sh"

# Each of these is a text that ids contain.
cases() {
	cat <<-'END'
		3.1-6 snaplen
		3.1-14
		3.1-15
		3.1-17 immediate mode
		3.1-18 nanoseconds
		3.1-18 the stamp
		3.2-21
		3.2-22
		3.2-23
		3.3-25 rejected packets at hand
		3.3-25 silence, immediate
		3.3-25 silence, timeout 100
		3.3-26
		3.3-27
		3.3-28
		3.3-29
		3.3-30
		3.3-31
		3.3-32 nonblock before
		3.3-33
		3.3-34
		3.3-35
		3.4-
		3.5-42 5000
		3.5-42 short after long
		3.5-43
		3.5-44 SLL "link[4:4]
		3.5-45 in the library: VLAN 42
		3.5-45 kernel-only
		3.5-47
		3.6-48 on any
		3.6-48 on Ethernet
		3.6-48 snapshot length 68
		3.6-48 tagged among plain
		3.6-49 "vlan 42"
		3.7-
		3.8-54 before and after
		3.8-54 counted after
		3.8-54 loss
		3.8-54 setfilter
		3.8-55
		3.8-56
		3.9-57
		3.9-58
		3.9-59 handles
		3.9-59 no hidden
		3.9-59 pthread_cancel
		3.9-60
		3.11
	END
}

variants_begin
if [ $# -eq 0 ]; then
	cases >"$work/cases"
	while IFS= read -r text; do
		set -- "$@" "$text"
	done <"$work/cases"
fi

# Small rings, because several probes run at once.
small=NETRING_RING_SIZE=32M
variant first "$small NETRING_RINGS=1" "$@"
variant two "$small NETRING_RINGS=2 NETRING_FANOUT=lb" "$@"
variant four "$small NETRING_RINGS=4 NETRING_FANOUT=hash" "$@"
variants_wait
status=$?
compare two "two rings, lb" four "four rings, hash" || status=1
exit "$status"
