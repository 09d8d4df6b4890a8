# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# TAP for the scripts of this folder; source it. Each check runs a command and looks at its status and output.

count=0
failures=0

# ok STATUS NAME [DETAIL]: one line of TAP; the detail is shown if it failed.
ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		failures=$((failures + 1))
		echo "not ok $count - $2"
		[ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

# skip NAME REASON: counts as a failure where every test is required.
skip() {
	if [ "${NETRING_TESTS_REQUIRED:-}" = 1 ]; then
		ok 1 "$1" "required, but: $2"
	else
		count=$((count + 1))
		echo "ok $count - $1 # SKIP $2"
	fi
}

skip_all() {
	if [ "${NETRING_TESTS_REQUIRED:-}" = 1 ]; then
		echo "Bail out! required, but: $1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

# expect NAME STATUS PATTERN COMMAND...: exit status, and an extended regular expression that a line of stdout or stderr matches.
expect() {
	expect_name=$1 expect_status=$2 expect_pattern=$3
	shift 3
	output=$("$@" 2>&1 </dev/null)
	status=$?
	if [ "$status" -ne "$expect_status" ]; then
		ok 1 "$expect_name" "exit status $status, expected $expect_status; output: $output"
	elif ! printf '%s\n' "$output" | grep -Eq -e "$expect_pattern"; then
		ok 1 "$expect_name" "no line matches '$expect_pattern' in: $output"
	else
		ok 0 "$expect_name"
	fi
}

finish() {
	echo "1..$count"
	[ "$failures" -eq 0 ]
}
