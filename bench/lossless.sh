# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # BEST and the others are for those who source it
#
# Searching the highest rate at which a counting program loses nothing. Needs lib.sh, and two functions of the caller's: reader_start NAME, reader_end,
# which leaves the program's line in COUNTED.

LOSSLESS_SECONDS=1
LOSSLESS_STEPS=6
LOSSLESS_BLAST=() # options of the sender

# lossless NAME RATE COUNT: true if all arrived. RATE_REACHED, SHARE (of what was sent, in %) and CPU_NS (a packet) are of this run.
lossless() {
	local name=$1 rate=$2 count=$3 sent
	reader_start "$name"
	sent=$(blast "${LOSSLESS_BLAST[@]}" -r "$rate" -c "$count") || bench_fail "blast failed"
	reader_end
	RATE_REACHED=$(value pps "$sent")
	SHARE=$(calc "100 * $(value delivered "$COUNTED") / $(value sent "$sent")" %.1f)
	CPU_NS=$(calc "$(value cpu_s "$COUNTED") * 1e9 / ($(value delivered "$COUNTED") + 1)" %.1f)
	[ "$(value delivered "$COUNTED")" = "$(value sent "$sent")" ]
}

# Other work on the machine makes losses, never the opposite: a rate has three attempts.
lossless_at_times() { lossless "$@" || lossless "$@" || lossless "$@"; }

# search NAME: leaves in BEST the highest lossless rate, in FLAT_OUT the best share in % without a limit, and in LIMITED whether the sender was what
# limited the rate.
search() {
	local name=$1 low=50000 high middle step attempt
	LIMITED=
	FLAT_OUT=0
	for attempt in 1 2 3; do
		if lossless "$name" 0 4000000; then
			BEST=$RATE_REACHED FLAT_OUT=100 LIMITED=yes
			return
		fi
		FLAT_OUT=$(calc "$SHARE > $FLAT_OUT ? $SHARE : $FLAT_OUT" %.1f)
	done
	high=$RATE_REACHED
	BEST=0
	for ((step = 0; step < LOSSLESS_STEPS; step++)); do
		middle=$(((low + high) / 2))
		if lossless_at_times "$name" "$middle" $((middle * LOSSLESS_SECONDS)); then
			low=$middle
			BEST=$(calc "$RATE_REACHED > $BEST ? $RATE_REACHED : $BEST" %d)
		else
			high=$middle
		fi
		note "$name: $middle pps, best $BEST"
	done
}
