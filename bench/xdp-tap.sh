#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Copies in XDP (NETRING_BACKEND=xdp-tap) against netring's packet ring, both with the same filter, veth, frames that are XDP's from the beginning: what a
# sender reaches flat out, because the kernel's receive path is on its CPU, and whether all that the filter wants arrives. The "stock" column is the packet
# ring's.
#
# BENCH_CASES: SIZE/SNAPLEN/SHARE, SHARE being how many of a hundred packets the filter wants: 100, 10 or 0.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"

CASES=${BENCH_CASES:-60/128/0 60/128/10 60/128/100 1514/128/10 1514/128/100 1514/1514/10 1514/1514/100}
PACKETS=${BENCH_PACKETS:-2000000}
FLOWS=10
bench_setup

# filter_for SHARE: leaves options of count's in FILTER.
filter_for() {
	case $1 in
	100) FILTER=() ;;
	10) FILTER=(-f 'udp src port 1024') ;;
	0) FILTER=(-f 'udp src port 7777') ;;
	*) bench_fail "no share of $1 %" ;;
	esac
}

# once BACKEND SIZE SNAPLEN SHARE: adds to files what the sender reached, what arrived of what was wanted in %, and the reader's CPU time for each sent.
once() {
	local backend=$1 sent wanted
	COUNT_SETTINGS=(NETRING_LOG=error NETRING_STRICT=1 "NETRING_BACKEND=$backend")
	filter_for "$4"
	count_start netring -t 10 -p "$READER_CPU" -s "$3" "${FILTER[@]}"
	sent=$(blast -r 0 -s "$2" -f $FLOWS -c "$PACKETS") || bench_fail "blast failed"
	count_end
	wanted=$(($(value passed "$sent") * $4 / 100))
	calc "$(value pps "$sent") / 1e6" '%.3f\n' >>"$NR_TMP/$backend.mpps"
	calc "$wanted ? 100 * $(value delivered "$COUNTED") / $wanted : 100" '%.2f\n' >>"$NR_TMP/$backend.share"
	calc "$(value cpu_s "$COUNTED") * 1e9 / $PACKETS" '%.1f\n' >>"$NR_TMP/$backend.cpu"
}

for case in $CASES; do
	IFS=/ read -r size snaplen share <<<"$case"
	rm -f "$NR_TMP"/*.mpps "$NR_TMP"/*.share "$NR_TMP"/*.cpu
	for ((run = 0; run < BENCH_RUNS; run++)); do
		once packet "$size" "$snaplen" "$share"
		once xdp-tap "$size" "$snaplen" "$share"
	done
	row "sender, Mpps, beside xdp-tap: $size B, snaplen $snaplen, $share % wanted" "$(median_of "$NR_TMP/packet.mpps")" \
		"$(median_of "$NR_TMP/xdp-tap.mpps")" \
		"arrived $(median_of "$NR_TMP/packet.share") % and $(median_of "$NR_TMP/xdp-tap.share") %; reader's CPU for each sent $(median_of "$NR_TMP/packet.cpu") and $(median_of "$NR_TMP/xdp-tap.cpu") ns"
done
