#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Instructions a packet in pcap_loop, 60 bytes; see callgrind.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=callgrind.sh disable=SC1091
. "$(dirname "$0")/callgrind.sh"
command -v valgrind >/dev/null || bench_fail "no valgrind"
bench_setup

per_packet stock
stock=$(calc "$OWN + $OTHERS" %.1f)
remark="in other libraries: stock $OTHERS"
per_packet netring
row "instructions a packet, pcap_loop, 60 B" "$stock" "$(calc "$OWN + $OTHERS" %.1f)" "$remark, netring $OTHERS"
