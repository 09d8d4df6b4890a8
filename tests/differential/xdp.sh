#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# AF_XDP must show a program what a packet ring shows it, of packets that come in: the live cases of the differential probe, on netring with one packet ring,
# and with XDP in the driver and in front of the stack. What has to differ is in xdp-differences.txt, with the reason; what that says of a case is what it
# must be on XDP. One TAP point for each case and mode. That a packet ring shows what libpcap shows is differential.sh's.
#
#   xdp.sh            the cases of live-cases.txt
#   xdp.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${XDP_DIFFERENCES:-$here/xdp-differences.txt}
# shellcheck source-path=SCRIPTDIR source=variants.sh disable=SC1091
. "$here/variants.sh"

variants_begin "$@"
# See handles.c: packets are captured from the first sign of interest on.
export NR_INTEREST=1

# The log says other things of XDP, so it is not on stderr.
xdp="NETRING_BACKEND=xdp NETRING_XDP_STEAL=1 NETRING_XDP_FRAMES=4096 NR_WITNESS=counters"
variant first "NETRING_LOG_FILE=$work/log.first NETRING_RINGS=1 NETRING_RING_SIZE=32M" "$@"
variant native "NETRING_LOG_FILE=$work/log.native $xdp NETRING_XDP_MODE=native" "$@"
variant generic "NETRING_LOG_FILE=$work/log.generic $xdp NETRING_XDP_MODE=generic" "$@"
variants_wait
status=$?
compare native "XDP, native" generic "XDP, generic" || status=1
exit "$status"
