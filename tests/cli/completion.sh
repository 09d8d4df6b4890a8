#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Completion in bash, without the package bash-completion: what is offered where, that its options are those of each subcommand's --help, and that it is
# quick. Needs abs_top_srcdir and abs_top_builddir.
# shellcheck source-path=SCRIPTDIR source=tap.sh disable=SC1091
. "${abs_top_srcdir:?}/tests/cli/tap.sh"
unset NETRING_PROFILE NETRING_CONFIG

netring=${abs_top_builddir:?}/netring
# shellcheck source-path=SCRIPTDIR source=../../share/netring.bash-completion disable=SC1091
. "$abs_top_srcdir/share/netring.bash-completion"

# offers WORD…: what completion makes of the last word, as one line; the first is the command's.
offers() {
	COMP_WORDS=("$netring" "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_netring
	echo "${COMPREPLY[*]}"
}

# is NAME EXPECTED WORD…
is() {
	local name=$1 expected=$2 got
	shift 2
	got=$(offers "$@")
	[ "$got" = "$expected" ]
	ok $? "$name" "$got, and not $expected"
}

# has NAME WORD… -- WORD…: the first ones are among what is offered for the others.
has() {
	local name=$1 wanted=() got word missing=
	shift
	while [ "$1" != -- ]; do
		wanted+=("$1")
		shift
	done
	shift
	got=$(offers "$@")
	for word in "${wanted[@]}"; do
		[[ " $got " == *" $word "* ]] || missing+=" $word"
	done
	[ -z "$missing" ]
	ok $? "$name" "not offered:$missing; but: $got"
}

complete -p netring | grep -q -- '-F _netring netring'
ok $? "it is the command's"

# Each subcommand that there is, and its options, are those of --help.
commands=$("$netring" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 5 ]
ok $? "netring --help lists the commands" "$commands"
for command in $commands; do
	has "$command" "$command" -- ""
	known=$("$netring" "$command" --help | sed -n 's/^  \(-[a-zA-Z], \|    \)\(--[a-z-]*\).*/\1\2/p' | tr -s ', ' '\n' | grep . | sort)
	# --help itself is not in the list of most.
	offered=$(offers "$command" - | tr ' ' '\n' | grep -vx -e -h -e --help | sort)
	[ -n "$known" ] && [ "$(grep -vx -e -h -e --help <<<"$known")" = "$offered" ]
	ok $? "$command: its options" "$(diff <(echo "$known") <(echo "$offered"))"
	has "$command: --help" --help -- "$command" --h
done

is "a word begun" "stats" st
is "nothing" "" xyz
has "profiles" default high_throughput low_latency low_memory jumbo -- run -p ""
is "a profile begun" "jumbo" run --profile j
cat >"${TMPDIR:-/tmp}/nr-$$.conf" <<'END'
[profile mine]
ring_size = 1M
END
trap 'rm -rf "${TMPDIR:-/tmp}/nr-$$.conf" "${TMPDIR:-/tmp}/nr-$$"' EXIT
NETRING_CONFIG=${TMPDIR:-/tmp}/nr-$$.conf has "a profile of the configuration file" mine jumbo -- run -p ""
has "variables" RING_SIZE= BACKEND= LOG= -- run -o ""
for name in $("$netring" env | sed -n 's/^NETRING_\([A-Z0-9_]*\) .*/\1/p'); do
	has "variable $name" "$name=" -- run -o "${name:0:3}"
done
has "with the prefix" NETRING_RING_SIZE= NETRING_RINGS= -- run -o NETRING_RIN
has "a prefix begun" NETRING_RING_SIZE= -- run -o NETR
has "or another name" NETRING_RING_SIZE= NUMA= -- run -o N
is "a variable begun" "BACKEND=" run --option BA
# The words of a variable, as bash cuts them.
is "after =" "auto packet xdp libpcap" run -o BACKEND =
is "a word of a variable" "libpcap" run -o BACKEND = l
is "with the prefix, too" "libpcap" run -o NETRING_BACKEND = l
has "booleans" yes no 0 1 -- run -o STRICT = ""
is "a mode of fanout" "symmetric" run -o FANOUT = s
is "or a number" "auto" run -o RINGS = a
is "nothing for a size" "" run -o RING_SIZE = ""
has "profiles there, too" jumbo -- run -o PROFILE = ""
COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
is "where = cuts no words" "BACKEND=libpcap" run -o BACKEND=l
is "and with the prefix" "NETRING_BACKEND=libpcap" run -o NETRING_BACKEND=l

mkdir -p "${TMPDIR:-/tmp}/nr-$$/bin" && printf '#!/bin/sh\n' >"${TMPDIR:-/tmp}/nr-$$/bin/nr-program-$$" && chmod 755 "${TMPDIR:-/tmp}/nr-$$/bin/nr-program-$$"
PATH=${TMPDIR:-/tmp}/nr-$$/bin:$PATH
is "programs" "nr-program-$$" run nr-prog
is "programs behind --" "nr-program-$$" run -f -- nr-prog
is "programs behind options" "nr-program-$$" run -p jumbo -o RINGS = 2 -f nr-prog
is "the program's own words are its own" "${TMPDIR:-/tmp}/nr-$$/bin" run -- cat "${TMPDIR:-/tmp}/nr-$$/b"
is "and its options" "" run -- cat -
is "a program's sections" "nr-program-$$" env -p nr-prog
has "interfaces for env" lo -- env -i ""
has "interfaces for doctor" lo -- doctor ""
has "interfaces for tune" lo -- tune ""
is "folders" "${TMPDIR:-/tmp}/nr-$$/bin" run -L "${TMPDIR:-/tmp}/nr-$$/"
is "a program for doctor" "nr-program-$$" doctor lo -- nr-prog

# Captures: from what netring stats says; here one says it in its place.
cat >"${TMPDIR:-/tmp}/nr-$$/stats" <<'END'
#!/bin/sh
[ "$*" = "stats --json" ] && printf '      "pid": 1234,\n      "process": "tcpdump",\n      "process": "b \\" d",\n      "pid": 77\n'
[ "$*" = "stats --json" ] && printf '      "process": "$(touch${IFS}%s/ran)"\n' "${0%%/*}"
END
chmod 755 "${TMPDIR:-/tmp}/nr-$$/stats"
netring_built=$netring netring=${TMPDIR:-/tmp}/nr-$$/stats
has "captures" 1234 77 tcpdump -- stats ""
[ ! -e "${TMPDIR:-/tmp}/nr-$$/ran" ]
ok $? "what a process calls itself is not run"
is "captures for top" "tcpdump" top t
netring=$netring_built

# Without = among the words it is one process of netring at most.
printf '#!/bin/sh\necho started >>"%s"\nexec "%s" "$@"\n' "${TMPDIR:-/tmp}/nr-$$/started" "$netring" >"${TMPDIR:-/tmp}/nr-$$/counted"
chmod 755 "${TMPDIR:-/tmp}/nr-$$/counted"
netring_built=$netring netring=${TMPDIR:-/tmp}/nr-$$/counted
has "what one process offers" RING_SIZE= -- run -o RI
[ "$(wc -l <"${TMPDIR:-/tmp}/nr-$$/started")" = 1 ]
ok $? "it starts netring once" "$(wc -l <"${TMPDIR:-/tmp}/nr-$$/started") times"
netring=$netring_built
# The shortest time of twenty is what it takes: the others wait for the CPU, too.
least=1000000
for _ in {1..20}; do
	begin=${EPOCHREALTIME/./}
	offers run -o RI >/dev/null
	took=$((${EPOCHREALTIME/./} - begin))
	[ "$took" -ge "$least" ] || least=$took
done
[ "$least" -lt 50000 ]
ok $? "it is quick" "$least us"

# Strange words break nothing.
# shellcheck disable=SC1003,SC2016 # they are meant to be strange
for word in "'" '"' '$(touch x)' '`' '*' '\' '-' '--' '=' 'a b'; do
	offers "$word" >/dev/null 2>"${TMPDIR:-/tmp}/nr-$$/err" && offers run -o "$word" >/dev/null 2>>"${TMPDIR:-/tmp}/nr-$$/err" &&
		offers "$word" "$word" "" >/dev/null 2>>"${TMPDIR:-/tmp}/nr-$$/err" && [ ! -s "${TMPDIR:-/tmp}/nr-$$/err" ]
	ok $? "word $word" "$(cat "${TMPDIR:-/tmp}/nr-$$/err")"
done

finish
