#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Copies in XDP must show a program what libpcap shows it, of packets that come in: the cases of the differential probe on the system's libpcap, and on
# netring with NETRING_BACKEND=xdp-tap, as XDP goes by itself (in the driver, where that can) and in front of the stack. What has to differ is in
# xdp-tap-differences.txt, with the reason; where netring differs from libpcap anyway, expected-differences.txt says it. What they say of a case is what it
# must be here, and a difference that does not show is a failure as well. One TAP point for each case and mode.
#
#   xdp-tap.sh            the cases of live-cases.txt
#   xdp-tap.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${XDP_TAP_DIFFERENCES:-$here/xdp-tap-differences.txt}
# shellcheck source-path=SCRIPTDIR source=variants.sh disable=SC1091
. "$here/variants.sh"

variants_begin "$@"
expected_anyway "$here/expected-differences.txt"

# The log says other things of XDP, so it is not on stderr. The host gets every packet, so the probe's witness sees them.
tap="NETRING_BACKEND=xdp-tap NETRING_RING_SIZE=32M"
on_libpcap first "$@"
variant auto "NETRING_LOG_FILE=$work/log.auto $tap NETRING_XDP_MODE=auto" "$@"
variant generic "NETRING_LOG_FILE=$work/log.generic $tap NETRING_XDP_MODE=generic" "$@"
variants_wait
status=$?
compare auto "copies in XDP" generic "copies in XDP, generic" || status=1
exit "$status"
