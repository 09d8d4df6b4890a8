# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # here, shim, probe, expected are of those who source it
#
# The probe on netring in several settings side by side, and on libpcap, compared with the first of them. What has to differ is in a list of three fields with
# tabs between them: the id of a case, an extended regular expression that the whole result matches, the reason. One TAP point for each case and setting but the
# first, and one for what is wrong with the list: a case that there is not, a result that the first has, too (where may_agree=1 it may, at times).

work=
pids=

cannot_run() {
	if [ "${NETRING_TESTS_REQUIRED:-0}" = 1 ]; then
		echo "1..1"
		echo "not ok 1 - $1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

clean_up() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	[ -n "$work" ] && rm -rf "$work"
}

# start NAME SETTINGS [TEXT...]: in the background, the cases whose id contains one of the texts, or one of live-cases.txt; the result is $work/NAME.
start() {
	name=$1 settings=$2
	shift 2
	if [ $# -eq 0 ]; then
		while IFS= read -r text; do
			set -- "$@" "$text"
		done <"$here/live-cases.txt"
	fi
	# shellcheck disable=SC2086 # several settings
	env ${preload:+LD_LIBRARY_PATH="$shim" LD_PRELOAD="$preload"} $settings "$probe" "$@" >"$work/$name" &
	pids="$pids $!"
}

# variant NAME SETTINGS [TEXT...]: on netring. on_libpcap NAME [TEXT...]: without.
variant() {
	preload=$shim/libpcap.so.0.8
	start "$@"
}

on_libpcap() {
	name=$1
	shift
	preload=
	start "$name" "-u LD_PRELOAD -u LD_LIBRARY_PATH" "$@"
}

# compare NAME TITLE...: the variants that are compared with the one called "first", and what the test points call them.
compare() {
	: >"$work/titles"
	files=
	while [ $# -gt 0 ]; do
		printf '%s\t%s\n' "$work/$1" "$2" >>"$work/titles"
		files="$files $work/$1"
		shift 2
	done
	# shellcheck disable=SC2086 # several files
	awk -F '\t' -v whole="$whole" -v may_agree="${may_agree:-0}" -v unused="$work/unused" '
	function trimmed(text) { sub(/; *$/, "", text); return text }
	function point(good, text) {
		print (good ? "ok " : "not ok ") ++points " - " text
		if (!good) failed++
	}
	function judge(id, variant,   result, good) {
		result = others[variant, id]
		if (!((variant, id) in others)) good = 0
		else if (id in want) good = result ~ ("^(" want[id] ")$")
		else good = result == one[id]
		point(good, title[variant] ": " id (good && id in want ? " (" why[id] ")" : ""))
		if (good) return
		print "# first: " one[id]
		print "# " title[variant] ": " result
		if (id in want) print "# expected: " want[id]
	}
	# Of the list, in which the cases that have been run are known.
	function review(id) {
		if (!(id in one)) {
			if (whole) point(0, id " is listed, but no case has that id")
		} else if (!may_agree && one[id] ~ ("^(" want[id] ")$")) {
			point(0, id " is listed, but what is expected is no difference")
			print "# first: " one[id]
		}
	}
	FILENAME ~ /expected$/ {
		if ($0 ~ /^#/ || $0 ~ /^ *$/) next
		if (NF != 3) point(0, "line " FNR " of the list has an id, a result and a reason")
		want[$1] = $2; why[$1] = $3; listed[$1] = 1; next
	}
	FILENAME ~ /anyway$/ { want[$1] = $2; why[$1] = $3; next }
	FILENAME ~ /titles$/ { variants[++variant_count] = $1; title[$1] = $2; next }
	FILENAME ~ /first$/ { order[++count] = $1; one[$1] = trimmed($2); next }
	{ others[FILENAME, $1] = trimmed($2) }
	END {
		for (i = 1; i <= count; i++)
			for (v = 1; v <= variant_count; v++) judge(order[i], variants[v])
		for (id in listed) review(id)
		while ((getline text <unused) > 0) point(0, "live-cases.txt: no case has \"" text "\" in its id")
		if (count == 0) point(0, "the probe ran some case")
		print "1.." points
		exit failed > 0
	}' "$work/anyway" "$work/expected" "$work/titles" "$work/first" $files
}

# expected_anyway LIST: where netring in any setting differs from libpcap, which is then the first. Four fields, as differential.sh has them.
expected_anyway() {
	awk -F '\t' -v OFS='\t' '!/^#/ && NF == 4 { gsub(/[][\\.*^$+?(){}|]/, "\\\\&", $3); print $1, $3, $4 }' "$1" >"$work/anyway"
}

# Of live-cases.txt, the texts that choose no case.
find_unused() {
	"$probe" --list >"$work/ids"
	while IFS= read -r text; do
		grep -qF -e "$text" "$work/ids" || echo "$text"
	done <"$here/live-cases.txt" >"$work/unused"
}

# variants_begin [TEXT...]: traps, checks, the directory.
variants_begin() {
	whole=$(($# == 0))
	trap clean_up EXIT
	trap 'exit 1' HUP INT TERM
	[ -x "$probe" ] || cannot_run "no probe at $probe"
	[ -e "$shim/libpcap.so.0.8" ] || cannot_run "no drop-in at $shim"
	unshare -n true 2>/dev/null || cannot_run "may not make network namespaces"
	work=$(mktemp -d) || exit 1
	cp "$expected" "$work/expected"
	: >"$work/anyway"
	find_unused
}

# False if one of them failed.
variants_wait() {
	failed=0
	for pid in $pids; do
		wait "$pid" || failed=1
	done
	pids=
	[ "$failed" -eq 0 ]
}
