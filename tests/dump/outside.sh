#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# probe.sh once more, with dumping that happens in no read: written as libpcap does, nothing is held back.
export DUMP_OUTSIDE=1
exec "$(dirname "$0")/probe.sh" "$@"
