# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Building out of the tree, for demo.sh and test.sh. Wants TOP, the source directory.

# build_bootstrap: makes configure, when it is missing or older than what it is made from.
build_bootstrap() {
	if [ -e "$TOP/config.status" ]; then
		echo "$TOP is configured for building in the tree; run 'make distclean' there first." >&2
		return 1
	fi
	if [ ! -e "$TOP/configure" ] || [ "$TOP/configure.ac" -nt "$TOP/configure" ] || [ "$TOP/Makefile.am" -nt "$TOP/Makefile.in" ]; then
		(cd "$TOP" && autoreconf -fi)
	fi
}

# build_configure DIRECTORY CONFIGURE_ARGUMENT…: unless it is configured so already.
build_configure() {
	local directory=$1
	shift
	mkdir -p "$directory" || return 1
	if [ -e "$directory/Makefile" ] && [ "$directory/Makefile" -nt "$TOP/configure" ]; then
		return 0
	fi
	(cd "$directory" && "$TOP/configure" "$@" </dev/null)
}

build_make() {
	local directory=$1
	shift
	make -C "$directory" -j "$(nproc)" "$@" </dev/null
}

# build_give_back PATH…: these scripts run as root, the tree often belongs to somebody else. What was made in it becomes the
# owner's, so that the next make does not need root.
build_give_back() {
	local made=(aclocal.m4 autom4te.cache build-aux config.h.in config.h.in~ configure configure~ Makefile.in)
	[ "$(stat -c %u "$TOP")" != "$(id -u)" ] || return 0
	(cd "$TOP" && chown -Rh --reference="$TOP" "${made[@]}" "$@" 2>/dev/null)
	return 0
}
