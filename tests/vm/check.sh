#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs tests in the virtual machine (the command of tests/vm/run.sh), in the build directory: check.sh TEST…, with the names that make check's TESTS
# takes. One line for each, with what failed and what was skipped below it. Exit status: how many tests failed.
# VM_TEST_SECONDS (600) is the limit of one test.
: "${abs_top_srcdir:?}" "${abs_top_builddir:?}" "${SHIM_DIR:?}"
# A test that fails, here often for slowness, must not take the following ones with it: each in a process of its own, for longer than it has elsewhere.
export CK_FORK=yes CK_TIMEOUT_MULTIPLIER=20
# And less of what a test has too much of for here, where it can do with less.
export NETRING_TESTS_SLOW=1
failed=0
log=$(mktemp)

# Ends well, and the plan that it printed was kept: a program that dies halfway has run fewer.
passes() {
	local planned ran
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | tail -n 1)
	ran=$(grep -cE '^(not )?ok ' "$log")
	[ "$1" = 0 ] && ! grep -q -e '^not ok ' -e '^Bail out' "$log" && [ -n "$planned" ] && [ "$planned" = "$ran" ]
}

echo "# kernel $(uname -r), $(nproc) CPUs"
for test in "$@"; do
	program=$test
	case $test in
		*.sh) program=$abs_top_srcdir/$test ;;
		tests/*) program=$abs_top_builddir/$test ;;
	esac
	start=$SECONDS
	timeout -k 5 "${VM_TEST_SECONDS:-600}" "$program" >"$log" 2>&1 </dev/null
	status=$?
	verdict=PASS
	passes $status || {
		verdict=FAIL
		failed=$((failed + 1))
	}
	echo "$verdict $test: $(grep -c '^ok ' "$log") ok, $(grep -c '^not ok ' "$log") not, $(grep -c '# SKIP' "$log") skipped, status $status, $((SECONDS - start)) s"
	if [ $verdict = FAIL ]; then
		grep -v '^ok ' "$log" | head -n 60 | sed 's/^/    /'
	fi
	grep '# SKIP' "$log" | sed 's/^/    /'
done
rm -f "$log"
exit $failed
