#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# sudo scripts/test.sh: installs what building and testing need, builds with gcc, runs every test, builds with clang, and runs what
# can run under the address and undefined-behaviour sanitizers. The last line is "N passed, N failed"; the exit status is 0 if
# nothing failed.
#
# A test that was skipped is named with its reason, and counts as neither. With NETRING_TESTS_REQUIRED=1, as in CI, it counts as
# failed, and warnings are errors. BUILD_DIR (default: build) holds the builds; TEST_MINUTES (default: 60) is when tests that
# still run are stopped, which counts as failed.
#
# It installs the programs that capture packets (tests/clients/packages.txt). No service of theirs is started now, but some
# would be at the next boot: this is for a test machine.
# shellcheck disable=SC2317 # functions are passed to step() by name
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD_DIR=$(realpath -m "${BUILD_DIR:-$TOP/build}")
# shellcheck source-path=SCRIPTDIR source=packages.sh disable=SC1091
. "$TOP/scripts/packages.sh"
# shellcheck source-path=SCRIPTDIR source=build.sh disable=SC1091
. "$TOP/scripts/build.sh"

export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
required=${NETRING_TESTS_REQUIRED:-0}
deadline=$((${TEST_MINUTES:-60} * 60))
make_flags=()
[ "$required" != 1 ] || make_flags=("CFLAGS=-g -O2 -Werror")
passed=0
failed=0
failures=()
skips=()

headline() { printf '\n== %s\n' "$*"; }

fail() {
	failed=$((failed + 1))
	failures+=("$1")
}

finish() {
	build_give_back "$BUILD_DIR"
	if [ "${#skips[@]}" -gt 0 ]; then
		headline "Skipped$([ "$required" != 1 ] || echo ", which counts as failed here")"
		printf '%s\n' "${skips[@]}"
	fi
	if [ "${#failures[@]}" -gt 0 ]; then
		headline "Failed"
		printf '%s\n' "${failures[@]}"
	fi
	printf '\n%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ]
	exit
}

# step NAME COMMAND…: a build step, which counts as one test.
step() {
	local name=$1
	shift
	headline "$name"
	if "$@"; then
		passed=$((passed + 1))
	else
		fail "$name"
		return 1
	fi
}

# failures_in LOG: the checks that failed, each with the comments behind it; and how the log ends, if its test ended without a failed check.
failures_in() {
	awk '/^(FAIL|ERROR|XPASS): / { print; name = $2; shown = 0; next }
		/^((not )?ok|PASS:|SKIP:|XFAIL:) / { name = "" }
		name != "" && /^# / && index($0, "# " name ": ") != 1 && shown++ < 20 { print "  " substr($0, 1, 300) }' "$1"
	if grep -q '^ERROR: ' "$1" && ! grep -q '^FAIL: ' "$1"; then
		tail -n 15 "$1" | cut -c 1-300 | sed 's/^/  /'
	fi
}

# add_result FILE: counts what a .trs file says, one line for each test point; the names are in the log beside it.
add_result() {
	local trs=$1 log=${1%.trs}.log pass bad skip line
	read -r pass bad skip < <(awk '/^:test-result:/ { n[$2]++ }
		END { print n["PASS"] + 0, n["FAIL"] + n["ERROR"] + n["XPASS"] + 0, n["SKIP"] + n["XFAIL"] + 0 }' "$trs")
	[ $((pass + bad + skip)) -gt 0 ] || fail "${trs#"$BUILD_DIR"/}: no result"
	passed=$((passed + pass))
	failed=$((failed + bad))
	[ "$required" != 1 ] || failed=$((failed + skip))
	while IFS= read -r line; do
		failures+=("$line")
	done < <(failures_in "$log")
	while read -r line; do
		skips+=("$line")
	done < <(grep -E '^(SKIP|XFAIL): ' "$log")
}

# run_tests NAME DIRECTORY MAKE_ARGUMENT…: a make target that runs tests. Adds the results that are newer than its start.
run_tests() {
	local name=$1 directory=$2 status=0 before=$failed found=0 stamp trs
	shift 2
	headline "$name"
	stamp=$(mktemp)
	timeout -k 60 $((SECONDS < deadline ? deadline - SECONDS : 1)) make -C "$directory" "$@" </dev/null || status=$?
	while read -r trs; do
		found=$((found + 1))
		add_result "$trs"
	done < <(find "$directory" -name '*.trs' -newer "$stamp" | sort)
	rm -f "$stamp"
	[ "$found" -gt 0 ] || fail "$name: no test ran"
	if [ "$status" = 124 ]; then
		fail "$name: not finished after $((deadline / 60)) minutes"
	elif [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
		fail "$name: make ended with status $status"
	fi
}

has_target() { grep -qE "^$2( |:)" "$1/Makefile" 2>/dev/null; }

build_with() {
	local directory=$1 compiler=$2
	build_configure "$directory" "CC=$compiler" && build_make "$directory" "${make_flags[@]}" &&
		build_make "$directory" "${make_flags[@]}" check TESTS=
}

install_packages() {
	local clients
	mapfile -t clients < <(packages_listed_in "$TOP/tests/clients/packages.txt")
	packages_install "${PACKAGES_BUILD[@]}" "${PACKAGES_DEMO[@]}" "${PACKAGES_TEST[@]}" "${clients[@]}"
}

# In a chroot whose root is no mount point, "ip netns exec" fails: it makes "/" a slave mount. There this script runs itself again
# in a chroot to the same tree, mounted on a directory.
root_as_mount_point() {
	local root status
	! unshare --mount --propagation unchanged mount --make-rslave / 2>/dev/null || return 0
	[ -z "$TEST_ROOT" ] || return 0 # not NETRING_…: the library takes every such name for a setting
	root=$(mktemp -d)
	trap 'umount -l "$root"; rmdir "$root"' EXIT
	mount --rbind / "$root" || exit 1
	TEST_ROOT=$root chroot "$root" "$TOP/scripts/test.sh" "$@"
	status=$?
	exit "$status"
}

if [ "$(id -u)" != 0 ]; then
	echo "needs root to install packages and to make network namespaces: sudo $0" >&2
	exit 1
fi
root_as_mount_point "$@"
trap 'exit 130' INT TERM
trap packages_allow_services EXIT

step "install packages" install_packages || finish
step "autoreconf" build_bootstrap || finish
gcc=$BUILD_DIR/test-gcc
clang=$BUILD_DIR/test-clang
step "build with gcc" build_with "$gcc" gcc || finish
run_tests "make check, several at a time" "$gcc" "${make_flags[@]}" -j4 check "TESTS=\$(COMPANY_TESTS)"
run_tests "make check, one at a time" "$gcc" "${make_flags[@]}" check "TESTS=\$(ALONE_TESTS)"
step "build with clang" build_with "$clang" clang
if has_target "$gcc" check-sanitize; then
	run_tests "make check-sanitize" "$gcc" check-sanitize
fi
if has_target "$gcc" lint; then
	step "make lint" build_make "$gcc" lint
fi
finish
