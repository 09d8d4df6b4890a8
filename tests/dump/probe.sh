#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Savefiles written in every way a program may, with the system's libpcap and with netring's: what the calls return, what the texts say and
# every byte of every file must be the same, save for expected-differences.txt. One TAP point for each case.
#
#   probe.sh            all cases
#   probe.sh TEXT...    the cases whose id contains one of the texts
#
# DUMP_FOLDER: where the cases without "tmpfs" or "ramfs" in their name write; default: the build directory, which should be on a disk.
here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
export DUMP_FOLDER="${DUMP_FOLDER:-$build}"
PROBE=${PROBE:-$build/tests/dump/probe} EXPECTED_DIFFERENCES=${EXPECTED_DIFFERENCES:-$here/expected-differences.txt} \
	exec "$here/../differential/differential.sh" "$@"
