#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP must show a program what a packet ring shows it, of packets that come in: the live cases of the differential probe, on netring with one packet ring,
# and with XDP in the driver and in front of the stack. What has to differ is in xdp-differences.txt, with the reason; what that says of a case is what it
# must be on XDP. One TAP point for each case and mode. That a packet ring shows what libpcap shows is differential.sh's.
#
#   xdp.sh            the cases below
#   xdp.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${XDP_DIFFERENCES:-$here/xdp-differences.txt}
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

# The log says other things of XDP, so it is not on stderr.
xdp="NETRING_BACKEND=xdp NETRING_XDP_STEAL=1 NETRING_XDP_FRAMES=4096 NR_WITNESS=counters"
variant first "NETRING_LOG_FILE=$work/log.first NETRING_RINGS=1 NETRING_RING_SIZE=32M" "$@"
variant native "NETRING_LOG_FILE=$work/log.native $xdp NETRING_XDP_MODE=native" "$@"
variant generic "NETRING_LOG_FILE=$work/log.generic $xdp NETRING_XDP_MODE=generic" "$@"
variants_wait
status=$?
compare native "XDP, native" generic "XDP, generic" || status=1
exit "$status"
