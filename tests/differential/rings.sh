#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Several rings in one handle must show a program what one ring shows it: the live cases of the differential probe, on netring with one ring, with two that
# take packets in turn (lb), so that every other packet is in another ring, and with four that are filled by flow (hash). What has to differ is in
# rings-differences.txt, with the reason; what that says of a case is what it must be on several rings. One TAP point for each case and number of rings.
#
#   rings.sh            the cases of live-cases.txt
#   rings.sh TEXT...    the cases whose id contains one of the texts

set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
shim=${SHIM_DIR:-$build/shim}
probe=${PROBE:-$build/tests/differential/probe}
expected=${RINGS_DIFFERENCES:-$here/rings-differences.txt}
# shellcheck source-path=SCRIPTDIR source=variants.sh disable=SC1091
. "$here/variants.sh"

variants_begin "$@"
# A packet that may have to wait for another ring need not.
may_agree=1

# Small rings, because several probes run at once.
small=NETRING_RING_SIZE=32M
variant first "$small NETRING_RINGS=1" "$@"
variant two "$small NETRING_RINGS=2 NETRING_FANOUT=lb" "$@"
variant four "$small NETRING_RINGS=4 NETRING_FANOUT=hash" "$@"
variants_wait
status=$?
compare two "two rings, lb" four "four rings, hash" || status=1
exit "$status"
