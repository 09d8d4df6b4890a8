#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The man pages: netring(7) lists exactly the variables of the table, with the table's ranges and defaults; netring(1) knows every option;
# mandoc has nothing to complain of. Needs abs_top_srcdir and abs_top_builddir.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"

netring=${abs_top_builddir:?}/netring
page1=$abs_top_srcdir/man/netring.1
page7=$abs_top_srcdir/man/netring.7

# entry NAME: what netring.7 says of a variable.
entry() {
	sed -n "/^\.It Ev $1\$/,/^\.It Ev\|^\.El/p" "$page7"
}

# member NAME KEY: of the table, as the program has it.
member() {
	env -i "$netring" env --json | sed -n "s/.*\"name\": \"$1\".*\"$2\": \"\([^\"]*\)\".*/\1/p"
}

names=$(env -i "$netring" env | sed -n 's/^\(NETRING_[A-Z_]*\) .*/\1/p')
[ "$(echo "$names" | wc -l)" -gt 10 ]
ok $? "netring env lists the variables"

for name in $names; do
	text=$(entry "$name")
	for key in allowed default; do
		value=$(member "$name" "$key")
		label=$(echo "$key" | sed 's/^a/A/; s/^d/D/')
		[ -n "$value" ] && printf '%s\n' "$text" | grep -Fxq "$label: $value."
		ok $? "netring.7: $name: $key" "expected '$label: $value.' in: $text"
	done
done

listed=$(sed -n 's/^\.It Ev \(NETRING_[A-Z_]*\)$/\1/p' "$page7")
[ "$names" = "$listed" ]
ok $? "netring.7 lists no other variable, in the same order" "$listed"

known=$(env -i "$netring" env --json | sed -n 's/.*"name": "\([A-Z0-9_]*\)", "variable": .*/\1/p')
listed=$(sed -n 's/^\.It Ev \(\(PCAP\|SNF\)_[A-Z0-9_]*\)$/\1/p' "$page7")
[ -n "$known" ] && [ "$known" = "$listed" ]
ok $? "netring.7 lists the aliases, and no other, in the same order" "$known"

for command in run env stats top doctor tune version; do
	for option in $("$netring" "$command" --help | sed -n 's/^ *\(-[a-zA-Z]\), .*/\1/p'); do
		grep -q "^\.It Fl ${option#-}" "$page1"
		ok $? "netring.1: $command $option"
	done
done

for profile in $(member NETRING_PROFILE allowed | tr -d ,); do
	grep -q "^\.It Cm $profile\$" "$page7"
	ok $? "netring.7: profile $profile"
done

if command -v mandoc >/dev/null; then
	for page in "$page1" "$page7"; do
		output=$(mandoc -Tlint -Wwarning "$page" 2>&1)
		ok $? "mandoc -Tlint $(basename "$page")" "$output"
	done
else
	skip "mandoc -Tlint" "mandoc is not installed"
fi

finish
